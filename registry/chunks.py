"""Rows with their numbers, and the chunks they are issued in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, null, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from credential.errors import InputError
from credential.model import Record
from registry.batches import Batch, record_owner, row_place
from registry.columns import table_of
from registry.records import decode_record
from registry.service_tables import SuccessionRow
from registry.tables import BatchRowRow, ChunkRow, ChunkState, PackRow, RecordKeyRow, RowState
from registry.vault import RecordKey, Vault

_ROWS, _KEYS, _PACKS = table_of(BatchRowRow), table_of(RecordKeyRow), table_of(PackRow)
_STORED = (
    select_columns(
        _ROWS.c.batch_id,
        _ROWS.c.row_number,
        _ROWS.c.issuer_id,
        _ROWS.c.sealed,
        _ROWS.c.live_key,
        _ROWS.c.photo_offset,
        _ROWS.c.photo_length,
        _ROWS.c.year,
        _ROWS.c.sequence,
        _ROWS.c.serial,
        _ROWS.c.version,
        _KEYS.c.wrapped,
        _PACKS.c.name,
    )
    .join(_KEYS, (_KEYS.c.batch_id == _ROWS.c.batch_id) & (_KEYS.c.row_number == _ROWS.c.row_number))
    .outerjoin(_PACKS, _PACKS.c.id == _ROWS.c.photo_pack_id)
    .where(_ROWS.c.batch_id == bindparam("of_batch"))
)
_IN_ORDER = _STORED.where(_ROWS.c.row_number > bindparam("after")).order_by(_ROWS.c.row_number).limit(bindparam("most"))
# Not ordered here: SQLite would go through the whole batch by number instead of looking the chunk up.
_OF_CHUNK = _STORED.where(_ROWS.c.chunk_number == bindparam("of_chunk"), _ROWS.c.state == RowState.NUMBERED.value)
_EVERY_ROW = 1 << 31

# The claim on the title passes from the row to its credential; a successor's when it is sealed.
_SUCCESSIONS = table_of(SuccessionRow)
_SUCCESSORS = select_columns(_SUCCESSIONS.c.row_number).where(_SUCCESSIONS.c.batch_id == bindparam("of_batch"))
_PASS_TITLES = (
    update(_ROWS)
    .where(
        _ROWS.c.batch_id == bindparam("of_batch"),
        _ROWS.c.chunk_number == bindparam("of_chunk"),
        _ROWS.c.row_number.not_in(_SUCCESSORS),
    )
    .values(live_key=null())
)


class UnknownChunk(InputError):
    """The batch has no chunk of this number."""

    code = "unknown-chunk"

    def __init__(self, batch_id: int, number: int) -> None:
        super().__init__(f"batch {batch_id} has no chunk {number}", f"批次 {batch_id} 没有分块 {number}")


class PhotoPlace(NamedTuple):
    """Where a row's sealed photo stands."""

    pack_name: str
    offset: int
    length: int


class StoredRow(NamedTuple):
    """One row of a batch, opened.

    Attributes:
        record: without its photo.
        photo_digest: SHA-256 of the photo, or None.
        serial: empty while the batch is not approved.
        year: of the serial; 0 likewise.
        sequence: of the serial; 0 likewise.
        key: opened.
        sealed: the record, as it stands in the database.
        wrapped: the key, as it stands in the database.
    """

    row_number: int
    issuer_id: str
    record: Record
    photo_digest: bytes | None
    photo: PhotoPlace | None
    live_key: bytes | None
    serial: str
    version: int
    year: int
    sequence: int
    key: RecordKey
    sealed: bytes
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Numbering:
    """What approval gives a row; year and sequence of a correction are those of its serial."""

    row_number: int
    serial: str
    year: int
    sequence: int
    chunk_number: int
    version: int = 1


@dataclass(frozen=True, slots=True)
class NumberedRow:
    """A row that has a number."""

    row_number: int
    serial: str
    version: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk as it stands.

    Attributes:
        pack_name: where its files are or will be; None until it is reserved.
    """

    batch_id: int
    number: int
    state: ChunkState
    row_count: int
    pack_name: str | None


def read_rows(
    session: Session, vault: Vault, batch_id: int, *, after: int = 0, limit: int | None = None
) -> list[StoredRow]:
    """Read and open the rows of a batch, by row number.

    Args:
        session: to read in.
        vault: opens the rows.
        batch_id: the batch.
        after: a row number; only later rows are read.
        limit: at most that many rows.

    Raises:
        RecordErased: a row's key was destroyed.
    """
    wanted = {"of_batch": batch_id, "after": after, "most": _EVERY_ROW if limit is None else limit}
    return [_stored(vault, row) for row in session.execute(_IN_ORDER, wanted)]


def read_chunk_rows(session: Session, vault: Vault, batch_id: int, number: int) -> list[StoredRow]:
    """Read and open the numbered rows of a chunk, by row number.

    Raises:
        RecordErased: a row's key was destroyed.
    """
    found = session.execute(_OF_CHUNK, {"of_batch": batch_id, "of_chunk": number})
    return sorted([_stored(vault, row) for row in found], key=attrgetter("row_number"))


def number_rows(session: Session, batch: Batch, numberings: Sequence[Numbering]) -> None:
    """Write the serials of approved rows and make their chunks, in the caller's transaction."""
    sizes: dict[int, int] = {}
    for one in numberings:
        sizes[one.chunk_number] = sizes.get(one.chunk_number, 0) + 1
    if not sizes:
        return
    chunks = [
        {"batch_id": batch.id, "number": number, "state": ChunkState.READY.value, "row_count": size}
        for number, size in sizes.items()
    ]
    session.execute(insert(table_of(ChunkRow)), chunks)
    table = table_of(BatchRowRow)
    statement = (
        update(table)
        .where(table.c.batch_id == batch.id, table.c.row_number == bindparam("of_row"))
        .values(
            state=RowState.NUMBERED.value,
            year=bindparam("new_year"),
            serial=bindparam("new_serial"),
            version=bindparam("new_version"),
            sequence=bindparam("new_sequence"),
            chunk_number=bindparam("new_chunk"),
        )
    )
    values = [
        {
            "of_row": one.row_number,
            "new_year": one.year,
            "new_serial": one.serial,
            "new_version": one.version,
            "new_sequence": one.sequence,
            "new_chunk": one.chunk_number,
        }
        for one in numberings
    ]
    session.connection().execute(statement, values)


