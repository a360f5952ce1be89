"""Rules about what the file says and carries: XMP, output intent, attachments (ISO 19005-3, 6.2.3, 6.6, 6.8)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from xml.parsers import expat

import pikepdf

from press.conformance_page import is_profile
from press.conformance_rule import Examined, Rule

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_PDFAID = "http://www.aiim.org/pdfa/ns/id/"
_PDFUAID = "http://www.aiim.org/pdfua/ns/id/"
_EXTENSION = "http://www.aiim.org/pdfa/ns/extension/"
_SCHEMA = "http://www.aiim.org/pdfa/ns/schema#"
_PROPERTY = "http://www.aiim.org/pdfa/ns/property#"
# Properties of known schemas that a certificate has use for (XMP 2005, 4; ISO 19005-3, 6.6.4).
_PREDEFINED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        _DC: frozenset({"title", "creator", "description", "format", "identifier", "language", "rights", "source"})
        | frozenset({"subject", "type", "publisher", "contributor", "coverage", "date", "relation"}),
        "http://ns.adobe.com/pdf/1.3/": frozenset({"Keywords", "PDFVersion", "Producer"}),
        "http://ns.adobe.com/xap/1.0/": frozenset({"CreateDate", "CreatorTool", "MetadataDate", "ModifyDate"}),
        _PDFAID: frozenset({"part", "amd", "corr", "conformance"}),
        _EXTENSION: frozenset({"schemas"}),
    }
)
_PACKET = re.compile(rb"\s*<\?xpacket ([^?]*)\?>.*<\?xpacket end=[\"'][rw][\"']\?>\s*\Z", re.DOTALL)
_MEDIA_TYPE = re.compile(r"/[-\w+.]+/[-\w+.]+\Z", re.ASCII)
_RELATIONSHIPS = frozenset({"/Source", "/Data", "/Alternative", "/Supplement", "/Unspecified"})


@dataclass(slots=True)
class Node:
    """One element of an XML document; names are written ``namespace local``."""

    name: str
    prefix: str = ""
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def find(self, name: str) -> Iterator["Node"]:
        """List the elements of a name under this one, however deep."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.find(name)

    @property
    def words(self) -> str:
        """All text under it."""
        return (self.text + "".join(child.words for child in self.children)).strip()


