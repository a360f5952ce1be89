"""Corrections and withdrawals killed at any instruction: one of two is good, and nothing is done twice."""

from pathlib import Path

import pytest
from sqlalchemy import text

from credential.leaves import LeafKind
from credential.model import State, StatusValue
from issuer.change import Decided
from issuer.withdrawal import withdraw_batch
from registry.agreement import check_states
from registry.credentials import get_credential
from registry.history import verify_logged_history
from tests.fakes_issuer import CHECKER, MAKER, House, build_house
from tests.faults.faults import Countdown, Killed, copied, leaf_kinds, restore, run_all, watched
from tests.issuer.successors import (
    DECISION,
    TODAY,
    changed,
    issue_it,
    record_of,
    slot,
    submit_successor,
    versions,
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two issued certificates."""
    folder = tmp_path_factory.mktemp("template")
    house = build_house(folder)
    run_all(house)
    house.database.close()
    return folder


def serials(house: House) -> list[str]:
    with house.database.reading() as session:
        return list(session.execute(text("SELECT serial FROM credential WHERE version = 1 ORDER BY id")).scalars())


def in_order(house: House) -> None:
    with house.database.reading() as session:
        check_states(session)
        verify_logged_history(session, house.vault)


def correct_first(house: House) -> None:
    """What a person does who repeats the same commands: correct, approve, issue."""
    serial = serials(house)[0]
    record = record_of(house, serial)
    if record.holder.name == "张珊":
        with house.database.reading() as session:
            batch_id = get_credential(session, serial).batch_id
        house.engine.run(batch_id, lambda _: None)
        return
    issue_it(house, submit_successor(house, serial, changed(record, name="张珊")))


def good_versions(house: House) -> int:
    """How many versions of the first certificate the register calls good at this very moment."""
    return sum(
        one.issued and one.state is State.VALID and one.superseded_by is None
        for one in versions(house, serials(house)[0])
    )


def test_a_correction_killed_anywhere_leaves_exactly_one_good_at_once_and_in_the_end(
    template: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "house"
    first = copied(template, folder)
    count = Countdown(0)
    with watched(count):
        correct_first(first)
    assert {"commit", "fsync", "link", "replace", "sign"} <= set(count.passed)
    database = first.database
    for at in range(1, len(count.passed) + 1):
        restore(template, folder, database)
        with pytest.raises(Killed), watched(Countdown(at)):
            correct_first(build_house(folder, database=database))
        database.close()
        second = build_house(folder, database=database)
        assert good_versions(second) == 1
        correct_first(second)
        assert good_versions(second) == 1
        new, old = versions(second, serials(second)[0])
        assert (slot(second, new), slot(second, old)) == (StatusValue.VALID, StatusValue.SUPERSEDED)
        in_order(second)
        kinds = leaf_kinds(second)
        assert (kinds[LeafKind.ISSUE], kinds[LeafKind.REISSUE], kinds[LeafKind.SEAL]) == (3, 1, 3)


def withdraw_all(house: House) -> tuple[int, int]:
    decided = Decided(State.REVOKED, "decision-annulled", DECISION, TODAY, MAKER, CHECKER)
    done = withdraw_batch(house.desk, 1, decided, house.clock.now)
    return done.revoked, len(done.before)


def test_a_withdrawal_killed_anywhere_is_finished_by_asking_again(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("issuer.withdrawal.STEP", 1)
    folder = tmp_path / "house"
    first = copied(template, folder)
    count = Countdown(0)
    with watched(count):
        assert withdraw_all(first) == (2, 0)
    database = first.database
    for at in range(1, len(count.passed) + 1):
        restore(template, folder, database)
        with pytest.raises(Killed), watched(Countdown(at)):
            withdraw_all(build_house(folder, database=database))
        database.close()
        second = build_house(folder, database=database)
        assert withdraw_all(second) == (2, 0)
        for serial in serials(second):
            (one,) = versions(second, serial)
            assert (one.state, slot(second, one), len(one.changes)) == (State.REVOKED, StatusValue.INVALID, 1)
        in_order(second)
        assert leaf_kinds(second)[LeafKind.STATUS] == 2
