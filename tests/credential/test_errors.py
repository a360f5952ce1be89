"""Errors carry both sentences, also from one process to another."""

import copy
import pickle

import pytest

from credential.errors import Error, InputError, RefusedError
from credential.names import NameLostCharacter
from credential.problem import Problem, RowOutcome
from credential.serial import BadVerificationCode, SerialsExhausted


@pytest.mark.parametrize(
    "error",
    [
        InputError("a", "甲"),
        BadVerificationCode("U", "why", "为何"),
        SerialsExhausted(1_000_000, 999_999, "seq7"),
        NameLostCharacter("?", 2),
    ],
)
def test_an_error_crosses_to_another_process_whole(error: Error) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 # our own bytes
        assert type(again) is type(error)
        assert str(again) == str(error) == error.en
        assert vars(again) == vars(error)


def test_the_families_are_told_apart_by_code() -> None:
    assert {family.code for family in (Error, InputError, RefusedError)} == {"error", "bad-input", "refused"}


def test_a_problem_says_where_and_how_bad() -> None:
    problem = Problem("Sheet1", 7, "C", "身份证号", RowOutcome.ERROR, "id-number-length", "为17位", "has 17 characters")
    assert problem.outcome == "error"
    assert hash(problem) == hash(copy.copy(problem))
    assert {outcome.value for outcome in RowOutcome} == {"error", "warning", "skipped"}
