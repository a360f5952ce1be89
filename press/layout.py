"""Fit a text into its box: shrink, then wrap, then say that it does not fit.

Lengths are points, the origin is the lower left corner of the page, as in PDF.
Sizes go down in steps of half a point, so that neighbouring certificates look alike.
"""

from dataclasses import dataclass

from credential.errors import InputError
from credential.schema import PARAGRAPH_MARK
from press.fonts import FontChain, Glyph
from press.syntax import POINTS_PER_MM
from press.template import Box, TextBox

_SIZE_STEP = 0.5
# Han characters fill their em square, which sits from 0.12 em below the baseline to 0.88 em above it.
_MIDDLE_OF_HAN = 0.38
_TOP_OF_HAN = 0.88
_AIR = 4.5  # points that wrapped lines leave free in the height of their box, so that they do not touch its rule
_SHARE_BEFORE = {"left": 0.0, "centre": 0.5, "right": 1.0}  # of the width that a line leaves free
_SLACK = 0.01  # points; for rounding, far below what an eye or a printer resolves

# Punctuation that may not begin a line, and that may not end one (GB/T 15834, 5.1).
_NOT_FIRST = frozenset("，。、；：？！）〕》」』】’”…—·,.;:?!)]}%")
_SEPARATOR = "·"  # between the parts of a name, U+00B7
_NOT_LAST = frozenset("（〔《「『【‘“([{")


class Overflow(InputError):
    """A text does not fit in its box at the smallest size allowed."""

    code = "overflow"

    def __init__(self, key: str, length: int) -> None:
        super().__init__(
            f"the {key} of {length} characters does not fit in its box: shorten it",
            f"“{key}”共 {length} 个字符，超出证书版面：请缩短",
        )
        self.key = key


@dataclass(frozen=True, slots=True)
class Frame:
    """A text box of one layout with everything needed to set a text in it.

    Attributes:
        where: sizes, lines and alignment.
        box: the box of the layout in use.
        chain: the faces.
        page_height: of the page, millimetres.
    """

    where: TextBox
    box: Box
    chain: FontChain
    page_height: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it will be set.

    Attributes:
        text: without the spaces at which it was broken.
        glyphs: of the text, one a character.
        x, y: where the first character's origin stands, points.
        tracking: points added after every character.
    """

    text: str
    glyphs: list[Glyph]
    x: float
    y: float
    tracking: float


@dataclass(frozen=True, slots=True)
class Setting:
    """A fitted text: a size and its lines."""

    size: float
    lines: tuple[Line, ...]


def fit(text: str, frame: Frame, key: str) -> Setting:
    """Find the largest setting that the rules of the box allow.

    Args:
        text: without line breaks but those between paragraphs; every character has a glyph.
        frame: where it goes.
        key: names the text in the error.

    Raises:
        Overflow: it does not fit.
        MissingGlyph: a character has no glyph.
    """
    where, box, chain = frame.where, frame.box, frame.chain
    width = box.width * POINTS_PER_MM + _SLACK
    if PARAGRAPH_MARK in text:
        return _fit_lines(text.split(PARAGRAPH_MARK), frame, key)
    glyphs = chain.glyphs(text)
    total = sum([glyph.advance for glyph in glyphs]) / 1000
    tracking = _tracking(where, len(text), total)
    size = where.size
    while size >= where.one_line_size:
        if total * size + tracking * max(len(text) - 1, 0) <= width:
            return _place([(text, glyphs)], size, frame, tracking)
        size -= _SIZE_STEP
    return _fit_lines([text], frame, key)


def _fit_lines(paragraphs: list[str], frame: Frame, key: str) -> Setting:
    where, box, chain = frame.where, frame.box, frame.chain
    width = box.width * POINTS_PER_MM + _SLACK
    advances = [[glyph.advance / 1000 for glyph in chain.glyphs(one)] for one in paragraphs]
    # A wrapped text may be as large as the rules allow for one line, then smaller; its height must fit too.
    size = where.one_line_size
    height = box.height * POINTS_PER_MM - _AIR + _SLACK
    while where.lines > 1 and size >= where.min_size:
        fitting = min(where.lines, 1 + int((height - size) / (size * where.leading)))
        lines = [
            line
            for one, widths in zip(paragraphs, advances, strict=True)
            for line in _wrap(one, widths, width / size, is_even=not where.is_filled)
        ]
        if len(lines) <= fitting:
            return _place([(line, chain.glyphs(line)) for line in lines], size, frame, 0)
        size -= _SIZE_STEP
    raise Overflow(key, sum(map(len, paragraphs)))


def _tracking(where: TextBox, count: int, total: float) -> float:
    """Spread a short text over the width of ``spread`` characters; else take the tracking given."""
    if where.spread > count > 1:
        return (where.spread - total) * where.size / (count - 1)
    return where.tracking


def _place(lines: list[tuple[str, list[Glyph]]], size: float, frame: Frame, tracking: float) -> Setting:
    where, box = frame.where, frame.box
    step = size * where.leading
    middle = (frame.page_height - box.y - box.height / 2) * POINTS_PER_MM
    first = middle + step * (len(lines) - 1) / 2 - _MIDDLE_OF_HAN * size
    if where.is_on_top:
        first = (frame.page_height - box.y) * POINTS_PER_MM - _TOP_OF_HAN * size
    placed = []
    for number, (line, glyphs) in enumerate(lines):
        used = sum([glyph.advance for glyph in glyphs]) / 1000 * size + tracking * max(len(line) - 1, 0)
        shift = (box.width * POINTS_PER_MM - used) * _SHARE_BEFORE[where.align]
        placed.append(Line(line, glyphs, box.x * POINTS_PER_MM + shift, first - number * step, tracking))
    return Setting(size, tuple(placed))


def _wrap(text: str, advances: list[float], width: float, *, is_even: bool = True) -> list[str]:
    """Break a text into as few lines of at most ``width`` ems as the breaks allow, on request evenly filled.

    Words of letters and digits stay whole where they fit on a line; a name is
    broken after a separator where that costs no line.
    """
    filled = _break(text, advances, width, at_separator=False)
    fewest = len(filled)
    if fewest < 2 or not is_even:
        return filled
    # Even lines look composed; a last line of one character looks like a mistake.
    for at_separator in (True, False):
        even = sum(advances) / fewest
        while even <= width:
            lines = _break(text, advances, even, at_separator=at_separator)
            if len(lines) <= fewest:
                return lines
            even += 0.5
    return filled


def _break(text: str, advances: list[float], width: float, *, at_separator: bool) -> list[str]:
    lines: list[str] = []
    start, used = 0, 0.0
    for index, advance in enumerate(advances):
        if used + advance > width and index > start:
            cut = _break_before(text, start, index, at_separator=at_separator)
            lines.append(text[start:cut].strip())
            start, used = cut, sum(advances[cut:index])
        used += advance
    lines.append(text[start:].strip())
    return lines


def _break_before(text: str, start: int, index: int, *, at_separator: bool) -> int:
    """Find the last place at or before ``index`` where the line may end."""
    if at_separator:
        separator = text.rfind(_SEPARATOR, start + 1, index)
        if separator > 0:
            return separator + 1
    for cut in range(index, start, -1):
        before, after = text[cut - 1], text[cut]
        in_word = before.isascii() and after.isascii() and before.isalnum() and after.isalnum()
        if not in_word and after not in _NOT_FIRST and before not in _NOT_LAST:
            return cut
    return index
