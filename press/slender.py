"""Characters with fewer bytes, for the font that a prefix carries.

All certificates of a batch carry the prefix when they are handed out, so its
font is worth a second of work once. Outlines are redrawn with fewer points and
on a coarser grid, within bounds given on paper that are finer than a 600-dpi
printer's dot. What a certificate brings itself keeps the face's own outlines.
docs/decisions/0008 has what that costs and saves.
"""

import math
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

from press.glyphs import UNITS_PER_EM, Glyph, make_glyph
from press.pieces import Contour, Point, half_controls, simplified

TOLERANCE_MM: Final = 0.015  # how far an outline may leave the original: a third of a dot of a 600-dpi printer
GRID_MM: Final = 0.022  # and the distance of the lines that its points then come to lie on: less than 1,150 dpi
_MM_PER_POINT: Final = 25.4 / 72
_MAX_STEP: Final = 8
_PASSES: Final = 3
_UNSEEN_BITS: Final = 12.0  # what a step costs that nothing else makes; if it needs two bytes, eight more
_OFF_BITS: Final = 4.0  # what a whole grid line's distance from the true place costs, at one from it
_BROKEN_BITS: Final = 50.0  # what it costs to make a straight line along an axis crooked
_SAME: Final = 0.5  # units between two points of such a line
_BYTE: Final = 255
_KEPT_FONTS: Final = 4


@dataclass(frozen=True, slots=True)
class _Dot:
    """A point of a TrueType outline."""

    place: Point
    is_on: bool


@lru_cache(_KEPT_FONTS)
def slender(glyphs: tuple[Glyph, ...], sizes: tuple[float, ...]) -> list[Glyph]:
    """Redraw glyphs, each for the largest size in points that it is set in.

    The same glyphs and sizes, in the same order, give the same bytes. A second's work: the layouts of a template
    share it.
    """
    tolerances = [TOLERANCE_MM / _unit_mm(size) for size in sizes]
    drawn = simplified([glyph.outline for glyph in glyphs], tolerances, is_halved=True)
    dots = [
        _in_order([_dots(contour, tolerance / 2) for contour in contours])
        for contours, tolerance in zip(drawn, tolerances, strict=True)
    ]
    steps = [grid_step(size) for size in sizes]
    rounded = zip(*[_rounded(dots, steps, axis) for axis in (0, 1)], strict=True)
    return [
        make_glyph(glyph.text, glyph.face, glyph.gid, glyph.advance, _entry(contours, xs, ys)) if contours else glyph
        for glyph, contours, (xs, ys) in zip(glyphs, dots, rounded, strict=True)
    ]


def grid_step(size: float) -> int:
    """Distance of a glyph's grid lines in 1/1000 em at a size in points: a power of two."""
    step = 1
    while step < _MAX_STEP and 2 * step * _unit_mm(size) <= GRID_MM:
        step *= 2
    return step


def _unit_mm(size: float) -> float:
    return size * _MM_PER_POINT / UNITS_PER_EM


def _dots(contour: Contour, slack: float) -> list[_Dot]:
    """Write pieces as points; a cubic piece is two quadratic ones. What lies between two controls is left out."""
    dots: list[_Dot] = []
    start = contour.start
    for piece in contour.pieces:
        controls = piece.controls
        if len(controls) == 2:
            controls = half_controls(start, piece)
        dots += [*[_Dot(control, is_on=False) for control in controls], _Dot(piece.end, is_on=True)]
        start = piece.end
    kept = []
    for place, dot in enumerate(dots):
        before, after = dots[place - 1], dots[(place + 1) % len(dots)]
        is_implied = dot.is_on and not before.is_on and not after.is_on
        if not is_implied or math.dist(_middle(before.place, after.place), dot.place) > slack:
            kept.append(dot)
    return kept


