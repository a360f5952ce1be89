import io
import lzma
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium  # type: ignore[import-untyped] # it brings no types
import pytest
from fontTools.pens.recordingPen import DecomposingRecordingPen, RecordingPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._c_m_a_p import cmap_format_4, table__c_m_a_p
from PIL import Image

from press.fonts import FACES, Descriptor, Face, FontChain, FontLibrary, MissingFont, MissingGlyph, WrongFontDigest
from press.glyphs import Glyph, subset_font, subset_tag, to_unicode

ROOT = Path(__file__).resolve().parents[2]
FONTS = ROOT / "templates" / "fonts"
NAMES = "李䶮𣲵 徐㼆 阿依努尔·买买提江 𬱖𤩽 㛃喆堃昇㐂𠮷"
# GB 18030-2022, level 3: 87,887 ideographs, by the Unicode blocks they lie in.
GB18030_2022 = {
    "URO": (0x4E00, 0x9FEF, 20976),
    "A": (0x3400, 0x4DB5, 6582),
    "B": (0x20000, 0x2A6D6, 42711),
    "C": (0x2A700, 0x2B734, 4149),
    "D": (0x2B740, 0x2B81D, 222),
    "E": (0x2B820, 0x2CEA1, 5762),
    "F": (0x2CEB0, 0x2EBE0, 7473),
}
UNIFIED_AMONG_COMPATIBILITY = "﨎﨏﨑﨓﨔﨟﨡﨣﨤﨧﨨﨩"


@pytest.fixture(scope="session")
def chain(library: FontLibrary) -> FontChain:
    return library.chain("kai", "song", "hana-a", "hana-b")


@pytest.fixture(scope="session")
def originals(library: FontLibrary) -> Iterator[dict[str, TTFont]]:
    fonts = {name: TTFont(library.file(name), lazy=True) for name in FACES}
    yield fonts
    for font in fonts.values():
        font.close()


def ideographs() -> Iterator[str]:
    for first, last, _ in GB18030_2022.values():
        yield from map(chr, range(first, last + 1))
    yield from UNIFIED_AMONG_COMPATIBILITY


def test_the_table_of_ideographs_is_that_of_gb_18030_2022() -> None:
    assert all(last - first + 1 == count for first, last, count in GB18030_2022.values())
    assert sum(1 for _ in ideographs()) == 87887
    assert len(set(UNIFIED_AMONG_COMPATIBILITY)) == 12


@pytest.mark.parametrize("first", ["kai", "song", "song-bold"])
def test_a_chain_draws_every_ideograph_of_gb_18030_2022(library: FontLibrary, first: str) -> None:
    chain = library.chain(first, "hana-a", "hana-b")
    everything = "".join(ideographs())
    assert chain.missing(everything) == ""
    # Not only mapped: something is drawn, also where the mapping face is a fallback.
    assert all(chain.glyph(char).outline for char in everything[::293])


def test_song_draws_the_whole_first_block_and_extension_a(library: FontLibrary) -> None:
    song = library.chain("song")
    assert song.missing("".join(map(chr, range(0x4E00, 0xA000)))) == ""
    assert song.missing("".join(map(chr, range(0x3400, 0x4DC0)))) == ""
    assert len(song.missing("".join(map(chr, range(0x20000, 0x2A6D7))))) > 40000


def test_missing_lists_each_character_once_in_order(chain: FontChain) -> None:
    assert chain.missing("\ue000甲\U000e0101乙\ue000ᠮ") == "\ue000\U000e0101ᠮ"


@pytest.mark.parametrize("char", ["\ue000", "\u200b", "\t", "\ud840", "\ufeff", "\u3164", "\u115f", "\U0010ffff"])
def test_what_has_no_visible_meaning_is_refused(chain: FontChain, char: str) -> None:
    assert chain.missing(char) == char
    with pytest.raises(MissingGlyph, match=f"U\\+{ord(char):04X} in kai, song, hana-a, hana-b"):
        chain.glyph(char)


