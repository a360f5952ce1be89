"""The registry as a verifier and a holder see it: find a credential, open what its reader needs.

Implements credential.ports.CredentialSource. Nothing here decides whether a
credential is good: that is the verifier's, who checks every signature and proof.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, cast

from sqlalchemy import BigInteger, ColumnElement, Row, Select, bindparam, exists, func, literal_column
from sqlalchemy import cast as cast_column
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from credential.errors import RefusedError
from credential.merkle import LogProof
from credential.model import State
from credential.ports import Blobs, Change, EarlyEvidence, ErasedCredential, Link, RegisteredCredential, RegisteredFile
from registry.batches import record_owner
from registry.columns import askable, table_of
from registry.credentials import UnknownSerial, open_record_key, open_sealed
from registry.database import Database
from registry.erasures import find_erased
from registry.history import HistoryKind, details_place
from registry.log.tables import LogLeafRow
from registry.packs import PackDamaged
from registry.prefixes import read_prefix
from registry.revisions import Piece, open_pieces
from registry.tables import CredentialFileRow, CredentialRow, HistoryRow, PackRow, RecordKeyRow
from registry.vault import RecordErased, RecordKey, Vault

CANDIDATES = 4
"""Credentials that are opened for a serial and a name, whether they exist or not."""

_FRACTION_BITS = 16

# One statement finds all that a verdict needs, but for what became of a credential: few have ever changed, and
# theirs are read again in one transaction with their changes. Columns are named one by one, since the account of a
# verifier's process may read no others.
_CREDENTIAL, _FILE = table_of(CredentialRow), table_of(CredentialFileRow)
_KEY, _HISTORY = table_of(RecordKeyRow), table_of(HistoryRow)
_NEWER, _OLDER = _CREDENTIAL.alias("newer"), _CREDENTIAL.alias("older")
_LEAF = table_of(LogLeafRow)
_ISSUE_LEAF, _SEAL_LEAF = _LEAF.alias("issue_leaf"), _LEAF.alias("seal_leaf")
_STATE_CHANGED: ColumnElement[str] = literal_column(
    repr(HistoryKind.STATE_CHANGED.value)
)  # the parameter is what is looked for
_FOUND = (
    select_columns(
        _CREDENTIAL.c.id,
        _CREDENTIAL.c.batch_id,
        _CREDENTIAL.c.row_number,
        _CREDENTIAL.c.state,
        _CREDENTIAL.c.status_list,
        _CREDENTIAL.c.status_index,
        _CREDENTIAL.c.sealed,
        _KEY.c.wrapped,
        _ISSUE_LEAF.c.position,
        _ISSUE_LEAF.c.leaf,
        _NEWER.c.serial,
        _NEWER.c.version,
        _OLDER.c.serial,
        _OLDER.c.version,
        exists(
            select_columns(_HISTORY.c.sequence)
            .where(_HISTORY.c.credential_id == _CREDENTIAL.c.id, _HISTORY.c.kind == _STATE_CHANGED)
            .correlate(_CREDENTIAL)
        ),
        _FILE.c.digest,
        _FILE.c.length,
        _SEAL_LEAF.c.position,
        _SEAL_LEAF.c.leaf,
    )
    .select_from(_CREDENTIAL)
    .join(_KEY, (_KEY.c.batch_id == _CREDENTIAL.c.batch_id) & (_KEY.c.row_number == _CREDENTIAL.c.row_number))
    .outerjoin(_ISSUE_LEAF, _ISSUE_LEAF.c.id == _CREDENTIAL.c.issue_leaf)
    .outerjoin(_NEWER, _NEWER.c.id == _CREDENTIAL.c.superseded_by_id)
    .outerjoin(_OLDER, _OLDER.c.id == _CREDENTIAL.c.supersedes_id)
    .outerjoin(_FILE, _FILE.c.credential_id == _CREDENTIAL.c.id)
    .outerjoin(_SEAL_LEAF, _SEAL_LEAF.c.id == _FILE.c.seal_leaf)
    .order_by(_CREDENTIAL.c.version.desc(), _CREDENTIAL.c.id.desc(), _FILE.c.revision)
)
_OF_FILE = select_columns(_FILE.c.credential_id).where(_FILE.c.digest == bindparam("wanted")).scalar_subquery()
_BY_DIGEST = _FOUND.where(_CREDENTIAL.c.id == _OF_FILE)
_BY_CODE = _FOUND.where(_CREDENTIAL.c.code_index == bindparam("wanted"))
_BY_SERIAL = _FOUND.where(_CREDENTIAL.c.serial == bindparam("wanted"))
_ID, _LAST = _CREDENTIAL.alias("other").c.id, func.max(_CREDENTIAL.alias("last").c.id)
_RANGE = cast_column(select_columns(_LAST - CANDIDATES).scalar_subquery(), BigInteger)
_FROM = _RANGE * bindparam("wanted", type_=BigInteger) // (1 << _FRACTION_BITS)
_OTHERS = [
    _FOUND.where(
        _CREDENTIAL.c.id.in_(select_columns(_ID).where(_ID > _FROM).order_by(_ID).limit(literal_column(str(count))))
    )
    for count in range(CANDIDATES + 1)
]
"""So many credentials from a place on that is given as a fraction of all."""

_IS_PRINTED = select_columns(_FILE.c.id).where(_FILE.c.credential_id == _CREDENTIAL.c.id).exists()
_CHANGES = (
    select_columns(
        _HISTORY.c.sequence,
        _HISTORY.c.state,
        _HISTORY.c.effective_on,
        _HISTORY.c.recorded_at,
        _HISTORY.c.reason,
        _HISTORY.c.details,
    )
    .where(_HISTORY.c.credential_id == bindparam("wanted"), _HISTORY.c.kind == _STATE_CHANGED)
    .order_by(_HISTORY.c.sequence)
)


class _Found(NamedTuple):
    """One row of the statement: a credential and one of its files."""

    id: int
    batch_id: int
    row_number: int
    state: str
    status_list: int
    status_index: int
    sealed: bytes
    wrapped: bytes | None
    issue_position: int | None
    issue_leaf: bytes | None
    newer_serial: str | None
    newer_version: int | None
    older_serial: str | None
    older_version: int | None
    has_changed: bool
    file_digest: bytes | None
    file_length: int | None
    seal_position: int | None
    seal_leaf: bytes | None


class Proofs(Protocol):
    """What is asked of the log; registry.log.reader.LogReader answers it."""

    def prove(self, placed: Iterable[tuple[int | None, bytes | None]]) -> list[LogProof | None]:
        """Prove leaves by position and bytes, all against one checkpoint; None for one that is not logged yet."""
        ...

    def checkpoint(self) -> str:
        """The newest published checkpoint."""
        ...


class Attests(Protocol):
    """What is asked of the stamped checkpoints; registry.log.timestamps.StampedCheckpoints answers it."""

    def attested(self, leaf: bytes, index: int, before: datetime) -> Sequence[EarlyEvidence]:
        """Prove by stamped checkpoints that a leaf was in the log before a moment."""
        ...


class Tokens(Protocol):
    """What is asked of the status lists; registry.status.publisher.StatusLists answers it."""

    def token(self, list_number: int) -> bytes:
        """The newest published status list, a CWT."""
        ...


class NotPrinted(RefusedError):
    """The credential is reserved, but its PDF is not stored yet."""

    code = "not-printed"

    def __init__(self, serial: str) -> None:
        super().__init__(
            f"the certificate {serial} is not printed yet; resume its batch", f"证书 {serial} 尚未制作完成;请继续该批次"
        )


class RegistrySource:
    """Answers from the database, the log and the published status lists.

    Every method raises UnavailableError when a store does not answer; an
    erased credential is not found any more.

    Args:
        database: of the registry.
        vault: opens records.
        proofs: of the log.
        tokens: of the status lists.
        attests: stamped checkpoints; None where no authority was ever asked for one.
    """

    def __init__(
        self, database: Database, vault: Vault, proofs: Proofs, tokens: Tokens, attests: Attests | None = None
    ) -> None:
        self._database = database
        self._vault = vault
        self._proofs = proofs
        self._tokens = tokens
        self._attests = attests

    def by_digest(self, digest: bytes) -> RegisteredCredential | None:
        """Find by SHA-256 of an exact stored PDF."""
        found = self._find(_BY_DIGEST, digest)
        return found[0] if found else None

    def by_code(self, code: str) -> RegisteredCredential | None:
        """Find by verification code, 16 characters in canonical form."""
        found = self._find(_BY_CODE, self._vault.blind("code", code))
        return found[0] if found else None

    def by_serial(self, serial: str) -> Sequence[RegisteredCredential]:
        """Find all versions under a serial (several issuers may use the same), newest first."""
        return self._find(_BY_SERIAL, askable(serial))

    def candidates(self, serial: str) -> Sequence[RegisteredCredential]:
        """Find all versions under a serial, newest first, and fill up to ``CANDIDATES`` with others.

        Others come from a place in the register that depends on the serial, so
        that they are as seldom in memory as it is. Statements, decryptions and
        proofs are as many whether the serial exists or not, and whatever became
        of it; more versions than ``CANDIDATES`` take longer.
        """
        serial = askable(serial)
        start = int.from_bytes(self._vault.blind("candidates", serial)[: _FRACTION_BITS // 8])
        with self._database.reading() as session:
            found = _found(session, _BY_SERIAL, serial)
            missing = max(0, CANDIDATES - len(_ids(found)))
            others = _found(session, _OTHERS[missing], start)
            changes = {id_: _rows(session, _CHANGES, id_) for id_ in [*_ids(found), *_ids(others)]}
        return [*self._open_all(found, changes), *self._open_all(others, changes)]

    def erased(self, digest: bytes) -> ErasedCredential | None:
        """Find one that was erased, by SHA-256 of an exact stored PDF or of the payload of its claims."""
        return find_erased(self._database, digest)

    def checkpoint(self) -> str:
        """The newest published checkpoint of the log, a C2SP signed note."""
        return self._proofs.checkpoint()

    def attested(self, leaf: bytes, index: int, before: datetime) -> Sequence[EarlyEvidence]:
        """Prove by stamped checkpoints that a leaf was in the log before a moment."""
        return () if self._attests is None else self._attests.attested(leaf, index, before)

    def status_token(self, list_number: int) -> bytes:
        """The newest published status list, a CWT (tagged COSE_Sign1)."""
        return self._tokens.token(list_number)

    def _find(self, statement: Select[Any], wanted: bytes | str) -> list[RegisteredCredential]:
        rows = [_Found._make(row) for row in self._database.look_up(statement, wanted)]
        if not any(row.has_changed for row in rows):
            return self._open_all(rows, {})
        with self._database.reading() as session:  # one state of the database for credentials and changes
            rows = _found(session, statement, wanted)
            changes = {row.id: _rows(session, _CHANGES, row.id) for row in rows}
        return self._open_all(rows, changes)

    def _open_all(self, rows: list[_Found], changes: Mapping[int, Sequence[Row[Any]]]) -> list[RegisteredCredential]:
        found = []
        for _, files in groupby(rows, key=attrgetter("id")):
            row, *more = files
            try:
                key = self._vault.open_key(record_owner(row.batch_id, row.row_number), row.wrapped)
            except RecordErased:
                continue
            found.append(self._opened([row, *more], key, changes.get(row.id, ())))
        return found

    def _opened(self, rows: list[_Found], key: RecordKey, changes: Sequence[Row[Any]]) -> RegisteredCredential:
        """Put a credential together from its rows, one for each file, or one without a file."""
        row = rows[0]
        claims, _ = open_sealed(key, cast("Row[Any]", row))
        files = [one for one in rows if one.file_digest is not None]
        issue_proof, *seal_proofs = self._proofs.prove(
            [(row.issue_position, row.issue_leaf), *((one.seal_position, one.seal_leaf) for one in files)]
        )
        return RegisteredCredential(
            claims=claims,
            state=State(row.state),
            changes=tuple(_change(entry, key) for entry in changes),
            superseded_by=_link(row.newer_serial, row.newer_version),
            supersedes=_link(row.older_serial, row.older_version),
            files=tuple(
                RegisteredFile(one.file_digest or b"", one.file_length or 0, proof or "")
                for one, proof in zip(files, seal_proofs, strict=True)
            ),
            issue_proof=issue_proof or "",
            status_list=row.status_list,
            status_index=row.status_index,
            issued=bool(files),
        )


class DocumentStore:
    """Hands out the exact stored PDFs; for the issuing side and for holders who proved who they are."""

    def __init__(self, database: Database, vault: Vault, blobs: Blobs) -> None:
        self._database = database
        self._vault = vault
        self._blobs = blobs

    def fetch_pdf(self, serial: str, *, issuer_id: str | None = None, version: int | None = None) -> bytes:
        """The newest revision of a credential's PDF: byte for byte as it was signed, and the evidence added since.

        Args:
            serial: of the credential.
            issuer_id: needed where several issuers use the serial.
            version: the newest that is printed when None.

        Raises:
            UnknownSerial: there is no such credential, or several issuers have one.
            NotPrinted: it is reserved only.
            RecordErased: its key was destroyed.
            UnavailableError: a store does not answer, or what it holds is damaged.
        """
        with self._database.reading() as session:
            row, wrapped = self._credential(session, serial, issuer_id, version)
            query = (
                select(CredentialFileRow, PackRow.kind, PackRow.name)
                .join(PackRow, col(PackRow.id) == CredentialFileRow.pack_id)
                .where(CredentialFileRow.credential_id == row.id)
                .order_by(col(CredentialFileRow.revision))
            )
            files = session.exec(query).all()
        if not files:
            raise NotPrinted(serial)
        newest, _, pack_name = files[-1]
        key = open_record_key(self._vault, row, wrapped)
        pieces = [Piece(kind, name, one.pack_offset, one.pack_length) for one, kind, name in files]
        parts = open_pieces(self._blobs, key, row.row_number, pieces)
        document = b"".join((read_prefix(self._blobs, newest.prefix_digest), *parts))
        if hashlib.sha256(document).digest() != newest.digest:
            raise PackDamaged(pack_name, f"gives another file for {serial}", f"中 {serial} 的文件与登记不符")
        return document

    def _credential(
        self, session: Session, serial: str, issuer_id: str | None, version: int | None
    ) -> tuple[CredentialRow, bytes | None]:
        query = (
            select(CredentialRow, RecordKeyRow.wrapped)
            .join(
                RecordKeyRow,
                (col(RecordKeyRow.batch_id) == CredentialRow.batch_id)
                & (col(RecordKeyRow.row_number) == CredentialRow.row_number),
            )
            .where(CredentialRow.serial == askable(serial))
            .order_by(_IS_PRINTED.desc(), col(CredentialRow.version).desc())
        )
        if issuer_id is not None:
            query = query.where(CredentialRow.issuer_id == issuer_id)
        if version is not None:
            query = query.where(CredentialRow.version == version)
        found = session.exec(query).all()
        if not found or len({row.issuer_id for row, _ in found}) > 1:
            raise UnknownSerial(serial)
        return found[0][0], found[0][1]


def _rows(session: Session, statement: Select[Any], wanted: bytes | str | int) -> Sequence[Row[Any]]:
    return session.connection().execute(statement, {"wanted": wanted}).all()


def _found(session: Session, statement: Select[Any], wanted: bytes | str | int) -> list[_Found]:
    return [_Found._make(row) for row in _rows(session, statement, wanted)]


def _ids(rows: list[_Found]) -> list[int]:
    return list(dict.fromkeys(row.id for row in rows))


def _change(entry: Row[Any], key: RecordKey) -> Change:
    details = {} if entry.details is None else key.open(entry.details, details_place(entry.sequence))
    return Change(
        state=State(entry.state or State.OTHER),
        effective_on=entry.effective_on or entry.recorded_at.date(),
        recorded_at=entry.recorded_at,
        reason=entry.reason,
        decision=details.get("decision", ""),
    )


def _link(serial: str | None, version: int | None) -> Link | None:
    return None if serial is None or version is None else Link(serial, version)
