"""The tree of RFC 6962: the vectors of Certificate Transparency's reference code, and attacks on proofs."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.merkle import (
    EMPTY_ROOT,
    BadProof,
    Frontier,
    consistency_proof,
    consistency_ranges,
    inclusion_proof,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)

# certificate-transparency/c++/merkletree/merkle_tree_test.cc: the leaves and the roots of the first n of them.
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
CT_HASHES = [leaf_hash(leaf) for leaf in CT_LEAVES]
trees = st.lists(st.binary(max_size=4), min_size=1, max_size=70, unique=True).map(
    lambda leaves: [leaf_hash(leaf) for leaf in leaves]
)


def spelled_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + spelled_root(leaves[:split]) + spelled_root(leaves[split:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_the_published_leaves(size: int) -> None:
    assert root_hash(CT_HASHES[:size]).hex() == CT_ROOTS[size]


def test_the_published_inclusion_and_consistency_proofs() -> None:
    inclusion = (  # merkle_tree_test.cc: path of leaf 5 (counted from 0) in the tree of 8
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    )
    consistency = (  # the same file: from 6 to 8
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    )
    assert [node.hex() for node in inclusion_proof(CT_HASHES, 5)] == list(inclusion)
    assert [node.hex() for node in consistency_proof(CT_HASHES, 6)] == list(consistency)


@given(trees)
def test_the_root_is_the_one_of_the_recursive_definition(leaves: list[bytes]) -> None:
    assert root_hash(leaves) == spelled_root(leaves)


@pytest.mark.parametrize("size", range(1, 34))
def test_every_leaf_of_every_small_tree_is_proven(size: int) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    root = root_hash(leaves)
    for index in range(size):
        verify_inclusion(leaves[index], index, size, inclusion_proof(leaves, index), root)


@pytest.mark.parametrize("size", range(34))
def test_every_growth_of_small_trees_is_proven(size: int) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    for old in range(size + 1):
        proof = consistency_proof(leaves, old)
        verify_consistency(old, size, proof, root_hash(leaves[:old]), root_hash(leaves))


@given(trees, st.data())
def test_any_removed_changed_or_moved_leaf_gives_another_root(leaves: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves) - 1))
    to = data.draw(st.integers(0, len(leaves) - 1))
    removed = leaves[:at] + leaves[at + 1 :]
    changed = [*leaves[:at], bytes(32 * [0x55]), *leaves[at + 1 :]]
    moved = list(leaves)
    moved.insert(to, moved.pop(at))
    for other in (removed, changed, moved, [*leaves, leaves[-1]]):
        assert (root_hash(other) == root_hash(leaves)) is (other == leaves)


@given(trees, st.data())
def test_a_proof_holds_for_its_leaf_index_size_and_root_only(leaves: list[bytes], data: st.DataObject) -> None:
    size, index = len(leaves), data.draw(st.integers(0, len(leaves) - 1))
    leaf, root, proof = leaves[index], root_hash(leaves), inclusion_proof(leaves, index)
    verify_inclusion(leaf, index, size, proof, root)
    flipped = bytes([leaf[0] ^ 1]) + leaf[1:]
    attempts = [
        (flipped, index, size, proof, root),
        (leaf, index, size, proof, bytes(32)),
        (leaf, index, size, (*proof, bytes(32)), root),
        (leaf, index, size, (*proof[:-1], bytes(31)), root),
        (leaf, -1, size, proof, root),
        (leaf, size, size, proof, root),
        (leaf, index, 0, proof, root),
    ]
    attempts += [(leaf, index, size, (*proof[:at], bytes(32), *proof[at + 1 :]), root) for at in range(len(proof))]
    if proof:
        attempts += [(leaf, index ^ 1, size, proof, root), (leaf, index, size, proof[1:], root)]
    for attempt in attempts:
        with pytest.raises(BadProof):
            verify_inclusion(*attempt)


@given(trees, st.data())
def test_a_rewritten_past_is_never_consistent(leaves: list[bytes], data: st.DataObject) -> None:
    size, old = len(leaves), data.draw(st.integers(1, len(leaves)))
    at = data.draw(st.integers(0, old - 1))
    rewritten = [*leaves[:at], bytes(32 * [0x55]), *leaves[at + 1 :]]
    old_root = root_hash(leaves[:old])
    for proof in (consistency_proof(rewritten, old), consistency_proof(leaves, old)):
        if rewritten != leaves:
            with pytest.raises(BadProof):
                verify_consistency(old, size, proof, old_root, root_hash(rewritten))


def test_a_consistency_proof_of_the_wrong_form_is_refused() -> None:
    proof = consistency_proof(CT_HASHES, 6)
    old, new = root_hash(CT_HASHES[:6]), root_hash(CT_HASHES)
    verify_consistency(6, 8, proof, old, new)
    for attempt in (
        (6, 8, proof[:-1], old, new),
        (6, 8, (*proof, bytes(32)), old, new),
        (6, 8, (bytes(31), *proof[1:]), old, new),
        (6, 8, (bytes(32), *proof[1:]), old, new),
        (8, 6, proof, old, new),
        (-1, 8, proof, old, new),
        (8, 8, (), old, new),
        (0, 8, (), old, new),
        (0, 8, proof, EMPTY_ROOT, new),
    ):
        with pytest.raises(BadProof):
            verify_consistency(*attempt)
    verify_consistency(0, 8, (), EMPTY_ROOT, new)
    verify_consistency(8, 8, (), new, new)


def test_a_leaf_cannot_pass_as_a_node() -> None:
    assert leaf_hash(CT_HASHES[0] + CT_HASHES[1]) != node_hash(CT_HASHES[0], CT_HASHES[1])


@given(trees, st.data())
def test_a_frontier_goes_on_from_its_nodes(leaves: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves)))
    first = Frontier()
    first.extend(leaves[:at])
    second = Frontier(first.size, first.nodes)
    second.extend(leaves[at:])
    assert second.size == len(leaves)
    assert second.root() == spelled_root(leaves)
    assert first.root() == spelled_root(leaves[:at])


def test_ten_thousand_leaves_cost_two_hashes_each() -> None:
    frontier = Frontier()
    frontier.extend(leaf_hash(number.to_bytes(4)) for number in range(10_000))
    assert frontier.size == 10_000
    assert len(frontier.nodes) == (10_000).bit_count()


@pytest.mark.parametrize(
    ("size", "nodes"), [(-1, []), (1, []), (0, [bytes(32)]), (3, [bytes(32)]), (1, [bytes(31)]), (2, [bytes(32)] * 2)]
)
def test_what_is_no_frontier_is_refused(size: int, nodes: list[bytes]) -> None:
    with pytest.raises(ValueError, match="no frontier"):
        Frontier(size, nodes)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 4), (9, 4)])
def test_there_is_no_path_to_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_ranges(index, size)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_a_tree_never_shrinks(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="was never"):
        consistency_ranges(old, new)
