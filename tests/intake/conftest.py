"""A schema, and writers of workbooks, text files and zips."""

import csv
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped] # it has no types

from credential.schema import PhotoNeed, RecordSchema
from tests.intake.samples import Row, full_schema


@pytest.fixture(scope="session")
def schema() -> RecordSchema:
    """Professional titles, without photos."""
    return replace(full_schema(), photo=PhotoNeed.NONE)


@pytest.fixture(scope="session")
def photo_schema() -> RecordSchema:
    """Professional titles whose every row needs a photo."""
    return replace(full_schema(), photo=PhotoNeed.REQUIRED)


@pytest.fixture
def make_csv(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as text; the columns are those of the first row."""

    def make(rows: Sequence[Row], *, encoding: str = "utf-8", delimiter: str = ",", name: str = "rows.csv") -> Path:
        text = StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        path = tmp_path / name
        path.write_bytes(text.getvalue().encode(encoding))
        return path

    return make


@pytest.fixture
def make_xlsx(tmp_path: Path) -> Callable[..., Path]:
    """Write sheets of raw cells, by name of the sheet."""

    def make(sheets: Mapping[str, Sequence[Sequence[Any]]], *, name: str = "rows.xlsx", **options: Any) -> Path:
        path = tmp_path / name
        with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd", **options}) as book:
            book.set_properties({"created": datetime(2026, 1, 1, tzinfo=UTC)})  # the bytes must not depend on the clock
            for sheet, rows in sheets.items():
                page = book.add_worksheet(sheet)
                for number, row in enumerate(rows):
                    for column, cell in enumerate(row):
                        page.write_string(number, column, cell) if isinstance(cell, str) else page.write(
                            number, column, cell
                        )
        return path

    return make


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    """Write files into a zip."""

    def make(files: Mapping[str, bytes], *, name: str = "photos.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in files.items():
                archive.writestr(entry, content)
        return path

    return make
