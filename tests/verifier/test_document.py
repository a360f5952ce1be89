"""What a document's signatures say: each class of change gets its word, and honest updates are not refused."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.verifier import making
from tests.verifier.making import NOW, Identity, append_objects, issue_identity, make_crl, sign_pdf, write_pdf
from verifier import document as document_module
from verifier.report import DocumentReport, Integrity, Trust

Examine = Callable[[bytes], DocumentReport]
REFUSED = {Integrity.MODIFIED, Integrity.BROKEN, Integrity.UNSIGNED, Integrity.UNREADABLE}


def why(report: DocumentReport) -> list[str]:
    return [f"{finding.name}: {finding.detail}" for finding in report.findings if not finding.passed]


# ---- to accept ------------------------------------------------------------------------------------------------


def test_a_certified_document_is_intact_and_trusted(signed: bytes, bureau: Identity, look_at: Examine) -> None:
    report = look_at(signed)
    assert (report.integrity, report.trusted, report.sub_indication) == (Integrity.INTACT, Trust.YES, "")
    assert report.signed_end == len(signed)
    assert report.page_count == 1
    assert report.attachments == {"certificate.cose": b"claims", "certificate.tlog-proof": b"proof"}
    (signature,) = report.signatures
    assert signature.signing_cert == bureau.der
    assert (signature.certification, signature.key, signature.digest_algorithm) == (1, "secp256r1", "sha256")
    assert signature.signed_at is not None
    assert not why(report)


@pytest.mark.parametrize("permission", [None, 1, 2, 3])
def test_every_level_of_certification_is_accepted_untouched(
    permission: int | None, bureau: Identity, look_at: Examine
) -> None:
    report = look_at(sign_pdf(write_pdf(), bureau, permission=permission))
    assert (report.integrity, report.trusted) == (Integrity.INTACT, Trust.YES)
    assert report.signatures[0].certification == permission


@pytest.mark.parametrize("line_ends", [b"\n", b"\r\n\r\n", b"\r"])
def test_line_ends_behind_the_end_do_no_harm(line_ends: bytes, signed: bytes, look_at: Examine) -> None:
    assert look_at(signed + line_ends).integrity is Integrity.INTACT


def test_validation_data_and_timestamps_may_follow_even_a_final_certification(
    signed: bytes, root: Identity, bureau: Identity, stamper: Identity, look_at: Examine
) -> None:
    with_data = making.add_validation_data(signed, [bureau.cert, root.cert], [make_crl(root)])
    stamped = making.add_timestamp(with_data, stamper)
    again = making.add_timestamp(making.add_validation_data(stamped, [stamper.cert]), stamper)
    for document in (with_data, stamped, again):
        report = look_at(document)
        assert report.integrity is Integrity.INTACT_WITH_UPDATES, why(report)
        assert report.trusted is Trust.YES
        assert report.signed_end == len(signed)
        assert report.attachments["certificate.cose"] == b"claims"
    assert [signature.is_timestamp for signature in look_at(again).signatures] == [False, True, True]


def test_a_trusted_timestamp_in_the_signature_is_reported(
    bureau: Identity, stamper: Identity, look_at: Examine
) -> None:
    report = look_at(sign_pdf(write_pdf(), bureau, stamper=stamper))
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].timestamp == NOW


@pytest.mark.parametrize("permission", [None, 2])
def test_a_second_signature_of_a_trusted_issuer_is_accepted(
    permission: int | None, root: Identity, bureau: Identity, look_at: Examine
) -> None:
    once = sign_pdf(write_pdf(), bureau, permission=permission)
    other = issue_identity(root, "Other Bureau")
    report = look_at(sign_pdf(once, other, permission=None, field_name="Second"))
    assert report.integrity is Integrity.INTACT_WITH_UPDATES, why(report)
    assert report.trusted is Trust.YES


def test_a_visible_second_signature_of_a_trusted_issuer_is_accepted_after_approval(
    root: Identity, approved: bytes, look_at: Examine
) -> None:
    other = issue_identity(root, "Other Bureau")
    report = look_at(sign_pdf(approved, other, permission=None, field_name="Second", box=(50, 50, 200, 100)))
    assert report.integrity is Integrity.INTACT_WITH_UPDATES, why(report)


def test_a_stranger_may_fill_a_field_that_the_signer_placed_but_is_not_trusted(
    bureau: Identity, stranger: Identity, look_at: Examine
) -> None:
    prepared = making.add_empty_field(write_pdf(), "Second", (50, 50, 200, 100))
    once = sign_pdf(prepared, bureau, permission=None)
    report = look_at(sign_pdf(once, stranger, permission=None, field_name="Second", prepared=True))
    assert (report.integrity, report.trusted) == (Integrity.INTACT_WITH_UPDATES, Trust.NO)


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()])
def test_strong_keys_of_other_kinds_are_accepted(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, root: Identity, look_at: Examine
) -> None:
    digest = "sha512" if isinstance(key, ed25519.Ed25519PrivateKey) else "sha256"
    report = look_at(sign_pdf(write_pdf(), issue_identity(root, key=key), digest=digest))
    assert (report.integrity, report.trusted) == (Integrity.INTACT, Trust.YES), why(report)


# ---- to refuse: integrity ---------------------------------------------------------------------------------------


def test_a_second_signature_after_final_certification_is_a_modification(
    monkeypatch: pytest.MonkeyPatch, signed: bytes, bureau: Identity, look_at: Examine
) -> None:
    monkeypatch.setattr("pyhanko.sign.validation.read_certification_data", lambda _: None)  # it would refuse to sign
    twice = sign_pdf(signed, bureau, permission=None, field_name="Second")
    monkeypatch.undo()
    assert look_at(twice).integrity is Integrity.MODIFIED


def test_a_strangers_visible_signature_is_a_modification(approved: bytes, stranger: Identity, look_at: Examine) -> None:
    forged = sign_pdf(approved, stranger, permission=None, field_name="Second", box=(50, 50, 500, 700))
    assert look_at(forged).integrity is Integrity.MODIFIED


def test_a_strangers_invisible_signature_fails_the_file_for_trust(
    approved: bytes, stranger: Identity, look_at: Examine
) -> None:
    report = look_at(sign_pdf(approved, stranger, permission=None, field_name="Second"))
    assert report.trusted is Trust.NO


def test_an_empty_signature_field_added_later_is_a_modification(approved: bytes, look_at: Examine) -> None:
    for box in (None, (50, 50, 200, 100)):
        assert look_at(making.add_empty_field(approved, "Later", box)).integrity is Integrity.MODIFIED


@pytest.mark.parametrize(
    "tail",
    [
        b"% a comment\n",
        b" ",
        b"\0",
        b"x",
        b"9 0 obj\n(text)\nendobj\n",
        b"9 0 obj\n(text)\nendobj\nstartxref\n0\n%%EOF\n",
        b"startxref\n%d\n%%%%EOF\n",
        b"%%EOF\n",
    ],
)
def test_bytes_behind_the_end_are_a_modification(tail: bytes, signed: bytes, look_at: Examine) -> None:
    if b"%d" in tail:
        tail %= making.last_startxref(signed)
    report = look_at(signed + tail)
    assert report.integrity is Integrity.MODIFIED, why(report)
    assert report.signed_end == len(signed)


def page_of(signed: bytes) -> bytes:
    """The newest page dictionary of a document made by making.write_pdf and signed by pyHanko."""
    start = signed.rindex(b"\n3 0 obj") + len(b"\n3 0 obj")
    return signed[start : signed.index(b"endobj", start)].strip()


def test_new_content_in_an_update_is_a_modification(signed: bytes, look_at: Examine) -> None:
    forged = append_objects(signed, {4: making.stream(b"BT /F1 24 Tf 72 700 Td (Li Si) Tj ET")})
    assert look_at(forged).integrity is Integrity.MODIFIED


def test_an_update_that_changes_nothing_but_leaves_a_loose_object_is_a_modification(
    signed: bytes, look_at: Examine
) -> None:
    assert look_at(append_objects(signed, {90: b"(loose)"})).integrity is Integrity.MODIFIED


@pytest.mark.parametrize("between", [b"% comment\n", b"91 0 obj\n(hidden)\nendobj\n", b"junk\n"])
def test_bytes_between_the_objects_of_an_update_are_a_modification(
    between: bytes, signed: bytes, root: Identity, look_at: Examine
) -> None:
    honest = making.add_validation_data(signed, [root.cert])
    marker = honest.index(b"endobj", len(signed)) + len(b"endobj\n")
    startxref = making.last_startxref(honest)
    body, table = honest[marker:startxref], honest[startxref:]
    shifted = between + body
    lines = table.split(b"\n")
    moved = [
        b"%010d" % (int(line[:10]) + len(between)) + line[10:]
        if len(line) == 19 and line.endswith(b"n ") and int(line[:10]) >= marker
        else line
        for line in lines
    ]
    forged = (
        honest[:marker] + shifted + b"\n".join(moved).replace(b"%d" % startxref, b"%d" % (startxref + len(between)))
    )
    assert look_at(honest).integrity is Integrity.INTACT_WITH_UPDATES
    assert look_at(forged).integrity is Integrity.MODIFIED


@pytest.mark.parametrize(
    "metadata",
    [b"/Title (Certificate 2)", b"/Title (Certificate 1) /Author (x)", b"/Title (Certificate 1) /Producer 7 0 R"],
)
def test_other_metadata_is_a_modification(metadata: bytes, signed: bytes, look_at: Examine) -> None:
    forged = append_objects(signed, {6: b"<< %s >>" % metadata}, has_info=True)
    assert look_at(forged).integrity is Integrity.MODIFIED


def test_a_new_producer_and_date_alone_are_harmless(signed: bytes, look_at: Examine) -> None:
    touched = b"<< /Title (Certificate 1) /Producer (Archive 1) /ModDate (D:20260101000000Z) >>"
    assert look_at(append_objects(signed, {6: touched}, has_info=True)).integrity is Integrity.INTACT_WITH_UPDATES


def test_a_signature_taken_out_by_an_update_is_a_modification(signed: bytes, look_at: Examine) -> None:
    start = signed.rindex(b"\n1 0 obj") + len(b"\n1 0 obj")
    catalog = signed[start : signed.index(b"endobj", start)]
    bare = catalog[: catalog.index(b"/AcroForm")] + b">>"
    report = look_at(append_objects(signed, {1: bare}))
    assert report.integrity is Integrity.MODIFIED
    assert report.attachments["certificate.cose"] == b"claims"


def test_a_stranger_who_replaces_the_signature_does_not_hide_it(
    signed: bytes, stranger: Identity, look_at: Examine
) -> None:
    start = signed.rindex(b"\n1 0 obj") + len(b"\n1 0 obj")
    catalog = signed[start : signed.index(b"endobj", start)]
    bare = catalog[: catalog.index(b"/AcroForm")] + b">>"
    report = look_at(sign_pdf(append_objects(signed, {1: bare}), stranger))
    assert report.integrity is Integrity.MODIFIED
    assert "no-signature-removed" in {finding.name for finding in report.findings if not finding.passed}


def test_a_document_without_a_signature_is_unsigned(stamper: Identity, look_at: Examine) -> None:
    assert look_at(write_pdf()).integrity is Integrity.UNSIGNED
    assert look_at(making.add_timestamp(write_pdf(), stamper)).integrity is Integrity.UNSIGNED


def test_any_signed_byte_counts(signed: bytes, look_at: Examine) -> None:
    position = signed.index(b"Zhang")
    report = look_at(signed[:position] + b"Zhong" + signed[position + 5 :])
    assert (report.integrity, report.trusted) == (Integrity.BROKEN, Trust.NO)


def gap_of(document: bytes) -> tuple[int, int]:
    start = document.index(b"/Contents <") + len(b"/Contents ")
    return start, document.index(b">", start) + 1


def test_bytes_in_the_padding_break_the_signature(signed: bytes, look_at: Examine) -> None:
    _, end = gap_of(signed)
    report = look_at(signed[: end - 3] + b"41>" + signed[end:])
    assert report.integrity is Integrity.BROKEN
    assert "padding" in {finding.name for finding in report.findings if not finding.passed}


@pytest.mark.parametrize("filler", [b"g0", b"  ", b"<0", b"\n0"])
def test_anything_but_hex_in_the_gap_breaks_the_signature(filler: bytes, signed: bytes, look_at: Examine) -> None:
    _, end = gap_of(signed)
    assert look_at(signed[: end - 3] + filler + signed[end - 1 :]).integrity in REFUSED


@pytest.mark.parametrize("shift", [(0, 0, 0, -1), (0, 1, 0, 0), (0, 0, -2, 2), (1, 0, 0, 0), (0, -6, 6, 0)])
def test_any_other_byte_range_breaks_the_signature(
    shift: tuple[int, int, int, int], signed: bytes, look_at: Examine
) -> None:
    start = signed.index(b"/ByteRange [") + len(b"/ByteRange [")
    end = signed.index(b"]", start)
    numbers = [int(number) + change for number, change in zip(signed[start:end].split(), shift, strict=True)]
    written = b" ".join(b"%d" % number for number in numbers).ljust(end - start)
    assert look_at(signed[:start] + written + signed[end:]).integrity is Integrity.BROKEN


def test_a_byte_range_of_three_numbers_breaks_the_signature(signed: bytes, look_at: Examine) -> None:
    start = signed.index(b"/ByteRange [") + len(b"/ByteRange [")
    end = signed.index(b"]", start)
    written = b" ".join(signed[start:end].split()[:3]).ljust(end - start)
    assert look_at(signed[:start] + written + signed[end:]).integrity is Integrity.BROKEN


def test_a_second_contents_entry_breaks_the_signature(signed: bytes, look_at: Examine) -> None:
    forged = signed.replace(b"/Type /Sig\n", b"/Type /Sig /Contents <00> /Type /Sig\n", 1)
    assert forged != signed
    assert look_at(forged).integrity in {Integrity.BROKEN, Integrity.UNREADABLE}


def test_weak_algorithms_break_a_signature_however_trusted(root: Identity, look_at: Examine) -> None:
    small = issue_identity(root, key=rsa.generate_private_key(65537, 1024))  # noqa: S505 - weak on purpose
    weak_key = look_at(sign_pdf(write_pdf(), small))
    weak_digest = look_at(sign_pdf(write_pdf(), issue_identity(root), digest="sha1"))
    for report in (weak_key, weak_digest):
        assert report.integrity is Integrity.BROKEN
        assert report.signatures[0].is_weak


def test_a_weak_timestamp_breaks_the_file(signed: bytes, stamper: Identity, look_at: Examine) -> None:
    assert look_at(making.add_timestamp(signed, stamper, digest="sha1")).integrity in REFUSED


# ---- to refuse: cannot be read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", b"PK\x03\x04" + bytes(99), b"\x89PNG\r\n", b"%%EOF" * 9999])
def test_what_is_no_document_is_unreadable(content: bytes, look_at: Examine) -> None:
    assert look_at(content).integrity is Integrity.UNREADABLE


def test_too_long_a_document_is_unreadable(monkeypatch: pytest.MonkeyPatch, signed: bytes, look_at: Examine) -> None:
    monkeypatch.setattr(document_module, "MAX_DOCUMENT_BYTES", len(signed) - 1)
    assert look_at(signed).integrity is Integrity.UNREADABLE


def test_too_many_revisions_or_signatures_are_unreadable(
    monkeypatch: pytest.MonkeyPatch, approved: bytes, bureau: Identity, look_at: Examine
) -> None:
    twice = sign_pdf(approved, bureau, permission=None, field_name="Second")
    with monkeypatch.context() as patch:
        patch.setattr(document_module, "MAX_SIGNATURES", 1)
        assert look_at(twice).integrity is Integrity.MODIFIED  # the first revision still is good
    monkeypatch.setattr(document_module, "MAX_REVISIONS", 1)
    assert look_at(approved).integrity is Integrity.UNREADABLE


def test_something_before_the_header_makes_a_document_unreadable(look_at: Examine) -> None:
    assert look_at(b"\n" + write_pdf()).integrity is Integrity.UNREADABLE


@pytest.mark.parametrize("seed", range(40))
def test_no_damage_makes_the_examination_raise(seed: int, signed: bytes, look_at: Examine) -> None:
    import random  # noqa: PLC0415 - seeded, for damage only

    chance = random.Random(seed)  # noqa: S311 - not for secrets
    damaged = bytearray(signed)
    for _ in range(chance.randrange(1, 12)):
        position = chance.randrange(len(damaged))
        damaged[position : position + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    if bytes(damaged) != signed:
        assert look_at(bytes(damaged)).integrity in REFUSED
