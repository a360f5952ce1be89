"""Rules about tags: what each piece is, in which order and language (ISO 19005-3, 6.7; ISO 14289-1, 7)."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pikepdf

from press.conformance_rule import Examined, Rule, tagged

_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*\Z")
_HEADINGS = ("H1", "H2", "H3", "H4", "H5", "H6")
# What each standard type may be in, as far as there is a rule (ISO 32000-1, 14.8.4; ISO 14289-1, 7.2). A certificate
# needs no others; tables, notes, links and formulas have rules that are not written here, so they are findings.
_PARENTS: Mapping[str, frozenset[str]] = MappingProxyType({"LI": frozenset({"L"}), "LBody": frozenset({"LI"})})
_CHILDREN: Mapping[str, frozenset[str]] = MappingProxyType(
    {"L": frozenset({"L", "LI", "Caption"}), "LI": frozenset({"Lbl", "LBody"})}
)
_KNOWN = frozenset(
    {"Document", "Part", "Sect", "Div", "Caption", "H", *_HEADINGS, "P", "L", "LI", "Lbl", "LBody", "Span", "Quote"}
    | {"BlockQuote", "Figure", "Form", "NonStruct"}
)


def elements(file: Examined) -> list[tuple[Any, Any]]:
    """List the structure elements in reading order, each with its parent."""
    root = file.root.get("/StructTreeRoot")
    waiting = [(kid, root) for kid in reversed(kids(root))] if isinstance(root, pikepdf.Dictionary) else []
    found: list[tuple[Any, Any]] = []
    seen: set[tuple[int, int]] = set()
    while waiting:
        element, parent = waiting.pop()
        if not isinstance(element, pikepdf.Dictionary) or "/S" not in element or element.objgen in seen:
            continue
        if element.objgen != (0, 0):
            seen.add(element.objgen)
        found.append((element, parent))
        waiting += [(kid, element) for kid in reversed(kids(element))]
    return found


def kids(element: Any) -> list[Any]:
    """List an element's kids: elements, numbers of marked content, references to objects."""
    held = element.get("/K", [])
    return list(held) if isinstance(held, pikepdf.Array) else [held]


def parents(file: Examined) -> dict[int, Any]:
    """Read the parent tree: an array of elements for each page, an element for each annotation."""
    tree: Any = file.root.get("/StructTreeRoot", {}).get("/ParentTree", {})
    numbers = list(tree.get("/Nums", []))
    return {int(key): value for key, value in zip(numbers[::2], numbers[1::2], strict=False)}


def _name(element: Any) -> str:
    number = element.objgen[0]
    return f"{tagged(element)} (object {number})" if number else tagged(element)


def _marked(file: Examined) -> Iterator[str]:
    marks: Any = file.root.get("/MarkInfo", {})
    if marks.get("/Marked") is not True:
        yield "MarkInfo /Marked"
    if marks.get("/Suspects") is True:
        yield "MarkInfo /Suspects"


def _tree(file: Examined) -> Iterator[str]:
    root: Any = file.root.get("/StructTreeRoot")
    if not isinstance(root, pikepdf.Dictionary):
        yield "catalog /StructTreeRoot"
        return
    tops = [tagged(kid) for kid in kids(root)]
    if tops != ["Document"]:
        yield f"StructTreeRoot /K: {', '.join(tops)}"
    for element, parent in file.once(elements):
        held: Any = element.get("/P")
        if not isinstance(held, pikepdf.Dictionary) or held.objgen != parent.objgen:
            yield f"{_name(element)} /P"


def _types(file: Examined) -> Iterator[str]:
    root: Any = file.root.get("/StructTreeRoot", {})
    yield from (f"RoleMap {name}" for name in root.get("/RoleMap", {}))
    yield from (_name(element) for element, _ in file.once(elements) if tagged(element) not in _KNOWN)


def _nesting(file: Examined) -> Iterator[str]:
    for element, parent in file.once(elements):
        tag, above = tagged(element), tagged(parent)
        if above not in _PARENTS.get(tag, {above}) or tag not in _CHILDREN.get(above, {tag}):
            yield f"{_name(element)} in {above or 'the root'}"


def _headings(file: Examined) -> Iterator[str]:
    found = [tagged(element) for element, _ in file.once(elements) if re.fullmatch(r"H[1-6]?", tagged(element))]
    if "H" in found:
        yield "H"
        return
    deepest = 0
    for tag in found:
        level = int(tag[1])
        if level > deepest + 1:
            yield f"{tag} after {f'H{deepest}' if deepest else 'nothing'}"
        deepest = level


def _marking(file: Examined) -> Iterator[str]:
    for number, content in enumerate(file.page_contents, 1):
        yield from (f"page {number}: {fault}" for fault in dict.fromkeys(content.faults))
    for place, _, content in file.contents[len(file.pages) :]:
        # Numbers in a form would count for every place where it is drawn (ISO 14289-1, 7.20).
        yield from (f"{place}: marked content {mcid} in a form" for mcid, _ in content.mcids)


