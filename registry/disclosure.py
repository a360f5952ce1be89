"""Open the log's commitments for auditors: which leaf stands for what, and under which salt.

Erased people stay erased: the salts of their leaves were in the claims. What
an auditor is given names serials; it is for the auditor only.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, true
from sqlalchemy import select as select_columns
from sqlmodel import Session

from credential.cbor import encode
from credential.claims import decode_claims
from credential.cose import open_message
from credential.leaves import PUBLIC_SALT, LeafKind, StatusChange, leaf_start, opened_leaf, status_content
from credential.model import State, status_value
from registry.batches import record_owner
from registry.columns import askable, table_of
from registry.credentials import open_sealed
from registry.history import HistoryKind, head_salt
from registry.log.openings import Opening
from registry.log.salts import status_salt, void_salt
from registry.log.tables import LogLeafRow
from registry.tables import BatchRowRow, CredentialFileRow, CredentialRow, HistoryRow, IssuerRow, RecordKeyRow, RowState
from registry.vault import RecordErased, Vault

_ROWS_AT_ONCE = 500
_CREDENTIAL, _FILE, _KEY = table_of(CredentialRow), table_of(CredentialFileRow), table_of(RecordKeyRow)
_HISTORY, _ROW, _ISSUER = table_of(HistoryRow), table_of(BatchRowRow), table_of(IssuerRow)
_OLDER = _CREDENTIAL.alias("older")
_LEAF = table_of(LogLeafRow)
_FOUND_BY_BYTES = (
    LeafKind.REISSUE,
    LeafKind.STATUS,
    LeafKind.HISTORY,
    LeafKind.STATUS_LIST,
    LeafKind.KEY,
    LeafKind.TRUST_LIST,
)
"""Kinds of which the registry does not keep where the leaf is: few beside issues and seals."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be opened: one serial, one batch, or everything.

    Attributes:
        serial: all versions under it; with ``issuer_id`` where several issuers may use it.
        batch_id: what came of one batch.
    """

    serial: str | None = None
    issuer_id: str | None = None
    batch_id: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing narrows it."""
        return self.serial is None and self.batch_id is None

    def of(self, table: type[CredentialRow] | type[BatchRowRow]) -> ColumnElement[bool]:
        """The rows of a table that are meant."""
        columns = table_of(table).c
        wanted: ColumnElement[bool] = true()
        if self.serial is not None:
            wanted &= columns.serial == askable(self.serial)
        if self.issuer_id is not None:
            wanted &= columns.issuer_id == self.issuer_id
        if self.batch_id is not None:
            wanted &= columns.batch_id == self.batch_id
        return wanted


