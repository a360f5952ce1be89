"""COSE_Sign1 (RFC 9052): the signed form of claims and QR codes, in one encoding.

``18([<< {1: alg, 4: kid} >>, {}, payload, signature])``, deterministic CBOR.
The key identifier is the first eight bytes of SHA-256 over the key's SPKI.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import load_der_public_key

from credential.cbor import BadCbor, Tag, decode, encode, spell_bytes, spell_text
from credential.errors import InputError, RefusedError
from credential.ports import Algorithm, Signer

SIGN1_TAG = 18
KEY_ID_BYTES = 8
MAX_MESSAGE_BYTES = 1 << 17

_ALG = 1
_KID = 4


class CoseAlgorithm(IntEnum):
    """Numbers of IANA's COSE registry that we sign with and accept."""

    ES256 = -7
    EDDSA = -8
    ES384 = -35
    RS256 = -257  # RFC 8812, so that one RSA key can serve PDFs and claims


_ALGORITHMS = {
    Algorithm.P256: CoseAlgorithm.ES256,
    Algorithm.P384: CoseAlgorithm.ES384,
    Algorithm.ED25519: CoseAlgorithm.EDDSA,
    Algorithm.RSA_2048: CoseAlgorithm.RS256,
    Algorithm.RSA_3072: CoseAlgorithm.RS256,
    Algorithm.RSA_4096: CoseAlgorithm.RS256,
}
_COORDINATE_BYTES = {CoseAlgorithm.ES256: 32, CoseAlgorithm.ES384: 48}
_SIGNATURE_BYTES = {
    Algorithm.P256: 64,
    Algorithm.P384: 96,
    Algorithm.ED25519: 64,
    Algorithm.RSA_2048: 256,
    Algorithm.RSA_3072: 384,
    Algorithm.RSA_4096: 512,
}
_RSA_BITS = (2048, 3072, 4096)


class BadMessage(InputError):
    """Bytes that are not a COSE_Sign1 message in the one encoding we write."""

    code = "bad-cose-message"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the bytes are not a signed message of ours: {why_en}", f"这不是本系统的签名数据: {why_zh}")


class BadPublicKey(InputError):
    """A public key that cannot be read or is of a kind we do not accept."""

    code = "bad-public-key"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the public key cannot be used: {why_en}", f"公钥不可用: {why_zh}")


class BadSignature(RefusedError):
    """The signature is not this key's over this message."""

    code = "bad-signature"

    def __init__(self, kid: bytes) -> None:
        super().__init__(
            f"the signature was not made with the key {kid.hex()} over these bytes",
            f"签名并非由密钥 {kid.hex()} 对该数据作出",
        )
        self.kid = kid


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A message in the right form; nothing in it is believed before :meth:`verify`.

    Attributes:
        algorithm: what the protected header says.
        kid: eight bytes, which key is said to have signed.
        payload: the signed bytes.
        signature: r and s in fixed length for ECDSA.
        protected: the protected header's bytes.
    """

    algorithm: CoseAlgorithm
    kid: bytes
    payload: bytes
    signature: bytes
    protected: bytes

    def verify(self, public_key: bytes) -> None:
        """Check the signature.

        Args:
            public_key: SubjectPublicKeyInfo, DER; the caller vouches for it.

        Raises:
            BadSignature: not this key's, or another algorithm than the key's.
            BadPublicKey: the key cannot be read.
        """
        algorithm, kid, check = _checker(public_key)
        if kid != self.kid or algorithm is not self.algorithm:
            raise BadSignature(self.kid)
        try:
            check(self._plain_signature(), _frame(self.protected)[0] + spell_bytes(self.payload))
        except InvalidSignature as error:
            raise BadSignature(self.kid) from error

    def _plain_signature(self) -> bytes:
        """The signature as the library takes it: DER for ECDSA."""
        size = _COORDINATE_BYTES.get(self.algorithm)
        if size is None:
            return self.signature
        if len(self.signature) != 2 * size:
            raise BadSignature(self.kid)
        return encode_dss_signature(int.from_bytes(self.signature[:size]), int.from_bytes(self.signature[size:]))


PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@lru_cache(maxsize=256)
def key_id(public_key: bytes) -> bytes:
    """The key identifier: the first eight bytes of SHA-256 over the SPKI, DER."""
    return hashlib.sha256(public_key).digest()[:KEY_ID_BYTES]


@lru_cache(maxsize=256)
def load_public_key(public_key: bytes) -> PublicKey:
    """Read an SPKI, DER, of a kind that we accept: P-256, P-384, Ed25519, RSA of 2048, 3072 or 4096 bits.

    The last 256 good ones are remembered by their bytes: reading a key takes
    half as long as verifying with it.

    Raises:
        BadPublicKey: anything else.
    """
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadPublicKey("it is not an SPKI in DER", "不是 DER 编码的 SPKI") from error
    is_curve = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    is_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS
    if isinstance(key, PublicKey) and (is_curve or is_rsa or isinstance(key, ed25519.Ed25519PublicKey)):
        return key
    raise BadPublicKey("its kind or size is not accepted", "密钥类型或长度不被接受")


def algorithm_of(key: PublicKey) -> Algorithm:
    """Which of our algorithms a key from :func:`load_public_key` is for."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Algorithm.ED25519
    if isinstance(key, rsa.RSAPublicKey):
        return Algorithm(f"rsa-{key.key_size}")
    return Algorithm.P256 if isinstance(key.curve, ec.SECP256R1) else Algorithm.P384


