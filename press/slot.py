"""What stands in one slot of a certificate, as content: fitted once for each text, remembered where texts recur.

Content is written as a template of bytes: ``%b`` stands where the place of a
glyph in the certificate's own font comes, since that is known only when all of
a certificate's texts are.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, groupby
from typing import NamedTuple

from press.fonts import Glyph
from press.glyphs import places_hex
from press.layout import Frame, Line, fit
from press.page import Slot
from press.prefix import STATIC_FONT, VALUE_FONT, Prefix
from press.syntax import colour, number, numbers

_CACHED_TEXTS = 4096  # per slot; series, committees and dates recur, names do not
_CACHED_STARTS = 1024  # per frame; most texts of one begin at the same point in the same size
_GLYPH = b"%b"
_END_OF_STRING = b">Tj\n"
_END_OF_TEXT = _END_OF_STRING + b"EMC\n"
# Numbers and codes, which never recur, are made of these. None of them is a mark whose blanks give way, so where one
# line of them stands, and in which size, follows from their number and widths alone.
_PLAIN = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.-"
# Nothing that the prefix's content left behind may space these texts.
_OPENING, _CLOSING = b"BT 0 Tc\n", b"ET\n"


class Piece(NamedTuple):
    """A slot's content.

    Attributes:
        template: content with ``%b`` for each of the glyphs.
        glyphs: of the certificate's own font, in the order they are shown.
    """

    template: bytes
    glyphs: tuple[Glyph, ...]


class _Start(NamedTuple):
    """How a line begins: its place, and either font in its size up to the glyphs."""

    place: bytes
    static: bytes
    own: bytes


class SlotWriter:
    """Writes a slot's content; remembers texts that recur.

    Args:
        slot: where.
        prefix: whose font has most of the glyphs.
        colour_before: the colour that the slot before leaves behind; empty for none.

    Attributes:
        key: the field that problems are reported under.
        colour: the one that this slot leaves behind.
    """

    def __init__(self, slot: Slot, prefix: Prefix, colour_before: str) -> None:
        self._slot = slot
        self.key = slot.key
        self._label = None
        if slot.label is not None:
            self._label = _MarkedText("Lbl", slot.label_mcid, slot.label, prefix.glyphs, colour_before=colour_before)
            colour_before = slot.label.where.colour
        self._value = _MarkedText(
            slot.tag, slot.mcid, slot.frame, prefix.glyphs, before=slot.before, colour_before=colour_before
        )
        self.colour = slot.frame.where.colour
        self._known: dict[tuple[str, str], Piece] = {}

    def piece(self, values: Mapping[str, str]) -> Piece:
        """Set the slot for the displayed values.

        Raises:
            Overflow: the text does not fit.
            MissingGlyph: a character has no glyph.
        """
        wanted = self._slot.text(values)
        piece = self._known.get(wanted)
        if piece is None:
            if self._label is None and (piece := self._value.plain(wanted[1], self.key)):
                return piece
            if len(self._known) >= _CACHED_TEXTS:
                self._known.clear()
            piece = self._known[wanted] = self._set(*wanted)
        return piece

    def _set(self, label: str, text: str) -> Piece:
        parts: list[bytes] = []
        glyphs: list[Glyph] = []
        if self._label is not None:
            self._label.write(label, self.key, parts, glyphs)
        self._value.write(text, self.key, parts, glyphs)
        return Piece(b"".join(parts), tuple(glyphs))


def slot_writers(prefix: Prefix) -> tuple[SlotWriter, ...]:
    """Make the writers of all slots of a prefix, in their order."""
    writers: list[SlotWriter] = []
    for slot in prefix.plan.slots:
        writers.append(SlotWriter(slot, prefix, writers[-1].colour if writers else ""))
    return tuple(writers)


class _MarkedText:
    """Sets texts in a frame as the content of one structure element."""

    def __init__(  # noqa: PLR0913 - what a text of the page is made of
        self,
        tag: str,
        mcid: int,
        frame: Frame,
        static: Mapping[Glyph, bytes],
        *,
        before: str = "",
        colour_before: str,
    ) -> None:
        self._opening = b"/%b<</MCID %d>>BDC\n" % (tag.encode("ascii"), mcid)
        if frame.where.colour != colour_before:
            self._opening += numbers(*colour(frame.where.colour)) + b" rg\n"
        self._frame = frame
        self._static = static
        self._starts: dict[tuple[float, float, float, float], _Start] = {}
        self._before = before
        drawn = [frame.chain.glyph(char) for char in _PLAIN if not frame.chain.missing(char)]
        self._codes = {glyph.text: static[glyph] for glyph in drawn if glyph in static}
        self._advances = {glyph.text: glyph.advance for glyph in drawn}
        # Texts at the left edge stand there whatever their width, if one that is wider does in full size.
        where = frame.where
        self._is_left = where.align == "left" and not where.spread
        self._widest, self._left_start = -1, b""
        self._plain_starts: dict[tuple[int, int], bytes] = {}

    def plain(self, text: str, key: str) -> Piece | None:
        """Set a number or code like those before it of its number and widths of characters; None for other texts.

        Raises:
            Overflow: the text does not fit.
        """
        value = text.removeprefix(self._before)
        try:
            codes = b"".join(map(self._codes.__getitem__, value))
            width = sum(map(self._advances.__getitem__, value))
        except KeyError:
            return None
        if width <= self._widest:
            return Piece(self._left_start + codes + _END_OF_TEXT, ())
        start = self._plain_starts.get((len(value), width))
        if start is not None:
            return Piece(start + codes + _END_OF_TEXT, ())
        parts: list[bytes] = []
        glyphs: list[Glyph] = []
        size = self.write(text, key, parts, glyphs)
        piece = Piece(b"".join(parts), tuple(glyphs))
        end = codes + _END_OF_TEXT
        if not glyphs and piece.template.count(b"Tm\n") == 1 and piece.template.endswith(end):
            start = piece.template.removesuffix(end)
            if self._is_left and size == self._frame.where.size:
                self._widest, self._left_start = width, start
            elif len(self._plain_starts) < _CACHED_STARTS:
                self._plain_starts[len(value), width] = start
        return piece

    def write(self, text: str, key: str, parts: list[bytes], glyphs: list[Glyph]) -> float:
        """Append a text's content, and those of its glyphs that the prefix does not have; gives the size."""
        size, lines = fit(text, self._frame, key)
        parts.append(self._opening)
        code_of = self._static.get
        for line in lines:
            start = self._starts.get((size, line.x, line.y, line.tracking)) or self._start(size, line)
            codes = [code_of(glyph, b"") for glyph in line.glyphs]
            if all(codes):
                parts += (start.place, start.static, *codes, _END_OF_STRING)
            elif not any(codes):
                parts += (start.place, start.own, _GLYPH * len(codes), _END_OF_STRING)
                glyphs += line.glyphs
            else:
                parts.append(start.place)
                self._write_runs(line, start, parts, glyphs)
            if line.tracking:
                parts.append(b"0 Tc\n")
        parts.append(b"EMC\n")
        return size

    def _start(self, size: float, line: Line) -> _Start:
        if len(self._starts) >= _CACHED_STARTS:
            self._starts.clear()
        spacing = number(line.tracking) + b" Tc " if line.tracking else b""
        start = self._starts[size, line.x, line.y, line.tracking] = _Start(
            place=b"%b1 0 0 1 %b Tm\n" % (spacing, numbers(line.x, line.y)),
            static=b"/%b %b Tf <" % (STATIC_FONT, number(size)),
            own=b"/%b %b Tf <" % (VALUE_FONT, number(size)),
        )
        return start

    def _write_runs(self, line: Line, start: _Start, parts: list[bytes], glyphs: list[Glyph]) -> None:
        """Cut a line where it changes between the prefix's font and the certificate's own."""
        for is_static, run in groupby(line.glyphs, self._static.__contains__):
            shown = list(run)
            if is_static:
                parts += (start.static, *[self._static[glyph] for glyph in shown], _END_OF_STRING)
            else:
                parts += (start.own, _GLYPH * len(shown), _END_OF_STRING)
                glyphs += shown


def join_content(pieces: Sequence[Piece], pictures: bytes) -> tuple[bytes, list[Glyph]]:
    """Join the pieces into a content stream and list the glyphs of the certificate's own font."""
    shown = list(chain.from_iterable([piece.glyphs for piece in pieces]))
    glyphs = list(dict.fromkeys(shown))
    places = dict(zip(glyphs, places_hex(len(glyphs)), strict=True))
    content = b"".join([piece.template for piece in pieces]) % tuple([places[glyph] for glyph in shown])
    return b"".join((_OPENING, content, _CLOSING, pictures)), glyphs
