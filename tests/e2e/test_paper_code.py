"""The browser reads and verifies QR codes exactly as our Python does, and those of an independent COSE library."""

import base64
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page
from pycose.headers import KID
from pycose.headers import Algorithm as AlgorithmHeader
from pycose.keys.ec2 import EC2Key
from pycose.messages.sign1message import Sign1Message

from credential.cbor import BadCbor, Tag, decode, encode
from credential.cose import key_id, sign_message
from credential.model import PartialDate
from credential.ports import Algorithm
from credential.qr import MAX_MESSAGE_BYTES, QrClaims, encode_qr_claims
from credential.qr_capacity import decimal_digits
from credential.trust_list import Role, TrustedKey, write_key
from service.assets import Assets
from tests.verifier.gallery import USCC, fragment_of

ISSUED = datetime(2026, 7, 8, 1, 0, tzinfo=UTC)
CLAIMS = QrClaims(
    issuer=USCC,
    serial="33029920260520001289",
    name="阿依努尔·买买提江𣲵",
    name_is_cut=False,
    title="高级工程师",
    level="副高级",
    qualified_on=PartialDate("2026-06"),
    status_list=3,
    status_index=1_048_575,
    issued_at=ISSUED,
    claims_digest=bytes(range(32)),
)
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class MemorySigner:
    algorithm: Algorithm
    key: PrivateKey = field(repr=False)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), SHA256())
        return self.key.sign(message, ec.ECDSA(SHA384() if self.algorithm is Algorithm.P384 else SHA256()))

    def trusted(self, **changes: Any) -> dict[str, str | None]:
        key = TrustedKey(Role.QR, USCC, self.algorithm, self.public_key, ISSUED - timedelta(days=1))
        return write_key(replace(key, **changes))


SIGNERS = [
    MemorySigner(Algorithm.P256, ec.generate_private_key(ec.SECP256R1())),
    MemorySigner(Algorithm.P384, ec.generate_private_key(ec.SECP384R1())),
    MemorySigner(Algorithm.ED25519, ed25519.Ed25519PrivateKey.generate()),
    MemorySigner(Algorithm.RSA_2048, rsa.generate_private_key(65537, 2048)),
]
SIGNER = SIGNERS[0]
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def page(browser: Browser, gallery: str) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(gallery)  # under the policy that the pages have
    yield page
    context.close()


@pytest.fixture(scope="module")
def verify(page: Page) -> Run:
    script = """async ([address, fragment, keys, shown]) => {
        const code = await import(address);
        try {
            const {outcome, claims} = await code.verify("#" + fragment, keys);
            if (outcome !== "good") return {outcome};
            const hex = Array.from(claims.claims_digest, (one) => one.toString(16).padStart(2, "0")).join("");
            const wrong = shown ? code.differences(claims, shown) : [];
            return {outcome, wrong, claims: {...claims, claims_digest: hex}};
        } catch (error) { return {outcome: error.constructor.name}; }
    }"""
    address = Assets().address("cose.js")

    def run(fragment: str, *keys: dict[str, str | None], shown: dict[str, str] | None = None) -> Any:
        return page.evaluate(script, [address, fragment, list(keys), shown])

    return run


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda one: one.algorithm)
def test_what_we_sign_is_good_and_says_what_it_said(verify: Run, signer: MemorySigner) -> None:
    fragment = fragment_of(sign_message(encode_qr_claims(CLAIMS), signer))

    assert verify(fragment, SIGNER.trusted(), signer.trusted()) == {
        "outcome": "good",
        "wrong": [],
        "claims": {
            "issuer": CLAIMS.issuer,
            "serial": CLAIMS.serial,
            "name": CLAIMS.name,
            "title": CLAIMS.title,
            "level": CLAIMS.level,
            "qualified_on": "2026-06",
            "status_list": 3,
            "status_index": 1_048_575,
            "issued_at": int(ISSUED.timestamp()),
            "claims_digest": CLAIMS.claims_digest.hex(),
        },
    }


