"""What programs that did not make it say of a certificate."""

import hashlib
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
import zxingcpp
from asn1crypto import x509 as asn1_x509
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from credential.ports import Algorithm
from press.display import display_values
from press.fonts import FontLibrary
from press.look import extract_text, render
from press.tail import BEIJING
from tests.press.certificates import (
    PDF_ALGORITHMS,
    PROOF,
    RARE_NAMES,
    SAMPLES,
    Certificate,
    make_press,
    print_certificate,
    signing,
    template,
)

Tool = Callable[[str], Path]


@pytest.fixture(params=PDF_ALGORITHMS)
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    return Algorithm(request.param)


def run(*arguments: str | Path, expected: int = 0) -> str:
    done = subprocess.run([str(one) for one in arguments], capture_output=True, check=False)
    assert done.returncode == expected, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def saved(certificate: Certificate, folder: Path) -> Path:
    path = folder / "certificate.pdf"
    path.write_bytes(certificate.document)
    return path


def covered(document: bytes) -> tuple[bytes, bytes]:
    """The bytes under the signature, and the signature container with its padding."""
    found = re.search(rb"/ByteRange\[0 (\d+) (\d+) (\d+)\]", document)
    assert found is not None
    opening, closing, rest = (int(number) for number in found.groups())
    assert closing + rest == len(document)
    assert document[opening : opening + 1] == b"<"
    assert document[closing - 1 : closing] == b">"
    return document[:opening] + document[closing:], document[opening + 1 : closing - 1]


@pytest.mark.parametrize("sample", SAMPLES)
def test_qpdf_finds_nothing_wrong(sample: str, library: FontLibrary, tool: Tool, tmp_path: Path) -> None:
    path = saved(print_certificate(make_press(library), sample), tmp_path)
    assert "No syntax or stream encoding errors found" in run(tool("qpdf"), "--check", path)


def test_mutool_opens_the_file_without_repairing_it(library: FontLibrary, tool: Tool, tmp_path: Path) -> None:
    path = saved(print_certificate(make_press(library)), tmp_path)
    done = subprocess.run([tool("mutool"), "info", path], capture_output=True, check=True)
    assert b"repair" not in done.stderr.lower()
    assert b"Pages: 1" in done.stdout


def test_pyhanko_accepts_every_kind_of_key(algorithm: Algorithm, library: FontLibrary) -> None:
    document = print_certificate(make_press(library, algorithm)).document
    reader = PdfFileReader(BytesIO(document), strict=True)
    (embedded,) = reader.embedded_signatures
    root = asn1_x509.Certificate.load(signing(algorithm).chain[-1])
    status = validate_pdf_signature(
        embedded,
        ValidationContext(trust_roots=[root], moment=datetime(2027, 1, 1, tzinfo=UTC)),
        key_usage_settings=KeyUsageConstraints(key_usage={"non_repudiation"}),
    )
    assert status.coverage is SignatureCoverageLevel.ENTIRE_FILE
    assert status.docmdp_ok
    assert status.intact
    assert status.valid
    assert status.trusted
    assert status.bottom_line
    assert embedded.docmdp_level is MDPPerm.NO_CHANGES
    assert reader.xrefs.total_revisions == 1


def test_pdfsig_accepts_every_kind_of_key(
    algorithm: Algorithm, library: FontLibrary, tool: Tool, tmp_path: Path
) -> None:
    path = saved(print_certificate(make_press(library, algorithm)), tmp_path)
    said = run(tool("pdfsig"), "-nocert", path)
    assert "Signature Validation: Signature is Valid." in said
    assert "Total document signed" in said
    assert "ETSI.CAdES.detached" in said


def test_openssl_verifies_the_byte_range(
    algorithm: Algorithm, library: FontLibrary, tool: Tool, tmp_path: Path
) -> None:
    content, container = covered(print_certificate(make_press(library, algorithm)).document)
    (tmp_path / "content").write_bytes(content)
    (tmp_path / "signature").write_bytes(bytes.fromhex(container.decode()))
    (tmp_path / "root.pem").write_bytes(signing(algorithm).root_pem)
    arguments: list[str | Path] = [
        "-inform",
        "DER",
        "-in",
        tmp_path / "signature",
        "-content",
        tmp_path / "content",
        "-binary",
    ]
    arguments += ["-CAfile", tmp_path / "root.pem", "-purpose", "any", "-out", tmp_path / "out"]
    run(tool("openssl"), "cms", "-verify", *arguments)
    (tmp_path / "content").write_bytes(content.replace(b"/Type/Page/", b"/Type/Pagf/"))
    failed = subprocess.run([tool("openssl"), "cms", "-verify", *map(str, arguments)], capture_output=True, check=False)
    assert failed.returncode != 0


def test_contents_is_lower_case_hexadecimal_padded_with_zeros(algorithm: Algorithm, library: FontLibrary) -> None:
    _, container = covered(print_certificate(make_press(library, algorithm)).document)
    assert re.fullmatch(rb"[0-9a-f]+", container)
    length = 4 + int(container[4:8], 16)  # the container is longer than 255 and shorter than 65,536 bytes
    assert container[:4] == b"3082"
    assert set(container[2 * length :]) <= {ord("0")}


