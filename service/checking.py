"""Check a spreadsheet: read its rows, lay every one out dry, list what is wrong."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from credential.model import Record
from credential.problem import Problem, RowOutcome
from intake.records import IntakeResult
from issuer.office import BEIJING
from press.fonts import FontLibrary
from press.issuer_look import IssuerLook
from press.press import Press
from press.template import Template
from press.template_file import load_template
from service.folder import DataFolder
from service.reading import HERE, Reader
from service.settings import Settings
from service.templates import template_folder
from templates import fonts_folder


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a file gave, its layout included.

    Attributes:
        file: name of the file.
        sheet: name of the sheet; empty for a text file.
        shape: which form of sheet it is, as ``exchange``.
        row_count: data rows.
        records: those that may be issued.
        problems: by row.
        header_row: number of the header row in the sheet.
        delimiter: of a text file; empty for a workbook.
        headings: by field key: letter of the column and heading as printed.
    """

    file: str
    sheet: str
    shape: str
    row_count: int
    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    header_row: int = 0
    delimiter: str = ""
    headings: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def font_library(settings: Settings) -> FontLibrary:
    """The pinned faces, unpacked into the data folder's cache when first used."""
    return FontLibrary(fonts_folder(), cache_folder(settings) / "fonts")


def cache_folder(settings: Settings) -> Path:
    """Where things are kept that can be made again at any time."""
    folder = settings.data / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def today() -> date:
    """Today in Beijing time, by which bureaus date."""
    return datetime.now(UTC).astimezone(BEIJING).date()


def check_file(settings: Settings, file: Path, *, photos: Path | None, template: str) -> CheckReport:
    """Check a file for no issuer in particular, with a placeholder's name on the page.

    Raises:
        InputError: the file or the archive as a whole is refused.
    """
    loaded = load_template(template_folder(DataFolder(settings.data).templates, template))
    look = IssuerLook("示例市人力资源和社会保障局", "https://zs.example.gov.cn", "", "示例", "", is_sample=True)
    press = Press(loaded, look, font_library(settings), None, ())
    return check_rows(file, loaded, press, photos=photos)


def check_rows(
    file: Path, template: Template, press: Press, *, photos: Path | None, reader: Reader = HERE
) -> CheckReport:
    """Check a file as the given press would print it.

    Raises:
        InputError: the file or the archive as a whole is refused.
    """
    result = reader.read(file, template.schema, photos=photos, today=today())
    layout = [problem for record in result.records for problem in _layout_problems(press, record, result)]
    refused = {problem.row for problem in layout}
    return CheckReport(
        file=file.name,
        sheet=result.sheet,
        shape=result.shape,
        row_count=result.row_count,
        records=tuple(record for record in result.records if record.row not in refused),
        problems=tuple(sorted((*result.problems, *layout), key=lambda one: (one.row == 0, one.row))),
        header_row=result.header_row,
        delimiter=result.delimiter,
        headings=result.headings,
    )


def _layout_problems(press: Press, record: Record, result: IntakeResult) -> Sequence[Problem]:
    found = []
    for problem in press.check(record):
        column, heading = result.headings.get(problem.key, ("", ""))
        found.append(
            Problem(result.sheet, record.row, column, heading, RowOutcome.ERROR, problem.code, problem.zh, problem.en)
        )
    return found


def core_count() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))
