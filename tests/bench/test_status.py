"""The weights of status lists are those of real lists, counted right."""

import json
import sys
from random import Random

import pytest

from bench.status import main, weigh
from registry.status.slots import CAPACITY


def test_every_revoked_certificate_is_in_a_list_and_every_list_is_made() -> None:
    found = weigh(CAPACITY + 1, Random(1))  # noqa: S311 - made up

    assert found.lists == 2
    assert found.revoked == round((CAPACITY + 1) / 1000)
    assert found.packed == 2 * (1 << 20) // 4
    assert found.compressed < found.cwt < found.jwt < found.packed
    assert found.largest_cwt < found.cwt


def test_the_table_and_the_object_say_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["status", "--millions", "0.01", "--json"])
    main()
    (told,) = json.loads(capsys.readouterr().out)
    monkeypatch.setattr(sys, "argv", ["status", "--millions", "0.01"])
    main()
    shown = capsys.readouterr().out
    assert (told["certificates"], told["revoked"], told["lists"]) == (10_000, 10, 1)
    assert "| 10,000 | 10 | 1 | 0.3 MB |" in shown
