"""Read a text file of rows: encoding and delimiter are found out, never assumed.

UTF-8 (with or without BOM) is tried strictly, then GB18030 strictly; nothing is
ever replaced. Python's GB18030 has the tables from before 2022, so some bytes
give private-use characters, which the rules for names and texts refuse.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from itertools import islice

from intake.errors import BadEncoding, BadTable, FileTooLarge, TooManyRows
from intake.survey import MAX_COLUMNS, MAX_ROWS
from intake.workbook import Cell, Table

# 200,000 rows of 300 bytes are 60 MB.
MAX_TEXT_FILE_BYTES = 100_000_000
DELIMITERS = (",", "\t", ";")
HEADER_SEARCH_ROWS = 20

_BOM_UTF8 = b"\xef\xbb\xbf"
_BOMS_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class DelimitedText:
    """A text file taken apart.

    Attributes:
        table: the cells, all texts.
        encoding: ``utf-8-sig``, ``utf-8`` or ``gb18030``.
        delimiter: one of :data:`DELIMITERS`.
    """

    table: Table
    encoding: str
    delimiter: str


def read_delimited(file: str, content: bytes, score_row: Callable[[list[Cell]], int]) -> DelimitedText:
    """Decode and split a text file.

    Args:
        file: name, for errors.
        content: the whole file; not trusted.
        score_row: how many headings a row holds; the delimiter with the best
            row among the first 20 is taken, comma first.

    Raises:
        FileTooLarge, TooManyRows, BadEncoding, BadTable: as they say.
    """
    if len(content) > MAX_TEXT_FILE_BYTES:
        raise FileTooLarge(
            file, f"it has more than {MAX_TEXT_FILE_BYTES:,} bytes", f"超过 {MAX_TEXT_FILE_BYTES:,} 字节"
        )
    text, encoding = decode(file, content)
    delimiter = max(DELIMITERS, key=lambda one: _best_score(text, one, score_row))
    return DelimitedText(Table("", _split(file, text, delimiter)), encoding, delimiter)


def reread_delimited(file: str, content: bytes, delimiter: str) -> Table:
    """Split a text file that :func:`read_delimited` has read, by the delimiter it found.

    Raises:
        TooManyRows, BadEncoding, BadTable: the file is another one by now.
    """
    return Table("", _split(file, decode(file, content)[0], delimiter))


def decode(file: str, content: bytes) -> tuple[str, str]:
    """Decode strictly and say which encoding it was.

    Raises:
        BadEncoding: neither UTF-8 nor GB18030 from end to end, or UTF-16.
    """
    if content.startswith(_BOMS_UTF16):
        raise BadEncoding(file, 1, content[:2].hex())
    if content.startswith(_BOM_UTF8):
        try:
            return content[3:].decode("utf-8"), "utf-8-sig"
        except UnicodeDecodeError as error:
            raise _bad_encoding(file, content[3:], error) from error
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("gb18030"), "gb18030"
    except UnicodeDecodeError as error:
        raise _bad_encoding(file, content, error) from error


def _bad_encoding(file: str, content: bytes, error: UnicodeDecodeError) -> BadEncoding:
    return BadEncoding(file, content.count(b"\n", 0, error.start) + 1, content[error.start : error.start + 4].hex(" "))


def _best_score(text: str, delimiter: str, score_row: Callable[[list[Cell]], int]) -> int:
    rows = csv.reader(StringIO(text[:200_000], newline=""), delimiter=delimiter)
    best = 0
    try:
        for row in islice(rows, HEADER_SEARCH_ROWS):
            best = max(best, score_row(list(row[:MAX_COLUMNS])))
    except csv.Error:  # a wrong delimiter may break the quoting; the right one is judged below
        return best
    return best


def _split(file: str, text: str, delimiter: str) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise FileTooLarge(
                    file, f"row {len(rows) + 1} has {len(row)} cells", f"第 {len(rows) + 1} 行有 {len(row)} 格"
                )
            rows.append(list(row))
            if len(rows) > MAX_ROWS:
                raise TooManyRows(file, MAX_ROWS)
    except csv.Error as error:
        raise BadTable(file, reader.line_num, str(error)) from error
    return rows
