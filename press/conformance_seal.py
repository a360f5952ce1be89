"""Rules about the seal: its widget, its field, the signature (ISO 19005-3, 6.3 and 6.4; ISO 14289-1, 7.18)."""

from collections.abc import Iterator
from typing import Any

import pikepdf

from press.conformance_rule import Examined, Rule, tagged
from press.conformance_tags import kids, parents

_PRINT, _HIDING = 4, 1 | 2 | 32 | 256  # invisible, hidden, no view, toggle no view (ISO 32000-1, table 165)
_SEQUENCE, _SET, _OID, _CONTEXT_0 = 0x30, 0x31, 0x06, 0xA0
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")


def _annotations(file: Examined) -> Iterator[tuple[str, Any]]:
    for number, page in enumerate(file.pages, 1):
        for place, annotation in enumerate(page.get("/Annots", []), 1):
            yield f"page {number} annotation {place}", annotation


def _fields(file: Examined) -> list[Any]:
    return list(file.root.get("/AcroForm", {}).get("/Fields", []))


def _kinds(file: Examined) -> Iterator[str]:
    for place, annotation in _annotations(file):
        if annotation.get("/Subtype") != "/Widget" or annotation.get("/Type", "/Annot") != "/Annot":
            yield f"{place} {annotation.get('/Subtype')}"


def _flags(file: Examined) -> Iterator[str]:
    for place, annotation in _annotations(file):
        flags = int(annotation.get("/F", 0))
        if not flags & _PRINT or flags & _HIDING:
            yield f"{place} /F {flags}"


def _appearances(file: Examined) -> Iterator[str]:
    for place, annotation in _annotations(file):
        shown: Any = annotation.get("/AP", {})
        if set(shown.keys()) != {"/N"} or not isinstance(shown.N, pikepdf.Stream):
            yield f"{place} /AP"


def _one_field(file: Examined) -> Iterator[str]:
    fields = _fields(file)
    if [one.get("/FT") for one in fields] != ["/Sig"]:
        yield f"{len(fields)} fields"
        return
    if fields[0].objgen not in {annotation.objgen for _, annotation in _annotations(file)}:
        yield "the field is on no page"
    if not str(fields[0].get("/T", "")):
        yield "/T"


def _descriptions(file: Examined) -> Iterator[str]:
    for place, annotation in _annotations(file):
        yield from (f"{place} {key}" for key in ("/TU", "/Contents") if not str(annotation.get(key, "")).strip())


def _tabs(file: Examined) -> Iterator[str]:
    for number, page in enumerate(file.pages, 1):
        if len(page.get("/Annots", [])) and page.get("/Tabs") != "/S":
            yield f"page {number} /Tabs"


def _form_elements(file: Examined) -> Iterator[str]:
    known = parents(file)
    for place, annotation in _annotations(file):
        element = known.get(int(annotation.get("/StructParent", -1)))
        if not isinstance(element, pikepdf.Dictionary) or tagged(element) != "Form":
            yield f"{place} /StructParent"
            continue
        held = kids(element)
        if len(held) != 1 or not isinstance(held[0], pikepdf.Dictionary) or held[0].get("/Type") != "/OBJR":
            yield f"{place}: Form /K"
        elif held[0].Obj.objgen != annotation.objgen:
            yield f"{place}: Form /Obj"


def _signatures(file: Examined) -> Iterator[Any]:
    yield from (one.V for one in _fields(file) if isinstance(one.get("/V"), pikepdf.Dictionary))


def _coverage(file: Examined) -> Iterator[str]:
    found = list(_signatures(file))
    if len(found) != 1:
        yield f"{len(found)} signatures"
    for signature in found:
        covered = [int(number) for number in signature.get("/ByteRange", [])]
        if len(covered) != 4 or covered[0] != 0 or covered[2] + covered[3] != len(file.raw):
            yield f"/ByteRange {covered}"
            continue
        hole = file.raw[covered[1] : covered[2]]
        if hole[:1] != b"<" or hole[-1:] != b">" or not _is_contents(hole[1:-1], bytes(signature.Contents)):
            yield f"/ByteRange {covered}"


def _is_contents(digits: bytes, contents: bytes) -> bool:
    try:
        return bytes.fromhex(digits.decode("ascii")) == contents
    except ValueError:
        return False


def _container(file: Examined) -> Iterator[str]:
    for signature in _signatures(file):
        try:
            certificates, signers = count_signers(bytes(signature.get("/Contents", b"")))
        except (ValueError, IndexError):
            yield "/Contents: DER"
        else:
            if certificates < 1 or signers != 1:
                yield f"/Contents: {certificates} certificates, {signers} signers"


