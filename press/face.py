"""One pinned TrueType face, mapped into memory and asked for one glyph at a time.

No parsed form is kept on disk: the character map is one vectorised read of a
format 12 subtable (a few milliseconds), and an outline of a face with 1000
units to the em is copied from the mapped file without being decoded. fontTools
decodes the others: faces that must be scaled, and composites.
"""

import mmap
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from unicodedata import category

import numpy as np
from fontTools.ttLib.tables._g_l_y_f import Glyph as DecodedGlyph
from fontTools.ttLib.tables.ttProgram import Program

from press.glyphs import UNITS_PER_EM, Glyph, make_glyph

_PLANES_END: Final = 0x110000
_NOTHING: Final = 0  # glyph id of a character that a face does not draw
# A character of these categories has no shape of its own, or (private use) no meaning that a reader could extract.
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Co", "Cs"})


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a PDF font descriptor says of a chain, in 1/1000 em (ISO 32000-1, table 122).

    Ascent, descent and cap height are the first face's, by which lines are
    set; the box holds every glyph of every face, so one descriptor serves all subsets.

    Attributes:
        stem_v: estimated from the weight class as 50 + (weight / 65)^2.
    """

    ascent: int
    descent: int
    cap_height: int
    bbox: tuple[int, int, int, int]
    stem_v: int


class Face:
    """One TrueType font, mapped into memory and read table by table.

    Made for fonts we pinned, not for fonts that strangers send.

    Args:
        name: short name, as "kai".
        file: unpacked ``.ttf`` whose digest was checked.
    """

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        with file.open("rb") as opened:
            self._bytes = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        self._tables = self._read_directory()
        head = self._tables["head"]
        self._units: int = struct.unpack_from(">H", self._bytes, head + 18)[0]
        self._is_long: int = struct.unpack_from(">h", self._bytes, head + 50)[0]
        self._count: int = struct.unpack_from(">H", self._bytes, self._tables["maxp"] + 4)[0]
        self._metric_count: int = struct.unpack_from(">H", self._bytes, self._tables["hhea"] + 34)[0]
        self._glyphs: dict[str, Glyph] = {}

    def _read_directory(self) -> dict[str, int]:
        count = struct.unpack_from(">H", self._bytes, 4)[0]
        records = struct.iter_unpack(">4sIII", self._bytes[12 : 12 + 16 * count])
        return {tag.decode("ascii"): offset for tag, _, offset, _ in records}

    def _scaled(self, value: int) -> int:
        return round(value * UNITS_PER_EM / self._units)

    @cached_property
    def _offsets(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """``loca`` in bytes, one more than there are glyphs."""
        kind = ">u4" if self._is_long else ">u2"
        raw = np.frombuffer(self._bytes, kind, self._count + 1, self._tables["loca"])
        return raw.astype(np.int64) * (1 if self._is_long else 2)

    @cached_property
    def _gids(self) -> np.ndarray[Any, np.dtype[np.uint16]]:
        """Glyph id by code point, 0 where the face draws nothing.

        Read from the format 12 subtable for Windows, full Unicode (OpenType,
        cmap). A character that the face maps to an empty outline counts as not
        drawn unless it is a space: an invisible name is worse than a refused one.
        """
        start = self._full_cmap()
        count = struct.unpack_from(">I", self._bytes, start + 12)[0]
        groups = np.frombuffer(self._bytes, ">u4", 3 * count, start + 16).reshape(-1, 3).astype(np.int64)
        lengths = groups[:, 1] - groups[:, 0] + 1
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        points = np.repeat(groups[:, 0], lengths) + within
        gids = np.repeat(groups[:, 2], lengths) + within
        is_blank = self._offsets[gids + 1] == self._offsets[gids]
        blank = {int(point) for point in points[is_blank] if category(chr(point)) != "Zs"}
        table = np.zeros(_PLANES_END, np.uint16)
        table[points] = gids
        table[list(blank)] = _NOTHING
        return table

    def _full_cmap(self) -> int:
        start = self._tables["cmap"]
        count = struct.unpack_from(">H", self._bytes, start + 2)[0]
        for platform, encoding, offset in struct.iter_unpack(">HHI", self._bytes[start + 4 : start + 4 + 8 * count]):
            if (platform, encoding) == (3, 10) and struct.unpack_from(">H", self._bytes, start + offset)[0] == 12:
                return start + int(offset)
        raise ValueError(f"the font {self.name} has no character map for all of Unicode")

    def gid(self, char: str) -> int:
        """Glyph id of one character, 0 if the face does not draw it."""
        gid = int(self._gids[ord(char)])
        return _NOTHING if gid and category(char) in _UNPRINTABLE else gid

    def glyph(self, char: str) -> Glyph | None:
        """Take one character's glyph, or None; the same object every time."""
        glyph = self._glyphs.get(char)
        if glyph is None:
            gid = self.gid(char)
            if gid == _NOTHING:
                return None
            advance, bearing = self._metric(gid)
            entry = self._entry(gid)
            if entry and struct.unpack_from(">h", entry, 2)[0] != bearing:
                # Rasterisers shift an outline by the difference (OpenType, hmtx); subset_font leaves none.
                raise ValueError(f"glyph {gid} of {self.name} is shifted from its left side bearing")
            glyph = make_glyph(char, self.name, gid, self._scaled(advance), self._simple(entry))
            self._glyphs[char] = glyph
        return glyph

    def _metric(self, gid: int) -> tuple[int, int]:
        """Advance and left side bearing in the font's own units (OpenType, hmtx)."""
        start, last = self._tables["hmtx"], self._metric_count - 1
        advance, bearing = struct.unpack_from(">Hh", self._bytes, start + 4 * min(gid, last))
        if gid > last:
            bearing = struct.unpack_from(">h", self._bytes, start + 4 * self._metric_count + 2 * (gid - last - 1))[0]
        return advance, bearing

    def _entry(self, gid: int) -> bytes:
        start = self._tables["glyf"]
        return self._bytes[start + int(self._offsets[gid]) : start + int(self._offsets[gid + 1])]

    def _simple(self, entry: bytes) -> bytes:
        """Give the simple outline of an entry, without hints, at 1000 units per em."""
        if not entry:
            return b""
        contours = struct.unpack_from(">h", entry)[0]
        if contours > 0 and self._units == UNITS_PER_EM:
            # Flags and coordinates stay as they are; only the instructions before them are cut out (OpenType, glyf).
            at = 10 + 2 * contours
            hints = struct.unpack_from(">H", entry, at)[0]
            return b"".join((entry[:at], b"\0\0", entry[at + 2 + hints :]))
        return self._redrawn(entry)

    def _redrawn(self, entry: bytes) -> bytes:
        """Decode, resolve components, scale to 1000 units per em, and write as a simple outline."""
        decoded = DecodedGlyph(entry)
        source = _Components(self)
        decoded.expand(source)
        coordinates, ends, flags = decoded.getCoordinates(source)
        coordinates = coordinates.copy()
        coordinates.scale((UNITS_PER_EM / self._units, UNITS_PER_EM / self._units))
        coordinates.toInt()
        simple = DecodedGlyph()
        simple.numberOfContours = len(ends)
        simple.coordinates, simple.endPtsOfContours, simple.flags = coordinates, ends, flags
        simple.program = Program()  # empty: no hints
        outline: bytes = simple.compile(None)
        return outline

    def descriptor(self) -> Descriptor:
        """Read the facts a PDF asks for, in 1/1000 em."""
        os2 = self._tables["OS/2"]
        version, weight = (struct.unpack_from(">H", self._bytes, os2 + at)[0] for at in (0, 4))
        ascent, descent = struct.unpack_from(">hh", self._bytes, os2 + 68)  # sTypoAscender, sTypoDescender
        # Fonts before OS/2 version 2 do not state a cap height (Hanazono); the letter itself does.
        letter = self.glyph("H")
        measured = letter.bounds[3] if letter else self._scaled(ascent)
        cap_height = self._scaled(struct.unpack_from(">h", self._bytes, os2 + 88)[0]) if version >= 2 else measured
        x_min, y_min, x_max, y_max = struct.unpack_from(">4h", self._bytes, self._tables["head"] + 36)
        return Descriptor(
            ascent=self._scaled(ascent),
            descent=self._scaled(descent),
            cap_height=cap_height,
            bbox=(self._scaled(x_min), self._scaled(y_min), self._scaled(x_max), self._scaled(y_max)),
            stem_v=round(50 + (weight / 65) ** 2),
        )


class _Components:
    """The little that fontTools asks of a ``glyf`` table to resolve a composite glyph."""

    extended = False  # the classic table: no cubic curves, 16-bit glyph ids

    def __init__(self, face: Face) -> None:
        self._face = face

    def getGlyphName(self, gid: int) -> str:  # noqa: N802 - fontTools' own name
        """Name a glyph by its number."""
        return str(gid)

    def __getitem__(self, name: str) -> DecodedGlyph:
        glyph = DecodedGlyph(self._face._entry(int(name)))  # noqa: SLF001 - one class in two halves
        glyph.expand(self)
        return glyph
