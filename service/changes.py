"""Change credentials: suspend, reinstate, end, revoke; withdraw a batch; say what was done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from credential.errors import InputError
from credential.model import REASON_NAMES, REASON_STATES, Ban, RevocationReason, State
from credential.reasons import CHANGE_NAMES, END_STATES, ReinstatementReason, SuspensionReason
from issuer.ban import BAN_SCOPE, usual_ban
from issuer.change import ChangeDesk, Decided, change_state, revoke
from issuer.proposal import Wanted
from issuer.withdrawal import Withdrawal, withdraw_batch
from registry.batches import get_batch
from registry.credentials import UnknownSerial, find_by_serial
from service.house import House


class Action(StrEnum):
    """What may be done to a credential's state."""

    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    END = "end"
    REVOKE = "revoke"


REASONS: Mapping[Action, Mapping[str, State]] = {
    Action.SUSPEND: dict.fromkeys((one.value for one in SuspensionReason), State.SUSPENDED),
    Action.REINSTATE: dict.fromkeys((one.value for one in ReinstatementReason), State.VALID),
    Action.END: {reason.value: state for reason, state in END_STATES.items()},
    Action.REVOKE: {reason.value: state for reason, state in REASON_STATES.items()},
}
"""The closed list of reasons of each action, and the state that each leads to."""


_NAMES = {code.value: names for code, names in REASON_NAMES.items()} | {
    str(one): CHANGE_NAMES[one] for one in CHANGE_NAMES
}


class UnknownReason(InputError):
    """The action has no such reason."""

    code = "unknown-reason"

    def __init__(self, action: Action, reason: str) -> None:
        listed = ", ".join(REASONS[action])
        named = "、".join(f"{code}({_NAMES[code][0]})" for code in REASONS[action])
        super().__init__(
            f"{reason!r} is no reason to {action}; it may be {listed}", f"“{reason}”不是可用的原因; 可选: {named}"
        )


class IncompleteBan(InputError):
    """A ban of one's own needs its first day, its last day and the document it rests on."""

    code = "incomplete-ban"

    def __init__(self) -> None:
        super().__init__(
            "a ban needs its first day, its last day and the document it rests on together, the first day not after "
            "the last; leave all three out to take the issuer's default",
            "限制申报须同时给出起始日、截止日和依据文件, 且起始日不晚于截止日; 三项都不给则按机构默认规则",
        )


class SeveralIssuers(InputError):
    """Several issuers use the serial."""

    code = "several-issuers"

    def __init__(self, serial: str, issuers: list[str]) -> None:
        listed = ", ".join(issuers)
        super().__init__(
            f"the serial {serial} is used by {listed}; name one with --issuer",
            f"编号 {serial} 被多个机构使用({listed}); 请用 --issuer 指明",
        )


@dataclass(frozen=True, slots=True)
class Revoked:
    """What was done."""

    serial: str
    state: State
    effective_on: date
    ban: Ban | None


@dataclass(frozen=True, slots=True)
class Changed:
    """What was done."""

    serial: str
    version: int
    state: State
    reason: str
    effective_on: date


def revoke_credential(  # noqa: PLR0913 - each is a fact that the law asks for
    house: House,
    serial: str,
    *,
    issuer: str | None,
    reason: RevocationReason,
    decision: str,
    maker: str,
    checker: str,
    effective_on: date | None = None,
    ban_from: date | None = None,
    ban_until: date | None = None,
    ban_basis: str | None = None,
) -> Revoked:
    """Revoke a credential; every way of checking shows it at once.

    Args:
        house: of the installation.
        serial: of the credential.
        issuer: needed only where several use the serial.
        reason: from the closed list.
        decision: number of the decision document.
        maker: id of the person who proposes it.
        checker: id of the second person.
        effective_on: today in Beijing time when None.
        ban_from: first day of the ban; None, with the next two, takes the issuer's default.
        ban_until: its last day.
        ban_basis: the document it rests on.

    Raises:
        UnknownSerial: no issuer has such a credential.
        SeveralIssuers: more than one has.
        IncompleteBan: only a part of the ban is given.
        and what ``issuer.change.revoke`` raises.
    """
    desk = desk_of(house, serial, issuer)
    day = effective_on or house.today()
    ban = own_ban(ban_from, ban_until, ban_basis)
    done = revoke(
        desk,
        serial,
        reason=reason,
        decision=decision,
        effective_on=day,
        maker=maker,
        checker=checker,
        now=house.now(),
        ban=ban,
    )
    return Revoked(serial, done.state, day, ban)


