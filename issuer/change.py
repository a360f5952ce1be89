"""What becomes of a credential after it was issued: a reason, a decision, two persons, two dates.

Every change is a new entry of the history; the state follows from it, in the
same transaction as the slot of the status list and the leaf for the log.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Protocol

from credential.errors import InputError, RefusedError
from credential.leaves import StatusChange, status_leaf
from credential.model import (
    REASON_STATES,
    STATE_NAMES,
    Ban,
    RevocationReason,
    State,
    StatusValue,
    status_value,
)
from issuer.ban import usual_ban
from issuer.batch import SamePerson
from issuer.line import Sequencer
from issuer.office import BEIJING, Office, status_salt
from issuer.predecessor import SuccessionUnderWay
from issuer.succession import together
from registry import history
from registry.credentials import (
    FoundCredential,
    find_by_serial,
    get_credential,
    move_state,
    record_key_of,
)
from registry.database import Session
from registry.history import HistoryKind
from registry.issuers import get_person
from registry.log.outbox import put_leaves
from registry.status.slots import Slot
from registry.vault import RecordErased, RecordKey

MAX_DECISION = 100
"""Characters of a decision document's number."""

_LIVE = frozenset({State.VALID, State.SUSPENDED})
_FINAL = frozenset({State.REVOKED, State.WITHDRAWN})
_ENDED = frozenset({State.ENDED, State.LAPSED, State.TRANSFERRED, State.OTHER})
_NEXT: Mapping[State, frozenset[State]] = {
    State.VALID: frozenset(State) - {State.VALID},
    State.SUSPENDED: frozenset(State) - {State.SUSPENDED},
    # Fraud may come to light after a credential has ended.
    **dict.fromkeys(_ENDED, _FINAL),
    **dict.fromkeys(_FINAL, frozenset[State]()),
}


class AlreadyRevoked(RefusedError):
    """The credential is revoked or withdrawn, which is final."""

    code = "already-revoked"

    def __init__(self, serial: str, state: State) -> None:
        zh, en = STATE_NAMES[state]
        super().__init__(
            f"{serial} is {en} already, which is final; issue a new certificate if that was wrong",
            f"证书 {serial} 已{zh},不可再变更;如有错误请重新发证",
        )


class ChangeNotAllowed(RefusedError):
    """The state does not allow this change."""

    code = "change-not-allowed"

    def __init__(self, serial: str, state: State, to: State) -> None:
        super().__init__(
            f"{serial} is {STATE_NAMES[state][1]} and cannot become {STATE_NAMES[to][1]}",
            f"证书 {serial} 当前状态为{STATE_NAMES[state][0]},不能变更为{STATE_NAMES[to][0]}",
        )


class BadDecision(InputError):
    """A change needs the number of the document that decided it."""

    code = "bad-decision"

    def __init__(self, decision: str) -> None:
        super().__init__(
            f"{decision!r} is not a document number: give one of 1 to {MAX_DECISION} characters",
            f"“{decision}”不是有效的文件编号:须为 1 至 {MAX_DECISION} 个字符",
        )


class EffectiveInFuture(InputError):
    """A change counts from a day that has not come; the status list could not show that."""

    code = "effective-in-future"

    def __init__(self, day: date) -> None:
        super().__init__(
            f"{day} is still to come; record the change on that day or later",
            f"生效日期 {day} 尚未到来,请在当日或之后登记",
        )


class EffectiveBeforeIssue(InputError):
    """A change that is not void from the start counts from a day before the credential existed."""

    code = "effective-before-issue"

    def __init__(self, day: date, serial: str) -> None:
        super().__init__(f"{day} is before {serial} was issued", f"生效日期 {day} 早于证书 {serial} 的发证日期")


class NoteNeeded(InputError):
    """State 99 says nothing by itself, and needs a text."""

    code = "note-needed"

    def __init__(self) -> None:
        super().__init__("the state 'other' needs a note that says what has happened", "状态为“其他”时须填写说明")


class StatusLists(Protocol):
    """What is asked of the status lists; registry.status.publisher.StatusLists."""

    def set_status(self, session: Session, slot: Slot, value: StatusValue) -> None:
        """Set a slot in the caller's transaction."""
        ...

    def publish(self, now: datetime) -> object:
        """Sign and publish every list that has changed."""
        ...


