"""Give each credential a slot of a status list: random, and never used twice.

A list keeps one bit a slot in the database (128 KiB) and slots are drawn by
trying random ones until one is free. So there is no secret that could leak,
and no number that tells in which order slots were given: not even who reads
the whole database learns where the next one goes. A list is closed when
fifteen of sixteen slots are taken, which keeps the draw at sixteen tries a slot
at the worst; the rest stay empty for good and blur how many there are (the
draft recommends such dead entries).

Two transactions that allocate at once wait for each other on the list's row.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlmodel import Session

from credential.errors import ConfigError
from registry.columns import table_of
from registry.status.tables import StatusListRow, StatusPublicationRow
from registry.status.token_list import SLOTS

CAPACITY = SLOTS // 16 * 15
"""Slots of a list that are given out."""

_INDEX_BYTES = 3
_LISTS = table_of(StatusListRow)
_PUBLICATIONS = table_of(StatusPublicationRow)


class SlotsDamaged(ConfigError):
    """The record of taken slots contradicts itself; slots could be given twice."""

    code = "status-slots-damaged"

    def __init__(self, number: int) -> None:
        super().__init__(
            f"the slots of status list {number} do not add up; restore the database, and do not issue before",
            f"状态列表 {number} 的占用记录不一致;请恢复数据库,此前不得发证",
        )
        self.number = number


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in one list.

    Attributes:
        list_number: from 1.
        index: from 0, below 2^20.
    """

    list_number: int
    index: int


def allocate_slots(session: Session, count: int, random_bytes: Callable[[int], bytes]) -> list[Slot]:
    """Take random free slots, for good if the caller's transaction commits.

    Opens the next list when one is full.

    Args:
        session: of :meth:`Database.transaction`.
        count: how many.
        random_bytes: gives so many; must be unpredictable.

    Raises:
        SlotsDamaged: the list's record contradicts itself.
    """
    slots: list[Slot] = []
    while len(slots) < count:
        number, allocated, taken = _open_list(session)
        if int.from_bytes(taken, "little").bit_count() != allocated:
            raise SlotsDamaged(number)
        indexes = _draw(taken, min(count - len(slots), CAPACITY - allocated), random_bytes)
        allocated += len(indexes)
        session.execute(
            _LISTS.update()
            .where(_LISTS.c.number == number)
            .values(allocated=allocated, taken=bytes(taken), is_open=allocated < CAPACITY)
        )
        slots += [Slot(number, index) for index in indexes]
    return slots


def close_lists(session: Session) -> None:
    """Take no more slots from the lists there are; after a restore, old slots might be given again."""
    session.execute(_LISTS.update().where(_LISTS.c.is_open).values(is_open=False))


def _open_list(session: Session) -> tuple[int, int, bytearray]:
    """Find the list to take from, or open the next; locked until the transaction ends."""
    columns = (_LISTS.c.number, _LISTS.c.allocated, _LISTS.c.taken)
    query = select(*columns).where(_LISTS.c.is_open).order_by(_LISTS.c.number).limit(1).with_for_update(key_share=True)
    row = session.execute(query).one_or_none()
    if row is None:
        if session.get_bind().dialect.name == "postgresql":
            # Another may be opening one at this moment; wait for it, and look again before opening a second.
            session.execute(text("LOCK TABLE status_list IN SHARE ROW EXCLUSIVE MODE"))
            row = session.execute(query).one_or_none()
        if row is None:
            _open_next(session)
            row = session.execute(query).one()
    return row.number, row.allocated, bytearray(row.taken)


def _open_next(session: Session) -> None:
    last = session.execute(select(func.max(_LISTS.c.number))).scalar_one()
    number = (last or 0) + 1
    session.execute(_LISTS.insert().values(number=number, is_open=True, allocated=0, taken=bytes(SLOTS // 8)))
    session.execute(_PUBLICATIONS.insert().values(list_number=number, change_number=0, published_change=-1))


def _draw(taken: bytearray, count: int, random_bytes: Callable[[int], bytes]) -> list[int]:
    """Draw free slots, and mark them as taken."""
    indexes: list[int] = []
    while len(indexes) < count:
        lots = random_bytes(_INDEX_BYTES * (count - len(indexes)))
        for at in range(0, len(lots), _INDEX_BYTES):
            index = int.from_bytes(lots[at : at + _INDEX_BYTES], "little") % SLOTS  # 2^24 is a multiple: no bias
            byte, bit = index >> 3, 1 << (index & 7)
            if not taken[byte] & bit:
                taken[byte] |= bit
                indexes.append(index)
    return indexes
