"""Changes for the issuing API; see issuer.api.ports.ChangeDesk."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from credential.model import Ban
from issuer.api.callers import SignedIn
from issuer.api.change_models import (
    BanSent,
    ChangeDone,
    ChangePage,
    ChangeSent,
    ChangeShown,
    CorrectionSent,
    ReplacementSent,
    Succession,
    SuccessionList,
    SuccessionSent,
    WithdrawalDone,
    WithdrawalSent,
)
from issuer.api.models import Batch
from issuer.withdrawal import Withdrawal
from registry.batches import UnknownBatch, get_batch
from registry.credentials import get_credential
from service import proposals, successions
from service.batches import BatchView
from service.changes import Action, own_ban
from service.house import House
from service.proposals import ProposalView
from service.single import read_photo


class HouseChanges:
    """Proposes and decides for the caller's person and issuer.

    Args:
        house: of the installation.
        shown: makes the API's view of a batch.
    """

    def __init__(self, house: House, shown: Callable[[BatchView], Batch]) -> None:
        self._house = house
        self._shown = shown

    def propose(self, caller: SignedIn, serial: str, asked: ChangeSent) -> ChangeDone:
        """Propose a change of one certificate."""
        self._require_own_serial(caller, serial)
        made = proposals.propose(
            self._house,
            serial,
            Action(asked.action),
            issuer=caller.issuer_id,
            reason=asked.reason,
            decision=asked.decision,
            maker=caller.person_id,
            effective_on=asked.effective_on,
            note=asked.note,
            ban=_ban(asked.ban),
        )
        return _done(made)

    def propose_withdrawal(self, caller: SignedIn, batch_id: int, asked: WithdrawalSent) -> ChangeDone:
        """Propose to withdraw a whole batch."""
        self._require_own_batch(caller, batch_id)
        made = proposals.propose_withdrawal(
            self._house,
            batch_id,
            issuer=caller.issuer_id,
            reason=asked.reason,
            decision=asked.decision,
            maker=caller.person_id,
            effective_on=asked.effective_on,
            note=asked.note,
        )
        return _done(made)

    def changes(self, caller: SignedIn, *, waiting_only: bool, before: int, limit: int) -> ChangePage:
        """Proposed changes, newest first."""
        found = proposals.views(
            self._house, issuer=caller.issuer_id, waiting_only=waiting_only, before=before, limit=limit + 1
        )
        items = [ChangeShown.model_validate(_values(one)) for one in found[:limit]]
        return ChangePage(items=items, next_before=items[-1].id if len(found) > limit else None)

    def change(self, caller: SignedIn, change_id: int) -> ChangeShown:
        """One proposed change."""
        return ChangeShown.model_validate(_values(proposals.view(self._house, change_id, issuer=caller.issuer_id)))

    def approve_change(self, caller: SignedIn, change_id: int) -> ChangeDone:
        """Approve a change, and make it."""
        done, withdrawal = proposals.approve(self._house, change_id, issuer=caller.issuer_id, checker=caller.person_id)
        return _done(done, withdrawal)

    def refuse_change(self, caller: SignedIn, change_id: int) -> ChangeDone:
        """Refuse a change."""
        return _done(proposals.refuse(self._house, change_id, issuer=caller.issuer_id, checker=caller.person_id))

    def withdraw_change(self, caller: SignedIn, change_id: int) -> ChangeDone:
        """Take a change back."""
        return _done(proposals.withdraw(self._house, change_id, issuer=caller.issuer_id, maker=caller.person_id))

    def correct(self, caller: SignedIn, serial: str, asked: CorrectionSent) -> Batch:
        """Submit a correction."""
        self._require_own_serial(caller, serial)
        common = self._common(caller, asked)
        return self._shown(successions.correct(self._house, serial, asked.changes, reason=asked.reason, **common))

    def replace(self, caller: SignedIn, serial: str, asked: ReplacementSent) -> Batch:
        """Submit a replacement."""
        self._require_own_serial(caller, serial)
        common = self._common(caller, asked)
        return self._shown(
            successions.replace_credential(self._house, serial, asked.changes, reason=asked.reason, **common)
        )

    def successions(self, caller: SignedIn, batch_id: int) -> SuccessionList:
        """What the rows of a batch correct or replace."""
        self._require_own_batch(caller, batch_id)
        found = successions.successions(self._house, batch_id)
        return SuccessionList(items=[Succession.model_validate(one.to_json()) for one in found])

    def _common(self, caller: SignedIn, asked: SuccessionSent) -> dict[str, Any]:
        return {
            "issuer": caller.issuer_id,
            "decision": asked.decision,
            "maker": caller.person_id,
            "photo": read_photo(asked.photo),
        }

    def _require_own_batch(self, caller: SignedIn, batch_id: int) -> None:
        with self._house.database.reading() as session:
            if get_batch(session, batch_id).issuer_id != caller.issuer_id:
                raise UnknownBatch(batch_id)

    def _require_own_serial(self, caller: SignedIn, serial: str) -> None:
        with self._house.database.reading() as session:
            get_credential(session, serial, caller.issuer_id)


def _ban(sent: BanSent | None) -> Ban | None:
    return None if sent is None else own_ban(sent.start, sent.until, sent.basis)


def _values(view: ProposalView) -> dict[str, Any]:
    return asdict(view) | {
        "serial": view.serial or None,
        "checker": view.checker or None,
        "decided_at": view.decided_at or None,
    }


def _done(view: ProposalView, withdrawal: Withdrawal | None = None) -> ChangeDone:
    """What a POST answers: kept for a replay, so neither decision nor note stands in it."""
    done = None
    if withdrawal is not None:
        done = WithdrawalDone(
            revoked=withdrawal.revoked,
            revoked_before=list(withdrawal.before),
            replaced_by=list(withdrawal.replaced_by),
            voided=withdrawal.voided,
        )
    return ChangeDone.model_validate(_values(view) | {"withdrawal": done})