def _numbers(file: Examined) -> Iterator[str]:
    known = parents(file)
    for number, (page, content) in enumerate(zip(file.pages, file.page_contents, strict=True), 1):
        held = known.get(int(page.get("/StructParents", -1)))
        owners = list(held) if isinstance(held, pikepdf.Array) else []
        mcids = [mcid for mcid, _ in content.mcids]
        if sorted(mcids) != list(range(len(owners))):
            yield f"page {number}: {len(mcids)} marks, {len(owners)} in the parent tree"
        for mcid, tag in content.mcids:
            owner = owners[mcid] if mcid < len(owners) else None
            if not isinstance(owner, pikepdf.Dictionary) or mcid not in _mcids(owner) or tagged(owner) != tag:
                yield f"page {number}: {tag} {mcid}"


def _mcids(element: Any) -> list[int]:
    return [kid for kid in kids(element) if isinstance(kid, int)]


def _order(file: Examined) -> Iterator[str]:
    """Marked content is numbered in the order of the template, which is the order of reading."""
    read = [mcid for element, _ in file.once(elements) for mcid in _mcids(element)]
    if read != sorted(read) or len(read) != len(set(read)):
        yield f"{next((mcid for mcid, other in zip(read, sorted(read), strict=True) if mcid != other), read[-1:])}"


def _alternatives(file: Examined) -> Iterator[str]:
    for element, _ in file.once(elements):
        if tagged(element) in {"Figure", "Form"} and not (
            str(element.get("/Alt", "")).strip() or str(element.get("/ActualText", "")).strip()
        ):
            yield _name(element)


def _boxes(file: Examined) -> Iterator[str]:
    for element, _ in file.once(elements):
        if tagged(element) != "Figure":
            continue
        held = element.get("/A", [])
        attributes = list(held) if isinstance(held, pikepdf.Array) else [held]
        if not any(one.get("/O") == "/Layout" and len(one.get("/BBox", [])) == 4 for one in attributes):
            yield _name(element)


def _languages(file: Examined) -> Iterator[str]:
    if not str(file.root.get("/Lang", "")):
        yield "catalog /Lang"
    for place, one in file.having("/Lang"):
        if not _LANGUAGE.match(str(one.Lang)):
            yield f"{place} /Lang"


RULES = (
    Rule(
        "marked",
        ("ISO 19005-3, 6.7.2.2", "ISO 14289-1, 7.1"),
        "the file does not say that it is tagged, or doubts it",
        "文件没有标明已加标签, 或标明标签存疑",
        _marked,
    ),
    Rule(
        "structure-tree",
        ("ISO 19005-3, 6.7.3.1", "ISO 32000-1, 14.7.2"),
        "the structure tree is missing, has not one Document at its top, or an element names another parent",
        "结构树缺失, 顶端不是单个 Document, 或元素所记的上级不符",
        _tree,
    ),
    Rule(
        "structure-types",
        ("ISO 19005-3, 6.7.3.4", "ISO 14289-1, 7.1"),
        "a structure type is not standard, is remapped, or is one this check knows no rules for",
        "结构类型不是标准类型、被重新映射, 或本检查没有相应的规则",
        _types,
    ),
    Rule(
        "structure-nesting",
        ("ISO 14289-1, 7.2", "ISO 32000-1, 14.8.4.3.3"),
        "an element is where it must not be",
        "结构元素所在位置不合规定",
        _nesting,
    ),
    Rule(
        "headings",
        ("ISO 14289-1, 7.4.2", "ISO 14289-1, 7.4.4"),
        "headings do not begin with H1, skip a level, or are not numbered",
        "标题不从 H1 开始、跳级或没有编号",
        _headings,
    ),
    Rule(
        "marking",
        ("ISO 14289-1, 7.1", "ISO 14289-1, 7.20"),
        "content is neither tagged nor an artifact, or is both",
        "内容既未加标签也不是装饰, 或两者皆是",
        _marking,
    ),
    Rule(
        "marked-content",
        ("ISO 32000-1, 14.7.4.4",),
        "marked content, its element and the parent tree do not agree",
        "标记内容与其结构元素及父级树不一致",
        _numbers,
    ),
    Rule(
        "reading-order",
        ("ISO 14289-1, 7.2", "ISO 32000-1, 14.8.2.3.1"),
        "the structure tree is not in the order of reading",
        "结构树不符合阅读顺序",
        _order,
    ),
    Rule(
        "alternatives",
        ("ISO 14289-1, 7.3", "ISO 32000-1, 14.9.3"),
        "a picture or field has no alternative text",
        "图像或域没有替代文字",
        _alternatives,
    ),
    Rule(
        "picture-boxes",
        ("ISO 32000-1, 14.8.5.4.3",),
        "a figure does not say where on the page it is",
        "图像元素没有注明在页面上的位置",
        _boxes,
    ),
    Rule(
        "languages",
        ("ISO 14289-1, 7.2", "ISO 19005-3, 6.7.4"),
        "the document has no language, or a language is not a tag",
        "文件没有语言, 或语言标记有误",
        _languages,
    ),
)
