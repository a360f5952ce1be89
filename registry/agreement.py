"""Hold what the registry says of credentials now against its history.

Who can write the database can take the triggers away. What was decided stands
in the history all the same, so state and slot are compared with it before a
status list is signed, and whenever the house is looked over.
"""

from collections.abc import Sequence

from sqlalchemy import func, or_, select, union
from sqlmodel import Session

from credential.errors import ConfigError
from credential.model import State, status_value
from registry.columns import table_of
from registry.history import HistoryKind
from registry.service_tables import SuccessionRow
from registry.status.tables import StatusEntryRow
from registry.tables import CredentialFileRow, CredentialRow, HistoryRow

MAX_NAMED = 5
"""Serials that one sentence names."""

_CREDENTIALS = table_of(CredentialRow)
_HISTORY = table_of(HistoryRow)
_ENTRIES = table_of(StatusEntryRow)
_FILES, _SUCCESSIONS = table_of(CredentialFileRow), table_of(SuccessionRow)


class StatusTampered(ConfigError):
    """A credential's state or slot is not what was decided, or a published revocation is gone."""

    code = "status-tampered"

    def __init__(self, named: Sequence[str]) -> None:
        shown = ", ".join(named[:MAX_NAMED]) + (f" (+{len(named) - MAX_NAMED})" if len(named) > MAX_NAMED else "")
        super().__init__(
            f"state or status slot contradicts the history or the last published list: {shown}; nothing is "
            "signed; find out who wrote to the database, then restore it from a backup",
            f"以下证书的状态与历史记录或已发布的状态列表不符: {shown}; 已拒绝签发状态列表; "
            "请查明数据库被何人改动, 并从备份恢复",
        )
        self.named = tuple(named)


def check_states(session: Session) -> int:
    """Compare every credential's state, slot and links with its history; returns how many have ever changed.

    Raises:
        StatusTampered: some differ.
    """
    found = _compare(session, None)
    _refuse([*(serial for serial, agrees in found if not agrees), *_broken_chains(session)])
    return len(found)


def check_list(session: Session, list_number: int) -> None:
    """Compare the slots of one list with credentials and history, looking only at what ever changed.

    Raises:
        StatusTampered: some differ.
    """
    _refuse([serial for serial, agrees in _compare(session, list_number) if not agrees])


def name_slots(session: Session, list_number: int, slots: Sequence[int]) -> list[str]:
    """The serials that slots belong to; a slot of no credential is named by its number."""
    rows = session.execute(
        select(_CREDENTIALS.c.status_index, _CREDENTIALS.c.serial).where(
            _CREDENTIALS.c.status_list == list_number, _CREDENTIALS.c.status_index.in_(slots[:MAX_NAMED])
        )
    )
    serials = {row.status_index: row.serial for row in rows}
    return [serials.get(slot, f"{list_number}#{slot}") for slot in slots]


def _refuse(serials: Sequence[str]) -> None:
    if serials:
        raise StatusTampered(serials)


def _broken_chains(session: Session) -> list[str]:
    """Credentials that name a successor, or a predecessor, which history and approval do not bear out."""
    old, new = _CREDENTIALS.alias("old"), _CREDENTIALS.alias("new")
    taken = (
        select(_HISTORY.c.sequence)
        .where(_HISTORY.c.credential_id == new.c.id, _HISTORY.c.kind == HistoryKind.SUCCEEDED)
        .exists()
    )
    approved = (
        select(_SUCCESSIONS.c.predecessor_id)
        .where(
            _SUCCESSIONS.c.batch_id == new.c.batch_id,
            _SUCCESSIONS.c.row_number == new.c.row_number,
            _SUCCESSIONS.c.predecessor_id == new.c.supersedes_id,
        )
        .exists()
    )
    printed = select(_FILES.c.id).where(_FILES.c.credential_id == new.c.id).exists()
    # A successor that is not printed yet has taken nobody's place.
    is_linked = old.c.superseded_by_id.is_not_distinct_from(new.c.id)
    bad_new = (
        select(new.c.serial)
        .select_from(new.outerjoin(old, old.c.id == new.c.supersedes_id))
        .where(new.c.supersedes_id.is_not(None), ~approved | (printed != is_linked) | (printed != taken))
    )
    is_live = old.c.state.in_((State.VALID.value, State.SUSPENDED.value))
    bad_old = (
        select(old.c.serial)
        .select_from(old.outerjoin(new, new.c.id == old.c.superseded_by_id))
        .where(
            old.c.superseded_by_id.is_not(None),
            is_live | new.c.supersedes_id.is_distinct_from(old.c.id) | old.c.live_key.is_not(None),
        )
    )
    return sorted({*session.execute(bad_new).scalars(), *session.execute(bad_old).scalars()})


def _compare(session: Session, list_number: int | None) -> list[tuple[str, bool]]:
    """Each credential that ever changed or claims to have, and whether state, slot and history agree."""
    credential = _CREDENTIALS.c
    changes = (
        select(_HISTORY.c.credential_id, func.max(_HISTORY.c.sequence).label("sequence"))
        .where(_HISTORY.c.credential_id.is_not(None), _HISTORY.c.kind == HistoryKind.STATE_CHANGED)
        .group_by(_HISTORY.c.credential_id)
        .subquery()
    )
    same_slot = (_ENTRIES.c.list_number == credential.status_list) & (_ENTRIES.c.slot == credential.status_index)
    # Found through indexes, so that a million untouched credentials cost nothing.
    touched = [select(changes.c.credential_id), select(credential.id).join(_ENTRIES, same_slot)]
    if list_number is None:
        touched.append(
            select(credential.id).where(
                or_(credential.state != State.VALID.value, credential.superseded_by_id.is_not(None))
            )
        )
    query = (
        select(
            credential.serial,
            credential.state,
            credential.superseded_by_id,
            func.coalesce(_HISTORY.c.state, State.VALID.value).label("decided"),
            func.coalesce(_ENTRIES.c.value, 0).label("value"),
        )
        .select_from(_CREDENTIALS)
        .outerjoin(changes, changes.c.credential_id == credential.id)
        .outerjoin(_HISTORY, _HISTORY.c.sequence == changes.c.sequence)
        .outerjoin(_ENTRIES, same_slot)
        .where(credential.id.in_(union(*touched)))
        .order_by(credential.id)
    )
    if list_number is not None:
        query = query.where(credential.status_list == list_number)
    return [
        (
            row.serial,
            row.state == row.decided
            and row.value == status_value(State(row.decided), superseded=row.superseded_by_id is not None),
        )
        for row in session.execute(query)
    ]
