"""Revocation and other changes: who may, what follows, what everybody sees at once."""

import itertools
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from credential.leaves import StatusChange, status_leaf
from credential.model import REASON_STATES, Ban, RevocationReason, State, StatusValue
from credential.ports import RegisteredCredential
from issuer.ban import default_ban
from issuer.batch import SamePerson
from issuer.change import (
    AlreadyRevoked,
    BadDecision,
    ChangeDesk,
    ChangeNotAllowed,
    Decided,
    EffectiveBeforeIssue,
    EffectiveInFuture,
    _check_next,
    change_state,
    revoke,
)
from issuer.office import status_salt
from registry.credentials import FoundCredential, UnknownSerial, get_credential
from registry.history import details_place, verify_history
from registry.issuers import UnknownPerson
from registry.status.token_list import open_status_token
from registry.tables import HistoryRow
from registry.vault import RecordErased
from tests.fakes_issuer import CHECKER, ISSUER, MAKER, START, STATUS_BASE, House, MemorySigner
from tests.faults.faults import issued_house, leaf_kinds

TODAY = START.date()
DECISION = "甬人社发〔2026〕3号"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return issued_house(tmp_path)


@pytest.fixture
def serial(house: House) -> str:
    return house.press.printed[0]


def withdraw(
    house: House, serial: str, reason: RevocationReason = RevocationReason.FRAUD, **changes: object
) -> FoundCredential:
    facts: dict[str, object] = {
        "decision": DECISION,
        "effective_on": TODAY,
        "maker": MAKER,
        "checker": CHECKER,
        "now": house.clock.now(),
    }
    return revoke(house.desk, serial, reason=reason, **(facts | changes))  # type: ignore[arg-type] # facts by name


def seen(house: House, serial: str) -> RegisteredCredential:
    (registered,) = house.source.by_serial(serial)
    return registered


def bits(house: House, registered: RegisteredCredential) -> StatusValue:
    token = house.source.status_token(registered.status_list)
    status_list = open_status_token(token, MemorySigner("status").public_key, house.clock.now())
    return StatusValue(status_list.value(registered.status_index))


@pytest.mark.parametrize("reason", RevocationReason)
def test_every_reason_leads_to_its_state_and_shows_at_once(house: House, serial: str, reason: RevocationReason) -> None:
    assert bits(house, seen(house, serial)) is StatusValue.VALID
    changed = withdraw(house, serial, reason, effective_on=TODAY)
    assert changed.state is REASON_STATES[reason]
    registered = seen(house, serial)
    assert registered.state is REASON_STATES[reason]
    assert bits(house, registered) is StatusValue.INVALID
    (change,) = registered.changes
    assert (change.state, change.reason, change.decision) == (REASON_STATES[reason], reason.value, DECISION)
    assert change.effective_on == TODAY
    assert change.recorded_at >= START
    other = seen(house, house.press.printed[1])
    assert (other.state, other.changes, bits(house, other)) == (State.VALID, (), StatusValue.VALID)


def test_the_status_leaf_can_be_opened_with_the_entrys_salt(house: House, serial: str) -> None:
    now = house.clock.now()
    withdraw(house, serial, now=now)
    with house.database.reading() as session:
        sequence = session.execute(text("SELECT MAX(sequence) FROM history")).scalar_one()
        leaves = session.execute(text("SELECT leaf FROM log_leaf WHERE position IS NOT NULL")).scalars().all()
        assert verify_history(session) == sequence
    registered = seen(house, serial)
    change = StatusChange(
        f"{STATUS_BASE}/{registered.status_list}",
        registered.status_index,
        State.REVOKED,
        StatusValue.INVALID,
        TODAY,
        now,
    )
    assert status_leaf(change, status_salt(house.office, sequence)) in leaves


def test_a_revocation_is_final(house: House, serial: str) -> None:
    withdraw(house, serial)
    with pytest.raises(AlreadyRevoked, match=serial):
        withdraw(house, serial, RevocationReason.PENALTY)
    with pytest.raises(AlreadyRevoked):
        change_state(house.desk, serial, _decided(State.VALID), house.clock.now())


def test_one_person_cannot_revoke(house: House, serial: str) -> None:
    with pytest.raises(SamePerson):
        withdraw(house, serial, checker=MAKER)
    with pytest.raises(UnknownPerson):
        withdraw(house, serial, maker="nobody")
    with pytest.raises(UnknownPerson):
        withdraw(house, serial, checker="nobody")
    assert seen(house, serial).state is State.VALID


@pytest.mark.parametrize("decision", ["", "   ", "x" * 101])
def test_a_revocation_names_its_decision(house: House, serial: str, decision: str) -> None:
    with pytest.raises(BadDecision):
        withdraw(house, serial, decision=decision)


