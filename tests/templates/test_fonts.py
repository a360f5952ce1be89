"""The fonts are the ones their makers published, and no name of GB 18030 is without a glyph."""

import hashlib
import io
import lzma

import pytest
from fontTools.ttLib import TTFont

import templates

# What GB 18030-2022 asks for at level 3, by block: 87,887 ideographs.
LEVEL_3 = (
    *range(0x4E00, 0x9FF0),
    *range(0x3400, 0x4DB6),
    *range(0x20000, 0x2A6D7),
    *range(0x2A700, 0x2B735),
    *range(0x2B740, 0x2B81E),
    *range(0x2B820, 0x2CEA2),
    *range(0x2CEB0, 0x2EBE1),
    *(0xFA0E, 0xFA0F, 0xFA11, 0xFA13, 0xFA14, 0xFA1F, 0xFA21, 0xFA23, 0xFA24, 0xFA27, 0xFA28, 0xFA29),
)
FACES = ("NotoSerifSC-Regular", "NotoSerifSC-Bold", "LXGWWenKai-Regular", "HanaMinA", "HanaMinB")


@pytest.fixture(scope="module")
def unpacked() -> dict[str, bytes]:
    return {face: lzma.decompress((templates.fonts_folder() / f"{face}.ttf.xz").read_bytes()) for face in FACES}


def test_every_font_has_the_digest_that_was_written_down(unpacked: dict[str, bytes]) -> None:
    lines = (templates.fonts_folder() / "SHA256SUMS").read_text().splitlines()

    written = {name: digest for digest, name in (line.split() for line in lines)}

    assert written == {f"{face}.ttf": hashlib.sha256(font).hexdigest() for face, font in unpacked.items()}


def test_no_font_lies_there_unlisted() -> None:
    assert {file.name for file in templates.fonts_folder().glob("*.xz")} == {f"{face}.ttf.xz" for face in FACES}


@pytest.mark.parametrize("first", FACES[:3])
def test_every_ideograph_of_gb_18030_level_3_has_a_glyph(unpacked: dict[str, bytes], first: str) -> None:
    assert len(set(LEVEL_3)) == 87_887
    covered: set[int] = set()
    for face in (first, "HanaMinA", "HanaMinB"):
        font = TTFont(io.BytesIO(unpacked[face]), lazy=True)
        covered |= font.getBestCmap().keys()

    assert [hex(character) for character in LEVEL_3 if character not in covered] == []
