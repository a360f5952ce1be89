"""Erase a person: destroy the key of the record, and all by which it could be found.

What stands sealed under the key (row, photo, claims, file, history details)
is unreadable from then on, wherever copies of it lie. A mark beside the packs
says which records were erased, so that a restored older database, which holds
the key again, is made to forget it too.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import cbor2
from sqlalchemy import bindparam, delete, exists, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_row

from credential.model import State
from credential.ports import Blobs, ErasedCredential
from registry.batches import batch_key, problems_place, read_problems
from registry.columns import table_of
from registry.credentials import FoundCredential, find_by_id
from registry.database import Database
from registry.reserve_records import FOLDER, create_reserve_records, read_reserve_records
from registry.service_tables import ClaimCodeRow, DownloadGrantRow, ErasedRow
from registry.tables import BatchRow, BatchRowRow, CredentialFileRow, CredentialRow, RecordKeyRow
from registry.vault import Vault, place

MARKS = "erased"
"""Folder of the marks: ``erased/<batch>/<row>``."""

_KEYS, _ROWS, _CREDENTIALS = table_of(RecordKeyRow), table_of(BatchRowRow), table_of(CredentialRow)
_CODES, _GRANTS, _ERASED = table_of(ClaimCodeRow), table_of(DownloadGrantRow), table_of(ErasedRow)
_FILES = table_of(CredentialFileRow)
_OF_FILE = select(_FILES.c.credential_id).where(_FILES.c.digest == bindparam("wanted"))
_FIND_ERASED = (
    select(_ERASED.c.erased_at, _CREDENTIALS.c.state)
    .join(_CREDENTIALS, _CREDENTIALS.c.id == _ERASED.c.credential_id)
    .where((_ERASED.c.claims_digest == bindparam("wanted")) | _ERASED.c.credential_id.in_(_OF_FILE))
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What is kept of an erasure beside the packs, sealed; nothing personal."""

    batch_id: int
    row_number: int
    serial: str
    version: int
    erased_at: datetime


def destroy(session: Session, found: FoundCredential, now: datetime) -> None:
    """Destroy a credential's key and everything that leads to it, in the caller's transaction."""
    connection = session.connection()
    of_record = (_KEYS.c.batch_id == found.batch_id) & (_KEYS.c.row_number == found.row_number)
    connection.execute(
        update(_KEYS).where(of_record, _KEYS.c.wrapped.is_not(None)).values(wrapped=None, destroyed_at=now)
    )
    of_row = (_ROWS.c.batch_id == found.batch_id) & (_ROWS.c.row_number == found.row_number)
    connection.execute(update(_ROWS).where(of_row).values(live_key=None))
    indexes = {"code_index": None, "person_index": None, "name_index": None, "live_key": None}
    connection.execute(update(_CREDENTIALS).where(_CREDENTIALS.c.id == found.id).values(**indexes))
    live = (_CODES.c.credential_id == found.id) & _CODES.c.used_at.is_(None) & _CODES.c.replaced_at.is_(None)
    connection.execute(update(_CODES).where(live).values(replaced_at=now))
    connection.execute(delete(_GRANTS).where(_GRANTS.c.credential_id == found.id))
    if not session.execute(select(exists().where(_ERASED.c.credential_id == found.id))).scalar_one():
        digest = select(_CREDENTIALS.c.claims_digest).where(_CREDENTIALS.c.id == found.id).scalar_subquery()
        connection.execute(_ERASED.insert().values(credential_id=found.id, claims_digest=digest, erased_at=now))


def forget_problems(session: Session, vault: Vault, found: FoundCredential, said: Iterable[str]) -> None:
    """Write what intake found in a batch anew, without the row and without sentences that name the person.

    Args:
        session: of a transaction in which the key of the row was destroyed.
        vault: opens the batch's own key.
        found: the credential.
        said: texts that name the person, as name and ID number.
    """
    named = [text for text in said if text]
    problems = read_problems(session, vault, found.batch_id)
    kept = [
        one
        for one in problems
        if one.row != found.row_number and not any(text in one.zh or text in one.en for text in named)
    ]
    if len(kept) < len(problems):
        row = session.get_one(BatchRow, found.batch_id)
        key = batch_key(session, vault, found.batch_id)
        row.sealed = key.seal({"problems": [asdict(one) for one in kept]}, problems_place(row.digest))
        session.flush()


