"""Attacks on the log: an older database put back, a forked tree, changed tiles and checkpoints."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from credential.note import Checkpoint, sign_checkpoint
from registry.log.notes import LogForked, LogRolledBack
from registry.log.reader import verify_log
from registry.log.sequencer import Log
from registry.log.tiles import LogDamaged
from registry.triggers import drop_triggers

from .conftest import NOW, ORIGIN, TestLog, a_signer, all_files


def _backup(testlog: TestLog) -> Path:
    copy = testlog.folder.parent / "backup.sqlite"
    with testlog.database.transaction() as session:
        session.connection().exec_driver_sql("SELECT 1")
    testlog.database.close()
    with closing(sqlite3.connect(testlog.folder.parent / "registry.sqlite")) as source:
        source.execute("VACUUM INTO ?", (str(copy),))
    return copy


def _restore(testlog: TestLog, copy: Path) -> None:
    testlog.database.close()
    for path in testlog.folder.parent.glob("registry.sqlite*"):
        path.unlink()
    shutil.copy(copy, testlog.folder.parent / "registry.sqlite")


def test_an_older_database_restored_under_a_newer_log_is_refused(testlog: TestLog) -> None:
    testlog.put(10)
    testlog.log.sequence(NOW)
    copy = _backup(testlog)
    testlog.put(10)
    testlog.log.sequence(NOW)
    before = all_files(testlog.folder)
    _restore(testlog, copy)
    with pytest.raises(LogRolledBack, match="older database was restored") as caught:
        testlog.log.sequence(NOW)
    assert (caught.value.published, caught.value.committed) == (20, 10)
    assert all_files(testlog.folder) == before


def test_a_backup_of_database_and_folder_is_caught_by_the_checkpoint_kept_outside(testlog: TestLog) -> None:
    testlog.put(10)
    testlog.log.sequence(NOW)
    copy = _backup(testlog)
    shutil.copytree(testlog.folder, testlog.folder.parent / "oldlog")
    testlog.put(10)
    testlog.log.sequence(NOW)
    _restore(testlog, copy)
    shutil.rmtree(testlog.folder)
    (testlog.folder.parent / "oldlog").rename(testlog.folder)
    with pytest.raises(LogRolledBack, match="elsewhere"):
        testlog.log.sequence(NOW)


def test_a_restored_database_that_went_on_by_itself_is_a_fork(testlog: TestLog) -> None:
    testlog.put(10)
    testlog.log.sequence(NOW)
    copy = _backup(testlog)
    testlog.put(10)
    testlog.log.sequence(NOW)
    other = testlog.folder.parent / "other"
    _restore(testlog, copy)
    shutil.copytree(testlog.folder, other)
    shutil.rmtree(testlog.folder)
    testlog.outside.unlink()
    (testlog.folder / "tile/0/000.p").mkdir(parents=True)
    (testlog.folder / "tile/entries/000.p").mkdir(parents=True)
    for name in ("tile/0/000.p/10", "tile/entries/000.p/10"):
        shutil.copy(other / name, testlog.folder / name)
    testlog.put(15)
    testlog.log.sequence(NOW)  # with neither checkpoint at hand nothing can tell
    shutil.copy(other / "checkpoint", testlog.folder / "checkpoint")
    with pytest.raises(LogForked, match="no head of size 20"):
        testlog.log.sequence(NOW)


def test_a_checkpoint_of_another_tree_signed_with_the_stolen_key_is_refused(testlog: TestLog) -> None:
    testlog.put(10)
    testlog.log.sequence(NOW)
    forged = sign_checkpoint(Checkpoint(ORIGIN, 10, b"\x07" * 32), testlog.signer)
    (testlog.folder / "checkpoint").write_text(forged)
    with pytest.raises(LogForked, match="root"):
        testlog.log.sequence(NOW)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"rsj.example/log\n10\n", b"\n\n"])
def test_a_checkpoint_that_is_none_is_refused(testlog: TestLog, content: bytes) -> None:
    testlog.put(10)
    testlog.log.sequence(NOW)
    (testlog.folder / "checkpoint").write_bytes(content)
    with pytest.raises(LogForked):
        testlog.log.sequence(NOW)


def test_a_checkpoint_by_another_key_or_of_another_log_is_refused(testlog: TestLog) -> None:
    testlog.put(10)
    checkpoint = testlog.log.sequence(NOW)
    (testlog.folder / "checkpoint").write_text(sign_checkpoint(checkpoint, a_signer("thief")))
    with pytest.raises(LogForked, match="no signature by"):
        testlog.log.sequence(NOW)
    other = Log(testlog.database, testlog.folder, testlog.signer, "other.example/log", testlog.shuffle)
    with pytest.raises(LogForked, match="named"):
        other.sequence(NOW)


@pytest.mark.parametrize("name", ["tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"])
def test_a_changed_tile_at_the_border_stops_the_next_run(testlog: TestLog, name: str) -> None:
    testlog.put(300)
    testlog.log.sequence(NOW)
    tile = bytearray((testlog.folder / name).read_bytes())
    tile[-1] ^= 1
    (testlog.folder / name).write_bytes(tile)
    testlog.put(1)
    with pytest.raises(LogDamaged):
        testlog.log.sequence(NOW)


def test_a_lost_folder_stops_the_next_run(testlog: TestLog) -> None:
    testlog.put(10)
    testlog.log.sequence(NOW)
    shutil.rmtree(testlog.folder)
    testlog.put(1)
    with pytest.raises(LogDamaged, match="missing"):
        testlog.log.sequence(NOW)


def test_a_leaf_changed_in_the_database_is_found(testlog: TestLog) -> None:
    testlog.put(300)
    testlog.log.sequence(NOW)
    with testlog.database.transaction() as session:
        drop_triggers(session.connection())
        session.execute(text("UPDATE log_leaf SET leaf = :leaf WHERE id = 17"), {"leaf": b"another"})
    assert verify_log(testlog.folder, testlog.signer.public_key, ORIGIN).size == 300
    with pytest.raises(LogDamaged, match="database has other leaves"):
        testlog.reader.verify(testlog.signer.public_key, ORIGIN)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_leaf SET leaf = x'00' WHERE id = 1",
        "UPDATE log_leaf SET position = 5 WHERE id = 1",
        "UPDATE log_leaf SET position = NULL WHERE id = 1",
        "DELETE FROM log_leaf WHERE id = 1",
        "UPDATE log_head SET size = 9",
        "DELETE FROM log_head",
        "INSERT INTO log_head (number, origin, size, root, committed_at) VALUES (2, 'x', 1, x'00', '2026-01-01')",
    ],
)
def test_the_database_lets_nobody_edit_the_log(testlog: TestLog, statement: str) -> None:
    testlog.put(2)
    testlog.log.sequence(NOW)
    with pytest.raises(IntegrityError), testlog.database.transaction() as session:
        session.execute(text(statement))
    testlog.check()
