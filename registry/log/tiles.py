"""The tree of the log as static files: C2SP tlog-tiles (https://c2sp.org/tlog-tiles).

``tile/<level>/<index>[.p/<width>]`` holds up to 256 hashes, ``tile/entries/...``
the leaves themselves. Any web server can serve the folder. A tile is a pure
function of the leaves under it, so writing one twice writes the same bytes.

:class:`Edge` is the right border of the tree, which is all that appending
needs: no run reads more than a few files, however large the log is.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from credential.errors import UnavailableError
from credential.merkle import EMPTY_ROOT, HASH_BYTES, leaf_hash
from registry.log.files import replace_durably

CHECKPOINT = "checkpoint"
WITNESSED = "checkpoint.witnessed"
WIDTH = 256
HEIGHT = 8  # levels of the tree in one tile
MAX_ENTRY_BYTES = 0xFFFF


class LogDamaged(UnavailableError):
    """The files of the log do not agree with its head, or one is missing."""

    code = "log-damaged"

    def __init__(self, what_en: str, what_zh: str) -> None:
        super().__init__(
            f"the log is damaged: {what_en}; restore its folder from a copy, and do not issue before",
            f"日志已损坏:{what_zh};请从副本恢复日志目录,恢复前不得发证",
        )


class NoCheckpoint(UnavailableError):
    """The log has not published a checkpoint yet, or its folder is not the right one."""

    code = "no-checkpoint"

    def __init__(self, place: str) -> None:
        super().__init__(
            f"no checkpoint was published in {place}; run the sequencer once, or name the right folder",
            f"{place} 中尚无已发布的检查点;请先运行日志定序,或核对目录",
        )
        self.place = place


def tile_name(level: int | None, index: int, width: int = WIDTH) -> str:
    """Name a tile below the log's folder; level None is for the entries."""
    parts: list[str] = []
    rest = index
    while True:
        rest, part = divmod(rest, 1000)
        parts.append(f"{part:03}" if not parts else f"x{part:03}")
        if not rest:
            break
    path = "/".join(reversed(parts))
    suffix = "" if width == WIDTH else f".p/{width}"
    return f"tile/{'entries' if level is None else level}/{path}{suffix}"