@lru_cache(maxsize=256)
def _checker(public_key: bytes) -> tuple[CoseAlgorithm, bytes, Callable[[bytes, bytes], None]]:
    """Algorithm and identifier of a key, and what checks a signature over bytes: asked for with every message."""
    key = load_public_key(public_key)
    algorithm = _ALGORITHMS[algorithm_of(key)]
    if isinstance(key, ed25519.Ed25519PublicKey):
        return algorithm, key_id(public_key), key.verify
    if isinstance(key, rsa.RSAPublicKey):
        pkcs1, sha256 = padding.PKCS1v15(), SHA256()
        return algorithm, key_id(public_key), lambda signature, content: key.verify(signature, content, pkcs1, sha256)
    ecdsa = ec.ECDSA(SHA256() if algorithm is CoseAlgorithm.ES256 else SHA384())
    return algorithm, key_id(public_key), lambda signature, content: key.verify(signature, content, ecdsa)


def signature_bytes(algorithm: Algorithm) -> int:
    """How long a signature in a message is."""
    return _SIGNATURE_BYTES[algorithm]


@lru_cache(maxsize=1024)
def message_bytes(payload_bytes: int, signature_length: int) -> int:
    """How long a message with such a payload and signature is."""
    algorithm = {64: CoseAlgorithm.ES256, 96: CoseAlgorithm.ES384}.get(signature_length, CoseAlgorithm.RS256)
    start = _frame(_protected(algorithm, bytes(KEY_ID_BYTES)))[1]
    return len(start) + len(spell_bytes(bytes(payload_bytes))) + len(spell_bytes(bytes(signature_length)))


def sign_message(payload: bytes, signer: Signer) -> bytes:
    """Sign a payload as a tagged COSE_Sign1 message.

    Raises:
        UnavailableError: the signer's key store does not answer.
    """
    algorithm = _ALGORITHMS[signer.algorithm]
    signed_start, start = _frame(_protected(algorithm, key_id(signer.public_key)))
    spelt = spell_bytes(payload)
    signature = signer.sign(signed_start + spelt)
    size = _COORDINATE_BYTES.get(algorithm)
    if size is not None:
        r, s = decode_dss_signature(signature)
        signature = r.to_bytes(size) + s.to_bytes(size)
    return b"".join((start, spelt, spell_bytes(signature)))


def open_message(message: bytes) -> SignedMessage:
    """Take a message apart without believing it.

    Args:
        message: not trusted; at most 128 KiB.

    Raises:
        BadMessage: not a tagged COSE_Sign1 in our one encoding, or an unknown
            algorithm, header or key identifier.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise BadMessage("it is too long", "数据过长")
    try:
        tagged = decode(message)
        if not isinstance(tagged, Tag) or tagged.number != SIGN1_TAG:
            raise BadMessage("it is no tagged COSE_Sign1", "不是带标签的 COSE_Sign1")
        match tagged.value:
            case [bytes() as protected, dict() as unprotected, bytes() as payload, bytes() as signature]:
                algorithm, kid = _header(protected)
            case _:
                raise BadMessage("it has not the four parts", "结构不符")
    except BadCbor as error:
        raise BadMessage(error.en, error.zh) from error
    if unprotected:
        raise _wrong_headers()
    return SignedMessage(algorithm, kid, payload, signature, protected)


@lru_cache(maxsize=64)
def _header(protected: bytes) -> tuple[CoseAlgorithm, bytes]:
    """Read a protected header; the same few stand in all messages.

    Raises:
        BadCbor: not deterministic CBOR.
        BadMessage: an unknown algorithm, header or key identifier.
    """
    header = decode(protected)
    if not isinstance(header, dict) or header.keys() != {_ALG, _KID}:
        raise _wrong_headers()
    kid, algorithm = header[_KID], header[_ALG]
    if algorithm not in list(CoseAlgorithm) or not isinstance(kid, bytes) or len(kid) != KEY_ID_BYTES:
        raise BadMessage("its algorithm or key identifier is unknown", "算法或密钥标识未知")
    return CoseAlgorithm(algorithm), kid


def _wrong_headers() -> BadMessage:
    return BadMessage("its headers are not alg and kid, both protected", "头部应仅含受保护的 alg 与 kid")


@lru_cache(maxsize=64)
def _protected(algorithm: CoseAlgorithm, kid: bytes) -> bytes:
    return encode({_ALG: int(algorithm), _KID: kid})


@lru_cache(maxsize=64)
def _frame(protected: bytes) -> tuple[bytes, bytes]:
    """What stands before the payload in the bytes that are signed (RFC 9052, 4.4), and in the message."""
    header = spell_bytes(protected)
    signed = b"\x84" + spell_text("Signature1") + header + spell_bytes(b"")
    return signed, bytes([0xC0 + SIGN1_TAG, 0x84]) + header + b"\xa0"
