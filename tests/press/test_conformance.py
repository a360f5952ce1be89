import shutil
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from docs import rules as rules_page
from press.conformance import RULES, NonconformingDocument, check_document, require_conformance
from press.conformance_content import read_content
from press.conformance_metadata import read_xml
from press.conformance_program import read_program, read_unicode_map
from press.conformance_seal import count_signers
from press.fonts import FontLibrary
from press.inspection import check_template
from tests.press.broken import Change, descriptor, edited, put, root, widget
from tests.press.broken_cases import BROKEN
from tests.press.certificates import FOLDER, make_press, print_certificate
from tests.press.stamped import stamped_certificate

CASES = [
    pytest.param(name, change, id=f"{name}-{number}")
    for name, each in BROKEN.items()
    for number, change in enumerate(each, 1)
]


@pytest.fixture(scope="module")
def document(library: FontLibrary) -> bytes:
    return print_certificate(make_press(library)).document


@pytest.fixture(scope="module")
def rewritten(document: bytes) -> set[str]:
    """What is said of a certificate that was only written anew."""
    return {breach.rule for breach in check_document(edited(lambda _: None)(document))}


def test_a_certificate_passes(document: bytes) -> None:
    assert check_document(document) == []
    require_conformance(document)


def test_a_stamped_certificate_with_a_chain_passes(library: FontLibrary) -> None:
    assert check_document(stamped_certificate(library)) == []


def test_writing_a_certificate_anew_breaks_the_signature_and_nothing_else(rewritten: set[str]) -> None:
    assert rewritten == {"coverage"}


def test_every_rule_has_a_broken_certificate() -> None:
    assert sorted(BROKEN) == sorted(rule.name for rule in RULES)
    assert all(BROKEN.values())


@pytest.mark.parametrize(("name", "change"), CASES)
def test_each_fault_is_found_by_its_rule(document: bytes, name: str, change: Change) -> None:
    found = check_document(change(document))
    assert name in {breach.rule for breach in found}, (name, [(one.rule, one.en) for one in found])


def test_a_certificate_without_its_signature_says_so(document: bytes) -> None:
    unsigned = edited(lambda pdf: widget(pdf.Root).__delitem__("/V"))(document)
    (finding,) = [breach for breach in check_document(unsigned) if breach.rule == "coverage"]
    assert finding.en.endswith(": 0 signatures")


@pytest.mark.parametrize(
    "value", [pikepdf.Name("/12345678901"), pikepdf.String("12345678901"), 2147483647, -2147483648]
)
def test_digits_that_are_no_number_and_the_greatest_numbers_are_within_the_limits(
    document: bytes, value: object
) -> None:
    assert {breach.rule for breach in check_document(put(root, "/Own", value)(document))} == {"coverage"}


def test_data_that_ends_like_a_line_is_no_fault() -> None:
    with pikepdf.new() as pdf:
        pdf.Root.Own = pdf.make_stream(b"data\r")
        out = BytesIO()
        pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable, compress_streams=False)
    assert b"data\r\nendstream" in out.getvalue()
    assert not {"stream-bytes", "objects"} & {breach.rule for breach in check_document(out.getvalue())}


def test_a_finding_names_its_clause_and_what_breaks_it(document: bytes) -> None:
    broken = BROKEN["notdef"][0](document)
    finding = next(breach for breach in check_document(broken) if breach.rule == "notdef")
    assert finding.clause == "ISO 19005-3, 6.2.11.8"
    assert finding.en == "the glyph for missing characters is shown: page 1 font /V code 0000"
    assert finding.zh == "显示了缺字字形: page 1 font /V code 0000"
    with pytest.raises(NonconformingDocument, match=r"6\.") as raised:
        require_conformance(broken)
    assert "notdef" in raised.value.rules


