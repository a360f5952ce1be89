"""Outlines as few lines and curves, each as near to the original as is asked for.

A face's outlines have about a hundred points a character, many of them for steps
that no printer can draw. Between two corners every span of up to eight segments
is tried as one line, one quadratic and one cubic curve (the handles by least
squares, as in P. J. Schneider, "An Algorithm for Automatically Fitting Digitized
Curves", Graphics Gems, 1990); then the cheapest chain of spans is taken. All
spans of all outlines are tried together, as arrays.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from fontTools.ttLib.tables._g_l_y_f import Glyph as DecodedGlyph

Point: TypeAlias = tuple[float, float]
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Indices: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]

_LONGEST: Final = 8  # segments in one span
_CORNER: Final = math.cos(math.radians(30))  # a sharper turn is a corner, and stays
_SAMPLES: Final = np.array([0.25, 0.5, 0.75, 1.0])  # where a segment is held against what replaces it
_FLAT: Final = 1e-9
_PARALLEL: Final = 1e-3  # sine of the angle between tangents that have no useful crossing
_HALF_CONTROL: Final = 0.75  # of the way from an end of a cubic curve to its handle
_STEM: Final = 60.0  # units of a line along an axis that must stay along it
_SAME: Final = 0.5  # units; ends nearer than that across an axis make a line along it
# Points of a font that each kind of piece takes; a line along an axis leaves one of two coordinates out.
_LINE, _AXIS_LINE, _CURVE, _CUBIC = 1.0, 0.7, 2.0, 3.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A line, a quadratic curve or a cubic one, by its number of controls (0, 1, 2); it begins where the last ended."""

    controls: tuple[Point, ...]
    end: Point


@dataclass(frozen=True, slots=True)
class Contour:
    """A closed chain of pieces."""

    start: Point
    pieces: list[Piece]


_Option: TypeAlias = tuple[float, Piece]  # what a piece costs, and the piece
_Segment: TypeAlias = tuple[Point, Point | None, Point]  # start, control or None for a line, end


def simplified(outlines: Sequence[bytes], tolerances: Sequence[float], *, is_halved: bool) -> list[list[Contour]]:
    """Take ``glyf`` entries apart into contours of few pieces.

    Args:
        outlines: simple entries; an empty one has no contours.
        tolerances: for each, how far in its units a point of the original may lie from what replaces it.
        is_halved: cubic curves are going to be written as two quadratic ones (``half_controls``).
    """
    runs: list[list[_Segment]] = []
    allowed: list[float] = []
    owners: list[tuple[int, int]] = []
    for index, (outline, tolerance) in enumerate(zip(outlines, tolerances, strict=True)):
        for part, segments in enumerate(_contours(outline) if outline else ()):
            for run in _runs(segments):
                runs.append(run)
                allowed.append(tolerance)
                owners.append((index, part))
    contours: list[list[Contour]] = [[] for _ in outlines]
    if not runs:
        return contours
    options = _Spans(runs, allowed, is_halved=is_halved).options()
    last = None
    for owner, run, pieces in zip(owners, runs, _cheapest(runs, options), strict=True):
        if owner != last:
            contours[owner[0]].append(Contour(run[0][0], []))
            last = owner
        contours[owner[0]][-1].pieces.extend(pieces)
    return contours


def _contours(outline: bytes) -> Iterator[list[_Segment]]:
    """Read an entry's contours, its implied points put in (OpenType, glyf)."""
    decoded = DecodedGlyph(outline)
    decoded.expand(None)
    coordinates, ends, flags = decoded.getCoordinates(None)
    for first, last in pairwise((-1, *ends)):
        points: list[tuple[Point, bool]] = []
        before, was_on = coordinates[last], bool(flags[last] & 1)
        for index in range(first + 1, last + 1):
            here, is_on = coordinates[index], bool(flags[index] & 1)
            if not is_on and not was_on:
                points.append((_middle(before, here), True))
            points.append(((here[0], here[1]), is_on))
            before, was_on = here, is_on
        start = next(place for place, (_, is_on) in enumerate(points) if is_on)
        segments = list(_segments([*points[start:], *points[: start + 1]]))
        if segments:
            yield segments


