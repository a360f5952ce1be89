"""COSE_Sign1: other people's code reads ours, and only one encoding is read."""

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycose.keys.ec2 import EC2Key
from pycose.keys.okp import OKPKey
from pycose.keys.rsa import RSAKey
from pycose.messages.sign1message import Sign1Message

from credential.cose import (
    BadMessage,
    BadPublicKey,
    BadSignature,
    CoseAlgorithm,
    key_id,
    load_public_key,
    message_bytes,
    open_message,
    sign_message,
    signature_bytes,
)
from credential.ports import Algorithm, Signer

PAYLOAD = b"\xa1\x00\x01"
MAKE = Callable[..., Any]
NUMBERS = {Algorithm.P256: -7, Algorithm.P384: -35, Algorithm.ED25519: -8, Algorithm.RSA_2048: -257}  # IANA's
EVERY = pytest.mark.parametrize("algorithm", [Algorithm.P256, Algorithm.P384, Algorithm.ED25519, Algorithm.RSA_2048])


def spki(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def pycose_key(public_key: bytes) -> Any:
    key = load_public_key(public_key)
    numbers = None if not hasattr(key, "public_numbers") else key.public_numbers()
    if isinstance(key, ec.EllipticCurvePublicKey):
        size = key.key_size // 8
        assert isinstance(numbers, ec.EllipticCurvePublicNumbers)
        return EC2Key(crv=f"P_{key.key_size}", x=numbers.x.to_bytes(size), y=numbers.y.to_bytes(size))
    if isinstance(key, rsa.RSAPublicKey):
        assert isinstance(numbers, rsa.RSAPublicNumbers)
        return RSAKey(numbers.n.to_bytes(key.key_size // 8), numbers.e.to_bytes(3))
    return OKPKey(crv="ED25519", x=key.public_bytes(Encoding.Raw, PublicFormat.Raw))


@EVERY
def test_another_cose_library_verifies_our_messages(algorithm: Algorithm, make_signer: MAKE) -> None:
    signer = make_signer(algorithm)
    protected, _, payload, signature = cbor2.loads(sign_message(PAYLOAD, signer)).value
    # pycose wants plain lists and dicts, which cbor2 gave up to its version 5.
    message = Sign1Message.from_cose_obj([protected, {}, payload, signature], allow_unknown_attributes=False)
    message.key = pycose_key(signer.public_key)
    assert message.payload == PAYLOAD
    assert message.verify_signature()
    message.payload = PAYLOAD + b"\x00"
    assert not message.verify_signature()


@EVERY
@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 702, 65_535, 65_536])
def test_the_bytes_and_what_is_signed_are_those_of_another_encoder(
    algorithm: Algorithm, length: int, make_signer: MAKE
) -> None:
    signer, payload = make_signer(algorithm), b"\xa1" * length
    protected = cbor2.dumps({1: NUMBERS[algorithm], 4: key_id(signer.public_key)}, canonical=True)
    message = sign_message(payload, signer)
    signature = message[-signature_bytes(algorithm) :]
    assert message == cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]), canonical=True)
    signed = cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)
    key = load_public_key(signer.public_key)
    if isinstance(key, ec.EllipticCurvePublicKey):
        size = len(signature) // 2
        numbers = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        hash_function = SHA256() if algorithm is Algorithm.P256 else SHA384()
        key.verify(encode_dss_signature(*numbers), signed, ec.ECDSA(hash_function))
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), SHA256())
    else:
        key.verify(signature, signed)
    open_message(message).verify(signer.public_key)


@EVERY
def test_a_message_is_opened_and_verified(algorithm: Algorithm, make_signer: MAKE) -> None:
    signer = make_signer(algorithm)
    opened = open_message(sign_message(PAYLOAD, signer))
    opened.verify(signer.public_key)
    assert opened.payload == PAYLOAD
    assert opened.kid == key_id(signer.public_key)
    assert len(opened.signature) == signature_bytes(algorithm)


@EVERY
def test_the_length_of_a_message_is_known_before_signing(algorithm: Algorithm, make_signer: MAKE) -> None:
    for length in (0, 23, 24, 255, 256):
        message = sign_message(bytes(length), make_signer(algorithm))
        assert len(message) == message_bytes(length, signature_bytes(algorithm))


@EVERY
def test_another_key_of_the_same_kind_is_refused(algorithm: Algorithm, make_signer: MAKE) -> None:
    signer, other = make_signer(algorithm), make_signer(algorithm, 1)
    opened = open_message(sign_message(PAYLOAD, signer))
    with pytest.raises(BadSignature) as caught:
        opened.verify(other.public_key)
    assert caught.value.kid == key_id(signer.public_key)


@EVERY
def test_the_algorithm_named_must_be_the_keys_own(algorithm: Algorithm, make_signer: MAKE) -> None:
    signer = make_signer(algorithm)
    for named in CoseAlgorithm:
        protected = cbor2.dumps({1: int(named), 4: key_id(signer.public_key)}, canonical=True)
        signature = open_message(sign_message(PAYLOAD, signer)).signature
        opened = open_message(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, PAYLOAD, signature])))
        if named is not open_message(sign_message(PAYLOAD, signer)).algorithm:
            with pytest.raises(BadSignature):
                opened.verify(signer.public_key)


