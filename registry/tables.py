"""The tables of issuers, batches, credentials and their history.

Where a thing is written once it is frozen by a trigger (registry/triggers.py);
docs/formats-registry.md says for each table what may change. Personal data
stands only in ``sealed`` columns, under a key of ``record_key``; what must be
found again stands beside it as a blind index (registry/vault.py).
"""

# SQLModel reads the annotations of a table while the class is made, so this
# file goes without postponed evaluation of annotations.

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from credential.model import State
from registry.columns import Moment


class BatchState(StrEnum):
    """Where a batch stands; whether it is finished is asked of its chunks."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    CANCELLED = "cancelled"


class RowState(StrEnum):
    """Where a row stands; an approved row is numbered or refused, a number ends issued or void."""

    SUBMITTED = "submitted"
    REFUSED = "refused"
    NUMBERED = "numbered"
    VOID = "void"


class ChunkState(StrEnum):
    """How far a chunk has come; there is no way back."""

    READY = "ready"
    RESERVED = "reserved"
    ISSUED = "issued"
    CANCELLED = "cancelled"


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class IssuerRow(SQLModel, table=True):
    """One issuing body; ``settings`` are data (serial pattern, addresses, sentences), read by name."""

    __tablename__ = "issuer"

    id: str = Field(primary_key=True)  # short slug, never printed
    uscc: str = Field(unique=True)  # 统一社会信用代码, in every claim
    name: str  # as printed
    division: str  # GB/T 2260, six digits
    settings: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class PersonRow(SQLModel, table=True):
    """One person who acts for an issuer, as maker or as checker."""

    __tablename__ = "person"

    id: str = Field(primary_key=True)
    issuer_id: str = Field(foreign_key="issuer.id", index=True)
    name: str
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class CounterRow(SQLModel, table=True):
    """The next sequence number of an issuer in a year of Beijing time; only ever grows."""

    __tablename__ = "counter"

    issuer_id: str = Field(foreign_key="issuer.id", primary_key=True)
    year: int = Field(primary_key=True)
    next_sequence: int


class BatchRow(SQLModel, table=True):
    """Rows submitted together by one person and approved as a whole by another."""

    __tablename__ = "batch"
    __table_args__ = (
        _one_of("state", BatchState),
        CheckConstraint("checker IS NULL OR checker <> maker", name="two_persons"),
        CheckConstraint("state <> 'approved' OR (checker IS NOT NULL AND approved_at IS NOT NULL)", name="approved_by"),
        Index(
            "uq_batch_identity",
            "issuer_id",
            "digest",
            unique=True,
            sqlite_where=text("state <> 'cancelled'"),
            postgresql_where=text("state <> 'cancelled'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(foreign_key="issuer.id")
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # keyed: what approval binds
    kind: str  # of credential
    state: str
    maker: str = Field(foreign_key="person.id")
    checker: str | None = Field(default=None, foreign_key="person.id")
    submitted_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    approved_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    cancelled_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    cancel_reason: str = ""
    row_count: int
    binding: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # digests, hex, by name
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # the problems intake found


class NumberRangeRow(SQLModel, table=True):
    """Sequence numbers taken from a counter in one stroke; each ends issued or void, in its row."""

    __tablename__ = "number_range"

    id: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(foreign_key="issuer.id", index=True)
    year: int
    first: int
    last: int
    batch_id: int | None = Field(default=None, foreign_key="batch.id", index=True)
    reason: str = ""  # why the whole range is void, when it belongs to no batch
    taken_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class RecordKeyRow(SQLModel, table=True):
    """The random key of one row and of all that comes of it; row 0 is the batch's own.

    Destroying it (``wrapped`` set to NULL) erases the person from row, photo,
    credential, files and history at once.
    """

    __tablename__ = "record_key"

    batch_id: int = Field(sa_column=Column(ForeignKey("batch.id"), primary_key=True, autoincrement=False))
    row_number: int = Field(primary_key=True)
    wrapped: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    destroyed_at: datetime | None = Field(default=None, sa_column=Column(Moment))


class PackRow(SQLModel, table=True):
    """One stored object that holds many items, each under its own key."""

    __tablename__ = "pack"
    __table_args__ = (CheckConstraint("kind IN ('photo', 'tail', 'revision')", name="kind_known"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    name: str = Field(unique=True)
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # SHA-256 of the object
    length: int  # bytes
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class ChunkRow(SQLModel, table=True):
    """Rows that are reserved, logged, printed and sealed together; the only truth about progress."""

    __tablename__ = "chunk"
    __table_args__ = (_one_of("state", ChunkState),)

    batch_id: int = Field(foreign_key="batch.id", primary_key=True)
    number: int = Field(primary_key=True)
    state: str
    row_count: int
    pack_name: str | None = None  # fixed at reserve, so that a rerun finds the pack of the first run
    reserved_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    issued_at: datetime | None = Field(default=None, sa_column=Column(Moment))


class BatchRowRow(SQLModel, table=True):
    """One checked row of a batch; its personal data is in ``sealed``."""

    __tablename__ = "batch_row"
    __table_args__ = (
        _one_of("state", RowState),
        ForeignKeyConstraint(["batch_id", "chunk_number"], ["chunk.batch_id", "chunk.number"]),
        ForeignKeyConstraint(["batch_id", "row_number"], ["record_key.batch_id", "record_key.row_number"]),
        CheckConstraint("state <> 'numbered' OR (serial IS NOT NULL AND sequence IS NOT NULL)", name="numbered"),
        CheckConstraint("state <> 'void' OR reason <> ''", name="void_has_reason"),
        UniqueConstraint("issuer_id", "serial", "version"),
        UniqueConstraint("issuer_id", "year", "sequence", "version"),
        Index(
            "uq_batch_row_live_key",
            "live_key",
            unique=True,
            sqlite_where=text("state = 'numbered'"),
            postgresql_where=text("state = 'numbered'"),
        ),
        Index("ix_batch_row_chunk", "batch_id", "chunk_number"),
    )

    batch_id: int = Field(foreign_key="batch.id", primary_key=True)
    row_number: int = Field(primary_key=True)  # as in the sheet, from 1
    issuer_id: str = Field(foreign_key="issuer.id")
    state: str
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    live_key: bytes | None = Field(default=None, sa_column=Column(LargeBinary))  # NULL once reserved
    photo_pack_id: int | None = Field(default=None, foreign_key="pack.id")
    photo_offset: int | None = None
    photo_length: int | None = None  # bytes in the pack, encrypted
    chunk_number: int | None = None
    year: int | None = None
    sequence: int | None = None
    serial: str | None = None
    version: int = 1
    reason: str = ""  # stable code, why refused or void
    reason_serial: str | None = None  # of the credential that stands in the way
    void_leaf: int | None = Field(default=None, sa_column=Column(BigInteger))  # row of the log's outbox


class CredentialRow(SQLModel, table=True):
    """What was issued; only state, links and blind indexes may change."""

    __tablename__ = "credential"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in State)})", name="state_known"),
        UniqueConstraint("issuer_id", "serial", "version"),
        UniqueConstraint("batch_id", "row_number"),
        UniqueConstraint("status_list", "status_index"),
        ForeignKeyConstraint(["batch_id", "row_number"], ["batch_row.batch_id", "batch_row.row_number"]),
        Index("ix_credential_serial", "serial"),
        Index(
            "uq_credential_live_key",
            "live_key",
            unique=True,
            sqlite_where=text("live_key IS NOT NULL"),
            postgresql_where=text("live_key IS NOT NULL"),
        ),
        Index("ix_credential_chunk", "batch_id", "chunk_number"),
    )

    id: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(foreign_key="issuer.id")
    batch_id: int
    row_number: int
    chunk_number: int
    kind: str
    serial: str
    version: int = 1
    state: str
    status_list: int
    status_index: int
    issued_at: datetime = Field(sa_column=Column(Moment, nullable=False))  # in the claims and as the PDF's /M
    issued_on: str  # PartialDate text, Beijing time, as printed
    expires_on: date | None = Field(default=None, sa_column=Column(Date))
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # claims, QR text, what the press needs
    claims_digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # salted inside the claims
    prefix_digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    issue_leaf: int = Field(sa_column=Column(BigInteger, nullable=False))  # row of the log's outbox
    code_index: bytes | None = Field(default=None, sa_column=Column(LargeBinary, unique=True))
    person_index: bytes | None = Field(default=None, sa_column=Column(LargeBinary, index=True))
    name_index: bytes | None = Field(default=None, sa_column=Column(LargeBinary, index=True))
    live_key: bytes | None = Field(default=None, sa_column=Column(LargeBinary))  # NULL once not live
    supersedes_id: int | None = Field(default=None, foreign_key="credential.id", unique=True)
    superseded_by_id: int | None = Field(default=None, foreign_key="credential.id", unique=True)


class CredentialFileRow(SQLModel, table=True):
    """One exact PDF of a credential: revision 0 is the original, later ones add long-term evidence."""

    __tablename__ = "credential_file"
    __table_args__ = (
        UniqueConstraint("credential_id", "revision"),
        CheckConstraint("revision >= 0", name="revision_counts_up"),
    )

    id: int | None = Field(default=None, primary_key=True)
    credential_id: int = Field(foreign_key="credential.id")
    revision: int = 0
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))  # SHA-256 of the whole PDF
    length: int  # bytes of the whole PDF
    prefix_digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    pack_id: int = Field(foreign_key="pack.id")
    pack_offset: int
    pack_length: int  # bytes in the pack, encrypted
    seal_leaf: int = Field(sa_column=Column(BigInteger, nullable=False))  # row of the log's outbox; renewal from 1 on
    profile: str = Field(default="B-B", sa_column=Column(String, nullable=False, server_default="B-B"))  # PAdES level
    good_until: datetime | None = Field(default=None, sa_column=Column(Moment))  # its evidence must be renewed before
    stored_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class HistoryRow(SQLModel, table=True):
    """One thing that happened, chained to the one before it by digest; never changed."""

    __tablename__ = "history"
    __table_args__ = (
        CheckConstraint("checker IS NULL OR checker <> maker", name="two_persons"),
        CheckConstraint("kind <> 'state-changed' OR checker IS NOT NULL", name="change_checked"),
        CheckConstraint(
            "kind <> 'state-changed' OR (credential_id IS NOT NULL AND state IS NOT NULL AND effective_on IS NOT NULL)",
            name="change_complete",
        ),
        CheckConstraint(
            "kind LIKE 'key-%' OR kind LIKE 'trust-%' OR kind LIKE 'system-%' "
            "OR (issuer_id IS NOT NULL AND maker IS NOT NULL)",
            name="somebody_did_it",
        ),
    )

    sequence: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    previous: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    kind: str
    issuer_id: str | None = Field(default=None, foreign_key="issuer.id")  # NULL: what concerns the whole service
    subject: str  # in words that outlive this database's ids
    batch_id: int | None = Field(default=None, foreign_key="batch.id", index=True)
    credential_id: int | None = Field(default=None, foreign_key="credential.id", index=True)
    state: str | None = None
    reason: str = ""
    effective_on: date | None = Field(default=None, sa_column=Column(Date))
    recorded_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    maker: str | None = Field(default=None, foreign_key="person.id")  # NULL: the service itself, or its operator
    checker: str | None = Field(default=None, foreign_key="person.id")
    details: bytes | None = Field(default=None, sa_column=Column(LargeBinary))  # encrypted under the record's key
