"""Files that are not the sealed originals: altered, copied, unsealed, of somebody else."""

import dataclasses
import hashlib
from datetime import timedelta
from io import BytesIO

import pikepdf
import pytest
from PIL import Image

from credential.claims import encode_claims
from credential.leaves import issue_leaf, seal_leaf
from credential.model import State
from press.look import render
from press.press import Press
from tests.attacks.test_own_documents import gap_of
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
    trust_list,
)
from verifier.inquiry import Inquiry
from verifier.look import Look
from verifier.reasons import Word
from verifier.report import Integrity
from verifier.sandbox import Sandbox
from verifier.verdict import Outcome, Presented, Verdict
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
        assert (verdict.verdict, verdict.presented) == (Word.UNKNOWN, Presented.OTHER)
        assert verdict.exit_code == 2
    assert world.online.verify_file(b"nothing at all", NOW).reason == "unreadable"


def picture_of(document: bytes, kind: str, dpi: int = 150) -> bytes:
    out = BytesIO()
    render(document, dpi).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_of_a_certificate_is_a_copy(kind: str, world: World) -> None:
    picture = picture_of(world.issued.document, kind)
    with Sandbox() as world.reader:
        verdict = world.online.verify_file(picture, NOW)
        assert (verdict.reason, verdict.presented, verdict.exit_code) == ("copy", Presented.CONVERTED_COPY, 2)
        world.register.set_state(State.REVOKED)
        assert world.online.verify_file(picture, NOW).verdict is Word.REVOKED
        assert world.offline.verify_file(picture, NOW).reason == "register-not-asked"
        blank = picture_of(write_pdf(), kind, 20)
        other = world.online.verify_file(blank, NOW)
        assert (other.reason, other.presented) == ("not-ours", Presented.OTHER)
        broken = world.online.verify_file(blank[:60], NOW)
        assert (broken.reason, broken.presented) == ("unreadable", Presented.OTHER)


# ---- what a page shows --------------------------------------------------------------------------------------------


def outcome_of(verdict: Verdict, name: str) -> Outcome:
    (outcome,) = {check.outcome for check in verdict.checks if check.name == name}
    return outcome


def forge(document: bytes, *, photo: bytes | None = None) -> bytes:
    """Draw a white box and another name over the page, change the photo, and save it anew."""
    out = BytesIO()
    with pikepdf.open(BytesIO(document)) as pdf:
        page = pdf.pages[0]
        if photo is not None:
            page.Resources.XObject.Photo.write(photo, filter=pikepdf.Name.DCTDecode)
        page.contents_add(b"q 1 g 200 300 300 40 re f Q")
        pdf.save(out)
    return out.getvalue()


def test_a_copy_never_gets_a_good_mark_for_what_it_shows(world: World) -> None:
    verdict = world.online.verify_file(forge(world.issued.document), NOW)
    assert (verdict.reason, verdict.presented) == ("copy", Presented.CONVERTED_COPY)
    assert outcome_of(verdict, "shown") is Outcome.INDETERMINATE
    assert "肉眼" in next(check.zh for check in verdict.checks if check.name == "shown")


def test_another_photo_on_a_copy_is_found_out(press: Press) -> None:
    log = Log()
    issued = issue(press, log, "ordinary")
    world = World(press, issued, Register(log, issued), trust_list(issued))
    assert world.online.verify_file(forge(issued.document), NOW).reason == "copy"
    out = BytesIO()
    Image.new("RGB", (413, 579), "red").save(out, "JPEG")
    forged = forge(issued.document, photo=out.getvalue())
    assert world.online.verify_file(forged, NOW).reason == "shown-differs"
    with Sandbox() as world.reader:
        assert world.online.verify_file(forged, NOW).reason == "shown-differs"
    world.reader = DirectReader()
    taken = BytesIO()
    with pikepdf.open(BytesIO(issued.document)) as pdf:
        del pdf.pages[0].Resources.XObject.Photo
        pdf.save(taken)
    assert world.online.verify_file(taken.getvalue(), NOW).reason == "shown-differs"
    offline = world.offline.verify_file(issued.document, NOW)
    assert outcome_of(offline, "photo") is Outcome.PASSED


def test_a_photo_put_on_a_copy_of_a_certificate_without_one_is_found_out(world: World) -> None:
    out = BytesIO()
    with pikepdf.open(BytesIO(world.issued.document)) as pdf:
        pdf.pages[0].Resources.XObject.Photo = pdf.make_stream(b"a photo")
        pdf.save(out)
    assert world.online.verify_file(out.getvalue(), NOW).reason == "shown-differs"


# ---- what is called an original -----------------------------------------------------------------------------------


def test_only_sealed_bytes_are_called_the_original_online(press: Press, world: World) -> None:
    document = world.issued.document
    start, end = gap_of(document)
    upper = document[:start] + document[start:end].upper() + document[end:]
    for verifier in (world.online, world.offline):
        verdict = verifier.verify_file(upper, NOW)
        assert (verdict.reason, verdict.presented) == ("altered", Presented.ALTERED)
    unsealed = issue(press, Log(), verification_code="1111111111111111", status_index=5)
    assert world.online.verify_file(unsealed.document, NOW).presented is Presented.ALTERED
    assert world.offline.verify_file(document, NOW).presented is Presented.ORIGINAL
    assert world.offline.verify_file(with_updates(world), NOW).presented is Presented.ORIGINAL_WITH_UPDATES


def test_a_thief_under_our_root_presents_no_original(world: World) -> None:
    root = make_root()
    world.trust = dataclasses.replace(world.trust, ca_certs=(root.der,))
    carrier = write_pdf(attachments={"certificate.cose": world.issued.message})
    for verifier in (world.online, world.offline):
        verdict = verifier.verify_file(making.sign_pdf(carrier, making.issue_identity(root)), NOW)
        assert (verdict.reason, verdict.presented) == ("signers-disagree", Presented.ALTERED)


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
    world.supplied = dataclasses.replace(world.supplied, templates={})
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
