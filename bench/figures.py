"""What a run of the benchmark found: the figures, as one JSON object, tables to read, and a page."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

BEGIN, END = "<!-- figures: written by `bench/issue.py --write-readme` -->\n", "<!-- end of figures -->\n"


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure measured several times."""

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Of at least one figure."""
        return cls(min(figures), statistics.median(figures), max(figures))

    def text(self, form: str = ",.0f") -> str:
        """The median, and the range in brackets."""
        return f"{self.median:{form}} ({self.min:{form}} to {self.max:{form}})"


@dataclass(frozen=True, slots=True)
class Rate:
    """Things a second, beside raw key operations a second of the same minute and process.

    Attributes:
        wall: a second on the clock.
        cpu: a second of this process on a core.
        raw_wall: signatures with the same key alone, mean of just before and just after.
        raw_cpu: the same, a second on a core.
        share_wall: ``wall / raw_wall``, taken in each repetition.
        share_cpu: ``cpu / raw_cpu``, taken in each repetition.
    """

    wall: Spread
    cpu: Spread
    raw_wall: Spread
    raw_cpu: Spread
    share_wall: Spread
    share_cpu: Spread


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the table of stages; per certificate."""

    name: str
    wall_ms: float
    cpu_ms: float
    percent_of_wall: float
    calls: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What comes before the first certificate of a new process, and that certificate; seconds on the clock.

    Attributes:
        imports: starting Python and importing.
        keys: deciphering the keys that issuing needs.
        templates: compiling or reading both layouts, fonts included.
        first: a batch of one, approved to sealed and logged.
    """

    imports: float
    keys: float
    templates: float
    first: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes; the last three are means over the certificates of the run."""

    prefix: int
    tail_without_photo: float
    photo: float
    document: float


@dataclass(frozen=True, slots=True)
class Workers:
    """Several processes against one.

    Attributes:
        wall: certificates a second, starting the processes included.
        after_start: certificates a second from the first finished chunk on.
    """

    processes: int
    rows: int
    wall: float
    after_start: float
    against_one: float
    after_start_against_one: float


@dataclass(frozen=True, slots=True)
class Result:
    """Everything about one kind of PDF key.

    Attributes:
        submit_ms: storing a row and its photo, per row; not part of the pipeline.
        approve_ms: numbering a row, per row; not part of the pipeline.
        first_batch: certificates a second of the first batch of a process, caches on disk.
        stopped: certificates a second with stopwatches on, to compare with the pipeline's.
        peak_mb: the most memory this process held so far.
        checked: documents whose signature and content were verified after the run.
    """

    algorithm: str
    pipeline: Rate
    press: Rate
    stages: tuple[Stage, ...]
    stopped: float
    first_batch: float
    submit_ms: float
    approve_ms: float
    cold: Opening
    cached: Opening
    first_warm: float
    sizes: Sizes
    peak_mb: float
    checked: int
    workers: Workers | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where and how it was measured."""

    when: str
    command: str
    processor: str
    cores: int
    load_before: float
    load_after: float
    system: str
    python: str
    openssl: str
    file_system: str
    sync_ms: float
    rows: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Figures:
    """One whole run."""

    surroundings: Surroundings
    results: tuple[Result, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as one JSON object; rates a second, ``_ms`` milliseconds, openings in seconds, sizes in bytes."""
        return {"bench": "issue", **asdict(self)}


