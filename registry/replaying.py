"""Bring back what was reserved after a backup: from its reserve records into the restored database.

The same serials, codes, slots and signed claims come back, under the same
keys; what was printed of them is found and sealed by the chunk's next run.
What the records do not say stays lost: the history between, rows that had no
number yet, numbers that were never reserved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, text, update
from sqlmodel import Session
from sqlmodel import select as select_row

from credential.claims import claims_digest, decode_claims
from credential.cose import open_message
from credential.errors import RefusedError
from credential.leaves import issue_leaf, reissue_leaf
from credential.model import Claims
from credential.ports import Blobs
from registry import history
from registry.batches import (
    Batch,
    get_batch,
    insert_pack,
    mark_approved,
    record_owner,
)
from registry.chunks import NumberedRow, Numbering, get_chunk, move_chunk, number_rows, numbered_rows, refuse_rows
from registry.columns import table_of
from registry.credentials import FoundCredential, NewCredential, claims_digest_of, find_by_serial, insert_credentials
from registry.history import HistoryKind
from registry.log.outbox import put_leaves
from registry.packs import read_pack
from registry.reserve_records import KeptBatch, KeptSuccession, Reservation, ReserveRecord
from registry.restored import LOST, close_lost, raise_counter
from registry.service_tables import SuccessionRow
from registry.status.tables import StatusListRow, StatusPublicationRow
from registry.status.token_list import SLOTS
from registry.tables import (
    BatchRow,
    BatchRowRow,
    BatchState,
    ChunkRow,
    ChunkState,
    CredentialRow,
    IssuerRow,
    NumberRangeRow,
    PackRow,
    PersonRow,
    RecordKeyRow,
    RowState,
)
from registry.vault import Vault


class CannotReplay(RefusedError):
    """The reserve records contradict the restored database, or something they need is gone."""

    code = "cannot-replay"

    def __init__(self, batch_id: int, chunk_number: int, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"chunk {chunk_number} of batch {batch_id} cannot be brought back: {why_en}; put that in order and run it "
            "again, or leave the batch out",
            f"批次 {batch_id} 的分块 {chunk_number} 无法恢复: {why_zh}; 请排除原因后重试, 或略过该批次",
        )
        self.batch_id = batch_id


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came back of a batch.

    Attributes:
        serials: of the credentials.
        leftover: rows that are numbered in these chunks and have no record: void, or erased since.
        unclaimed: serials whose title another live credential claims in the restored database.
    """

    batch_id: int
    serials: tuple[str, ...]
    leftover: tuple[NumberedRow, ...]
    unclaimed: tuple[str, ...]


def is_known(session: Session, one: Reservation) -> bool:
    """Whether the database has this very chunk reserved, or issued, already."""
    query = select_row(ChunkRow.number).where(ChunkRow.batch_id == one.batch_id, ChunkRow.pack_name == one.pack_name)
    return session.exec(query).first() is not None


def replay_batch(
    session: Session, vault: Vault, blobs: Blobs, reservations: Sequence[Reservation], now: datetime
) -> Replayed:
    """Bring back the chunks of one batch that the database does not know, in the caller's transaction.

    Args:
        session: of a transaction.
        vault: opens the keys in the records.
        blobs: holds the packs of photos.
        reservations: of one batch, those that :func:`is_known` denies.
        now: recorded.

    Raises:
        CannotReplay: the database has another batch under the number, or lacks issuer or predecessor.
        UnavailableError: a pack of photos is missing or damaged.
    """
    first = reservations[0]
    batch = session.get(BatchRow, first.batch_id)
    if batch is None:
        _insert_batch(session, blobs, reservations, now)
    elif (batch.issuer_id, batch.digest) != (first.issuer_id, first.digest):
        raise CannotReplay(first.batch_id, first.chunk_number, "another batch has its number", "该编号已被另一批次使用")
    elif batch.state == BatchState.SUBMITTED:
        _approve(session, reservations, now)
    serials: list[str] = []
    unclaimed: list[str] = []
    leftover: list[NumberedRow] = []
    for one in sorted(reservations, key=lambda each: each.chunk_number):
        number = one.chunk_number or _chunk_of(session, one)
        news, without = _reserve(session, vault, one, number, now)
        back = {new.row_number for new in news}
        serials += [new.said.serial for new in news]
        unclaimed += without
        leftover += [row for row in numbered_rows(session, one.batch_id, [number]) if row.row_number not in back]
        entry = history.Entry(
            kind=HistoryKind.RESTORED,
            issuer_id=one.issuer_id,
            subject=f"batch {one.batch_id} chunk {number} from its reserve records, {len(news)} rows",
            recorded_at=now,
            maker=None,
            batch_id=one.batch_id,
        )
        history.append(session, entry)
        history.log_head(session, vault)
    close_lost(session, first.batch_id, now)
    return Replayed(first.batch_id, tuple(serials), tuple(leftover), tuple(unclaimed))


