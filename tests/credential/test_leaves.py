import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.leaves import (
    MAX_LEAF_BYTES,
    PUBLIC_SALT,
    BadLeaf,
    LeafKind,
    StatusChange,
    history_leaf,
    issue_leaf,
    key_leaf,
    leaf_start,
    parse_leaf,
    reissue_leaf,
    renewal_leaf,
    require_leaves,
    seal_leaf,
    status_leaf,
    status_list_leaf,
    trust_list_leaf,
    void_leaf,
)
from credential.model import State, StatusValue

SALT = bytes(range(16))
ONE, TWO = b"\x01" * 32, b"\x02" * 32
NOON = datetime(2026, 6, 30, 12, 0, 0, tzinfo=UTC)
URI = "https://rsj.example/status/1.cwt"
CHANGE_AFTER_URI = (77, State.REVOKED, StatusValue.INVALID, date(2026, 6, 29), NOON)
CHANGE = StatusChange(URI, *CHANGE_AFTER_URI)
FORMATS = Path(__file__).resolve().parents[2] / "docs" / "formats-log.md"

OPENINGS = [
    ("issue", issue_leaf(ONE, SALT), SALT, [ONE]),
    ("reissue", reissue_leaf(ONE, TWO, SALT), SALT, [ONE, TWO]),
    ("seal", seal_leaf(ONE, SALT), SALT, [ONE]),
    ("status", status_leaf(CHANGE, SALT), SALT, [URI, 77, "03", 1, "2026-06-29", int(NOON.timestamp())]),
    ("void", void_leaf("11330100MB0000000X", "A1", "batch-cancelled", SALT), SALT,
     ["11330100MB0000000X", "A1", "batch-cancelled"]),
    ("status-list", status_list_leaf(URI, NOON, ONE), PUBLIC_SALT, [URI, int(NOON.timestamp()), ONE]),
    ("key", key_leaf("qr", "hangzhou", b"spki"), PUBLIC_SALT, ["qr", "hangzhou", b"spki"]),
    ("trust-list", trust_list_leaf(b"envelope"), PUBLIC_SALT, [hashlib.sha256(b"envelope").digest()]),
    ("renewal", renewal_leaf(ONE, TWO, SALT), SALT, [ONE, TWO]),
    ("history", history_leaf(ONE, 12, SALT), SALT, [ONE, 12]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "leaf", "salt", "content"), OPENINGS, ids=[opening[0] for opening in OPENINGS])
def test_an_auditor_with_only_the_specification_computes_the_same_leaf(
    kind: str, leaf: bytes, salt: bytes, content: list[object]
) -> None:
    hashed = b"yinzheng.log/v1/" + kind.encode() + b"\x00" + salt + cbor2.dumps(content, canonical=True)
    assert leaf == cbor2.dumps([kind, 1, hashlib.sha256(hashed).digest()], canonical=True)
    assert parse_leaf(leaf).kind == kind


def test_every_kind_has_an_opening_in_this_test() -> None:
    assert {opening[0] for opening in OPENINGS} == {kind.value for kind in LeafKind}


def test_the_leaves_printed_in_the_format_page_are_these() -> None:
    page = FORMATS.read_text("utf-8")
    change = StatusChange("https://rsj.example/status/1", *CHANGE_AFTER_URI)
    assert f"```\n{issue_leaf(ONE, SALT).hex()}\n```" in page
    assert f"```\n{status_leaf(change, SALT).hex()}\n```" in page


def test_the_format_page_has_a_line_for_every_kind() -> None:
    page = FORMATS.read_text("utf-8")
    assert all(f"| `{kind.value}` |" in page for kind in LeafKind)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_nothing_of_what_is_committed_to_stands_in_a_leaf(digest: bytes, salt: bytes) -> None:
    for leaf in (issue_leaf(digest, salt), seal_leaf(digest, salt)):
        assert digest not in leaf
        assert salt not in leaf
        assert len(leaf) <= MAX_LEAF_BYTES


def test_a_status_leaf_shows_neither_slot_nor_state_nor_day() -> None:
    plain = status_leaf(CHANGE, SALT)
    assert len(plain) == len(status_leaf(StatusChange(URI, 9, State.VALID, StatusValue.VALID, date.max, NOON), SALT))
    assert URI.encode() not in plain
    assert b"2026" not in plain


