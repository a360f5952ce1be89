"""A template's drawings, taken apart into what a prefix can hold.

Typst compiles ``.typ`` and ``.svg`` artwork; a ``.pdf`` is taken as it is. Numbers
are rounded and colours written as plain RGB (the output intent says which), so
that a page of fine lines stays a few kilobytes.
"""

import io
import json
import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pikepdf
import typst

from press.artwork_check import check_artwork, visible_box
from press.colour_profile import is_srgb
from press.strict_table import BadTemplate
from press.syntax import POINTS_PER_MM, number, numbers, stream
from press.template import Row, Template

# Colour operators, by the number of a colour space's components (ISO 32000-1, table 74).
_TAGGING = frozenset({b"BMC", b"BDC", b"EMC", b"MP", b"DP"})
_UNUSED = frozenset({"/StructParent", "/StructParents", "/PieceInfo", "/Metadata", "/LastModified", "/Name", "/ID"})
_MAX_DEPTH = 200
_PATHS = frozenset({b"m", b"l", b"c", b"v", b"y", b"re"})
_ROUNDING = 0.0075  # points, 2.6 um: a tenth of the finest line
_MAX_DECIMALS = 6
_FILL = {1: b"g", 3: b"rg"}
_STROKE = {1: b"G", 3: b"RG"}
_SPACES = {b"cs": (b"scn", _FILL), b"CS": (b"SCN", _STROKE)}


class ObjectWriter:
    """Collects the indirect objects of a file under construction.

    Args:
        first: number of the first object given out.
    """

    def __init__(self, first: int) -> None:
        self._next = first
        self.bodies: dict[int, bytes] = {}

    def reserve(self) -> int:
        """Give out a number whose object follows later."""
        self._next += 1
        return self._next - 1

    def add(self, body: bytes) -> int:
        """Take an object in and give its number."""
        index = self.reserve()
        self.bodies[index] = body
        return index


@dataclass(frozen=True, slots=True)
class Drawing:
    """The one page of a drawing.

    Attributes:
        content: the content stream.
        resources: the dictionary of what the content names; its objects are in the writer.
        width, height: points.
        left, bottom: where the visible page begins in the drawing's own coordinates.
    """

    content: bytes
    resources: bytes
    width: float
    height: float
    left: float = 0.0
    bottom: float = 0.0

    @property
    def form(self) -> bytes:
        """The entries of a form that shows the drawing with its lower left corner at the origin."""
        box = numbers(self.left, self.bottom, self.left + self.width, self.bottom + self.height)
        place = b"/Matrix[1 0 0 1 %b]" % numbers(-self.left, -self.bottom) if self.left or self.bottom else b""
        return b"/Type/XObject/Subtype/Form/BBox[%b]%b" % (box, place)


def draw_page(template: Template, writer: ObjectWriter, *, photo: bool) -> Drawing:
    """Compile the page's artwork; it is given the boxes it has to meet."""
    rules = [item.value.place(photo=photo) for item in template.items if isinstance(item, Row) and item.rule]
    place = template.qr.box if photo else template.qr.plain_box
    photo_box = template.photo_box if photo else None
    given = {
        "rules": [[box.x, box.y, box.width, box.height] for box in rules],
        "photo": None if photo_box is None else [photo_box.x, photo_box.y, photo_box.width, photo_box.height],
        "qr": [place.x, place.y, place.width, place.height],
    }
    path = template.folder / template.artwork
    return _draw(path, {"layout": json.dumps(given)}, (template.width, template.height), writer)


def draw_seal(template: Template, writer: ObjectWriter) -> Drawing:
    """Compile the seal without its words."""
    seal = template.seal
    inputs = {"side": str(seal.box.width), "colour": seal.colour}
    return _draw(template.folder / seal.artwork, inputs, (seal.box.width, seal.box.height), writer)


