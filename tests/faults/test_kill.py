"""Killed at any instruction and run again: one certificate a row, the same serial, each leaf once."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine

from tests.fakes_issuer import build_house
from tests.faults.faults import Countdown, Killed, copied, expect_exactly_once, run_all, watched

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _compiled_once() -> Iterator[None]:
    """Let the many houses of these tests share what SQLAlchemy compiles, which is most of their time."""
    cache: dict[Any, Any] = {}

    def create_engine(*arguments: Any, **named: Any) -> Engine:
        return sqlalchemy.create_engine(*arguments, **named).execution_options(compiled_cache=cache)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("registry.database.create_engine", create_engine)
        yield


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated registry, an issuer and two persons."""
    folder = tmp_path_factory.mktemp("template")
    build_house(folder).database.close()
    return folder


@pytest.fixture(scope="module")
def places(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every place that an undisturbed run passes."""
    folder = tmp_path_factory.mktemp("places") / "house"
    house = copied(template, folder)
    countdown = Countdown(at=0)
    with watched(countdown):
        batch_id = run_all(house)
    expect_exactly_once(house, batch_id, folder)
    return countdown.passed


def test_the_places_are_all_the_kinds_there_are(places: list[str]) -> None:
    assert {"commit", "fsync", "link", "replace", "sign"} <= set(places)
    assert places.count("INSERT INTO credential ") == 1
    assert len(places) > 80


def test_killed_before_any_write_commit_sync_link_or_signature_nothing_is_lost_or_doubled(
    template: Path, places: list[str], tmp_path: Path
) -> None:
    for at in range(1, len(places) + 1):
        folder = tmp_path / str(at)
        first = copied(template, folder)
        with pytest.raises(Killed), watched(Countdown(at)):
            run_all(first)
        first.database.close()
        second = build_house(folder, is_new=False)
        batch_id = run_all(second)
        expect_exactly_once(second, batch_id, folder)
        second.database.close()


def test_killed_twice_on_the_way_it_still_ends_well(template: Path, places: list[str], tmp_path: Path) -> None:
    for at in range(20, len(places), 11):
        folder = tmp_path / str(at)
        copied(template, folder).database.close()
        for strike in (at, 6):
            house = build_house(folder, is_new=False)
            with watched(Countdown(strike)), contextlib.suppress(Killed):
                run_all(house)
            house.database.close()
        last = build_house(folder, is_new=False)
        expect_exactly_once(last, run_all(last), folder)
        last.database.close()


@pytest.mark.parametrize("share", [0.35, 0.5, 0.65, 0.8, 0.95])
def test_a_process_that_is_really_killed_is_continued_by_the_next(
    template: Path, places: list[str], tmp_path: Path, share: float
) -> None:
    folder = tmp_path / "house"
    copied(template, folder).database.close()
    at = int(share * len(places))
    child = subprocess.run(
        [sys.executable, "-m", "tests.faults.child", str(folder), str(at)],
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    house = build_house(folder, is_new=False)
    expect_exactly_once(house, run_all(house), folder)
