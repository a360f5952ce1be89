"""Paths from leaves to the root of a published log, with tiles that were checked once kept in memory.

A full tile never changes, so it is read and hashed once, however often it is
asked. That it belongs to the checkpoint at hand is checked for every path:
each tile's own root against the hash in the tile above it, and the topmost
subtree against the root that was signed.
"""

from collections.abc import Callable
from functools import lru_cache

from credential.merkle import EMPTY_ROOT, BadProof, Range, consistency_ranges, leaf_hash, node_hash, verify_consistency
from credential.note import Checkpoint
from registry.log.tiles import HEIGHT, WIDTH, LogDamaged, Tiles, hash_row

_TILES = 1024
"""Full tiles kept with all their nodes, about 33 KB each, or as they are on disk, 8 KB."""

_CROWNS = 16_384
"""Crowns kept, 2.3 KB each: enough for the tiles of four million leaves."""

_GROUP = 8  # leaves under a node of the crown
_GROUP_HEIGHT = 3
_HASH = 32

Rows = list[list[bytes]]  # nodes of a tile, level by level from the bottom
Crown = tuple[bytes, ...]  # the same from the third level on, each level joined


class TileCache:
    """Full tiles of one log in memory; safe to share among threads.

    The bottom level is most of a log. Of its tiles only the crown is kept for
    long, the nodes above groups of eight leaves; a group is read again and
    must hash to its place in the crown.
    """

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles
        self.leaves: Callable[[int], bytes] = lru_cache(_TILES)(self._read_leaves)
        self.crown: Callable[[int], Crown] = lru_cache(_CROWNS)(self._read_crown)
        self.rows: Callable[[int, int], Rows] = lru_cache(_TILES)(self._read_rows)

    def partial(self, level: int, index: int, width: int) -> Rows:
        """Read a tile at the right border, which the next checkpoint replaces."""
        return hash_row(_split(self._tiles.read(level, index, width)))

    def leaf_rows(self, index: int) -> Rows:
        """Hash a full tile of the bottom level, for many paths at once; it is not kept."""
        return hash_row(_split(self.leaves(index)))

    def _read_leaves(self, index: int) -> bytes:
        return self._tiles.read(0, index)

    def _read_crown(self, index: int) -> Crown:
        return tuple(map(b"".join, hash_row(_split(self.leaves(index)))[_GROUP_HEIGHT:]))

    def _read_rows(self, level: int, index: int) -> Rows:
        return self.partial(level, index, WIDTH)