def test_a_character_comes_from_the_first_face_that_draws_it(library: FontLibrary, chain: FontChain) -> None:
    assert [glyph.face for glyph in chain.glyphs("李𣲵𪛖")] == ["kai", "hana-a", "hana-b"]
    assert library.chain("song", "kai").glyph("李").face == "song"
    assert library.chain("kai", "song").glyph("龘").face == "kai"


def test_one_character_of_one_face_is_one_object(library: FontLibrary, chain: FontChain) -> None:
    assert chain.glyph("李") is library.chain("kai").glyph("李")
    assert chain.glyph("李") is not library.chain("song").glyph("李")
    assert library.chain("kai", "song") is library.chain("kai", "song")


def test_two_characters_drawn_alike_have_two_keys(library: FontLibrary) -> None:
    song = library.chain("song")
    radical, ideograph = song.glyphs("⼀一")
    assert radical.gid == ideograph.gid
    assert radical.key != ideograph.key
    assert radical is not ideograph


def test_widths_are_in_thousandths(chain: FontChain) -> None:
    assert chain.advance("李") == 1000
    assert chain.advance("𣲵") == 1000  # 1024 units in its own face
    assert chain.width("李𣲵A") == 2000 + chain.advance("A")
    assert 400 < chain.advance("A") < 900


def recorded(font: TTFont, name: str, *, is_merged: bool) -> list[tuple[str, tuple[tuple[float, float] | None, ...]]]:
    glyphs = font.getGlyphSet()
    pen = RecordingPen() if is_merged else DecomposingRecordingPen(glyphs)
    glyphs[name].draw(pen)
    return list(pen.value)


