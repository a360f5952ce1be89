"""Open, migrate and use the registry's database: SQLite by default, PostgreSQL when scaled.

One way in for writing (:meth:`Database.transaction`) and one for reading
(:meth:`Database.reading`); nothing else commits. A database is only ever
created and changed in shape by :func:`migrate`; :func:`open_database` refuses
what this version of the program does not know.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Select, column, inspect, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlmodel import Session

from credential.errors import ConfigError, UnavailableError
from registry.engines import is_out_of_reach, make_engine, shown
from registry.look_ups import LookUps
from registry.rules import ALL_RULES
from registry.triggers import changed_triggers

__all__ = [
    "Database",
    "DatabaseNotMigrated",
    "DatabaseRulesChanged",
    "DatabaseTooNew",
    "DatabaseUnavailable",
    "Session",
    "current_revision",
    "migrate",
    "newest_revision",
    "open_database",
]

_MIGRATIONS = Path(__file__).with_name("migrations")
_CACHE_KIB = 32_000
"""Of SQLite's pages, for a connection that has written: the indexes that each row goes into, of 100,000 credentials."""
_MIGRATION_LOCK = 0x79696E7A68656E67  # "yinzheng"


class DatabaseUnavailable(UnavailableError):
    """The database did not answer, is locked for too long, or its disk is full or broken."""

    code = "database-unavailable"

    def __init__(self, cause: str) -> None:
        super().__init__(f"the database does not answer: {cause}", f"数据库无响应:{cause}")


class DatabaseNotMigrated(ConfigError):
    """The database is missing, empty, or older than the program."""

    code = "database-not-migrated"

    def __init__(self, where: str, why_en: str, why_zh: str, cure: str = "yinzheng migrate") -> None:
        super().__init__(
            f"the database {where} {why_en}; run `{cure}` to bring it up to date",
            f"数据库 {where} {why_zh};请运行 {cure} 完成升级",
        )
        self.where = where


class DatabaseRulesChanged(ConfigError):
    """A rule that the database itself holds is gone or says something else: somebody changed the database."""

    code = "database-rules-changed"

    def __init__(self, where: str, name: str) -> None:
        super().__init__(
            f"the database {where} lacks the rule {name}, or holds another under its name; somebody changed it: find "
            "out who, then run `yinzheng migrate`, which puts the rules back, and `yinzheng log verify`",
            f"数据库 {where} 的保护规则 {name} 缺失或被改动;请先查明何人改动过数据库,再运行 yinzheng migrate 恢复规则,"
            "并运行 yinzheng log verify 核对",
        )
        self.where = where
        self.name = name


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
        url: ``sqlite:////data/registry.sqlite`` or ``postgresql+psycopg://...``.
        verdicts_only: every connection can only read, and only what a verdict needs
            (registry/verdict_columns.py); :meth:`transaction` then fails with the first write.
    """

    def __init__(self, url: str | URL, *, verdicts_only: bool = False) -> None:
        engine = make_engine(url, verdicts_only=verdicts_only)
        self._writing: Engine
        self._reading: Engine
        self._engine = engine
        if verdicts_only:
            self._writing = self._reading = engine
        elif engine.dialect.name == "sqlite":
            # What one row's statement could have to undo is copied for each row: in memory, or it goes to a file.
            self._writing = engine.execution_options(
                begin="BEGIN IMMEDIATE", query_only="OFF", temp_store="MEMORY", cache_size=-_CACHE_KIB
            )
            self._reading = engine.execution_options(begin="BEGIN", query_only="ON")
        else:
            self._writing = engine
            self._reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._look_ups = LookUps(engine)

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

    def look_up(self, statement: Select[Any], wanted: bytes | str | int) -> Sequence[tuple[Any, ...]]:
        """Ask one statement outside of any transaction; see :meth:`registry.look_ups.LookUps.ask`.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with _translated():
            return self._look_ups.ask(statement, wanted)

    def scrub(self, table: str) -> None:
        """Let what was overwritten in a table vanish from the database's files, as far as the database can.

        SQLite overwrites it in its pages, and its log is emptied; PostgreSQL is
        told to clear dead rows, whose bytes go when their space is used again.
        Waits for those who write. What the disk keeps of old blocks is beyond it.

        Args:
            table: one of ours.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with _translated():
            if self.dialect == "sqlite":
                with self._writing.connect() as connection:
                    raw = connection.connection
                    raw.rollback()
                    cursor = raw.cursor()
                    cursor.execute("PRAGMA query_only = OFF")
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"VACUUM {table}")

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._look_ups.close()
        self._engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn errors that mean "the store does not answer" into :class:`DatabaseUnavailable`."""
    try:
        yield
    except DBAPIError as error:
        if is_out_of_reach(error):
            raise DatabaseUnavailable(str(error.orig)) from error
        raise
    except NoConnectionFree as error:
        raise DatabaseUnavailable("all connections to it are in use") from error