@dataclass(frozen=True, slots=True)
class ChangeDesk:
    """Everything that changes of state need, made by ``service/`` once a process."""

    office: Office
    lists: StatusLists
    sequencer: Sequencer


@dataclass(frozen=True, slots=True)
class Decided:
    """One decided change of a credential's state.

    Attributes:
        to: the new state.
        reason: stable code.
        decision: number of the decision document.
        effective_on: the day it counts from, Beijing time; may be in the past.
        maker: id of the person who enters it.
        checker: id of the person who checked it, another one.
        ban: of the person, after fraud.
        note: free text, kept sealed.
    """

    to: State
    reason: str
    decision: str
    effective_on: date
    maker: str
    checker: str
    ban: Ban | None = None
    note: str = ""


def revoke(  # noqa: PLR0913 - each is a fact that the law asks for
    desk: ChangeDesk,
    serial: str,
    *,
    reason: RevocationReason,
    decision: str,
    effective_on: date,
    maker: str,
    checker: str,
    now: datetime,
    ban: Ban | None = None,
) -> FoundCredential:
    """Revoke a credential for good, and publish it.

    Args:
        desk: of the issuer.
        serial: of the newest version.
        reason: from the closed list; a penalty gives 吊销, everything else 撤销.
        decision: number of the decision document.
        effective_on: the day it counts from, Beijing time.
        maker: id of the person who enters it.
        checker: id of the person who checked it.
        now: recorded.
        ban: None takes the default of the issuer's settings after fraud.

    Raises:
        UnknownSerial: the issuer has no such credential.
        AlreadyRevoked: it is revoked or withdrawn already.
        SamePerson: maker and checker are one.
        UnknownPerson: one of them does not act for this issuer.
        BadDecision: no decision document is named.
        EffectiveInFuture: the day is still to come.
        UnavailableError: a store does not answer; if it fails after the change
            was recorded, the next publication shows it, and asking again publishes it.
    """
    if ban is None:
        ban = usual_ban(desk.office, serial, reason, effective_on)
    state = REASON_STATES[reason]
    return change_state(desk, serial, Decided(state, reason.value, decision, effective_on, maker, checker, ban), now)


def change_state(desk: ChangeDesk, serial: str, decided: Decided, now: datetime) -> FoundCredential:
    """Record a decided change in one transaction, then publish status list and log.

    A run that was killed between the two left its change unpublished. Whoever
    asks again has it published, whether the change is refused now or, being
    the very one that stands there, taken as done.

    Returns:
        The credential as it is afterwards.

    Raises:
        ChangeNotAllowed: its state does not allow this one.
        EffectiveBeforeIssue: it was issued later than that day.
        and what :func:`revoke` raises.
    """
    check_decided(decided, now)
    try:
        changed = _record(desk, serial, decided, now)
    except (AlreadyRevoked, ChangeNotAllowed):
        publish(desk, now)
        raise
    publish(desk, now)
    return changed


def _record(desk: ChangeDesk, serial: str, decided: Decided, now: datetime) -> FoundCredential:
    office = desk.office
    with office.database.transaction() as session:
        for person in (decided.maker, decided.checker):
            get_person(session, person, issuer_id=office.issuer.id)
        found = get_credential(session, serial, office.issuer.id, lock=True)
        if not is_recorded(session, office, found, decided):
            apply_change(session, desk, found, decided, now)
        return get_credential(session, serial, office.issuer.id)


def apply_change(session: Session, desk: ChangeDesk, found: FoundCredential, decided: Decided, now: datetime) -> None:
    """Write one decided change in the caller's transaction; whoever calls publishes.

    What is revoked is revoked in every version, so that no older file of it is
    merely called superseded; and what is changed between reserve and seal of a
    successor is changed at both ends.

    Args:
        session: of a transaction.
        desk: of the issuer.
        found: the newest version under its serial, locked.
        decided: checked, its persons known.
        now: recorded.

    Raises:
        AlreadyRevoked, ChangeNotAllowed, EffectiveBeforeIssue: its state or age does not allow this.
        SuccessionUnderWay: a successor is being printed, which an end of the old one would not stop.
    """
    versions = check_change(session, found, decided)
    pair = together(session, found)
    if len(pair) > 1 and decided.to in _ENDED:
        raise SuccessionUnderWay(found.serial, max(one.batch_id for one in pair))
    others = [one for one in versions if one.id != found.id and one.state not in _FINAL]
    also = others if decided.to in _FINAL else []
    for one in {each.id: each for each in (*pair, *also)}.values():
        _apply(session, desk, one, decided, now)


