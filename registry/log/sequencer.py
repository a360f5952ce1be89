"""The sequencer: the one writer of the log, and the only holder of its key.

A run, in numbered steps; killed after any of them, the next run goes on:

1. The published checkpoint is compared with the newest committed head. One that
   is ahead of the head, or disagrees with it, stops everything: the database
   was rolled back, or the log forked.
2. The right border of the tree is read from the tiles and must give the head's root.
3. Waiting leaves get positions, shuffled, in one transaction. From here on the
   order is fixed: whoever writes the tiles writes the same bytes.
4. Tiles are written durably.
5. The new head is committed: an INSERT of the next number, so that of two
   sequencers one wins. The loser sees it and goes on from the winner's head.
6. The checkpoint is signed and published. Ed25519 signs the same bytes each
   time, so a second signing of one head cannot disagree with the first.
7. Witnesses are asked to cosign it, and it is published again with what came
   back. None of that is waited for with a lock held, and nothing fails by it.
"""

import copy
import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from credential.merkle import EMPTY_ROOT
from credential.note import Checkpoint
from credential.ports import Signer
from registry.columns import table_of
from registry.database import Database
from registry.log.notes import LogForked, LogRolledBack, PublishedNote, PublishedNotes
from registry.log.paths import Head, TileCache
from registry.log.reader import nobody_counted
from registry.log.tables import LogHeadRow, LogLeafRow
from registry.log.tiles import Edge, LogDamaged, TileFolder

MAX_RUN = 20_000
"""Leaves in one run; bounds memory and the time that one checkpoint waits."""

_HEADS = table_of(LogHeadRow)
_LEAVES = table_of(LogLeafRow)
_SHUFFLE_BYTES = 16
_NEWEST_HEAD = select(_HEADS).order_by(_HEADS.c.number.desc()).limit(1)
_LAST_POSITION = select(func.max(_LEAVES.c.position))
_WAITING = (
    select(_LEAVES.c.id, _LEAVES.c.leaf)
    .where(_LEAVES.c.position.is_(None))
    .order_by(_LEAVES.c.id)
    .limit(bindparam("most"))
    .with_for_update()
)

# One statement for all: a statement a leaf takes twice as long on SQLite, and on PostgreSQL many times as long.
_PLACE_ON_SQLITE = (
    "UPDATE log_leaf SET position = ? + given.key FROM json_each(?) AS given WHERE log_leaf.id = given.value"
)
_PLACE_ON_POSTGRESQL = (
    "UPDATE log_leaf SET position = %s + given.place - 1 "
    "FROM unnest(%s::bigint[]) WITH ORDINALITY AS given(id, place) WHERE log_leaf.id = given.id"
)


class Cosigners(Protocol):
    """Asks the witnesses of a log (C2SP tlog-witness) to cosign its checkpoints; service/cosigning.py."""

    @property
    def threshold(self) -> int:
        """How many witnesses the trust list demands; 0 for none."""
        ...

    def cosign(self, note: str, checkpoint: Checkpoint, prove: Callable[[int], Sequence[bytes]]) -> str:
        """Add to a signed note the cosignatures that it misses.

        Called after the note was published, for every run, new leaves or not:
        ask only witnesses whose line is missing, and bound the time of it.

        Args:
            note: with the log's signature, and the cosignatures of earlier calls.
            checkpoint: what it says.
            prove: gives the consistency proof from an older size, which is at
                most the checkpoint's; checked. A witness that has seen more
                is to be told of loudly: the log was rolled back or forked.

        Returns:
            The same text and log signature, with one line for each witness
            whose cosignature was verified; the note itself when none was. A
            line that is not by a witness of the trust list is left out.
        """
        ...

    def count(self, note: str) -> int:
        """How many witnesses of the trust list cosigned a note, every line verified.

        Raises:
            BadNote: a line by a known key is bad, so that verifiers refuse the note.
        """
        ...


