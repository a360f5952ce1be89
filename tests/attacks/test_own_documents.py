"""Every class of attack on a certificate printed by our own press: none is valid, and the right word is said.

The classes are those of the attack corpus; its files are other documents.
"""

import dataclasses
import re
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO

import pikepdf
import pytest

from credential.model import State
from tests.verifier import making
from tests.verifier.making import Identity, append_objects, issue_identity, last_startxref, make_root, stream
from tests.verifier.world import NOW, Log, Register, World, issue, trust_list
from verifier.reasons import Word
from verifier.report import Integrity
from verifier.verdict import Presented

Attack = Callable[[bytes], bytes]
Edit = Callable[[pikepdf.Pdf], pikepdf.Object | None]


def edited(document: bytes, edit: Edit, more: Mapping[int, bytes] | None = None) -> bytes:
    """Append an update with one object changed by ``edit``, which gives that object, and with ``more`` objects."""
    with pikepdf.open(BytesIO(document)) as pdf:
        target = edit(pdf)
        objects = {} if target is None else {target.objgen[0]: target.unparse(resolved=True)}
        return append_objects(document, {**objects, **(more or {})}, root=pdf.Root.objgen[0])


def free_number(document: bytes) -> int:
    with pikepdf.open(BytesIO(document)) as pdf:
        return int(pdf.trailer.Size)


def on_page(key: str, value: object) -> Attack:
    def edit(pdf: pikepdf.Pdf) -> pikepdf.Object:
        page = pdf.pages[0].obj
        page[key] = value
        return page

    return lambda document: edited(document, edit)


def on_catalog(key: str, value: object) -> Attack:
    """Give a key of the catalog another value, or take it out where the value is None."""

    def edit(pdf: pikepdf.Pdf) -> pikepdf.Object:
        if value is None:
            assert key in pdf.Root, key
            del pdf.Root[key]
        else:
            pdf.Root[key] = value
        return pdf.Root

    return lambda document: edited(document, edit)


def with_reference(document: bytes, key: str, added: bytes) -> bytes:
    """Let the page refer to a new object: instead of its content, or among its annotations."""
    number = free_number(document)

    def edit(pdf: pikepdf.Pdf) -> pikepdf.Object:
        return pdf.pages[0].obj

    whole = edited(document, edit, {number: added})
    start = whole.rindex(b" obj\n<<", 0, whole.rindex(b"/MediaBox"))
    end = whole.index(b"endobj", start)
    page = whole[start:end]
    pattern = rb"/Contents (\[[^]]*\]|\d+ 0 R)" if key == "/Contents" else rb"/Annots \["
    written = b"/Contents %d 0 R" % number if key == "/Contents" else b"/Annots [ %d 0 R" % number
    changed, count = re.subn(pattern, written, page, count=1)
    assert count == 1, page
    with pikepdf.open(BytesIO(document)) as pdf:
        objects = {pdf.pages[0].obj.objgen[0]: changed[len(b" obj\n") :].strip(), number: added}
        return append_objects(document, objects, root=pdf.Root.objgen[0])


def move_seal(pdf: pikepdf.Pdf) -> pikepdf.Object:
    field = pdf.Root.AcroForm.Fields[0]
    field.Rect = pikepdf.Array([0, 0, 842, 595])
    return field


def object_stream_bomb(document: bytes) -> bytes:
    bomb = zlib.compress(bytes(64 << 20), 9)
    keys = b"/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode"
    body = b"<< %s /Length %d >>\nstream\n%s\nendstream" % (keys, len(bomb), bomb)
    return edited(document, lambda _: None, {free_number(document): body})


def loop(document: bytes) -> bytes:
    start = len(document)
    table = b"xref\n0 0\ntrailer\n<< /Size 9 /Root 1 0 R /Prev %d >>\n" % start
    return document + table + b"startxref\n%d\n%%%%EOF\n" % start


def deep(document: bytes) -> bytes:
    body = b"[" * 30_000 + b"]" * 30_000
    return edited(document, lambda _: None, {free_number(document): body})


SCRIPT = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)"))
NOTE = b"<< /Type /Annot /Subtype /FreeText /Rect [0 0 800 600] /Contents (Li Si) /DA (/Helv 12 Tf) >>"

