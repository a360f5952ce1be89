"""Deterministic CBOR: held against RFC 8949's own examples and against cbor2."""

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.cbor import MAX_DEPTH, BadCbor, Tag, decode, encode

scalars = st.integers(-(1 << 64), (1 << 64) - 1) | st.binary(max_size=300) | st.text(max_size=100)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=30)
        | st.dictionaries(st.integers(-(1 << 20), 1 << 20), inner, max_size=30)
        | st.dictionaries(st.text(max_size=40), inner, max_size=8)
        | st.builds(Tag, st.sampled_from([18, 61]), inner)
    ),
    max_leaves=20,
)


def spell(value: Any) -> bytes:
    """Let cbor2 encode, with the keys put in the bytewise order of RFC 8949 beforehand."""
    return cbor2.dumps(arrange(value))


def arrange(value: Any) -> Any:
    match value:
        case list():
            return list(map(arrange, value))
        case dict():
            return {key: arrange(value[key]) for key in sorted(value, key=cbor2.dumps)}
        case Tag():
            return cbor2.CBORTag(value.number, arrange(value.value))
    return value


def depth(value: Any) -> int:
    match value:
        case list():
            return 1 + max(map(depth, value), default=0)
        case dict():
            return 1 + max(map(depth, value.values()), default=0 if not value else 1)
        case Tag():
            return 1 + depth(value.value)
    return 1


@given(values)
def test_what_is_written_is_the_one_encoding_and_is_read_back(value: Any) -> None:
    written = encode(value)
    assert written == spell(value)
    if depth(value) < MAX_DEPTH:
        assert decode(written) == value


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_with_this_encoding_or_the_error(data: bytes) -> None:
    try:
        value = decode(data)
    except BadCbor:
        return
    assert spell(value) == data


@given(values, st.data())
def test_a_flipped_byte_gives_another_value_or_the_error(value: Any, data: st.DataObject) -> None:
    written = encode(value)
    at = data.draw(st.integers(0, len(written) - 1))
    changed = written[:at] + bytes([written[at] ^ data.draw(st.integers(1, 255))]) + written[at + 1 :]
    try:
        assert spell(decode(changed)) == changed
    except BadCbor:
        return


@pytest.mark.parametrize(
    ("hexadecimal", "why"),
    [
        ("", "cut off"),
        ("1817", "shortest"),
        ("190017", "shortest"),
        ("1a0000ffff", "shortest"),
        ("1b00000000ffffffff", "shortest"),
        ("19ff", "cut off"),
        ("62c3", "cut off"),
        ("62c328", "UTF-8"),
        ("63eda080", "UTF-8"),
        ("9f01ff", "indefinite"),
        ("5f4101ff", "indefinite"),
        ("1c", "indefinite or reserved"),
        ("82 01", "cut off"),
        ("9a7fffffff01", "cut off"),
        ("bb7fffffffffffffff", "cut off"),
        ("0001", "follows"),
        ("a201020103", "twice"),
        ("a202010102", "out of order"),
        ("a2616201616102", "out of order"),
        ("a14101 01", "neither number nor text"),
        ("a18001", "neither number nor text"),
        ("f5", "kind we do not write"),
        ("f6", "kind we do not write"),
        ("f93c00", "kind we do not write"),
        ("f90000", "shortest"),
        ("fb3ff199999999999a", "kind we do not write"),
        ("81" * 8 + "00", "too deep"),
        ("c2" * 40, "too deep"),
    ],
)
def test_what_is_not_deterministic_is_refused(hexadecimal: str, why: str) -> None:
    with pytest.raises(BadCbor, match=why):
        decode(bytes.fromhex(hexadecimal))


@pytest.mark.parametrize(
    ("hexadecimal", "value"),
    [  # RFC 8949, appendix A
        ("1bffffffffffffffff", 18446744073709551615),
        ("3bffffffffffffffff", -18446744073709551616),
        ("1903e8", 1000),
        ("3903e7", -1000),
        ("4401020304", b"\x01\x02\x03\x04"),
        ("62c3bc", "ü"),
        ("64f0908591", "𐅑"),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ],
)
def test_the_examples_of_the_standard(hexadecimal: str, value: Any) -> None:
    assert decode(bytes.fromhex(hexadecimal)) == value
    assert encode(value).hex() == hexadecimal


@pytest.mark.parametrize("value", [True, None, 1.5, (1,), [{1: 2.0}]])
def test_what_our_formats_do_not_have_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError, match="our formats have no"):
        encode(value)


@pytest.mark.parametrize("value", [1 << 64, -(1 << 64) - 1])
def test_integers_beyond_64_bits_are_not_written(value: int) -> None:
    with pytest.raises(OverflowError):
        encode(value)
