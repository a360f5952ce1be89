"""The answer to "is this certificate genuine and still good": a verdict, its checks, and words for people.

Outcomes are those of ETSI EN 319 102-1; people are shown the closed set of
verdicts. Why a verdict is what it is stands in one table, verifier/reasons.py.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from credential.model import STATE_NAMES, State
from credential.ports import Change, Link
from verifier.reasons import REASONS, Indication, Reason, Step, Word
from verifier.report import Integrity


class Presented(StrEnum):
    """What was shown to the verifier."""

    ORIGINAL = "original"
    ORIGINAL_WITH_UPDATES = "original-with-updates"
    ALTERED = "altered"  # changed after signing, signed by another, or never sealed
    QR_ONLY = "qr-only"
    CONVERTED_COPY = "converted-copy"  # re-saved, printed and scanned, a screenshot
    OTHER = "other"  # cannot be read, or is no certificate of ours
    CODE = "code"
    SERIAL = "serial"


class Outcome(StrEnum):
    """Of one check."""

    PASSED = "passed"
    FAILED = "failed"
    INDETERMINATE = "indeterminate"


class CheckFailed(Exception):
    """A check of a verification did not pass; becomes a verdict in verify.py and nowhere else."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Check:
    """One check that was made.

    Attributes:
        step: of the numbered steps.
        name: stable, lower-case words with hyphens.
        outcome: as it came out.
        zh: what it means, one sentence.
        en: the same in English.
        detail: for experts, English; never a name or an ID number.
    """

    step: Step
    name: str
    outcome: Outcome
    zh: str
    en: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WitnessCount:
    """How many witnesses cosigned the checkpoint of a verdict's proofs.

    Attributes:
        seen: who cosigned it, of those known; with several proofs, of the one with the fewest.
        known: the witnesses of the trust list.
        demanded: how many must have cosigned; 0 demands none.
    """

    seen: int
    known: int
    demanded: int


@dataclass(frozen=True, slots=True)
class PublicSummary:
    """What may be told about the credential, by the way it was asked for.

    Attributes:
        issuer: unified social credit code.
        issuer_name: empty when only the code is known.
        serial: as printed.
        version: 0 when unknown.
        name: whole when asked by code, QR code or file; masked by serial and name.
        fields: public fields by key.
        issued_on: as printed, or empty.
        expires_on: ISO date, or empty.
        state: of the register, or None when it was not asked.
        superseded_by: the one that took its place, or None.
        supersedes: the one whose place it took, or None.
        kind: of credential, which names its fields; empty when only the QR code's own words are known.
        headings: what each public field is called, in Chinese and English.
        has_photo: a portrait stands on the certificate; never told by serial and name.
        in_qr: which public field the QR code says as ``title``, ``level`` and ``qualified_on``.
        claims_digest: SHA-256 of the claims, hex, which the QR code holds too; empty by serial and name.
    """

    issuer: str
    issuer_name: str
    serial: str
    version: int
    name: str
    fields: Mapping[str, str]
    issued_on: str
    expires_on: str
    state: State | None
    superseded_by: Link | None = None
    supersedes: Link | None = None
    kind: str = ""
    has_photo: bool = False
    headings: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    in_qr: Mapping[str, str] = field(default_factory=dict)
    claims_digest: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give the summary as plain JSON values."""
        state = None
        if self.state is not None:
            zh, en = STATE_NAMES[self.state]
            state = {"code": self.state.value, "zh": zh, "en": en}
        return {
            "issuer": self.issuer,
            "issuer_name": self.issuer_name,
            "serial": self.serial,
            "version": self.version,
            "name": self.name,
            "fields": dict(self.fields),
            "issued_on": self.issued_on,
            "expires_on": self.expires_on,
            "state": state,
            "superseded_by": None if self.superseded_by is None else asdict(self.superseded_by),
            "supersedes": None if self.supersedes is None else asdict(self.supersedes),
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer; made by ``Verifier`` and by nobody else.

    Attributes:
        reason: key of :data:`verifier.reasons.REASONS`.
        presented: what was shown to the verifier.
        integrity: what the document's signatures say; None without a document.
        checks: in the order they were made.
        credential: what it is about; None when it is not known or not to be told.
        changes: of its state, oldest first.
        status_at: when the status list was issued that was read; None when none was.
        judged_at: the moment the verdict speaks of.
        witnesses: who saw the log's checkpoint; None when no proof was checked.
    """

    reason: str
    presented: Presented
    integrity: Integrity | None
    checks: tuple[Check, ...]
    credential: PublicSummary | None
    changes: tuple[Change, ...]
    status_at: datetime | None
    judged_at: datetime
    witnesses: WitnessCount | None = None
    why: Reason = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "why", REASONS[self.reason])

    @property
    def verdict(self) -> Word:
        """The word for people."""
        return self.why.word

    @property
    def indication(self) -> Indication:
        """The main status indication."""
        return self.why.indication

    @property
    def sub_indication(self) -> str:
        """The sub-indication, or empty."""
        return self.why.sub_indication

    @property
    def exit_code(self) -> int:
        """0 valid, 1 not valid, 2 could not tell."""
        if self.verdict is Word.VALID:
            return 0
        return 2 if self.indication is Indication.INDETERMINATE else 1

    def as_json(self, file: str = "") -> dict[str, Any]:
        """Give the verdict as plain JSON values, one object for a line.

        Args:
            file: path or other name of what was verified, as the caller knows it.
        """
        return {
            "file": file,
            "verdict": self.verdict.value,
            "presented": self.presented.value,
            "integrity": None if self.integrity is None else self.integrity.value,
            "indication": self.indication.value,
            "sub_indication": self.sub_indication,
            "checks": [
                {
                    "step": int(check.step),
                    "name": check.name,
                    "outcome": check.outcome.value,
                    "zh": check.zh,
                    "en": check.en,
                    "detail": check.detail,
                }
                for check in self.checks
            ],
            "credential": None if self.credential is None else self.credential.as_json(),
            "reason": self.reason,
            "zh": self.why.zh,
            "en": self.why.en,
            "changes": [
                {
                    "state": change.state.value,
                    "effective_on": change.effective_on.isoformat(),
                    "recorded_at": change.recorded_at.isoformat(),
                    "reason": change.reason,
                    "decision": change.decision,
                }
                for change in self.changes
            ],
            "status_at": None if self.status_at is None else self.status_at.isoformat(),
            "judged_at": self.judged_at.isoformat(),
            "witnesses": None if self.witnesses is None else asdict(self.witnesses),
        }