class Head:
    """One checkpoint and the tree under it; safe to share among threads.

    Args:
        note: the published checkpoint.
        checkpoint: what it says; the root is believed, the tiles are not.
        cache: of the log.
    """

    def __init__(self, note: str, checkpoint: Checkpoint, cache: TileCache) -> None:
        self.note = note
        self.size = checkpoint.size
        self.root = checkpoint.root
        self._cache = cache
        self._partial: dict[tuple[int, int], Rows] = {}
        self._summits: dict[int, tuple[bytes, tuple[bytes, ...]]] = {}

    def path(self, position: int, leaf: bytes) -> tuple[bytes, ...]:
        """Give the hashes that lead from a leaf to the root, checked on the way.

        Args:
            position: of the leaf, below the size.
            leaf: its bytes, as the database has them.

        Raises:
            LogDamaged: the tiles do not lead from this leaf to the root.
        """
        # Up to where the paths of this leaf and the last one part; from there on all leaves share one path.
        inner = (position ^ (self.size - 1)).bit_length()
        below = max(inner - 1, 0)
        top, rest = self._summits.get(inner) or self._summit(inner)
        node = leaf_hash(leaf)
        hashes: list[bytes] = []
        for level in range(below // HEIGHT + 1):
            at = position >> HEIGHT * level
            node = self._climb(level, at, node, min(HEIGHT, below - HEIGHT * level), hashes)
        if node != top:
            raise not_signed(position)
        return (*hashes, *rest)

    def consistency(self, old_size: int) -> tuple[bytes, ...]:
        """Prove that the tree grew from an older size by appending only, checked on the way.

        Args:
            old_size: at most the size; of 0 and of the size itself the proof is empty.

        Raises:
            ValueError: the tree was never of that size.
            LogDamaged: the tiles do not lead to the root.
        """
        hashes = tuple(map(self._subtree, consistency_ranges(old_size, self.size)))
        try:
            verify_consistency(old_size, self.size, hashes, self.root_at(old_size), self.root)
        except BadProof as error:
            raise not_signed(old_size) from error
        return hashes

    def root_at(self, old_size: int) -> bytes:
        """Work out the root that the tree had at an older size; only :meth:`consistency` says that it is right."""
        return self._subtree(Range(0, old_size)) if old_size else EMPTY_ROOT

    def rows(self, level: int, index: int) -> Rows:
        """The nodes of a tile, as far as the tree reaches; read from the files, and not checked here."""
        return self._cache.rows(level, index) if self._is_full(level, index) else self._partial_rows(level, index)

    def leaf_rows(self, index: int) -> Rows:
        """Those of a full tile of the bottom level, which are not kept."""
        return self._cache.leaf_rows(index)

    def _climb(self, level: int, at: int, node: bytes, heights: int, hashes: list[bytes]) -> bytes:
        """Go up in one tile from the node at a place in its bottom row; gives the node that is reached."""
        index, place = divmod(at, WIDTH)
        if level == 0 and heights >= _GROUP_HEIGHT and self._is_full(level, index):
            return self._climb_crown(index, place, node, heights, hashes)
        rows = self.rows(level, index)
        if rows[0][place] != node:
            raise not_signed(at << HEIGHT * level)
        hashes += [rows[height][place >> height ^ 1] for height in range(heights)]
        return rows[heights][place >> heights]

    def _climb_crown(self, index: int, place: int, node: bytes, heights: int, hashes: list[bytes]) -> bytes:
        """Go up in a full tile of the bottom level: the group's three levels are hashed again, the crown is known."""
        group, at = divmod(place, _GROUP)
        start = group * _GROUP * _HASH
        own = _split(self._cache.leaves(index)[start : start + _GROUP * _HASH])
        pairs = [node_hash(own[0], own[1]), node_hash(own[2], own[3]), node_hash(own[4], own[5]), node_hash(*own[6:])]
        halves = [node_hash(pairs[0], pairs[1]), node_hash(pairs[2], pairs[3])]
        crown = self._cache.crown(index)
        if own[at] != node or node_hash(halves[0], halves[1]) != crown[0][group * _HASH : (group + 1) * _HASH]:
            raise not_signed(index * WIDTH + place)
        hashes += (own[at ^ 1], pairs[at >> 1 ^ 1], halves[at >> 2 ^ 1])
        for height in range(_GROUP_HEIGHT, heights):
            sibling = (place >> height ^ 1) * _HASH
            hashes.append(crown[height - _GROUP_HEIGHT][sibling : sibling + _HASH])
        reached = (place >> heights) * _HASH
        return crown[heights - _GROUP_HEIGHT][reached : reached + _HASH]

    def _is_full(self, level: int, index: int) -> bool:
        return (index + 1) * WIDTH <= self.size >> HEIGHT * level

    def _summit(self, inner: int) -> tuple[bytes, tuple[bytes, ...]]:
        """Give the highest node that the leaves of one part of the tree have for themselves, and the path from it on.

        Raises:
            LogDamaged: that path does not lead to the root.
        """
        last = self.size - 1
        height = max(inner - 1, 0)
        place = last >> inner << 1 if inner else last
        node = top = self._subtree(Range(place << height, (place + 1) << height))
        rest: list[bytes] = []
        if inner:
            rest.append(self._subtree(Range((place + 1) << height, self.size)))
            node = node_hash(node, rest[0])
        for bit in range(inner, self.size.bit_length()):
            if last >> bit & 1:
                left = (last >> bit) - 1 << bit
                rest.append(self._subtree(Range(left, left + (1 << bit))))
                node = node_hash(rest[-1], node)
        if node != self.root:
            raise not_signed(place << height)
        self._summits[inner] = top, tuple(rest)
        return top, tuple(rest)

    def _subtree(self, one: Range) -> bytes:
        width = one.end - one.start
        if width & (width - 1):
            middle = one.start + (1 << (width - 1).bit_length() - 1)
            return node_hash(self._subtree(Range(one.start, middle)), self._subtree(Range(middle, one.end)))
        level, height = divmod(width.bit_length() - 1, HEIGHT)
        index, place = divmod(one.start >> HEIGHT * level, WIDTH)
        return self.rows(level, index)[height][place >> height]

    def _partial_rows(self, level: int, index: int) -> Rows:
        rows = self._partial.get((level, index))
        if rows is None:
            width = (self.size >> HEIGHT * level) - index * WIDTH
            rows = self._partial[level, index] = self._cache.partial(level, index, width)
        return rows


def not_signed(position: int) -> LogDamaged:
    """The error for tiles that do not lead from a leaf to the root."""
    return LogDamaged(f"the tiles over leaf {position} are not the ones signed", "哈希块与检查点不符")


def _split(tile: bytes) -> list[bytes]:
    return [tile[at : at + _HASH] for at in range(0, len(tile), _HASH)]