def test_a_sample_that_does_not_conform_is_a_finding_of_its_template(library: FontLibrary, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "copy"))
    file = folder / "template.toml"
    file.write_text(file.read_text("utf-8").replace('language = "zh-CN"', 'language = "zh_CN"', 1), "utf-8")
    report = check_template(folder, library)
    assert {finding.clause for finding in report.findings} == {"ISO 14289-1, 7.2"}
    assert sorted({finding.sample for finding in report.findings}) == sorted(report.samples)


def test_many_faults_of_one_rule_are_one_finding_that_names_three(document: bytes) -> None:
    broken = BROKEN["structure-tree"][0](document)
    (finding,) = [breach for breach in check_document(broken) if breach.rule == "marked-content"]
    assert finding.en.count(";") == 3
    assert finding.en.endswith("; ...")


def test_what_is_no_pdf_is_a_finding() -> None:
    assert [breach.rule for breach in check_document(b"no certificate")] == ["readable"]


def test_rules_have_clauses_of_the_three_standards_and_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.clauses, rule.name
        assert all(clause.startswith(("ISO 19005-3, 6.", "ISO 14289-1, ", "ISO 32000-1, ")) for clause in rule.clauses)


def test_the_page_of_rules_is_the_rules() -> None:
    assert rules_page.PAGE.read_text("utf-8") == rules_page.rewrite(rules_page.PAGE.read_text("utf-8")), (
        "run: make docs"
    )
    assert tuple(rule for _, rules in rules_page.GROUPS for rule in rules) == RULES


def test_a_container_of_two_signers_is_counted_as_such() -> None:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(b"text")
    for number, key in enumerate(keys, 1):
        certificate = x509.CertificateBuilder(name, name, key.public_key(), number, start, start + timedelta(days=9))
        builder = builder.add_signer(certificate.sign(key, hashes.SHA256()), key, hashes.SHA256())
    container = builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature])
    assert count_signers(container + bytes(9)) == (2, 2)
    for cut in range(1, len(container), 97):
        with pytest.raises((ValueError, IndexError)):
            count_signers(container[:-cut])


def test_a_unicode_map_is_read_in_all_its_forms() -> None:
    cmap = (
        b"1 beginbfchar\n<0001> <4E2D>\nendbfchar 2 beginbfrange <0002><0003><0041>"
        b"<0010> <0011> [<D840DC00> <00660069>] endbfrange 1 beginbfrange <00FE><0102><0030> endbfrange"
    )
    known = {1: "中", 2: "A", 3: "B", 16: "\U00020000", 17: "fi", 254: "0", 255: "1"}
    assert read_unicode_map(cmap) == known  # a range ends with the last code of its high byte


def test_a_drawing_is_read_without_a_parser_as_with_one() -> None:
    drawing = b"q\n1 0 0 1 2 3 cm\n/Own gs\nq 0.5 g 0 0 m 9 9 l S Q\n0 0 9 9 re f* Q"
    with pikepdf.new() as pdf:
        stream = pdf.make_stream(drawing)
        plain, parsed = (
            read_content(stream, [drawing]),
            read_content(pdf.make_stream(drawing + b" % ()"), [drawing + b" % ()"]),
        )
    assert plain.operators == parsed.operators == {"q", "cm", "gs", "g", "m", "l", "S", "Q", "re", "f*"}
    assert plain.named == parsed.named == {("gs", "/Own")}
    assert plain.depth == parsed.depth == 2


def test_a_font_program_is_judged_by_its_tables(document: bytes) -> None:
    with pikepdf.open(BytesIO(document)) as pdf:
        font = descriptor(pdf.Root).FontFile2.read_bytes()
    program = read_program(font)
    assert not program.fault
    assert program.glyphs == len(program.advances) > 10
    assert read_program(b"").fault
    assert all(read_program(font[:length]).fault for length in range(0, len(font) - 4, 131))


def test_an_xml_document_that_declares_entities_is_refused() -> None:
    assert read_xml(b"<a>text</a>") is not None
    assert read_xml(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>') is None
