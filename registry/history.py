"""Append to the registry's history, each entry chained to the one before it by digest.

An entry's digest covers its details as they are stored, sealed: erasing a
person leaves the chain whole. The record format is in docs/formats-registry.md.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

import cbor2
from sqlalchemy import func, text
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from credential.errors import UnavailableError
from credential.leaves import SALT_BYTES, history_leaf
from credential.model import State
from registry.columns import table_of
from registry.log.outbox import put_leaves
from registry.log.tables import LogLeafRow
from registry.tables import HistoryRow
from registry.vault import RecordKey, Vault, place

DOMAIN = "yinzheng/history/v1"
"""First item of what an entry's digest covers, so that it can be no other digest of ours."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

GENESIS = bytes(32)
"""The ``previous`` of the first entry."""

_LEAVES = table_of(LogLeafRow)
_LEAF_START = history_leaf(GENESIS, 0, bytes(SALT_BYTES))[: -len(GENESIS)]  # says the kind; the commitment follows


class HistoryKind(StrEnum):
    """What happened."""

    BATCH_SUBMITTED = "batch-submitted"
    BATCH_APPROVED = "batch-approved"
    BATCH_CANCELLED = "batch-cancelled"
    CHUNK_ISSUED = "chunk-issued"
    STATE_CHANGED = "state-changed"
    SUCCEEDED = "succeeded"  # a credential took the place of another, whose own entry is state-changed
    ERASED = "erased"  # a person's key was destroyed
    # Of the whole service, by its operator: no issuer and no maker stands in these.
    KEY_MADE = "key-made"
    KEY_CERTIFIED = "key-certified"
    KEY_ACTIVATED = "key-activated"
    KEY_RETIRED = "key-retired"
    KEY_COMPROMISED = "key-compromised"
    CERTIFICATE_REVOKED = "key-certificate-revoked"  # X.509, by the own CA
    TRUST_LIST_PUBLISHED = "trust-list-published"
    BACKED_UP = "system-backed-up"
    RESTORED = "system-restored"


class HistoryTampered(UnavailableError):
    """The history is not the one that the log has committed to."""

    code = "history-tampered"

    def __init__(self, entries: int, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the history of {entries} entries is not the one in the log: {why_en}; find out who wrote to the "
            "database, then restore it from a backup",
            f"历史记录(共 {entries} 条)与日志不符: {why_zh}; 请查明数据库被何人改动, 并从备份恢复",
        )
        self.entries = entries


class HistoryBroken(UnavailableError):
    """The chain of history does not hold: an entry was changed, removed or put in."""

    code = "history-broken"

    def __init__(self, sequence: int) -> None:
        super().__init__(
            f"the history is broken at entry {sequence}; restore the database from a backup",
            f"历史记录在第 {sequence} 条处断裂;请从备份恢复数据库",
        )
        self.sequence = sequence


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, before it is chained.

    Attributes:
        subject: what it happened to, in words that outlive the database: ``batch 7``
            or ``serial 3302…/1``.
        issuer_id: None for what concerns the whole service (kinds ``key-*``, ``trust-*``, ``system-*``).
        maker: None, for the same kinds only, when no registered person is named.
        effective_on: the day it counts from, Beijing time.
        details: sealed under ``key``; personal data may stand here only.
        key: of the record it is about; needed when there are details.
    """

    kind: HistoryKind
    issuer_id: str | None
    subject: str
    recorded_at: datetime
    maker: str | None
    checker: str | None = None
    batch_id: int | None = None
    credential_id: int | None = None
    state: State | None = None
    reason: str = ""
    effective_on: date | None = None
    details: Mapping[str, Any] | None = None
    key: RecordKey | None = None


def append(session: Session, entry: Entry) -> HistoryRow:
    """Chain an entry to the newest one, in the caller's transaction."""
    sequence, previous = _head(session, lock=True)
    sequence += 1
    details = None
    if entry.details is not None and entry.key is not None:
        details = entry.key.seal(entry.details, details_place(sequence))
    row = HistoryRow(
        sequence=sequence,
        previous=previous,
        digest=b"",
        kind=entry.kind,
        issuer_id=entry.issuer_id,
        subject=entry.subject,
        batch_id=entry.batch_id,
        credential_id=entry.credential_id,
        state=entry.state,
        reason=entry.reason,
        effective_on=entry.effective_on,
        recorded_at=entry.recorded_at,
        maker=entry.maker,
        checker=entry.checker,
        details=details,
    )
    row.digest = entry_digest(row)
    session.add(row)
    session.flush()
    return row


def details_place(sequence: int) -> bytes:
    """Name the place that an entry's details are sealed for."""
    return place("history", str(sequence), "details")


