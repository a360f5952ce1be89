"""Punctuation as Chinese typesetting wants it: where marks may stand, and which of their blanks give way.

A full-width mark fills half its square and leaves the other half blank. Where two
marks meet, at the end of a line, and where a line would not fit otherwise, the
blank goes (GB/T 15834, 5.1; W3C CLREQ, 3.1.6). Which half is blank is read off
the outline, so a face that centres its marks keeps them whole.
"""

from functools import cache

from fontTools.ttLib.tables._g_l_y_f import Glyph as DecodedGlyph

from press.glyphs import UNITS_PER_EM, Glyph, make_glyph

_OPENING = frozenset("（〔《〈「『【‘“")
_CLOSING = frozenset("）〕》〉」』】’”，。、；：？！")
_QUOTES = frozenset("‘’“”")
MARKS = _OPENING | _CLOSING

# Marks that may not begin a line, and that may not end one.
NOT_FIRST = _CLOSING | frozenset("…—·,.;:?!)]}%")
NOT_LAST = _OPENING | frozenset("([{")

_HALF = UNITS_PER_EM // 2
_ROOM = 20  # units that an outline may reach past the middle of its square
_BEARING = 50  # units left beside a Western quotation mark
_LAST_LATIN = "\u024f"


def tightened(text: str, glyphs: list[Glyph]) -> list[Glyph]:
    """Take out the blanks between marks that meet, and set Western quotation marks as wide as they are drawn.

    Args:
        text: one paragraph.
        glyphs: one a character.
    """
    tight = glyphs
    for index in marks_in(text):
        char, before, after = text[index], text[index - 1 : index], text[index + 1 : index + 2]
        glyph = glyphs[index]
        if char in _QUOTES and _is_western(text, before, after):
            glyph = _narrow(glyph)
        elif after in MARKS if char in _CLOSING else before in _OPENING:
            glyph = half(glyph)
        if glyph is not glyphs[index]:
            tight = list(glyphs) if tight is glyphs else tight
            tight[index] = glyph
    return tight


def marks_in(text: str) -> list[int]:
    """Find the places of the marks of a text; most texts have few, so each kind is searched for."""
    places = []
    for mark in MARKS.intersection(text):
        place = text.find(mark)
        while place >= 0:
            places.append(place)
            place = text.find(mark, place + 1)
    return places


def blank_before(glyph: Glyph) -> int:
    """Give the blank that goes when a mark begins a line, in 1/1000 em; 0 for other characters."""
    return glyph.advance - half(glyph).advance if glyph.text in _OPENING else 0


def blank_after(glyph: Glyph) -> int:
    """Give the blank that goes when a mark ends a line, in 1/1000 em; 0 for other characters."""
    return glyph.advance - half(glyph).advance if glyph.text in _CLOSING else 0


@cache
def half(glyph: Glyph) -> Glyph:
    """Give a full-width mark without its blank half; whatever has none is given back."""
    left, _, right, _ = glyph.bounds
    if glyph.advance != UNITS_PER_EM or not glyph.outline:
        return glyph
    if glyph.text in _CLOSING and right <= _HALF + _ROOM:
        return make_glyph(glyph.text, f"{glyph.face}:half", glyph.gid, _HALF, glyph.outline)
    if glyph.text in _OPENING and left >= _HALF - _ROOM:
        return make_glyph(glyph.text, f"{glyph.face}:half", glyph.gid, _HALF, _moved(glyph.outline, -_HALF))
    return glyph


@cache
def _narrow(glyph: Glyph) -> Glyph:
    left, _, right, _ = glyph.bounds
    if glyph.advance != UNITS_PER_EM or not glyph.outline:
        return glyph  # the face has a Western one already
    outline = _moved(glyph.outline, _BEARING - left)
    return make_glyph(glyph.text, f"{glyph.face}:narrow", glyph.gid, right - left + 2 * _BEARING, outline)


def _moved(outline: bytes, across: int) -> bytes:
    decoded = DecodedGlyph(outline)
    decoded.expand(None)
    decoded.coordinates.translate((across, 0))
    moved: bytes = decoded.compile(None)
    return moved


def _is_western(text: str, before: str, after: str) -> bool:
    """Whether a quotation mark stands within a Western word, or in a text without Chinese."""
    within = before.isalnum() and after.isalnum() and max(before, after) <= _LAST_LATIN
    return within or all(char <= _LAST_LATIN or char in _QUOTES for char in text)
