"""A registry under the threads of a web server: enough connections for all, and a plain answer where there are none."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from registry import engines
from registry.database import Database, DatabaseUnavailable, Session
from registry.engines import file_address
from registry.issuers import list_issuers

THREADS = 60
OF_A_WEB_SERVER = 40
PATIENCE = 60


@pytest.fixture
def database(registry_url: str) -> Iterator[Database]:
    opened = Database(registry_url)
    yield opened
    opened.close()


def test_sixty_threads_are_served_and_forty_of_them_read_at_once(database: Database) -> None:
    inside, is_full, lock = [0], threading.Event(), threading.Lock()

    def read(_number: int) -> bool:
        with database.reading() as session:
            list_issuers(session)
            with lock:
                inside[0] += 1
                if inside[0] == OF_A_WEB_SERVER:
                    is_full.set()
            return is_full.wait(PATIENCE)

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(read, range(THREADS))) == [True] * THREADS


def test_sixty_threads_write_one_after_another(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("CREATE TABLE tally (n INTEGER)"))
        session.execute(text("INSERT INTO tally VALUES (0)"))

    def write(_number: int) -> None:
        with database.transaction() as session:
            session.execute(text("UPDATE tally SET n = n + 1"))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(THREADS)))
    with database.reading() as session:
        assert session.execute(text("SELECT n FROM tally")).scalar_one() == THREADS


def test_who_gets_no_connection_is_told_that_the_database_does_not_answer(
    registry_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "POOL_KEPT", 2)
    monkeypatch.setattr(engines, "POOL_MOST", 3)
    monkeypatch.setattr(engines, "POOL_WAIT_S", 0.05)
    database, are_done = Database(registry_url), threading.Event()
    told: list[DatabaseUnavailable] = []

    def read(_number: int) -> bool:
        try:
            with database.reading() as session:
                list_issuers(session)
                return are_done.wait(PATIENCE)
        except DatabaseUnavailable as error:
            told.append(error)
            if len(told) == THREADS - 3:
                are_done.set()
            return False

    with ThreadPoolExecutor(THREADS) as pool:
        served = list(pool.map(read, range(THREADS)))

    assert (served.count(True), len(told)) == (3, THREADS - 3)
    assert {one.en for one in told} == {"the database does not answer: all connections to it are in use"}
    with database.reading() as session:
        assert list_issuers(session) == []
    database.close()


def test_a_writer_on_sqlite_keeps_what_it_could_undo_in_memory_and_the_indexes_it_has_read(tmp_path: Path) -> None:
    url = file_address(tmp_path / "registry.sqlite")
    database = Database(url)

    def pragma(session: Session, name: str) -> int:
        return int(session.execute(text(f"PRAGMA {name}")).scalar_one())

    with database.reading() as session:
        assert (pragma(session, "temp_store"), pragma(session, "cache_size")) == (0, -2000)
    with database.transaction() as session:
        assert (pragma(session, "temp_store"), pragma(session, "cache_size")) == (2, -32_000)
        assert (pragma(session, "synchronous"), pragma(session, "secure_delete")) == (2, 1)
        assert pragma(session, "wal_autocheckpoint") == 16_000
    with database.reading() as session:
        assert (pragma(session, "temp_store"), pragma(session, "cache_size")) == (0, -32_000), "it keeps its pages"
    database.close()
