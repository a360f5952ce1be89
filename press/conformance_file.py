"""Rules about the file: syntax, limits, what its catalog must not ask for (ISO 19005-3, 6.1 and 6.4 to 6.11).

pikepdf mends what it reads, so the syntax is looked at in the bytes themselves.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import pikepdf

from press.conformance_rule import STREAM, Examined, Rule

_HEADER = re.compile(rb"%PDF-1\.[0-7](\r\n|\r|\n)%[\x80-\xff]{4}")
_TABLE = re.compile(
    rb"xref(?:\r\n|\r|\n)0 (\d+)(?:\r\n|\r|\n| \n| \r)((?:\d{10} \d{5} [fn](?: \n| \r|\r\n))+)trailer\b"
)
_OBJECT = re.compile(rb"(\d+)[\x00\t\n\f\r ](\d+)[\x00\t\n\f\r ]obj(?:\r\n|\r|\n)")
_OBJECT_END = re.compile(rb"[\r\n]endobj(?:\r\n|\r|\n)\s*\Z")
_STREAM_END = re.compile(rb"(?:\r\n|\r|\n)endstream\s+endobj\s*\Z")
_STRINGS = re.compile(rb"\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)|<<|>>|<([^<>]*)>", re.DOTALL)
_HEX = re.compile(rb"[0-9A-Fa-f]*\Z")
# JPEG 2000 is permitted too, with rules of its own (6.2.8.3) that are not written here; no certificate holds it.
_FILTERS = frozenset(
    f"/{name}Decode" for name in ("ASCIIHex", "ASCII85", "Flate", "RunLength", "CCITTFax", "JBIG2", "DCT")
)
# Architectural limits of PDF/A-3 (ISO 19005-3, 6.1.13).
_MAX_INTEGER, _MIN_INTEGER = 2**31 - 1, -(2**31)
_MAX_REAL, _MIN_REAL = Decimal("3.403e38"), Decimal("1.175e-38")
_MAX_STRING, _MAX_OBJECTS, _MAX_DEPTH = 32767, 8_388_607, 28
# Numbers of ten characters and more, none of which is part of a name.
_LONG_NUMBER = re.compile(rb"(?<![\w.+#/-])[+-]?(?=[\d.]{10})\d*\.?\d*(?![\w.])")
_LONG_NAME = re.compile(rb"/([^\s/<>\[\](){}%]{128,})")
_MIN_SIDE, _MAX_SIDE = 3, 14400
_BOXES = ("/MediaBox", "/CropBox", "/BleedBox", "/TrimBox", "/ArtBox")


def _header(file: Examined) -> Iterator[str]:
    if not _HEADER.match(file.raw):
        yield repr(file.raw[:16])


def _identifier(file: Examined) -> Iterator[str]:
    parts: Any = file.pdf.trailer.get("/ID", [])
    if len(parts) != 2 or not all(bytes(part) for part in parts):
        yield "ID"


def _encryption(file: Examined) -> Iterator[str]:
    if "/Encrypt" in file.pdf.trailer or file.pdf.is_encrypted:
        yield "Encrypt"


def _after_the_end(file: Examined) -> Iterator[str]:
    rest = file.raw[file.raw.rfind(b"%%EOF") + 5 :]
    if b"%%EOF" not in file.raw or rest not in {b"", b"\n", b"\r", b"\r\n"}:
        yield f"{len(rest)} bytes"


def _one_revision(file: Examined) -> Iterator[str]:
    if file.raw.count(b"startxref") != 1 or file.raw.count(b"%%EOF") != 1:
        yield f"{file.raw.count(b'startxref')} startxref"


def _table(file: Examined) -> Iterator[str]:
    start = file.raw.rfind(b"xref", 0, max(file.raw.rfind(b"startxref"), 0))
    table = _TABLE.match(file.raw, start) if start >= 0 else None
    if table is None or len(table[2]) != 20 * int(table[1]) or not file.offsets:
        yield "xref"


def _objects(file: Examined) -> Iterator[str]:
    for number, written in file.written.items():
        start = _OBJECT.match(written)
        is_alone = file.raw[file.offsets[number] - 1 : file.offsets[number]] in {b"\n", b"\r"}
        if start is None or int(start[1]) != number or not is_alone or not _OBJECT_END.search(written[-32:]):
            yield f"object {number}"


def _stream_bytes(file: Examined) -> Iterator[str]:
    for number, written in file.written.items():
        if number not in file.streams:
            continue
        # From the keyword by the length to the end: data may end with a byte that looks like an end of line.
        start = STREAM.search(written)
        end = 0 if start is None else start.end() + int(file.streams[number].get("/Length", -1))
        if start is None or not _STREAM_END.match(written, max(end, start.end())):
            yield f"object {number}"


def _outside_streams(file: Examined) -> Iterator[str]:
    for number, one in file.streams.items():
        for key in ("/F", "/FFilter", "/FDecodeParms"):
            if key in one:
                yield f"object {number} {key}"


def _filters(file: Examined) -> Iterator[str]:
    for number, one in file.streams.items():
        named = one.get("/Filter")
        names = list(named) if isinstance(named, pikepdf.Array) else [] if named is None else [named]
        yield from (f"object {number} {name}" for name in names if str(name) not in _FILTERS)


def _hexadecimal(file: Examined) -> Iterator[str]:
    for number, syntax in file.syntax.items():
        if any(_is_bad_hexadecimal(found[1]) for found in _STRINGS.finditer(syntax)):
            yield f"object {number}"
    for page in file.pages:
        contents: Any = page.get("/Contents", [])
        for one in list(contents) if isinstance(contents, pikepdf.Array) else [contents]:
            if any(_is_bad_hexadecimal(found[1]) for found in _STRINGS.finditer(one.read_bytes())):
                yield f"object {one.objgen[0]}"


def _is_bad_hexadecimal(digits: bytes | None) -> bool:
    if digits is None:
        return False
    digits = b"".join(digits.split())
    return len(digits) % 2 == 1 or not _HEX.match(digits)


def _names(file: Examined) -> Iterator[str]:
    for key in ("/BaseFont", "/FontName", "/S"):
        for place, one in file.having(key):
            # What is no UTF-8 comes out of pikepdf with replacements, so the name's own bytes are looked at.
            if isinstance(one[key], pikepdf.Name) and not _is_utf8(one[key].unparse()):
                yield f"{place} {key}"


def _is_utf8(written: bytes) -> bool:
    plain = re.sub(rb"#([0-9A-Fa-f]{2})", lambda code: bytes.fromhex(code[1].decode("ascii")), written)
    try:
        plain.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _limits(file: Examined) -> Iterator[str]:
    if len(file.objects) > _MAX_OBJECTS:
        yield f"{len(file.objects)} objects"
    # In the bytes as they are written: pikepdf rounds what is too small to nothing.
    for number, written in file.syntax.items():
        syntax = _STRINGS.sub(b" ", written)
        yield from (f"object {number}: {found[:20]!r}" for found in _LONG_NUMBER.findall(syntax) if _is_beyond(found))
        yield from (f"object {number}: a name of {len(found)} bytes" for found in _LONG_NAME.findall(syntax))
    for place, value in file.strings:
        if len(bytes(value)) > _MAX_STRING:
            yield f"{place}: a string of {len(bytes(value))} bytes"


def _is_beyond(written: bytes) -> bool:
    number = Decimal(written.decode("ascii"))
    if b"." in written:
        return not (_MIN_REAL <= abs(number) <= _MAX_REAL) and bool(number)
    return not _MIN_INTEGER <= number <= _MAX_INTEGER


def _page_sizes(file: Examined) -> Iterator[str]:
    for number, page in enumerate(file.pages, 1):
        for key in _BOXES:
            box = [float(side) for side in page.get(key, [])]
            if box and not all(_MIN_SIDE <= abs(box[end] - box[end - 2]) <= _MAX_SIDE for end in (2, 3)):
                yield f"page {number} {key}"


def _nesting(file: Examined) -> Iterator[str]:
    for place, _, content in file.contents:
        if not 0 <= content.depth <= _MAX_DEPTH:
            yield f"{place}: {'q without Q' if content.depth < 0 else content.depth}"


def _permissions(file: Examined) -> Iterator[str]:
    permissions: Any = file.root.get("/Perms", {})
    yield from (f"Perms {key}" for key in permissions.keys() - {"/DocMDP", "/UR3"})
    for place, one in file.having("/TransformMethod"):
        if one.TransformMethod == "/DocMDP":
            yield from (f"{place} {key}" for key in ("/DigestLocation", "/DigestMethod", "/DigestValue") if key in one)


def _actions(file: Examined) -> Iterator[str]:
    yield from (f"catalog {key}" for key in ("/OpenAction", "/AA", "/URI") if key in file.root)
    if "/JavaScript" in file.root.get("/Names", {}):
        yield "Names /JavaScript"
    for number, page in enumerate(file.pages, 1):
        if "/AA" in page:
            yield f"page {number} /AA"
        for annotation in page.get("/Annots", []):
            yield from (f"page {number} annotation {key}" for key in ("/A", "/AA", "/PA") if key in annotation)


def _alternate_presentations(file: Examined) -> Iterator[str]:
    if "/AlternatePresentations" in file.root.get("/Names", {}):
        yield "Names /AlternatePresentations"
    yield from (f"page {number} /PresSteps" for number, page in enumerate(file.pages, 1) if "/PresSteps" in page)


def _of_catalog(*keys: str) -> Callable[[Examined], Iterable[str]]:
    return lambda file: [f"catalog {key}" for key in keys if key in file.root]


def _dynamic_forms(file: Examined) -> Iterator[str]:
    form: Any = file.root.get("/AcroForm", {})
    if "/XFA" in form:
        yield "AcroForm /XFA"
    if form.get("/NeedAppearances") is True:
        yield "AcroForm /NeedAppearances"
    if "/NeedsRendering" in file.root:
        yield "catalog /NeedsRendering"


RULES = (
    Rule(
        "header",
        ("ISO 19005-3, 6.1.2",),
        "the file does not begin with %PDF-1.n and a comment of four bytes above 127",
        "文件开头不是 %PDF-1.n 和含四个以上高位字节的注释行",
        _header,
    ),
    Rule(
        "identifier", ("ISO 19005-3, 6.1.3",), "the trailer has no file identifier", "文件尾缺少文件标识", _identifier
    ),
    Rule("encryption", ("ISO 19005-3, 6.1.3",), "the file is encrypted", "文件已加密", _encryption),
    Rule(
        "end",
        ("ISO 19005-3, 6.1.3",),
        "something follows the end of the file",
        "文件结束标记之后还有内容",
        _after_the_end,
    ),
    Rule(
        "one-revision",
        ("ISO 32000-1, 7.5.6",),
        "the file has more than one revision before anybody could have added any",
        "文件刚签发就有多个修订版本",
        _one_revision,
    ),
    Rule(
        "cross-reference",
        ("ISO 19005-3, 6.1.4", "ISO 32000-1, 7.5.4"),
        "the cross-reference table is not written as it must be",
        "交叉引用表的写法不合规定",
        _table,
    ),
    Rule(
        "objects",
        ("ISO 19005-3, 6.1.9",),
        "an indirect object is not set off by the white space it must have, or is not where the table says",
        "间接对象前后的空白不合规定, 或不在交叉引用表所示位置",
        _objects,
    ),
    Rule(
        "stream-bytes",
        ("ISO 19005-3, 6.1.7.1",),
        "a stream's length is wrong, or its keywords do not stand on lines of their own",
        "流的长度有误, 或其关键字没有单独成行",
        _stream_bytes,
    ),
    Rule(
        "outside-streams",
        ("ISO 19005-3, 6.1.7.1",),
        "a stream's data is outside the file",
        "流的数据在文件之外",
        _outside_streams,
    ),
    Rule(
        "filters",
        ("ISO 19005-3, 6.1.7.2",),
        "a stream is packed in a way not permitted",
        "流使用了不允许的压缩方式",
        _filters,
    ),
    Rule(
        "hexadecimal",
        ("ISO 19005-3, 6.1.6",),
        "a hexadecimal string has an odd number of digits, or other characters",
        "十六进制字符串的位数为奇数, 或含有其他字符",
        _hexadecimal,
    ),
    Rule(
        "names",
        ("ISO 19005-3, 6.1.8",),
        "a name of a font or a structure type is not UTF-8",
        "字体名或结构类型名不是 UTF-8",
        _names,
    ),
    Rule(
        "limits",
        ("ISO 19005-3, 6.1.13",),
        "a number, string or name is beyond the limits",
        "数字、字符串或名称超出限值",
        _limits,
    ),
    Rule(
        "page-sizes", ("ISO 19005-3, 6.1.13",), "a page boundary is beyond the limits", "页面边界超出限值", _page_sizes
    ),
    Rule(
        "nesting",
        ("ISO 19005-3, 6.1.13", "ISO 32000-1, 8.4.2"),
        "graphics states are nested too deep, or not in pairs",
        "图形状态嵌套过深或不成对",
        _nesting,
    ),
    Rule(
        "permissions",
        ("ISO 19005-3, 6.1.12",),
        "the permissions hold what they must not",
        "权限字典含有不允许的条目",
        _permissions,
    ),
    Rule(
        "dynamic-forms",
        ("ISO 19005-3, 6.4.2", "ISO 14289-1, 7.15"),
        "the form is not static",
        "表单不是静态的",
        _dynamic_forms,
    ),
    Rule("actions", ("ISO 19005-3, 6.5.2", "ISO 19005-3, 6.5.1"), "the file holds an action", "文件含有动作", _actions),
    Rule(
        "optional-content",
        ("ISO 19005-3, 6.9", "ISO 14289-1, 7.10"),
        "the file has layers, which this check knows no rules for",
        "文件含有图层, 本检查没有相应的规则",
        _of_catalog("/OCProperties"),
    ),
    Rule(
        "outlines",
        ("ISO 14289-1, 7.17",),
        "the file has bookmarks, which this check knows no rules for",
        "文件含有书签, 本检查没有相应的规则",
        _of_catalog("/Outlines"),
    ),
    Rule(
        "alternate-presentations",
        ("ISO 19005-3, 6.10",),
        "the file has other presentations of its pages",
        "文件含有页面的其他呈现方式",
        _alternate_presentations,
    ),
    Rule(
        "requirements",
        ("ISO 19005-3, 6.11",),
        "the catalog says what a reader must be able to do",
        "目录规定了阅读器必须具备的能力",
        _of_catalog("/Requirements"),
    ),
)
