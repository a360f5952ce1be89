"""Judge a designer's PDF before anything of it is used: what a certificate could not show rightly is refused.

Only what is understood is let through. Everything here is bounded: bytes,
objects, depth, operators, and the size that compressed streams grow to.
"""

import base64
import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pikepdf

from press.strict_table import BadTemplate

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_STREAM_BYTES = 48 * 1024 * 1024
"""What one compressed stream may grow to; an RGB picture of A4 at 300 dpi has 26 million bytes."""
MAX_OBJECTS = 20_000
MAX_OPERATORS = 1_000_000
"""Drawing steps of a page, those of forms counted as often as they are drawn."""
_MAX_DEPTH = 60

_FILTERS = frozenset({"/FlateDecode", "/ASCII85Decode", "/ASCIIHexDecode", "/DCTDecode", "/CCITTFaxDecode"})
_BLEND_MODES = frozenset(
    f"/{name}"
    for name in (
        *("Normal", "Compatible", "Multiply", "Screen", "Overlay", "Darken", "Lighten", "ColorDodge", "ColorBurn"),
        *("HardLight", "SoftLight", "Difference", "Exclusion", "Hue", "Saturation", "Color", "Luminosity"),
    )
)
_PLAIN_SPACES = frozenset({"/DeviceRGB", "/DeviceGray", "/Pattern", "/G", "/RGB"})
_CMYK_OPERATORS = frozenset({"k", "K"})
_STANDARD_ENCODINGS = frozenset({"/WinAnsiEncoding", "/MacRomanEncoding"})
_FORBIDDEN_OF_ROOT = {
    "/OpenAction": ("an action on opening", "打开时的动作"),
    "/AA": ("additional actions", "附加动作"),
    "/AcroForm": ("a form", "表单"),
    "/OCProperties": ("layers", "图层"),
    "/Collection": ("a portfolio", "文件包"),
    "/XFA": ("a form", "表单"),
}
_FORBIDDEN_NAMES = {
    "/JavaScript": ("JavaScript", "JavaScript 脚本"),
    "/EmbeddedFiles": ("embedded files", "嵌入的文件"),
}
_FORBIDDEN_OF_PAGE = {
    "/Annots": ("annotations or links", "批注或链接"),
    "/AA": ("actions of the page", "页面动作"),
    "/UserUnit": ("a unit of its own", "自定义单位"),
}
_CURE_RGB = ("export it in sRGB (no CMYK, no spot colours)", "请以 sRGB 颜色导出(不用 CMYK 和专色)")


@dataclass(frozen=True, slots=True)
class ArtworkFacts:
    """What a drawing that may be used holds.

    Attributes:
        width, height: millimetres, of the trimmed page.
        fonts: names of the fonts of its words; all embedded.
        pictures: number of pictures.
        operators: drawing steps.
    """

    width: float
    height: float
    fonts: tuple[str, ...]
    pictures: int
    operators: int


def check_artwork(content: bytes, name: str) -> ArtworkFacts:
    """Check a PDF that is to become artwork.

    Args:
        content: not trusted; opening it may still cost memory, so strangers' files
            are to be checked in a process with limits.
        name: of the file, for the error.

    Raises:
        BadTemplate: it cannot be used; the sentence says what it holds and the cure.
    """
    if len(content) > MAX_FILE_BYTES:
        raise BadTemplate(
            name,
            f"has {len(content):,} bytes, more than {MAX_FILE_BYTES:,}; flatten it or reduce its pictures",
            f"有 {len(content):,} 字节, 超过 {MAX_FILE_BYTES:,}, 请简化图形或缩小图片",
        )
    try:
        with pikepdf.open(io.BytesIO(content)) as pdf:
            return _Check(pdf, name).run()
    except pikepdf.PasswordError as error:
        raise BadTemplate(name, "is encrypted; save it without a password", "已加密, 请另存为无密码的文件") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # pikepdf gives these where an object is not of the form that its place asks for.
        raise BadTemplate(name, "is not well formed; export it anew", "结构有误, 请重新导出") from error
    except pikepdf.PdfError as error:
        raise BadTemplate(name, f"cannot be read: {error}", f"无法读取: {error}") from error


def visible_box(page: pikepdf.Page) -> tuple[float, float, float, float]:
    """Give left, bottom, right and top of what remains of a page when it is trimmed, points."""
    left, bottom, right, top = (float(value) for value in page.trimbox.as_list())
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


