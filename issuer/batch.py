"""A batch: submitted by one person, approved as a whole by another, or cancelled.

A batch is known by a keyed digest over its checked rows, their photos, and all
they are to be printed with. The same sheet sent again is the same batch; an
edited one is another, and needs its own approval.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from credential.errors import RefusedError
from credential.model import Record
from credential.problem import Problem, RowOutcome
from issuer.numbering import ALREADY_ISSUED, already_issued, number_batch, void_numbers
from issuer.office import Office
from issuer.predecessor import PREDECESSOR_CHANGED, binding_of, require_alone
from registry import history
from registry.batches import (
    Batch,
    NewBatch,
    NewRow,
    RowFate,
    fates,
    find_batch,
    find_obstacles,
    get_batch,
    insert_batch,
    mark_approved,
    mark_cancelled,
)
from registry.chunks import (
    list_chunks,
    move_chunk,
    numbered_rows,
    read_rows,
)
from registry.database import Database, Session
from registry.history import HistoryKind
from registry.issuers import get_person, lock_issuer
from registry.packs import Pack, PackItem, build_pack, item_place
from registry.records import encode_record
from registry.restored import LOST
from registry.succession import NewSuccession, insert_successions
from registry.tables import BatchState, ChunkState
from registry.vault import RecordKey

CHUNK_ROWS = 500
"""Rows a chunk: one pack, one fsync, at most some 30 MB of photos and tails in memory."""

BATCH_CANCELLED = "batch-cancelled"
"""Why a number is void: its batch was cancelled before it was reserved."""


class SamePerson(RefusedError):
    """The person who submitted a batch or a change may not approve it."""

    code = "same-person"

    def __init__(self, person_id: str) -> None:
        super().__init__(
            f"{person_id} made this and cannot approve it; another person must", f"{person_id} 是经办人,须由他人复核"
        )


class DigestDiffers(RefusedError):
    """What was shown to the approver is not what is in the registry."""

    code = "digest-differs"

    def __init__(self, batch_id: int) -> None:
        super().__init__(
            f"batch {batch_id} is not the one that was shown for approval; look at it again",
            f"批次 {batch_id} 与提交复核的内容不一致,请重新查看",
        )


class BindingChanged(RefusedError):
    """Template, fonts, settings or signature profile are no longer those that were approved."""

    code = "binding-changed"

    def __init__(self, batch_id: int, names: Sequence[str]) -> None:
        listed = ", ".join(names)
        super().__init__(
            f"batch {batch_id} was submitted with another {listed}; put that back, or cancel and submit again",
            f"批次 {batch_id} 提交后 {listed} 已变更;请恢复原设置,或取消后重新提交",
        )


class NotSubmitted(RefusedError):
    """The batch is cancelled, or a change is asked of it that its state does not allow."""

    code = "batch-state"

    def __init__(self, batch_id: int, state: BatchState) -> None:
        super().__init__(f"batch {batch_id} is {state} already", f"批次 {batch_id} 当前状态为 {state},不能执行此操作")


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a submitted sheet.

    Attributes:
        is_new: False when the same sheet was submitted before.
        obstacles: serial that stands in the way, by row; as of now, approval asks again.
    """

    batch: Batch
    is_new: bool
    obstacles: Mapping[int, str]


