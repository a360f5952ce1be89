"""Proofs for many leaves under one checkpoint, written together: those of a chunk stand in a handful of tiles.

Each tile is hashed once, from its lowest row up, and must be what the tile
above it holds, up to the root that was signed; then a proof is one look-up for
each level. A line of base64 that several proofs share is written once.
"""

from binascii import b2a_base64
from collections.abc import Sequence

from credential.merkle import leaf_hash
from credential.note import PROOF_HEADER, format_proof
from registry.log.paths import Head, Rows, not_signed
from registry.log.tiles import HEIGHT, WIDTH, hash_row

_FEW = 16
"""Leaves of one tile that are cheaper to prove one by one."""


def proof_texts(head: Head, placed: Sequence[tuple[int, bytes]]) -> list[str]:
    """Prove leaves under a checkpoint, as c2sp.org/tlog-proof@v1 texts, each checked on the way.

    Args:
        head: the checkpoint and the tree under it.
        placed: position, below the head's size, and bytes of each leaf.

    Returns:
        What :func:`credential.note.format_proof` would write, in the order given.

    Raises:
        LogDamaged: the tiles do not lead from a leaf to the root.
    """
    by_tile: dict[int, list[int]] = {}
    for number, (position, _) in enumerate(placed):
        by_tile.setdefault(position // WIDTH, []).append(number)
    texts = [""] * len(placed)
    border: list[Rows] | None = None
    for index, numbers in by_tile.items():
        if len(numbers) < _FEW:
            for number in numbers:
                position, leaf = placed[number]
                texts[number] = format_proof(position, head.path(position, leaf), head.note)
            continue
        border = border or _border(head)
        rows = _rows(head, border, 0, index)
        above = _lines_above(head, border, index, rows)
        paths = _paths(rows, f"{above}\n\n{head.note}")
        lowest = rows[0]
        width = len(lowest)
        for number in numbers:
            position, leaf = placed[number]
            at = position % WIDTH
            if leaf_hash(leaf) != lowest[at]:
                raise not_signed(position)
            beside = _line(lowest[at ^ 1]) if at ^ 1 < width else ""
            texts[number] = f"{PROOF_HEADER}\nindex {position}{beside}{paths[at >> 1]}"
    return texts


def _border(head: Head) -> list[Rows]:
    """The tiles at the right border of the tree, level by level, each with the root of those below it at its end.

    Raises:
        LogDamaged: they do not lead to the root.
    """
    border: list[Rows] = []
    rest: list[bytes] = []
    level = 0
    while head.size >> HEIGHT * level:
        index, width = divmod(head.size >> HEIGHT * level, WIDTH)
        row = head.rows(level, index)[0] if width else []
        border.append(hash_row([*row, *rest]))
        rest = border[-1][-1]
        level += 1
    if rest != [head.root]:
        raise not_signed(head.size - 1)
    return border


def _rows(head: Head, border: Sequence[Rows], level: int, index: int) -> Rows:
    if index == head.size >> HEIGHT * (level + 1):
        return border[level]
    return head.leaf_rows(index) if level == 0 else head.rows(level, index)


def _lines_above(head: Head, border: Sequence[Rows], index: int, rows: Rows) -> str:
    """The lines that the proofs of all leaves of a tile end with, each tile on the way checked in the one above.

    Raises:
        LogDamaged: one is not what the tile above it holds.
    """
    hashes: list[bytes] = []
    at = index
    for level in range(1, len(border)):
        node = rows[-1][0]
        index, at = divmod(at, WIDTH)
        rows = _rows(head, border, level, index)
        if rows[0][at] != node:
            raise not_signed(at << HEIGHT * level)
        hashes += [row[at >> height ^ 1] for height, row in enumerate(rows) if at >> height ^ 1 < len(row)]
        at = index
    return "".join(map(_line, hashes))


def _paths(rows: Rows, ending: str) -> list[str]:
    """What follows the lowest hash in the proofs of two leaves of a tile: the hashes above, then what all share."""
    paths = [ending]
    for row in reversed(rows[1:-1]):
        lines = list(map(_line, row))
        # A last node without partner rises as it is: there is no hash beside it.
        lines.append("")
        paths = [lines[at ^ 1 if at ^ 1 < len(row) else -1] + paths[at >> 1] for at in range(len(row))]
    return paths


def _line(node: bytes) -> str:
    return f"\n{b2a_base64(node, newline=False).decode()}"
