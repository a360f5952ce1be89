"""Addresses of the registry's database, and the connections to it on SQLite and PostgreSQL."""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from credential.errors import ConfigError
from registry.verdict_columns import VERDICT_COLUMNS

Address = URL
"""Where a database is; with its password, which its ``str()`` does not show."""

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another's transaction; ours last milliseconds."""

_LOG_PAGES = 16_000
"""Of 4 KiB, that SQLite's log grows to before they are moved into the database. A chunk changes some 2,000 once there
are 100,000 credentials, mostly the same ones as the next chunk: blind indexes are random."""

CONNECT_TIMEOUT_S = 10

POOL_KEPT = 10
"""Connections that stay open between requests."""

POOL_MOST = 50
"""Connections open at once: one for each of a web server's 40 threads, and some for what runs in the background."""

POOL_WAIT_S = 10
"""How long a thread waits for one of them; past that the database counts as out of reach."""

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
#: PostgreSQL: read_only_sql_transaction, as a standby answers that was the primary a moment ago.
_READ_ONLY = "25006"

_HARMLESS = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
        sqlite3.SQLITE_PRAGMA,
    }
)
_SQLITE_SCHEMA = frozenset({"sqlite_master", "sqlite_schema"})


class BadDatabaseAddress(ConfigError):
    """The setting that names the database is not an address of one that this program can use."""

    code = "bad-database-address"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the setting YINZHENG_DATABASE {why_en}; give postgresql://user@host/database, or leave it empty for the "
            "data folder's own",
            f"设置项 YINZHENG_DATABASE {why_zh}; 请写成 postgresql://用户@主机/数据库, 或留空以使用数据目录内的数据库",
        )


def read_address(address: str, password: str = "") -> Address:
    """Read the address of a PostgreSQL database, as an operator writes it.

    Args:
        address: ``postgresql://user@host:port/database?sslmode=verify-full``; never with a password,
            for what stands in a setting is seen in process lists and logs.
        password: of the user, from a file.

    Raises:
        BadDatabaseAddress: it is not one; its text is not repeated, since it may hold a password.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise BadDatabaseAddress("is not an address", "不是有效的地址") from error
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise BadDatabaseAddress(f"is of the kind {url.drivername!r}", f"的类型“{url.drivername}”不受支持")
    if url.password is not None or "password" in url.query:
        raise BadDatabaseAddress(
            "holds a password; put it into the file that YINZHENG_DATABASE_PASSWORD_FILE names",
            "含有口令; 请把口令写入文件, 并用 YINZHENG_DATABASE_PASSWORD_FILE 指定",
        )
    if not url.database:
        raise BadDatabaseAddress("names no database", "没有写数据库名")
    return url.set(drivername="postgresql+psycopg", password=password or None)


def file_address(path: Path) -> Address:
    """The address of a SQLite file."""
    return URL.create("sqlite", database=str(path.absolute()))


def shown(url: str | URL) -> str:
    """An address for people: without its password."""
    return make_url(url).render_as_string(hide_password=True)


def is_out_of_reach(error: DBAPIError) -> bool:
    """Whether an error means that the store does not answer; else it is a bug of ours or a broken rule."""
    if isinstance(error.orig, sqlite3.Error):
        # The low byte is the primary code; a missing table is SQLITE_ERROR, a bug of ours.
        return (getattr(error.orig, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_OUT_OF_REACH
    if getattr(error.orig, "sqlstate", None) == _READ_ONLY:
        return True
    return isinstance(error, OperationalError) or error.connection_invalidated


def make_engine(url: str | URL, *, foreign_keys: bool = True, verdicts_only: bool = False) -> Engine:
    """Make what hands out connections; none is opened yet.

    Args:
        url: of the database.
        foreign_keys: False while a migration makes tables anew; SQLite only.
        verdicts_only: connections that can write nothing, and on SQLite read only
            :data:`registry.verdict_columns.VERDICT_COLUMNS`; on PostgreSQL the account's grants say what they read.
    """
    address = make_url(url)
    # Errors quote the statement only: its parameters may be somebody's data.
    if address.get_backend_name() != "sqlite":
        return _postgresql(address, verdicts_only=verdicts_only)
    if verdicts_only:
        path = quote(address.database or "")
        address = address.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(address, hide_parameters=True, **_pool())

    def connect(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver's own BEGIN comes too late (before the first write); ours is sent below.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if verdicts_only:
            connection.execute("PRAGMA query_only = ON")
            connection.set_authorizer(_verdicts_only)
            return
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute("PRAGMA secure_delete = ON")  # a destroyed key is overwritten, not only let go
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql(f"PRAGMA query_only = {options.get('query_only', 'ON')}")
        connection.exec_driver_sql(f"PRAGMA temp_store = {options.get('temp_store', 'DEFAULT')}")
        if "cache_size" in options:  # stays with the connection: what it has read is worth keeping
            connection.exec_driver_sql(f"PRAGMA cache_size = {options['cache_size']}")
        connection.exec_driver_sql(str(options.get("begin", "BEGIN")))

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)
    return engine


def _postgresql(address: URL, *, verdicts_only: bool) -> Engine:
    options = f"-c lock_timeout={BUSY_TIMEOUT_MS} -c timezone=UTC"
    if verdicts_only:
        options += " -c default_transaction_read_only=on"
    arguments = {
        "options": f"{address.query.get('options', '')} {options}".strip(),
        "application_name": "yinzheng",
        "connect_timeout": CONNECT_TIMEOUT_S,
    }
    return create_engine(address, pool_pre_ping=True, hide_parameters=True, connect_args=arguments, **_pool())


def _pool() -> dict[str, int]:
    return {"pool_size": POOL_KEPT, "max_overflow": POOL_MOST - POOL_KEPT, "pool_timeout": POOL_WAIT_S}


def _verdicts_only(action: int, table: str | None, column: str | None, *_: str | None) -> int:
    """Say of each thing a statement does whether it may; SQLite asks while it prepares the statement."""
    if action in _HARMLESS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ:
        may = table in _SQLITE_SCHEMA or (table in VERDICT_COLUMNS and column in ("", *VERDICT_COLUMNS[table]))
        return sqlite3.SQLITE_OK if may else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_DENY