def test_a_change_cannot_count_from_tomorrow_in_beijing(house: House, serial: str) -> None:
    late = START.replace(hour=15, minute=59)
    with pytest.raises(EffectiveInFuture):
        withdraw(house, serial, effective_on=TODAY + timedelta(days=1), now=late)
    withdraw(house, serial, effective_on=TODAY + timedelta(days=1), now=late + timedelta(minutes=1))


def test_what_is_void_from_the_start_may_count_from_before_its_issue(house: House, serial: str) -> None:
    long_ago = date(2025, 12, 20)
    with pytest.raises(EffectiveBeforeIssue):
        withdraw(house, serial, RevocationReason.PENALTY, effective_on=long_ago)
    withdraw(house, serial, effective_on=long_ago)
    assert seen(house, serial).changes[0].effective_on == long_ago


@pytest.mark.parametrize("serial", ["", "33020020260520000099", "' OR 1=1 --", "张三"])
def test_an_unknown_serial_is_named(house: House, serial: str) -> None:
    with pytest.raises(UnknownSerial):
        withdraw(house, serial)


def test_another_issuers_credential_cannot_be_changed(house: House, serial: str) -> None:
    other = replace(house.office, issuer=replace(ISSUER, id="taizhou"))
    with pytest.raises(UnknownPerson):
        change_state(ChangeDesk(other, house.lists, house.log), serial, _decided(State.REVOKED), house.clock.now())


def test_fraud_is_banned_for_three_years_by_default(house: House, serial: str) -> None:
    withdraw(house, serial)
    assert _ban(house) == {"scope": "高一级", "start": "2027-01-01", "until": "2029-12-31", "basis": "次年起3年"}


def test_a_ban_is_data(house: House, serial: str) -> None:
    withdraw(house, serial, ban=Ban(date(2026, 7, 1), date(2027, 6, 30), "全部", "决定书第二条"))
    assert _ban(house)["until"] == "2027-06-30"


def test_an_error_of_the_bureau_bans_nobody(house: House, serial: str) -> None:
    withdraw(house, serial, RevocationReason.ISSUED_IN_ERROR)
    assert _ban(house) == {}


def test_both_notices_wordings_of_the_ban_are_settings() -> None:
    after_review = replace(ISSUER.settings, ban_from="year-after-review")
    assert default_ban(ISSUER.settings, date(2026, 6, 30), 2024).start == date(2027, 1, 1)
    assert default_ban(after_review, date(2026, 6, 30), 2024) == Ban(
        date(2025, 1, 1), date(2027, 12, 31), "高一级", "评审次年起3年"
    )


def test_the_year_of_review_is_that_of_qualification(house: House, serial: str) -> None:
    settings = replace(ISSUER.settings, ban_from="year-after-review")
    office = replace(house.office, issuer=replace(ISSUER, settings=settings))
    desk = ChangeDesk(office, house.lists, house.log)
    revoke(
        desk,
        serial,
        reason=RevocationReason.PLAGIARISM,
        decision=DECISION,
        effective_on=TODAY,
        maker=MAKER,
        checker=CHECKER,
        now=house.clock.now(),
    )
    assert _ban(house)["start"] == "2026-01-01", "qualified in December 2025"


def _ban(house: House) -> dict[str, str]:
    with house.database.reading() as session:
        sequence = session.execute(text("SELECT MAX(sequence) FROM history")).scalar_one()
        entry = session.get_one(HistoryRow, sequence)
        assert entry.details is not None
        assert DECISION.encode() not in entry.details
        found = get_credential(session, house.press.printed[0])
        wrapped = session.execute(
            text("SELECT wrapped FROM record_key WHERE row_number = :row"), {"row": found.row_number}
        ).scalar_one()
    key = house.vault.open_key(f"{found.batch_id}/{found.row_number}", wrapped)
    ban: dict[str, str] = key.open(entry.details, details_place(sequence)).get("ban", {})
    return ban


def _decided(to: State) -> Decided:
    return Decided(to, "decided", DECISION, TODAY, MAKER, CHECKER, note="说明")


@pytest.mark.parametrize(("first", "second"), list(itertools.product(State, State)))
def test_only_sensible_changes_follow_one_another(first: State, second: State) -> None:
    found = FoundCredential(1, "ningbo", 1, 5, "title", "1", 1, first, 1, 7, START, None, is_superseded=False)
    final = {State.REVOKED, State.WITHDRAWN}
    is_allowed = first not in final and first is not second
    if first not in {State.VALID, State.SUSPENDED}:
        is_allowed = is_allowed and second in final
    if is_allowed:
        _check_next(found, _decided(second), START.date())
    else:
        with pytest.raises((AlreadyRevoked, ChangeNotAllowed)):
            _check_next(found, _decided(second), START.date())


