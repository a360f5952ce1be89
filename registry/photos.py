"""Photos for whoever knows the end of the holder's ID number: where they stand, and how often it was tried."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlmodel import Session

from credential.model import State
from registry.chunks import PhotoPlace
from registry.columns import table_of
from registry.credentials import open_record_key, open_sealed
from registry.service_tables import PhotoTryRow
from registry.tables import BatchRowRow, CredentialRow, PackRow, RecordKeyRow
from registry.vault import RecordKey, Vault

TRIES = 5
WINDOW = timedelta(hours=24)

_TRIES = table_of(PhotoTryRow)
_CREDENTIALS, _KEYS = table_of(CredentialRow), table_of(RecordKeyRow)
_ROWS, _PACKS = table_of(BatchRowRow), table_of(PackRow)
_BY_CODE = (
    select(_CREDENTIALS, _KEYS.c.wrapped, _PACKS.c.name, _ROWS.c.photo_offset, _ROWS.c.photo_length)
    .join_from(
        _CREDENTIALS,
        _KEYS,
        (_KEYS.c.batch_id == _CREDENTIALS.c.batch_id) & (_KEYS.c.row_number == _CREDENTIALS.c.row_number),
    )
    .join(_ROWS, (_ROWS.c.batch_id == _CREDENTIALS.c.batch_id) & (_ROWS.c.row_number == _CREDENTIALS.c.row_number))
    .outerjoin(_PACKS, _PACKS.c.id == _ROWS.c.photo_pack_id)
)


@dataclass(frozen=True, slots=True)
class Portrait:
    """A credential with a photo, opened.

    Attributes:
        claims: the COSE_Sign1 message.
        photo: where the sealed photo stands.
        key: of the record, which opens it.
    """

    credential_id: int
    row_number: int
    state: State
    is_superseded: bool
    claims: bytes
    photo: PhotoPlace
    key: RecordKey


def find_portrait(session: Session, vault: Vault, code: str) -> Portrait | None:
    """Find the credential of a verification code; None when there is none, it was erased or has no photo."""
    row = session.execute(_BY_CODE.where(_CREDENTIALS.c.code_index == vault.blind("code", code))).one_or_none()
    if row is None or row.wrapped is None or row.name is None or row.photo_offset is None:
        return None
    key = open_record_key(vault, row, row.wrapped)
    return Portrait(
        credential_id=row.id,
        row_number=row.row_number,
        state=State(row.state),
        is_superseded=row.superseded_by_id is not None,
        claims=open_sealed(key, row)[0],
        photo=PhotoPlace(row.name, row.photo_offset, row.photo_length),
        key=key,
    )


def count_try(session: Session, credential_id: int, now: datetime) -> bool:
    """Count one try on a credential; commit before comparing anything. False when there is none left today."""
    mine = _TRIES.c.credential_id == credential_id
    # Tries at once wait for each other here, the first one of all included, which has no row to lock yet.
    session.execute(
        select(_CREDENTIALS.c.id).where(_CREDENTIALS.c.id == credential_id).with_for_update(key_share=True)
    ).one()
    present = session.execute(select(_TRIES).where(mine)).one_or_none()
    if present is None:
        session.execute(insert(_TRIES).values(credential_id=credential_id, window_started_at=now, tries=1))
        return True
    if present.window_started_at <= now - WINDOW:
        session.execute(update(_TRIES).where(mine).values(window_started_at=now, tries=1))
        return True
    if present.tries >= TRIES:
        return False
    session.execute(update(_TRIES).where(mine).values(tries=_TRIES.c.tries + 1))
    return True


def give_back(session: Session, credential_id: int) -> None:
    """Take back the try of somebody who knew the number: only wrong ones are limited."""
    mine = _TRIES.c.credential_id == credential_id
    session.execute(update(_TRIES).where(mine, _TRIES.c.tries > 0).values(tries=_TRIES.c.tries - 1))
