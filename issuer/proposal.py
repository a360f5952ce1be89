"""A change that waits for its second person: proposed, then approved, refused or withdrawn.

Approval is bound to what the first person saw: if anything has happened to the
certificate since, it is refused and said. The change itself and the word
"approved" are written in one transaction. The withdrawal of a whole batch
takes many; there the approval is written first, and approving it again
finishes what was interrupted.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from credential.errors import RefusedError
from credential.model import STATE_NAMES, Ban, State
from issuer.batch import SamePerson
from issuer.change import ChangeDesk, Decided, apply_change, check_change, check_decided, publish
from issuer.withdrawal import Withdrawal, withdraw_batch
from registry.batches import UnknownBatch, batch_key, get_batch
from registry.credentials import FoundCredential, find_by_id, get_credential, record_key_of
from registry.database import Session
from registry.history import newest_change
from registry.issuers import get_person
from registry.proposals import (
    NewProposal,
    Proposal,
    find_waiting,
    get_proposal,
    insert_proposal,
    mark_decided,
    read_details,
)
from registry.service_tables import ProposalOutcome
from registry.succession import last_change
from registry.vault import RecordKey

_NOBODY_YET = ""
"""Stands for the second person while there is none."""


class AlreadyProposed(RefusedError):
    """A proposed change of the same thing waits already."""

    code = "already-proposed"

    def __init__(self, proposal: Proposal) -> None:
        super().__init__(
            f"change {proposal.id} of the same thing waits for its second person; decide on that first",
            f"同一对象的变更申请 {proposal.id} 正待复核;请先批准、退回或撤回该申请",
        )
        self.proposal_id = proposal.id


class ProposalDecided(RefusedError):
    """The proposal has been approved, refused or withdrawn."""

    code = "proposal-decided"

    def __init__(self, proposal: Proposal) -> None:
        zh = {"approved": "批准", "refused": "退回", "withdrawn": "撤回"}.get(proposal.outcome or "", "处理")
        super().__init__(
            f"change {proposal.id} is {proposal.outcome} already", f"变更申请 {proposal.id} 已{zh},不能再处理"
        )


class StateMoved(RefusedError):
    """The credential is not as it was when the change was proposed."""

    code = "state-moved"

    def __init__(self, proposal: Proposal, serial: str, state: State, on: date | None) -> None:
        zh, en = STATE_NAMES[state]
        since = "" if on is None else f" as of {on}"
        since_zh = "" if on is None else f"(自 {on} 起)"
        super().__init__(
            f"something happened to {serial} after change {proposal.id} was proposed: it is {en}{since}; refuse the "
            "proposal, and propose anew if it is still due",
            f"变更申请 {proposal.id} 提出之后证书 {serial} 已有变更, 当前状态为{zh}{since_zh}; 请退回该申请, "
            "确有需要时重新提出",
        )


class NotYours(RefusedError):
    """Only the person who proposed a change withdraws it; others refuse it."""

    code = "not-your-proposal"

    def __init__(self, proposal: Proposal) -> None:
        super().__init__(
            f"change {proposal.id} was proposed by {proposal.maker}; refuse it instead",
            f"变更申请 {proposal.id} 由 {proposal.maker} 提出,他人请用退回",
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is proposed.

    Attributes:
        to: the new state.
        reason: stable code.
        decision: number of the decision document.
        effective_on: the day it counts from, Beijing time.
        ban: of the person, after fraud.
        note: free text, kept sealed.
    """

    to: State
    reason: str
    decision: str
    effective_on: date
    ban: Ban | None = None
    note: str = ""


