"""A PDF to pixels and to text, with a reader that did not make it (pypdfium2)."""

import pypdfium2  # type: ignore[import-untyped]  # has no type information
from PIL import Image

POINTS_PER_INCH = 72


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