def hash_row(row: Sequence[bytes]) -> list[list[bytes]]:
    """Hash a row of nodes up to one, level by level, a node without partner rising as it is."""
    levels = [list(row)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        # As node_hash(), without a call for each of thousands of nodes.
        above = [sha256(b"\x01" + left + right).digest() for left, right in zip(below[::2], below[1::2], strict=False)]
        if len(below) % 2:
            above.append(below[-1])
        levels.append(above)
    return levels


def pack_entries(leaves: Sequence[bytes]) -> bytes:
    """Lay leaves out as an entry bundle, each behind its length in two bytes."""
    parts: list[bytes] = [b""] * (2 * len(leaves))
    parts[::2] = map(_spell_length, map(len, leaves))
    parts[1::2] = leaves
    return b"".join(parts)


@lru_cache(maxsize=256)  # ours have few lengths
def _spell_length(length: int) -> bytes:
    return length.to_bytes(2, "big")


def unpack_entries(bundle: bytes) -> Iterator[bytes]:
    """Take an entry bundle apart.

    Raises:
        LogDamaged: an entry is cut off.
    """
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if at + 2 > len(bundle) or end > len(bundle):
            raise LogDamaged(f"an entry at byte {at} is cut off", f"第 {at} 字节处的条目被截断")
        yield bundle[at + 2 : end]
        at = end


@dataclass(frozen=True, slots=True)
class Edge:
    """The right border of a tree: for each level, the hashes of its partial tile.

    Attributes:
        size: leaves in the tree.
        rows: ``rows[level]`` has ``size // 256**level % 256`` hashes.
        entries: the partial entry bundle.
    """

    size: int
    rows: tuple[tuple[bytes, ...], ...]
    entries: bytes

    @property
    def root(self) -> bytes:
        """The RFC 6962 root of the whole tree."""
        rest: list[bytes] = []
        for row in self.rows:
            levels = hash_row([*row, *rest])
            rest = levels[-1]
        return rest[0] if rest else EMPTY_ROOT

    def extend(self, leaves: Sequence[bytes]) -> tuple["Edge", dict[str, bytes]]:
        """Append leaves; returns the new border and every tile that is new, by name."""
        longest = max(map(len, leaves), default=0)
        if longest > MAX_ENTRY_BYTES:
            raise LogDamaged(f"a leaf of {longest} bytes cannot be logged", f"条目长 {longest} 字节,无法写入日志")
        files: dict[str, bytes] = {}
        entries = self._extend_entries(leaves, files)
        rows: list[tuple[bytes, ...]] = []
        fresh = [sha256(b"\x00" + leaf).digest() for leaf in leaves]  # as leaf_hash()
        index = self.size // WIDTH
        level = 0
        while fresh or level < len(self.rows):
            row = [*(self.rows[level] if level < len(self.rows) else ()), *fresh]
            above = []
            full = len(row) // WIDTH
            for number in range(full):
                tile = row[number * WIDTH : (number + 1) * WIDTH]
                files[tile_name(level, index + number)] = b"".join(tile)
                above.append(hash_row(tile)[-1][0])
            rest = tuple(row[full * WIDTH :])
            if rest and fresh:
                files[tile_name(level, index + full, len(rest))] = b"".join(rest)
            rows.append(rest)
            fresh = above
            index //= WIDTH
            level += 1
        return Edge(self.size + len(leaves), tuple(rows), entries), files

    def _extend_entries(self, leaves: Sequence[bytes], files: dict[str, bytes]) -> bytes:
        index, width = divmod(self.size, WIDTH)
        bundle, at = self.entries, 0
        while at < len(leaves):
            taken = leaves[at : at + WIDTH - width]
            bundle += pack_entries(taken)
            at += len(taken)
            width += len(taken)
            files[tile_name(None, index, width)] = bundle
            if width == WIDTH:
                bundle, width, index = b"", 0, index + 1
        return bundle


class Tiles:
    """The published files of a log, wherever they are kept.

    Args:
        fetch: reads a file by its name below the log's folder; None when it is
            not there. What it gives is not trusted.
        place: where they are, for people.
    """

    def __init__(self, fetch: Callable[[str], bytes | None], place: str) -> None:
        self.fetch = fetch
        self.place = place

    def read(self, level: int | None, index: int, width: int = WIDTH) -> bytes:
        """Read a tile, or the first part of a wider one that has taken its place.

        Raises:
            LogDamaged: it is missing, too short, or cannot be read.
        """
        content = self._find(level, index, width)
        if level is None:
            leaves = list(unpack_entries(content))[:width]
            if len(leaves) < width:
                raise LogDamaged(f"{tile_name(level, index, width)} is too short", f"{tile_name(level, index)} 过短")
            return pack_entries(leaves)
        if len(content) < width * HASH_BYTES:
            raise LogDamaged(f"{tile_name(level, index, width)} is too short", f"{tile_name(level, index)} 过短")
        return content[: width * HASH_BYTES]

    def _find(self, level: int | None, index: int, width: int) -> bytes:
        for name in (tile_name(level, index, width), tile_name(level, index)):
            content = self.fetch(name)
            if content is not None:
                return content
        name = tile_name(level, index, width)
        raise LogDamaged(f"{name} is missing", f"缺少 {name}")

    def checkpoint(self, name: str = CHECKPOINT) -> str:
        """Read the newest published checkpoint, or the newest witnessed one, a signed note.

        Raises:
            NoCheckpoint: there is none.
            LogDamaged: it cannot be read, or is not text.
        """
        note = self.fetch(name)
        if note is None:
            raise NoCheckpoint(self.place)
        try:
            return note.decode()
        except UnicodeDecodeError as error:
            raise LogDamaged("the checkpoint is not UTF-8", "检查点不是 UTF-8 文本") from error

    def edge(self, size: int, of: int | None = None) -> Edge:
        """Read the right border of the tree of a size; a few files.

        Args:
            size: of the tree.
            of: size of a larger one, whose tiles are read instead: those of a
                size that was never published are nowhere.

        Raises:
            LogDamaged: a file is missing, or entries and hashes disagree.
        """
        whole = size if of is None else of
        rows = []
        level = 0
        while size >> (HEIGHT * level):
            width = size >> (HEIGHT * level) & (WIDTH - 1)
            index = size >> (HEIGHT * (level + 1))
            there = min(WIDTH, (whole >> HEIGHT * level) - index * WIDTH)
            tile = self.read(level, index, there)[: width * HASH_BYTES] if width else b""
            rows.append(tuple(tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)))
            level += 1
        index, width = divmod(size, WIDTH)
        bundle = self.read(None, index, min(WIDTH, whole - index * WIDTH)) if width else b""
        leaves = list(unpack_entries(bundle))[:width]
        if leaves and tuple(map(leaf_hash, leaves)) != rows[0]:
            raise LogDamaged(
                f"the last entries of {size} are not the ones hashed", f"规模 {size} 处的末尾条目与哈希不符"
            )
        return Edge(size, tuple(rows), pack_entries(leaves))


class TileFolder(Tiles):
    """The log's folder on disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(self._read_file, str(folder))
        self.folder = folder

    def _read_file(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(name, error) from error

    def write(self, files: dict[str, bytes]) -> None:
        """Write tiles durably."""
        replace_durably({self.folder / name: content for name, content in files.items()})

    def drop_partials(self, old_size: int, new_size: int) -> None:
        """Delete partial tiles whose full tile is there; readers fall back to that."""
        for level in (None, *range(HEIGHT)):
            height = HEIGHT * ((level or 0) + 1)
            index = old_size >> height
            if index != new_size >> height:
                shutil.rmtree(self.folder / f"{tile_name(level, index)}.p", ignore_errors=True)


def _unreadable(name: str, error: OSError) -> LogDamaged:
    why = error.strerror or "input/output"
    return LogDamaged(f"{name} cannot be read ({why})", f"无法读取 {name}({why})")