def check_change(session: Session, found: FoundCredential, decided: Decided) -> list[FoundCredential]:
    """Refuse a change that a credential's state or age does not allow; returns all versions under its serial.

    Raises:
        AlreadyRevoked, ChangeNotAllowed, EffectiveBeforeIssue: it does not.
    """
    versions = [one for one in find_by_serial(session, found.serial) if one.issuer_id == found.issuer_id]
    issued_on = min(one.issued_at for one in versions).astimezone(BEIJING).date()
    _check_next(found, decided, issued_on)
    return versions


def _apply(session: Session, desk: ChangeDesk, found: FoundCredential, decided: Decided, now: datetime) -> None:
    office = desk.office
    entry = _append(session, office, found, decided, now)
    history.log_head(session, office.vault)
    move_state(session, found, decided.to, is_live=decided.to in _LIVE)
    value = status_value(decided.to, superseded=found.is_superseded)
    desk.lists.set_status(session, Slot(found.status_list, found.status_index), value)
    change = StatusChange(
        list_uri=office.status_uri(found.status_list),
        index=found.status_index,
        state=decided.to,
        value=value,
        effective_on=decided.effective_on,
        recorded_at=now,
    )
    put_leaves(session, [status_leaf(change, status_salt(office, entry))])


def publish(desk: ChangeDesk, now: datetime) -> None:
    """Publish everything that waits, not only this change."""
    desk.lists.publish(now)
    desk.sequencer.sequence(now)


def is_recorded(session: Session, office: Office, found: FoundCredential, decided: Decided) -> bool:
    """Whether the newest change of a credential is this very one, to the day it counts from."""
    newest = history.newest_change(session, found.id)
    if newest is None or newest.details is None or found.state is not decided.to:
        return False
    asked = (decided.to.value, decided.reason, decided.effective_on)
    if (newest.state, newest.reason, newest.effective_on) != asked:
        return False
    key = record_key_of(session, office.vault, found)
    return bool(key.open(newest.details, history.details_place(newest.sequence))["decision"] == decided.decision)


def check_decided(decided: Decided, now: datetime) -> None:
    """Refuse what no decision can be, whatever it is about.

    Raises:
        SamePerson, BadDecision, EffectiveInFuture, NoteNeeded: it is one of these.
    """
    if decided.maker == decided.checker:
        raise SamePerson(decided.checker)
    if not 0 < len(decided.decision.strip()) <= MAX_DECISION:
        raise BadDecision(decided.decision)
    if decided.effective_on > now.astimezone(BEIJING).date():
        raise EffectiveInFuture(decided.effective_on)
    if decided.to is State.OTHER and not decided.note.strip():
        raise NoteNeeded


def _check_next(found: FoundCredential, decided: Decided, issued_on: date) -> None:
    if found.is_superseded and decided.to not in _FINAL:
        raise ChangeNotAllowed(found.serial, found.state, decided.to)
    if found.state in _FINAL:
        raise AlreadyRevoked(found.serial, found.state)
    if decided.to not in _NEXT[found.state]:
        raise ChangeNotAllowed(found.serial, found.state, decided.to)
    if decided.to is not State.REVOKED and decided.effective_on < issued_on:
        raise EffectiveBeforeIssue(decided.effective_on, found.serial)


def _append(session: Session, office: Office, found: FoundCredential, decided: Decided, now: datetime) -> int:
    ban = None if decided.ban is None else {key: str(value) for key, value in asdict(decided.ban).items()}
    details = {"decision": decided.decision, "note": decided.note} | ({} if ban is None else {"ban": ban})
    entry = history.Entry(
        kind=HistoryKind.STATE_CHANGED,
        issuer_id=found.issuer_id,
        subject=f"serial {found.serial}/{found.version}",
        recorded_at=now,
        maker=decided.maker,
        checker=decided.checker,
        batch_id=found.batch_id,
        credential_id=found.id,
        state=decided.to,
        reason=decided.reason,
        effective_on=decided.effective_on,
        details=details,
        key=_key_of(session, office, found),
    )
    return history.append(session, entry).sequence


def _key_of(session: Session, office: Office, found: FoundCredential) -> RecordKey | None:
    """The key that details are sealed under; an erased credential is changed without any."""
    try:
        return record_key_of(session, office.vault, found)
    except RecordErased:
        return None
