"""Keep what was reserved outside the database too, before it is printed.

If an older database is put in place, printed certificates exist that it does
not know: these records let a restore bring them back (DESIGN 7, rollback), for
they hold the rows of the batch as the database has them, its approval and the
claims. They hold the wrapped record keys, so erasing a person writes them anew
without that row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple

import cbor2
from sqlalchemy import bindparam, select
from sqlmodel import Session

from credential.errors import UnavailableError
from credential.ports import Blobs
from registry.batches import Batch
from registry.columns import table_of
from registry.credentials import ReservedCredential
from registry.service_tables import SuccessionRow
from registry.tables import (
    BatchRow,
    BatchRowRow,
    CredentialRow,
    PackRow,
    PersonRow,
    RecordKeyRow,
)
from registry.vault import Vault, place

FORMAT = "yinzheng-reserved/2"
"""First item of the records; those of the first release began with the issuer's id, and held four items."""

FOLDER = "reserved"

_ROWS, _KEYS, _PACKS = table_of(BatchRowRow), table_of(RecordKeyRow), table_of(PackRow)
_CREDENTIALS, _SUCCESSIONS = table_of(CredentialRow), table_of(SuccessionRow)
_BATCHES, _PERSONS = table_of(BatchRow), table_of(PersonRow)

_OWN = (
    select(_BATCHES.c.sealed, _KEYS.c.wrapped)
    .join(_KEYS, (_KEYS.c.batch_id == _BATCHES.c.id) & (_KEYS.c.row_number == 0))
    .where(_BATCHES.c.id == bindparam("of_batch"))
)


class UnknownReserveRecords(UnavailableError):
    """Reserve records of a form that this program does not know."""

    code = "unknown-reserve-records"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the reserve records {name} are of a form that this program does not know; use the program that wrote "
            "them, or a newer one",
            f"预留记录 {name} 的格式本程序无法识别; 请使用写入它的程序或更新的版本",
        )
        self.name = name


@dataclass(frozen=True, slots=True)
class KeptSuccession:
    """Whose place a row's credential takes, by what outlives the database's own numbers.

    Attributes:
        sealed: the decision, as it stands in the database.
    """

    serial: str
    version: int
    kind: str
    reason: str
    seen_change: int
    sealed: bytes


class ReserveRecord(NamedTuple):
    """One credential as it was reserved.

    Attributes:
        wrapped: the record's key, wrapped by the master key for ``batch/row``.
        claims: COSE_Sign1 message; everything else about the credential is in it.
        year: of the serial.
        sequence: of the serial; 0 where the record does not say.
        row: the checked row, sealed as it stands in the database.
        live_key: blind index of what may exist only once, or None.
        photo: pack, offset and length of the sealed photo, or None.
        succession: whose place it takes, or None.
    """

    row_number: int
    wrapped: bytes
    claims: bytes
    qr_text: str
    year: int = 0
    sequence: int = 0
    row: bytes = b""
    live_key: bytes | None = None
    photo: tuple[str, int, int] | None = None
    succession: KeptSuccession | None = None


@dataclass(frozen=True, slots=True)
class KeptBatch:
    """A batch as it was approved.

    Attributes:
        wrapped: the batch's own key.
        sealed: what intake found, as it stands in the database.
        persons: id, name and when they were registered, of maker and checker.
    """

    issuer_id: str
    id: int
    digest: bytes
    kind: str
    maker: str
    checker: str
    submitted_at: datetime
    approved_at: datetime
    row_count: int
    binding: Mapping[str, str]
    wrapped: bytes
    sealed: bytes
    persons: tuple[tuple[str, str, datetime], ...]


@dataclass(frozen=True, slots=True)
class Reservation:
    """The records of one chunk.

    Attributes:
        batch: None in those of the first release, which can be brought back
            only where the database knows their batch.
        chunk_number: 0 likewise.
        pack_name: of the tails.
    """

    issuer_id: str
    batch_id: int
    digest: bytes
    batch: KeptBatch | None
    chunk_number: int
    pack_name: str
    records: tuple[ReserveRecord, ...]


