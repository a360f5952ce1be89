import os
import random
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from credential.merkle import leaf_hash, root_hash
from credential.note import WrongNoteKey
from credential.ports import Algorithm
from registry.log import sequencer as sequencer_module
from registry.log.outbox import put_leaves
from registry.log.sequencer import Log
from registry.log.tiles import Edge, NoCheckpoint, TileFolder

from .conftest import NOW, ORIGIN, TestLog, a_signer, all_files, entries, make_log, some_leaves


def test_every_waiting_leaf_is_logged_once(testlog: TestLog) -> None:
    testlog.put(3)
    assert testlog.log.sequence(NOW).size == 3
    testlog.put(300)
    assert testlog.log.sequence(NOW).size == 303
    testlog.check()


def test_an_empty_log_has_a_checkpoint_too(testlog: TestLog) -> None:
    assert testlog.log.sequence(NOW).size == 0
    assert testlog.check() == []


def test_a_run_without_new_leaves_changes_no_byte(testlog: TestLog) -> None:
    testlog.put(5)
    testlog.log.sequence(NOW)
    before = all_files(testlog.folder)
    testlog.log.sequence(NOW)
    assert all_files(testlog.folder) == before


def test_leaves_of_one_run_are_shuffled_and_runs_keep_their_order(testlog: TestLog) -> None:
    testlog.put(100)
    testlog.log.sequence(NOW)
    testlog.put(100)
    testlog.log.sequence(NOW)
    logged = testlog.check()
    first, second = testlog.put_so_far[:100], testlog.put_so_far[100:]
    assert sorted(logged[:100]) == sorted(first)
    assert logged[:100] != first
    assert logged[100:] != second


def test_the_shuffle_comes_from_the_randomness_that_is_handed_in(tmp_path: Path) -> None:
    orders = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        one = make_log(tmp_path / name, seed)
        one.put(50)
        one.log.sequence(NOW)
        orders.append(one.check())
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_a_leaf_of_a_transaction_that_was_undone_is_never_logged(testlog: TestLog) -> None:
    testlog.put(1)
    committed = testlog.put_so_far[:]
    with suppress(IntegrityError), testlog.database.transaction() as session:
        put_leaves(session, some_leaves(50, 1))
        session.execute(text("UPDATE log_leaf SET leaf = x'00' WHERE id = 1"))  # refused, so all is undone
    testlog.log.sequence(NOW)
    assert testlog.check() == committed


# ---- the layout of C2SP tlog-tiles ----------------------------------------------------------------------------


def test_a_tree_of_70_000_leaves_has_the_tiles_of_the_specification() -> None:
    edge, files = Edge(0, (), b"").extend(some_leaves(0, 70_000))
    level = {number: [name for name in files if name.startswith(f"tile/{number}/")] for number in range(4)}
    assert sum(".p/" not in name for name in level[0]) == 273
    assert "tile/0/273.p/112" in level[0]
    assert sum(".p/" not in name for name in level[1]) == 1
    assert "tile/1/001.p/17" in level[1]
    assert level[2] == ["tile/2/000.p/1"]
    assert level[3] == []
    assert "tile/entries/273.p/112" in files
    assert edge.root == root_hash([leaf_hash(leaf) for leaf in some_leaves(0, 70_000)])


def test_a_tree_of_256_leaves_has_one_full_tile_and_one_above(testlog: TestLog) -> None:
    testlog.put(256)
    testlog.log.sequence(NOW)
    assert sorted(all_files(testlog.folder)) == [
        ".lock", "checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/000",
    ]  # fmt: skip


def test_partial_tiles_go_once_the_full_one_is_published(testlog: TestLog) -> None:
    for count in (100, 100, 100):
        testlog.put(count)
        testlog.log.sequence(NOW)
    names = set(all_files(testlog.folder))
    assert {"tile/0/000", "tile/0/001.p/44", "tile/entries/000", "tile/1/000.p/1"} <= names
    assert not any(name.startswith(("tile/0/000.p", "tile/entries/000.p")) for name in names)
    testlog.check()


