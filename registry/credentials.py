"""Credentials from reserve to seal, and their files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, update
from sqlmodel import Session, col, select

from credential.errors import InputError
from credential.model import Claims, Holder, State
from credential.names import fold_name_for_matching
from credential.profile import SignatureProfile
from registry.batches import insert_pack, record_owner
from registry.chunks import PhotoPlace
from registry.columns import askable, insert_columns, table_of
from registry.packs import Pack
from registry.tables import BatchRowRow, CredentialFileRow, CredentialRow, PackRow, RecordKeyRow
from registry.vault import RecordKey, Vault, place

_CLAIMS, _QR_TEXT = 1, 2


class UnknownSerial(InputError):
    """No credential has this serial."""

    code = "unknown-serial"

    def __init__(self, serial: str) -> None:
        super().__init__(
            f"no credential has the serial {serial}; check the number", f"没有编号为 {serial} 的证书,请核对编号"
        )
        self.serial = serial


class NewCredential(NamedTuple):
    """A credential on its way into the registry, with everything that is fixed before printing.

    Attributes:
        said: its claims.
        status_list: number of the list that the claims name by its address.
        claims: COSE_Sign1 message over the full claims.
        claims_digest: SHA-256 of their payload.
        qr_text: the whole text of the QR code.
        issue_leaf: row of the log's outbox.
        live_key: blind index that refuses a second live credential; None for a
            successor, which gets it when it is sealed.
        key: the row's.
        supersedes_id: the credential whose place it is to take.
    """

    batch_id: int
    row_number: int
    chunk_number: int
    issuer_id: str
    said: Claims
    status_list: int
    claims: bytes
    claims_digest: bytes
    qr_text: str
    issue_leaf: int
    live_key: bytes | None
    key: RecordKey
    supersedes_id: int | None = None


class ReservedCredential(NamedTuple):
    """A reserved credential, opened, with what the press needs."""

    id: int
    row_number: int
    serial: str
    claims: bytes
    qr_text: str
    prefix_digest: bytes
    issue_leaf: int
    photo: PhotoPlace | None
    key: RecordKey


class SealedFile(NamedTuple):
    """One exact PDF on its way into the registry: which credential, which leaf."""

    credential_id: int
    row_number: int
    seal_leaf: int


@dataclass(frozen=True, slots=True)
class FoundCredential:
    """A credential as the issuing side lists it; nothing personal.

    Attributes:
        digest: SHA-256 of its original PDF, or None while it is not printed.
        supersedes_id: the credential whose place it takes, or is on its way to take.
    """

    id: int
    issuer_id: str
    batch_id: int
    row_number: int
    kind: str
    serial: str
    version: int
    state: State
    status_list: int
    status_index: int
    issued_at: datetime
    digest: bytes | None
    is_superseded: bool
    supersedes_id: int | None = None


def credential_place(batch_id: int, row_number: int) -> bytes:
    """Name the place that a credential's claims are sealed for."""
    return place("credential", record_owner(batch_id, row_number), "sealed")


def person_index(vault: Vault, holder: Holder) -> bytes:
    """Blind index of a person; by name where the kind of credential asks for no document."""
    if holder.id_number:
        return vault.blind("person", holder.id_type.value, holder.id_number)
    return vault.blind("person-by-name", fold_name_for_matching(holder.name))


def insert_credentials(session: Session, vault: Vault, news: Sequence[NewCredential]) -> None:
    """Store the credentials of a chunk, in the caller's transaction, in one statement."""
    said = [new.said for new in news]
    columns: dict[str, Iterable[object]] = {
        "issuer_id": [new.issuer_id for new in news],
        "batch_id": [new.batch_id for new in news],
        "row_number": [new.row_number for new in news],
        "chunk_number": [new.chunk_number for new in news],
        "kind": [one.kind for one in said],
        "serial": [one.serial for one in said],
        "version": [one.version for one in said],
        "state": repeat(State.VALID.value),
        "status_list": [new.status_list for new in news],
        "status_index": [one.status_index for one in said],
        "issued_at": [one.issued_at for one in said],
        "issued_on": [one.issued_on.text for one in said],
        "expires_on": [one.expires_on for one in said],
        "sealed": [_sealed(new) for new in news],
        "claims_digest": [new.claims_digest for new in news],
        "prefix_digest": [one.template_digest for one in said],
        "issue_leaf": [new.issue_leaf for new in news],
        "code_index": [vault.blind("code", one.verification_code) for one in said],
        "person_index": [person_index(vault, one.holder) for one in said],
        "name_index": [vault.blind("name", fold_name_for_matching(one.holder.name)) for one in said],
        "live_key": [new.live_key for new in news],
        "supersedes_id": [new.supersedes_id for new in news],
    }
    insert_columns(session.connection(), table_of(CredentialRow), columns)


