"""The tables of the service: who may call it, what holders were handed, what waits for a second person.

Secrets stand here as digests only. Like every table they are held by triggers
(registry/rules.py); docs/formats-registry.md says what may change in each.
"""

# SQLModel reads the annotations of a table while the class is made, so this
# file goes without postponed evaluation of annotations.

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from registry.columns import Moment


class SuccessionKind(StrEnum):
    """Why a row's credential takes the place of another."""

    CORRECTION = "correction"  # same serial, version + 1
    REPLACEMENT = "replacement"  # a new serial, as for a higher certificate


class ProposalOutcome(StrEnum):
    """What became of a proposed change."""

    APPROVED = "approved"
    REFUSED = "refused"  # by the second person
    WITHDRAWN = "withdrawn"  # by the first


class ApiTokenRow(SQLModel, table=True):
    """A token of one person of one issuer; the token itself is shown once and kept nowhere."""

    __tablename__ = "api_token"

    id: str = Field(primary_key=True)
    issuer_id: str = Field(foreign_key="issuer.id", index=True)
    person_id: str = Field(foreign_key="person.id")
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))  # SHA-256 of the secret
    scopes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    label: str = ""
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(Moment))


class IdempotentRequestRow(SQLModel, table=True):
    """A request with an Idempotency-Key and the answer it was given; kept for a day."""

    __tablename__ = "idempotent_request"

    token_id: str = Field(foreign_key="api_token.id", primary_key=True)
    key: str = Field(primary_key=True)
    request_digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # method, path, body
    started_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    status: int | None = None  # of HTTP; NULL while it runs
    content_type: str = ""
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary))  # nothing personal is answered


class ClaimCodeRow(SQLModel, table=True):
    """A one-time code that lets a holder fetch their file; hashed under a key of the vault."""

    __tablename__ = "claim_code"
    __table_args__ = (
        CheckConstraint("tries_left >= 0", name="tries_not_negative"),
        Index(
            "uq_claim_code_live",
            "credential_id",
            unique=True,
            sqlite_where=text("used_at IS NULL AND replaced_at IS NULL"),
            postgresql_where=text("used_at IS NULL AND replaced_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    credential_id: int = Field(foreign_key="credential.id", index=True)
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    maker: str = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    tries_left: int
    used_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    replaced_at: datetime | None = Field(default=None, sa_column=Column(Moment))


class DownloadGrantRow(SQLModel, table=True):
    """Leave to download one file for a while, given for a claim code."""

    __tablename__ = "download_grant"

    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))  # SHA-256 of the random grant
    credential_id: int = Field(foreign_key="credential.id", index=True)
    claim_code_id: int = Field(foreign_key="claim_code.id")
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class PhotoTryRow(SQLModel, table=True):
    """How often the last six of an ID number were tried on a credential in the present window."""

    __tablename__ = "photo_try"

    credential_id: int = Field(
        sa_column=Column(ForeignKey("credential.id"), primary_key=True, autoincrement=False),
    )
    window_started_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    tries: int


class ProposedChangeRow(SQLModel, table=True):
    """A change of state that one person proposed and another has to approve."""

    __tablename__ = "proposed_change"
    __table_args__ = (
        CheckConstraint("checker IS NULL OR checker <> maker", name="two_persons"),
        CheckConstraint("outcome <> 'approved' OR checker IS NOT NULL", name="approved_by"),
        CheckConstraint("(batch_id IS NULL) <> (credential_id IS NULL)", name="of_one_thing"),
    )

    id: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(foreign_key="issuer.id", index=True)
    batch_id: int | None = Field(default=None, foreign_key="batch.id")
    credential_id: int | None = Field(default=None, foreign_key="credential.id", index=True)
    state: str  # to be
    reason: str
    effective_on: date = Field(sa_column=Column(Date, nullable=False))
    # Decision, ban, note and what was seen of the credential; under the record's key, or row 0's for a batch.
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    maker: str = Field(foreign_key="person.id")
    proposed_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    checker: str | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    outcome: str = ""  # empty while it waits


class SuccessionRow(SQLModel, table=True):
    """Whose place a row's credential takes; the links are made when it is reserved, and when it is sealed."""

    __tablename__ = "succession"
    __table_args__ = (
        CheckConstraint("kind IN ('correction', 'replacement')", name="kind_known"),
        ForeignKeyConstraint(["batch_id", "row_number"], ["batch_row.batch_id", "batch_row.row_number"]),
    )

    batch_id: int = Field(primary_key=True)
    row_number: int = Field(primary_key=True)
    predecessor_id: int = Field(foreign_key="credential.id", index=True)
    kind: str
    reason: str
    seen_change: int  # history's sequence of the predecessor's last change at submission; 0 when there was none
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # decision; under the row's key


class TemplateVersionRow(SQLModel, table=True):
    """One version of a certificate template, kept whole for ever under its digest."""

    __tablename__ = "template_version"
    __table_args__ = (UniqueConstraint("name", "number"),)

    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))  # of the folder's files
    name: str
    number: int  # from 1
    kind: str  # of credential
    blob: str  # name of the archive of its folder
    rules: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # archive of the files that verifiers need
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class TemplatePrefixRow(SQLModel, table=True):
    """Which version of a template a PDF prefix was compiled from; claims name the prefix."""

    __tablename__ = "template_prefix"

    prefix_digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    template_digest: bytes = Field(sa_column=Column(LargeBinary, ForeignKey("template_version.digest"), nullable=False))


class BatchPauseRow(SQLModel, table=True):
    """Why the work on a batch rests; gone as soon as it goes on."""

    __tablename__ = "batch_pause"

    batch_id: int = Field(foreign_key="batch.id", primary_key=True)
    since: datetime = Field(sa_column=Column(Moment, nullable=False))
    code: str  # of the error, with its two sentences; they name no person
    en: str
    zh: str


class ErasureRow(SQLModel, table=True):
    """An erasure that one person proposed and another has to approve; nothing personal stands in it."""

    __tablename__ = "erasure"
    __table_args__ = (
        CheckConstraint("checker IS NULL OR checker <> maker", name="two_persons"),
        CheckConstraint("outcome <> 'approved' OR checker IS NOT NULL", name="approved_by"),
    )

    id: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(foreign_key="issuer.id", index=True)
    credential_id: int = Field(foreign_key="credential.id", index=True)  # the newest version under its serial
    reason: str  # stable code
    decision: str  # number of the document; in clear, since the record's key will be gone
    maker: str = Field(foreign_key="person.id")
    proposed_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    checker: str | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    outcome: str = ""  # empty while it waits


class ErasedRow(SQLModel, table=True):
    """A credential whose key was destroyed, to be told from one that never was."""

    __tablename__ = "erased"

    credential_id: int = Field(
        sa_column=Column(ForeignKey("credential.id"), primary_key=True, autoincrement=False),
    )
    claims_digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False, index=True))  # salted; in the QR code
    erased_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class RetentionRow(SQLModel, table=True):
    """How long an issuer keeps what has ended; the newest row counts."""

    __tablename__ = "retention"
    __table_args__ = (CheckConstraint("years >= 0", name="years_not_negative"),)

    id: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(foreign_key="issuer.id", index=True)
    years: int  # after the day it ended; 0: for ever
    basis: str  # document that says so
    maker: str = Field(foreign_key="person.id")
    set_at: datetime = Field(sa_column=Column(Moment, nullable=False))
