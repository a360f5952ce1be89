"""The seal's words: the issuer's name along an arc and a line under the star, drawn as outlines.

A seal is a picture; its words are said by the form field's alternative text.
"""

import math

from fontTools.misc.transform import Identity, Transform

from press.fonts import FontChain
from press.outline import MIDDLE_OF_HAN, draw_character
from press.syntax import POINTS_PER_MM, colour, numbers
from press.template import SealPlace

# The bottom line may fill this part of the chord that the inner ring leaves at its height.
_CHORD_FILL = 0.86
_INNER_RING_MM = 2.2  # from the edge of the box to inside the rings


def seal_words(place: SealPlace, arc: str, bottom: str, chain: FontChain) -> bytes:
    """Write the content that draws the words of a seal in its own box.

    Args:
        place: measures of the seal.
        arc: the issuer's name; long names are set narrower.
        bottom: the line under the star.
        chain: the faces.

    Raises:
        MissingGlyph: a character has no glyph.
    """
    middle = Transform(
        POINTS_PER_MM, 0, 0, POINTS_PER_MM, place.box.width / 2 * POINTS_PER_MM, place.box.height / 2 * POINTS_PER_MM
    )
    parts = [numbers(*colour(place.colour)) + b" rg\n"]
    for char, transform in [*_on_arc(place, arc), *_on_line(place, bottom)]:
        parts.append(draw_character(chain, char, middle.transform(transform)))
    return b"".join(parts)


def _on_arc(place: SealPlace, text: str) -> list[tuple[str, Transform]]:
    """Place characters upright on the circle, the middle one on top."""
    step = min(place.step, place.span / max(len(text) - 1, 1))
    # Neighbours keep a tenth of their distance free, whatever the length of the name.
    widest = math.radians(step) * place.radius * 0.9
    across = min(place.char_height * place.narrow, widest) / 1000
    placed = []
    for number, char in enumerate(text):
        turn = math.radians((len(text) - 1) / 2 * step - number * step)
        here = Identity.rotate(turn).translate(0, place.radius).scale(across, place.char_height / 1000)
        placed.append((char, here.translate(-500, -MIDDLE_OF_HAN)))
    return placed


def _on_line(place: SealPlace, text: str) -> list[tuple[str, Transform]]:
    low = place.bottom_y + place.bottom_height / 2
    chord = 2 * math.sqrt(max((place.box.width / 2 - _INNER_RING_MM) ** 2 - low**2, 0))
    across = min(place.bottom_height, chord * _CHORD_FILL / max(len(text), 1))
    placed = []
    for number, char in enumerate(text):
        x = (number - (len(text) - 1) / 2) * across
        here = Identity.translate(x, -place.bottom_y).scale(across / 1000 * 0.96, place.bottom_height / 1000)
        placed.append((char, here.translate(-500, -MIDDLE_OF_HAN)))
    return placed
