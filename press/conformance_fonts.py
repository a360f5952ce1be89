"""Rules about fonts and the text shown in them (ISO 19005-3, 6.2.11; ISO 14289-1, 7.21).

For the fonts that this press writes, Type 0 over TrueType, every code that a
page shows is followed to its glyph, its width and its character. Of other
fonts, which only a designer's artwork can bring, less is looked at.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pikepdf

from press.conformance_program import Program, read_program, read_unicode_map
from press.conformance_rule import Examined, Rule

_SIMPLE = frozenset({"/Type1", "/MMType1", "/TrueType"})
_DESCENDANTS = frozenset({"/CIDFontType0", "/CIDFontType2"})
_PROGRAMS = ("/FontFile", "/FontFile2", "/FontFile3")
_NEVER_TEXT = frozenset("\0\ufeff\ufffe")
_PROGRAM_KINDS = frozenset({"/Type1C", "/CIDFontType0C", "/OpenType"})


@dataclass(frozen=True, slots=True)
class _Shown:
    """A font with the codes that are shown in it.

    Attributes:
        codes: two bytes each in a composite font, one in a simple one.
    """

    place: str
    font: Any
    codes: frozenset[int]

    @property
    def descendant(self) -> Any:
        """Its CID font, or None for a simple font."""
        return self.font.DescendantFonts[0] if "/DescendantFonts" in self.font else None


def _shown(file: Examined) -> list[_Shown]:
    """List the fonts that text is shown in; strings of an odd length say so by a code of -1."""
    found: dict[tuple[int, int], tuple[str, Any, set[int]]] = {}
    for place, resources, content in file.contents:
        for name, texts in content.shown.items():
            font = None if resources is None else resources.get("/Font", {}).get(name or "/", None)
            if font is None:
                continue  # the rule about resources says so
            _, _, codes = found.setdefault(font.objgen, (f"{place} font {name}", font, set()))
            for text in texts:
                codes |= _codes(text, 2 if "/DescendantFonts" in font else 1)
    return [_Shown(place, font, frozenset(codes)) for place, font, codes in found.values()]


def _codes(text: bytes, width: int) -> set[int]:
    if width == 1:
        return set(text)
    if len(text) % 2:
        return {-1}
    return set(struct.unpack(f">{len(text) // 2}H", text))


def _all_fonts(file: Examined) -> Iterator[tuple[str, Any]]:
    """List fonts by how they are used, since one may lack the very entry that says it is a font."""
    yield from file.of_type("/Font")
    for place, one in file.having("/Font"):
        fonts = one.Font
        if isinstance(fonts, pikepdf.Dictionary):
            yield from ((f"{place} {name}", font) for name, font in fonts.items() if font.get("/Type") != "/Font")


def _dictionaries(file: Examined) -> Iterator[str]:
    for place, font in _all_fonts(file):
        kind = str(font.get("/Subtype", ""))
        if font.get("/Type") != "/Font":
            yield f"{place} /Type"
        if kind not in {*_SIMPLE, *_DESCENDANTS, "/Type0"}:
            yield f"{place} /Subtype"
        if not isinstance(font.get("/BaseFont"), pikepdf.Name):
            yield f"{place} /BaseFont"
        if kind in _SIMPLE:
            first, last = int(font.get("/FirstChar", -1)), int(font.get("/LastChar", -2))
            if first < 0 or len(font.get("/Widths", [])) != last - first + 1:
                yield f"{place} /Widths"


def _names(file: Examined) -> Iterator[str]:
    for place, font in file.of_type("/Font"):
        descriptor = font.get("/FontDescriptor")
        if descriptor is not None and descriptor.get("/FontName") != font.get("/BaseFont"):
            yield place
        # A font over CFF outlines adds its CMap's name to that of its descendant (ISO 32000-1, 9.7.6.2).
        for descendant in font.get("/DescendantFonts", []):
            if not str(font.get("/BaseFont", "")).startswith(str(descendant.get("/BaseFont", "-"))):
                yield place


def _embedding(file: Examined) -> Iterator[str]:
    for place, font in _all_fonts(file):
        if str(font.get("/Subtype", "")) in {"/Type0", "/Type3"}:
            continue
        programs = [key for key in _PROGRAMS if key in font.get("/FontDescriptor", {})]
        if len(programs) != 1 or not isinstance(font.FontDescriptor[programs[0]], pikepdf.Stream):
            yield place
        elif programs[0] == "/FontFile3" and str(font.FontDescriptor.FontFile3.get("/Subtype")) not in _PROGRAM_KINDS:
            yield f"{place} /FontFile3"


def _composites(file: Examined) -> Iterator[str]:
    for place, font in file.of_type("/Font"):
        if font.get("/Subtype") == "/Type0":
            if str(font.get("/Encoding", "")) not in {"/Identity-H", "/Identity-V"}:
                yield f"{place} /Encoding"
            if len(font.get("/DescendantFonts", [])) != 1:
                yield f"{place} /DescendantFonts"
        if str(font.get("/Subtype", "")) in _DESCENDANTS and "/CIDSystemInfo" not in font:
            yield f"{place} /CIDSystemInfo"
        if font.get("/Subtype") == "/CIDFontType2" and font.get("/CIDToGIDMap") != "/Identity":
            yield f"{place} /CIDToGIDMap"


def _sets(file: Examined) -> Iterator[str]:
    for place, one in file.of_type("/FontDescriptor"):
        yield from (f"{place} {key}" for key in ("/CIDSet", "/CharSet") if key in one)


def _encodings(file: Examined) -> Iterator[str]:
    for place, font in file.of_type("/Font"):
        if font.get("/Subtype") != "/TrueType":
            continue
        is_symbolic = bool(int(font.get("/FontDescriptor", {}).get("/Flags", 0)) & 4)
        encoding = font.get("/Encoding")
        named = encoding.get("/BaseEncoding") if isinstance(encoding, pikepdf.Dictionary) else encoding
        if is_symbolic != (encoding is None) or (
            not is_symbolic and str(named) not in {"/WinAnsiEncoding", "/MacRomanEncoding"}
        ):
            yield place


def _programs(file: Examined) -> Iterator[str]:
    for place, one in file.of_type("/FontDescriptor"):
        if isinstance(one.get("/FontFile2"), pikepdf.Stream):
            fault = _program(one).fault
            if fault:
                yield f"{place}: {fault}"


@lru_cache(maxsize=8)
def _read_known(program: bytes) -> Program:
    return read_program(program)


def _program(descriptor: Any) -> Program:
    """Read a descriptor's program; several rules ask, and the fixed texts' font is the same in all documents."""
    return _read_known(descriptor.FontFile2.read_bytes())


def _measured(file: Examined) -> list[tuple[_Shown, Program]]:
    """List the shown fonts whose glyphs can be followed: TrueType programs under an identity map."""
    found = []
    for shown in file.once(_shown):
        descriptor = None if shown.descendant is None else shown.descendant.get("/FontDescriptor", {})
        if descriptor is None or not isinstance(descriptor.get("/FontFile2"), pikepdf.Stream):
            continue
        program = _program(descriptor)
        if not program.fault:
            found.append((shown, program))
    return found


def _present(file: Examined) -> Iterator[str]:
    for shown, program in file.once(_measured):
        yield from (f"{shown.place} code {code:04X}" for code in sorted(shown.codes) if not 0 <= code < program.glyphs)


def _notdef(file: Examined) -> Iterator[str]:
    for shown in file.once(_shown):
        if shown.descendant is not None and 0 in shown.codes:
            yield f"{shown.place} code 0000"


def _widths(file: Examined) -> Iterator[str]:
    for shown, program in file.once(_measured):
        stated = _stated_widths(shown.descendant)
        default = float(shown.descendant.get("/DW", 1000))
        for code in sorted(shown.codes):
            if 0 <= code < program.glyphs and abs(stated.get(code, default) - program.advances[code]) > 1:
                yield f"{shown.place} code {code:04X}"


def _stated_widths(descendant: Any) -> dict[int, float]:
    """Read ``/W`` (ISO 32000-1, 9.7.4.3): a code and its widths, or a first and a last code and one width."""
    stated: dict[int, float] = {}
    rest = list(descendant.get("/W", []))
    while len(rest) >= 2:
        if isinstance(rest[1], pikepdf.Array):
            stated |= {int(rest[0]) + place: float(width) for place, width in enumerate(rest[1])}
            rest = rest[2:]
        else:
            stated |= dict.fromkeys(range(int(rest[0]), int(rest[1]) + 1), float(rest[2]))
            rest = rest[3:]
    return stated


def _characters(file: Examined) -> list[tuple[_Shown, int, str]]:
    found = []
    for shown in file.once(_shown):
        unicode_map = shown.font.get("/ToUnicode")
        if shown.descendant is None and unicode_map is None:
            continue  # a simple font in a standard encoding needs no map (ISO 19005-3, 6.2.11.7.2)
        known = read_unicode_map(unicode_map.read_bytes()) if isinstance(unicode_map, pikepdf.Stream) else {}
        found += [(shown, code, known.get(code, "")) for code in sorted(shown.codes)]
    return found


def _unmapped(file: Examined) -> Iterator[str]:
    for shown, code, text in file.once(_characters):
        if not text or _NEVER_TEXT & set(text):
            yield f"{shown.place} code {code:04X}"


def _private(file: Examined) -> Iterator[str]:
    for shown, code, text in file.once(_characters):
        if any(_is_private(character) for character in text):
            yield f"{shown.place} code {code:04X}"


def _is_private(character: str) -> bool:
    return "\ue000" <= character <= "\uf8ff" or ord(character) >= 0xF0000


RULES = (
    Rule(
        "font-dictionaries",
        ("ISO 19005-3, 6.2.11.2", "ISO 32000-1, 9.6 and 9.7"),
        "a font lacks what it must state, or is of a kind this check knows no rules for",
        "字体缺少必要条目, 或属于本检查没有相应规则的类型",
        _dictionaries,
    ),
    Rule(
        "font-names",
        ("ISO 32000-1, 9.8.1", "ISO 32000-1, 9.7.6.2"),
        "a font, its descendant and its descriptor differ in name",
        "字体与其后代字体或描述符的名称不一致",
        _names,
    ),
    Rule(
        "font-embedding",
        ("ISO 19005-3, 6.2.11.4.1", "ISO 14289-1, 7.21.4.1"),
        "a font is not embedded",
        "字体没有嵌入",
        _embedding,
    ),
    Rule(
        "composite-fonts",
        ("ISO 19005-3, 6.2.11.3", "ISO 14289-1, 7.21.3"),
        "a composite font is not mapped to its glyphs by identity",
        "复合字体没有按恒等映射对应字形",
        _composites,
    ),
    Rule(
        "glyph-lists",
        ("ISO 19005-3, 6.2.11.4.2", "ISO 14289-1, 7.21.4.2"),
        "a font lists its glyphs, which this check does not compare",
        "字体附有字形清单, 本检查不作核对",
        _sets,
    ),
    Rule(
        "font-encodings",
        ("ISO 19005-3, 6.2.11.6", "ISO 14289-1, 7.21.6"),
        "a TrueType font's encoding does not go with its being symbolic or not",
        "TrueType 字体的编码与其符号属性不符",
        _encodings,
    ),
    Rule(
        "font-programs",
        ("ISO 19005-3, 6.2.11.2", "ISO 32000-1, 9.9"),
        "an embedded font program is not sound",
        "嵌入的字体程序有误",
        _programs,
    ),
    Rule(
        "glyphs-present",
        ("ISO 19005-3, 6.2.11.4.1", "ISO 14289-1, 7.21.4.1"),
        "text is shown in a glyph that its font has not",
        "显示的文字在字体中没有字形",
        _present,
    ),
    Rule(
        "notdef",
        ("ISO 19005-3, 6.2.11.8", "ISO 14289-1, 7.21.8"),
        "the glyph for missing characters is shown",
        "显示了缺字字形",
        _notdef,
    ),
    Rule(
        "glyph-widths",
        ("ISO 19005-3, 6.2.11.5", "ISO 14289-1, 7.21.5"),
        "a glyph is wider or narrower than its font says",
        "字形宽度与字体所述不一致",
        _widths,
    ),
    Rule(
        "unicode-maps",
        ("ISO 19005-3, 6.2.11.7.2", "ISO 14289-1, 7.21.7"),
        "text is shown of which nobody can tell the characters",
        "显示的文字没有对应的 Unicode 字符",
        _unmapped,
    ),
    Rule(
        "private-characters",
        ("ISO 19005-3, 6.2.11.7.3",),
        "text is shown in private-use characters",
        "显示的文字使用了私用区字符",
        _private,
    ),
)
