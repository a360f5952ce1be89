"""The tables of the log: leaves on their way in, and every head ever committed.

What the triggers hold (registry/triggers.py): a ``log_leaf`` is never deleted,
its ``id`` and ``leaf`` never change, and ``position`` changes once, from NULL.
A ``log_head`` never changes and is never deleted.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from registry.columns import Moment

_WAITING = text("position IS NULL")


class LogLeafRow(SQLModel, table=True):
    """One leaf, put here in the transaction of what it commits to: the outbox.

    Attributes:
        id: order of arrival; says nothing about the order in the log.
        leaf: the exact bytes (credential/leaves.py).
        position: index in the log, from 0; NULL while it waits. A position at or
            past the newest head's size is given, but not yet logged.
    """

    __tablename__ = "log_leaf"
    __table_args__ = (
        CheckConstraint("position >= 0", name="position_not_negative"),
        Index("ix_log_leaf_waiting", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )

    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    leaf: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    position: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True, unique=True))


class LogHeadRow(SQLModel, table=True):
    """One committed head of the tree; the newest has the highest number.

    Committing a head is an INSERT of the next number: of two sequencers that
    saw the same head exactly one succeeds.
    """

    __tablename__ = "log_head"
    __table_args__ = (CheckConstraint("number >= 1 AND size >= 1", name="grows"),)

    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    origin: str  # first line of the checkpoints
    size: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))  # leaves
    root: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # RFC 6962, SHA-256
    committed_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class CheckpointTimestampRow(SQLModel, table=True):
    """A time-stamping authority's word that a signed checkpoint existed; never changed.

    Attributes:
        key_id: four bytes that name the log key that signed the checkpoint (C2SP signed-note). One head may be
            signed, and stamped, again by the key that took the place of a stolen one.
        note: the signed checkpoint, verbatim; what the token's imprint is of.
        tsa: address of the authority.
        token: RFC 3161 TimeStampToken, DER.
        attested_at: the latest moment that the token can mean (its genTime and accuracy).
    """

    __tablename__ = "checkpoint_timestamp"
    __table_args__ = (UniqueConstraint("origin", "size", "key_id", "tsa"),)

    id: int | None = Field(default=None, primary_key=True)
    origin: str
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    key_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    tsa: str
    token: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    attested_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    received_at: datetime = Field(sa_column=Column(Moment, nullable=False))