def _middle(one: Sequence[float], other: Sequence[float]) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def _segments(points: Sequence[tuple[Point, bool]]) -> Iterator[_Segment]:
    start, control = points[0][0], None
    for point, is_on in points[1:]:
        if not is_on:
            control = point
            continue
        if point != start:
            yield start, None if control is None or _is_on_line(start, control, point) else control, point
        start, control = point, None


def _is_on_line(start: Point, control: Point, end: Point) -> bool:
    x, y, dx, dy = control[0] - start[0], control[1] - start[1], end[0] - start[0], end[1] - start[1]
    return x * dy == y * dx and 0 <= x * dx + y * dy <= dx * dx + dy * dy


def _runs(segments: list[_Segment]) -> Iterator[list[_Segment]]:
    """Cut a contour at its corners; one without corners is cut where it begins."""
    corners = [place for place in range(len(segments)) if _is_corner(segments[place - 1], segments[place])] or [0]
    turned = segments[corners[0] :] + segments[: corners[0]]
    for start, end in pairwise([place - corners[0] for place in corners] + [len(segments)]):
        yield turned[start:end]


def _is_corner(before: _Segment, after: _Segment) -> bool:
    one = _direction(before[1] or before[0], before[2])
    other = _direction(after[0], after[1] or after[2])
    return one[0] * other[0] + one[1] * other[1] < _CORNER


def _direction(start: Point, end: Point) -> Point:
    x, y = end[0] - start[0], end[1] - start[1]
    length = math.hypot(x, y) or 1.0
    return x / length, y / length


def _cheapest(runs: Sequence[Sequence[_Segment]], options: Mapping[tuple[int, int], _Option]) -> Iterator[list[Piece]]:
    """Give every run's cheapest chain of spans."""
    first = 0
    for run in runs:
        count = len(run)
        costs = [0.0, *[math.inf] * count]
        best: list[tuple[int, Piece] | None] = [None] * (count + 1)
        for start in range(count):
            for length in range(1, min(_LONGEST, count - start) + 1):
                option = options.get((first + start, length))
                if option is not None and costs[start] + option[0] < costs[start + length]:
                    costs[start + length] = costs[start] + option[0]
                    best[start + length] = (start, option[1])
        chain: list[Piece] = []
        step = best[count]
        while step is not None:
            chain.append(step[1])
            step = best[step[0]]
        yield chain[::-1]
        first += count