def test_outlines_are_those_of_the_originals(library: FontLibrary, originals: dict[str, TTFont]) -> None:
    members: list[Glyph] = []
    for name, font in originals.items():
        cmap = font.getBestCmap()
        members += [
            glyph
            for point in [*sorted(cmap)[:: len(cmap) // 60], *map(ord, "A·李 ")]
            if point in cmap and (glyph := library.face(name).glyph(chr(point)))
        ]
    merged = TTFont(io.BytesIO(subset_font(members)), checkChecksums=2)
    for glyph, name in zip(members, merged.getGlyphOrder()[1:], strict=True):
        font = originals[glyph.face]
        scale = 1000 / font["head"].unitsPerEm
        theirs = recorded(font, font.getBestCmap()[ord(glyph.text)], is_merged=False)
        ours = recorded(merged, name, is_merged=True)
        assert [operator for operator, _ in ours] == [operator for operator, _ in theirs]
        for (_, our_points), (_, their_points) in zip(ours, theirs, strict=True):
            for our, their in zip(our_points, their_points, strict=True):
                assert (our is None) == (their is None)
                if our is not None and their is not None:
                    # Scaled points are rounded to whole units; those of 1000-unit faces are exact. Implied
                    # on-curve points are halves of two rounded ones.
                    tolerance = 0 if scale == 1 else 0.51
                    assert abs(our[0] - their[0] * scale) <= tolerance
                    assert abs(our[1] - their[1] * scale) <= tolerance
        advance = font["hmtx"][font.getBestCmap()[ord(glyph.text)]][0]
        assert merged["hmtx"][name] == (round(advance * scale), glyph.bounds[0])
        assert glyph.advance == round(advance * scale)


def test_composites_are_resolved(library: FontLibrary, originals: dict[str, TTFont]) -> None:
    font = originals["kai"]
    composites = [
        chr(point)
        for point, name in font.getBestCmap().items()
        if font["glyf"].glyphs[name].isComposite() and point < 0xE000
    ]
    assert composites
    for char in composites:
        glyph = library.face("kai").glyph(char)
        assert glyph is not None
        merged = TTFont(io.BytesIO(subset_font([glyph])))
        ours = recorded(merged, merged.getGlyphOrder()[1], is_merged=True)
        assert ours == recorded(font, font.getBestCmap()[ord(char)], is_merged=False)


def test_hints_are_left_out(chain: FontChain) -> None:
    for glyph in chain.glyphs(NAMES):
        if glyph.outline:
            contours = struct.unpack_from(">h", glyph.outline)[0]
            assert contours > 0
            assert struct.unpack_from(">H", glyph.outline, 10 + 2 * contours)[0] == 0


def test_the_descriptor_holds_every_glyph(chain: FontChain, library: FontLibrary) -> None:
    facts = chain.descriptor
    assert isinstance(facts, Descriptor)
    assert (facts.ascent, facts.descent, facts.cap_height) == (880, -120, 695)
    assert 60 < facts.stem_v < 120
    assert library.chain("song-bold").descriptor.stem_v > library.chain("song").descriptor.stem_v
    assert library.chain("hana-a").descriptor.cap_height == library.chain("hana-a").glyph("H").bounds[3]
    for glyph in chain.glyphs("".join(ideographs())[::439]):
        assert facts.bbox[0] <= glyph.bounds[0] <= glyph.bounds[2] <= facts.bbox[2]
        assert facts.bbox[1] <= glyph.bounds[1] <= glyph.bounds[3] <= facts.bbox[3]


def tiny_pdf(glyphs: Sequence[Glyph], chain: FontChain, columns: int) -> bytes:
    """Set glyphs of 100 points in a grid of 120 points, in a page made by hand."""
    rows = -(-len(glyphs) // columns)
    width, height = 120 * columns, 120 * rows
    lines = [b"BT /F 100 Tf"]
    for row in range(rows):
        places = range(columns * row + 1, min(columns * (row + 1), len(glyphs)) + 1)
        lines.append(b"1 0 0 1 10 %d Tm [%b] TJ" % (height - 120 * row - 98, b"".join(shown(glyphs, places))))
    content = b"\n".join([*lines, b"ET"])
    font, cmap = subset_font(glyphs), to_unicode([glyph.text for glyph in glyphs])
    name = f"{subset_tag(glyphs)}+Yinzheng".encode()
    facts = chain.descriptor
    widths = b" ".join(b"%d" % glyph.advance for glyph in glyphs)
    packed = zlib.compress(font)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
        % (width, height),
        b"<</Length %d>>stream\n%b\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type0/BaseFont/%b/Encoding/Identity-H/DescendantFonts[6 0 R]/ToUnicode 8 0 R>>" % name,
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/%b"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        b"/CIDToGIDMap/Identity/DW 1000/W[1[%b]]/FontDescriptor 7 0 R>>" % (name, widths),
        b"<</Type/FontDescriptor/FontName/%b/Flags 4/FontBBox[%d %d %d %d]/ItalicAngle 0/Ascent %d/Descent %d"
        b"/CapHeight %d/StemV %d/FontFile2 9 0 R>>"
        % (name, *facts.bbox, facts.ascent, facts.descent, facts.cap_height, facts.stem_v),
        b"<</Length %d>>stream\n%b\nendstream" % (len(cmap), cmap),
        b"<</Length %d/Length1 %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(packed), len(font), packed),
    ]
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<</Size 10/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(out)
    return out + b"xref\n0 10\n0000000000 65535 f \n" + table + trailer


def shown(glyphs: Sequence[Glyph], places: Sequence[int]) -> Iterator[bytes]:
    for place in places:
        # Advance to the next cell of 120 points, whatever the glyph's own width.
        yield b"<%04X>%d " % (place, glyphs[place - 1].advance - 1200)


def test_every_character_is_extracted_exactly(chain: FontChain, tmp_path: Path) -> None:
    document = tmp_path / "names.pdf"
    # One row, near enough that extractors see one line; spaces are glyphs like others.
    texts = list(dict.fromkeys(NAMES))
    document.write_bytes(tiny_pdf(chain.glyphs("".join(texts)), chain, len(texts)))
    for command in (
        ["pdftotext", "-enc", "UTF-8", "-raw", str(document), "-"],
        ["mutool", "draw", "-q", "-F", "txt", str(document)],
    ):
        done = subprocess.run(command, capture_output=True, check=True)
        found = "".join(done.stdout.decode("utf-8").split())
        assert found == "".join(texts).replace(" ", ""), command[0]
    pages = pdfium.PdfDocument(document)
    found = pages[0].get_textpage().get_text_range().encode("utf-16", "surrogatepass").decode("utf-16")
    pages.close()
    assert "".join(found.split()) == "".join(texts).replace(" ", "")


def test_poppler_sees_an_embedded_subset(chain: FontChain, tmp_path: Path) -> None:
    document = tmp_path / "names.pdf"
    glyphs = chain.glyphs("李𣲵A")
    document.write_bytes(tiny_pdf(glyphs, chain, 3))
    table = subprocess.run(["pdffonts", str(document)], capture_output=True, check=True)
    assert table.stderr == b""
    row = table.stdout.decode().splitlines()[2]
    assert row.startswith(f"{subset_tag(glyphs)}+Yinzheng")
    assert row.split()[1:8] == ["CID", "TrueType", "Identity-H", "yes", "yes", "yes", "5"]
    checked = subprocess.run(["qpdf", "--check", str(document)], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def pixels(document: Path, renderer: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Render at one pixel a point, grey."""
    if renderer == "pdfium":
        pages = pdfium.PdfDocument(document)
        image = pages[0].render(scale=1, grayscale=True).to_pil()
        pages.close()
        return np.asarray(image.convert("L"))
    target = document.with_suffix(f".{renderer}")
    command = {
        "mutool": ["mutool", "draw", "-q", "-r", "72", "-c", "gray", "-o", f"{target}.png", str(document)],
        "poppler": ["pdftoppm", "-r", "72", "-gray", "-png", "-singlefile", str(document), str(target)],
    }[renderer]
    subprocess.run(command, check=True, capture_output=True)
    return np.asarray(Image.open(f"{target}.png").convert("L"))


@pytest.mark.parametrize("renderer", ["pdfium", "mutool", "poppler"])
def test_renderers_put_the_ink_where_the_glyphs_say(chain: FontChain, tmp_path: Path, renderer: str) -> None:
    document = tmp_path / "names.pdf"
    texts = dict.fromkeys([*NAMES.replace(" ", ""), *"".join(ideographs())[::4001], *"Ay·年"])
    glyphs = chain.glyphs("".join(texts))
    columns = 8
    document.write_bytes(tiny_pdf(glyphs, chain, columns))
    page = pixels(document, renderer)
    for place, glyph in enumerate(glyphs):
        row, column = divmod(place, columns)
        cell = page[120 * row : 120 * (row + 1), 120 * column : 120 * (column + 1)]
        inked = np.argwhere(cell < 200)
        assert inked.size, glyph.text
        (top, left), (bottom, right) = inked.min(axis=0), inked.max(axis=0) + 1
        # The origin is 10 points from the left and 98 from the top; a tenth of a unit of bounds is a pixel.
        expected = (
            10 + glyph.bounds[0] / 10,
            98 - glyph.bounds[3] / 10,
            10 + glyph.bounds[2] / 10,
            98 - glyph.bounds[1] / 10,
        )
        found = (left, top, right, bottom)
        assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 2.5, (glyph.text, found, expected)


@pytest.fixture
def small_fonts(tmp_path: Path) -> Path:
    """A fonts folder in which only the smallest face is real."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    shutil.copy(FONTS / "SHA256SUMS", folder)
    shutil.copy(FONTS / "NotoSerifSC-Regular.ttf.xz", folder)
    return folder


def test_a_damaged_cached_font_is_unpacked_again(small_fonts: Path, library: FontLibrary, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    pinned = library.file("song").read_bytes()
    damaged = cache / library.file("song").name
    damaged.write_bytes(pinned[:1_000_000])
    assert FontLibrary(small_fonts, cache).file("song") == damaged
    assert damaged.read_bytes() == pinned
    damaged.write_bytes(pinned[:-1] + b"\x01")
    assert FontLibrary(small_fonts, cache).face("song").glyph("印") is not None
    assert damaged.read_bytes() == pinned
    assert [file.name for file in cache.iterdir()] == [damaged.name]


def test_a_font_that_is_not_the_pinned_one_is_refused(small_fonts: Path, tmp_path: Path) -> None:
    packed = small_fonts / "NotoSerifSC-Regular.ttf.xz"
    cache = tmp_path / "cache"
    packed.write_bytes(lzma.compress(b"another font", preset=0))
    with pytest.raises(WrongFontDigest, match=r"NotoSerifSC-Regular\.ttf\.xz"):
        FontLibrary(small_fonts, cache).file("song")
    packed.write_bytes(b"no font at all")
    with pytest.raises(WrongFontDigest):
        FontLibrary(small_fonts, cache).file("song")
    assert not cache.exists()


def test_a_missing_font_is_refused(small_fonts: Path, tmp_path: Path) -> None:
    library = FontLibrary(small_fonts, tmp_path / "cache")
    with pytest.raises(MissingFont, match=r"LXGWWenKai-Regular\.ttf\.xz"):
        library.chain("kai").glyph("李")
    for names in (("papyrus",), ("song", "papyrus"), ()):
        with pytest.raises(MissingFont):
            library.chain(*names)
    with pytest.raises(MissingFont):
        library.file("papyrus")
    with pytest.raises(MissingFont, match="SHA256SUMS"):
        FontLibrary(tmp_path, tmp_path / "cache")
    (small_fonts / "SHA256SUMS").write_text("")
    with pytest.raises(MissingFont):
        FontLibrary(small_fonts, tmp_path / "cache")


def test_several_at_once_unpack_one_whole_file(small_fonts: Path, library: FontLibrary, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with ThreadPoolExecutor(3) as pool:
        files = list(pool.map(lambda _: FontLibrary(small_fonts, cache).file("song"), range(3)))
    assert len(set(files)) == 1
    assert [file.name for file in cache.iterdir()] == [files[0].name]
    assert files[0].read_bytes() == library.file("song").read_bytes()


def test_digests_bind_faces_and_their_order(library: FontLibrary) -> None:
    assert library.digest("kai", "song") == library.digest("kai", "song")
    assert len({library.digest("kai", "song"), library.digest("song", "kai"), library.digest("kai")}) == 3
    sums = (FONTS / "SHA256SUMS").read_text()
    assert all(f"{library.digests[name]}  {file}" in sums for name, file in FACES.items())


def test_a_font_without_a_full_character_map_is_refused(library: FontLibrary, tmp_path: Path) -> None:
    font = TTFont(io.BytesIO(subset_font(library.chain("kai").glyphs("李"))))
    bare = tmp_path / "bare.ttf"
    only_bmp = cmap_format_4(4)
    only_bmp.platformID, only_bmp.platEncID, only_bmp.language = 3, 1, 0
    only_bmp.cmap = {ord("李"): font.getGlyphOrder()[1]}
    font["cmap"] = table__c_m_a_p()
    font["cmap"].tableVersion, font["cmap"].tables = 0, [only_bmp]
    font.save(bare)
    with pytest.raises(ValueError, match="no character map for all of Unicode"):
        Face("bare", bare).glyph("李")


def test_a_shifted_outline_is_refused(library: FontLibrary, tmp_path: Path) -> None:
    font = library.file("song").read_bytes()
    gid = library.chain("song").glyph("李").gid
    tables = {tag: offset for tag, _, offset, _ in struct.iter_unpack(">4sIII", font[12 : 12 + 16 * 18])}
    at = tables[b"hmtx"] + 4 * gid + 2
    shifted = tmp_path / "shifted.ttf"
    shifted.write_bytes(font[:at] + struct.pack(">h", struct.unpack_from(">h", font, at)[0] + 40) + font[at + 2 :])
    with pytest.raises(ValueError, match="shifted from its left side bearing"):
        Face("shifted", shifted).glyph("李")
