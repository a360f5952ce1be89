"""Check the data rows of a table, column by column, into values and findings.

Columns, not rows, are the unit of work: most values of a column repeat, so each
different cell is read once, and a batch of 50,000 rows costs little more than
reading the file.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

from credential.model import DocumentType
from credential.schema import Field, FieldKind, RecordSchema, Shape
from intake.findings import Finding, Reading, error, warning
from intake.headings import Header
from intake.lines import Lines
from intake.persons import (
    IdReading,
    IdReadings,
    read_document_type,
    read_name,
    read_other_number,
    read_sex,
    sex_contradiction,
)
from intake.titles import Titles
from intake.values import Readings, read_word, reader_of
from intake.workbook import Cell, Table

_NO_ID = IdReading("", "")


@dataclass(slots=True)
class CheckedRows:
    """The data rows after reading: one value a field and row, and the findings.

    Attributes:
        numbers: row numbers in the sheet, from 1; everything below runs parallel.
        values: by field key; canonical text, empty where there is none.
        sexes: as written, or by the ID number, or empty.
        titles: the table, or None where the kind has none.
        findings: by position of the row: (field key or empty for the whole row, finding).
    """

    numbers: list[int]
    values: dict[str, list[str]]
    sexes: list[str]
    titles: Titles | None
    findings: dict[int, list[tuple[str, Finding]]] = field(default_factory=dict)

    def add(self, position: int, key: str, *findings: Finding) -> None:
        """Note findings about one row."""
        self.findings.setdefault(position, []).extend((key, finding) for finding in findings)


def check_rows(  # noqa: PLR0913 - the parts of one table, each made by another module
    table: Table, lines: Lines, header: Header, shape: Shape, schema: RecordSchema, *, today: dt.date
) -> CheckedRows:
    """Read every cell of the data rows and check what one row alone can tell.

    Args:
        table: for hidden rows and formulas.
        lines: the data rows of it.
        header: which column is which field.
        shape: what it demands and its defaults.
        schema: the fields.
        today: birth dates and dates after it are refused or questioned.
    """
    return _RowCheck(table, lines, header, shape, schema, today).run()


def key_of(schema: RecordSchema, kind: FieldKind) -> str:
    """Key of the first field of a kind, or an empty text."""
    return next((one.key for one in schema.fields if one.kind is kind), "")


class _RowCheck:
    def __init__(  # noqa: PLR0913, PLR0917 - one argument a part of the story, only check_rows() calls it
        self, table: Table, lines: Lines, header: Header, shape: Shape, schema: RecordSchema, today: dt.date
    ) -> None:
        self._table = table
        self._header = header
        self._shape = shape
        self._schema = schema
        self._today = today
        self._titles = None if schema.titles is None else Titles(schema.titles)
        self._columns: Sequence[Sequence[Cell]] = list(zip(*lines.rows, strict=True))
        self._count = len(lines.rows)
        self._rows = CheckedRows(list(lines.numbers), {}, [""] * self._count, self._titles)
        for position, finding in lines.findings.items():
            self._rows.add(position, "", finding)

    def run(self) -> CheckedRows:
        for one in self._schema.fields:
            if one.kind not in {FieldKind.ID_NUMBER, FieldKind.SEQUENCE}:
                self._read_column(one)
        self._read_ids()
        self._settle_sex()
        self._settle_grades()
        self._find_formulas()
        self._find_missing()
        self._find_hidden()
        return self._rows

    def _cells(self, key: str) -> Sequence[Cell] | None:
        column = self._header.columns.get(key)
        if column is None or not self._count:
            return None
        cells = self._columns[column]
        # True == 1.0 would make the two share a reading.
        if bool in set(map(type, cells)):
            return [str(cell).upper() if isinstance(cell, bool) else cell for cell in cells]
        return cells

    def _read_column(self, one: Field) -> None:
        cells = self._cells(one.key)
        default = self._shape.defaults.get(one.key, "")
        if cells is None:
            self._rows.values[one.key] = [default] * self._count
            return
        readings = list(map(Readings(self._reader(one)).__getitem__, cells))
        self._rows.values[one.key] = [reading[0] or default for reading in readings]
        for position in [at for at, reading in enumerate(readings) if reading[1]]:
            self._rows.add(position, one.key, *readings[position].findings)

    def _reader(self, one: Field) -> Callable[[Cell], Reading]:
        readers: Mapping[FieldKind, Callable[[Cell], Reading]] = {
            FieldKind.NAME: read_name,
            FieldKind.SEX: read_sex,
            FieldKind.ID_TYPE: read_document_type,
        }
        if self._titles is not None:
            readers = {
                **readers,
                FieldKind.SERIES: self._titles.read_series,
                FieldKind.LEVEL: self._titles.read_level,
                FieldKind.TITLE: read_word,
            }
        if one.kind in readers:
            return readers[one.kind]
        return reader_of(one, today=self._today, dates_from_1904=self._table.dates_from_1904)

    def _read_ids(self) -> None:
        key, type_key = key_of(self._schema, FieldKind.ID_NUMBER), key_of(self._schema, FieldKind.ID_TYPE)
        cells = self._cells(key) if key else None
        types = self._rows.values.get(type_key, [])
        if cells is None:
            readings: list[IdReading] = list(repeat(_NO_ID, self._count))
        elif any(one not in {"", DocumentType.RESIDENT_ID} for one in types):
            resident = IdReadings(self._today)
            readings = [
                resident[cell]
                if kind in {"", DocumentType.RESIDENT_ID}
                else read_other_number(cell, DocumentType(kind))
                for cell, kind in zip(cells, types, strict=True)
            ]
        else:
            readings = list(map(IdReadings(self._today).__getitem__, cells))
        if key:
            self._rows.values[key] = [reading[0] for reading in readings]
        self._rows.sexes = [reading[1] for reading in readings]
        for position in [at for at, reading in enumerate(readings) if reading[2]]:
            self._rows.add(position, key, *readings[position].findings)

    def _settle_sex(self) -> None:
        """Take the sex from the 17th digit where the sheet has none; never the other way round."""
        key = key_of(self._schema, FieldKind.SEX)
        written = self._rows.values.get(key)
        if written is None:
            return
        for position, (sheet, derived) in enumerate(zip(written, self._rows.sexes, strict=True)):
            if sheet and derived and sheet != derived:
                self._rows.add(position, key, sex_contradiction(sheet, derived))
        derived_sexes = self._rows.sexes
        self._rows.sexes = [sheet or derived for sheet, derived in zip(written, derived_sexes, strict=True)]

    def _settle_grades(self) -> None:
        if self._titles is None:
            return
        keys = [key_of(self._schema, kind) for kind in (FieldKind.SERIES, FieldKind.TITLE, FieldKind.LEVEL)]
        if not all(keys):
            return
        series_key, title_key, level_key = keys
        series, titles, levels = (self._rows.values[key] for key in keys)
        refused = {
            position
            for position, found in self._rows.findings.items()
            if any(key == level_key and finding.code == "unknown-level" for key, finding in found)
        }
        has_level = level_key in self._header.columns
        grade = self._titles.grade
        grades = list(map(grade, series, titles, levels))
        for position, one in enumerate(grades):
            if position in refused or not (one[1] or one[2] or one[3]):
                continue
            self._rows.add(position, series_key, *one.series_findings)
            self._rows.add(position, title_key, *one.title_findings)
            self._rows.add(position, level_key if has_level else title_key, *one.level_findings)
        self._rows.values[level_key] = [one[0] for one in grades]
        for position in refused:
            self._rows.values[level_key][position] = ""

    def _find_formulas(self) -> None:
        """Refuse rows with a formula whose result is not in the file; the value cannot be known."""
        if not self._table.survey.without_result:
            return
        positions = {number: at for at, number in enumerate(self._rows.numbers)}
        keys = {column: key for key, column in self._header.columns.items()}
        for number, column in sorted(self._table.survey.without_result):
            if number not in positions or column not in keys:
                continue
            if keys[column] == key_of(self._schema, FieldKind.SEQUENCE):
                continue
            finding = error(
                "formula-without-result",
                "单元格是公式, 文件中没有其结果(或结果为错误), 请改为实际内容后保存",
                "the cell is a formula whose result is not in the file (or is an error); put the value itself there",
            )
            self._rows.add(positions[number], keys[column], finding)

    def _find_missing(self) -> None:
        for key in self._shape.required:
            values = self._rows.values[key]
            if "" not in values:
                continue
            one = self._schema.field(key)
            column = self._header.columns.get(key, -1)
            heading = self._header.printed.get(column, one.heading)
            finding = error("missing", f"缺少{heading}, 请填写", f"the {one.english} is missing; fill it in")
            for position in [at for at, value in enumerate(values) if not value]:
                found = self._rows.findings.get(position, ())
                if not any(there == key and finding.outcome == "error" for there, finding in found):
                    self._rows.add(position, key, finding)

    def _find_hidden(self) -> None:
        if not self._table.survey.hidden:
            return
        finding = warning(
            "hidden-row",
            "该行在表格中被隐藏, 请确认确需发证",
            "the row is hidden in the sheet; make sure that it is meant",
        )
        for position, number in enumerate(self._rows.numbers):
            if number in self._table.survey.hidden:
                self._rows.add(position, "", finding)
