"""Fit a text into its box: shrink, then wrap, then say that it does not fit.

Lengths are points, the origin is the lower left corner of the page, as in PDF.
Sizes go down in steps of half a point, so that neighbouring certificates look
alike. Blanks of punctuation go before a size does (punctuation.py).
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from credential.errors import InputError
from credential.schema import PARAGRAPH_MARK
from press.breaking import Cut, Run, breaks_a_name, read_run, wrap
from press.fonts import FontChain, Glyph
from press.glyphs import UNITS_PER_EM
from press.punctuation import MARKS, blank_after, blank_before, half, tightened
from press.syntax import POINTS_PER_MM
from press.template import COLUMN_MARK, Box, TextBox

_SIZE_STEP = 0.5
# Han characters fill their em square, which sits from 0.12 em below the baseline to 0.88 em above it.
_MIDDLE_OF_HAN = 0.38
_TOP_OF_HAN = 0.88
_AIR = 4.5  # points that wrapped lines leave free in the height of their box, so that they do not touch its rule
_RULE = 1.0  # points; wrapped lines stand so much higher than the middle, as a row's rule lies within its box
_SHARE_BEFORE = {"left": 0.0, "centre": 0.5, "right": 1.0}  # of the width that a line leaves free
_SLACK = 0.01  # points; for rounding, far below what an eye or a printer resolves
_MOST_STRETCH = 0.15  # em between two characters of a line that is stretched to the width of its box


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
        left, middle, width: of the box, in points: worked out once, needed for every text.
        share: of the width that a line leaves free, what stands before it.
    """

    where: TextBox
    box: Box
    chain: FontChain
    page_height: float
    left: float = field(init=False)
    middle: float = field(init=False)
    width: float = field(init=False)
    share: float = field(init=False)

    def __post_init__(self) -> None:
        box = self.box
        object.__setattr__(self, "left", box.x * POINTS_PER_MM)
        object.__setattr__(self, "middle", (self.page_height - box.y - box.height / 2) * POINTS_PER_MM)
        object.__setattr__(self, "width", box.width * POINTS_PER_MM)
        object.__setattr__(self, "share", _SHARE_BEFORE[self.where.align])


class Line(NamedTuple):
    """One line as it will be set.

    Attributes:
        text: without the spaces at which it was broken.
        glyphs: of the text, one a character; of a mark perhaps a narrower one than the chain's.
        x, y: where the first character's origin stands, points.
        tracking: points added after every character.
    """

    text: str
    glyphs: list[Glyph]
    x: float
    y: float
    tracking: float


class Setting(NamedTuple):
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
    where = frame.where
    if PARAGRAPH_MARK in text or where.indent:
        return _fit_lines(text.split(PARAGRAPH_MARK), frame, key)
    if where.column and COLUMN_MARK in text:
        return _fit_columns(text, frame, key)
    glyphs = frame.chain.glyphs(text)
    blank = after = 0
    if not MARKS.isdisjoint(text):
        glyphs = tightened(text, glyphs)
        blank, after = blank_before(glyphs[0]), blank_after(glyphs[-1])
    total = (sum([glyph.advance for glyph in glyphs]) - blank - after) / 1000
    size, gaps, tracking = where.size, len(glyphs) - 1, where.tracking
    if where.spread > gaps + 1 > 1:
        tracking = (where.spread - total) * size / gaps
    used = total * size + tracking * gaps
    if used > frame.width + _SLACK:
        return _fit_narrower(text, glyphs, frame, key)
    y = _first_baseline(frame, size, 1) if where.is_on_top else frame.middle - _MIDDLE_OF_HAN * size
    x = frame.left + (frame.width - used) * frame.share - blank * size / 1000
    return Setting(size, (Line(text, glyphs, x, y, tracking),))


def _fit_narrower(text: str, glyphs: list[Glyph], frame: Frame, key: str) -> Setting:
    """Set a text on one line without blanks or smaller, else on several lines."""
    where = frame.where
    tracking = where.tracking
    most = frame.width + _SLACK - tracking * (len(text) - 1)
    tight = glyphs if MARKS.isdisjoint(text) else [half(glyph) for glyph in glyphs]
    width, least = _width(glyphs), _width(tight)
    size = where.size
    while size >= where.one_line_size:
        if least * size <= most:
            taken = glyphs if width * size <= most else tight
            return Setting(size, (_place(taken, size, frame, tracking, _first_baseline(frame, size, 1)),))
        size -= _SIZE_STEP
    return _fit_lines([text], frame, key)


def _fit_columns(text: str, frame: Frame, key: str) -> Setting:
    """Set what stands before the column mark at the left edge, and the rest from the column on, both in one size."""
    before, _, rest = text.partition(COLUMN_MARK)
    box, where = frame.box, frame.where
    boxes = replace(box, width=where.column), replace(box, x=box.x + where.column, width=box.width - where.column)
    size = where.size
    while True:
        only = replace(where, column=0.0, size=size, one_line_size=min(size, where.one_line_size))
        first = fit(before, replace(frame, where=only, box=boxes[0]), key)
        second = fit(rest, replace(frame, where=replace(only, spread=0), box=boxes[1]), key)
        if first.size == second.size:
            return Setting(first.size, first.lines + second.lines)
        size = min(first.size, second.size)


