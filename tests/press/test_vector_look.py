import io
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import typst
import zxingcpp
from PIL import Image, ImageFilter

from press.fonts import FontLibrary
from press.look import render
from press.samples import preview_svg
from press.vector_look import draw_svg
from tests.press.certificates import Certificate, make_press, print_certificate, template

DPI = 150


@pytest.fixture(scope="module")
def certificate(library: FontLibrary) -> Certificate:
    return print_certificate(make_press(library), "rare")


def rastered(svg: str, folder: Path, dpi: int) -> Image.Image:
    """Draw an SVG with a program that did not make it."""
    (folder / "page.svg").write_text(svg, "utf-8")
    source = b'#set page(width: 297mm, height: 210mm, margin: 0mm)\n#image("page.svg", width: 100%)'
    (folder / "page.typ").write_bytes(source)
    png = typst.compile(str(folder / "page.typ"), root=str(folder), format="png", ppi=dpi, ignore_system_fonts=True)
    assert isinstance(png, bytes)
    return Image.open(io.BytesIO(png)).convert("RGB")


def worst_difference(svg: Image.Image, document: bytes) -> float:
    """The largest difference of grey, 0 to 255, where pictures are blurred so that edges' pixels do not count."""
    pdf = render(document, DPI).resize(svg.size)
    blurred = [np.asarray(one.convert("L").filter(ImageFilter.GaussianBlur(2)), dtype=float) for one in (svg, pdf)]
    return float(np.abs(blurred[0] - blurred[1]).max())


def test_the_svg_looks_like_the_pdf(library: FontLibrary, certificate: Certificate, tmp_path: Path) -> None:
    svg = rastered(draw_svg(certificate.document), tmp_path, DPI)
    assert worst_difference(svg, certificate.document) < 60
    other = print_certificate(make_press(library), "rare", name="张䶮𣲵")
    assert worst_difference(svg, other.document) > 120  # one character is enough to be seen


def test_the_code_can_be_read_from_the_svg(certificate: Certificate, tmp_path: Path) -> None:
    found = zxingcpp.read_barcodes(rastered(draw_svg(certificate.document), tmp_path, 200).convert("L"))
    assert [code.text for code in found] == [certificate.qr_text]


def test_boxes_are_outlined_on_request(library: FontLibrary) -> None:
    plain, boxed = (preview_svg(template(), library, "no-photo", boxes=boxes) for boxes in (False, True))
    ET.fromstring(plain)  # noqa: S314 - our own words
    rectangles = [one for one in ET.fromstring(boxed).iter() if one.tag.endswith("rect")]  # noqa: S314 - our own words
    assert len(rectangles) == len(list(template().boxes(photo=False)))
