"""Copy XML by a list of what may stay; expat reads it, a few lines write it, and nothing is resolved."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from intake.errors import CannotCopy
from intake.survey import column_index, split_position
from intake.workbook import Table

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
#: Author of our own comments; on the next upload they are taken off again.
OUR_AUTHOR = "印证 Yinzheng"

# Excel shows at most 32,767 characters of a comment; nobody reads a thousand.
_MAX_COMMENT_CHARACTERS = 4_000
_MAX_COMMENTS = 2_000
_NEVER = frozenset({"extLst", "AlternateContent", "rPh", "phoneticPr"})

Keep = Callable[[list[str], dict[str, str]], dict[str, str] | None]


class OldComment(NamedTuple):
    """A comment that stood in the file.

    Attributes:
        row: from 1.
        column: from 0.
    """

    row: int
    column: int
    author: str
    text: str


class Rewriter:
    """Writes each element again under its local name, in the one namespace of spreadsheets.

    Attributes:
        out: what is written so far.
    """

    def __init__(self, keep: Keep, *, on_end: Callable[[str, str], None] | None = None) -> None:
        """Take the rules.

        Args:
            keep: told the path of local names and the attributes without a
                prefix; gives the attributes to write, or None to leave the
                element out with all that is in it.
            on_end: told the local name and the direct text of each element kept.
        """
        self.out: list[str] = []
        self._keep = keep
        self._on_end = on_end
        self._path: list[str] = []
        self._texts: list[str] = []
        self._skipped_from = 0

    def run(self, part: bytes) -> bytes:
        """Copy a part.

        Raises:
            CannotCopy: not well-formed.
        """
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(part, True)
        except expat.ExpatError as error:
            raise CannotCopy(f"a part is not well-formed ({error})", f"部件 XML 有误({error})") from error
        return "".join(self.out).encode()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self._path.append(local)
        if self._skipped_from:
            return
        plain = {key: value for key, value in attributes.items() if ":" not in key and key != "xmlns"}
        if attributes.get("xml:space") == "preserve":
            plain["xml:space"] = "preserve"
        kept = None if local in _NEVER else self._keep(self._path, plain)
        if kept is None:
            self._skipped_from = len(self._path)
            return
        if len(self._path) == 1:
            kept = {**kept, "xmlns": MAIN}
        self._texts.append("")
        self.out.append(f"<{local}{attributes_text(kept)}>")

    def _text(self, text: str) -> None:
        if not self._skipped_from and self._texts:
            self._texts[-1] += text
            self.out.append(text_of(text))

    def _end(self, _: str) -> None:
        depth, local = len(self._path), self._path.pop()
        if self._skipped_from:
            if depth == self._skipped_from:
                self._skipped_from = 0
            return
        self.out.append(f"</{local}>")
        text = self._texts.pop()
        if self._on_end is not None:
            self._on_end(local, text)


def text_of(text: str) -> str:
    """Escape a text; a carriage return would otherwise become a line feed."""
    return escape(text, {"\r": "&#13;"})


def attributes_text(attributes: Mapping[str, str]) -> str:
    """Write attributes, each after a space."""
    return "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())


def copy_styles(part: bytes) -> bytes:
    """Copy the styles without their extensions.

    Raises:
        CannotCopy: not well-formed.
    """
    return Rewriter(lambda _, attributes: attributes).run(part)


def read_strings(part: bytes) -> list[str]:
    """Read the shared strings as plain text; readings beside them (phonetic) do not count.

    Raises:
        CannotCopy: not well-formed.
    """
    strings: list[str] = []
    pieces: list[str] = []

    def end(local: str, text: str) -> None:
        if local == "t":
            pieces.append(text)
        elif local == "si":
            strings.append("".join(pieces))
            pieces.clear()

    Rewriter(lambda _, attributes: attributes, on_end=end).run(part)
    return strings


def read_comments(part: bytes, table: Table) -> tuple[list[OldComment], set[tuple[int, int]]]:
    """Read the comments that stand at single cells near the values, and say which cells bear one of ours.

    Raises:
        CannotCopy: not well-formed.
    """
    found: list[OldComment] = []
    ours: set[tuple[int, int]] = set()
    authors: list[str] = []
    pieces: list[str] = []
    places: list[dict[str, str]] = []

    def keep(path: list[str], attributes: dict[str, str]) -> dict[str, str]:
        if path[-1] == "comment":
            places.append(attributes)
            pieces.clear()
        return attributes

    def end(local: str, text: str) -> None:
        if local == "author":
            authors.append(text)
        elif local == "t":
            pieces.append(text)
        elif local == "comment" and len(found) < _MAX_COMMENTS:
            place = split_position(places[-1].get("ref", ""))
            index = places[-1].get("authorId", "")
            author = authors[int(index)] if index.isdecimal() and int(index[:6]) < len(authors) else ""
            if place is None or not _is_near(place, table):
                return
            row, column = place[1], column_index(place[0])
            if author == OUR_AUTHOR:
                ours.add((row, column))
            else:
                found.append(OldComment(row, column, author, "".join(pieces)[:_MAX_COMMENT_CHARACTERS]))

    Rewriter(keep, on_end=end).run(part)
    return found, ours


def _is_near(place: tuple[str, int], table: Table) -> bool:
    width = max(map(len, table.rows), default=0)
    return place[1] <= len(table.rows) + 100 and column_index(place[0]) <= width + 20
