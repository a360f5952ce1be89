"""What the issuing API takes and gives about changes of certificates."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from credential.model import RevocationReason
from credential.reasons import CorrectionReason, ReplacementReason
from issuer.api.models import FieldKey, FieldText, Photo, Sent, Text

Decision = Annotated[
    Text, Field(description="决定文号。 Number of the decision document.", examples=["示人社函〔2026〕9号"])
]
EffectiveOn = Annotated[
    date | None,
    Field(description="Day it counts from, Beijing time, not in the future; null for today.", examples=["2026-11-20"]),
]
Note = Annotated[
    Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")],
    Field(description="备注, 加密保存。 Kept sealed."),
]


class BanSent(Sent):
    """A bar on applying for a higher title after fraud; left out, the issuer's default applies."""

    start: date = Field(examples=["2027-01-01"])
    until: date = Field(examples=["2029-12-31"])
    basis: Annotated[Text, StringConstraints(min_length=1)] = Field(examples=["示人社函〔2026〕9号"])


class ChangeSent(Sent):
    """A change of one certificate's state, which another person approves."""

    action: Literal["suspend", "reinstate", "end", "revoke"] = Field(description="暂扣, 恢复, 注销等, 撤销/吊销。")
    reason: str = Field(
        max_length=64,
        pattern=r"^[a-z-]+$",
        description="suspend: under-investigation, reported, ordered; reinstate: cleared, order-lifted, "
        "suspended-in-error; end: holder-died, given-back, issuer-dissolved, conditions-lost, not-renewed, "
        "transferred, other-end; revoke: fraud, plagiarism, impersonation, issued-in-error, decision-annulled, "
        "penalty.",
        examples=["fraud"],
    )
    decision: Decision
    effective_on: EffectiveOn = None
    note: Note = ""
    ban: BanSent | None = Field(default=None, description="Of a revocation only.")


class WithdrawalSent(Sent):
    """The revocation of every certificate of a batch, which another person approves."""

    reason: RevocationReason = Field(examples=["issued-in-error"])
    decision: Decision
    effective_on: EffectiveOn = None
    note: Note = ""


class SuccessionSent(Sent):
    """What is to be different; the rest stays as it is."""

    decision: Decision
    changes: dict[FieldKey, FieldText] = Field(
        default_factory=dict,
        max_length=60,
        description="New text by field key; an empty one removes the value.",
        examples=[{"name": "张叁"}],
    )
    photo: Photo = ""


class CorrectionSent(SuccessionSent):
    """A correction: the same serial, version + 1."""

    reason: CorrectionReason = Field(examples=["clerical-error"])


class ReplacementSent(SuccessionSent):
    """A replacement: a new serial, as for a higher certificate."""

    reason: ReplacementReason = Field(examples=["higher-level"])


class Change(BaseModel):
    """A proposed change; what is personal or sealed is shown by `GET /changes/{id}` only."""

    id: int = Field(description="变更申请编号。", examples=[3])
    serial: str | None = Field(description="Of the certificate; null for a whole batch.")
    batch: int | None = Field(description="Of the batch that is to be withdrawn; else null.")
    state: str = Field(description="State it leads to, see the certificate.", examples=["03"])
    reason: str = Field(examples=["fraud"])
    effective_on: date
    maker: str = Field(description="Who proposed it. 经办人。", examples=["wang"])
    proposed_at: datetime
    checker: str | None = Field(description="Who approved or refused it. 复核人。", examples=["li"])
    decided_at: datetime | None
    outcome: Literal["waiting", "approved", "refused", "withdrawn"] = Field(
        description="待复核, 已批准, 已退回, 已撤回。"
    )


class WithdrawalDone(BaseModel):
    """What became of a withdrawn batch."""

    revoked: int = Field(description="Certificates that this decision revoked.")
    revoked_before: list[str] = Field(description="Serials that were revoked before.")
    replaced_by: list[str] = Field(description="Serials that replaced one of the batch; not touched, look at them.")
    voided: int = Field(description="Numbers that are void.")


class ChangeDone(Change):
    """A decided change."""

    withdrawal: WithdrawalDone | None = Field(default=None, description="Of a whole batch, when approved.")


class ChangeShown(Change):
    """A proposed change with its decision, for whoever decides."""

    decision: str = Field(description="Empty after erasure.")
    note: str


class ChangePage(BaseModel):
    """Proposed changes, newest first."""

    items: list[ChangeShown]
    next_before: int | None = Field(description="Give it as `before` for the next page; null on the last.")


class Succession(BaseModel):
    """Whose place a row of a batch takes."""

    row: int = Field(examples=[2])
    kind: str = Field(description="correction 更正, replacement 换发.", examples=["correction"])
    reason: str = Field(examples=["clerical-error"])
    serial: str = Field(description="Of the certificate that is corrected or replaced.")
    version: int
    changed: dict[str, tuple[str, str]] = Field(description="Old and new text by field; personal data.")


class SuccessionList(BaseModel):
    """What a batch corrects or replaces, by row."""

    items: list[Succession]
