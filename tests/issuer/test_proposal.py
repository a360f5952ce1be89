"""Changes that wait for a second person: bound to what was seen, made once, finished after a kill."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from credential.model import Ban, State, StatusValue
from issuer.batch import SamePerson
from issuer.change import AlreadyRevoked, BadDecision, ChangeNotAllowed, EffectiveInFuture, NoteNeeded
from issuer.proposal import (
    AlreadyProposed,
    NotYours,
    ProposalDecided,
    StateMoved,
    Wanted,
    approve,
    details_of,
    propose,
    propose_withdrawal,
    refuse,
    withdraw_proposal,
)
from registry.agreement import check_states
from registry.batches import UnknownBatch
from registry.issuers import Person, UnknownPerson, add_person
from registry.proposals import Proposal, UnknownProposal, list_proposals
from registry.service_tables import ProposalOutcome
from tests.fakes_issuer import CHECKER, ISSUER, MAKER, House
from tests.faults.faults import issued_house
from tests.issuer.successors import DECISION, TODAY, change, correct, slot, versions

THIRD = "zhao"
REVOKE = Wanted(
    State.REVOKED, "fraud", DECISION, TODAY, Ban(TODAY, date(2029, 12, 31), "高一级", "次年起3年"), "有人举报"
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = issued_house(tmp_path)
    with house.database.transaction() as session:
        add_person(session, Person(THIRD, ISSUER.id, THIRD), now=house.clock.now())
    return house


@pytest.fixture
def serial(house: House) -> str:
    return house.press.printed[0]


def wanted(to: State = State.SUSPENDED, note: str = "") -> Wanted:
    return Wanted(to, "reported", DECISION, TODAY, None, note)


def ask(house: House, serial: str, what: Wanted = REVOKE, maker: str = MAKER) -> Proposal:
    return propose(house.desk, serial, what, maker=maker, now=house.clock.now())


def say_yes(house: House, proposal: Proposal, checker: str = CHECKER) -> Proposal:
    return approve(house.desk, proposal.id, checker=checker, now=house.clock.now)[0]


def test_nothing_changes_before_the_second_person(house: House, serial: str) -> None:
    proposal = ask(house, serial)
    (before,) = versions(house, serial)
    assert (before.state, before.changes, slot(house, before)) == (State.VALID, (), StatusValue.VALID)
    done = say_yes(house, proposal)
    assert (done.outcome, done.checker, done.maker) == (ProposalOutcome.APPROVED, CHECKER, MAKER)
    (after,) = versions(house, serial)
    assert (after.state, slot(house, after)) == (State.REVOKED, StatusValue.INVALID)
    assert (after.changes[0].reason, after.changes[0].decision) == ("fraud", DECISION)
    with house.database.reading() as session:
        check_states(session)


def test_decision_note_and_ban_are_sealed(house: House, serial: str) -> None:
    proposal = ask(house, serial)
    with house.database.reading() as session:
        row = session.execute(text("SELECT * FROM proposed_change")).one()
        assert not any(DECISION in str(one) or "举报" in str(one) for one in row if not isinstance(one, bytes))
        assert not any(DECISION.encode() in one for one in row if isinstance(one, bytes))
        details = details_of(session, house.desk, proposal)
    assert (details["decision"], details["note"], details["ban"]["until"]) == (DECISION, "有人举报", "2029-12-31")


def test_nobody_approves_or_refuses_what_they_proposed(house: House, serial: str) -> None:
    proposal = ask(house, serial)
    for deny in (say_yes, lambda house, one, who: refuse(house.desk, one.id, checker=who, now=house.clock.now())):
        with pytest.raises(SamePerson):
            deny(house, proposal, MAKER)
        with pytest.raises(UnknownPerson):
            deny(house, proposal, "nobody")
    with pytest.raises(NotYours):
        withdraw_proposal(house.desk, proposal.id, maker=CHECKER, now=house.clock.now())
    assert versions(house, serial)[0].state is State.VALID


def test_one_proposal_at_a_time_and_each_is_decided_once(house: House, serial: str) -> None:
    first = ask(house, serial, wanted())
    with pytest.raises(AlreadyProposed, match=str(first.id)):
        ask(house, serial, maker=CHECKER)
    withdraw_proposal(house.desk, first.id, maker=MAKER, now=house.clock.now())
    second = ask(house, serial, wanted())
    refuse(house.desk, second.id, checker=CHECKER, now=house.clock.now())
    for one in (first, second):
        with pytest.raises(ProposalDecided):
            say_yes(house, one)
        with pytest.raises(ProposalDecided):
            refuse(house.desk, one.id, checker=CHECKER, now=house.clock.now())
        with pytest.raises(ProposalDecided):
            withdraw_proposal(house.desk, one.id, maker=MAKER, now=house.clock.now())
    third = say_yes(house, ask(house, serial, wanted()))
    with house.database.reading() as session:
        outcomes = [one.outcome for one in list_proposals(session, ISSUER.id, waiting_only=False)]
        assert list_proposals(session, ISSUER.id, waiting_only=True) == []
    assert outcomes == [ProposalOutcome.APPROVED, ProposalOutcome.REFUSED, ProposalOutcome.WITHDRAWN]
    assert third.checker == CHECKER


def test_approving_again_changes_nothing_and_another_cannot(house: House, serial: str) -> None:
    proposal = ask(house, serial, wanted())
    assert say_yes(house, proposal) == say_yes(house, proposal)
    with pytest.raises(ProposalDecided):
        say_yes(house, proposal, THIRD)
    assert len(versions(house, serial)[0].changes) == 1


@pytest.mark.parametrize("way", ["changed", "changed and back", "corrected"])
def test_what_moved_since_is_refused_and_said(house: House, serial: str, way: str) -> None:
    proposal = ask(house, serial)
    if way == "corrected":
        correct(house, serial, name="张珊")
    else:
        change(house, serial, State.SUSPENDED)
        if way == "changed and back":
            change(house, serial, State.VALID)
    with pytest.raises(StateMoved, match=serial):
        say_yes(house, proposal)
    assert State.REVOKED not in {one.state for one in versions(house, serial)}


def test_what_could_not_be_done_cannot_be_proposed(house: House, serial: str) -> None:
    for what, error in (
        (Wanted(State.REVOKED, "fraud", " ", TODAY), BadDecision),
        (Wanted(State.REVOKED, "fraud", DECISION, TODAY + timedelta(days=2)), EffectiveInFuture),
        (wanted(State.VALID), ChangeNotAllowed),
        (wanted(State.OTHER), NoteNeeded),
    ):
        with pytest.raises(error):
            ask(house, serial, what)
    change(house, serial, State.REVOKED)
    with pytest.raises(AlreadyRevoked):
        ask(house, serial)
    with pytest.raises(UnknownProposal):
        approve(house.desk, 99, checker=CHECKER, now=house.clock.now)
    with pytest.raises(UnknownBatch):
        propose_withdrawal(house.desk, 99, REVOKE, maker=MAKER, now=house.clock.now())


def die(_now: object) -> None:
    raise ZeroDivisionError


def test_killed_before_publishing_approving_again_publishes(
    house: House, serial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = ask(house, serial)
    with monkeypatch.context() as patch:
        patch.setattr(house.lists, "publish", die)
        with pytest.raises(ZeroDivisionError):
            say_yes(house, proposal)
    assert slot(house, versions(house, serial)[0]) is StatusValue.VALID
    say_yes(house, proposal)
    (one,) = versions(house, serial)
    assert (slot(house, one), len(one.changes)) == (StatusValue.INVALID, 1)


def test_a_batch_is_withdrawn_after_the_second_word_and_finished_after_a_kill(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = Wanted(State.REVOKED, "decision-annulled", DECISION, TODAY)
    proposal = propose_withdrawal(house.desk, 1, what, maker=MAKER, now=house.clock.now())
    with pytest.raises(AlreadyProposed):
        propose_withdrawal(house.desk, 1, what, maker=CHECKER, now=house.clock.now())
    assert {versions(house, one)[0].state for one in house.press.printed} == {State.VALID}
    monkeypatch.setattr("issuer.withdrawal.STEP", 1)
    with monkeypatch.context() as patch:
        patch.setattr(house.lists, "publish", die)
        with pytest.raises(ZeroDivisionError):
            say_yes(house, proposal)
    done, withdrawal = approve(house.desk, proposal.id, checker=CHECKER, now=house.clock.now)
    assert done.outcome is ProposalOutcome.APPROVED
    assert withdrawal is not None
    assert (withdrawal.revoked, withdrawal.before) == (2, ())
    for serial in house.press.printed:
        (one,) = versions(house, serial)
        assert (one.state, slot(house, one), len(one.changes)) == (State.REVOKED, StatusValue.INVALID, 1)
