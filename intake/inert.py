"""Make an inert workbook of a bureau's own: cells, looks and comments; nothing that acts, links or runs.

openpyxl never sees what a bureau sent. It sees what this module wrote: a new
package whose parts are copied element by element, by a list of what may stay.
Formulas give way to their results. What would take memory out of proportion
(merged areas, comments and columns that span a whole sheet) is left out.
"""

import posixpath
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape

from intake.annotated import Note
from intake.errors import CannotCopy
from intake.inert_sheet import InertSheet, copy_sheet
from intake.inert_xml import MAIN, attributes_text, copy_styles, read_comments, read_strings
from intake.package import read_parts
from intake.workbook import Table, elements, sheet_parts

# openpyxl takes about 50 times the XML in memory; 5,000 rows of 15 columns are 4 MB.
MAX_COPIED_XML_BYTES = 24_000_000
_MAX_STYLES_BYTES = 4_000_000
_MAX_THEME_BYTES = 500_000
_MAX_SHEETS = 100

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
# Folders of a package whose content does not come along, as a clerk calls it.
_LEFT_FOLDERS: Mapping[str, tuple[str, str]] = {
    "drawings/": ("图片和图表", "pictures and charts"),
    "charts/": ("图片和图表", "pictures and charts"),
    "externallinks/": ("外部链接", "links to other workbooks"),
    "pivottables/": ("数据透视表", "pivot tables"),
    "tables/": ("表格样式", "table objects"),
    "threadedcomments/": ("会话式批注的回复", "replies in threaded comments"),
}


@dataclass(frozen=True, slots=True)
class InertBook:
    """A workbook that openpyxl may open.

    Attributes:
        content: the package.
        sheets: by name, in order.
        notes: what was left out.
    """

    content: BytesIO
    sheets: Mapping[str, InertSheet]
    notes: tuple[Note, ...]


def make_inert(file: Path, tables: Mapping[str, Table], *, judged: str) -> InertBook:
    """Copy what may stay of a workbook into a new package.

    Args:
        file: a workbook that intake has accepted; not trusted.
        tables: every sheet as intake reads it; tells how far the values reach.
        judged: name of the sheet that was checked; it becomes the visible, active one.

    Raises:
        CannotCopy: too large, or not as spreadsheet programs write it.
        InputError: as :class:`intake.workbook.Workbook`.
    """
    parts = {name.lower(): part for name, part in read_parts(file).items()}
    places = sheet_parts(file.name, parts)
    kept = {
        name: place
        for name, place in places.items()
        if name in tables and place in parts and b"sheetData" in parts[place]
    }
    size = sum(len(parts[place]) for place in kept.values()) + len(parts.get("xl/sharedstrings.xml", b""))
    if size > MAX_COPIED_XML_BYTES or len(parts.get("xl/styles.xml", b"")) > _MAX_STYLES_BYTES:
        raise CannotCopy(f"it is too large ({size:,} bytes unpacked)", f"文件过大(解压后 {size:,} 字节)")
    if len(kept) > _MAX_SHEETS:
        raise CannotCopy(f"it has {len(kept)} sheets", f"工作表过多({len(kept)} 个)")
    strings = read_strings(parts.get("xl/sharedstrings.xml", b"<sst/>"))
    left: dict[str, str] = _left_folders(parts)
    if len(kept) < len(places):
        left["图表页、宏表等非数据工作表"] = "sheets without cells, such as charts and macro sheets"
    sheets: dict[str, InertSheet] = {}
    for name, place in kept.items():
        sheet = copy_sheet(parts[place], tables[name], strings)
        comments = _comments_part(file.name, parts, place)
        if comments is not None:
            sheet.comments, sheet.own_marks = read_comments(comments, tables[name])
        sheets[name] = sheet
        left.update(sheet.left)
    states = {
        one.get("name", ""): one.get("state", "") for one in elements(file.name, parts["xl/workbook.xml"], "sheet")
    }
    hidden = {name for name, state in states.items() if state in {"hidden", "veryHidden"} and name != judged}
    content = _pack(parts, sheets, hidden, strings)
    return InertBook(content, sheets, _notes(left))


def _notes(left: Mapping[str, str]) -> tuple[Note, ...]:
    if not left:
        return ()
    zh, en = "、".join(left), ", ".join(left.values())
    return (Note(f"副本中不含原文件的: {zh}(原文件未改动)", f"the copy leaves out: {en} (your file is untouched)"),)


