"""Checkpoints that time-stamping authorities vouched for: kept, published beside the log, looked up.

When a signing key is stolen, what it signed before stays good if a stamped
checkpoint proves it older (DESIGN 7). Kept are the exact note and the token over
it, for each log key and authority. Public, so that nobody has to ask us::

    timestamps/<size>-<key id>/<authority>.checkpoint  the signed note, byte for byte
    timestamps/<size>-<key id>/<authority>.tst         RFC 3161 TimeStampToken, DER

as ``openssl ts -verify -token_in -in x.tst -data x.checkpoint`` takes them. Each
authority has a note of its own, since witnesses may have cosigned in between.

After a restore the log goes on from the restored tree under a new name. What was
stamped under a former name counts on, as far as the tree is the same: else a theft
that is noticed after a restore would make everything from before it unknown.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.exc import IntegrityError

from credential.merkle import LogProof
from credential.note import BadCheckpoint, BadNote, parse_checkpoint, parse_note
from credential.ports import EarlyEvidence
from registry.columns import table_of
from registry.database import Database
from registry.log.files import replace_durably
from registry.log.paths import Head, TileCache
from registry.log.tables import CheckpointTimestampRow, LogHeadRow
from registry.log.tiles import LogDamaged, TileFolder

FOLDER = "timestamps"
NOTE, STAMP = ".checkpoint", ".tst"

_ROWS, _HEAD_ROWS = table_of(CheckpointTimestampRow), table_of(LogHeadRow)
_NOT_IN_NAMES = re.compile(r"[^a-z0-9.-]")
_HEADS = 8  # kept with the tiles at their borders; all certificates of some weeks need one and the same
_LOOKED_BACK = 50  # rows whose files are looked for at each stamping


@dataclass(frozen=True, slots=True)
class Stamp:
    """One authority's word for one signed checkpoint.

    Attributes:
        note: the signed checkpoint, verbatim.
        tsa: address of the authority.
        token: RFC 3161 TimeStampToken, DER, over the note; verified by the caller.
        attested_at: the latest moment that it can mean.
        received_at: our own clock's.
    """

    note: str
    tsa: str
    token: bytes
    attested_at: datetime
    received_at: datetime


class StampedCheckpoints:
    """The stamped checkpoints of one log; holds no key, safe to share among threads.

    Args:
        database: of the registry.
        folder: of the log.
        former: names that the log had before restores.
    """

    def __init__(self, database: Database, folder: Path, former: Sequence[str] = ()) -> None:
        self._database = database
        self._folder = folder
        self._former = tuple(former)
        self._tiles = TileFolder(folder)
        self._cache = TileCache(self._tiles)
        self._head = lru_cache(_HEADS)(self._open_head)

    # ---- keeping ------------------------------------------------------------------------------------------------

    def keep(self, stamp: Stamp) -> bool:
        """Store a stamp and publish it; False when one of this authority is there for the same signed head."""
        named = signed_head(stamp.note)
        try:
            with self._database.transaction() as session:
                session.execute(
                    _ROWS.insert().values(
                        origin=named.origin,
                        size=named.size,
                        key_id=named.key_id,
                        note=stamp.note.encode(),
                        tsa=stamp.tsa,
                        token=stamp.token,
                        attested_at=stamp.attested_at,
                        received_at=stamp.received_at,
                    )
                )
            is_new = True
        except IntegrityError:
            is_new = False
        self.publish()
        return is_new

    def publish(self, newest: int | None = _LOOKED_BACK) -> int:
        """Write what is not published yet of the newest stamps, of all when None; returns how many files."""
        query = select(_ROWS).order_by(_ROWS.c.id.desc()).limit(newest)
        with self._database.reading() as session:
            rows = session.execute(query).all()
        files: dict[Path, bytes] = {}
        for row in rows:
            folder = self._folder / FOLDER / f"{row.size}-{row.key_id.hex()}"
            name = tsa_name(row.tsa)
            files |= {folder / f"{name}{NOTE}": row.note, folder / f"{name}{STAMP}": row.token}
        lost = {path: content for path, content in files.items() if not path.is_file()}
        replace_durably(lost)
        return len(lost)

    def stamped_by(self, note: str) -> frozenset[str]:
        """The authorities that stamped this head under the same log key."""
        named = signed_head(note)
        query = select(_ROWS.c.tsa).where(
            _ROWS.c.origin == named.origin, _ROWS.c.size == named.size, _ROWS.c.key_id == named.key_id
        )
        with self._database.reading() as session:
            return frozenset(session.execute(query).scalars())

    def newest(self) -> datetime | None:
        """When the newest stamp was received, by our own clock; None when there is none."""
        with self._database.reading() as session:
            newest: datetime | None = session.execute(select(func.max(_ROWS.c.received_at))).scalar_one()
        return newest

    def covered_before(self, origin: str, moment: datetime) -> int:
        """How many leaves from the first on were stamped before a moment; 0 for none."""
        query = select(func.max(_ROWS.c.size)).where(self._is_of(origin), _ROWS.c.attested_at < moment)
        with self._database.reading() as session:
            return session.execute(query).scalar_one() or 0

    def last_before(self, origin: str, moment: datetime) -> datetime | None:
        """The newest time of a stamp that is older than a moment; None when there is none."""
        query = select(func.max(_ROWS.c.attested_at)).where(self._is_of(origin), _ROWS.c.attested_at < moment)
        with self._database.reading() as session:
            newest: datetime | None = session.execute(query).scalar_one()
        return newest

    # ---- looking up ---------------------------------------------------------------------------------------------

    def attested(self, leaf: bytes, index: int, before: datetime) -> list[EarlyEvidence]:
        """Prove by stamped checkpoints that a leaf was in the log before a moment; see ``CredentialSource``.

        Raises:
            NoCheckpoint: none is published.
            LogDamaged: the tiles are not those that were stamped, or the log was rolled back behind them.
        """
        newest = self._tiles.checkpoint()
        origin = signed_head(newest).origin
        found = []
        for note, token in self._earliest(origin, index, before):
            head = self._head(note)
            path = head.path(index, leaf)
            now = self._head(newest)
            if head.size > now.size:
                raise LogDamaged(
                    f"a checkpoint of {head.size} leaves was stamped, but the published one has {now.size}",
                    f"已加盖时间戳的检查点有 {head.size} 条,而已发布的仅有 {now.size} 条",
                )
            growth = now.consistency(head.size)
            found.append(EarlyEvidence(LogProof(index, path, note), token, growth, newest))
        return found

    def _earliest(self, origin: str, index: int, before: datetime) -> list[tuple[str, bytes]]:
        covers = and_(self._is_of(origin), _ROWS.c.size > index, _ROWS.c.attested_at < before)
        first = (
            select(_ROWS.c.key_id, _ROWS.c.tsa, func.min(_ROWS.c.attested_at).label("moment"))
            .where(covers)
            .group_by(_ROWS.c.key_id, _ROWS.c.tsa)
            .subquery()
        )
        query = (
            select(_ROWS.c.note, _ROWS.c.token)
            .join(
                first,
                (first.c.key_id == _ROWS.c.key_id)
                & (first.c.tsa == _ROWS.c.tsa)
                & (first.c.moment == _ROWS.c.attested_at),
            )
            .where(covers)
            .order_by(_ROWS.c.attested_at, _ROWS.c.size)
        )
        with self._database.reading() as session:
            return [(row.note.decode(), row.token) for row in session.execute(query)]

    def _is_of(self, origin: str) -> ColumnElement[bool]:
        """Whether a row is of the present tree: of the log itself, or of a former one at a size that this tree had."""
        is_here = exists().where(_HEAD_ROWS.c.size == _ROWS.c.size)
        return or_(_ROWS.c.origin == origin, and_(_ROWS.c.origin.in_(self._former), is_here))

    def _open_head(self, note: str) -> Head:
        try:
            return Head(note, parse_checkpoint(parse_note(note).text), self._cache)
        except (BadNote, BadCheckpoint) as error:
            raise LogDamaged(f"a checkpoint cannot be read, {error.en}", "无法读取检查点") from error


@dataclass(frozen=True, slots=True)
class SignedHead:
    """Which head a note is of, and which key of the log signed it; nothing of it is verified."""

    origin: str
    size: int
    key_id: bytes


def signed_head(note: str) -> SignedHead:
    """Read which head a note says it is of, and the log's key that it names.

    Raises:
        LogDamaged: it is no signed checkpoint.
    """
    try:
        parsed = parse_note(note)
        checkpoint = parse_checkpoint(parsed.text)
    except (BadNote, BadCheckpoint) as error:
        raise LogDamaged(f"a checkpoint cannot be read, {error.en}", "无法读取检查点") from error
    own = [one.key_id for one in parsed.signatures if one.name == checkpoint.origin]
    if not own:
        raise LogDamaged("a checkpoint is not signed by its log", "检查点没有日志自身的签名")
    return SignedHead(checkpoint.origin, checkpoint.size, own[0])


def tsa_name(tsa: str) -> str:
    """Name an authority's files: its host, and a few digits that tell two of one host apart."""
    host = _NOT_IN_NAMES.sub("-", (urlsplit(tsa).hostname or "tsa").lower())
    return f"{host}-{hashlib.sha256(tsa.encode()).hexdigest()[:8]}"