class _Spans:
    """All segments as arrays, and what each span of them may become."""

    def __init__(self, runs: Sequence[Sequence[_Segment]], tolerances: Sequence[float], *, is_halved: bool) -> None:
        self.is_halved = is_halved
        # In a font a quadratic curve has a point less; a PDF's path writes every curve as a cubic one.
        self.curve_cost = _CURVE if is_halved else _CUBIC
        segments = [segment for run in runs for segment in run]
        self.starts = np.array([start for start, _, _ in segments], float)
        self.ends = np.array([end for _, _, end in segments], float)
        self.controls = np.array([control or _middle(start, end) for start, control, end in segments], float)
        self.leaving, self.arriving = _unit(self.controls - self.starts), _unit(self.ends - self.controls)
        t = _SAMPLES[None, :, None]
        self.samples = (1 - t) ** 2 * self.starts[:, None] + 2 * t * (1 - t) * self.controls[:, None]
        self.samples += t * t * self.ends[:, None]
        ways = np.abs(self.ends - self.starts)
        is_straight = np.array([control is None for _, control, _ in segments])
        self.is_stem = is_straight & (ways.min(axis=1) < _SAME) & (ways.max(axis=1) > _STEM)
        lengths = [len(run) for run in runs]
        self.tolerances = np.repeat(np.array(tolerances, float), lengths)
        self.left_in_run = np.concatenate([np.arange(length, 0, -1) for length in lengths])
        self.found: dict[tuple[int, int], _Option] = {}

    def options(self) -> dict[tuple[int, int], _Option]:
        """Give cost and piece by first segment and length of the span."""
        for length in range(1, _LONGEST + 1):
            at = self.without_lines(np.nonzero(self.left_in_run >= length)[0], length)
            if length == 1:
                for index in at:
                    self.keep(index, 1, self.curve_cost, self.controls[index])
                continue
            at = self.without_curves(at, length)
            self.take_cubics(at, length)
        return self.found

    def keep(self, first: np.intp, length: int, cost: float, *controls: Floats) -> None:
        points = [(float(x), float(y)) for x, y in (*controls, self.ends[first + length - 1])]
        self.found[int(first), length] = (cost, Piece(tuple(points[:-1]), points[-1]))

    def without_lines(self, at: Indices, length: int) -> Indices:
        """Take the spans that are as good as straight, and give the others."""
        start, points = self.starts[at], self.points_of(at, length)
        chord, allowed = self.ends[at + length - 1] - start, self.tolerances[at]
        reach = np.linalg.norm(chord, axis=1)
        along = _unit(chord)
        offset = points - start[:, None]
        across = np.abs(offset[..., 0] * along[:, None, 1] - offset[..., 1] * along[:, None, 0]).max(axis=1)
        ahead = (offset * along[:, None]).sum(axis=2)
        inside = (ahead >= -allowed[:, None]) & (ahead <= (reach + allowed)[:, None])
        is_along_axis = (np.abs(chord) < _SAME).any(axis=1)
        # A stem stays upright, though a line aslant to beyond its end would be near enough.
        has_stem = np.any([self.is_stem[at + step] for step in range(length)], axis=0)
        is_line = (reach > _FLAT) & (across <= allowed) & inside.all(axis=1) & (is_along_axis | ~has_stem)
        for place in np.nonzero(is_line)[0]:
            self.keep(at[place], length, _AXIS_LINE if is_along_axis[place] else _LINE)
        others: Indices = at[~is_line & (reach > _FLAT)] if length > 1 else at[~is_line]
        return others

    def without_curves(self, at: Indices, length: int) -> Indices:
        """Take the spans that one curve between their tangents follows, and give the others."""
        ends, points = self.ends_of(at, length), self.points_of(at, length)
        ahead, back = ends.crossing()
        controls = ends.start + ahead[:, None] * ends.leaving
        curves = _quadratic(ends.start, controls, ends.end)
        error = curves.distances(points, _by_length(ends.start, points)).max(axis=1, initial=0)
        is_curve = (ahead > 0) & (back > 0) & (error <= self.tolerances[at])
        for place in np.nonzero(is_curve)[0]:
            self.keep(at[place], length, self.curve_cost, controls[place])
        others: Indices = at[~is_curve]
        return others

    def take_cubics(self, at: Indices, length: int) -> None:
        """Take the spans that one cubic curve with their tangents follows."""
        ends, points = self.ends_of(at, length), self.points_of(at, length)
        t = _by_length(ends.start, points)
        ahead, back = ends.handles(points, t)
        t = ends.curves(ahead, back).nearer(points, t)
        ahead, back = ends.handles(points, t)
        curves = ends.curves(ahead, back)
        distances = curves.halves_distances if self.is_halved else curves.distances
        error = distances(points, t).max(axis=1, initial=0)
        is_cubic = (ahead > 0) & (back > 0) & (error <= self.tolerances[at])
        for place in np.nonzero(is_cubic)[0]:
            self.keep(at[place], length, _CUBIC, curves.one[place], curves.other[place])

    def ends_of(self, at: Indices, length: int) -> "_Ends":
        last = at + length - 1
        return _Ends(self.starts[at], self.leaving[at], self.arriving[last], self.ends[last])

    def points_of(self, at: Indices, length: int) -> Floats:
        return np.concatenate([self.samples[at + step] for step in range(length)], axis=1)


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1)
    units: Floats = vectors / np.where(lengths > _FLAT, lengths, 1)[:, None]
    return units


def _by_length(start: Floats, points: Floats) -> Floats:
    """Guess where on a curve points lie from the way to each."""
    steps = np.linalg.norm(np.diff(np.concatenate([start[:, None], points], axis=1), axis=1), axis=2)
    along = np.cumsum(steps, axis=1)
    parameters: Floats = along / along[:, -1:]
    return parameters


