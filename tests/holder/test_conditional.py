"""Conditions and ranges, held against a model of RFC 9110 that is written another way."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holder.conditional import MAX_RANGES, RangeOutside, Span, asked_spans, has_etag

ETAG = '"0123abcd"'
LENGTH = 1_000
RANGES = st.lists(
    st.tuples(st.integers(0, 2 * LENGTH), st.integers(0, 2 * LENGTH)).map(lambda pair: f"{min(pair)}-{max(pair)}")
    | st.integers(0, 2 * LENGTH).map(lambda first: f"{first}-")
    | st.integers(0, 2 * LENGTH).map(lambda last: f"-{last}"),
    min_size=1,
    max_size=MAX_RANGES,
)


def asked_bytes(ranges: list[str], length: int) -> set[int]:
    """Which bytes a list of ranges asks for, byte by byte, as 14.1.2 says it."""
    asked: set[int] = set()
    for one in ranges:
        first, last = one.split("-")
        if first:
            asked |= set(range(int(first), int(last) + 1 if last else length))
        else:
            asked |= set(range(max(length - int(last), 0), length))
    return asked & set(range(length))


@given(RANGES, st.integers(1, LENGTH))
def test_exactly_the_bytes_asked_for_are_given_and_none_twice(ranges: list[str], length: int) -> None:
    header = "bytes=" + ", ".join(ranges)
    expected = asked_bytes(ranges, length)
    if not expected:
        with pytest.raises(RangeOutside) as outside:
            asked_spans(header, None, ETAG, length)
        assert outside.value.headers == {"Content-Range": f"bytes */{length}"}
        return
    spans = asked_spans(header, None, ETAG, length)
    given_bytes = [place for span in spans for place in range(span.start, span.end)]

    assert len(given_bytes) == len(set(given_bytes))
    assert set(given_bytes) == expected


@given(st.text(max_size=40), st.text(max_size=40) | st.none())
def test_no_header_is_a_fault(header: str, if_range: str | None) -> None:
    for sent in (header, "bytes=" + header):
        try:
            spans = asked_spans(sent, if_range, ETAG, LENGTH)
        except RangeOutside:
            continue
        assert all(0 <= span.start < span.end <= LENGTH for span in spans)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0-1,5-4",
        "bytes=0x0-0x5",
        "bytes=--5",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=١-٢",
        "bytes=" + "9" * 400 + "-",
        "items=0-5",
        "0-5",
        "bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)),
    ],
)
def test_what_is_no_list_of_byte_ranges_is_passed_over(header: str) -> None:
    assert asked_spans(header, None, ETAG, LENGTH) == ()


@pytest.mark.parametrize("unit", ["bytes=0-4", "Bytes=0-4", "bytes = 0-4 ", "bytes=0 - 4", "bytes=,0-4,"])
def test_spelling_does_not_count(unit: str) -> None:
    assert list(asked_spans(unit, None, ETAG, LENGTH)) == [Span(0, 5)]


@pytest.mark.parametrize(
    ("if_range", "is_kept"),
    [(None, True), (ETAG, True), (f" {ETAG} ", True), (f"W/{ETAG}", False), ('"other"', False), ("", False)],
)
def test_a_range_of_another_version_gives_the_whole_file(if_range: str | None, *, is_kept: bool) -> None:
    assert bool(asked_spans("bytes=0-4", if_range, ETAG, LENGTH)) is is_kept


@pytest.mark.parametrize("header", ["Sat, 01 Jan 2050 00:00:00 GMT", "0123abcd"])
def test_a_date_never_stands_for_this_version(header: str) -> None:
    assert asked_spans("bytes=0-4", header, ETAG, LENGTH) == ()


@pytest.mark.parametrize(
    ("header", "is_named"),
    [
        (None, False),
        ("", False),
        ("*", True),
        (ETAG, True),
        (f"W/{ETAG}", True),
        (f'"x", W/"y" , {ETAG}', True),
        ('"x", "y"', False),
        ("0123abcd", False),
        ('"x0123abcd"', False),
        (f'"{ETAG}"', False),
    ],
)
def test_if_none_match_names_this_version(header: str | None, *, is_named: bool) -> None:
    assert has_etag(header, ETAG) is is_named


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters='"', min_codepoint=33)), max_size=5))
def test_a_tag_in_any_list_is_found(others: list[str]) -> None:
    listed = [f'"{one}"' for one in others]

    assert has_etag(", ".join([*listed, ETAG]), ETAG)
    assert has_etag(", ".join(listed), ETAG) is (ETAG in listed)
    assert re.fullmatch(r'"[0-9a-f]+"', ETAG)
