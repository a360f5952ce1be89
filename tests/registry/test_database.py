"""Opening, migrating, and what the database refuses by itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
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
    DatabaseRulesChanged,
    DatabaseTooNew,
    DatabaseUnavailable,
    current_revision,
    migrate,
    newest_revision,
    open_database,
)
from registry.engines import is_out_of_reach, shown
from registry.issuers import Issuer, IssuerSettings, UnknownIssuer, add_issuer, get_issuer
from registry.rules import ALL_RULES
from registry.triggers import changed_triggers, drop_triggers
from tests.fakes_issuer import ISSUER, START


@pytest.fixture
def url(empty_url: str) -> str:
    return empty_url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/registry.sqlite"


@contextmanager
def begun(url: str) -> Iterator[Connection]:
    """A transaction on a connection that none of our settings touched."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def trigger_names(connection: Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    return list(connection.execute(text(query)).scalars())


def revisions() -> list[str]:
    scripts = ScriptDirectory(str(Path(database_module.__file__).with_name("migrations")))
    return [one.revision for one in reversed(list(scripts.walk_revisions()))]


def test_a_missing_database_is_refused_and_not_created(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotMigrated, match=r"does not exist.*yinzheng init"):
        open_database(sqlite_url)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_is_refused_with_the_cure(url: str) -> None:
    with begun(url) as connection:
        connection.execute(text("CREATE TABLE other (id INTEGER)"))
    with pytest.raises(DatabaseNotMigrated, match=r"is empty.*yinzheng init"):
        open_database(url)


def test_an_older_database_is_refused_with_the_cure(url: str) -> None:
    migrate(url, revisions()[0])
    with pytest.raises(DatabaseNotMigrated, match=r"older revision 0001.*`yinzheng migrate`"):
        open_database(url)
    assert current_revision(url) == "0001"
    assert migrate(url) == ()
    assert current_revision(url) == newest_revision() == revisions()[-1]


def test_a_newer_database_is_neither_opened_nor_migrated(url: str) -> None:
    migrate(url)
    with begun(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (open_database, migrate, current_revision):
        with pytest.raises(DatabaseTooNew, match="9999"):
            use(url)


DROPPED = {
    "sqlite": "DROP TRIGGER yz_history_frozen",
    "postgresql": "DROP TRIGGER yz_history_frozen ON history",
}


def test_a_database_without_a_rule_is_refused_as_changed_and_not_as_old(url: str) -> None:
    migrate(url)
    with begun(url) as connection:
        connection.execute(text(DROPPED[connection.dialect.name]))
    with pytest.raises(DatabaseRulesChanged, match=r"yz_history_frozen.*somebody changed it.*yinzheng log verify"):
        open_database(url)
    assert migrate(url) == ("yz_history_frozen",)
    open_database(url).close()


OTHER_RULES = (
    "BEFORE DELETE ON person FOR EACH ROW EXECUTE FUNCTION yz_history_kept()",
    "AFTER DELETE ON history FOR EACH ROW EXECUTE FUNCTION yz_history_kept()",
    "BEFORE DELETE ON history FOR EACH ROW WHEN (OLD.sequence < 0) EXECUTE FUNCTION yz_history_kept()",
)
NO_RULE = """CREATE OR REPLACE FUNCTION yz_history_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RETURN NEW; END $$"""


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE history DISABLE TRIGGER yz_history_frozen",
        "ALTER TABLE history DISABLE TRIGGER yz_history_kept_whole",
        "DROP TRIGGER yz_history_kept_whole ON history",
        *(f"DROP TRIGGER yz_history_kept ON history; CREATE TRIGGER yz_history_kept {other}" for other in OTHER_RULES),
        NO_RULE,
    ],
)
def test_a_rule_that_was_weakened_on_postgresql_is_found(postgres_url: str, statement: str) -> None:
    with begun(postgres_url) as connection:
        connection.exec_driver_sql(statement)
    with pytest.raises(DatabaseRulesChanged, match="yz_history"):
        open_database(postgres_url)
    assert len(migrate(postgres_url)) == 1
    open_database(postgres_url).close()


def test_migrations_give_exactly_the_tables_of_the_models(url: str) -> None:
    migrate(url)
    with begun(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_triggers_survive_every_migration(url: str) -> None:
    for revision in revisions():
        migrate(url, revision)
        with begun(url) as connection:
            assert changed_triggers(connection, ALL_RULES) == []
            count = len(trigger_names(connection))
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
    with begun(url) as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("CREATE TRIGGER other AFTER DELETE ON issuer BEGIN SELECT 1; END"))
        else:
            connection.execute(
                text(
                    "CREATE TRIGGER other BEFORE UPDATE ON issuer FOR EACH ROW "
                    "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
                )
            )
        drop_triggers(connection)
        assert trigger_names(connection) == ["other"]


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
def test_sqlite_is_opened_safely(sqlite_url: str, pragma: str, value: object) -> None:
    migrate(sqlite_url)
    with Database(sqlite_url).transaction() as session:
        assert session.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


def test_a_file_that_is_no_database_counts_as_out_of_reach(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "registry.sqlite").write_bytes(b"this is not a database, it only stands in its place" * 50)
    with pytest.raises(DatabaseUnavailable):
        open_database(sqlite_url)


def test_a_writer_that_waits_too_long_is_told_the_database_is_busy(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(sqlite_url)
    monkeypatch.setattr("registry.engines.BUSY_TIMEOUT_MS", 1)
    other = sqlite3.connect(tmp_path / "registry.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="locked"), Database(sqlite_url).transaction():
        pass
    other.close()


def test_a_bug_of_ours_is_not_hidden_as_an_outage(url: str) -> None:
    migrate(url)
    with pytest.raises(DBAPIError, match="nonsense"), Database(url).transaction() as session:
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


def test_a_server_that_refuses_connectionsis_out_of_reach_and_a_wrong_query_is_not() -> None:
    assert is_out_of_reach(OperationalError("SELECT 1", {}, Exception("connection refused")))
    assert is_out_of_reach(DBAPIError("SELECT 1", {}, Exception("gone"), connection_invalidated=True))
    assert not is_out_of_reach(ProgrammingError("SELECT 1", {}, Exception("no such table")))


def test_passwords_of_the_url_do_not_show() -> None:
    error = DatabaseNotMigrated(shown("postgresql+psycopg://a:secret@host/db"), "is", "是")
    assert "secret" not in str(error)
    assert "secret" not in error.zh
