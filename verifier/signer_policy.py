"""What we ask of a signature's algorithms and of a signer's certificate, judged apart from pyHanko.

Weak algorithms make a signature worthless whoever made it; purpose and
revocation tell whether its maker may sign for an issuer.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

MIN_RSA_BITS = 2048
STRONG_DIGESTS = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512"})
STRONG_CURVES = frozenset(
    {"secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"}
)

# RFC 9336, and the two older identifiers that mean the same.
DOCUMENT_SIGNING = frozenset({"1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.311.10.3.12", "1.2.840.113583.1.1.5"})


def describe_key(certificate: x509.Certificate) -> tuple[str, bool]:
    """Name a certificate's key, as ``rsa-2048``, and say whether it is strong enough."""
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "unknown", False
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}", key.key_size >= MIN_RSA_BITS
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name, key.curve.name in STRONG_CURVES
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519", True
    if isinstance(key, ed448.Ed448PublicKey):
        return "ed448", True
    return "unknown", False


def may_sign_documents(certificate: x509.Certificate) -> bool:
    """Whether key usage and extended key usage allow signing documents.

    An absent extension allows everything; extended key usages that name other
    purposes alone (time stamping, web servers) do not.
    """
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        if not (usage.digital_signature or usage.content_commitment):
            return False
    except x509.ExtensionNotFound:
        pass
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    allowed = DOCUMENT_SIGNING | {ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string}
    return any(purpose.dotted_string in allowed for purpose in purposes)


def check_revocation(
    chain: Sequence[x509.Certificate], crls: Iterable[x509.CertificateRevocationList], now: datetime
) -> str:
    """Look a chain up in the revocation lists that were supplied.

    A list that names an issuer of the chain is required from then on: stale,
    partial or badly signed, it gives an indeterminate answer, never a good one.
    An issuer without a list is not looked up.

    Args:
        chain: root first; the root itself is not looked up.
        crls: of any issuer.
        now: with time zone.

    Returns:
        A sub-indication of ETSI EN 319 102-1, or empty when nothing speaks
        against the chain.
    """
    lists = list(crls)
    for issuer, certificate in pairwise(chain):
        supplied = [crl for crl in lists if crl.issuer == issuer.subject]
        signed = [crl for crl in supplied if _is_signed_by(crl, issuer)]
        for crl in signed:
            if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
                return "REVOKED_NO_POE" if certificate is chain[-1] else "REVOKED_CA_NO_POE"
        if supplied and not any(_is_current_and_whole(crl, now) for crl in signed):
            return "TRY_LATER"
    return ""


def _is_signed_by(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type] # other kinds of key raise TypeError
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False


def _is_current_and_whole(crl: x509.CertificateRevocationList, now: datetime) -> bool:
    next_update = crl.next_update_utc
    if crl.last_update_utc > now or next_update is None or next_update < now:
        return False
    partial = {ExtensionOID.ISSUING_DISTRIBUTION_POINT, ExtensionOID.DELTA_CRL_INDICATOR}
    return not any(extension.oid in partial for extension in crl.extensions)
