"""Batches of growing size, each issued by a new process: time for each certificate and memory must stay flat.

A process of its own prepares the batch, so that the one that is measured holds nothing but what issuing holds. The
made-up people are made as the submission asks for them, photo for photo.
"""

import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import overload

from rich.console import Console

from bench.installation import ISSUER, PASSPHRASE, TEMPLATE, Installation
from bench.made_up import people
from bench.raw import raw_rate
from bench.surroundings import describe
from bench.tables import PLAIN_WIDTH, about, between, print_table, titled
from credential.model import Record
from credential.ports import Algorithm
from credential.trust import Role
from service.house import House, SystemClock
from service.settings import Settings

SIZES, QUICK_SIZES = (1_000, 10_000, 100_000), (1_000, 5_000)
README = Path(__file__).with_name("README.md")
MARKS = ("<!-- growth: written by `bench/issue.py --scale --write-readme` -->\n", "<!-- end of growth -->\n")
_RAW_SECONDS = 0.5
_ENDS = 4  # the first and the last quarter of a batch are compared


@dataclass(frozen=True, slots=True)
class Growth:
    """One batch in a process of its own.

    Attributes:
        rows: of the batch.
        clock_us: microseconds a certificate, on the clock.
        cpu_us: the same of the process' time on a core.
        first_us: ``cpu_us`` of the first quarter of the batch, after the first chunk.
        last_us: ``cpu_us`` of the last quarter.
        raw_us: the bare key operation, before and after.
        opened_mb: memory of the process once it is ready to issue.
        most_mb: the most that it held.
        data_mb: bytes of the data folder afterwards, for all of its certificates.
    """

    rows: int
    clock_us: float
    cpu_us: float
    first_us: float
    last_us: float
    raw_us: float
    opened_mb: float
    most_mb: float
    data_mb: float


class _People(Sequence[Record]):
    """So many made-up people, none of whom is kept."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Record]: ...
    def __getitem__(self, at: int | slice) -> Record | Sequence[Record]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(self._count))]
        if not 0 <= at < self._count:
            raise IndexError(at)
        (record,) = people(at, 1)
        return replace(record, row=at + 2)


def measure(folder: Path, algorithm: Algorithm, rows: int) -> Growth:
    """Prepare a batch in one process, and issue it in another."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        settings, batch_id = pool.submit(_prepare, folder, algorithm, rows).result()
    with ProcessPoolExecutor(1, spawn) as pool:
        growth = pool.submit(_issue, settings, batch_id, rows).result()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return replace(growth, data_mb=size / 1e6)


def _prepare(folder: Path, algorithm: Algorithm, rows: int) -> tuple[Settings, int]:
    installation = Installation(folder, algorithm)
    return installation.settings, installation.approved(installation.line(), _People(rows))


def _issue(settings: Settings, batch_id: int, rows: int) -> Growth:
    house = House(settings, PASSPHRASE, SystemClock())
    line = house.line(ISSUER, TEMPLATE)
    signer = house.store.file_signer(Role.PDF, ISSUER)
    raw = [raw_rate(signer, _RAW_SECONDS)[1]]
    opened = _megabytes("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    chunks = [(0, cpu)]  # rows of the chunk that ended, and when
    house.engine(line, 1).run(batch_id, lambda done: chunks.append((done, time.process_time())))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    raw.append(raw_rate(signer, _RAW_SECONDS)[1])
    times = [1e6 * (after[1] - before[1]) / after[0] for before, after in pairwise(chunks)]
    quarter = max(1, len(times) // _ENDS)
    return Growth(
        rows=rows,
        clock_us=1e6 * wall / rows,
        cpu_us=1e6 * cpu / rows,
        first_us=statistics.mean(times[1 : 1 + quarter] or times),  # the first chunk warms the process
        last_us=statistics.mean(times[-quarter:]),
        raw_us=1e6 / statistics.mean(raw),
        opened_mb=opened,
        most_mb=_megabytes("VmHWM"),
        data_mb=0.0,
    )


def _megabytes(what: str) -> float:
    """Memory of this process as Linux tells it; unlike ``ru_maxrss`` it does not begin with the parent's."""
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path("/proc/self/status").read_text("ascii"), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def rows_of(growths: Sequence[Growth]) -> list[tuple[str, ...]]:
    """The table, a line for each size."""
    head = ("certificates", "µs each, CPU", "against the first", "bare key, µs", "share of the bare key")
    rows: list[tuple[str, ...]] = [
        (*head, "µs each, clock", "first quarter, last quarter, µs CPU", "MB when ready", "most MB", "kB on disk each")
    ]
    for one in growths:
        against = one.cpu_us / one.raw_us / (growths[0].cpu_us / growths[0].raw_us)
        rows.append(
            (
                f"{one.rows:,}",
                f"{one.cpu_us:,.0f}",
                f"{against:.2f}",
                f"{one.raw_us:,.0f}",
                f"{one.raw_us / one.cpu_us:.1%}",
                f"{one.clock_us:,.0f}",
                f"{one.first_us:,.0f}, {one.last_us:,.0f}",
                f"{one.opened_mb:,.0f}",
                f"{one.most_mb:,.0f}",
                f"{1e3 * one.data_mb / one.rows:,.1f}",
            )
        )
    return rows


def show_scale(algorithms: Sequence[Algorithm], folder: Path | None, *, quick: bool, write: bool) -> int:
    """Measure all sizes and print or write the table."""
    sizes, load = QUICK_SIZES if quick else SIZES, os.getloadavg()[0]
    found: dict[str, list[tuple[str, ...]]] = {}
    for algorithm in algorithms:
        growths = []
        for rows in sizes:
            sys.stderr.write(f"{algorithm}: {rows:,} certificates\n")
            with tempfile.TemporaryDirectory(prefix="yinzheng-bench-", dir=folder) as temporary:
                growths.append(measure(Path(temporary) / "data", algorithm, rows))
        found[f"{algorithm}, one process"] = rows_of(growths)
    with tempfile.TemporaryDirectory(prefix="yinzheng-bench-", dir=folder) as temporary:
        command = " ".join(["python -m bench.issue", *sys.argv[1:]])
        where = describe(Path(temporary), command=command, load_before=load, rows=sizes[-1], repeats=1)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(about(where), markup=False)
    for title, table in found.items():
        print_table(console, title, table)
    if write:
        parts = [about(where), *(titled(title, table) for title, table in found.items())]
        README.write_text(between(README.read_text("utf-8"), MARKS, parts), encoding="utf-8")
    return 0
