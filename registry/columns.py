"""Kinds of columns and the names of constraints that all tables share, on SQLite and PostgreSQL."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, LargeBinary, Table
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

_MOMENTS = 16

SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
"""Every constraint has a name, so that a later migration can drop it on either database."""


class Moment(TypeDecorator[datetime]):
    """A moment with time zone UTC; SQLite, which knows no zones, stores it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without zone: it would be read back as another one."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"a moment needs a time zone: {value!r}"
            raise ValueError(msg)
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back; PostgreSQL's driver names it after the server's setting."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def askable(text: str) -> str:
    """A stranger's text as databases take it: what none can hold, NUL and lone surrogates, becomes a question mark.

    No serial of ours has one, so nothing is found by it that is not there.
    """
    return text.encode(errors="replace").decode().replace("\0", "?")


def table_of(model: type[SQLModel]) -> Table:
    """The Core table under a model, for bulk statements that need no objects."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def insert_columns(connection: Connection, table: Table, columns: Mapping[str, Iterable[Any]]) -> None:
    """Insert many rows by the driver's own ``executemany``, in the caller's transaction.

    SQLAlchemy would put a dictionary together for each row and look at each of
    its values: for a chunk that takes longer than the database.

    Args:
        connection: of the transaction.
        table: to insert into.
        columns: the values of each column, row by row; all of one length, but for
            :func:`itertools.repeat` of what is the same in every row.
    """
    dialect = connection.dialect
    bound = [_bound(table, name, values, dialect) for name, values in columns.items()]
    rows = list(zip(*bound, strict=False))  # a repeated value never ends
    if rows:
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        quoted = ", ".join(map(dialect.identifier_preparer.quote, columns))
        marks = ", ".join([mark] * len(columns))
        statement = f"INSERT INTO {table.name} ({quoted}) VALUES ({marks})"  # noqa: S608 - names of our own tables
        connection.exec_driver_sql(statement, rows)


def _bound(table: Table, name: str, values: Iterable[Any], dialect: Dialect) -> Iterable[Any]:
    """The values as the driver takes them: SQLite has no type for moments and dates."""
    kind = table.c[name].type
    process = None if isinstance(kind, LargeBinary) else kind.dialect_impl(dialect).bind_processor(dialect)
    return values if process is None else map(lru_cache(_MOMENTS)(process), values)  # a chunk has one or two
