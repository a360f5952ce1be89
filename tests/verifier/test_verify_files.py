"""Files that are not the sealed originals: altered, copied, unsealed, of somebody else."""

import dataclasses
import hashlib
from datetime import timedelta

import pytest

from credential.claims import encode_claims
from credential.leaves import issue_leaf, seal_leaf
from credential.model import State
from press.press import Press
from tests.verifier import making
from tests.verifier.making import make_root, make_stamper, write_pdf
from tests.verifier.ways import FULL_WAYS, qr_copy, with_updates
from tests.verifier.world import (
    NOW,
    DirectReader,
    Log,
    Register,
    World,
    issue,
    sample_claims,
)
from verifier.inquiry import Inquiry
from verifier.reasons import Word
from verifier.report import Integrity
from verifier.sandbox import Look
from verifier.steps import Supplied
from verifier.verdict import Presented
from verifier.verify import Verifier

# ---- files that the register has not sealed -----------------------------------------------------------------------


def test_a_file_that_stolen_keys_made_is_not_valid(press: Press, world: World) -> None:
    """All signing keys of the issuer, but not the log: nothing it makes is acceptable."""
    invented = issue(press, Log(), verification_code="1111111111111111", status_index=5)
    verdict = world.online.verify_file(invented.document, NOW)
    assert (verdict.reason, verdict.exit_code) == ("seal-not-logged", 2)
    improved = issue(press, Log(), fields={**world.issued.claims.fields, "level": "正高级", "title": "教授"})
    assert world.online.verify_file(improved.document, NOW).verdict is Word.TAMPERED


def test_a_row_put_into_the_register_makes_nothing_valid(press: Press, world: World) -> None:
    """All signing keys and the database, but not the log key."""
    invented = issue(press, Log(), verification_code="1111111111111111", status_index=5)
    world.register = Register(world.register.log, invented)
    for verdict in (
        world.online.verify_file(invented.document, NOW),
        world.online.verify_qr(invented.qr_text, NOW),
        world.online.verify_code("1111-1111-1111-1111", NOW),
    ):
        assert verdict.reason == "issue-not-logged"


def test_a_reprinted_certificate_that_was_not_sealed_is_not_valid(press: Press, world: World) -> None:
    claims, photo = sample_claims(press)
    payload = encode_claims(claims)
    leaf = issue_leaf(hashlib.sha256(payload).digest(), claims.salt)
    printed = press.print(
        claims,
        photo=photo,
        qr_text=world.issued.qr_text,
        message=world.issued.message,
        proof=world.register.log.proof(leaf),
    )
    twin = press.prefix(False).content + printed.tail
    assert twin != world.issued.document
    assert world.online.verify_file(twin, NOW).reason == "seal-not-logged"
    world.register.set_state(State.REVOKED)
    assert world.online.verify_file(twin, NOW).verdict is Word.REVOKED


def test_a_sealed_file_whose_proof_is_missing_is_not_valid(world: World) -> None:
    bare = tuple(dataclasses.replace(file, seal_proof="") for file in world.register.entries[0].files)
    for files in (bare, ()):
        world.register.change(files=files)
        assert FULL_WAYS["file"](world).reason == "seal-not-logged"
        assert FULL_WAYS["code"](world).verdict is Word.VALID  # the code asks nothing of a file


def test_a_sealed_file_without_a_signature_of_the_issuer_is_not_valid(world: World) -> None:
    """Somebody who can write register and log seals a file that the issuer never signed."""
    root = make_root()
    for document in (write_pdf(), making.sign_pdf(write_pdf(), making.issue_identity(root)), b"no document"):
        digest = hashlib.sha256(document).digest()
        leaf = seal_leaf(digest, world.issued.claims.salt)
        world.register.log.add(leaf)
        file = dataclasses.replace(
            world.register.entries[0].files[0], digest=digest, seal_proof=world.register.log.proof(leaf)
        )
        world.register.change(files=(file,))
        world.register.documents[digest] = 0
        assert world.online.verify_file(document, NOW).reason == "signers-disagree"


def test_a_document_of_somebody_else_is_unknown(world: World) -> None:
    root = make_root()
    foreign = making.sign_pdf(write_pdf(), making.issue_identity(root))
    for document in (foreign, write_pdf(), b"", b"nothing at all"):
        verdict = world.online.verify_file(document, NOW)
        assert (verdict.verdict, verdict.presented) == (Word.UNKNOWN, Presented.CONVERTED_COPY)
        assert verdict.exit_code == 2


def test_a_document_signed_under_our_root_without_claims_is_not_valid(world: World) -> None:
    root = make_root()
    world.trust = dataclasses.replace(world.trust, ca_certs=(root.der,))
    other = making.sign_pdf(write_pdf(), making.issue_identity(root))
    assert world.online.verify_file(other, NOW).reason == "claims-malformed"


def test_a_document_with_our_claims_by_another_signer_under_our_root_is_found_out(world: World) -> None:
    root = make_root()
    world.trust = dataclasses.replace(world.trust, ca_certs=(root.der,))
    carrier = write_pdf(attachments={"certificate.cose": world.issued.message})
    other = making.sign_pdf(carrier, making.issue_identity(root))
    assert world.online.verify_file(other, NOW).reason == "signers-disagree"


