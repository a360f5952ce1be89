"""What was published after a backup: by newer backups beside it, and by what survived.

Whoever restores an older backup has the newer ones in the same folder. Their
databases may be damaged, but what they hold of the published log and status
lists says how far the log had come, and whose certificate was revoked.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from credential.errors import RefusedError
from credential.trust import Role
from credential.trust_list import TrustList
from registry.log.files import replace_durably
from registry.status.published import token_times
from registry.status.token_list import BadStatusToken, open_past_token
from service.backup_store import BackupDamaged, BackupStore, Manifest, regular_files
from service.folder import DataFolder
from service.house import SystemClock
from service.pinned import believe_trust_list

CHECKPOINT, _TRUST_LIST = "log/checkpoint", "trust-list.json"
_PUBLIC = "public/"


class RestoredElsewhere(RefusedError):
    """A backup, and what was published after it, belong to different trees."""

    code = "restored-forked"


@dataclass(frozen=True, slots=True)
class Published:
    """Files that were published, by their path below the folder ``public``."""

    files: Mapping[str, Path]


def published_in(folder: Path) -> Published:
    """What a copy of the folder ``public`` holds."""
    return Published(dict(regular_files(folder)))


def published_since(store: BackupStore, manifest: Manifest) -> list[Published]:
    """What the backups that are newer than one hold of what was published, oldest first.

    Raises:
        BackupDamaged: a newer one does not say any more how far the log had come, or what was revoked.
        RestoredElsewhere: the log goes on under another name since.
    """
    found = []
    for one in map(store.read, store.names()):
        is_same_log = one.log_origin == manifest.log_origin
        if one.name > manifest.name and not is_same_log:
            raise RestoredElsewhere(
                f"the newer backup {one.name} is of the log {one.log_origin}, {manifest.name} is of another: what "
                f"was published since would be lost without a trace, so restore {one.name}, or one between the two",
                f"较新的备份 {one.name} 属于日志 {one.log_origin}, 备份 {manifest.name} 属于更名前的日志, 其间公布的"
                f"内容将无从查起; 请恢复 {one.name} 或介于两者之间的备份",
            )
        if one.name > manifest.name or (is_same_log and one.log_size > manifest.log_size):
            found.append(_published_by(store, one))
    return found


def _published_by(store: BackupStore, newer: Manifest) -> Published:
    files = {one.path.removeprefix(_PUBLIC): one for one in newer.files if one.path.startswith(_PUBLIC)}
    telling = [path for path in files if path in {CHECKPOINT, _TRUST_LIST} or path.startswith("status/")]
    bad = [] if CHECKPOINT in files else [_PUBLIC + CHECKPOINT]
    bad += [_PUBLIC + path for path in telling if not store.is_whole(files[path])]
    if bad:
        raise BackupDamaged(newer.name, bad)
    return Published({path: store.folder / one.at for path, one in files.items()})


def put_trust_list(folder: DataFolder, published: Published) -> None:
    """Keep a newer trust list; an older one, or one that the pinned roots did not sign, is passed over."""
    newest = published.files.get(_TRUST_LIST)
    if newest is not None:
        with suppress(RefusedError):
            envelope = newest.read_bytes()
            believe_trust_list(folder, envelope, SystemClock().now())
            replace_durably({folder.trust_list: envelope})


def put_status_lists(folder: DataFolder, published: Published, trust: TrustList) -> None:
    """Keep the newest status lists, of those that a status key of ours signed."""
    for path, file in published.files.items():
        place, _, name = path.partition("/")
        if place != "status":
            continue
        target, content = folder.status / name, file.read_bytes()
        is_ours = not name.endswith(".cwt") or _is_signed(content, trust)
        if not target.is_file() or (is_ours and _expires(content) > _expires(target.read_bytes())):
            replace_durably({target: content})


def keep_log(folder: DataFolder, published: Published) -> None:
    """Keep the files of the log that the registry is behind of."""
    kept = folder.former_logs / "survived"
    for path, file in published.files.items():
        place, _, name = path.partition("/")
        if place == "log" and not (kept / name).is_file() and file.is_file():
            replace_durably({kept / name: file.read_bytes()})


def checkpoints_of(published: Iterable[Published]) -> list[str]:
    """The checkpoints that were published, as files."""
    return [str(one.files[CHECKPOINT]) for one in published if CHECKPOINT in one.files]


def _is_signed(token: bytes, trust: TrustList) -> bool:
    for key in trust.keys:
        if key.role is Role.STATUS:
            with suppress(BadStatusToken):
                open_past_token(token, key.public_key)
                return True
    return False


def _expires(token: bytes) -> datetime:
    """When a status list ends."""
    try:
        return token_times(token).expires
    except BadStatusToken:
        return datetime.min.replace(tzinfo=UTC)
