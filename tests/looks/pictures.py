"""Approved pictures: a certificate drawn at 150 and 300 dpi, kept small, and compared with tolerance.

At 150 dpi every pixel is kept; at 300 dpi the means of blocks of 12 x 12 pixels
(one millimetre), which together cover the page. What most certificates of a
layout have in common is kept once, as the picture of the page; a certificate's
own picture holds only what differs from it, and is transparent elsewhere.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from press.look import open_paper

Picture = npt.NDArray[np.uint8]  # rows of grey, 0 is black

APPROVED = Path(__file__).parent / "approved"
FINENESS = (150, 300)
LAYOUTS = ("photo", "plain")  # the second kept as what differs from the first, where a template has both
_BLOCK = 12
_CLEAR = 255  # index of what is as on the page


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What does not count as another look.

    Attributes:
        kept_from: difference from the page, in levels of grey, from which on a pixel is kept.
        step: levels between two neighbouring greys that are told apart in what is kept.
        most: difference that is no difference.
        window: side of the squares in which differing pixels are counted.
        count: as many of them in a square are none.
    """

    kept_from: int
    step: int
    most: int
    window: int
    count: int


# Another rounding of edges reaches four pixels and six levels; one stroke of a character is over sixty pixels.
TOLERANCE = {150: Tolerance(24, 17, 40, 24, 8), 300: Tolerance(2, 1, 8, 4, 0)}


def draw(document: bytes, *fineness: int) -> dict[int, Picture]:
    """Draw a certificate as people see it, seal included; for 300 dpi as means of blocks."""
    with open_paper(document) as paper:
        drawn = {dpi: np.asarray(paper.draw(dpi).convert("L")) for dpi in fineness or FINENESS}
    return {dpi: picture if dpi == FINENESS[0] else block_means(picture) for dpi, picture in drawn.items()}


def block_means(picture: Picture) -> Picture:
    """Take the mean of each block; blocks at the right and lower edge are smaller."""
    rows = np.add.reduceat(picture.astype(np.uint32), np.arange(0, picture.shape[0], _BLOCK), axis=0)
    sums = np.add.reduceat(rows, np.arange(0, picture.shape[1], _BLOCK), axis=1)
    heights, widths = (np.minimum(_BLOCK, length - np.arange(0, length, _BLOCK)) for length in picture.shape)
    return np.asarray(np.rint(sums / np.outer(heights, widths)), np.uint8)


def page_file(template: str, layout: str, dpi: int) -> Path:
    """Name the picture of a layout's page."""
    return APPROVED / template / f"page-{layout}.{dpi}.png"


def case_file(template: str, case: str, dpi: int) -> Path:
    """Name the picture of one certificate."""
    return APPROVED / template / f"{case}.{dpi}.png"


def read_approved(template: str, case: str, dpi: int, *, photo: bool) -> Picture:
    """Read the whole picture of one certificate."""
    layouts = [layout for layout in LAYOUTS if page_file(template, layout, dpi).is_file()]
    page = np.asarray(Image.open(page_file(template, layouts[0], dpi)))
    if not photo and layouts[0] == LAYOUTS[0]:
        page = _completed(page_file(template, LAYOUTS[1], dpi), page)
    return _completed(case_file(template, case, dpi), page)


def write_page(picture: Picture, file: Path) -> None:
    """Keep the picture of a page."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(file, optimize=True)


def _completed(file: Path, page: Picture) -> Picture:
    levels = np.asarray(Image.open(file))
    return np.where(levels == _CLEAR, page, levels)


def write_case(picture: Picture, page: Picture, file: Path, *, kept_from: int, step: int) -> None:
    """Keep what of a certificate differs from its page by ``kept_from`` levels, in steps of ``step``."""
    rounded = np.minimum(np.rint(picture / step) * step, _CLEAR - 1)
    kept = np.where(_difference(picture, page) >= kept_from, rounded, _CLEAR).astype(np.uint8)
    image = Image.fromarray(kept)
    image.putpalette([level for grey in range(256) for level in (grey, grey, grey)])
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, optimize=True, transparency=_CLEAR)


def differences(drawn: Picture, approved: Picture, dpi: int) -> list[tuple[int, int]]:
    """Find the squares in which two pictures differ: their left and upper edges in millimetres.

    Raises:
        ValueError: the pictures are not of one size.
    """
    allowed = TOLERANCE[dpi]
    differs = _difference(drawn, approved) > allowed.most
    side = allowed.window
    counts = np.add.reduceat(
        np.add.reduceat(differs.astype(np.uint32), np.arange(0, differs.shape[0], side), axis=0),
        np.arange(0, differs.shape[1], side),
        axis=1,
    )
    scale = 25.4 / dpi * (side if dpi == FINENESS[0] else side * _BLOCK)
    return [(round(x * scale), round(y * scale)) for y, x in np.argwhere(counts > allowed.count)]


def _difference(one: Picture, other: Picture) -> npt.NDArray[np.int16]:
    return np.asarray(np.abs(one.astype(np.int16) - other), np.int16)