def erased_at(session: Session, credential_id: int) -> datetime | None:
    """When a credential was erased; None when it was not."""
    return session.exec(select_row(ErasedRow.erased_at).where(ErasedRow.credential_id == credential_id)).first()


def erased_credentials(session: Session) -> list[tuple[FoundCredential, datetime]]:
    """Every credential that was erased, and when."""
    rows = session.exec(select_row(ErasedRow.credential_id, ErasedRow.erased_at).order_by(col(ErasedRow.credential_id)))
    return [(find_by_id(session, credential_id), moment) for credential_id, moment in rows.all()]


def find_erased(database: Database, digest: bytes) -> ErasedCredential | None:
    """Find an erased credential by SHA-256 of a stored PDF of it or of its claims."""
    with database.reading() as session:
        found = session.execute(_FIND_ERASED, {"wanted": digest}).first()
    return None if found is None else ErasedCredential(found.erased_at, State(found.state))


# ---- marks beside the packs -------------------------------------------------------------------------------------


def mark_name(batch_id: int, row_number: int) -> str:
    """Name the mark of an erased record."""
    return f"{MARKS}/{batch_id}/{row_number}"


def store_mark(blobs: Blobs, vault: Vault, mark: Mark) -> bool:
    """Store the mark of an erased record durably; False when it is there already."""
    name = mark_name(mark.batch_id, mark.row_number)
    seconds = int(mark.erased_at.timestamp())
    content = cbor2.dumps([mark.batch_id, mark.row_number, mark.serial, mark.version, seconds], canonical=True)
    return blobs.create(name, [vault.seal_apart(content, _place(name))])


def read_marks(blobs: Blobs, vault: Vault, folder: Path) -> Iterator[Mark]:
    """Read every mark.

    Raises:
        SealedDataDamaged: one was changed, or the master key is another.
    """
    for batch_id, row_number in sorted(erased_rows(folder)):
        name = mark_name(batch_id, row_number)
        _, _, serial, version, seconds = cbor2.loads(vault.open_apart(blobs.read(name), _place(name)))
        yield Mark(batch_id, row_number, serial, version, datetime.fromtimestamp(seconds, UTC))


def erased_rows(folder: Path) -> frozenset[tuple[int, int]]:
    """The records that have a mark, as batch and row.

    Args:
        folder: of the objects.
    """
    found = (folder / MARKS).glob("[0-9]*/[0-9]*")
    return frozenset((int(one.parent.name), int(one.name)) for one in found)


def forget_reserved(blobs: Blobs, vault: Vault, folder: Path, erased: Sequence[FoundCredential]) -> int:
    """Write reserve records anew without erased rows, and delete those that hold their keys; returns how many.

    Args:
        blobs: the store.
        vault: opens the records.
        folder: of the objects.
        erased: credentials that were erased.
    """
    rows = {(one.batch_id, one.row_number) for one in erased}
    done = 0
    for batch_id in sorted({one.batch_id for one in erased}):
        for path in sorted((folder / FOLDER / str(batch_id)).glob("*")):
            name = f"{FOLDER}/{batch_id}/{path.name}"
            found = read_reserve_records(blobs, vault, name)
            kept = tuple(one for one in found.records if (batch_id, one.row_number) not in rows)
            if len(kept) == len(found.records):
                continue
            if kept:
                create_reserve_records(blobs, vault, _next_name(folder, name), replace(found, records=kept))
            path.unlink()
            done += 1
        _sync(folder / FOLDER / str(batch_id))
    return done


def scrub(database: Database) -> None:
    """Let the database forget the bytes of what was changed, as far as it can be told to."""
    database.scrub(RecordKeyRow.__tablename__)


def _next_name(folder: Path, name: str) -> str:
    stem, _, tail = name.partition(".e")
    number = int(tail) + 1 if tail.isdecimal() else 1
    while (folder / f"{stem}.e{number}").exists():
        number += 1
    return f"{stem}.e{number}"


def _sync(folder: Path) -> None:
    if folder.is_dir():
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _place(name: str) -> bytes:
    return place(MARKS, name, "mark")
