"""Somebody who can write the database, and has none of the keys, tries to undo a revocation."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from credential.errors import Error
from credential.model import RevocationReason, State, StatusValue
from issuer.change import Decided, change_state, revoke
from registry.agreement import StatusTampered, check_list, check_states
from registry.database import Session, open_database
from registry.history import (
    GENESIS,
    HistoryBroken,
    HistoryTampered,
    entry_digest,
    verify_history,
    verify_logged_history,
)
from registry.rules import ALL_RULES
from registry.status.token_list import TTL, open_past_token, sign_cwt
from registry.tables import HistoryRow
from registry.triggers import create_triggers, drop_triggers
from service.doctor import examine_house
from service.folder import DataFolder
from service.house import House as WholeHouse
from service.keeping import verify_whole_log
from service.settings import Settings
from tests.fakes_issuer import CHECKER, MAKER, START, House, MemorySigner, build_house
from tests.faults.faults import run_all
from tests.service.at_hand import PASSPHRASE, StoppedClock, run
from tests.service.conftest import cache, issued, issued_data, made

__all__ = ["cache", "issued", "issued_data", "made"]

STATE = "UPDATE credential SET state = '01' WHERE state = '03'"
SLOT = "UPDATE status_entry SET value = 0"
DUE = "UPDATE status_publication SET change_number = change_number + 1"
CUT = "DELETE FROM history WHERE kind = 'state-changed'"
REWORDED = "UPDATE history SET state = '01' WHERE kind = 'state-changed'"
LEAVES = "DELETE FROM log_leaf WHERE id IN (SELECT id FROM log_leaf ORDER BY id DESC LIMIT 3)"


def attack(session: Session, *statements: str) -> None:
    """Write what one likes, and leave the triggers as they were."""
    drop_triggers(session.connection())
    for statement in statements:
        session.execute(text(statement))
    create_triggers(session.connection(), ALL_RULES)


def chain_anew(session: Session) -> None:
    """Give every entry the digest it would have: it needs no key."""
    drop_triggers(session.connection())
    previous = GENESIS
    for number in range(1, session.execute(text("SELECT COUNT(*) FROM history")).scalar_one() + 1):
        row = session.get_one(HistoryRow, number, populate_existing=True)
        row.previous = previous
        row.digest = previous = entry_digest(row)
        session.flush()
    create_triggers(session.connection(), ALL_RULES)


# ---- the publisher, the history, the states: every part by itself ---------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = build_house(tmp_path)
    run_all(house)
    revoke(
        house.desk,
        house.press.printed[0],
        reason=RevocationReason.FRAUD,
        decision="甬人社发〔2026〕3号",
        effective_on=START.date(),
        maker=MAKER,
        checker=CHECKER,
        now=house.clock.now(),
    )
    return house


def values(house: House) -> list[int]:
    """What the published list says of every credential."""
    token = open_past_token(house.lists.token(1), MemorySigner("status").public_key)
    with house.database.reading() as session:
        slots = session.execute(text("SELECT status_index FROM credential ORDER BY id")).scalars().all()
    return [token.value(slot) for slot in slots]


def refuses_to_sign(house: House) -> Error:
    """Try every way to have lists signed; none may give a token of what was forged."""
    before = house.lists.token(1)
    leaves = _count_leaves(house)
    with pytest.raises((StatusTampered, HistoryTampered)):
        house.lists.refresh(house.clock.now() + 2 * TTL)
    with pytest.raises((StatusTampered, HistoryTampered)) as refused:
        house.lists.publish(house.clock.now())
    assert house.lists.token(1) == before
    assert values(house)[0] == StatusValue.INVALID
    assert _count_leaves(house) == leaves, "no leaf speaks of a list that was not signed"
    return refused.value


def _count_leaves(house: House) -> int:
    with house.database.reading() as session:
        return int(session.execute(text("SELECT COUNT(*) FROM log_leaf")).scalar_one())


@pytest.mark.parametrize(
    "statements",
    [
        (STATE, DUE),
        (SLOT, DUE),
        (STATE, SLOT, DUE),
        (STATE, SLOT, CUT, DUE),
        (STATE, SLOT, REWORDED, DUE),
        (STATE, "DELETE FROM status_entry", CUT, DUE),
        (STATE, "UPDATE status_entry SET value = 2", DUE),
        (STATE, "UPDATE status_entry SET value = 3", CUT, DUE),
        ("UPDATE status_entry SET slot = (slot + 1) % 1048576", DUE),
    ],
)
def test_a_revocation_undone_in_the_database_is_never_signed(house: House, statements: tuple[str, ...]) -> None:
    assert values(house) == [StatusValue.INVALID, StatusValue.VALID]
    with house.database.transaction() as session:
        attack(session, *statements)
    refused = refuses_to_sign(house)
    assert house.press.printed[0] in str(refused)
    assert house.press.printed[0] in refused.zh
    assert house.press.printed[1] not in str(refused)


def test_credentials_that_swap_slots_are_found(house: House) -> None:
    swap = "UPDATE credential SET status_index = CASE id WHEN 1 THEN {} ELSE {} END"
    with house.database.transaction() as session:
        first, second = session.execute(text("SELECT status_index FROM credential ORDER BY id")).scalars().all()
        free = "UPDATE credential SET status_index = -id"  # the pair is unique at every moment
        attack(session, free, swap.format(second, first), DUE)
    with pytest.raises(StatusTampered, match=house.press.printed[0]), house.database.reading() as session:
        check_list(session, 1)


@pytest.mark.parametrize("statements", [(STATE, SLOT, DUE), (STATE, SLOT, CUT, DUE)])
@pytest.mark.parametrize("content", [None, b"", b"\xd2\x84\x00"])
def test_without_the_last_token_the_history_still_holds(
    house: House, tmp_path: Path, statements: tuple[str, ...], content: bytes | None
) -> None:
    for form in ("cwt", "jwt"):
        file = tmp_path / "status" / f"1.{form}"
        file.unlink()
        if content is not None:
            file.write_bytes(content)
    with house.database.transaction() as session:
        attack(session, *statements)
    with pytest.raises((StatusTampered, HistoryTampered)):
        house.lists.refresh(house.clock.now())
    assert not list((tmp_path / "status").glob("1.jwt")) or (tmp_path / "status/1.jwt").read_bytes() == content


def test_a_token_of_another_key_is_not_taken_for_the_last_one(house: House, tmp_path: Path) -> None:
    genuine = open_past_token(house.lists.token(1), MemorySigner("status").public_key)
    forged = sign_cwt(replace(genuine, data=bytes(len(genuine.data))), MemorySigner("stranger"))
    for form in ("cwt", "jwt"):
        (tmp_path / f"status/1.{form}").write_bytes(forged)
    with house.database.transaction() as session:
        attack(session, STATE, SLOT, CUT, DUE)
    with pytest.raises(HistoryTampered):
        house.lists.publish(house.clock.now())


def test_only_the_state_is_forged_and_every_online_path_would_say_valid(house: House) -> None:
    with house.database.transaction() as session:
        attack(session, STATE)
    with pytest.raises(StatusTampered, match=house.press.printed[0]), house.database.reading() as session:
        check_states(session)


def test_a_state_nobody_decided_is_found(house: House) -> None:
    with house.database.transaction() as session:
        attack(session, "UPDATE credential SET state = '03' WHERE id = 2")
    with pytest.raises(StatusTampered, match=house.press.printed[1]), house.database.reading() as session:
        check_states(session)


def test_at_most_five_serials_are_named() -> None:
    refused = StatusTampered([f"serial-{number}" for number in range(9)])
    assert "serial-4 (+4)" in str(refused)
    assert "serial-5" not in str(refused) + refused.zh


def test_one_bad_list_keeps_no_other_from_being_published(house: House) -> None:
    with house.database.transaction() as session:
        attack(
            session,
            STATE,
            SLOT,
            DUE,
            "INSERT INTO status_list SELECT 2, is_open, 0, zeroblob(131072) FROM status_list",
            "INSERT INTO status_publication (list_number, change_number, published_change) VALUES (2, 0, -1)",
        )
    with pytest.raises(StatusTampered):
        house.lists.publish(house.clock.now())
    assert house.lists.token(2)
    assert house.lists.pending() == [1]


def test_honest_changes_are_no_attack(house: House) -> None:
    second = house.press.printed[1]
    for state in (State.SUSPENDED, State.VALID, State.SUSPENDED, State.ENDED):
        decided = Decided(state, "decided", "甬人社发〔2026〕9号", START.date(), MAKER, CHECKER)
        change_state(house.desk, second, decided, house.clock.now())
        with house.database.reading() as session:
            assert check_states(session) == 2
            assert verify_logged_history(session, house.vault) == verify_history(session)


@pytest.mark.parametrize(
    ("statements", "error"),
    [
        ((CUT,), HistoryTampered),
        ((REWORDED,), HistoryBroken),
        (("DELETE FROM history WHERE sequence = 2",), HistoryBroken),
        (("DELETE FROM history",), HistoryTampered),
    ],
)
def test_a_changed_history_is_found(house: House, statements: tuple[str, ...], error: type[Error]) -> None:
    with house.database.transaction() as session:
        attack(session, *statements)
    with pytest.raises(error), house.database.reading() as session:
        verify_logged_history(session, house.vault)


@pytest.mark.parametrize("statements", [(REWORDED,), (CUT,), ("UPDATE history SET maker = 'li', checker = 'wang'",)])
def test_a_history_chained_anew_is_not_the_one_in_the_log(house: House, statements: tuple[str, ...]) -> None:
    with house.database.transaction() as session:
        attack(session, *statements)
        chain_anew(session)
    with house.database.reading() as session:
        verify_history(session)  # the chain alone cannot tell
    with pytest.raises(HistoryTampered), house.database.reading() as session:
        verify_logged_history(session, house.vault)


# ---- the whole installation: log verify, doctor, the publisher ------------------------------------------------


@pytest.fixture
def revoked(issued_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WholeHouse]:
    """An installation with one revoked certificate."""
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    house = WholeHouse(Settings(data=issued_data), PASSPHRASE.encode(), StoppedClock(timedelta(0)))
    with house.database.reading() as session:
        serial = session.execute(text("SELECT serial FROM credential ORDER BY id")).scalars().first()
    who = ("--reason", "fraud", "--decision", "示市人社发〔2026〕20号", "--as", "wang", "--approve-as", "li")
    ran = run("--data", issued_data, "revoke", str(serial), *who)
    assert ran.code == 0, ran.err
    assert verify_whole_log(house).size
    assert bad_names(house) == set()
    yield house
    house.database.close()


def bad_names(house: WholeHouse) -> set[str]:
    findings = [one for one in examine_house(house.settings) if one.level == "bad"]
    assert all(one.cure is not None and all(one.cure) for one in findings)
    return {one.name[1] for one in findings}


@pytest.mark.parametrize(
    ("statements", "found", "error"),
    [
        ((STATE,), {"states"}, "status-tampered"),
        ((STATE, SLOT), {"states"}, "status-tampered"),
        ((STATE, SLOT, CUT), {"history"}, "history-tampered"),
        ((STATE, SLOT, REWORDED), {"history"}, "history-broken"),
        ((STATE, SLOT, CUT, LEAVES), {"log"}, "log-damaged"),
    ],
)
def test_log_verify_and_doctor_find_what_the_publisher_refuses(
    revoked: WholeHouse, statements: tuple[str, ...], found: set[str], error: str
) -> None:
    with revoked.database.transaction() as session:
        attack(session, *statements, DUE)
    data = revoked.settings.data
    before = hashlib.sha256((DataFolder(data).status / "1.cwt").read_bytes()).digest()

    assert run("--data", data, "log", "verify").error == error
    assert run("--data", data, "status", "refresh").error == "status-tampered"
    assert bad_names(revoked) >= found
    assert hashlib.sha256((DataFolder(data).status / "1.cwt").read_bytes()).digest() == before


def test_a_trigger_that_does_nothing_is_found(revoked: WholeHouse) -> None:
    name = "yz_status_entry_invalid_for_good"
    with revoked.database.transaction() as session:
        session.execute(text(f"DROP TRIGGER {name}"))
        session.execute(text(f"CREATE TRIGGER {name} BEFORE UPDATE ON status_entry WHEN 0 BEGIN SELECT 1; END"))
    with pytest.raises(Error, match=name):
        open_database(DataFolder(revoked.settings.data).database_url)
    assert "data folder and passphrase" in bad_names(revoked) or "registry" in bad_names(revoked)