def summary(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """The main figures, a line each: what, then one cell a key."""
    lines: list[tuple[str, ...]] = [("", *(one.algorithm for one in results))]

    def line(what: str, *cells: str) -> None:
        lines.append((what, *cells))

    line("raw key operation, /s on the clock", *(one.pipeline.raw_wall.text() for one in results))
    line("raw key operation, /CPU-second", *(one.pipeline.raw_cpu.text() for one in results))
    line("**whole pipeline, certificates/s on the clock**", *(one.pipeline.wall.text() for one in results))
    line("whole pipeline, certificates/CPU-second", *(one.pipeline.cpu.text() for one in results))
    line("whole pipeline, share of the raw operation, clock", *(one.pipeline.share_wall.text(".1%") for one in results))
    line("**the same, CPU**", *(one.pipeline.share_cpu.text(".1%") for one in results))
    line("press alone, in memory, certificates/s on the clock", *(one.press.wall.text() for one in results))
    line("press alone, certificates/CPU-second", *(one.press.cpu.text() for one in results))
    line("press alone, share of the raw operation, clock", *(one.press.share_wall.text(".1%") for one in results))
    line("**the same, CPU**", *(one.press.share_cpu.text(".1%") for one in results))
    line("first batch of a process, certificates/s on the clock", *(f"{one.first_batch:,.0f}" for one in results))
    line("with stopwatches (table of stages), certificates/s", *(f"{one.stopped:,.0f}" for one in results))
    line("submit a row with its photo, ms (not in the pipeline)", *(f"{one.submit_ms:.2f}" for one in results))
    line("approve a row, ms (not in the pipeline)", *(f"{one.approve_ms:.2f}" for one in results))
    line("most memory of the process, MB", *(f"{one.peak_mb:,.0f}" for one in results))
    line("documents verified afterwards", *(str(one.checked) for one in results))
    if any(one.workers for one in results):
        line("several processes, certificates/s", *(_workers(one.workers) for one in results))
    return lines


def openings(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Seconds until the first certificate."""
    head = ("", *(f"{one.algorithm}, {which}" for one in results for which in ("nothing cached", "cached on disk")))
    both = [opening for one in results for opening in (one.cold, one.cached)]
    return [
        head,
        ("start Python, import", *(f"{one.imports:.2f} s" for one in both)),
        ("decipher the keys (scrypt)", *(f"{one.keys:.2f} s" for one in both)),
        ("both layouts: compile, or read", *(f"{one.templates:.2f} s" for one in both)),
        ("a batch of one, approved to logged", *(f"{one.first:.2f} s" for one in both)),
        ("the same in a warm process", *(cell for one in results for cell in ("", f"{one.first_warm:.3f} s"))),
    ]


def stages(result: Result) -> list[tuple[str, ...]]:
    """Where the time of the pipeline went."""
    rows = [("stage", "ms on the clock", "ms CPU", "share of the clock", "calls")]
    for one in sorted(result.stages, key=lambda stage: -stage.wall_ms):
        cells = (f"{one.wall_ms:.4f}", f"{one.cpu_ms:.4f}", f"{one.percent_of_wall:.1f} %", f"{one.calls:,}")
        rows.append((one.name, *cells))
    wall, cpu = (sum(getattr(one, what) for one in result.stages) for what in ("wall_ms", "cpu_ms"))
    return [*rows, ("all", f"{wall:.4f}", f"{cpu:.4f}", "100 %", "")]


def sizes(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Bytes of a certificate."""
    head = ("bytes", *(one.algorithm for one in results))
    return [
        head,
        ("prefix, stored once", *(f"{one.sizes.prefix:,}" for one in results)),
        ("tail without the photo, stored for each", *(f"{one.sizes.tail_without_photo:,.0f}" for one in results)),
        ("photo", *(f"{one.sizes.photo:,.0f}" for one in results)),
        ("PDF", *(f"{one.sizes.document:,.0f}" for one in results)),
        (
            "PDF without the photo",
            *(f"{one.sizes.prefix + one.sizes.tail_without_photo:,.0f}" for one in results),
        ),
    ]


def tables(figures: Figures) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Every table with its title."""
    results = figures.results
    return [
        ("Rates", summary(results)),
        *((f"Stages, {one.algorithm}, per certificate", stages(one)) for one in results),
        ("Until the first certificate", openings(results)),
        ("Sizes", sizes(results)),
    ]


def show(figures: Figures, console: Console) -> None:
    """Print the tables for people."""
    console.print(about(figures.surroundings), markup=False)
    for title, (head, *rows) in tables(figures):
        table = Table(title=title, title_justify="left")
        for at, cell in enumerate(head):
            table.add_column(cell, justify="right" if at else "left")
        for row in rows:
            table.add_row(*(cell.replace("**", "") for cell in row))
        console.print(table)


def rewrite(page: str, figures: Figures) -> str:
    """Put the figures between the two marks of a page."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [about(figures.surroundings)]
    for title, (head, *rows) in tables(figures):
        lines = ["| " + " | ".join(row) + " |" for row in (head, ["---", *("---:" for _ in head[1:])], *rows)]
        parts.append("\n".join([f"### {title}", "", *lines]))
    body = "\n\n".join(parts)
    return f"{before}{BEGIN}\n{body}\n\n{END}{after}"


def about(where: Surroundings) -> str:
    """Say in a paragraph what was measured, where and how."""
    return (
        f"Measured {where.when} with `{where.command}`: {where.repeats} repetitions of {where.rows:,} certificates, "
        f"median (least to most). {where.processor}, {where.cores} cores, load average {where.load_before:.1f} before "
        f"and {where.load_after:.1f} after; {where.system}, Python {where.python}, {where.openssl}; "
        f"files on {where.file_system}, where a synced write of 4 KB takes {where.sync_ms:.2f} ms."
    )


def _workers(one: Workers | None) -> str:
    if one is None:
        return ""
    return (
        f"{one.processes} processes, {one.rows:,} rows: "
        f"{one.wall:,.0f} with their start ({one.against_one:.2f} x one), "
        f"{one.after_start:,.0f} after it ({one.after_start_against_one:.2f} x)"
    )
