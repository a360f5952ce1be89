"""Later revisions of a credential's PDF: what was appended to it, kept, and put together again.

A revision is all bytes of the one before it and some more. Only those are
stored, sealed under the credential's own key, in packs of the kind
``revision``: one pack for each chunk and round of renewal, named after both.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import func, insert
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from credential.claims import decode_claims
from credential.cose import open_message
from credential.ports import Blobs
from credential.profile import SignatureProfile
from registry.batches import insert_pack
from registry.columns import table_of
from registry.credentials import open_record_key, open_sealed
from registry.packs import Pack, PackDamaged, item_place
from registry.prefixes import read_prefix
from registry.tables import (
    BatchRow,
    BatchRowRow,
    ChunkRow,
    ChunkState,
    CredentialFileRow,
    CredentialRow,
    PackRow,
    RecordKeyRow,
)
from registry.vault import RecordErased, RecordKey, Vault

KIND = "revision"


@dataclass(frozen=True, slots=True)
class IssuedChunk:
    """A chunk whose certificates are issued."""

    batch_id: int
    number: int
    issuer_id: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Sealed bytes of a file: the original's tail, or what a revision appended."""

    kind: str
    pack_name: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class KeptFile:
    """The newest file of a credential, and all that it is put together from.

    Attributes:
        original_digest: SHA-256 of revision 0.
        salt: of the claims; commitments to its revisions are under it.
        pieces: in their order.
    """

    credential_id: int
    row_number: int
    serial: str
    revision: int
    digest: bytes
    original_digest: bytes
    prefix_digest: bytes
    profile: SignatureProfile
    good_until: datetime | None
    stored_at: datetime
    pieces: tuple[Piece, ...]
    key: RecordKey
    salt: bytes


@dataclass(frozen=True, slots=True)
class NewRevision:
    """One revision on its way into the registry."""

    file: KeptFile
    profile: SignatureProfile
    good_until: datetime
    leaf: int


@dataclass(frozen=True, slots=True)
class FileCount:
    """How many newest files of an issuer have a profile, and how many of them end before a moment."""

    issuer_id: str
    profile: SignatureProfile
    files: int
    ending: int
    first_end: datetime | None


def issued_chunks(session: Session) -> list[IssuedChunk]:
    """Every chunk that is issued, oldest batch first."""
    query = (
        select(ChunkRow.batch_id, ChunkRow.number, BatchRow.issuer_id)
        .join(BatchRow, col(BatchRow.id) == ChunkRow.batch_id)
        .where(ChunkRow.state == ChunkState.ISSUED.value)
        .order_by(col(ChunkRow.batch_id), col(ChunkRow.number))
    )
    return [IssuedChunk(*row) for row in session.exec(query)]


def newest_files(session: Session, vault: Vault, chunk: IssuedChunk) -> list[KeptFile]:
    """The newest file of each credential of a chunk, by row; those that were erased are left out."""
    query = (
        select(CredentialRow, CredentialFileRow, PackRow, RecordKeyRow.wrapped)
        .join(CredentialFileRow, col(CredentialFileRow.credential_id) == CredentialRow.id)
        .join(PackRow, col(PackRow.id) == CredentialFileRow.pack_id)
        .join(
            RecordKeyRow,
            (col(RecordKeyRow.batch_id) == CredentialRow.batch_id)
            & (col(RecordKeyRow.row_number) == CredentialRow.row_number),
        )
        .join(
            BatchRowRow,
            (col(BatchRowRow.batch_id) == CredentialRow.batch_id)
            & (col(BatchRowRow.row_number) == CredentialRow.row_number),
        )
        .where(BatchRowRow.batch_id == chunk.batch_id, BatchRowRow.chunk_number == chunk.number)
    )
    found = []
    # Ordered here: SQLite would go through the whole batch by number instead of looking the chunk up.
    in_order = sorted(session.exec(query), key=lambda row: (row[0].row_number, row[1].revision))
    for _, rows in groupby(in_order, key=lambda row: row[0].row_number):
        files = list(rows)
        row, newest, _, wrapped = files[-1]
        try:
            key = open_record_key(vault, row, wrapped)
        except RecordErased:
            continue
        claims = decode_claims(open_message(open_sealed(key, row)[0]).payload)
        found.append(
            KeptFile(
                credential_id=row.id or 0,
                row_number=row.row_number,
                serial=row.serial,
                revision=newest.revision,
                digest=newest.digest,
                original_digest=files[0][1].digest,
                prefix_digest=newest.prefix_digest,
                profile=SignatureProfile(newest.profile),
                good_until=newest.good_until,
                stored_at=newest.stored_at,
                pieces=tuple(
                    Piece(pack.kind, pack.name, one.pack_offset, one.pack_length) for _, one, pack, _ in files
                ),
                key=key,
                salt=claims.salt,
            )
        )
    return found


