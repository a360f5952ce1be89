"""Hold signatures, proofs and signers against the trust list; whatever does not fit raises CheckFailed."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.claims import BadClaims, decode_claims
from credential.cose import BadMessage, BadPublicKey, BadSignature, open_message
from credential.merkle import LogProof
from credential.model import Claims
from credential.note import BadCheckpoint, BadLogProof, BadNote, Checkpoint, open_checkpoint, refuse_bad_lines
from credential.trust import Role, TrustedKey, TrustList
from registry.status.token_list import BadStatusToken, StatusExpired, StatusList, open_status_token
from verifier.former_logs import log_keys, verify_known_proof
from verifier.verdict import CheckFailed
from verifier.witnessed import check_witnessed

# What a revocation list says (ETSI EN 319 102-1, 5.1.3): of the signer's certificate, of an authority's above it.
_SIGNER_REVOKED = "REVOKED_NO_POE"
REVOKED = frozenset({_SIGNER_REVOKED, "REVOKED_CA_NO_POE"})


def check_trust_list(trust: TrustList, now: datetime) -> None:
    """Check that the trust list still speaks of the present.

    Raises:
        CheckFailed: expired.
    """
    if now >= trust.expires:
        raise CheckFailed("trust-list-expired", trust.expires.isoformat())


def open_signed(trust: TrustList, message: bytes) -> tuple[bytes, TrustedKey]:
    """Verify a signed message of the QR role, from anywhere; gives payload and key.

    Raises:
        CheckFailed: malformed, by an unknown key, or the signature does not fit.
    """
    try:
        opened = open_message(message)
    except BadMessage as error:
        raise CheckFailed("claims-malformed", error.en) from error
    key = trust.find_key(opened.kid, Role.QR)
    if key is None:
        raise CheckFailed("claims-unknown-key", f"key {opened.kid.hex()}")
    try:
        opened.verify(key.public_key)
    except (BadSignature, BadPublicKey) as error:
        raise CheckFailed("claims-signature", error.en) from error
    return opened.payload, key


def open_claims(trust: TrustList, message: bytes) -> tuple[Claims, bytes, TrustedKey]:
    """Verify and read a credential's full claims; gives them, their bytes and the key.

    The key's own state is another matter: :func:`check_issuer_key`.

    Raises:
        CheckFailed: the signature or the claims are not good.
    """
    payload, key = open_signed(trust, message)
    try:
        return decode_claims(payload), payload, key
    except BadClaims as error:
        raise CheckFailed("claims-malformed", error.en) from error


def check_issuer_key(key: TrustedKey, issuer: str, issued_at: datetime, proven_at: datetime | None = None) -> None:
    """Check that a key is the issuer's, was in its time when it signed, and that no thief signed.

    A key may be retired long since, or be compromised since a later moment.

    Args:
        key: that signed.
        issuer: that is named.
        issued_at: as claimed.
        proven_at: a moment at which what was signed is proven to have existed
            (verifier/cutoff.py); only that counts for a key that is compromised.

    Raises:
        CheckFailed: it is not.
    """
    _check_owner(key, issuer, proven_at)
    if not key.is_valid_at(issued_at):
        raise CheckFailed("key-out-of-time", f"{key.role} key {key.kid.hex()}")


def _check_owner(key: TrustedKey, issuer: str, proven_at: datetime | None) -> None:
    if key.issuer != issuer:
        raise CheckFailed("signers-disagree", f"a {key.role} key of another issuer")
    if key.compromised_since is not None and (proven_at is None or key.is_compromised_at(proven_at)):
        raise CheckFailed("key-compromised", f"{key.role} key {key.kid.hex()}")


def check_logged(trust: TrustList, proof: LogProof | str, leaf: bytes, reason: str) -> Checkpoint:
    """Check that a leaf is in the log, by a proof, the log's key and the witnesses that are demanded.

    Args:
        trust: knows the log.
        proof: a C2SP tlog-proof, as text or taken apart, from anywhere; empty when there is none.
        leaf: computed from what is to be proven.
        reason: of the failure, a key of ``REASONS``.

    Raises:
        CheckFailed: it is not proven.
    """
    keys = _usable_keys(trust, Role.LOG)
    if not proof or not keys:
        raise CheckFailed(reason, "no proof" if keys else "no usable log key")
    problem = ""
    for key in keys:
        try:
            checkpoint = verify_known_proof(trust, proof, leaf, key.public_key)
        except (BadLogProof, BadNote, BadCheckpoint) as error:
            problem = error.en
        else:
            check_witnessed(trust, proof)
            return checkpoint
    raise CheckFailed(reason, problem)


def check_published(trust: TrustList, published: str, proven: Iterable[Checkpoint]) -> None:
    """Check that the checkpoints of proofs agree with the published one.

    Equal sizes must have equal roots, and none may be larger; whether a smaller
    tree is part of the published one would take a consistency proof.

    Raises:
        CheckFailed: the log shows two faces, or the published checkpoint is not genuine.
    """
    head = open_head(trust, published)
    for checkpoint in proven:
        if checkpoint.origin != head.origin:  # of a former log: the register proves anew, under the present one
            raise CheckFailed("log-forked", f"proof of {checkpoint.origin}, published {head.origin}")
        if checkpoint.size > head.size or (checkpoint.size == head.size and checkpoint.root != head.root):
            raise CheckFailed("log-forked", f"proof at size {checkpoint.size}, published {head.size}")


def open_head(trust: TrustList, published: str) -> Checkpoint:
    """Open a published checkpoint, by a log key that is not compromised.

    Raises:
        CheckFailed: it is not genuine.
    """
    problem = "no usable log key"
    for key in _usable_keys(trust, Role.LOG):
        try:
            refuse_bad_lines(published, trust.log_origin, log_keys(trust))
            return open_checkpoint(published, key.public_key, trust.log_origin)
        except (BadNote, BadCheckpoint) as error:
            problem = error.en
    raise CheckFailed("log-forked", problem)


def open_status(trust: TrustList, token: bytes, now: datetime, issuer: str | None = None) -> StatusList:
    """Verify a status list with one of the status keys.

    Args:
        trust: knows the keys.
        token: not trusted.
        now: with time zone.
        issuer: of the credential that the list is to speak of (unified social credit code): a status key
            that is another issuer's says nothing of it. None only to read whose list it is.

    Raises:
        CheckFailed: expired, not genuine, or there is no usable key.
    """
    problem = "no usable status key"
    for key in _usable_keys(trust, Role.STATUS):
        if not key.is_valid_at(now) or (issuer is not None and key.issuer not in {"", issuer}):
            continue
        try:
            return open_status_token(token, key.public_key, now)
        except (BadStatusToken, StatusExpired) as error:
            problem = error.en
    raise CheckFailed("status-unusable", problem)


def _usable_keys(trust: TrustList, role: Role) -> list[TrustedKey]:
    return [key for key in trust.keys if key.role is role and key.compromised_since is None]


def find_document_key(trust: TrustList, certificates: Iterable[bytes]) -> TrustedKey:
    """Find the PDF key of a document's signing certificate; its state is for :func:`check_document_signer`.

    Args:
        trust: knows the issuers' keys.
        certificates: DER; one of them must hold the key.

    Raises:
        CheckFailed: no key of the trust list.
    """
    for certificate in certificates:
        spki = _certified_key(certificate)
        for key in trust.keys:
            if key.role is Role.PDF and key.public_key == spki:
                return key
    raise CheckFailed("signers-disagree", "no PDF key of the trust list signed the file")


def may_be_older(key: TrustedKey, sub_indication: str) -> bool:
    """Whether proof that a file is older than its key's compromise outweighs that its certificate was revoked.

    Only for a key that our own list calls stolen is it known since when.
    """
    return key.compromised_since is not None and sub_indication == _SIGNER_REVOKED


def check_document_signer(key: TrustedKey, claims: Claims, now: datetime, proven_at: datetime | None = None) -> None:
    """Check that a document was signed by a PDF key of the issuer that the claims name.

    A file is printed after its claims were fixed, be it seconds or days, and so
    perhaps with a key that came into use in between: it must not have ended
    before the claims, nor begin in the future.

    Args:
        key: that signed the document.
        claims: already verified.
        now: with time zone.
        proven_at: see :func:`check_issuer_key`.

    Raises:
        CheckFailed: another issuer's, or the key's state is not good.
    """
    _check_owner(key, claims.issuer, proven_at)
    if key.valid_from > now or (key.valid_until is not None and claims.issued_at >= key.valid_until):
        raise CheckFailed("key-out-of-time", f"{key.role} key {key.kid.hex()}")


@lru_cache(maxsize=256)
def _certified_key(certificate: bytes) -> bytes:
    """Take the public key out of a certificate, SPKI DER; read once by content, since a signer's files share it."""
    public_key = x509.load_der_x509_certificate(certificate).public_key()
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
