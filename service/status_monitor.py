"""Watch an issuer's status lists from its public files alone: a folder or an address.

1. The trust list, against the pinned roots, says whose keys sign lists and log.
2. The lists are fetched before the log, so that what they commit to should be in it.
3. The log must have only grown, and is read from where the last look ended.
4. Lists, log and what was kept are held against each other (registry/status/monitor.py).
5. What was found wrong is kept as evidence, verbatim; then the look is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from credential.errors import ConfigError
from credential.leaves import LeafKind, parse_leaf
from credential.trust import Role, TrustList
from registry.log.files import replace_durably
from registry.log.growth import grow
from registry.log.monitor import LogForkFound, LogShrank, Seen, load_seen, look, save_evidence, save_seen
from registry.log.tiles import Edge, LogDamaged, Tiles
from registry.status.monitor import (
    Alarm,
    Served,
    compare_list,
    is_list,
    remember_leaves,
    settle,
)
from registry.status.token_list import MAX_TOKEN_BYTES
from registry.status.watched import COMMITMENT_BYTES, Watched, load_watched, save_watched
from service.folder import DataFolder
from service.log_sources import tiles_at
from service.pinned import believe_trust_list

MOST_LISTS = 10_000
"""Lists in one look: of a million certificates each. It bounds what a hostile server can have fetched."""


class NothingPinned(ConfigError):
    """A monitor must know whom it watches."""

    code = "nothing-pinned"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} pins no roots, so nothing could be checked; first run: yinzheng trust pin LIST --fingerprint …",
            f"{folder} 中没有固定的根公钥, 无从核对; 请先执行 yinzheng trust pin 列表 --fingerprint …",
        )


class NoListServed(ConfigError):
    """There is no trust list or no status list at the place."""

    code = "nothing-served"

    def __init__(self, place: str, name: str) -> None:
        super().__init__(
            f"{place} has no {name}; name the public folder, or the address that certificates are checked at",
            f"{place} 没有 {name}; 请给出公开目录, 或证书核验网址",
        )


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look has found.

    Attributes:
        alarms: what is wrong; empty if all is well.
        lists: how many lists were looked at.
        changes: slots that changed since the last look.
        log_size: entries of the log.
        evidence: where the tokens behind the alarms were kept, or None.
    """

    alarms: tuple[Alarm, ...]
    lists: int
    changes: int
    log_size: int
    evidence: Path | None


def watch_status(place: str, state: Path, pins: DataFolder, now: datetime) -> Looked:
    """Look once; call it every few minutes, for a list that was served for less may be missed.

    Args:
        place: folder or address under which ``trust-list.json``, ``status/`` and ``log/`` are.
        state: folder of the monitor, made if need be.
        pins: folder with the pinned roots.
        now: with time zone.

    Raises:
        NothingPinned, NoListServed: there is nothing to check with, or nothing to check.
        LogForkFound, LogShrank: the log was rewritten; the evidence is in ``state``.
        LogDamaged: an entry or tile is not what was signed.
        and what ``service.pinned.believe_trust_list`` raises.
    """
    if not pins.roots.exists():
        raise NothingPinned(pins.root)
    files = tiles_at(place)
    trust = _trust(files, pins, now)
    state.mkdir(parents=True, exist_ok=True)
    before = load_watched(state)
    served = dict(_fetch_lists(files, max(before.lists, default=0), _status_keys(trust)))
    if not served:
        raise NoListServed(place, "status/1.cwt")
    watched, alarms = _compare(before, served, trust, now)
    watched, seen = _follow_log(watched, tiles_at(f"{place.rstrip('/')}/log"), state, trust, now)
    watched, more = settle(watched, seen.counts.get(LeafKind.STATUS, 0), now)
    alarms += more
    evidence = _keep_evidence(state, served, alarms, now) if alarms else None
    _keep_tokens(state, served, watched)
    save_watched(state, watched)
    save_seen(state / "log.json", seen)
    return Looked(tuple(alarms), len(served), watched.changes - before.changes, seen.checkpoint.size, evidence)


def _trust(files: Tiles, pins: DataFolder, now: datetime) -> TrustList:
    content = files.fetch("trust-list.json")
    if content is None:
        raise NoListServed(files.place, "trust-list.json")
    return believe_trust_list(pins, content, now)