# ---- a batch that the database does not know, or knows only as submitted ----------------------------------------


def _insert_batch(session: Session, blobs: Blobs, reservations: Sequence[Reservation], now: datetime) -> None:
    first = reservations[0]
    kept = first.batch
    if kept is None or session.get(IssuerRow, first.issuer_id) is None:
        raise CannotReplay(
            first.batch_id,
            first.chunk_number,
            "its issuer is not in the registry, or its records are of a release that did not keep the batch",
            "登记库中没有其发证机构, 或记录出自未保存批次资料的旧版本",
        )
    _insert_persons(session, kept)
    session.add(
        BatchRow(
            id=kept.id,
            issuer_id=kept.issuer_id,
            digest=kept.digest,
            kind=kept.kind,
            state=BatchState.SUBMITTED,
            maker=kept.maker,
            submitted_at=kept.submitted_at,
            row_count=kept.row_count,
            binding=dict(kept.binding),
            sealed=kept.sealed,
        )
    )
    session.flush()
    if session.get_bind().dialect.name == "postgresql":  # its counter does not follow numbers that were given by hand
        session.execute(text("SELECT setval(pg_get_serial_sequence('batch', 'id'), (SELECT MAX(id) FROM batch))"))
    records = [record for one in reservations for record in one.records]
    keys = [{"batch_id": kept.id, "row_number": 0, "wrapped": kept.wrapped}]
    keys += [{"batch_id": kept.id, "row_number": one.row_number, "wrapped": one.wrapped} for one in records]
    session.execute(insert(table_of(RecordKeyRow)), keys)
    packs = {name: _photo_pack(session, blobs, name, now) for name in {one.photo[0] for one in records if one.photo}}
    session.execute(insert(table_of(BatchRowRow)), [_row_values(kept, one, packs) for one in records])
    for one in records:
        if one.succession is not None:
            session.add(_succession(session, first, one, one.succession))
    session.flush()
    _approve(session, reservations, now)


def _insert_persons(session: Session, kept: KeptBatch) -> None:
    for person, name, created_at in kept.persons:
        if session.get(PersonRow, person) is None:
            session.add(PersonRow(id=person, issuer_id=kept.issuer_id, name=name, created_at=created_at))
    session.flush()


def _approve(session: Session, reservations: Sequence[Reservation], now: datetime) -> None:
    """Give the rows the numbers they had, and approve the batch as it was approved."""
    kept = reservations[0].batch
    if kept is None:
        raise CannotReplay(reservations[0].batch_id, 0, "its records do not say who approved it", "记录中没有复核信息")
    _insert_persons(session, kept)
    batch = get_batch(session, kept.id, lock=True)
    numberings = [
        Numbering(record.row_number, claims.serial, record.year, record.sequence, one.chunk_number, claims.version)
        for one in reservations
        for record, claims in ((record, _claims(record)) for record in one.records)
    ]
    number_rows(session, batch, numberings)
    _insert_ranges(session, batch, numberings, now)
    numbered = {one.row_number for one in numberings}
    rows = session.exec(select_row(BatchRowRow.row_number).where(BatchRowRow.batch_id == batch.id)).all()
    refuse_rows(session, batch.id, LOST, {row: "" for row in rows if row not in numbered})
    mark_approved(session, batch.id, kept.checker, kept.approved_at)


