"""Store the sealed items of many rows as one object: one fsync, one PUT, ranged reads.

The index stands in front, so that a pack found after a crash can be read back
on its own. Each item is sealed under its own row's key; the pack itself has
no secret. The format is in docs/formats-registry.md.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from credential.cbor import BadCbor, decode, encode
from credential.errors import UnavailableError
from credential.ports import Blobs
from registry.vault import place

MAGIC = b"YZPACK\x00\x01"
_LENGTH_BYTES = 4
MAX_INDEX_BYTES = 16 * 1024 * 1024
"""More than a hundred thousand items; guards against a length that is garbage."""


class PackDamaged(UnavailableError):
    """A stored pack is not what was written: cut, changed, or not a pack at all."""

    code = "pack-damaged"

    def __init__(self, name: str, why_en: str, why_zh: str) -> None:
        super().__init__(f"the pack {name} {why_en}; restore it from a backup", f"数据包 {name} {why_zh};请从备份恢复")
        self.name = name


@dataclass(frozen=True, slots=True)
class PackItem:
    """One sealed item on its way into a pack.

    Attributes:
        row_number: of the batch's row.
        sealed: sealed for :func:`item_place`.
        digest: SHA-256 of the whole file the item is the tail of; empty for photos.
        whole_length: bytes of that file.
        prefix_digest: SHA-256 of the prefix the tail is appended to; empty for photos.
    """

    row_number: int
    sealed: bytes
    digest: bytes = b""
    whole_length: int = 0
    prefix_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """Where one item stands in its pack.

    Attributes:
        offset: bytes from the start of the object.
        length: bytes, sealed.
    """

    row_number: int
    offset: int
    length: int
    digest: bytes
    whole_length: int
    prefix_digest: bytes


@dataclass(frozen=True, slots=True)
class Pack:
    """One stored pack.

    Attributes:
        digest: SHA-256 of the object.
        length: bytes of the object.
    """

    kind: str
    name: str
    digest: bytes
    length: int
    entries: tuple[IndexEntry, ...]


def item_place(kind: str, name: str, row_number: int) -> bytes:
    """Name the place that an item of a pack is sealed for."""
    return place("pack", f"{name}#{row_number}", kind)


def build_pack(kind: str, name: str, items: Sequence[PackItem]) -> tuple[list[bytes], Pack]:
    """Lay out a pack; returns the parts to store under its name, and what was laid out."""
    rows = [[one.row_number, len(one.sealed), one.digest, one.whole_length, one.prefix_digest] for one in items]
    index = encode([kind, rows])
    head = b"".join((MAGIC, len(index).to_bytes(_LENGTH_BYTES, "big"), index))
    parts = [head, *(one.sealed for one in items)]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    entries = tuple(_entries(len(head), rows))
    length = len(head) + sum(entry.length for entry in entries)
    return parts, Pack(kind, name, digest.digest(), length, entries)


def read_pack(blobs: Blobs, kind: str, name: str) -> tuple[Pack, bytes]:
    """Read a whole pack back; returns its index and the object.

    Raises:
        MissingBlob: there is none.
        PackDamaged: it is not a whole pack of this kind.
    """
    content = blobs.read(name)
    start = len(MAGIC) + _LENGTH_BYTES
    if content[: len(MAGIC)] != MAGIC or len(content) < start:
        raise PackDamaged(name, "is not a pack", "不是数据包")
    size = int.from_bytes(content[len(MAGIC) : start], "big")
    index = content[start : start + size]
    if size > MAX_INDEX_BYTES or len(index) != size:
        raise PackDamaged(name, "is cut within its index", "索引不完整")
    try:
        match decode(index):
            case [str(found_kind), [*rows]] if all(_is_row(row) for row in rows):
                entries = tuple(_entries(start + size, rows))
            case _:
                raise PackDamaged(name, "has an index of another form", "索引格式不符")
    except BadCbor as error:
        raise PackDamaged(name, "has an index that cannot be read", "索引无法读取") from error
    end = entries[-1].offset + entries[-1].length if entries else start + size
    if found_kind != kind or end != len(content):
        raise PackDamaged(name, f"is no whole {kind} pack", f"不是完整的 {kind} 数据包")
    return Pack(kind, name, hashlib.sha256(content).digest(), len(content), entries), content


def _is_row(row: Any) -> bool:
    match row:
        case [int(row_number), int(length), bytes(), int(whole_length), bytes()]:
            return min(row_number, length, whole_length) >= 0
    return False


def _entries(start: int, rows: list[list[Any]]) -> Iterator[IndexEntry]:
    for row_number, length, digest, whole_length, prefix_digest in rows:
        yield IndexEntry(row_number, start, length, digest, whole_length, prefix_digest)
        start += length
