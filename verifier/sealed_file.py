"""Step 3 for a file that the register knows: it is the printed original, and behind it at most validation data.

The register says which digests were sealed, and a leaf of the log says it too.
Neither makes a file genuine: whoever writes the database alone can have any
digest logged. So the printed original must bear the signature of its own
certificate (verifier/sealed_signature.py), and whatever is longer than it is
examined, registered or not: a revision can add evidence and nothing else.
"""

from collections.abc import Callable
from typing import NamedTuple

from credential.ports import RegisteredCredential
from verifier.found import first_printed
from verifier.inquiry import Inquiry
from verifier.presented import GOOD, failed_rules
from verifier.reasons import Step
from verifier.report import DocumentReport, Integrity
from verifier.sealed_signature import SIGNATURE, check_sealed_signature
from verifier.signed_range import BadRange
from verifier.verdict import CheckFailed, Presented


class Sealed(NamedTuple):
    """The longest part of a document that is registered, from its first byte on."""

    registered: RegisteredCredential
    stored: bytes
    digest: bytes


class Printed(NamedTuple):
    """What a sealed file was when it was printed.

    Attributes:
        content: all bytes of it; its signature covers them.
        digest: SHA-256.
        certificate: of the key that signed, DER.
    """

    content: bytes
    digest: bytes
    certificate: bytes


def check_sealed_file(
    inquiry: Inquiry, document: bytes, sealed: Sealed, examine: Callable[[], DocumentReport]
) -> Printed:
    """Take step 3 for a file whose first bytes, or all, the register has sealed.

    Args:
        inquiry: gets the check.
        document: as presented.
        sealed: what of it is registered.
        examine: examines the document in limits; asked only for one that is longer than the printed original.

    Returns:
        The printed original, whose signature is good; whose it is, is not asked here.

    Raises:
        CheckFailed: it is not what was signed, or something else than validation data was added.
    """
    registered, stored, digest = sealed
    printed, printed_digest = first_printed(registered, stored, digest)
    if len(stored) != len(document):
        inquiry.presented = Presented.ORIGINAL_WITH_UPDATES
    try:
        certificate = check_sealed_signature(printed)
    except BadRange as error:
        inquiry.presented, inquiry.integrity = Presented.ALTERED, Integrity.BROKEN
        reason = "altered" if error.rule == SIGNATURE else "signers-disagree"
        raise CheckFailed(reason, f"{error.rule}: {error.detail}") from error
    if len(printed) == len(document):
        inquiry.integrity = Integrity.INTACT
        inquiry.passed(Step.DOCUMENT, "exact-original", "文件与封存的原件逐字节相同", "it is the sealed original")
        return Printed(printed, printed_digest, certificate)
    report = examine()
    if report.integrity not in GOOD or report.signed_end != len(printed):
        inquiry.presented = Presented.ALTERED
        reason = "unreadable" if report.integrity is Integrity.UNREADABLE else "altered"
        raise CheckFailed(reason, failed_rules(report) or "its signature is not that of the printed original")
    inquiry.passed(
        Step.DOCUMENT,
        "updates",
        "封存之后只增加了验证数据或换行",
        "nothing but validation data or line ends stands behind the sealed file",
    )
    return Printed(printed, printed_digest, certificate)


def check_own_claims(printed: Printed, registered: RegisteredCredential) -> None:
    """Check that a printed original carries the very claims that the register tells of.

    A genuine file that stands in the register under another credential, whose
    state is better, is none of its files.

    Raises:
        CheckFailed: it does not.
    """
    if registered.claims not in printed.content:  # attached as they are, and the signature covers them
        raise CheckFailed("register-differs", "the file carries other claims than those it is registered under")
