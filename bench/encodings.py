"""What the bytes of a certificate cost beside its signatures: ``python -m bench.encodings`` from the project's root.

For a chunk of 500 made-up rows of the professional title: claims, QR claims,
their messages and the text of the QR code, as reserving makes them; the same
read back, as verifying does. Process time a certificate, least and median of
the rounds; one P-256 signature stands beside them, taken in the same rounds, and
is left out of every other part. Each round has rows of its own, so nothing is
remembered of a certificate that a real chunk would not remember.
"""

import argparse
import hashlib
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench.made_up import people
from credential.claims import claims_digest, decode_claims, encode_claims
from credential.cose import open_message, sign_message, signature_bytes
from credential.leaves import issue_leaf, seal_leaf
from credential.model import Claims, PartialDate
from credential.ports import Algorithm
from credential.qr import budget, decode_qr_claims, fit_qr_payload, parse_qr_text, qr_prefix, qr_text
from credential.serial import DEFAULT_PATTERN, SerialPattern, identifier, new_verification_code
from keys.file_signer import FileSigner, generate_key

ROWS = 500
ISSUER = "11330299MB0T00023P"
TYPE_CODE = "11339900MB0T000153001"
PUBLIC_URL = "https://zs.example.gov.cn"
NOW = datetime(2026, 7, 8, 1, 2, 3, tzinfo=UTC)
RESERVED = ("numbers", "claims object", "claims, digest", "QR claims", "two messages", "QR text", "leaves")


class Unsigning:
    """A key of a real one's kind that gives the same signature each time, to leave the key operation out."""

    def __init__(self, signer: FileSigner) -> None:
        self.algorithm = signer.algorithm
        self.public_key = signer.public_key
        self._signature = signer.sign(b"")

    def sign(self, message: bytes) -> bytes:  # noqa: ARG002 # of the port
        """Give what was made before."""
        return self._signature


class Chunk:
    """The rows of one chunk on their way, each part from what the parts before it made."""

    def __init__(self, first: int, signer: FileSigner) -> None:
        self.signer = signer
        self.unsigning = Unsigning(signer)
        self.rows = list(people(first, ROWS))
        pattern = SerialPattern.parse(DEFAULT_PATTERN)
        self.serials = [
            pattern.format(division="330299", year=2026, series="05", level="2", sequence=number)
            for number in range(first + 1, first + ROWS + 1)
        ]
        self.photos = [hashlib.sha256(row.photo or b"").digest() for row in self.rows]
        self.salts = [os.urandom(16) for _ in self.rows]
        self.randoms = [os.urandom(10) for _ in self.rows]
        self.room = budget(14, "M", len(qr_prefix(PUBLIC_URL, new_verification_code(bytes(10)))))
        self.width = signature_bytes(Algorithm.P256)
        self.parts: dict[str, Callable[[], None]] = {
            "one P-256 signature": self.sign,
            "numbers": self.number,
            "claims object": self.claim,
            "claims, digest": self.encode,
            "QR claims": self.fit,
            "two messages": self.message,
            "QR text": self.write,
            "leaves": self.leave,
            "read: message and claims": self.read,
            "read: QR text, message and claims": self.scan,
        }

    def sign(self) -> None:
        """The raw operation."""
        for _ in range(ROWS):
            self.signer.sign(b"a message of some length" * 20)

    def number(self) -> None:
        """Identifiers and verification codes."""
        self.identifiers = [identifier(TYPE_CODE, ISSUER, serial, 1) for serial in self.serials]
        self.codes = [new_verification_code(random) for random in self.randoms]

    def claim(self) -> None:
        """The claims of each row."""
        issued_on = PartialDate("2026-07-08")
        self.claims = [
            Claims(
                issuer=ISSUER,
                issuer_name="示例市人力资源和社会保障局",
                serial=self.serials[at],
                version=1,
                kind="professional-title",
                identifier=self.identifiers[at],
                holder=row.holder,
                fields=row.fields,
                issued_at=NOW,
                issued_on=issued_on,
                expires_on=None,
                status_uri=f"{PUBLIC_URL}/status/7",
                status_index=at,
                verification_code=self.codes[at],
                photo_digest=self.photos[at],
                template_digest=bytes(32),
                salt=self.salts[at],
            )
            for at, row in enumerate(self.rows)
        ]

    def encode(self) -> None:
        """Their bytes."""
        self.payloads = [encode_claims(one) for one in self.claims]
        self.digests = [claims_digest(payload) for payload in self.payloads]

    def fit(self) -> None:
        """What of them the QR code says."""
        self.said = [
            fit_qr_payload(one, 7, self.room, self.width, digest=digest)
            for one, digest in zip(self.claims, self.digests, strict=True)
        ]

    def message(self) -> None:
        """Both messages, but for the key."""
        self.messages = [sign_message(payload, self.unsigning) for payload in self.payloads]
        self.qr_messages = [sign_message(payload, self.unsigning) for payload in self.said]

    def write(self) -> None:
        """The text of the QR code, its number included."""
        self.texts = [qr_text(PUBLIC_URL, code, one) for code, one in zip(self.codes, self.qr_messages, strict=True)]

    def leave(self) -> None:
        """Both leaves of the log."""
        for digest, salt in zip(self.digests, self.salts, strict=True):
            issue_leaf(digest, salt)
            seal_leaf(digest, salt)

    def read(self) -> None:
        """As a verifier, but for the key."""
        for message in self.messages:
            decode_claims(open_message(message).payload)

    def scan(self) -> None:
        """As a verifier of paper, but for the key."""
        for one in self.texts:
            decode_qr_claims(open_message(parse_qr_text(one).message or b"").payload)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    signer = generate_key(Algorithm.P256)
    spent: dict[str, list[float]] = {}
    for number in range(rounds):
        chunk = Chunk(number * ROWS, signer)
        for name, part in chunk.parts.items():
            started = time.process_time()
            part()
            spent.setdefault(name, []).append((time.process_time() - started) / ROWS * 1e6)
    for name, figures in spent.items():
        print(f"{name:36}{min(figures):8.2f} us{statistics.median(figures):8.2f}")
    whole = [sum(one) for one in zip(*(spent[name] for name in RESERVED), strict=True)]
    print(f"{'all of reserving, but for the key':36}{min(whole):8.2f} us{statistics.median(whole):8.2f}")


if __name__ == "__main__":
    main()
