"""Glyphs taken out of their fonts once, and the small font made of them for one credential.

Every glyph is kept as it will stand in a ``glyf`` table: simple outlines, no
hints, 1000 units to the em, padded to four bytes, with its checksum. A font of
twenty such glyphs is then a handful of joins and sums, whatever faces they came
from. Table layouts are those of the OpenType specification 1.9; the six tables
are those ISO 32000-1, 9.9 asks of an embedded TrueType program.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

UNITS_PER_EM: Final = 1000  # PDF measures glyphs in thousandths of an em, so /W and hmtx agree without rounding
MAX_GLYPHS: Final = 0xFFFF  # a glyph id has 16 bits, and id 0 is .notdef
_MASK32: Final = 0xFFFFFFFF
_SHORT_LOCA_LIMIT: Final = 2 * 0xFFFF  # bytes of glyf that 16-bit halved offsets can reach
_CHECKSUM_MAGIC: Final = 0xB1B0AFBA  # head.checkSumAdjustment = magic - sum of the whole font
_RANGE_LIMIT: Final = 100  # ranges in one block (Adobe technical note 5411, 1.4.1)
_ROW: Final = 256  # codes of one range differ in their last byte only (5014, 7.2; ISO 32000-1, 9.10.3)
_FONT_DATE: Final = 3660681600  # 2020-01-01, in seconds since 1904 (head.created, head.modified)


def table_checksum(table: bytes) -> int:
    """Sum big-endian 32-bit words (OpenType, "Calculating checksums"); the last word is zero-padded."""
    table += bytes(-len(table) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(table) // 4}I", table)
    return sum(words) & _MASK32


# The tables but glyf, each filled up to whole words. head: baseline at y = 0, left side bearing at x = 0; one date, so
# that equal glyphs give equal bytes; smallest readable size 8 pixels, direction hint 2 (deprecated, fixed value). Its
# checksum counts with the adjustment 0.
_HEAD: Final = struct.Struct(">IIIIHHqq4hHHhhh2x")
_HEAD_FIXED: Final = (0x00010000, 0x00010000, 0, 0x5F0F3CF5, 0x0003, UNITS_PER_EM, _FONT_DATE, _FONT_DATE)
_HEAD_BYTES: Final = 54
_HHEA: Final = struct.Struct(">I3hH11hH")
_HHEA_FIXED: Final = (1, *bytes(7))  # an upright caret; every glyph has its own line in hmtx
_MAXP: Final = struct.Struct(">I14H")
_MAXP_FIXED: Final = (0, 0, 1, *bytes(8))  # no composites, no twilight zone, no instructions
# The directory is words throughout: what a binary search wants to know of six tables, then tag, checksum, offset and
# length of each. So its own checksum is the sum of what is written.
_DIRECTORY: Final = struct.Struct(">27I")
_DIRECTORY_FIXED: Final = (0x00010000, 6 << 16 | 64, 2 << 16 | 32)
_GLYF, _HEAD_TAG, _HHEA_TAG, _HMTX, _LOCA, _MAXP_TAG = (
    int.from_bytes(tag) for tag in (b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp")
)
_NO_EXTENT: Final = (-0x8000,) * 7  # of a space: below every extent of a glyph that has an outline


@dataclass(frozen=True, slots=True, eq=False)
class Glyph:
    """One character drawn in one face, ready to be joined into a font.

    A face hands out the same object for the same character, so glyphs compare
    and hash by identity (fast) and work as dictionary keys themselves.

    Attributes:
        text: the one character it stands for; it decides what a reader extracts.
        face: short name of the face, as "kai".
        gid: glyph id in the original font.
        advance: width in 1/1000 em; the value for /W.
        outline: ``glyf`` entry, a multiple of four bytes; empty for spaces.
        checksum: sum of the outline's 32-bit words.
        metric: its four bytes of ``hmtx``.
        bounds: x_min, y_min, x_max, y_max in 1/1000 em; zeros for spaces.
        name: face and character in one word, as "kai/李".
        part: what a font takes of a glyph, in the order that ``subset_font`` takes it apart: outline,
            half its length, its checksum, metric, advance, and what the font-wide fields of head, hhea
            and maxp are the greatest of (bounds and right side bearing negated where the least is wanted).
    """

    text: str
    face: str
    name: str
    gid: int
    advance: int
    outline: bytes
    checksum: int
    metric: bytes
    bounds: tuple[int, int, int, int]
    part: tuple[bytes, int, int, bytes, int, int, int, int, int, int, int, int]

    @property
    def key(self) -> tuple[str, str]:
        """Face and character.

        Not the glyph id: two characters that one face draws alike must still
        be extracted as what they are, so each needs its own place in the subset.
        """
        return self.face, self.text


def make_glyph(text: str, face: str, gid: int, advance: int, outline: bytes) -> Glyph:
    """Measure and pad one simple, hint-free ``glyf`` entry.

    Args:
        text: the character.
        face: short name of its face.
        gid: glyph id in the original font.
        advance: in 1/1000 em.
        outline: unpadded, at 1000 units per em, its left edge at its left side
            bearing (all pinned faces are drawn so; the face checks it); empty for a space.
    """
    outline += bytes(-len(outline) % 4)
    contours, points, bounds = 0, 0, (0, 0, 0, 0)
    if outline:
        contours, *corners = struct.unpack_from(">5h", outline)
        bounds = (corners[0], corners[1], corners[2], corners[3])
        points = struct.unpack_from(">H", outline, 10 + 2 * (contours - 1))[0] + 1
    checksum, metric = table_checksum(outline), struct.pack(">Hh", advance, bounds[0])
    left, bottom, right, top = bounds
    extent = (-left, -bottom, right, top, right - advance, points, contours) if outline else _NO_EXTENT
    return Glyph(
        text=text,
        face=face,
        name=f"{face}/{text}",
        gid=gid,
        advance=advance,
        outline=outline,
        checksum=checksum,
        metric=metric,
        bounds=bounds,
        part=(outline, len(outline) // 2, checksum, metric, advance, *extent),
    )


def _box(left: int, bottom: int, right: int, top: int, stroke: int) -> bytes:
    """Draw the outline of the usual empty box as a ``glyf`` entry of two contours."""
    outer = [(left, bottom), (left, top), (right, top), (right, bottom)]
    left, bottom, right, top = left + stroke, bottom + stroke, right - stroke, top - stroke
    inner = [(left, bottom), (right, bottom), (right, top), (left, top)]  # the other way round: a hole
    corners = outer + inner
    steps = [(x - px, y - py) for (x, y), (px, py) in zip(corners, [(0, 0), *corners], strict=False)]
    return b"".join(
        (
            struct.pack(">5h", 2, *outer[0], *outer[2]),
            struct.pack(">HHH", 3, 7, 0),  # last points of the contours; no instructions
            b"\x01" * len(corners),  # flags: on the curve, both coordinates as 16-bit steps
            struct.pack(">8h", *(x for x, _ in steps)),
            struct.pack(">8h", *(y for _, y in steps)),
        ),
    )


# Glyph 0 shows that something is missing (OpenType, "Recommendations": .notdef). No text of ours ever selects it.
NOTDEF: Final = make_glyph("", "", 0, UNITS_PER_EM, _box(100, 0, 900, 800, 50))


def subset_font(glyphs: Sequence[Glyph]) -> bytes:
    """Join glyphs of any faces into one TrueType font for embedding.

    Glyph 0 is ``.notdef`` and glyph i + 1 is ``glyphs[i]``, so a text is shown by
    its 16-bit places with Identity-H and an identity CIDToGIDMap. The same
    glyphs in the same order give the same bytes. There is no ``cmap``: a CID
    font of a PDF does not use one (ISO 32000-1, 9.7.4.2).

    Raises:
        ValueError: more than 65,535 glyphs.
    """
    if len(glyphs) >= MAX_GLYPHS:
        raise ValueError(f"{len(glyphs)} glyphs do not fit in one font")
    parts = [NOTDEF.part, *[glyph.part for glyph in glyphs]]
    count = len(parts)
    outlines, halves, sums, metrics, advances, *extents = zip(*parts, strict=True)
    # Font-wide extremes count only glyphs with contours (OpenType, hhea); .notdef has some, so there is always one.
    left, bottom, right, top, bearing, points, contours = map(max, extents)
    offsets = [0, *accumulate(halves)]
    is_long = 2 * offsets[-1] > _SHORT_LOCA_LIMIT
    if is_long:
        loca = struct.pack(f">{count + 1}I", *[2 * offset for offset in offsets])
    else:
        loca = struct.pack(f">{count + 1}H{'' if count % 2 else '2x'}", *offsets)
    # Ascender and descender are the real extremes; what lines are set by is the chain's descriptor.
    hhea = (0x00010000, top, -bottom, 0, max(advances), -left, -bearing, right)
    small = b"".join(
        (
            _HEAD.pack(*_HEAD_FIXED, -left, -bottom, right, top, 0, 8, 2, is_long, 0),
            _HHEA.pack(*hhea, *_HHEA_FIXED, count),
            b"".join(metrics),
            loca,
            _MAXP.pack(0x00010000, count, points, contours, *_MAXP_FIXED),
        )
    )
    # glyf sorts first in the directory; its bytes come last, where their length moves nothing else.
    words: tuple[int, ...] = struct.unpack(f">{len(small) // 4}I", small)
    hmtx_at, loca_at, maxp_at = (at // 4 for at in accumulate((_HEAD.size + _HHEA.size, 4 * count, len(loca))))
    start, glyf_sum = _DIRECTORY.size, sum(sums) & _MASK32
    directory = (
        *_DIRECTORY_FIXED,
        *(_GLYF, glyf_sum, start + len(small), 2 * offsets[-1]),
        *(_HEAD_TAG, sum(words[:14]) & _MASK32, start, _HEAD_BYTES),
        *(_HHEA_TAG, sum(words[14:hmtx_at]) & _MASK32, start + _HEAD.size, _HHEA.size),
        *(_HMTX, sum(words[hmtx_at:loca_at]) & _MASK32, start + 4 * hmtx_at, 4 * count),
        *(_LOCA, sum(words[loca_at:maxp_at]) & _MASK32, start + 4 * loca_at, (4 if is_long else 2) * (count + 1)),
        *(_MAXP_TAG, sum(words[maxp_at:]) & _MASK32, start + 4 * maxp_at, _MAXP.size),
    )
    adjustment = (_CHECKSUM_MAGIC - glyf_sum - sum(words) - sum(directory)) & _MASK32
    return b"".join((_DIRECTORY.pack(*directory), small[:8], adjustment.to_bytes(4), small[12:], *outlines))


def subset_tag(glyphs: Iterable[Glyph]) -> str:
    """Name a subset by its glyphs: six capital letters for ``ABCDEF+Name`` (ISO 32000-1, 9.6.4)."""
    names = "\0".join([glyph.name for glyph in glyphs])
    number = int.from_bytes(hashlib.sha256(names.encode()).digest()[:8], "big")
    letters = []
    for _ in range(6):
        number, letter = divmod(number, 26)
        letters.append(chr(ord("A") + letter))
    return "".join(letters)


class _Utf16Hex(dict[str, bytes]):
    """Remembers how a CMap says each text: UTF-16BE in hex, so astral characters are surrogate pairs."""

    def __missing__(self, text: str) -> bytes:
        value = self[text] = b"<%b>" % text.encode("utf-16-be").hex().upper().encode()
        return value


_UTF16: Final = _Utf16Hex()
_GID_HEX: Final = tuple(b"%04X" % gid for gid in range(2048))
_CMAP_HEAD: Final = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def
/CMapName/Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000><FFFF>
endcodespacerange
"""
_CMAP_TAIL: Final = b"""endcmap
CMapName currentdict/CMap defineresource pop
end
end
"""


