"""Authorities and signed documents that several tests of the verifier share; nobody changes them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from press.fonts import FontLibrary
from press.press import Press
from tests.press.certificates import make_press
from tests.verifier.making import NOW, Identity, issue_identity, make_root, make_stamper, sign_pdf, write_pdf
from tests.verifier.world import Issued, Log, Register, World, issue, trust_list
from verifier.document import examine
from verifier.report import DocumentReport

ATTACHMENTS = {"certificate.cose": b"claims", "certificate.tlog-proof": b"proof", "other.bin": b"x"}


@pytest.fixture(scope="session")
def root() -> Identity:
    return make_root()


@pytest.fixture(scope="session")
def bureau(root: Identity) -> Identity:
    return issue_identity(root)


@pytest.fixture(scope="session")
def stranger() -> Identity:
    """Someone with the bureau's names under a root of the same name, but with other keys."""
    return issue_identity(make_root())


@pytest.fixture(scope="session")
def stamper(root: Identity) -> Identity:
    return make_stamper(root)


@pytest.fixture(scope="session")
def signed(bureau: Identity) -> bytes:
    """A certified document (P=1) with attachments."""
    return sign_pdf(write_pdf(attachments=ATTACHMENTS, info=b"/Title (Certificate 1)"), bureau)


@pytest.fixture(scope="session")
def approved(bureau: Identity) -> bytes:
    """The same with a mere approval signature."""
    return sign_pdf(write_pdf(), bureau, permission=None)


@pytest.fixture
def look_at(root: Identity) -> Callable[[bytes], DocumentReport]:
    """Examines a document with the one configured root, now."""
    return lambda document: examine(document, anchors=[root.der], crls=[], now=NOW)


@pytest.fixture(scope="session")
def press(unpacked_fonts: Path) -> Press:
    fonts = Path(__file__).resolve().parents[2] / "templates" / "fonts"
    return make_press(FontLibrary(fonts, unpacked_fonts))


@pytest.fixture(scope="session")
def printed(press: Press) -> tuple[Issued, Issued, tuple[bytes, ...]]:
    """Two certificates of two persons, and the leaves of the log behind them."""
    log = Log()
    first = issue(press, log)
    second = issue(press, log, "minority", verification_code="0123456789ABCDEF", status_index=78)
    return first, second, tuple(log.leaves)


@pytest.fixture
def world(press: Press, printed: tuple[Issued, Issued, tuple[bytes, ...]]) -> World:
    """Everything good; each test breaks its own copy."""
    first, second, leaves = printed
    return World(press, first, Register(Log(list(leaves)), first, second), trust_list(first))
