"""Trust that outlives keys: evidence revisions of files, timestamps of checkpoints, entries of no issuer."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("pack") as table:
        table.drop_constraint(op.f("ck_pack_kind_known"), type_="check")
        table.create_check_constraint(op.f("ck_pack_kind_known"), "kind IN ('photo', 'tail', 'revision')")
    with op.batch_alter_table("credential_file") as table:
        table.add_column(sa.Column("profile", sa.String(), nullable=False, server_default="B-B"))
        table.add_column(sa.Column("good_until", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("history") as table:
        table.alter_column("issuer_id", existing_type=sa.String(), nullable=True)
        table.alter_column("maker", existing_type=sa.String(), nullable=True)
        table.create_check_constraint(
            op.f("ck_history_somebody_did_it"),
            "kind LIKE 'key-%' OR kind LIKE 'trust-%' OR kind LIKE 'system-%' "
            "OR (issuer_id IS NOT NULL AND maker IS NOT NULL)",
        )
    op.create_table(
        "checkpoint_timestamp",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("tsa", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("attested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoint_timestamp")),
        sa.UniqueConstraint(
            "origin", "size", "key_id", "tsa", name=op.f("uq_checkpoint_timestamp_origin_size_key_id_tsa")
        ),
    )
    op.create_table(
        "batch_pause",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("en", sa.String(), nullable=False),
        sa.Column("zh", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_batch_pause_batch_id_batch")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_batch_pause")),
    )
