import hashlib
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from pycose.keys.ec2 import EC2Key
from pycose.messages.sign1message import Sign1Message

from credential.model import StatusValue
from credential.ports import Algorithm
from registry.status.token_list import (
    LIFETIME,
    MAX_LIST_BYTES,
    MAX_TOKEN_BYTES,
    SLOTS,
    TTL,
    BadStatusToken,
    StatusExpired,
    StatusList,
    WrongStatusKey,
    deflate,
    inflate,
    open_status_token,
    pack_statuses,
    sign_cwt,
    sign_jwt,
)

NOW = datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)
URI = "https://rsj.example/status/1"


@dataclass(frozen=True)
class P256Signer:
    """A working signer of the shape of credential.ports.Signer."""

    key: ec.EllipticCurvePrivateKey
    algorithm: Algorithm = Algorithm.P256

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, ec.ECDSA(SHA256()))


SIGNER = P256Signer(ec.derive_private_key(0x5EA1, ec.SECP256R1()))
STRANGER = P256Signer(ec.derive_private_key(0xBAD, ec.SECP256R1()))
LIST = StatusList(URI, NOW, NOW + LIFETIME, TTL, 2, pack_statuses([(3, 1), (4, 2), (SLOTS - 1, 3)]))
BOTH = pytest.mark.parametrize("sign", [sign_cwt, sign_jwt])

# Section 4.1 of the draft, and its appendix C: slots, and the zlib stream they must give.
C1 = {0: 1, 1993: 1, 25460: 1, 159495: 1, 495669: 1, 554353: 1, 645645: 1, 723232: 1, 854545: 1, 934534: 1, 1000345: 1}
C1_LST = bytes.fromhex(
    "78daeddc010dc0200c0041a88249400ad2903e0f4b"
    "ba00bd93f002beb7a2a2010000a91e09000000000000000000000000000000807296"
    "04000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000005c6f4800000000000000fc2c240000000000000000000000be1b12"
    "000000000000000000ecaa4b000000000000000000000000000000009b0b09000000"
    "00000000000038de9400000000000000002a30cc010000000080642f0bd8011b"
)
C2 = {0: 1, 1993: 2, 25460: 1, 159495: 3, 495669: 1, 554353: 1, 645645: 2, 723232: 1, 854545: 1, 934534: 2, 1000345: 3}
C2_LST = bytes.fromhex(
    "78daeddb310d00211000412ea1a04004fe5520ed"
    "357c28c81d3312b6df68bc65480000000000406e2101000000000000000000000000"
    "0000000000000000000000000000000000000040795b020000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000"
    "0080f4ba0400000000000000000000000000406d764a000000000000000000000000"
    "000000000000000000e0922101000000000000000000000000000000000000fc1312"
    "00000000000000000000000000000000000000000000000000000000000000c0912e"
    "01000000000000000000000000000000000000c07d4b020000000000000000000000"
    "00000000a8614a0000000000000000000000406a1fcd60010c"
)


@pytest.mark.parametrize(
    ("bits", "slots", "values", "stream"),
    [
        (1, 16, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1], "78dadbb918000217015d"),
        (2, 12, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3], "78da3be9f2130003df0207"),
    ],
)
def test_the_short_examples_of_the_draft_come_out_byte_for_byte(
    bits: int, slots: int, values: list[int], stream: str
) -> None:
    data = pack_statuses(enumerate(values), bits, slots)
    assert deflate(data).hex() == stream
    opened = StatusList(URI, NOW, NOW, TTL, bits, inflate(bytes.fromhex(stream)))
    assert [opened.value(index) for index in range(slots)] == values


@pytest.mark.parametrize(
    ("bits", "slots", "stream"),
    [(1, C1, C1_LST), (2, C2, C2_LST)],
    ids=["C.1", "C.2"],
)
def test_the_long_vectors_of_the_draft_pass(bits: int, slots: dict[int, int], stream: bytes) -> None:
    assert deflate(pack_statuses(slots.items(), bits)) == stream
    opened = StatusList(URI, NOW, NOW, TTL, bits, inflate(stream))
    assert {index: opened.value(index) for index in slots} == slots