def test_a_message_that_pycose_signed_is_good(verify: Run) -> None:
    key = SIGNER.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    numbers = key.private_numbers()
    point = numbers.public_numbers
    theirs = Sign1Message(
        phdr={AlgorithmHeader: "ES256", KID: key_id(SIGNER.public_key)}, payload=encode_qr_claims(CLAIMS)
    )
    theirs.key = EC2Key(
        crv="P_256", x=point.x.to_bytes(32), y=point.y.to_bytes(32), d=numbers.private_value.to_bytes(32)
    )

    assert verify(fragment_of(theirs.encode()), SIGNER.trusted())["outcome"] == "good"


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda one: one.algorithm)
def test_no_changed_byte_is_good(verify: Run, signer: MemorySigner) -> None:
    message = sign_message(encode_qr_claims(CLAIMS), signer)
    for at in range(0, len(message), 7):
        for flip in (1, 0x80):
            changed = message[:at] + bytes([message[at] ^ flip]) + message[at + 1 :]
            assert verify(fragment_of(changed), signer.trusted())["outcome"] != "good", (at, flip)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "good"),
        ({"valid_from": ISSUED + timedelta(seconds=1)}, "foreign"),
        ({"valid_until": ISSUED}, "foreign"),
        ({"valid_until": ISSUED + timedelta(seconds=1)}, "good"),
        ({"compromised_since": ISSUED + timedelta(days=9)}, "foreign"),
        ({"issuer": "11649900MB0T000311"}, "forged"),
        ({"public_key": SIGNERS[1].public_key, "algorithm": Algorithm.P384}, "foreign"),
        ({"algorithm": Algorithm.P384}, "forged"),
    ],
)
def test_a_key_counts_in_its_time_for_its_issuer_only(verify: Run, changes: dict[str, Any], outcome: str) -> None:
    fragment = fragment_of(sign_message(encode_qr_claims(CLAIMS), SIGNER))

    assert verify(fragment, SIGNER.trusted(**changes))["outcome"] == outcome


def test_without_keys_nothing_is_good(verify: Run) -> None:
    assert verify(fragment_of(sign_message(encode_qr_claims(CLAIMS), SIGNER)))["outcome"] == "foreign"


SHOWN = {
    "issuer": CLAIMS.issuer,
    "serial": CLAIMS.serial,
    "name": CLAIMS.name,
    "title": CLAIMS.title,
    "level": CLAIMS.level,
    "qualified_on": "2026-06",
    "claims_digest": CLAIMS.claims_digest.hex(),
}


@pytest.mark.parametrize("name", SHOWN)
def test_each_difference_is_found(verify: Run, name: str) -> None:
    fragment = fragment_of(sign_message(encode_qr_claims(CLAIMS), SIGNER))

    assert verify(fragment, SIGNER.trusted(), shown=SHOWN)["wrong"] == []
    for other in ("", f"{SHOWN[name]}0", SHOWN[name][:-1]):
        assert verify(fragment, SIGNER.trusted(), shown=SHOWN | {name: other})["wrong"] == [name]


def test_words_that_were_cut_may_be_a_beginning_and_nothing_else(verify: Run) -> None:
    cut = replace(CLAIMS, name="阿依努尔", name_is_cut=True, title="高级…")
    fragment = fragment_of(sign_message(encode_qr_claims(cut), SIGNER))

    assert verify(fragment, SIGNER.trusted(), shown=SHOWN)["wrong"] == []
    assert verify(fragment, SIGNER.trusted(), shown=SHOWN | {"name": "阿依"})["wrong"] == ["name"]
    assert verify(fragment, SIGNER.trusted(), shown=SHOWN | {"title": "正高级工程师"})["wrong"] == ["title"]


def test_a_missing_claim_is_none_that_is_empty_on_the_page(verify: Run) -> None:
    bare = replace(CLAIMS, title="", level="", qualified_on=None)
    fragment = fragment_of(sign_message(encode_qr_claims(bare), SIGNER))
    empty = {"title": "", "level": "", "qualified_on": ""}

    assert verify(fragment, SIGNER.trusted(), shown=SHOWN | empty)["wrong"] == []
    assert verify(fragment, SIGNER.trusted(), shown=SHOWN)["wrong"] == list(empty)


