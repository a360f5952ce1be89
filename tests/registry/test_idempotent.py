"""Keys of requests on PostgreSQL: who looks at a key waits for nobody who only refers to its row."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from registry.database import Database, DatabaseUnavailable, Session
from registry.idempotent import Answer, Request, Turn, begin, finish
from registry.issuers import Person, add_issuer, add_person
from registry.service_tables import ApiTokenRow
from tests.fakes_issuer import ISSUER, MAKER, START

ASKED = Request("mzxw6ytb", "k1", b"d" * 32)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database(postgres_url)
    with opened.transaction() as session:
        add_issuer(session, ISSUER, now=START)
        add_person(session, Person(MAKER, ISSUER.id, MAKER), now=START)
        session.add(
            ApiTokenRow(id=ASKED.token_id, issuer_id=ISSUER.id, person_id=MAKER, digest=b"s" * 32, scopes=["read"],
                        label="", created_at=START, expires_at=START.replace(year=START.year + 1))
        )  # fmt: skip
    yield opened
    opened.close()


def _impatient(session: Session) -> Session:
    session.execute(text("SET LOCAL lock_timeout = '200ms'"))
    return session


def test_a_reference_to_its_row_holds_up_neither_the_look_at_a_key_nor_its_answer(database: Database) -> None:
    with database.transaction() as session:
        assert begin(session, ASKED, now=START, lease_from=START) == (Turn.FIRST, None)

    with database.transaction() as other:
        other.execute(text("SELECT key FROM idempotent_request FOR KEY SHARE"))  # as a foreign key's check does
        with database.transaction() as session:
            assert begin(_impatient(session), ASKED, now=START, lease_from=START) == (Turn.RUNS, None)
        with database.transaction() as session:
            finish(_impatient(session), ASKED, Answer(201, "application/json", b"{}"))


def test_two_who_look_at_one_key_do_so_one_after_the_other(database: Database) -> None:
    with database.transaction() as session:
        begin(session, ASKED, now=START, lease_from=START)

    with database.transaction() as other:
        begin(other, ASKED, now=START, lease_from=START)
        with pytest.raises(DatabaseUnavailable), database.transaction() as session:
            begin(_impatient(session), ASKED, now=START, lease_from=START)
