"""Put leaves into the log's outbox, in the transaction of what they commit to."""

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select
from sqlmodel import Session

from credential.leaves import require_leaves
from registry.columns import insert_columns, table_of
from registry.log.tables import LogLeafRow

_LEAVES = table_of(LogLeafRow)
_ROWS_AT_ONCE = 500  # parameters of one statement are bounded on both databases


def put_leaves(session: Session, leaves: Sequence[bytes]) -> list[int]:
    """Put leaves into the outbox; they are logged if and only if the caller's transaction commits.

    Returns:
        Their ids, in the order given; :meth:`LogReader.proof` takes one.

    Raises:
        BadLeaf: something is not a leaf of credential/leaves.py.
    """
    require_leaves(leaves)
    if session.get_bind().dialect.name == "sqlite":
        return _put_counted(session, leaves)
    ids: list[int] = []
    statement = _LEAVES.insert().returning(_LEAVES.c.id, sort_by_parameter_order=True)
    for start in range(0, len(leaves), _ROWS_AT_ONCE):
        rows = [{"leaf": leaf} for leaf in leaves[start : start + _ROWS_AT_ONCE]]
        ids += session.execute(statement, rows).scalars()
    return ids


def is_put(session: Session, leaf: bytes) -> bool:
    """Whether a leaf is in the outbox or the log; reads all of them, so only for what was cut off by a crash."""
    return session.execute(select(_LEAVES.c.id).where(_LEAVES.c.leaf == leaf).limit(1)).first() is not None


def count_waiting(session: Session) -> int:
    """How many leaves wait for the log."""
    query = select(func.count()).select_from(_LEAVES).where(_LEAVES.c.position.is_(None))
    return int(session.execute(query).scalar_one())


def count_logged(session: Session, size: int) -> int:
    """How many leaves stand at the positions of a log of this size; one each, if none was removed."""
    query = select(func.count()).select_from(_LEAVES).where(_LEAVES.c.position < size)
    return int(session.execute(query).scalar_one())


def logged_leaves(session: Session) -> Iterator[bytes]:
    """Read the leaves that have a place in the log, in the log's order, in constant memory."""
    query = select(_LEAVES.c.leaf).where(_LEAVES.c.position.is_not(None)).order_by(_LEAVES.c.position)
    with session.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)) as result:
        yield from result.scalars()


def _put_counted(session: Session, leaves: Sequence[bytes]) -> list[int]:
    """Give the ids here: SQLite returns them one row at a time, at three times the cost.

    No other writer can be between the two statements, for the transaction
    holds the write lock, and rows are never deleted.
    """
    if not leaves:
        return []
    first = (session.execute(select(func.max(_LEAVES.c.id))).scalar_one() or 0) + 1
    ids = list(range(first, first + len(leaves)))
    insert_columns(session.connection(), _LEAVES, {"id": ids, "leaf": leaves})
    return ids
