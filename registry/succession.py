"""Successions: which row's credential takes the place of which, from submission to the handing over.

A successor is a row of a batch like any other. Its credential names its
predecessor from reserve on (``supersedes_id``); the predecessor names it
(``superseded_by_id``) from the transaction that seals it, and not before.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, insert, or_, select, update
from sqlmodel import Session
from sqlmodel import select as select_row

from registry.columns import table_of
from registry.credentials import FoundCredential, find_by_id
from registry.history import HistoryKind
from registry.service_tables import SuccessionKind, SuccessionRow
from registry.tables import BatchRow, BatchRowRow, BatchState, CredentialRow, HistoryRow, RowState
from registry.vault import RecordKey, place

_BATCHES, _ROWS = table_of(BatchRow), table_of(BatchRowRow)
_CREDENTIALS, _HISTORY, _SUCCESSIONS = table_of(CredentialRow), table_of(HistoryRow), table_of(SuccessionRow)


@dataclass(frozen=True, slots=True)
class NewSuccession:
    """Whose place a row's credential is to take.

    Attributes:
        predecessor_id: the credential.
        reason: stable code.
        decision: number of the decision document; stored sealed.
        seen_change: :func:`last_change` of the predecessor as the maker saw it.
    """

    predecessor_id: int
    kind: SuccessionKind
    reason: str
    decision: str
    seen_change: int


@dataclass(frozen=True, slots=True)
class Succession:
    """A stored succession; its decision is opened by :func:`read_decision`."""

    batch_id: int
    row_number: int
    predecessor_id: int
    kind: SuccessionKind
    reason: str
    seen_change: int


def insert_successions(
    session: Session, batch_id: int, successions: Mapping[int, NewSuccession], keys: Mapping[int, RecordKey]
) -> None:
    """Store the successions of a batch's rows, in the transaction of the batch."""
    values = [
        {
            "batch_id": batch_id,
            "row_number": row_number,
            "predecessor_id": one.predecessor_id,
            "kind": one.kind.value,
            "reason": one.reason,
            "seen_change": one.seen_change,
            "sealed": keys[row_number].seal({"decision": one.decision}, _place(batch_id, row_number)),
        }
        for row_number, one in successions.items()
    ]
    if values:
        session.connection().execute(insert(_SUCCESSIONS), values)


def read_successions(session: Session, batch_id: int) -> dict[int, Succession]:
    """The successions of a batch, by row number."""
    rows = session.exec(select_row(SuccessionRow).where(SuccessionRow.batch_id == batch_id))
    return {
        row.row_number: Succession(
            row.batch_id, row.row_number, row.predecessor_id, SuccessionKind(row.kind), row.reason, row.seen_change
        )
        for row in rows
    }


def read_decision(session: Session, key: RecordKey, succession: Succession) -> str:
    """The number of the decision document behind a succession.

    Args:
        session: any.
        key: of the successor's row.
        succession: as read.
    """
    at = succession.batch_id, succession.row_number
    decision: str = key.open(session.get_one(SuccessionRow, at).sealed, _place(*at))["decision"]
    return decision


def last_change(session: Session, credential_id: int) -> int:
    """The sequence number of the newest change of a credential's state; 0 when there was none."""
    query = select(func.max(_HISTORY.c.sequence)).where(
        _HISTORY.c.credential_id == credential_id, _HISTORY.c.kind == HistoryKind.STATE_CHANGED
    )
    return session.execute(query).scalar_one() or 0


def batch_under_way(session: Session, predecessor_id: int) -> int | None:
    """The batch in which a successor of a credential waits, is approved or is printed; None when in none."""
    is_open = or_(
        _ROWS.c.state == RowState.NUMBERED.value,  # of a cancelled batch only what is reserved is still numbered
        (_ROWS.c.state == RowState.SUBMITTED.value) & (_BATCHES.c.state != BatchState.CANCELLED.value),
    )
    query = (
        select(_SUCCESSIONS.c.batch_id)
        .join(
            _ROWS,
            (_ROWS.c.batch_id == _SUCCESSIONS.c.batch_id) & (_ROWS.c.row_number == _SUCCESSIONS.c.row_number),
        )
        .join(_BATCHES, _BATCHES.c.id == _SUCCESSIONS.c.batch_id)
        .where(_SUCCESSIONS.c.predecessor_id == predecessor_id, is_open)
    )
    return session.execute(query).scalars().first()


def find_successor(session: Session, credential_id: int) -> FoundCredential | None:
    """The credential that takes, or is on its way to take, the place of another."""
    query = select(_CREDENTIALS.c.id).where(_CREDENTIALS.c.supersedes_id == credential_id)
    successor_id = session.execute(query).scalar_one_or_none()
    return None if successor_id is None else find_by_id(session, successor_id)


def lineage(session: Session, found: FoundCredential) -> list[FoundCredential]:
    """A credential and everything before it in its chain, newest first."""
    chain = [found]
    while (before := chain[-1].supersedes_id) is not None:
        chain.append(find_by_id(session, before))
    return chain


def numbers_of(session: Session, found: FoundCredential) -> tuple[int, int, int]:
    """Year and sequence of a credential's serial, and the version that its next correction gets.

    A version whose row became void is not given again.
    """
    row = session.get_one(BatchRowRow, (found.batch_id, found.row_number))
    query = select(func.max(_ROWS.c.version)).where(
        _ROWS.c.issuer_id == found.issuer_id, _ROWS.c.serial == found.serial
    )
    assert row.year is not None  # noqa: S101 - a credential's row is numbered
    assert row.sequence is not None  # noqa: S101 - likewise
    return row.year, row.sequence, session.execute(query).scalar_one() + 1


def hand_over(session: Session, old: FoundCredential, new: FoundCredential, *, is_live: bool) -> None:
    """Link both ends, and pass the claim on the title from the old credential and the new one's row.

    Args:
        session: of the transaction that seals the new one.
        old: its history says why it ends, if it was live.
        new: sealed.
        is_live: whether the new one has a claim on the title.
    """
    connection = session.connection()
    of_row = (_ROWS.c.batch_id == new.batch_id) & (_ROWS.c.row_number == new.row_number)
    live_key = connection.execute(select(_ROWS.c.live_key).where(of_row)).scalar_one()
    credentials = update(_CREDENTIALS)
    connection.execute(credentials.where(_CREDENTIALS.c.id == old.id).values(superseded_by_id=new.id, live_key=None))
    connection.execute(update(_ROWS).where(of_row).values(live_key=None))
    if is_live:
        connection.execute(credentials.where(_CREDENTIALS.c.id == new.id).values(live_key=live_key))


def _place(batch_id: int, row_number: int) -> bytes:
    return place("succession", f"{batch_id}/{row_number}", "sealed")
