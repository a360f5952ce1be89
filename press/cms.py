"""The signature container of a PDF, built once for a key; then only digest and signature change.

What is written is CMS SignedData (RFC 5652), detached, as PAdES baseline B-B
asks (ETSI EN 319 142-1, 6.3): signed attributes content-type, message-digest
and signing-certificate-v2, no signing-time (the time stands in ``/M``), and the
certificates from the signer's up to, but without, the self-issued root: a
verifier must have the root already, and one that travels with the signature
proves nothing. All of it is DER, down to the order of every SET OF, so that each
value has one encoding. B-T (6.3 too) adds one unsigned attribute, the token of a
time-stamping authority over the signature; nothing else of the container changes.

Two more differences from what pyHanko writes are deliberate and held by a test:
digest algorithms have no parameters where pyHanko writes NULL (RFC 5754, 2), and
there is no cms-algorithm-protection attribute, which PAdES does not list: our
verifier knows each key's only algorithm from the trust list.
"""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.errors import ConfigError
from credential.ports import Algorithm, Signer

_INTEGER, _OCTET_STRING, _NULL, _OID, _SEQUENCE, _SET = 0x02, 0x04, 0x05, 0x06, 0x30, 0x31
_CONTEXT_0: Final = 0xA0
_CONTEXT_1: Final = 0xA1
_CONTEXT_4: Final = 0xA4


