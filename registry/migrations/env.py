"""Alembic's door to the registry: no ini file, the connection comes from `registry.database.migrate`."""

from alembic import context
from sqlmodel import SQLModel

from registry.rules import ALL_RULES
from registry.triggers import create_triggers, drop_triggers


def run() -> None:
    """Run the migrations asked for with the triggers off, then put all of them back."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        drop_triggers(connection)
        context.run_migrations()
        create_triggers(connection, ALL_RULES)


run()