_BATCH_FIELDS = tuple(one.name for one in fields(KeptBatch))
_RECORD_FIELDS = ReserveRecord._fields


def reserve_record_name(pack_name: str) -> str:
    """Name the object that belongs to a chunk's pack."""
    return f"{FOLDER}/{pack_name.removeprefix('tails/')}"


def read_reservation(
    session: Session, batch: Batch, number: int, pack_name: str, reserved: Sequence[ReservedCredential]
) -> Reservation:
    """Gather what the database says of a reserved chunk, as it stands there, sealed.

    Args:
        session: to read in.
        batch: of the chunk.
        number: of the chunk.
        pack_name: fixed when it was reserved.
        reserved: its credentials, opened.
    """
    query = (
        select(
            _ROWS.c.row_number,
            _KEYS.c.wrapped,
            _ROWS.c.year,
            _ROWS.c.sequence,
            _ROWS.c.sealed,
            _CREDENTIALS.c.live_key,
            _ROWS.c.live_key.label("row_live_key"),
            _PACKS.c.name,
            _ROWS.c.photo_offset,
            _ROWS.c.photo_length,
        )
        .join(_KEYS, (_KEYS.c.batch_id == _ROWS.c.batch_id) & (_KEYS.c.row_number == _ROWS.c.row_number))
        .join(
            _CREDENTIALS,
            (_CREDENTIALS.c.batch_id == _ROWS.c.batch_id) & (_CREDENTIALS.c.row_number == _ROWS.c.row_number),
        )
        .outerjoin(_PACKS, _PACKS.c.id == _ROWS.c.photo_pack_id)
        .where(_ROWS.c.batch_id == batch.id, _ROWS.c.chunk_number == number)
    )
    stored = {row.row_number: row for row in session.execute(query)}
    successions = _successions(session, batch.id)
    records = []
    for one in reserved:
        row = stored[one.row_number]
        photo = None if row.name is None else (row.name, row.photo_offset, row.photo_length)
        records.append(
            ReserveRecord(
                row_number=one.row_number,
                wrapped=row.wrapped,
                claims=one.claims,
                qr_text=one.qr_text,
                year=row.year,
                sequence=row.sequence,
                row=row.sealed,
                live_key=row.live_key or row.row_live_key,
                photo=photo,
                succession=successions.get(one.row_number),
            )
        )
    kept = keep_batch(session, batch)
    return Reservation(batch.issuer_id, batch.id, batch.digest, kept, number, pack_name, tuple(records))


def keep_batch(session: Session, batch: Batch) -> KeptBatch:
    """Gather what the database says of an approved batch, as it stands there, sealed."""
    if batch.checker is None or batch.approved_at is None:
        raise AssertionError("nothing is reserved before it is approved")
    sealed, wrapped = session.execute(_OWN, {"of_batch": batch.id}).one()
    of_batch = _PERSONS.c.id.in_((batch.maker, batch.checker))
    persons = session.execute(select(_PERSONS.c.id, _PERSONS.c.name, _PERSONS.c.created_at).where(of_batch)).all()
    return KeptBatch(
        issuer_id=batch.issuer_id,
        id=batch.id,
        digest=batch.digest,
        kind=batch.kind,
        maker=batch.maker,
        checker=batch.checker,
        submitted_at=batch.submitted_at,
        approved_at=batch.approved_at,
        row_count=batch.row_count,
        binding=dict(batch.binding),
        wrapped=wrapped or b"",
        sealed=sealed,
        persons=tuple((one.id, one.name, one.created_at) for one in persons),
    )


def store_reserve_records(blobs: Blobs, vault: Vault, reservation: Reservation) -> None:
    """Store the reserve records of a chunk durably, unless they are there already."""
    name = reserve_record_name(reservation.pack_name)
    if not blobs.exists(name):
        create_reserve_records(blobs, vault, name, reservation)


