"""The service: API tokens, claim codes, proposed changes, successions, template versions."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "template_version",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("rules", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_template_version")),
        sa.UniqueConstraint("name", "number", name=op.f("uq_template_version_name_number")),
    )
    op.create_table(
        "template_prefix",
        sa.Column("prefix_digest", sa.LargeBinary(), nullable=False),
        sa.Column("template_digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["template_digest"], ["template_version.digest"], name=op.f("fk_template_prefix_template_digest")
        ),
        sa.PrimaryKeyConstraint("prefix_digest", name=op.f("pk_template_prefix")),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_api_token_issuer_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_api_token_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_token_digest")),
    )
    op.create_index(op.f("ix_api_token_issuer_id"), "api_token", ["issuer_id"], unique=False)
    op.create_table(
        "idempotent_request",
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["token_id"], ["api_token.id"], name=op.f("fk_idempotent_request_token_id")),
        sa.PrimaryKeyConstraint("token_id", "key", name=op.f("pk_idempotent_request")),
    )
    op.create_table(
        "claim_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("credential_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("tries_left >= 0", name=op.f("ck_claim_code_tries_not_negative")),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_claim_code_credential_id")),
        sa.ForeignKeyConstraint(["maker"], ["person.id"], name=op.f("fk_claim_code_maker")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_code")),
    )
    op.create_index(op.f("ix_claim_code_credential_id"), "claim_code", ["credential_id"], unique=False)
    op.create_index(
        "uq_claim_code_live",
        "claim_code",
        ["credential_id"],
        unique=True,
        sqlite_where=sa.text("used_at IS NULL AND replaced_at IS NULL"),
        postgresql_where=sa.text("used_at IS NULL AND replaced_at IS NULL"),
    )
    op.create_table(
        "photo_try",
        sa.Column("credential_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("window_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_photo_try_credential_id")),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_photo_try")),
    )
    op.create_table(
        "proposed_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("credential_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checker", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.CheckConstraint("outcome <> 'approved' OR checker IS NOT NULL", name=op.f("ck_proposed_change_approved_by")),
        sa.CheckConstraint(
            "(batch_id IS NULL) <> (credential_id IS NULL)", name=op.f("ck_proposed_change_of_one_thing")
        ),
        sa.CheckConstraint("checker IS NULL OR checker <> maker", name=op.f("ck_proposed_change_two_persons")),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_proposed_change_batch_id")),
        sa.ForeignKeyConstraint(["checker"], ["person.id"], name=op.f("fk_proposed_change_checker")),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_proposed_change_credential_id")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_proposed_change_issuer_id")),
        sa.ForeignKeyConstraint(["maker"], ["person.id"], name=op.f("fk_proposed_change_maker")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposed_change")),
    )
    op.create_index(op.f("ix_proposed_change_credential_id"), "proposed_change", ["credential_id"], unique=False)
    op.create_index(op.f("ix_proposed_change_issuer_id"), "proposed_change", ["issuer_id"], unique=False)
    op.create_table(
        "succession",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("predecessor_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("seen_change", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("kind IN ('correction', 'replacement')", name=op.f("ck_succession_kind_known")),
        sa.ForeignKeyConstraint(
            ["batch_id", "row_number"],
            ["batch_row.batch_id", "batch_row.row_number"],
            name=op.f("fk_succession_batch_id_row_number"),
        ),
        sa.ForeignKeyConstraint(["predecessor_id"], ["credential.id"], name=op.f("fk_succession_predecessor_id")),
        sa.PrimaryKeyConstraint("batch_id", "row_number", name=op.f("pk_succession")),
    )
    op.create_index(op.f("ix_succession_predecessor_id"), "succession", ["predecessor_id"], unique=False)
    op.create_table(
        "download_grant",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("credential_id", sa.Integer(), nullable=False),
        sa.Column("claim_code_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["claim_code_id"], ["claim_code.id"], name=op.f("fk_download_grant_claim_code_id")),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_download_grant_credential_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_download_grant")),
    )
    op.create_index(op.f("ix_download_grant_credential_id"), "download_grant", ["credential_id"], unique=False)
