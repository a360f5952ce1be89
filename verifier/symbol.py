"""Read the QR codes of a page's picture (zxing-cpp, which had no part in making them)."""

import zxingcpp
from PIL import Image

MAX_SYMBOLS = 8  # a certificate has one; a page full of codes is not searched to its end
MAX_SYMBOL_TEXT = 4096  # characters; a QR code holds at most 7089 digits, ours far fewer


def read_symbols(page: Image.Image) -> tuple[str, ...]:
    """Give the texts of the QR codes on a page, in no particular order.

    Args:
        page: any mode, any size; 150 dpi or more of an A4 page reads well.
    """
    found = zxingcpp.read_barcodes(page.convert("L"), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    texts = [code.text for code in found if code.valid and len(code.text) <= MAX_SYMBOL_TEXT]
    return tuple(texts[:MAX_SYMBOLS])
