"""A certificate as SVG, for a preview that can be enlarged: the very content of the PDF, redrawn.

It understands what the press writes and artwork usually holds (paths, colours,
forms, pictures, two-byte fonts) and leaves out the rest; it is for looking at
samples, not a converter.
"""

import base64
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import pikepdf
from fontTools.misc.transform import Identity, Transform
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.ttLib.tables._g_l_y_f import Glyph
from PIL import Image

_PATH_OPERATORS = {"m": "M", "l": "L", "c": "C", "h": "Z"}
# Operator: fills, strokes (ISO 32000-1, table 60).
_PAINT = {"f": (True, False), "F": (True, False), "f*": (True, False), "S": (False, True), "s": (False, True)}
_PAINT |= {"B": (True, True), "b": (True, True)}


@dataclass(frozen=True, slots=True)
class _State:
    """The part of the graphics state that is followed."""

    matrix: Transform
    fill: str = "#000000"
    stroke: str = "#000000"
    width: float = 1.0
    dash: str = ""
    cap: int = 0
    group: str = ""  # attributes of a transparency group


def draw_svg(document: bytes) -> str:
    """Draw the first page of a certificate of ours, seal included, in points."""
    with pikepdf.open(BytesIO(document)) as pdf:
        page: Any = pdf.pages[0]
        width, height = (float(value) for value in list(page.MediaBox)[2:])
        drawer = _Drawer()
        start = _State(Transform(1, 0, 0, -1, 0, height))
        drawer.run(page, page.Resources, start)
        for widget in page.Annots:
            appearance = widget.AP.N
            corner = [float(value) for value in widget.Rect]
            drawer.form(appearance, replace(start, matrix=start.matrix.translate(corner[0], corner[1])))
    size = f'width="{width:g}pt" height="{height:g}pt" viewBox="0 0 {width:g} {height:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, *drawer.parts, "</svg>", ""])


class _Drawer:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self._fonts: dict[tuple[int, int], _Outlines] = {}

    def run(self, content: Any, resources: Any, state: _State) -> None:
        """Follow a content stream."""
        stack: list[_State] = []
        path: list[str] = []
        text = _Text()
        for instruction in pikepdf.parse_content_stream(content):
            operator, operands = str(instruction.operator), list(instruction.operands)
            if operator == "q":
                stack.append(state)
            elif operator == "Q":
                state = stack.pop()
            elif operator in _PATH_OPERATORS:
                path.append(_PATH_OPERATORS[operator] + " ".join(_points(operands, state.matrix)))
            elif operator == "re":
                path.append(_rectangle([float(one) for one in operands], state.matrix))
            elif operator in {*_PAINT, "n"}:
                self._paint(path, operator, state)
                path = []
            elif operator == "Do":
                self._object(resources.XObject[str(operands[0])], state)
            elif operator == "Tj":
                self._show(bytes(operands[0]), text, state)
            elif not text.take(operator, operands, resources):
                state = _changed(state, operator, operands, resources)

    def form(self, form: Any, state: _State) -> None:
        """Draw a form XObject."""
        if state.group:
            self.parts.append(f"<g {state.group}>")
        self.run(form, form.get("/Resources", pikepdf.Dictionary()), replace(state, group=""))
        if state.group:
            self.parts.append("</g>")

    def _object(self, drawn: Any, state: _State) -> None:
        if drawn.Subtype == pikepdf.Name.Form:
            self.form(drawn, state)
            return
        matrix = state.matrix.scale(1 / int(drawn.Width), -1 / int(drawn.Height)).translate(0, -int(drawn.Height))
        size = f'width="{int(drawn.Width)}" height="{int(drawn.Height)}"'
        self.parts.append(f'<image {size} transform="matrix({_numbers(matrix)})" href="{_data_address(drawn)}"/>')

    def _paint(self, path: list[str], operator: str, state: _State) -> None:
        fills, strokes = _PAINT.get(operator, (False, False))
        if not path or not (fills or strokes):
            return
        facts = [f'fill="{state.fill if fills else "none"}"']
        if operator == "f*":
            facts.append('fill-rule="evenodd"')
        if strokes:
            scale = abs(state.matrix[0] * state.matrix[3] - state.matrix[1] * state.matrix[2]) ** 0.5
            facts.append(f'stroke="{state.stroke}" stroke-width="{state.width * scale:.3g}"')
            facts.append(f'stroke-dasharray="{state.dash}"' if state.dash else "")
            facts.append('stroke-linecap="round"' if state.cap else "")
        self.parts.append(f'<path {" ".join(filter(None, facts))} d="{"".join(path)}"/>')

    def _show(self, shown: bytes, text: "_Text", state: _State) -> None:
        for at in range(0, len(shown), 2):
            gid = int.from_bytes(shown[at : at + 2])
            outline, advance = self._glyph(text.font, gid)
            place = state.matrix.transform(text.matrix).scale(text.size / 1000)
            if outline:
                self.parts.append(f'<path fill="{state.fill}" transform="matrix({_numbers(place)})" d="{outline}"/>')
            text.matrix = text.matrix.translate(advance / 1000 * text.size + text.spacing, 0)

    def _glyph(self, font: Any, gid: int) -> tuple[str, int]:
        file = font.DescendantFonts[0].FontDescriptor.FontFile2
        parsed = self._fonts.get(file.objgen)
        if parsed is None:
            parsed = self._fonts[file.objgen] = _Outlines(file.read_bytes())
        return parsed.glyph(gid)