def _draw(path: Path, inputs: Mapping[str, str], size: tuple[float, float], writer: ObjectWriter) -> Drawing:
    width, height = size
    if not path.exists():
        raise BadTemplate(path.name, "is missing", "缺失")
    if path.suffix == ".pdf":
        compiled = path.read_bytes()
        check_artwork(compiled, path.name)
    elif path.suffix == ".svg":
        picture = f'#set page(width: {width}mm, height: {height}mm, margin: 0mm)\n#image("{path.name}", width: 100%)'
        compiled = _compile(picture.encode(), path, inputs)
    elif path.suffix == ".typ":
        compiled = _compile(path.read_bytes(), path, inputs)
    else:
        raise BadTemplate(path.name, "is neither .typ, .svg nor .pdf", "须为 .typ、.svg 或 .pdf")
    try:
        with pikepdf.open(io.BytesIO(compiled)) as pdf:
            if len(pdf.pages) != 1:
                raise BadTemplate(
                    path.name, f"has {len(pdf.pages)} pages, not one", f"有 {len(pdf.pages)} 页, 应为一页"
                )
            drawing = _take_apart(pdf.pages[0], writer)
    except pikepdf.PdfError as error:
        raise BadTemplate(path.name, f"cannot be read: {error}", f"无法读取: {error}") from error
    _check_size(path.name, drawing, width, height)
    return drawing


def _compile(source: bytes, path: Path, inputs: Mapping[str, str]) -> bytes:
    try:
        compiled = typst.compile(
            source,  # type: ignore[type-var]  # bytes pass, though the stub's variable excludes them
            root=str(path.parent),
            sys_inputs=dict(inputs),
            ignore_system_fonts=True,
            pdf_tags=False,
        )
    except typst.TypstError as error:
        raise BadTemplate(path.name, f"Typst says: {error}", f"Typst 报错: {error}") from error
    if not isinstance(compiled, bytes):
        raise BadTemplate(path.name, "has no page", "没有页面")
    return compiled


def _check_size(name: str, drawing: Drawing, width: float, height: float) -> None:
    is_off = [
        abs(points - mm * POINTS_PER_MM) > 0.5 for points, mm in ((drawing.width, width), (drawing.height, height))
    ]  # half a point: Typst rounds page sizes
    if any(is_off):
        drawn = f"{drawing.width / POINTS_PER_MM:.1f} x {drawing.height / POINTS_PER_MM:.1f} mm"
        raise BadTemplate(name, f"is {drawn}, not {width} x {height} mm", f"尺寸为 {drawn}, 应为 {width} x {height} mm")


def _take_apart(page: pikepdf.Page, writer: ObjectWriter) -> Drawing:
    resources = dict(page.Resources.items()) if "/Resources" in page else {}
    resources.pop("/ProcSet", None)  # obsolete since PDF 1.4
    plain = _plain_colours(resources.get("/ColorSpace"))
    rewriter = _Rewriter(plain)
    parts: list[bytes] = []
    for instruction in pikepdf.parse_content_stream(page):
        if isinstance(instruction, pikepdf.ContentStreamInlineImage):
            raise BadTemplate("artwork", "holds an inline image; use an ordinary one", "含内联图像, 请改用普通图像")
        parts += rewriter.write(str(instruction.operator).encode("ascii"), list(instruction.operands))
    if plain:
        del resources["/ColorSpace"]
    left, bottom, right, top = visible_box(page)
    known: dict[tuple[int, int], int] = {}
    entries = [pikepdf.Name(key).unparse() + b" " + _copy(value, writer, known) for key, value in resources.items()]
    content = b"".join(parts)
    return Drawing(content, b"<<" + b"".join(entries) + b">>", right - left, top - bottom, left, bottom)


class _Rewriter:
    """Writes a content stream's operators again: no tags, plain colours, numbers no longer than they need be.

    Args:
        plain: components of the colour spaces that plain operators say as well.
    """

    def __init__(self, plain: Mapping[str, int]) -> None:
        self._plain = plain
        self._colour = {b"scn": b"", b"SCN": b""}  # the plain operator that stands for it now
        self._scales = [1.0]  # of the drawing's units on the page, for each state that was saved

    def write(self, operator: bytes, operands: list[Any]) -> list[bytes]:
        """Give the operator as it goes into the prefix; nothing if it is left out."""
        if operator in _TAGGING:
            return []  # the whole drawing is one artifact of the page, and holds no tags of its own
        if operator in _PATHS:
            decimals = _decimals(self._scales[-1])
            return [*(_rounded(float(operand), decimals) + b" " for operand in operands), operator, b"\n"]
        if operator in _SPACES:
            count = self._plain.get(str(operands[0]), 0)
            setter, plain = _SPACES[operator]
            self._colour[setter] = plain.get(count, b"")
            if count:
                return []
        self._follow(operator, operands)
        operator = self._colour.get(operator) or operator
        return [*(_operand(operand) + b" " for operand in operands), operator, b"\n"]

    def _follow(self, operator: bytes, operands: list[Any]) -> None:
        """Keep track of the coordinate system."""
        if operator == b"q":
            self._scales.append(self._scales[-1])
        elif operator == b"Q" and len(self._scales) > 1:
            self._scales.pop()
        elif operator == b"cm":
            a, b, c, d = (float(operand) for operand in operands[:4])
            self._scales[-1] *= max(math.hypot(a, b), math.hypot(c, d))


