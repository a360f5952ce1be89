"""What the issuing API asks of the service, as small protocols; service/issuing.py answers.

Every method takes the caller first and acts for that person and issuer only.
What belongs to another issuer is not there.
"""

from pathlib import Path
from typing import Protocol

from credential.errors import Error
from issuer.api.callers import SignedIn
from issuer.api.change_models import (
    ChangeDone,
    ChangePage,
    ChangeSent,
    ChangeShown,
    CorrectionSent,
    ReplacementSent,
    SuccessionList,
    WithdrawalSent,
)
from issuer.api.holding_models import ClaimCode, HandOver
from issuer.api.models import (
    Batch,
    BatchPage,
    Credential,
    CredentialList,
    History,
    Me,
    ProblemPage,
    Report,
    RowPage,
    Search,
    SingleIssue,
)


class Runner(Protocol):
    """Issues approved batches in the background; service.runner.Runner."""

    def wake(self, batch_id: int | None = None) -> None:
        """Look for work now; a batch that rests is tried again when it is named."""
        ...

    def trouble(self, batch_id: int) -> Error | None:
        """Why a batch does not go on, or None."""
        ...


class BatchDesk(Protocol):
    """Sheets and batches."""

    def check(self, caller: SignedIn, sheet: Path, photos: Path | None, template: str, most: int) -> Report:
        """Check a sheet; nothing is stored. At most ``most`` problems are listed."""
        ...

    def annotate(self, caller: SignedIn, sheet: Path, photos: Path | None, template: str, to: Path) -> None:
        """Check a sheet and write its annotated copy to a new ``.xlsx`` file."""
        ...

    def submit(self, caller: SignedIn, sheet: Path, photos: Path | None, template: str) -> Batch:
        """Check a sheet and submit what may be issued, or find the batch it already is."""
        ...

    def submit_one(self, caller: SignedIn, asked: SingleIssue) -> Batch:
        """Submit one record as a batch of its own."""
        ...

    def batches(self, caller: SignedIn, *, before: int, limit: int) -> BatchPage:
        """Batches, newest first."""
        ...

    def batch(self, caller: SignedIn, batch_id: int) -> Batch:
        """One batch."""
        ...

    def rows(self, caller: SignedIn, batch_id: int, *, after: int, limit: int) -> RowPage:
        """Rows of a batch, opened."""
        ...

    def problems(self, caller: SignedIn, batch_id: int, *, after: int, limit: int) -> ProblemPage:
        """Why rows of a batch have no certificate."""
        ...

    def approve(self, caller: SignedIn, batch_id: int, digest: str) -> Batch:
        """Approve the batch of this digest; the work begins in the background."""
        ...

    def resume(self, caller: SignedIn, batch_id: int) -> Batch:
        """Go on with an approved batch that rests."""
        ...

    def cancel(self, caller: SignedIn, batch_id: int, reason: str) -> Batch:
        """Cancel what is not reserved yet."""
        ...


class CredentialDesk(Protocol):
    """Who calls, and what was issued."""

    def me(self, caller: SignedIn) -> Me:
        """Who a token stands for."""
        ...

    def credential(self, caller: SignedIn, serial: str) -> Credential:
        """The newest version under a serial."""
        ...

    def history(self, caller: SignedIn, serial: str) -> History:
        """What happened to a certificate."""
        ...

    def search(self, caller: SignedIn, asked: Search, *, most: int) -> CredentialList:
        """Find certificates by an exact value."""
        ...


class HandOverDesk(Protocol):
    """Codes with which holders fetch their files; every answer is shown once."""

    def hand_over(self, caller: SignedIn, batch_id: int) -> HandOver:
        """New codes for every good certificate of a batch; the old ones end."""
        ...

    def claim_code(self, caller: SignedIn, serial: str) -> ClaimCode:
        """A new code for one certificate; the old one ends."""
        ...


class ChangeDesk(Protocol):
    """Changes that one person proposes and another approves."""

    def propose(self, caller: SignedIn, serial: str, asked: ChangeSent) -> ChangeDone:
        """Propose a change of one certificate; nothing changes yet."""
        ...

    def propose_withdrawal(self, caller: SignedIn, batch_id: int, asked: WithdrawalSent) -> ChangeDone:
        """Propose to withdraw a whole batch."""
        ...

    def changes(self, caller: SignedIn, *, waiting_only: bool, before: int, limit: int) -> ChangePage:
        """Proposed changes, newest first."""
        ...

    def change(self, caller: SignedIn, change_id: int) -> ChangeShown:
        """One proposed change."""
        ...

    def approve_change(self, caller: SignedIn, change_id: int) -> ChangeDone:
        """Approve a change, and make it; asked again by the same person, finish it."""
        ...

    def refuse_change(self, caller: SignedIn, change_id: int) -> ChangeDone:
        """Refuse a change as the second person."""
        ...

    def withdraw_change(self, caller: SignedIn, change_id: int) -> ChangeDone:
        """Take a change back as the person who proposed it."""
        ...

    def correct(self, caller: SignedIn, serial: str, asked: CorrectionSent) -> Batch:
        """Submit a correction as a batch of one."""
        ...

    def replace(self, caller: SignedIn, serial: str, asked: ReplacementSent) -> Batch:
        """Submit a replacement as a batch of one."""
        ...

    def successions(self, caller: SignedIn, batch_id: int) -> SuccessionList:
        """What the rows of a batch correct or replace."""
        ...
