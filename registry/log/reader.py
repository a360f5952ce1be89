"""Read the log: proofs for leaves, and the check of the whole log from its files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from sqlalchemy import bindparam, func, select
from sqlmodel import Session

from credential.errors import RefusedError, UnavailableError
from credential.merkle import Frontier, LogProof, leaf_hash
from credential.note import (
    BadCheckpoint,
    BadNote,
    Checkpoint,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
)
from registry.columns import table_of
from registry.database import Database
from registry.log.outbox import logged_leaves
from registry.log.paths import Head, TileCache
from registry.log.proof_texts import proof_texts
from registry.log.tables import LogHeadRow, LogLeafRow
from registry.log.tiles import (
    HEIGHT,
    WIDTH,
    WITNESSED,
    LogDamaged,
    NoCheckpoint,
    TileFolder,
    hash_row,
    pack_entries,
    tile_name,
    unpack_entries,
)

_HEADS = table_of(LogHeadRow)
_LEAVES = table_of(LogLeafRow)
_IDS_AT_ONCE = 500
_LOOSEST = 4  # ids of a range for each that is wanted; beyond that, they are asked for one by one
_PLACED = select(_LEAVES.c.id, _LEAVES.c.position, _LEAVES.c.leaf).where(_LEAVES.c.position.is_not(None))
_IN_RANGE = _PLACED.where(_LEAVES.c.id.between(bindparam("least"), bindparam("greatest")))


class NotLogged(RefusedError):
    """A leaf that is unknown, or not yet under a published checkpoint."""

    code = "not-logged"

    def __init__(self, leaf_id: int) -> None:
        super().__init__(
            f"the leaf {leaf_id} is not in the published log; run the sequencer first",
            f"条目 {leaf_id} 尚未进入已发布的日志,请先运行日志定序",
        )
        self.leaf_id = leaf_id


class NotWitnessed(UnavailableError):
    """No checkpoint has the cosignatures that the trust list demands, so nothing can be proven under one."""

    code = "not-witnessed"

    def __init__(self, threshold: int) -> None:
        super().__init__(
            f"no checkpoint of the log has the {threshold} cosignatures that the trust list demands; "
            "see that the witnesses answer (yinzheng witness list), then run the same again",
            f"日志尚无检查点取得信任列表要求的 {threshold} 个见证签名;"
            "请检查见证方是否在线(yinzheng witness list),然后重试",
        )
        self.threshold = threshold


def nobody_demanded() -> int:
    """The threshold of a log without witnesses."""
    return 0


def nobody_counted(_note: str) -> int:
    """The cosignatures of a log without witnesses; whoever demands some passes in what verifies them."""
    return 0


class LogReader:
    """Makes proofs from the published files; holds no key. Safe to share among threads.

    Args:
        database: of the registry.
        folder: of the log.
        threshold: tells how many witnesses the trust list demands just now;
            proofs are then under the newest checkpoint that has so many cosignatures.
        count: the witnesses that cosigned a note, every line verified; raises BadNote for one that verifiers refuse.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        threshold: Callable[[], int] = nobody_demanded,
        count: Callable[[str], int] = nobody_counted,
    ) -> None:
        self._database = database
        self._count = count
        self._threshold = threshold
        self._folder = folder
        self._tiles = TileFolder(folder)
        self._cache = TileCache(self._tiles)
        self._head: Head | None = None

    def proof(self, leaf_id: int) -> str:
        """Prove one leaf against the newest checkpoint; see :meth:`proofs`."""
        return self.proofs([leaf_id])[0]

    def proofs(self, leaf_ids: Sequence[int]) -> list[str]:
        """Prove leaves against the newest checkpoint, as ``c2sp.org/tlog-proof@v1`` texts.

        Each is checked before it is handed out, so that damaged tiles are
        noticed here and not by an employer.

        Raises:
            NotLogged: a leaf is not yet under a published checkpoint.
            NoCheckpoint: none was published.
            NotWitnessed: a leaf is under one, and none with the cosignatures demanded.
            LogDamaged: it cannot be read, or the tiles do not lead to its root.
        """
        with self._newest_tree() as head:
            found = self._positions(leaf_ids)
            for leaf_id in leaf_ids:
                position = found[leaf_id][0] if leaf_id in found else None
                if position is None or position >= head.size:
                    self._blame_witnesses(position)
                    raise NotLogged(leaf_id)
            return proof_texts(head, [found[leaf_id] for leaf_id in leaf_ids])

    def prove(self, placed: Iterable[tuple[int | None, bytes | None]]) -> list[LogProof | None]:
        """Prove leaves whose places are known, all against the newest checkpoint, checked as :meth:`proofs` does.

        Args:
            placed: position and bytes of each leaf; without a position it is not logged yet.

        Returns:
            None for a leaf that no published checkpoint covers.

        Raises:
            NoCheckpoint: none was published.
            NotWitnessed: none has the cosignatures demanded.
            LogDamaged: it cannot be read, or the tiles do not lead to its root.
        """
        with self._newest_tree() as head:
            return [
                None
                if position is None or leaf is None or position >= head.size
                else LogProof(position, head.path(position, leaf), head.note)
                for position, leaf in placed
            ]

    def head(self) -> Head:
        """The tree under the checkpoint that proofs are made under.

        Raises:
            NoCheckpoint: none was published.
            NotWitnessed: none has the cosignatures demanded.
            LogDamaged: it cannot be read.
        """
        return self._newest()

    def is_logged(self, leaf_ids: Sequence[int]) -> bool:
        """Whether every one of the leaves is under the checkpoint that proofs are made under."""
        try:
            size = self._newest().size
        except (NoCheckpoint, NotWitnessed):
            return not leaf_ids
        found = self._positions(leaf_ids)
        return all(found.get(leaf_id, (size, b""))[0] < size for leaf_id in leaf_ids)

    def checkpoint(self) -> str:
        """Read the newest published checkpoint, a signed note, witnessed or not.

        Raises:
            NoCheckpoint: there is none yet.
        """
        return self._tiles.checkpoint()

    def verify(self, public_key: bytes, origin: str) -> Checkpoint:
        """Check the whole log, files and database; as :func:`verify_log`, leaf by leaf."""
        with self._database.reading() as session:
            return verify_log(self._folder, public_key, origin, logged_leaves(session))

    def _newest(self) -> Head:
        """The head that proofs are made under; the file is read every time."""
        threshold = self._threshold()
        note, head = self._witnessed(threshold) if threshold else self.checkpoint(), self._head
        if head is None or head.note != note:
            try:
                checkpoint = parse_checkpoint(parse_note(note).text)
            except (BadNote, BadCheckpoint) as error:  # our own file, so not the fault of whoever asks
                raise LogDamaged(f"its checkpoint cannot be read, {error.en}", "无法读取检查点") from error
            head = self._head = Head(note, checkpoint, self._cache)
        return head

    def _witnessed(self, threshold: int) -> str:
        """Read the newest checkpoint that enough witnesses cosigned; a file is not believed to be that."""
        try:
            note = self._tiles.checkpoint(WITNESSED)
            parse_note(note)
            if self._count(note) >= threshold:
                return note
        except BadNote as error:
            raise LogDamaged(
                f"its witnessed checkpoint cannot be used, {error.en}", f"经见证的检查点不可用: {error.zh}"
            ) from error
        except NoCheckpoint:
            self.checkpoint()  # there is none at all, which has another cure
        raise NotWitnessed(threshold)

    def _blame_witnesses(self, position: int | None) -> None:
        """Say so when a leaf waits for nothing but witnesses: trying again helps, once they answer."""
        threshold = self._threshold()
        if threshold and position is not None:
            try:
                published = parse_checkpoint(parse_note(self.checkpoint()).text)
            except (BadNote, BadCheckpoint) as error:
                raise LogDamaged(f"its checkpoint cannot be read, {error.en}", "无法读取检查点") from error
            if position < published.size:
                raise NotWitnessed(threshold)

    @contextmanager
    def _newest_tree(self) -> Iterator[Head]:
        """The same to take paths in; tiles that do not fit are read again next time, restored by then perhaps."""
        try:
            yield self._newest()
        except LogDamaged:
            self._head, self._cache = None, TileCache(self._tiles)
            raise

    def _positions(self, leaf_ids: Sequence[int]) -> dict[int, tuple[int, bytes]]:
        found: dict[int, tuple[int, bytes]] = {}
        if not leaf_ids:
            return found
        least, greatest = min(leaf_ids), max(leaf_ids)
        with self._database.reading() as session:
            if greatest - least < _LOOSEST * len(leaf_ids):  # those of a chunk, which were put together
                for leaf_id, position, leaf in session.execute(_IN_RANGE, {"least": least, "greatest": greatest}):
                    found[leaf_id] = position, leaf
                return found
            for start in range(0, len(leaf_ids), _IDS_AT_ONCE):
                statement = _PLACED.where(_LEAVES.c.id.in_(leaf_ids[start : start + _IDS_AT_ONCE]))
                found |= {leaf_id: (position, leaf) for leaf_id, position, leaf in session.execute(statement)}
        return found