class _Outlines:
    """The outlines and widths of a font that the press made: simple glyphs, a metric for each."""

    def __init__(self, font: bytes) -> None:
        count = struct.unpack_from(">H", font, 4)[0]
        records = struct.iter_unpack(">4s4xII", font[12 : 12 + 16 * count])
        tables = {tag: font[offset : offset + length] for tag, offset, length in records}
        self._glyf, self._metrics = tables[b"glyf"], tables[b"hmtx"]
        is_long = struct.unpack_from(">h", tables[b"head"], 50)[0]
        places = len(tables[b"loca"]) // (4 if is_long else 2)
        loca = struct.unpack(f">{places}{'I' if is_long else 'H'}", tables[b"loca"])
        self._offsets = loca if is_long else tuple(2 * offset for offset in loca)
        self._known: dict[int, tuple[str, int]] = {}

    def glyph(self, gid: int) -> tuple[str, int]:
        """Give a glyph as SVG path data, and its width."""
        if gid not in self._known:
            pen = SVGPathPen(None)
            outline = self._glyf[self._offsets[gid] : self._offsets[gid + 1]]
            if outline:
                glyph = Glyph(outline)
                glyph.expand(None)
                glyph.draw(pen, None)
            self._known[gid] = (pen.getCommands(), struct.unpack_from(">H", self._metrics, 4 * gid)[0])
        return self._known[gid]


class _Text:
    """The text state: font, size, spacing and matrix."""

    def __init__(self) -> None:
        self.font: Any = None
        self.size = 0.0
        self.spacing = 0.0
        self.matrix = Identity

    def take(self, operator: str, operands: list[Any], resources: Any) -> bool:
        """Follow one operator; says whether it was the text's."""
        if operator == "Tf":
            self.font, self.size = resources.Font[str(operands[0])], float(operands[1])
        elif operator == "Tc":
            self.spacing = float(operands[0])
        elif operator == "Tm":
            self.matrix = Transform(*(float(one) for one in operands))
        else:
            return False
        return True


def _changed(state: _State, operator: str, operands: list[Any], resources: Any) -> _State:
    changes: dict[str, Any] = {}
    if operator == "cm":
        changes["matrix"] = state.matrix.transform(Transform(*(float(one) for one in operands)))
    elif operator in {"rg", "g"}:
        changes["fill"] = _hex(operands)
    elif operator in {"RG", "G"}:
        changes["stroke"] = _hex(operands)
    elif operator == "w":
        changes["width"] = float(operands[0])
    elif operator == "d":
        changes["dash"] = " ".join(f"{float(one):g}" for one in list(operands[0]))
    elif operator == "J":
        changes["cap"] = int(operands[0])
    elif operator == "gs":
        given = resources.ExtGState[str(operands[0])]
        blend = "mix-blend-mode:multiply;" if given.get("/BM") == pikepdf.Name.Multiply else ""
        changes["group"] = f'style="{blend}opacity:{float(given.get("/ca", 1)):g}"'
    return replace(state, **changes)


def _hex(components: list[Any]) -> str:
    values = [round(float(one) * 255) for one in components]
    red, green, blue = values * 3 if len(values) == 1 else values
    return f"#{red:02x}{green:02x}{blue:02x}"


def _points(operands: list[Any], matrix: Transform) -> Iterator[str]:
    numbers = [float(one) for one in operands]
    for x, y in zip(numbers[::2], numbers[1::2], strict=True):
        across, down = matrix.transformPoint((x, y))
        yield f"{across:.2f} {down:.2f}"


def _rectangle(numbers: list[float], matrix: Transform) -> str:
    x, y, width, height = numbers
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    return "M" + "L".join(_points(corners, matrix)) + "Z"


def _numbers(matrix: Transform) -> str:
    return " ".join(f"{value:.6g}" for value in matrix)


def _data_address(picture: Any) -> str:
    if picture.get("/Filter") == pikepdf.Name.DCTDecode:
        return "data:image/jpeg;base64," + base64.b64encode(picture.read_raw_bytes()).decode()
    size = (int(picture.Width), int(picture.Height))
    inverted = bytes(255 - byte for byte in picture.read_bytes())  # 1 is dark in the file, light in Pillow
    out = io.BytesIO()
    Image.frombytes("1", size, inverted).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
