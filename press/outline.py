"""Characters as drawings, for words that must not be text: a seal's, a sample's mark.

As outlines they cannot get between the lines when somebody extracts the page's
text. Each is written in whole units of a coarse em square under a matrix of its
own: at a seal's size a 250th of the em is finer than any printer's dot.
"""

import math

from fontTools.misc.transform import Transform

from press.fonts import FontChain
from press.pieces import Contour, Piece, Point, simplified
from press.slender import TOLERANCE_MM
from press.syntax import POINTS_PER_MM

_COARSE = 4  # units of 1/1000 em that are written as one
_LEAST_TOLERANCE = 1.0  # of those units; the lines on which points come to lie are four apart
MIDDLE_OF_HAN = 380  # height of the middle of a Han character's square above the baseline, in 1/1000 em
_RECTANGLE_CORNERS = 4


def draw_character(chain: FontChain, char: str, place: Transform) -> bytes:
    """Fill one character in the current colour.

    Args:
        chain: the faces.
        char: one character.
        place: from units of 1/1000 em to where it stands.

    Raises:
        MissingGlyph: no face draws it.
    """
    outline = chain.glyph(char).outline
    if not outline:
        return b""
    unit = max(math.hypot(*place[:2]), math.hypot(*place[2:4])) / POINTS_PER_MM
    (contours,) = simplified([outline], [max(TOLERANCE_MM / unit, _LEAST_TOLERANCE)], is_halved=False)
    drawn = b"".join([_contour(contour) for contour in contours])
    across = b" ".join(b"%.4g" % value for value in place.scale(_COARSE)[:4])
    return b"q %b %.2f %.2f cm\n%bf Q\n" % (across, *place[4:], drawn)


def _contour(contour: Contour) -> bytes:
    """Write path operators (ISO 32000-1, 8.5.2); filling closes what is open."""
    start = _whole(contour.start)
    ends = [_whole(piece.end) for piece in contour.pieces]
    if not any(piece.controls for piece in contour.pieces):
        rectangle = _rectangle(ends)
        if rectangle:
            return rectangle
    parts = [b"%d %d m\n" % start]
    here = start
    for piece, end in zip(contour.pieces, ends, strict=True):
        # A line back to the start is left to filling, which closes what is open.
        if piece.controls or end not in (here, start):
            parts.append(_piece(here, piece, end))
        here = end
    return b"".join(parts)


def _whole(point: Point) -> tuple[int, int]:
    return round(point[0] / _COARSE), round(point[1] / _COARSE)


def _piece(start: tuple[int, int], piece: Piece, end: tuple[int, int]) -> bytes:
    if not piece.controls:
        return b"%d %d l\n" % end
    if len(piece.controls) == 1:
        ((x, y),) = piece.controls
        # A quadratic curve as a cubic one: its handles go two thirds of the way to its control.
        one, other = (
            _whole((x * 2 / 3 + corner[0] * _COARSE / 3, y * 2 / 3 + corner[1] * _COARSE / 3))
            for corner in (start, end)
        )
    else:
        one, other = (_whole(control) for control in piece.controls)
    if one == start:
        return b"%d %d %d %d v\n" % (*other, *end)
    if other == end:
        return b"%d %d %d %d y\n" % (*one, *end)
    return b"%d %d %d %d %d %d c\n" % (*one, *other, *end)


def _rectangle(corners: list[tuple[int, int]]) -> bytes:
    """Write a rectangle along the axes, going round as its corners do; empty if they make none."""
    if len(corners) != _RECTANGLE_CORNERS:
        return b""
    (x, y), (next_x, next_y), (far_x, far_y), (last_x, last_y) = corners
    if (y, next_x, far_y, last_x) == (next_y, far_x, last_y, x):  # across first
        return b"%d %d %d %d re\n" % (x, y, far_x - x, far_y - y)
    if (x, next_y, far_x, last_y) == (next_x, far_y, last_x, y):  # up first: begin one corner later
        return b"%d %d %d %d re\n" % (next_x, next_y, last_x - next_x, last_y - next_y)
    return b""
