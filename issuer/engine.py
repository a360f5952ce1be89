"""Run the chunks of a batch: in this process, or in a pool of processes on this machine.

The chunk table is the only truth; an engine is a doorbell. Killed at any
moment, a new run goes on with what is left. Workers reserve, print and seal;
only the process that runs the engine sequences, since it alone holds the log
key. Photos and records do not travel between processes: a worker reads them
from the registry, and prints what it has reserved from memory.
"""

import gc
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Thread
from typing import Protocol

from credential.errors import Error, UnavailableError
from issuer.issue import IssuingLine, NotApproved, Sequencer, finish_chunk, reserve_chunk
from registry.batches import get_batch
from registry.chunks import Chunk, list_chunks
from registry.database import Database
from registry.reserved import Remembered
from registry.tables import BatchState, ChunkState

_AHEAD = 2
"""Chunks on their way for each process: one printed, one reserved and waiting for the log."""


class WorkerDied(UnavailableError):
    """A worker process was killed, or ran out of memory."""

    code = "worker-died"

    def __init__(self, batch_id: int) -> None:
        super().__init__(
            f"a worker process of batch {batch_id} died; resume the batch",
            f"批次 {batch_id} 的工作进程意外退出,请继续该批次",
        )


class Engine(Protocol):
    """Brings a batch to its end."""

    def run(self, batch_id: int, on_chunk: Callable[[int], None]) -> None:
        """Issue every chunk of an approved batch that is not issued, and log its seals.

        Args:
            batch_id: the batch; a cancelled one has its reserved chunks finished.
            on_chunk: told the number of rows of each chunk that is done.

        Raises:
            NotApproved: the batch waits for its approval.
            and what ``issue_chunk`` raises; what is done stays done.
        """
        ...


class Publisher(Protocol):
    """Publishes status lists that are new or have changed; registry.status.publisher.StatusLists."""

    def publish(self, now: datetime) -> object:
        """Sign and publish them."""
        ...


@dataclass(frozen=True, slots=True)
class Records:
    """What an engine keeps in its own process: the log's key and that of the status lists."""

    database: Database
    sequencer: Sequencer
    lists: Publisher
    now: Callable[[], datetime]


class SingleProcess:
    """Runs chunks one after the other, here; for small batches and tests."""

    def __init__(self, records: Records, line: IssuingLine) -> None:
        self._records = records
        self._line = line

    def run(self, batch_id: int, on_chunk: Callable[[int], None]) -> None:
        """See :class:`Engine`."""
        records = self._records
        with _old_objects_left_alone():
            for chunk in _unfinished(records.database, batch_id):
                remembered = reserve_chunk(self._line, batch_id, chunk.number)
                records.sequencer.sequence(records.now())
                finish_chunk(self._line, batch_id, chunk.number, remembered)
                on_chunk(chunk.row_count)
            _close(records)


class ProcessPool:
    """Runs chunks in several processes.

    Args:
        records: of this process.
        open_line: called once in each worker, which loads keys and fonts there; must
            be a function of a module, or a ``functools.partial`` of one.
        processes: how many; one a core.
    """

    def __init__(self, records: Records, open_line: Callable[[], IssuingLine], processes: int) -> None:
        self._records = records
        self._open_line = open_line
        self._processes = processes

    def run(self, batch_id: int, on_chunk: Callable[[int], None]) -> None:
        """See :class:`Engine`.

        Raises:
            WorkerDied: a worker was killed; run again.
        """
        chunks = _unfinished(self._records.database, batch_id)
        if chunks:
            # Spawned, not forked: connections and threads of this process must not be copied.
            context = multiprocessing.get_context("spawn")
            # A pool for each process, so that a chunk is finished by the one that remembers it.
            workers = [
                _Worker(ProcessPoolExecutor(1, context, initializer=_open, initargs=(self._open_line,)))
                for _ in range(min(self._processes, len(chunks)))
            ]
            try:
                _Run(self._records, workers, batch_id, on_chunk, deque(chunks)).until_done()
            except BrokenProcessPool as error:
                raise WorkerDied(batch_id) from error
            finally:
                for worker in workers:
                    worker.pool.shutdown(cancel_futures=True)
        _close(self._records)


