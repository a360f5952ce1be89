"""Proposed changes: one person proposes, another approves; each step gives a view for people."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date

from credential.model import REASON_STATES, Ban, RevocationReason
from issuer import proposal as proposals
from issuer.change import ChangeDesk
from issuer.proposal import Wanted
from issuer.withdrawal import Withdrawal
from registry.credentials import find_by_id
from registry.database import Session
from registry.proposals import Proposal, get_proposal, list_proposals
from registry.vault import RecordErased
from service.changes import Action, desk_of, wanted
from service.house import House


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A proposed change as it stands.

    Attributes:
        serial: of the credential; empty for a whole batch.
        version: 0 for a whole batch.
        batch: number of the batch, or None.
        state: code of the state it leads to.
        decision: empty when the record was erased.
        outcome: ``waiting``, ``approved``, ``refused`` or ``withdrawn``.
    """

    id: int
    issuer: str
    serial: str
    version: int
    batch: int | None
    state: str
    reason: str
    decision: str
    note: str
    effective_on: str
    maker: str
    proposed_at: str
    checker: str
    decided_at: str
    outcome: str

    def to_json(self) -> dict[str, object]:
        """The view as one JSON object."""
        return asdict(self)


def propose(  # noqa: PLR0913 - each is a fact that the law asks for
    house: House,
    serial: str,
    action: Action,
    *,
    issuer: str | None,
    reason: str,
    decision: str,
    maker: str,
    effective_on: date | None = None,
    note: str = "",
    ban: Ban | None = None,
) -> ProposalView:
    """Propose a change of a credential; see ``issuer.proposal.propose`` for what is refused.

    Raises:
        UnknownSerial, SeveralIssuers, UnknownReason: as ``service.changes.change_credential``.
    """
    desk = desk_of(house, serial, issuer)
    one = wanted(
        house, desk, serial, action, reason=reason, decision=decision, effective_on=effective_on, note=note, ban=ban
    )
    return _shown(house, desk, proposals.propose(desk, serial, one, maker=maker, now=house.now()))


def propose_withdrawal(  # noqa: PLR0913 - each is a fact that the law asks for
    house: House,
    batch_id: int,
    *,
    issuer: str,
    reason: RevocationReason,
    decision: str,
    maker: str,
    effective_on: date | None = None,
    note: str = "",
) -> ProposalView:
    """Propose to withdraw a whole batch of an issuer."""
    desk = house.desk(house.issuer(issuer))
    one = Wanted(REASON_STATES[reason], reason.value, decision, effective_on or house.today(), None, note)
    return _shown(house, desk, proposals.propose_withdrawal(desk, batch_id, one, maker=maker, now=house.now()))


def approve(
    house: House,
    proposal_id: int,
    *,
    issuer: str,
    checker: str,
    on_progress: Callable[[int], None] = lambda _: None,
) -> tuple[ProposalView, Withdrawal | None]:
    """Approve a proposed change, and make it; asked again by the same person, finish it."""
    desk = house.desk(house.issuer(issuer))
    done, withdrawal = proposals.approve(desk, proposal_id, checker=checker, now=house.now, on_progress=on_progress)
    return _shown(house, desk, done), withdrawal


def refuse(house: House, proposal_id: int, *, issuer: str, checker: str) -> ProposalView:
    """Refuse a proposed change as the second person."""
    desk = house.desk(house.issuer(issuer))
    return _shown(house, desk, proposals.refuse(desk, proposal_id, checker=checker, now=house.now()))


def withdraw(house: House, proposal_id: int, *, issuer: str, maker: str) -> ProposalView:
    """Take a proposed change back as the person who proposed it."""
    desk = house.desk(house.issuer(issuer))
    return _shown(house, desk, proposals.withdraw_proposal(desk, proposal_id, maker=maker, now=house.now()))


def view(house: House, proposal_id: int, *, issuer: str) -> ProposalView:
    """One proposed change.

    Raises:
        UnknownProposal: the issuer has none of this number.
    """
    desk = house.desk(house.issuer(issuer))
    with house.database.reading() as session:
        return _view(session, desk, get_proposal(session, proposal_id, issuer))


def views(
    house: House, *, issuer: str, waiting_only: bool = True, before: int = 0, limit: int | None = None
) -> list[ProposalView]:
    """The proposed changes of an issuer, newest first; only those that are shown are decrypted.

    Args:
        house: of the installation.
        issuer: id of the issuer.
        waiting_only: leave out what was decided.
        before: only those with a smaller number; 0 for the newest.
        limit: how many at most; None for all.
    """
    desk = house.desk(house.issuer(issuer))
    with house.database.reading() as session:
        found = list_proposals(session, issuer, waiting_only=waiting_only, before=before, limit=limit)
        return [_view(session, desk, one) for one in found]


def _shown(house: House, desk: ChangeDesk, proposal: Proposal) -> ProposalView:
    with house.database.reading() as session:
        return _view(session, desk, proposal)


def _view(session: Session, desk: ChangeDesk, one: Proposal) -> ProposalView:
    about = None if one.credential_id is None else find_by_id(session, one.credential_id)
    try:
        details = proposals.details_of(session, desk, one)
    except RecordErased:
        details = {}
    return ProposalView(
        id=one.id,
        issuer=one.issuer_id,
        serial="" if about is None else about.serial,
        version=0 if about is None else about.version,
        batch=one.batch_id,
        state=one.state.value,
        reason=one.reason,
        decision=details.get("decision", ""),
        note=details.get("note", ""),
        effective_on=one.effective_on.isoformat(),
        maker=one.maker,
        proposed_at=one.proposed_at.isoformat(),
        checker=one.checker or "",
        decided_at="" if one.decided_at is None else one.decided_at.isoformat(),
        outcome="waiting" if one.outcome is None else one.outcome.value,
    )
