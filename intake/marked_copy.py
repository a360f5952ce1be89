"""Mark an inert workbook by openpyxl: colours, comments, and the column 【校验结果】."""

import threading
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO

from openpyxl import Workbook, load_workbook  # type: ignore[import-untyped] # it has no types
from openpyxl.cell import Cell  # type: ignore[import-untyped] # it has no types
from openpyxl.comments import Comment  # type: ignore[import-untyped] # it has no types
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side  # type: ignore[import-untyped] # it has no types
from openpyxl.utils import get_column_letter  # type: ignore[import-untyped] # it has no types
from openpyxl.worksheet.worksheet import Worksheet  # type: ignore[import-untyped] # it has no types

from credential.problem import Problem, RowOutcome
from intake.annotated import Note
from intake.cell_text import is_formula_like, safe_text
from intake.errors import CannotCopy
from intake.headings import RESULT_HEADING
from intake.inert import InertBook
from intake.inert_sheet import InertSheet
from intake.inert_xml import OUR_AUTHOR
from intake.sentences import NOT_ROWS, Remark, Sentence, cell_remark, row_sentence
from intake.survey import MAX_COLUMNS, column_index
from intake.workbook import Table

#: Spreadsheet programs become slow beyond; the row's sentence says everything anyway.
MAX_COMMENTS = 3_000

_COLOURS = {RowOutcome.ERROR: "FFC7CE", RowOutcome.WARNING: "FFEB9C", RowOutcome.SKIPPED: "DDEBF7", None: "C6EFCE"}
_RESULT_WIDTH = 60
_FILE_NOTES = 10
# openpyxl raises these on parts that it does not understand; none of them comes from our own lines below.
_FAULTS = (
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    SyntaxError,
    ArithmeticError,
    AssertionError,
    OSError,
    RecursionError,
    zipfile.BadZipFile,
)
# Two copies at once would take twice the memory, and the filter of warnings belongs to the whole process.
_ONE_AT_A_TIME = threading.Lock()
_THIN = Side(style="thin", color="999999")


