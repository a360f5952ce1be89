"""The statements that make triggers, for both databases."""

from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Inspector

from registry.database import Database, DatabaseRulesChanged, migrate, open_database
from registry.rules import ALL_RULES
from registry.triggers import Rules, _statements, _triggers, changed_triggers

RULES = Rules(
    "counter",
    mutable=("next_sequence",),
    refused_updates={"only_grows": "NEW.next_sequence < OLD.next_sequence"},
    refused_inserts={"from_one": "NEW.next_sequence <> 1"},
)


class Shape:
    """A table as SQLAlchemy's inspector describes it."""

    def get_table_names(self) -> list[str]:
        return ["counter", "other"]

    def get_columns(self, _table: str) -> list[dict[str, str]]:
        return [{"name": "issuer_id"}, {"name": "year"}, {"name": "next_sequence"}]

    def get_pk_constraint(self, _table: str) -> dict[str, list[str]]:
        return {"constrained_columns": ["issuer_id", "year"]}


def statements(rules: Rules, dialect: str) -> list[str]:
    triggers = _triggers(cast("Inspector", Shape()), [rules])
    return [statement for trigger in triggers for statement in _statements(trigger, dialect)]


def test_sqlite_gets_one_statement_a_rule() -> None:
    assert statements(RULES, "sqlite") == [
        (
            "CREATE TRIGGER yz_counter_frozen BEFORE UPDATE OF issuer_id, year ON counter "
            "BEGIN SELECT RAISE(ABORT, 'counter is append-only'); END"
        ),
        (
            "CREATE TRIGGER yz_counter_kept BEFORE DELETE ON counter "
            "BEGIN SELECT RAISE(ABORT, 'counter keeps its rows'); END"
        ),
        (
            "CREATE TRIGGER yz_counter_not_replaced BEFORE INSERT ON counter WHEN EXISTS (SELECT 1 FROM counter o "
            "WHERE o.issuer_id = NEW.issuer_id AND o.year = NEW.year) "
            "BEGIN SELECT RAISE(ABORT, 'counter has this row already'); END"
        ),
        (
            "CREATE TRIGGER yz_counter_only_grows BEFORE UPDATE ON counter WHEN NEW.next_sequence < OLD.next_sequence "
            "BEGIN SELECT RAISE(ABORT, 'counter: only grows'); END"
        ),
        (
            "CREATE TRIGGER yz_counter_from_one BEFORE INSERT ON counter WHEN NEW.next_sequence <> 1 "
            "BEGIN SELECT RAISE(ABORT, 'counter: from one'); END"
        ),
    ]


def test_postgresql_gets_a_function_a_rule_and_refuses_to_truncate_too() -> None:
    made = statements(RULES, "postgresql")
    assert made[0].startswith("CREATE OR REPLACE FUNCTION yz_counter_frozen() RETURNS trigger LANGUAGE plpgsql")
    assert "RAISE EXCEPTION 'counter is append-only' USING ERRCODE = 'integrity_constraint_violation';" in made[0]
    assert made[1] == (
        "CREATE TRIGGER yz_counter_frozen BEFORE UPDATE OF issuer_id, year ON counter FOR EACH ROW "
        "EXECUTE FUNCTION yz_counter_frozen()"
    )
    assert "CREATE TRIGGER yz_counter_kept_whole BEFORE TRUNCATE ON counter" in " ".join(made)
    assert any("IF NEW.next_sequence < OLD.next_sequence THEN RAISE" in one and "RETURN NEW;" in one for one in made)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_queues_may_lose_rows_and_free_tables_have_no_frozen_column(dialect: str) -> None:
    free = Rules("counter", mutable=("issuer_id", "year", "next_sequence"), deletable=True)
    assert statements(free, dialect) == []
    assert statements(Rules("missing"), dialect) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER yz_history_kept BEFORE DELETE ON history BEGIN SELECT 1; END",
        "CREATE TRIGGER yz_history_kept BEFORE DELETE ON history WHEN 0 BEGIN SELECT RAISE(ABORT, 'kept'); END",
        "CREATE TRIGGER yz_history_kept BEFORE DELETE ON person BEGIN SELECT RAISE(ABORT, 'kept'); END",
        "CREATE TRIGGER yz_history_kept AFTER DELETE ON history BEGIN SELECT RAISE(IGNORE); END",
    ],
)
def test_another_trigger_under_the_name_of_ours_is_found_and_a_migration_cures_it(
    tmp_path: Path, statement: str
) -> None:
    url = f"sqlite:///{tmp_path}/registry.sqlite"
    migrate(url)
    with Database(url).transaction() as session:
        assert changed_triggers(session.connection(), ALL_RULES) == []
        session.execute(text("DROP TRIGGER yz_history_kept"))
        session.execute(text(statement))
        assert changed_triggers(session.connection(), ALL_RULES) == ["yz_history_kept"]
    with pytest.raises(DatabaseRulesChanged, match="yz_history_kept"):
        open_database(url)
    migrate(url)
    open_database(url).close()