def propose(desk: ChangeDesk, serial: str, wanted: Wanted, *, maker: str, now: datetime) -> Proposal:
    """Propose a change of one credential; nothing changes yet.

    Raises:
        UnknownSerial, UnknownPerson, BadDecision, EffectiveInFuture, NoteNeeded,
        AlreadyRevoked, ChangeNotAllowed, EffectiveBeforeIssue: as the change itself would.
        AlreadyProposed: a change of it waits already.
    """
    office = desk.office
    decided = _decided(wanted, maker, _NOBODY_YET)
    check_decided(decided, now)
    with office.database.transaction() as session:
        get_person(session, maker, issuer_id=office.issuer.id)
        found = get_credential(session, serial, office.issuer.id, lock=True)
        _refuse_second(session, credential_id=found.id, batch_id=None)
        check_change(session, found, decided)
        seen = {"seen": last_change(session, found.id)}
        return _insert(
            session, office.issuer.id, wanted, maker, now, found, record_key_of(session, office.vault, found), seen
        )


def propose_withdrawal(desk: ChangeDesk, batch_id: int, wanted: Wanted, *, maker: str, now: datetime) -> Proposal:
    """Propose to withdraw a whole batch.

    Raises:
        UnknownBatch, UnknownPerson, BadDecision, EffectiveInFuture: as the withdrawal itself would.
        AlreadyProposed: its withdrawal waits already.
    """
    office = desk.office
    check_decided(_decided(wanted, maker, _NOBODY_YET), now)
    with office.database.transaction() as session:
        get_person(session, maker, issuer_id=office.issuer.id)
        batch = get_batch(session, batch_id, lock=True)
        if batch.issuer_id != office.issuer.id:
            raise UnknownBatch(batch_id)
        _refuse_second(session, credential_id=None, batch_id=batch_id)
        key = batch_key(session, office.vault, batch_id)
        return _insert(session, office.issuer.id, wanted, maker, now, batch_id, key, {})


def approve(
    desk: ChangeDesk,
    proposal_id: int,
    *,
    checker: str,
    now: Callable[[], datetime],
    on_progress: Callable[[int], None] = lambda _: None,
) -> tuple[Proposal, Withdrawal | None]:
    """Approve a proposed change, and make it.

    Killed on the way, approving again finishes: the same person's second word
    publishes what was written, and goes on with a batch.

    Returns:
        The proposal, and what became of the batch if it was one.

    Raises:
        UnknownProposal: the issuer has none of this number.
        SamePerson: the checker proposed it.
        ProposalDecided: it was refused or withdrawn, or approved by somebody else.
        StateMoved: something happened to the credential since.
        and what the change itself raises.
    """
    office = desk.office
    with office.database.transaction() as session:
        get_person(session, checker, issuer_id=office.issuer.id)
        proposal = get_proposal(session, proposal_id, office.issuer.id, lock=True)
        decided = _decided_of(session, desk, proposal, checker)
        if checker == proposal.maker:
            raise SamePerson(checker)
        if proposal.outcome is None:
            check_decided(decided, now())
            if proposal.credential_id is not None:
                apply_change(session, desk, _unmoved(session, desk, proposal), decided, now())
            proposal = mark_decided(session, proposal, ProposalOutcome.APPROVED, checker, now())
        elif proposal.outcome is not ProposalOutcome.APPROVED or proposal.checker != checker:
            raise ProposalDecided(proposal)
    if proposal.batch_id is not None:
        return proposal, withdraw_batch(desk, proposal.batch_id, decided, now, on_progress)
    publish(desk, now())
    return proposal, None


def refuse(desk: ChangeDesk, proposal_id: int, *, checker: str, now: datetime) -> Proposal:
    """Refuse a proposed change as the second person.

    Raises:
        UnknownProposal, UnknownPerson: the issuer has no such proposal or person.
        SamePerson: the checker proposed it, and may withdraw it.
        ProposalDecided: it was decided before.
    """
    with desk.office.database.transaction() as session:
        proposal = _waiting(session, desk, proposal_id, checker)
        if checker == proposal.maker:
            raise SamePerson(checker)
        return mark_decided(session, proposal, ProposalOutcome.REFUSED, checker, now)


