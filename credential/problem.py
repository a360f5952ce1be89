"""What is wrong with one cell or row of what a bureau sent."""

from dataclasses import dataclass
from enum import StrEnum


class RowOutcome(StrEnum):
    """How a problem counts: a row is as bad as its worst problem."""

    ERROR = "error"  # the row is refused
    WARNING = "warning"  # the row is accepted, a person should look
    SKIPPED = "skipped"  # no credential comes of the row, nothing needs correcting


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of the list that goes back to the bureau.

    Attributes:
        sheet: name of the sheet; empty for CSV.
        row: as the spreadsheet program shows it, from 1; 0 for the whole file.
        column: letter of the column (``A``, ``AB``); empty for the whole row.
        field: the heading as printed in the sheet; empty for the whole row.
        outcome: error, warning or skipped.
        code: stable, lower-case words with hyphens.
        zh: one sentence in Chinese that names the value and the cure.
        en: the same in English.
    """

    sheet: str
    row: int
    column: str
    field: str
    outcome: RowOutcome
    code: str
    zh: str
    en: str
