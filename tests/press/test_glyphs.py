import io
import re
import struct
from collections.abc import Sequence

import pytest
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from hypothesis import example, given, settings
from hypothesis import strategies as st

from press.glyphs import (
    NOTDEF,
    Glyph,
    gid_hex,
    make_glyph,
    places_hex,
    subset_font,
    subset_tag,
    table_checksum,
    to_unicode,
)

Corners = list[tuple[int, int]]


def drawn(text: str, contours: Sequence[Corners], advance: int = 1000) -> Glyph:
    """Draw a glyph of straight lines with fontTools' own compiler."""
    pen = TTGlyphPen(None)
    for contour in contours:
        pen.moveTo(contour[0])
        for corner in contour[1:]:
            pen.lineTo(corner)
        pen.closePath()
    return make_glyph(text, "test", ord(text), advance, pen.glyph().compile(None) if contours else b"")


corner = st.tuples(st.integers(-500, 1500), st.integers(-500, 1500))
contour = st.lists(corner, min_size=3, max_size=12, unique=True)
glyphs = st.lists(
    st.builds(
        drawn,
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
        st.lists(contour, max_size=4),
        st.integers(0, 2000),
    ),
    max_size=12,
)


def loaded(font: bytes) -> TTFont:
    return TTFont(io.BytesIO(font), checkChecksums=2)  # 2: a wrong table checksum raises


@given(glyphs)
@settings(deadline=None)
def test_font_wide_fields_are_those_fonttools_works_out(members: list[Glyph]) -> None:
    font = subset_font(members)
    ours, theirs = loaded(font), loaded(font)
    theirs["maxp"].recalc(theirs)
    theirs["hhea"].recalc(theirs)
    for field in ("numGlyphs", "maxPoints", "maxContours", "maxCompositePoints", "maxComponentDepth", "maxZones"):
        assert getattr(ours["maxp"], field) == getattr(theirs["maxp"], field), field
    for field in ("advanceWidthMax", "minLeftSideBearing", "minRightSideBearing", "xMaxExtent", "numberOfHMetrics"):
        assert getattr(ours["hhea"], field) == getattr(theirs["hhea"], field), field
    boxes = [theirs["glyf"][name] for name in theirs.getGlyphOrder()]
    inked = [(box.xMin, box.yMin, box.xMax, box.yMax) for box in boxes if box.numberOfContours]
    head = ours["head"]
    assert head.xMin == min(box[0] for box in inked)
    assert head.yMin == min(box[1] for box in inked)
    assert head.xMax == max(box[2] for box in inked)
    assert head.yMax == max(box[3] for box in inked)
    assert [ours["hmtx"][name][0] for name in ours.getGlyphOrder()] == [1000, *(glyph.advance for glyph in members)]


@given(glyphs)
@settings(deadline=None)
def test_the_whole_font_sums_to_the_magic_number(members: list[Glyph]) -> None:
    font = subset_font(members)
    assert len(font) % 4 == 0
    adjustment_at = next(
        offset + 8 for tag, _, offset, _ in struct.iter_unpack(">4sIII", font[12 : 12 + 16 * 6]) if tag == b"head"
    )
    adjustment = struct.unpack_from(">I", font, adjustment_at)[0]
    zeroed = font[:adjustment_at] + bytes(4) + font[adjustment_at + 4 :]
    assert (table_checksum(zeroed) + adjustment) & 0xFFFFFFFF == 0xB1B0AFBA
    assert table_checksum(font) == 0xB1B0AFBA


def test_a_font_has_the_tables_pdf_asks_for_in_order() -> None:
    font = subset_font([drawn("一", [[(0, 0), (0, 500), (500, 500)]])])
    records = list(struct.iter_unpack(">4sIII", font[12 : 12 + 16 * 6]))
    assert [tag for tag, *_ in records] == [b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp"]
    assert all(offset % 4 == 0 and offset + length <= len(font) for _, _, offset, length in records)


def test_notdef_draws_an_empty_box() -> None:
    font = loaded(subset_font([]))
    pen = RecordingPen()
    font.getGlyphSet()[".notdef"].draw(pen)
    assert [operator for operator, _ in pen.value].count("closePath") == 2
    assert NOTDEF.bounds == (100, 0, 900, 800)
    assert font["hmtx"][".notdef"] == (1000, 100)


def test_glyphs_past_the_short_limit_get_long_offsets() -> None:
    # 250 points apart by 16-bit steps: about 1,300 bytes a glyph.
    star = [[((n * 317) % 1400, (n * 733) % 1399) for n in range(250)]]
    few = [drawn(chr(0x4E00 + n), star) for n in range(20)]
    many = [drawn(chr(0x4E00 + n), star) for n in range(200)]
    assert loaded(subset_font(few))["head"].indexToLocFormat == 0
    font = loaded(subset_font(many))
    assert sum(len(glyph.outline) for glyph in many) > 2 * 0xFFFF
    assert font["head"].indexToLocFormat == 1
    assert len({font["glyf"][name].xMax for name in font.getGlyphOrder()[1:]}) == 1


def test_equal_glyphs_give_equal_bytes_and_names() -> None:
    members = [drawn("甲", [[(0, 0), (0, 9), (9, 9)]]), drawn("乙", [])]
    again = [drawn("甲", [[(0, 0), (0, 9), (9, 9)]]), drawn("乙", [])]
    assert subset_font(members) == subset_font(again)
    assert subset_tag(members) == subset_tag(again)
    assert subset_tag(members) != subset_tag(members[::-1])
    assert re.fullmatch("[A-Z]{6}", subset_tag(members))


def test_too_many_glyphs_are_refused() -> None:
    with pytest.raises(ValueError, match="65535 glyphs"):
        subset_font([NOTDEF] * 65535)


@given(st.lists(st.characters(codec="utf-8"), max_size=600))
@example(["一"] * 255)
@example(["一"] * 256)
@example(["一"] * 511)
@example(["一"] * 26000)
@settings(deadline=None)
def test_to_unicode_maps_every_place_to_its_text(texts: list[str]) -> None:
    cmap = to_unicode(texts).decode("ascii")
    blocks = re.findall(r"(\d+) beginbfrange\n(.*?)endbfrange", cmap, re.DOTALL)
    found: dict[int, str] = {}
    for count, block in blocks:
        lines = re.findall(r"<([0-9A-F]{4})><([0-9A-F]{4})>\[((?:<(?:[0-9A-F]{4})+>)+)\]\n", block)
        assert len(lines) == int(count) <= 100
        assert "".join(f"<{first}><{last}>[{said}]\n" for first, last, said in lines) == block
        for first, last, said in lines:
            assert first[:2] == last[:2]  # only the last byte may vary in a range
            codes = range(int(first, 16), int(last, 16) + 1)
            found |= dict(
                zip(codes, [bytes.fromhex(one).decode("utf-16-be") for one in said[1:-1].split("><")], strict=True)
            )
    assert found == dict(enumerate(texts, 1))


def test_places_are_written_as_four_hex_digits() -> None:
    assert [gid_hex(place) for place in (1, 255, 2047, 2048, 65535)] == [b"0001", b"00FF", b"07FF", b"0800", b"FFFF"]


@pytest.mark.parametrize("count", [0, 1, 2047, 2048, 2049, 5000])
def test_places_come_in_order_from_1(count: int) -> None:
    assert list(places_hex(count)) == [b"%04X" % place for place in range(1, count + 1)]
