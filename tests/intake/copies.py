"""Annotated copies made on the spot, and the values of a workbook as another library reads them."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openpyxl import load_workbook  # type: ignore[import-untyped] # it has no types
from python_calamine import CalamineWorkbook

from credential.schema import RecordSchema
from intake import IntakeResult, error_list, read_records
from intake.annotate import annotate
from intake.annotated import AnnotatedCopy
from tests.intake.samples import TODAY

Make = Callable[..., Path]
RED, YELLOW, GREEN = "00FFC7CE", "00FFEB9C", "00C6EFCE"


def judge(
    file: Path, schema: RecordSchema, *, name: str = "copy.xlsx", **more: Any
) -> tuple[IntakeResult, Path, AnnotatedCopy]:
    """Check a file and write its annotated copy beside it."""
    result = read_records(file, schema, photos=None, today=TODAY, **more)
    to = file.with_name(name)
    return result, to, annotate(file, result, to=to)


def values(file: Path, *, without: str = "") -> dict[str, dict[tuple[int, int], tuple[type, object]]]:
    """Every cell with a value, by sheet, as calamine reads it; without the column of this heading."""
    book = CalamineWorkbook.from_path(file)
    found: dict[str, dict[tuple[int, int], tuple[type, object]]] = {}
    for name in book.sheet_names:
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        added = {at for row in rows for at, cell in enumerate(row) if without and cell == without}
        found[name] = {
            (number, at): (type(cell), cell)
            for number, row in enumerate(rows, 1)
            for at, cell in enumerate(row)
            if cell != "" and at not in added
        }
    return found


def text_of_parts(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        return "\n".join(f"{name}\n{archive.read(name).decode()}" for name in archive.namelist())


def broken(file: Path, place: str, value: str) -> Path:
    """The workbook with another text in one cell, written by openpyxl."""
    book = load_workbook(file)
    book["表"][place].value = value
    book.save(file)
    return file


def listed(to: Path) -> list[tuple[Any, ...]]:
    """Lines of a list of problems."""
    return list(load_workbook(to)[error_list.LIST_SHEET].iter_rows(min_row=2, values_only=True))
