"""Read an ``.xlsx`` workbook: values by calamine, the rest by ``survey.py``.

The bytes decide what a file is; a name that says otherwise is refused, since
somebody then believes to have sent something else.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from intake.errors import EncryptedWorkbook, FileTooLarge, NotAWorkbook, OldWorkbook, UnknownSheet, UnsafeWorkbook
from intake.package import pack_parts, read_parts
from intake.survey import Survey, measure_strings, survey_sheet

Cell = str | float | int | bool | dt.date | dt.time | dt.timedelta

ZIP_START = b"PK\x03\x04"
OLE2_START = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

# workbook.xml of a thousand sheets is a tenth of it; it is parsed element by element.
_MAX_INDEX_BYTES = 4_000_000
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_DATE_1904 = re.compile(rb"""date1904\s*=\s*["'](?:1|true)["']""")


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of one sheet or text file, as they are.

    Attributes:
        sheet: name of the sheet; empty for a text file.
        rows: row 1 first; rows may differ in length; an empty cell is ``""``.
        survey: hidden rows and formulas without a result.
        dates_from_1904: the workbook counts days from 1904, so that bare
            serial numbers have another meaning.
    """

    sheet: str
    rows: list[list[Cell]]
    survey: Survey = field(default_factory=Survey)
    dates_from_1904: bool = False


def refuse_ole2(file: Path, content: bytes) -> None:
    """Tell an encrypted workbook from an old one; both start alike.

    Raises:
        EncryptedWorkbook, OldWorkbook: always one of them.
    """
    if _ENCRYPTED_STREAM in content:
        raise EncryptedWorkbook(file.name)
    raise OldWorkbook(file.name)


class Workbook:
    """An ``.xlsx`` file whose XML has been checked; sheets are read one at a time."""

    def __init__(self, file: Path) -> None:
        """Check the whole file.

        Raises:
            InputError: one of ``intake.errors``, when it is no plain workbook.
        """
        self._file = file.name
        parts = read_parts(file)
        by_lower_name = {name.lower(): part for name, part in parts.items()}
        self._surveys = self._survey(by_lower_name)
        self.dates_from_1904 = _DATE_1904.search(by_lower_name["xl/workbook.xml"]) is not None
        try:
            self._calamine = CalamineWorkbook.from_filelike(pack_parts(parts))
        except CalamineError as error:
            raise self._damaged(error) from error
        sheets = [one for one in self._calamine.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
        self.names = tuple(one.name for one in sheets)
        self.visible_names = tuple(one.name for one in sheets if one.visible == SheetVisibleEnum.Visible)

    def table(self, name: str) -> Table:
        """Read one sheet.

        Raises:
            UnknownSheet: there is none of this name.
            NotAWorkbook: its XML is damaged.
        """
        if name not in self.names or name not in self._surveys:
            raise UnknownSheet(self._file, name, self.names)
        try:
            rows = self._calamine.get_sheet_by_name(name).to_python(skip_empty_area=False)
        except (CalamineError, ValueError, OverflowError) as error:
            raise self._damaged(error) from error
        return Table(name, rows, self._surveys[name], self.dates_from_1904)

    def _survey(self, parts: Mapping[str, bytes]) -> dict[str, Survey]:
        strings = measure_strings(parts.get("xl/sharedstrings.xml", b""))
        surveys = {
            name: survey_sheet(self._file, part, strings) for name, part in parts.items() if b"sheetData" in part
        }
        return {sheet: surveys.get(name, Survey()) for sheet, name in sheet_parts(self._file, parts).items()}

    def _damaged(self, error: Exception) -> NotAWorkbook:
        return _damaged(self._file, error)


def read_values(content: bytes) -> dict[str, list[list[Cell]]]:
    """Read every sheet of a workbook of our own making.

    Raises:
        NotAWorkbook: it is not one.
    """
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(content))
        return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except (CalamineError, ValueError, OverflowError) as error:
        raise _damaged("", error) from error


def sheet_parts(file: str, parts: Mapping[str, bytes]) -> dict[str, str]:
    """Map each sheet's name to its part, by workbook.xml and its relations.

    Args:
        file: name, for errors.
        parts: by their names in lower case.

    Raises:
        UnsafeWorkbook: two sheets or two relations have one name.
        NotAWorkbook, FileTooLarge: the index is damaged or absurdly long.
    """
    targets: dict[str, str] = {}
    for relation in elements(file, parts.get("xl/_rels/workbook.xml.rels", b""), "Relationship"):
        key, target = relation.get("Id", ""), relation.get("Target", "").replace("\\", "/").lower()
        if key in targets:
            raise UnsafeWorkbook(file, f"two relations are called {key[:20]!r}", f"关系标识“{key[:20]}”重复")
        if target.startswith("/xl/"):
            target = target[1:]
        targets[key] = target if target.startswith("xl/") else f"xl/{target}"
    found: dict[str, str] = {}
    for sheet in elements(file, parts["xl/workbook.xml"], "sheet"):
        name = sheet.get("name", "")
        key = next((value for attribute, value in sheet.items() if attribute.rpartition(":")[2] == "id"), "")
        if name in found:
            raise UnsafeWorkbook(file, f"two sheets are called {name[:31]!r}", f"工作表名“{name[:31]}”重复")
        found[name] = targets.get(key, "")
    return found


def elements(file: str, part: bytes, wanted: str) -> list[dict[str, str]]:
    """Attributes of every element of this name, whatever its prefix.

    Raises:
        NotAWorkbook, FileTooLarge: the part is damaged or absurdly long.
    """
    if len(part) > _MAX_INDEX_BYTES:
        raise FileTooLarge(file, "its list of sheets is absurdly long", "工作表清单过长")
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == wanted:
            found.append(attributes)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    try:
        parser.Parse(part or b"<none/>", True)
    except expat.ExpatError as error:
        raise _damaged(file, error) from error
    return found


def _damaged(file: str, error: Exception) -> NotAWorkbook:
    return NotAWorkbook(file, f"its content is damaged ({error})", f"内容已损坏({error})")
