"""Mirror a log to another place: tiles first and create-only, the checkpoint last.

A mirror never shows a checkpoint whose tiles are not all there, and a tile
never changes once it is. Broken off anywhere, the next run goes on from the
mirror's own checkpoint.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from credential.errors import RefusedError, UnavailableError
from credential.merkle import EMPTY_ROOT
from credential.note import Checkpoint
from registry.log.files import replace_durably
from registry.log.growth import grow, open_by_any
from registry.log.notes import PublishedNote
from registry.log.paths import Head, TileCache
from registry.log.tiles import CHECKPOINT, WITNESSED, Edge, LogDamaged, TileFolder, Tiles

_FILES_AT_ONCE = 256


class MirrorDiffers(RefusedError):
    """A file of the mirror that must never change has other bytes than the log's."""

    code = "mirror-differs"

    def __init__(self, name: str, place: str) -> None:
        super().__init__(
            f"{name} in {place} is not the log's; find out who wrote it, delete it there, then publish again",
            f"{place} 中的 {name} 与日志不一致; 请查明由谁写入, 删除后重新发布",
        )
        self.name = name


class MirrorAhead(RefusedError):
    """The mirror shows a checkpoint that this log has not come to, or that is of another tree."""

    code = "mirror-ahead"

    def __init__(self, there: int, here: int, place: str) -> None:
        super().__init__(
            f"{place} shows a checkpoint of {there} leaves which this log of {here} does not continue: an older backup "
            "was restored here, or the log was forked; do not issue before it is clear why",
            f"{place} 中的检查点(规模 {there})与本日志(规模 {here})不相衔接: 本机恢复过旧备份, 或日志出现分叉; "
            "查明原因前不得发证",
        )


class MirrorUnavailable(UnavailableError):
    """The place of the mirror does not answer."""

    code = "mirror-unavailable"

    def __init__(self, place: str, why: str) -> None:
        super().__init__(
            f"{place} does not answer ({why}); run the same again later, nothing is lost",
            f"{place} 无响应({why}); 请稍后原样重试, 不会丢失数据",
        )


class LogTarget(Protocol):
    """A place that a log is mirrored to."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        ...

    def read(self, name: str) -> bytes | None:
        """Read a file; None when it is not there."""
        ...

    def create(self, files: Mapping[str, bytes]) -> int:
        """Store files that never change, durably once this returns; gives how many were new.

        Raises:
            MirrorDiffers: one is there with other bytes.
        """
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Store a file in place of an older one."""
        ...


class FolderTarget:
    """A directory, for a web server or a disk that is carried away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tiles = TileFolder(folder)
        self.place = str(folder)

    def read(self, name: str) -> bytes | None:
        """Read a file; see :class:`LogTarget`."""
        return self._tiles.fetch(name)

    def create(self, files: Mapping[str, bytes]) -> int:
        """Store new files; see :class:`LogTarget`."""
        new = {}
        for name, content in files.items():
            there = self.read(name)
            if there is None:
                new[self._folder / name] = content
            elif there != content:
                raise MirrorDiffers(name, self.place)
        replace_durably(new)
        return len(new)

    def replace(self, name: str, content: bytes) -> None:
        """Store a file in place of an older one; see :class:`LogTarget`."""
        replace_durably({self._folder / name: content})


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a run did.

    Attributes:
        before: leaves that the mirror showed before.
        size: leaves that it shows now.
        files: how many were new.
    """

    before: int
    size: int
    files: int


def publish_log(  # noqa: PLR0913 - one run, told everything by name
    tiles: Tiles,
    target: LogTarget,
    public_keys: Sequence[bytes],
    origin: str,
    *,
    others: Iterable[str] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Mirrored:
    """Bring a mirror up to the published checkpoint.

    The entries are first worked out to the signed root, so that nothing damaged
    is ever copied to where it cannot be replaced.

    Args:
        tiles: of the log.
        target: the mirror; alone in writing to it.
        public_keys: the log's and those before it, SPKI DER.
        origin: the log's.
        others: names of further files that never change, such as timestamps.
        progress: told how many leaves are done.

    Raises:
        NoCheckpoint: the log has published none.
        MirrorAhead: the mirror shows what this log does not continue.
        MirrorDiffers: a file there was changed.
        LogDamaged: the entries here do not give the signed root.
        UnavailableError: the mirror does not answer.
    """
    witnessed = tiles.fetch(WITNESSED)  # read first, so that it is never ahead of the checkpoint
    note = tiles.checkpoint()
    checkpoint = open_by_any(note, public_keys, origin)
    there = _checkpoint_there(target, public_keys, origin)
    edge = _edge_of(tiles, there, PublishedNote(note, checkpoint), target.place)
    last = edge
    for step in grow(tiles, edge, checkpoint.size):
        last = step.edge
    if last.root != checkpoint.root:
        raise LogDamaged("the entries do not give the signed root", "由条目算出的根哈希与检查点不符")
    files, waiting = 0, dict[str, bytes]()
    for step in grow(tiles, edge, checkpoint.size):
        waiting |= step.files
        if len(waiting) >= _FILES_AT_ONCE:
            files += target.create(waiting)
            waiting = {}
            progress(step.edge.size)
    for name in others:
        content = tiles.fetch(name)
        if content is not None:
            waiting[name] = content
    files += target.create(waiting)
    target.replace(CHECKPOINT, note.encode())
    if witnessed is not None:
        target.replace(WITNESSED, witnessed)
    progress(checkpoint.size)
    return Mirrored(there.size, checkpoint.size, files)


def _checkpoint_there(target: LogTarget, public_keys: Sequence[bytes], origin: str) -> Checkpoint:
    content = target.read(CHECKPOINT)
    if content is None:
        return Checkpoint(origin, 0, EMPTY_ROOT)
    return open_by_any(content.decode("utf-8", "replace"), public_keys, origin)


def _edge_of(tiles: Tiles, there: Checkpoint, here: PublishedNote, place: str) -> Edge:
    """The border of the tree that the mirror has; it must be a part of ours, as our own checkpoint has it."""
    size = here.checkpoint.size
    if there.size > size:
        raise MirrorAhead(there.size, size, place)
    head = Head(here.note, here.checkpoint, TileCache(tiles))
    head.consistency(there.size)  # else our tiles are at fault, and not the mirror
    if there.size and head.root_at(there.size) != there.root:
        raise MirrorAhead(there.size, size, place)
    return tiles.edge(there.size, size)
