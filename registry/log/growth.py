"""Work the tree out again from its entries, step by step: what a monitor compares and a mirror is given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from credential.errors import InputError
from credential.note import BadCheckpoint, BadNote, Checkpoint, open_checkpoint, refuse_bad_lines
from registry.log.tiles import WIDTH, Edge, Tiles, tile_name, unpack_entries


@dataclass(frozen=True, slots=True)
class Step:
    """The tree after one more bundle of entries.

    Attributes:
        start: position of the first of the leaves.
        leaves: as they stand in the bundle.
        edge: the right border after them.
        files: the tiles that they filled, by name; with the last step also those that stay partial.
    """

    start: int
    leaves: tuple[bytes, ...]
    edge: Edge
    files: dict[str, bytes]


def grow(tiles: Tiles, edge: Edge, size: int) -> Iterator[Step]:
    """Append the published entries to a tree, bundle by bundle, in constant memory.

    The files are computed from the entries, not read: that the entries are
    right is shown only when the last edge has the signed root.

    Args:
        tiles: gives the entries; not trusted.
        edge: where to begin; its root was checked by the caller.
        size: of the tree to come to.

    Raises:
        LogDamaged: a bundle is missing, cut off, or too short.
    """
    while edge.size < size:
        index, before = divmod(edge.size, WIDTH)
        width = min(WIDTH, size - index * WIDTH)
        leaves = tuple(unpack_entries(tiles.read(None, index, width)))[before:]
        start = edge.size
        edge, files = edge.extend(leaves)
        kept = {name: content for name, content in files.items() if ".p/" not in name}
        yield Step(start, leaves, edge, kept | (border_files(edge) if edge.size == size else {}))


def border_files(edge: Edge) -> dict[str, bytes]:
    """The partial tiles at the right border of a tree, by name."""
    files = {
        tile_name(level, edge.size >> 8 * (level + 1), len(row)): b"".join(row)
        for level, row in enumerate(edge.rows)
        if row
    }
    if edge.entries:
        files[tile_name(None, edge.size // WIDTH, edge.size % WIDTH)] = edge.entries
    return files


def open_by_any(note: str, public_keys: Sequence[bytes], origin: str) -> Checkpoint:
    """Verify a checkpoint by one of a log's keys: the one in use, or those before it.

    Args:
        note: not trusted.
        public_keys: at least one, SPKI DER, trusted.
        origin: of the log.

    Raises:
        BadNote: none of them signed it, or a line by one of them is bad.
        BadCheckpoint: it is of another log.
    """
    refuse_bad_lines(note, origin, public_keys)
    refused: InputError | None = None
    for key in public_keys:
        try:
            return open_checkpoint(note, key, origin)
        except (BadNote, BadCheckpoint) as error:
            refused = refused or error
    raise refused or BadNote("no key to check it with", "没有可用的核对密钥")
