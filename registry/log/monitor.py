"""Watch a log from outside: from its public files alone, without trusting who serves them.

A monitor keeps the newest checkpoint that it has seen. Each look works the tree
out again from there to the one served now, from the entries, and compares every
tile. What it finds besides damage is proof against the log's operator: two
signed checkpoints that cannot both be of one log that only grew.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from credential.errors import InputError, RefusedError
from credential.leaves import BadLeaf, LeafKind, parse_leaf
from credential.note import Checkpoint
from registry.log.files import replace_durably
from registry.log.growth import Step, grow, open_by_any
from registry.log.paths import Head, TileCache
from registry.log.tiles import Edge, LogDamaged, Tiles, tile_name

_FORMAT = "yinzheng.log-monitor/v1"
_TILE = re.compile(r"tile/(\d+)/((?:x\d{3}/)*\d{3})(?:\.p/(\d+))?")


class LogForkFound(RefusedError):
    """The log's key signed two checkpoints of which at most one is of the log: it was forked.

    Attributes:
        notes: both, verbatim: proof for everybody who has the key.
    """

    code = "log-fork-found"

    def __init__(self, before: str, now: str, sizes: tuple[int, int]) -> None:
        super().__init__(
            f"the log's key signed two histories: a tree of {sizes[0]} leaves, and one of {sizes[1]} that does not "
            "contain it; keep both checkpoints, tell the issuer and the other monitors",
            f"日志密钥签署了两套互相矛盾的记录: 规模 {sizes[0]} 的日志不包含在规模 {sizes[1]} 的日志中; "
            "请保留两份检查点作为证据, 并通知发证机构和其他监督方",
        )
        self.notes = (before, now)


class LogShrank(RefusedError):
    """A checkpoint is served that is older than one seen before."""

    code = "log-shrank"

    def __init__(self, before: str, now: str, sizes: tuple[int, int]) -> None:
        super().__init__(
            f"a checkpoint of {sizes[1]} leaves is served, and one of {sizes[0]} was seen before: a mirror is behind, "
            "or an older backup was put in place; ask again later, then ask the issuer",
            f"当前检查点只有 {sizes[1]} 条, 而此前见过 {sizes[0]} 条: 镜像未更新, 或被换成了旧备份; "
            "请稍后重试, 仍如此则向发证机构查询",
        )
        self.notes = (before, now)


class BadMonitorState(InputError):
    """The file that a monitor keeps cannot be read."""

    code = "bad-monitor-state"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not what a monitor wrote; name another file, or move it away, which begins anew",
            f"{path} 不是监督程序的记录文件; 请另指定文件, 或移走后从头开始",
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a monitor knows of a log.

    Attributes:
        note: the newest checkpoint seen, verbatim.
        checkpoint: what it says.
        counts: leaves of each kind in it.
        at: when it was looked at.
    """

    note: str
    checkpoint: Checkpoint
    counts: Mapping[LeafKind, int]
    at: datetime


@dataclass(slots=True)
class _Tally:
    counts: Counter[LeafKind] = field(default_factory=Counter)

    def add(self, step: Step) -> None:
        for place, leaf in enumerate(step.leaves):
            try:
                self.counts[parse_leaf(leaf).kind] += 1
            except BadLeaf as error:
                at = step.start + place
                raise LogDamaged(f"entry {at} is no leaf, {error.en}", f"第 {at} 条不是有效条目") from error