@pytest.mark.parametrize("algorithm", [Algorithm.P256, Algorithm.ED25519])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_no_flipped_bit_goes_unseen(algorithm: Algorithm, make_signer: MAKE, data: st.DataObject) -> None:
    signer = make_signer(algorithm)
    message = sign_message(PAYLOAD, signer)
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    changed = bytearray(message)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((BadMessage, BadSignature)):
        open_message(bytes(changed)).verify(signer.public_key)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_the_error(data: bytes) -> None:
    with pytest.raises(BadMessage):
        open_message(data)


def parts(signer: Signer) -> list[Any]:
    return list(cbor2.loads(sign_message(PAYLOAD, signer)).value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda _: [1], "tagged COSE_Sign1"),
        (lambda p: cbor2.CBORTag(98, p), "tagged COSE_Sign1"),
        (lambda p: cbor2.CBORTag(18, p[:3]), "four parts"),
        (lambda _: cbor2.CBORTag(18, {1: 2}), "four parts"),
        (lambda p: cbor2.CBORTag(18, [*p[:2], "text", p[3]]), "four parts"),
        (lambda p: cbor2.CBORTag(18, [p[0], {4: b"12345678"}, *p[2:]]), "headers"),
        (lambda p: cbor2.CBORTag(18, [b"", *p[1:]]), "deterministic"),
        (lambda p: cbor2.CBORTag(18, [cbor2.dumps([1]), *p[1:]]), "headers"),
        (lambda p: cbor2.CBORTag(18, [cbor2.dumps({1: -7}), *p[1:]]), "headers"),
        (lambda p: cbor2.CBORTag(18, [cbor2.dumps({1: -7, 3: 0, 4: bytes(8)}), *p[1:]]), "headers"),
        (lambda p: cbor2.CBORTag(18, [cbor2.dumps({4: bytes(8), 1: -7}), *p[1:]]), "out of order"),
        (lambda p: cbor2.CBORTag(18, [cbor2.dumps({1: -37, 4: bytes(8)}), *p[1:]]), "unknown"),
        (lambda p: cbor2.CBORTag(18, [cbor2.dumps({1: "ES256", 4: bytes(8)}), *p[1:]]), "unknown"),
        (lambda p: cbor2.CBORTag(18, [cbor2.dumps({1: [1], 4: bytes(8)}), *p[1:]]), "unknown"),
        (lambda p: cbor2.CBORTag(18, [cbor2.dumps({1: -7, 4: bytes(7)}), *p[1:]]), "unknown"),
        (lambda p: cbor2.CBORTag(18, [cbor2.dumps({1: -7, 4: "12345678"}), *p[1:]]), "unknown"),
    ],
)
def test_another_form_is_refused(change: Callable[[list[Any]], Any], why: str, make_signer: MAKE) -> None:
    with pytest.raises(BadMessage, match=why):
        open_message(cbor2.dumps(change(parts(make_signer(Algorithm.P256)))))


def test_bytes_after_the_message_and_longer_encodings_are_refused(make_signer: MAKE) -> None:
    message = sign_message(PAYLOAD, make_signer(Algorithm.P256))
    assert message[0] == 0xD2
    for changed in (message + b"\x00", message[:-1], b"\xd8\x12" + message[1:], message[1:]):
        with pytest.raises(BadMessage):
            open_message(changed)


def test_a_message_of_absurd_length_is_refused_unread(make_signer: MAKE) -> None:
    with pytest.raises(BadMessage, match="too long"):
        open_message(sign_message(bytes(1 << 17), make_signer(Algorithm.ED25519)))


@pytest.mark.parametrize("length", [0, 63, 65, 70])
def test_a_signature_of_the_wrong_length_is_refused(length: int, make_signer: MAKE) -> None:
    signer = make_signer(Algorithm.P256)
    changed = cbor2.CBORTag(18, [*parts(signer)[:3], bytes(length)])
    with pytest.raises(BadSignature):
        open_message(cbor2.dumps(changed)).verify(signer.public_key)


@pytest.mark.parametrize("public_key", [b"", b"\x30\x00", bytes(91)])
def test_what_is_no_key_is_refused(public_key: bytes, make_signer: MAKE) -> None:
    opened = open_message(sign_message(PAYLOAD, make_signer(Algorithm.P256)))
    with pytest.raises(BadPublicKey, match="SPKI"):
        opened.verify(public_key)


def test_keys_of_other_kinds_and_sizes_are_refused() -> None:
    for key in (
        ec.generate_private_key(ec.SECP521R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(65537, 1024),  # noqa: S505 # too short on purpose
        dsa.generate_private_key(1024),  # noqa: S505 # of another kind on purpose
    ):
        with pytest.raises(BadPublicKey, match="not accepted"):
            load_public_key(spki(key))