class _Curves(NamedTuple):
    """Cubic curves, one for each span: starts, handles, ends."""

    start: Floats
    one: Floats
    other: Floats
    end: Floats

    def points(self, t: Floats) -> Floats:
        s, u = t[..., None], 1 - t[..., None]
        points: Floats = u**3 * self.start[:, None] + 3 * s * u**2 * self.one[:, None]
        points += 3 * s**2 * u * self.other[:, None] + s**3 * self.end[:, None]
        return points

    def nearer(self, points: Floats, t: Floats) -> Floats:
        """Move each parameter towards the foot of its point: one step of Newton's method."""
        s, u = t[..., None], 1 - t[..., None]
        slope = u**2 * (self.one - self.start)[:, None] + 2 * s * u * (self.other - self.one)[:, None]
        slope = 3 * (slope + s**2 * (self.end - self.other)[:, None])
        square = (slope * slope).sum(axis=2)
        ahead = ((self.points(t) - points) * slope).sum(axis=2)
        moved: Floats = np.clip(t - ahead / np.where(square > 0, square, 1), 0, 1)
        return moved

    def distances(self, points: Floats, t: Floats) -> Floats:
        """Give how far each point lies from its span's curve."""
        for _ in range(2):
            t = self.nearer(points, t)
        distances: Floats = np.linalg.norm(self.points(t) - points, axis=2)
        return distances

    def halves_distances(self, points: Floats, t: Floats) -> Floats:
        """Give how far each point lies from the two quadratic curves that stand for its span's curve."""
        one, other = (
            corner + _HALF_CONTROL * (handle - corner) for corner, handle in zip(self[::3], self[1:3], strict=True)
        )
        middle = (one + other) / 2
        first = _quadratic(self.start, one, middle).distances(points, np.clip(2 * t, 0, 1))
        second = _quadratic(middle, other, self.end).distances(points, np.clip(2 * t - 1, 0, 1))
        return np.minimum(first, second)


def _quadratic(start: Floats, control: Floats, end: Floats) -> _Curves:
    """Write quadratic curves as cubic ones, whose handles go two thirds of the way to the control."""
    return _Curves(start, start + (control - start) * 2 / 3, end + (control - end) * 2 / 3, end)


def half_controls(start: Point, piece: Piece) -> tuple[Point, Point]:
    """Give the controls of the two quadratic curves that stand for a cubic one; they meet half-way between these."""
    (one_x, one_y), (other_x, other_y) = piece.controls
    (start_x, start_y), (end_x, end_y) = start, piece.end
    return (
        (start_x + _HALF_CONTROL * (one_x - start_x), start_y + _HALF_CONTROL * (one_y - start_y)),
        (end_x + _HALF_CONTROL * (other_x - end_x), end_y + _HALF_CONTROL * (other_y - end_y)),
    )


class _Ends(NamedTuple):
    """Where spans begin and end, and which way they leave and arrive."""

    start: Floats
    leaving: Floats
    arriving: Floats
    end: Floats

    def curves(self, ahead: Floats, back: Floats) -> _Curves:
        """Draw cubic curves with handles of these lengths."""
        one, other = self.start + ahead[:, None] * self.leaving, self.end - back[:, None] * self.arriving
        return _Curves(self.start, one, other, self.end)

    def crossing(self) -> tuple[Floats, Floats]:
        """Give the ways from start and end to where the tangents cross; 0 where they do not."""
        turn = self.leaving[:, 0] * self.arriving[:, 1] - self.leaving[:, 1] * self.arriving[:, 0]
        turn = np.where(np.abs(turn) > _PARALLEL, turn, math.inf)
        chord = self.end - self.start
        ahead = (chord[:, 0] * self.arriving[:, 1] - chord[:, 1] * self.arriving[:, 0]) / turn
        back = (self.leaving[:, 0] * chord[:, 1] - self.leaving[:, 1] * chord[:, 0]) / turn
        return ahead, back

    def handles(self, points: Floats, t: Floats) -> tuple[Floats, Floats]:
        """Solve for the lengths of the handles by least squares; 0 where there is no solution."""
        u = 1 - t
        one = (3 * t * u**2)[..., None] * self.leaving[:, None]
        other = (-3 * t**2 * u)[..., None] * self.arriving[:, None]
        rest = points - (u**3 + 3 * t * u**2)[..., None] * self.start[:, None]
        rest -= (t**3 + 3 * t**2 * u)[..., None] * self.end[:, None]
        a, b, c = (one * one).sum((1, 2)), (one * other).sum((1, 2)), (other * other).sum((1, 2))
        x, y = (one * rest).sum((1, 2)), (other * rest).sum((1, 2))
        determinant = a * c - b * b
        determinant = np.where(np.abs(determinant) > _FLAT, determinant, math.inf)
        return (x * c - y * b) / determinant, (a * y - b * x) / determinant