def _left_folders(parts: Mapping[str, bytes]) -> dict[str, str]:
    found = {}
    for folder, (zh, en) in _LEFT_FOLDERS.items():
        if any(name.startswith(f"xl/{folder}") for name in parts):
            found[zh] = en
    names = [one.get("name", "") for one in elements("", parts["xl/workbook.xml"], "definedName")]
    if any(name != "_xlnm._FilterDatabase" for name in names):
        found["名称和打印区域"] = "defined names and print areas"
    return found


def _comments_part(file: str, parts: Mapping[str, bytes], place: str) -> bytes | None:
    folder, base = posixpath.split(place)
    for relation in elements(file, parts.get(f"{folder}/_rels/{base}.rels", b""), "Relationship"):
        if relation.get("Type", "").endswith("/comments") and relation.get("TargetMode") != "External":
            target = relation.get("Target", "").lower()
            path = target[1:] if target.startswith("/") else posixpath.normpath(f"{folder}/{target}")
            return parts.get(path)
    return None


def _pack(
    parts: Mapping[str, bytes], sheets: Mapping[str, InertSheet], hidden: set[str], strings: list[str]
) -> BytesIO:
    """Write the package; every name, type and relation in it is ours."""
    is_1904 = any(one.get("date1904") in {"1", "true"} for one in elements("", parts["xl/workbook.xml"], "workbookPr"))
    book = [f'{_HEAD}<workbook xmlns="{MAIN}" xmlns:r="{_OFFICE}">']
    book.append('<workbookPr date1904="1"/>' if is_1904 else "<workbookPr/>")
    book.append("<bookViews><workbookView/></bookViews><sheets>")
    relations = [_relation("strings", "sharedStrings", "sharedStrings.xml")]
    written = {"xl/sharedStrings.xml": _strings_part(strings)}
    types = [_override("xl/workbook.xml", "sheet.main"), _override("xl/sharedStrings.xml", "sharedStrings")]
    for number, (name, sheet) in enumerate(sheets.items(), 1):
        state = {"state": "hidden"} if name in hidden else {}
        attributes = attributes_text({"name": name, "sheetId": str(number), **state})
        book.append(f'<sheet{attributes} r:id="s{number}"/>')
        relations.append(_relation(f"s{number}", "worksheet", f"worksheets/sheet{number}.xml"))
        written[f"xl/worksheets/sheet{number}.xml"] = sheet.xml
        types.append(_override(f"xl/worksheets/sheet{number}.xml", "worksheet"))
    book.append("</sheets></workbook>")
    written["xl/workbook.xml"] = "".join(book).encode()
    if "xl/styles.xml" in parts:
        written["xl/styles.xml"] = copy_styles(parts["xl/styles.xml"])
        relations.append(_relation("styles", "styles", "styles.xml"))
        types.append(_override("xl/styles.xml", "styles"))
    theme = parts.get("xl/theme/theme1.xml", b"")
    if 0 < len(theme) <= _MAX_THEME_BYTES:
        written["xl/theme/theme1.xml"] = theme
        relations.append(_relation("theme", "theme", "theme/theme1.xml"))
    written["xl/_rels/workbook.xml.rels"] = _relations(relations)
    written["_rels/.rels"] = _relations([_relation("book", "officeDocument", "xl/workbook.xml")])
    written["[Content_Types].xml"] = (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{"".join(types)}</Types>'
    ).encode()
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, part in written.items():
            archive.writestr(zipfile.ZipInfo(name), part)
    packed.seek(0)
    return packed


def _strings_part(strings: list[str]) -> bytes:
    # openpyxl deletes "x005F_", by which a text says that what follows is no escape; doubled, one of them is left.
    items = (
        f'<si><t xml:space="preserve">{escape(text.replace("x005F_", "xx005F_005F_"), {chr(13): "&#13;"})}</t></si>'
        for text in strings
    )
    return f'{_HEAD}<sst xmlns="{MAIN}">{"".join(items)}</sst>'.encode()


def _relation(key: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{key}" Type="{_OFFICE}/{kind}" Target="{target}"/>'


def _relations(lines: list[str]) -> bytes:
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{"".join(lines)}</Relationships>'.encode()


def _override(part: str, kind: str) -> str:
    return f'<Override PartName="/{part}" ContentType="{_TYPE}.spreadsheetml.{kind}+xml"/>'
