"""A monitor that trusts nobody: every kind of damage to what is published, and every kind of rewriting."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pytest

from credential.errors import Error
from credential.leaves import LeafKind, history_leaf
from credential.merkle import leaf_hash, root_hash
from credential.note import BadCheckpoint, BadNote, Checkpoint, open_checkpoint, sign_checkpoint
from registry.log.monitor import (
    BadMonitorState,
    LogForkFound,
    LogShrank,
    Seen,
    load_seen,
    look,
    save_evidence,
    save_seen,
)
from registry.log.outbox import put_leaves
from registry.log.reader import verify_log
from registry.log.tiles import Edge, LogDamaged, NoCheckpoint, TileFolder, pack_entries, unpack_entries

from .conftest import NOW, ORIGIN, Ed25519Signer, TestLog, a_signer, some_leaves

SIZES = (300, 700)


class Owner(Protocol):
    """Whoever has the log's key."""

    @property
    def signer(self) -> Ed25519Signer: ...


@dataclass
class KeyHolder:
    """The key alone, without a database."""

    signer: Ed25519Signer = field(default_factory=a_signer)


@pytest.fixture
def owner() -> KeyHolder:
    return KeyHolder()


def at(folder: Path, owner: Owner, seen: Seen | None = None) -> Seen:
    return look(TileFolder(folder), [owner.signer.public_key], ORIGIN, seen, NOW)


def published(folder: Path, leaves: list[bytes], owner: Owner) -> Path:
    """Publish a whole log with the log's own key: what a thief of that key can do."""
    edge, files = Edge(0, (), b"").extend(leaves)
    TileFolder(folder).write(files)
    (folder / "checkpoint").write_text(sign_checkpoint(Checkpoint(ORIGIN, edge.size, edge.root), owner.signer))
    return folder


# ---- what is right --------------------------------------------------------------------------------------------


def test_a_log_that_only_grew_is_good_at_every_look_and_its_leaves_are_counted(testlog: TestLog) -> None:
    seen = None
    for count in (0, 3, 250, 3, 700, 0):
        testlog.put(count)
        with testlog.database.transaction() as session:
            put_leaves(session, [history_leaf(bytes(32), count, bytes(16))])
        testlog.log.sequence(NOW)
        seen = at(testlog.folder, testlog, seen)
    assert seen is not None
    assert seen.counts == {LeafKind.ISSUE: 956, LeafKind.HISTORY: 6}
    assert at(testlog.folder, testlog) == seen


def test_a_look_reads_only_what_is_new(testlog: TestLog) -> None:
    testlog.put(600)
    testlog.log.sequence(NOW)
    seen = at(testlog.folder, testlog)
    testlog.put(10)
    testlog.log.sequence(NOW)
    (testlog.folder / "tile/entries/000").unlink()  # of the first look
    assert at(testlog.folder, testlog, seen).checkpoint.size == 610


def test_what_was_seen_is_kept_and_read_again(testlog: TestLog, tmp_path: Path) -> None:
    testlog.put(5)
    testlog.log.sequence(NOW)
    seen, path, keys = at(testlog.folder, testlog), tmp_path / "new" / "state.json", [testlog.signer.public_key]
    assert load_seen(path, keys, ORIGIN) is None
    save_seen(path, seen)
    assert load_seen(path, keys, ORIGIN) == seen


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-30],
        lambda text: f"[{text}]",
        lambda text: text.replace("log-monitor/v1", "log-monitor/v2"),
        lambda text: text.replace('"issue": 5', '"issue": 6'),
        lambda text: text.replace("\\n5\\n", "\\n6\\n"),
        lambda text: text.replace('"issue"', '"marriage"'),
    ],
)
def test_a_changed_state_is_refused(testlog: TestLog, tmp_path: Path, damage: Callable[[str], str]) -> None:
    testlog.put(5)
    testlog.log.sequence(NOW)
    path = tmp_path / "state.json"
    save_seen(path, at(testlog.folder, testlog))
    changed = damage(path.read_text())
    assert changed != path.read_text()
    path.write_text(changed)
    with pytest.raises(BadMonitorState):
        load_seen(path, [testlog.signer.public_key], ORIGIN)


