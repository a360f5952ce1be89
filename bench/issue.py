"""How many certificates a second, and where the time goes, beside the private key's own limit.

``python -m bench.issue`` from the root of the project; bench/README.md says what
is measured and what is not. For each kind of PDF key, in a data folder of its own:

1. A new process with nothing cached, and one with everything cached on disk,
   open the installation and issue a batch of one.
2. This process issues a first batch; then, several times: raw key operations,
   a batch of all rows from approved to sealed and logged, raw key operations.
3. One more batch with a stopwatch on every part that is handed in.
4. The press alone prints what it was asked for in 3, several times.
5. With ``--workers``, one more batch in several processes.
6. The log and some of the documents are verified.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.figures import Figures, Opening, Rate, Result, Sizes, Spread, Stage, Workers
from bench.installation import ISSUER, PASSPHRASE, TEMPLATE, Installation, in_new_process
from bench.raw import raw_rate
from bench.scale import show_scale
from bench.stopped import Job, StoppedHouse, StoppedPrinter, print_jobs
from bench.stopwatch import Stopwatch
from bench.surroundings import describe
from bench.tables import PLAIN_WIDTH, rewrite, show
from credential.ports import Algorithm
from credential.trust import Role
from issuer.batch import CHUNK_ROWS
from issuer.engine import ProcessPool, Records
from issuer.line import IssuingLine
from keys.file_signer import FileSigner
from press.press import Press, Printed
from service.house import LineOpener

ALGORITHMS = (Algorithm.RSA_2048, Algorithm.P256)
ROWS, QUICK_ROWS, REPEATS = 2_000, 500, 3
RAW_SECONDS = 0.5
JOBS = 1_000  # that the press alone prints, in each repetition
CHECKED_DOCUMENTS = 5
CHUNKS_A_PROCESS = 4
README = Path(__file__).with_name("README.md")


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    rows: int
    repeats: int
    workers: int


@dataclass(frozen=True, slots=True)
class Timed:
    """How long something took, and raw key operations a second just before and after."""

    wall: float
    cpu: float
    raw_wall: float = 0.0
    raw_cpu: float = 0.0


def timed(work: Callable[[], object]) -> Timed:
    """Time a piece of work, on the clock and on the core."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Timed(time.perf_counter() - wall, time.process_time() - cpu)


def beside_raw(signer: FileSigner, work: Callable[[], object]) -> Timed:
    """Time a piece of work between two measurements of the raw key."""
    before = raw_rate(signer, RAW_SECONDS)
    spent = timed(work)
    after = raw_rate(signer, RAW_SECONDS)
    return Timed(spent.wall, spent.cpu, statistics.mean((before[0], after[0])), statistics.mean((before[1], after[1])))


def rate(timings: Sequence[Timed], count: int) -> Rate:
    """Turn repetitions of so many things into rates and shares."""
    return Rate(
        wall=Spread.of([count / one.wall for one in timings]),
        cpu=Spread.of([count / one.cpu for one in timings]),
        raw_wall=Spread.of([one.raw_wall for one in timings]),
        raw_cpu=Spread.of([one.raw_cpu for one in timings]),
        share_wall=Spread.of([count / one.wall / one.raw_wall for one in timings]),
        share_cpu=Spread.of([count / one.cpu / one.raw_cpu for one in timings]),
    )