def _fit_lines(paragraphs: list[str], frame: Frame, key: str) -> Setting:
    where = frame.where
    runs = [read_run(one, frame.chain) for one in paragraphs]
    size = where.one_line_size
    while where.lines > 1 and size >= where.min_size:
        cuts = _cut(runs, size, frame)
        if cuts:
            # A name in two halves reads better a little smaller than broken within one of its parts.
            if not where.is_filled and _breaks_a_name(runs, cuts):
                for smaller in (size - _SIZE_STEP, size - 2 * _SIZE_STEP):
                    tried = _cut(runs, smaller, frame) if smaller >= where.min_size else []
                    if tried and not _breaks_a_name(runs, tried):
                        return _place_lines(list(zip(runs, tried, strict=True)), smaller, frame)
            return _place_lines(list(zip(runs, cuts, strict=True)), size, frame)
        size -= _SIZE_STEP
    raise Overflow(key, sum(map(len, paragraphs)))


def _breaks_a_name(runs: list[Run], cuts: list[list[Cut]]) -> bool:
    return any(breaks_a_name(run, lines) for run, lines in zip(runs, cuts, strict=True))


def _cut(runs: list[Run], size: float, frame: Frame) -> list[list[Cut]]:
    """Break paragraphs at a size; nothing where the lines are more than the box holds."""
    where = frame.where
    # A wrapped text may be as large as the rules allow for one line, then smaller; its height must fit too.
    height = frame.box.height * POINTS_PER_MM - _AIR + _SLACK
    fitting = min(where.lines, 1 + int((height - size) / (size * where.leading)))
    width = (frame.width + _SLACK) / size * UNITS_PER_EM
    indent = where.indent * UNITS_PER_EM
    # Breaking is slow; no way of breaking needs fewer lines than the characters fill.
    if sum([1 + int((run.least + indent - 1) / width) for run in runs]) > fitting:
        return []
    cuts = [wrap(run, width, indent=indent, is_even=not where.is_filled) for run in runs]
    return cuts if sum(map(len, cuts)) <= fitting else []


def _place_lines(paragraphs: list[tuple[Run, list[Cut]]], size: float, frame: Frame) -> Setting:
    where = frame.where
    lines: list[Line] = []
    y = _first_baseline(frame, size, sum(len(cuts) for _, cuts in paragraphs))
    for run, cuts in paragraphs:
        indent, last = where.indent * size, cuts[-1]
        for cut in cuts:
            start, end, is_tight = cut
            text, glyphs, blank = run.text[start:end], run.glyphs[start:end], 0
            width = run.sums[end] - run.sums[start]
            if is_tight:
                glyphs = [half(glyph) for glyph in glyphs]
                width -= run.given[end] - run.given[start]
            elif glyphs:
                blank = run.befores[start]
                width -= blank + run.afters[end - 1]
            free = frame.width - indent - width * size / UNITS_PER_EM
            tracking = _stretch(text, free, size) if where.is_filled and cut is not last else 0.0
            x = frame.left + indent - blank * size / UNITS_PER_EM
            lines.append(Line(text, glyphs, x if tracking else x + free * frame.share, y, tracking))
            y -= size * where.leading
            indent = 0.0
    return Setting(size, tuple(lines))


def _stretch(text: str, free: float, size: float) -> float:
    """Share what a line of a paragraph leaves free among its characters; words with spaces stay ragged."""
    if len(text) < 2 or free < 0 or " " in text:
        return 0.0
    each = free / (len(text) - 1)
    return each if each <= _MOST_STRETCH * size else 0.0


def _place(glyphs: list[Glyph], size: float, frame: Frame, tracking: float, y: float) -> Line:
    used = _width(glyphs) * size + tracking * max(len(glyphs) - 1, 0)
    blank = blank_before(glyphs[0]) * size / UNITS_PER_EM if glyphs else 0.0
    text = "".join([glyph.text for glyph in glyphs])
    return Line(text, glyphs, frame.left + (frame.width - used) * frame.share - blank, y, tracking)


def _width(glyphs: list[Glyph]) -> float:
    """Give the width of a line in ems, without the blanks at its ends."""
    if not glyphs:
        return 0.0
    total = sum([glyph.advance for glyph in glyphs])
    return (total - blank_before(glyphs[0]) - blank_after(glyphs[-1])) / UNITS_PER_EM


def _first_baseline(frame: Frame, size: float, count: int) -> float:
    if frame.where.is_on_top:
        return (frame.page_height - frame.box.y) * POINTS_PER_MM - _TOP_OF_HAN * size
    raised = _RULE if count > 1 else 0.0
    return frame.middle + raised + size * frame.where.leading * (count - 1) / 2 - _MIDDLE_OF_HAN * size
