"""What may follow a signed revision, rule by rule: the smallest step over each line is a modification."""

from collections.abc import Callable, Mapping
from io import BytesIO

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, String
from pyhanko.pdf_utils import generic
from pyhanko.sign.diff_analysis import SuspiciousModification

from tests.attacks.test_own_documents import Attack, edited, free_number, on_catalog
from tests.verifier.making import Identity, append_objects, sign_pdf, stream, write_pdf
from verifier import updates
from verifier.report import DocumentReport, Integrity

Examine = Callable[[bytes], DocumentReport]
EMPTY = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:e="urn:e#"%s/></rdf:RDF></x:xmpmeta>'
)
LEVEL = Dictionary(BaseVersion=Name("/1.7"), ExtensionLevel=1)


def extensions(change: Callable[[pikepdf.Object], None]) -> Attack:
    def edit(pdf: pikepdf.Pdf) -> pikepdf.Object:
        change(pdf.Root.Extensions)
        return pdf.Root

    return lambda document: edited(document, edit)


def with_new(key: str, body: bytes, *, inside: str = "") -> Attack:
    """Let the catalog refer to a new object, directly or by a dictionary with a list of one."""

    def attack(document: bytes) -> bytes:
        number = free_number(document)
        whole = on_catalog(key, Name("/Marker"))(document)
        start = whole.rindex(b"obj\n<<") + 4
        catalog = whole[start : whole.index(b"endobj", start)].strip()
        value = b"<< %s [ %d 0 R ] >>" % (inside.encode(), number) if inside else b"%d 0 R" % number
        with pikepdf.open(BytesIO(document)) as pdf:
            root = pdf.Root.objgen[0]
        return append_objects(document, {root: catalog.replace(b"/Marker", value), number: body}, root=root)

    return attack


