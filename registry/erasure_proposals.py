"""Erasures that wait for their second person, and how long issuers keep what has ended."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session, col, select

from credential.errors import InputError
from credential.model import State
from registry.credentials import FoundCredential, find_by_id
from registry.history import newest_change
from registry.service_tables import ErasedRow, ErasureRow, ProposalOutcome, RetentionRow
from registry.tables import CredentialRow


class UnknownErasure(InputError):
    """No proposed erasure of this issuer has this number."""

    code = "unknown-erasure"

    def __init__(self, erasure_id: int) -> None:
        super().__init__(
            f"there is no proposed erasure {erasure_id}; compare the number with: yinzheng erase list",
            f"没有编号为 {erasure_id} 的删除申请; 请用 yinzheng erase list 核对编号",
        )


@dataclass(frozen=True, slots=True)
class Erasure:
    """One proposed erasure as it stands.

    Attributes:
        credential_id: of the newest version under its serial.
        reason: stable code.
        decision: number of the document.
        outcome: None while it waits.
    """

    id: int
    issuer_id: str
    credential_id: int
    reason: str
    decision: str
    maker: str
    proposed_at: datetime
    checker: str | None
    decided_at: datetime | None
    outcome: ProposalOutcome | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long an issuer keeps what has ended.

    Attributes:
        years: after the day it ended; 0 for ever.
        basis: the document that says so.
    """

    issuer_id: str
    years: int
    basis: str
    maker: str
    set_at: datetime


def insert_erasure(  # noqa: PLR0913 - the facts of a proposal
    session: Session, found: FoundCredential, *, reason: str, decision: str, maker: str, now: datetime
) -> Erasure:
    """Store a proposed erasure."""
    row = ErasureRow(
        issuer_id=found.issuer_id,
        credential_id=found.id,
        reason=reason,
        decision=decision,
        maker=maker,
        proposed_at=now,
    )
    session.add(row)
    session.flush()
    return _erasure(row)


def get_erasure(session: Session, erasure_id: int, issuer_id: str, *, lock: bool = False) -> Erasure:
    """Read a proposed erasure of an issuer, locked against other writers if asked for.

    Raises:
        UnknownErasure: the issuer has none of this number.
    """
    return _erasure(_row(session, erasure_id, issuer_id, lock=lock))


def list_erasures(session: Session, issuer_id: str, *, waiting_only: bool) -> list[Erasure]:
    """The proposed erasures of an issuer, oldest first."""
    query = select(ErasureRow).where(ErasureRow.issuer_id == issuer_id)
    if waiting_only:
        query = query.where(ErasureRow.outcome == "")
    return [_erasure(row) for row in session.exec(query.order_by(col(ErasureRow.id)))]


def waiting_erasure(session: Session, credential_id: int) -> Erasure | None:
    """The erasure of a credential that waits, or None."""
    query = select(ErasureRow).where(ErasureRow.credential_id == credential_id, ErasureRow.outcome == "")
    row = session.exec(query).first()
    return None if row is None else _erasure(row)


def mark_erasure(
    session: Session, erasure: Erasure, outcome: ProposalOutcome, checker: str | None, now: datetime
) -> Erasure:
    """Record what became of a proposed erasure; the database refuses a second word."""
    row = _row(session, erasure.id, erasure.issuer_id)
    row.outcome, row.checker, row.decided_at = outcome.value, checker, now
    session.flush()
    return _erasure(row)


def insert_retention(session: Session, new: Retention) -> None:
    """Set how long an issuer keeps what has ended, from now on."""
    session.add(
        RetentionRow(issuer_id=new.issuer_id, years=new.years, basis=new.basis, maker=new.maker, set_at=new.set_at)
    )
    session.flush()


def find_retention(session: Session, issuer_id: str) -> Retention | None:
    """How long an issuer keeps what has ended; None when nothing was ever set."""
    query = select(RetentionRow).where(RetentionRow.issuer_id == issuer_id).order_by(col(RetentionRow.id).desc())
    row = session.exec(query.limit(1)).first()
    return None if row is None else Retention(row.issuer_id, row.years, row.basis, row.maker, row.set_at)


def ended_before(session: Session, issuer_id: str, day: date) -> list[tuple[FoundCredential, date]]:
    """The credentials of an issuer that ended, or expired, on a day or before it, and when; newest versions only.

    What is suspended has not ended. What was erased already, or waits to be, is left out.
    """
    newest: dict[str, CredentialRow] = {}
    query = select(CredentialRow).where(CredentialRow.issuer_id == issuer_id).order_by(col(CredentialRow.version))
    for row in session.exec(query.execution_options(yield_per=1000)):
        is_expired = row.expires_on is not None and row.expires_on <= day
        if row.state not in {State.VALID, State.SUSPENDED} or is_expired:
            newest[row.serial] = row
        else:
            newest.pop(row.serial, None)
    found = []
    for row in newest.values():
        ended = _ended_on(session, row)
        gone = session.get(ErasedRow, row.id) is not None or waiting_erasure(session, row.id or 0) is not None
        if ended is not None and ended <= day and not gone:
            found.append((find_by_id(session, row.id or 0), ended))
    return sorted(found, key=lambda one: (one[1], one[0].serial))


def _ended_on(session: Session, row: CredentialRow) -> date | None:
    changed = newest_change(session, row.id or 0)
    days = [row.expires_on]
    if changed is not None and row.state not in {State.VALID, State.SUSPENDED}:
        days.append(changed.effective_on)
    return min((one for one in days if one is not None), default=None)


def _row(session: Session, erasure_id: int, issuer_id: str, *, lock: bool = False) -> ErasureRow:
    query = select(ErasureRow).where(ErasureRow.id == erasure_id, ErasureRow.issuer_id == issuer_id)
    row = session.exec(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownErasure(erasure_id)
    return row


def _erasure(row: ErasureRow) -> Erasure:
    return Erasure(
        id=row.id or 0,
        issuer_id=row.issuer_id,
        credential_id=row.credential_id,
        reason=row.reason,
        decision=row.decision,
        maker=row.maker,
        proposed_at=row.proposed_at,
        checker=row.checker,
        decided_at=row.decided_at,
        outcome=ProposalOutcome(row.outcome) if row.outcome else None,
    )
