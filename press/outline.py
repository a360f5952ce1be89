"""Characters as drawings, for words that must not be text: a seal's, a sample's mark.

As outlines they cannot get between the lines when somebody extracts the page's
text. Each is written in whole units of a coarse em square under a matrix of its
own: at a seal's size a 250th of the em is finer than any printer's dot.
"""

from fontTools.misc.transform import Transform
from fontTools.pens.basePen import BasePen
from fontTools.ttLib.tables._g_l_y_f import Glyph as DecodedGlyph

from press.fonts import FontChain

_COARSE = 4  # units of 1/1000 em that are written as one
MIDDLE_OF_HAN = 380  # height of the middle of a Han character's square above the baseline, in 1/1000 em


class _PathPen(BasePen):  # type: ignore[misc]  # fontTools has no types
    """Writes outlines as PDF path operators (ISO 32000-1, 8.5.2)."""

    def __init__(self) -> None:
        super().__init__(None)
        self.parts: list[bytes] = []

    def _moveTo(self, point: tuple[float, float]) -> None:  # noqa: N802 - fontTools' own names
        self.parts.append(_units(*point) + b" m\n")

    def _lineTo(self, point: tuple[float, float]) -> None:  # noqa: N802 - the same
        self.parts.append(_units(*point) + b" l\n")

    def _curveToOne(  # noqa: N802 - the same
        self, first: tuple[float, float], second: tuple[float, float], end: tuple[float, float]
    ) -> None:
        self.parts.append(_units(*first, *second, *end) + b" c\n")

    def _closePath(self) -> None:  # noqa: N802 - the same
        self.parts.append(b"h\n")


def _units(*values: float) -> bytes:
    return b" ".join(b"%d" % round(value / _COARSE) for value in values)


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
    glyph = DecodedGlyph(outline)
    glyph.expand(None)
    pen = _PathPen()
    glyph.draw(pen, None)
    matrix = b" ".join(b"%.6g" % value for value in place.scale(_COARSE))
    return b"q " + matrix + b" cm\n" + b"".join(pen.parts) + b"f Q\n"
