"""The registry's first shape: issuers, batches, credentials, history, log and status lists."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "issuer",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("uscc", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("division", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuer")),
        sa.UniqueConstraint("uscc", name=op.f("uq_issuer_uscc")),
    )
    op.create_table(
        "log_head",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number >= 1 AND size >= 1", name=op.f("ck_log_head_grows")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_log_head")),
        sa.UniqueConstraint("size", name=op.f("uq_log_head_size")),
    )
    op.create_table(
        "log_leaf",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("position >= 0", name=op.f("ck_log_leaf_position_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_leaf")),
        sa.UniqueConstraint("position", name=op.f("uq_log_leaf_position")),
    )
    op.create_index(
        "ix_log_leaf_waiting",
        "log_leaf",
        ["id"],
        unique=False,
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_table(
        "pack",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('photo', 'tail')", name=op.f("ck_pack_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pack")),
        sa.UniqueConstraint("name", name=op.f("uq_pack_name")),
    )
    op.create_table(
        "status_list",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("allocated", sa.Integer(), nullable=False),
        sa.Column("taken", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("allocated >= 0", name=op.f("ck_status_list_allocated_not_negative")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_status_list")),
    )
    op.create_table(
        "counter",
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("next_sequence", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_counter_issuer_id")),
        sa.PrimaryKeyConstraint("issuer_id", "year", name=op.f("pk_counter")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_person_issuer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    op.create_index(op.f("ix_person_issuer_id"), "person", ["issuer_id"], unique=False)
    op.create_table(
        "status_entry",
        sa.Column("list_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.CheckConstraint("value BETWEEN 0 AND 3", name=op.f("ck_status_entry_two_bits")),
        sa.ForeignKeyConstraint(["list_number"], ["status_list.number"], name=op.f("fk_status_entry_list_number")),
        sa.PrimaryKeyConstraint("list_number", "slot", name=op.f("pk_status_entry")),
    )
    op.create_table(
        "status_publication",
        sa.Column("list_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("change_number", sa.BigInteger(), nullable=False),
        sa.Column("published_change", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["list_number"], ["status_list.number"], name=op.f("fk_status_publication_list_number")
        ),
        sa.PrimaryKeyConstraint("list_number", name=op.f("pk_status_publication")),
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("checker", sa.String(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_reason", sa.String(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("binding", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "state <> 'approved' OR (checker IS NOT NULL AND approved_at IS NOT NULL)",
            name=op.f("ck_batch_approved_by"),
        ),
        sa.CheckConstraint("state IN ('submitted', 'approved', 'cancelled')", name=op.f("ck_batch_state_known")),
        sa.CheckConstraint("checker IS NULL OR checker <> maker", name=op.f("ck_batch_two_persons")),
        sa.ForeignKeyConstraint(["checker"], ["person.id"], name=op.f("fk_batch_checker")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_batch_issuer_id")),
        sa.ForeignKeyConstraint(["maker"], ["person.id"], name=op.f("fk_batch_maker")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    op.create_index(
        "uq_batch_identity",
        "batch",
        ["issuer_id", "digest"],
        unique=True,
        sqlite_where=sa.text("state <> 'cancelled'"),
        postgresql_where=sa.text("state <> 'cancelled'"),
    )
    op.create_table(
        "chunk",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("pack_name", sa.String(), nullable=True),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('ready', 'reserved', 'issued', 'cancelled')", name=op.f("ck_chunk_state_known")),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_chunk_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "number", name=op.f("pk_chunk")),
    )
    op.create_table(
        "number_range",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_number_range_batch_id")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_number_range_issuer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_range")),
    )
    op.create_index(op.f("ix_number_range_batch_id"), "number_range", ["batch_id"], unique=False)
    op.create_index(op.f("ix_number_range_issuer_id"), "number_range", ["issuer_id"], unique=False)
    op.create_table(
        "record_key",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_record_key_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "row_number", name=op.f("pk_record_key")),
    )
    op.create_table(
        "batch_row",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("live_key", sa.LargeBinary(), nullable=True),
        sa.Column("photo_pack_id", sa.Integer(), nullable=True),
        sa.Column("photo_offset", sa.Integer(), nullable=True),
        sa.Column("photo_length", sa.Integer(), nullable=True),
        sa.Column("chunk_number", sa.Integer(), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("serial", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("reason_serial", sa.String(), nullable=True),
        sa.Column("void_leaf", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state <> 'numbered' OR (serial IS NOT NULL AND sequence IS NOT NULL)", name=op.f("ck_batch_row_numbered")
        ),
        sa.CheckConstraint("state <> 'void' OR reason <> ''", name=op.f("ck_batch_row_void_has_reason")),
        sa.CheckConstraint(
            "state IN ('submitted', 'refused', 'numbered', 'void')", name=op.f("ck_batch_row_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id", "chunk_number"],
            ["chunk.batch_id", "chunk.number"],
            name=op.f("fk_batch_row_batch_id_chunk_number"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id", "row_number"],
            ["record_key.batch_id", "record_key.row_number"],
            name=op.f("fk_batch_row_batch_id_row_number"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_batch_row_batch_id")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_batch_row_issuer_id")),
        sa.ForeignKeyConstraint(["photo_pack_id"], ["pack.id"], name=op.f("fk_batch_row_photo_pack_id")),
        sa.PrimaryKeyConstraint("batch_id", "row_number", name=op.f("pk_batch_row")),
        sa.UniqueConstraint("issuer_id", "serial", "version", name=op.f("uq_batch_row_issuer_id_serial_version")),
        sa.UniqueConstraint(
            "issuer_id", "year", "sequence", "version", name=op.f("uq_batch_row_issuer_id_year_sequence_version")
        ),
    )
    op.create_index("ix_batch_row_chunk", "batch_row", ["batch_id", "chunk_number"], unique=False)
    op.create_index(
        "uq_batch_row_live_key",
        "batch_row",
        ["live_key"],
        unique=True,
        sqlite_where=sa.text("state = 'numbered'"),
        postgresql_where=sa.text("state = 'numbered'"),
    )
    op.create_table(
        "credential",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("chunk_number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("status_list", sa.Integer(), nullable=False),
        sa.Column("status_index", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_on", sa.String(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("claims_digest", sa.LargeBinary(), nullable=False),
        sa.Column("prefix_digest", sa.LargeBinary(), nullable=False),
        sa.Column("issue_leaf", sa.BigInteger(), nullable=False),
        sa.Column("code_index", sa.LargeBinary(), nullable=True),
        sa.Column("person_index", sa.LargeBinary(), nullable=True),
        sa.Column("name_index", sa.LargeBinary(), nullable=True),
        sa.Column("live_key", sa.LargeBinary(), nullable=True),
        sa.Column("supersedes_id", sa.Integer(), nullable=True),
        sa.Column("superseded_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('01', '02', '03', '04', '05', '06', '07', '99')", name=op.f("ck_credential_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id", "row_number"],
            ["batch_row.batch_id", "batch_row.row_number"],
            name=op.f("fk_credential_batch_id_row_number"),
        ),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_credential_issuer_id")),
        sa.ForeignKeyConstraint(["superseded_by_id"], ["credential.id"], name=op.f("fk_credential_superseded_by_id")),
        sa.ForeignKeyConstraint(["supersedes_id"], ["credential.id"], name=op.f("fk_credential_supersedes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
        sa.UniqueConstraint("batch_id", "row_number", name=op.f("uq_credential_batch_id_row_number")),
        sa.UniqueConstraint("code_index", name=op.f("uq_credential_code_index")),
        sa.UniqueConstraint("issuer_id", "serial", "version", name=op.f("uq_credential_issuer_id_serial_version")),
        sa.UniqueConstraint("status_list", "status_index", name=op.f("uq_credential_status_list_status_index")),
        sa.UniqueConstraint("superseded_by_id", name=op.f("uq_credential_superseded_by_id")),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_credential_supersedes_id")),
    )
    op.create_index("ix_credential_chunk", "credential", ["batch_id", "chunk_number"], unique=False)
    op.create_index(op.f("ix_credential_name_index"), "credential", ["name_index"], unique=False)
    op.create_index(op.f("ix_credential_person_index"), "credential", ["person_index"], unique=False)
    op.create_index("ix_credential_serial", "credential", ["serial"], unique=False)
    op.create_index(
        "uq_credential_live_key",
        "credential",
        ["live_key"],
        unique=True,
        sqlite_where=sa.text("live_key IS NOT NULL"),
        postgresql_where=sa.text("live_key IS NOT NULL"),
    )
    op.create_table(
        "credential_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("credential_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("prefix_digest", sa.LargeBinary(), nullable=False),
        sa.Column("pack_id", sa.Integer(), nullable=False),
        sa.Column("pack_offset", sa.Integer(), nullable=False),
        sa.Column("pack_length", sa.Integer(), nullable=False),
        sa.Column("seal_leaf", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_credential_file_credential_id")),
        sa.ForeignKeyConstraint(["pack_id"], ["pack.id"], name=op.f("fk_credential_file_pack_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential_file")),
        sa.UniqueConstraint("credential_id", "revision", name=op.f("uq_credential_file_credential_id_revision")),
        sa.UniqueConstraint("digest", name=op.f("uq_credential_file_digest")),
    )
    op.create_table(
        "history",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("credential_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("checker", sa.String(), nullable=True),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "kind <> 'state-changed' OR (credential_id IS NOT NULL AND state IS NOT NULL AND effective_on IS NOT NULL)",
            name=op.f("ck_history_change_complete"),
        ),
        sa.CheckConstraint("kind <> 'state-changed' OR checker IS NOT NULL", name=op.f("ck_history_change_checked")),
        sa.CheckConstraint("checker IS NULL OR checker <> maker", name=op.f("ck_history_two_persons")),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_history_batch_id")),
        sa.ForeignKeyConstraint(["checker"], ["person.id"], name=op.f("fk_history_checker")),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_history_credential_id")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_history_issuer_id")),
        sa.ForeignKeyConstraint(["maker"], ["person.id"], name=op.f("fk_history_maker")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_history")),
        sa.UniqueConstraint("digest", name=op.f("uq_history_digest")),
        sa.UniqueConstraint("previous", name=op.f("uq_history_previous")),
    )
    op.create_index(op.f("ix_history_batch_id"), "history", ["batch_id"], unique=False)
    op.create_index(op.f("ix_history_credential_id"), "history", ["credential_id"], unique=False)
