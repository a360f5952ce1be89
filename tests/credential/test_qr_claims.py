"""The claims inside the QR code, held against another encoder; room and cutting are in test_qr.py."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credential.claims import BadClaims
from credential.model import Claims, PartialDate
from credential.qr import QrClaims, decode_qr_claims, encode_qr_claims, fit_qr_payload
from credential.schema import QrFields

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

any_qr_claims = st.builds(
    QrClaims,
    issuer=st.text(ALPHANUMERIC, min_size=18, max_size=18),
    serial=st.text(ALPHANUMERIC, min_size=1, max_size=64),
    name=WORDS,
    name_is_cut=st.booleans(),
    title=WORDS,
    level=WORDS,
    qualified_on=st.none() | st.sampled_from(["2026", "2026-06", "2026-06-30"]).map(PartialDate),
    status_list=st.integers(0, (1 << 31) - 1),
    status_index=st.integers(0, (1 << 20) - 1),
    issued_at=st.integers(0, 253_402_300_799).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    claims_digest=st.binary(min_size=32, max_size=32),
)


def slow_encoding(claims: QrClaims) -> bytes:
    """The bytes as docs/formats.md, section 7, words them, written by cbor2."""
    entries = {
        0: 2,
        1: claims.issuer,
        2: claims.serial,
        3: claims.name or None,
        4: 1 if claims.name_is_cut else None,
        5: claims.title or None,
        6: claims.level or None,
        7: claims.qualified_on and claims.qualified_on.text,
        8: claims.status_list,
        9: claims.status_index,
        10: round(claims.issued_at.timestamp()),
        11: claims.claims_digest,
    }
    return cbor2.dumps({key: value for key, value in entries.items() if value is not None}, canonical=True)


@given(any_qr_claims)
def test_the_bytes_are_those_of_another_encoder_and_are_read_back(claims: QrClaims) -> None:
    assert encode_qr_claims(claims) == slow_encoding(claims)
    assert decode_qr_claims(encode_qr_claims(claims)) == claims


ODD = st.one_of(
    st.none(),
    st.integers(-(1 << 32), 1 << 32),
    st.binary(max_size=33),
    WORDS,
    st.sampled_from(["2026-02-29", "\x7f", "长" * 201, [], {}]),
)


@given(any_qr_claims, st.integers(0, 12), ODD)
def test_whatever_stands_under_a_key_is_read_as_it_is_written_or_refused(claims: QrClaims, key: int, odd: Any) -> None:
    entries = cbor2.loads(encode_qr_claims(claims))
    if odd is None:
        entries.pop(key, None)
    else:
        entries[key] = odd
    payload = cbor2.dumps(entries, canonical=True)
    try:
        read = decode_qr_claims(payload)
    except BadClaims:
        return
    assert slow_encoding(read) == encode_qr_claims(read) == payload


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=WORDS, level=WORDS, day=st.sampled_from(["", "2026-06-30"]))
def test_what_fits_whole_is_the_claims_own_words(claims: Claims, title: str, level: str, day: str) -> None:
    fields = {"course": title, "hours": level, "ended_on": day}
    said = replace(claims, fields={key: value for key, value in fields.items() if value})
    payload = fit_qr_payload(said, 7, 1000, 64, in_qr=QrFields("course", "hours", "ended_on"), digest=bytes(32))
    expected = QrClaims(
        issuer=claims.issuer,
        serial=claims.serial,
        name=claims.holder.name,
        name_is_cut=False,
        title=title,
        level=level,
        qualified_on=PartialDate(day) if day else None,
        status_list=7,
        status_index=claims.status_index,
        issued_at=claims.issued_at,
        claims_digest=bytes(32),
    )
    assert payload == slow_encoding(expected)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "11330299mb0t00023p"},
        {"name": "张\n三"},
        {"name": "长" * 201},
        {"title": "\x9f"},
        {"level": 3},
        {"qualified_on": "2026-02-30"},
        {"status_list": 1 << 31},
        {"status_index": -1},
        {"issued_at": datetime(2026, 1, 1)},  # noqa: DTZ001 # without time zone on purpose
        {"issued_at": datetime(1969, 1, 1, tzinfo=UTC)},
        {"claims_digest": bytes(31)},
    ],
)
def test_what_could_not_be_read_back_is_not_written(claims: Claims, change: dict[str, Any]) -> None:
    whole = decode_qr_claims(fit_qr_payload(claims, 7, 313, 64))
    with pytest.raises(BadClaims):
        encode_qr_claims(replace(whole, **change))
