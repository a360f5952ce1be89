"""The tables of status lists: which slots are taken, which are not valid, what was published.

What the triggers hold (registry/triggers.py): nothing here is deleted;
``status_list.allocated`` only grows and a closed list stays closed; a
``status_entry`` of value 1 (invalid) is final.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Integer, LargeBinary
from sqlmodel import Field, SQLModel

from registry.columns import Moment


class StatusListRow(SQLModel, table=True):
    """One list of 2^20 slots and the slots of it that are taken.

    May change: ``allocated`` (grows), ``taken``, ``is_open`` (once, to false).
    """

    __tablename__ = "status_list"
    __table_args__ = (CheckConstraint("allocated >= 0", name="allocated_not_negative"),)

    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    is_open: bool = Field(sa_column=Column(Boolean, nullable=False))  # slots may still be taken from it
    allocated: int = Field(sa_column=Column(Integer, nullable=False))  # how many are taken
    taken: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # one bit a slot, least significant first


class StatusEntryRow(SQLModel, table=True):
    """The value of a slot that has ever been other than valid; every other slot is valid.

    May change: ``value``, unless it is 1 (invalid).
    """

    __tablename__ = "status_entry"
    __table_args__ = (CheckConstraint("value BETWEEN 0 AND 3", name="two_bits"),)

    list_number: int = Field(
        sa_column=Column(Integer, ForeignKey("status_list.number"), primary_key=True, autoincrement=False)
    )
    slot: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    value: int = Field(sa_column=Column(Integer, nullable=False))  # credential.model.StatusValue


class StatusPublicationRow(SQLModel, table=True):
    """How far the publishing of a list has come; every column but the key may change."""

    __tablename__ = "status_publication"

    list_number: int = Field(
        sa_column=Column(Integer, ForeignKey("status_list.number"), primary_key=True, autoincrement=False)
    )
    change_number: int = Field(sa_column=Column(BigInteger, nullable=False))  # + 1 with every change of an entry
    published_change: int = Field(sa_column=Column(BigInteger, nullable=False))  # - 1: nothing published yet
    published_at: datetime | None = Field(default=None, sa_column=Column(Moment, nullable=True))
