"""Refuse to work on a registry that stands behind what was published: an older database was put in its place.

Asked whenever something is about to be issued, changed or verified, from files
alone: the published checkpoint and its copy say how far the log has come, the
database how far it knows. ``yinzheng recover`` is the way on.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from credential.errors import RefusedError, UnavailableError
from credential.model import StatusValue
from credential.note import BadCheckpoint, BadNote, parse_checkpoint, parse_note
from registry.database import Database
from registry.log.files import replace_durably
from registry.log.reader import committed_size
from registry.restored import statuses_of
from registry.status.slots import Slot
from service.folder import DataFolder


class RestoredBehind(UnavailableError):
    """The registry was restored from a backup, and more was published after that."""

    code = "restored-behind"

    def __init__(self, published: int, known: int) -> None:
        super().__init__(
            f"the registry knows {known} entries of the log and {published} were published: it was restored from an "
            "older backup, so nothing is issued, changed or verified; restore the newest backup, or go on with: "
            "yinzheng recover",
            f"登记库只有日志的 {known} 条, 而已公布 {published} 条: 登记库恢复自较早的备份, 现停止出证、变更与核验; "
            "请恢复最新备份, 或按 yinzheng recover 的提示继续",
        )
        self.published = published
        self.known = known


class RestoreUnfinished(UnavailableError):
    """A restore into this folder was cut off."""

    code = "restore-unfinished"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the restore into {folder} is not finished; run the same yinzheng restore again",
            f"向 {folder} 的恢复尚未完成; 请再次执行同一条 yinzheng restore 命令",
        )


class ChangesOwed(RefusedError):
    """Revocations that were published are not in the restored registry."""

    code = "changes-owed"

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count} changes of state that were published before the loss are not in the registry, so nothing is "
            "issued; enter them again by their decisions (yinzheng recover lists them)",
            f"有 {count} 项丢失前已公布的状态变更不在登记库中, 暂停出证; 请依据原决定重新登记(清单见 yinzheng recover)",
        )
        self.count = count


@dataclass(frozen=True, slots=True)
class Owed:
    """A published status that the registry does not know.

    Attributes:
        value: that was published.
        serial: of the credential; empty when the registry does not know that either.
    """

    list_number: int
    slot: int
    value: int
    serial: str


@dataclass(frozen=True, slots=True)
class Recovery:
    """How far the way on from a restore has come; kept in a file until nothing is owed any more.

    Attributes:
        origin: of the log that is given up.
        size: of its last published checkpoint.
        root: of that checkpoint, hex.
        known: entries that the restored registry had.
        new_origin: under which the log goes on.
        skip: numbers that are skipped at least in each counter.
        is_switched: the log goes on under the new origin.
        owed: see :class:`Owed`.
    """

    origin: str
    size: int
    root: str
    known: int
    new_origin: str
    skip: int
    is_switched: bool = False
    owed: tuple[Owed, ...] = ()


def recovery_file(folder: DataFolder) -> Path:
    """Where the state of a recovery is kept."""
    return folder.root / "recovery.json"


def unfinished_restore(folder: DataFolder) -> Path:
    """The mark of a restore that is not finished."""
    return folder.root / "restoring.json"


def read_recovery(folder: DataFolder) -> Recovery | None:
    """How far a recovery has come; None when there is none."""
    file = recovery_file(folder)
    if not file.is_file():
        return None
    told = json.loads(file.read_text("utf-8"))
    owed = tuple(Owed(**one) for one in told.pop("owed"))
    return Recovery(**told, owed=owed)


def write_recovery(folder: DataFolder, recovery: Recovery) -> None:
    """Keep how far a recovery has come, durably."""
    replace_durably({recovery_file(folder): json.dumps(asdict(recovery), indent=1).encode() + b"\n"})


def published_size(folder: DataFolder) -> int:
    """The largest size that a published checkpoint or its copy says; what cannot be read is for the sequencer."""
    return max(_sizes(folder), default=0)


def require_caught_up(folder: DataFolder, database: Database) -> None:
    """Refuse when the registry is behind what was published.

    Raises:
        RestoreUnfinished: a restore was cut off.
        RestoredBehind: it is behind, or a recovery was not finished.
    """
    if unfinished_restore(folder).exists():
        raise RestoreUnfinished(folder.root)
    recovery = read_recovery(folder)
    if recovery is not None and not recovery.is_switched:
        raise RestoredBehind(recovery.size, recovery.known)
    # The files first: a head that is committed in between makes the database larger, never smaller.
    published = published_size(folder)
    with database.reading() as session:
        known = committed_size(session)
    if published > known:
        raise RestoredBehind(published, known)


def require_nothing_owed(folder: DataFolder, database: Database) -> None:
    """Refuse while published revocations are not in the registry.

    Raises:
        ChangesOwed: some are not.
    """
    left = still_owed(folder, database)
    if left:
        raise ChangesOwed(len(left))


def still_owed(folder: DataFolder, database: Database) -> tuple[Owed, ...]:
    """The published changes that are still not in the registry; forgets those that are, once and for all."""
    recovery = read_recovery(folder)
    if recovery is None or not recovery.is_switched:
        return ()
    with database.reading() as session:
        now = statuses_of(session, [Slot(one.list_number, one.slot) for one in recovery.owed])
    left = tuple(one for one in recovery.owed if not _is_paid(one, now[Slot(one.list_number, one.slot)]))
    if not left:
        recovery_file(folder).unlink(missing_ok=True)
    elif left != recovery.owed:
        told = asdict(recovery) | {"owed": left}
        write_recovery(folder, Recovery(**told))
    return left


def _is_paid(one: Owed, value: int) -> bool:
    return value in {one.value, StatusValue.INVALID}


def _sizes(folder: DataFolder) -> Iterator[int]:
    for path in (folder.log / "checkpoint", folder.checkpoint_copy):
        try:
            yield parse_checkpoint(parse_note(path.read_text("utf-8")).text).size
        except (OSError, UnicodeDecodeError, BadNote, BadCheckpoint):
            continue
