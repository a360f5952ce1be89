"""A self-check of what the press makes, clause by clause, and of a template as a whole.

It reads the finished file with pikepdf, which did not write it. It is no
validator: PDF/A-3 and PDF/UA-1 ask for more than a program of this size can see.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf

from credential.errors import Error
from press.fonts import FontLibrary
from press.samples import SamplePress
from press.template import Template
from press.template_file import load_template

_XMP = {
    "pdfaid:part": "3",
    "pdfaid:conformance": "A",
    "pdfuaid:part": "1",
}
_FLAG_PRINT, _FLAGS_HIDING = 4, 1 | 2 | 32 | 256  # invisible, hidden, no view, toggle no view


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong.

    Attributes:
        sample: which sample shows it; empty for the template as a whole.
        clause: of ISO 19005-3 (PDF/A-3), ISO 14289-1 (PDF/UA-1) or ISO 32000-1; or our error's code.
        en: one sentence.
        zh: the same in Chinese.
    """

    sample: str
    clause: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class TemplateReport:
    """What ``template check`` says.

    Attributes:
        findings: empty when all is well.
        samples: names of the samples that were printed.
        qr_budget: bytes that a message in the QR code may have; 0 when unknown.
        prefix_bytes: length of the prefix, with and without photo.
        tail_bytes: longest tail beside its photo.
    """

    findings: tuple[Finding, ...]
    samples: tuple[str, ...]
    qr_budget: int
    prefix_bytes: tuple[int, ...]
    tail_bytes: int


def check_template(folder: Path, fonts: FontLibrary) -> TemplateReport:
    """Load a template, compile both layouts, print every sample and check each document.

    Never raises for a fault of the template: it becomes a finding.
    """
    try:
        template = load_template(folder)
        samples = SamplePress(template, fonts)
        return _check_samples(template, samples)
    except Error as error:
        return TemplateReport((Finding("", error.code, error.en, error.zh),), (), 0, (), 0)


def _check_samples(template: Template, samples: SamplePress) -> TemplateReport:
    findings: list[Finding] = []
    printed: list[str] = []
    longest = 0
    prefixes = {photo: samples.press.prefix(photo) for photo in template.layouts}
    if not samples.samples:
        findings.append(Finding("", "no-samples", "the folder samples holds none", "samples 目录中没有样例"))
    for name, sample in samples.samples.items():
        problems = samples.press.check(sample.record)
        findings += [Finding(name, problem.code, problem.en, problem.zh) for problem in problems]
        if problems:
            continue
        document = samples.print(name).document
        findings += [Finding(name, clause, en, zh) for clause, en, zh in check_document(document)]
        photo = sample.record.photo
        longest = max(longest, len(document) - len(prefixes[photo is not None].content) - len(photo or b""))
        printed.append(name)
    lengths = tuple(len(prefix.content) for prefix in prefixes.values())
    return TemplateReport(tuple(findings), tuple(printed), samples.press.qr_budget, lengths, longest)


def check_document(document: bytes) -> Iterator[tuple[str, str, str]]:
    """Check a certificate's structure; yields clause and a sentence in English and Chinese."""
    with pikepdf.open(BytesIO(document)) as pdf:
        for check in (_catalog, _metadata, _output_intent, _fonts, _structure, _widget, _attachments, _colours):
            for clause, en in check(pdf):
                yield clause, en, f"文件结构不符合 {clause}: {en}"


