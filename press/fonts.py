"""The pinned faces: unpacked once, and put in order, so that every name finds its glyphs.

The only cached files are the unpacked fonts, named by their digest and checked
against it when a process first uses them.
"""

import hashlib
import lzma
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

from credential.errors import ConfigError, InputError
from press.face import Descriptor, Face
from press.glyphs import Glyph, gid_hex, subset_font, subset_tag, to_unicode

__all__ = [
    "FACES",
    "Descriptor",
    "Face",
    "FontChain",
    "FontLibrary",
    "Glyph",
    "MissingFont",
    "MissingGlyph",
    "WrongFontDigest",
    "gid_hex",
    "subset_font",
    "subset_tag",
    "to_unicode",
]

# What each short name is, as named in templates/fonts.
FACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "song": "NotoSerifSC-Regular.ttf",
        "song-bold": "NotoSerifSC-Bold.ttf",
        "kai": "LXGWWenKai-Regular.ttf",
        "hana-a": "HanaMinA.ttf",
        "hana-b": "HanaMinB.ttf",
    },
)
_DIGESTS_FILE: Final = "SHA256SUMS"  # of the unpacked fonts, in the form sha256sum writes

# ``song:latin`` in a chain gives only letters, digits and marks of the Latin script; not what Chinese has in common
# with it (quotation marks, the separator of names), which belongs to the face of the Han characters.
_ONLY_LATIN: Final = ":latin"
_LATIN: Final = frozenset(map(chr, (*range(0x21, 0x7F), *range(0xC0, 0x250)))) - frozenset("×÷")


class MissingFont(ConfigError):
    """A face is not in the fonts folder."""

    code = "missing-font"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no font {name}; the faces are {', '.join(known)}",
            f"没有字体 {name}；可用的字体是 {'、'.join(known)}",
        )
        self.name = name


class WrongFontDigest(ConfigError):
    """A font's bytes are not the pinned ones."""

    code = "wrong-font-digest"

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"the font {file.name} is not the one pinned in {_DIGESTS_FILE}: restore the original file",
            f"字体 {file.name} 与 {_DIGESTS_FILE} 中固定的版本不符：请恢复原文件",
        )
        self.file = file


class MissingGlyph(InputError):
    """No face of a chain draws a character."""

    code = "missing-glyph"

    def __init__(self, char: str, faces: Sequence[str]) -> None:
        name = " ".join(f"U+{ord(c):04X}" for c in char)
        super().__init__(
            f"no glyph for {name} in {', '.join(faces)}: check the character, or add a font that has it",
            f"字体（{'、'.join(faces)}）中没有字符 {name}：请核对该字，或添加含有该字的字体",
        )
        self.char = char


class FontChain:
    """Faces in order: each character comes from the first that draws it.

    Args:
        names: short names of at least one face, as "kai", or "song:latin" for its Latin script alone;
            the first that is whole sets the descriptor's heights.
        open_face: opens a face by name; asked only when the faces before lack a character.
    """

    def __init__(self, names: Sequence[str], open_face: Callable[[str], Face]) -> None:
        self.names = tuple(names)
        self._open_face = open_face
        self._glyphs: dict[str, Glyph] = {}
        self._whole = tuple(name for name in names if not name.endswith(_ONLY_LATIN))
        self._latin = tuple(name.removesuffix(_ONLY_LATIN) for name in names)

    def glyph(self, char: str) -> Glyph:
        """Take the glyph of one character.

        Raises:
            MissingGlyph: no face draws it, or it is a control, format or private-use character.
        """
        glyph = self._glyphs.get(char)
        if glyph is None:
            names = self._latin if char in _LATIN else self._whole
            glyph = next((found for name in names if (found := self._open_face(name).glyph(char))), None)
            if glyph is None:
                raise MissingGlyph(char, self.names)
            self._glyphs[char] = glyph
        return glyph

    def glyphs(self, text: str) -> list[Glyph]:
        """Take the glyphs of a text, one a character, in its order.

        Raises:
            MissingGlyph: at the first character that no face draws.
        """
        known = self._glyphs.get
        return [known(char) or self.glyph(char) for char in text]

    def advance(self, char: str) -> int:
        """Width of one character in 1/1000 em.

        Raises:
            MissingGlyph: no face draws it.
        """
        return self.glyph(char).advance

    def width(self, text: str) -> int:
        """Width of a text in 1/1000 em, set without kerning.

        Raises:
            MissingGlyph: at the first character that no face draws.
        """
        return sum([glyph.advance for glyph in self.glyphs(text)])

    def missing(self, text: str) -> str:
        """List the characters of a text that no face draws, each once, in order of appearance."""
        unknown = [char for char in dict.fromkeys(text) if char not in self._glyphs]
        return "".join(char for char in unknown if not self._is_drawn(char))

    def _is_drawn(self, char: str) -> bool:
        return any(self._open_face(name).gid(char) for name in (self._latin if char in _LATIN else self._whole))

    @cached_property
    def descriptor(self) -> Descriptor:
        """Facts for the font descriptor, true for every subset of this chain."""
        first = self._open_face(self._whole[0]).descriptor()
        boxes = [self._open_face(name).descriptor().bbox for name in dict.fromkeys(self._latin)]
        bbox = (
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )
        return Descriptor(first.ascent, first.descent, first.cap_height, bbox, first.stem_v)


