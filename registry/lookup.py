"""The registry as a verifier and a holder see it: find a credential, open what its reader needs.

Implements credential.ports.CredentialSource. Nothing here decides whether a
credential is good: that is the verifier's, who checks every signature and proof.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Executable, Row, bindparam
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from credential.errors import RefusedError
from credential.model import State
from credential.ports import Blobs, Change, Link, RegisteredCredential, RegisteredFile
from registry.columns import table_of
from registry.credentials import UnknownSerial, open_record_key, open_sealed
from registry.database import Database
from registry.history import HistoryKind, details_place
from registry.log.reader import NotLogged
from registry.packs import PackDamaged, item_place
from registry.prefixes import read_prefix
from registry.tables import CredentialFileRow, CredentialRow, HistoryRow, PackRow, RecordKeyRow
from registry.vault import RecordErased, RecordKey, Vault

# A verifier's statements are put together once: SQLAlchemy takes longer for that than SQLite for the answer.
_CREDENTIAL, _FILE = table_of(CredentialRow), table_of(CredentialFileRow)
_KEY, _HISTORY = table_of(RecordKeyRow), table_of(HistoryRow)
_FOUND = (
    select_columns(_CREDENTIAL, _KEY.c.wrapped)
    .join_from(
        _CREDENTIAL,
        _KEY,
        (_KEY.c.batch_id == _CREDENTIAL.c.batch_id) & (_KEY.c.row_number == _CREDENTIAL.c.row_number),
    )
    .order_by(_CREDENTIAL.c.version.desc(), _CREDENTIAL.c.id.desc())
)
_OF_FILE = select_columns(_FILE.c.credential_id).where(_FILE.c.digest == bindparam("wanted"))
_BY_DIGEST = _FOUND.where(_CREDENTIAL.c.id.in_(_OF_FILE))
_BY_CODE = _FOUND.where(_CREDENTIAL.c.code_index == bindparam("wanted"))
_BY_SERIAL = _FOUND.where(_CREDENTIAL.c.serial == bindparam("wanted"))
_LINK = select_columns(_CREDENTIAL.c.serial, _CREDENTIAL.c.version).where(_CREDENTIAL.c.id == bindparam("wanted"))
_IS_PRINTED = select_columns(_FILE.c.id).where(_FILE.c.credential_id == _CREDENTIAL.c.id).exists()
_FILES = (
    select_columns(_FILE.c.digest, _FILE.c.length, _FILE.c.seal_leaf)
    .where(_FILE.c.credential_id == bindparam("wanted"))
    .order_by(_FILE.c.revision)
)
_CHANGES = (
    select_columns(_HISTORY)
    .where(_HISTORY.c.credential_id == bindparam("wanted"), _HISTORY.c.kind == HistoryKind.STATE_CHANGED.value)
    .order_by(_HISTORY.c.sequence)
)


class Proofs(Protocol):
    """What is asked of the log; registry.log.reader.LogReader answers it."""

    def proofs(self, leaf_ids: Sequence[int]) -> list[str]:
        """The C2SP tlog-proofs of some leaves; raises NotLogged while one of them has none."""
        ...

    def checkpoint(self) -> str:
        """The newest published checkpoint."""
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
    """

    def __init__(self, database: Database, vault: Vault, proofs: Proofs, tokens: Tokens) -> None:
        self._database = database
        self._vault = vault
        self._proofs = proofs
        self._tokens = tokens

    def by_digest(self, digest: bytes) -> RegisteredCredential | None:
        """Find by SHA-256 of an exact stored PDF."""
        with self._database.reading() as session:
            found = self._find(session, _BY_DIGEST, digest)
        return found[0] if found else None

    def by_code(self, code: str) -> RegisteredCredential | None:
        """Find by verification code, 16 characters in canonical form."""
        with self._database.reading() as session:
            found = self._find(session, _BY_CODE, self._vault.blind("code", code))
        return found[0] if found else None

    def by_serial(self, serial: str) -> Sequence[RegisteredCredential]:
        """Find all versions under a serial (several issuers may use the same), newest first."""
        with self._database.reading() as session:
            return self._find(session, _BY_SERIAL, serial)

    def checkpoint(self) -> str:
        """The newest published checkpoint of the log, a C2SP signed note."""
        return self._proofs.checkpoint()

    def status_token(self, list_number: int) -> bytes:
        """The newest published status list, a CWT (tagged COSE_Sign1)."""
        return self._tokens.token(list_number)

    def _find(self, session: Session, statement: Executable, wanted: bytes | str) -> list[RegisteredCredential]:
        found = []
        for row in _rows(session, statement, wanted):
            try:
                key = open_record_key(self._vault, row, row.wrapped)
            except RecordErased:
                continue
            found.append(self._opened(session, row, key))
        return found

    def _opened(self, session: Session, row: Row[Any], key: RecordKey) -> RegisteredCredential:
        claims, _ = open_sealed(key, row)
        files = _rows(session, _FILES, row.id)
        issue_proof, *seal_proofs = self._prove([row.issue_leaf, *(one.seal_leaf for one in files)])
        return RegisteredCredential(
            claims=claims,
            state=State(row.state),
            changes=_changes(session, row, key),
            superseded_by=_link(session, row.superseded_by_id),
            supersedes=_link(session, row.supersedes_id),
            files=tuple(
                RegisteredFile(one.digest, one.length, proof) for one, proof in zip(files, seal_proofs, strict=True)
            ),
            issue_proof=issue_proof,
            status_list=row.status_list,
            status_index=row.status_index,
            issued=bool(files),
        )

    def _prove(self, leaf_ids: list[int]) -> list[str]:
        """Prove each leaf; an empty text stands for one that is not logged yet."""
        try:
            return self._proofs.proofs(leaf_ids)
        except NotLogged:
            if len(leaf_ids) == 1:
                return [""]
            return [self._prove([leaf_id])[0] for leaf_id in leaf_ids]