AFTER_SIGNING: Mapping[str, Attack] = {
    "ISA: other content": lambda document: with_reference(document, "/Contents", stream(b"0 0 9999 9999 re f")),
    "ISA: page turned": on_page("/Rotate", 180),
    "ISA: page box": on_page("/CropBox", pikepdf.Array([0, 0, 10, 10])),
    "ISA: an action": on_catalog("/OpenAction", SCRIPT),
    "ISA: an action of the page": on_page("/AA", pikepdf.Dictionary(O=SCRIPT)),
    "ISA: a loose object": lambda document: edited(document, lambda _: None, {free_number(document): b"(loose)"}),
    "ISA: an unknown key in the trailer": lambda document: append_objects(
        document, {}, root=9, trailer=b" /Stray (Li Si)"
    ),
    "ISA: attachments dropped": on_catalog("/Names", None),
    "APPENDED: a comment": lambda document: document + b"% 1234\n",
    "APPENDED: an object": lambda document: document + b"4 0 obj\n<< >>\nendobj\n",
    "APPENDED: an object and the old table": lambda document: (
        document + b"4 0 obj\n<< >>\nendobj\nstartxref\n%d\n%%%%EOF\n" % last_startxref(document)
    ),
    "APPENDED: a broken table": lambda document: document + b"4 0 obj\n<< >>\nendobj\nxref\nstartxref\n1\n%%EOF\n",
    "APPENDED: zeros": lambda document: document + bytes(64),
    "EAA: an annotation over the name": lambda document: with_reference(document, "/Annots", NOTE),
    "SIGFIELD: the seal moved": lambda document: edited(document, move_seal),
    "MDP: certification removed": on_catalog("/Perms", None),
    "STRIPPED: form dropped": on_catalog("/AcroForm", None),
    "METADATA: XMP dropped": on_catalog("/Metadata", None),
    "METADATA: marks of structure dropped": on_catalog("/MarkInfo", None),
    "METADATA: another language": on_catalog("/Lang", pikepdf.String("en")),
    "SSA: an empty field": lambda document: making.add_empty_field(document, "Later", (0, 0, 800, 600)),
    "SSA: an invisible empty field": lambda document: making.add_empty_field(document, "Later"),
    "BOMB: an object stream": object_stream_bomb,
    "LOOP: a table that is its own predecessor": loop,
    "LOOP: deep nesting": deep,
}


@pytest.mark.parametrize("attack", AFTER_SIGNING.values(), ids=AFTER_SIGNING.keys())
def test_a_change_after_signing_is_tampering_and_names_the_certificate(attack: Attack, world: World) -> None:
    forged = attack(world.issued.document)
    assert forged.startswith(world.issued.document)
    assert len(forged) > len(world.issued.document)
    verdict = world.online.verify_file(forged, NOW)
    assert (verdict.verdict, verdict.presented) == (Word.TAMPERED, Presented.ALTERED), verdict.checks
    assert verdict.integrity is Integrity.MODIFIED
    assert verdict.credential is not None
    assert verdict.credential.serial == world.issued.claims.serial
    offline = world.offline.verify_file(forged, NOW)
    assert offline.verdict is Word.TAMPERED


def test_an_update_of_the_same_make_that_changes_nothing_is_harmless(world: World) -> None:
    """The attacks above fail for what they change, not for how this file writes updates."""
    verdict = world.online.verify_file(edited(world.issued.document, lambda pdf: pdf.Root), NOW)
    assert (verdict.verdict, verdict.presented) == (Word.VALID, Presented.ORIGINAL_WITH_UPDATES)


def gap_of(document: bytes) -> tuple[int, int]:
    """Offsets of the hex string in ``/Contents``, brackets included."""
    match = re.search(rb"/ByteRange ?\[ *0 +(\d+) +(\d+) +\d+ *\]", document)
    assert match is not None
    return int(match[1]), int(match[2])


def padded(document: bytes) -> bytes:
    _, end = gap_of(document)
    return document[: end - 5] + b"0041" + document[end - 1 :]


def twice(key: bytes) -> Attack:
    """Put a second entry in the signature dictionary, in the place of spaces or of the first one's padding."""

    def attack(document: bytes) -> bytes:
        _, end = gap_of(document)
        return document[: end - len(key) - 1] + b">" + key + document[end:]

    return attack


def moved_range(document: bytes) -> bytes:
    """SWA: the signed end moved further back, with room for an object in the gap."""
    start, end = gap_of(document)
    room = b"\n4 0 obj\n<< >>\nendobj\n"
    match = re.search(rb"/ByteRange ?\[[^\]]*\]", document)
    assert match is not None
    rest = len(document) - end
    written = b"/ByteRange[0 %d %d %d]" % (start, end + len(room), rest)
    assert len(written) <= len(match[0])
    moved = document[:end] + room + document[end:]
    return moved[: match.start()] + written.ljust(len(match[0])) + moved[match.end() :]


