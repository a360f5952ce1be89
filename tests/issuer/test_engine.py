"""Engines: the pool issues what one process would, and a dead worker loses nothing."""

import functools
import os
import pickle
import signal
from pathlib import Path

import pytest

from credential.errors import Error, InputError
from credential.leaves import LeafKind
from issuer import engine, issue
from issuer.batch import SamePerson, approve, submit
from issuer.engine import ProcessPool, Records, WorkerDied
from issuer.issue import IssuingLine, NotApproved
from registry.batches import Batch, progress
from registry.chunks import UnknownChunk
from registry.log.reader import NotLogged
from tests.fakes_issuer import CHECKER, MAKER, FakePress, House, build_house, make_records
from tests.faults.faults import leaf_kinds


def open_line(folder: Path) -> IssuingLine:
    """What each worker does when it starts."""
    return build_house(folder, is_new=False).line


def open_deadly_line(folder: Path) -> IssuingLine:
    return build_house(folder, is_new=False, press=DeadlyPress()).line


def open_refusing_line(folder: Path) -> IssuingLine:
    return build_house(folder, is_new=False, press=RefusingPress()).line


def open_line_that_never_reads_a_chunk(folder: Path) -> IssuingLine:
    def never(*_: object) -> None:
        raise AssertionError("read from the database what this process has reserved")

    vars(issue)["read_chunk"] = never  # in the worker's own process
    return open_line(folder)


class DeadlyPress(FakePress):
    def print(self, *_: object, **__: object) -> object:  # type: ignore[override] # never returns
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class RefusingPress(FakePress):
    def print(self, *_: object, **__: object) -> object:  # type: ignore[override] # never returns
        raise UnknownChunk(7, 8)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build_house(tmp_path)


@pytest.fixture
def batch(house: House, monkeypatch: pytest.MonkeyPatch) -> Batch:
    monkeypatch.setattr("issuer.batch.CHUNK_ROWS", 3)
    batch = submit(house.office, make_records(11), [], maker=MAKER, now=house.clock.now()).batch
    return approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())


def records(house: House) -> Records:
    return Records(house.database, house.log, house.lists, house.clock.now)


def test_a_pool_issues_everything_and_tells_of_every_chunk(house: House, batch: Batch, tmp_path: Path) -> None:
    done: list[int] = []
    ProcessPool(records(house), functools.partial(open_line, tmp_path), 2).run(batch.id, done.append)
    assert sorted(done) == [2, 3, 3, 3]
    kinds = leaf_kinds(house)
    assert (kinds[LeafKind.ISSUE], kinds[LeafKind.SEAL], kinds[LeafKind.STATUS_LIST]) == (11, 11, 1)
    ProcessPool(records(house), functools.partial(open_line, tmp_path), 2).run(batch.id, done.append)
    assert len(done) == 4, "a second run finds nothing to do"


def test_each_chunk_is_finished_by_the_process_that_remembers_it(house: House, batch: Batch, tmp_path: Path) -> None:
    opener, done = functools.partial(open_line_that_never_reads_a_chunk, tmp_path), list[int]()
    ProcessPool(records(house), opener, 2).run(batch.id, done.append)
    assert sum(done) == 11


def test_a_killed_worker_is_reported_and_the_next_run_goes_on(house: House, batch: Batch, tmp_path: Path) -> None:
    with pytest.raises(WorkerDied, match="resume"):
        ProcessPool(records(house), functools.partial(open_deadly_line, tmp_path), 1).run(batch.id, lambda _: None)
    done: list[int] = []
    house.engine.run(batch.id, done.append)
    assert sum(done) == 11
    kinds = leaf_kinds(house)
    assert (kinds[LeafKind.ISSUE], kinds[LeafKind.SEAL]) == (11, 11)


def test_what_a_worker_refuses_reaches_the_caller_as_it_is(house: House, batch: Batch, tmp_path: Path) -> None:
    with pytest.raises(UnknownChunk, match=r"^batch 7 has no chunk 8$") as caught:
        ProcessPool(records(house), functools.partial(open_refusing_line, tmp_path), 1).run(batch.id, lambda _: None)
    assert isinstance(caught.value, InputError)
    assert caught.value.zh == "批次 7 没有分块 8"


@pytest.mark.parametrize("error", [SamePerson("wang"), NotLogged(3), UnknownChunk(1, 2), Error("a", "甲")])
def test_errors_survive_the_way_between_processes(error: Error) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - just made
    assert (type(copy), str(copy), copy.en, copy.zh) == (type(error), str(error), error.en, error.zh)
    assert copy.__dict__ == error.__dict__


def test_a_worker_opens_its_line_once_and_does_both_halves(
    house: House, batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_opened", [])
    engine._open(functools.partial(open_line, tmp_path))
    engine._reserve(batch.id, 1)
    house.log.sequence(house.clock.now())
    engine._finish(batch.id, 1)
    with house.database.reading() as session:
        assert progress(session, batch.id).issued == 3
    assert len(engine._opened) == 1


def test_a_draft_is_not_issued_by_a_pool_either(house: House, tmp_path: Path) -> None:
    draft = submit(house.office, make_records(1), [], maker=MAKER, now=house.clock.now()).batch
    with pytest.raises(NotApproved):
        ProcessPool(records(house), functools.partial(open_line, tmp_path), 2).run(draft.id, lambda _: None)