EXAMPLE_CWT = bytes.fromhex(
    "d2845820a2012610781a6170706c69636174696f6e2f7374617475736c6973742b637774a1044231325850a502782168747470733a2f2f6578616d"
    "706c652e636f6d2f7374617475736c697374732f31061a648c5bea041a8898dfea19fffe19a8c019fffda2646269747301636c73744a78dadbb918"
    "000217015d584093fa4d01032b18c35e2fe1101b77fd6cc9440022caa4694450c4e4e9feab4e99d1fa6d9772ce2bf3a12e0323ded7c982c5e101a5"
    "e67f0cbc1e2b6f57ce99c279"
)
EXAMPLE_X, EXAMPLE_Y = (
    "I3HWm_0Ds1dPMI-IWmf4mBmH-YaeAVbPVu7vB27CxXo",
    "6N_d5Elj9bs1htgV3okJKIdbHEpkgTmAluYKJemzn1M",
)


def _example_key() -> bytes:
    """The key of the draft's own example generator (src/util.py of its repository)."""
    x, y = (int.from_bytes(urlsafe_b64decode(part + "=")) for part in (EXAMPLE_X, EXAMPLE_Y))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_the_signed_example_of_the_draft_opens() -> None:
    opened = open_status_token(EXAMPLE_CWT, _example_key(), NOW)
    assert opened.sub == "https://example.com/statuslists/1"
    assert (opened.iat.timestamp(), opened.exp.timestamp(), opened.ttl) == (
        1686920170,
        2291720170,
        timedelta(seconds=43200),
    )
    assert opened.data == b"\xb9\xa3"


@BOTH
def test_a_signed_list_opens_again_and_says_the_same(sign: Any) -> None:
    opened = open_status_token(sign(LIST, SIGNER), SIGNER.public_key, NOW)
    assert opened == LIST
    assert [opened.value(index) for index in (0, 3, 4, SLOTS - 1)] == [
        StatusValue.VALID, StatusValue.INVALID, StatusValue.SUSPENDED, StatusValue.SUPERSEDED,
    ]  # fmt: skip
    assert opened.digest == hashlib.sha256(LIST.data).digest()


def test_pyjwt_accepts_our_jwt_and_reads_the_same() -> None:
    token = sign_jwt(LIST, SIGNER)
    claims = jwt.decode(
        token, SIGNER.key.public_key(), algorithms=["ES256"], options={"verify_exp": False, "verify_iat": False}
    )
    assert jwt.get_unverified_header(token)["typ"] == "statuslist+jwt"
    assert claims["sub"] == URI
    assert (claims["ttl"], claims["exp"] - claims["iat"]) == (600, 86400)
    lst = claims["status_list"]["lst"]
    assert zlib.decompress(urlsafe_b64decode(lst + "=" * (-len(lst) % 4))) == LIST.data


def test_pycose_accepts_our_cwt_and_reads_the_same() -> None:
    protected, unprotected, payload, signature = cbor2.loads(sign_cwt(LIST, SIGNER)).value
    # pycose's own decode() expects lists where the newest cbor2 gives tuples, so the four parts are handed to it.
    message = Sign1Message.from_cose_obj([protected, dict(unprotected), payload, signature], True)
    numbers = SIGNER.key.public_key().public_numbers()
    message.key = EC2Key(crv="P_256", x=numbers.x.to_bytes(32), y=numbers.y.to_bytes(32))
    assert message.verify_signature()
    claims = cbor2.loads(message.payload or b"")
    assert claims[2] == URI
    assert (claims[65534], claims[4] - claims[6]) == (600, 86400)
    assert claims[65533]["bits"] == 2
    assert zlib.decompress(claims[65533]["lst"]) == LIST.data


