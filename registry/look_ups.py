"""Single statements on connections of their own: how a verifier's look-up asks the database.

A look-up is one SELECT, which sees one state of the database by itself and
needs no transaction around it. Put together once and handed to the driver as
text, it costs a fraction of what a session does (bench/README.md).
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, Select
from sqlalchemy.exc import DBAPIError

MAX_IDLE = 16
"""Connections kept for the next look-up; beyond that one is closed after its statement."""


class LookUps:
    """Asks statements of one database, each outside of any transaction; safe to share among threads.

    Args:
        engine: makes the connections, which are then taken out of its pool and may only read.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._texts: dict[Select[Any], str] = {}
        self._idle: deque[Any] = deque()

    def ask(self, statement: Select[Any], wanted: bytes | str | int) -> Sequence[tuple[Any, ...]]:
        """Ask one statement; values come as the driver gives them.

        A connection that the server has closed in the meantime is replaced, and
        the statement asked again.

        Args:
            statement: lives as long as the program; has one parameter, ``wanted``, in one place.
            wanted: the parameter.

        Raises:
            DBAPIError: the driver's error, wrapped as SQLAlchemy does.
        """
        text = self._texts.get(statement) or self._write(statement)
        parameters = (wanted,) if self._is_sqlite else {"wanted": wanted}
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        else:
            if not self._is_sqlite and connection.closed:
                connection = self._connect()
        try:
            found: Sequence[tuple[Any, ...]] = connection.execute(text, parameters).fetchall()
        except self._error as error:
            is_lost = not self._is_sqlite and connection.closed
            connection.close()
            if not is_lost:
                raise self._wrapped(text, error) from error
            return self._ask_anew(text, parameters)
        self._keep(connection)
        return found

    def close(self) -> None:
        """Close every connection that is not in use."""
        while self._idle:
            self._idle.pop().close()

    def _ask_anew(self, text: str, parameters: object) -> Sequence[tuple[Any, ...]]:
        connection = self._connect()
        try:
            found: Sequence[tuple[Any, ...]] = connection.execute(text, parameters).fetchall()
        except self._error as error:
            connection.close()
            raise self._wrapped(text, error) from error
        self._keep(connection)
        return found

    def _write(self, statement: Select[Any]) -> str:
        text = str(statement.compile(dialect=self._engine.dialect))
        self._texts[statement] = text
        return text

    def _connect(self) -> Any:
        """Take a connection out of the pool for good, with all that the pool sets on a new one."""
        connection: Any = None
        try:
            fairy = self._engine.raw_connection()
            connection = fairy.driver_connection
            fairy.detach()
            if self._is_sqlite:
                connection.execute("PRAGMA query_only = ON")
            else:
                connection.autocommit = True
                connection.execute("SET default_transaction_read_only = on")
        except self._error as error:
            if connection is not None:
                connection.close()
            raise self._wrapped("", error) from error
        return connection

    def _keep(self, connection: Any) -> None:
        if len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def _wrapped(self, text: str, error: Exception) -> Exception:
        return DBAPIError.instance(text, None, error, self._error, dialect=self._engine.dialect)
