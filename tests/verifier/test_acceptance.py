"""What a client accepts: the most specific range counts, in any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.acceptance import accepted_weights

KINDS = {"json": ("application/json",), "page": ("text/html",)}


@pytest.mark.parametrize(
    ("header", "json", "page"),
    [
        ("", 0.0, 0.0),
        ("*/*", 1.0, 1.0),
        ("application/json", 1.0, 0.0),
        ("text/*;q=0.5, application/*;q=0.25", 0.25, 0.5),
        ("text/html;q=0, */*", 1.0, 0.0),
        ("application/json;q=0.1, application/*;q=0.9, */*", 0.1, 1.0),
        ("APPLICATION/JSON ; Q=0.7", 0.7, 0.0),
        ("application/json;q=nonsense", 0.0, 0.0),
        ("application/json;q=7", 1.0, 0.0),
        ("application/json;q=-1", 0.0, 0.0),
        (",,;;=,q=1", 0.0, 0.0),
    ],
)
def test_the_most_specific_range_counts(header: str, json: float, page: float) -> None:
    assert accepted_weights([header], KINDS) == {"json": json, "page": page}


@given(st.lists(st.sampled_from(["*/*;q=0.1", "application/*;q=0.2", "application/json;q=0.3"]), min_size=1), st.data())
def test_the_order_of_ranges_and_headers_does_not_count(ranges: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(ranges))
    assert accepted_weights([", ".join(ranges)], KINDS) == accepted_weights(shuffled, KINDS)


@given(st.text(max_size=200))
def test_no_header_makes_a_weight_outside_of_its_limits(header: str) -> None:
    assert all(0.0 <= weight <= 1.0 for weight in accepted_weights([header], KINDS).values())
