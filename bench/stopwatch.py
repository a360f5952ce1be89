"""Where the time goes: exclusive wall and CPU time by stage, each moment booked once."""

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Spent:
    """Time booked on one stage.

    Attributes:
        wall: seconds on the clock.
        cpu: seconds of this process on a core, all its threads.
        calls: how often it was entered.
    """

    wall: float = 0.0
    cpu: float = 0.0
    calls: int = 0


class Stopwatch:
    """Books every moment on the innermost stage that was entered; for one thread.

    While no stage is open, time is booked on the ground, which changes with the
    phase of the work; before the first phase nothing is booked.
    """

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = {}
        self._stack: list[str] = [""]
        self._wall = self._cpu = 0.0

    def ground(self, name: str) -> None:
        """Begin a phase: what no stage claims is booked on it; empty stops booking."""
        self._book()
        self._stack[0] = name

    def enter(self, name: str) -> None:
        """Open a stage; the one around it stands still."""
        self._book()
        self._stack.append(name)
        if self._stack[0]:
            self.spent.setdefault(name, Spent()).calls += 1

    def leave(self) -> None:
        """Close the innermost stage."""
        self._book()
        self._stack.pop()

    def _book(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        if self._stack[0]:
            spent = self.spent.setdefault(self._stack[-1], Spent())
            spent.wall += wall - self._wall
            spent.cpu += cpu - self._cpu
        self._wall, self._cpu = wall, cpu
