"""Write the vectors of this folder again: ``python -m tests.vectors.merkle.remake``.

Nothing of ``credential/merkle.py`` is used: trees and proofs are RFC 6962, 2.1, word for word. The cases are those
that the project transparency-dev/merkle keeps in its testdata (``proof/verify_test.go`` makes them): for each good
proof, everything that is like it and not good. Their leaves and their kinds of damage are facts; the values are
worked out here.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LEAVES = [bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                           "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
SOME = bytes.fromhex("abacaba000000000000000000000000000000000000000000060061e00123456")
EMPTY = hashlib.sha256().digest()
INCLUDED = ((0, 1), (0, 8), (5, 8), (2, 3), (1, 5))
GROWN = ((1, 8), (6, 8), (2, 5), (6, 7))
WIDE = 1 << 64  # their numbers are 64 bits wide: below zero comes the largest


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def split(count: int) -> int:
    """The largest power of two smaller than a count."""
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), tree_hash(leaves[k:])]
    return [*path(m - k, leaves[k:]), tree_hash(leaves[:k])]


def proof(m: int, leaves: list[bytes], *, is_whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2."""
    if m == len(leaves):
        return [] if is_whole else [tree_hash(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*proof(m, leaves[:k], is_whole=is_whole), tree_hash(leaves[k:])]
    return [*proof(m - k, leaves[k:], is_whole=False), tree_hash(leaves[:k])]


def flipped(hashes: list[bytes], at: int, bit: int) -> list[bytes]:
    """One bit of one hash turned."""
    changed = list(hashes)
    changed[at] = bytes([changed[at][0] ^ 1 << bit]) + changed[at][1:]
    return changed


def inclusion_cases() -> Iterator[dict[str, Any]]:
    """Every case of inclusion."""
    for index, size in ((0, 0), (0, 1), (1, 0), (2, 1)):
        for root, leaf in ((b"", SOME), (EMPTY, b""), (EMPTY, SOME)):
            given = {"leafIdx": index, "treeSize": size, "root": root, "leafHash": leaf, "proof": []}
            yield given | {"desc": "no such leaf", "wantErr": True}
    for index, size in INCLUDED:
        good: dict[str, Any] = {
            "leafIdx": index,
            "treeSize": size,
            "root": tree_hash(LEAVES[:size]),
            "leafHash": tree_hash(LEAVES[index : index + 1]),
            "proof": path(index, LEAVES[:size]),
        }
        yield good | {"desc": "happy path", "wantErr": False}
        for desc, changed in damaged_inclusion(good):
            yield good | changed | {"desc": desc, "wantErr": True}


def damaged_inclusion(good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is like a good proof of inclusion, and not one."""
    index, size, root, hashes = good["leafIdx"], good["treeSize"], good["root"], good["proof"]
    yield "leafIdx - 1", {"leafIdx": (index - 1) % WIDE}
    yield "leafIdx + 1", {"leafIdx": index + 1}
    yield "leafIdx ^ 2", {"leafIdx": index ^ 2}
    yield "treeSize * 2", {"treeSize": size * 2}
    yield "treeSize / 2", {"treeSize": size // 2}
    yield "wrong leaf", {"leafHash": b"WrongLeaf"}
    yield "empty root", {"root": EMPTY}
    yield "random root", {"root": SOME}
    yield "trailing garbage", {"proof": [*hashes, b""]}
    yield "trailing root", {"proof": [*hashes, root]}
    yield "preceding garbage", {"proof": [b"", *hashes]}
    yield "preceding root", {"proof": [root, *hashes]}
    for at in range(len(hashes)):
        yield f"modified proof[{at}] bit 3", {"proof": flipped(hashes, at, 3)}
    if hashes:
        yield "removed component", {"proof": hashes[:-1]}
    if len(hashes) > 1:
        yield "inserted component", {"proof": [hashes[0], SOME, *hashes[1:]]}


def consistency_cases() -> Iterator[dict[str, Any]]:
    """Every case of growth. Two that they accept we refuse: the root of an empty tree is known, so no other will do."""
    one, two = b"don't care 1", b"don't care 2"
    plain: list[tuple[int, int, bytes, bytes, list[bytes], bool, bool]] = [
        (0, 0, one, two, [], True, False),
        (1, 1, one, two, [], True, False),
        (0, 0, one, one, [], False, True),
        (0, 1, one, two, [], False, True),
        (0, 0, EMPTY, EMPTY, [], False, False),
        (0, 1, EMPTY, two, [], False, False),
        (1, 1, two, two, [], False, False),
        (1, 0, one, two, [], True, False),
        (2, 1, one, two, [], True, False),
        (1, 2, one, two, [], True, False),
        (0, 0, EMPTY, two, [], True, False),
        (1, 1, EMPTY, two, [], True, False),
        (0, 0, EMPTY, EMPTY, [EMPTY], True, False),
        (0, 1, EMPTY, EMPTY, [EMPTY], True, False),
        (1, 1, EMPTY, EMPTY, [EMPTY], True, False),
    ]
    for size1, size2, root1, root2, hashes, want_error, stricter in plain:
        case = {"size1": size1, "size2": size2, "root1": root1, "root2": root2, "proof": hashes, "desc": "plain"}
        yield case | {"wantErr": want_error} | ({"weRefuse": True} if stricter else {})
    for size1, size2 in GROWN:
        good: dict[str, Any] = {
            "size1": size1,
            "size2": size2,
            "root1": tree_hash(LEAVES[:size1]),
            "root2": tree_hash(LEAVES[:size2]),
            "proof": proof(size1, LEAVES[:size2]),
        }
        yield good | {"desc": "happy path", "wantErr": False}
        for desc, changed in damaged_consistency(good):
            yield good | changed | {"desc": desc, "wantErr": True}


def damaged_consistency(good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is like a good proof of growth, and not one."""
    size1, size2, root1, root2, hashes = (good[key] for key in ("size1", "size2", "root1", "root2", "proof"))
    yield "size1 - 1", {"size1": size1 - 1}
    yield "size1 + 1", {"size1": size1 + 1}
    yield "size1 ^ 2", {"size1": size1 ^ 2}
    yield "size2 * 2", {"size2": size2 * 2}
    yield "size2 / 2", {"size2": size2 // 2}
    yield "wrong root1", {"root1": b"WrongRoot"}
    yield "wrong root2", {"root2": b"WrongRoot"}
    yield "swapped roots", {"root1": root2, "root2": root1}
    yield "empty proof", {"proof": []}
    for name, extra in (("garbage", b""), ("root1", root1), ("root2", root2)):
        yield f"trailing {name}", {"proof": [*hashes, extra]}
        yield f"preceding {name}", {"proof": [extra, *hashes]}
    yield "preceding proof[0]", {"proof": [hashes[0], *hashes]}
    yield "truncated proof", {"proof": hashes[:-1]}
    for at in range(len(hashes)):
        yield f"modified proof[{at}] bit 4", {"proof": flipped(hashes, at, 4)}


def written(cases: Iterator[dict[str, Any]]) -> str:
    """The cases as JSON, hashes in base64, one case a line."""

    def shown(value: object) -> object:
        if isinstance(value, list):
            return [shown(one) for one in value]
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value

    lines = (json.dumps({key: shown(value) for key, value in case.items()}) for case in cases)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def files() -> dict[str, str]:
    """What the files of this folder should be."""
    return {"inclusion.json": written(inclusion_cases()), "consistency.json": written(consistency_cases())}


if __name__ == "__main__":
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
