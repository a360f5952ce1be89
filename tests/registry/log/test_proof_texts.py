"""Proofs of many leaves at once: the same texts as one by one, and as strict about the tiles."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from credential.merkle import inclusion_proof, leaf_hash, root_hash, verify_inclusion
from credential.note import Checkpoint, format_proof, parse_proof
from registry.log.paths import Head, TileCache
from registry.log.proof_texts import proof_texts
from registry.log.tiles import Edge, LogDamaged, Tiles

from .conftest import NOW, ORIGIN, TestLog, some_leaves

LEAVES = some_leaves(0, 1500)
NOTE = "a checkpoint\n\n— and its signature AAAA\n"


def published(leaves: Sequence[bytes]) -> dict[str, bytes]:
    edge, files = Edge(0, (), b"").extend(leaves)
    assert edge.size == len(leaves)
    return files


def head_over(files: dict[str, bytes], size: int, root: bytes) -> Head:
    return Head(NOTE, Checkpoint(ORIGIN, size, root), TileCache(Tiles(files.get, "memory")))


@settings(max_examples=30)
@given(size=st.integers(1, 1500), data=st.data())
@example(size=1, data=None)
@example(size=256, data=None)
@example(size=257, data=None)
@example(size=1280, data=None)
def test_many_proofs_are_the_texts_of_one_by_one(size: int, data: st.DataObject | None) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES[:size]]
    head = head_over(published(LEAVES[:size]), size, root_hash(hashes))
    positions = list(range(size))
    if data is not None:
        positions = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=400))
    texts = proof_texts(head, [(position, LEAVES[position]) for position in positions])
    for position, text in zip(positions, texts, strict=True):
        proof = parse_proof(text)
        assert (proof.index, proof.checkpoint) == (position, NOTE)
        verify_inclusion(hashes[position], position, size, proof.hashes, head.root)
        assert text == format_proof(position, head.path(position, LEAVES[position]), NOTE)
    checked = positions[-1]
    assert parse_proof(texts[-1]).hashes == inclusion_proof(hashes, checked)


@pytest.mark.parametrize("size", [65_536, 65_537, 66_000])
def test_a_tree_of_three_levels_of_tiles(size: int) -> None:
    leaves = some_leaves(0, size)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    head = head_over(published(leaves), size, root_hash(hashes))
    ends = [*range(300), *range(size - 600, size), *range(30_000, 30_020)]
    for position, text in zip(ends, proof_texts(head, [(one, leaves[one]) for one in ends]), strict=True):
        verify_inclusion(hashes[position], position, size, parse_proof(text).hashes, head.root)


@pytest.mark.parametrize("name", ["tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"])
def test_no_proof_comes_from_a_tile_that_is_not_the_one_signed(name: str) -> None:
    files = published(LEAVES[:700])
    root = root_hash([leaf_hash(leaf) for leaf in LEAVES[:700]])
    shuffler = random.Random(name)  # noqa: S311 - a test's choice of bytes
    for at in shuffler.sample(range(len(files[name])), 12):
        damaged = bytearray(files[name])
        damaged[at] ^= 1 << shuffler.randrange(8)
        head = head_over({**files, name: bytes(damaged)}, 700, root)
        with pytest.raises(LogDamaged, match="not the ones signed"):
            proof_texts(head, list(enumerate(LEAVES[:700])))


def test_a_tree_made_anew_over_other_leaves_does_not_pass() -> None:
    """Every tile fits every other; only the signed root is another."""
    root = root_hash([leaf_hash(leaf) for leaf in LEAVES[1:701]])
    with pytest.raises(LogDamaged, match="not the ones signed"):
        proof_texts(head_over(published(LEAVES[:700]), 700, root), list(enumerate(LEAVES[:700])))


@pytest.mark.parametrize("position", [0, 300, 699])
def test_a_leaf_that_is_not_the_one_logged_has_no_proof(position: int) -> None:
    root = root_hash([leaf_hash(leaf) for leaf in LEAVES[:700]])
    placed = list(enumerate(LEAVES[:700]))
    placed[position] = (position, LEAVES[701])
    with pytest.raises(LogDamaged, match="not the ones signed"):
        proof_texts(head_over(published(LEAVES[:700]), 700, root), placed)


def test_ids_far_apart_are_proven_as_those_side_by_side(testlog: TestLog) -> None:
    ids = testlog.put(400)
    testlog.log.sequence(NOW)
    together = testlog.reader.proofs(ids)
    assert testlog.reader.proofs([ids[0], ids[-1], ids[7]]) == [together[0], together[-1], together[7]]
    assert testlog.reader.proofs([]) == []
