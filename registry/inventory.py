"""Say which stored objects the database speaks of, what waits for somebody, and what runs out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session

from registry.columns import table_of
from registry.prefixes import prefix_name
from registry.service_tables import ApiTokenRow, ProposedChangeRow
from registry.tables import (
    BatchRow,
    BatchRowRow,
    BatchState,
    ChunkRow,
    ChunkState,
    CredentialFileRow,
    HistoryRow,
    PackRow,
    RowState,
)
from registry.vault import SEALED_OVERHEAD

_PACKS = table_of(PackRow)
_FILES = table_of(CredentialFileRow)
_BATCHES, _ROWS, _CHUNKS = table_of(BatchRow), table_of(BatchRowRow), table_of(ChunkRow)
_CHANGES, _TOKENS, _HISTORY = table_of(ProposedChangeRow), table_of(ApiTokenRow), table_of(HistoryRow)


@dataclass(frozen=True, slots=True)
class WaitingWork:
    """What is not done yet.

    Attributes:
        submitted: batches that wait for approval.
        unfinished: numbers of approved batches with chunks to issue, oldest first.
        proposed: changes that wait for approval.
        rows: certificates still to be made, those of submitted batches included.
    """

    submitted: int
    unfinished: tuple[int, ...]
    proposed: int
    rows: int


def expected_objects(session: Session) -> Iterator[tuple[str, int]]:
    """Name every pack and PDF prefix, with its length in bytes."""
    for pack in session.execute(select(_PACKS.c.name, _PACKS.c.length).order_by(_PACKS.c.id)):
        yield pack.name, pack.length
    # A printed PDF is its prefix and its tail, and the tail stands sealed in a pack; later revisions only add to that.
    length = (_FILES.c.length - _FILES.c.pack_length + SEALED_OVERHEAD).label("length")
    for prefix in session.execute(select(_FILES.c.prefix_digest, length).where(_FILES.c.revision == 0).distinct()):
        yield prefix_name(prefix.prefix_digest), prefix.length


def bound_versions(session: Session) -> dict[str, int]:
    """The digests, hex, of the template versions that batches are bound to, each with its first batch."""
    found: dict[str, int] = {}
    for batch in session.execute(select(_BATCHES.c.id, _BATCHES.c.binding).order_by(_BATCHES.c.id)):
        version = batch.binding.get("template version", "")
        if version:
            found.setdefault(version, batch.id)
    return found


def count_waiting_work(session: Session) -> WaitingWork:
    """Count what waits for a person or a worker; cancelled batches wait for nobody but for reserved chunks."""
    to_do = (ChunkState.READY.value, ChunkState.RESERVED.value)
    open_chunks = select(_CHUNKS.c.batch_id).where(_CHUNKS.c.state.in_(to_do)).distinct()
    submitted = select(func.count()).where(_BATCHES.c.state == BatchState.SUBMITTED.value)
    submitted_rows = (
        select(func.count())
        .select_from(_ROWS.join(_BATCHES, _BATCHES.c.id == _ROWS.c.batch_id))
        .where(_BATCHES.c.state == BatchState.SUBMITTED.value, _ROWS.c.state == RowState.SUBMITTED.value)
    )
    open_rows = select(func.coalesce(func.sum(_CHUNKS.c.row_count), 0)).where(_CHUNKS.c.state.in_(to_do))
    return WaitingWork(
        submitted=session.execute(submitted).scalar_one(),
        unfinished=tuple(session.execute(open_chunks.order_by(_CHUNKS.c.batch_id)).scalars()),
        proposed=session.execute(select(func.count()).where(_CHANGES.c.outcome == "")).scalar_one(),
        rows=session.execute(submitted_rows).scalar_one() + int(session.execute(open_rows).scalar_one()),
    )


def expiring_tokens(session: Session, now: datetime, until: datetime) -> list[str]:
    """The ids of tokens that can be used now and no more at a later moment."""
    tokens = _TOKENS.c
    query = select(tokens.id).where(tokens.revoked_at.is_(None), tokens.expires_at > now, tokens.expires_at <= until)
    return list(session.execute(query.order_by(tokens.expires_at)).scalars())


def newest_moment(session: Session) -> datetime | None:
    """When the last thing that the history tells of was recorded; None when nothing was."""
    query = select(_HISTORY.c.recorded_at).order_by(_HISTORY.c.sequence.desc()).limit(1)
    return session.execute(query).scalar_one_or_none()
