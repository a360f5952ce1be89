import hashlib
import re
from datetime import UTC, datetime
from io import BytesIO

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from press.fonts import FontLibrary
from press.tail import BadPhoto, pdf_date, read_jpeg
from tests.press.certificates import FOLDER, make_press, print_certificate

PORTRAIT = (FOLDER / "samples" / "portrait-man.jpg").read_bytes()


def jpeg(mode: str, size: tuple[int, int], *, progressive: bool = False) -> bytes:
    out = BytesIO()
    Image.new(mode, size).save(out, "JPEG", progressive=progressive)
    return out.getvalue()


@given(
    mode=st.sampled_from(["L", "RGB"]),
    size=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    progressive=st.booleans(),
)
def test_size_and_colours_are_those_of_the_picture(mode: str, size: tuple[int, int], progressive: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    found = read_jpeg(jpeg(mode, size, progressive=progressive))
    assert (found.width, found.height) == size
    assert found.components == len(mode)


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_and_nothing_else_goes_wrong(noise: bytes) -> None:
    with pytest.raises(BadPhoto):
        read_jpeg(b"\xff\xd8" + noise.replace(b"\xc0", b"").replace(b"\xc1", b"").replace(b"\xc2", b""))


@given(st.integers(0, 150))
def test_a_photo_cut_in_its_header_is_refused(length: int) -> None:
    with pytest.raises(BadPhoto):
        read_jpeg(PORTRAIT[:length])


def test_cmyk_is_refused() -> None:
    with pytest.raises(BadPhoto, match="4 colour components"):
        read_jpeg(jpeg("CMYK", (20, 20)))


def test_dates_are_written_in_beijing_time() -> None:
    assert pdf_date(datetime(2026, 12, 31, 16, 0, 1, tzinfo=UTC)) == b"(D:20270101000001+08'00')"


def test_every_object_stands_where_the_table_says(library: FontLibrary) -> None:
    document = print_certificate(make_press(library)).document
    start = int(document.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    table = document[start:].split(b"trailer")[0].split(b"\n")
    assert table[0] == b"xref"
    count = int(table[1].split()[1])
    assert table[2] == b"0000000000 65535 f "
    for index, row in enumerate(table[3 : 2 + count], 1):
        assert re.fullmatch(rb"\d{10} 00000 n ", row)
        assert document[int(row[:10]) :].startswith(b"%d 0 obj\n" % index)


def test_objects_fill_the_file_without_gaps(library: FontLibrary) -> None:
    document = print_certificate(make_press(library)).document
    body = document[document.index(b"\n10 0 obj") + 1 : document.index(b"xref\n0 ")]
    with pikepdf.open(BytesIO(document)) as pdf:
        count = len(pdf.objects)
    # Streams hold any bytes, so objects are counted by their ends, which stand alone on a line before the next head.
    assert len(re.findall(rb"\nendobj\n(?=\d+ 0 obj\n|$)", body)) == count


def test_a_photo_is_neither_cropped_nor_stretched(library: FontLibrary) -> None:
    press = make_press(library)
    with pikepdf.open(BytesIO(print_certificate(press).document)) as pdf:
        content = pdf.pages[0].Contents[1].read_bytes()
    found = re.search(rb"q ([\d.]+) 0 0 ([\d.]+) [\d.]+ [\d.]+ cm /Photo Do", content)
    assert found is not None
    width, height = (float(number) for number in found.groups())
    assert width / height == pytest.approx(295 / 413, rel=1e-3)
    box = press.template.photo_box
    assert box is not None
    assert width <= box.width * 72 / 25.4 + 0.01
    assert height <= box.height * 72 / 25.4 + 0.01


def test_identifier_follows_from_the_claims(library: FontLibrary) -> None:
    certificate = print_certificate(make_press(library))
    with pikepdf.open(BytesIO(certificate.document)) as pdf:
        identifiers = [bytes(one) for one in pdf.trailer.ID.as_list()]
    assert identifiers == [hashlib.sha256(certificate.message).digest()[:16]] * 2
