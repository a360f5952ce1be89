"""Break a paragraph into lines: no mark where it may not stand, no word cut, no character left alone.

Widths are in 1/1000 em. Whether lines are filled one after another or evenly
is the caller's choice.
"""

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from press.fonts import FontChain, Glyph
from press.punctuation import MARKS, NOT_FIRST, NOT_LAST, blank_after, blank_before, half, marks_in, tightened

_SEPARATOR = "·"  # between the parts of a name, U+00B7
_EVEN_STEP = 500


class Run(NamedTuple):
    """A paragraph ready to be broken.

    Attributes:
        glyphs: one a character.
        befores, afters: the blank of each that goes at the beginning or the end of a line.
        sums: width of what stands before each character, and of the whole.
        given: likewise, the blanks that go where a line would not fit otherwise.
        least: width of the whole without spaces and blanks: no way of breaking needs less.
    """

    text: str
    glyphs: list[Glyph]
    sums: list[int]
    given: list[int]
    befores: list[int]
    afters: list[int]
    least: int


class Cut(NamedTuple):
    """One line of a run.

    Attributes:
        start, end: places in the text, without the spaces at the ends.
        is_tight: the blanks of its marks go.
    """

    start: int
    end: int
    is_tight: bool


def read_run(text: str, chain: FontChain) -> Run:
    """Measure a paragraph.

    Raises:
        MissingGlyph: a character has no glyph.
    """
    glyphs = tightened(text, chain.glyphs(text))
    advances = [glyph.advance for glyph in glyphs]
    befores, afters, gives = ([0] * len(text) for _ in range(3))
    for index in marks_in(text):
        glyph = glyphs[index]
        befores[index], afters[index] = blank_before(glyph), blank_after(glyph)
        gives[index] = glyph.advance - half(glyph).advance
    sums, given = list(accumulate(advances, initial=0)), list(accumulate(gives, initial=0))
    least = sums[-1] - given[-1]
    if any(map(str.isspace, text)):
        least -= sum([advance for char, advance in zip(text, advances, strict=True) if char.isspace()])
    return Run(text, glyphs, sums, given, befores, afters, max(1, least))


def wrap(run: Run, width: float, *, indent: float = 0, is_even: bool = True) -> list[Cut]:
    """Break a run into as few lines of at most ``width`` as the breaks allow, on request evenly filled.

    Words of letters and digits stay whole where they fit on a line; a name is
    broken after a separator where that costs no line.
    """
    filled = _break(run, width, indent, at_separator=False)
    fewest = len(filled)
    if fewest < 2:
        return filled
    if not is_even:
        return _with_company(run, filled)
    # Even lines look composed; a last line of one character looks like a mistake.
    for at_separator in (True, False):
        even = run.sums[-1] / fewest
        while even <= width:
            lines = _break(run, even, indent, at_separator=at_separator)
            if len(lines) <= fewest and not (at_separator and breaks_a_name(run, lines)):
                return lines
            even += _EVEN_STEP
    return filled


def breaks_a_name(run: Run, cuts: list[Cut]) -> bool:
    """Whether a line of a name with separators ends within one of its parts."""
    return _SEPARATOR in run.text and any(run.text[cut.end - 1] != _SEPARATOR for cut in cuts[:-1])


def _break(run: Run, width: float, indent: float, *, at_separator: bool) -> list[Cut]:
    text, sums, given = run.text, run.sums, run.given
    if not text:
        return [Cut(0, 0, is_tight=False)]
    lines: list[Cut] = []
    start = 0
    while True:
        room = sums[start] + width - indent
        # The first character that the line has no room for, found by halving.
        index = max(bisect_right(sums, room + run.befores[start]) - 1, start + 1)
        if index < len(text) and sums[index + 1] - run.afters[index] <= room + run.befores[start]:
            index += 1
        # Rather than a mark at the beginning of a line, or a character pulled down to it, all blanks go.
        tight_up_to = -1
        while index < len(text) and text[index] in NOT_FIRST:
            if sums[index + 1] - (given[index + 1] - given[start]) > room:
                break
            tight_up_to = index
            index += 1
        if index >= len(text):
            lines.append(_stripped(text, start, len(text), is_tight=tight_up_to >= 0))
            return lines
        cut = _break_before(text, start, index, at_separator=at_separator)
        lines.append(_stripped(text, start, cut, is_tight=0 <= tight_up_to < cut))
        start, indent = cut, 0


def _stripped(text: str, start: int, end: int, *, is_tight: bool) -> Cut:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Cut(start, end, is_tight)


def _with_company(run: Run, lines: list[Cut]) -> list[Cut]:
    """Give a character that is alone on the last line of a paragraph another one from the line before."""
    before, last = lines[-2:]
    letters = [char for char in run.text[last.start : last.end] if char not in MARKS]
    if len(letters) != 1 or letters[0].isascii() or last.start - before.start < 3:
        return lines
    cut = _break_before(run.text, before.start, last.start - 1, at_separator=False)
    head = _stripped(run.text, before.start, cut, is_tight=before.is_tight)
    return [*lines[:-2], head, _stripped(run.text, cut, last.end, is_tight=False)]


def _break_before(text: str, start: int, index: int, *, at_separator: bool) -> int:
    """Find the last place at or before ``index`` where the line may end."""
    if at_separator:
        separator = text.rfind(_SEPARATOR, start + 1, index)
        if separator > 0:
            return separator + 1
    for cut in range(index, start, -1):
        before, after = text[cut - 1], text[cut]
        in_word = before.isascii() and after.isascii() and before.isalnum() and after.isalnum()
        # A number stays with what it counts: 06月, 40学时.
        in_word |= before.isascii() and before.isdigit() and after.isalpha()
        if not in_word and after not in NOT_FIRST and before not in NOT_LAST:
            return cut
    return index
