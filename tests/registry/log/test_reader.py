import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credential.leaves import BadLeaf, issue_leaf
from credential.note import BadCheckpoint, BadLogProof, BadNote, parse_proof, verify_proof
from registry.log.outbox import put_leaves
from registry.log.reader import LogReader, NotLogged, verify_log
from registry.log.tiles import Edge, LogDamaged, NoCheckpoint, TileFolder, tile_name, unpack_entries

from .conftest import NOW, ORIGIN, TestLog, a_signer, make_log, some_leaves


def test_every_leaf_has_a_proof_that_verifies_and_proves_no_other(testlog: TestLog) -> None:
    testlog.put(300)
    testlog.log.sequence(NOW)
    testlog.put(301)
    testlog.log.sequence(NOW)
    proofs = testlog.reader.proofs(testlog.ids)
    key = testlog.signer.public_key
    for number, (leaf, proof) in enumerate(zip(testlog.put_so_far, proofs, strict=True)):
        assert verify_proof(proof, leaf, key, ORIGIN).size == 601
        with pytest.raises(BadLogProof):
            verify_proof(proof, testlog.put_so_far[number - 1], key, ORIGIN)
    assert {parse_proof(proof).index for proof in proofs} == set(range(601))


@settings(max_examples=25)
@given(sizes=st.lists(st.integers(1, 600), min_size=1, max_size=3))
def test_proofs_verify_at_any_size_and_old_ones_stay_good(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    testlog = make_log(tmp_path_factory.mktemp("log"))
    kept: list[tuple[bytes, str]] = []
    for count in sizes:
        ids = testlog.put(count)
        testlog.log.sequence(NOW)
        kept += zip(testlog.put_so_far[-count:], testlog.reader.proofs(ids), strict=True)
    for leaf, proof in kept:
        verify_proof(proof, leaf, testlog.signer.public_key, ORIGIN)


def test_one_reader_goes_on_with_newer_checkpoints(testlog: TestLog) -> None:
    reader = testlog.reader
    for _ in range(4):
        ids = testlog.put(200)
        testlog.log.sequence(NOW)
        for leaf, proof in zip(testlog.put_so_far[-200:], reader.proofs(ids), strict=True):
            verify_proof(proof, leaf, testlog.signer.public_key, ORIGIN)
    assert reader.checkpoint() == testlog.log.checkpoint()


def test_a_leaf_that_waits_or_is_unknown_has_no_proof(testlog: TestLog) -> None:
    testlog.put(2)
    testlog.log.sequence(NOW)
    waiting = testlog.put(1)[0]
    reader = testlog.reader
    assert reader.is_logged(testlog.ids[:2])
    assert reader.is_logged([])
    for unknown in (waiting, 99):
        assert not reader.is_logged([*testlog.ids[:2], unknown])
        with pytest.raises(NotLogged) as caught:
            reader.proof(unknown)
        assert caught.value.leaf_id == unknown
    testlog.log.sequence(NOW)
    assert reader.is_logged([waiting])


def test_a_leaf_is_not_logged_before_the_checkpoint_is_published(testlog: TestLog) -> None:
    ids = testlog.put(1)
    assert not testlog.reader.is_logged(ids)
    with pytest.raises(NoCheckpoint):
        testlog.reader.proof(ids[0])


@pytest.mark.parametrize("index", ["000", "001.p/44"])
def test_tiles_that_were_read_damaged_are_read_again_once_they_are_restored(testlog: TestLog, index: str) -> None:
    """Tiles are kept in memory; a reader must not say "damaged" until its process is started anew."""
    testlog.put(300)
    testlog.log.sequence(NOW)
    reader, tile = testlog.reader, testlog.folder / "tile" / "0" / index
    content = tile.read_bytes()
    tile.write_bytes(bytes(len(content)))
    with pytest.raises(LogDamaged):
        reader.proofs(testlog.ids)
    with pytest.raises(LogDamaged):
        reader.prove(enumerate(testlog.put_so_far))
    tile.write_bytes(content)

    for leaf, proof in zip(testlog.put_so_far, reader.proofs(testlog.ids), strict=True):
        verify_proof(proof, leaf, testlog.signer.public_key, ORIGIN)


def test_a_reader_never_hands_out_a_proof_from_a_changed_tile(testlog: TestLog) -> None:
    testlog.put(600)
    testlog.log.sequence(NOW)
    path = testlog.folder / "tile/0/001"
    tile = bytearray(path.read_bytes())
    tile[5] ^= 1
    path.write_bytes(tile)
    with pytest.raises(LogDamaged, match="not the ones signed"):
        testlog.reader.proofs(testlog.ids)


def test_a_proof_against_another_key_or_origin_is_refused(testlog: TestLog) -> None:
    testlog.put(3)
    testlog.log.sequence(NOW)
    proof, leaf = testlog.reader.proof(testlog.ids[0]), testlog.put_so_far[0]
    with pytest.raises(BadNote):
        verify_proof(proof, leaf, a_signer("thief").public_key, ORIGIN)
    with pytest.raises(BadNote):
        verify_proof(proof, leaf, testlog.signer.public_key, "other.example/log")


# ---- the whole log --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TestLog:
    """300 + 400 leaves, so that there are full, partial and upper tiles."""
    testlog = make_log(tmp_path_factory.mktemp("built"))
    for count in (300, 400):
        testlog.put(count)
        testlog.log.sequence(NOW)
    return testlog


def _public_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


@settings(max_examples=120)
@given(data=st.data())
def test_any_flipped_byte_of_any_file_is_found(built: TestLog, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(_public_files(built.folder)))
    content = path.read_bytes()
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    try:
        with pytest.raises((LogDamaged, NoCheckpoint, BadNote, BadCheckpoint)):
            verify_log(built.folder, built.signer.public_key, ORIGIN)
    finally:
        path.write_bytes(content)


def test_any_missing_cut_or_lengthened_file_is_found(built: TestLog) -> None:
    for path in _public_files(built.folder):
        content = path.read_bytes()
        for changed in (None, content[:-1], content + b"\x00"):
            path.unlink()
            if changed is not None:
                path.write_bytes(changed)
            # Partial tiles of the first run's size, 300, may be deleted since the later ones are there.
            superseded = path.relative_to(built.folder).as_posix().endswith(("001.p/44", "tile/1/000.p/1"))
            try:
                if changed is None and superseded:
                    verify_log(built.folder, built.signer.public_key, ORIGIN)
                else:
                    with pytest.raises((LogDamaged, NoCheckpoint, BadNote, BadCheckpoint)):
                        verify_log(built.folder, built.signer.public_key, ORIGIN)
            finally:
                path.write_bytes(content)
    assert verify_log(built.folder, built.signer.public_key, ORIGIN).size == 700


@settings(max_examples=40)
@given(data=st.data())
def test_removed_and_reordered_entries_are_found(built: TestLog, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path in _public_files(built.folder) if "entries" in path.parts]))
    content = path.read_bytes()
    leaves = list(unpack_entries(content))
    one, other = data.draw(st.lists(st.integers(0, len(leaves) - 1), min_size=2, max_size=2, unique=True))
    if data.draw(st.booleans()):
        leaves[one], leaves[other] = leaves[other], leaves[one]
    else:
        del leaves[one]
    path.write_bytes(b"".join(len(leaf).to_bytes(2) + leaf for leaf in leaves))
    try:
        with pytest.raises(LogDamaged):
            verify_log(built.folder, built.signer.public_key, ORIGIN)
    finally:
        path.write_bytes(content)


