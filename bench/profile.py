"""Where the time of issuing goes: by stage, by file and by function, so that the next person need not guess.

    python -m bench.profile [--rows 4000] [--key rsa-2048|rsa-3072|p-256] [--lines 40] [--folder DIR] [--write]

After a first batch that warms the process, three batches are issued by the production engine:

1. with stopwatches on every part that is handed in (bench/stopped.py): what each stage takes, booked once;
2. bare, to have the figure that the others are to be read beside;
3. with a timer that looks at the stack whenever so much processor time has passed: which file and function of ours it
   was in, and which function at all. A look costs little and falls everywhere alike, so that, unlike with a tracing
   profiler, small functions look no dearer than they are. What a compiled library does counts for who called it.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType, FrameType

from rich.console import Console

from bench.figures import Stage
from bench.installation import ISSUER, TEMPLATE, Installation
from bench.issue import Timed, beside_raw
from bench.stopped import StoppedHouse
from bench.stopwatch import Stopwatch
from bench.surroundings import describe
from bench.tables import PLAIN_WIDTH, about, between, print_table, stages, titled
from credential.ports import Algorithm
from credential.trust import Role

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
MARKS = ("<!-- profile: written by `python -m bench.profile --write` -->\n", "<!-- end of profile -->\n")
INTERVAL = 0.001  # seconds of processor time between two looks; the kernel may make it longer
_LIBRARIES = "site-packages"


@dataclass(slots=True)
class Samples:
    """What was seen on the stack, look by look.

    Attributes:
        looks: how many.
        alone: looks at which a function was the innermost of all, with the function of ours that had called it.
        within: looks at which it was anywhere on the stack.
        files: looks at which a file of ours had the innermost frame of ours.
    """

    looks: int = 0
    alone: Counter[tuple[str, str]] = field(default_factory=Counter)
    within: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    _names: dict[CodeType, tuple[str, str]] = field(default_factory=dict)

    def look(self, _signal: int, frame: FrameType | None) -> None:
        """Take note of one stack; a handler of SIGPROF."""
        self.looks += 1
        seen, own, innermost, caller = set(), "", "", ""
        while frame is not None:
            path, name = self._name(frame.f_code)
            innermost = innermost or name
            if path and not own:
                own, caller = path, name
            seen.add(name)
            frame = frame.f_back
        self.alone[innermost, caller] += 1
        self.files[own or "other"] += 1
        self.within.update(seen)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Look while the block runs."""
        before = signal.signal(signal.SIGPROF, self.look)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def _name(self, code: CodeType) -> tuple[str, str]:
        """The file if it is ours, else nothing; and the name of the function for people."""
        if code not in self._names:
            path = Path(code.co_filename)
            if _LIBRARIES in path.parts:
                file = "/".join(path.parts[path.parts.index(_LIBRARIES) + 1 :])
                is_ours = False
            elif is_ours := path.is_relative_to(ROOT):
                file = path.relative_to(ROOT).as_posix()
            else:
                file = path.name
            own = file if is_ours and not file.startswith("bench/") else ""
            self._names[code] = own, f"{file} {code.co_qualname}"
        return self._names[code]


def files_table(samples: Samples, each_us: float, lines: int) -> list[tuple[str, ...]]:
    """The files of ours, those first in which most time is spent, libraries that they call included."""
    rows: list[tuple[str, ...]] = [("file, with the libraries it calls", "µs a certificate", "share")]
    for name, looks in samples.files.most_common(lines):
        share = looks / samples.looks
        rows.append((f"`{name}`", f"{share * each_us:,.1f}", f"{share:.1%}"))
    return rows


def functions_table(samples: Samples, each_us: float, lines: int) -> list[tuple[str, ...]]:
    """The functions, those first that take most themselves."""
    rows: list[tuple[str, ...]] = [("function", "µs a certificate, alone", "with what it calls", "share, alone")]
    for (name, caller), looks in samples.alone.most_common(lines):
        share = looks / samples.looks
        within = samples.within[name] / samples.looks
        of = "" if caller in {"", name} else f", called by `{caller}`"
        rows.append((f"`{name}`{of}", f"{share * each_us:,.1f}", f"{within * each_us:,.1f}", f"{share:.1%}"))
    return rows


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything of one run; ``plain`` is the batch without stopwatches or looks."""

    rows: int
    plain: Timed
    stages: tuple[Stage, ...]
    samples: Samples

    @property
    def each_us(self) -> float:
        """Microseconds of processor time a certificate."""
        return 1e6 * self.plain.cpu / self.rows

    def summary(self) -> str:
        """One sentence to read the rest beside."""
        return (
            f"{self.each_us:,.0f} µs of processor time a certificate, {1e6 * self.plain.wall / self.rows:,.0f} on the "
            f"clock; the bare key operation {1e6 / self.plain.raw_cpu:,.0f} µs; {self.samples.looks:,} looks"
        )

    def tables(self, algorithm: str, lines: int) -> list[tuple[str, list[tuple[str, ...]]]]:
        """Every table with its title."""
        return [
            (f"{algorithm}: by stage", stages(self.stages)),
            (f"{algorithm}: by file", files_table(self.samples, self.each_us, lines)),
            (f"{algorithm}: by function", functions_table(self.samples, self.each_us, lines)),
        ]


def profile(folder: Path, algorithm: Algorithm, rows: int) -> Profile:
    """Issue the batches and look."""
    installation = Installation(folder, algorithm)
    line = installation.line()

    def issue() -> None:
        installation.issue(line, batches.pop())

    batches = [installation.approved_batch(line, rows)]
    issue()
    stopwatch = Stopwatch()
    house = StoppedHouse(installation.house, stopwatch)
    stopped, _ = house.stopped_line(ISSUER, TEMPLATE, 0)
    house.run(stopped, installation.approved_batch(line, rows))
    signer = installation.house.store.file_signer(Role.PDF, ISSUER)
    plain = beside_raw(signer, partial(installation.issue, line, installation.approved_batch(line, rows)))
    samples, last = Samples(), installation.approved_batch(line, rows)
    with samples.taken():
        installation.issue(line, last)
    installation.verify(last, rows, 3)
    return Profile(rows, plain, Stage.all_of(stopwatch, rows), samples)


def main(arguments: Sequence[str] | None = None) -> int:
    """Profile, and show or write what came out."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=4_000, help="certificates a batch")
    parser.add_argument("--lines", type=int, default=40, help="of a table")
    parser.add_argument("--key", type=Algorithm, default=Algorithm.RSA_2048, choices=list(Algorithm))
    parser.add_argument("--folder", type=Path, help="where the temporary data goes; a disk, not a tmpfs")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    asked = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="yinzheng-bench-", dir=asked.folder) as name:
        found = profile(Path(name) / "data", asked.key, asked.rows)
        command = " ".join(["python -m bench.profile", *(sys.argv[1:] if arguments is None else arguments)])
        where = describe(Path(name), command=command, load_before=load, rows=asked.rows, repeats=1)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(about(where), markup=False)
    console.print(found.summary(), markup=False)
    tables = found.tables(asked.key.value, asked.lines)
    for title, table in tables:
        print_table(console, title, table)
    if asked.write:
        parts = [about(where), found.summary(), *(titled(title, table) for title, table in tables)]
        PAGE.write_text(between(PAGE.read_text("utf-8"), MARKS, parts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
