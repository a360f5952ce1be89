"""Judge a credential's state by register and status list together: whatever is worse counts."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone

from credential.model import Claims, State, StatusValue
from credential.ports import RegisteredCredential
from registry.status.token_list import BadStatusToken, StatusList
from verifier.verdict import CheckFailed

BEIJING = timezone(timedelta(hours=8))

_OF_STATE: Mapping[State, str] = {
    State.SUSPENDED: "suspended",
    State.REVOKED: "revoked",
    State.WITHDRAWN: "revoked",
    State.ENDED: "ended",
    State.LAPSED: "ended",
    State.TRANSFERRED: "ended",
    State.OTHER: "ended",
}
_OF_VALUE: Mapping[int, str] = {
    StatusValue.INVALID: "revoked",
    StatusValue.SUSPENDED: "suspended",
    StatusValue.SUPERSEDED: "superseded",
}


def check_history(registered: RegisteredCredential) -> None:
    """Check that the register's state is where its recorded changes led.

    Who can write the table of credentials, but forgets the history, un-revokes
    nothing. A successor changes no state, so it is not looked at here.

    Raises:
        CheckFailed: the state and the newest change differ.
    """
    reached = registered.changes[-1].state if registered.changes else State.VALID
    if registered.state is not reached:
        raise CheckFailed(
            "register-damaged", f"the register contradicts itself: state {registered.state}, its changes say {reached}"
        )


def check_state(registered: RegisteredCredential) -> None:
    """Check the register's own word.

    Raises:
        CheckFailed: anything but valid.
    """
    if registered.state in {State.VALID, State.ENDED} and registered.superseded_by is not None:
        raise CheckFailed("superseded")
    if registered.state is not State.VALID:
        raise CheckFailed(_OF_STATE[registered.state], f"state {registered.state}")


def check_listed(status_list: StatusList, uri: str, index: int) -> None:
    """Check the status list's word on one slot.

    Args:
        status_list: verified.
        uri: address that the credential names.
        index: slot that the credential names.

    Raises:
        CheckFailed: another list, no such slot, or anything but valid.
    """
    if status_list.sub != uri:
        raise CheckFailed("status-unusable", "a list of another address")
    try:
        value = status_list.value(index)
    except BadStatusToken as error:
        raise CheckFailed("status-unusable", error.en) from error
    if value != StatusValue.VALID:
        raise CheckFailed(_OF_VALUE.get(value, "revoked"), f"the list says {value}")


def check_expiry(claims: Claims, now: datetime) -> None:
    """Check that the last day of validity, in Beijing time, is not over.

    Raises:
        CheckFailed: it is.
    """
    if claims.expires_on is not None and today_in_beijing(now) > claims.expires_on:
        raise CheckFailed("expired", claims.expires_on.isoformat())


def today_in_beijing(now: datetime) -> date:
    """Give the calendar day of a moment in China."""
    return now.astimezone(BEIJING).date()
