"""Give the rows of an approved batch their numbers, and void those that come to nothing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from credential.leaves import void_leaf
from issuer.office import Office, beijing_year
from issuer.predecessor import TitleTaken, require_unchanged
from registry.batches import Batch, find_obstacles
from registry.chunks import NumberedRow, Numbering, StoredRow, number_rows, refuse_rows, void_row
from registry.credentials import FoundCredential
from registry.database import Session
from registry.log.outbox import put_leaves
from registry.log.salts import void_salt
from registry.numbers import take_numbers
from registry.service_tables import SuccessionKind
from registry.succession import numbers_of, read_successions

ALREADY_ISSUED = "already-issued"
"""Why a row is refused or void: a live credential says what it would say."""


def already_issued(serial: str) -> tuple[str, str]:
    """Say, in Chinese and English, that a row gets no certificate for the one that stands in the way."""
    return (
        f"同一人员同一资格(或项目)的有效证书已存在,编号 {serial},不再重复发证",
        f"a live certificate for the same person and matter exists with serial {serial}, so none is issued",
    )


def number_batch(  # noqa: PLR0913 - what approval knows
    session: Session, office: Office, batch: Batch, rows: Sequence[StoredRow], *, chunk_rows: int, now: datetime
) -> None:
    """Number the rows of a batch and cut them into chunks, or refuse them, in the transaction of the approval.

    Raises:
        PredecessorChanged: what a row was to supersede is not as it was seen.
        TitleTaken: what a successor would say is said by another live credential than its predecessor.
        SerialsExhausted: the issuer's pattern holds no more numbers this year.
    """
    obstacles = find_obstacles(session, batch.id)
    predecessors = _predecessors(session, batch, obstacles)
    free: list[StoredRow] = []
    first_of: dict[bytes | None, StoredRow] = {}
    twins: dict[int, StoredRow] = {}
    for row in rows:
        if row.row_number in obstacles:
            continue
        first = first_of.setdefault(row.live_key, row)
        if first is row:
            free.append(row)
        else:
            twins[row.row_number] = first
    numberings = [
        Numbering(row.row_number, serial, *numbers[:2], at // chunk_rows + 1, numbers[2])
        for at, (row, serial, numbers) in enumerate(_numbers(session, office, batch, free, predecessors, now))
    ]
    number_rows(session, batch, numberings)
    serials = {one.row_number: one.serial for one in numberings}
    obstacles |= {row_number: serials[first.row_number] for row_number, first in twins.items()}
    refuse_rows(session, batch.id, ALREADY_ISSUED, obstacles)


def void_numbers(session: Session, office: Office, batch_id: int, rows: Sequence[NumberedRow], reason: str) -> None:
    """Void the numbers of rows that will get no credential, each with a leaf in the log.

    A correction has no number of its own: its serial stays issued.
    """
    own = [row for row in rows if row.version == 1]
    salts = [void_salt(office.vault, office.issuer.id, row.serial) for row in own]
    leaves = [void_leaf(office.issuer.uscc, row.serial, reason, salt) for row, salt in zip(own, salts, strict=True)]
    ids = dict(zip((row.row_number for row in own), put_leaves(session, leaves), strict=True))
    for row in rows:
        void_row(session, batch_id, row.row_number, reason, ids.get(row.row_number))


def _predecessors(session: Session, batch: Batch, obstacles: Mapping[int, str]) -> dict[int, FoundCredential]:
    """The predecessor of each row that is a correction.

    A successor with an obstacle refuses the whole approval, so that the batch can be cancelled or approved later.
    """
    corrected = {}
    for row_number, one in read_successions(session, batch.id).items():
        found = require_unchanged(session, one)
        if row_number in obstacles:
            raise TitleTaken(obstacles[row_number])
        if one.kind is SuccessionKind.CORRECTION:
            corrected[row_number] = found
    return corrected


def _numbers(  # noqa: PLR0913, PLR0917 - only _number() calls it
    session: Session,
    office: Office,
    batch: Batch,
    rows: Sequence[StoredRow],
    corrected: Mapping[int, FoundCredential],
    now: datetime,
) -> Iterator[tuple[StoredRow, str, tuple[int, int, int]]]:
    """Serial, and year, sequence and version of each row: a correction keeps those of what it corrects."""
    year = beijing_year(now)
    new = sum(row.row_number not in corrected for row in rows)
    sequence = take_numbers(session, batch, year, new, now) if new else 0
    for row in rows:
        found = corrected.get(row.row_number)
        if found is not None:
            yield row, found.serial, numbers_of(session, found)
        else:
            yield row, office.serial(row.record, year, sequence), (year, sequence, 1)
            sequence += 1
