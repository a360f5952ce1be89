"""Why a batch rests, for whoever looks at it: a token was removed, a disk is full, a worker died."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete

from registry.columns import table_of
from registry.database import Session
from registry.service_tables import BatchPauseRow

_PAUSES = table_of(BatchPauseRow)


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when a batch rests, and why: the error's code and its sentence in both languages."""

    since: datetime
    code: str
    en: str
    zh: str


def pause_batch(session: Session, batch_id: int, pause: Pause) -> None:
    """Note why a batch rests, in place of an earlier reason."""
    end_pause(session, batch_id)
    session.add(BatchPauseRow(batch_id=batch_id, since=pause.since, code=pause.code, en=pause.en, zh=pause.zh))
    session.flush()


def end_pause(session: Session, batch_id: int) -> None:
    """Forget why a batch rested; does nothing when it did not."""
    session.connection().execute(delete(_PAUSES).where(_PAUSES.c.batch_id == batch_id))


def read_pause(session: Session, batch_id: int) -> Pause | None:
    """Why a batch rests; None while it does not."""
    row = session.get(BatchPauseRow, batch_id)
    return None if row is None else Pause(row.since, row.code, row.en, row.zh)
