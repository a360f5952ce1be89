"""Copy one sheet: values as they are stored, looks, no formula and nothing that reaches beyond reason."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from intake.errors import CannotCopy
from intake.inert_xml import OldComment, Rewriter
from intake.survey import MAX_ROWS, column_index, split_position
from intake.workbook import Table

# 5,000 rows of 60 columns; openpyxl takes about 500 bytes a cell.
MAX_COPIED_CELLS = 300_000
# Each cell takes its own copy of a shared text when it is written.
MAX_COPIED_CHARACTERS = 32_000_000
MAX_MERGED_CELLS = 200_000
# Empty cells and rows with a border are kept this far beyond the last value.
_MARGIN_ROWS, _MARGIN_COLUMNS = 50, 10
_LAST_COLUMN = 16_384

_KEPT = frozenset({
    "sheetPr", "sheetViews", "sheetFormatPr", "cols", "sheetData", "sheetProtection", "autoFilter", "mergeCells",
    "printOptions", "pageMargins", "pageSetup", "headerFooter",
})  # fmt: skip
_LEFT: Mapping[str, tuple[str, str]] = {
    "f": ("公式(保留其结果)", "formulas (their results stay)"),
    "hyperlinks": ("超链接(保留文字)", "hyperlinks (their texts stay)"),
    "dataValidations": ("数据验证(下拉列表)", "data validations (drop-down lists)"),
    "conditionalFormatting": ("条件格式", "conditional formats"),
    "oleObjects": ("嵌入对象", "embedded objects"),
    "controls": ("控件", "controls"),
    "drawing": ("图片和图表", "pictures and charts"),
    "tableParts": ("表格样式", "table objects"),
}
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?([1-9]\d{0,6}):\$?([A-Z]{1,3})\$?([1-9]\d{0,6})")


@dataclass(slots=True)
class InertSheet:
    """One sheet of an inert workbook.

    Attributes:
        xml: for openpyxl.
        numbers: each number as it was written in the file, by row from 1 and column from 0.
        left: what was left out, in Chinese and English.
        comments: those that stood in the file, without ours.
        own_marks: cells that bear a comment of ours from an earlier round.
    """

    xml: bytes
    numbers: Mapping[tuple[int, int], str]
    left: Mapping[str, str]
    comments: list[OldComment] = field(default_factory=list)
    own_marks: set[tuple[int, int]] = field(default_factory=set)


def copy_sheet(part: bytes, table: Table, strings: Sequence[str]) -> InertSheet:
    """Copy a sheet.

    Args:
        part: its XML, without DTD; not trusted.
        table: the same sheet as intake reads it.
        strings: the shared strings, for their size.

    Raises:
        CannotCopy: too many cells, or constructions that no spreadsheet program writes.
    """
    rules = _SheetRules(table, strings)
    rules.rewriter = Rewriter(rules.keep, on_end=rules.end)
    xml = rules.rewriter.run(part)
    return InertSheet(xml, rules.numbers, rules.left)


class _SheetRules:
    """What may stay of a sheet; walks along with the rewriter."""

    rewriter: Rewriter

    def __init__(self, table: Table, strings: Sequence[str]) -> None:
        self.numbers: dict[tuple[int, int], str] = {}
        self.left: dict[str, str] = {}
        self._strings = strings
        self._rows = len(table.rows)
        self._width = max(map(len, table.rows), default=0)
        self._row, self._column = 0, -1
        self._filled: set[tuple[int, int]] = set()
        self._kind, self._value, self._has_text = "", "", False
        self._start = 0
        self._cells = self._characters = self._merged = 0

    def keep(self, path: list[str], attributes: dict[str, str]) -> dict[str, str] | None:
        name = path[-1]
        if len(path) == 1 and name != "worksheet":
            raise CannotCopy(f"a sheet is a {name[:20]!r}", f"工作表类型为“{name[:20]}”")
        if name in _LEFT and (len(path) == 2 or name == "f"):
            zh, en = _LEFT[name]
            self.left[zh] = en
            return None
        if len(path) == 2 and name not in _KEPT:
            return None
        rule = {
            "row": self._keep_row,
            "c": self._keep_cell,
            "col": self._keep_column,
            "sheetView": _keep_view,
            "mergeCell": self._keep_merge,
            "autoFilter": _keep_filter,
        }.get(name)
        return attributes if rule is None else rule(attributes)

    def end(self, name: str, text: str) -> None:
        if name == "v":
            self._value = text
        elif name == "t":
            self._has_text = True
            self._count(len(text))
        elif name == "c":
            self._end_cell()

    def _keep_row(self, attributes: dict[str, str]) -> dict[str, str] | None:
        written = attributes.get("r", str(self._row + 1))
        if not (written.isascii() and written.isdecimal() and len(written) < 8 and int(written) > 0):
            raise CannotCopy(f"a row has the number {written[:20]!r}", f"行号“{written[:20]}”不合法")
        self._row, self._column = int(written), -1
        if self._row > max(MAX_ROWS, self._rows) or self._row > self._rows + _MARGIN_ROWS:
            return None
        attributes.pop("spans", None)
        return {**attributes, "r": written}

    def _keep_cell(self, attributes: dict[str, str]) -> dict[str, str]:
        position = split_position(attributes.get("r", ""))
        if "r" in attributes and position is None:
            raise CannotCopy("a cell has no sound position", "单元格位置不合法")
        if position is not None and position[1] != self._row:
            raise CannotCopy(f"a cell stands outside its row {self._row}", f"第 {self._row} 行的单元格位置不符")
        self._column = self._column + 1 if position is None else column_index(position[0])
        self._kind, self._value, self._has_text = attributes.get("t", "n"), "", False
        self._start = len(self.rewriter.out)
        self._cells += 1
        if self._cells > MAX_COPIED_CELLS:
            raise CannotCopy(
                f"a sheet has more than {MAX_COPIED_CELLS:,} cells", f"工作表超过 {MAX_COPIED_CELLS:,} 个单元格"
            )
        return attributes

    def _end_cell(self) -> None:
        place = (self._row, self._column)
        if self._value or self._has_text:
            self._filled.add(place)
        elif self._column > self._width + _MARGIN_COLUMNS:
            del self.rewriter.out[self._start :]
            return
        if self._kind == "n" and self._value:
            self.numbers[place] = self._value.strip()
        elif self._kind == "s" and self._value.isascii() and self._value.isdecimal():
            index = int(self._value[:9])
            self._count(len(self._strings[index]) if index < len(self._strings) else 0)

    def _count(self, characters: int) -> None:
        self._characters += characters
        if self._characters > MAX_COPIED_CHARACTERS:
            raise CannotCopy(
                f"its texts have more than {MAX_COPIED_CHARACTERS:,} characters",
                f"文字总量超过 {MAX_COPIED_CHARACTERS:,} 个字符",
            )

    def _keep_column(self, attributes: dict[str, str]) -> dict[str, str] | None:
        """Columns beside the values give way to the one that is added."""
        first, last = (attributes.get(key, "") for key in ("min", "max"))
        if not all(one.isascii() and one.isdecimal() and len(one) < 6 for one in (first, last)):
            return None
        end = min(int(last), max(self._width, 1), _LAST_COLUMN)
        return {**attributes, "max": str(end)} if 0 < int(first) <= end else None

    def _keep_merge(self, attributes: dict[str, str]) -> dict[str, str] | None:
        match = _RANGE.fullmatch(attributes.get("ref", "").upper())
        if match is None:
            return None
        left, top, right, bottom = column_index(match[1]), int(match[2]), column_index(match[3]), int(match[4])
        area = (right - left + 1) * (bottom - top + 1)
        self._merged += max(area, 0)
        if right < left or bottom < top or self._merged > MAX_MERGED_CELLS:
            return None
        # openpyxl would delete what stands under a merged area.
        under = ((row, column) for row in range(top, bottom + 1) for column in range(left, right + 1))
        if any(place in self._filled and place != (top, left) for place in under):
            return None
        return {"ref": f"{match[1]}{top}:{match[3]}{bottom}"}


def _keep_view(attributes: dict[str, str]) -> dict[str, str]:
    attributes.pop("tabSelected", None)
    return {**attributes, "workbookViewId": "0"}


def _keep_filter(attributes: dict[str, str]) -> dict[str, str] | None:
    return attributes if _RANGE.fullmatch(attributes.get("ref", "").upper()) else None
