"""What a verification works on: claims that were found, a code that was scanned, what the verifier was given."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from credential.leaves import issue_leaf
from credential.model import Claims
from credential.ports import EarlyEvidence, RegisteredCredential
from credential.qr import QrClaims
from credential.trust import TrustedKey
from press.template import Template
from verifier.verdict import CheckFailed


@dataclass(frozen=True, slots=True)
class Found:
    """A credential whose claims' signature was verified.

    Attributes:
        claims: what was signed.
        payload: its bytes.
        key: that signed; its state is judged by ``check_issuer_key``.
        registered: the register's entry; None when it was not asked or has none.
    """

    claims: Claims
    payload: bytes
    key: TrustedKey
    registered: RegisteredCredential | None

    @property
    def issue_leaf(self) -> bytes:
        """What the log holds of the claims."""
        return issue_leaf(hashlib.sha256(self.payload).digest(), self.claims.salt)


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a QR code says whose signature was verified; the key's state is another matter.

    Attributes:
        qr: what it says.
        key: that signed it.
    """

    qr: QrClaims
    key: TrustedKey


@dataclass(frozen=True, slots=True)
class Supplied:
    """What a verifier is given beside register and trust list.

    Attributes:
        templates: by SHA-256 of the prefix that claims name, or of the version itself;
            says what pages show and what may be told. One that is not there is not compared.
        crls: revocation lists of the issuers' authorities, DER or PEM.
        status_tokens: for verifying offline, status lists by number; not trusted.
        origins: by issuer (unified social credit code), ``https://host`` of every site
            that its QR codes may lead to; that of the status list is known without.
        evidence: for verifying offline, by leaf; not trusted.
        claims: likewise, full claims (COSE_Sign1) by their digest, for QR codes; not trusted.
    """

    templates: Mapping[bytes, Template] = field(default_factory=dict)
    crls: tuple[bytes, ...] = ()
    status_tokens: Mapping[int, bytes] = field(default_factory=dict)
    origins: Mapping[str, frozenset[str]] = field(default_factory=dict)
    evidence: Mapping[bytes, tuple[EarlyEvidence, ...]] = field(default_factory=dict)
    claims: Mapping[bytes, bytes] = field(default_factory=dict)


def first_printed(registered: RegisteredCredential, document: bytes, digest: bytes) -> tuple[bytes, bytes]:
    """Take what a stored file was when it was printed, before any revision was added to it, and its digest.

    Args:
        registered: says how long the first file is, and which digest it has.
        document: a stored file, whole.
        digest: SHA-256 of it.

    Raises:
        CheckFailed: the two do not agree; the register is at fault, not the holder.
    """
    if not registered.files or registered.files[0].digest == digest:
        return document, digest
    original = registered.files[0]
    printed = document[: original.length]
    if hashlib.sha256(printed).digest() != original.digest:
        raise CheckFailed("register-damaged", "a revision does not begin with its original")
    return printed, original.digest