HARMLESS: Mapping[str, Attack] = {
    "a newer version": on_catalog("/Version", Name("/2.0")),
    "an extension": extensions(lambda held: held.__setitem__("/ISO_", Array([LEVEL]))),
    "a certificate": with_new("/DSS", stream(b"\x30\x00"), inside="/Certs"),
    "an empty packet": with_new("/Metadata", stream(EMPTY % b"", b"/Type /Metadata /Subtype /XML")),
    "a producer in one line": lambda document: document + append_objects(
        document, {6: b"<< /Title (Certificate 1) /Producer (a) >>"}, has_info=True
    )[len(document) :].replace(b"startxref", b"% some program 1.0\nstartxref"),
}  # fmt: skip
MODIFICATIONS: Mapping[str, Attack] = {
    "a version that is none": on_catalog("/Version", Name("/9.9")),
    "a version that is text": on_catalog("/Version", String("2.0")),
    "an extension of text": extensions(lambda held: held.__setitem__("/ISO_", String("Li Si"))),
    "an extension of nobody": extensions(lambda held: held.__setitem__("/Li Si", LEVEL)),
    "an extension that says more": extensions(lambda held: held.__setitem__("/ISO_", Dictionary(Name=String("Li Si")))),
    "an extension in an extension": extensions(
        lambda held: held.__setitem__("/ISO_", Dictionary(URL=Dictionary(A=String("Li Si"))))
    ),
    "an extension less": extensions(lambda held: held.__delitem__("/ESIC")),
    "an extension of another type": extensions(lambda held: held.__setitem__("/Type", Name("/Other"))),
    "extensions elsewhere": with_new("/Extensions", b"<< >>"),
    "validation data that is none": with_new("/DSS", stream(b"Li Si"), inside="/Certs"),
    "validation data with more": with_new("/DSS", stream(b"\x30\x00", b"/Name (Li Si)"), inside="/Certs"),
    "another packet": with_new("/Metadata", stream(EMPTY % b' e:serial="1"', b"/Type /Metadata /Subtype /XML")),
    "a broken packet": with_new("/Metadata", stream(b"Li Si", b"/Type /Metadata /Subtype /XML")),
    "a packet with more": with_new("/Metadata", stream(EMPTY % b"", b"/Name (Li Si)")),
    "a packet that is none": with_new("/Metadata", b"(Li Si)"),
    "a long producer": lambda document: append_objects(
        document, {6: b"<< /Title (Certificate 1) /Producer (%s) >>" % (b"x" * 600)}, has_info=True
    ),
    "a producer that is no text": lambda document: append_objects(
        document, {6: b"<< /Title (Certificate 1) /Producer << /A (Li Si) >> >>"}, has_info=True
    ),
    "an /Info that is none": lambda document: append_objects(document, {6: b"(Li Si)"}, has_info=True),
    "two comments": lambda document: document + append_objects(
        document, {6: b"<< /Title (Certificate 1) >>"}, has_info=True
    )[len(document) :].replace(b"startxref", b"% one\n% two\nstartxref"),
    "a table with words": lambda document: document + append_objects(
        document, {6: b"<< /Title (Certificate 1) >>"}, has_info=True
    )[len(document) :].replace(b"65535 f \n", b"65535 fLi"),
    "an object of two values": lambda document: append_objects(
        document, {6: b"<< /Title (Certificate 1) >> (Li Si)"}, has_info=True
    ),
    "an entry beside its object": lambda document: document + append_objects(
        document, {6: b"<< /Title (Certificate 1) >>"}, has_info=True
    )[len(document) :].replace(b"6 0 obj", b"6  0 obj").replace(b"6  0 obj\n<", b"%6 0 obj<", 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def base(bureau: Identity) -> bytes:
    return sign_pdf(write_pdf(info=b"/Title (Certificate 1)"), bureau)


@pytest.mark.parametrize("attack", HARMLESS.values(), ids=HARMLESS.keys())
def test_harmless_updates_are_let_pass(attack: Attack, base: bytes, look_at: Examine) -> None:
    report = look_at(attack(base))
    failed = [finding.detail for finding in report.findings if not finding.passed]
    assert report.integrity is Integrity.INTACT_WITH_UPDATES, failed


@pytest.mark.parametrize("attack", MODIFICATIONS.values(), ids=MODIFICATIONS.keys())
def test_one_step_more_is_a_modification(attack: Attack, base: bytes, look_at: Examine) -> None:
    document = attack(base)
    assert document.startswith(base)
    assert look_at(document).integrity is Integrity.MODIFIED


def test_metadata_of_the_signed_revision_may_not_be_replaced_or_dropped(bureau: Identity, look_at: Examine) -> None:
    packet = stream(EMPTY % b' e:serial="1"', b"/Type /Metadata /Subtype /XML")
    base = sign_pdf(write_pdf(catalog=b"/Metadata 20 0 R", extra={20: packet}), bureau)
    assert look_at(base).integrity is Integrity.INTACT
    same = stream(EMPTY % b' e:serial="1" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:ModifyDate="2026-01-01"')
    assert look_at(append_objects(base, {20: same})).integrity is Integrity.INTACT_WITH_UPDATES
    other = stream(EMPTY % b' e:serial="2"')
    for document in (append_objects(base, {20: other}), on_catalog("/Metadata", None)(base)):
        assert look_at(document).integrity is Integrity.MODIFIED


def name(text: str) -> generic.NameObject:
    return generic.NameObject(text)


def entries(**more: generic.PdfObject) -> generic.DictionaryObject:
    held = {"/FT": name("/Sig"), "/V": name("/Signed"), **{f"/{key}": value for key, value in more.items()}}
    return generic.DictionaryObject(held)  # type: ignore[no-untyped-call] # pyHanko leaves it untyped


def test_a_new_signature_field_holds_what_a_signature_needs() -> None:
    reference = generic.IndirectObject(4, 0, None)  # type: ignore[no-untyped-call] # pyHanko leaves it untyped
    plain = generic.ArrayObject([entries()])
    updates._check_new_field(entries(MK=entries(), Border=plain))
    updates._check_new_field(entries(Kids=plain))
    for bad in (
        entries(AA=entries()),
        entries(A=name("/Script")),
        entries(MK=generic.ArrayObject([entries(R=reference)])),
        entries(Kids=generic.ArrayObject([entries(AA=entries())])),
        entries(Kids=generic.ArrayObject([name("/None")])),
    ):
        with pytest.raises(SuspiciousModification):
            updates._check_new_field(bad)


def test_loose_entries_of_the_dss_are_lists_of_references() -> None:
    reference = generic.IndirectObject(4, 0, None)  # type: ignore[no-untyped-call] # pyHanko leaves it untyped
    vri = {"Type": name("/VRI"), "Cert": generic.ArrayObject([reference])}
    bare = generic.DictionaryObject({f"/{key}": value for key, value in vri.items()})  # type: ignore[no-untyped-call] # same
    assert updates._is_vri_entry(bare)
    bare["/CRL"] = generic.ArrayObject([name("/Text")])
    assert not updates._is_vri_entry(bare)
    assert not updates._is_vri_entry(entries())
    assert not updates._is_vri_entry(name("/VRI"))