class DocumentStore:
    """Hands out the exact stored PDFs; for the issuing side and for holders who proved who they are."""

    def __init__(self, database: Database, vault: Vault, blobs: Blobs) -> None:
        self._database = database
        self._vault = vault
        self._blobs = blobs

    def fetch_pdf(self, serial: str, *, issuer_id: str | None = None, version: int | None = None) -> bytes:
        """The newest revision of a credential's PDF, byte for byte as it was signed.

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
                select(CredentialFileRow, PackRow.name)
                .join(PackRow, col(PackRow.id) == CredentialFileRow.pack_id)
                .where(CredentialFileRow.credential_id == row.id)
                .order_by(col(CredentialFileRow.revision).desc())
            )
            newest = session.exec(query).first()
        if newest is None:
            raise NotPrinted(serial)
        file, pack_name = newest
        key = open_record_key(self._vault, row, wrapped)
        sealed = self._blobs.read(pack_name, file.pack_offset, file.pack_length)
        tail = key.open_bytes(sealed, item_place("tail", pack_name, row.row_number))
        document = read_prefix(self._blobs, file.prefix_digest) + tail
        if hashlib.sha256(document).digest() != file.digest:
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
            .where(CredentialRow.serial == serial)
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


def _rows(session: Session, statement: Executable, wanted: bytes | str | int) -> Sequence[Row[Any]]:
    return session.connection().execute(statement, {"wanted": wanted}).all()


def _changes(session: Session, row: Row[Any], key: RecordKey) -> tuple[Change, ...]:
    changes = []
    for entry in _rows(session, _CHANGES, row.id):
        details = {} if entry.details is None else key.open(entry.details, details_place(entry.sequence))
        changes.append(
            Change(
                state=State(entry.state or State.OTHER),
                effective_on=entry.effective_on or entry.recorded_at.date(),
                recorded_at=entry.recorded_at,
                reason=entry.reason,
                decision=details.get("decision", ""),
            )
        )
    return tuple(changes)


def _link(session: Session, credential_id: int | None) -> Link | None:
    if credential_id is None:
        return None
    row = _rows(session, _LINK, credential_id)[0]
    return Link(row.serial, row.version)
