"""Verify the signature of a sealed original from its bytes, by the one shape that our press gives it.

That the log has sealed a digest says that the register meant these bytes, and
not that the issuer's key signed them: whoever writes the database alone can have
any digest sealed. So the CMS message is verified here, in well under a
millisecond and without a PDF parser; every other shape is refused, and every
file but an exact original goes through verifier/document.py anyway.

What is checked (RFC 5652, 5.4 and 5.6; RFC 5035, 5):

1. one byte range from the first byte to the last, around one ``/Contents``;
2. signed are exactly content type, message digest and signing-certificate-v2,
   and the message digest is that of the covered bytes;
3. signing-certificate-v2 names one of the certificates in the message, and so does
   the signer information;
4. the signature is by that certificate's key, with the only algorithm for it.

Whose certificate it is, the trust list says (``trust.find_document_key``).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from credential.der import read_header
from verifier.signed_range import BadRange, SignedRange, last_signature
from verifier.signer_policy import MIN_RSA_BITS

SIGNATURE = "signature"  # the rule that is broken where the message is of our shape
_SEQUENCE, _SET, _INTEGER, _OCTETS, _OID, _CONTEXT_0, _CONTEXT_1 = 0x30, 0x31, 0x02, 0x04, 0x06, 0xA0, 0xA1
_ID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_ID_DATA = bytes.fromhex("06092a864886f70d010701")
_ID_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_ID_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_ID_SIGNING_CERTIFICATE_V2 = bytes.fromhex("060b2a864886f70d010910022f")
_VERSION_1 = bytes.fromhex("020101")
_SHA_256 = bytes.fromhex("300b0609608648016503040201")
_SHA_384 = bytes.fromhex("300b0609608648016503040202")


@dataclass(frozen=True, slots=True)
class _Scheme:
    """How a kind of key signs; none signs in two ways."""

    name: str  # of the digest, for hashlib
    digest: bytes  # AlgorithmIdentifier, DER
    signature: bytes  # likewise


_RSA = _Scheme("sha256", _SHA_256, bytes.fromhex("300d06092a864886f70d01010b0500"))
_P256 = _Scheme("sha256", _SHA_256, bytes.fromhex("300a06082a8648ce3d040302"))
_P384 = _Scheme("sha384", _SHA_384, bytes.fromhex("300a06082a8648ce3d040303"))


@dataclass(frozen=True, slots=True)
class _Signer:
    """What a certificate says of whoever signs with it; read once, since a signer's files share it."""

    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    scheme: _Scheme
    name: bytes  # IssuerAndSerialNumber, DER


def check_sealed_signature(document: bytes) -> bytes:
    """Verify the last signature of a document, which must cover all of it.

    Args:
        document: an original, whole; not trusted.

    Returns:
        The certificate of the key that signed, DER; whether it is to be trusted is not asked.

    Raises:
        BadRange: it is not signed, or not so.
    """
    signed, message = last_signature(document)
    certificates, info = _take_apart(message)
    version, name, digest_algorithm, attributes, algorithm, value = info
    stated, certificate_digest = _attributes(attributes)
    certificate = next((one for one in certificates if hashlib.sha256(one).digest() == certificate_digest), None)
    if certificate is None:
        raise BadRange("contents", "the signature names a certificate that it does not carry")
    signer = _signer(certificate)
    scheme = signer.scheme
    if (version, name) != (_VERSION_1, signer.name):
        raise BadRange("contents", "the signer information names another certificate than the one signed for")
    if (digest_algorithm, algorithm) != (scheme.digest, scheme.signature):
        raise BadRange("contents", "the algorithms are not those of the certificate's key")
    if _digest(document, signed, scheme.name) != stated:
        raise BadRange(SIGNATURE, "the digest of the signed bytes is another one")
    try:
        # Signed is the SET OF itself, not the [0] that stands for it in the container (RFC 5652, 5.4).
        _verify(signer, value, b"\x31" + attributes[1:])
    except InvalidSignature as error:
        raise BadRange(SIGNATURE, "the signature does not fit its key") from error
    return certificate


def _digest(document: bytes, signed: SignedRange, name: str) -> bytes:
    view = memoryview(document)
    digest = hashlib.new(name, view[: signed.gap_start])
    digest.update(view[signed.gap_end : signed.end])
    return digest.digest()


def _verify(signer: _Signer, signature: bytes, attributes: bytes) -> None:
    digest = hashes.SHA384() if signer.scheme is _P384 else hashes.SHA256()
    if isinstance(signer.key, rsa.RSAPublicKey):
        signer.key.verify(signature, attributes, padding.PKCS1v15(), digest)
    else:
        signer.key.verify(signature, attributes, ec.ECDSA(digest))