def create_reserve_records(blobs: Blobs, vault: Vault, name: str, reservation: Reservation) -> None:
    """Store records under a name of their own, durably; what is there under it stays."""
    content = cbor2.dumps([FORMAT, _write(reservation)], canonical=True)
    blobs.create(name, [vault.seal_apart(content, _place(name))])


def read_reserve_records(blobs: Blobs, vault: Vault, name: str) -> Reservation:
    """Read them back.

    Raises:
        MissingBlob: there are none.
        SealedDataDamaged: they were changed, or the master key is another.
        UnknownReserveRecords: a newer program wrote them.
    """
    content: list[Any] = cbor2.loads(vault.open_apart(blobs.read(name), _place(name)))
    if content[0] == FORMAT:
        return _read(content[1])
    if len(content) != 4:  # of the first release
        raise UnknownReserveRecords(name)
    issuer_id, batch_id, digest, records = content
    pack_name = f"tails/{name.removeprefix(f'{FOLDER}/')}"
    return Reservation(issuer_id, batch_id, digest, None, 0, pack_name, tuple(ReserveRecord(*one) for one in records))


def _successions(session: Session, batch_id: int) -> dict[int, KeptSuccession]:
    query = (
        select(
            _SUCCESSIONS.c.row_number,
            _CREDENTIALS.c.serial,
            _CREDENTIALS.c.version,
            _SUCCESSIONS.c.kind,
            _SUCCESSIONS.c.reason,
            _SUCCESSIONS.c.seen_change,
            _SUCCESSIONS.c.sealed,
        )
        .join(_CREDENTIALS, _CREDENTIALS.c.id == _SUCCESSIONS.c.predecessor_id)
        .where(_SUCCESSIONS.c.batch_id == batch_id)
    )
    return {row.row_number: KeptSuccession(*row[1:]) for row in session.execute(query)}


def _write(one: Reservation) -> list[Any]:
    records = [_write_record(record) for record in one.records]
    batch = None
    if one.batch is not None:
        batch = [_moment(value) for value in astuple(one.batch)]
        batch[-1] = [[person, name, _moment(created)] for person, name, created in one.batch.persons]
    return [one.issuer_id, one.batch_id, one.digest, batch, one.chunk_number, one.pack_name, records]


def _write_record(record: ReserveRecord) -> Sequence[Any]:
    """A record as it is, for a tuple is an array in CBOR; but for a succession, which few have."""
    return record if record.succession is None else (*record[:-1], list(astuple(record.succession)))


def _moment(value: Any) -> Any:
    """A moment in microseconds since 1970, so that none is lost; other values as they are."""
    if isinstance(value, datetime):
        return int(value.astimezone(UTC).timestamp()) * 1_000_000 + value.microsecond
    return value


def _read(content: list[Any]) -> Reservation:
    issuer_id, batch_id, digest, batch, chunk_number, pack_name, records = content
    kept = None
    if batch is not None:
        named = dict(zip(_BATCH_FIELDS, batch, strict=True))
        for moment in ("submitted_at", "approved_at"):
            named[moment] = _read_moment(named[moment])
        named["persons"] = tuple((one[0], one[1], _read_moment(one[2])) for one in named["persons"])
        kept = KeptBatch(**named)
    return Reservation(issuer_id, batch_id, digest, kept, chunk_number, pack_name, tuple(map(_read_record, records)))


def _read_record(values: list[Any]) -> ReserveRecord:
    named = dict(zip(_RECORD_FIELDS, values, strict=True))
    if named["photo"] is not None:
        named["photo"] = tuple(named["photo"])
    if named["succession"] is not None:
        named["succession"] = KeptSuccession(*named["succession"])
    return ReserveRecord(**named)


def _read_moment(value: int) -> datetime:
    seconds, micro = divmod(value, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)


def _place(name: str) -> bytes:
    return place("reserved", name, "records")