def _catalog(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    root: Any = pdf.Root
    if root.get("/MarkInfo", {}).get("/Marked") is not True:
        yield "ISO 19005-3, 6.7.2.2", "the catalog is not marked as tagged"
    if "/Lang" not in root:
        yield "ISO 14289-1, 7.2", "the document has no language"
    if root.get("/ViewerPreferences", {}).get("/DisplayDocTitle") is not True:
        yield "ISO 14289-1, 7.1", "the window does not show the title"
    if "/ID" not in pdf.trailer:
        yield "ISO 19005-3, 6.1.3", "the trailer has no ID"
    if "/Encrypt" in pdf.trailer:
        yield "ISO 19005-3, 6.1.3", "the file is encrypted"
    if any(page.get("/Tabs") != pikepdf.Name.S for page in pdf.pages):
        yield "ISO 14289-1, 7.18.3", "a page with annotations is not tabbed in structure order"


def _metadata(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    if "/Metadata" not in pdf.Root:
        yield "ISO 19005-3, 6.6.2.1", "there is no XMP metadata"
        return
    if "/Filter" in pdf.Root.Metadata:
        yield "ISO 19005-3, 6.6.2.1", "the XMP metadata is compressed, which simple readers do not expect"
    with pdf.open_metadata() as metadata:
        for key, value in _XMP.items():
            if metadata.get(key) != value:
                yield "ISO 19005-3, 6.6.4", f"XMP {key} is {metadata.get(key)!r}, not {value!r}"
        if not metadata.get("dc:title"):
            yield "ISO 14289-1, 7.1", "XMP has no dc:title"


def _output_intent(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    intents: list[Any] = list(pdf.Root.get("/OutputIntents", []))
    if len(intents) != 1 or intents[0].get("/S") != pikepdf.Name.GTS_PDFA1:
        yield "ISO 19005-3, 6.2.3", "there is not exactly one PDF/A output intent"
        return
    profile = intents[0].DestOutputProfile.read_bytes()
    if profile[36:40] != b"acsp" or profile[16:20] != b"RGB " or intents[0].DestOutputProfile.N != 3:
        yield "ISO 19005-3, 6.2.3", "the output profile is not an RGB profile"


def _fonts(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    for font in _of_type(pdf, "/Font"):
        if "/DescendantFonts" not in font:
            if "/FontDescriptor" not in font:
                yield "ISO 19005-3, 6.2.11.4.1", f"the font {font.get('/BaseFont')} is not embedded"
            continue
        name = str(font.BaseFont)
        if "/ToUnicode" not in font:
            yield "ISO 19005-3, 6.2.11.7.2", f"the font {name} has no ToUnicode"
        descriptor = font.DescendantFonts[0].FontDescriptor
        if not any(key in descriptor for key in ("/FontFile2", "/FontFile3")):
            yield "ISO 19005-3, 6.2.11.4.1", f"the font {name} is not embedded"
        # A font over CFF outlines adds its CMap's name to that of its descendant (ISO 32000-1, 9.7.6.2).
        if str(descriptor.FontName) != str(font.DescendantFonts[0].BaseFont):
            yield "ISO 32000-1, 9.8.1", f"the font {name} and its descriptor differ in name"


def _structure(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    for page in pdf.pages:
        marked, bare = _marked_content(page)
        parents = list(_parent_array(pdf, int(page.get("/StructParents", -1))))
        if sorted(marked) != list(range(len(parents))):
            yield "ISO 32000-1, 14.7.4.4", "marked content and the parent tree do not match one to one"
        for mcid, element in enumerate(parents):
            kids: list[Any] = list(element.get("/K", []))
            if mcid not in [kid for kid in kids if isinstance(kid, int)]:
                yield "ISO 32000-1, 14.7.4.4", f"the element of marked content {mcid} does not hold it"
        if bare:
            yield "ISO 14289-1, 7.1", f"content is neither tagged nor an artifact: {bare}"
    for element in _of_type(pdf, "/StructElem"):
        if element.S in {pikepdf.Name.Figure, pikepdf.Name.Form} and "/Alt" not in element:
            yield "ISO 14289-1, 7.3", f"a {element.S} has no alternative text"


def _marked_content(page: pikepdf.Page) -> tuple[list[int], str]:
    """List the marked-content numbers of a page, and the first painting outside any."""
    found: list[int] = []
    depth, bare = 0, ""
    for instruction in pikepdf.parse_content_stream(page):
        operator = str(instruction.operator)
        if operator in {"BDC", "BMC"}:
            depth += 1
            properties: Any = instruction.operands[1] if operator == "BDC" else {}
            if "/MCID" in properties:
                found.append(int(properties["/MCID"]))
        elif operator == "EMC":
            depth -= 1
        elif not depth and operator in {"Tj", "TJ", "Do", "f", "S", "B", "f*", "sh", "'", '"'}:
            bare = bare or operator
    return found, bare


def _parent_array(pdf: pikepdf.Pdf, key: int) -> Any:
    root: Any = pdf.Root
    numbers = list(root.StructTreeRoot.ParentTree.Nums)
    for place, value in zip(numbers[::2], numbers[1::2], strict=True):
        if int(place) == key:
            return value
    return []


def _widget(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    root: Any = pdf.Root
    fields: list[Any] = list(root.AcroForm.Fields)
    if [one.get("/FT") for one in fields] != [pikepdf.Name.Sig]:
        yield "ISO 32000-1, 12.7", "the form does not hold exactly one signature field"
        return
    widget = fields[0]
    flags = int(widget.get("/F", 0))
    if not flags & _FLAG_PRINT or flags & _FLAGS_HIDING:
        yield "ISO 19005-3, 6.3.2", "the widget is not printed, or is hidden"
    if "/N" not in widget.get("/AP", {}):
        yield "ISO 19005-3, 6.3.3", "the widget has no appearance"
    if "/TU" not in widget:
        yield "ISO 14289-1, 7.18.1", "the field has no description"
    form = _parent_array(pdf, int(widget.get("/StructParent", -1)))
    if not isinstance(form, pikepdf.Dictionary) or form.get("/S") != pikepdf.Name.Form:
        yield "ISO 14289-1, 7.18.4", "the widget is not in a Form element"
    signature = widget.V
    if root.get("/Perms", {}).get("/DocMDP") != signature:
        yield "ISO 32000-1, 12.8.4", "the signature does not certify the document"


def _attachments(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    associated: list[Any] = list(pdf.Root.get("/AF", []))
    if not associated:
        yield "ISO 19005-3, 6.8", "the document has no associated files"
    for file in associated:
        if not {"/F", "/UF", "/AFRelationship", "/EF"} <= set(file.keys()):
            yield "ISO 19005-3, 6.8", f"the associated file {file.get('/F')} lacks an entry"
            continue
        embedded = file.EF.F
        if "/Subtype" not in embedded or "/ModDate" not in embedded.get("/Params", {}):
            yield "ISO 19005-3, 6.8", f"the embedded file {file.F} has no media type or date"
    names = pdf.attachments
    if {str(file.UF) for file in associated} != set(names):
        yield "ISO 19005-3, 6.8", "an embedded file is not associated with the document"


def _colours(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    for image in _of_subtype(pdf, "/Image"):
        if not _is_rgb_or_grey(image.get("/ColorSpace")):
            yield "ISO 19005-3, 6.2.4.3", "a picture is neither RGB nor grey, as the output intent asks"
        if image.get("/Interpolate") is True:
            yield "ISO 19005-3, 6.2.8", "a picture asks for interpolation"


def _is_rgb_or_grey(space: Any) -> bool:
    if isinstance(space, pikepdf.Array):
        return bool(space[0] == pikepdf.Name.ICCBased) and int(space[1].N) in {1, 3}
    return any(space == name for name in (pikepdf.Name.DeviceRGB, pikepdf.Name.DeviceGray))


def _of_type(pdf: pikepdf.Pdf, name: str) -> Iterator[Any]:
    for one in pdf.objects:
        if isinstance(one, pikepdf.Dictionary) and one.get("/Type") == name:
            yield one


def _of_subtype(pdf: pikepdf.Pdf, name: str) -> Iterator[Any]:
    for one in pdf.objects:
        if isinstance(one, pikepdf.Stream) and one.get("/Subtype") == name:
            yield one