def refuse_rows(session: Session, batch_id: int, reason: str, obstacles: Mapping[int, str]) -> None:
    """Refuse submitted rows, each with the serial that stands in its way."""
    if not obstacles:
        return
    table = table_of(BatchRowRow)
    statement = (
        update(table)
        .where(table.c.batch_id == batch_id, table.c.row_number == bindparam("of_row"))
        .values(state=RowState.REFUSED.value, reason=reason, reason_serial=bindparam("obstacle"))
    )
    session.connection().execute(
        statement, [{"of_row": number, "obstacle": serial} for number, serial in obstacles.items()]
    )


def void_row(session: Session, batch_id: int, row_number: int, reason: str, leaf: int | None) -> None:
    """Void a row that gets no credential; the log has been told of its number by a leaf, if it had one of its own."""
    row = session.get_one(BatchRowRow, (batch_id, row_number))
    row.state, row.reason, row.void_leaf = RowState.VOID, reason, leaf
    session.flush()


def numbered_rows(session: Session, batch_id: int, chunk_numbers: Iterable[int]) -> list[NumberedRow]:
    """The numbered rows of some chunks."""
    query = select(BatchRowRow.row_number, BatchRowRow.serial, BatchRowRow.version).where(
        BatchRowRow.batch_id == batch_id,
        BatchRowRow.state == RowState.NUMBERED,
        col(BatchRowRow.chunk_number).in_(list(chunk_numbers)),
    )
    found = session.exec(query.order_by(col(BatchRowRow.row_number)))
    return [NumberedRow(number, serial or "", version) for number, serial, version in found]


def list_chunks(session: Session, batch_id: int) -> list[Chunk]:
    """The chunks of a batch, by number."""
    query = select(ChunkRow).where(ChunkRow.batch_id == batch_id).order_by(col(ChunkRow.number))
    return [_chunk(row) for row in session.exec(query)]


def unfinished_batches(session: Session) -> list[int]:
    """The numbers of the batches that an engine has work for, oldest first.

    A cancelled batch is among them while it has a reserved chunk.
    """
    states = [ChunkState.READY.value, ChunkState.RESERVED.value]
    query = select(ChunkRow.batch_id).where(col(ChunkRow.state).in_(states)).distinct().order_by(col(ChunkRow.batch_id))
    return list(session.exec(query).all())


def get_chunk(session: Session, batch_id: int, number: int, *, lock: bool = False) -> Chunk:
    """Read one chunk, locked against other writers if asked for.

    Raises:
        UnknownChunk: the batch has no such chunk.
    """
    query = select(ChunkRow).where(ChunkRow.batch_id == batch_id, ChunkRow.number == number)
    row = session.exec(query.with_for_update(key_share=True) if lock else query).first()
    if row is None:
        raise UnknownChunk(batch_id, number)
    return _chunk(row)


def move_chunk(session: Session, chunk: Chunk, to: ChunkState, now: datetime, pack_name: str | None = None) -> bool:
    """Move a chunk on, if it is still where it was; returns False when another worker was first."""
    table = table_of(ChunkRow)
    values: dict[str, object] = {"state": to.value}
    if to is ChunkState.RESERVED:
        values |= {"reserved_at": now, "pack_name": pack_name}
        session.connection().execute(_PASS_TITLES, {"of_batch": chunk.batch_id, "of_chunk": chunk.number})
    elif to is ChunkState.ISSUED:
        values["issued_at"] = now
    where = (table.c.batch_id == chunk.batch_id, table.c.number == chunk.number, table.c.state == chunk.state.value)
    return session.connection().execute(update(table).where(*where).values(**values)).rowcount == 1


def _stored(vault: Vault, row: Sequence[Any]) -> StoredRow:
    batch_id, row_number, issuer_id, sealed, live_key, offset, length = row[:7]
    year, sequence, serial, version, wrapped, pack_name = row[7:]
    key = vault.open_key(record_owner(batch_id, row_number), wrapped)
    record, photo_digest = decode_record(key.open_bytes(sealed, row_place(batch_id, row_number)), row_number)
    photo = None if pack_name is None else PhotoPlace(pack_name, offset, length)
    return StoredRow(
        row_number,
        issuer_id,
        record,
        photo_digest,
        photo,
        live_key,
        serial or "",
        version,
        year or 0,
        sequence or 0,
        key,
        sealed,
        wrapped,
    )


def _chunk(row: ChunkRow) -> Chunk:
    return Chunk(row.batch_id, row.number, ChunkState(row.state), row.row_count, row.pack_name)
