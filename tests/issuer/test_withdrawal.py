"""Withdrawing a whole batch: everything of it, once, with as few publications as steps."""

from pathlib import Path

import pytest
from sqlalchemy import text

from credential.model import RevocationReason, State, StatusValue
from issuer.batch import CHUNK_ROWS, SamePerson, approve, submit
from issuer.change import Decided
from issuer.issue import issue_chunk, reserve_chunk
from issuer.withdrawal import Withdrawal, withdraw_batch
from registry.agreement import check_states
from registry.batches import UnknownBatch, get_batch
from registry.history import verify_logged_history
from registry.issuers import UnknownPerson
from registry.numbers import account_numbers
from registry.service_tables import SuccessionKind
from registry.tables import BatchState
from tests.fakes_issuer import CHECKER, MAKER, House, build_house, make_records
from tests.faults.faults import run_all
from tests.issuer.successors import (
    DECISION,
    TODAY,
    change,
    changed,
    correct,
    issue_it,
    record_of,
    slot,
    submit_successor,
    versions,
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build_house(tmp_path)


def withdraw(house: House, /, batch: int = 1, **facts: str) -> Withdrawal:
    reason = facts.get("reason", "decision-annulled")
    decided = Decided(
        State.REVOKED,
        reason,
        facts.get("decision", DECISION),
        TODAY,
        facts.get("maker", MAKER),
        facts.get("checker", CHECKER),
    )
    return withdraw_batch(house.desk, batch, decided, house.clock.now)


def in_order(house: House) -> None:
    with house.database.reading() as session:
        check_states(session)
        verify_logged_history(session, house.vault)
        assert account_numbers(session, "ningbo", 2026).missing == ()


def all_invalid(house: House) -> bool:
    found = [one for serial in set(house.press.printed) for one in versions(house, serial)]
    return {(one.state, slot(house, one)) for one in found} == {(State.REVOKED, StatusValue.INVALID)}


def test_every_certificate_of_it_is_revoked_and_what_was_revoked_before_is_left(house: House) -> None:
    run_all(house)
    first, _ = house.press.printed
    change(house, first, State.WITHDRAWN, decision="别的决定")
    done = withdraw(house)
    assert (done.revoked, done.before, done.voided) == (1, (first,), 0)
    assert versions(house, first)[0].state is State.WITHDRAWN
    assert withdraw(house) == done, "asked again it is the same"
    in_order(house)


def test_what_has_no_certificate_yet_gets_none(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuer.batch.CHUNK_ROWS", 2)
    batch = submit(house.office, make_records(6), [], maker=MAKER, now=house.clock.now()).batch
    approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())
    issue_chunk(house.line, house.log, batch.id, 1)
    reserve_chunk(house.line, batch.id, 2)
    done = withdraw(house)
    assert (done.revoked, done.voided) == (4, 2)
    house.engine.run(batch.id, lambda _: None)
    with house.database.reading() as session:
        assert get_batch(session, batch.id).state is BatchState.CANCELLED
        account = account_numbers(session, "ningbo", 2026)
        assert (account.issued, account.void, account.pending, account.missing) == (4, 2, 0, ())
    assert all_invalid(house), "what was reserved is born revoked"
    in_order(house)
    assert CHUNK_ROWS == 500


def test_a_batch_that_waits_is_closed(house: House) -> None:
    batch = submit(house.office, make_records(2), [], maker=MAKER, now=house.clock.now()).batch
    assert withdraw(house) == Withdrawal(batch.id, 0, (), (), 0)
    again = submit(house.office, make_records(2), [], maker=MAKER, now=house.clock.now())
    assert again.is_new


def test_corrections_go_with_it_and_replacements_are_named(house: House) -> None:
    run_all(house)
    first, second = house.press.printed
    correct(house, first, name="张珊")
    higher = changed(record_of(house, second), title="正高级工程师", level="正高级")
    issue_it(house, submit_successor(house, second, higher, kind=SuccessionKind.REPLACEMENT))
    link = versions(house, second)[0].superseded_by
    assert link is not None
    done = withdraw(house)
    assert (done.revoked, done.replaced_by) == (2, (link.serial,))
    assert {one.state for one in versions(house, first)} == {State.REVOKED}
    assert versions(house, second)[0].state is State.REVOKED
    assert versions(house, link.serial)[0].state is State.VALID
    in_order(house)


def test_lists_are_published_once_a_step(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_all(house)
    calls: list[int] = []
    real = house.lists._publish_one

    def count(number: int, now: object) -> None:
        calls.append(number)
        real(number, now)  # type: ignore[arg-type] # passed on

    monkeypatch.setattr(house.lists, "_publish_one", count)
    withdraw(house)
    assert calls == [1]


def test_after_fraud_everybody_is_banned_by_the_usual_rule(house: House) -> None:
    run_all(house)
    withdraw(house, reason=RevocationReason.FRAUD.value)
    with house.database.reading() as session:
        entries = session.execute(text("SELECT COUNT(*) FROM history WHERE reason = 'fraud'")).scalar_one()
    assert entries == 2
    assert all_invalid(house)


def test_an_erased_certificate_is_revoked_like_any_other(house: House) -> None:
    run_all(house)
    with house.database.transaction() as session:
        session.execute(text("UPDATE record_key SET wrapped = NULL, destroyed_at = '2026-07-01' WHERE row_number = 5"))
    assert withdraw(house, reason=RevocationReason.FRAUD.value).revoked == 2
    with house.database.reading() as session:
        assert set(session.execute(text("SELECT state FROM credential")).scalars()) == {"03"}
    in_order(house)


def test_it_takes_two_persons_of_the_issuer_and_a_batch(house: House) -> None:
    run_all(house)
    for facts, error in (
        ({"checker": MAKER}, SamePerson),
        ({"checker": "nobody"}, UnknownPerson),
        ({"maker": "nobody"}, UnknownPerson),
    ):
        with pytest.raises(error):
            withdraw(house, 1, **facts)
    with pytest.raises(UnknownBatch):
        withdraw(house, 99)
    assert {versions(house, one)[0].state for one in house.press.printed} == {State.VALID}
