"""Find the header row and say which column is which field.

Headings are compared without white space, line breaks, width and case; what a
column means is only ever told by the template's aliases, never guessed.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from credential.schema import RecordSchema, Shape
from intake.errors import DuplicateHeading, MissingColumns, NoHeaderRow, UnknownShape
from intake.survey import column_letter
from intake.workbook import Cell, Table

# Titles, notes and the unit's line above a table take two to five rows in the notices.
HEADER_SEARCH_ROWS = 20
# Fewer known headings than this are chance: a title line may hold a word like 单位.
MIN_HEADINGS = 3
#: Heading of the column that an annotated copy adds; who sends the copy back corrected need not delete it.
RESULT_HEADING = "【校验结果】"


@dataclass(frozen=True, slots=True)
class Header:
    """The header row of a table.

    Attributes:
        row: its number, from 1.
        columns: column from 0, by field key.
        printed: heading as printed, without white space, by column from 0.
        unknown: columns whose heading no field has.
    """

    row: int
    columns: Mapping[str, int]
    printed: Mapping[int, str]
    unknown: tuple[int, ...]


def fold_heading(text: str) -> str:
    """Make a key under which spellings of one heading are equal."""
    return "".join(
        char
        for char in unicodedata.normalize("NFKC", text).casefold()
        if not char.isspace() and unicodedata.category(char) != "Cf"
    )


class Headings:
    """The headings that a schema knows."""

    def __init__(self, schema: RecordSchema) -> None:
        self._schema = schema
        self._keys = {
            fold_heading(name): field.key for field in schema.fields for name in (field.heading, *field.aliases)
        }
        self._needed = min(MIN_HEADINGS, len(schema.fields))

    def key_of(self, heading: str) -> str | None:
        """The field that a heading or one of its other spellings names; None when there is none."""
        return self._keys.get(fold_heading(heading))

    def score(self, row: Sequence[Cell]) -> int:
        """How many different fields the headings of this row name."""
        keys = {self._keys.get(fold_heading(cell)) for cell in row if isinstance(cell, str) and len(cell) < 100}
        return len(keys - {None})

    def find_row(self, rows: Sequence[Sequence[Cell]]) -> int | None:
        """Number of the header row, from 1: the first with the most headings; None when there is none."""
        scores = [self.score(row) for row in rows[:HEADER_SEARCH_ROWS]]
        best = max(scores, default=0)
        return scores.index(best) + 1 if best >= self._needed else None

    def read(self, file: str, table: Table) -> Header:
        """Map the columns of a table.

        Raises:
            NoHeaderRow: no row is one.
            DuplicateHeading: two columns mean the same field.
        """
        number = self.find_row(table.rows)
        if number is None:
            examples = [field.heading for field in self._schema.fields[:5]]
            raise NoHeaderRow(file, HEADER_SEARCH_ROWS, examples)
        found: dict[str, list[int]] = {}
        printed: dict[int, str] = {}
        unknown: list[int] = []
        for column, cell in enumerate(table.rows[number - 1]):
            text = "".join(str(cell).split())
            if not text:
                continue
            printed[column] = text
            key = self._keys.get(fold_heading(text))
            if text == RESULT_HEADING:
                continue
            if key is None:
                unknown.append(column)
            else:
                found.setdefault(key, []).append(column)
        for key, columns in found.items():
            if len(columns) > 1:
                names = [f"{column_letter(column)} {printed[column]}" for column in columns]
                raise DuplicateHeading(file, self._schema.field(key).heading, names)
        return Header(number, {key: columns[0] for key, columns in found.items()}, printed, tuple(unknown))

    def choose_shape(self, file: str, header: Header) -> Shape:
        """Tell the form of sheet by its marks, and refuse one that lacks a needed column.

        Raises:
            UnknownShape: the marks of no shape are all there.
            MissingColumns: a required field has neither column nor default.
        """
        shape = next((one for one in self._schema.shapes if all(mark in header.columns for mark in one.marks)), None)
        if shape is None:
            shapes = {one.name: [self._schema.field(key).heading for key in one.marks] for one in self._schema.shapes}
            raise UnknownShape(file, shapes)
        missing = [key for key in shape.required if key not in header.columns and key not in shape.defaults]
        if missing:
            raise MissingColumns(file, [self._schema.field(key).heading for key in missing])
        return shape
