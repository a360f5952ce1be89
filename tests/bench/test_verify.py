"""That the benchmark of verifying measures what it says; no figure is judged."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import bench.verify
from bench.figures import Spread
from bench.installation import ISSUER, PASSPHRASE
from bench.verify import (
    Figures,
    Measurement,
    Options,
    WrongVerdict,
    alter,
    documents_of,
    expect,
    known_of,
    prepare,
    table,
)
from keys.pkcs8 import ScryptCost
from keys.store import KeyStore
from service.house import House
from service.keeping import verify_whole_log
from service.verifying import VerifyingDesk

OPTIONS = Options(issued=6, crowd=10, looks=16, repeats=1)
CHEAP = ScryptCost(2, 8, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def house(folder: Path) -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.house.KeyStore", partial(KeyStore, cost=CHEAP))
        patch.setattr(bench.verify, "ALTERED", 1)
        patch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE.decode())
        yield prepare(folder, OPTIONS, lambda _: None)


@pytest.fixture(scope="module")
def figures(house: House) -> Figures:
    return Measurement(house, OPTIONS, lambda _: None).figures()


def test_every_figure_was_measured(figures: Figures) -> None:
    assert (figures.certificates, figures.issued) == (16, 6)
    rates = [getattr(figures, one.name) for one in dataclasses.fields(figures)]
    assert all(rate.median > 0 for rate in rates if isinstance(rate, Spread))
    assert json.loads(json.dumps(dataclasses.asdict(figures)))["original"]["median"] == figures.original.median
    assert all(line.startswith("|") for line in table(figures).splitlines()[:13])


def test_documents_and_codes_are_distinct_and_from_all_over_the_register(house: House) -> None:
    documents = documents_of(house, OPTIONS.issued)
    known = known_of(house, OPTIONS.looks)

    assert len({hashlib.sha256(one).digest() for one in documents}) == OPTIONS.issued
    assert len({one.code for one in known}) == len({one.serial for one in known}) == OPTIONS.looks


def test_the_crowd_is_valid_by_code_and_by_serial_and_stands_in_the_log(house: House) -> None:
    with VerifyingDesk(house) as desk:
        for one in known_of(house, OPTIONS.looks):
            by_code, by_serial = desk.verify_code(one.code), desk.verify_serial(one.serial, one.name)
            assert (by_code.verdict.value, by_serial.verdict.value) == ("valid", "valid"), by_code.reason
    assert verify_whole_log(house).size >= 2 * (OPTIONS.issued + OPTIONS.crowd)


def test_an_altered_file_is_called_tampered_and_a_wrong_verdict_ends_the_run(house: House) -> None:
    document = documents_of(house, 1)[0]
    with VerifyingDesk(house) as desk:
        verdict = desk.verify_file(alter(document))

    assert verdict.verdict.value == "tampered"
    with pytest.raises(WrongVerdict, match="tampered"):
        expect([verdict], "valid")


def test_an_installation_of_the_same_sizes_is_used_again(house: House, folder: Path) -> None:
    steps: list[str] = []
    again = prepare(folder, OPTIONS, steps.append)

    assert steps == []
    assert documents_of(again, 1) == documents_of(house, 1)
    assert again.issuer(ISSUER).id == ISSUER
