"""Corrections and replacements: one takes the place of the other, and never do both or neither count."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from credential.claims import decode_claims
from credential.cose import open_message
from credential.leaves import LeafKind, reissue_leaf
from credential.model import Record, State, StatusValue
from credential.ports import Link
from issuer.batch import SamePerson, approve, cancel, submit
from issuer.change import AlreadyRevoked, ChangeNotAllowed
from issuer.issue import finish_chunk, reserve_chunk
from issuer.predecessor import (
    AlreadySuperseded,
    AnotherPerson,
    NotCorrectable,
    NothingChanged,
    PredecessorChanged,
    SuccessionUnderWay,
    TitleTaken,
    WrongKind,
    succeed,
)
from registry.agreement import StatusTampered, check_states
from registry.batches import fates
from registry.credentials import UnknownSerial, get_credential
from registry.history import details_place, verify_logged_history
from registry.numbers import account_numbers
from registry.service_tables import SuccessionKind
from registry.tables import HistoryRow
from tests.fakes_issuer import CHECKER, MAKER, House
from tests.faults.faults import issued_house, leaf_kinds
from tests.issuer.successors import (
    DECISION,
    approve_it,
    change,
    changed,
    correct,
    issue_it,
    record_of,
    slot,
    submit_successor,
    versions,
)

PHOTO = b"\xff\xd8 another photo" + bytes(100)
REPLACEMENT = SuccessionKind.REPLACEMENT
HIGHER = {"title": "正高级工程师", "level": "正高级"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Two certificates are issued."""
    return issued_house(tmp_path)


@pytest.fixture
def serial(house: House) -> str:
    return serials(house)[0]


def serials(house: House) -> list[str]:
    with house.database.reading() as session:
        return list(session.execute(text("SELECT serial FROM credential ORDER BY id")).scalars())


def in_order(house: House) -> None:
    """What must hold after everything: chain, numbers, states, history."""
    with house.database.reading() as session:
        check_states(session)
        verify_logged_history(session, house.vault)
        assert account_numbers(session, "ningbo", 2026).missing == ()


# ---- what comes of it -------------------------------------------------------------------------------------------


def test_a_correction_keeps_the_serial_and_takes_the_old_ones_place(house: House, serial: str) -> None:
    old = versions(house, serial)[0]
    correct(house, serial, name="张珊")
    new, before = versions(house, serial)
    assert (new.supersedes, new.superseded_by) == (Link(serial, 1), None)
    assert (before.supersedes, before.superseded_by) == (None, Link(serial, 2))
    assert before.claims == old.claims
    assert (new.state, slot(house, new)) == (State.VALID, StatusValue.VALID)
    assert (before.state, slot(house, before)) == (State.ENDED, StatusValue.SUPERSEDED)
    claims = decode_claims(open_message(new.claims).payload)
    assert (claims.serial, claims.version, claims.holder.name) == (serial, 2, "张珊")
    assert f".{serial}.002." in claims.identifier
    assert claims.fields == decode_claims(open_message(old.claims).payload).fields
    (one,) = before.changes
    assert (one.state, one.reason, one.decision) == (State.ENDED, "clerical-error", DECISION)
    with house.database.reading() as session:
        assert account_numbers(session, "ningbo", 2026).taken == 2, "a correction takes no number"
    in_order(house)


def test_a_replacement_gets_a_number_of_its_own(house: House, serial: str) -> None:
    issue_it(house, submit_successor(house, serial, changed(record_of(house, serial), **HIGHER), kind=REPLACEMENT))
    (old,) = versions(house, serial)
    assert old.superseded_by is not None
    (new,) = versions(house, old.superseded_by.serial)
    assert new.supersedes == Link(serial, 1)
    assert old.superseded_by != Link(serial, 1)
    assert decode_claims(open_message(new.claims).payload).version == 1
    assert (slot(house, old), slot(house, new)) == (StatusValue.SUPERSEDED, StatusValue.VALID)
    in_order(house)