@given(st.lists(st.sampled_from([ONE, TWO]), min_size=2, max_size=2), st.sampled_from([SALT, PUBLIC_SALT]))
def test_kinds_never_share_a_commitment(digests: list[bytes], salt: bytes) -> None:
    one, other = digests
    makers: list[Callable[[], bytes]] = [
        lambda: issue_leaf(one, salt), lambda: seal_leaf(one, salt), lambda: reissue_leaf(one, other, salt),
        lambda: renewal_leaf(one, other, salt),
    ]  # fmt: skip
    commitments = {parse_leaf(make()).commitment for make in makers}
    assert len(commitments) == len(makers)


@pytest.mark.parametrize(
    "other",
    [
        StatusChange(URI + "2", 77, State.REVOKED, StatusValue.INVALID, date(2026, 6, 29), NOON),
        StatusChange(URI, 78, State.REVOKED, StatusValue.INVALID, date(2026, 6, 29), NOON),
        StatusChange(URI, 77, State.WITHDRAWN, StatusValue.INVALID, date(2026, 6, 29), NOON),
        StatusChange(URI, 77, State.REVOKED, StatusValue.SUSPENDED, date(2026, 6, 29), NOON),
        StatusChange(URI, 77, State.REVOKED, StatusValue.INVALID, date(2026, 6, 30), NOON),
        StatusChange(URI, 77, State.REVOKED, StatusValue.INVALID, date(2026, 6, 29), NOON + timedelta(seconds=1)),
    ],
)
def test_a_status_leaf_binds_every_part_of_the_change(other: StatusChange) -> None:
    assert status_leaf(other, SALT) != status_leaf(CHANGE, SALT)


def test_a_moment_is_the_same_in_every_time_zone_and_refused_without_one() -> None:
    beijing = NOON.astimezone(timezone(timedelta(hours=8)))
    assert status_list_leaf(URI, beijing, ONE) == status_list_leaf(URI, NOON, ONE)
    with pytest.raises(BadLeaf, match="no time zone"):
        status_list_leaf(URI, NOON.replace(tzinfo=None), ONE)


@pytest.mark.parametrize("salt", [b"", SALT[:15], SALT + b"\x00"])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    with pytest.raises(BadLeaf, match="a salt has 16 bytes"):
        issue_leaf(ONE, salt)


def test_a_digest_of_another_length_is_refused() -> None:
    with pytest.raises(BadLeaf, match="a digest has 32 bytes"):
        issue_leaf(ONE[:31], SALT)


@given(st.data())
def test_a_changed_byte_makes_another_leaf_or_none(data: st.DataObject) -> None:
    leaf = bytearray(issue_leaf(ONE, SALT))
    leaf[data.draw(st.integers(0, len(leaf) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        parsed = parse_leaf(bytes(leaf))
    except BadLeaf:
        return
    assert cbor2.dumps([parsed.kind.value, parsed.version, parsed.commitment], canonical=True) == bytes(leaf)


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"\xff",
        cbor2.dumps(["issue", 1, ONE]) + b"\x00",
        cbor2.dumps(["issue", 2, ONE]),
        cbor2.dumps(["issue", True, ONE]),
        cbor2.dumps(["gift", 1, ONE]),
        cbor2.dumps(["issue", 1, ONE[:31]]),
        cbor2.dumps(["issue", 1, ONE, 0]),
        cbor2.dumps({"kind": "issue"}),
        b"\x9f\x65issue\x01\x58\x20" + ONE + b"\xff",
        b"\x83\x65issue\x18\x01\x58\x20" + ONE,
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81" * 60,
        bytes(1000),
    ],
)
def test_what_is_not_the_canonical_form_is_refused(leaf: bytes) -> None:
    with pytest.raises(BadLeaf):
        parse_leaf(leaf)
    with pytest.raises(BadLeaf):
        require_leaves([issue_leaf(ONE, SALT), leaf])


def test_leaves_of_every_kind_are_let_through() -> None:
    require_leaves(leaf_start(kind) + ONE for kind in LeafKind)
    require_leaves([])
