"""Time-stamp tokens (RFC 3161): what one says, and whether it is a known authority's.

A token is CMS SignedData (RFC 5652) around a TSTInfo. It is believed when

1. its imprint is the digest of the message,
2. its one signer is named by the signed signing-certificate attribute, never
   by its place in the bag of certificates (RFC 5816, 2.2.1),
3. the signature over the attributes, and their digest of the TSTInfo, are good,
4. the signer's certificate is for time-stamping and nothing else (RFC 3161, 2.3),
5. and its chain leads to a configured authority, everything valid at the time
   that the token states.

A token that states an accuracy means some moment within it (RFC 3161, 2.4.2). It
counts by the latest of these, ``attested_at``, at which the chain must hold as
well: whatever it has to be older than, it is older than for certain.

Whether that authority's certificate was revoked is not asked here: a verifier
takes a compromised authority out of its trust list.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Final

from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from credential.chain import DIGESTS, leads_to_anchor
from credential.errors import InputError

MAX_TOKEN_BYTES = 64 * 1024
"""Tokens with four certificates of RSA-4096 keys have 10 KB; longer ones only cost time."""
MAX_CARRIED = 16
"""Certificates in a token; more would make the search for a chain costly."""
MIN_RSA_BITS = 2048

_RSA: Final = frozenset({"rsassa_pkcs1v15", "rsassa_pss", *(f"{name}_rsa" for name in DIGESTS)})
_ECDSA: Final = frozenset(f"{name}_ecdsa" for name in DIGESTS)
# What asn1crypto and cryptography raise for bytes that are not what they should be.
_MALFORMED: Final = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

SignatureCheck = Callable[[bytes, bytes], None]
"""Verifies a signature over a message by one key in one way; raises InvalidSignature."""


class BadTimestamp(InputError):
    """Bytes that are no time-stamp token, or one that proves nothing here."""

    code = "bad-timestamp"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the time stamp is not good: {why_en}", f"时间戳无效：{why_zh}")


@dataclass(frozen=True, slots=True)
class Timestamp:
    """What a token says; nothing of it is checked by reading.

    Attributes:
        stated_at: the time in the token (genTime), UTC.
        attested_at: when the message existed at the latest, UTC: the time in the token and its accuracy.
        imprint: digest of the message, raw.
        imprint_algorithm: hashlib's name of that digest.
        tsa: subject of the signer's certificate (RFC 4514), or its issuer and number when that is not carried.
        certificate: the signer's, DER; empty when the token does not carry it.
        certificates: all that the token carries, DER, in no order that means anything.
        serial_number: of the token, unique at its authority.
        policy: OID of the authority's policy, dotted.
        nonce: what the request gave, or None.
    """

    stated_at: datetime
    attested_at: datetime
    imprint: bytes
    imprint_algorithm: str
    tsa: str
    certificate: bytes
    certificates: tuple[bytes, ...]
    serial_number: int
    policy: str
    nonce: int | None


@dataclass(frozen=True, slots=True)
class _Token:
    """A token taken apart: what it says, and what its signature is over."""

    said: Timestamp
    content: bytes  # the TSTInfo, as it stands
    signed_attributes: bytes  # as they stand, under the tag of a SET OF
    attributes: Mapping[str, Any]
    digest: str
    signature: bytes
    signature_algorithm: Any


def read_timestamp(token: bytes) -> Timestamp:
    """Say what a token states, without believing it.

    Args:
        token: TimeStampToken, DER: the content of a response, not the response.

    Raises:
        BadTimestamp: it is no token of one signer.
    """
    return _take_apart(token).said


def verify_timestamp(token: bytes, message: bytes, anchors: Sequence[bytes], at: datetime | None = None) -> Timestamp:
    """Check that a known authority saw this very message.

    Args:
        token: TimeStampToken, DER, not trusted.
        message: what was stamped, whole; its digest is taken by the token's algorithm (SHA-256 or longer).
        anchors: certificates of authorities, DER: of the CA at the top, or of the signer itself.
        at: the chain must be valid at this moment too; None asks only for the time that the token states.

    Raises:
        BadTimestamp: with what is wrong.
    """
    parts = _take_apart(token)
    said = parts.said
    if hashlib.new(said.imprint_algorithm, message).digest() != said.imprint:
        raise BadTimestamp("it is for another message", "所针对的不是该内容")
    if not said.certificate:
        raise BadTimestamp(f"it does not carry the certificate of {said.tsa}", f"未附带签名证书（{said.tsa}）")
    try:
        signer = _load(said.certificate)
        _check_signature(parts, signer)
        _check_purpose(signer)
        carried = [_load(der) for der in said.certificates[:MAX_CARRIED]]
        trusted = [_load(der) for der in anchors]
        for moment in dict.fromkeys((said.stated_at, said.attested_at, at or said.attested_at)):
            if not leads_to_anchor(signer, carried, trusted, moment):
                raise _untrusted(said, moment)
    except _MALFORMED as error:
        raise BadTimestamp("a certificate of it cannot be used", "所附证书无法使用") from error
    return said


def signature_check(token: bytes) -> SignatureCheck:
    """Say how the signature of a good token was verified, so that more of the same signer can be.

    Args:
        token: that :func:`verify_timestamp` accepted.
    """
    parts = _take_apart(token)
    return _signature_check(parts, _load(parts.said.certificate))


def _untrusted(said: Timestamp, moment: datetime) -> BadTimestamp:
    when = moment.isoformat(timespec="seconds")
    return BadTimestamp(
        f"{said.tsa} is no authority that is trusted at {when}", f"{said.tsa} 在 {when} 不是受信任的时间戳机构"
    )


# ---- taking apart -----------------------------------------------------------------------------------------------


def _take_apart(token: bytes) -> _Token:
    if len(token) > MAX_TOKEN_BYTES:
        raise BadTimestamp(f"it is longer than {MAX_TOKEN_BYTES} bytes", f"长度超过 {MAX_TOKEN_BYTES} 字节")
    try:
        return _read(token)
    except _MALFORMED as error:
        raise BadTimestamp("it is no time-stamp token", "不是时间戳令牌") from error


def _read(token: bytes) -> _Token:
    container = cms.ContentInfo.load(token, strict=True)
    if container["content_type"].native != "signed_data":
        raise BadTimestamp("it is no signed data", "不是签名数据")
    signed_data = container["content"]
    enclosed = signed_data["encap_content_info"]
    if enclosed["content_type"].native != "tst_info":
        raise BadTimestamp("what it signs is no time-stamp information", "所签内容不是时间戳信息")
    if len(signed_data["signer_infos"]) != 1:
        raise BadTimestamp("it has not exactly one signer", "签名者不是恰好一个")
    signer_info = signed_data["signer_infos"][0]
    certificates = tuple(one.chosen.dump() for one in signed_data["certificates"] or () if one.name == "certificate")
    certificate, tsa = _signer_of(signer_info["sid"], certificates)
    content: bytes = bytes(enclosed["content"])
    signed_attributes = signer_info["signed_attrs"]
    return _Token(
        said=_said(tsp.TSTInfo.load(content, strict=True), tsa, certificate, certificates),
        content=content,
        # Signed is the SET OF itself, not the [0] that stands for it in the container (RFC 5652, 5.4).
        signed_attributes=b"\x31" + signed_attributes.dump()[1:],
        attributes=_single_values(signed_attributes),
        digest=str(signer_info["digest_algorithm"]["algorithm"].native),
        signature=bytes(signer_info["signature"]),
        signature_algorithm=signer_info["signature_algorithm"],
    )


def _said(statement: Any, tsa: str, certificate: bytes, certificates: tuple[bytes, ...]) -> Timestamp:
    imprint = statement["message_imprint"]
    algorithm = str(imprint["hash_algorithm"]["algorithm"].native)
    if statement["version"].native != "v1" or algorithm not in DIGESTS:
        raise BadTimestamp(
            f"its version or its digest ({algorithm}) is not known", f"版本或摘要算法（{algorithm}）未知"
        )
    if any(extension["critical"].native for extension in statement["extensions"] or ()):
        raise BadTimestamp("it has a critical extension", "含有关键扩展项")
    stated_at: datetime = statement["gen_time"].native
    if stated_at.tzinfo is None:
        raise BadTimestamp("its time has no zone", "时间缺少时区")
    stated_at = stated_at.astimezone(UTC)
    nonce = statement["nonce"].native
    return Timestamp(
        stated_at=stated_at,
        attested_at=stated_at + _accuracy(statement["accuracy"].native or {}),
        imprint=bytes(imprint["hashed_message"]),
        imprint_algorithm=algorithm,
        tsa=tsa,
        certificate=certificate,
        certificates=certificates,
        serial_number=int(statement["serial_number"].native),
        policy=str(statement["policy"].dotted),
        nonce=None if nonce is None else int(nonce),
    )


def _accuracy(stated: Mapping[str, int | None]) -> timedelta:
    """How far the moment may be from the stated one; nothing said is exact (RFC 3161, 2.4.2)."""
    seconds, millis, micros = (stated.get(name) or 0 for name in ("seconds", "millis", "micros"))
    if seconds < 0 or not 0 <= millis < 1000 or not 0 <= micros < 1000:
        raise BadTimestamp("its accuracy is no duration", "精度不是有效的时长")
    return timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)


def _signer_of(sid: Any, certificates: Sequence[bytes]) -> tuple[bytes, str]:
    """Find the certificate that the signer information names, and what to call its owner."""
    if sid.name == "issuer_and_serial_number":
        number = int(sid.chosen["serial_number"].native)
        issuer = sid.chosen["issuer"].dump()
    else:
        number, issuer = 0, b""
    for der in certificates:
        certificate = _load(der)
        if issuer and certificate.serial_number == number and certificate.issuer.public_bytes() == issuer:
            return der, certificate.subject.rfc4514_string()
        if not issuer and _key_identifier(certificate) == bytes(sid.chosen):
            return der, certificate.subject.rfc4514_string()
    if issuer:
        return b"", f"number {number:x} of {sid.chosen['issuer'].human_friendly}"
    return b"", f"key {bytes(sid.chosen).hex()}"


@lru_cache(maxsize=32)
def _load(der: bytes) -> x509.Certificate:
    """Load a certificate; the same few come with every token of an authority."""
    return x509.load_der_x509_certificate(der)


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _single_values(attributes: Any) -> dict[str, Any]:
    """Take signed attributes apart; each may stand once, with one value (RFC 5652, 11)."""
    found: dict[str, Any] = {}
    for attribute in attributes:
        name = str(attribute["type"].native)
        if name in found or len(attribute["values"]) != 1:
            raise BadTimestamp(f"its attribute {name} stands twice", f"属性 {name} 重复")
        found[name] = attribute["values"][0]
    return found


# ---- judging ----------------------------------------------------------------------------------------------------


def _check_signature(token: _Token, signer: x509.Certificate) -> None:
    """Take steps 2 and 3: the signer is the one that was signed for, and the signature is its own."""
    attributes = token.attributes
    if token.digest not in DIGESTS:
        raise BadTimestamp(f"it is signed by way of {token.digest}", f"签名所用摘要算法为 {token.digest}")
    if "content_type" not in attributes or attributes["content_type"].native != "tst_info":
        raise BadTimestamp("its signature is over another kind of content", "签名所针对的内容类型不符")
    digest = hashlib.new(token.digest, token.content).digest()
    if "message_digest" not in attributes or bytes(attributes["message_digest"]) != digest:
        raise BadTimestamp("its signature is over another statement", "签名所针对的内容不符")
    if not _names_signer(attributes, token.said.certificate):
        raise BadTimestamp("its signature does not name the certificate it carries", "签名未指明所附证书")
    try:
        _signature_check(token, signer)(token.signature, token.signed_attributes)
    except InvalidSignature as error:
        raise BadTimestamp("its signature is wrong", "签名有误") from error


def _names_signer(attributes: Mapping[str, Any], certificate: bytes) -> bool:
    """Whether every signing-certificate attribute names this certificate first (RFC 5035, 5.4.1)."""
    digests = []
    if "signing_certificate_v2" in attributes:
        first = attributes["signing_certificate_v2"]["certs"][0]
        digests.append((str(first["hash_algorithm"]["algorithm"].native), bytes(first["cert_hash"])))
        if digests[0][0] not in DIGESTS:
            return False
    if "signing_certificate" in attributes:
        # SHA-1 as RFC 2634 has it: to be taken in by it, an authority would have to have certified both.
        digests.append(("sha1", bytes(attributes["signing_certificate"]["certs"][0]["cert_hash"])))
    return bool(digests) and all(
        hashlib.new(name, certificate, usedforsecurity=name != "sha1").digest() == digest for name, digest in digests
    )


def _signature_check(token: _Token, signer: x509.Certificate) -> SignatureCheck:
    """Choose how the signature over the attributes is verified: by the signer's key, and by what the token says."""
    kind = str(token.signature_algorithm["algorithm"].native)
    digest = DIGESTS[token.digest]
    if kind.endswith(("_rsa", "_ecdsa")) and kind.rpartition("_")[0] != token.digest:
        raise BadTimestamp(f"it is signed with {kind} over {token.digest}", f"签名算法（{kind}）与摘要算法不符")
    key = signer.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS and kind in _RSA:
        scheme: padding.AsymmetricPadding = padding.PKCS1v15()
        if kind == "rsassa_pss":
            parameters = token.signature_algorithm["parameters"].native
            named = {
                parameters["hash_algorithm"]["algorithm"],
                parameters["mask_gen_algorithm"]["parameters"]["algorithm"],
            }
            if named != {token.digest}:
                raise BadTimestamp("its RSA-PSS signature mixes digests", "RSA-PSS 签名混用摘要算法")
            scheme = padding.PSS(padding.MGF1(digest), int(parameters["salt_length"]))
        return partial(_verify_rsa, key, scheme, digest)
    if isinstance(key, ec.EllipticCurvePublicKey) and kind in _ECDSA:
        return partial(_verify_ecdsa, key, ec.ECDSA(digest))
    raise BadTimestamp(f"its signature ({kind}) does not suit its key", f"签名算法（{kind}）与密钥不符")


def _verify_rsa(
    key: rsa.RSAPublicKey,
    scheme: padding.AsymmetricPadding,
    digest: hashes.HashAlgorithm,
    signature: bytes,
    message: bytes,
) -> None:
    key.verify(signature, message, scheme, digest)


def _verify_ecdsa(key: ec.EllipticCurvePublicKey, scheme: ec.ECDSA, signature: bytes, message: bytes) -> None:
    key.verify(signature, message, scheme)


def _check_purpose(signer: x509.Certificate) -> None:
    """Take step 4: the extended key usage is critical and holds time-stamping alone (RFC 3161, 2.3)."""
    try:
        usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        usage = None
    if usage is None or not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        name = signer.subject.rfc4514_string()
        raise BadTimestamp(f"{name} is not a certificate for time-stamping alone", f"{name} 不是专用的时间戳证书")