def test_what_was_corrected_is_sealed_in_the_history_of_both_with_both_persons(house: House, serial: str) -> None:
    correct(house, serial, name="张珊", specialty="电气")
    with house.database.reading() as session:
        query = select(HistoryRow).where(col(HistoryRow.credential_id).is_not(None)).order_by(col(HistoryRow.sequence))
        entries = session.exec(query).all()
        assert [(one.kind, one.maker, one.checker) for one in entries] == [
            ("state-changed", MAKER, CHECKER),
            ("succeeded", MAKER, CHECKER),
        ]
        for one in entries:
            row = session.execute(
                text(
                    "SELECT c.batch_id, c.row_number, k.wrapped FROM credential c JOIN record_key k ON "
                    "k.batch_id = c.batch_id AND k.row_number = c.row_number WHERE c.id = :id"
                ),
                {"id": one.credential_id},
            ).one()
            assert one.details is not None
            assert "电气".encode() not in one.details
            key = house.vault.open_key(f"{row.batch_id}/{row.row_number}", row.wrapped)
            details = key.open(one.details, details_place(one.sequence))
            assert details["decision"] == DECISION
            assert details["changed"]["specialty"] == ["机械", "电气"]
            assert details["changed"]["name"][1] == "张珊"


def test_the_log_commits_to_what_took_whose_place(house: House, serial: str) -> None:
    correct(house, serial, name="张珊")
    new, old = versions(house, serial)
    after, before = (hashlib.sha256(open_message(one.claims).payload).digest() for one in (new, old))
    salt = decode_claims(open_message(new.claims).payload).salt
    with house.database.reading() as session:
        leaves = session.execute(text("SELECT leaf FROM log_leaf WHERE position IS NOT NULL")).scalars().all()
    assert reissue_leaf(after, before, salt) in leaves
    assert leaf_kinds(house)[LeafKind.REISSUE] == 1


def test_the_claim_on_the_title_passes_on(house: House, serial: str) -> None:
    before = record_of(house, serial)
    correct(house, serial, **HIGHER)
    first = run_again(house, before)
    assert first == [], "the old title is free"
    assert run_again(house, changed(before, **HIGHER)) == ["already-issued"], "the new one is not"


def run_again(house: House, record: Record) -> list[str]:
    """Submit a row as an ordinary batch, and tell why it is refused."""
    batch = submit(house.office, [record], [], maker=MAKER, now=house.clock.now()).batch
    issue_it(house, batch)
    with house.database.reading() as session:
        return [one.reason for one in fates(session, batch.id)]


def test_a_chain_may_be_long_and_is_a_line(house: House, serial: str) -> None:
    for specialty in ("电气", "化工", "土木"):
        correct(house, serial, specialty=specialty)
    chain = versions(house, serial)
    assert [one.superseded_by for one in chain] == [None, Link(serial, 4), Link(serial, 3), Link(serial, 2)]
    assert [slot(house, one) for one in chain] == [StatusValue.VALID] + [StatusValue.SUPERSEDED] * 3
    assert house.documents.fetch_pdf(serial) != house.documents.fetch_pdf(serial, version=1)
    in_order(house)


# ---- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SUSPENDED, State.REVOKED, State.ENDED, State.LAPSED])
def test_only_a_valid_certificate_is_corrected(house: House, serial: str, state: State) -> None:
    record = changed(record_of(house, serial), name="张珊")
    change(house, serial, state)
    with pytest.raises(NotCorrectable, match=serial):
        submit_successor(house, serial, record)


def test_what_was_replaced_is_corrected_no_more(house: House, serial: str) -> None:
    record = record_of(house, serial)
    issue_it(house, submit_successor(house, serial, changed(record, **HIGHER), kind=REPLACEMENT))
    (old,) = versions(house, serial)
    assert old.superseded_by is not None
    with pytest.raises(AlreadySuperseded, match=old.superseded_by.serial):
        submit_successor(house, serial, changed(record, name="张珊"))


