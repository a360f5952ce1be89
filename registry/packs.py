"""Store the sealed items of many rows as one object: one fsync, one PUT, ranged reads.

The index stands in front, so that a pack found after a crash can be read back
on its own. Each item is sealed under its own row's key; the pack itself has
no secret. The format is in docs/formats-registry.md.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cbor2

from credential.cbor import BadCbor, decode
from credential.errors import UnavailableError
from credential.ports import Blobs
from registry.vault import SEALED_OVERHEAD, RecordKey, place

MAGIC = b"YZPACK\x00\x01"
_LENGTH_BYTES = 4
_HEAD_BYTES = 64
_ENTRY_BYTES = 2 * (2 + 32) + 1 + 3 * 9
"""The most that an index has, beside its entries and for each of them."""
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


class IndexEntry(NamedTuple):
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


_IndexRow = tuple[int, int, bytes, int, bytes]
"""What the index says of an item: row number, sealed length, and the last three of :class:`IndexEntry`."""


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
    head, entries = _head(
        kind, [(one.row_number, len(one.sealed), one.digest, one.whole_length, one.prefix_digest) for one in items]
    )
    parts = [head, *(one.sealed for one in items)]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    length = len(head) + sum(entry.length for entry in entries)
    return parts, Pack(kind, name, digest.digest(), length, entries)


class PackWriter:
    """Lays out a pack where it is written from: each item is encrypted straight into its place.

    The index stands in front, and how long it is, is known at the end; so room
    is left for the longest there may be, and the pack begins behind what is not needed.

    Args:
        kind: of the items.
        name: that the pack is to be stored under.
        items: how many there will be, at most.
        memory: grows, and is best handed in again for the next pack of the process: to be
            given fresh pages costs more than to encrypt what is put into them.
    """

    def __init__(self, kind: str, name: str, items: int, memory: bytearray) -> None:
        self._kind = kind
        self._name = name
        self._memory = memory
        self._rows: list[_IndexRow] = []
        self._start = self._end = _HEAD_BYTES + items * _ENTRY_BYTES
        self._grow(self._start)

    def add(  # noqa: PLR0913, PLR0917 - what the index says of an item
        self, key: RecordKey, row_number: int, content: bytes, digest: bytes, whole_length: int, prefix_digest: bytes
    ) -> None:
        """Seal one item, and put it behind the ones before; the rest is as in :class:`PackItem`."""
        length = len(content) + SEALED_OVERHEAD
        start, end = self._end, self._end + length
        self._grow(end)
        with memoryview(self._memory) as memory, memory[start:end] as target:
            key.seal_into(content, item_place(self._kind, self._name, row_number), target)
        self._end = end
        self._rows.append((row_number, length, digest, whole_length, prefix_digest))

    def finish(self) -> tuple[memoryview, Pack]:
        """Put the index in front; returns what to store, which is good until the memory is used again, and the pack."""
        head, entries = _head(self._kind, self._rows)
        start = self._start - len(head)
        self._memory[start : self._start] = head
        content = memoryview(self._memory)[start : self._end]
        return content, Pack(self._kind, self._name, hashlib.sha256(content).digest(), len(content), entries)

    def _grow(self, end: int) -> None:
        if end > len(self._memory):
            self._memory.extend(bytes(end - len(self._memory) + end // 4))


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


def _head(kind: str, rows: Sequence[_IndexRow]) -> tuple[bytes, tuple[IndexEntry, ...]]:
    # For integers, byte strings and one text cbor2's is the one encoding that credential/cbor.py reads.
    index = cbor2.dumps([kind, rows], canonical=True)
    head = b"".join((MAGIC, len(index).to_bytes(_LENGTH_BYTES, "big"), index))
    return head, tuple(_entries(len(head), rows))


def _entries(start: int, rows: Sequence[Sequence[Any]]) -> Iterator[IndexEntry]:
    for row_number, length, digest, whole_length, prefix_digest in rows:
        yield IndexEntry(row_number, start, length, digest, whole_length, prefix_digest)
        start += length
