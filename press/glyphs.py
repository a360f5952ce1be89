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
_BFCHAR_LIMIT: Final = 100  # lines in one beginbfchar block (Adobe technical note 5411, 1.4.1)
_FONT_DATE: Final = 3660681600  # 2020-01-01, in seconds since 1904 (head.created, head.modified)


def table_checksum(table: bytes) -> int:
    """Sum big-endian 32-bit words (OpenType, "Calculating checksums"); the last word is zero-padded."""
    table += bytes(-len(table) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(table) // 4}I", table)
    return sum(words) & _MASK32


# head: baseline at y = 0, left side bearing at x = 0; one date, so that equal glyphs give equal bytes; smallest
# readable size 8 pixels, direction hint 2 (deprecated, fixed value). Its checksum counts with the adjustment 0.
_HEAD: Final = struct.Struct(">IIIIHHqq4hHHhhh")
_HEAD_FIXED: Final = (0x00010000, 0x00010000, 0, 0x5F0F3CF5, 0x0003, UNITS_PER_EM, _FONT_DATE, _FONT_DATE)
_HHEA: Final = struct.Struct(">I3hH11hH")
_HHEA_FIXED: Final = (1, *bytes(7))  # an upright caret; every glyph has its own line in hmtx
_MAXP: Final = struct.Struct(">I14H")
_MAXP_FIXED: Final = (0, 0, 1, *bytes(8))  # no composites, no twilight zone, no instructions
_SMALL_TAGS: Final = (b"head", b"hhea", b"hmtx", b"loca", b"maxp")
_DIRECTORY: Final = struct.Struct(">I4H" + (1 + len(_SMALL_TAGS)) * "4s3I")
_DIRECTORY_FIXED: Final = (0x00010000, 6, 64, 2, 32)  # six tables; what a binary search wants to know of six


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
        extent: bounds, right side bearing, points, contours: what the font-wide
            fields of head, hhea and maxp are worked out from.
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
    extent: tuple[int, int, int, int, int, int, int]

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
    return Glyph(
        text=text,
        face=face,
        name=f"{face}/{text}",
        gid=gid,
        advance=advance,
        outline=outline,
        checksum=table_checksum(outline),
        metric=struct.pack(">Hh", advance, bounds[0]),
        bounds=bounds,
        extent=(*bounds, advance - bounds[2], points, contours),
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
    members = (NOTDEF, *glyphs)
    count = len(members)
    outlines = [glyph.outline for glyph in members]
    offsets = [0, *accumulate(map(len, outlines))]
    glyf_length = offsets[-1]
    is_long = glyf_length > _SHORT_LOCA_LIMIT
    # Font-wide extremes count only glyphs with contours (OpenType, hhea); .notdef has some, so there is always one.
    x_min, y_min, x_max, y_max, right_bearing, points, contours = zip(
        *[glyph.extent for glyph in members if glyph.outline],
        strict=True,
    )
    left, bottom, right, top = min(x_min), min(y_min), max(x_max), max(y_max)
    widest = max([glyph.advance for glyph in members])
    bodies = (
        _HEAD.pack(*_HEAD_FIXED, left, bottom, right, top, 0, 8, 2, is_long, 0),
        # Ascender and descender are the real extremes; what lines are set by is the chain's descriptor.
        _HHEA.pack(0x00010000, top, bottom, 0, widest, left, min(right_bearing), right, *_HHEA_FIXED, count),
        b"".join([glyph.metric for glyph in members]),
        _loca(offsets, is_long=is_long),
        _MAXP.pack(0x00010000, count, max(points), max(contours), *_MAXP_FIXED),
    )
    return _assemble(bodies, outlines, glyf_length, sum([glyph.checksum for glyph in members]))


def _loca(offsets: Sequence[int], *, is_long: bool) -> bytes:
    if is_long:
        return struct.pack(f">{len(offsets)}I", *offsets)
    return struct.pack(f">{len(offsets)}H", *[offset >> 1 for offset in offsets])


def _assemble(bodies: Sequence[bytes], outlines: Sequence[bytes], glyf_length: int, glyf_sum: int) -> bytes:
    """Lay out the table directory and the tables, and set ``head.checkSumAdjustment``.

    "glyf" sorts first in the directory; its bytes come last, where their length moves nothing else.
    """
    small = b"".join([body + bytes(-len(body) % 4) for body in bodies])
    words: tuple[int, ...] = struct.unpack(f">{len(small) // 4}I", small)
    records: list[int | bytes] = []
    at = 0
    for tag, body in zip(_SMALL_TAGS, bodies, strict=True):
        end = at + (len(body) + 3) // 4
        records += (tag, sum(words[at:end]) & _MASK32, _DIRECTORY.size + 4 * at, len(body))
        at = end
    glyf = (b"glyf", glyf_sum & _MASK32, _DIRECTORY.size + len(small), glyf_length)
    directory = _DIRECTORY.pack(*_DIRECTORY_FIXED, *glyf, *records)
    adjustment = (_CHECKSUM_MAGIC - glyf_sum - sum(words) - table_checksum(directory)) & _MASK32
    return b"".join((directory, small[:8], adjustment.to_bytes(4), small[12:], *outlines))


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
        value = self[text] = b"<%b>\n" % text.encode("utf-16-be").hex().upper().encode()
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

    UTF-16BE throughout, as ISO 32000-1, 9.10.3 asks. Writers that put plain code
    points here make every ideograph beyond the BMP come out as another one.
    """
    parts = [_CMAP_HEAD]
    for start in range(0, len(texts), _BFCHAR_LIMIT):
        block = texts[start : start + _BFCHAR_LIMIT]
        lines = [b"<%04X>%b" % (place, _UTF16[text]) for place, text in enumerate(block, start + 1)]
        parts += (b"%d beginbfchar\n" % len(block), *lines, b"endbfchar\n")
    parts.append(_CMAP_TAIL)
    return b"".join(parts)


def gid_hex(gid: int) -> bytes:
    """Write a glyph's place in the subset as a content stream shows it: four hex digits."""
    return _GID_HEX[gid] if gid < len(_GID_HEX) else b"%04X" % gid
