"""What was measured of the peers: one object a peer and key, kept while the rest is still to be measured."""

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Run:
    """One of the repetitions, with our press and the bare key just before and after it.

    Attributes:
        clock: certificates a second on the clock.
        cpu: certificates a second of the peer's processor time, all its threads.
        press: our press, certificates a second of processor time, mean of before and after.
        raw: bare key operations a second of processor time, mean of before and after.
    """

    clock: float
    cpu: float
    press: float
    raw: float


@dataclass(frozen=True, slots=True)
class Result:
    """What one peer did with one kind of key.

    Attributes:
        name: of the peer; ``press`` and ``pipeline`` are ours.
        title: for tables.
        tuned: Chinese and English; empty as documented.
        runs: the repetitions.
        length: bytes of the last certificate, photo included.
        note: Chinese and English, what a reader must know of this figure; or why there is none.
    """

    algorithm: str
    name: str
    title: str
    tuned: tuple[str, str] = ("", "")
    only_signs: bool = False
    runs: tuple[Run, ...] = ()
    length: int = 0
    note: tuple[str, str] = ("", "")

    def spread(self, what: str) -> tuple[float, float, float]:
        """Least, median and most of the repetitions: ``clock``, ``cpu``, ``share`` of the key, ``times`` ours."""
        figures = list(self._figures(what))
        return min(figures), statistics.median(figures), max(figures)

    def _figures(self, what: str) -> Iterator[float]:
        for run in self.runs:
            if what == "share":
                yield run.cpu / run.raw
            elif what == "times":
                yield run.press / run.cpu
            else:
                yield getattr(run, what)

    @classmethod
    def of(cls, table: dict[str, Any]) -> Self:
        """Read it back."""
        runs = tuple(Run(**one) for one in table["runs"])
        return cls(**{**table, "runs": runs, "tuned": tuple(table["tuned"]), "note": tuple(table["note"])})


@dataclass(slots=True)
class Kept:
    """The results of a run that is under way, in a file of one JSON object a line; the first says how it was asked."""

    path: Path
    asked: dict[str, Any]
    results: list[Result] = field(default_factory=list)

    def resume(self, measurements: int) -> None:
        """Take what an interrupted run measured, if it was asked for the same; forget it if not, or if it was whole.

        Args:
            measurements: that make a whole run.
        """
        lines = self.path.read_text("utf-8").splitlines() if self.path.is_file() else []
        if lines and json.loads(lines[0]) == self.asked and len(lines) - 1 < measurements:
            self.results = [Result.of(json.loads(line)) for line in lines[1:]]
        else:
            self.path.write_text(json.dumps(self.asked) + "\n", encoding="utf-8")

    def has(self, algorithm: str, name: str) -> bool:
        """Whether this was measured already."""
        return any((one.algorithm, one.name) == (algorithm, name) for one in self.results)

    def add(self, result: Result) -> None:
        """Keep one more."""
        self.results.append(result)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
