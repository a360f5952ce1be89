"""Batches from submission to approval: insert, find, decide, count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, func, insert, literal_column
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from credential.errors import InputError
from credential.problem import Problem, RowOutcome
from registry.columns import table_of
from registry.packs import Pack
from registry.service_tables import SuccessionRow
from registry.tables import (
    BatchRow,
    BatchRowRow,
    BatchState,
    ChunkRow,
    ChunkState,
    CredentialRow,
    PackRow,
    RecordKeyRow,
    RowState,
)
from registry.vault import RecordKey, Vault, place

# The partial index is used only when its condition stands in the query as a literal; of a row aliased as "other".
_IS_NUMBERED: ColumnElement[bool] = literal_column("other.state = 'numbered'")
_MINE, _OTHER = table_of(BatchRowRow).alias("mine"), table_of(BatchRowRow).alias("other")
_CREDENTIALS, _SUCCESSIONS = table_of(CredentialRow), table_of(SuccessionRow)
_PENDING = (
    select_columns(_MINE.c.row_number, _OTHER.c.serial)
    .join(_OTHER, _OTHER.c.live_key == _MINE.c.live_key)
    .where(_MINE.c.batch_id == bindparam("of_batch"), _OTHER.c.batch_id != bindparam("of_batch"), _IS_NUMBERED)
)
# Nobody stands in the way of his own successor.
_LIVE = (
    select_columns(_MINE.c.row_number, _CREDENTIALS.c.serial)
    .join(_CREDENTIALS, _CREDENTIALS.c.live_key == _MINE.c.live_key)
    .outerjoin(
        _SUCCESSIONS,
        (_SUCCESSIONS.c.batch_id == _MINE.c.batch_id)
        & (_SUCCESSIONS.c.row_number == _MINE.c.row_number)
        & (_SUCCESSIONS.c.predecessor_id == _CREDENTIALS.c.id),
    )
    .where(_MINE.c.batch_id == bindparam("of_batch"), _SUCCESSIONS.c.predecessor_id.is_(None))
)
_IN_CHUNK = _MINE.c.chunk_number == bindparam("of_chunk")
_OBSTACLES, _OBSTACLES_IN_CHUNK = (_PENDING, _LIVE), (_PENDING.where(_IN_CHUNK), _LIVE.where(_IN_CHUNK))
_KEYS_AT_ONCE = 500


class UnknownBatch(InputError):
    """No batch has this number."""

    code = "unknown-batch"

    def __init__(self, batch_id: int) -> None:
        super().__init__(
            f"there is no batch {batch_id}; compare the number with the list of batches",
            f"没有批次 {batch_id}; 请在批次列表中核对编号",
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as it stands.

    Attributes:
        digest: keyed; what approval binds.
        kind: of credential.
        binding: digests, hex, of what the rows are to be printed with, by name.
    """

    id: int
    issuer_id: str
    digest: bytes
    kind: str
    state: BatchState
    maker: str
    checker: str | None
    submitted_at: datetime
    approved_at: datetime | None
    row_count: int
    binding: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch on its way in; see :class:`Batch`."""

    issuer_id: str
    digest: bytes
    kind: str
    maker: str
    submitted_at: datetime
    binding: Mapping[str, str]
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class NewRow:
    """A checked row on its way in.

    Attributes:
        content: ``registry.records.encode_record``.
        key: new; the row's photo is sealed under it already.
        photo: place in the photo packs handed in beside: pack name and index entry's offset and length.
    """

    row_number: int
    content: bytes
    live_key: bytes
    key: RecordKey
    photo: tuple[str, int, int] | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch has come; credentials count by chunk.

    Attributes:
        rows: in the batch.
        numbered: have a serial that is not void.
        reserved: have their claims signed, the issued ones included.
        issued: have a sealed PDF.
        refused: got no serial.
        void: got a serial that will never be used.
    """

    rows: int
    numbered: int
    reserved: int
    issued: int
    refused: int
    void: int

    @property
    def is_finished(self) -> bool:
        """Whether every row that has a number is issued."""
        return self.issued == self.numbered and self.rows == self.numbered + self.refused + self.void


@dataclass(frozen=True, slots=True)
class RowFate:
    """What became of a row that gets no credential.

    Attributes:
        reason: stable code.
        serial: of the credential that stands in the way, or empty.
        own_serial: the row's own number, void now, or empty.
    """

    row_number: int
    reason: str
    serial: str
    own_serial: str


def record_owner(batch_id: int, row_number: int) -> str:
    """Name the owner of a record key."""
    return f"{batch_id}/{row_number}"


def row_place(batch_id: int, row_number: int) -> bytes:
    """Name the place that a row's record is sealed for."""
    return place("batch_row", record_owner(batch_id, row_number), "sealed")


