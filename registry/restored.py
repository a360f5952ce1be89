"""What a restored registry has to be asked and told before it goes on: open chunks, numbers, published statuses."""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from registry.batches import fates, get_batch, mark_cancelled, progress
from registry.log.tables import LogHeadRow
from registry.numbers import account_numbers
from registry.status.slots import Slot
from registry.status.tables import StatusEntryRow
from registry.tables import BatchState, ChunkRow, ChunkState, CounterRow, CredentialRow, NumberRangeRow

LOST = "lost-in-restore"
"""Why a row or a range of numbers comes to nothing: a restore could not bring it back."""


def ready_chunks(session: Session) -> list[tuple[int, int]]:
    """The chunks that have numbers and were not reserved, as batch and number."""
    query = select(ChunkRow.batch_id, ChunkRow.number).where(ChunkRow.state == ChunkState.READY)
    return list(session.exec(query.order_by(col(ChunkRow.batch_id), col(ChunkRow.number))).all())


def reserved_chunks(session: Session) -> list[tuple[int, int]]:
    """The chunks that were reserved and not sealed, as batch and number."""
    query = select(ChunkRow.batch_id, ChunkRow.number).where(ChunkRow.state == ChunkState.RESERVED)
    return list(session.exec(query.order_by(col(ChunkRow.batch_id), col(ChunkRow.number))).all())


def highest_numbers(session: Session) -> dict[tuple[str, int], int]:
    """The highest number that each issuer's counter has given in each year."""
    return {(row.issuer_id, row.year): row.next_sequence - 1 for row in session.exec(select(CounterRow))}


def skip_numbers(session: Session, issuer_id: str, year: int, last: int, now: datetime) -> list[tuple[int, int]]:
    """Never give the numbers of an issuer and year up to one that may have been used; each is accounted for.

    Returns:
        The ranges, first and last number, that are void for it.
    """
    raise_counter(session, issuer_id, year, last)
    ranges: list[tuple[int, int]] = []
    for number in account_numbers(session, issuer_id, year).missing:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    for first, end in ranges:
        session.add(NumberRangeRow(issuer_id=issuer_id, year=year, first=first, last=end, reason=LOST, taken_at=now))
    session.flush()
    return ranges


def statuses_of(session: Session, slots: Iterable[Slot]) -> dict[Slot, int]:
    """What the registry says of slots; 0 for one that never was anything but valid."""
    return {
        slot: 0 if (row := session.get(StatusEntryRow, (slot.list_number, slot.index))) is None else row.value
        for slot in slots
    }


def serial_of_slot(session: Session, slot: Slot) -> str:
    """The serial of the credential that a slot belongs to; empty when there is none."""
    query = select(CredentialRow.serial).where(
        CredentialRow.status_list == slot.list_number, CredentialRow.status_index == slot.index
    )
    return session.exec(query).first() or ""


def raise_counter(session: Session, issuer_id: str, year: int, last: int) -> None:
    """Let a counter give no number up to one that was used; it is made where there is none."""
    counter = session.get(CounterRow, (issuer_id, year))
    if counter is None:
        session.add(CounterRow(issuer_id=issuer_id, year=year, next_sequence=last + 1))
    elif counter.next_sequence <= last:
        counter.next_sequence = last + 1
    session.flush()


def committed_root(session: Session, size: int) -> bytes | None:
    """The root of the head of a size that was committed; None when none has that size."""
    return session.exec(select(LogHeadRow.root).where(LogHeadRow.size == size)).first()


def statuses_of_list(session: Session, list_number: int) -> dict[int, int]:
    """Every slot of a list that ever was anything but valid, with what it is now."""
    query = select(StatusEntryRow.slot, StatusEntryRow.value).where(StatusEntryRow.list_number == list_number)
    return dict(session.exec(query).all())


def close_lost(session: Session, batch_id: int, now: datetime) -> None:
    """Cancel what of a batch could not be brought back, so that the same sheet can be submitted again for it."""
    batch = get_batch(session, batch_id)
    came_to_nothing = [fate for fate in fates(session, batch_id) if fate.reason == LOST]
    if batch.state is BatchState.APPROVED and (came_to_nothing or progress(session, batch_id).rows < batch.row_count):
        mark_cancelled(session, batch_id, LOST, now)
