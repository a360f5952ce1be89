"""A log made of lists, what it would ask of a witness, and a thief's fork of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from credential.cosignature import WitnessRequest, format_request, witness_of
from credential.merkle import consistency_proof, leaf_hash, root_hash
from credential.note import Checkpoint, sign_checkpoint, verifier_key
from credential.ports import Algorithm
from tests.fakes_issuer import MemorySigner

AT = datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)
NAME = "witness.example.com/w1"
KEY = MemorySigner("witness", Algorithm.ED25519)
WITNESS = witness_of(NAME, KEY)


@dataclass
class SomeLog:
    """A log as lists of leaves, with what it would ask of a witness."""

    origin: str = "rsj.example/log"
    signer: MemorySigner = field(default_factory=lambda: MemorySigner("log", Algorithm.ED25519))
    salt: str = ""

    @property
    def key(self) -> str:
        return verifier_key(self.origin, self.signer.public_key)

    def hashes(self, size: int) -> list[bytes]:
        return [leaf_hash(f"{self.salt}{number}".encode()) for number in range(size)]

    def note(self, size: int) -> str:
        return sign_checkpoint(Checkpoint(self.origin, size, root_hash(self.hashes(size))), self.signer)

    def request(self, old: int, size: int) -> bytes:
        proof = consistency_proof(self.hashes(size), old) if old <= size else ()
        return format_request(WitnessRequest(old, proof, self.note(size))).encode()


LOG = SomeLog()
FORK = SomeLog(salt="fork ")
"""The same name and key over other leaves: what a thief of the log's key makes."""