def _piece(file: CredentialFileRow, pack: PackRow) -> Piece:
    return Piece(pack.kind, pack.name, file.pack_offset, file.pack_length)


def read_document(blobs: Blobs, file: KeptFile) -> bytes:
    """Put a file together again, and check it against its digest.

    Raises:
        PackDamaged: what is stored is not what was registered.
        UnavailableError: a store does not answer.
    """
    parts = [read_prefix(blobs, file.prefix_digest)]
    parts += open_pieces(blobs, file.key, file.row_number, file.pieces)
    document = b"".join(parts)
    if hashlib.sha256(document).digest() != file.digest:
        raise PackDamaged(
            file.pieces[-1].pack_name, f"gives another file for {file.serial}", f"中 {file.serial} 的文件与登记不符"
        )
    return document


def open_pieces(blobs: Blobs, key: RecordKey, row_number: int, pieces: Sequence[Piece]) -> Iterator[bytes]:
    """Read and open the pieces of a file; raises what the store and the key raise."""
    for piece in pieces:
        sealed = blobs.read(piece.pack_name, piece.offset, piece.length)
        # What a pack is of is also the name of its items' place: "tail" for the original, "revision" behind it.
        yield key.open_bytes(sealed, item_place(piece.kind, piece.pack_name, row_number))


def insert_revisions(session: Session, pack: Pack, revisions: Sequence[NewRevision], now: datetime) -> None:
    """Register a stored pack of revisions, in the caller's transaction."""
    pack_id = insert_pack(session, pack, now)
    entries = {entry.row_number: entry for entry in pack.entries}
    values: list[Mapping[str, object]] = [
        {
            "credential_id": one.file.credential_id,
            "revision": one.file.revision + 1,
            "digest": entries[one.file.row_number].digest,
            "length": entries[one.file.row_number].whole_length,
            "prefix_digest": one.file.prefix_digest,
            "pack_id": pack_id,
            "pack_offset": entries[one.file.row_number].offset,
            "pack_length": entries[one.file.row_number].length,
            "seal_leaf": one.leaf,
            "profile": one.profile.value,
            "good_until": one.good_until,
            "stored_at": now,
        }
        for one in revisions
    ]
    if values:
        session.connection().execute(insert(table_of(CredentialFileRow)), values)


def count_files(session: Session, ending_before: datetime) -> list[FileCount]:
    """Count the newest files of all credentials that were not erased, by issuer and profile."""
    newest = (
        select(CredentialFileRow.credential_id, func.max(CredentialFileRow.revision).label("revision"))
        .group_by(col(CredentialFileRow.credential_id))
        .subquery()
    )
    ending = func.count().filter(col(CredentialFileRow.good_until) <= ending_before)
    query = (
        select_columns(
            col(CredentialRow.issuer_id),
            col(CredentialFileRow.profile),
            func.count(),
            ending,
            func.min(col(CredentialFileRow.good_until)),
        )
        .select_from(CredentialRow)
        .join(newest, newest.c.credential_id == CredentialRow.id)
        .join(
            CredentialFileRow,
            (col(CredentialFileRow.credential_id) == newest.c.credential_id)
            & (col(CredentialFileRow.revision) == newest.c.revision),
        )
        .join(
            RecordKeyRow,
            (col(RecordKeyRow.batch_id) == CredentialRow.batch_id)
            & (col(RecordKeyRow.row_number) == CredentialRow.row_number),
        )
        .where(col(RecordKeyRow.wrapped).is_not(None))
        .group_by(col(CredentialRow.issuer_id), col(CredentialFileRow.profile))
        .order_by(col(CredentialRow.issuer_id), col(CredentialFileRow.profile))
    )
    rows = session.connection().execute(query)
    return [
        FileCount(issuer, SignatureProfile(profile), files, ended, first)
        for issuer, profile, files, ended, first in rows
    ]
