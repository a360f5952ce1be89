"""What is known of a key without its passphrase: one small JSON file for each.

A role and owner may have several keys one after the other, their generations: a
new one waits (pending) until it is activated, and signs until it is retired.
Files from before there were generations hold the first one, active, in a file.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credential.ports import Algorithm
from keys.file_signer import BadKeyFile
from keys.private_files import read_private

IN_FILE = "file"
"""Where a key is kept, if in an encrypted file beside its public part; else ``pkcs11`` or the name of a plug-in."""


class KeyState(StrEnum):
    """Where a key is in its life; it only goes forward."""

    PENDING = "pending"  # made, and signs nothing yet
    ACTIVE = "active"
    RETIRED = "retired"  # signs nothing any more; what it signed stays as the trust list says


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """The public part of one key.

    Attributes:
        role: what it may sign.
        owner: issuer or person; empty for the service's own.
        algorithm: of the key.
        public_key: SPKI, DER.
        created_at: UTC.
        chain: certificates, DER, the key's own first; may be empty.
        generation: from 1 for each role and owner.
        state: whether it signs.
        kept_in: ``file``, ``pkcs11``, or the name of a plug-in.
        reference: of the key where it is kept, empty for a file; no secret.
        activated_at: UTC; None for a pending key.
        retired_at: UTC, or None.
    """

    role: str
    owner: str
    algorithm: Algorithm
    public_key: bytes
    created_at: datetime
    chain: tuple[bytes, ...] = ()
    generation: int = 1
    state: KeyState = KeyState.ACTIVE
    kept_in: str = IN_FILE
    reference: str = ""
    activated_at: datetime | None = None
    retired_at: datetime | None = None

    @property
    def name(self) -> str:
        """The name of its files without ending."""
        return key_name(self.role, self.owner, self.generation)


def key_name(role: str, owner: str = "", generation: int = 1) -> str:
    """Name a key: ``<role>[.<owner>][@N]``, where the first generation has no ``@1``."""
    name = f"{role}.{owner}" if owner else str(role)
    return name if generation == 1 else f"{name}@{generation}"


def write_entry(entry: KeyEntry) -> bytes:
    """Write the public part of a key, JSON with certificates as PEM."""
    chain = [x509.load_der_x509_certificate(cert).public_bytes(Encoding.PEM).decode() for cert in entry.chain]
    content = {
        "role": entry.role,
        "owner": entry.owner,
        "algorithm": entry.algorithm,
        "public_key": base64.b64encode(entry.public_key).decode(),
        "created_at": entry.created_at.isoformat(),
        "chain": chain,
        "generation": entry.generation,
        "state": entry.state,
        "kept_in": entry.kept_in,
        "reference": entry.reference,
        "activated_at": _moment(entry.activated_at),
        "retired_at": _moment(entry.retired_at),
    }
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


def read_entry(path: Path) -> KeyEntry:
    """Read the public part of a key.

    Raises:
        BadKeyFile: it is damaged, or that of another key than the file's name says.
        OpenToOthers: others may read the file.
        UnreadablePrivateFile: it is missing.
    """
    try:
        content = json.loads(read_private(path))
        created_at = datetime.fromisoformat(content["created_at"])
        state = KeyState(content.get("state", KeyState.ACTIVE))
        activated_at = created_at if "state" not in content else _read_moment(content["activated_at"])
        entry = KeyEntry(
            role=content["role"],
            owner=content["owner"],
            algorithm=Algorithm(content["algorithm"]),
            public_key=base64.b64decode(content["public_key"], validate=True),
            created_at=created_at,
            chain=tuple(
                x509.load_pem_x509_certificate(cert.encode()).public_bytes(Encoding.DER) for cert in content["chain"]
            ),
            generation=int(content.get("generation", 1)),
            state=state,
            kept_in=content.get("kept_in", IN_FILE),
            reference=content.get("reference", ""),
            activated_at=activated_at,
            retired_at=_read_moment(content.get("retired_at")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadKeyFile(path, "its public part is damaged", "公钥部分已损坏") from error
    if entry.name != path.stem:
        raise BadKeyFile(path, f"its public part is that of {entry.name}", f"公钥部分属于 {entry.name}")
    return entry


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
