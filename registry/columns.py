"""Kinds of columns and the names of constraints that all tables share, on SQLite and PostgreSQL."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Table
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

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