def test_a_new_key_of_the_log_is_believed_when_it_is_given(testlog: TestLog) -> None:
    testlog.put(5)
    testlog.log.sequence(NOW)
    old, seen = testlog.signer.public_key, at(testlog.folder, testlog)
    testlog.signer = a_signer("new")
    (testlog.folder / "checkpoint").write_text(sign_checkpoint(seen.checkpoint, testlog.signer))
    with pytest.raises(BadNote):
        look(TileFolder(testlog.folder), [old], ORIGIN, seen, NOW)
    assert look(TileFolder(testlog.folder), [testlog.signer.public_key, old], ORIGIN, seen, NOW).note != seen.note


# ---- rewritten by whoever has the log's key -------------------------------------------------------------------


@pytest.mark.parametrize("seen_size", [1, 255, 256, 300])
@pytest.mark.parametrize("kind", ["removed", "changed", "reordered", "put in"])
def test_a_past_that_was_rewritten_with_the_logs_own_key_is_a_fork(
    owner: Owner, tmp_path: Path, seen_size: int, kind: str
) -> None:
    leaves = some_leaves(0, 700)
    seen = at(published(tmp_path / "before", leaves[:seen_size], owner), owner)
    other = list(leaves)
    if kind == "removed":
        del other[seen_size - 1]
    elif kind == "changed":
        other[0] = some_leaves(9_000, 1)[0]
    elif kind == "reordered":
        other[seen_size - 1], other[seen_size] = other[seen_size], other[seen_size - 1]
    else:
        other.insert(0, some_leaves(9_000, 1)[0])
    forked = published(tmp_path / "forked", other, owner)
    assert at(forked, owner).checkpoint.size == len(other)  # by itself it is a perfect log
    with pytest.raises(LogForkFound) as caught:
        at(forked, owner, seen)
    sizes = [open_checkpoint(note, owner.signer.public_key, ORIGIN).size for note in caught.value.notes]
    assert sizes == [seen_size, len(other)]  # both signed: proof for everybody


def test_two_checkpoints_of_one_size_are_a_fork_and_are_kept(owner: Owner, tmp_path: Path) -> None:
    seen = at(published(tmp_path / "a", some_leaves(0, 10), owner), owner)
    with pytest.raises(LogForkFound) as caught:
        at(published(tmp_path / "b", some_leaves(5, 10), owner), owner, seen)
    kept = save_evidence(tmp_path / "state.json", caught.value).read_text()
    assert kept == "\n".join(caught.value.notes)
    assert kept.count("\n10\n") == 2


def test_an_older_backup_put_in_place_is_noticed(testlog: TestLog, tmp_path: Path) -> None:
    testlog.put(10)
    testlog.log.sequence(NOW)
    shutil.copytree(testlog.folder, tmp_path / "backup")
    testlog.put(10)
    testlog.log.sequence(NOW)
    seen = at(testlog.folder, testlog)
    with pytest.raises(LogShrank):
        at(tmp_path / "backup", testlog, seen)


def test_a_backup_that_went_on_by_itself_is_a_fork(owner: Owner, tmp_path: Path) -> None:
    leaves = some_leaves(0, 30)
    seen = at(published(tmp_path / "a", leaves[:20], owner), owner)
    with pytest.raises(LogForkFound):
        at(published(tmp_path / "b", [*leaves[:10], *some_leaves(100, 25)], owner), owner, seen)


def test_another_signer_another_log_and_no_log_are_refused(owner: Owner, tmp_path: Path) -> None:
    folder = published(tmp_path / "a", some_leaves(0, 10), owner)
    with pytest.raises(BadNote):
        look(TileFolder(folder), [a_signer("thief").public_key], ORIGIN, None, NOW)
    checkpoint = Checkpoint("other.example/log", 10, root_hash([leaf_hash(leaf) for leaf in some_leaves(0, 10)]))
    (folder / "checkpoint").write_text(sign_checkpoint(checkpoint, owner.signer))
    with pytest.raises((BadNote, BadCheckpoint)):
        at(folder, owner)
    with pytest.raises(NoCheckpoint):
        at(tmp_path / "nothing", owner)


