"""Withdraw a whole batch: every certificate of it is revoked by one decision, in steps that may be killed.

1. What has a number and no certificate yet is voided, and the batch is closed:
   no certificate of it comes about any more.
2. Its certificates are revoked, so many in one transaction, and the status
   lists are published once for each of these. What is revoked is not looked at
   again, so a run that was killed goes on where it was.

Corrections of its certificates go with them, since they are the same
certificates. What replaced one of them under a new serial rests on a decision
of its own, and is only named.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from credential.model import Ban, RevocationReason, State
from issuer.ban import usual_ban
from issuer.batch import BATCH_CANCELLED, cancel
from issuer.change import ChangeDesk, Decided, apply_change, check_decided, is_recorded, publish
from registry.batches import UnknownBatch, fates, get_batch
from registry.credentials import get_credential, serials_of_batch
from registry.issuers import get_person
from registry.succession import find_successor
from registry.tables import BatchState
from registry.vault import RecordErased

STEP = 500
"""Certificates revoked in one transaction: seconds of work, and one publication."""

_FINAL = frozenset({State.REVOKED, State.WITHDRAWN})


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What became of a batch.

    Attributes:
        revoked: certificates that this decision has revoked.
        before: serials that another decision had revoked before; they stay as they are.
        replaced_by: serials of certificates that replaced one of the batch; not touched.
        voided: numbers of the batch that are void.
    """

    batch_id: int
    revoked: int
    before: tuple[str, ...]
    replaced_by: tuple[str, ...]
    voided: int


def withdraw_batch(
    desk: ChangeDesk,
    batch_id: int,
    decided: Decided,
    now: Callable[[], datetime],
    on_progress: Callable[[int], None] = lambda _: None,
) -> Withdrawal:
    """Revoke every certificate of a batch and void the numbers that have none; asked again, go on.

    Args:
        desk: of the issuer.
        batch_id: the batch.
        decided: state, reason, decision and persons; its ban is worked out for each person after fraud.
        now: recorded.
        on_progress: told how many certificates are revoked in all, after each step.

    Raises:
        UnknownBatch: there is none with this number.
        UnknownPerson: one of the persons does not act for this issuer.
        and what ``issuer.change.revoke`` raises for any change.
    """
    office = desk.office
    check_decided(decided, now())
    with office.database.reading() as session:
        batch = get_batch(session, batch_id)
        for person in (decided.maker, decided.checker):
            get_person(session, person, issuer_id=batch.issuer_id)
    if batch.issuer_id != office.issuer.id:
        raise UnknownBatch(batch_id)
    if batch.state is not BatchState.CANCELLED:
        cancel(office, batch_id, person=decided.maker, reason=decided.decision, now=now())
    with office.database.reading() as session:
        serials = serials_of_batch(session, batch_id)
        voided = sum(one.reason == BATCH_CANCELLED for one in fates(session, batch_id))
    told = Withdrawal(batch_id, 0, (), (), voided)
    for start in range(0, len(serials), STEP):
        told = _step(desk, serials[start : start + STEP], decided, now(), told)
        on_progress(told.revoked)
    publish(desk, now())
    return told


def _step(desk: ChangeDesk, serials: list[str], decided: Decided, now: datetime, told: Withdrawal) -> Withdrawal:
    """Revoke some certificates in one transaction, and publish if any was not revoked yet."""
    office = desk.office
    bans = {serial: _ban(desk, serial, decided) for serial in serials}
    changed = already = 0
    before, replaced_by = list(told.before), list(told.replaced_by)
    with office.database.transaction() as session:
        for serial in serials:
            found = get_credential(session, serial, office.issuer.id, lock=True)
            successor = find_successor(session, found.id)
            if successor is not None:
                replaced_by.append(successor.serial)
            if found.state not in _FINAL:
                apply_change(session, desk, found, replace(decided, ban=bans[serial]), now)
                changed += 1
            elif is_recorded(session, office, found, decided):
                already += 1
            else:
                before.append(serial)
    if changed:
        publish(desk, now)
    return replace(told, revoked=told.revoked + changed + already, before=tuple(before), replaced_by=tuple(replaced_by))


def _ban(desk: ChangeDesk, serial: str, decided: Decided) -> Ban | None:
    try:
        return usual_ban(desk.office, serial, RevocationReason(decided.reason), decided.effective_on)
    except RecordErased:
        return None  # nobody is left to be banned