def _take_apart(message: bytes) -> tuple[list[bytes], list[bytes]]:
    """Give the certificates and the parts of the only signer information, all but its unsigned attributes."""
    kind, content = _parts(message, _SEQUENCE, (_OID, _CONTEXT_0))
    (signed_data,) = _parts(content, _CONTEXT_0, (_SEQUENCE,))
    version, digests, data, certificates, signers = _parts(
        signed_data, _SEQUENCE, (_INTEGER, _SET, _SEQUENCE, _CONTEXT_0, _SET)
    )
    (enclosed,) = _parts(data, _SEQUENCE, (_OID,))
    if (kind, version, enclosed) != (_ID_SIGNED_DATA, _VERSION_1, _ID_DATA):
        raise BadRange("contents", "/Contents holds no detached SignedData")
    (signer,) = _parts(signers, _SET, (_SEQUENCE,))
    shape = (_INTEGER, _SEQUENCE, _SEQUENCE, _CONTEXT_0, _SEQUENCE, _OCTETS)
    info = _parts(signer, _SEQUENCE, shape, (_CONTEXT_1,))
    if _parts(digests, _SET, (_SEQUENCE,)) != [info[2]]:
        raise BadRange("contents", "the digest algorithms are not the signer's")
    return list(_elements(certificates, _CONTEXT_0)), [*info[:5], _content(info[5], _OCTETS)]


def _attributes(attributes: bytes) -> tuple[bytes, bytes]:
    """Give the stated digest of the document and that of the certificate; every attribute once, with one value."""
    found: dict[bytes, bytes] = {}
    for attribute in _elements(attributes, _CONTEXT_0):
        kind, values = _parts(attribute, _SEQUENCE, (_OID, _SET))
        if kind in found:
            raise BadRange("contents", "a signed attribute stands twice")
        found[kind] = _content(values, _SET)
    if found.keys() != {_ID_CONTENT_TYPE, _ID_MESSAGE_DIGEST, _ID_SIGNING_CERTIFICATE_V2}:
        raise BadRange("contents", "the signed attributes are not the three of a sealed original")
    if found[_ID_CONTENT_TYPE] != _ID_DATA:
        raise BadRange("contents", "the signature is over another kind of content")
    # SigningCertificateV2: SEQUENCE of ESSCertIDv2, whose digest is SHA-256 where no algorithm stands before it.
    (names,) = _parts(found[_ID_SIGNING_CERTIFICATE_V2], _SEQUENCE, (_SEQUENCE,))
    (first,) = _parts(names, _SEQUENCE, (_SEQUENCE,))
    digest, _ = _parts(first, _SEQUENCE, (_OCTETS, _SEQUENCE))
    return _content(found[_ID_MESSAGE_DIGEST], _OCTETS), _content(digest, _OCTETS)


@lru_cache(maxsize=256)
def _signer(certificate: bytes) -> _Signer:
    """Read a certificate.

    Raises:
        BadRange: it is none, or its key is not one that signs PDFs here.
    """
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (UnsupportedAlgorithm, ValueError, x509.InvalidVersion) as error:
        raise BadRange("contents", "the signing certificate cannot be read") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return _Signer(key, _RSA, _issuer_and_serial(certificate))
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        scheme = _P256 if isinstance(key.curve, ec.SECP256R1) else _P384
        return _Signer(key, scheme, _issuer_and_serial(certificate))
    raise BadRange("contents", "the signing certificate's key is none that signs originals")


def _issuer_and_serial(certificate: bytes) -> bytes:
    """Cut issuer and serial number out of a certificate as they stand (RFC 5280, 4.1)."""
    tbs = next(_elements(certificate, _SEQUENCE))
    fields = _elements(tbs, _SEQUENCE)
    serial = next(fields)
    if serial[0] == _CONTEXT_0:  # the version
        serial = next(fields)
    next(fields)  # the algorithm that its issuer signed with
    content = next(fields) + serial
    length = len(content)
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    header = bytes([length]) if length < 0x80 else bytes([0x80 | len(octets)]) + octets
    return bytes([_SEQUENCE]) + header + content


# ---- DER --------------------------------------------------------------------------------------------------------


def _parts(element: bytes, tag: int, wanted: tuple[int, ...], optional: tuple[int, ...] = ()) -> list[bytes]:
    """Take an element of this tag apart into elements of exactly these tags."""
    found = list(_elements(element, tag))
    tags = tuple(one[0] for one in found)
    if tags not in {wanted, wanted + optional}:
        raise BadRange("contents", "/Contents is not of the shape that originals have")
    return found


def _elements(element: bytes, tag: int) -> Iterator[bytes]:
    """Yield the elements that one of this tag, and nothing behind it, is made of."""
    at, end = _bounds(element, tag)
    while at < end:
        step = read_header(element, at, end)
        if step is None:
            raise _not_der()
        yield element[at : step[1]]
        at = step[1]


def _content(element: bytes, tag: int) -> bytes:
    start, end = _bounds(element, tag)
    return element[start:end]


def _bounds(element: bytes, tag: int) -> tuple[int, int]:
    step = read_header(element, 0, len(element)) if element[:1] == bytes([tag]) else None
    if step is None or step[1] != len(element):
        raise _not_der()
    return step


def _not_der() -> BadRange:
    return BadRange("contents", "/Contents is not in DER")
