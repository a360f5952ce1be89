"""What an annotated copy is, for those who make one and those who hand it on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class CopyKind(StrEnum):
    """What was made of a file."""

    COPY = "copy"  # the file itself, coloured and commented
    LIST = "list"  # a list of its problems in a new workbook


class Note(NamedTuple):
    """One sentence that the person who gets the copy has to know."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class AnnotatedCopy:
    """What was written.

    Attributes:
        kind: copy or list.
        notes: what was left out or cut short, and why.
    """

    kind: CopyKind
    notes: tuple[Note, ...]
