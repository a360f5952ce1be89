"""Renew the approved pictures: `make looks-approve`. Look at every one of them before they are committed."""

import tempfile
from pathlib import Path

import numpy as np

from press.fonts import FontLibrary
from tests.looks.cases import CASES
from tests.looks.pictures import (
    APPROVED,
    FINENESS,
    LAYOUTS,
    TOLERANCE,
    Picture,
    case_file,
    draw,
    page_file,
    write_case,
    write_page,
)
from tests.looks.printing import TEMPLATES, LooksPress, looks_template


def approve(fonts: FontLibrary) -> None:
    """Draw every certificate, and keep the pictures in place of the old ones."""
    for old in APPROVED.glob("*/*.png"):
        old.unlink()
    for name in CASES:
        press = LooksPress(looks_template(name), fonts)
        drawn = {key: draw(press.print(sample)) for key, sample in press.samples.items()}
        for dpi in FINENESS:
            usual: Picture | None = None
            for layout, keys in layouts(press).items():
                page = median([drawn[key][dpi] for key in keys])
                if usual is None:
                    usual = page
                    write_page(page, page_file(name, layout, dpi))
                else:  # the other layout has the same artwork
                    write_case(page, usual, page_file(name, layout, dpi), kept_from=1, step=1)
                allowed = TOLERANCE[dpi]
                for key in keys:
                    file = case_file(name, key, dpi)
                    write_case(drawn[key][dpi], page, file, kept_from=allowed.kept_from, step=allowed.step)


def layouts(press: LooksPress) -> dict[str, list[str]]:
    """Say which certificates have a photo and which have none."""
    found: dict[str, list[str]] = {layout: [] for layout in LAYOUTS}
    for key, sample in press.samples.items():
        found[LAYOUTS[sample.record.photo is None]].append(key)
    return {layout: keys for layout, keys in found.items() if keys}


def median(pictures: list[Picture]) -> Picture:
    """Take what most pictures show."""
    return np.asarray(np.sort(np.stack(pictures), axis=0)[len(pictures) // 2])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        approve(FontLibrary(TEMPLATES.parent / "fonts", Path(cache)))
