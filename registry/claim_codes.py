"""Claim codes and leaves to download: digests only, tries counted before anything is compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, insert, select, update
from sqlmodel import Session

from credential.model import State
from registry.columns import askable, table_of
from registry.credentials import open_record_key, open_sealed
from registry.service_tables import ClaimCodeRow, DownloadGrantRow
from registry.tables import CredentialFileRow, CredentialRow, RecordKeyRow
from registry.vault import Vault

TRIES = 5

_CODES = table_of(ClaimCodeRow)
_GRANTS = table_of(DownloadGrantRow)
_CREDENTIALS = table_of(CredentialRow)
_KEYS = table_of(RecordKeyRow)
_FILES = table_of(CredentialFileRow)
_HOLDINGS = select(
    _CREDENTIALS, _KEYS.c.wrapped, exists().where(_FILES.c.credential_id == _CREDENTIALS.c.id).label("is_printed")
).join_from(
    _CREDENTIALS,
    _KEYS,
    (_KEYS.c.batch_id == _CREDENTIALS.c.batch_id) & (_KEYS.c.row_number == _CREDENTIALS.c.row_number),
)
_LIVE = _CODES.c.used_at.is_(None) & _CODES.c.replaced_at.is_(None)
_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Holding:
    """A credential as its holder's file stands for it.

    Attributes:
        is_printed: its PDF is stored.
        is_superseded: another credential took its place.
        is_erased: its key was destroyed, so nothing of it can be opened.
        claims: the COSE_Sign1 message; empty when it was not asked for or is erased.
    """

    id: int
    issuer_id: str
    batch_id: int
    row_number: int
    serial: str
    version: int
    state: State
    is_printed: bool
    is_superseded: bool
    is_erased: bool
    claims: bytes = b""


@dataclass(frozen=True, slots=True)
class LiveCode:
    """A code that may still be used, and on which one try was just counted."""

    id: int
    credential_id: int
    digest: bytes


def holdings_of_batch(session: Session, vault: Vault, batch_id: int) -> list[Holding]:
    """Every credential of a batch with its claims, by row; an erased one has none."""
    query = _HOLDINGS.where(_CREDENTIALS.c.batch_id == batch_id).order_by(_CREDENTIALS.c.row_number)
    return [_holding(row, vault) for row in session.execute(query)]


def get_holding(session: Session, credential_id: int) -> Holding:
    """Read one credential, without its claims."""
    return _holding(session.execute(_HOLDINGS.where(_CREDENTIALS.c.id == credential_id)).one(), None)


def replace_codes(
    session: Session, digests: Mapping[int, bytes], *, maker: str, now: datetime, expires_at: datetime
) -> None:
    """Give each credential a new code by its digest; the code before it, if any, opens nothing any more."""
    ids = list(digests)
    for at in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[at : at + _IDS_AT_ONCE]
        session.execute(update(_CODES).where(_CODES.c.credential_id.in_(some), _LIVE).values(replaced_at=now))
        session.execute(
            insert(_CODES),
            [
                {
                    "credential_id": one,
                    "digest": digests[one],
                    "maker": maker,
                    "created_at": now,
                    "expires_at": expires_at,
                    "tries_left": TRIES,
                }
                for one in some
            ],
        )


def count_try(session: Session, serial: str, now: datetime) -> Sequence[LiveCode]:
    """Take one try from every code of a serial that may still be used; commit before comparing anything.

    Returns:
        Those codes: one as a rule, several when several issuers or versions share the serial.
    """
    of_serial = select(_CREDENTIALS.c.id).where(_CREDENTIALS.c.serial == askable(serial))
    taken = session.execute(
        update(_CODES)
        .where(_CODES.c.credential_id.in_(of_serial), _LIVE, _CODES.c.expires_at > now, _CODES.c.tries_left > 0)
        .values(tries_left=_CODES.c.tries_left - 1)
        .returning(_CODES.c.id, _CODES.c.credential_id, _CODES.c.digest)
    ).all()
    return [LiveCode(row.id, row.credential_id, row.digest) for row in taken]


def use_code(session: Session, code_id: int, now: datetime) -> bool:
    """Mark a code as used; False when another request was first, or a new code has replaced it."""
    statement = update(_CODES).where(_CODES.c.id == code_id, _LIVE).values(used_at=now)
    return session.connection().execute(statement).rowcount == 1


def insert_grant(session: Session, digest: bytes, code: LiveCode, *, now: datetime, expires_at: datetime) -> None:
    """Store a leave to download by its digest, and forget those that are over."""
    session.execute(delete(_GRANTS).where(_GRANTS.c.expires_at <= now))
    session.execute(
        insert(_GRANTS).values(
            digest=digest,
            credential_id=code.credential_id,
            claim_code_id=code.id,
            created_at=now,
            expires_at=expires_at,
        )
    )


def find_grant(session: Session, digest: bytes, now: datetime) -> int | None:
    """The credential that a leave is for, or None when there is none, or it is over."""
    query = select(_GRANTS.c.credential_id).where(_GRANTS.c.digest == digest, _GRANTS.c.expires_at > now)
    found: int | None = session.execute(query).scalar_one_or_none()
    return found


def _holding(row: Row[Any], vault: Vault | None) -> Holding:
    claims = b""
    if vault is not None and row.wrapped is not None:
        claims, _ = open_sealed(open_record_key(vault, row, row.wrapped), row)
    return Holding(
        id=row.id,
        issuer_id=row.issuer_id,
        batch_id=row.batch_id,
        row_number=row.row_number,
        serial=row.serial,
        version=row.version,
        state=State(row.state),
        is_printed=row.is_printed,
        is_superseded=row.superseded_by_id is not None,
        is_erased=row.wrapped is None,
        claims=claims,
    )