def read_reserved(session: Session, vault: Vault, batch_id: int, chunk_number: int) -> list[ReservedCredential]:
    """Read and open the credentials of a chunk, by row number.

    Raises:
        RecordErased: a row's key was destroyed.
    """
    query = (
        select(CredentialRow, RecordKeyRow.wrapped, PackRow.name, BatchRowRow)
        .join(
            BatchRowRow,
            (col(BatchRowRow.batch_id) == CredentialRow.batch_id)
            & (col(BatchRowRow.row_number) == CredentialRow.row_number),
        )
        .join(
            RecordKeyRow,
            (col(RecordKeyRow.batch_id) == CredentialRow.batch_id)
            & (col(RecordKeyRow.row_number) == CredentialRow.row_number),
        )
        .outerjoin(PackRow, col(PackRow.id) == BatchRowRow.photo_pack_id)
        .where(BatchRowRow.batch_id == batch_id, BatchRowRow.chunk_number == chunk_number)
    )
    found = []
    # Ordered here: SQLite would go through the whole batch by number instead of looking the chunk up.
    for row, wrapped, pack, batch_row in sorted(session.exec(query), key=lambda one: one[0].row_number):
        key = open_record_key(vault, row, wrapped)
        claims, qr_text = open_sealed(key, row)
        photo = None
        if batch_row.photo_offset is not None and batch_row.photo_length is not None:
            photo = PhotoPlace(pack, batch_row.photo_offset, batch_row.photo_length)
        found.append(
            ReservedCredential(
                id=row.id or 0,
                row_number=row.row_number,
                serial=row.serial,
                claims=claims,
                qr_text=qr_text,
                prefix_digest=row.prefix_digest,
                issue_leaf=row.issue_leaf,
                photo=photo,
                key=key,
            )
        )
    return found


def open_record_key(vault: Vault, row: CredentialRow | Row[Any], wrapped: bytes | None) -> RecordKey:
    """Open the key that a credential shares with its row.

    Raises:
        RecordErased: it was destroyed.
    """
    return vault.open_key(record_owner(row.batch_id, row.row_number), wrapped)


def open_sealed(key: RecordKey, row: CredentialRow | Row[Any]) -> tuple[bytes, str]:
    """The claims message and the QR text of a credential."""
    fields = key.open(row.sealed, credential_place(row.batch_id, row.row_number))
    return fields[_CLAIMS], fields[_QR_TEXT]


def insert_files(
    session: Session,
    pack: Pack,
    files: Sequence[SealedFile],
    now: datetime,
    profile: SignatureProfile = SignatureProfile.B_B,
) -> None:
    """Register a stored pack of tails and the file each of its entries makes."""
    entry_of = {entry.row_number: entry for entry in pack.entries}
    entries = [entry_of[file.row_number] for file in files]
    columns: dict[str, Iterable[object]] = {
        "credential_id": [file.credential_id for file in files],
        "revision": repeat(0),
        "digest": [entry.digest for entry in entries],
        "length": [entry.whole_length for entry in entries],
        "prefix_digest": [entry.prefix_digest for entry in entries],
        "pack_id": repeat(insert_pack(session, pack, now)),
        "pack_offset": [entry.offset for entry in entries],
        "pack_length": [entry.length for entry in entries],
        "seal_leaf": [file.seal_leaf for file in files],
        "profile": repeat(profile.value),
        "stored_at": repeat(now),
    }
    insert_columns(session.connection(), table_of(CredentialFileRow), columns)


def get_credential(
    session: Session, serial: str, issuer_id: str | None = None, *, lock: bool = False
) -> FoundCredential:
    """The newest version under a serial, locked against other writers if asked for.

    Raises:
        UnknownSerial: there is none, or several issuers use the serial and none was named.
    """
    found = _find(session, col(CredentialRow.serial) == askable(serial), lock=lock)
    if issuer_id is not None:
        found = [one for one in found if one.issuer_id == issuer_id]
    if not found or len({one.issuer_id for one in found}) > 1:
        raise UnknownSerial(serial)
    return found[0]