class Measurement:
    """Everything that is measured for one kind of PDF key."""

    def __init__(self, folder: Path, algorithm: Algorithm, options: Options, step: Callable[[str], None]) -> None:
        self._algorithm = algorithm
        self._options = options
        self._step = step
        self._say("make keys and an issuer")
        self.installation = Installation(folder, algorithm)

    def result(self) -> Result:
        """Measure all; see the module for the order."""
        installation, rows = self.installation, self._options.rows
        cold, cached = self._openings()
        first, first_warm = self._first_batches()
        pipeline = self._pipeline()
        stages, stopped, printer, last_batch = self._stages()
        press, sizes = self._press_alone(printer)
        workers = self._workers(pipeline.wall.median) if self._options.workers > 1 else None
        self._say("verify log and documents")
        return Result(
            algorithm=self._algorithm.value,
            pipeline=pipeline,
            press=press,
            stages=stages,
            stopped=stopped,
            first_batch=rows / first.wall,
            submit_ms=1e3 * statistics.median(installation.submitting[2:]),
            approve_ms=1e3 * statistics.median(installation.approving[2:]),
            cold=cold,
            cached=cached,
            first_warm=first_warm.wall,
            sizes=sizes,
            peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            checked=installation.verify(last_batch, rows, CHECKED_DOCUMENTS),
            workers=workers,
        )

    @cached_property
    def _line(self) -> IssuingLine:
        return self.installation.line()

    @property
    def _signer(self) -> FileSigner:
        return self.installation.house.store.file_signer(Role.PDF, ISSUER)

    def _say(self, what: str) -> None:
        self._step(f"{self._algorithm}: {what}")

    def _openings(self) -> tuple[Opening, Opening]:
        """Step 1."""
        self._say("a new process, nothing cached")
        installation = self.installation
        line = installation.line()
        batches = [installation.approved_batch(line, 1) for _ in range(2)]
        shutil.rmtree(installation.house.folder.cache)
        cold = in_new_process(installation.settings, batches[0])
        self._say("a new process, cached on disk")
        cached = in_new_process(installation.settings, batches[1])
        installation.reopen()
        return cold, cached

    def _first_batches(self) -> tuple[Timed, Timed]:
        """Step 2, the start: a whole batch with nothing looked at yet, then a batch of one."""
        self._say("first batch of the process")
        installation = self.installation
        whole = installation.approved_batch(self._line, self._options.rows)
        first = timed(partial(installation.issue, self._line, whole))
        one = installation.approved_batch(self._line, 1)
        del installation.submitting[-1], installation.approving[-1]
        return first, timed(partial(installation.issue, self._line, one))

    def _pipeline(self) -> Rate:
        """Step 2."""
        installation, timings = self.installation, []
        for number in range(1, self._options.repeats + 1):
            self._say(f"whole pipeline, {number} of {self._options.repeats}")
            batch = installation.approved_batch(self._line, self._options.rows)
            timings.append(beside_raw(self._signer, partial(installation.issue, self._line, batch)))
        return rate(timings, self._options.rows)

    def _stages(self) -> tuple[tuple[Stage, ...], float, StoppedPrinter, int]:
        """Step 3; also the rate with stopwatches, the printer's jobs, and the batch."""
        self._say("stages")
        stopwatch, rows = Stopwatch(), self._options.rows
        house = StoppedHouse(self.installation.house, stopwatch)
        line, printer = house.stopped_line(ISSUER, TEMPLATE, JOBS)
        batch = self.installation.approved_batch(self._line, rows)
        house.run(line, batch)
        total = sum(spent.wall for spent in stopwatch.spent.values())
        return Stage.all_of(stopwatch, rows), rows / total, printer, batch

    def _press_alone(self, printer: StoppedPrinter) -> tuple[Rate, Sizes]:
        """Step 4: a press that knows the faces, and no text but those of its first tenth of jobs."""
        timings = []
        warm_up, jobs = printer.asked[: len(printer.asked) // 10], printer.asked[len(printer.asked) // 10 :]
        printed: list[Printed] = []
        for number in range(1, self._options.repeats + 1):
            self._say(f"press alone, {number} of {self._options.repeats}")
            press = self.installation.fresh_press()
            _print_all(press, warm_up)
            printed.clear()
            timings.append(beside_raw(self._signer, partial(_print_all, press, jobs, printed)))
        photo = statistics.mean(len(job["photo"]) for _, job in jobs)
        sizes = Sizes(
            prefix=printed[0].length - len(printed[0].tail),
            tail_without_photo=statistics.mean(len(one.tail) for one in printed) - photo,
            photo=photo,
            document=statistics.mean(one.length for one in printed),
        )
        return rate(timings, len(jobs)), sizes

    def _workers(self, one_process: float) -> Workers:
        """Step 5, with enough chunks for each process to come into step."""
        house, processes = self.installation.house, self._options.workers
        self._say(f"{processes} processes")
        rows = max(self._options.rows, CHUNKS_A_PROCESS * CHUNK_ROWS) * processes
        batch = self.installation.approved_batch(self._line, rows)
        ends: list[tuple[float, int]] = []
        opener = LineOpener(
            house.settings, PASSPHRASE, ISSUER, TEMPLATE, self._line.office.look_digests["template version"]
        )
        records = Records(house.database, house.log, house.status_lists, house.now)
        pool = ProcessPool(records, opener, processes)
        started = time.perf_counter()
        pool.run(batch, lambda done: ends.append((time.perf_counter(), done)))
        ended = time.perf_counter()
        after_start = (rows - ends[0][1]) / (ended - ends[0][0])
        wall = rows / (ended - started)
        return Workers(processes, rows, wall, after_start, wall / one_process, after_start / one_process)


def _print_all(press: Press, jobs: Sequence[Job], printed: list[Printed] | None = None) -> None:
    for one in print_jobs(press, jobs):
        if printed is not None:
            printed.append(one)


def measure(options: Options, algorithms: Sequence[Algorithm], folder: Path | None, console: Console) -> Figures:
    """Measure all kinds of keys, one after the other, telling on the console how far it is."""
    load = os.getloadavg()[0]
    steps = len(algorithms) * (6 + 2 * options.repeats + (options.workers > 1))
    columns = (BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"), TimeElapsedColumn())
    # No thread of its own: it would take time from what is measured.
    with Progress(*columns, TextColumn("{task.description}"), console=console, auto_refresh=False) as progress:
        task = progress.add_task("start", total=steps, completed=-1)

        def step(what: str) -> None:
            progress.update(task, advance=1, description=what, refresh=True)

        results = []
        for algorithm in algorithms:
            with tempfile.TemporaryDirectory(prefix="yinzheng-bench-", dir=folder) as temporary:
                results.append(Measurement(Path(temporary) / "data", algorithm, options, step).result())
        progress.update(task, advance=1, description="done", refresh=True)
    with tempfile.TemporaryDirectory(prefix="yinzheng-bench-", dir=folder) as temporary:
        command = " ".join(["python -m bench.issue", *sys.argv[1:]])
        where = describe(Path(temporary), command=command, load_before=load, rows=options.rows, repeats=options.repeats)
    return Figures(where, tuple(results))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and show or write what came out."""
    parser = argparse.ArgumentParser(prog="python -m bench.issue", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, help=f"certificates a batch; {ROWS} if not given")
    parser.add_argument("--quick", action="store_true", help=f"batches of {QUICK_ROWS}")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"of each rate; {REPEATS} if not given")
    parser.add_argument(
        "--key", action="append", type=Algorithm, choices=[*ALGORITHMS, Algorithm.RSA_3072], dest="keys"
    )
    parser.add_argument("--workers", type=int, default=0, help="also measure so many processes against one")
    parser.add_argument("--scale", action="store_true", help="instead: batches of growing size, each in a new process")
    parser.add_argument("--folder", type=Path, help="where the temporary data goes; a disk, not a tmpfs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write-readme", action="store_true", help="put the figures into bench/README.md")
    asked = parser.parse_args(arguments)
    options = Options(asked.rows or (QUICK_ROWS if asked.quick else ROWS), asked.repeats, asked.workers)
    if options.rows < 10 or options.repeats < 1:
        parser.error("at least 10 rows and one repetition are needed")
    if asked.scale:
        return show_scale(asked.keys or ALGORITHMS[:1], asked.folder, quick=asked.quick, write=asked.write_readme)
    figures = measure(options, asked.keys or ALGORITHMS, asked.folder, Console(stderr=True))
    if asked.json:
        print(json.dumps(figures.to_json(), ensure_ascii=False, indent=1))
    else:
        show(figures, Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH))
    if asked.write_readme:
        README.write_text(rewrite(README.read_text("utf-8"), figures), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
