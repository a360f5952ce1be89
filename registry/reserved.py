"""What a chunk holds between reserve and seal: read from the database, or remembered by who reserved it.

The database is the truth. The process that has just reserved a chunk holds all
of it in memory, opened, and reads back only what may have changed meanwhile: a
key destroyed, a title given up. If anything has, and for every batch with a
correction in it, the chunk is read anew, as after a crash and in another process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from sqlalchemy import bindparam, select
from sqlmodel import Session

from credential.claims import decode_claims
from credential.cose import open_message
from credential.model import Claims
from registry.batches import Batch
from registry.chunks import Chunk, StoredRow
from registry.columns import table_of
from registry.credentials import NewCredential, ReservedCredential, read_reserved
from registry.reserve_records import Reservation, ReserveRecord, keep_batch, read_reservation
from registry.tables import BatchRowRow, CredentialRow, RecordKeyRow
from registry.vault import Vault

_CREDENTIALS, _KEYS, _ROWS = table_of(CredentialRow), table_of(RecordKeyRow), table_of(BatchRowRow)
_ITS_ROW = (_CREDENTIALS.c.batch_id == _ROWS.c.batch_id) & (_CREDENTIALS.c.row_number == _ROWS.c.row_number)
_CHANGING = (
    select(_CREDENTIALS.c.id, _CREDENTIALS.c.row_number, _CREDENTIALS.c.live_key, _KEYS.c.wrapped)
    .select_from(_ROWS)
    .join(
        _CREDENTIALS, (_CREDENTIALS.c.batch_id == _ROWS.c.batch_id) & (_CREDENTIALS.c.row_number == _ROWS.c.row_number)
    )
    .join(_KEYS, (_KEYS.c.batch_id == _ROWS.c.batch_id) & (_KEYS.c.row_number == _ROWS.c.row_number))
    .where(_ROWS.c.batch_id == bindparam("of_batch"), _ROWS.c.chunk_number == bindparam("of_chunk"))
)
"""All that may change of a reserved chunk, and that printing would have to know; the rest stands still by trigger."""


@dataclass(frozen=True, slots=True)
class ReservedChunk:
    """A reserved chunk, opened, with everything that printing and sealing need.

    Attributes:
        credentials: by row number.
        claims: of each.
        reservation: to be kept beside the database before anything is printed.
    """

    credentials: Sequence[ReservedCredential]
    claims: Sequence[Claims]
    reservation: Reservation


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a process knows of a chunk that it has reserved; the transaction has committed.

    Attributes:
        pack_name: drawn for this reservation, so that it can be taken for no other.
        rows: of the chunk, by row number.
        news: the credential of each.
    """

    pack_name: str
    rows: Sequence[StoredRow]
    news: Sequence[NewCredential]


def read_chunk(session: Session, vault: Vault, batch: Batch, chunk: Chunk) -> ReservedChunk:
    """Read and open all of a reserved chunk.

    Raises:
        RecordErased: a row's key was destroyed.
    """
    credentials = read_reserved(session, vault, batch.id, chunk.number)
    claims = [decode_claims(open_message(one.claims).payload) for one in credentials]
    reservation = read_reservation(session, batch, chunk.number, chunk.pack_name or "", credentials)
    return ReservedChunk(credentials, claims, reservation)


def recall_chunk(session: Session, batch: Batch, chunk: Chunk, remembered: Remembered) -> ReservedChunk | None:
    """Give what is remembered of a chunk; None when the database says anything else by now."""
    rows, news = remembered.rows, remembered.news
    ids, changing = [], []
    found = session.execute(_CHANGING, {"of_batch": batch.id, "of_chunk": chunk.number})
    for credential_id, *others in sorted(found, key=attrgetter("row_number")):
        ids.append(credential_id)
        changing.append(tuple(others))
    known = [(row.row_number, new.live_key, row.wrapped) for row, new in zip(rows, news, strict=True)]
    if chunk.pack_name != remembered.pack_name or changing != known:
        return None
    records = tuple(
        ReserveRecord(
            row_number=row.row_number,
            wrapped=row.wrapped,
            claims=new.claims,
            qr_text=new.qr_text,
            year=row.year,
            sequence=row.sequence,
            row=row.sealed,
            live_key=new.live_key,
            photo=row.photo,
        )
        for row, new in zip(rows, news, strict=True)
    )
    kept = keep_batch(session, batch)
    return ReservedChunk(
        [
            ReservedCredential(
                credential_id,
                row.row_number,
                row.serial,
                new.claims,
                new.qr_text,
                new.said.template_digest,
                new.issue_leaf,
                row.photo,
                row.key,
            )
            for credential_id, row, new in zip(ids, rows, news, strict=True)
        ],
        [new.said for new in news],
        Reservation(batch.issuer_id, batch.id, batch.digest, kept, chunk.number, remembered.pack_name, records),
    )