def test_a_log_rebuilt_with_other_leaves_needs_the_key(tmp_path: Path, built: TestLog) -> None:
    """A forger rewrites every tile consistently, and keeps the signed checkpoint."""
    forged = tmp_path / "forged"
    edge, files = Edge(0, (), b"").extend(some_leaves(5000, 700))
    TileFolder(forged).write(files)
    shutil.copy(built.folder / "checkpoint", forged / "checkpoint")
    with pytest.raises(LogDamaged, match="signed root"):
        verify_log(forged, built.signer.public_key, ORIGIN)
    assert edge.size == 700


def test_a_checkpoint_by_another_key_is_refused(built: TestLog) -> None:
    with pytest.raises(BadNote):
        verify_log(built.folder, a_signer("thief").public_key, ORIGIN)


def test_tiles_of_an_unfinished_run_do_not_disturb_the_check(testlog: TestLog) -> None:
    testlog.put(100)
    testlog.log.sequence(NOW)
    _, files = TileFolder(testlog.folder).edge(100).extend(some_leaves(900, 300))
    TileFolder(testlog.folder).write(files)
    assert verify_log(testlog.folder, testlog.signer.public_key, ORIGIN).size == 100
    leaf, proof = testlog.put_so_far[3], testlog.reader.proof(testlog.ids[3])
    verify_proof(proof, leaf, testlog.signer.public_key, ORIGIN)


# ---- small parts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "index", "width", "name"),
    [
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (0, 273, 112, "tile/0/273.p/112"),
        (None, 0, 1, "tile/entries/000.p/1"),
        (3, 1000, 256, "tile/3/x001/000"),
    ],
)
def test_tiles_are_named_as_in_the_specification(level: int | None, index: int, width: int, name: str) -> None:
    assert tile_name(level, index, width) == name


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_tile_names_never_collide(one: int, other: int) -> None:
    assert (tile_name(0, one) == tile_name(0, other)) == (one == other)
    assert not tile_name(0, one).startswith(tile_name(0, other) + "/")


def test_only_leaves_are_let_into_the_outbox(testlog: TestLog) -> None:
    with pytest.raises(BadLeaf), testlog.database.transaction() as session:
        put_leaves(session, [issue_leaf(bytes(32), bytes(16)), b"anything"])
    testlog.log.sequence(NOW)
    assert testlog.check() == []


def test_ids_come_in_the_order_of_the_leaves(testlog: TestLog) -> None:
    testlog.put(1200)
    testlog.log.sequence(NOW)
    reader = LogReader(testlog.database, testlog.folder)
    for leaf, leaf_id in list(zip(testlog.put_so_far, testlog.ids, strict=True))[::100]:
        verify_proof(reader.proof(leaf_id), leaf, testlog.signer.public_key, ORIGIN)


def test_putting_no_leaves_gives_no_ids(testlog: TestLog) -> None:
    with testlog.database.transaction() as session:
        assert put_leaves(session, []) == []


def test_a_cut_entry_bundle_is_refused() -> None:
    for bundle in (b"\x00", b"\x00\x05abc", b"\x00\x01a\x00"):
        with pytest.raises(LogDamaged, match="cut off"):
            list(unpack_entries(bundle))


def test_an_entry_too_long_for_its_length_field_is_refused() -> None:
    with pytest.raises(LogDamaged, match="cannot be logged"):
        Edge(0, (), b"").extend([bytes(0x10000)])
