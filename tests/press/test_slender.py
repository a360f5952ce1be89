"""A prefix's outlines keep to what the faces draw, within what is said on paper."""

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fontTools.misc.transform import Identity
from fontTools.pens.recordingPen import DecomposingRecordingPen, RecordingPen
from fontTools.ttLib.tables._g_l_y_f import Glyph as DecodedGlyph

from press import artwork as artwork_module
from press import pieces as pieces_module
from press import prefix as prefix_module
from press import prefix_cache
from press import slender as slender_module
from press.fonts import FontLibrary, Glyph, subset_font
from press.look import render
from press.outline import draw_character
from press.pieces import Piece, half_controls, simplified
from press.prefix_cache import cache_key
from press.slender import GRID_MM, TOLERANCE_MM, grid_step, slender
from press.syntax import POINTS_PER_MM
from tests.press.certificates import make_press, print_certificate

CHARACTERS = "专术职格证〇（O8g@&,龘"
FACES = ("song", "song-bold", "kai")


def mm(units: float, size: float) -> float:
    return units * size / POINTS_PER_MM / 1000


def bezier(points: list[tuple[float, float]]) -> np.ndarray:
    """Points on a curve of any degree (de Casteljau); a line's end is enough."""
    if len(points) == 2:
        return np.array(points[1:], float)
    t = np.linspace(0, 1, 13)[1:, None]
    level = [np.array(point, float) for point in points]
    while len(level) > 1:
        level = [(1 - t) * one + t * other for one, other in pairwise(level)]
    return level[0]


def walked(steps: list[tuple[str, tuple[tuple[float, float], ...]]]) -> list[np.ndarray]:
    """Contours as polylines, from what a pen was told."""
    contours: list[list[np.ndarray]] = []
    for operator, points in steps:
        if operator == "moveTo":
            contours.append([np.array(points[0], float)])
        elif operator in {"lineTo", "curveTo"}:
            contours[-1] += list(bezier([tuple(contours[-1][-1]), *points]))
        elif operator == "qCurveTo":
            offs = list(points[:-1])
            ends = [((ax + bx) / 2, (ay + by) / 2) for (ax, ay), (bx, by) in pairwise(offs)] + [points[-1]]
            for off, end in zip(offs, ends, strict=True):
                contours[-1] += list(bezier([tuple(contours[-1][-1]), off, end]))
    return [np.array([*contour, contour[0]]) for contour in contours]


def drawn(outline: bytes) -> list[np.ndarray]:
    decoded = DecodedGlyph(outline)
    decoded.expand(None)
    pen = RecordingPen()
    decoded.draw(pen, None)
    steps = []
    for operator, points in pen.value:
        if operator == "qCurveTo" and points[-1] is None:  # a contour of nothing but controls
            *offs, _ = points
            start = tuple((one + other) / 2 for one, other in zip(offs[-1], offs[0], strict=True))
            steps += [("moveTo", (start,)), ("qCurveTo", (*offs, start))]
        else:
            steps.append((operator, points))
    return walked(steps)


def farthest(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """How far a point of one drawing lies from the other's lines, at most."""
    starts = np.concatenate([line[:-1] for line in other])
    along = np.concatenate([np.diff(line, axis=0) for line in other])
    lengths = np.maximum((along * along).sum(axis=1), 1e-12)
    offset = np.concatenate(one)[:, None] - starts
    share = np.clip((offset * along).sum(axis=2) / lengths, 0, 1)
    return float(np.hypot(*np.moveaxis(offset - share[..., None] * along, 2, 0)).min(axis=1).max())


def glyphs_of(library: FontLibrary, face: str) -> list[Glyph]:
    return library.chain(face, "hana-a").glyphs(CHARACTERS)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("size", [15.0, 30.0])
def test_an_outline_stays_where_it_was_to_within_the_bound(face: str, size: float, library: FontLibrary) -> None:
    given = glyphs_of(library, face)[:: 2 if size == 15 else 5]
    redrawn = slender(tuple(given), (size,) * len(given))
    # A point goes to one of the two grid lines beside it, on both axes.
    bound = TOLERANCE_MM * 1.5 + math.sqrt(2) * mm(grid_step(size), size)
    for one, other in zip(given, redrawn, strict=True):
        before, after = drawn(one.outline), drawn(other.outline)
        assert len(before) == len(after)
        assert mm(farthest(before, after), size) <= bound, one.name
        assert mm(farthest(after, before), size) <= bound, one.name


def test_text_widths_and_spaces_stay_as_they_are(library: FontLibrary) -> None:
    given = library.chain("song").glyphs("证A 　1")
    redrawn = slender(tuple(given), (15.0,) * len(given))
    assert [glyph.key for glyph in redrawn] == [glyph.key for glyph in given]
    assert [glyph.advance for glyph in redrawn] == [glyph.advance for glyph in given]
    assert [bool(glyph.outline) for glyph in redrawn] == [True, True, False, False, True]
    subset_font(redrawn)


def test_the_same_glyphs_give_the_same_bytes_and_fewer(library: FontLibrary) -> None:
    given = tuple(glyphs_of(library, "song"))
    sizes = (15.0,) * len(given)
    first = subset_font(slender(given, sizes))
    slender.cache_clear()
    assert subset_font(slender(given, sizes)) == first
    assert len(first) < 0.8 * len(subset_font(given))


def test_the_grid_is_finer_the_larger_a_text_is() -> None:
    steps = {size: grid_step(size) for size in (8.0, 15.0, 30.0, 120.0)}
    assert list(steps.values()) == sorted(steps.values(), reverse=True)
    assert all(mm(step, size) <= GRID_MM or step == 1 for size, step in steps.items())
    assert steps[15.0] == 4
    assert steps[30.0] == 2


@pytest.mark.parametrize("face", ["song", "song-bold"])
def test_upright_and_level_lines_stay_so(face: str, library: FontLibrary) -> None:
    given = library.chain(face).glyphs("口日中十HE")
    redrawn = slender(tuple(given), (15.0,) * len(given))

    def along_axes(outline: bytes) -> float:
        decoded = DecodedGlyph(outline)
        decoded.expand(None)
        pen = DecomposingRecordingPen(None)
        decoded.draw(pen, None)
        corners = [[points[-1] for _, points in contour] for contour in contours(pen.value)]
        lines = [line for ends in corners for line in pairwise([*ends, ends[0]])]
        return sum(math.dist(a, b) for a, b in lines if math.dist(a, b) > 100 and (a[0] == b[0] or a[1] == b[1]))

    for one, other in zip(given, redrawn, strict=True):
        assert along_axes(other.outline) >= 0.97 * along_axes(one.outline) > 0, one.name


def contours(
    steps: list[tuple[str, tuple[tuple[float, float], ...]]],
) -> list[list[tuple[str, tuple[tuple[float, float], ...]]]]:
    found: list[list[tuple[str, tuple[tuple[float, float], ...]]]] = []
    for step in steps:
        if step[0] == "moveTo":
            found.append([])
        if step[1]:
            found[-1].append(step)
    return found


def test_halves_of_a_cubic_curve_meet_it_in_the_middle() -> None:
    piece = Piece(((0.0, 40.0), (60.0, 100.0)), (100.0, 100.0))
    one, other = half_controls((0.0, 0.0), piece)
    middle = bezier([(0.0, 0.0), *piece.controls, piece.end])[5]
    assert ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2) == pytest.approx(tuple(middle))