def _insert_ranges(session: Session, batch: Batch, numberings: Sequence[Numbering], now: datetime) -> None:
    own = sorted((one.year, one.sequence) for one in numberings if one.version == 1)
    runs: list[list[int]] = []
    for year, sequence in own:
        if runs and runs[-1][0] == year and runs[-1][2] == sequence - 1:
            runs[-1][2] = sequence
        else:
            runs.append([year, sequence, sequence])
    for year, first, last in runs:
        raise_counter(session, batch.issuer_id, year, last)
        session.add(
            NumberRangeRow(
                issuer_id=batch.issuer_id, year=year, first=first, last=last, batch_id=batch.id, taken_at=now
            )
        )
    session.flush()


def _photo_pack(session: Session, blobs: Blobs, name: str, now: datetime) -> int:
    known = session.exec(select_row(PackRow.id).where(PackRow.name == name)).first()
    return known if known is not None else insert_pack(session, read_pack(blobs, "photo", name)[0], now)


def _row_values(kept: KeptBatch, one: ReserveRecord, packs: Mapping[str, int]) -> dict[str, object]:
    name, offset, length = one.photo or (None, None, None)
    return {
        "batch_id": kept.id,
        "row_number": one.row_number,
        "issuer_id": kept.issuer_id,
        "state": RowState.SUBMITTED.value,
        "sealed": one.row,
        # The claim on the title goes to the credential at once, but for a successor's.
        "live_key": None if one.succession is None else one.live_key,
        "photo_pack_id": None if name is None else packs[name],
        "photo_offset": offset,
        "photo_length": length,
        "version": 1,
        "reason": "",
    }


def _succession(session: Session, of: Reservation, one: ReserveRecord, kept: KeptSuccession) -> SuccessionRow:
    predecessor = _find(session, of, kept.serial, kept.version)
    return SuccessionRow(
        batch_id=of.batch_id,
        row_number=one.row_number,
        predecessor_id=predecessor.id,
        kind=kept.kind,
        reason=kept.reason,
        seen_change=kept.seen_change,
        sealed=kept.sealed,
    )


def _find(session: Session, of: Reservation, serial: str, version: int) -> FoundCredential:
    for one in find_by_serial(session, serial):
        if (one.issuer_id, one.version) == (of.issuer_id, version):
            return one
    raise CannotReplay(
        of.batch_id, of.chunk_number, f"{serial}/{version}, which it supersedes, is not known", f"没有其原证书 {serial}"
    )


# ---- a chunk of it ----------------------------------------------------------------------------------------------


def _reserve(
    session: Session, vault: Vault, one: Reservation, number: int, now: datetime
) -> tuple[list[NewCredential], list[str]]:
    chunk = get_chunk(session, one.batch_id, number, lock=True)
    if chunk.state is not ChunkState.READY:
        raise CannotReplay(one.batch_id, number, f"it is {chunk.state} already", f"其状态已为 {chunk.state}")
    claims = {record.row_number: _claims(record) for record in one.records}
    serials = {row.row_number: row.serial for row in numbered_rows(session, one.batch_id, [number])}
    if any(serials.get(row_number) != said.serial for row_number, said in claims.items()):
        raise CannotReplay(one.batch_id, number, "its rows have other serials", "其各行编号与记录不符")
    _take_slots(session, one, claims.values())
    leaves = put_leaves(
        session, [issue_leaf(_digest(record), claims[record.row_number].salt) for record in one.records]
    )
    news, unclaimed = [], []
    for record, leaf in zip(one.records, leaves, strict=True):
        predecessor = _predecessor(session, one, record)
        live_key = None if predecessor is not None else record.live_key
        if live_key is not None and _is_claimed(session, live_key):
            unclaimed.append(claims[record.row_number].serial)
            live_key = None
        if predecessor is not None:
            said = claims[record.row_number]
            put_leaves(session, [reissue_leaf(_digest(record), claims_digest_of(session, predecessor), said.salt)])
        news.append(_credential(vault, one, number, record, leaf, live_key, predecessor))
    insert_credentials(session, vault, news)
    move_chunk(session, chunk, ChunkState.RESERVED, now, one.pack_name)
    return news, unclaimed


