"""Read the history for people: entries of the service, of an issuer, of one serial, of a kind, since a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from credential.leaves import SALT_BYTES, history_leaf
from registry.columns import askable, table_of
from registry.history import GENESIS
from registry.log.tables import LogLeafRow
from registry.tables import CredentialRow, HistoryRow

_LEAVES = table_of(LogLeafRow)
_LEAF_START = history_leaf(GENESIS, 0, bytes(SALT_BYTES))[: -len(GENESIS)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; what is left empty asks nothing.

    Attributes:
        issuer_id: of one issuer.
        of_service: only entries of no issuer.
        serial: only entries about the credentials with this serial, all versions.
        kind: only entries of this kind.
        since: only entries recorded then or later; with time zone.
    """

    issuer_id: str = ""
    of_service: bool = False
    serial: str = ""
    kind: str = ""
    since: datetime | None = None


def read_past(session: Session, wanted: Wanted, last: int) -> Sequence[HistoryRow]:
    """The newest entries that are wanted, oldest first, at most ``last``."""
    query = select_rows(HistoryRow)
    if wanted.issuer_id:
        query = query.where(col(HistoryRow.issuer_id) == askable(wanted.issuer_id))
    if wanted.of_service:
        query = query.where(col(HistoryRow.issuer_id).is_(None))
    if wanted.serial:
        of_serial = select(col(CredentialRow.id)).where(col(CredentialRow.serial) == askable(wanted.serial))
        query = query.where(col(HistoryRow.credential_id).in_(of_serial))
    if wanted.kind:
        query = query.where(col(HistoryRow.kind) == askable(wanted.kind))
    if wanted.since is not None:
        query = query.where(col(HistoryRow.recorded_at) >= wanted.since)
    rows = session.exec(query.order_by(col(HistoryRow.sequence).desc()).limit(last)).all()
    return rows[::-1]


def count_heads_waiting(session: Session, size: int) -> int:
    """How many entries' leaves are not yet in a log of this size."""
    start = func.substr(_LEAVES.c.leaf, 1, len(_LEAF_START)) == _LEAF_START
    waits = or_(_LEAVES.c.position.is_(None), _LEAVES.c.position >= size)
    return int(session.execute(select(func.count()).select_from(_LEAVES).where(start, waits)).scalar_one())
