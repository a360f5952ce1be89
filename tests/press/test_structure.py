from io import BytesIO
from typing import Any

import pikepdf
import pytest

from press.fonts import FontLibrary
from tests.press.certificates import make_press, print_certificate


def walk(element: Any) -> list[str]:
    """The tags of the leaves in reading order, with their alternative texts."""
    kids = [kid for kid in element.K.as_list() if isinstance(kid, pikepdf.Dictionary) and "/S" in kid]
    if kids:
        return [leaf for kid in kids for leaf in walk(kid)]
    return [str(element.S) + (f" {element.Alt}" if "/Alt" in element else "")]


@pytest.mark.parametrize(("sample", "has_photo"), [("ordinary", True), ("no-photo", False)])
def test_the_page_is_read_in_the_order_of_the_template(library: FontLibrary, sample: str, has_photo: bool) -> None:  # noqa: FBT001 - a column of the table
    with pikepdf.open(BytesIO(print_certificate(make_press(library), sample).document)) as pdf:
        leaves = walk(pdf.Root.StructTreeRoot.K[0])
    photo = ["/Figure 持证人照片"] if has_photo else []
    rows = ["/Lbl", "/LBody"] * 12
    assert leaves[:3] == ["/H1", "/P", "/P"]
    assert leaves[3 : 3 + len(photo) + len(rows)] == photo + rows
    rest = leaves[3 + len(photo) + len(rows) :]
    assert rest[0] == "/P"
    assert rest[1].startswith("/Figure 二维码")
    assert rest[-3] == "/Form 电子印章及数字签名"
    assert rest[-2:] == ["/P", "/P"]


def test_the_field_lies_exactly_on_the_seal(library: FontLibrary) -> None:
    press = make_press(library)
    with pikepdf.open(BytesIO(print_certificate(press).document)) as pdf:
        corners = [float(number) / 72 * 25.4 for number in pdf.Root.AcroForm.Fields[0].Rect.as_list()]
    assert corners == pytest.approx([205, 210 - 184, 247, 210 - 142], abs=0.001)