def test_the_longest_code_is_read_and_a_longer_one_is_not(verify: Run) -> None:
    longest = 10 ** decimal_digits(MAX_MESSAGE_BYTES) - 1

    assert verify(f"1{longest}")["outcome"] == "Unreadable"
    assert verify("1" + "9" * 100_000)["outcome"] == "Unreadable"
    # One byte more than fits, well behind its leading 01: parse_qr_text counts digits, and so must the browser.
    begin = b"\xd2\x84"
    assert verify(fragment_of(begin + bytes(MAX_MESSAGE_BYTES - 1)))["outcome"] == "Unreadable"
    assert verify(fragment_of(begin + bytes(MAX_MESSAGE_BYTES - 2)))["outcome"] == "BadCode"
    padded = encode(Tag(18, [b"", {}, bytes(MAX_MESSAGE_BYTES - 12), b""]))
    assert len(str(int.from_bytes(b"\x01" + padded))) <= decimal_digits(MAX_MESSAGE_BYTES)


def test_the_browser_takes_exactly_the_bytes_that_python_takes(page: Page) -> None:
    chance = random.Random(20261122)  # noqa: S311 - examples, the same each time
    whole = sign_message(encode_qr_claims(CLAIMS), SIGNER)
    examples = [
        whole,
        encode_qr_claims(CLAIMS),
        *(encode(one) for one in VALUES),
        *(cbor2.dumps(one) for one in VALUES),
    ]
    examples += [bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9))) for _ in range(3000)]
    for _ in range(3000):
        changed = bytearray(chance.choice(examples[:20]))
        changed[chance.randrange(len(changed))] = chance.randrange(256)
        examples.append(
            bytes(changed[: chance.randrange(1, len(changed) + 1)]) if chance.random() < 0.3 else bytes(changed)
        )
    script = """async ([address, examples]) => {
        const {decode, BadCode} = await import(address);
        const told = (value) => {
            if (value instanceof Uint8Array) return {b: Array.from(value)};
            if (value instanceof Map) return {m: [...value].map(([key, one]) => [told(key), told(one)])};
            if (Array.isArray(value)) return value.map(told);
            return value?.tag === undefined ? value : {t: value.tag, v: told(value.value)};
        };
        return examples.map((one) => {
            try {
                return {v: told(decode(Uint8Array.from(atob(one), (character) => character.charCodeAt(0))))};
            } catch (error) { return error instanceof BadCode ? null : {error: String(error)}; }
        });
    }"""
    encoded = [base64.b64encode(one).decode("ascii") for one in examples]
    answers = page.evaluate(script, [Assets().address("cose.js"), encoded])

    assert sum(answer is not None for answer in answers) > 500
    for example, answer in zip(examples, answers, strict=True):
        assert answer == _as_told(example), example.hex()


VALUES: list[Any] = [0, 23, 24, 255, 256, 65536, 2**32, -1, -25, "", "𣲵·a", b"", b"x" * 30, [], [1, [2]], {}]
VALUES += [{1: -7, 4: b"k"}, {-1: 0, 2: 1}, {"a": 1, "b": [b""]}, {1: {2: {3: [4]}}}]


def _as_told(example: bytes) -> Any:
    try:
        return {"v": _told(decode(example))}
    except (BadCbor, _TooBig):
        return None


class _TooBig(Exception):
    """A number that a browser cannot hold exactly; none of ours is so large."""


def _told(value: Any) -> Any:
    if isinstance(value, int) and abs(value) >= 2**53 - 1:
        raise _TooBig
    if isinstance(value, bytes):
        return {"b": list(value)}
    if isinstance(value, dict):
        return {"m": [[_told(key), _told(one)] for key, one in value.items()]}
    if isinstance(value, Tag):
        _told(value.number)
        return {"t": value.number, "v": _told(value.value)}
    return [_told(one) for one in value] if isinstance(value, list) else value
