"""Open, migrate and use the registry's database: SQLite by default, PostgreSQL when scaled.

One way in for writing (:meth:`Database.transaction`) and one for reading
(:meth:`Database.reading`); nothing else commits. A database is only ever
created and changed in shape by :func:`migrate`; :func:`open_database` refuses
what this version of the program does not know.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from credential.errors import ConfigError, UnavailableError
from registry.rules import ALL_RULES
from registry.triggers import missing_triggers

__all__ = [
    "Database",
    "DatabaseNotMigrated",
    "DatabaseTooNew",
    "DatabaseUnavailable",
    "Session",
    "migrate",
    "open_database",
]

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another process's transaction; ours last milliseconds."""

_MIGRATIONS = Path(__file__).with_name("migrations")

_SQLITE_OUT_OF_REACH = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)


class DatabaseUnavailable(UnavailableError):
    """The database did not answer, is locked for too long, or its disk is full or broken."""

    code = "database-unavailable"

    def __init__(self, cause: str) -> None:
        super().__init__(f"the database does not answer: {cause}", f"数据库无响应:{cause}")


class DatabaseNotMigrated(ConfigError):
    """The database is missing, empty, older than the program, or has lost its triggers."""

    code = "database-not-migrated"

    def __init__(self, where: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the database {where} {why_en}; run `yinzheng init` to bring it up to date",
            f"数据库 {where} {why_zh};请运行 yinzheng init 完成升级",
        )
        self.where = where


class DatabaseTooNew(ConfigError):
    """The database was migrated by a newer version of the program."""

    code = "database-too-new"

    def __init__(self, where: str, revision: str) -> None:
        super().__init__(
            f"the database {where} is at revision {revision}, which this program does not know; install the newer one",
            f"数据库 {where} 的版本 {revision} 高于本程序;请安装新版本程序",
        )
        self.where = where
        self.revision = revision


class Database:
    """One registry database; cheap to make, connects when first used.

    Use one for each process: connections do not survive a fork.

    Args:
        url: SQLAlchemy URL, ``sqlite:////data/registry.sqlite`` or ``postgresql+psycopg://...``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        engine = _connectable(url, foreign_keys=True)
        self._writing: Engine
        self._reading: Engine
        self._engine = engine
        if engine.dialect.name == "sqlite":
            self._writing = engine.execution_options(begin="BEGIN IMMEDIATE", query_only="OFF")
            self._reading = engine.execution_options(begin="BEGIN", query_only="ON")
        else:
            self._writing = engine
            self._reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session to read and write in; commits on leaving, rolls back on any exception.

        Durable once left (``synchronous=FULL``). On SQLite the write lock is
        taken at the start, so that what was read cannot change before the
        write; on PostgreSQL take rows that must not change ``with_for_update``.

        Raises:
            DatabaseUnavailable: the database does not answer; whether a commit
                on its way succeeded is then not known.
        """
        with _translated(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            session.connection()  # sends BEGIN now, and not with the first statement
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session on one unchanging state of the database; writing in it fails.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with _translated(), Session(self._reading, expire_on_commit=False, autoflush=False) as session:
            yield session

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn errors that mean "the store does not answer" into :class:`DatabaseUnavailable`."""
    try:
        yield
    except DBAPIError as error:
        if _is_out_of_reach(error):
            raise DatabaseUnavailable(str(error.orig)) from error
        raise


def migrate(url: str, revision: str = "head") -> None:
    """Create the database or bring it to a revision, in one transaction, and renew its triggers.

    Raises:
        DatabaseTooNew: it stands at a revision that this program does not know.
        DatabaseUnavailable: it does not answer.
    """
    engine = _connectable(url, foreign_keys=False)
    script = _scripts()
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with _translated(), engine.execution_options(begin="BEGIN IMMEDIATE", query_only="OFF").begin() as connection:
            _check_known(connection, script, url)
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


def open_database(url: str) -> Database:
    """Open a database that stands exactly at this program's revision.

    Raises:
        DatabaseNotMigrated: missing, empty, older, or triggers are missing.
        DatabaseTooNew: migrated by a newer program.
        DatabaseUnavailable: it does not answer.
    """
    where = _shown(url)
    path = make_url(url).database
    if url.startswith("sqlite") and not (path and Path(path).is_file()):
        raise DatabaseNotMigrated(where, "does not exist", "不存在")
    database = Database(url)
    script = _scripts()
    with database.reading() as session:
        connection = session.connection()
        current = _check_known(connection, script, url)
        if current != script.get_current_head():
            raise DatabaseNotMigrated(where, f"is at revision {current or 'none'}", f"的版本为 {current or '空'}")
        missing = missing_triggers(connection, ALL_RULES)
        if missing:
            raise DatabaseNotMigrated(where, f"lacks the trigger {missing[0]}", f"缺少触发器 {missing[0]}")
    return database


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_MIGRATIONS))


def _check_known(connection: Connection, script: ScriptDirectory, url: str) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None:
        try:
            script.get_revision(current)
        except CommandError as error:
            raise DatabaseTooNew(_shown(url), current) from error
    return current


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _is_out_of_reach(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        # The low byte is the primary code; a missing table is SQLITE_ERROR, a bug of ours.
        return (getattr(error.orig, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_OUT_OF_REACH
    return isinstance(error, OperationalError) or error.connection_invalidated


def _connectable(url: str, *, foreign_keys: bool) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url)

    def connect(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver's own BEGIN comes too late (before the first write); ours is sent below.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql(f"PRAGMA query_only = {options.get('query_only', 'ON')}")
        connection.exec_driver_sql(str(options.get("begin", "BEGIN")))

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)
    return engine
