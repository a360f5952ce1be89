"""Bring the data folder and the registry of an older release up to this program.

1. A folder or registry of a newer program is refused.
2. The registry is copied first: SQLite beside itself; for PostgreSQL the
   operator says that a dump was made.
3. The registry is migrated in one transaction: it ends at the new revision or
   stays as it was. Its rules are put back word for word.
4. The folder says its format.

Run again it changes nothing. Stop the service before: a process of the older
program does not know what the new tables mean.
"""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from credential.errors import RefusedError
from registry.copying import CopyFailed, copy_sqlite
from registry.database import DatabaseNotMigrated, current_revision, migrate, newest_revision
from registry.engines import shown
from service.folder import FOLDER_FORMAT, DataFolder, NoDataFolder
from service.registry_address import registry_address
from service.settings import Settings


class BackupNeeded(RefusedError):
    """Only the operator can make a copy of a PostgreSQL database."""

    code = "backup-needed"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"make a copy of {where} first (pg_dump -Fc), then run: yinzheng migrate --backed-up",
            f"请先备份 {where}(pg_dump -Fc), 然后运行: yinzheng migrate --backed-up",
        )
        self.where = where


@dataclass(frozen=True, slots=True)
class UpgradePlan:
    """What an upgrade would do.

    Attributes:
        where: the registry, without password.
        before: revision of the registry now.
        after: revision it will have.
        copy: where its copy will be; None for PostgreSQL, or when nothing is to be migrated.
        is_folder_old: the folder does not say its format yet.
    """

    where: str
    before: str
    after: str
    copy: Path | None
    is_folder_old: bool

    @property
    def is_needed(self) -> bool:
        """Whether the registry stands at an older revision."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did.

    Attributes:
        rules_put_back: names of rules that somebody had dropped or changed; never a release's doing.
    """

    plan: UpgradePlan
    rules_put_back: tuple[str, ...]


def plan_upgrade(settings: Settings, now: datetime) -> UpgradePlan:
    """Say what an upgrade would do; changes nothing.

    Raises:
        NoDataFolder: there is none.
        FolderTooNew, DatabaseTooNew: a newer program was here.
        DatabaseNotMigrated: there is no registry.
    """
    folder = DataFolder(settings.data)
    if not folder.exists():
        raise NoDataFolder(settings.data)
    folder.installation()
    address = registry_address(settings)
    where = shown(address)
    before, after = current_revision(address), newest_revision()
    if before is None:
        raise DatabaseNotMigrated(where, "is missing or empty", "不存在或为空", "yinzheng init")
    copy = None
    if before != after and not settings.database:
        copy = folder.database.with_name(f"{folder.database.stem}.{before}-{now:%Y%m%dT%H%M%SZ}.sqlite")
    return UpgradePlan(where, before, after, copy, folder.told_format() != FOLDER_FORMAT)


def upgrade(settings: Settings, plan: UpgradePlan, *, is_backed_up: bool = False) -> Upgrade:
    """Do what was planned; see the module for the steps.

    Raises:
        BackupNeeded: a PostgreSQL database is to be migrated, and nobody says that it was copied.
        CopyFailed: the SQLite file could not be copied; nothing was changed.
        DatabaseUnavailable: another process holds the database, or it does not answer; nothing was changed.
    """
    folder = DataFolder(settings.data)
    if plan.is_needed and plan.copy is None and not is_backed_up:
        raise BackupNeeded(plan.where)
    if plan.copy is not None:
        needed, free = folder.database.stat().st_size, shutil.disk_usage(folder.root).free
        if free < 2 * needed:
            raise CopyFailed(plan.copy, f"{needed} bytes twice, {free} free")
        copy_sqlite(folder.database, plan.copy)
    rules = migrate(registry_address(settings))
    if plan.is_folder_old:
        folder.write_installation(folder.installation())
    return Upgrade(plan, rules)
