"""The Merkle tree of RFC 6962 (and RFC 9162, 2.1): hashes, proofs, fast appending.

Proofs are first worked out as ranges of leaves, then hashed, so that a log that
keeps its tree in tiles can look the same ranges up there.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from credential.errors import InputError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()


class BadProof(InputError):
    """A proof that does not lead to the root, or cannot be one."""

    code = "bad-proof"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the proof of the log does not hold: {why_en}", f"日志证明不成立: {why_zh}")


@dataclass(frozen=True, slots=True)
class LogProof:
    """A proof of inclusion, taken apart; nothing of it is verified.

    Attributes:
        index: position of the leaf, from 0.
        hashes: from the leaf's sibling up to the root's child.
        checkpoint: the signed note, verbatim.
        extra: opaque bytes that nobody vouches for.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""


class Range(NamedTuple):
    """Leaves from ``start`` up to but without ``end``; its hash is that of the subtree over them."""

    start: int
    end: int


def leaf_hash(leaf: bytes) -> bytes:
    """Hash one leaf's bytes (SHA-256, prefix 0)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees (SHA-256, prefix 1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(leaf_hashes: Sequence[bytes]) -> bytes:
    """Hash a whole tree; of no leaves it is the hash of nothing."""
    frontier = Frontier()
    frontier.extend(leaf_hashes)
    return frontier.root()


class Frontier:
    """The right edge of a growing tree: at most one hash for each bit of its size.

    Appending costs two hashes on average. Not safe for several threads.
    """

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Start empty, or go on from what :attr:`size` and :attr:`nodes` once were.

        Raises:
            ValueError: not one node of 32 bytes for each bit that is set in the size.
        """
        self._size = size
        self._nodes = list(nodes)
        if size < 0 or len(self._nodes) != size.bit_count() or any(len(node) != HASH_BYTES for node in self._nodes):
            raise ValueError(f"{len(self._nodes)} nodes are no frontier of a tree of size {size}")

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._size

    @property
    def nodes(self) -> tuple[bytes, ...]:
        """Hashes of the full subtrees, the largest (leftmost) first."""
        return tuple(self._nodes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf by its hash."""
        node, size = leaf, self._size
        while size & 1:
            node = node_hash(self._nodes.pop(), node)
            size >>= 1
        self._nodes.append(node)
        self._size += 1

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Add leaves by their hashes, in order."""
        for leaf in leaf_hashes:
            self.append(leaf)

    def root(self) -> bytes:
        """Hash the whole tree as it is now."""
        if not self._nodes:
            return EMPTY_ROOT
        *left, root = self._nodes
        for node in reversed(left):
            root = node_hash(node, root)
        return root


def inclusion_ranges(index: int, size: int) -> tuple[Range, ...]:
    """Say which subtrees prove that a leaf is in a tree, deepest first (RFC 9162, 2.1.3.1).

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_ranges(old_size: int, new_size: int) -> tuple[Range, ...]:
    """Say which subtrees prove that a tree grew by appending only (RFC 9162, 2.1.4.1).

    Raises:
        ValueError: the old size is negative or greater than the new one.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {new_size} leaves was never one of {old_size}")
    if old_size in (0, new_size):
        return ()
    path = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    if start:
        path.append(Range(start, end))
    return tuple(reversed(path))


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Prove that a leaf is in the tree.

    Raises:
        ValueError: there is no such leaf.
    """
    return _hashed(leaf_hashes, inclusion_ranges(index, len(leaf_hashes)))


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Prove that the tree of the first ``old_size`` leaves grew into this one.

    Raises:
        ValueError: there are fewer leaves than that.
    """
    return _hashed(leaf_hashes, consistency_ranges(old_size, len(leaf_hashes)))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is in the tree with this root (RFC 9162, 2.1.3.2).

    Args:
        leaf: its hash.
        index: from 0; not trusted.
        size: of the tree, from the same checkpoint as the root.
        proof: hashes, deepest first; not trusted.
        root: 32 bytes, vouched for by a checkpoint.

    Raises:
        BadProof: it is not shown to be in it.
    """
    if not 0 <= index < size:
        raise BadProof(f"a tree of {size} leaves has no leaf {index}", f"规模为 {size} 的日志没有第 {index} 条")
    # Below the level where the paths of this leaf and of the last one part, siblings stand on either side;
    # from there on only on the left, one for each bit of the index that is set.
    inner = (index ^ (size - 1)).bit_length()
    _check_hashes(proof, inner + (index >> inner).bit_count())
    node = leaf
    for level, other in enumerate(proof):
        pair = other + node if level >= inner or index >> level & 1 else node + other
        node = hashlib.sha256(b"\x01" + pair).digest()
    if node != root:
        raise BadProof("it leads to another root", "推导出的根哈希不一致")


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that a tree grew by appending only (RFC 9162, 2.1.4.2).

    Args:
        old_size: of the earlier tree; the empty tree grows into any.
        new_size: of the later one.
        proof: hashes as :func:`consistency_proof` orders them; not trusted.
        old_root: of the earlier tree.
        new_root: of the later one.

    Raises:
        BadProof: it is not shown.
    """
    if not 0 <= old_size <= new_size:
        raise BadProof(
            f"a log of {old_size} entries became one of {new_size}", f"日志规模由 {old_size} 变为 {new_size}"
        )
    ranges = consistency_ranges(old_size, new_size)
    _check_hashes(proof, len(ranges))
    if not ranges:
        if (old_size == 0 and old_root != EMPTY_ROOT) or (old_size == new_size and old_root != new_root):
            raise BadProof("trees of one size have two roots", "同一规模的日志出现两个根哈希")
        return
    known = dict(zip(ranges, proof, strict=True))
    if old_size.bit_count() == 1:
        known[Range(0, old_size)] = old_root  # the old tree is a whole subtree of the new one
    if _fold(known, 0, old_size) != old_root or _fold(known, 0, new_size) != new_root:
        raise BadProof("it leads to another root", "推导出的根哈希不一致")


def _split(size: int) -> int:
    """The largest power of two below a size of at least 2."""
    return 1 << (size - 1).bit_length() - 1


def _hashed(leaf_hashes: Sequence[bytes], ranges: Iterable[Range]) -> tuple[bytes, ...]:
    return tuple(root_hash(leaf_hashes[one.start : one.end]) for one in ranges)


def _check_hashes(proof: Sequence[bytes], length: int) -> None:
    if len(proof) != length or any(len(node) != HASH_BYTES for node in proof):
        raise BadProof(f"it has not {length} hashes of {HASH_BYTES} bytes", f"应含 {length} 个 {HASH_BYTES} 字节的哈希")


def _fold(known: dict[Range, bytes], start: int, end: int) -> bytes:
    """Hash a subtree from the subtrees that are known; depth is at most the tree's height."""
    found = known.get(Range(start, end))
    if found is not None:
        return found
    middle = start + _split(end - start)
    return node_hash(_fold(known, start, middle), _fold(known, middle, end))
