"""A chunk costs what its rows cost: no statement of issuing goes through the whole batch, or through the log."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from issuer.batch import approve, submit
from issuer.issue import finish_chunk, reserve_chunk
from registry.revisions import issued_chunks, newest_files
from tests.fakes_issuer import CHECKER, MAKER, House, build_house, make_records

# How SQLite says that it goes through a table, or through all rows of one batch in it.
THROUGH = re.compile(
    r"SCAN (batch_row|mine|credential|record_key|log_leaf)\b|"
    r"SEARCH (batch_row|mine|credential|record_key) USING .*\(batch_id=\?( AND row_number[<>]\?)?\)"
)


@contextmanager
def watched() -> Iterator[dict[str, Any]]:
    """Statements that reach a database, each with parameters of it."""
    seen: dict[str, Any] = {}

    def see(_connection: object, _cursor: object, statement: str, parameters: Any, _context: object, many: Any) -> None:
        seen.setdefault(statement, parameters[0] if many else parameters)

    event.listen(Engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", see)


def plans(house: House, statements: dict[str, Any]) -> list[tuple[str, str]]:
    """How SQLite would go about each statement; for an INSERT it lists things that it does not do."""
    with house.database.reading() as session:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        return [
            (step[3], statement)
            for statement, parameters in statements.items()
            if statement.startswith(("SELECT", "UPDATE"))
            for step in driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        ]


@pytest.mark.parametrize("remembers", [True, False])
def test_no_statement_of_a_chunk_goes_through_the_batch(tmp_path: Path, *, remembers: bool) -> None:
    house = build_house(tmp_path)
    batch = submit(house.office, make_records(4), [], maker=MAKER, now=house.clock.now()).batch
    approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())
    with watched() as statements:
        remembered = reserve_chunk(house.line, batch.id, 1)
        house.log.sequence(house.clock.now())
        finish_chunk(house.line, batch.id, 1, remembered if remembers else None)
        house.log.sequence(house.clock.now())
        with house.database.reading() as session:
            (chunk,) = issued_chunks(session)
            assert len(newest_files(session, house.vault, chunk)) == 4

    found = plans(house, statements)
    assert len(found) > 20
    assert [(plan, statement) for plan, statement in found if THROUGH.search(plan)] == []


def test_a_way_through_the_batch_would_be_found(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    of_credentials = "SELECT 1 FROM credential WHERE batch_id = :b AND chunk_number = :c ORDER BY row_number"
    of_rows = "SELECT 1 FROM batch_row WHERE batch_id = :b AND chunk_number = :c ORDER BY row_number"
    with watched() as statements, house.database.reading() as session:
        session.execute(text(of_credentials), {"b": 1, "c": 1})
        session.execute(text(of_rows), {"b": 1, "c": 1})
        session.execute(text("SELECT leaf FROM log_leaf WHERE substr(leaf, 1, 2) = :start"), {"start": b"x"})

    found = [plan for plan, _ in plans(house, statements)]
    assert len(found) == 3
    assert [plan for plan in found if not THROUGH.search(plan)] == []
