"""Opening, migrating, and what the database refuses by itself."""

import sqlite3
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, StatementError
from sqlmodel import SQLModel

from credential.errors import UnavailableError
from registry import database as database_module
from registry.columns import Moment
from registry.database import (
    Database,
    DatabaseNotMigrated,
    DatabaseTooNew,
    DatabaseUnavailable,
    _is_out_of_reach,
    migrate,
    open_database,
)
from registry.issuers import Issuer, IssuerSettings, UnknownIssuer, add_issuer, get_issuer
from registry.rules import ALL_RULES
from registry.triggers import drop_triggers, missing_triggers
from tests.fakes_issuer import ISSUER, START


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/registry.sqlite"


def revisions() -> list[str]:
    scripts = ScriptDirectory(str(Path(database_module.__file__).with_name("migrations")))
    return [one.revision for one in reversed(list(scripts.walk_revisions()))]


def test_a_missing_database_is_refused_and_not_created(url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotMigrated, match="does not exist"):
        open_database(url)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_is_refused_with_the_cure(url: str, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "registry.sqlite").execute("CREATE TABLE other (id INTEGER)")
    with pytest.raises(DatabaseNotMigrated, match="yinzheng init"):
        open_database(url)


def test_a_newer_database_is_neither_opened_nor_migrated(url: str) -> None:
    migrate(url)
    with Database(url).transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (open_database, migrate):
        with pytest.raises(DatabaseTooNew, match="9999"):
            use(url)


def test_a_database_without_a_trigger_is_refused(url: str) -> None:
    migrate(url)
    with Database(url).transaction() as session:
        session.execute(text("DROP TRIGGER yz_history_frozen"))
    with pytest.raises(DatabaseNotMigrated, match="yz_history_frozen"):
        open_database(url)
    migrate(url)
    open_database(url).close()


def test_migrations_give_exactly_the_tables_of_the_models(url: str) -> None:
    migrate(url)
    with create_engine(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_triggers_survive_every_migration(url: str) -> None:
    for revision in revisions():
        migrate(url, revision)
        with create_engine(url).connect() as connection:
            assert missing_triggers(connection, ALL_RULES) == []
            count = connection.execute(text("SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger'")).scalar_one()
            present = set(inspect(connection).get_table_names())
            assert count > 3 * len([rules for rules in ALL_RULES if rules.table in present])


def test_a_failed_migration_leaves_the_triggers_and_the_revision(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(url)

    def fail(*_: object) -> None:
        raise OSError("power lost")

    monkeypatch.setattr("alembic.command.upgrade", fail)
    with pytest.raises(OSError, match="power lost"):
        migrate(url)
    open_database(url).close()


def test_dropping_triggers_drops_all_of_ours_only(url: str) -> None:
    migrate(url)
    with create_engine(url).begin() as connection:
        connection.execute(text("CREATE TRIGGER other AFTER DELETE ON issuer BEGIN SELECT 1; END"))
        drop_triggers(connection)
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
    assert names == ["other"]


def test_a_transaction_commits_on_leaving_and_rolls_back_on_an_error(url: str) -> None:
    migrate(url)
    database = Database(url)
    with database.transaction() as session:
        add_issuer(session, ISSUER, now=START)
    other = Issuer("taizhou", "11331000002682023K", "台州市人社局", "331000", IssuerSettings("t", "p", "u"))
    with pytest.raises(ZeroDivisionError):
        _add_and_fail(database, other)
    with database.reading() as session:
        assert get_issuer(session, "ningbo") == ISSUER
        with pytest.raises(UnknownIssuer):
            get_issuer(session, "taizhou")


def _add_and_fail(database: Database, issuer: Issuer) -> None:
    with database.transaction() as session:
        add_issuer(session, issuer, now=START)
        _ = 1 / 0


def test_a_reading_session_cannot_write(url: str) -> None:
    migrate(url)
    database = Database(url)
    with pytest.raises(UnavailableError), database.reading() as session:
        session.execute(text("DELETE FROM issuer"))
    with database.transaction() as session:  # the same connection may write again
        add_issuer(session, ISSUER, now=START)


def test_a_reader_sees_one_state_while_another_writes(url: str) -> None:
    migrate(url)
    database = Database(url)
    with database.reading() as reader:
        before = reader.execute(text("SELECT COUNT(*) FROM issuer")).scalar_one()
        with database.transaction() as writer:
            add_issuer(writer, ISSUER, now=START)
        assert reader.execute(text("SELECT COUNT(*) FROM issuer")).scalar_one() == before == 0


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30000)]
)
def test_sqlite_is_opened_safely(url: str, pragma: str, value: object) -> None:
    migrate(url)
    with Database(url).transaction() as session:
        assert session.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


def test_a_file_that_is_no_database_counts_as_out_of_reach(url: str, tmp_path: Path) -> None:
    (tmp_path / "registry.sqlite").write_bytes(b"this is not a database, it only stands in its place" * 50)
    with pytest.raises(DatabaseUnavailable):
        open_database(url)


def test_a_writer_that_waits_too_long_is_told_the_database_is_busy(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(url)
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 1)
    other = sqlite3.connect(tmp_path / "registry.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="locked"), Database(url).transaction():
        pass
    other.close()


def test_a_bug_of_ours_is_not_hidden_as_an_outage(url: str) -> None:
    migrate(url)
    with pytest.raises(OperationalError, match="no such table"), Database(url).transaction() as session:
        session.execute(text("SELECT * FROM nonsense"))


def test_a_moment_needs_a_time_zone(url: str) -> None:
    migrate(url)
    with pytest.raises(StatementError, match="time zone"), Database(url).transaction() as session:
        add_issuer(session, ISSUER, now=START.replace(tzinfo=None))


def test_moments_of_any_zone_come_back_in_utc() -> None:
    beijing = START.astimezone(timezone(timedelta(hours=8)))
    postgresql, sqlite = PGDialect(), SQLiteDialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped
    assert Moment().process_bind_param(beijing, sqlite) == START.replace(tzinfo=None)
    assert Moment().process_bind_param(beijing, postgresql) == START
    for stored, dialect in ((START.replace(tzinfo=None), sqlite), (beijing, postgresql)):
        read = Moment().process_result_value(stored, dialect)
        assert read == START
        assert read is not None
        assert read.tzinfo is UTC
    assert Moment().process_bind_param(None, sqlite) is None
    assert Moment().process_result_value(None, sqlite) is None


def test_a_server_that_refuses_connections_is_out_of_reach_and_a_wrong_query_is_not() -> None:
    assert _is_out_of_reach(OperationalError("SELECT 1", {}, Exception("connection refused")))
    assert _is_out_of_reach(DBAPIError("SELECT 1", {}, Exception("gone"), connection_invalidated=True))
    assert not _is_out_of_reach(ProgrammingError("SELECT 1", {}, Exception("no such table")))


def test_passwords_of_the_url_do_not_show() -> None:
    error = DatabaseNotMigrated(database_module._shown("postgresql+psycopg://a:secret@host/db"), "is", "是")
    assert "secret" not in str(error)
    assert "secret" not in error.zh