@pytest.mark.parametrize("name", RARE_NAMES)
def test_every_reader_gives_a_rare_name_back_exactly(
    name: str, library: FontLibrary, tool: Tool, tmp_path: Path
) -> None:
    certificate = print_certificate(make_press(library), name=name)
    path = saved(certificate, tmp_path)
    for text in (
        run(tool("pdftotext"), "-raw", path, "-"),
        run(tool("pdftotext"), path, "-"),
        run(tool("mutool"), "draw", "-F", "txt", path),
        extract_text(certificate.document),
    ):
        assert name in text.replace("\r\n", "\n").split("\n")


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_displayed_value_can_be_extracted(sample: str, library: FontLibrary, tool: Tool, tmp_path: Path) -> None:
    certificate = print_certificate(make_press(library), sample)
    path = saved(certificate, tmp_path)
    shown = display_values(template(), certificate.claims)
    printed = set(shown) - {"original_number", "issuer_name", "id_type"}
    for text in (
        run(tool("pdftotext"), "-raw", path, "-"),
        run(tool("mutool"), "draw", "-F", "txt", path),
        extract_text(certificate.document),
    ):
        # A value may be broken over lines, never within a reader's idea of a word.
        solid = "".join(text.split())
        missing = [key for key in printed if "".join(shown[key].split()) not in solid]
        assert missing == []


def test_values_are_read_in_the_order_of_the_page(library: FontLibrary, tool: Tool, tmp_path: Path) -> None:
    certificate = print_certificate(make_press(library), "rare")
    path = saved(certificate, tmp_path)
    shown = display_values(template(), certificate.claims)
    order = ["name", "sex", "id_number", "series", "specialty", "title", "level", "committee", "approval_document"]
    order += ["qualified_on", "obtain_mode", "serial", "statement", "verification_code", "issued_on", "identifier"]
    for text in (run(tool("pdftotext"), "-raw", path, "-"), extract_text(certificate.document)):
        at = 0
        for key in order:
            at = text.index(shown[key], at) + len(shown[key])


def test_spread_labels_are_read_as_words(library: FontLibrary, tool: Tool, tmp_path: Path) -> None:
    lines = run(tool("pdftotext"), "-raw", saved(print_certificate(make_press(library)), tmp_path), "-").split("\n")
    for label in ("专业技术职务任职资格证书", "姓名", "性别", "级别"):
        assert label in lines


@pytest.mark.parametrize("sample", ["ordinary", "no-photo", "longest"])
def test_readers_get_the_code_from_a_page_at_150_dpi(
    sample: str, library: FontLibrary, tool: Tool, tmp_path: Path
) -> None:
    certificate = print_certificate(make_press(library), sample)
    for picture in pictures(certificate, tool, tmp_path):
        with Image.open(picture) as opened:
            image = opened.convert("L")
        found = [
            code.text
            for code in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode]))
        ]
        assert found == [certificate.qr_text]
        assert (
            run(tool("zbarimg"), "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", picture).strip()
            == certificate.qr_text
        )


def pictures(certificate: Certificate, tool: Tool, folder: Path) -> Iterator[Path]:
    """The page drawn by two programs at 150 dpi."""
    render(certificate.document, 150).save(folder / "pdfium.png")
    yield folder / "pdfium.png"
    run(tool("pdftoppm"), "-r", "150", "-png", "-singlefile", saved(certificate, folder), folder / "poppler")
    yield folder / "poppler.png"


def test_attachments_come_out_as_they_went_in(library: FontLibrary, tool: Tool, tmp_path: Path) -> None:
    certificate = print_certificate(make_press(library))
    wanted = {"certificate.cose": certificate.message, "certificate.tlog-proof": PROOF.encode()}
    run(tool("pdfdetach"), "-saveall", "-o", tmp_path, saved(certificate, tmp_path))
    assert {name: (tmp_path / name).read_bytes() for name in wanted} == wanted
    with pikepdf.open(BytesIO(certificate.document)) as pdf:
        assert {name: pdf.attachments[name].get_file().read_bytes() for name in pdf.attachments} == wanted
        relations = {str(file.UF): str(file.AFRelationship) for file in pdf.Root.AF.as_list()}
    assert relations == {"certificate.cose": "/Data", "certificate.tlog-proof": "/Supplement"}


def test_photo_is_embedded_byte_for_byte(library: FontLibrary) -> None:
    certificate = print_certificate(make_press(library))
    with pikepdf.open(BytesIO(certificate.document)) as pdf:
        photo = pdf.pages[0].Resources.XObject.Photo
        assert photo.read_raw_bytes() == certificate.photo
        assert (int(photo.Width), int(photo.Height)) == (295, 413)
    assert hashlib.sha256(certificate.photo or b"").digest() == certificate.claims.photo_digest


def test_metadata_says_nothing_of_the_holder(library: FontLibrary) -> None:
    certificate = print_certificate(make_press(library), "rare")
    with pikepdf.open(BytesIO(certificate.document)) as pdf:
        packet = pdf.Root.Metadata.read_bytes().decode()
        assert "/Info" not in pdf.trailer
        assert "专业技术职务任职资格证书" in packet
    holder = certificate.claims.holder
    for secret in (holder.name, holder.id_number, certificate.claims.serial, certificate.claims.verification_code):
        assert secret not in packet


def test_signing_time_stands_in_the_dictionary_as_beijing_time(library: FontLibrary) -> None:
    certificate = print_certificate(make_press(library))
    with pikepdf.open(BytesIO(certificate.document)) as pdf:
        written = str(pdf.Root.AcroForm.Fields[0].V.M)
    assert written == certificate.claims.issued_at.astimezone(BEIJING).strftime("D:%Y%m%d%H%M%S+08'00'")


def test_file_has_one_revision_and_nothing_after_its_end(library: FontLibrary) -> None:
    document = print_certificate(make_press(library)).document
    assert document.count(b"%%EOF") == 1
    assert document.endswith(b"%%EOF\n")
    assert document.count(b"startxref") == 1
    assert b"/Prev" not in document