IN_PLACE: Mapping[str, Attack] = {
    "TAMPER: a signed byte": lambda document: document.replace(b"endstream", b"endstreaM", 1),
    "BYTERANGE: bytes in the padding": padded,
    "BYTERANGE: upper-case hex": lambda document: document[: gap_of(document)[0]]
    + document[slice(*gap_of(document))].upper()
    + document[gap_of(document)[1] :],
    "DUPLICATE: a second /ByteRange": twice(b"/ByteRange [0 1 2 3]"),
    "DUPLICATE: a second /Contents": twice(b"/Contents <00>"),
    "SWA: room in the gap": moved_range,
    "USF: no /Contents": lambda document: document.replace(b"/Contents<", b"/Contentz<", 1),
    "USF: an empty /Contents": lambda document: document[: gap_of(document)[0]]
    + b"<>"
    + b" " * (gap_of(document)[1] - gap_of(document)[0] - 2)
    + document[gap_of(document)[1] :],
    "USF: a null byte range": lambda document: re.sub(
        rb"/ByteRange ?\[[^\]]*\]", lambda match: b"/ByteRange null".ljust(len(match[0])), document, count=1
    ),
    "STRIPPED: the field renamed": lambda document: document.replace(b"/FT/Sig", b"/FT/Sug", 1),
}  # fmt: skip


@pytest.mark.parametrize("attack", IN_PLACE.values(), ids=IN_PLACE.keys())
def test_a_change_in_the_signed_bytes_or_the_signature_is_never_valid(attack: Attack, world: World) -> None:
    forged = attack(world.issued.document)
    assert forged != world.issued.document
    for verifier in (world.online, world.offline):
        verdict = verifier.verify_file(forged, NOW)
        assert verdict.verdict is not Word.VALID
        assert verdict.exit_code in {1, 2}


def test_a_file_saved_anew_is_a_copy(world: World) -> None:
    out = BytesIO()
    with pikepdf.open(BytesIO(world.issued.document)) as pdf:
        pdf.save(out)
    verdict = world.online.verify_file(out.getvalue(), NOW)
    assert (verdict.reason, verdict.presented) == ("copy", Presented.CONVERTED_COPY)
    assert verdict.exit_code == 2
    world.register.set_state(State.REVOKED)
    assert world.online.verify_file(out.getvalue(), NOW).verdict is Word.REVOKED


def stripped(document: bytes) -> bytes:
    """The page without its signature, saved anew."""
    out = BytesIO()
    with pikepdf.open(BytesIO(document)) as pdf:
        del pdf.Root.AcroForm
        del pdf.Root.Perms
        del pdf.pages[0].Annots
        pdf.save(out)
    return out.getvalue()


def test_a_stripped_file_is_a_copy(world: World) -> None:
    verdict = world.online.verify_file(stripped(world.issued.document), NOW)
    assert (verdict.reason, verdict.integrity) == ("copy", Integrity.UNSIGNED)


def test_a_stripped_file_signed_by_a_stranger_of_the_same_name_is_tampering(stranger: Identity, world: World) -> None:
    bare = stripped(world.issued.document)
    own_name = issue_identity(make_root("Test Root"), world.issued.claims.issuer_name)
    for identity in (stranger, own_name):
        verdict = world.online.verify_file(making.sign_pdf(bare, identity), NOW)
        assert (verdict.reason, verdict.presented) == ("signed-by-another", Presented.ALTERED)
        assert verdict.integrity is Integrity.INTACT
        assert verdict.credential is not None


def test_a_stranger_who_signs_on_top_is_tampering(
    monkeypatch: pytest.MonkeyPatch, stranger: Identity, world: World
) -> None:
    monkeypatch.setattr("pyhanko.sign.validation.read_certification_data", lambda _: None)  # it would refuse to sign
    document = making.sign_pdf(world.issued.document, stranger, permission=None, field_name="Second")
    monkeypatch.undo()
    verdict = world.online.verify_file(document, NOW)
    assert (verdict.verdict, verdict.presented) == (Word.TAMPERED, Presented.ALTERED)


def test_a_genuine_qr_code_on_another_persons_page_is_tampering(world: World) -> None:
    """The page of one person, printed and signed with stolen keys, bears the QR code of another."""
    victim = world.register.claims[1]
    other = issue(world.press, Log(), verification_code=victim.verification_code, status_index=78)
    assert stripped(other.document) != other.document
    verdict = world.online.verify_file(stripped(other.document), NOW)
    assert verdict.verdict is Word.TAMPERED
    assert verdict.reason in {"shown-differs", "qr-of-another"}
    assert world.online.verify_file(other.document, NOW).verdict is Word.TAMPERED


def test_a_sealed_file_with_anothers_claims_in_the_register_is_not_valid(world: World) -> None:
    """Somebody who can write the register points the file of one person at the entry of another."""
    world.register.documents[world.issued.digest] = 1
    verdict = world.online.verify_file(world.issued.document, NOW)
    assert verdict.reason == "register-damaged"


def test_a_log_of_the_thiefs_own_proves_nothing(world: World) -> None:
    thief = Log(list(world.register.log.leaves), key=dataclasses.replace(world.register.log).key)
    forked = issue(world.press, thief, verification_code="1111111111111111", status_index=5)
    world.register = Register(thief, forked)
    world.register.published = Log([*world.register.log.leaves[:-2], b"a", b"b"]).checkpoint()
    world.trust = trust_list(forked)
    assert world.online.verify_file(forked.document, NOW).reason == "log-forked"
