"""Put leaves into the log's outbox, in the transaction of what they commit to."""

from collections.abc import Sequence

from sqlmodel import Session

from credential.leaves import parse_leaf
from registry.columns import table_of
from registry.log.tables import LogLeafRow

_ROWS_AT_ONCE = 500  # parameters of one statement are bounded on both databases


def put_leaves(session: Session, leaves: Sequence[bytes]) -> list[int]:
    """Put leaves into the outbox; they are logged if and only if the caller's transaction commits.

    Returns:
        Their ids, in the order given; :meth:`LogReader.proof` takes one.

    Raises:
        BadLeaf: something is not a leaf of credential/leaves.py.
    """
    for leaf in leaves:
        parse_leaf(leaf)
    ids: list[int] = []
    for start in range(0, len(leaves), _ROWS_AT_ONCE):
        rows = [{"leaf": leaf} for leaf in leaves[start : start + _ROWS_AT_ONCE]]
        table = table_of(LogLeafRow)
        statement = table.insert().returning(table.c.id, sort_by_parameter_order=True)
        ids += session.execute(statement, rows).scalars()
    return ids