def look(tiles: Tiles, public_keys: Sequence[bytes], origin: str, seen: Seen | None, now: datetime) -> Seen:
    """Check everything that a log published since it was last looked at.

    Args:
        tiles: of the log, from a folder or the net; not trusted.
        public_keys: the log's and those before it, SPKI DER, trusted.
        origin: the log's.
        seen: what the last look gave; None begins at the first entry.
        now: for the record.

    Raises:
        NoCheckpoint: none is served.
        BadNote: the checkpoint is not signed by a key of the log.
        BadCheckpoint: it is of another log.
        LogForkFound: it contradicts the one seen before.
        LogShrank: it is older than the one seen before.
        LogDamaged: an entry or a tile is not what was signed, or is missing.
    """
    note = tiles.checkpoint()
    checkpoint = open_by_any(note, public_keys, origin)
    edge = Edge(0, (), b"")
    tally = _Tally()
    if seen is not None:
        _compare(tiles, seen, note, checkpoint)
        edge = tiles.edge(seen.checkpoint.size, checkpoint.size)
        if edge.root != seen.checkpoint.root:
            raise LogDamaged(f"its tiles do not give the root of size {edge.size}", f"规模 {edge.size} 的根哈希不符")
        tally.counts.update(seen.counts)
    for step in grow(tiles, edge, checkpoint.size):
        tally.add(step)
        for name, content in step.files.items():
            _check_tile(tiles, name, content)
        edge = step.edge
    if edge.root != checkpoint.root:
        raise LogDamaged("the entries do not give the signed root", "由条目算出的根哈希与检查点不符")
    return Seen(note, checkpoint, dict(tally.counts), now)


def _compare(tiles: Tiles, seen: Seen, note: str, checkpoint: Checkpoint) -> None:
    """Compare two checkpoints by the log's key; only tiles that lead to the newer root may speak against the older."""
    before = seen.checkpoint
    sizes = (before.size, checkpoint.size)
    if checkpoint.size < before.size:
        raise LogShrank(seen.note, note, sizes)
    if checkpoint.size == before.size:
        if checkpoint.root != before.root:
            raise LogForkFound(seen.note, note, sizes)
        return
    head = Head(note, checkpoint, TileCache(tiles))
    head.consistency(before.size)
    if head.root_at(before.size) != before.root:
        raise LogForkFound(seen.note, note, sizes)


def _check_tile(tiles: Tiles, name: str, content: bytes) -> None:
    match = _TILE.fullmatch(name)
    if match is None:  # a bundle of entries: it is what the rest was computed from
        return
    level, index = int(match[1]), int(match[2].replace("/x", "").replace("x", "").replace("/", ""))
    width = len(content) // 32
    if tiles.read(level, index, width) != content:
        named = tile_name(level, index, width)
        raise LogDamaged(f"{named} is not what its entries hash to", f"{named} 与条目不符")


# ---- what a monitor keeps -------------------------------------------------------------------------------------


def load_seen(path: Path, public_keys: Sequence[bytes], origin: str) -> Seen | None:
    """Read what the last look left; None when there was none.

    Raises:
        BadMonitorState: the file is something else, or of another log.
    """
    try:
        kept = json.loads(path.read_text("utf-8"))
        if kept["format"] != _FORMAT:
            raise BadMonitorState(path)
        counts = {LeafKind(kind): int(count) for kind, count in kept["counts"].items()}
        checkpoint = open_by_any(kept["note"], public_keys, origin)
        at = datetime.fromisoformat(kept["at"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise BadMonitorState(path) from error
    if sum(counts.values()) != checkpoint.size:
        raise BadMonitorState(path)
    return Seen(kept["note"], checkpoint, counts, at)


def save_seen(path: Path, seen: Seen) -> None:
    """Keep a look for the next one; durable, and whole or not at all."""
    counts = {kind.value: seen.counts[kind] for kind in sorted(seen.counts)}
    kept = {"format": _FORMAT, "note": seen.note, "counts": counts, "at": seen.at.astimezone(UTC).isoformat()}
    replace_durably({path.absolute(): (json.dumps(kept, ensure_ascii=False, indent=1) + "\n").encode()})


def save_evidence(path: Path, found: LogForkFound | LogShrank) -> Path:
    """Write two checkpoints that contradict each other beside the monitor's file, and say where."""
    before, now = found.notes
    evidence = path.with_name(f"{path.name}.{found.code}.txt").absolute()
    replace_durably({evidence: f"{before}\n{now}".encode()})
    return evidence