def mark(
    book: InertBook, table: Table, problems: Sequence[Problem], accepted: frozenset[int], *, header_row: int
) -> tuple[bytes, int, tuple[Note, ...]]:
    """Write the marked workbook.

    Args:
        book: what may stay of the clerk's own.
        table: the sheet that was checked.
        problems: of that sheet.
        accepted: rows that may be issued.
        header_row: its number.

    Returns:
        The workbook, the number of the column 【校验结果】 from 1, and what was cut short.

    Raises:
        CannotCopy: openpyxl cannot read or write it.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            opened = load_workbook(book.content, keep_links=False)
            _restore(opened, book)
        except _FAULTS as error:
            raise _not_understood(error) from error
        page = opened[table.sheet]
        column = _result_column(page, table, header_row)
        _erase_marks(page, book.sheets[table.sheet], column, header_row)
        count = _mark_cells(page, problems)
        _write_sentences(page, problems, accepted, column=column, header_row=header_row)
        _show(opened, page)
        written = BytesIO()
        try:
            opened.save(written)
        except _FAULTS as error:
            raise _not_understood(error) from error
    notes: tuple[Note, ...] = ()
    if count > MAX_COMMENTS:
        left = count - MAX_COMMENTS
        notes = (
            Note(
                f"批注只写到前 {MAX_COMMENTS} 格, 另有 {left} 格只标颜色, 原因见【校验结果】列",
                f"only {MAX_COMMENTS} cells have comments; {left} more are coloured, the last column says why",
            ),
        )
    return written.getvalue(), column, notes


def _not_understood(error: Exception) -> CannotCopy:
    # What openpyxl says may quote a cell, and would go to the clerk; its kind is enough for whoever looks into it.
    kind = type(error).__name__
    return CannotCopy(f"its formats cannot be read ({kind})", f"格式信息无法识别: {kind}")


def _restore(opened: Workbook, book: InertBook) -> None:
    """Put back what openpyxl would change: digits beyond the 16th, dates, comments; and keep text as text."""
    if tuple(opened.sheetnames) != tuple(book.sheets):
        raise CannotCopy("its sheets are not told apart", "工作表名称无法区分")
    for name, sheet in book.sheets.items():
        page = opened[name]
        for (row, at), text in sheet.numbers.items():
            cell = page.cell(row, at + 1)
            cell._value, cell.data_type = text, "n"  # noqa: SLF001 - the setter would round it or read a date
        for cell in _cells(page):
            if cell.data_type == "s" and is_formula_like(str(cell.value)):
                cell.quotePrefix = True
        for old in sheet.comments:
            target = _anchor(page, old.row, old.column)
            target.comment = Comment(old.text, old.author)


def _cells(page: Worksheet) -> Iterator[Cell]:
    for row in page.iter_rows():
        for cell in row:
            if isinstance(cell, Cell):
                yield cell


def _anchor(page: Worksheet, row: int, column: int) -> Cell:
    """The cell, or the first one of the merged area that it is part of."""
    cell = page.cell(row, column + 1)
    if isinstance(cell, Cell):
        return cell
    area = next(one for one in page.merged_cells.ranges if cell.coordinate in one)
    return page.cell(area.min_row, area.min_col)


def _result_column(page: Worksheet, table: Table, header_row: int) -> int:
    """Where the column is from an earlier round, else the first one that is free beside the values."""
    headings = table.rows[header_row - 1] if header_row <= len(table.rows) else []
    for at, cell in enumerate(headings, 1):
        if isinstance(cell, str) and "".join(cell.split()) == RESULT_HEADING:
            return at
    column = max(map(len, table.rows), default=0) + 1
    merged = [area for area in page.merged_cells.ranges if area.max_row >= header_row]
    while any(area.min_col <= column <= area.max_col for area in merged):
        column += 1
    if column > MAX_COLUMNS:
        raise CannotCopy(f"it uses all {MAX_COLUMNS} columns", f"已用满 {MAX_COLUMNS} 列")
    return column


def _erase_marks(page: Worksheet, sheet: InertSheet, column: int, header_row: int) -> None:
    """Take off what an earlier round of ours has left; the colour from before it is not known."""
    for row, at in sheet.own_marks:
        _anchor(page, row, at).fill = PatternFill()
    for row in range(header_row, page.max_row + 1):
        cell = page.cell(row, column)
        if isinstance(cell, Cell):
            cell.value = None
            cell.fill = PatternFill()


def _mark_cells(page: Worksheet, problems: Sequence[Problem]) -> int:
    """Colour each bad cell and comment on it; returns how many there are."""
    by_cell: dict[tuple[int, int], list[Problem]] = defaultdict(list)
    for one in problems:
        if one.row and one.column:
            by_cell[one.row, column_index(one.column)].append(one)
    # The worst first, so that the limit leaves out warnings.
    ordered = sorted(by_cell.items(), key=lambda item: (all(one.outcome != "error" for one in item[1]), item[0]))
    for number, ((row, at), found) in enumerate(ordered):
        cell = _anchor(page, row, at)
        is_elsewhere = (cell.row, cell.column) != (row, at + 1)
        remark = cell_remark(found, where=f"{get_column_letter(at + 1)}{row} " if is_elsewhere else "")
        cell.fill = PatternFill("solid", fgColor=_COLOURS[remark.worst])
        if number < MAX_COMMENTS:
            _comment(cell, remark)
    return len(ordered)


def _comment(cell: Cell, remark: Remark) -> None:
    before = f"{cell.comment.text}\n\n" if cell.comment is not None else ""
    text = before + remark.text
    lines = sum(1 + len(line.encode("gb18030")) // 44 for line in text.split("\n"))
    cell.comment = Comment(text, OUR_AUTHOR, height=min(40 + 18 * lines, 600), width=340)


def _write_sentences(
    page: Worksheet, problems: Sequence[Problem], accepted: frozenset[int], *, column: int, header_row: int
) -> None:
    by_row: dict[int, list[Problem]] = defaultdict(list)
    for one in problems:
        if one.row > header_row and one.code not in NOT_ROWS:
            by_row[one.row].append(one)
    for row in sorted(accepted | by_row.keys()):
        sentence = row_sentence(by_row.get(row, ()))
        cell = _anchor(page, row, column - 1)
        cell.value = safe_text(sentence.text)
        _dress(cell, sentence)
    heading = page.cell(header_row, column)
    heading.value = RESULT_HEADING
    heading.font = Font(bold=True)
    heading.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
    heading.border = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
    whole = [one for one in problems if one.row == 0][:_FILE_NOTES]
    refused = len(by_row.keys() - accepted)
    lines = [
        f"{len(accepted)} 行可以出证, {refused} 行不能出证。红: 错误; 黄: 提示; 蓝: 跳过; 绿: 可以出证。",
        f"{len(accepted)} rows may be issued, {refused} give no certificate.",
        "red: error; yellow: warning; blue: skipped; green: may be issued",
        *(f"{one.zh}\n{one.en}" for one in whole),
    ]
    _comment(heading, Remark(RowOutcome.WARNING, "\n".join(lines)))
    letter = get_column_letter(column)
    # Two ranges of columns that overlap make a file that Excel has to repair.
    if not any(one.min <= column <= one.max for key, one in page.column_dimensions.items() if key != letter):
        page.column_dimensions[letter].width = _RESULT_WIDTH


def _dress(cell: Cell, sentence: Sentence) -> None:
    cell.number_format = "@"
    cell.fill = PatternFill("solid", fgColor=_COLOURS[sentence.worst])
    cell.alignment = Alignment(vertical="top", wrap_text=True)
    cell.border = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)


def _show(opened: Workbook, page: Worksheet) -> None:
    """Open at the sheet that was checked, and at it alone: several selected sheets would be edited together."""
    opened.active = opened.index(page)
    for one in opened.worksheets:
        one.sheet_view.tabSelected = one is page
    opened.properties.creator = OUR_AUTHOR


def differing_sheet(
    before: Mapping[str, Table], after: Mapping[str, Sequence[Sequence[object]]], skip: tuple[str, int, int]
) -> str:
    """Name the first sheet whose values are not what they were; empty when all are.

    Args:
        before: as intake reads the source.
        after: as another reader reads the copy.
        skip: sheet, row from which, and column from 1, in which values were added.
    """
    for name, table in before.items():
        sheet, first_row, column = skip
        added = (first_row, column) if name == sheet else (0, 0)
        if _values(table.rows, added) != _values(after.get(name, []), added):
            return name
    return ""


def _values(rows: Sequence[Sequence[object]], added: tuple[int, int]) -> dict[tuple[int, int], tuple[type, object]]:
    first_row, column = added
    return {
        (row, at): (type(cell), cell)
        for row, cells in enumerate(rows, 1)
        for at, cell in enumerate(cells, 1)
        if cell != "" and not (at == column and row >= first_row)
    }