def to_unicode(texts: Sequence[str]) -> bytes:
    """Write the ToUnicode CMap of a subset: ``texts[i]`` is what glyph i + 1 says.

    A range of codes with an array of what they say is the shortest form. UTF-16BE throughout, as ISO 32000-1, 9.10.3
    asks: writers that put plain code points here make every ideograph beyond the BMP come out as another one.
    """
    ranges = []
    for first in range(0, len(texts) + 1, _ROW):
        start, row = max(first, 1), texts[max(first, 1) - 1 : first + _ROW - 1]
        if row:
            said = b"".join([_UTF16[text] for text in row])
            ranges.append(b"<%04X><%04X>[%b]\n" % (start, start + len(row) - 1, said))
    parts = [_CMAP_HEAD]
    for at in range(0, len(ranges), _RANGE_LIMIT):
        block = ranges[at : at + _RANGE_LIMIT]
        parts += (b"%d beginbfrange\n" % len(block), *block, b"endbfrange\n")
    parts.append(_CMAP_TAIL)
    return b"".join(parts)


def gid_hex(gid: int) -> bytes:
    """Write a glyph's place in the subset as a content stream shows it: four hex digits."""
    return _GID_HEX[gid] if gid < len(_GID_HEX) else b"%04X" % gid


def places_hex(count: int) -> Sequence[bytes]:
    """Write the places 1 to ``count`` as :func:`gid_hex` does."""
    return _GID_HEX[1 : count + 1] if count < len(_GID_HEX) else [gid_hex(place) for place in range(1, count + 1)]
