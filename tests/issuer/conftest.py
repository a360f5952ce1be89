"""Every test of issuing runs on SQLite and on PostgreSQL."""

import pytest


@pytest.fixture(autouse=True)
def _either(either_registry: str) -> None:
    """Build houses on both kinds of database."""
