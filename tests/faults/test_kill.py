"""Killed at any instruction and run again: one certificate a row, the same serial, each leaf once."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes_issuer import build_house
from tests.faults.faults import Countdown, Killed, copied, expect_exactly_once, restore, run_all, watched

PROJECT = Path(__file__).resolve().parents[2]


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
    folder = tmp_path / "house"
    database = copied(template, folder).database  # one for all, for it remembers what it has compiled
    for at in range(1, len(places) + 1):
        restore(template, folder, database)
        with pytest.raises(Killed), watched(Countdown(at)):
            run_all(build_house(folder, database=database))
        database.close()
        second = build_house(folder, database=database)
        expect_exactly_once(second, run_all(second), folder)


def test_killed_twice_on_the_way_it_still_ends_well(template: Path, places: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "house"
    database = copied(template, folder).database
    for at in range(20, len(places), 11):
        restore(template, folder, database)
        for strike in (at, 6):
            with watched(Countdown(strike)), contextlib.suppress(Killed):
                run_all(build_house(folder, database=database))
            database.close()
        last = build_house(folder, database=database)
        expect_exactly_once(last, run_all(last), folder)


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
