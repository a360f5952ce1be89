"""Read XMP packets as what they say, so that two spellings of one statement compare equal.

Programs that save a file write its metadata anew: attributes become elements,
``rdf:parseType`` becomes a nested description. What may differ in substance is
a closed list: dates, producer and instance, each in its own form.

Source: ISO 16684-1 (XMP), clause 7.
"""

import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET

MAX_PACKET_BYTES = 1024 * 1024
MAX_DEPTH = 32

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_META, _TOOLKIT = "{adobe:ns:meta/}xmpmeta", "{adobe:ns:meta/}xmptk"
_CONTAINERS = frozenset({f"{_RDF}Alt", f"{_RDF}Seq", f"{_RDF}Bag"})
_DATE = re.compile(r"\d{4}(-\d\d){0,2}(T[\d:.]{5,16})?(Z|[+-]\d\d:\d\d)?")
_PROGRAM = re.compile(r"[^\r\n]{0,256}")
_FREE = {
    "{http://ns.adobe.com/xap/1.0/}ModifyDate": _DATE,
    "{http://ns.adobe.com/xap/1.0/}MetadataDate": _DATE,
    "{http://ns.adobe.com/pdf/1.3/}Producer": _PROGRAM,
    "{http://ns.adobe.com/xap/1.0/mm/}InstanceID": re.compile(r"(uuid:|xmp\.iid:|urn:uuid:)?[0-9A-Fa-f-]{32,36}"),
}

Value = str | tuple[object, ...]
Properties = tuple[tuple[str, Value], ...]


class BadPacket(Exception):
    """Not a plain XMP packet."""


def read_packet(content: bytes) -> Properties:
    """Give the properties of a packet, sorted, without those that may differ.

    Args:
        content: decoded stream, not trusted.

    Raises:
        BadPacket: too long, too deep, with declarations or comments, or no XMP.
    """
    if len(content) > MAX_PACKET_BYTES or b"<!" in content:  # no entities, document types or comments
        raise BadPacket
    try:
        root = ET.fromstring(content)  # noqa: S314 - bounded, without declarations, in a limited process
    except ET.ParseError as error:
        raise BadPacket from error
    if root.tag != _META or not set(root.keys()) <= {_TOOLKIT} or not _PROGRAM.fullmatch(root.get(_TOOLKIT, "")):
        raise BadPacket
    (rdf,) = _expect([*root], {f"{_RDF}RDF"}, 1)
    descriptions = _expect([*rdf], {f"{_RDF}Description"}, len(rdf))
    if rdf.attrib or any(_text(element) for element in (root, rdf)):
        raise BadPacket
    found = [one for description in descriptions for one in _properties(description, 0)]
    return tuple(sorted(found, key=repr))


def _expect(elements: list[ET.Element], tags: Iterable[str], count: int) -> list[ET.Element]:
    if len(elements) != count or not {element.tag for element in elements} <= set(tags):
        raise BadPacket
    return elements


def _text(element: ET.Element) -> str:
    """All text that stands directly in an element."""
    parts = [element.text or "", *(child.tail or "" for child in element)]
    return "".join(part.strip() for part in parts)


def _properties(description: ET.Element, depth: int) -> Iterator[tuple[str, Value]]:
    """Yield the properties of a description, written as attributes or as elements."""
    if depth > MAX_DEPTH or _text(description):
        raise BadPacket
    for name, content in description.attrib.items():
        if name == f"{_RDF}about" and not content:
            continue
        if name != f"{_RDF}parseType" and not _may_differ(name, content):
            yield name, content
    for element in description:
        value = _value(element, depth + 1)
        if not _may_differ(element.tag, value):
            yield element.tag, value


def _may_differ(name: str, value: Value) -> bool:
    pattern = _FREE.get(name)
    return pattern is not None and isinstance(value, str) and pattern.fullmatch(value) is not None


def _value(element: ET.Element, depth: int) -> Value:
    """Give what a property or an item says: text, a container of items, or a structure."""
    if depth > MAX_DEPTH:
        raise BadPacket
    attributes = dict(element.attrib)
    language = attributes.pop(_LANGUAGE, None)
    parse_type = attributes.pop(f"{_RDF}parseType", None)
    resource = attributes.pop(f"{_RDF}resource", None)
    children = [*element]
    value: Value
    if attributes or parse_type not in {None, "Resource"}:
        raise BadPacket
    if parse_type is not None:
        value = ("structure", *sorted(_properties(_without_attributes(element), depth), key=repr))
    elif not children:
        value = (element.text or "") if resource is None else resource
    elif len(children) == 1 and children[0].tag in _CONTAINERS and not _text(element):
        items = _expect([*children[0]], {f"{_RDF}li"}, len(children[0]))
        value = (children[0].tag, *(_value(item, depth + 1) for item in items), _text(children[0]))
    elif len(children) == 1 and children[0].tag == f"{_RDF}Description" and not _text(element):
        value = ("structure", *sorted(_properties(children[0], depth), key=repr))
    else:
        raise BadPacket
    return value if language is None else ("language", language, value)


def _without_attributes(element: ET.Element) -> ET.Element:
    bare = ET.Element(element.tag)
    bare.text = element.text
    bare.extend(element)
    return bare
