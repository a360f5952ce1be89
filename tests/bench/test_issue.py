import json
import math
from collections.abc import Iterator
from functools import partial

import pytest

import bench.issue
from bench.figures import Figures, Spread
from bench.issue import Measurement, Options, Timed, beside_raw, rate
from bench.stopped import COMMIT, ENCRYPT, KEYS, LOG, PRESS, PRINT, RESERVE, SQL, WRITE_BLOBS
from bench.surroundings import describe
from bench.tables import BEGIN, END, rewrite, tables
from credential.ports import Algorithm
from credential.trust import Role
from issuer.printing import PRINT_AT_ONCE
from keys.file_signer import generate_key
from keys.pkcs8 import ScryptCost
from keys.store import KeyStore

ROWS = 12
CHEAP = ScryptCost(2, 8, 1)


@pytest.fixture(scope="module")
def measurement(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measurement]:
    """A small one, with everything in it but several processes, and keys that are deciphered fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.issue, "RAW_SECONDS", 0.02)
        patch.setattr("service.house.KeyStore", partial(KeyStore, cost=CHEAP))
        folder = tmp_path_factory.mktemp("bench") / "data"
        yield Measurement(folder, Algorithm.P256, Options(ROWS, 1, 0), lambda _: None)


@pytest.fixture(scope="module")
def figures(measurement: Measurement, tmp_path_factory: pytest.TempPathFactory) -> Figures:
    folder = tmp_path_factory.mktemp("probe")
    where = describe(folder, command="test", load_before=0.0, rows=ROWS, repeats=1)
    return Figures(where, (measurement.result(),))


def test_every_part_of_issuing_is_among_the_stages(figures: Figures) -> None:
    stages = {one.name: one for one in figures.results[0].stages}

    assert {RESERVE, LOG, PRINT, PRESS, SQL, COMMIT, ENCRYPT, WRITE_BLOBS} <= stages.keys()
    assert stages[KEYS[Role.PDF]].calls == ROWS
    assert stages[PRESS].calls == math.ceil(ROWS / PRINT_AT_ONCE)
    assert stages[KEYS[Role.QR]].calls == 2 * ROWS  # claims and QR code
    assert all(one.wall_ms > 0 for one in stages.values())
    assert sum(one.percent_of_wall for one in stages.values()) == pytest.approx(100)


def test_what_was_issued_is_verified(figures: Figures) -> None:
    assert figures.results[0].checked == 4


def test_a_batch_that_was_not_issued_is_noticed(measurement: Measurement, figures: Figures) -> None:
    assert figures.results
    installation = measurement.installation
    approved_only = installation.approved_batch(installation.line(), 2)

    with pytest.raises(RuntimeError, match="of 2 rows 0 were issued"):
        installation.verify(approved_only, 2, 5)


def test_the_figures_are_one_json_object(figures: Figures) -> None:
    read = json.loads(json.dumps(figures.to_json()))

    assert read["bench"] == "issue"
    assert read["surroundings"]["rows"] == ROWS
    assert read["results"][0]["algorithm"] == "p-256"
    assert read["results"][0]["pipeline"]["cpu"]["median"] > 0
    assert read["results"][0]["sizes"]["photo"] > 30_000


def test_only_what_stands_between_the_marks_is_rewritten(figures: Figures) -> None:
    page = f"before\n{BEGIN}old figures\n{END}after\n"
    once = rewrite(page, figures)

    assert once.startswith(f"before\n{BEGIN}")
    assert once.endswith(f"{END}after\n")
    assert "old figures" not in once
    assert rewrite(once, figures) == once


def test_every_row_of_a_table_is_as_long_as_its_head(figures: Figures) -> None:
    for title, (head, *rows) in tables(figures):
        assert rows, title
        assert {len(row) for row in rows} == {len(head)}, title


def test_the_page_of_the_project_has_the_marks() -> None:
    page = bench.issue.README.read_text("utf-8")

    assert page.index(BEGIN) < page.index(END)


def test_shares_are_taken_in_each_repetition() -> None:
    slow = Timed(wall=4.0, cpu=2.0, raw_wall=50.0, raw_cpu=100.0)  # 100 in 4 s: 25 a second, half of 50
    fast = Timed(wall=1.0, cpu=1.0, raw_wall=400.0, raw_cpu=400.0)

    found = rate([slow, fast], 100)

    assert found.wall == Spread(25.0, 62.5, 100.0)
    assert found.cpu == Spread(50.0, 75.0, 100.0)
    assert found.share_wall == Spread(0.25, 0.375, 0.5)
    assert found.share_cpu == Spread(0.25, 0.375, 0.5)


def test_the_raw_key_is_timed_just_before_and_just_after(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([(10.0, 20.0), (30.0, 60.0)])
    monkeypatch.setattr(bench.issue, "raw_rate", lambda _signer, _seconds: next(rates))

    found = beside_raw(generate_key(Algorithm.P256), lambda: None)

    assert (found.raw_wall, found.raw_cpu) == (20.0, 40.0)


def test_a_spread_is_least_median_and_most() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(1.0, 2.0, 3.0)
    assert Spread.of([1500.0]).text() == "1,500 (1,500 to 1,500)"