def find_batch(session: Session, issuer_id: str, digest: bytes) -> Batch | None:
    """The batch of this identity that is not cancelled, or None."""
    query = select(BatchRow).where(
        BatchRow.issuer_id == issuer_id, BatchRow.digest == digest, literal_column("state <> 'cancelled'")
    )
    row = session.exec(query).first()
    return None if row is None else _batch(row)


def get_batch(session: Session, batch_id: int, *, lock: bool = False) -> Batch:
    """Read a batch.

    Raises:
        UnknownBatch: there is none with this number.
    """
    return _batch(_batch_row(session, batch_id, lock=lock))


def list_batches(session: Session) -> list[Batch]:
    """Every batch, newest first."""
    return [_batch(row) for row in session.exec(select(BatchRow).order_by(col(BatchRow.id).desc()))]


def list_batches_of(session: Session, issuer_id: str, *, before: int, limit: int) -> list[Batch]:
    """Some batches of an issuer, newest first; ``before`` 0 starts at the newest."""
    query = select(BatchRow).where(BatchRow.issuer_id == issuer_id)
    if before:
        query = query.where(col(BatchRow.id) < before)
    return [_batch(row) for row in session.exec(query.order_by(col(BatchRow.id).desc()).limit(limit))]


def insert_batch(
    session: Session, vault: Vault, new: NewBatch, rows: Sequence[NewRow], photo_packs: Sequence[Pack]
) -> Batch:
    """Store a batch with its rows, in the caller's transaction; the photo packs are stored already."""
    packs = {pack.name: insert_pack(session, pack, new.submitted_at) for pack in photo_packs}
    key = vault.create_key()
    problems = {"problems": [asdict(problem) for problem in new.problems]}
    batch = BatchRow(
        issuer_id=new.issuer_id,
        digest=new.digest,
        kind=new.kind,
        state=BatchState.SUBMITTED,
        maker=new.maker,
        submitted_at=new.submitted_at,
        row_count=len(rows),
        binding=dict(new.binding),
        sealed=key.seal(problems, problems_place(new.digest)),
    )
    session.add(batch)
    session.flush()
    stored = _batch(batch)
    keys = [{"batch_id": stored.id, "row_number": 0, "wrapped": vault.wrap(key, record_owner(stored.id, 0))}]
    keys += [
        {
            "batch_id": stored.id,
            "row_number": row.row_number,
            "wrapped": vault.wrap(row.key, record_owner(stored.id, row.row_number)),
        }
        for row in rows
    ]
    session.execute(insert(table_of(RecordKeyRow)), keys)
    if rows:
        session.execute(insert(table_of(BatchRowRow)), [_row_values(stored, row, packs) for row in rows])
    return stored


def read_problems(session: Session, vault: Vault, batch_id: int) -> list[Problem]:
    """What intake found in the sheet of the batch.

    Raises:
        UnknownBatch: there is none with this number.
        RecordErased: the batch's key was destroyed.
    """
    batch = _batch_row(session, batch_id)
    stored = batch_key(session, vault, batch_id).open(batch.sealed, problems_place(batch.digest))
    return [Problem(**one | {"outcome": RowOutcome(one["outcome"])}) for one in stored["problems"]]


def batch_key(session: Session, vault: Vault, batch_id: int) -> RecordKey:
    """Open the batch's own key.

    Raises:
        RecordErased: it was destroyed.
    """
    return vault.open_key(record_owner(batch_id, 0), session.get_one(RecordKeyRow, (batch_id, 0)).wrapped)


def mark_approved(session: Session, batch_id: int, checker: str, now: datetime) -> None:
    """Record who approved a batch, and when; the database refuses the maker."""
    row = _batch_row(session, batch_id)
    row.state, row.checker, row.approved_at = BatchState.APPROVED, checker, now
    session.flush()


def mark_cancelled(session: Session, batch_id: int, reason: str, now: datetime) -> None:
    """Record that a batch is cancelled, and why; there is no way back."""
    row = _batch_row(session, batch_id)
    row.state, row.cancel_reason, row.cancelled_at = BatchState.CANCELLED, reason, now
    session.flush()


