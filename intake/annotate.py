"""Give a clerk her own file back with every problem where it stands.

A workbook of up to 5,000 rows comes back as a copy of itself: bad cells coloured,
each with a comment, and a column 【校验结果】 with one sentence a row. A larger one,
a text file, and a workbook that cannot be copied faithfully come back as a list of
problems in a new workbook. Nothing active survives in either.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from credential.errors import InputError
from credential.model import Record
from credential.problem import Problem
from intake.annotated import AnnotatedCopy, CopyKind, Note
from intake.delimited import reread_delimited
from intake.error_list import write_error_list
from intake.errors import CannotCopy, FileExists, NotXlsxName, UnwritableFile
from intake.inert import make_inert
from intake.workbook import Table, Workbook, read_values

#: Rows up to which a copy is made; openpyxl needs about 50 times the size of the XML in memory.
MAX_COPIED_ROWS = 5_000


class Checked(Protocol):
    """What a check found: an ``IntakeResult``, or one with layout problems as well."""

    @property
    def sheet(self) -> str:
        """Name of the sheet; empty for a text file."""

    @property
    def header_row(self) -> int:
        """Number of the header row."""

    @property
    def row_count(self) -> int:
        """Data rows."""

    @property
    def delimiter(self) -> str:
        """Of a text file."""

    @property
    def records(self) -> Sequence[Record]:
        """Rows that may be issued."""

    @property
    def problems(self) -> Sequence[Problem]:
        """By row, of every kind."""


def annotate(source: Path, checked: Checked, *, to: Path) -> AnnotatedCopy:
    """Write the annotated copy of a file, or the list of its problems.

    Args:
        source: the file as it was checked; not trusted, and never written to.
        checked: what the check found in it.
        to: must end in ``.xlsx`` and not exist; made readable for this user only.

    Returns:
        Which of the two it is, and what a reader has to know.

    Raises:
        InputError: ``to`` cannot be written, or the source is no longer what was checked.
    """
    refuse_target(to)
    content, made = make_copy(source, checked)
    write_new(to, content)
    return made


def refuse_target(to: Path) -> None:
    """Refuse a name that could not be written to in the end, before the long work.

    Raises:
        NotXlsxName, FileExists: as they say.
    """
    if to.suffix.lower() != ".xlsx":
        raise NotXlsxName(to.name)
    if os.path.lexists(to):
        raise FileExists(to.name)


def make_copy(source: Path, checked: Checked) -> tuple[bytes, AnnotatedCopy]:
    """Make what :func:`annotate` writes.

    Raises:
        InputError: the source is no longer what was checked.
    """
    if not checked.sheet:
        table = reread_delimited(source.name, source.read_bytes(), checked.delimiter)
        return write_error_list(table, checked.problems, (_TEXT_FILE,))
    book = Workbook(source)
    table = book.table(checked.sheet)
    if checked.row_count > MAX_COPIED_ROWS:
        return write_error_list(table, checked.problems, (_too_many(checked.row_count),))
    try:
        return _copy(source, book, table, checked)
    except InputError as fault:
        return write_error_list(table, checked.problems, (Note(fault.zh, fault.en),))


def _copy(source: Path, book: Workbook, table: Table, checked: Checked) -> tuple[bytes, AnnotatedCopy]:
    # openpyxl is heavy, and every command imports this file.
    from intake.marked_copy import differing_sheet, mark  # noqa: PLC0415 - see above

    tables = {name: table if name == table.sheet else book.table(name) for name in book.names}
    inert = make_inert(source, tables, judged=table.sheet)
    accepted = frozenset(record.row for record in checked.records)
    content, column, notes = mark(inert, table, checked.problems, accepted, header_row=checked.header_row)
    # Nobody is to correct from a copy that says something else than the file: another library reads it back.
    after = read_values(content)
    kept = {name: tables[name] for name in inert.sheets}
    differing = differing_sheet(kept, after, (table.sheet, checked.header_row, column))
    if differing:
        raise CannotCopy(
            f"values of the sheet {differing[:31]!r} would not stay the same",
            f"工作表“{differing[:31]}”的内容无法原样保留",
        )
    return content, AnnotatedCopy(CopyKind.COPY, (*inert.notes, *notes))


def _too_many(rows: int) -> Note:
    return Note(
        f"{rows:,} 行超过 {MAX_COPIED_ROWS:,} 行, 故以问题清单代替标注副本",
        f"{rows:,} rows are more than {MAX_COPIED_ROWS:,}, so this is a list of the problems instead of a marked copy",
    )


def write_new(to: Path, content: bytes) -> None:
    """Write a file that is not there yet, readable for this user only.

    Raises:
        FileExists, UnwritableFile: as they say.
    """
    try:
        opened = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as fault:
        raise FileExists(to.name) from fault
    except (OSError, ValueError) as fault:
        raise UnwritableFile(to.name, getattr(fault, "strerror", None) or str(fault)) from fault
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(content)
    except OSError as fault:
        to.unlink(missing_ok=True)
        raise UnwritableFile(to.name, fault.strerror or str(fault)) from fault


_TEXT_FILE = Note(
    "文本文件没有格式和批注, 故以问题清单代替标注副本",
    "a text file has no colours and comments, so this is a list of its problems",
)
