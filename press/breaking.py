"""Break a paragraph into lines: no mark where it may not stand, no word cut, no character left alone.

Widths are in 1/1000 em. Whether lines are filled one after another or evenly
is the caller's choice.
"""

from typing import NamedTuple

from press.fonts import FontChain, Glyph
from press.punctuation import MARKS, NOT_FIRST, NOT_LAST, blank_after, blank_before, half, tightened

_SEPARATOR = "·"  # between the parts of a name, U+00B7
_EVEN_STEP = 500


class Run(NamedTuple):
    """A paragraph ready to be broken: one entry a character in each list.

    Attributes:
        befores, afters: the blank that goes at the beginning or the end of a line.
        gives: the blank that goes where a line would not fit otherwise.
        least: width of the whole without spaces and blanks: no way of breaking needs less.
    """

    text: str
    glyphs: list[Glyph]
    advances: list[int]
    befores: list[int]
    afters: list[int]
    gives: list[int]
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
    glyphs = chain.glyphs(text)
    if MARKS.isdisjoint(text):
        advances = [glyph.advance for glyph in glyphs]
        none = [0] * len(text)
        befores, afters, gives = none, none, none
    else:
        glyphs = tightened(text, glyphs)
        advances = [glyph.advance for glyph in glyphs]
        befores = [blank_before(glyph) for glyph in glyphs]
        afters = [blank_after(glyph) for glyph in glyphs]
        gives = [glyph.advance - half(glyph).advance for glyph in glyphs]
    spaces = sum([advance for char, advance in zip(text, advances, strict=True) if char.isspace()])
    return Run(text, glyphs, advances, befores, afters, gives, max(1, sum(advances) - sum(gives) - spaces))


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
        even = sum(run.advances) / fewest
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
    text, advances = run.text, run.advances
    if not text:
        return [Cut(0, 0, is_tight=False)]
    lines: list[Cut] = []
    start, used, given, tight_up_to = 0, indent - run.befores[0], 0, -1
    for index, advance in enumerate(advances):
        if used + advance - run.afters[index] > width and index > start:
            if text[index] in NOT_FIRST and used + advance - given - run.gives[index] <= width:
                tight_up_to = index  # rather than a mark at the beginning of a line, or a character pulled down to it
            else:
                cut = _break_before(text, start, index, at_separator=at_separator)
                lines.append(_stripped(text, start, cut, is_tight=start <= tight_up_to < cut))
                start, used = cut, sum(advances[cut:index]) - run.befores[cut]
                given = sum(run.gives[cut:index])
        used += advance
        given += run.gives[index]
    lines.append(_stripped(text, start, len(text), is_tight=start <= tight_up_to))
    return lines


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
