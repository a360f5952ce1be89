"""What a verifier asks of whatever reads documents for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from verifier.look import Look
from verifier.report import DocumentReport


class Reader(Protocol):
    """Reads hostile documents within limits; ``verifier.sandbox.Sandbox`` is one."""

    def examine(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> DocumentReport:
        """Say what a document's signatures say."""
        ...

    def look(self, document: bytes) -> Look:
        """Say what its first page shows."""
        ...

    def read(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> tuple[DocumentReport, Look]:
        """Do both; of a document that was altered, the look may end at the first code of ours."""
        ...
