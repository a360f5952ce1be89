"""Read the QR codes of a page's picture (zxing-cpp, which had no part in making them)."""

from io import BytesIO

import zxingcpp
from PIL import Image

MAX_SYMBOLS = 8  # a certificate has one; a page full of codes is not searched to its end
MAX_SYMBOL_TEXT = 4096  # characters; a QR code holds at most 7089 digits, ours far fewer

MAX_PICTURE_PIXELS = 40_000_000  # an A4 page at 600 dpi has 35 million

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def is_picture(document: bytes) -> bool:
    """Whether a file begins as a PNG or a JPEG does, as screenshots and photos of a certificate do."""
    return document.startswith(_MAGIC)


def open_picture(document: bytes) -> Image.Image:
    """Decode a PNG or JPEG; only in a limited process, since the file may be hostile.

    Raises:
        ValueError: it has more than ``MAX_PICTURE_PIXELS``.
        OSError, SyntaxError: it is damaged.
    """
    picture = Image.open(BytesIO(document), formats=("PNG", "JPEG"))
    if picture.width * picture.height > MAX_PICTURE_PIXELS:
        raise ValueError("too many pixels")
    return picture.convert("L")


def read_symbols(page: Image.Image) -> tuple[str, ...]:
    """Give the texts of the QR codes on a page, in no particular order.

    Args:
        page: any mode, any size; 150 dpi or more of an A4 page reads well.
    """
    found = zxingcpp.read_barcodes(page.convert("L"), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    texts = [code.text for code in found if code.valid and len(code.text) <= MAX_SYMBOL_TEXT]
    return tuple(texts[:MAX_SYMBOLS])
