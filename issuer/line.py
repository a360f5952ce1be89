"""What issuing needs from others, as small protocols, and the line that holds one of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from credential.model import Claims
from credential.ports import Signer
from issuer.office import Office


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

    def print(
        self, claims: Claims, *, photo: bytes | None, qr_text: str, message: bytes, proof: str
    ) -> PrintedDocument:
        """Print and sign one certificate."""
        ...


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
    """

    office: Office
    printer: Printer
    claims_signer: Signer
    proofs: Proofs
    check_document: Callable[[bytes, bytes], None]
    now: Callable[[], datetime]