def test_one_correction_at_a_time(house: House, serial: str) -> None:
    record = record_of(house, serial)
    batch = submit_successor(house, serial, changed(record, name="张珊"))
    assert submit_successor(house, serial, changed(record, name="张珊")) == batch, "the same again is the same"
    with pytest.raises(SuccessionUnderWay, match=str(batch.id)):
        submit_successor(house, serial, changed(record, name="张杉"))
    cancel(house.office, batch.id, person=MAKER, reason="看错了", now=house.clock.now())
    issue_it(house, submit_successor(house, serial, changed(record, name="张杉")))
    in_order(house)


def test_a_certificate_never_becomes_somebody_elses(house: House, serial: str) -> None:
    record = record_of(house, serial)
    with pytest.raises(AnotherPerson):
        submit_successor(house, serial, changed(record, name="李四", id_number="330200199001010099"))
    with pytest.raises(AnotherPerson):
        submit_successor(house, serial, changed(record, id_number="330200199001010099"), kind=REPLACEMENT)
    correct(house, serial, name="李四")
    with pytest.raises(AnotherPerson):
        submit_successor(house, serial, changed(record_of(house, serial), id_number="330200199001010099"))
    issue_it(house, submit_successor(house, serial, changed(record_of(house, serial), **HIGHER), kind=REPLACEMENT))
    newest = versions(house, serial)[0].superseded_by
    assert newest is not None
    with pytest.raises(AnotherPerson):
        submit_successor(house, newest.serial, changed(record_of(house, newest.serial), id_number="330200199001010099"))


def test_a_correction_must_change_something(house: House, serial: str) -> None:
    with house.database.reading() as session:
        photo = session.execute(text("SELECT photo_length FROM batch_row LIMIT 1")).scalar_one()
    assert photo
    record = record_of(house, serial)
    issue_it(house, submit_successor(house, serial, changed(record), photo=PHOTO))
    with pytest.raises(NothingChanged):
        submit_successor(house, serial, changed(record), photo=PHOTO)


def test_other_issuers_and_kinds_are_refused(house: House, serial: str) -> None:
    with pytest.raises(UnknownSerial):
        submit_successor(house, "33020020260520000099", changed(record_of(house, serial)))
    other = replace(house.office, schema=replace(house.office.schema, kind="training"))
    with house.database.reading() as session:
        found = get_credential(session, serial)
    with pytest.raises(WrongKind):
        succeed(
            other,
            found,
            record_of(house, serial),
            kind=SuccessionKind.CORRECTION,
            reason="clerical-error",
            decision=DECISION,
            photo_digest=None,
        )


def test_the_maker_cannot_approve_a_correction(house: House, serial: str) -> None:
    batch = submit_successor(house, serial, changed(record_of(house, serial), name="张珊"))
    with pytest.raises(SamePerson):
        approve(house.office, batch.id, checker=MAKER, expected_digest=batch.digest, now=house.clock.now())


def test_a_title_of_another_live_certificate_is_not_made_twice(house: House, serial: str) -> None:
    record = changed(record_of(house, serial), **HIGHER)
    assert run_again(house, replace(record, row=7)) == []
    batch = submit_successor(house, serial, record)
    with pytest.raises(TitleTaken):
        approve_it(house, batch)
    in_order(house)


# ---- what happens meanwhile -------------------------------------------------------------------------------------


@pytest.mark.parametrize("states", [[State.REVOKED], [State.SUSPENDED], [State.SUSPENDED, State.VALID], [State.ENDED]])
def test_what_has_changed_since_is_not_approved(house: House, serial: str, states: list[State]) -> None:
    batch = submit_successor(house, serial, changed(record_of(house, serial), name="张珊"))
    for state in states:
        change(house, serial, state)
    with pytest.raises(PredecessorChanged, match=serial):
        approve_it(house, batch)
    assert len(versions(house, serial)) == 1


@pytest.mark.parametrize("kind", SuccessionKind)
def test_what_has_changed_after_the_approval_is_void(house: House, serial: str, kind: SuccessionKind) -> None:
    batch = submit_successor(house, serial, changed(record_of(house, serial), specialty="电气"), kind=kind)
    approve_it(house, batch)
    change(house, serial, State.REVOKED)
    house.engine.run(batch.id, lambda _: None)
    (old,) = versions(house, serial)
    assert (old.state, old.superseded_by) == (State.REVOKED, None)
    with house.database.reading() as session:
        assert [one.reason for one in fates(session, batch.id)] == ["predecessor-changed"]
        account = account_numbers(session, "ningbo", 2026)
        assert (account.void, account.missing) == (1 if kind is REPLACEMENT else 0, ())
    in_order(house)