def test_nothing_is_drawn_of_nothing() -> None:
    assert simplified([b"", b""], [1.0, 1.0], is_halved=True) == [[], []]


OPERANDS = {b"m": 2, b"l": 2, b"c": 6, b"v": 4, b"y": 4, b"re": 4}


def path_steps(content: bytes) -> list[tuple[str, tuple[tuple[float, float], ...]]]:
    """Read path operators as a PDF reader does (ISO 32000-1, table 59)."""
    steps: list[tuple[str, tuple[tuple[float, float], ...]]] = []
    here = (0.0, 0.0)
    for line in content.splitlines():
        *operands, operator = line.split()
        if operator not in OPERANDS:
            continue
        assert len(operands) == OPERANDS[operator]
        values = [float(value) for value in operands]
        points = tuple(zip(values[::2], values[1::2], strict=True))
        if operator == b"re":
            (x, y), (width, height) = points
            corners = ((x + width, y), (x + width, y + height), (x, y + height))
            steps += [("moveTo", ((x, y),)), *[("lineTo", (corner,)) for corner in corners]]
            continue
        if operator == b"v":
            points = (here, *points)
        elif operator == b"y":
            points = (*points, points[-1])
        steps.append(({b"m": "moveTo", b"l": "lineTo"}.get(operator, "curveTo"), points))
        here = points[-1]
    return steps


def area(lines: list[np.ndarray]) -> float:
    """Signed area: its sign tells which way round contours go, and so what is filled."""
    return sum(float((line[:-1, 0] * line[1:, 1] - line[1:, 0] * line[:-1, 1]).sum()) / 2 for line in lines)


@pytest.mark.parametrize("char", CHARACTERS)
def test_a_character_drawn_as_outlines_is_the_character(char: str, library: FontLibrary) -> None:
    chain = library.chain("song-bold", "hana-a")
    size = 12.0  # as on a seal
    content = draw_character(chain, char, Identity.scale(size / 1000))
    assert re.match(rb"q 0\.048 0 0 0\.048 0\.00 0\.00 cm\n", content)
    written = [4 * line for line in walked(path_steps(content))]
    original = drawn(chain.glyph(char).outline)
    bound = 1.5 * TOLERANCE_MM + mm(3, size)  # half a coarse unit, on both axes
    assert mm(farthest(original, written), size) <= bound
    assert mm(farthest(written, original), size) <= bound
    assert area(written) == pytest.approx(area(original), rel=0.05)


def test_a_page_looks_the_same_at_300_dpi(library: FontLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    def page() -> np.ndarray:
        make_press.cache_clear()
        return np.asarray(render(print_certificate(make_press(library)).document, 300).convert("L"), int)

    slim = page()
    monkeypatch.setattr(prefix_module, "slender", lambda glyphs, _sizes: list(glyphs))
    difference = np.abs(slim - page())
    place, dots = make_press(library).template.qr.box, 300 / 25.4
    make_press.cache_clear()
    left, top, side = int(place.x * dots), int(place.y * dots), math.ceil(place.width * dots) + 1
    difference[top : top + side, left : left + side] = 0  # the code names the prefix
    assert 0 < difference.max() <= 96
    assert (difference > 48).sum() < 0.0002 * difference.size


def test_a_changed_program_compiles_anew(library: FontLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_press(library).prefix(photo=True).plan
    before = cache_key(plan, library)
    monkeypatch.setattr(prefix_cache, "_code_digest", lambda: "of another program")
    assert cache_key(plan, library) != before


def test_what_compiles_is_in_the_digested_folder() -> None:
    compiling = (prefix_module, slender_module, pieces_module, artwork_module)
    assert {Path(module.__file__ or "").parent for module in compiling} == {Path(prefix_cache.__file__).parent}


@pytest.mark.parametrize("photo", [True, False])
def test_a_prefix_stays_small(photo: bool, library: FontLibrary) -> None:  # noqa: FBT001 - pytest's parameter
    assert len(make_press(library).prefix(photo=photo).content) < 50_000