def submit(  # noqa: PLR0913 - successions are the exception
    office: Office,
    records: Sequence[Record],
    problems: Sequence[Problem],
    *,
    maker: str,
    now: datetime,
    successions: Mapping[int, NewSuccession] | None = None,
) -> Submission:
    """Store checked rows as a batch that waits for approval, or find the batch they are already.

    Args:
        office: of the issuer.
        records: the rows that passed, each with its photo; unique row numbers.
        problems: what intake found, kept with the batch.
        maker: id of the person who submits.
        now: recorded.
        successions: by row number, whose place a row's credential is to take; made by
            ``issuer.succession.succeed``.

    Raises:
        UnknownPerson: the maker does not act for this issuer.
        SuccessionUnderWay: one of the credentials to be superseded has another successor waiting.
        PredecessorChanged: something happened to one of them.
        UnavailableError: a store does not answer; submit again.
    """
    digests = [None if one.photo is None else hashlib.sha256(one.photo).digest() for one in records]
    contents = [encode_record(one, digest) for one, digest in zip(records, digests, strict=True)]
    successions = successions or {}
    digest = batch_digest(office, records, contents, binding_of(successions))
    with office.database.reading() as session:
        get_person(session, maker, issuer_id=office.issuer.id)
        existing = find_batch(session, office.issuer.id, digest)
    if existing is not None:
        return _submission(office, existing, is_new=False)
    keys = [office.vault.create_key() for _ in records]
    places, packs = _store_photos(office, records, keys)
    rows = [
        NewRow(one.row, content, office.live_key(one), key, places.get(one.row))
        for one, content, key in zip(records, contents, keys, strict=True)
    ]
    new = NewBatch(office.issuer.id, digest, office.schema.kind, maker, now, office.binding, problems)
    with office.database.transaction() as session:
        # Of two submissions at once, the second waits here until it can find the first.
        lock_issuer(session, office.issuer.id)
        existing = find_batch(session, office.issuer.id, digest)
        if existing is None:
            require_alone(session, successions)
            batch = insert_batch(session, office.vault, new, rows, packs)
            insert_successions(session, batch.id, successions, {row.row_number: row.key for row in rows})
            _append(session, batch, HistoryKind.BATCH_SUBMITTED, now, (maker, None))
            history.log_head(session, office.vault)
    # The photos of a submission that another process was quicker with stay behind, sealed under lost keys.
    return _submission(office, existing or batch, is_new=existing is None)


def approve(office: Office, batch_id: int, *, checker: str, expected_digest: bytes, now: datetime) -> Batch:
    """Approve a batch: number its rows and cut them into chunks, in one short transaction.

    Rows whose credential exists live, or is numbered in another batch, are
    refused with reason ``already-issued``; the others go on. :func:`refusals`
    lists them.

    Args:
        office: of the issuer.
        batch_id: the batch.
        checker: id of the approving person, not the maker.
        expected_digest: of the batch as it was shown to the checker.
        now: says the year of the numbers, Beijing time.

    Returns:
        The approved batch; the same when the same person approved it before.

    Raises:
        UnknownBatch: there is no such batch.
        UnknownPerson: the checker does not act for this issuer.
        SamePerson: the checker is the maker.
        DigestDiffers: another batch was shown.
        BindingChanged: template, fonts, settings or profile are others by now.
        NotSubmitted: it is cancelled.
        SerialsExhausted: the issuer's pattern holds no more numbers this year.
    """
    with office.database.reading() as session:
        rows = read_rows(session, office.vault, get_batch(session, batch_id).id)
    with office.database.transaction() as session:
        batch = get_batch(session, batch_id, lock=True)
        get_person(session, checker, issuer_id=batch.issuer_id)
        if checker == batch.maker:
            raise SamePerson(checker)
        if expected_digest != batch.digest:
            raise DigestDiffers(batch_id)
        if batch.state is BatchState.APPROVED and checker == batch.checker:
            return batch
        if batch.state is not BatchState.SUBMITTED:
            raise NotSubmitted(batch_id, batch.state)
        require_binding(office, batch)
        # Two approvals at once would each find the way free for the same person's title.
        lock_issuer(session, batch.issuer_id)
        number_batch(session, office, batch, rows, chunk_rows=CHUNK_ROWS, now=now)
        mark_approved(session, batch_id, checker, now)
        _append(session, batch, HistoryKind.BATCH_APPROVED, now, (batch.maker, checker))
        history.log_head(session, office.vault)
        return get_batch(session, batch_id)


def cancel(office: Office, batch_id: int, *, person: str, reason: str, now: datetime) -> Batch:
    """Cancel what of a batch is not reserved yet; its numbers become void, with leaves in the log.

    Chunks that are reserved already are finished by ``resume``: their claims
    are signed and logged.

    Raises:
        UnknownBatch: there is no such batch.
        UnknownPerson: the person does not act for this issuer.
        NotSubmitted: it is cancelled already.
    """
    with office.database.transaction() as session:
        batch = get_batch(session, batch_id, lock=True)
        get_person(session, person, issuer_id=batch.issuer_id)
        if batch.state is BatchState.CANCELLED:
            raise NotSubmitted(batch_id, batch.state)
        ready = [chunk for chunk in list_chunks(session, batch_id) if chunk.state is ChunkState.READY]
        voided = numbered_rows(session, batch_id, [chunk.number for chunk in ready])
        void_numbers(session, office, batch_id, voided, BATCH_CANCELLED)
        for chunk in ready:
            move_chunk(session, chunk, ChunkState.CANCELLED, now)
        mark_cancelled(session, batch_id, reason, now)
        _append(session, batch, HistoryKind.BATCH_CANCELLED, now, (person, None))
        history.log_head(session, office.vault)
        return get_batch(session, batch_id)


