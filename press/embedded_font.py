"""A subset font as the objects of a PDF (ISO 32000-1, 9.7): Type 0 over TrueType, two bytes a glyph."""

from collections.abc import Sequence

from press.fonts import FontChain, Glyph
from press.syntax import numbers

_HAN_WIDTH = 1000


def type0(name: bytes, cid_font: int, unicode_map: int) -> bytes:
    """Write the font that content streams select."""
    return b"<</Type/Font/Subtype/Type0/BaseFont/%b/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>" % (
        *(name, cid_font, unicode_map),
    )


def cid_font(name: bytes, descriptor: int, glyphs: Sequence[Glyph]) -> bytes:
    """Write the descendant font; Han characters are as wide as the default, the others state their widths."""
    widths = b"".join(
        [b"%d[%d]" % (place, glyph.advance) for place, glyph in enumerate(glyphs, 1) if glyph.advance != _HAN_WIDTH]
    )
    system = b"<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    return b"<</Type/Font/Subtype/CIDFontType2/BaseFont/%b/CIDSystemInfo%b%b/DW %d%b/FontDescriptor %d 0 R>>" % (
        *(name, system, b"/CIDToGIDMap/Identity"),
        *(_HAN_WIDTH, b"/W[%b]" % widths if widths else b"", descriptor),
    )


def font_descriptor(chains: Sequence[FontChain], name: bytes, file: int) -> bytes:
    """Write a descriptor that is true for every subset of the chains; heights are the first one's."""
    each = [chain.descriptor for chain in chains]
    box = (
        min(one.bbox[0] for one in each),
        min(one.bbox[1] for one in each),
        max(one.bbox[2] for one in each),
        max(one.bbox[3] for one in each),
    )
    first = each[0]
    return (
        b"<</Type/FontDescriptor/FontName/%b/Flags 4/FontBBox[%b]/ItalicAngle 0/Ascent %d/Descent %d/CapHeight %d"
        b"/StemV %d/FontFile2 %d 0 R>>"
        % (name, numbers(*box), first.ascent, first.descent, first.cap_height, first.stem_v, file)
    )