def withdraw_proposal(desk: ChangeDesk, proposal_id: int, *, maker: str, now: datetime) -> Proposal:
    """Take a proposed change back as the person who proposed it.

    Raises:
        UnknownProposal, UnknownPerson: the issuer has no such proposal or person.
        NotYours: somebody else proposed it.
        ProposalDecided: it was decided before.
    """
    with desk.office.database.transaction() as session:
        proposal = _waiting(session, desk, proposal_id, maker)
        if maker != proposal.maker:
            raise NotYours(proposal)
        return mark_decided(session, proposal, ProposalOutcome.WITHDRAWN, None, now)


def details_of(session: Session, desk: ChangeDesk, proposal: Proposal) -> dict[str, Any]:
    """Decision, note and ban of a proposal.

    Raises:
        RecordErased: the key they are sealed under was destroyed.
    """
    return read_details(session, proposal, _key_of(session, desk, proposal))


def _decided(wanted: Wanted, maker: str, checker: str) -> Decided:
    return Decided(
        wanted.to, wanted.reason, wanted.decision, wanted.effective_on, maker, checker, wanted.ban, wanted.note
    )


def _insert(  # noqa: PLR0913, PLR0917 - the two ways to propose share it
    session: Session,
    issuer_id: str,
    wanted: Wanted,
    maker: str,
    now: datetime,
    about: FoundCredential | int,
    key: RecordKey,
    seen: dict[str, int],
) -> Proposal:
    new = NewProposal(
        issuer_id=issuer_id,
        credential_id=about.id if isinstance(about, FoundCredential) else None,
        batch_id=about if isinstance(about, int) else None,
        state=wanted.to,
        reason=wanted.reason,
        effective_on=wanted.effective_on,
        maker=maker,
        proposed_at=now,
    )
    ban = {} if wanted.ban is None else {"ban": {name: str(value) for name, value in asdict(wanted.ban).items()}}
    return insert_proposal(session, new, {"decision": wanted.decision, "note": wanted.note} | ban | seen, key)


def _refuse_second(session: Session, *, credential_id: int | None, batch_id: int | None) -> None:
    waiting = find_waiting(session, credential_id=credential_id, batch_id=batch_id)
    if waiting is not None:
        raise AlreadyProposed(waiting)


def _waiting(session: Session, desk: ChangeDesk, proposal_id: int, person: str) -> Proposal:
    issuer_id = desk.office.issuer.id
    get_person(session, person, issuer_id=issuer_id)
    proposal = get_proposal(session, proposal_id, issuer_id, lock=True)
    if proposal.outcome is not None:
        raise ProposalDecided(proposal)
    return proposal


def _unmoved(session: Session, desk: ChangeDesk, proposal: Proposal) -> FoundCredential:
    """Lock the credential of a proposal, which must be as it was seen and the newest of its serial."""
    about = find_by_id(session, proposal.credential_id or 0)
    found = get_credential(session, about.serial, desk.office.issuer.id, lock=True)
    seen = details_of(session, desk, proposal)["seen"]
    if found.id != about.id or last_change(session, found.id) != seen:
        newest = newest_change(session, found.id)
        raise StateMoved(proposal, found.serial, found.state, None if newest is None else newest.effective_on)
    return found


def _key_of(session: Session, desk: ChangeDesk, proposal: Proposal) -> RecordKey:
    if proposal.batch_id is not None:
        return batch_key(session, desk.office.vault, proposal.batch_id)
    return record_key_of(session, desk.office.vault, find_by_id(session, proposal.credential_id or 0))


def _decided_of(session: Session, desk: ChangeDesk, proposal: Proposal, checker: str) -> Decided:
    details = details_of(session, desk, proposal)
    ban = details.get("ban")
    return Decided(
        to=proposal.state,
        reason=proposal.reason,
        decision=details["decision"],
        effective_on=proposal.effective_on,
        maker=proposal.maker,
        checker=checker,
        ban=None
        if ban is None
        else Ban(date.fromisoformat(ban["start"]), date.fromisoformat(ban["until"]), ban["scope"], ban["basis"]),
        note=details["note"],
    )