def _decimals(scale: float) -> int:
    """Give the decimals that put a point within ``_ROUNDING`` of its place on the page."""
    if scale <= 0:
        return 0
    return min(max(math.ceil(-math.log10(2 * _ROUNDING / scale)), 0), _MAX_DECIMALS)


def _rounded(value: float, decimals: int) -> bytes:
    written = b"%.*f" % (decimals, value)
    if decimals:
        written = written.rstrip(b"0").rstrip(b".")
    return b"0" if written == b"-0" else written.replace(b"0.", b".", 1) if abs(value) < 1 else written


def _plain_colours(spaces: pikepdf.Object | None) -> dict[str, int]:
    """Give the components of each ICC colour space, if all spaces are such and show what sRGB shows; else nothing."""
    found: dict[str, int] = {}
    if spaces is None:
        return found
    for name, space in spaces.items():
        if not isinstance(space, pikepdf.Array) or space[0] != pikepdf.Name.ICCBased:
            return {}
        components = int(space[1].N)
        if components not in _FILL or not is_srgb(space[1].read_bytes(), components):
            return {}
        found[name] = components
    return found


def _copy(value: Any, writer: ObjectWriter, known: dict[tuple[int, int], int], depth: int = 0) -> bytes:
    """Write an object with its numbers ours; indirect objects go to the writer, each once."""
    if depth > _MAX_DEPTH:
        raise BadTemplate("artwork", "is nested too deeply; flatten it", "嵌套过深, 请拼合图形")
    if not isinstance(value, pikepdf.Object):  # a plain number or truth value
        return _operand(value)
    if value.is_indirect:
        if value.objgen not in known:
            known[value.objgen] = writer.reserve()
            writer.bodies[known[value.objgen]] = _copy_body(value, writer, known, depth)
        return b"%d 0 R" % known[value.objgen]
    return _copy_body(value, writer, known, depth)


def _copy_body(value: pikepdf.Object, writer: ObjectWriter, known: dict[tuple[int, int], int], depth: int) -> bytes:
    if isinstance(value, pikepdf.Stream):
        skipped = {"/Length", *(_UNUSED if "/Subtype" in value else ())}
        return stream(b"".join(_entries(value, writer, known, depth, skipped)), value.read_raw_bytes())
    if isinstance(value, pikepdf.Dictionary):
        return b"<<" + b"".join(_entries(value, writer, known, depth, frozenset())) + b">>"
    if isinstance(value, pikepdf.Array):
        return b"[" + b" ".join(_copy(one, writer, known, depth + 1) for one in list(value)) + b"]"
    return value.unparse(resolved=True)


def _entries(
    value: Any, writer: ObjectWriter, known: dict[tuple[int, int], int], depth: int, skipped: Container[str]
) -> Iterator[bytes]:
    for key, one in value.items():
        if key not in skipped:
            yield pikepdf.Name(key).unparse() + b" " + _copy(one, writer, known, depth + 1)


def _operand(operand: Any) -> bytes:
    """Write an operand, numbers rounded."""
    if isinstance(operand, bool):
        return b"true" if operand else b"false"
    if isinstance(operand, int | float | Decimal):
        return number(float(operand))
    if isinstance(operand, pikepdf.Array):
        return b"[" + b" ".join(_operand(one) for one in list(operand)) + b"]"
    written: bytes = operand.unparse()
    return written
