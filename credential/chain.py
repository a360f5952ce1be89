"""Chains of an authority's certificates: whether one leads to an anchor at a moment, and how long that stays so."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID

MAX_CHAIN = 6
"""Certificates from the signer to the anchor; real authorities have three or four."""
DIGESTS: Final[Mapping[str, hashes.HashAlgorithm]] = MappingProxyType(
    {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
)
"""What certificates and tokens may be signed by way of, by hashlib's name."""

# What a chain's certificates may mark as critical, since it is looked at here.
_UNDERSTOOD: Final = frozenset(
    (ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE)
)
_MOMENT: Final = timedelta.resolution


def leads_to_anchor(
    signer: x509.Certificate, carried: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], moment: datetime
) -> bool:
    """Look for a chain, shortest first; every certificate is tried once."""
    left = list(carried)
    ends = [signer]
    for depth in range(MAX_CHAIN):
        ends = [end for end in ends if _is_valid(end, moment)]
        if any(end == anchor for end in ends for anchor in anchors):
            return True
        if any(_issued(anchor, end, depth) and _is_valid(anchor, moment) for end in ends for anchor in anchors):
            return True
        issuers = [one for one in left if any(_issued(one, end, depth) for end in ends)]
        left = [one for one in left if one not in issuers]
        ends = issuers
    return False


def _is_valid(certificate: x509.Certificate, moment: datetime) -> bool:
    """Whether a certificate is in its time, and has no critical extension that is not understood here."""
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc and all(
        extension.oid in _UNDERSTOOD for extension in certificate.extensions if extension.critical
    )


def _issued(issuer: x509.Certificate, subject: x509.Certificate, authorities_below: int) -> bool:
    """Whether one certificate issued another and might (RFC 5280, 4.2.1.3 and 4.2.1.9).

    Args:
        issuer: of a CA.
        subject: what it issued.
        authorities_below: CA certificates between the issuer and the signer.
    """
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    has_room = constraints.path_length is None or constraints.path_length >= authorities_below
    digest = subject.signature_hash_algorithm
    if not constraints.ca or not _may_certify(issuer) or not has_room or digest is None or digest.name not in DIGESTS:
        return False
    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _may_certify(issuer: x509.Certificate) -> bool:
    """Whether the key usage, if there is one, allows certificates (RFC 5280, 6.1.4 (n))."""
    try:
        return bool(issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign)
    except x509.ExtensionNotFound:
        return True


def same_answer_between(certificates: Iterable[x509.Certificate], moment: datetime) -> tuple[datetime, datetime]:
    """Say how long what these certificates lead to does not change: none begins or ends meanwhile.

    Of :func:`leads_to_anchor` only the certificates' times depend on the moment,
    so that its answer is the same all through.

    Args:
        certificates: all that it was asked about, the anchors too.
        moment: that it was asked for.

    Returns:
        First and last moment, both included.
    """
    first = datetime.min.replace(tzinfo=UTC)
    last = datetime.max.replace(tzinfo=UTC)
    for one in certificates:
        begins, ends = one.not_valid_before_utc, one.not_valid_after_utc
        if begins <= moment:
            first = max(first, begins)
        else:
            last = min(last, begins - _MOMENT)
        if ends >= moment:
            last = min(last, ends)
        else:
            first = max(first, ends + _MOMENT)
    return first, last