def change_credential(  # noqa: PLR0913 - each is a fact that the law asks for
    house: House,
    serial: str,
    action: Action,
    *,
    issuer: str | None,
    reason: str,
    decision: str,
    maker: str,
    checker: str,
    effective_on: date | None = None,
    note: str = "",
) -> Changed:
    """Suspend, reinstate or end a credential (or revoke it with the usual ban); every check shows it at once.

    Args:
        house: of the installation.
        serial: of the credential.
        action: what is done.
        issuer: needed only where several use the serial.
        reason: from the closed list of the action.
        decision: number of the decision document.
        maker: id of the person who proposes it.
        checker: id of the second person.
        effective_on: today in Beijing time when None.
        note: kept sealed; state 99 needs one.

    Raises:
        UnknownSerial: no issuer has such a credential.
        SeveralIssuers: more than one has.
        UnknownReason: the action has no such reason.
        and what ``issuer.change.change_state`` raises.
    """
    desk = desk_of(house, serial, issuer)
    one = wanted(house, desk, serial, action, reason=reason, decision=decision, effective_on=effective_on, note=note)
    decided = Decided(one.to, one.reason, decision, one.effective_on, maker, checker, one.ban, note)
    done = change_state(desk, serial, decided, house.now())
    return Changed(serial, done.version, done.state, reason, one.effective_on)


def withdraw_whole_batch(  # noqa: PLR0913 - each is a fact that the law asks for
    house: House,
    batch_id: int,
    *,
    reason: RevocationReason,
    decision: str,
    maker: str,
    checker: str,
    effective_on: date | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Withdrawal:
    """Revoke every certificate of a batch by one decision; killed at any moment, the next call goes on.

    Raises:
        UnknownBatch: there is none with this number.
        and what ``issuer.withdrawal.withdraw_batch`` raises.
    """
    with house.database.reading() as session:
        owner = get_batch(session, batch_id).issuer_id
    day = effective_on or house.today()
    decided = Decided(REASON_STATES[reason], reason.value, decision, day, maker, checker)
    return withdraw_batch(house.desk(house.issuer(owner)), batch_id, decided, house.now, on_progress)


def wanted(  # noqa: PLR0913 - each is a fact that the law asks for
    house: House,
    desk: ChangeDesk,
    serial: str,
    action: Action,
    *,
    reason: str,
    decision: str,
    effective_on: date | None = None,
    note: str = "",
    ban: Ban | None = None,
) -> Wanted:
    """Put together what is decided, or proposed.

    Raises:
        UnknownReason: the action has no such reason.
        UnknownSerial: the issuer has no such credential.
    """
    to = REASONS[action].get(reason)
    if to is None:
        raise UnknownReason(action, reason)
    day = effective_on or house.today()
    if action is Action.REVOKE and ban is None:
        ban = usual_ban(desk.office, serial, RevocationReason(reason), day)
    return Wanted(to, reason, decision, day, ban, note)


def desk_of(house: House, serial: str, issuer: str | None) -> ChangeDesk:
    """Where a credential is changed.

    Raises:
        UnknownSerial: no issuer has such a credential.
        SeveralIssuers: more than one has, and none is named.
        UnknownIssuer: there is no such issuer.
    """
    return house.desk(house.issuer(issuer or issuer_of(house, serial)))


def issuer_of(house: House, serial: str) -> str:
    """The one issuer that uses a serial.

    Raises:
        UnknownSerial: none does.
        SeveralIssuers: more than one does.
    """
    with house.database.reading() as session:
        found = sorted({one.issuer_id for one in find_by_serial(session, serial)})
    if not found:
        raise UnknownSerial(serial)
    if len(found) > 1:
        raise SeveralIssuers(serial, found)
    return found[0]


def own_ban(start: date | None, until: date | None, basis: str | None) -> Ban | None:
    """A ban of one's own, or None for the issuer's default.

    Raises:
        IncompleteBan: only a part of it is given.
    """
    if start is None and until is None and basis is None:
        return None
    if start is None or until is None or not basis or until < start:
        raise IncompleteBan
    return Ban(start, until, BAN_SCOPE, basis)