def entry_digest(row: HistoryRow) -> bytes:
    """Compute what chains an entry: SHA-256 over its deterministic CBOR."""
    moment = (row.recorded_at - _EPOCH) // timedelta(microseconds=1)
    covered = [
        DOMAIN,
        row.sequence,
        row.previous,
        row.kind,
        row.issuer_id,
        row.subject,
        row.batch_id,
        row.credential_id,
        None if row.state is None else str(row.state),
        row.reason,
        None if row.effective_on is None else row.effective_on.isoformat(),
        moment,
        row.maker,
        row.checker,
        None if row.details is None else hashlib.sha256(row.details).digest(),
    ]
    return hashlib.sha256(cbor2.dumps(covered, canonical=True)).digest()


def head(session: Session) -> tuple[int, bytes]:
    """The newest entry's sequence number and digest; 0 and :data:`GENESIS` when there is none."""
    return _head(session, lock=False)


def log_head(session: Session, vault: Vault) -> None:
    """Commit to the newest entry in the log, in the caller's transaction: what is cut off later is found."""
    sequence, digest = head(session)
    put_leaves(session, [history_leaf(digest, sequence, head_salt(vault, sequence))])


def head_salt(vault: Vault, sequence: int) -> bytes:
    """The salt of the leaf that commits to the head; an auditor is given it with the head."""
    return vault.blind("history-leaf", str(sequence))[:SALT_BYTES]


def verify_history(session: Session) -> int:
    """Walk the whole chain; returns how many entries it has.

    What was cut from its end is found only against a head that the log has seen.

    Raises:
        HistoryBroken: an entry is missing or was changed.
    """
    sequence, previous = 0, GENESIS
    query = select(HistoryRow).order_by(col(HistoryRow.sequence)).execution_options(yield_per=1000)
    with session.exec(query) as rows:
        for row in rows:
            sequence += 1
            if row.sequence != sequence or row.previous != previous or row.digest != entry_digest(row):
                raise HistoryBroken(sequence)
            previous = row.digest
    return sequence


def check_length(session: Session) -> None:
    """Compare only how many entries there are with how many heads the log was given; needs no key.

    Raises:
        HistoryTampered: the log was given more.
    """
    # The log first: an entry that another process commits in between makes the history longer, never shorter.
    heads = len(_heads_in_log(session))
    entries = head(session)[0]
    if heads > entries:
        raise _cut(entries, heads)


def verify_logged_history(session: Session, vault: Vault) -> int:
    """Walk the whole chain, and hold every entry against its leaf; returns how many entries it has.

    Nobody without the master key can make the leaves of another history. That
    the leaves are those of the log is for :func:`registry.log.reader.verify_log` to say.

    Raises:
        HistoryBroken: an entry is missing or was changed.
        HistoryTampered: the chain was made anew, or its end was cut off.
    """
    entries = verify_history(session)
    heads = _heads_in_log(session)
    count = len(heads)
    for sequence, digest in session.exec(select(HistoryRow.sequence, HistoryRow.digest)):
        leaf = history_leaf(digest, sequence, head_salt(vault, sequence))
        if leaf not in heads:
            raise HistoryTampered(entries, f"entry {sequence} is another one", f"第 {sequence} 条不是原来的记录")
        heads.remove(leaf)
    if heads:
        raise _cut(entries, count)
    return entries


def newest_change(session: Session, credential_id: int) -> HistoryRow | None:
    """The last change of a credential's state, if there was one."""
    query = select(HistoryRow).where(
        HistoryRow.credential_id == credential_id, HistoryRow.kind == HistoryKind.STATE_CHANGED
    )
    return session.exec(query.order_by(col(HistoryRow.sequence).desc()).limit(1)).first()


def _heads_in_log(session: Session) -> set[bytes]:
    """The leaves of history heads: one for each entry, put in the transaction of the entry."""
    start = func.substr(_LEAVES.c.leaf, 1, len(_LEAF_START))
    return set(session.execute(sql_select(_LEAVES.c.leaf).where(start == _LEAF_START)).scalars())


def _cut(entries: int, heads: int) -> HistoryTampered:
    return HistoryTampered(
        entries, f"the log was given {heads}; its end was cut off", f"日志已有 {heads} 条, 末尾被删除"
    )


def _head(session: Session, *, lock: bool) -> tuple[int, bytes]:
    query = select(HistoryRow.sequence, HistoryRow.digest).order_by(col(HistoryRow.sequence).desc()).limit(1)
    if lock and session.get_bind().dialect.name == "postgresql":
        # Locking the newest row would not do: another may be newest by the time the lock is given.
        session.execute(text("LOCK TABLE history IN EXCLUSIVE MODE"))
    newest = session.exec(query).first()
    return (0, GENESIS) if newest is None else (newest[0], newest[1])
