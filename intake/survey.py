"""Learn from a sheet's XML what calamine does not tell: hidden rows, formulas without a result.

Also measured here, before calamine allocates anything: how far the cells reach,
since one stray cell in XFD1048576 would make it ask for gigabytes. Most sheets
have none of this and a search over the bytes proves it; only otherwise is the
sheet parsed (expat, streaming, no DTD).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from intake.errors import FileTooLarge, NotAWorkbook, TooManyRows, UnsafeWorkbook

# A batch of a whole province in a year stays below it; the limit keeps memory below about 1 GB.
MAX_ROWS = 200_000
# Columns A to IV, as .xls had; the widest table of the notices has 12.
MAX_COLUMNS = 256
# Rows times columns reached, as calamine stores a sheet densely (about 32 bytes a cell).
MAX_CELLS = 16_000_000
# Text of all cells together, when each takes its own copy of a shared string.
MAX_TEXT_BYTES = 512_000_000

# Any "<c" that is no longer name (col, conditionalFormatting) and has not a position within A1:BZ199999 as its
# first attribute: 78 x 199,999 cells are within MAX_CELLS.
_FAR_CELL = re.compile(rb'<c(?![a-zA-Z]| r="(?:[A-Z]|[AB][A-Z])(?:[1-9]\d{0,4}|1\d{5})")')
_PREFIXED = re.compile(rb":(?:c|f|row)[\s/>]")  # elements written with a namespace prefix
_FORMULA = re.compile(rb"<f[\s/>]")
_POSITION = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})")


@dataclass(frozen=True, slots=True)
class Survey:
    """What one sheet holds beside its values.

    Attributes:
        hidden: numbers of the hidden rows, from 1.
        without_result: (row from 1, column from 0) of formulas whose result is not in
            the file or is an error; calamine gives an empty text for both.
    """

    hidden: frozenset[int] = frozenset()
    without_result: frozenset[tuple[int, int]] = frozenset()


def survey_sheet(file: str, part: bytes, string_bytes: Sequence[int]) -> Survey:
    """Find hidden rows and formulas without a result, and refuse a sheet that reaches too far.

    Args:
        file: name, for errors.
        part: XML of the sheet in UTF-8, without DTD (``package.py`` saw to it).
        string_bytes: size of each shared string.

    Raises:
        TooManyRows, FileTooLarge: beyond the limits above.
        NotAWorkbook: not well-formed, where it had to be parsed.
    """
    # The searches know attributes in double quotes only, as every program writes them.
    longest = max(string_bytes, default=0)
    is_plain = (
        _FAR_CELL.search(part) is None
        and _FORMULA.search(part) is None
        and b"hidden" not in part
        and b't="e"' not in part
        and b' ht="0' not in part
        and b"'" not in part
        and _PREFIXED.search(part) is None
        and longest * part.count(b"<c ") <= MAX_TEXT_BYTES
    )
    return Survey() if is_plain else _Parser(file, string_bytes, longest_string=longest).parse(part)


def measure_strings(part: bytes) -> list[int]:
    """Measure each shared string in bytes of its XML, which no text of it can exceed."""
    return [len(piece) for piece in part.split(b"</si>")] if b":si" not in part else [len(part)]


def column_index(letters: str) -> int:
    """Turn ``A`` into 0 and ``AB`` into 27."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def split_position(text: str) -> tuple[str, int] | None:
    """Take ``AB12`` apart into letters and row; None when it is no position of one cell."""
    match = _POSITION.fullmatch(text.upper())
    return None if match is None else (match[1], int(match[2]))


def column_letter(index: int) -> str:
    """Turn 0 into ``A`` and 27 into ``AB``."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@dataclass(slots=True)
class _Parser:
    """Walks the elements of one sheet; state is the row and cell it stands in."""

    file: str
    string_bytes: Sequence[int]
    hidden: set[int] = field(default_factory=set)
    without_result: set[tuple[int, int]] = field(default_factory=set)
    longest_string: int = 0
    row: int = 0
    column: int = -1
    last_row: int = 0
    last_column: int = 0
    text_bytes: int = 0
    kind: str = ""
    has_formula: bool = False
    in_value: bool = False
    value: list[str] = field(default_factory=list)

    def parse(self, part: bytes) -> Survey:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            parser.Parse(part, True)
        except expat.ExpatError as error:
            raise NotAWorkbook(
                self.file, f"a sheet is not well-formed XML ({error})", f"工作表 XML 有误({error})"
            ) from error
        return Survey(frozenset(self.hidden), frozenset(self.without_result))

    def _doctype(self, *_: object) -> None:
        raise UnsafeWorkbook(self.file, "a sheet declares a DTD", "工作表含有 DTD 声明")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                self._start_row(attributes)
            case "c":
                self._start_cell(attributes)
            case "f":
                self.has_formula = True
            case "v":
                self.in_value = True

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r", "")
        self.row = int(number) if number.isascii() and number.isdigit() and len(number) < 8 else self.row + 1
        self.column = -1
        is_flat = attributes.get("ht") in {"0", "0.0"}  # a height of nothing hides a row too
        if attributes.get("hidden") in {"1", "true"} or is_flat:
            self.hidden.add(self.row)

    def _start_cell(self, attributes: dict[str, str]) -> None:
        position = attributes.get("r")
        if position is None:
            self.column += 1
        else:
            match = _POSITION.fullmatch(position.upper())
            if match is None:
                raise UnsafeWorkbook(
                    self.file, f"a cell has the position {position[:20]!r}", f"单元格位置“{position[:20]}”不合法"
                )
            self.row, self.column = int(match[2]), column_index(match[1])
        self.kind = attributes.get("t", "")
        self.has_formula = self.in_value = False
        self.value.clear()

    def _text(self, text: str) -> None:
        if self.in_value:
            self.value.append(text)

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "v":
                self.in_value = False
            case "c":
                self._end_cell()

    def _end_cell(self) -> None:
        value = "".join(self.value)
        is_uncached = self.has_formula and not value and self.kind != "str"  # for "str" the empty text is a result
        if is_uncached or self.kind == "e":
            self.without_result.add((self.row, self.column))
        if value or self.kind == "inlineStr":
            self._reach(value)

    def _reach(self, value: str) -> None:
        self.last_row = max(self.last_row, self.row)
        self.last_column = max(self.last_column, self.column + 1)
        if self.last_row > MAX_ROWS:
            raise TooManyRows(self.file, MAX_ROWS)
        if self.last_column > MAX_COLUMNS or self.last_row * self.last_column > MAX_CELLS:
            where = f"{column_letter(self.last_column - 1)}{self.last_row}"
            raise FileTooLarge(self.file, f"its cells reach to {where}", f"单元格延伸到 {where}")
        if self.kind == "s" and value.isascii() and value.isdigit() and len(value) < 8:
            index = int(value)
            self.text_bytes += self.string_bytes[index] if index < len(self.string_bytes) else self.longest_string
            if self.text_bytes > MAX_TEXT_BYTES:
                raise FileTooLarge(
                    self.file, "one long text is repeated in very many cells", "超长文本在大量单元格中重复"
                )