def count_signers(container: bytes) -> tuple[int, int]:
    """Count certificates and signers of a DER SignedData (RFC 5652, 5.1), which zeros may follow.

    Raises:
        ValueError, IndexError: it is none.
    """
    outer = _members(_member(container, 0, _SEQUENCE)[0])
    if outer[0] != (_OID, _SIGNED_DATA) or outer[1][0] != _CONTEXT_0:
        raise ValueError
    parts = _members(_member(outer[1][1], 0, _SEQUENCE)[0])
    certificates = [content for tag, content in parts if tag == _CONTEXT_0]
    signers = parts[-1]
    if signers[0] != _SET:
        raise ValueError
    return sum(len(_members(content)) for content in certificates), len(_members(signers[1]))


def _member(encoded: bytes, at: int, tag: int) -> tuple[bytes, int]:
    found, content, end = _read(encoded, at)
    if found != tag:
        raise ValueError
    return content, end


def _members(content: bytes) -> list[tuple[int, bytes]]:
    at, found = 0, []
    while at < len(content):
        tag, member, at = _read(content, at)
        found.append((tag, member))
    return found


def _read(encoded: bytes, at: int) -> tuple[int, bytes, int]:
    """Read one DER value: its tag, its content, and where it ends (X.690, 8.1 and 10.1)."""
    tag, length = encoded[at], encoded[at + 1]
    at += 2
    if length >= 0x80:
        octets = length & 0x7F
        length = int.from_bytes(encoded[at : at + octets])
        at += octets
    if at + length > len(encoded):
        raise ValueError
    return tag, encoded[at : at + length], at + length


def _certification(file: Examined) -> Iterator[str]:
    permitted: Any = file.root.get("/Perms", {}).get("/DocMDP")
    for signature in _signatures(file):
        if not isinstance(permitted, pikepdf.Dictionary) or permitted.objgen != signature.objgen:
            yield "Perms /DocMDP"
        methods = [str(one.get("/TransformMethod", "")) for one in signature.get("/Reference", [])]
        if methods != ["/DocMDP"]:
            yield "/Reference"


RULES = (
    Rule(
        "annotation-kinds",
        ("ISO 19005-3, 6.3.1", "ISO 14289-1, 7.18.1"),
        "an annotation is none of a form, which this check knows no rules for",
        "批注不是表单控件, 本检查没有相应的规则",
        _kinds,
    ),
    Rule(
        "annotation-flags",
        ("ISO 19005-3, 6.3.2", "ISO 32000-1, 12.5.3"),
        "an annotation is not printed, or can be hidden",
        "批注不会打印, 或可被隐藏",
        _flags,
    ),
    Rule(
        "appearances",
        ("ISO 19005-3, 6.3.3",),
        "an annotation has not one appearance and nothing else",
        "批注没有唯一的外观",
        _appearances,
    ),
    Rule(
        "one-field",
        ("ISO 32000-1, 12.7.4.5",),
        "the form does not hold exactly one signature field, on the page",
        "表单中不是恰好一个位于页面上的签名域",
        _one_field,
    ),
    Rule(
        "descriptions",
        ("ISO 14289-1, 7.18.1", "ISO 32000-1, 14.9.3"),
        "the widget is not described in words",
        "控件没有文字说明",
        _descriptions,
    ),
    Rule(
        "tab-order",
        ("ISO 14289-1, 7.18.3",),
        "a page with annotations is not tabbed in structure order",
        "含批注页面的跳转顺序不是结构顺序",
        _tabs,
    ),
    Rule(
        "form-elements",
        ("ISO 14289-1, 7.18.4", "ISO 32000-1, 14.8.4.5"),
        "the widget is not alone in a Form element",
        "控件不是 Form 元素的唯一内容",
        _form_elements,
    ),
    Rule(
        "coverage",
        ("ISO 19005-3, 6.4.3", "ISO 32000-1, 12.8.1"),
        "the signature does not cover the whole file but itself",
        "签名没有覆盖除自身以外的整个文件",
        _coverage,
    ),
    Rule(
        "container",
        ("ISO 19005-3, 6.4.3",),
        "the signature's container has not one signer and the signer's certificate",
        "签名容器中不是恰好一个签名者及其证书",
        _container,
    ),
    Rule(
        "certification",
        ("ISO 32000-1, 12.8.4", "ISO 32000-1, 12.8.2.2"),
        "the signature does not certify the document",
        "签名不是文件的认证签名",
        _certification,
    ),
)
