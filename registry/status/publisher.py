"""Change statuses, and publish the lists as signed files that any web server can hand out.

Every token that is published has its leaf in the log's outbox first, so a
token that is in no log was not published by us. Killed at any instruction, the
next :meth:`StatusLists.publish` writes what is missing.

The rows are not believed blindly, since triggers hold only whoever leaves them
in place: a list is signed only if it agrees with credentials and history, and
if every slot that the last token calls invalid still is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select
from sqlmodel import Session

from credential.errors import RefusedError, UnavailableError
from credential.leaves import status_list_leaf
from credential.model import StatusValue
from credential.ports import Signer
from registry.agreement import StatusTampered, check_list, name_slots
from registry.columns import table_of
from registry.database import Database
from registry.file_lock import locked
from registry.history import check_length
from registry.log.files import replace_durably
from registry.log.outbox import put_leaves
from registry.status.slots import Slot
from registry.status.tables import StatusEntryRow, StatusPublicationRow
from registry.status.token_list import (
    BITS,
    LIFETIME,
    SLOTS,
    TTL,
    BadStatusToken,
    StatusList,
    open_past_token,
    pack_statuses,
    sign_cwt,
    sign_jwt,
)

_FORMS = ("cwt", "jwt")
_ENTRIES = table_of(StatusEntryRow)
_PUBLICATIONS = table_of(StatusPublicationRow)


class StatusIsFinal(RefusedError):
    """A slot that says invalid cannot say anything else again."""

    code = "status-is-final"

    def __init__(self, slot: Slot) -> None:
        super().__init__(
            f"slot {slot.index} of status list {slot.list_number} is invalid for good; issue a new credential instead",
            f"状态列表 {slot.list_number} 第 {slot.index} 位已终止,不可更改;如需恢复请重新发证",
        )
        self.slot = slot


class UnknownStatusList(UnavailableError):
    """There is no status list of this number, or it was never published."""

    code = "unknown-status-list"

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no published status list {number}", f"没有已发布的状态列表 {number}")
        self.number = number


class StatusListDamaged(UnavailableError):
    """The file of a published status list cannot be read, or holds none."""

    code = "status-list-damaged"

    def __init__(self, number: int, why: str) -> None:
        super().__init__(
            f"the file of status list {number} is damaged ({why}); restore it from a copy, or publish the list again",
            f"状态列表 {number} 的文件已损坏({why});请从副本恢复或重新发布",
        )
        self.number = number


@dataclass(frozen=True, slots=True)
class _Snapshot:
    status_list: StatusList
    change_number: int


def set_status(session: Session, slot: Slot, value: StatusValue) -> None:
    """Change what a slot says, in the caller's transaction; publish after it has committed.

    Raises:
        StatusIsFinal: it says invalid, and should say something else.
    """
    where = (_ENTRIES.c.list_number == slot.list_number) & (_ENTRIES.c.slot == slot.index)
    # The publication's row is taken first, always: two changes of one list wait for each other here.
    publication = _PUBLICATIONS.c.list_number == slot.list_number
    changed = session.execute(
        _PUBLICATIONS.update()
        .where(publication)
        .values(change_number=_PUBLICATIONS.c.change_number + 1)
        .returning(_PUBLICATIONS.c.list_number)
    ).all()
    if not changed or not 0 <= slot.index < SLOTS:
        raise UnknownStatusList(slot.list_number)
    before = session.execute(select(_ENTRIES.c.value).where(where)).scalar_one_or_none()
    if before == StatusValue.INVALID and value is not StatusValue.INVALID:
        raise StatusIsFinal(slot)
    if before is None:
        session.execute(_ENTRIES.insert().values(list_number=slot.list_number, slot=slot.index, value=int(value)))
    else:
        session.execute(_ENTRIES.update().where(where).values(value=int(value)))


class StatusLists:
    """The published status lists: ``<folder>/<n>.cwt`` and ``<n>.jwt``.

    Args:
        database: of the registry.
        folder: public; any web server may serve it.
        signer: the key of the role that signs status lists, P-256.
        base_uri: address of the folder, without a slash at the end.
        former_keys: that signed lists before, SPKI DER: what they called invalid stays so.
    """

    def __init__(
        self, database: Database, folder: Path, signer: Signer, base_uri: str, *, former_keys: Sequence[bytes] = ()
    ) -> None:
        self._database = database
        self._folder = folder
        self._signer = signer
        self._base_uri = base_uri.rstrip("/")
        self._keys = (signer.public_key, *former_keys)

    def uri(self, list_number: int) -> str:
        """The address of a list, which claims and tokens name (``status_uri``, ``sub``)."""
        return f"{self._base_uri}/{list_number}"

    def set_status(self, session: Session, slot: Slot, value: StatusValue) -> None:
        """Change what a slot says; see :func:`set_status`."""
        set_status(session, slot, value)

    def publish(self, now: datetime) -> list[int]:
        """Publish every list that was changed since it was last published, or never was.

        Returns:
            The numbers of the lists that were written.

        Raises:
            StatusTampered: a list contradicts history or its last token; the others were published.
            HistoryTampered: its last token is gone, and so is an end of the history.
            UnavailableError: the database or the key store does not answer.
        """
        return self._publish_where(now, lambda row: row.published_change < row.change_number)

    def refresh(self, now: datetime) -> list[int]:
        """Publish also the lists whose token is as old as its ``ttl``; call at least that often."""
        return self._publish_where(
            now,
            lambda row: (
                row.published_change < row.change_number
                or row.published_at is None
                or now - row.published_at >= TTL
                or self._is_lost(row.list_number)
            ),
        )

    def renew(self, now: datetime) -> list[int]:
        """Publish every list anew at once, as after a change of the key."""
        return self._publish_where(now, lambda _: True)

    def pending(self) -> list[int]:
        """The numbers of the lists that were changed since they were last published, or never were."""
        return [row.list_number for row in self._rows() if row.published_change < row.change_number]

    def missing(self) -> list[int]:
        """The numbers of the lists that were published and whose files are gone."""
        return [
            row.list_number for row in self._rows() if row.published_at is not None and self._is_lost(row.list_number)
        ]

    def token(self, list_number: int) -> bytes:
        """Read the newest published CWT of a list.

        Raises:
            UnknownStatusList: there is none.
            StatusListDamaged: its file cannot be read.
        """
        return self._read(list_number, "cwt")

    def jwt(self, list_number: int) -> bytes:
        """Read the newest published JWT of a list.

        Raises:
            UnknownStatusList: there is none.
            StatusListDamaged: its file cannot be read.
        """
        return self._read(list_number, "jwt")

    def _publish_where(self, now: datetime, is_due: Callable[[Row[Any]], bool]) -> list[int]:
        with self._alone():
            due = [int(row.list_number) for row in self._rows() if is_due(row)]
            refused: list[StatusTampered] = []
            for number in due:
                try:
                    self._publish_one(number, now)
                except StatusTampered as error:  # one bad list keeps no other from being published
                    refused.append(error)
        if refused:
            raise refused[0]
        return due

    def _rows(self) -> Sequence[Row[Any]]:
        with self._database.reading() as session:
            return session.execute(select(_PUBLICATIONS).order_by(_PUBLICATIONS.c.list_number)).all()

    def _publish_one(self, number: int, now: datetime) -> None:
        with self._database.transaction() as session:
            snapshot = self._snapshot(session, number, now)
            made = snapshot.status_list
            self._check(session, number, made.data)
            put_leaves(session, [status_list_leaf(made.sub, made.iat, made.digest)])
        replace_durably(
            {
                self._path(number, "cwt"): sign_cwt(made, self._signer),
                self._path(number, "jwt"): sign_jwt(made, self._signer),
            }
        )
        # Only now: killed before this line, the list counts as not published and is written again.
        with self._database.transaction() as session:
            session.execute(
                _PUBLICATIONS.update()
                .where(_PUBLICATIONS.c.list_number == number)
                .values(published_change=snapshot.change_number, published_at=made.iat)
            )

    def _snapshot(self, session: Session, number: int, now: datetime) -> _Snapshot:
        publication = select(_PUBLICATIONS.c.change_number).where(_PUBLICATIONS.c.list_number == number)
        change_number = session.execute(publication.with_for_update(key_share=True)).scalar_one()
        entries = session.execute(
            select(_ENTRIES.c.slot, _ENTRIES.c.value).where(_ENTRIES.c.list_number == number, _ENTRIES.c.value != 0)
        )
        data = pack_statuses((row.slot, row.value) for row in entries)
        issued = now.astimezone(UTC).replace(microsecond=0)
        return _Snapshot(StatusList(self.uri(number), issued, issued + LIFETIME, TTL, BITS, data), change_number)

    def _check(self, session: Session, number: int, data: bytes) -> None:
        """Refuse to sign what whoever wrote the rows has forged.

        Raises:
            StatusTampered: a slot contradicts its history or the last token.
            HistoryTampered: there is no last token, and history was cut off.
        """
        check_list(session, number)
        published = list(self._last_published(number))
        for before in published:
            if lost := _no_longer_invalid(before.data, data):
                raise StatusTampered(name_slots(session, number, lost))
        if len(published) < len(_FORMS):
            check_length(session)

    def _last_published(self, number: int) -> Iterator[StatusList]:
        for form in _FORMS:
            with suppress(UnknownStatusList):  # new or lost: publishing is the cure
                token = self._read(number, form)
                for key in self._keys:
                    with suppress(BadStatusToken):  # damaged, or by another of our keys
                        yield open_past_token(token, key)
                        break

    def _is_lost(self, number: int) -> bool:
        return not all(self._path(number, form).is_file() for form in _FORMS)

    def _path(self, number: int, form: str) -> Path:
        return self._folder / f"{number}.{form}"

    def _read(self, number: int, form: str) -> bytes:
        try:
            return self._path(number, form).read_bytes()
        except FileNotFoundError as error:
            raise UnknownStatusList(number) from error
        except OSError as error:
            raise StatusListDamaged(number, error.strerror or "input/output") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes of this machine from writing an older list over a newer one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / ".lock"):
            yield


def _no_longer_invalid(before: bytes, after: bytes) -> list[int]:
    """The slots that one list calls invalid and a later one does not; both inflated, two bits a slot."""
    low_bits = int.from_bytes(b"\x55" * len(before), "little")

    def invalid(data: bytes) -> int:
        """Keep the low bit of each slot of value 1: low bit set, high bit not."""
        bits = int.from_bytes(data, "little")
        return bits & ~(bits >> 1) & low_bits

    lost = invalid(before) & ~invalid(after)
    return [at // BITS for at, bit in enumerate(reversed(f"{lost:b}")) if bit == "1"] if lost else []
