"""What the verifying API takes and gives, as models for its description; one example for each verdict."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from credential.model import State
from credential.ports import Change
from verifier.reasons import REASONS, Indication, Step, Word
from verifier.report import Integrity
from verifier.verdict import Check, Outcome, Presented, PublicSummary, Verdict, WitnessCount

MAX_QR_CHARS = 4_096  # the largest symbol there is holds 7,089 digits, ours at most 900
MAX_CODE_CHARS = 64  # 16 with hyphens and spaces between
MAX_SERIAL_CHARS = 64
MAX_NAME_CHARS = 128


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AskedByQr(_Asked):
    """The whole text of a QR code, as it was scanned."""

    qr: str = Field(min_length=1, max_length=MAX_QR_CHARS)


class AskedByCode(_Asked):
    """A verification code, as it was typed."""

    code: str = Field(min_length=1, max_length=MAX_CODE_CHARS)


class AskedBySerial(_Asked):
    """The printed serial and the holder's name, which must belong together."""

    serial: str = Field(min_length=1, max_length=MAX_SERIAL_CHARS)
    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)


Asked = AskedByQr | AskedByCode | AskedBySerial


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CheckAnswer(_Answer):
    """One check that was made."""

    step: int = Field(description="number of the step, as in docs/verifying.md")
    name: str
    outcome: Outcome
    zh: str
    en: str
    detail: str = Field(description="for experts; never a name or an ID number")


class StateAnswer(_Answer):
    """A state of the register."""

    code: State
    zh: str
    en: str


class LinkAnswer(_Answer):
    """Another certificate of the same chain."""

    serial: str
    version: int


class CredentialAnswer(_Answer):
    """What may be told about the certificate; by serial and name less than by code, QR code or file."""

    issuer: str = Field(description="unified social credit code")
    issuer_name: str
    serial: str
    version: int
    name: str = Field(description="of the holder; masked when asked by serial and name")
    fields: dict[str, str]
    issued_on: str
    expires_on: str
    state: StateAnswer | None = None
    superseded_by: LinkAnswer | None = Field(default=None, description="the certificate that took its place")
    supersedes: LinkAnswer | None = Field(default=None, description="the certificate whose place it took")
    kind: str = Field(description="of certificate, which names its fields; empty when only a QR code was read")


class ChangeAnswer(_Answer):
    """One change of the certificate's state."""

    state: State
    effective_on: date
    recorded_at: datetime
    reason: str
    decision: str


class WitnessesAnswer(_Answer):
    """How many witnesses cosigned the log's checkpoint that the proofs rest on."""

    seen: int = Field(description="who cosigned it, of those known; 0 means: not witnessed")
    known: int = Field(description="witnesses of the trust list")
    demanded: int = Field(description="how many must have cosigned; 0 demands none")


class VerdictAnswer(_Answer):
    """The verdict, and everything that it rests on."""

    file: Literal[""] = Field(description="always empty here: the name of a file is not repeated")
    verdict: Word
    presented: Presented
    integrity: Integrity | None = None
    indication: Indication = Field(description="of ETSI EN 319 102-1")
    sub_indication: str
    checks: list[CheckAnswer]
    credential: CredentialAnswer | None = None
    reason: str = Field(description="why, from a closed list")
    zh: str
    en: str
    changes: list[ChangeAnswer]
    status_at: datetime | None = Field(default=None, description="when the status list that was read was issued")
    judged_at: datetime
    witnesses: WitnessesAnswer | None = Field(default=None, description="null when no proof of the log was checked")


_EXAMPLE_REASONS: Mapping[Word, str] = {
    Word.VALID: "good",
    Word.REVOKED: "revoked",
    Word.SUPERSEDED: "superseded",
    Word.SUSPENDED: "suspended",
    Word.EXPIRED: "expired",
    Word.ENDED: "ended",
    Word.TAMPERED: "altered",
    Word.UNKNOWN: "no-such-credential",
    Word.UNAVAILABLE: "register-unavailable",
}
_STATES = {Word.REVOKED: State.REVOKED, Word.SUSPENDED: State.SUSPENDED, Word.ENDED: State.ENDED}
_MOMENT = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)


def verdict_examples() -> dict[str, Any]:
    """Give an example answer for each verdict, in the form that OpenAPI has for examples."""
    examples: dict[str, Any] = {
        word.value: {"summary": REASONS[reason].en, "value": _example(word, reason).as_json()}
        for word, reason in _EXAMPLE_REASONS.items()
    }
    newer = {"serial": "33020020260130000026", "version": 1}
    examples[Word.SUPERSEDED]["value"]["credential"]["superseded_by"] = newer
    return examples


def _example(word: Word, reason: str) -> Verdict:
    trust = Check(Step.TRUST_LIST, "trust-list", Outcome.PASSED, "信任列表在有效期内", "the trust list is current")
    is_file = word is Word.TAMPERED
    is_found = word not in {Word.UNKNOWN, Word.UNAVAILABLE}
    state = _STATES.get(word, State.VALID)
    changes = () if state is State.VALID else (Change(state, date(2026, 3, 4), _MOMENT, "", "示人社函〔2026〕9号"),)
    return Verdict(
        reason=reason,
        presented=Presented.ALTERED if is_file else Presented.CODE,
        integrity=Integrity.BROKEN if is_file else None,
        checks=(trust,),
        credential=_summary(word, state) if is_found else None,
        changes=changes,
        status_at=_MOMENT if is_found else None,
        judged_at=_MOMENT,
        witnesses=WitnessCount(seen=2, known=3, demanded=2) if is_found else None,
    )


def _summary(word: Word, state: State) -> PublicSummary:
    return PublicSummary(
        issuer="11649900MB0T000311",
        issuer_name="示例市人力资源和社会保障局",
        serial="33020020260130000018",
        version=1,
        name="张三",
        fields={"series": "农业技术人员", "title": "农艺师", "level": "中级"},
        issued_on="2026-01-13",
        expires_on="2026-02-28" if word is Word.EXPIRED else "",
        state=state,
        kind="professional-title",
    )
