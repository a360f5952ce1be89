from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bench import scale
from bench.scale import Growth, rows_of
from credential.ports import Algorithm
from keys.pkcs8 import ScryptCost
from keys.store import KeyStore

ROWS = 7


@pytest.fixture(scope="module")
def growth(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Iterator[Growth]:
    """A batch of a few, prepared and issued in this process, with keys that are deciphered fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scale, "_RAW_SECONDS", 0.02)
        patch.setattr("service.house.KeyStore", partial(KeyStore, cost=ScryptCost(2, 8, 1)))
        data = tmp_path_factory.mktemp("scale") / "data"
        data.mkdir()
        (data / "cache").symlink_to(cache_folder)
        settings, batch_id = scale._prepare(data, Algorithm.P256, ROWS)
        yield scale._issue(settings, batch_id, ROWS)


def test_a_batch_is_issued_and_its_time_and_memory_are_measured(growth: Growth) -> None:
    assert growth.rows == ROWS
    assert growth.cpu_us > growth.raw_us > 0
    assert growth.most_mb >= growth.opened_mb > 10
    assert growth.first_us > 0
    assert growth.last_us > 0


def test_people_are_made_when_they_are_asked_for_and_are_always_the_same() -> None:
    crowd = scale._People(5)

    assert len(crowd) == len(list(crowd)) == 5
    assert crowd[3] == crowd[3]
    assert len({one.holder.id_number for one in crowd}) == 5
    assert [one.row for one in crowd[1:4]] == [3, 4, 5]
    with pytest.raises(IndexError):
        crowd[5]


def test_a_size_is_compared_with_the_first_by_what_the_bare_key_took_beside_it() -> None:
    small = Growth(1_000, 900, 800, 800, 800, 400, 180, 250, 100)
    twice_as_busy = Growth(10_000, 1_800, 1_600, 1_600, 1_600, 800, 180, 250, 1_000)

    _, first, second = rows_of([small, twice_as_busy])

    assert first[2] == second[2] == "1.00"
    assert first[4] == second[4] == "50.0%"
    assert first[-1] == second[-1] == "100.0"


def test_memory_is_that_of_this_process() -> None:
    assert 0 < scale._megabytes("VmRSS") <= scale._megabytes("VmHWM")
    assert Path("/proc/self/status").is_file()
