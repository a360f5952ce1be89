"""The byte range is exactly around the signature's hex string, and a message has one encoding."""

import pytest

from verifier.signed_range import (
    MAX_CANDIDATES,
    BadRange,
    check_contents,
    check_range,
    contents_at,
    is_canonical_der,
    last_signature,
    signed_ends,
)

BODY = b"%%PDF-1.7\n/Contents <3003020101000000>/ByteRange [0 19 37 %d]\n%%%%EOF\n"


def document() -> bytes:
    length = len(BODY % 0) + 1
    return BODY % (length - 37)


def test_the_range_and_its_message_are_found_from_the_bytes_alone() -> None:
    whole = document()
    signed = check_range(whole, [0, 19, 37, len(whole) - 37])
    assert (signed.gap_start, signed.gap_end, signed.end) == (19, 37, len(whole))
    assert contents_at(whole, signed) == bytes.fromhex("3003020101000000")
    assert check_contents(whole, signed, bytes.fromhex("3003020101000000")) == bytes.fromhex("3003020101")
    assert last_signature(whole) == (signed, bytes.fromhex("3003020101"))
    assert signed_ends(whole) == []
    assert signed_ends(whole + b"more") == [len(whole)]


@pytest.mark.parametrize(
    "numbers",
    [[], [0, 19, 37], [0, 19, 37, 5, 5], [0, 19, 37, True], [0, 19, 37, "9"], [1, 19, 37, 9], [0, 37, 19, 9],
     [0, 19, 37, 0], [0, 19, 37, 9999], [0, 19, 37, 5], [0, 18, 37, 9], [0, 19, 36, 9], [0, 0, 37, 9]],
)  # fmt: skip
def test_any_other_range_is_bad(numbers: list[object]) -> None:
    with pytest.raises(BadRange):
        check_range(document(), numbers)


def test_odd_digits_other_contents_and_no_message_are_bad() -> None:
    whole = document()
    odd = whole.replace(b"<3003020101000000>", b"<300302010100000>>")
    with pytest.raises(BadRange):
        check_range(odd, [0, 19, 37, len(odd) - 37])
    shorter = whole.replace(b"<3003020101000000>", b" <300302010100000>")
    with pytest.raises(BadRange):
        contents_at(shorter, check_range(shorter, [0, 20, 37, len(whole) - 37]))
    signed = check_range(whole, [0, 19, 37, len(whole) - 37])
    with pytest.raises(BadRange):
        check_contents(whole, signed, b"other")
    empty = whole.replace(b"3003020101000000", b"30ff020101000000")
    with pytest.raises(BadRange):
        last_signature(empty)
    with pytest.raises(BadRange):
        last_signature(b"%PDF-1.7")


def test_only_so_many_revisions_are_tried() -> None:
    whole = document()
    many = whole
    for _ in range(MAX_CANDIDATES + 4):
        many += b"/ByteRange [0 19 37 %d]\n%%%%EOF\n" % (len(many) + 36 - 37)
    assert len(signed_ends(many + b"x")) <= MAX_CANDIDATES


@pytest.mark.parametrize("message", ["3003020101", "308180" + "02017f" * 42 + "0500", "308201000481fd" + "00" * 253])
def test_shortest_definite_lengths_are_canonical(message: str) -> None:
    assert is_canonical_der(bytes.fromhex(message))


@pytest.mark.parametrize(
    "message",
    [
        "30800201010000",
        "308103020101",
        "30820003020101",
        "3f0100",
        "30",
        "3004020101",
        "3003028101",
        "0485",
        "3002028100",
    ],
)
def test_other_encodings_are_not_canonical(message: str) -> None:
    assert not is_canonical_der(bytes.fromhex(message))
