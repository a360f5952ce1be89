"""The quick way accepts and refuses exactly what the long way does, and is taken."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from hypothesis import given
from hypothesis import strategies as st

from credential import token_check
from credential.der import is_canonical_der
from credential.timestamp import BadTimestamp, Timestamp, verify_timestamp
from credential.token_check import MAX_PATTERNS, TokenCheck
from tests.authorities import certificate, signer, stamp

MESSAGE = "签名".encode()
IMPRINT = hashlib.sha256(MESSAGE).digest()
AT = datetime(2026, 5, 1, 1, 2, 3, tzinfo=UTC)
ANCHORS = [certificate("root"), certificate("tsa-root")]


def tlv(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    octets = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    length = octets or b"\0" if len(content) < 0x80 else bytes((0x80 | len(octets),)) + octets
    return bytes((tag,)) + length + content


@dataclass(frozen=True)
class Made:
    """A token in pieces, each DER; what an authority with this key would have signed comes out."""

    statement: tuple[bytes, ...]
    attributes: tuple[bytes, ...]  # but for the message digest
    signer_info: tuple[bytes, ...]  # version, sid, digest algorithm; signature algorithm
    head: tuple[bytes, ...]  # version, digest algorithms
    bag: tuple[bytes, ...]
    digest: str = "sha256"
    key: str = "tsa"
    behind: tuple[bytes, ...] = field(default=())  # unsigned attributes

    def token(self) -> bytes:
        content = tlv(0x30, *self.statement)
        digest = hashlib.new(self.digest, content).digest()
        named = tlv(0x30, bytes.fromhex("06092a864886f70d010904"), tlv(0x31, tlv(0x04, digest)))
        attributes = b"".join(sorted((*self.attributes, named)))
        signature = tlv(0x04, signer(self.key).sign(tlv(0x31, attributes)))
        *before, algorithm = self.signer_info
        signer_info = tlv(0x30, *before, tlv(0xA0, attributes), algorithm, signature, *self.behind)
        kind = bytes.fromhex("060b2a864886f70d0109100104")
        enclosed = tlv(0x30, kind, tlv(0xA0, tlv(0x04, content)))
        signed_data = tlv(0x30, *self.head, enclosed, *self.bag, tlv(0x31, signer_info))
        return tlv(0x30, bytes.fromhex("06092a864886f70d010702"), tlv(0xA0, signed_data))


@cache
def good() -> Made:
    signed_data = cms.ContentInfo.load(stamp(IMPRINT, AT))["content"]
    info = tsp.TSTInfo.load(bytes(signed_data["encap_content_info"]["content"]))
    info["nonce"] = 7
    one = signed_data["signer_infos"][0]
    names = ("version", "policy", "message_imprint", "serial_number", "gen_time", "accuracy", "nonce", "tsa")
    return Made(
        statement=tuple(info[name].dump() for name in names),
        attributes=tuple(each.dump() for each in one["signed_attrs"] if each["type"].native != "message_digest"),
        signer_info=tuple(one[n].dump() for n in ("version", "sid", "digest_algorithm", "signature_algorithm")),
        head=(signed_data["version"].dump(), signed_data["digest_algorithms"].dump()),
        bag=(signed_data["certificates"].dump(),),
    )


@cache
def good_token() -> bytes:
    return good().token()  # once: no two signatures of a P-256 key are alike


def said(place: int, value: bytes) -> Made:
    """The good token with one value of its statement changed: 3 is the number, 4 the time, 6 the nonce."""
    statement = list(good().statement)
    statement[place] = value
    return replace(good(), statement=tuple(statement))


@cache
def warm() -> TokenCheck:
    check = TokenCheck(ANCHORS)
    check.verify(good_token(), MESSAGE)
    return check


def outcome(verify: Callable[[], Timestamp]) -> Timestamp | str:
    try:
        return verify()
    except BadTimestamp as error:
        return error.en


def long_way(token: bytes) -> Timestamp:
    found = verify_timestamp(token, MESSAGE, ANCHORS)
    if not is_canonical_der(token):
        raise BadTimestamp("it is not in DER", "不是 DER 编码")
    return found


def assert_same(token: bytes) -> Timestamp | str:
    expected = outcome(lambda: long_way(token))
    assert outcome(lambda: warm().verify(token, MESSAGE)) == expected
    return expected


@pytest.fixture
def only_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    warm()

    def refuse(*_: Any) -> None:
        raise AssertionError("the long way was taken")

    monkeypatch.setattr(token_check, "verify_timestamp", refuse)


MOMENTS = ["20260501010204Z", "20260601000000.5Z", "20391231235959.123456Z", "20260501010203.000000Z"]


@pytest.mark.usefixtures("only_quick")
@pytest.mark.parametrize("text", MOMENTS)
def test_a_token_that_differs_only_in_what_may_differ_takes_the_quick_way(text: str) -> None:
    made = said(4, tlv(0x18, text.encode()))
    found = warm().verify(
        replace(made, statement=(*made.statement[:6], tlv(2, b"\x09"), *made.statement[7:])).token(), MESSAGE
    )
    assert found.nonce == 9
    assert found.attested_at.strftime("%Y%m%d%H%M%S") == text[:14]


def stating(accuracy: bytes, at: bytes) -> bytes:
    """A token that differs from the good one in its accuracy and its time."""
    statement = list(good().statement)
    statement[4], statement[5] = tlv(0x18, at), accuracy
    return replace(good(), statement=tuple(statement)).token()


TWO_SECONDS, LAST_SECOND = tlv(0x30, tlv(0x02, b"\2")), b"20391231235959Z"


def test_the_accuracy_of_a_known_pattern_counts_the_quick_way_too(monkeypatch: pytest.MonkeyPatch) -> None:
    check = TokenCheck(ANCHORS)
    check.verify(stating(TWO_SECONDS, b"20260501010203Z"), MESSAGE)
    monkeypatch.setattr(token_check, "verify_timestamp", None)
    found = check.verify(stating(TWO_SECONDS, b"20260601010203Z"), MESSAGE)
    assert found.stated_at == AT.replace(month=6)
    assert found.attested_at == AT.replace(month=6) + timedelta(seconds=2)


@pytest.mark.parametrize("at", [b"20391231235958Z", LAST_SECOND, b"20401231235959Z", b"99991231235959Z"])
def test_a_known_pattern_is_not_believed_beyond_its_time_by_its_accuracy(at: bytes) -> None:
    check = TokenCheck(ANCHORS)
    check.verify(stating(TWO_SECONDS, b"20260501010203Z"), MESSAGE)
    token = stating(TWO_SECONDS, at)
    assert outcome(lambda: check.verify(token, MESSAGE)) == outcome(lambda: long_way(token))


@pytest.mark.parametrize(
    "accuracy",
    [
        tlv(0x30),
        tlv(0x30, tlv(0x80, b"\7"), tlv(0x81, b"\7")),
        tlv(0x30, tlv(0x02, b"\xff")),
        tlv(0x30, tlv(0x81, b"\3\xe8")),
        tlv(0x30, tlv(0x02, b"\1"), tlv(0x02, b"\1")),
    ],
)
def test_any_accuracy_comes_to_the_same(accuracy: bytes) -> None:
    for _ in range(2):
        assert_same(stating(accuracy, b"20260501010203Z"))


@given(
    number=st.binary(max_size=20),
    nonce=st.none() | st.binary(max_size=9),
    text=st.sampled_from(MOMENTS)
    | st.integers(-10_000, 20_000).map(lambda days: f"{AT + timedelta(days, days):%Y%m%d%H%M%S}Z")
    | st.from_regex(r"\A20[234][0-9][01][0-9][0-3][0-9][0-2][0-9]([0-6][0-9]){1,2}([.,][0-9]{0,8})?(Z|\+0800|)\Z"),
)
def test_any_number_time_and_nonce_come_to_the_same(number: bytes, nonce: bytes | None, text: str) -> None:
    statement = list(good().statement)
    statement[3], statement[4] = tlv(0x02, number), tlv(0x18, text.encode())
    statement[6:7] = [] if nonce is None else [tlv(0x02, nonce)]
    assert_same(replace(good(), statement=tuple(statement)).token())


@given(place=st.integers(0, 5_000), bit=st.integers(0, 7))
def test_any_flipped_bit_comes_to_the_same(place: int, bit: int) -> None:
    spoilt = bytearray(good_token())
    spoilt[place % len(spoilt)] ^= 1 << bit
    assert_same(bytes(spoilt))


@given(data=st.data())
def test_anything_cut_out_put_in_or_said_twice_comes_to_the_same(data: st.DataObject) -> None:
    token = good_token()
    start, end = sorted(data.draw(st.lists(st.integers(0, len(token)), min_size=2, max_size=2)))
    instead = data.draw(st.binary(max_size=4) | st.just(token[start:end] * 2))
    assert_same(token[:start] + instead + token[end:])


@given(data=st.data())
def test_pieces_left_out_doubled_or_in_another_order_and_signed_come_to_the_same(data: st.DataObject) -> None:
    """The authority itself breaks the rules: only the form is wrong, the signature is right."""
    made = good()

    def jumbled(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
        others = st.lists(st.sampled_from(pieces), max_size=len(pieces) + 1).map(tuple)
        return data.draw(st.just(pieces) | others)

    jumble = replace(
        made,
        statement=jumbled(made.statement),
        attributes=jumbled(made.attributes),
        head=jumbled(made.head),
        bag=jumbled(made.bag),
    )
    assert_same(jumble.token())


def signing_time(*values: bytes) -> bytes:
    return tlv(0x30, bytes.fromhex("06092a864886f70d010905"), tlv(0x31, *values))


def with_signing_time(*values: bytes) -> Made:
    kept = tuple(one for one in good().attributes if bytes.fromhex("2a864886f70d010905") not in one)
    return replace(good(), attributes=(*kept, signing_time(*values)))


# An extension 1.2.3 that must be understood.
CRITICAL = tlv(0xA1, tlv(0x30, bytes.fromhex("06022a03 0101ff 0400")))
UTC_TIME, GENERALIZED = tlv(0x17, b"260501010203Z"), tlv(0x18, b"20260501010203Z")
OTHER_IMPRINT = tsp.MessageImprint(
    {"hash_algorithm": {"algorithm": "sha512"}, "hashed_message": hashlib.sha512(MESSAGE).digest()}
).dump()
ODD: dict[str, tuple[Callable[[], Made], str]] = {
    "another imprint": (lambda: said(2, good().statement[2][:-1] + b"\0"), "another message"),
    "another algorithm": (lambda: said(2, OTHER_IMPRINT), ""),
    "another policy": (lambda: said(1, core.ObjectIdentifier("1.2.3.4").dump()), ""),
    "before its time": (lambda: said(4, tlv(0x18, b"20240501010203Z")), "no authority that is trusted"),
    "after its time": (lambda: said(4, tlv(0x18, b"20410501010203Z")), "no authority that is trusted"),
    "a critical extension": (
        lambda: replace(good(), statement=(*good().statement, CRITICAL)),
        "critical extension",
    ),
    "the key of another": (lambda: replace(good(), key="tsa-late"), "signature is wrong"),
    "no attributes": (lambda: replace(good(), attributes=()), "another kind of content"),
    "an attribute twice": (lambda: replace(good(), attributes=good().attributes[:1] * 2), "twice"),
    "a digest of another kind": (lambda: replace(good(), digest="sha512"), "another statement"),
    "no certificates": (lambda: replace(good(), bag=()), "does not carry"),
    "unsigned attributes": (lambda: replace(good(), behind=(tlv(0xA1),)), ""),
    "signed at, in the old form": (lambda: with_signing_time(UTC_TIME), ""),
    "signed at, in the new form": (lambda: with_signing_time(GENERALIZED), ""),
    "signed at two times": (lambda: with_signing_time(UTC_TIME, GENERALIZED), "twice"),
    "signed at no time": (with_signing_time, "twice"),
    "signed at a number": (lambda: with_signing_time(tlv(0x02, b"\1")), "no time-stamp token"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_an_authority_may_do_wrong_comes_to_the_same(what: str) -> None:
    make, reason = ODD[what]
    for _ in range(2):  # the second time its pattern may be known
        found = assert_same(make().token())
        if reason:
            assert isinstance(found, str), "it is refused"
            assert reason in found
        else:
            assert isinstance(found, Timestamp), found


def test_a_token_whose_lengths_are_not_canonical_is_refused() -> None:
    token = good_token()
    assert token[1] == 0x82
    longer = b"\x30\x83\0" + token[2:]
    assert isinstance(outcome(lambda: verify_timestamp(longer, MESSAGE, ANCHORS)), Timestamp)
    with pytest.raises(BadTimestamp, match="not in DER"):
        warm().verify(longer, MESSAGE)


def test_a_pattern_is_believed_for_its_own_anchors_only() -> None:
    strict = TokenCheck([certificate("root")])
    with pytest.raises(BadTimestamp, match="no authority that is trusted"):
        strict.verify(good_token(), MESSAGE)


def test_a_chain_is_looked_for_again_outside_the_time_it_was_found_for() -> None:
    """tsa ends in 2040; a pattern learnt in its time is not believed after it, nor one refused after it in its time."""
    late = said(4, tlv(0x18, b"20400601000000Z")).token()
    for first, second in ((good_token(), late), (late, good_token())):
        check = TokenCheck(ANCHORS)
        for token in (first, second):
            expected = outcome(partial(long_way, token))
            assert outcome(partial(check.verify, token, MESSAGE)) == expected


def test_an_authority_that_varies_its_tokens_does_not_fill_the_memory() -> None:
    check = TokenCheck(ANCHORS)
    for arc in range(MAX_PATTERNS + 5):
        check.verify(said(1, core.ObjectIdentifier(f"1.2.3.{arc}").dump()).token(), MESSAGE)
    assert len(check._known) <= MAX_PATTERNS
