"""Interim: every table of the metadata; replaced by the written-out revision before the first release."""

from collections.abc import Sequence

from alembic import op
from sqlmodel import SQLModel

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    SQLModel.metadata.create_all(op.get_bind())