def progress(session: Session, batch_id: int) -> Progress:
    """Count how far a batch has come; one pass over its rows and chunks.

    Raises:
        UnknownBatch: there is none with this number.
    """
    _batch_row(session, batch_id)
    rows: dict[str, int] = dict(
        session.exec(
            select(BatchRowRow.state, func.count())
            .where(BatchRowRow.batch_id == batch_id)
            .group_by(col(BatchRowRow.state))
        ).all()
    )
    query = select(ChunkRow.state, func.count()).join(
        CredentialRow,
        (col(CredentialRow.batch_id) == ChunkRow.batch_id) & (col(CredentialRow.chunk_number) == ChunkRow.number),
    )
    chunks: dict[str, int] = dict(
        session.exec(query.where(ChunkRow.batch_id == batch_id).group_by(col(ChunkRow.state))).all()
    )
    return Progress(
        rows=sum(rows.values()),
        numbered=rows.get(RowState.NUMBERED, 0),
        reserved=sum(chunks.values()),
        issued=chunks.get(ChunkState.ISSUED, 0),
        refused=rows.get(RowState.REFUSED, 0),
        void=rows.get(RowState.VOID, 0),
    )


def fates(session: Session, batch_id: int) -> list[RowFate]:
    """Say of every refused or void row why it gets no credential, by row number."""
    query = (
        select(BatchRowRow.row_number, BatchRowRow.reason, BatchRowRow.reason_serial, BatchRowRow.serial)
        .where(BatchRowRow.batch_id == batch_id, col(BatchRowRow.state).in_((RowState.REFUSED, RowState.VOID)))
        .order_by(col(BatchRowRow.row_number))
    )
    return [RowFate(number, reason, other or "", own or "") for number, reason, other, own in session.exec(query)]


def find_obstacles(session: Session, batch_id: int, chunk_number: int | None = None) -> dict[int, str]:
    """Find rows of a batch, or of one chunk, whose credential exists live, or is numbered in another batch.

    Returns:
        The serial that stands in the way, by row number.
    """
    wanted = {"of_batch": batch_id}
    if chunk_number is None:
        pending, live = (session.execute(one, wanted) for one in _OBSTACLES)
    else:
        pending, live = (session.execute(one, wanted | {"of_chunk": chunk_number}) for one in _OBSTACLES_IN_CHUNK)
    return {number: serial or "" for found in (pending, live) for number, serial in found}


def find_standing(session: Session, live_keys: Iterable[bytes]) -> dict[bytes, str]:
    """Find what exists live or is numbered under these keys: what :func:`find_obstacles` would find were they a batch.

    Returns:
        The serial by live key; keys with nothing are left out.
    """
    other = aliased(BatchRowRow, name="other")
    wanted, found = sorted(set(live_keys)), dict[bytes, str]()
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        keys = wanted[start : start + _KEYS_AT_ONCE]
        pending = select(other.live_key, other.serial).where(col(other.live_key).in_(keys), _IS_NUMBERED)
        live = select(CredentialRow.live_key, CredentialRow.serial).where(col(CredentialRow.live_key).in_(keys))
        found |= {key: serial or "" for key, serial in session.exec(pending) if key is not None}
        found |= {key: serial for key, serial in session.exec(live) if key is not None}
    return found


def insert_pack(session: Session, pack: Pack, now: datetime) -> int:
    """Register a stored pack; returns its id."""
    row = PackRow(kind=pack.kind, name=pack.name, digest=pack.digest, length=pack.length, created_at=now)
    session.add(row)
    session.flush()
    assert row.id is not None  # noqa: S101 - given by the flush
    return row.id


def _row_values(batch: Batch, row: NewRow, packs: Mapping[str, int]) -> dict[str, object]:
    pack_name, offset, length = row.photo or (None, None, None)
    return {
        "batch_id": batch.id,
        "row_number": row.row_number,
        "issuer_id": batch.issuer_id,
        "state": RowState.SUBMITTED.value,
        "sealed": row.key.seal_bytes(row.content, row_place(batch.id, row.row_number)),
        "live_key": row.live_key,
        "photo_pack_id": None if pack_name is None else packs[pack_name],
        "photo_offset": offset,
        "photo_length": length,
        "version": 1,
        "reason": "",
    }


def problems_place(digest: bytes) -> bytes:
    """Name the place that what intake found is sealed for."""
    return place("batch", digest.hex(), "sealed")


def _batch_row(session: Session, batch_id: int, *, lock: bool = False) -> BatchRow:
    query = select(BatchRow).where(BatchRow.id == batch_id)
    row = session.exec(query.with_for_update(key_share=True) if lock else query).first()
    if row is None:
        raise UnknownBatch(batch_id)
    return row


def _batch(row: BatchRow) -> Batch:
    assert row.id is not None  # noqa: S101 - stored
    return Batch(
        id=row.id,
        issuer_id=row.issuer_id,
        digest=row.digest,
        kind=row.kind,
        state=BatchState(row.state),
        maker=row.maker,
        checker=row.checker,
        submitted_at=row.submitted_at,
        approved_at=row.approved_at,
        row_count=row.row_count,
        binding=row.binding,
    )
