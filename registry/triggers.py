"""Make rules that the database itself holds against every hand, raw SQL included.

Alembic's batch migrations of SQLite make a table anew and drop its triggers
silently, so every migration ends by creating all of them again from one list
(``registry/rules.py``), and the program refuses to start when one is missing.
Conditions are plain SQL that SQLite and PostgreSQL both read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import Inspector

_PREFIX = "yz_"
_WHOLE = "_whole"  # ends the name of a trigger that stops TRUNCATE


@dataclass(frozen=True, slots=True)
class Rules:
    """What may happen to the rows of one table once they are written; the rest is refused.

    Rows are never deleted, and never overwritten by ``INSERT OR REPLACE``.

    Attributes:
        table: its name.
        mutable: columns that an UPDATE may name; every other one is frozen.
        refused_updates: SQL conditions over ``OLD`` and ``NEW``, by rule name.
        refused_inserts: SQL conditions over ``NEW``, by rule name.
        deletable: whether rows may be deleted; for queues only.
    """

    table: str
    mutable: tuple[str, ...] = ()
    refused_updates: dict[str, str] = field(default_factory=dict)
    refused_inserts: dict[str, str] = field(default_factory=dict)
    deletable: bool = False


@dataclass(frozen=True, slots=True)
class _Trigger:
    name: str
    table: str
    event: str
    condition: str
    message: str


def create_triggers(connection: Connection, rules: Sequence[Rules]) -> None:
    """Create the triggers of every table that exists; call once they are all dropped."""
    for trigger in _triggers(inspect(connection), rules):
        for statement in _statements(trigger, connection.dialect.name):
            connection.exec_driver_sql(statement)


def drop_triggers(connection: Connection) -> None:
    """Drop every trigger of ours, so that a migration may rewrite rows."""
    for name, table in _existing(connection):
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {name} ON {table}")


def changed_triggers(connection: Connection, rules: Sequence[Rules]) -> list[str]:
    """Name the triggers that should be there and are not, or that do something else under their name."""
    existing = _definitions(connection)
    changed = []
    for trigger in _triggers(inspect(connection), rules):
        wanted = {_normal(one) for one in _wanted(trigger, connection.dialect.name)}
        if not wanted <= existing.get(trigger.name, set()):
            changed.append(trigger.name)
    return changed


def _definitions(connection: Connection) -> dict[str, set[str]]:
    """What each trigger does: its statement, and on PostgreSQL the body of its function and its twin for TRUNCATE."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name, sql, '' FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = (
            "SELECT t.tgname, pg_get_triggerdef(t.oid, true), p.prosrc FROM pg_trigger t "
            "JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = current_schema()::regnamespace "
            "JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = current_schema()::regnamespace "
            "WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')"
        )
    found: dict[str, set[str]] = {}
    for name, *definitions in connection.execute(text(query)).all():
        found.setdefault(name.removesuffix(_WHOLE), set()).update(_normal(one) for one in definitions)
    return found


def _wanted(trigger: _Trigger, dialect: str) -> list[str]:
    function, *rest = _statements(trigger, dialect)
    return [function] if dialect == "sqlite" else [function.split("$$")[1], *rest]


def _normal(statement: str) -> str:
    return " ".join(statement.split())


def _existing(connection: Connection) -> list[tuple[str, str]]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = (
            "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND n.nspname = current_schema()"
        )
    return [(name, table) for name, table in connection.execute(text(query)).all() if name.startswith(_PREFIX)]


def _triggers(inspector: Inspector, rules: Sequence[Rules]) -> Iterator[_Trigger]:
    present = set(inspector.get_table_names())
    for rule in rules:
        if rule.table not in present:
            continue
        table = rule.table
        columns = [str(column["name"]) for column in inspector.get_columns(table)]
        frozen = [column for column in columns if column not in rule.mutable]
        start = f"{_PREFIX}{table}"
        if frozen:
            yield _Trigger(f"{start}_frozen", table, f"UPDATE OF {', '.join(frozen)}", "", f"{table} is append-only")
        if not rule.deletable:
            yield _Trigger(f"{start}_kept", table, "DELETE", "", f"{table} keeps its rows")
            key = " AND ".join(
                f"o.{column} = NEW.{column}" for column in inspector.get_pk_constraint(table)["constrained_columns"]
            )
            # SQLite's REPLACE deletes the row in the way without firing DELETE triggers.
            taken = f"EXISTS (SELECT 1 FROM {table} o WHERE {key})"  # noqa: S608 - names from our own metadata
            yield _Trigger(f"{start}_not_replaced", table, "INSERT", taken, f"{table} has this row already")
        for name, condition in rule.refused_updates.items():
            yield _Trigger(f"{start}_{name}", table, "UPDATE", condition, f"{table}: {name.replace('_', ' ')}")
        for name, condition in rule.refused_inserts.items():
            yield _Trigger(f"{start}_{name}", table, "INSERT", condition, f"{table}: {name.replace('_', ' ')}")


def _statements(trigger: _Trigger, dialect: str) -> list[str]:
    if dialect == "sqlite":
        when = f" WHEN {trigger.condition}" if trigger.condition else ""
        body = f"SELECT RAISE(ABORT, '{trigger.message}');"
        return [f"CREATE TRIGGER {trigger.name} BEFORE {trigger.event} ON {trigger.table}{when} BEGIN {body} END"]
    kept = "OLD" if trigger.event == "DELETE" else "NEW"
    # The functions raise a constraint error, which drivers report like any other broken constraint.
    refuse = f"RAISE EXCEPTION '{trigger.message}' USING ERRCODE = 'integrity_constraint_violation';"
    body = f"IF {trigger.condition} THEN {refuse} END IF; RETURN {kept};" if trigger.condition else refuse
    name, table = trigger.name, trigger.table
    call = f"EXECUTE FUNCTION {name}()"
    statements = [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER {name} BEFORE {trigger.event} ON {table} FOR EACH ROW {call}",
    ]
    if trigger.event == "DELETE":
        statements.append(f"CREATE TRIGGER {name}{_WHOLE} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {call}")
    return statements