@settings(max_examples=20)
@given(runs=st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_any_sequence_of_runs_gives_the_tree_of_all_leaves(
    tmp_path_factory: pytest.TempPathFactory, runs: list[int]
) -> None:
    testlog = make_log(tmp_path_factory.mktemp("log"))
    for count in runs:
        testlog.put(count)
        checkpoint = testlog.log.sequence(NOW)
        logged = testlog.check()
        assert checkpoint.root == root_hash([leaf_hash(leaf) for leaf in logged])


def test_a_run_longer_than_the_limit_takes_several_heads(testlog: TestLog) -> None:
    testlog.put(250)
    with patch.object(sequencer_module, "MAX_RUN", 100):
        assert testlog.log.sequence(NOW).size == 250
    with testlog.database.reading() as session:
        sizes = session.execute(text("SELECT size FROM log_head ORDER BY number")).scalars().all()
    assert list(sizes) == [100, 200, 250]
    testlog.check()


# ---- killed at any instruction --------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, nothing is tidied but what the system tidies."""


STEPS = ["_place", "_place_waiting", "_commit", "_publish"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_around_any_step_the_next_run_completes_it(testlog: TestLog, step: str, when: str) -> None:
    testlog.put(300)
    testlog.log.sequence(NOW)
    testlog.put(400)
    real = getattr(Log, step)

    def die(self: Log, *args: object) -> object:
        if when == "after":
            real(self, *args)
        raise Killed

    with patch.object(Log, step, die), pytest.raises(Killed):
        testlog.log.sequence(NOW)
    assert testlog.log.sequence(NOW).size == 700
    testlog.check()


@pytest.mark.parametrize("survivors", range(8))
def test_killed_between_any_two_renames_the_next_run_completes_it(testlog: TestLog, survivors: int) -> None:
    testlog.put(300)
    testlog.log.sequence(NOW)
    testlog.put(600)
    left = [survivors]
    real = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return real(path, target)

    with patch.object(Path, "replace", replace), pytest.raises(Killed):
        testlog.log.sequence(NOW)
    assert testlog.log.sequence(NOW).size == 900
    testlog.check()


def test_killed_for_real_at_each_write_sync_and_rename_in_turn_nothing_is_lost(testlog: TestLog) -> None:
    """A child process ends without a word at its n-th system call, for every n, each on the wreck of the last."""
    testlog.put(200)
    testlog.log.sequence(NOW)
    calls = 0
    while True:
        testlog.put(20)
        testlog.database.close()
        child = os.fork()
        if child == 0:
            _sequence_and_die(testlog, calls)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            break
        calls += 1
    assert calls > 20
    testlog.log.sequence(NOW)
    testlog.check()


def _sequence_and_die(testlog: TestLog, calls: int) -> None:
    left = [calls]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            return real(*args, **kwargs)

        return call

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)
    Path.mkdir, Path.replace = counted(Path.mkdir), counted(Path.replace)  # type: ignore[method-assign] # the child ends
    sqlite3.connect = counted(sqlite3.connect)
    testlog.log.sequence(NOW)
    os._exit(0)


def test_tiles_of_a_run_that_was_killed_are_the_same_when_written_again(testlog: TestLog) -> None:
    testlog.put(300)
    with patch.object(Log, "_commit", side_effect=Killed), pytest.raises(Killed):
        testlog.log.sequence(NOW)
    written = {name: content for name, content in all_files(testlog.folder).items() if name.startswith("tile/")}
    assert written
    testlog.shuffle = random.Random(99).randbytes  # noqa: S311 - another shuffle, to see that it has no say
    testlog.log.sequence(NOW)
    after = all_files(testlog.folder)
    assert {name: after[name] for name in written} == written


# ---- two sequencers -------------------------------------------------------------------------------------------


def test_of_two_sequencers_one_commits_and_the_other_goes_on_from_its_head(testlog: TestLog) -> None:
    testlog.put(200)
    slow, fast = testlog.log, testlog.log
    real: Callable[..., bool] = Log._commit
    outcomes: list[str] = []

    def overtaken(self: Log, *args: object) -> bool:
        if self is slow and not outcomes:
            outcomes.append("started")
            assert fast.sequence(NOW).size == 200
            testlog.put(100)
            assert fast.sequence(NOW).size == 300
        committed = real(self, *args)
        outcomes.append(str(committed) if self is slow else "fast")
        return committed

    with patch.object(Log, "_commit", overtaken):
        assert slow.sequence(NOW).size == 300
    assert "False" in outcomes
    testlog.check()


def test_sequencers_in_two_threads_log_every_leaf_once(testlog: TestLog) -> None:
    go = threading.Barrier(2)

    def run() -> None:
        log = testlog.log
        go.wait()
        for _ in range(6):
            log.sequence(NOW)

    testlog.put(500)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run) for _ in range(2)]
        for _ in range(5):
            testlog.put(37)
    for one in runs:
        one.result()
    testlog.log.sequence(NOW)
    testlog.check()


def test_a_checkpoint_never_moves_back(testlog: TestLog) -> None:
    testlog.put(10)
    log = testlog.log
    log.sequence(NOW)
    old = TileFolder(testlog.folder).edge(10)
    testlog.put(10)
    log.sequence(NOW)
    assert log._publish(old).checkpoint.size == 20
    assert testlog.reader.verify(testlog.signer.public_key, ORIGIN).size == 20


def test_a_key_that_cannot_sign_notes_is_refused(testlog: TestLog) -> None:
    wrong = a_signer()
    object.__setattr__(wrong, "algorithm", Algorithm.P256)
    with pytest.raises(WrongNoteKey):
        Log(testlog.database, testlog.folder, wrong, ORIGIN, testlog.shuffle).sequence(NOW)


def test_there_is_no_checkpoint_before_the_first_run(testlog: TestLog) -> None:
    with pytest.raises(NoCheckpoint):
        testlog.log.checkpoint()
    testlog.log.sequence(NOW)
    assert testlog.log.checkpoint().startswith(f"{ORIGIN}\n0\n")
    assert entries(testlog.folder, 0) == []
