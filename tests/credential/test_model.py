"""Dates keep their precision; states have their two bits."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.errors import InputError
from credential.model import (
    REASON_NAMES,
    REASON_STATES,
    STATE_NAMES,
    BadDate,
    PartialDate,
    RevocationReason,
    State,
    StatusValue,
    status_value,
)


@given(st.dates())
def test_a_whole_date_is_kept(day: date) -> None:
    partial = PartialDate(day.isoformat())
    assert (partial.year, partial.month, partial.day) == (day.year, day.month, day.day)
    assert str(partial) == day.isoformat()


def test_a_month_stays_a_month_and_a_year_a_year() -> None:
    month, year = PartialDate("2026-06"), PartialDate("2026")
    assert (month.year, month.month, month.day) == (2026, 6, None)
    assert (year.year, year.month, year.day) == (2026, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "26",
        "2026-",
        "2026-6",
        "2026-06-3",
        "2026-00",
        "2026-13",
        "2026-02-30",
        "2025-02-29",
        "0000",
        "2026/06/30",
        "2026-06-30T",
        "2026-06-30\n",
        "20260630",
        "-2026-06-30",
    ],
)
def test_what_is_no_date_is_refused_by_naming_it(text: str) -> None:
    with pytest.raises(BadDate) as caught:
        PartialDate(text)
    assert caught.value.text == text
    assert isinstance(caught.value, InputError)


@given(st.dates(), st.dates())
def test_whole_dates_sort_by_time(one: date, other: date) -> None:
    assert (PartialDate(one.isoformat()) < PartialDate(other.isoformat())) is (one < other)


@pytest.mark.parametrize(
    ("state", "superseded", "value"),
    [
        (State.VALID, False, StatusValue.VALID),
        (State.VALID, True, StatusValue.SUPERSEDED),
        (State.SUSPENDED, False, StatusValue.SUSPENDED),
        (State.SUSPENDED, True, StatusValue.SUSPENDED),
        (State.ENDED, True, StatusValue.SUPERSEDED),
        (State.ENDED, False, StatusValue.INVALID),
        (State.REVOKED, True, StatusValue.INVALID),
    ],
)
def test_states_have_their_two_bits(state: State, superseded: bool, value: StatusValue) -> None:  # noqa: FBT001 # parametrized
    assert status_value(state, superseded=superseded) is value


@pytest.mark.parametrize("superseded", [False, True])
@pytest.mark.parametrize("state", list(State))
def test_only_state_01_ever_reads_as_valid(state: State, superseded: bool) -> None:  # noqa: FBT001 # parametrized
    is_valid = status_value(state, superseded=superseded) is StatusValue.VALID
    assert is_valid is (state is State.VALID and not superseded)


def test_every_state_and_reason_has_names_in_both_languages() -> None:
    assert set(STATE_NAMES) == set(State)
    assert set(REASON_NAMES) == set(REASON_STATES) == set(RevocationReason)
    for names in (*STATE_NAMES.values(), *REASON_NAMES.values()):
        assert all(names)


def test_a_penalty_withdraws_and_every_other_reason_voids_from_the_start() -> None:
    assert {reason: REASON_STATES[reason] for reason in RevocationReason} == {
        RevocationReason.FRAUD: State.REVOKED,
        RevocationReason.PLAGIARISM: State.REVOKED,
        RevocationReason.IMPERSONATION: State.REVOKED,
        RevocationReason.ISSUED_IN_ERROR: State.REVOKED,
        RevocationReason.DECISION_ANNULLED: State.REVOKED,
        RevocationReason.PENALTY: State.WITHDRAWN,
    }