def read_xml(document: bytes) -> Node | None:
    """Read an XML document; None when it is not well formed or declares anything of its own."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.namespace_prefixes = True
    top = Node("")
    path = [top]

    def start(name: str, _: object) -> None:
        space, local, prefix = (*name.split(" "), "", "")[:3]
        node = Node(f"{space} {local}", prefix)
        path[-1].children.append(node)
        path.append(node)

    def end(_: str) -> None:
        path.pop()

    def words(text: str) -> None:
        path[-1].text += text

    def refuse(*_: object) -> None:
        raise expat.ExpatError

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, words
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except expat.ExpatError:
        return None
    return top


def _packet(file: Examined) -> bytes:
    metadata = file.root.get("/Metadata")
    return metadata.read_bytes() if isinstance(metadata, pikepdf.Stream) else b""


def _properties(file: Examined) -> list[Node]:
    top = read_xml(_packet(file))
    if top is None:
        return []
    return [one for description in top.find(f"{_RDF} Description") for one in description.children]


def _values(file: Examined, space: str, local: str) -> list[Node]:
    return [one for one in file.once(_properties) if one.name == f"{space} {local}"]


def _metadata(file: Examined) -> Iterator[str]:
    metadata: Any = file.root.get("/Metadata")
    if not isinstance(metadata, pikepdf.Stream):
        yield "catalog /Metadata"
    elif metadata.get("/Type") != "/Metadata" or metadata.get("/Subtype") != "/XML":
        yield "Metadata /Type, /Subtype"
    elif "/Filter" in metadata:
        yield "Metadata /Filter"


def _xmp(file: Examined) -> Iterator[str]:
    packet = _packet(file)
    if not packet:
        return  # the rule before says so
    head = _PACKET.match(packet)
    if head is None or b"begin=" not in head[1]:
        yield "xpacket"
    elif re.search(rb"\b(bytes|encoding)\s*=", head[1]):
        yield "xpacket bytes, encoding"
    try:
        packet.decode("utf-8")
    except UnicodeDecodeError:
        yield "UTF-8"
    if read_xml(packet) is None:
        yield "XML"


def _schemas(file: Examined) -> Iterator[str]:
    described: set[tuple[str, str]] = set()
    for schemas in _values(file, _EXTENSION, "schemas"):
        if schemas.prefix != "pdfaExtension":
            yield f"prefix {schemas.prefix}"
        for schema in schemas.find(f"{_RDF} li"):
            parts = {child.name: child.words for child in schema.children}
            if f"{_SCHEMA} property" in parts:
                described |= _described(schema)
                wanted = {f"{_SCHEMA} {name}" for name in ("schema", "namespaceURI", "prefix", "property")}
                yield from sorted(name.partition(" ")[2] for name in wanted if not parts.get(name))
            elif f"{_PROPERTY} name" in parts:
                wanted = {f"{_PROPERTY} {name}" for name in ("name", "valueType", "category", "description")}
                yield from sorted(name.partition(" ")[2] for name in wanted if not parts.get(name))
    for one in file.once(_properties):
        space, _, local = one.name.partition(" ")
        if (
            space not in {_SCHEMA, _PROPERTY}
            and local not in _PREDEFINED.get(space, ())
            and (space, local) not in described
        ):
            yield f"{one.prefix}:{local}"


def _described(schema: Node) -> set[tuple[str, str]]:
    spaces = [one.words for one in schema.find(f"{_SCHEMA} namespaceURI")]
    return {(spaces[0] if spaces else "", name.words) for name in schema.find(f"{_PROPERTY} name")}


def _pdfa(file: Examined) -> Iterator[str]:
    for local, wanted in (("part", "3"), ("conformance", "A")):
        found = _values(file, _PDFAID, local)
        if [(one.prefix, one.words) for one in found] != [("pdfaid", wanted)]:
            yield f"pdfaid:{local} {', '.join(one.words for one in found)}".strip()


def _pdfua(file: Examined) -> Iterator[str]:
    found = _values(file, _PDFUAID, "part")
    if [(one.prefix, one.words) for one in found] != [("pdfuaid", "1")]:
        yield f"pdfuaid:part {', '.join(one.words for one in found)}".strip()


def _title(file: Examined) -> Iterator[str]:
    if not any(one.words for one in _values(file, _DC, "title")):
        yield "dc:title"
    if file.root.get("/ViewerPreferences", {}).get("/DisplayDocTitle") is not True:
        yield "ViewerPreferences /DisplayDocTitle"


def _output_intent(file: Examined) -> Iterator[str]:
    intents: list[Any] = list(file.root.get("/OutputIntents", []))
    if len(intents) != 1 or intents[0].get("/S") != "/GTS_PDFA1":
        yield "catalog /OutputIntents"
        return
    if not str(intents[0].get("/OutputConditionIdentifier", "")):
        yield "OutputIntent /OutputConditionIdentifier"
    profile: Any = intents[0].get("/DestOutputProfile")
    classes = frozenset({b"mntr", b"prtr"})
    if not isinstance(profile, pikepdf.Stream) or int(profile.get("/N", 0)) != 3:
        yield "OutputIntent /DestOutputProfile"
    elif not is_profile(profile.read_bytes(), frozenset({b"RGB "}), classes):
        yield "OutputIntent /DestOutputProfile: ICC"


def _specifications(file: Examined) -> Iterator[tuple[str, Any]]:
    return file.having("/EF")


def _file_names(file: Examined) -> Iterator[str]:
    for place, one in _specifications(file):
        if not str(one.get("/F", "")) or not str(one.get("/UF", "")):
            yield f"{place} /F, /UF"
        if one.get("/Type") != "/Filespec":
            yield f"{place} /Type"


def _associations(file: Examined) -> Iterator[str]:
    associated = [one.objgen for one in file.root.get("/AF", [])]
    if not associated:
        yield "catalog /AF"
    for place, one in _specifications(file):
        if one.objgen not in associated:
            yield f"{place} /AF"
        if str(one.get("/AFRelationship", "")) not in _RELATIONSHIPS:
            yield f"{place} /AFRelationship"


def _embedded(file: Examined) -> Iterator[str]:
    for place, one in _specifications(file):
        stream: Any = one.EF.get("/F")
        if not isinstance(stream, pikepdf.Stream):
            yield f"{place} /EF"
            continue
        if not _MEDIA_TYPE.match(str(stream.get("/Subtype", ""))):
            yield f"{place} /Subtype"
        facts: Any = stream.get("/Params", {})
        if "/ModDate" not in facts or int(facts.get("/Size", len(stream.read_bytes()))) != len(stream.read_bytes()):
            yield f"{place} /Params"


def _name_tree(file: Examined) -> Iterator[str]:
    tree: Any = file.root.get("/Names", {}).get("/EmbeddedFiles", {})
    held = list(tree.get("/Names", []))
    names = [bytes(name) for name in held[::2]]
    listed = {one.objgen for one in held[1::2]}
    if names != sorted(set(names)):
        yield ", ".join(str(name) for name in held[::2])
    yield from (f"{place} /EmbeddedFiles" for place, one in _specifications(file) if one.objgen not in listed)


RULES = (
    Rule(
        "metadata",
        ("ISO 19005-3, 6.6.2.1", "ISO 14289-1, 7.1", "ISO 32000-1, 14.3.2"),
        "there is no XMP metadata, or programs that know no PDF cannot read it",
        "没有 XMP 元数据, 或不认识 PDF 的程序读不到",
        _metadata,
    ),
    Rule("xmp", ("ISO 19005-3, 6.6.2.1",), "the XMP packet is not well formed", "XMP 数据包格式有误", _xmp),
    Rule(
        "schemas",
        ("ISO 19005-3, 6.6.2.3",),
        "XMP holds a property that is neither predefined nor described, or a description lacks a part",
        "XMP 含有既未预定义也未描述的属性, 或描述不完整",
        _schemas,
    ),
    Rule("pdfa", ("ISO 19005-3, 6.6.4",), "XMP does not say PDF/A-3a", "XMP 没有标明 PDF/A-3a", _pdfa),
    Rule("pdfua", ("ISO 14289-1, 5",), "XMP does not say PDF/UA-1", "XMP 没有标明 PDF/UA-1", _pdfua),
    Rule(
        "title",
        ("ISO 14289-1, 7.1",),
        "the document has no title, or does not show it",
        "文件没有标题, 或不显示标题",
        _title,
    ),
    Rule(
        "output-intent",
        ("ISO 19005-3, 6.2.3", "ISO 32000-1, 14.11.5"),
        "there is not exactly one PDF/A output intent with an RGB profile",
        "没有唯一的、带 RGB 配置文件的 PDF/A 输出意图",
        _output_intent,
    ),
    Rule(
        "file-names",
        ("ISO 19005-3, 6.8", "ISO 14289-1, 7.11"),
        "an attachment has not both its names",
        "附件缺少文件名",
        _file_names,
    ),
    Rule(
        "associations",
        ("ISO 19005-3, 6.8",),
        "an attachment is not associated with the document, or not said how",
        "附件没有与文件关联, 或没有注明关系",
        _associations,
    ),
    Rule(
        "embedded-files",
        ("ISO 19005-3, 6.8", "ISO 32000-1, 7.11.4"),
        "an attachment has no media type or date, or another size than it says",
        "附件没有媒体类型或日期, 或大小与所述不符",
        _embedded,
    ),
    Rule(
        "name-tree",
        ("ISO 32000-1, 7.9.6", "ISO 32000-1, 7.11.4"),
        "attachments are not listed by name, in order",
        "附件没有按名称顺序列出",
        _name_tree,
    ),
)