def find_by_id(session: Session, credential_id: int, *, lock: bool = False) -> FoundCredential:
    """The credential of this id, which must exist; locked against other writers if asked for."""
    (found,) = _find(session, col(CredentialRow.id) == credential_id, lock=lock)
    return found


def find_by_serial(session: Session, serial: str) -> list[FoundCredential]:
    """All versions under a serial, newest first."""
    return _find(session, col(CredentialRow.serial) == askable(serial))


def find_by_person(session: Session, vault: Vault, holder: Holder) -> list[FoundCredential]:
    """All credentials of a person, newest first; the ID number must be exact."""
    return _find(session, col(CredentialRow.person_index) == person_index(vault, holder))


def find_by_name(session: Session, vault: Vault, name: str) -> list[FoundCredential]:
    """All credentials of persons of this name, newest first; the name must be exact but for dots and case."""
    return _find(session, col(CredentialRow.name_index) == vault.blind("name", fold_name_for_matching(name)))


def find_by_batch(session: Session, batch_id: int) -> list[FoundCredential]:
    """All credentials of a batch, by row."""
    return sorted(_find(session, col(CredentialRow.batch_id) == batch_id), key=lambda one: one.row_number)


def serials_of_batch(session: Session, batch_id: int) -> list[str]:
    """The serials of a batch's credentials, by row."""
    query = select(CredentialRow.serial).where(CredentialRow.batch_id == batch_id)
    return list(session.exec(query.order_by(col(CredentialRow.row_number))))


def chunk_of(session: Session, found: FoundCredential) -> int:
    """The number of the chunk that a credential was issued in."""
    return session.get_one(CredentialRow, found.id).chunk_number


def record_key_of(session: Session, vault: Vault, found: FoundCredential) -> RecordKey:
    """Open the key of a credential.

    Raises:
        RecordErased: it was destroyed.
    """
    owner = (found.batch_id, found.row_number)
    return vault.open_key(record_owner(*owner), session.get_one(RecordKeyRow, owner).wrapped)


def read_claims(session: Session, vault: Vault, found: FoundCredential) -> bytes:
    """The claims message of a credential, COSE_Sign1.

    Raises:
        RecordErased: its key was destroyed.
    """
    key = record_key_of(session, vault, found)
    return open_sealed(key, session.get_one(CredentialRow, found.id))[0]


def claims_digest_of(session: Session, found: FoundCredential) -> bytes:
    """SHA-256 of the payload of a credential's claims; stays when the credential is erased."""
    return session.get_one(CredentialRow, found.id).claims_digest


def move_state(session: Session, found: FoundCredential, to: State, *, is_live: bool) -> bool:
    """Write a new state, if it is still the one found; its history entry must stand already.

    Args:
        session: of a transaction.
        found: as read in the same transaction.
        to: the new state.
        is_live: False lets a new credential for the same title be issued.
    """
    table = table_of(CredentialRow)
    values: dict[str, object] = {"state": to.value} | ({} if is_live else {"live_key": None})
    where = (table.c.id == found.id, table.c.state == found.state.value)
    return session.connection().execute(update(table).where(*where).values(**values)).rowcount == 1


def _find(session: Session, condition: ColumnElement[bool], *, lock: bool = False) -> list[FoundCredential]:
    query = (
        select(CredentialRow, CredentialFileRow.digest)
        .outerjoin(
            CredentialFileRow,
            (col(CredentialFileRow.credential_id) == CredentialRow.id) & (CredentialFileRow.revision == 0),
        )
        .where(condition)
        .order_by(col(CredentialRow.version).desc(), col(CredentialRow.id).desc())
    )
    if lock:
        query = query.with_for_update(of=CredentialRow, key_share=True)
    # What a bulk statement changed in this transaction is read anew.
    return [_found(row, digest) for row, digest in session.exec(query.execution_options(populate_existing=True))]


def _found(row: CredentialRow, digest: bytes | None) -> FoundCredential:
    return FoundCredential(
        id=row.id or 0,
        issuer_id=row.issuer_id,
        batch_id=row.batch_id,
        row_number=row.row_number,
        kind=row.kind,
        serial=row.serial,
        version=row.version,
        state=State(row.state),
        status_list=row.status_list,
        status_index=row.status_index,
        issued_at=row.issued_at,
        digest=digest,
        is_superseded=row.superseded_by_id is not None,
        supersedes_id=row.supersedes_id,
    )


def _sealed(new: NewCredential) -> bytes:
    at = credential_place(new.batch_id, new.row_number)
    return new.key.seal({_CLAIMS: new.claims, _QR_TEXT: new.qr_text}, at)
