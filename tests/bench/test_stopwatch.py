import time

import pytest

from bench.stopwatch import Stopwatch


class Hands:
    """A clock whose two hands are moved by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = self.cpu = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.wall)
        monkeypatch.setattr(time, "process_time", lambda: self.cpu)

    def move(self, wall: float, cpu: float) -> None:
        self.wall += wall
        self.cpu += cpu


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


def test_every_moment_is_booked_once_on_the_innermost_stage(hands: Hands) -> None:
    watch = Stopwatch()
    watch.ground("ground")
    hands.move(1, 0.5)
    watch.enter("outer")
    hands.move(2, 1)
    watch.enter("inner")
    hands.move(4, 0)
    watch.leave()
    hands.move(8, 8)
    watch.leave()
    hands.move(16, 2)
    watch.ground("")

    assert {name: (spent.wall, spent.cpu, spent.calls) for name, spent in watch.spent.items()} == {
        "ground": (17, 2.5, 0),
        "outer": (10, 9, 1),
        "inner": (4, 0, 1),
    }
    assert sum(spent.wall for spent in watch.spent.values()) == hands.wall


def test_nothing_is_booked_outside_the_phases(hands: Hands) -> None:
    watch = Stopwatch()
    watch.enter("before")
    hands.move(5, 5)
    watch.leave()
    watch.ground("phase")
    hands.move(1, 1)
    watch.ground("")
    watch.enter("after")
    hands.move(7, 7)
    watch.leave()

    assert {name: spent.wall for name, spent in watch.spent.items()} == {"phase": 1}
