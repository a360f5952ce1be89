"""QR codes as the two libraries make them, in the forms that typesetters take."""

import base64
import io
from collections.abc import Callable
from typing import Any

import qrcode
import zxingcpp
from PIL import Image
from qrcode.image.svg import SvgPathImage


def qrcode_picture(version: int) -> Callable[[str], Any]:
    """``qrcode``, the one that every tutorial uses, as a Pillow picture."""

    def picture(text: str) -> Any:
        code: qrcode.QRCode[Any] = qrcode.QRCode(version, qrcode.ERROR_CORRECT_M, box_size=4, border=4)
        code.add_data(text)
        code.make()
        return code.make_image().get_image()

    return picture


def qrcode_svg(version: int) -> Callable[[str], str]:
    """``qrcode`` with its SVG factory."""

    def drawing(text: str) -> str:
        code: qrcode.QRCode[Any] = qrcode.QRCode(version, qrcode.ERROR_CORRECT_M, border=4)
        code.add_data(text)
        code.make()
        return str(code.make_image(image_factory=SvgPathImage).to_string(encoding="unicode"))

    return drawing


def qrcode_address(version: int) -> Callable[[str], str]:
    """``qrcode`` as PNG in a ``data:`` address."""
    picture = qrcode_picture(version)

    def address(text: str) -> str:
        out = io.BytesIO()
        picture(text).save(out, "PNG")
        return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"

    return address


def zxing_svg(text: str) -> str:
    """zxing-cpp, compiled: the fastest encoder on PyPI that we know."""
    return str(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M").to_svg())


def zxing_picture(text: str) -> Any:
    """The same as a Pillow picture."""
    return Image.fromarray(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M").to_image(scale=4))