def migrate(url: str | URL, revision: str = "head") -> tuple[str, ...]:
    """Create the database or bring it to a revision, in one transaction, and renew its rules.

    Returns:
        The names of rules that were missing or changed before, though the revision was right;
        empty for a new or an older database.

    Raises:
        DatabaseTooNew: it stands at a revision that this program does not know.
        DatabaseUnavailable: it does not answer.
    """
    # Half of what a command would import is needed here alone.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    engine = make_engine(url, foreign_keys=False)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with _translated(), engine.execution_options(begin="BEGIN IMMEDIATE", query_only="OFF").begin() as connection:
            if (
                connection.dialect.name == "postgresql"
            ):  # of two that migrate at once, the second waits and does nothing
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            current = _check_known(connection, url)
            is_newest = current == newest_revision()
            changed = tuple(changed_triggers(connection, ALL_RULES)) if is_newest else ()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()
    return changed


def newest_revision() -> str:
    """The revision that this program works with."""
    return _revisions()[-1]


def current_revision(url: str | URL) -> str | None:
    """The revision that a database stands at; None when there is nothing in it, or no file.

    Raises:
        DatabaseTooNew: this program does not know it.
        DatabaseUnavailable: the database does not answer.
    """
    if _is_missing_file(url):
        return None
    database = Database(url)
    try:
        with database.reading() as session:
            return _check_known(session.connection(), url)
    finally:
        database.close()


def open_database(url: str | URL, *, verdicts_only: bool = False) -> Database:
    """Open a database that stands exactly at this program's revision; ``verdicts_only`` as for :class:`Database`.

    Raises:
        DatabaseNotMigrated: missing, empty or older.
        DatabaseRulesChanged: a rule is missing or another one.
        DatabaseTooNew: migrated by a newer program.
        DatabaseUnavailable: it does not answer.
    """
    where = shown(url)
    if _is_missing_file(url):
        raise DatabaseNotMigrated(where, "does not exist", "不存在", "yinzheng init")
    database = Database(url, verdicts_only=verdicts_only)
    try:
        with database.reading() as session:
            connection = session.connection()
            current = _check_known(connection, url)
            if current is None:
                raise DatabaseNotMigrated(where, "is empty", "是空的", "yinzheng init")
            if current != newest_revision():
                raise DatabaseNotMigrated(where, f"is at the older revision {current}", f"的版本 {current} 较旧")
            changed = changed_triggers(connection, ALL_RULES)
            if changed:
                raise DatabaseRulesChanged(where, changed[0])
    except ConfigError:
        database.close()
        raise
    return database


def _revisions() -> list[str]:
    """All revisions in order: each file of a migration begins with its own."""
    return sorted(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _is_missing_file(url: str | URL) -> bool:
    address = make_url(url)
    return address.get_backend_name() == "sqlite" and not (address.database and Path(address.database).is_file())


def _check_known(connection: Connection, url: str | URL) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    current: str | None = connection.execute(
        select(column("version_num")).select_from(table("alembic_version"))
    ).scalar()
    if current is not None and current not in _revisions():
        raise DatabaseTooNew(shown(url), current)
    return current
