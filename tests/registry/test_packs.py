"""Packs: laid out, read back, and refused when anything is wrong with them."""

import hashlib
import os
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.blob_names import MissingBlob
from registry.local_blobs import LocalBlobs
from registry.packs import MAGIC, PackDamaged, PackItem, PackWriter, build_pack, item_place, read_pack
from registry.prefixes import prefix_name, read_prefix, store_prefix
from registry.vault import SealedDataDamaged, Vault

ITEMS = [PackItem(5, b"sealed five", b"d" * 32, 1000, b"p" * 32), PackItem(9, b"", b"e" * 32, 7, b"q" * 32)]


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path)


def store(blobs: LocalBlobs, content: bytes) -> None:
    assert blobs.create("p", [content])


@given(st.lists(st.tuples(st.integers(1, 10**7), st.binary(max_size=60)), max_size=20))
def test_the_index_says_where_every_item_is(items: list[tuple[int, bytes]]) -> None:
    parts, pack = build_pack("tail", "p", [PackItem(row, sealed) for row, sealed in items])
    content = b"".join(parts)
    assert pack.length == len(content)
    assert pack.digest == hashlib.sha256(content).digest()
    assert [(one.row_number, content[one.offset :][: one.length]) for one in pack.entries] == items


@given(st.lists(st.lists(st.binary(max_size=400), max_size=9), min_size=1, max_size=4))
def test_a_pack_written_in_place_is_the_one_built_of_sealed_parts(packs: list[list[bytes]]) -> None:
    key = Vault(bytes(32), os.urandom).create_key()
    memory = bytearray()  # the same for all of them: nothing of one may show in the next
    for contents in packs:
        writer = PackWriter("tail", "p", len(contents), memory)
        for row, content in enumerate(contents, 1):
            writer.add(key, row, content, b"d" * 32, 1000 * row, b"p" * 32)
        view, pack = writer.finish()
        content = bytes(view)
        view.release()
        sealed = [content[one.offset :][: one.length] for one in pack.entries]
        items = [PackItem(row, one, b"d" * 32, 1000 * row, b"p" * 32) for row, one in enumerate(sealed, 1)]
        parts, built = build_pack("tail", "p", items)
        assert (b"".join(parts), built) == (content, pack)
        opened = [key.open_bytes(one, item_place("tail", "p", row)) for row, one in enumerate(sealed, 1)]
        assert opened == contents


def test_the_longest_index_has_room_in_front(blobs: LocalBlobs) -> None:
    key = Vault(bytes(32), os.urandom).create_key()
    writer = PackWriter("tail", "p", 3, bytearray())
    for row in range(3):
        writer.add(key, 2**63 - row, b"", bytes(32), 2**63, bytes(32))
    view, pack = writer.finish()
    blobs.create("p", [view])
    assert read_pack(blobs, "tail", "p")[0] == pack


def test_a_pack_is_read_back_as_it_was_built(blobs: LocalBlobs) -> None:
    parts, pack = build_pack("tail", "p", ITEMS)
    blobs.create("p", parts)
    found, content = read_pack(blobs, "tail", "p")
    assert found == pack
    assert content == b"".join(parts)


def test_the_format_is_the_documented_one(blobs: LocalBlobs) -> None:
    # Written out by hand from docs/formats-registry.md, not by build_pack.
    index = cbor2.dumps(["tail", [[5, 3, b"d", 8, b"p"]]])
    store(blobs, b"YZPACK\x00\x01" + len(index).to_bytes(4, "big") + index + b"abc")
    pack, content = read_pack(blobs, "tail", "p")
    (entry,) = pack.entries
    assert (entry.row_number, entry.digest, entry.whole_length, entry.prefix_digest) == (5, b"d", 8, b"p")
    assert content[entry.offset :][: entry.length] == b"abc"


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_a_cut_pack_is_refused(blobs: LocalBlobs, cut: int) -> None:
    content = b"".join(build_pack("tail", "p", ITEMS)[0])
    store(blobs, content[:-cut])
    with pytest.raises(PackDamaged, match="p"):
        read_pack(blobs, "tail", "p")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MAGIC,
        b"YZPACK\x00\x02" + bytes(10),
        MAGIC + b"\xff\xff\xff\xff",
        MAGIC + b"\x00\x00\x00\x01\xff",
        MAGIC + b"\x00\x00\x00\x01\x00",
        MAGIC + b"\x00\x00\x00\x02\x80\x80",
        MAGIC + b"\x00\x00\x00\x08" + cbor2.dumps(["tail", [5]]),
        MAGIC + b"\x00\x00\x00\x0c" + cbor2.dumps(["tail", [[1, -1, b"", 0, b""]]]),
    ],
)
def test_what_is_no_pack_is_refused(blobs: LocalBlobs, content: bytes) -> None:
    store(blobs, content)
    with pytest.raises(PackDamaged):
        read_pack(blobs, "tail", "p")


def test_a_longer_pack_or_one_of_another_kind_is_refused(blobs: LocalBlobs) -> None:
    content = b"".join(build_pack("tail", "p", ITEMS)[0])
    store(blobs, content + b"\0")
    blobs.create("q", [content])
    with pytest.raises(PackDamaged, match="no whole tail pack"):
        read_pack(blobs, "tail", "p")
    with pytest.raises(PackDamaged, match="no whole photo pack"):
        read_pack(blobs, "photo", "q")
    with pytest.raises(MissingBlob):
        read_pack(blobs, "tail", "r")


def test_an_empty_pack_is_a_pack(blobs: LocalBlobs) -> None:
    blobs.create("p", build_pack("tail", "p", [])[0])
    assert read_pack(blobs, "tail", "p")[0].entries == ()


def test_an_item_moved_to_another_row_or_pack_does_not_open() -> None:
    key = Vault(bytes(32), os.urandom).create_key()
    sealed = key.seal_bytes(b"tail", item_place("tail", "tails/1/1", 5))
    for other in (
        item_place("tail", "tails/1/1", 6),
        item_place("tail", "tails/1/2", 5),
        item_place("photo", "tails/1/1", 5),
    ):
        with pytest.raises(SealedDataDamaged):
            key.open_bytes(sealed, other)


def test_a_prefix_is_stored_once_and_checked_when_read(blobs: LocalBlobs, tmp_path: Path) -> None:
    digest = store_prefix(blobs, b"%PDF artwork")
    assert store_prefix(blobs, b"%PDF artwork") == digest == hashlib.sha256(b"%PDF artwork").digest()
    assert read_prefix(blobs, digest) == b"%PDF artwork"
    (tmp_path / prefix_name(digest)).write_bytes(b"%PDF another")
    with pytest.raises(PackDamaged, match="digest in its name"):
        read_prefix(blobs, digest)