def _fetch_lists(files: Tiles, known: int, keys: Sequence[bytes]) -> Iterator[tuple[int, Served]]:
    """Fetch every list: all that were seen before, and those that follow without a gap.

    A server may answer to every name. Past the lists that are known, only one
    that a status key signed for its very number is a list; the first that is
    none ends the search, and is kept nowhere.
    """
    for number in range(1, MOST_LISTS + 1):
        served = Served(_fetch_token(files, f"{number}.cwt"), _fetch_token(files, f"{number}.jwt"))
        if number > known and served == Served(None, None):
            return
        if number > max(known, 1) and not is_list(number, served, keys):
            return
        yield number, served


def _fetch_token(files: Tiles, name: str) -> bytes | None:
    """Fetch one form; of one that is too long to be a token only so much that it is told to be bad."""
    content = files.fetch(f"status/{name}")
    return None if content is None else content[: MAX_TOKEN_BYTES + 1]


def _compare(
    before: Watched, served: dict[int, Served], trust: TrustList, now: datetime
) -> tuple[Watched, list[Alarm]]:
    keys = _status_keys(trust)
    lists, changes, alarms = dict(before.lists), before.changes, list[Alarm]()
    for number, forms in served.items():
        kept, changed, found = compare_list(number, lists.get(number), forms, keys, now)
        changes += changed
        alarms += found
        if kept is not None:
            lists[number] = kept
    return replace(before, lists=lists, changes=changes), alarms


def _status_keys(trust: TrustList) -> list[bytes]:
    return [key.public_key for key in trust.keys if key.role is Role.STATUS and key.compromised_since is None]


def _follow_log(watched: Watched, tiles: Tiles, state: Path, trust: TrustList, now: datetime) -> tuple[Watched, Seen]:
    """Check that the log only grew, and take the leaves of status lists out of what is new."""
    keys = [key.public_key for key in reversed(trust.keys) if key.role is Role.LOG]
    path = state / "log.json"
    seen = load_seen(path, keys, trust.log_origin) if watched.origin in {"", trust.log_origin} else None
    try:
        fresh = look(tiles, keys, trust.log_origin, seen, now)
    except (LogForkFound, LogShrank) as error:
        save_evidence(path, error)
        raise
    edge = Edge(0, (), b"") if seen is None else tiles.edge(seen.checkpoint.size)
    found: list[bytes] = []
    for step in grow(tiles, edge, fresh.checkpoint.size):
        found += [leaf[-COMMITMENT_BYTES:] for leaf in step.leaves if parse_leaf(leaf).kind is LeafKind.STATUS_LIST]
        edge = step.edge
    if edge.root != fresh.checkpoint.root:  # read a second time, so checked a second time
        raise LogDamaged("the entries do not give the signed root", "由条目算出的根哈希与检查点不符")
    return remember_leaves(watched, trust.log_origin, found), fresh


def _keep_evidence(state: Path, served: dict[int, Served], alarms: list[Alarm], now: datetime) -> Path:
    """Keep the signed tokens that alarms are about, and those of the look before: what the issuer has said, twice.

    The same alarms as last time are not kept again.
    """
    told = "".join(f"{one.code} {one.list_number}: {one.zh} / {one.en}\n" for one in alarms).encode()
    kept = sorted((state / "evidence").glob("*/alarms.txt"))
    if kept and kept[-1].read_bytes() == told:
        return kept[-1].parent
    folder = state / "evidence" / f"{now:%Y%m%dT%H%M%SZ}"
    files = {folder / "alarms.txt": told}
    for number in {one.list_number for one in alarms} & set(served):
        before = _token_file(state, number)
        if before.exists():
            files[folder / f"{number}.before.cwt"] = before.read_bytes()
        for form, token in (("cwt", served[number].cwt), ("jwt", served[number].jwt)):
            if token is not None:
                files[folder / f"{number}.{form}"] = token
    replace_durably(files)
    return folder


def _keep_tokens(state: Path, served: dict[int, Served], watched: Watched) -> None:
    """Keep the newest token of each list, for evidence."""
    tokens = {_token_file(state, number): served[number].cwt for number in watched.lists if number in served}
    files = {path: token for path, token in tokens.items() if token is not None}
    if files:
        replace_durably(files)


def _token_file(state: Path, number: int) -> Path:
    return state / "tokens" / f"{number}.cwt"