class Disclosure:
    """Opens leaves in one state of the database.

    Args:
        session: read only; all of it is of one moment.
        vault: holds the salts that are not in claims, and opens those that are.
        status_uri: address of a status list by its number.
        size: of the log that the openings are for; later leaves are left out.
    """

    def __init__(self, session: Session, vault: Vault, status_uri: Callable[[int], str], size: int) -> None:
        self._session = session
        self._vault = vault
        self._status_uri = status_uri
        self._size = size
        self.erased = 0

    def openings(self, scope: Scope, public: Iterable[tuple[LeafKind, bytes, str]] = ()) -> Iterator[Opening]:
        """Open what a scope covers, in no particular order.

        Args:
            scope: what is wanted.
            public: kind, content and name of things that have no secret salt (lists,
                keys), as they are published; looked for when everything is wanted.
        """
        yield from self._of_credentials(scope)
        yield from self._of_files(scope)
        yield from self._of_voids(scope)
        yield from self._of_changes(scope)
        if scope.is_all:
            yield from self._of_history()
            named = {(kind, content): about for kind, content, about in public}
            for (kind, content), about in named.items():
                yield from self._by_bytes(kind, PUBLIC_SALT, content, about)

    def count_logged(self) -> Counter[LeafKind]:
        """Count the leaves of the log by kind."""
        counts: Counter[LeafKind] = Counter()
        for kind in LeafKind:
            start = leaf_start(kind)
            query = select_columns(func.count()).where(
                _LEAF.c.position < self._size, func.substr(_LEAF.c.leaf, 1, len(start)) == start
            )
            counts[kind] = self._session.execute(query).scalar_one()
        return counts

    def _of_credentials(self, scope: Scope) -> Iterator[Opening]:
        query = (
            select_columns(_CREDENTIAL, _KEY.c.wrapped, _LEAF.c.position, _OLDER.c.claims_digest.label("older_digest"))
            .join(_KEY, (_KEY.c.batch_id == _CREDENTIAL.c.batch_id) & (_KEY.c.row_number == _CREDENTIAL.c.row_number))
            .join(_LEAF, _LEAF.c.id == _CREDENTIAL.c.issue_leaf)
            .outerjoin(_OLDER, _OLDER.c.id == _CREDENTIAL.c.supersedes_id)
            .where(scope.of(CredentialRow))
            .order_by(_CREDENTIAL.c.id)
        )
        for row in self._rows(query):
            salt = self._claims_salt(row)
            if salt is None:
                continue
            about = _named(row)
            yield from self._at(row.position, LeafKind.ISSUE, salt, encode([row.claims_digest]), about)
            if row.older_digest is not None:
                content = encode([row.claims_digest, row.older_digest])
                yield from self._by_bytes(LeafKind.REISSUE, salt, content, about)

    def _of_files(self, scope: Scope) -> Iterator[Opening]:
        original = _FILE.alias("original")
        query = (
            select_columns(
                _CREDENTIAL,
                _KEY.c.wrapped,
                _LEAF.c.position,
                _FILE.c.revision,
                _FILE.c.digest,
                original.c.digest.label("original_digest"),
            )
            .join(_KEY, (_KEY.c.batch_id == _CREDENTIAL.c.batch_id) & (_KEY.c.row_number == _CREDENTIAL.c.row_number))
            .join(_FILE, _FILE.c.credential_id == _CREDENTIAL.c.id)
            .join(original, (original.c.credential_id == _CREDENTIAL.c.id) & (original.c.revision == 0))
            .join(_LEAF, _LEAF.c.id == _FILE.c.seal_leaf)
            .where(scope.of(CredentialRow))
            .order_by(_FILE.c.id)
        )
        for row in self._rows(query):
            salt = self._claims_salt(row, count=False)
            if salt is None:
                continue
            if row.revision:
                kind, content = LeafKind.RENEWAL, encode([row.digest, row.original_digest])
            else:
                kind, content = LeafKind.SEAL, encode([row.digest])
            yield from self._at(row.position, kind, salt, content, _named(row))

    def _of_voids(self, scope: Scope) -> Iterator[Opening]:
        query = (
            select_columns(_ROW.c.issuer_id, _ROW.c.serial, _ROW.c.reason, _ISSUER.c.uscc, _LEAF.c.position)
            .join(_ISSUER, _ISSUER.c.id == _ROW.c.issuer_id)
            .join(_LEAF, _LEAF.c.id == _ROW.c.void_leaf)
            .where(scope.of(BatchRowRow), _ROW.c.state == RowState.VOID)
            .order_by(_ROW.c.batch_id, _ROW.c.row_number)
        )
        for row in self._rows(query):
            salt = void_salt(self._vault, row.issuer_id, row.serial)
            content = encode([row.uscc, row.serial, row.reason])
            yield from self._at(row.position, LeafKind.VOID, salt, content, f"serial {row.serial}")

    def _of_changes(self, scope: Scope) -> Iterator[Opening]:
        query = (
            select_columns(
                _CREDENTIAL,
                _HISTORY.c.sequence,
                _HISTORY.c.state.label("new_state"),
                _HISTORY.c.effective_on,
                _HISTORY.c.recorded_at,
            )
            .join(_HISTORY, _HISTORY.c.credential_id == _CREDENTIAL.c.id)
            .where(scope.of(CredentialRow), _HISTORY.c.kind == HistoryKind.STATE_CHANGED)
            .order_by(_HISTORY.c.sequence)
        )
        for row in self._rows(query):
            state = State(row.new_state)
            salt = status_salt(self._vault, row.sequence)
            about = f"{_named(row)}, history {row.sequence}"
            # Whether it was superseded at that time is not kept; the log says which of the two it was.
            for value in {status_value(state, superseded=superseded) for superseded in (False, True)}:
                change = StatusChange(
                    self._status_uri(row.status_list),
                    row.status_index,
                    state,
                    value,
                    row.effective_on,
                    row.recorded_at,
                )
                yield from self._by_bytes(LeafKind.STATUS, salt, status_content(change), about)

    def _of_history(self) -> Iterator[Opening]:
        for row in self._rows(select_columns(_HISTORY.c.sequence, _HISTORY.c.digest).order_by(_HISTORY.c.sequence)):
            salt = head_salt(self._vault, row.sequence)
            content = encode([row.digest, row.sequence])
            yield from self._by_bytes(LeafKind.HISTORY, salt, content, f"history {row.sequence}")

    def _claims_salt(self, row: Row[Any], *, count: bool = True) -> bytes | None:
        try:
            key = self._vault.open_key(record_owner(row.batch_id, row.row_number), row.wrapped)
        except RecordErased:
            self.erased += count
            return None
        message, _ = open_sealed(key, row)
        return decode_claims(open_message(message).payload).salt

    def _at(self, position: int | None, kind: LeafKind, salt: bytes, content: bytes, about: str) -> Iterator[Opening]:
        if position is not None and position < self._size:
            yield Opening(position, kind, salt, content, about)

    def _by_bytes(self, kind: LeafKind, salt: bytes, content: bytes, about: str) -> Iterator[Opening]:
        position = self._placed.get(opened_leaf(kind, salt, content))
        return self._at(position, kind, salt, content, about)

    @cached_property
    def _placed(self) -> Mapping[bytes, int]:
        """Where the leaves are whose place the registry does not keep; one pass over the log."""
        placed: dict[bytes, int] = {}
        for kind in _FOUND_BY_BYTES:
            start = leaf_start(kind)
            query = select_columns(_LEAF.c.leaf, _LEAF.c.position).where(
                func.substr(_LEAF.c.leaf, 1, len(start)) == start, _LEAF.c.position.is_not(None)
            )
            placed |= {row.leaf: row.position for row in self._rows(query)}
        return placed

    def _rows(self, query: Select[Any]) -> Iterator[Row[Any]]:
        with self._session.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)) as rows:
            yield from rows


def _named(row: Row[Any]) -> str:
    return f"serial {row.serial}/{row.version}"
