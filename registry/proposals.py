"""Changes that one person has proposed and another has to approve."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, select

from credential.errors import InputError
from credential.model import State
from registry.service_tables import ProposalOutcome, ProposedChangeRow
from registry.vault import RecordKey, place


class UnknownProposal(InputError):
    """No proposed change of this issuer has this number."""

    code = "unknown-proposal"

    def __init__(self, proposal_id: int) -> None:
        super().__init__(
            f"there is no proposed change {proposal_id}; compare the number with the list of changes",
            f"没有编号为 {proposal_id} 的变更申请; 请在变更列表中核对编号",
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposed change as it stands; what is personal in it is opened by :func:`read_details`.

    Attributes:
        credential_id: of the credential, or None.
        batch_id: of the batch that is to be withdrawn, or None.
        state: to be.
        reason: stable code.
        outcome: None while it waits.
    """

    id: int
    issuer_id: str
    credential_id: int | None
    batch_id: int | None
    state: State
    reason: str
    effective_on: date
    maker: str
    proposed_at: datetime
    checker: str | None
    decided_at: datetime | None
    outcome: ProposalOutcome | None


@dataclass(frozen=True, slots=True)
class NewProposal:
    """A proposed change on its way in; see :class:`Proposal`."""

    issuer_id: str
    credential_id: int | None
    batch_id: int | None
    state: State
    reason: str
    effective_on: date
    maker: str
    proposed_at: datetime


def insert_proposal(session: Session, new: NewProposal, details: Mapping[str, Any], key: RecordKey) -> Proposal:
    """Store a proposed change; its details are sealed under the credential's or the batch's key."""
    row = ProposedChangeRow(
        issuer_id=new.issuer_id,
        batch_id=new.batch_id,
        credential_id=new.credential_id,
        state=new.state.value,
        reason=new.reason,
        effective_on=new.effective_on,
        sealed=key.seal(details, _place(new)),
        maker=new.maker,
        proposed_at=new.proposed_at,
    )
    session.add(row)
    session.flush()
    return _proposal(row)


def get_proposal(session: Session, proposal_id: int, issuer_id: str, *, lock: bool = False) -> Proposal:
    """Read a proposed change of an issuer, locked against other writers if asked for.

    Raises:
        UnknownProposal: the issuer has none of this number.
    """
    return _proposal(_row(session, proposal_id, issuer_id, lock=lock))


def list_proposals(
    session: Session, issuer_id: str, *, waiting_only: bool, before: int = 0, limit: int | None = None
) -> list[Proposal]:
    """The proposed changes of an issuer, newest first.

    Args:
        session: to read in.
        issuer_id: of the issuer.
        waiting_only: leave out what was decided.
        before: only those with a smaller number; 0 for the newest.
        limit: how many at most; None for all.
    """
    query = select(ProposedChangeRow).where(ProposedChangeRow.issuer_id == issuer_id)
    if waiting_only:
        query = query.where(ProposedChangeRow.outcome == "")
    if before:
        query = query.where(col(ProposedChangeRow.id) < before)
    return [_proposal(row) for row in session.exec(query.order_by(col(ProposedChangeRow.id).desc()).limit(limit))]


def find_waiting(session: Session, *, credential_id: int | None, batch_id: int | None) -> Proposal | None:
    """The proposal that waits for a credential or a batch, or None."""
    query = select(ProposedChangeRow).where(
        ProposedChangeRow.credential_id == credential_id,
        ProposedChangeRow.batch_id == batch_id,
        ProposedChangeRow.outcome == "",
    )
    row = session.exec(query).first()
    return None if row is None else _proposal(row)


def read_details(session: Session, proposal: Proposal, key: RecordKey) -> dict[str, Any]:
    """Open what a proposal says beside its columns: decision, ban, note, what was seen."""
    row = _row(session, proposal.id, proposal.issuer_id)
    return key.open(row.sealed, _place(proposal))


def mark_decided(
    session: Session, proposal: Proposal, outcome: ProposalOutcome, checker: str | None, now: datetime
) -> Proposal:
    """Record what became of a proposal; the database refuses a second word."""
    row = _row(session, proposal.id, proposal.issuer_id)
    row.outcome, row.checker, row.decided_at = outcome.value, checker, now
    session.flush()
    return _proposal(row)


def _row(session: Session, proposal_id: int, issuer_id: str, *, lock: bool = False) -> ProposedChangeRow:
    query = select(ProposedChangeRow).where(
        ProposedChangeRow.id == proposal_id, ProposedChangeRow.issuer_id == issuer_id
    )
    row = session.exec(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownProposal(proposal_id)
    return row


def _place(one: Proposal | NewProposal) -> bytes:
    """Bound to what it is about and who proposed it when, since its number is not known yet."""
    about = f"credential {one.credential_id}" if one.batch_id is None else f"batch {one.batch_id}"
    return place("proposed_change", f"{about} {one.state} {one.reason} {one.maker}", "sealed")


def _proposal(row: ProposedChangeRow) -> Proposal:
    return Proposal(
        id=row.id or 0,
        issuer_id=row.issuer_id,
        credential_id=row.credential_id,
        batch_id=row.batch_id,
        state=State(row.state),
        reason=row.reason,
        effective_on=row.effective_on,
        maker=row.maker,
        proposed_at=row.proposed_at,
        checker=row.checker,
        decided_at=row.decided_at,
        outcome=ProposalOutcome(row.outcome) if row.outcome else None,
    )
