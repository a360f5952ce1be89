"""Requests with an Idempotency-Key: which one came first, whether it runs, what it was answered."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from registry.columns import table_of
from registry.service_tables import IdempotentRequestRow

_TABLE = table_of(IdempotentRequestRow)


class Turn(StrEnum):
    """What a request with a key is to do."""

    FIRST = "first"  # go on; the key was free
    RUNS = "runs"  # the same request runs at this moment
    DONE = "done"  # the same request was answered
    OTHER = "other"  # the key belongs to another request


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered; nothing personal.

    Attributes:
        body: None when the answer could be shown only once, so that it is not kept.
    """

    status: int
    content_type: str
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One request under its key.

    Attributes:
        digest: SHA-256 over method, path and content.
    """

    token_id: str
    key: str
    digest: bytes


def begin(session: Session, request: Request, *, now: datetime, lease_from: datetime) -> tuple[Turn, Answer | None]:
    """Take a key for a request, in the caller's transaction, or say why not.

    Args:
        session: of a transaction.
        request: that came in.
        now: recorded.
        lease_from: a request that started before this and was not answered is taken
            over; the process that ran it was killed.
    """
    query = select(IdempotentRequestRow).where(
        IdempotentRequestRow.token_id == request.token_id, IdempotentRequestRow.key == request.key
    )
    row = session.exec(query.with_for_update(key_share=True)).first()
    if row is None:
        return _insert(session, request, now), None
    if row.request_digest != request.digest:
        return Turn.OTHER, None
    if row.status is not None:
        return Turn.DONE, Answer(row.status, row.content_type, row.body)
    if row.started_at >= lease_from:
        return Turn.RUNS, None
    row.started_at = now
    session.flush()
    return Turn.FIRST, None


def _insert(session: Session, request: Request, now: datetime) -> Turn:
    row = IdempotentRequestRow(
        token_id=request.token_id, key=request.key, request_digest=request.digest, started_at=now
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return Turn.RUNS  # another process took the key between the look and the insert; only PostgreSQL lets it
    return Turn.FIRST


def finish(session: Session, request: Request, answer: Answer) -> None:
    """Keep the answer of a request that began; a second answer of one taken over is dropped."""
    row = session.get(IdempotentRequestRow, (request.token_id, request.key), with_for_update={"key_share": True})
    if row is not None and row.status is None:
        row.status, row.content_type, row.body = answer.status, answer.content_type, answer.body
        session.flush()


def release(session: Session, request: Request) -> None:
    """Free the key of a request that changed nothing."""
    session.connection().execute(
        delete(_TABLE).where(
            _TABLE.c.token_id == request.token_id, _TABLE.c.key == request.key, _TABLE.c.status.is_(None)
        )
    )


def forget(session: Session, before: datetime) -> int:
    """Forget the requests that started before a moment; returns how many."""
    return session.connection().execute(delete(_TABLE).where(_TABLE.c.started_at < before)).rowcount