class _Check:
    def __init__(self, pdf: pikepdf.Pdf, name: str) -> None:
        self.pdf, self.name = pdf, name
        self.fonts: dict[str, None] = {}
        self.pictures = 0
        self.seen: set[tuple[int, int]] = set()
        self.weights: dict[tuple[int, int], int] = {}
        self.open: set[tuple[int, int]] = set()

    def refuse(self, en: str, zh: str) -> BadTemplate:
        return BadTemplate(self.name, en, zh)

    def holds(self, what: tuple[str, str], cure: tuple[str, str] = ("take it out", "请移除")) -> BadTemplate:
        return self.refuse(f"holds {what[0]}; {cure[0]}", f"含有{what[1]}, {cure[1]}")

    def run(self) -> ArtworkFacts:  # noqa: C901 - a list of what is refused, one after the other
        if self.pdf.is_encrypted:
            raise self.refuse("is encrypted; save it without a password", "已加密, 请另存为无密码的文件")
        if len(self.pdf.objects) > MAX_OBJECTS:
            raise self.refuse(
                f"has more than {MAX_OBJECTS:,} objects; simplify it", f"对象超过 {MAX_OBJECTS:,} 个, 请简化图形"
            )
        root: Any = self.pdf.Root
        for key, what in _FORBIDDEN_OF_ROOT.items():
            if key in root:
                raise self.holds(what)
        names = root.get("/Names", {})
        for key, what in _FORBIDDEN_NAMES.items():
            if key in names:
                raise self.holds(what)
        if len(self.pdf.pages) != 1:
            raise self.refuse(
                f"has {len(self.pdf.pages)} pages, not one; export the page alone",
                f"有 {len(self.pdf.pages)} 页, 应为一页, 请只导出该页",
            )
        page = self.pdf.pages[0]
        for key, what in _FORBIDDEN_OF_PAGE.items():
            if key in page.obj and (key != "/Annots" or len(page.obj.Annots)):
                raise self.holds(what)
        if int(page.obj.get("/Rotate", 0)) % 360:
            raise self.refuse("is a rotated page; turn the drawing itself", "页面带有旋转属性, 请旋转图形本身")
        return self.facts(page)

    def facts(self, page: pikepdf.Page) -> ArtworkFacts:
        left, bottom, right, top = visible_box(page)
        if not (36 < right - left < 3400 and 36 < top - bottom < 3400):
            raise self.refuse("has no usable page size", "页面尺寸不可用")
        parts = page.obj.get("/Contents", pikepdf.Array())
        streams = list(parts) if isinstance(parts, pikepdf.Array) else [parts]
        content = b"\n".join(self.decoded(one) for one in streams)
        if len(content) > MAX_STREAM_BYTES:
            raise self.too_big()
        self.group(page.obj)
        operators = self.drawing(content, page.obj.get("/Resources", pikepdf.Dictionary()), 0)
        mm = 25.4 / 72
        return ArtworkFacts((right - left) * mm, (top - bottom) * mm, tuple(self.fonts), self.pictures, operators)

    # ---- content ------------------------------------------------------------------------------------------------

    def drawing(self, content: bytes, resources: Any, depth: int) -> int:  # noqa: C901 - one branch an operator
        """Check one content stream with what it names; gives its weight in operators."""
        if depth > _MAX_DEPTH:
            raise self.refuse("is nested too deeply; flatten it", "嵌套过深, 请拼合图形")
        weights = self.resources(resources, depth)
        instructions = pikepdf.parse_content_stream(pikepdf.Stream(self.pdf, content))
        weight, opened = len(instructions), 0
        for instruction in instructions:
            if isinstance(instruction, pikepdf.ContentStreamInlineImage):
                raise self.holds(("an inline picture", "内联图像"), ("use an ordinary one", "请改用普通图像"))
            operator = str(instruction.operator)
            operands: list[Any] = list(instruction.operands)
            opened += {"q": 1, "Q": -1}.get(operator, 0)
            if opened < 0:
                raise self.refuse("has a damaged drawing (Q without q)", "图形内容已损坏(Q 与 q 不配对)")
            if operator in _CMYK_OPERATORS:
                raise self.holds(("CMYK colours", "CMYK 颜色"), _CURE_RGB)
            if operator in {"cs", "CS"} and operands:
                self.named_space(operands[0], resources)
            elif operator == "Do":
                if str(operands[0]) not in weights:
                    raise self.refuse("draws something that it does not hold", "引用了不存在的图形")
                weight += weights[str(operands[0])]
            elif operator in {"PS", "d0", "d1", "MP", "DP"}:
                raise self.holds((f"the operator {operator}", f"操作符 {operator}"))
            elif operator == "BDC" and depth and "/MCID" in str(operands):
                raise self.holds(
                    ("tags inside a form", "图形内的标签"), ("export it without tags", "请导出为无标签的 PDF")
                )
            elif operator == "ri":
                raise self.holds(("a rendering intent", "渲染意图"))
            if weight > MAX_OPERATORS:
                raise self.too_big()
        return weight

    def resources(self, resources: Any, depth: int) -> Mapping[str, int]:  # noqa: C901, PLR0912 - one branch a kind
        if not isinstance(resources, pikepdf.Dictionary):
            raise self.refuse("has resources of an unknown form", "资源格式未知")
        for _, space in self.entries(resources, "/ColorSpace"):
            self.space(space, depth)
        for _, font in self.entries(resources, "/Font"):
            self.font(font)
        for _, state in self.entries(resources, "/ExtGState"):
            self.state(state, depth)
        for _, shading in self.entries(resources, "/Shading"):
            self.shading(shading, depth)
        for _, pattern in self.entries(resources, "/Pattern"):
            if isinstance(pattern, pikepdf.Stream):
                self.form(pattern, depth)
            elif "/Shading" in pattern:
                self.shading(pattern.Shading, depth)
        for _, properties in self.entries(resources, "/Properties"):
            if properties.get("/Type") in {"/OCG", "/OCMD"}:
                raise self.holds(_FORBIDDEN_OF_ROOT["/OCProperties"], ("flatten them", "请拼合图层"))
        weights: dict[str, int] = {}
        for key, one in self.entries(resources, "/XObject"):
            if not isinstance(one, pikepdf.Stream) or one.get("/Subtype") not in {"/Form", "/Image"}:
                raise self.holds(("an object that is neither picture nor form", "既非图像也非图形的对象"))
            if "/OC" in one:
                raise self.holds(_FORBIDDEN_OF_ROOT["/OCProperties"], ("flatten them", "请拼合图层"))
            if one.Subtype == "/Image":
                self.image(one, depth)
                weights[key] = 0
            else:
                weights[key] = self.form(one, depth)
        return weights

    def entries(self, resources: Any, key: str) -> Iterator[tuple[str, Any]]:
        table = resources.get(key, {})
        if not isinstance(table, pikepdf.Dictionary | dict):
            raise self.refuse(f"has {key} of an unknown form", f"资源 {key} 格式未知")
        yield from table.items()

    def form(self, form: Any, depth: int) -> int:
        """Check a form or a pattern once; one that draws itself is refused."""
        key = form.objgen
        if key in self.open:
            raise self.refuse("has a form that draws itself", "含有自我引用的图形")
        if key in self.weights:
            return self.weights[key]
        if any(entry in form for entry in ("/Ref", "/OPI", "/PS", "/Subtype2")):
            raise self.holds(("a reference to another file", "对其他文件的引用"))
        self.open.add(key)
        self.group(form)
        weight = self.drawing(self.decoded(form), form.get("/Resources", pikepdf.Dictionary()), depth + 1)
        self.open.discard(key)
        self.weights[key] = weight
        return weight

    def group(self, holder: Any) -> None:
        group = holder.get("/Group")
        if group is not None and "/CS" in group:
            self.space(group.CS, 0)

    # ---- what content names -------------------------------------------------------------------------------------

    def named_space(self, name: Any, resources: Any) -> None:
        if name not in resources.get("/ColorSpace", {}):
            self.space(name, 0)

    def space(self, space: Any, depth: int) -> None:
        """Let through what the sRGB output intent or a profile of its own makes exact."""
        if depth > _MAX_DEPTH:
            raise self.refuse("is nested too deeply; flatten it", "嵌套过深, 请拼合图形")
        family = str(space[0]) if isinstance(space, pikepdf.Array) and len(space) else str(space)
        if family in _PLAIN_SPACES:
            if isinstance(space, pikepdf.Array) and family == "/Pattern" and len(space) > 1:
                self.space(space[1], depth + 1)
        elif family == "/ICCBased":
            if int(space[1].get("/N", 0)) not in {1, 3}:
                raise self.holds(("CMYK colours", "CMYK 颜色"), _CURE_RGB)
            self.decoded(space[1])
        elif family in {"/Indexed", "/I"}:
            self.space(space[1], depth + 1)
        elif family in {"/Separation", "/DeviceN"}:
            raise self.holds(("spot colours", "专色"), _CURE_RGB)
        elif family in {"/DeviceCMYK", "/CMYK"}:
            raise self.holds(("CMYK colours", "CMYK 颜色"), _CURE_RGB)
        else:
            raise self.holds((f"the colour space {family}", f"颜色空间 {family}"), _CURE_RGB)

    def state(self, state: Any, depth: int) -> None:
        for key in ("/TR", "/TR2", "/HT", "/HTO", "/BG2", "/UCR2"):
            if key in state and not any(state[key] == pikepdf.Name(name) for name in ("/Identity", "/Default")):
                raise self.holds((f"the print setting {key[1:]}", f"印刷设置 {key[1:]}"))
        mode = state.get("/BM", "/Normal")
        modes = list(mode) if isinstance(mode, pikepdf.Array) else [mode]
        if any(str(one) not in _BLEND_MODES for one in modes):
            raise self.holds((f"the blend mode {modes[0]}", f"混合模式 {modes[0]}"))
        mask = state.get("/SMask")
        if isinstance(mask, pikepdf.Dictionary):
            self.form(mask.G, depth)
        if "/Font" in state:
            self.font(state.Font[0])

    def shading(self, shading: Any, depth: int) -> None:
        if isinstance(shading, pikepdf.Stream):
            self.decoded(shading)
        self.space(shading.ColorSpace, depth)

    def image(self, image: Any, depth: int) -> None:
        if image.objgen in self.seen:
            return
        self.seen.add(image.objgen)
        self.pictures += 1
        pixels = int(image.get("/Width", 0)) * int(image.get("/Height", 0))
        if not 0 < pixels <= MAX_STREAM_BYTES or "/Alternates" in image or "/OPI" in image:
            raise self.refuse("holds a picture that is too large", "含有过大的图片")
        if image.get("/Interpolate") is True:
            raise self.holds(
                ("a picture that asks for interpolation", "要求插值的图片"), ("export without", "请关闭插值")
            )
        if "/Intent" in image:
            raise self.holds(("a rendering intent", "渲染意图"))
        self.decoded(image)
        if image.get("/ImageMask") is not True:
            self.space(image.get("/ColorSpace", pikepdf.Name.DeviceRGB), depth)
        for key in ("/SMask", "/Mask"):
            if isinstance(image.get(key), pikepdf.Stream):
                self.image(image[key], depth)

    def font(self, font: Any) -> None:
        if font.objgen in self.seen and font.objgen != (0, 0):
            return
        self.seen.add(font.objgen)
        name = str(font.get("/BaseFont", "?")).lstrip("/")
        outlines = ("turn its words into outlines, or export with embedded fonts", "请转为轮廓, 或导出时嵌入字体")
        if font.get("/Subtype") == "/Type3":
            raise self.holds(("a Type 3 font", "Type 3 字体"), outlines)
        owner = font.DescendantFonts[0] if "/DescendantFonts" in font else font
        descriptor = owner.get("/FontDescriptor", {})
        files = [descriptor[key] for key in ("/FontFile", "/FontFile2", "/FontFile3") if key in descriptor]
        if not files:
            raise self.refuse(
                f"uses the font {name}, which is not embedded; {outlines[0]}",
                f"使用了未嵌入的字体 {name}, {outlines[1]}",
            )
        self.decoded(files[0])
        has_meaning = "/ToUnicode" in font or str(font.get("/Encoding")) in _STANDARD_ENCODINGS
        if not has_meaning:
            raise self.refuse(
                f"uses the font {name} without saying which characters it shows; {outlines[0]}",
                f"字体 {name} 没有字符对应表(ToUnicode), {outlines[1]}",
            )
        if "/ToUnicode" in font:
            self.decoded(font.ToUnicode)
        self.fonts[name] = None

    # ---- streams ------------------------------------------------------------------------------------------------

    def decoded(self, stream: Any) -> bytes:
        """Decode a stream within the limit; pictures in JPEG or fax form stay as they are."""
        if not isinstance(stream, pikepdf.Stream):
            raise self.refuse("has a damaged stream", "数据流已损坏")
        if "/F" in stream or "/FFilter" in stream:
            raise self.holds(("a reference to another file", "对其他文件的引用"))
        filters = stream.get("/Filter", pikepdf.Array())
        chain = [str(one) for one in filters] if isinstance(filters, pikepdf.Array) else [str(filters)]
        content = stream.read_raw_bytes()
        for one in chain:
            if one not in _FILTERS:
                raise self.holds(
                    (f"data packed with {one[1:]}", f"以 {one[1:]} 压缩的数据"),
                    ("export it as PDF 1.7", "请导出为 PDF 1.7"),
                )
            content = self.unpacked(content, one)
        return content

    def unpacked(self, content: bytes, method: str) -> bytes:
        try:
            if method == "/FlateDecode":
                opened = zlib.decompressobj()
                unpacked = opened.decompress(content, MAX_STREAM_BYTES)
                if opened.unconsumed_tail:
                    raise self.too_big()
                return unpacked
            if method == "/ASCII85Decode":
                text = content.strip().removeprefix(b"<~").removesuffix(b"~>")
                return base64.a85decode(text)
            if method == "/ASCIIHexDecode":
                return bytes.fromhex(content.decode("ascii").strip().removesuffix(">"))
        except (zlib.error, ValueError) as error:
            raise self.refuse("has a damaged stream", "数据流已损坏") from error
        return content

    def too_big(self) -> BadTemplate:
        return self.refuse(
            "grows too large when it is opened; simplify the drawing or reduce its pictures",
            "展开后过大, 请简化图形或缩小图片",
        )