# ---- damaged by whoever serves it -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
def served(whole: Path, tmp_path: Path, owner: Owner) -> tuple[Path, Seen]:
    """A log of 700 entries, and what a monitor saw of it when it had 300."""
    leaves = some_leaves(0, SIZES[1])
    if not (whole / "after").exists():
        published(whole / "before", leaves[: SIZES[0]], owner)
        published(whole / "after", leaves, owner)
    seen = at(whole / "before", owner)
    folder = tmp_path / "served"
    shutil.copytree(whole / "after", folder)
    return folder, seen


FILES = ["checkpoint", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/188"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.0, 0.4, 0.999])
def test_any_flipped_bit_is_noticed(served: tuple[Path, Seen], owner: Owner, name: str, where: float) -> None:
    folder, seen = served
    content = bytearray((folder / name).read_bytes())
    content[int(len(content) * where)] ^= 1
    (folder / name).write_bytes(content)
    for before in (None, seen):
        with pytest.raises(Error) as caught:
            at(folder, owner, before)
        assert not isinstance(caught.value, LogForkFound)  # whoever serves files cannot make the log look forked
    with pytest.raises(Error):
        verify_log(folder, owner.signer.public_key, ORIGIN)


@pytest.mark.parametrize("name", FILES)
def test_any_missing_file_is_noticed(served: tuple[Path, Seen], owner: Owner, name: str) -> None:
    folder, seen = served
    (folder / name).unlink()
    for before in (None, seen):
        with pytest.raises((LogDamaged, NoCheckpoint)):
            at(folder, owner, before)


@pytest.mark.parametrize("name", ["tile/entries/000", "tile/entries/002.p/188"])
@pytest.mark.parametrize("kind", ["removed", "reordered", "put in", "twice"])
def test_entries_in_other_order_or_number_are_noticed(
    served: tuple[Path, Seen], owner: Owner, name: str, kind: str
) -> None:
    folder, _ = served
    entries = list(unpack_entries((folder / name).read_bytes()))
    if kind == "removed":
        del entries[7]
    elif kind == "reordered":
        entries[7], entries[8] = entries[8], entries[7]
    elif kind == "put in":
        entries.insert(7, some_leaves(9_000, 1)[0])
    else:
        entries[8] = entries[7]
    (folder / name).write_bytes(pack_entries(entries))
    with pytest.raises(LogDamaged):
        at(folder, owner)


def test_files_of_another_log_under_this_ones_checkpoint_are_noticed(
    served: tuple[Path, Seen], owner: Owner, tmp_path: Path
) -> None:
    folder, seen = served
    other = published(tmp_path / "other", some_leaves(1, SIZES[1]), owner)
    shutil.rmtree(folder / "tile")
    shutil.copytree(other / "tile", folder / "tile")
    for before in (None, seen):
        with pytest.raises(LogDamaged):
            at(folder, owner, before)


def test_entries_that_are_no_leaves_of_ours_are_noticed(owner: Owner, tmp_path: Path) -> None:
    leaves = some_leaves(0, 9)
    for odd in (b"", b"a leaf", leaves[0][:-1], leaves[0] + b"\0", leaves[0].replace(b"issue", b"marry")):
        folder = published(tmp_path / odd.hex(), [*leaves, odd], owner)
        with pytest.raises(LogDamaged, match="entry 9 is no leaf"):
            at(folder, owner)


def test_a_state_of_another_tree_under_this_size_is_a_fork(owner: Owner, tmp_path: Path) -> None:
    seen = at(published(tmp_path / "a", some_leaves(0, 300), owner), owner)
    other = replace(seen, checkpoint=replace(seen.checkpoint, root=b"\7" * 32))
    with pytest.raises(LogForkFound):
        at(published(tmp_path / "b", some_leaves(0, 700), owner), owner, other)