@pytest.mark.parametrize("kind", SuccessionKind)
@pytest.mark.parametrize("state", [State.REVOKED, State.WITHDRAWN, State.SUSPENDED])
def test_what_happens_while_it_is_printed_happens_to_both(
    house: House, serial: str, kind: SuccessionKind, state: State
) -> None:
    batch = submit_successor(house, serial, changed(record_of(house, serial), specialty="电气"), kind=kind)
    approve_it(house, batch)
    reserve_chunk(house.line, batch.id, 1)
    house.log.sequence(house.clock.now())
    with pytest.raises(SuccessionUnderWay):
        change(house, serial, State.ENDED)
    change(house, serial, state)
    finish_chunk(house.line, batch.id, 1)
    house.engine.run(batch.id, lambda _: None)
    old = versions(house, serial)[-1]
    assert old.superseded_by is not None
    new = versions(house, old.superseded_by.serial)[0]
    assert new.state is state
    expected = StatusValue.SUSPENDED if state is State.SUSPENDED else StatusValue.INVALID
    assert slot(house, new) is expected
    assert old.state is (State.ENDED if state is State.SUSPENDED else state)
    in_order(house)
    if state is State.SUSPENDED:
        change(house, old.superseded_by.serial, State.VALID)
        assert slot(house, versions(house, old.superseded_by.serial)[0]) is StatusValue.VALID
        assert slot(house, versions(house, serial)[-1]) is StatusValue.SUPERSEDED


def test_revoking_revokes_every_version(house: House, serial: str) -> None:
    correct(house, serial, name="张珊")
    change(house, serial, State.REVOKED)
    assert [(one.state, slot(house, one)) for one in versions(house, serial)] == [
        (State.REVOKED, StatusValue.INVALID)
    ] * 2
    in_order(house)


def test_what_was_replaced_can_still_be_revoked_and_nothing_else(house: House, serial: str) -> None:
    issue_it(house, submit_successor(house, serial, changed(record_of(house, serial), **HIGHER), kind=REPLACEMENT))
    for state in (State.VALID, State.SUSPENDED, State.LAPSED):
        with pytest.raises(ChangeNotAllowed):
            change(house, serial, state)
    change(house, serial, State.REVOKED)
    (old,) = versions(house, serial)
    assert old.superseded_by is not None
    assert versions(house, old.superseded_by.serial)[0].state is State.VALID, "it rests on a decision of its own"
    with pytest.raises(AlreadyRevoked):
        change(house, serial, State.WITHDRAWN)
    in_order(house)


# ---- against whoever writes the database ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credential SET superseded_by_id = 1 WHERE id = 2",
        "UPDATE credential SET superseded_by_id = NULL WHERE id = 1 AND superseded_by_id IS NOT NULL",
        "UPDATE succession SET predecessor_id = 2",
        "DELETE FROM succession",
        "UPDATE credential SET supersedes_id = 2 WHERE id = 3",
        "UPDATE batch_row SET version = 9 WHERE serial IS NOT NULL",
    ],
)
def test_the_database_refuses_other_chains(house: House, serial: str, statement: str) -> None:
    correct(house, serial, name="张珊")
    with pytest.raises(IntegrityError), house.database.transaction() as session:
        session.execute(text(statement))


def test_a_forged_chain_is_found(house: House, serial: str) -> None:
    correct(house, serial, name="张珊")
    with house.database.transaction() as session:
        where = " ON credential" if house.database.dialect == "postgresql" else ""
        session.execute(text(f"DROP TRIGGER yz_credential_superseded_once{where}"))
        session.execute(text("UPDATE credential SET superseded_by_id = NULL WHERE id = 1"))
    with pytest.raises(StatusTampered), house.database.reading() as session:
        check_states(session)
