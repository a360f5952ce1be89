"""Write problems as a workbook of their own, one line a problem, in constant memory."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import xlsxwriter  # type: ignore[import-untyped] # it has no types

from credential.problem import Problem, RowOutcome
from intake.annotated import AnnotatedCopy, CopyKind, Note
from intake.cell_text import safe_text
from intake.survey import column_index
from intake.workbook import Cell, Table

#: A sheet has 1,048,576 rows; beyond half of it no program opens it with ease, and nobody reads it.
MAX_LISTED = 500_000
LIST_SHEET = "问题清单"
NOTE_SHEET = "说明"

_SHOWN_CHARACTERS = 200
_ILLEGAL = {0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}  # no XML may hold them; XlsxWriter sees to the control characters
_OUTCOMES = {RowOutcome.ERROR: "错误 error", RowOutcome.WARNING: "提示 warning", RowOutcome.SKIPPED: "跳过 skipped"}
_COLOURS = {RowOutcome.ERROR: "#FFC7CE", RowOutcome.WARNING: "#FFEB9C", RowOutcome.SKIPPED: "#DDEBF7"}
_COLUMNS = (
    ("行 row", 8),
    ("列 column", 8),
    ("栏目 heading", 18),
    ("表中内容 value", 28),
    ("结论 outcome", 14),
    ("问题与处理办法", 70),
    ("what is wrong, and the cure", 70),
    ("代码 code", 24),
)


def write_error_list(table: Table, problems: Sequence[Problem], notes: tuple[Note, ...]) -> tuple[bytes, AnnotatedCopy]:
    """Write a list of problems.

    Args:
        table: the cells as they were read, for the values shown.
        problems: in the order in which they are to stand.
        notes: said on a second sheet.

    Returns:
        An ``.xlsx`` workbook whose every text is text, and what it is.
    """
    if len(problems) > MAX_LISTED:
        left = len(problems) - MAX_LISTED
        notes = (*notes, Note(f"另有 {left} 项未列出", f"{left} more problems are not listed"))
    written = BytesIO()
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(written, options) as book:
        _write_problems(book, table, problems[:MAX_LISTED])
        page = book.add_worksheet(NOTE_SHEET)
        page.set_column(0, 1, 90)
        for row, note in enumerate(notes):
            page.write_string(row, 0, note.zh)
            page.write_string(row, 1, note.en)
    return written.getvalue(), AnnotatedCopy(CopyKind.LIST, notes)


def _write_problems(book: Any, table: Table, problems: Sequence[Problem]) -> None:
    page = book.add_worksheet(LIST_SHEET)
    page.freeze_panes(1, 0)
    page.autofilter(0, 0, max(len(problems), 1), len(_COLUMNS) - 1)
    for column, (_, width) in enumerate(_COLUMNS):
        page.set_column(column, column, width)
    bold = book.add_format({"bold": True, "bottom": 1})
    plain = book.add_format({"text_wrap": True, "valign": "top", "quote_prefix": True})
    colours = {outcome: book.add_format({"bg_color": colour, "valign": "top"}) for outcome, colour in _COLOURS.items()}
    for column, (heading, _) in enumerate(_COLUMNS):
        page.write_string(0, column, heading, bold)
    for row, one in enumerate(problems, 1):
        texts = (one.column, one.field, shown_value(table, one), _OUTCOMES[one.outcome], one.zh, one.en, one.code)
        if one.row:
            page.write_number(row, 0, one.row, plain)
        else:
            page.write_string(row, 0, "全表 file", plain)
        for column, text in enumerate(texts, 1):
            cell_format = colours[one.outcome] if column == 4 else plain
            page.write_string(row, column, safe_text(text.translate(_ILLEGAL)), cell_format)


def shown_value(table: Table, problem: Problem) -> str:
    """What stands in the cell that a problem is about; empty where it is about no cell."""
    if not problem.row or not problem.column or problem.row > len(table.rows):
        return ""
    row, column = table.rows[problem.row - 1], column_index(problem.column)
    text = _as_text(row[column]) if column < len(row) else ""
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _as_text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)
