"""What issuing needs from others, as small protocols, and the line that holds one of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from credential.model import Claims
from credential.ports import Signer
from issuer.office import Office
from issuer.sampling import DocumentSample


class CompiledPrefix(Protocol):
    """What a press prints on; press.prefix.Prefix."""

    @property
    def content(self) -> bytes:
        """Its bytes."""
        ...

    @property
    def digest(self) -> bytes:
        """SHA-256 of them."""
        ...


class PrintedDocument(Protocol):
    """A signed PDF without its prefix; press.press.Printed."""

    @property
    def prefix_digest(self) -> bytes:
        """SHA-256 of the prefix."""
        ...

    @property
    def tail(self) -> bytes:
        """What follows the prefix."""
        ...

    @property
    def digest(self) -> bytes:
        """SHA-256 of prefix and tail."""
        ...

    @property
    def length(self) -> int:
        """Bytes of prefix and tail."""
        ...


class Printer(Protocol):
    """Prints and signs; press.press.Press."""

    @property
    def qr_budget(self) -> int:
        """Bytes of the QR code's COSE message."""
        ...

    def prefix(self, *, photo: bool) -> CompiledPrefix:
        """The prefix for certificates with or without photo."""
        ...

    def print_many(
        self,
        claims: Sequence[Claims],
        *,
        photos: Sequence[bytes | None],
        qr_texts: Sequence[str],
        messages: Sequence[bytes],
        proofs: Sequence[str],
    ) -> Sequence[PrintedDocument]:
        """Print and sign some certificates."""
        ...


class SignedDocument(Protocol):
    """A signed PDF that waits for the time stamp over its signature; press.press.SignedTail."""

    @property
    def signature(self) -> bytes:
        """What the time-stamping authority is shown the digest of."""
        ...

    def finish(self, token: bytes = b"") -> PrintedDocument:
        """Put the token in; the document's digest is known from here on."""
        ...


class SigningPrinter(Protocol):
    """Prints, signs and leaves room for a time stamp; press.press.Press."""

    def sign(  # noqa: PLR0913 - the parts of one certificate
        self, claims: Claims, *, photo: bytes | None, qr_text: str, message: bytes, proof: str, token_bytes: int
    ) -> SignedDocument:
        """Print and sign one certificate, with room for a token of so many bytes."""
        ...


class Timestamps(Protocol):
    """Asks time-stamping authorities; keys.timestamp.TimestampClient."""

    @property
    def token_bytes(self) -> int:
        """The longest token that will come, worked out by asking for one; raises UnavailableError."""
        ...

    def timestamp_many(self, messages: Iterable[bytes], max_bytes: int) -> list[bytes]:
        """A token for each message, asked for as soon as the message is there; raises UnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class Stamping:
    """What a line needs to print with a time stamp over each signature (B-T and above)."""

    printer: SigningPrinter
    timestamps: Timestamps


class Proofs(Protocol):
    """Proves that leaves are logged; registry.log.reader.LogReader."""

    def proofs(self, leaf_ids: Sequence[int]) -> list[str]:
        """C2SP tlog-proofs; raises when a leaf is not logged."""
        ...


class Sequencer(Protocol):
    """Puts waiting leaves under a checkpoint; registry.log.sequencer.Log."""

    def sequence(self, now: datetime) -> object:
        """Return once every leaf put before the call is logged and published."""
        ...


@dataclass(frozen=True, slots=True)
class IssuingLine:
    """Everything that issues chunks, made by ``service/`` once a process.

    Attributes:
        office: of the issuer.
        printer: holds the PDF key.
        claims_signer: holds the QR key, which signs claims and QR codes.
        proofs: reads the log.
        check_document: takes a whole PDF and a credential's claims message; raises
            unless the PDF carries a good signature and these claims. Asked about
            files that are found, not about ones just made.
        now: the current moment, UTC.
        stamping: None for signatures without time stamps (B-B).
        sample: picks certificates to be examined before their pack is stored; None for none.
        pack_memory: where the last packs were put together, for the next ones; nothing in it is to be read.
    """

    office: Office
    printer: Printer
    claims_signer: Signer
    proofs: Proofs
    check_document: Callable[[bytes, bytes], None]
    now: Callable[[], datetime]
    stamping: Stamping | None = None
    sample: DocumentSample | None = None
    pack_memory: list[bytearray] = field(default_factory=list, repr=False, compare=False)
