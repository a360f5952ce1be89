"""The chain of history: any change in it is found."""

# ruff: noqa: S608 - these tests write raw SQL on purpose

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from credential.leaves import history_leaf
from credential.model import State
from registry.database import Session
from registry.history import (
    GENESIS,
    Entry,
    HistoryBroken,
    HistoryKind,
    append,
    details_place,
    entry_digest,
    head,
    head_salt,
    verify_history,
)
from registry.tables import HistoryRow
from registry.triggers import drop_triggers
from tests.fakes_issuer import CHECKER, MAKER, START, House, build_house
from tests.faults.faults import run_all


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build_house(tmp_path)


def entry(subject: str) -> Entry:
    return Entry(HistoryKind.BATCH_SUBMITTED, "ningbo", subject, START, MAKER)


def fill(house: House, count: int) -> None:
    with house.database.transaction() as session:
        for number in range(count):
            append(session, entry(f"batch {number}"))


def tamper(house: House, *statements: str) -> None:
    with house.database.transaction() as session:
        drop_triggers(session.connection())
        for statement in statements:
            session.execute(text(statement))


def check(house: House) -> int:
    with house.database.reading() as session:
        return verify_history(session)


def test_the_chain_starts_at_genesis_and_its_head_is_the_newest_entry(house: House) -> None:
    with house.database.reading() as session:
        assert head(session) == (0, GENESIS)
    fill(house, 3)
    assert check(house) == 3
    with house.database.reading() as session:
        rows = [session.get_one(HistoryRow, number) for number in (1, 2, 3)]
        assert [row.previous for row in rows] == [GENESIS, rows[0].digest, rows[1].digest]
        assert head(session) == (3, rows[2].digest)


@pytest.mark.parametrize(
    "change",
    [
        "kind = 'batch-approved'",
        "subject = 'batch 9'",
        "maker = 'li'",
        "checker = 'li'",
        "reason = 'fraud'",
        "state = '03'",
        "effective_on = '2026-01-01'",
        "recorded_at = '2026-01-01 00:00:00.000000'",
        "details = X'00'",
        "previous = X'00'",
        "digest = X'00'",
        "sequence = 17",
    ],
)
def test_any_changed_column_of_an_entry_is_found(house: House, change: str) -> None:
    fill(house, 4)
    tamper(house, f"UPDATE history SET {change} WHERE sequence = 2")
    with pytest.raises(HistoryBroken):
        check(house)


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_a_removed_entry_is_found_unless_it_was_the_last(house: House, sequence: int) -> None:
    fill(house, 4)
    tamper(house, f"DELETE FROM history WHERE sequence = {sequence}")
    with pytest.raises(HistoryBroken) as caught:
        check(house)
    assert caught.value.sequence == sequence


def test_a_removed_end_changes_the_head(house: House) -> None:
    fill(house, 4)
    with house.database.reading() as session:
        before = head(session)
    tamper(house, "DELETE FROM history WHERE sequence = 4")
    assert check(house) == 3
    with house.database.reading() as session:
        assert head(session) != before


def test_details_are_sealed_and_covered_as_they_are_stored(house: House) -> None:
    key = house.vault.create_key()
    change = Entry(
        kind=HistoryKind.STATE_CHANGED,
        issuer_id="ningbo",
        subject="serial 1/1",
        recorded_at=START,
        maker=MAKER,
        checker=CHECKER,
        state=State.VALID,
        effective_on=date(2026, 6, 30),
        details={"decision": "甬人社发〔2026〕3号"},
        key=key,
    )
    row = _append_without_rules(house, change)
    assert row.details is not None
    assert "3号".encode() not in row.details
    assert key.open(row.details, details_place(1)) == {"decision": "甬人社发〔2026〕3号"}
    assert check(house) == 1  # the chain needs no key: erasing a person leaves it whole


def _append_without_rules(house: House, change: Entry) -> HistoryRow:
    with house.database.transaction() as session:
        # The entry speaks of no credential, which only a test may do.
        session.execute(text("PRAGMA ignore_check_constraints = ON"))
        row = append(session, change)
        session.execute(text("PRAGMA ignore_check_constraints = OFF"))
        return row


def test_the_digest_is_the_documented_one() -> None:
    # From docs/formats-registry.md, encoded by hand: an array of 15 items.
    row = HistoryRow(
        sequence=1,
        previous=GENESIS,
        digest=b"",
        kind="batch-submitted",
        issuer_id="a",
        subject="batch 1",
        batch_id=1,
        recorded_at=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        maker="m",
    )
    covered = (
        b"\x8f\x73yinzheng/history/v1\x01\x58\x20" + GENESIS + b"\x6fbatch-submitted\x61a\x67batch 1\x01\xf6\xf6\x60"
        b"\xf6\x1a\x00\x0f\x42\x40\x61m\xf6\xf6"
    )
    assert entry_digest(row) == hashlib.sha256(covered).digest()


def test_two_appends_in_one_transaction_are_chained(house: House) -> None:
    def both(session: Session) -> tuple[HistoryRow, HistoryRow]:
        return append(session, entry("one")), append(session, entry("two"))

    with house.database.transaction() as session:
        first, second = both(session)
    assert second.previous == first.digest


def test_the_head_is_committed_to_in_the_log_under_a_salt_of_its_own(house: House) -> None:
    run_all(house)
    with house.database.reading() as session:
        sequence, digest = head(session)
        leaves = session.execute(text("SELECT leaf FROM log_leaf WHERE position IS NOT NULL")).scalars().all()
    assert history_leaf(digest, sequence, head_salt(house.vault, sequence)) in leaves
    assert head_salt(house.vault, sequence) != head_salt(house.vault, sequence - 1)
