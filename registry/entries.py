"""The history of one certificate, its batches included, read for people."""

from collections.abc import Sequence

from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from registry.credentials import FoundCredential
from registry.tables import HistoryRow


def entries_of(session: Session, versions: Sequence[FoundCredential]) -> list[HistoryRow]:
    """What happened to a certificate in all its versions, and to the batches they were issued in, oldest first."""
    batches = sorted({one.batch_id for one in versions})
    query = select(HistoryRow).where(
        or_(
            col(HistoryRow.credential_id).in_([one.id for one in versions]),
            and_(col(HistoryRow.batch_id).in_(batches), col(HistoryRow.credential_id).is_(None)),
        )
    )
    return list(session.exec(query.order_by(col(HistoryRow.sequence))))