class Log:
    """One log: a table of leaves, a folder of tiles, a key, a name.

    Args:
        database: of the registry.
        folder: for the tiles and the checkpoint; public, any web server may serve it.
        signer: the log's Ed25519 key.
        origin: identity of the log, a URL without scheme.
        random: gives so many random bytes; used to shuffle.
        outside: a second place for the checkpoint, kept apart from backups of the rest.
        cosigners: asks the witnesses; None asks nobody.
        former_keys: older keys of this log, SPKI DER: believed for what is
            published already, never for new heads.
        former_origins: names that the log had before a restore; its first
            head under the present name goes on from the last one under these.
    """

    def __init__(  # noqa: PLR0913 - the parts of a log, each named by the caller
        self,
        database: Database,
        folder: Path,
        signer: Signer,
        origin: str,
        random: Callable[[int], bytes],
        *,
        outside: Path | None = None,
        cosigners: Cosigners | None = None,
        former_keys: Sequence[bytes] = (),
        former_origins: Collection[str] = (),
    ) -> None:
        self._database = database
        self._folder = folder
        self._tiles = TileFolder(folder)
        self._origin = origin
        self._known_origins = frozenset((origin, *former_origins))
        self._random = random
        self._cosigners = cosigners
        count = nobody_counted if cosigners is None else cosigners.count
        self._notes = PublishedNotes(folder, signer, origin, outside, former_keys, count=count)

    @property
    def unwitnessed(self) -> Self:
        """The same log, asking no witness: for what must not wait, such as a revocation.

        The next run of the whole log collects the cosignatures.
        """
        prompt = copy.copy(self)
        prompt._cosigners = None  # noqa: SLF001 - of its own copy
        return prompt

    def sequence(self, now: datetime) -> Checkpoint:
        """Log every waiting leaf and publish the checkpoint; safe to call again at any time.

        Returns:
            The newest published checkpoint; every leaf put before the call is under it.

        Raises:
            LogRolledBack: the published checkpoint is ahead of the database.
            LogForked: it is of another tree, or not signed by this log's key.
            LogDamaged: tiles are missing or were changed.
            UnavailableError: the database or the key store does not answer.
        """
        edge = self._checked_edge(self._head())
        newest: PublishedNote | None = None
        is_all = False
        while not is_all:
            leaves, is_all = self._place(edge.size)
            if not leaves:
                break
            longer, files = edge.extend(leaves)
            self._tiles.write(files)
            if self._commit(longer, now):
                newest = self._publish(longer)
                self._tiles.drop_partials(edge.size, longer.size)
                edge = longer
            else:  # another sequencer was first; go on from its head
                edge, newest, is_all = self._checked_edge(self._newer_head(edge)), None, False
        newest = newest or self._publish(edge)  # a run before this one may have been killed before it published
        self._ask_witnesses(newest)
        return newest.checkpoint

    def checkpoint(self) -> str:
        """Read the newest published checkpoint, a signed note.

        Raises:
            NoCheckpoint: there is none yet.
        """
        return self._tiles.checkpoint()

    # Step 1 and 2

    def _head(self) -> Checkpoint:
        with self._database.reading() as session:
            row = session.execute(_NEWEST_HEAD).one_or_none()
        if row is None:
            return Checkpoint(self._origin, 0, EMPTY_ROOT)
        if row.origin not in self._known_origins:
            raise LogForked(self._folder, f"it is named {row.origin}, not {self._origin}", f"其标识为 {row.origin}")
        return Checkpoint(self._origin, row.size, row.root)

    def _newer_head(self, edge: Edge) -> Checkpoint:
        head = self._head()
        if head.size <= edge.size:
            raise LogDamaged(f"no head after size {edge.size} can be committed", f"无法提交规模 {edge.size} 之后的日志")
        return head

    def _checked_edge(self, head: Checkpoint) -> Edge:
        notes = [(path, self._notes.read(path)) for path in self._notes.paths]
        self._check_published([(path, one.checkpoint) for path, one in notes if one is not None], head)
        edge = self._tiles.edge(head.size)
        if edge.root != head.root:
            raise LogDamaged(f"its tiles do not give the root of size {head.size}", f"规模 {head.size} 的根哈希不符")
        return edge

    def _check_published(self, published: Sequence[tuple[Path, Checkpoint]], head: Checkpoint) -> None:
        if any(one.size > head.size for _, one in published):
            # Another sequencer may have committed and published since the head was read.
            head = self._head()
        for path, one in published:
            if one.size > head.size:
                raise LogRolledBack(one.size, head.size, path)
        roots = {0: EMPTY_ROOT, head.size: head.root}
        older = {one.size for _, one in published} - roots.keys()
        if older:
            with self._database.reading() as session:
                found = session.execute(select(_HEADS.c.size, _HEADS.c.root).where(_HEADS.c.size.in_(older)))
                roots |= {one.size: one.root for one in found}
        for path, one in published:
            if one.root != roots.get(one.size):
                raise LogForked(
                    path,
                    f"no head of size {one.size} with its root was committed",
                    f"数据库从未提交过规模 {one.size} 的该根哈希",
                )

    # Step 3

    def _place(self, size: int) -> tuple[list[bytes], bool]:
        """Give positions to waiting leaves; gives all that are placed but not yet under a head, and whether none waits.

        Those that were put after the call began are not spoken of.
        """
        lost: IntegrityError | None = None
        try:
            with self._database.transaction() as session:
                placed = self._place_waiting(session, size)
        except IntegrityError as error:  # another sequencer gave the same positions first
            lost, placed = error, []
        if placed:  # committed, and nothing had a place at or past this size before
            return placed, len(placed) < MAX_RUN
        with self._database.reading() as session:
            rows = session.execute(
                select(_LEAVES.c.position, _LEAVES.c.leaf)
                .where(_LEAVES.c.position >= size)
                .order_by(_LEAVES.c.position)
                .limit(MAX_RUN)
            ).all()
        if lost is not None and not rows:
            raise lost
        if rows and (rows[0].position != size or rows[-1].position != size + len(rows) - 1):
            raise LogDamaged(f"the database has no leaf for position {size} or one after it", "数据库缺少条目位置")
        return [leaf for _, leaf in rows], False

    def _next_position(self, session: Session) -> int:
        last: int | None = session.execute(_LAST_POSITION).scalar_one()
        return 0 if last is None else last + 1

    def _place_waiting(self, session: Session, size: int) -> list[bytes]:
        """Give positions to waiting leaves; none if there are leaves that were placed before, which come first."""
        # Locked in one order, so that on PostgreSQL a second sequencer waits here instead of blocking the first.
        rows = session.execute(_WAITING, {"most": MAX_RUN}).all()
        if not rows or self._next_position(session) != size:
            return []
        lots = self._random(_SHUFFLE_BYTES * len(rows))
        drawn = [lots[at : at + _SHUFFLE_BYTES] for at in range(0, len(lots), _SHUFFLE_BYTES)]
        shuffled = [row for _, row in sorted(zip(drawn, rows, strict=True))]
        ids = [leaf_id for leaf_id, _ in shuffled]
        connection = session.connection()
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(_PLACE_ON_SQLITE, (size, json.dumps(ids)))
        else:
            connection.exec_driver_sql(_PLACE_ON_POSTGRESQL, (size, ids))
        return [leaf for _, leaf in shuffled]

    # Step 5

    def _commit(self, edge: Edge, now: datetime) -> bool:
        """Commit a head; False when another sequencer committed one first."""
        try:
            with self._database.transaction() as session:
                newest = session.execute(_NEWEST_HEAD).one_or_none()
                number, size = (0, 0) if newest is None else (newest.number, newest.size)
                if size >= edge.size:
                    return False
                session.execute(
                    _HEADS.insert().values(
                        number=number + 1, origin=self._origin, size=edge.size, root=edge.root, committed_at=now
                    )
                )
        except IntegrityError:
            return False
        return True

    # Step 6

    def _publish(self, edge: Edge) -> PublishedNote:
        """Publish a committed head, unless a later one is published already."""
        return self._notes.publish(Checkpoint(self._origin, edge.size, edge.root))

    # Step 7

    def _ask_witnesses(self, newest: PublishedNote) -> None:
        """Have the newest checkpoint cosigned; an empty log has nothing to vouch for."""
        if self._cosigners is None or not newest.checkpoint.size:
            return
        head = Head(newest.note, newest.checkpoint, TileCache(self._tiles))
        cosigned = self._cosigners.cosign(newest.note, newest.checkpoint, head.consistency)
        self._notes.add_cosigned(cosigned, self._cosigners.threshold)