def test_our_cwt_carries_the_type_of_the_draft_in_its_protected_header() -> None:
    token = sign_cwt(LIST, SIGNER)
    assert token[0] == 0xD2
    assert cbor2.loads(cbor2.loads(token).value[0])[16] == "application/statuslist+cwt"


@BOTH
def test_a_list_past_its_expiry_says_nothing(sign: Any) -> None:
    token = sign(LIST, SIGNER)
    assert open_status_token(token, SIGNER.public_key, LIST.exp - timedelta(seconds=1)) == LIST
    with pytest.raises(StatusExpired) as caught:
        open_status_token(token, SIGNER.public_key, LIST.exp)
    assert caught.value.code == "status-expired"


@BOTH
def test_a_list_from_the_future_is_refused(sign: Any) -> None:
    with pytest.raises(BadStatusToken, match="future"):
        open_status_token(sign(LIST, SIGNER), SIGNER.public_key, NOW - timedelta(minutes=6))


@BOTH
def test_a_list_signed_by_another_key_is_refused_even_when_expired(sign: Any) -> None:
    token = sign(LIST, STRANGER)
    for now in (NOW, LIST.exp):
        with pytest.raises(BadStatusToken, match="signature"):
            open_status_token(token, SIGNER.public_key, now)


@BOTH
def test_a_list_opened_before_is_judged_anew_under_another_key_and_at_another_time(sign: Any) -> None:
    token = sign(LIST, SIGNER)
    for _ in range(2):
        assert open_status_token(token, SIGNER.public_key, NOW) == LIST
        with pytest.raises(BadStatusToken, match="signature"):
            open_status_token(token, STRANGER.public_key, NOW)
        with pytest.raises(BadStatusToken, match="future"):
            open_status_token(token, SIGNER.public_key, NOW - timedelta(minutes=6))
        with pytest.raises(StatusExpired):
            open_status_token(token, SIGNER.public_key, LIST.exp)