@dataclass(slots=True)
class _Worker:
    """One process, and how many chunks it has in hand."""

    pool: ProcessPoolExecutor
    chunks: int = 0


@dataclass(slots=True)
class _Run:
    """One run of a batch through the workers: who is reserving, who waits for the log, who is printing."""

    records: Records
    workers: list[_Worker]
    batch_id: int
    on_chunk: Callable[[int], None]
    waiting: deque[Chunk]
    reserving: dict[Future[None], tuple[_Worker, Chunk]] = field(default_factory=dict)
    printing: dict[Future[None], tuple[_Worker, Chunk]] = field(default_factory=dict)

    def until_done(self) -> None:
        while self.waiting or self.reserving or self.printing:
            self._hand_out()
            done, _ = wait([*self.reserving, *self.printing], return_when=FIRST_COMPLETED)
            self._print([self.reserving.pop(future) for future in done if self._is_reserved(future)])
            for future in done & self.printing.keys():
                future.result()
                worker, chunk = self.printing.pop(future)
                worker.chunks -= 1
                self.on_chunk(chunk.row_count)

    def _hand_out(self) -> None:
        while self.waiting:
            worker = min(self.workers, key=lambda one: one.chunks)
            if worker.chunks == _AHEAD:
                return
            chunk = self.waiting.popleft()
            worker.chunks += 1
            self.reserving[worker.pool.submit(_reserve, self.batch_id, chunk.number)] = worker, chunk

    def _is_reserved(self, future: Future[None]) -> bool:
        if future not in self.reserving:
            return False
        future.result()
        return True

    def _print(self, reserved: list[tuple[_Worker, Chunk]]) -> None:
        if reserved:
            self.records.sequencer.sequence(self.records.now())
        for worker, chunk in reserved:
            self.printing[worker.pool.submit(_finish, self.batch_id, chunk.number)] = worker, chunk


def _unfinished(database: Database, batch_id: int) -> list[Chunk]:
    with database.reading() as session:
        if get_batch(session, batch_id).state is BatchState.SUBMITTED:
            raise NotApproved(batch_id)
        chunks = list_chunks(session, batch_id)
    return [chunk for chunk in chunks if chunk.state in {ChunkState.READY, ChunkState.RESERVED}]


def _close(records: Records) -> None:
    """Publish the lists that new slots were taken from, and log the seals of the last chunks."""
    records.lists.publish(records.now())
    records.sequencer.sequence(records.now())


@contextmanager
def _old_objects_left_alone() -> Iterator[None]:
    """Keep the garbage collector from looking through what was there before, again and again while rows come and go."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


_opened: list[IssuingLine | Error] = []
"""The line of a worker process, opened once by :func:`_open`; or why it could not be, told with the first chunk."""


def _open(open_line: Callable[[], IssuingLine]) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        _opened.append(open_line())
    except Error as error:  # raised here, it would break the pool, and nobody would learn that a token is missing
        _opened.append(error)
    gc.freeze()  # keys, fonts and modules stay until the end: no need to look through them for garbage


def _line() -> IssuingLine:
    if isinstance(_opened[0], Error):
        raise _opened[0]
    return _opened[0]


def _end_with_parent() -> None:
    """End this worker when the process that runs the engine is gone: nobody else would, and it holds keys."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # at any instruction: a chunk can be killed anywhere


_remembered: dict[tuple[int, int], Remembered | None] = {}
"""What a worker process has reserved and not finished, by batch and chunk."""


def _reserve(batch_id: int, number: int) -> None:
    _remembered[batch_id, number] = reserve_chunk(_line(), batch_id, number)


def _finish(batch_id: int, number: int) -> None:
    finish_chunk(_line(), batch_id, number, _remembered.pop((batch_id, number), None))