def _middle(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def _in_order(contours: Iterable[list[_Dot]]) -> list[list[_Dot]]:
    """Begin strokes at their top and put short ones first: strokes of one form then are the same bytes more often."""
    turned = []
    for dots in contours:
        on_curve = [place for place, dot in enumerate(dots) if dot.is_on]
        start = min(on_curve, key=lambda place: (-dots[place].place[1], dots[place].place[0]), default=0)
        turned.append(dots[start:] + dots[:start])
    return sorted(turned, key=len)


def _rounded(glyphs: Sequence[Sequence[Sequence[_Dot]]], steps: Sequence[int], axis: int) -> list[list[int]]:
    """Put one coordinate of all points on the grid, so that the ways between them recur.

    A point goes to either neighbouring line, whichever makes the font's bytes
    fewer for the distance; how often a way occurs is counted anew in each pass.
    """
    wanted = [
        [dot.place[axis] / step for dots in glyph for dot in dots] for glyph, step in zip(glyphs, steps, strict=True)
    ]
    rounded = [[round(value) for value in values] for values in wanted]
    for _ in range(_PASSES):
        ways: Counter[int] = Counter()
        for values, step in zip(rounded, steps, strict=True):
            ways.update((here - before) * step for before, here in zip([0, *values], values, strict=False))
        total = math.log2(sum(ways.values()) or 1)
        bits = {way: total - math.log2(count) for way, count in ways.items()}
        rounded = [_cheapest(values, bits, step) for values, step in zip(wanted, steps, strict=True)]
    for glyph, places, lines, step in zip(glyphs, wanted, rounded, steps, strict=True):
        _close(glyph, places, lines, step)
    return [[value * step for value in values] for values, step in zip(rounded, steps, strict=True)]


def _close(glyph: Sequence[Sequence[_Dot]], wanted: Sequence[float], rounded: list[int], step: int) -> None:
    """Keep the line from a contour's end to its start along its axis too, which is no part of the chain."""
    first = 0
    for dots in glyph:
        place = (first + len(dots)) - 1
        before = wanted[first]
        while place > first and abs(wanted[place] - before) * step < _SAME:
            rounded[place], before = rounded[first], wanted[place]
            place -= 1
        first += len(dots)


def _cheapest(wanted: Sequence[float], bits: Mapping[int, float], step: int) -> list[int]:
    """Choose a grid line for each value of a chain (Viterbi's algorithm)."""
    costs = {0: 0.0}
    ways: list[dict[int, int]] = []
    last = 0.0
    for value in wanted:
        low, is_same = math.floor(value), abs(value - last) * step < _SAME
        here: dict[int, float] = {}
        way: dict[int, int] = {}
        for line in (low,) if value == low else (low, low + 1):
            options = []
            for before, cost in costs.items():
                delta = (line - before) * step
                known = bits.get(delta)
                if known is None:
                    known = _UNSEEN_BITS if -_BYTE <= delta <= _BYTE else _UNSEEN_BITS + 8
                options.append((cost + known + (_BROKEN_BITS if delta and is_same else 0), before))
            best = min(options)
            here[line], way[line] = best[0] + _OFF_BITS * (line - value) ** 2, best[1]
        ways.append(way)
        costs, last = here, value
    line = min(costs, key=costs.__getitem__)
    chosen = []
    for way in reversed(ways):
        chosen.append(line)
        line = way[line]
    return chosen[::-1]


def _entry(contours: Sequence[Sequence[_Dot]], xs: Sequence[int], ys: Sequence[int]) -> bytes:
    """Write a simple ``glyf`` entry (OpenType, glyf), flags not repeated: deflate does that better."""
    flags = bytearray(dot.is_on for dots in contours for dot in dots)
    coordinates = []
    for values, short, same in ((xs, 0x02, 0x10), (ys, 0x04, 0x20)):
        written, before = bytearray(), 0
        for place, value in enumerate(values):
            delta, before = value - before, value
            if delta == 0:
                flags[place] |= same
            elif -_BYTE <= delta <= _BYTE:
                flags[place] |= short | (same if delta > 0 else 0)
                written.append(abs(delta))
            else:
                written += struct.pack(">h", delta)
        coordinates.append(written)
    last_points = [end - 1 for end in accumulate(map(len, contours))]
    head = struct.pack(">5h", len(contours), min(xs), min(ys), max(xs), max(ys))
    return b"".join((head, struct.pack(f">{len(last_points)}H", *last_points), b"\0\0", flags, *coordinates))
