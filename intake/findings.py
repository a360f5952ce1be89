"""What reading one value gives: the value, and what a person should know about it."""

from typing import NamedTuple

from credential.errors import InputError
from credential.problem import RowOutcome


class Finding(NamedTuple):
    """A problem that does not know its row yet, so that equal values share it.

    Attributes:
        outcome: error, warning or skipped.
        code: stable, lower-case words with hyphens.
        zh: one sentence in Chinese that names the value and the cure.
        en: the same in English.
    """

    outcome: RowOutcome
    code: str
    zh: str
    en: str


class Reading(NamedTuple):
    """A value in its canonical form (empty when there is none), and the findings on the way."""

    value: str
    findings: tuple[Finding, ...] = ()


def error(code: str, zh: str, en: str) -> Finding:
    """Make a finding that refuses the row."""
    return Finding(RowOutcome.ERROR, code, zh, en)


def warning(code: str, zh: str, en: str) -> Finding:
    """Make a finding that a person should look at."""
    return Finding(RowOutcome.WARNING, code, zh, en)


def skipped(code: str, zh: str, en: str) -> Finding:
    """Make a finding for a row that no credential comes of, though nothing is wrong with it."""
    return Finding(RowOutcome.SKIPPED, code, zh, en)


def refused(fault: InputError) -> Reading:
    """Turn an error of the pure checks into a reading without a value."""
    return Reading("", (error(fault.code, fault.zh, fault.en),))
