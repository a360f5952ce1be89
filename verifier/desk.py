"""Where the public asks: the four ways of verifying, with trust list and clock already chosen."""

from typing import Protocol

from verifier.verdict import Verdict


class Desk(Protocol):
    """Verifies now, against the newest trust list; safe to share among threads.

    Every method gives a verdict, also for what is altered, unknown or cannot
    be looked up; none of them says whether a serial or a code exists beyond
    what the verdict says. Each raises UnavailableError, and never another
    error of ours, where not even a verdict can be made (no usable trust list,
    no process to read documents in).
    """

    def verify_file(self, document: bytes) -> Verdict:
        """Verify a file, not trusted, of any kind and length."""
        ...

    def verify_qr(self, text: str) -> Verdict:
        """Verify the text of a QR code as it was scanned, not trusted."""
        ...

    def verify_code(self, code: str) -> Verdict:
        """Verify a verification code as it was typed; case, hyphens and look-alikes do not count."""
        ...

    def verify_serial(self, serial: str, name: str) -> Verdict:
        """Verify a serial with the holder's name; a wrong one of either gives one and the same answer."""
        ...
