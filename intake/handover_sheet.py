"""Write the sheet that claim codes are handed out with: a workbook, or CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xlsxwriter  # type: ignore[import-untyped] # it has no types

from intake.cell_text import safe_text

SHEET = "领取单"
_NOTE_ZH = (
    "领取码仅此一次列出,系统只保存其摘要;遗失后只能重新生成,旧码随即作废。"
    "请当面或经核实的联系方式逐一交给本人,用后妥善销毁本表。"
)
_NOTE_EN = (
    "These claim codes are shown once; only digests are kept. A lost one is replaced by a new one, which ends the old. "
    "Hand each to its holder in person or by a verified address, then destroy this sheet."
)
NOTES = (_NOTE_ZH, _NOTE_EN)
_COLUMNS = (
    ("行号 row", 8),
    ("证书编号 serial", 26),
    ("姓名 name", 14),
    ("领取码 claim code", 20),
    ("有效期至 valid until", 20),
    ("领取网址 where", 40),
)
_BOM = "\ufeff"  # else spreadsheet programs read CSV in the system's old encoding


@dataclass(frozen=True, slots=True)
class HandoverLine:
    """What one holder is handed.

    Attributes:
        row: of the bureau's own sheet.
        name: masked.
        code: grouped, as it is typed.
        until: last day, Beijing time.
        page: address of the page where the code is typed in.
    """

    row: int
    serial: str
    name: str
    code: str
    until: str
    page: str


def write_handover_workbook(lines: Sequence[HandoverLine]) -> bytes:
    """Write the sheet as ``.xlsx``; every text is text, also a serial of twenty digits."""
    written = io.BytesIO()
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(written, options) as book:
        _write_lines(book, lines)
    return written.getvalue()


def write_handover_csv(lines: Sequence[HandoverLine]) -> bytes:
    """Write the sheet as CSV: UTF-8 with a mark of order, every field quoted."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerows([[note] for note in NOTES])
    writer.writerow([heading for heading, _ in _COLUMNS])
    writer.writerows([str(line.row), *_texts(line)] for line in lines)
    return (_BOM + written.getvalue()).encode("utf-8")


def _write_lines(book: Any, lines: Sequence[HandoverLine]) -> None:
    page = book.add_worksheet(SHEET)
    note = book.add_format({"text_wrap": True, "valign": "top"})
    bold = book.add_format({"bold": True, "bottom": 1})
    plain = book.add_format({"num_format": "@"})
    code = book.add_format({"num_format": "@", "font_name": "Consolas"})
    for column, (_, width) in enumerate(_COLUMNS):
        page.set_column(column, column, width)
    for row, text in enumerate(NOTES):
        page.set_row(row, 48)
        page.merge_range(row, 0, row, len(_COLUMNS) - 1, text, note)
    for column, (heading, _) in enumerate(_COLUMNS):
        page.write_string(len(NOTES), column, heading, bold)
    for row, line in enumerate(lines, len(NOTES) + 1):
        page.write_number(row, 0, line.row)
        for column, text in enumerate(_texts(line), 1):
            page.write_string(row, column, text, code if column == 3 else plain)


def _texts(line: HandoverLine) -> list[str]:
    return [safe_text(text) for text in (line.serial, line.name, line.code, line.until, line.page)]