def test_a_suspended_title_is_not_free_and_an_ended_one_is(house: House, serial: str) -> None:
    for state, value, is_live in (
        (State.SUSPENDED, StatusValue.SUSPENDED, True),
        (State.VALID, StatusValue.VALID, True),
        (State.ENDED, StatusValue.INVALID, False),
        (State.REVOKED, StatusValue.INVALID, False),
    ):
        assert change_state(house.desk, serial, _decided(state), house.clock.now()).state is state
        assert bits(house, seen(house, serial)) is value
        with house.database.reading() as session:
            row = session.execute(text("SELECT live_key FROM credential WHERE serial = :s"), {"s": serial}).one()
        assert (row.live_key is not None) == is_live
    assert [change.state.value for change in seen(house, serial).changes] == ["02", "01", "04", "03"]


def test_a_crash_before_publishing_is_made_good_by_the_next_publication(
    house: House, serial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_now: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(house.lists, "publish", die)
        with pytest.raises(ZeroDivisionError):
            withdraw(house, serial)
    assert seen(house, serial).state is State.REVOKED, "online paths show it at once"
    house.lists.publish(house.clock.now())
    house.log.sequence(house.clock.now())
    assert bits(house, seen(house, serial)) is StatusValue.INVALID
    assert leaf_kinds(house)


@pytest.mark.parametrize("part", ["lists.publish", "log.sequence"])
def test_asking_again_after_a_crash_finishes_the_very_same_change(
    house: House, serial: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _die_at(house, serial, part, monkeypatch)
    is_published = part == "log.sequence"
    assert (bits(house, seen(house, serial)) is StatusValue.INVALID) == is_published

    again = withdraw(house, serial)
    assert again.state is State.REVOKED
    assert bits(house, seen(house, serial)) is StatusValue.INVALID
    assert leaf_kinds(house)  # none of them waits
    assert len(seen(house, serial).changes) == 1, "it was not recorded twice"
    assert withdraw(house, serial) == again, "as often as one likes"


@pytest.mark.parametrize("part", ["lists.publish", "log.sequence"])
@pytest.mark.parametrize(
    "other",
    [
        {"reason": RevocationReason.PENALTY},
        {"decision": "甬人社发〔2026〕4号"},
        {"effective_on": TODAY - timedelta(days=1)},
    ],
)
def test_another_change_after_a_crash_is_refused_and_publishes_the_first(
    house: House, serial: str, part: str, other: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    _die_at(house, serial, part, monkeypatch)
    with pytest.raises(AlreadyRevoked):
        withdraw(house, serial, **other)  # type: ignore[arg-type] # facts by name
    assert bits(house, seen(house, serial)) is StatusValue.INVALID
    assert leaf_kinds(house)
    assert len(seen(house, serial).changes) == 1


def test_the_same_suspension_again_is_the_one_that_stands(house: House, serial: str) -> None:
    with pytest.raises(ChangeNotAllowed):
        change_state(house.desk, serial, _decided(State.VALID), house.clock.now())
    for _ in range(2):
        assert change_state(house.desk, serial, _decided(State.SUSPENDED), house.clock.now()).state is State.SUSPENDED
    assert change_state(house.desk, serial, _decided(State.VALID), house.clock.now()).state is State.VALID
    assert change_state(house.desk, serial, _decided(State.SUSPENDED), house.clock.now()).state is State.SUSPENDED
    assert [change.state.value for change in seen(house, serial).changes] == ["02", "01", "02"]


def test_whoever_asks_again_must_still_be_two_persons_of_the_issuer(house: House, serial: str) -> None:
    withdraw(house, serial)
    with pytest.raises(SamePerson):
        withdraw(house, serial, checker=MAKER)
    with pytest.raises(UnknownPerson):
        withdraw(house, serial, maker="nobody")


def _die_at(house: House, serial: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Revoke, and be killed after the change was committed."""
    owner, method = part.split(".")
    with monkeypatch.context() as patch:
        patch.setattr(getattr(house, owner), method, _die)
        with pytest.raises(ZeroDivisionError):
            withdraw(house, serial)


def _die(_now: object) -> None:
    raise ZeroDivisionError


def test_an_erased_credential_is_not_found_and_its_history_stays_whole(house: House, serial: str) -> None:
    withdraw(house, serial)
    with house.database.transaction() as session:
        found = get_credential(session, serial)
        session.execute(
            text("UPDATE record_key SET wrapped = NULL, destroyed_at = '2026-07-01' WHERE row_number = :row"),
            {"row": found.row_number},
        )
    assert house.source.by_serial(serial) == []
    with pytest.raises(RecordErased):
        house.documents.fetch_pdf(serial)
    with house.database.reading() as session:
        verify_history(session)
