"""The working record of one verification: what was presented, found and checked so far."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from credential.ports import Change
from verifier.reasons import REASONS, Indication, Step
from verifier.report import Integrity
from verifier.verdict import Check, Outcome, Presented, PublicSummary, Verdict, WitnessCount


@dataclass(slots=True)
class Inquiry:
    """Filled step by step in verify.py; becomes a verdict there at the end."""

    presented: Presented
    now: datetime
    integrity: Integrity | None = None
    credential: PublicSummary | None = None
    changes: tuple[Change, ...] = ()
    status_at: datetime | None = None
    witnesses: WitnessCount | None = None
    is_masked: bool = False
    document: bytes = b""  # a file that the register has not sealed
    checks: list[Check] = field(default_factory=list)

    def passed(self, step: Step, name: str, zh: str, en: str) -> None:
        """Note a check that was made and passed."""
        self.checks.append(_passed(step, name, zh, en))

    def left_open(self, step: Step, name: str, zh: str, en: str) -> None:
        """Note a check that could not be made, and does not decide by itself."""
        self.checks.append(Check(step, name, Outcome.INDETERMINATE, zh, en))

    @property
    def passed_steps(self) -> set[Step]:
        """The steps of which a check has passed."""
        return {check.step for check in self.checks if check.outcome is Outcome.PASSED}

    def conclude(self, reason: str, detail: str = "") -> Verdict:
        """Make the verdict; only verify.py calls this."""
        why = REASONS[reason]
        if why.indication is not Indication.PASSED:
            outcome = Outcome.FAILED if why.indication is Indication.FAILED else Outcome.INDETERMINATE
            self.checks.append(Check(why.step, reason, outcome, why.zh, why.en, detail))
        return Verdict(
            reason=reason,
            presented=self.presented,
            integrity=self.integrity,
            checks=tuple(self.checks),
            credential=self.credential,
            changes=self.changes,
            status_at=self.status_at,
            judged_at=self.now,
            witnesses=self.witnesses,
        )


@lru_cache(maxsize=64)
def _passed(step: Step, name: str, zh: str, en: str) -> Check:
    """A passed check says the same of every credential, so there is one of each."""
    return Check(step, name, Outcome.PASSED, zh, en)