def committed_size(session: Session) -> int:
    """How many leaves the newest committed head covers; 0 for none."""
    return session.execute(select(func.max(_HEADS.c.size))).scalar_one() or 0


def verify_log(folder: Path, public_key: bytes, origin: str, leaves: Iterable[bytes] | None = None) -> Checkpoint:
    """Work the whole log out again from its entries, and compare every file of it.

    Reads each file once, in constant memory. Tiles past the checkpoint's size
    are those of a run that was not finished; they are not looked at.

    Args:
        folder: of the log; not trusted.
        public_key: the log's, SPKI DER, trusted.
        origin: the log's.
        leaves: what the log should hold, in order, at least up to the
            checkpoint; None compares the files only.

    Raises:
        NoCheckpoint: none was published.
        LogDamaged: a byte of an entry, tile or root is not what it should be.
        BadNote: the checkpoint is not signed by the key.
        BadCheckpoint: it is of another log.
    """
    tiles = TileFolder(folder)
    checkpoint = open_checkpoint(tiles.checkpoint(), public_key, origin)
    expected = None if leaves is None else iter(leaves)
    frontier = Frontier()
    rows: list[list[bytes]] = [[]]
    for start in range(0, checkpoint.size, WIDTH):
        width = min(WIDTH, checkpoint.size - start)
        bundle = tiles.read(None, start // WIDTH, width)
        entries = list(unpack_entries(bundle))
        if expected is not None and entries != list(islice(expected, width)):
            raise LogDamaged(f"the database has other leaves from {start} on", f"数据库自第 {start} 条起与日志不同")
        _check_partials(tiles, None, start // WIDTH, [pack_entries([entry]) for entry in entries], width)
        hashes = [leaf_hash(entry) for entry in entries]
        frontier.extend(hashes)
        rows[0] = hashes
        _check_rows(tiles, rows, start // WIDTH)
    for level in range(1, len(rows)):
        if rows[level]:
            _check_tile(tiles, level, checkpoint.size >> (HEIGHT * (level + 1)), rows[level])
    if frontier.root() != checkpoint.root:
        raise LogDamaged("the entries do not give the signed root", "由条目算出的根哈希与检查点不符")
    return checkpoint


def _check_rows(tiles: TileFolder, rows: list[list[bytes]], index: int) -> None:
    """Check the level-0 tile in ``rows[0]``, and each tile above that it fills."""
    _check_tile(tiles, 0, index, rows[0])
    level = 0
    while len(rows[level]) == WIDTH:
        if level:
            _check_tile(tiles, level, index, rows[level])
        if level + 1 == len(rows):
            rows.append([])
        rows[level + 1].append(hash_row(rows[level])[-1][0])
        rows[level] = []
        level += 1
        index //= WIDTH


def _check_tile(tiles: TileFolder, level: int, index: int, hashes: list[bytes]) -> None:
    if _split_hashes(tiles.read(level, index, len(hashes))) != hashes:
        name = tile_name(level, index, len(hashes))
        raise LogDamaged(f"{name} is not what its entries hash to", f"{name} 与条目不符")
    _check_partials(tiles, level, index, hashes, len(hashes))


def _check_partials(tiles: TileFolder, level: int | None, index: int, parts: Sequence[bytes], width: int) -> None:
    """Check older partial tiles that are still there beside a tile; and the full one, up to the width."""
    name = tile_name(level, index)
    for path in sorted((tiles.folder / f"{name}.p").glob("*")):
        taken = int(path.name) if path.name.isdecimal() else width + 1  # a file half-written when a run was killed
        if taken <= width and path.read_bytes() != b"".join(parts[:taken]):
            raise LogDamaged(f"{name}.p/{taken} is not what its entries hash to", f"{name}.p/{taken} 与条目不符")
    full, whole = tiles.folder / name, b"".join(parts)
    content = full.read_bytes() if full.is_file() else whole
    if content != whole if width == WIDTH else not content.startswith(whole):
        raise LogDamaged(f"{name} is not what its entries hash to", f"{name} 与条目不符")


def _split_hashes(tile: bytes) -> list[bytes]:
    return [tile[at : at + 32] for at in range(0, len(tile), 32)]