def _credential(  # noqa: PLR0913, PLR0917 - the parts of one credential, only _reserve() calls it
    vault: Vault,
    one: Reservation,
    number: int,
    record: ReserveRecord,
    leaf: int,
    live_key: bytes | None,
    predecessor: FoundCredential | None,
) -> NewCredential:
    claims = _claims(record)
    return NewCredential(
        batch_id=one.batch_id,
        row_number=record.row_number,
        chunk_number=number,
        issuer_id=one.issuer_id,
        said=claims,
        status_list=_list_of(claims),
        claims=record.claims,
        claims_digest=_digest(record),
        qr_text=record.qr_text,
        issue_leaf=leaf,
        live_key=live_key,
        key=vault.open_key(record_owner(one.batch_id, record.row_number), record.wrapped),
        supersedes_id=None if predecessor is None else predecessor.id,
    )


def _predecessor(session: Session, one: Reservation, record: ReserveRecord) -> FoundCredential | None:
    if record.succession is None:
        return None
    return _find(session, one, record.succession.serial, record.succession.version)


def _is_claimed(session: Session, live_key: bytes) -> bool:
    return session.exec(select_row(CredentialRow.id).where(CredentialRow.live_key == live_key)).first() is not None


def _chunk_of(session: Session, one: Reservation) -> int:
    """The chunk that records of the first release belong to, by their first row."""
    row = session.get(BatchRowRow, (one.batch_id, one.records[0].row_number))
    if row is None or row.chunk_number is None:
        raise CannotReplay(one.batch_id, 0, "the database does not know its rows", "登记库中没有其各行")
    return row.chunk_number


def _take_slots(session: Session, one: Reservation, claims: Iterable[Claims]) -> None:
    """Mark the slots of the claims as taken, in lists that may not be known yet."""
    lists: dict[int, list[int]] = {}
    for said in claims:
        lists.setdefault(_list_of(said), []).append(said.status_index)
    table = table_of(StatusListRow)
    for number, indexes in lists.items():
        row = session.execute(select(table.c.allocated, table.c.taken).where(table.c.number == number)).one_or_none()
        if row is None:
            session.add(StatusListRow(number=number, is_open=False, allocated=0, taken=bytes(SLOTS // 8)))
            session.add(StatusPublicationRow(list_number=number, change_number=0, published_change=-1))
            session.flush()
        allocated, taken = (0, bytearray(SLOTS // 8)) if row is None else (row.allocated, bytearray(row.taken))
        for index in indexes:
            byte, bit = index >> 3, 1 << (index & 7)
            if taken[byte] & bit:
                raise CannotReplay(
                    one.batch_id,
                    one.chunk_number,
                    f"slot {index} of list {number} is taken",
                    f"状态位 {index} 已被占用",
                )
            taken[byte] |= bit
        values = {"allocated": allocated + len(indexes), "taken": bytes(taken)}
        session.execute(update(table).where(table.c.number == number).values(**values))


def _list_of(claims: Claims) -> int:
    return int(claims.status_uri.rpartition("/")[2])


def _claims(record: ReserveRecord) -> Claims:
    return decode_claims(open_message(record.claims).payload)


def _digest(record: ReserveRecord) -> bytes:
    return claims_digest(open_message(record.claims).payload)
