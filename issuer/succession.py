"""Correct and replace: a new credential takes the place of an old one, and never stands beside it.

A successor is a row like any other: checked at intake, submitted by one person,
approved by another, reserved, logged, printed. What is different:

- its batch binds the predecessor as the maker saw it. If anything has happened
  to that since, it cannot be approved, and becomes void at reserve;
- until the transaction that seals it, the old one is good and the new one is
  not issued; from that transaction on it is the other way round. Killed at any
  instruction, one of the two is good, and never both;
- between reserve and seal, whatever happens to one happens to both
  (:func:`together`), so no revocation is lost on the way.
"""

from collections.abc import Mapping
from datetime import datetime

from credential.leaves import StatusChange, status_leaf
from credential.model import Claims, State, status_value
from issuer.office import BEIJING, Office, status_salt
from issuer.predecessor import changes_between, claims_of
from registry import history
from registry.batches import Batch
from registry.credentials import FoundCredential, find_by_id, move_state, record_key_of
from registry.database import Session
from registry.history import HistoryKind
from registry.log.outbox import put_leaves
from registry.status.publisher import set_status
from registry.status.slots import Slot
from registry.succession import (
    Succession,
    find_successor,
    hand_over,
    read_decision,
    read_successions,
)
from registry.vault import RecordErased, RecordKey

_LIVE = frozenset({State.VALID, State.SUSPENDED})


# ---- meanwhile: two that are one --------------------------------------------------------------------------------


def together(session: Session, found: FoundCredential) -> list[FoundCredential]:
    """A credential, and the one that is between reserve and seal in its chain, locked."""
    pair = [found]
    successor = None if found.is_superseded else find_successor(session, found.id)
    if successor is not None:
        pair.append(find_by_id(session, successor.id, lock=True))
    elif found.supersedes_id is not None:
        before = find_by_id(session, found.supersedes_id, lock=True)
        if not before.is_superseded:
            pair.append(before)
    return pair


# ---- then: the handing over -------------------------------------------------------------------------------------


def supersede(
    session: Session, office: Office, batch: Batch, issued: Mapping[int, tuple[int, Claims]], now: datetime
) -> None:
    """Let the successors among a chunk's credentials take their predecessors' places, in the transaction that seals it.

    Args:
        session: of that transaction; the files are registered.
        office: of the issuer.
        batch: approved by two persons.
        issued: id and claims of the chunk's credentials by row number.
        now: recorded.
    """
    for row_number, one in sorted(read_successions(session, batch.id).items()):
        if row_number in issued:
            _supersede(session, office, batch, one, issued[row_number], now)


def _supersede(  # noqa: PLR0913, PLR0917 - only supersede() calls it
    session: Session, office: Office, batch: Batch, one: Succession, issued: tuple[int, Claims], now: datetime
) -> None:
    new_id, claims = issued
    old = find_by_id(session, one.predecessor_id, lock=True)
    new = find_by_id(session, new_id, lock=True)
    key = record_key_of(session, office.vault, new)
    before, old_key = _opened(session, office, old)
    details: dict[str, object] = {"decision": read_decision(session, key, one), "note": ""}
    if before is not None:
        details["changed"] = changes_between(before, claims)
    day = claims.issued_at.astimezone(BEIJING).date()
    if old.state in _LIVE:
        ending = history.Entry(
            kind=HistoryKind.STATE_CHANGED,
            issuer_id=old.issuer_id,
            subject=f"serial {old.serial}/{old.version} superseded by {new.serial}/{new.version}",
            recorded_at=now,
            maker=batch.maker,
            checker=batch.checker,
            batch_id=old.batch_id,
            credential_id=old.id,
            state=State.ENDED,
            reason=one.reason,
            effective_on=day,
            details=details,
            key=old_key,
        )
        sequence = history.append(session, ending).sequence
        history.log_head(session, office.vault)
        move_state(session, old, State.ENDED, is_live=False)
        value = status_value(State.ENDED, superseded=True)
        set_status(session, Slot(old.status_list, old.status_index), value)
        uri = office.status_uri(old.status_list)
        change = StatusChange(uri, old.status_index, State.ENDED, value, day, now)
        put_leaves(session, [status_leaf(change, status_salt(office, sequence))])
    hand_over(session, old, new, is_live=new.state in _LIVE)
    succeeding = history.Entry(
        kind=HistoryKind.SUCCEEDED,
        issuer_id=new.issuer_id,
        subject=f"serial {new.serial}/{new.version} supersedes {old.serial}/{old.version}",
        recorded_at=now,
        maker=batch.maker,
        checker=batch.checker,
        batch_id=new.batch_id,
        credential_id=new.id,
        reason=one.reason,
        effective_on=day,
        details=details,
        key=key,
    )
    history.append(session, succeeding)
    history.log_head(session, office.vault)


def _opened(session: Session, office: Office, old: FoundCredential) -> tuple[Claims | None, RecordKey | None]:
    """What the old credential says, and its key; nothing of one that was erased meanwhile."""
    try:
        return claims_of(session, office, old), record_key_of(session, office.vault, old)
    except RecordErased:
        return None, None


# ---- what changed -----------------------------------------------------------------------------------------------
