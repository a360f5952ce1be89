"""What a run of the benchmark found: the figures, and the one JSON object of them."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.stopwatch import Stopwatch


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

    @classmethod
    def all_of(cls, stopwatch: Stopwatch, rows: int) -> "tuple[Stage, ...]":
        """Turn what a stopwatch booked for so many certificates into stages."""
        total = sum(spent.wall for spent in stopwatch.spent.values())
        return tuple(
            cls(name, 1e3 * spent.wall / rows, 1e3 * spent.cpu / rows, 100 * spent.wall / total, spent.calls)
            for name, spent in stopwatch.spent.items()
        )


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