def _tlv(tag: int, *contents: bytes) -> bytes:
    """Encode one DER value (X.690, 8.1 and 10.1)."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _set_of(tag: int, members: Sequence[bytes]) -> bytes:
    """Encode a SET OF: members in ascending order of their encodings (X.690, 11.6)."""
    return _tlv(tag, *sorted(members))


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    encoded = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        encoded += bytes(reversed(groups))
    return _tlv(_OID, bytes(encoded))


_ID_DATA: Final = _oid("1.2.840.113549.1.7.1")
_ID_SIGNED_DATA: Final = _oid("1.2.840.113549.1.7.2")
_ID_CONTENT_TYPE: Final = _oid("1.2.840.113549.1.9.3")
_ID_MESSAGE_DIGEST: Final = _oid("1.2.840.113549.1.9.4")
_ID_SIGNING_CERTIFICATE_V2: Final = _oid("1.2.840.113549.1.9.16.2.47")
# Of the attribute around a token: four tags with lengths, the OID, and what the outer lengths grow by.
_TOKEN_OVERHEAD: Final = 48
# id-aa-timeStampToken (RFC 3161, appendix A)
_ID_TIME_STAMP_TOKEN: Final = _oid("1.2.840.113549.1.9.16.2.14")
_VERSION_1: Final = _tlv(_INTEGER, b"\x01")
# RFC 5754, 2: SHA-2 identifiers are generated without parameters.
_SHA_256: Final = _tlv(_SEQUENCE, _oid("2.16.840.1.101.3.4.2.1"))
_SHA_384: Final = _tlv(_SEQUENCE, _oid("2.16.840.1.101.3.4.2.2"))
# RFC 5754, 3.2 and 3.3: RSA identifiers carry NULL, ECDSA identifiers nothing.
_RSA_SHA_256: Final = _tlv(_SEQUENCE, _oid("1.2.840.113549.1.1.11"), _tlv(_NULL))
_ECDSA_SHA_256: Final = _tlv(_SEQUENCE, _oid("1.2.840.10045.4.3.2"))
_ECDSA_SHA_384: Final = _tlv(_SEQUENCE, _oid("1.2.840.10045.4.3.3"))


class _Profile(NamedTuple):
    digest_name: str
    digest_bytes: int
    digest_algorithm: bytes
    signature_algorithm: bytes
    signature_bytes: int  # the longest there can be; ECDSA's r and s lose leading zeros


_PROFILES: Final = MappingProxyType(
    {
        Algorithm.RSA_2048: _Profile("sha256", 32, _SHA_256, _RSA_SHA_256, 256),
        Algorithm.RSA_3072: _Profile("sha256", 32, _SHA_256, _RSA_SHA_256, 384),
        Algorithm.RSA_4096: _Profile("sha256", 32, _SHA_256, _RSA_SHA_256, 512),
        Algorithm.P256: _Profile("sha256", 32, _SHA_256, _ECDSA_SHA_256, 72),
        Algorithm.P384: _Profile("sha384", 48, _SHA_384, _ECDSA_SHA_384, 104),
    },
)


class UnusablePDFKey(ConfigError):
    """A kind of key that PDF readers do not verify."""

    code = "unusable-pdf-key"

    def __init__(self, algorithm: str) -> None:
        super().__init__(
            f"PDFs are not signed with {algorithm}: make a key of kind {', '.join(_PROFILES)}",
            f"PDF 不使用 {algorithm} 密钥签名：请生成以下类型的密钥：{'、'.join(_PROFILES)}",
        )


class BadChain(ConfigError):
    """The certificates handed to the press are not a chain, or not for this kind of key."""

    code = "bad-certificate-chain"

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(
            f"the signing certificate chain is wrong ({en}): give DER certificates, the signer's first",
            f"签名证书链有误（{zh}）：请按顺序提供 DER 证书，签名证书在前",
        )


class WrongSigningKey(ConfigError):
    """The private key does not belong to the signing certificate."""

    code = "wrong-signing-key"

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"the key does not belong to the signing certificate of {subject}: check which key the issuer uses",
            f"私钥与签名证书（{subject}）不匹配：请核对发证机构所用的密钥",
        )


class CmsTemplate:
    """Everything of one key's signature container but the digest and the signature.

    Args:
        chain: certificates, DER, the signer's first, each followed by its
            issuer's; a self-issued root at the end is left out of the container.
        algorithm: kind of the signer's key; SHA-384 goes with P-384, else SHA-256.

    Attributes:
        digest_name: hashlib's name of the digest that ``build`` wants.
        max_bytes: the longest container without a token; RSA's always have this length, ECDSA's
            may be a few bytes shorter.

    Raises:
        UnusablePDFKey: Ed25519.
        BadChain: empty, not DER, out of order, or for another kind of key.
    """

    def __init__(self, chain: Sequence[bytes], algorithm: Algorithm) -> None:
        profile = _PROFILES.get(algorithm)
        if profile is None:
            raise UnusablePDFKey(algorithm)
        certificates = _read_chain(chain, algorithm)
        self._profile = profile
        self._algorithm = algorithm
        self._subject = certificates[0].subject.rfc4514_string()
        self._public_key = certificates[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._signer: Signer | None = None  # the last one whose key was compared
        self.digest_name = profile.digest_name
        has_root = len(chain) > 1 and certificates[-1].issuer == certificates[-1].subject
        self._certificates = _set_of(_CONTEXT_0, chain[:-1] if has_root else chain)
        issuer, serial_number = _issuer_and_serial(certificates[0].tbs_certificate_bytes)
        self._signer_id = _tlv(_SEQUENCE, issuer, serial_number)
        self._attributes = _attributes(chain[0], issuer, serial_number, profile)
        self._frames: dict[int, tuple[bytes, bytes]] = {}
        self.max_bytes = sum(map(len, self._frame(profile.signature_bytes))) + (
            profile.digest_bytes + profile.signature_bytes
        )

    def build(self, document_digest: bytes, signer: Signer) -> bytes:
        """Sign the digest of a document's byte range and wrap it, DER; takes and raises what :meth:`sign` does."""
        return self.wrap(document_digest, self.sign(document_digest, signer))

    def sign(self, document_digest: bytes, signer: Signer) -> bytes:
        """Sign the digest of a document's byte range; :meth:`wrap` makes the container of it.

        Args:
            document_digest: raw bytes, by ``digest_name``.
            signer: holds the key of the signing certificate.

        Raises:
            WrongSigningKey: it holds another.
            UnavailableError: the key store does not answer.
            ValueError: the digest has another length.
        """
        if signer is not self._signer:
            if signer.algorithm is not self._algorithm or signer.public_key != self._public_key:
                raise WrongSigningKey(self._subject)
            self._signer = signer
        if len(document_digest) != self._profile.digest_bytes:
            raise ValueError(f"a digest of {len(document_digest)} bytes is not {self.digest_name}")
        before, after = self._attributes
        # Signed is the SET OF itself, not the [0] that stands for it in the container (RFC 5652, 5.4).
        return signer.sign(b"".join((b"\x31", before, document_digest, after)))

    def wrap(self, document_digest: bytes, signature: bytes, token: bytes = b"") -> bytes:
        """Wrap a signature of :meth:`sign`, DER.

        Args:
            document_digest: that was signed.
            signature: over it.
            token: TimeStampToken over the signature, DER; empty at B-B.
        """
        if token:
            return self._whole(document_digest, signature, token)
        frame = self._frames.get(len(signature)) or self._frame(len(signature))
        return b"".join((frame[0], document_digest, frame[1], signature))

    def room_for(self, token_bytes: int) -> int:
        """The longest container with a token of at most so many bytes; ``max_bytes`` for none."""
        return self.max_bytes + (token_bytes + _TOKEN_OVERHEAD if token_bytes else 0)

    def contents_hex(self, der: bytes, room: int | None = None) -> bytes:
        """Write a container for ``/Contents``: lower-case hex, zero-padded to twice as many characters as its room.

        Args:
            der: the container.
            room: bytes, by :meth:`room_for`; ``max_bytes`` by default.

        Raises:
            ValueError: longer than its room.
        """
        room = self.max_bytes if room is None else room
        if len(der) > room:
            raise ValueError(f"a container of {len(der)} bytes does not fit in {room}")
        return der.hex().encode("ascii").ljust(2 * room, b"0")

    def _frame(self, signature_bytes: int) -> tuple[bytes, bytes]:
        """Encode what stands before the digest, and between it and a signature of this length.

        Nothing follows the signature: there are no unsigned attributes at B-B.
        """
        profile = self._profile
        # Placeholders give every length its value; they are cut out again at the end.
        whole = self._whole(bytes(profile.digest_bytes), bytes(signature_bytes), b"")
        _, after = self._attributes
        end = len(whole) - signature_bytes
        middle = after + profile.signature_algorithm + _tlv(_OCTET_STRING, bytes(signature_bytes))[:-signature_bytes]
        start = end - len(middle) - profile.digest_bytes
        self._frames[signature_bytes] = frame = (whole[:start], middle)
        return frame

    def _whole(self, digest: bytes, signature: bytes, token: bytes) -> bytes:
        """Encode the whole container."""
        before, after = self._attributes
        profile = self._profile
        attribute = _tlv(_SEQUENCE, _ID_TIME_STAMP_TOKEN, _tlv(_SET, token))
        signer_info = _tlv(
            _SEQUENCE,
            _VERSION_1,
            self._signer_id,
            profile.digest_algorithm,
            bytes((_CONTEXT_0,)) + before + digest + after,
            profile.signature_algorithm,
            _tlv(_OCTET_STRING, signature),
            *([_tlv(_CONTEXT_1, attribute)] if token else []),
        )
        signed_data = _tlv(
            _SEQUENCE,
            _VERSION_1,
            _tlv(_SET, profile.digest_algorithm),
            _tlv(_SEQUENCE, _ID_DATA),  # without content: detached
            self._certificates,
            _tlv(_SET, signer_info),
        )
        return _tlv(_SEQUENCE, _ID_SIGNED_DATA, _tlv(_CONTEXT_0, signed_data))


