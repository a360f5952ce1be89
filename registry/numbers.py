"""Serial numbers: taken in ranges from a counter, and every one accounted for."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from registry.batches import Batch
from registry.tables import BatchRowRow, CounterRow, CredentialRow, NumberRangeRow, RowState


@dataclass(frozen=True, slots=True)
class NumberAccount:
    """Where the numbers of an issuer and year have gone.

    Attributes:
        taken: from the counter.
        issued: stand in a credential, printed or still to be printed.
        pending: belong to a row that is still to be reserved.
        void: will never be used, each with its reason.
        missing: sequence numbers that are none of these; always empty but after damage.
    """

    taken: int
    issued: int
    pending: int
    void: int
    missing: tuple[int, ...]


def take_numbers(session: Session, batch: Batch, year: int, count: int, now: datetime) -> int:
    """Take a range of sequence numbers for a batch, in the caller's transaction; returns the first."""
    mine = (CounterRow.issuer_id == batch.issuer_id, CounterRow.year == year)
    query = select(CounterRow).where(*mine).with_for_update(key_share=True)
    if session.exec(query).first() is None:
        with suppress(IntegrityError), session.begin_nested():  # PostgreSQL: another may make it at this moment
            session.add(CounterRow(issuer_id=batch.issuer_id, year=year, next_sequence=1))
    counter = session.exec(query.execution_options(populate_existing=True)).one()
    first = counter.next_sequence
    counter.next_sequence = first + count
    session.add(
        NumberRangeRow(
            issuer_id=batch.issuer_id, year=year, first=first, last=first + count - 1, batch_id=batch.id, taken_at=now
        )
    )
    session.flush()
    return first


def account_numbers(session: Session, issuer_id: str, year: int) -> NumberAccount:
    """Account for every number an issuer has taken in a year."""
    ranges = session.exec(
        select(NumberRangeRow).where(NumberRangeRow.issuer_id == issuer_id, NumberRangeRow.year == year)
    ).all()
    counter = session.get(CounterRow, (issuer_id, year))
    void_ranges = sum(one.last - one.first + 1 for one in ranges if one.batch_id is None)
    in_rows = select(BatchRowRow.sequence, BatchRowRow.state, CredentialRow.id).where(
        BatchRowRow.issuer_id == issuer_id, BatchRowRow.year == year, BatchRowRow.version == 1
    )
    joined = in_rows.outerjoin(
        CredentialRow,
        (col(CredentialRow.batch_id) == BatchRowRow.batch_id)
        & (col(CredentialRow.row_number) == BatchRowRow.row_number),
    )
    seen = {sequence: (state, credential) for sequence, state, credential in session.exec(joined)}
    skipped = {number for one in ranges if one.batch_id is None for number in range(one.first, one.last + 1)}
    last = 0 if counter is None else counter.next_sequence - 1
    missing = tuple(number for number in range(1, last + 1) if number not in seen and number not in skipped)
    void = sum(state == RowState.VOID for state, _ in seen.values())
    issued = sum(credential is not None for _, credential in seen.values())
    return NumberAccount(last, issued, len(seen) - issued - void, void + void_ranges, missing)
