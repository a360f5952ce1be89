"""Claims: one encoding for one statement, and nothing else is read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.claims import BadClaims, claims_digest, decode_claims, encode_claims
from credential.model import Claims, DocumentType, Holder, PartialDate
from credential.serial import identifier

LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)


@st.composite
def any_claims(draw: st.DrawFn) -> Claims:
    serial = draw(st.text("0123456789", min_size=1, max_size=20))
    version = draw(st.integers(1, 999))
    digests = st.binary(min_size=32, max_size=32)
    return Claims(
        issuer="11330299MB0T00023P",
        issuer_name=draw(LINES),
        serial=serial,
        version=version,
        kind="professional-title",
        identifier=identifier("11339900MB0T000153001", "11330299MB0T00023P", serial, version),
        holder=Holder(
            draw(LINES), draw(st.sampled_from(DocumentType)), draw(st.sampled_from(["", "330299198604120173"])), "女"
        ),
        fields=draw(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,30}", fullmatch=True), LINES, max_size=12)),
        issued_at=draw(st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC))).replace(  # noqa: DTZ001 # hypothesis asks for naive bounds
            microsecond=0
        ),
        issued_on=PartialDate(draw(st.dates().map(date.isoformat))),
        expires_on=draw(st.none() | st.dates()),
        status_uri=f"https://zs.example.gov.cn/status/{draw(st.integers(0, 999))}",
        status_index=draw(st.integers(0, (1 << 20) - 1)),
        verification_code="7F3K9Q2MWX4T8ZBN",
        photo_digest=draw(st.none() | digests),
        template_digest=draw(digests),
        salt=draw(st.binary(min_size=16, max_size=16)),
    )


@given(any_claims())
def test_claims_are_read_back_as_they_were(claims: Claims) -> None:
    assert decode_claims(encode_claims(claims)) == claims


def slow_encoding(claims: Claims) -> bytes:
    """The bytes as docs/formats.md, section 5, words them, written by cbor2; no key of ours meets its other order."""
    entries = {
        0: 1,
        1: claims.issuer,
        2: claims.issuer_name,
        3: claims.serial,
        4: claims.version,
        5: claims.kind,
        6: claims.identifier,
        7: {1: claims.holder.name, 2: claims.holder.id_type.value, 3: claims.holder.id_number, 4: claims.holder.sex},
        8: dict(claims.fields),
        9: round(claims.issued_at.timestamp()),
        10: claims.issued_on.text,
        11: claims.expires_on and claims.expires_on.isoformat(),
        12: claims.status_uri,
        13: claims.status_index,
        14: claims.verification_code,
        15: claims.photo_digest,
        16: claims.template_digest,
        17: claims.salt,
    }
    return cbor2.dumps({key: value for key, value in entries.items() if value is not None}, canonical=True)


@given(any_claims())
def test_the_bytes_are_those_of_another_encoder(claims: Claims) -> None:
    assert encode_claims(claims) == slow_encoding(claims)


ODD = st.one_of(
    st.none(),
    st.integers(-(1 << 33), 1 << 33),
    st.binary(max_size=33),
    LINES,
    st.sampled_from(
        ["", "0", "2026", "2026-02-29", "111", "\x00", "\u2029", "2026-07-08\n", [], {}, {1: 2}, {"a": "b"}]
    ),
    st.lists(LINES, max_size=2),
    st.dictionaries(st.one_of(st.integers(0, 5), LINES), st.one_of(LINES, st.integers(0, 5)), max_size=3),
)


@given(any_claims(), st.sampled_from([*range(19), (7, 1), (7, 2), (7, 3), (7, 4), (8, "title"), (8, 1)]), ODD)
def test_whatever_stands_under_a_key_is_read_as_it_is_written_or_refused(
    claims: Claims, key: int | tuple[int, Any], odd: Any
) -> None:
    entries = cbor2.loads(encode_claims(claims))
    if isinstance(key, tuple):
        entries[key[0]][key[1]] = odd
    elif odd is None:
        entries.pop(key, None)
    else:
        entries[key] = odd
    payload = cbor2.dumps(entries, canonical=True)
    try:
        read = decode_claims(payload)
    except BadClaims:
        return
    assert slow_encoding(read) == encode_claims(read) == payload


@given(any_claims(), st.randoms(use_true_random=False))
def test_the_bytes_do_not_depend_on_the_order_of_fields(claims: Claims, random: Any) -> None:
    items = list(claims.fields.items())
    random.shuffle(items)
    assert encode_claims(replace(claims, fields=dict(items))) == encode_claims(claims)


def test_the_bytes_are_those_of_the_specification(claims: Claims) -> None:
    entries = cbor2.loads(encode_claims(claims))
    assert list(entries) == list(range(18))
    assert entries[0] == 1
    assert entries[3] == "33029920260520001289"
    assert entries[7] == {1: "张喆堃", 2: "111", 3: "330299198604120173", 4: "男"}
    assert entries[9] == 1783472523
    assert entries[11] == "2031-07-07"
    assert cbor2.dumps(entries, canonical=True) == encode_claims(claims)
    # Written down on the day the format was fixed: a change here breaks every certificate there is.
    assert claims_digest(encode_claims(claims)).hex() == (
        "c75a86daf3653328adc522953ea20ec9470c3d5295e919d1ee243c04eccaf4cd"
    )


def test_the_same_moment_in_another_time_zone_gives_the_same_bytes(claims: Claims) -> None:
    beijing = replace(claims, issued_at=claims.issued_at.astimezone(timezone(timedelta(hours=8))))
    assert encode_claims(beijing) == encode_claims(claims)


@given(any_claims(), st.data())
def test_a_changed_byte_never_reads_as_the_same_claims(claims: Claims, data: st.DataObject) -> None:
    payload = encode_claims(claims)
    at = data.draw(st.integers(0, len(payload) - 1))
    changed = payload[:at] + bytes([payload[at] ^ data.draw(st.integers(1, 255))]) + payload[at + 1 :]
    try:
        assert decode_claims(changed) != claims
    except BadClaims:
        return


@given(st.binary(max_size=200))
def test_any_bytes_give_claims_or_the_error(payload: bytes) -> None:
    with pytest.raises(BadClaims):
        decode_claims(payload)


def _with_field(key: str, value: str) -> Callable[[Claims], Claims]:
    return lambda claims: replace(claims, fields={key: value})


@pytest.mark.parametrize(
    "change",
    [
        lambda c: replace(c, issuer="11330299mb0t00023p"),
        lambda c: replace(c, issuer_name=""),
        lambda c: replace(c, issuer_name="示例\n市"),
        lambda c: replace(c, issuer_name="长" * 2001),
        lambda c: replace(c, serial="3302992026052000128"),
        lambda c: replace(c, version=2),
        lambda c: replace(c, issuer="11649900MB0T000311"),
        lambda c: replace(c, version=0),
        lambda c: replace(c, kind="Professional"),
        lambda c: replace(c, identifier=c.identifier[:-1] + "5"),
        lambda c: replace(c, holder=replace(c.holder, name="")),
        lambda c: replace(c, holder=replace(c.holder, name="张\ud800")),
        lambda c: replace(c, holder=replace(c.holder, id_type="112")),
        lambda c: replace(c, holder=replace(c.holder, sex=1)),
        _with_field("Title", "高级工程师"),
        _with_field("title", ""),
        _with_field("title", "高级\x00工程师"),
        lambda c: replace(c, fields={"title": 1}),
        lambda c: replace(c, fields={1: "title"}),
        lambda c: replace(c, issued_at=c.issued_at.replace(tzinfo=None)),
        lambda c: replace(c, issued_at=c.issued_at.replace(microsecond=1)),
        lambda c: replace(c, issued_at=datetime(1969, 12, 31, tzinfo=UTC)),
        lambda c: replace(c, issued_on="2026-7-8"),
        lambda c: replace(c, status_uri="ftp://example.cn/1"),
        lambda c: replace(c, status_index=1 << 20),
        lambda c: replace(c, status_index=-1),
        lambda c: replace(c, verification_code="7F3K9Q2MWX4T8ZBU"),
        lambda c: replace(c, verification_code="7F3K-9Q2M-WX4T-8"),
        lambda c: replace(c, photo_digest=b""),
        lambda c: replace(c, template_digest=bytes(31)),
        lambda c: replace(c, salt=bytes(15)),
        lambda c: replace(c, fields={f"k{n}": "长" * 2000 for n in range(20)}),
    ],
)
def test_what_could_not_be_read_back_is_not_written(change: Callable[[Claims], Claims], claims: Claims) -> None:
    with pytest.raises(BadClaims):
        encode_claims(change(claims))


@pytest.mark.parametrize(
    "change",
    [
        {0: 2},
        {0: 0},
        {18: 1},
        {11: "2031-7-7"},
        {11: "20310707"},
        {11: "2031-W27-1"},
        {11: "2031-02-30"},
        {10: "2026-07-00"},
        {7: "张喆堃"},
        {7: {1: "张", 2: "111", 3: ""}},
        {7: {1: "张", 2: "111", 3: "", 4: "", 5: ""}},
        {8: []},
        {4: "1"},
        {16: "0" * 32},
        {9: 253402300800},
    ],
)
def test_a_map_with_a_wrong_value_is_refused(change: dict[int, Any], claims: Claims) -> None:
    entries = cbor2.loads(encode_claims(claims)) | change
    with pytest.raises(BadClaims):
        decode_claims(cbor2.dumps(entries, canonical=True))


@pytest.mark.parametrize("key", sorted(set(range(18)) - {11, 15}))
def test_a_missing_key_is_refused(key: int, claims: Claims) -> None:
    entries = cbor2.loads(encode_claims(claims))
    del entries[key]
    with pytest.raises(BadClaims):
        decode_claims(cbor2.dumps(entries, canonical=True))


def test_bytes_beyond_64_kib_are_not_even_read(claims: Claims) -> None:
    with pytest.raises(BadClaims, match="too long"):
        decode_claims(encode_claims(claims) + bytes(1 << 16))


@pytest.mark.parametrize(
    ("spelt", "otherwise"),
    [(b"\x04\x01\x05", b"\x04\x18\x01\x05"), (b"\x63111", b"\x78\x03111"), (b"\xb2\x00\x01", b"\xbf\x00\x01")],
)
def test_another_encoding_is_refused_by_writing_again_even_if_the_reader_let_it_pass(
    claims: Claims, spelt: bytes, otherwise: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credential.claims.decode_map", lambda payload, *_, **__: cbor2.loads(payload))
    payload = encode_claims(claims)
    changed = payload.replace(spelt, otherwise, 1) + (b"\xff" if otherwise[0] == 0xBF else b"")
    assert decode_claims(payload) == claims
    assert cbor2.loads(changed) == cbor2.loads(payload)
    with pytest.raises(BadClaims, match="as they read"):
        decode_claims(changed)


def test_an_error_says_nothing_personal(claims: Claims) -> None:
    entries = cbor2.loads(encode_claims(claims))
    entries[7] = {1: "张喆堃", 2: "张喆堃", 3: "330299198604120173", 4: "男"}
    with pytest.raises(BadClaims) as caught:
        decode_claims(cbor2.dumps(entries, canonical=True))
    for sentence in (str(caught.value), caught.value.zh):
        assert "张" not in sentence
        assert "330299" not in sentence