def _attributes(certificate: bytes, issuer: bytes, serial_number: bytes, profile: _Profile) -> tuple[bytes, bytes]:
    """Encode the signed attributes without their outer tag, split around the message digest."""
    # hashAlgorithm is left out: SHA-256 is its DEFAULT, which DER does not write (RFC 5035, 4; X.690, 11.5).
    ess_cert_id = _tlv(
        _SEQUENCE,
        _tlv(_OCTET_STRING, hashlib.sha256(certificate).digest()),
        _tlv(_SEQUENCE, _tlv(_SEQUENCE, _tlv(_CONTEXT_4, issuer)), serial_number),
    )
    signing_certificate = _tlv(_SEQUENCE, _tlv(_SEQUENCE, ess_cert_id))
    # Any digest would do here: attributes of different types never differ first inside a digest, so
    # the order of the SET OF does not depend on it. Only the place where it stands is wanted.
    digest_mark = hashlib.new(profile.digest_name, b"where the digest stands").digest()
    attributes = _set_of(
        _SET,
        [
            _tlv(_SEQUENCE, _ID_CONTENT_TYPE, _tlv(_SET, _ID_DATA)),
            _tlv(_SEQUENCE, _ID_MESSAGE_DIGEST, _tlv(_SET, _tlv(_OCTET_STRING, digest_mark))),
            _tlv(_SEQUENCE, _ID_SIGNING_CERTIFICATE_V2, _tlv(_SET, signing_certificate)),
        ],
    )
    before, after = attributes.split(digest_mark)
    return before[1:], after


def _read_chain(chain: Sequence[bytes], algorithm: Algorithm) -> list[x509.Certificate]:
    """Check that certificates follow each other and that the first is for this kind of key."""
    if not chain:
        raise BadChain("it is empty", "为空")
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain]
    except ValueError as error:
        raise BadChain("a certificate is not DER", "有证书不是 DER 编码") from error
    for place, (cert, issuer) in enumerate(pairwise(certificates), 1):
        try:
            cert.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise BadChain(
                f"number {place + 1} did not issue number {place}", f"第 {place} 张非第 {place + 1} 张所签发"
            ) from error
    if _key_kind(certificates[0]) is not algorithm:
        raise BadChain(f"the signer's is not for {algorithm}", f"签名证书的密钥不是 {algorithm}")
    return certificates


def _key_kind(certificate: x509.Certificate) -> Algorithm | None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        kinds = {2048: Algorithm.RSA_2048, 3072: Algorithm.RSA_3072, 4096: Algorithm.RSA_4096}
        return kinds.get(key.key_size)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {"secp256r1": Algorithm.P256, "secp384r1": Algorithm.P384}.get(key.curve.name)
    return None


def _issuer_and_serial(tbs: bytes) -> tuple[bytes, bytes]:
    """Cut issuer and serial number out of a TBSCertificate (RFC 5280, 4.1) as they stand.

    Encoding the name anew could choose other string types than the issuing CA
    did, and a verifier compares bytes.
    """
    fields: list[bytes] = []
    at = _header_length(tbs, 0)
    while len(fields) < 4:
        end = at + _header_length(tbs, at) + _content_length(tbs, at)
        fields.append(tbs[at:end])
        at = end
    # Version 3 begins with [0] version; then serial number, signature algorithm, issuer.
    serial_at = 1 if fields[0][0] == _CONTEXT_0 else 0
    return fields[serial_at + 2], fields[serial_at]


def _header_length(der: bytes, at: int) -> int:
    return 2 + (der[at + 1] & 0x7F if der[at + 1] & 0x80 else 0)


def _content_length(der: bytes, at: int) -> int:
    first = der[at + 1]
    return int.from_bytes(der[at + 2 : at + 2 + (first & 0x7F)]) if first & 0x80 else first