def test_an_expired_signer_of_an_unsealed_file_leaves_it_open(world: World) -> None:
    root = make_root()
    world.trust = dataclasses.replace(world.trust, ca_certs=(root.der,))
    expired = making.issue_identity(root, valid_until=NOW - timedelta(days=1))
    carrier = write_pdf(attachments={"certificate.cose": world.issued.message})
    assert world.online.verify_file(making.sign_pdf(carrier, expired), NOW).reason == "signer-undecided"


# ---- updates and alterations --------------------------------------------------------------------------------------


def test_archival_timestamps_leave_an_original_valid(world: World) -> None:
    stamped = making.add_timestamp(with_updates(world), make_stamper(make_root()))
    verdict = world.online.verify_file(stamped, NOW)
    assert (verdict.verdict, verdict.integrity) == (Word.VALID, Integrity.INTACT_WITH_UPDATES)


def test_an_altered_original_is_called_so_and_named(world: World) -> None:
    for tail in (b"x", b"% note\n", b"9 0 obj\n(x)\nendobj\n"):
        verdict = world.online.verify_file(world.issued.document + tail, NOW)
        assert (verdict.verdict, verdict.presented) == (Word.TAMPERED, Presented.ALTERED)
        assert verdict.integrity is Integrity.MODIFIED
        assert verdict.credential is not None
        assert verdict.credential.serial == world.issued.claims.serial


def test_an_original_with_a_tail_beyond_the_limits_cannot_be_told(world: World) -> None:
    verdict = world.online.verify_file(world.issued.document + bytes(17 << 20), NOW)
    assert (verdict.verdict, verdict.exit_code) == (Word.UNKNOWN, 2)
    assert verdict.integrity is Integrity.UNREADABLE


def test_a_copy_is_about_the_certificate_that_its_qr_code_names(world: World) -> None:
    verdict = world.online.verify_file(qr_copy(world), NOW)
    assert (verdict.reason, verdict.presented) == ("copy", Presented.CONVERTED_COPY)
    assert verdict.verdict is not Word.VALID
    assert verdict.exit_code == 2
    assert verdict.credential is not None
    assert verdict.credential.state is State.VALID
    world.register.set_state(State.REVOKED)
    assert world.online.verify_file(qr_copy(world), NOW).verdict is Word.REVOKED


def test_a_copy_of_an_unregistered_certificate_is_unknown(press: Press, world: World) -> None:
    invented = issue(press, Log(), verification_code="1111111111111111", status_index=5)
    world.issued = invented
    assert world.online.verify_file(qr_copy(world), NOW).reason == "no-such-credential"


def test_a_stripped_file_is_a_copy_even_when_only_its_attachment_names_it(world: World) -> None:
    words = b"BT /F1 12 Tf 72 700 Td (a certificate of quite another person) Tj ET"
    carrier = write_pdf(words, attachments={"certificate.cose": world.issued.message})
    verdict = world.online.verify_file(carrier, NOW)
    assert (verdict.reason, verdict.presented) == ("shown-differs", Presented.CONVERTED_COPY)
    world.supplied = Supplied()
    assert world.online.verify_file(carrier, NOW).reason == "copy"
    world.register.claims = []
    world.register.entries = []
    assert world.online.verify_file(carrier, NOW).reason == "no-such-credential"


def test_a_way_that_left_out_a_step_could_not_say_valid(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.setattr("verifier.steps.Steps.still_good", lambda *_: None)
    with pytest.raises(AssertionError):
        world.online.verify_file(world.issued.document, NOW)


def test_only_registered_credentials_have_proofs(world: World) -> None:

    offline = Verifier(None, world.trust, DirectReader())
    found = world.online._steps.open_registered(world.register.entries[0])
    with pytest.raises(AssertionError):
        offline._steps.logged(Inquiry(Presented.CODE, NOW), found, None)


class ScriptedReader(DirectReader):
    """Examines truly, but sees on a page what a test says."""

    def __init__(self, *symbols: str) -> None:
        super().__init__()
        self.symbols = symbols

    def look(self, document: bytes) -> Look:
        return dataclasses.replace(super().look(document), symbols=self.symbols)


def test_a_page_without_our_qr_code_or_with_anothers_is_found_out(world: World) -> None:
    code = world.register.claims[1].verification_code
    others = f"{world.press.look.public_url}/c/{code}"
    for symbols in ((), ("https://example.org/",), (others,), (world.issued.qr_text, others)):
        world.reader = ScriptedReader(*symbols)
        assert world.offline.verify_file(world.issued.document, NOW).reason == "qr-of-another"
    world.reader = ScriptedReader(world.issued.qr_text.partition("#")[0])
    assert world.offline.verify_file(world.issued.document, NOW).reason == "register-not-asked"


def test_a_damaged_entry_has_no_name(world: World) -> None:
    claims = world.issued.claims
    world.register.change(claims=b"\x00")
    assert world.online.verify_serial(claims.serial, claims.holder.name, NOW).reason == "no-such-credential"
