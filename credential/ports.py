"""Small protocols that the floors above implement and hand in; each docstring is a contract."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from credential.merkle import LogProof
from credential.model import State


class Algorithm(StrEnum):
    """Kinds of signing keys; the digest goes with the key."""

    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    P256 = "p-256"
    P384 = "p-384"  # with SHA-384
    ED25519 = "ed25519"


class Signer(Protocol):
    """Holds one private key for one role; loaded once per process."""

    @property
    def algorithm(self) -> Algorithm:
        """Which kind of key this is."""
        ...

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign the message itself, not its digest.

        RSA: PKCS #1 v1.5 with SHA-256. ECDSA: DER of r and s, with SHA-256
        (P-256) or SHA-384 (P-384). Ed25519: 64 bytes.

        Raises:
            UnavailableError: the key store does not answer (a token was removed).
        """
        ...


class Clock(Protocol):
    """Says what time it is; frozen in tests."""

    def now(self) -> datetime:
        """The current moment, with time zone UTC."""
        ...


class Blobs(Protocol):
    """Durable, create-only storage of named bytes; names are ``/``-separated ASCII."""

    def create(self, name: str, parts: Sequence[bytes | memoryview]) -> bool:
        """Store the joined parts durably (survives power loss once this returns).

        Returns False, and changes nothing, when the name exists already. Safe
        to call at once from several processes: exactly one gets True.
        """
        ...

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read all or a range.

        Raises:
            MissingBlob: there is no such name.
            UnavailableError: the store does not answer.
        """
        ...

    def exists(self, name: str) -> bool:
        """Whether the name is stored."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a credential's history as a verifier needs it.

    Attributes:
        state: the state it led to.
        effective_on: the day the change counts from, Beijing time.
        recorded_at: when the registry learnt of it.
        reason: stable reason code, or empty.
        decision: number of the decision document, or empty.
    """

    state: State
    effective_on: date
    recorded_at: datetime
    reason: str = ""
    decision: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredFile:
    """One stored file of a credential: the original or a later revision of it."""

    digest: bytes  # SHA-256 of the whole PDF
    length: int  # bytes
    seal_proof: LogProof | str  # of the seal leaf; a C2SP tlog-proof as text, or taken apart; empty when not yet logged


@dataclass(frozen=True, slots=True)
class EarlyEvidence:
    """That a leaf stood in the log at a moment, for what a key signed before it was stolen; nothing of it is verified.

    Attributes:
        proof: that the leaf is under a checkpoint.
        token: RFC 3161 TimeStampToken, DER, over that checkpoint's signed note, every byte of it (UTF-8).
        growth: that the log grew from that checkpoint into ``grown_into`` by appending only (RFC 6962, 2.1.2).
        grown_into: signed note of the checkpoint that was the newest when this was put together, or empty.
    """

    proof: LogProof | str
    token: bytes
    growth: tuple[bytes, ...] = ()
    grown_into: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Names another credential of a chain: what took the place of what."""

    serial: str
    version: int


@dataclass(frozen=True, slots=True)
class RegisteredCredential:
    """Everything the registry can say about one credential, for the verifier to check.

    Nothing in it is believed as it stands: claims carry a signature, leaves a
    proof, the state a status list.

    Attributes:
        claims: the COSE_Sign1 message over the full claims.
        state: now.
        changes: oldest first; empty for a credential nothing has happened to.
        superseded_by: the credential that took its place, or None.
        supersedes: the one whose place it takes, or None.
        files: the original first.
        issue_proof: C2SP tlog-proof of the issue leaf, as text or taken apart; empty when not yet logged.
        status_list: number of the status list.
        status_index: slot in it.
        issued: False while the batch is still being printed.
    """

    claims: bytes
    state: State
    changes: tuple[Change, ...]
    superseded_by: Link | None
    supersedes: Link | None
    files: tuple[RegisteredFile, ...]
    issue_proof: LogProof | str
    status_list: int
    status_index: int
    issued: bool


@dataclass(frozen=True, slots=True)
class ErasedCredential:
    """A credential whose personal data was erased: all that is left of it.

    Attributes:
        erased_at: when.
        state: that it has.
    """

    erased_at: datetime
    state: State


class CredentialSource(Protocol):
    """The registry as a verifier sees it; every method may raise UnavailableError."""

    def by_digest(self, digest: bytes) -> RegisteredCredential | None:
        """Find by SHA-256 of an exact stored PDF."""
        ...

    def by_code(self, code: str) -> RegisteredCredential | None:
        """Find by verification code, 16 characters in canonical form."""
        ...

    def by_serial(self, serial: str) -> Sequence[RegisteredCredential]:
        """Find all versions under a serial (several issuers may use the same), newest first."""
        ...

    def candidates(self, serial: str) -> Sequence[RegisteredCredential]:
        """All credentials under a serial, newest first, and others after them: as many in all if there is none.

        For one who knows serial and name: the same work is done, here and by whoever opens what is
        given, whether the serial exists or not. Compare the serial that was signed.
        """
        ...

    def erased(self, digest: bytes) -> ErasedCredential | None:
        """Find one that was erased, by SHA-256 of an exact stored PDF or of the payload of its claims."""
        ...

    def checkpoint(self) -> str:
        """The newest published checkpoint of the log, a C2SP signed note."""
        ...

    def attested(self, leaf: bytes, index: int, before: datetime) -> Sequence[EarlyEvidence]:
        """Prove by timestamped checkpoints that a leaf was in the log before a moment.

        Args:
            leaf: its bytes.
            index: its position, as its proof of today names it; not trusted.
            before: the timestamps must be older.

        Returns:
            The earliest by each log key and authority; none where nothing so old covers the leaf.
        """
        ...

    def status_token(self, list_number: int) -> bytes:
        """The newest published status list, a CWT (tagged COSE_Sign1)."""
        ...