def refusals(database: Database, batch_id: int) -> list[Problem]:
    """Say in words of every row without a certificate why it has none."""
    with database.reading() as session:
        return [_problem(fate) for fate in fates(session, batch_id)]


def batch_digest(
    office: Office, records: Sequence[Record], contents: Sequence[bytes], successions: Sequence[str] = ()
) -> bytes:
    """Compute what a batch is known by; keyed, since a single row could be guessed from a plain digest."""
    whole = hashlib.sha256()
    for record, content in zip(records, contents, strict=True):
        whole.update(record.row.to_bytes(8, "big"))
        whole.update(hashlib.sha256(content).digest())
    for one in successions:
        whole.update(hashlib.sha256(one.encode()).digest())
    binding = json.dumps(office.binding, sort_keys=True)
    return office.vault.blind("batch", office.issuer.id, office.schema.kind, binding, whole.hexdigest())


def require_binding(office: Office, batch: Batch) -> None:
    """Refuse to go on with a batch that is to be printed with other things than were approved.

    Raises:
        BindingChanged: names them.
    """
    now, then = office.binding, {name: _approved(value) for name, value in batch.binding.items()}
    changed = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    if changed:
        raise BindingChanged(batch.id, changed)


def _approved(value: str) -> str:
    """What was approved; not which key signs, for keys are rolled while batches are on their way.

    Up to 0.2 the profile named the certificates too, behind a semicolon.
    """
    return value.partition(";")[0]


def _store_photos(
    office: Office, records: Sequence[Record], keys: Sequence[RecordKey]
) -> tuple[dict[int, tuple[str, int, int]], list[Pack]]:
    """Store the photos of a batch, each sealed under its row's key; returns where each one is."""
    # By place: a caller may make its records, with their photos, as they are asked for.
    with_photo = [at for at, one in enumerate(records) if one.photo is not None]
    places: dict[int, tuple[str, int, int]] = {}
    packs = []
    for start in range(0, len(with_photo), CHUNK_ROWS):
        name = f"photos/{office.random(16).hex()}"
        items = [
            PackItem(one.row, key.seal_bytes(one.photo or b"", item_place("photo", name, one.row)))
            for one, key in ((records[at], keys[at]) for at in with_photo[start : start + CHUNK_ROWS])
        ]
        parts, pack = build_pack("photo", name, items)
        office.blobs.create(name, parts)
        packs.append(pack)
        places |= {entry.row_number: (name, entry.offset, entry.length) for entry in pack.entries}
    return places, packs


def _submission(office: Office, batch: Batch, *, is_new: bool) -> Submission:
    with office.database.reading() as session:
        obstacles = find_obstacles(session, batch.id) if batch.state is BatchState.SUBMITTED else {}
    return Submission(batch, is_new, obstacles)


def _append(session: Session, batch: Batch, kind: HistoryKind, now: datetime, by: tuple[str, str | None]) -> None:
    """Write to the history what two persons, or one, did with a batch."""
    entry = history.Entry(
        kind=kind,
        issuer_id=batch.issuer_id,
        subject=f"batch {batch.id} {batch.digest.hex()}",
        recorded_at=now,
        maker=by[0],
        checker=by[1],
        batch_id=batch.id,
    )
    history.append(session, entry)


def _problem(fate: RowFate) -> Problem:
    zh, en = {
        ALREADY_ISSUED: already_issued(fate.serial),
        BATCH_CANCELLED: (
            f"批次已取消,编号 {fate.own_serial} 作废",
            f"batch cancelled, number {fate.own_serial} void",
        ),
        LOST: (
            "登记库恢复自较早的备份,未能确认该行的办理情况,编号不再使用;如仍需出证请重新提交",
            "lost when an older backup was restored; its number is never used, submit the row again if it is still due",
        ),
        PREDECESSOR_CHANGED: (
            "原证书在复核之后又有变更,不再更正或换发;确有需要时请重新提交",
            "the certificate it was to supersede changed after the approval, so none is issued; submit it again if due",
        ),
    }.get(fate.reason, (fate.reason, fate.reason))
    return Problem("", fate.row_number, "", "", RowOutcome.ERROR, fate.reason, zh, en)
