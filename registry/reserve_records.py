"""Keep what was reserved outside the database too, before it is printed.

If an older database is put in place, printed certificates exist that it does
not know: these records let a restore bring them back (DESIGN 7, rollback).
They hold the wrapped record keys, so erasing a person asks for deleting them;
a record may be deleted once a backup of the database holds its chunk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from credential.ports import Blobs
from registry.batches import Batch, record_owner
from registry.credentials import ReservedCredential
from registry.vault import Vault, place


@dataclass(frozen=True, slots=True)
class ReserveRecord:
    """One credential as it was reserved.

    Attributes:
        wrapped: the record's key, wrapped by the master key for ``batch/row``.
        claims: COSE_Sign1 message; everything else about the credential is in it.
    """

    row_number: int
    wrapped: bytes
    claims: bytes
    qr_text: str


def reserve_record_name(pack_name: str) -> str:
    """Name the object that belongs to a chunk's pack."""
    return f"reserved/{pack_name.removeprefix('tails/')}"


def store_reserve_records(
    blobs: Blobs, vault: Vault, batch: Batch, pack_name: str, reserved: Sequence[ReservedCredential]
) -> None:
    """Store the reserve records of a chunk durably, unless they are there already."""
    name = reserve_record_name(pack_name)
    if blobs.exists(name):
        return
    records = [
        [one.row_number, vault.wrap(one.key, record_owner(batch.id, one.row_number)), one.claims, one.qr_text]
        for one in reserved
    ]
    content = cbor2.dumps([batch.issuer_id, batch.id, batch.digest, records], canonical=True)
    blobs.create(name, [vault.seal_apart(content, _place(name))])


def read_reserve_records(blobs: Blobs, vault: Vault, name: str) -> tuple[str, int, bytes, list[ReserveRecord]]:
    """Read them back: issuer's id, batch's number, batch's digest, records.

    Raises:
        MissingBlob: there are none.
        SealedDataDamaged: they were changed, or the master key is another.
    """
    content: list[Any] = cbor2.loads(vault.open_apart(blobs.read(name), _place(name)))
    issuer_id, batch_id, digest, records = content
    return issuer_id, batch_id, digest, [ReserveRecord(*record) for record in records]


def _place(name: str) -> bytes:
    return place("reserved", name, "records")
