"""The same on PostgreSQL, at fewer places: killed and run again, one certificate a row and each leaf once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes_issuer import build_house, url_of
from tests.faults.faults import Countdown, Killed, expect_exactly_once, run_all, watched
from tests.postgresql import PostgresServer

PROJECT = Path(__file__).resolve().parents[2]
EVERY = 9


@pytest.fixture
def house_folder(tmp_path: Path, postgres_url: str) -> Path:
    """The folder of a house whose registry is a PostgreSQL database."""
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "registry.url").write_text(postgres_url)
    return folder


def test_killed_at_every_ninth_place_nothing_is_lost_or_doubled(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    at, passed = 0, 1
    while at < passed:  # the first run strikes nowhere and counts the places
        folder = tmp_path / str(at)
        folder.mkdir()
        (folder / "registry.url").write_text(postgres_server.url(postgres_server.create()))
        countdown = Countdown(at)
        first = build_house(folder)
        if at:
            with pytest.raises(Killed), watched(countdown):
                run_all(first)
            first.database.close()
        else:
            with watched(countdown):
                run_all(first)
            passed = len(countdown.passed)
        second = build_house(folder, is_new=False)
        expect_exactly_once(second, run_all(second), folder)
        first.database.close()
        second.database.close()
        at += EVERY
    assert passed > 80


@pytest.mark.parametrize("at", [30, 70])
def test_a_process_that_is_really_killed_is_continued_by_the_next(house_folder: Path, at: int) -> None:
    first = build_house(house_folder)
    first.database.close()
    child = subprocess.run(
        [sys.executable, "-m", "tests.faults.child", str(house_folder), str(at)],
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    house = build_house(house_folder, is_new=False)
    assert house.database.dialect == "postgresql"
    assert url_of(house_folder).startswith("postgresql")
    expect_exactly_once(house, run_all(house), house_folder)
    house.database.close()
