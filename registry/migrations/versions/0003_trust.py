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
        table.create_check_constraint(op.f("ck_credential_file_revision_counts_up"), "revision >= 0")
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
    op.create_table(
        "erasure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("credential_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checker", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.CheckConstraint("checker IS NULL OR checker <> maker", name=op.f("ck_erasure_two_persons")),
        sa.CheckConstraint("outcome <> 'approved' OR checker IS NOT NULL", name=op.f("ck_erasure_approved_by")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_erasure_issuer_id_issuer")),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_erasure_credential_id_credential")),
        sa.ForeignKeyConstraint(["maker"], ["person.id"], name=op.f("fk_erasure_maker_person")),
        sa.ForeignKeyConstraint(["checker"], ["person.id"], name=op.f("fk_erasure_checker_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    op.create_index(op.f("ix_erasure_issuer_id"), "erasure", ["issuer_id"])
    op.create_index(op.f("ix_erasure_credential_id"), "erasure", ["credential_id"])
    op.create_table(
        "erased",
        sa.Column("credential_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("claims_digest", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_erased_credential_id_credential")),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_erased")),
    )
    op.create_index(op.f("ix_erased_claims_digest"), "erased", ["claims_digest"])
    op.create_table(
        "retention",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("years", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("years >= 0", name=op.f("ck_retention_years_not_negative")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_retention_issuer_id_issuer")),
        sa.ForeignKeyConstraint(["maker"], ["person.id"], name=op.f("fk_retention_maker_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention")),
    )
    op.create_index(op.f("ix_retention_issuer_id"), "retention", ["issuer_id"])