class FontLibrary:
    """The pinned fonts: xz-compressed in one folder, unpacked into another.

    Nothing is read before a face is asked for. Several processes may share the
    cache folder.

    Args:
        fonts_folder: holds ``<name>.ttf.xz`` and ``SHA256SUMS``; read only.
        cache_folder: made if missing; may be deleted at any time.

    Raises:
        MissingFont: ``SHA256SUMS`` is not there, or lacks one of the faces.
    """

    def __init__(self, fonts_folder: Path, cache_folder: Path) -> None:
        self._fonts_folder = fonts_folder
        self._cache_folder = cache_folder
        self._faces: dict[str, Face] = {}
        self._files: dict[str, Path] = {}
        self._chains: dict[tuple[str, ...], FontChain] = {}
        try:
            lines = (fonts_folder / _DIGESTS_FILE).read_text("utf-8").splitlines()
        except FileNotFoundError as error:
            raise MissingFont(_DIGESTS_FILE, sorted(FACES)) from error
        by_file = {file.lstrip("*"): digest for digest, file in (line.split() for line in lines if line.strip())}
        for file in FACES.values():
            if file not in by_file:
                raise MissingFont(file, sorted(by_file))
        self.digests: Mapping[str, str] = MappingProxyType({name: by_file[file] for name, file in FACES.items()})

    def digest(self, *names: str) -> bytes:
        """SHA-256 over the digests of faces, in this order; what an approval binds to."""
        return hashlib.sha256("\n".join(self.digests[name] for name in names).encode()).digest()

    def file(self, name: str) -> Path:
        """Path of a face's unpacked ``.ttf``, its digest checked.

        The first call of a process reads the file once (about 10 ms); the very
        first unpacks it (about 0.7 s), as does one that finds the cached file damaged.

        Raises:
            MissingFont: no face has this name, or its file is not there.
            WrongFontDigest: the compressed file does not hold the pinned font.
        """
        if name not in FACES:
            raise MissingFont(name, sorted(FACES))
        if name not in self._files:
            # Named by digest: another version of a font is another file, so a cached one never goes stale.
            unpacked = self._cache_folder / f"{self.digests[name][:16]}-{FACES[name]}"
            if not unpacked.exists() or _file_digest(unpacked) != self.digests[name]:
                self._unpack(name, unpacked)
            self._files[name] = unpacked
        return self._files[name]

    def _unpack(self, name: str, target: Path) -> None:
        packed = self._fonts_folder / f"{FACES[name]}.xz"
        try:
            font = lzma.decompress(packed.read_bytes())
        except FileNotFoundError as error:
            raise MissingFont(packed.name, sorted(FACES)) from error
        except lzma.LZMAError as error:
            raise WrongFontDigest(packed) from error
        if hashlib.sha256(font).hexdigest() != self.digests[name]:
            raise WrongFontDigest(packed)
        self._cache_folder.mkdir(parents=True, exist_ok=True)
        # Renamed into place whole: another process sees all of it or nothing, and whoever comes second changes nothing.
        descriptor, temporary = tempfile.mkstemp(dir=self._cache_folder, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(font)
            Path(temporary).replace(target)
        finally:
            Path(temporary).unlink(missing_ok=True)

    def face(self, name: str) -> Face:
        """Open a face, once a process.

        Raises:
            MissingFont: no face has this name, or its file is not there.
            WrongFontDigest: the compressed file does not hold the pinned font.
        """
        face = self._faces.get(name)
        if face is None:
            face = self._faces[name] = Face(name, self.file(name))
        return face

    def chain(self, *names: str) -> FontChain:
        """Put faces in order; the same order gives the same chain, with the glyphs it has already taken.

        Raises:
            MissingFont: no face has one of the names, or none was named whole.
        """
        if all(name.endswith(_ONLY_LATIN) for name in names):
            raise MissingFont(names[0] if names else "", sorted(FACES))
        for name in names:
            if name.removesuffix(_ONLY_LATIN) not in FACES:
                raise MissingFont(name, sorted(FACES))
        chain = self._chains.get(names)
        if chain is None:
            chain = self._chains[names] = FontChain(names, self.face)
        return chain


def _file_digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
