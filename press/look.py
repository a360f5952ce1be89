"""A PDF to pixels and to text, with a reader that did not make it (pypdfium2)."""

from collections.abc import Iterator
from contextlib import contextmanager

import pypdfium2  # type: ignore[import-untyped]  # has no type information
from PIL import Image

POINTS_PER_INCH = 72

_IMAGE = 3  # FPDF_PAGEOBJ_IMAGE
_DEPTH = 2  # of forms within forms in which pictures are looked for
_QUIET = 6.0  # points of the page that are drawn around a picture


class Paper:
    """An open PDF; one of our own making, or in the verifier's sandbox."""

    def __init__(self, pdf: pypdfium2.PdfDocument) -> None:
        self._pdf = pdf

    def draw(self, dpi: int, page: int = 0) -> Image.Image:
        """Draw a page as people see it, form fields included, in shades of grey."""
        return self._draw(self._pdf[page], dpi, (0, 0, 0, 0))

    def draw_squares(self, dpi: int, most: int, page: int = 0) -> Iterator[Image.Image]:
        """Draw only what people see where a page has square pictures, as QR codes mostly are.

        Whatever lies above or below a picture is drawn as well: each is a cut-out
        of :meth:`draw`. On a turned or shifted page the cut-outs are other ones.

        Args:
            dpi: pixels an inch.
            most: squares that are drawn.
            page: from 0.
        """
        opened = self._pdf[page]
        width, height = opened.get_size()
        for found in opened.get_objects(filter=[_IMAGE], max_depth=_DEPTH):
            left, bottom, right, top = found.get_bounds()
            is_inside = 0 <= left < right <= width and 0 <= bottom < top <= height
            if most and is_inside and abs((right - left) - (top - bottom)) < 1:
                most -= 1
                around = (left, bottom, width - right, height - top)
                yield self._draw(opened, dpi, tuple(max(0.0, side - _QUIET) for side in around))

    def text(self) -> str:
        """Give the text of all pages in content order, pages separated by form feeds."""
        return "\f".join(page.get_textpage().get_text_range() for page in self._pdf)

    def _draw(self, page: pypdfium2.PdfPage, dpi: int, crop: tuple[float, ...]) -> Image.Image:
        bitmap = page.render(
            scale=dpi / POINTS_PER_INCH, crop=crop, may_draw_forms=True, draw_annots=True, grayscale=True
        )
        image: Image.Image = bitmap.to_pil()
        return image


@contextmanager
def open_paper(document: bytes) -> Iterator[Paper]:
    """Open a PDF to draw it and to take out its text."""
    pdf = pypdfium2.PdfDocument(document)
    try:
        # Without a form environment the widget, which is the seal, would not be drawn by all versions.
        pdf.init_forms()
        yield Paper(pdf)
    finally:
        pdf.close()


def render(document: bytes, dpi: int, page: int = 0) -> Image.Image:
    """Draw a page as people see it, form fields included; RGB.

    Args:
        document: a PDF of our own making; strangers' files belong in the verifier's sandbox.
        dpi: pixels an inch; A4 landscape at 150 is 1754 x 1240.
        page: from 0.
    """
    pdf = pypdfium2.PdfDocument(document)
    try:
        # Without a form environment the widget, which is the seal, would not be drawn by all versions.
        pdf.init_forms()
        opened = pdf[page]
        bitmap = opened.render(scale=dpi / POINTS_PER_INCH, may_draw_forms=True, draw_annots=True)
        image: Image.Image = bitmap.to_pil()
        return image.convert("RGB")
    finally:
        pdf.close()


def extract_text(document: bytes) -> str:
    """Give the text of all pages in content order, pages separated by form feeds."""
    pdf = pypdfium2.PdfDocument(document)
    try:
        return "\f".join(page.get_textpage().get_text_range() for page in pdf)
    finally:
        pdf.close()