@BOTH
@settings(max_examples=150)
@given(data=st.data())
def test_any_changed_byte_is_found(sign: Any, data: st.DataObject) -> None:
    token = bytearray(TOKENS[sign.__name__])
    token[data.draw(st.integers(0, len(token) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadStatusToken):
        open_status_token(bytes(token), SIGNER.public_key, NOW)


TOKENS = {"sign_cwt": sign_cwt(LIST, SIGNER), "sign_jwt": sign_jwt(LIST, SIGNER)}


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_worse(noise: bytes) -> None:
    for token in (noise, b"\xd2" + noise, b".".join([noise, noise, noise])):
        with pytest.raises(BadStatusToken):
            open_status_token(token, SIGNER.public_key, NOW)


def test_a_bomb_is_refused_in_bounded_memory() -> None:
    bomb = zlib.compress(bytes(MAX_LIST_BYTES + 1), 9)
    assert len(bomb) < 2000
    with pytest.raises(BadStatusToken, match="more than"):
        inflate(bomb)
    assert len(inflate(zlib.compress(bytes(MAX_LIST_BYTES)))) == MAX_LIST_BYTES


@pytest.mark.parametrize("stream", [b"", deflate(LIST.data)[:-1], deflate(LIST.data) + b"\x00", b"\x78\xda\xff"])
def test_a_list_that_is_no_single_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(BadStatusToken):
        inflate(stream)


@pytest.mark.parametrize("index", [-1, SLOTS])
def test_a_slot_outside_the_list_is_refused_and_never_valid(index: int) -> None:
    with pytest.raises(BadStatusToken, match="no slot"):
        LIST.value(index)


def test_a_value_that_does_not_fit_is_refused() -> None:
    for entry in ((SLOTS, 1), (-1, 1), (0, 4)):
        with pytest.raises(BadStatusToken, match="no place"):
            pack_statuses([entry])


@given(st.sampled_from([1, 2, 4, 8]), st.dictionaries(st.integers(0, 999), st.integers(0, 255), max_size=30))
def test_slots_keep_their_values_and_all_others_are_valid(bits: int, statuses: dict[int, int]) -> None:
    expected = {index: value % (1 << bits) for index, value in statuses.items()}
    packed = StatusList(URI, NOW, NOW, TTL, bits, pack_statuses(expected.items(), bits, 1000))
    assert [packed.value(index) for index in range(1000)] == [expected.get(index, 0) for index in range(1000)]


def test_a_token_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadStatusToken, match="longer than"):
        open_status_token(b"\xd2" + bytes(MAX_TOKEN_BYTES), SIGNER.public_key, NOW)


def _cwt(claims: object, protected: dict[int, object] | None = None) -> bytes:
    header = cbor2.dumps({1: -7, 16: "application/statuslist+cwt"} if protected is None else protected)
    payload = cbor2.dumps(claims)
    der = SIGNER.sign(cbor2.dumps(["Signature1", header, b"", payload]))
    raw = b"".join(number.to_bytes(32) for number in decode_dss_signature(der))
    return cbor2.dumps(cbor2.CBORTag(18, [header, {}, payload, raw]))


GOOD = {2: URI, 6: int(NOW.timestamp()), 4: int(LIST.exp.timestamp()), 65534: 600}
GOOD_CLAIMS: dict[int, object] = {**GOOD, 65533: {"bits": 2, "lst": deflate(LIST.data)}}


def test_the_claims_of_the_next_tests_are_good_as_they_stand() -> None:
    assert open_status_token(_cwt(GOOD_CLAIMS), SIGNER.public_key, NOW) == LIST


@pytest.mark.parametrize("missing", [2, 4, 6, 65533, 65534])
def test_a_signed_token_that_lacks_a_claim_is_refused(missing: int) -> None:
    claims = {key: value for key, value in GOOD_CLAIMS.items() if key != missing}
    with pytest.raises(BadStatusToken):
        open_status_token(_cwt(claims), SIGNER.public_key, NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {4: True}, {4: 1.5e9}, {4: 10**15}, {6: -1}, {2: b"uri"}, {65534: 0},
        {65533: {"bits": 3, "lst": deflate(b"")}}, {65533: {"bits": True, "lst": deflate(b"")}},
        {65533: {"bits": 2, "lst": "text"}}, {65533: []},
    ],
)  # fmt: skip
def test_a_signed_token_with_a_claim_of_another_type_is_refused(claims: dict[int, object]) -> None:
    with pytest.raises(BadStatusToken):
        open_status_token(_cwt({**GOOD_CLAIMS, **claims}), SIGNER.public_key, NOW)


@pytest.mark.parametrize(
    "protected",
    [
        {1: -7},
        {16: "application/statuslist+cwt"},
        {1: -7, 16: "application/cwt"},
        {1: -35, 16: "application/statuslist+cwt"},
        {1: -7, 16: "application/statuslist+cwt", 2: [16]},
    ],
)
def test_a_signed_token_of_another_type_is_refused(protected: dict[int, object]) -> None:
    with pytest.raises(BadStatusToken, match="header"):
        open_status_token(_cwt(GOOD_CLAIMS, protected), SIGNER.public_key, NOW)


@pytest.mark.parametrize("header", [{"alg": "none"}, {"typ": "JWT"}, {"alg": "HS256"}, {"crit": ["exp"]}])
def test_a_jwt_with_another_header_is_refused(header: dict[str, object]) -> None:
    parts = sign_jwt(LIST, SIGNER).split(b".")
    changed = json.loads(urlsafe_b64decode(parts[0] + b"==")) | header
    parts[0] = urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=")
    with pytest.raises(BadStatusToken, match="header"):
        open_status_token(b".".join(parts), SIGNER.public_key, NOW)


def test_only_a_p256_key_signs_and_verifies() -> None:
    with pytest.raises(WrongStatusKey):
        sign_cwt(LIST, replace(SIGNER, algorithm=Algorithm.ED25519))
    other = ec.derive_private_key(5, ec.SECP384R1()).public_key()
    with pytest.raises(WrongStatusKey):
        open_status_token(
            sign_cwt(LIST, SIGNER), other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), NOW
        )
