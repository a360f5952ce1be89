"""Restore a backup into an empty folder, and find out whether it is behind what was published.

1. Every digest of the backup is checked before anything is written.
2. A mark is set: until the restore is finished nothing but the same restore may touch the folder.
3. Files are put back, then the database.
4. What survived the loss is put beside it: objects that are newer than the
   backup (reserve records, packs, marks of the erased), and what is published
   (status lists, log). Newer backups in the same folder survived too.
5. The newest checkpoint that was kept outside, or is in a newer backup, is
   compared. If it is ahead, it is put where the sequencer and everybody else
   looks, so that nothing is issued before `yinzheng recover`.
6. Persons who were erased after the backup are erased again.
7. The restore is noted on the history, and the mark is taken away.

Killed anywhere, the same command goes on.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from credential.dsse import open_envelope
from credential.errors import ConfigError, InputError, RefusedError
from credential.merkle import EMPTY_ROOT
from credential.note import BadCheckpoint, BadNote, Checkpoint, note_key_id, open_checkpoint, parse_note
from credential.trust import PAYLOAD_TYPE, Role
from credential.trust_list import TrustList, read_trust_list
from registry.database import Database, current_revision, open_database
from registry.dumping import restore_postgresql
from registry.history import HistoryKind
from registry.log.files import replace_durably
from registry.log.reader import committed_size
from registry.log.rebuilding import rebuild_tiles
from registry.log.tiles import LogDamaged, TileFolder
from registry.restored import committed_root
from service.backup_store import (
    SHARED,
    BackupFailed,
    BackupStore,
    KeptFile,
    Manifest,
    copy_durably,
    digest_of,
    regular_files,
)
from service.behind import unfinished_restore
from service.custody import note_use
from service.erasing import erase_again
from service.folder import DataFolder, DataFolderInUse
from service.house import House, SystemClock
from service.log_sources import LogUnreachable, tiles_at
from service.passphrase import passphrase_of
from service.published_since import (
    Published,
    RestoredElsewhere,
    checkpoints_of,
    keep_log,
    published_in,
    published_since,
    put_status_lists,
    put_trust_list,
)
from service.registry_address import registry_address
from service.settings import Settings

MAX_CHECKPOINT_BYTES = 100_000
_SECONDS = 20.0
_INSTALLATION = "installation.json"
_MAY_BE_THERE = frozenset({"cache", "keys"})


class BadOutsideCheckpoint(InputError):
    """What was named as the newest checkpoint is none of this log."""

    code = "bad-outside-checkpoint"

    def __init__(self, where: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"{where} gives no checkpoint of this log ({why_en}); name the copy that was kept apart, or the published "
            "one",
            f"{where} 不是本日志的检查点({why_zh}); 请指明另行保存的副本或已公布的检查点",
        )
        self.where = where


class KeysNeeded(ConfigError):
    """The backup holds no keys, and none are in the folder."""

    code = "keys-needed"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the backup holds no keys; put the folder of keys that was kept apart to {folder} (mode 700), or name it "
            "with --keys, and run it again",
            f"备份中没有密钥; 请把另行保存的密钥目录放到 {folder}(权限 700)或用 --keys 指明, 然后重试",
        )
        self.folder = folder


class OtherDatabase(RefusedError):
    """The database that the settings name is of another kind than the backup's, or not empty."""

    code = "other-database"

    def __init__(self, kind: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the backup holds a {kind} database, and the one that YINZHENG_DATABASE names {why_en}; name an empty one "
            "of the same kind",
            f"备份中是 {kind} 数据库, 而 YINZHENG_DATABASE 所指的数据库{why_zh}; 请指定同类的空数据库",
        )


@dataclass(frozen=True, slots=True)
class Survivors:
    """What outlived the loss, beside the backup.

    Attributes:
        keys: folder of keys.
        blobs: folder of objects, newer than the backup's.
        published: a copy of the folder ``public``, newer than the backup's.
        checkpoints: files and addresses of the newest checkpoint.
    """

    keys: Path | None = None
    blobs: Path | None = None
    published: Path | None = None
    checkpoints: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore found.

    Attributes:
        known: entries of the log that the restored registry has.
        published: of the newest checkpoint that it was compared with; 0 when there was none.
        newer_objects: objects that survived and are not in the backup.
        erased_again: certificates of persons who were erased after the backup.
    """

    manifest: Manifest
    known: int
    published: int
    newer_objects: int
    erased_again: int

    @property
    def is_behind(self) -> bool:
        """Whether more was published than the registry knows."""
        return self.published > self.known


def restore(settings: Settings, source: Path, survivors: Survivors, *, name: str = "") -> Restored:
    """Restore a backup into the data folder of the settings; see the module for the steps.

    Args:
        settings: name the folder, which must be empty, and the database.
        source: the folder of backups.
        survivors: what else there is.
        name: of the backup; the newest when empty.

    Raises:
        NoBackup, BackupDamaged: there is none, or it is not whole; nothing was written.
        DataFolderInUse: something else is in the folder.
        OtherDatabase: the database is of another kind, or not empty.
        KeysNeeded: the keys are nowhere.
        BadOutsideCheckpoint: a checkpoint that was named is none of this log.
        RestoredElsewhere: it is of another tree, or a newer backup in the folder is of the log that followed.
    """
    store = BackupStore(source)
    manifest = store.read(name)
    store.check(manifest)
    since = published_since(store, manifest)
    folder = DataFolder(settings.data)
    _begin(settings, folder, manifest)
    _put_back(store, folder, manifest)
    _put_back_database(settings, store, folder, manifest)
    _put_keys(folder, survivors.keys)
    newer = 0 if survivors.blobs is None else _put_objects(folder, survivors.blobs, frozenset())
    shared = f"{SHARED}/blobs/"
    taken_out = frozenset(at.removeprefix(shared) for at in store.removed())
    newer += _put_objects(folder, source / shared, taken_out)
    if survivors.published is not None:
        since.append(published_in(survivors.published))
    known, published = _compare(settings, folder, survivors.checkpoints, since)
    found = Restored(manifest, known, published, newer, 0)
    return replace(found, erased_again=_finish(settings, folder, found))


def outside_checkpoint(where: str, trust: TrustList) -> tuple[str, Checkpoint]:
    """Read a checkpoint from a file or an address, and believe it only when the log's key signed it.

    Raises:
        BadOutsideCheckpoint: it cannot be read, or is none of this log.
    """
    try:
        note = _fetched(where).decode("utf-8")
    except (OSError, UnicodeDecodeError, LogUnreachable) as error:
        raise BadOutsideCheckpoint(where, f"cannot be read, {type(error).__name__}", "无法读取") from error
    keys = [key.public_key for key in trust.keys if key.role is Role.LOG]
    try:
        lines = {(line.name, line.key_id) for line in parse_note(note).signatures}
        signers = [key for key in keys if (trust.log_origin, note_key_id(trust.log_origin, key)) in lines] or keys[:1]
        # Every line by a key of ours has to fit, not just one of them (docs/formats-log.md, 3.3).
        found = [open_checkpoint(note, key, trust.log_origin) for key in signers]
    except (BadNote, BadCheckpoint) as error:
        raise BadOutsideCheckpoint(where, error.en, error.zh) from error
    if not found:
        raise BadOutsideCheckpoint(where, "the trust list names no log key", "信任列表中没有日志密钥")
    return note, found[0]


def _fetched(where: str) -> bytes:
    """Read no more than a checkpoint may have, and not for long, whoever serves it."""
    if where.startswith(("https://", "http://")):
        place, _, name = where.rpartition("/")
        content = tiles_at(place, file_seconds=_SECONDS, most_bytes=MAX_CHECKPOINT_BYTES).fetch(name)
        if content is None:
            raise FileNotFoundError(where)
        return content
    with Path(where).open("rb") as file:
        return file.read(MAX_CHECKPOINT_BYTES + 1)


# ---- steps 2 to 4 -----------------------------------------------------------------------------------------------


def _begin(settings: Settings, folder: DataFolder, manifest: Manifest) -> None:
    mark = unfinished_restore(folder)
    if mark.is_file() and json.loads(mark.read_text("utf-8"))["backup"] == manifest.name:
        return
    if folder.root.exists() and any(one.name not in _MAY_BE_THERE for one in folder.root.iterdir()):
        raise DataFolderInUse(folder.root)
    is_file = not settings.database
    if is_file != (manifest.database == "sqlite"):
        raise OtherDatabase(manifest.database, "is of another kind", "类型不同")
    if not is_file and current_revision(registry_address(settings)) is not None:
        raise OtherDatabase(manifest.database, "is not empty", "不是空的")
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.root.chmod(0o700)
    replace_durably({mark: json.dumps({"backup": manifest.name}).encode() + b"\n"})


def _put_back(store: BackupStore, folder: DataFolder, manifest: Manifest) -> None:
    """Put every file back but the database; what says that there is an installation comes last."""
    removed = store.removed()
    files = [one for one in manifest.files if not _is_database(one) and one.at not in removed]
    for one in sorted(files, key=lambda each: each.path == _INSTALLATION):
        target = folder.root / one.path
        if not (target.is_file() and target.stat().st_size == one.length and digest_of(target) == one.digest):
            try:
                _, digest = copy_durably(store.folder / one.at, target, one.mode)
            except OSError as error:
                raise BackupFailed(folder.root, error.strerror or "input/output") from error
            if digest != one.digest:
                raise BackupFailed(folder.root, f"{one.path} changed while it was read")
    for made in (folder.blobs, folder.log, folder.status, folder.cache, folder.reports, folder.checkpoint_copy.parent):
        made.mkdir(mode=0o700 if made == folder.blobs else 0o755, parents=True, exist_ok=True)


def _put_back_database(settings: Settings, store: BackupStore, folder: DataFolder, manifest: Manifest) -> None:
    (one,) = [each for each in manifest.files if _is_database(each)]
    if not settings.database:
        if not folder.database.exists():
            copy_durably(store.folder / one.at, folder.database, 0o600)
    elif current_revision(registry_address(settings)) is None:
        restore_postgresql(registry_address(settings), store.folder / one.at, programs=settings.postgresql_programs)


def _put_keys(folder: DataFolder, keys: Path | None) -> None:
    if keys is not None:
        folder.keys.mkdir(mode=0o700, exist_ok=True)
        for path, file in regular_files(keys):
            if not (folder.keys / path).exists():
                copy_durably(file, folder.keys / path, 0o600)
    if not folder.master_key.exists():
        raise KeysNeeded(folder.keys)
    folder.keys.chmod(0o700)


def _put_objects(folder: DataFolder, blobs: Path, taken_out: frozenset[str]) -> int:
    """Copy objects that survived and are not in the backup; what is there under a name is the same."""
    newer = 0
    for path, file in regular_files(blobs):
        target = folder.blobs / path
        if path not in taken_out and not target.exists():
            copy_durably(file, target, file.stat().st_mode & 0o777)
            newer += 1
    return newer


# ---- step 5 -----------------------------------------------------------------------------------------------------


def _compare(
    settings: Settings, folder: DataFolder, checkpoints: Sequence[str], since: Sequence[Published]
) -> tuple[int, int]:
    """Compare with every checkpoint there is, and put the newest where it is seen; returns known and published."""
    for each in since:  # first, for a later checkpoint may be signed by a later key
        put_trust_list(folder, each)
    trust = read_trust_list(open_envelope(folder.trust_list.read_bytes(), PAYLOAD_TYPE).payload)
    named = [*checkpoints, *checkpoints_of(since)]
    database = open_database(registry_address(settings))
    try:
        found = [(where, *outside_checkpoint(where, trust)) for where in named]
        _complete_tiles(folder, database)
        with database.reading() as session:
            known = committed_size(session)
            for where, _, checkpoint in found:
                if 0 < checkpoint.size <= known:
                    root = committed_root(session, checkpoint.size)
                    if root is not None and root != checkpoint.root:
                        raise _forked(where, checkpoint.size)
    finally:
        database.close()
    newest = max(found, key=lambda one: one[2].size, default=None)
    for each in since:
        put_status_lists(folder, each, trust)
    if newest is not None and newest[2].size > known:
        replace_durably({folder.checkpoint_copy: newest[1].encode()})
        for each in reversed(since):
            keep_log(folder, each)
    return known, 0 if newest is None else newest[2].size


def _forked(where: str, size: int) -> RestoredElsewhere:
    return RestoredElsewhere(
        f"the checkpoint {where} of {size} entries is not that of the restored log: one of the two was forged or "
        "belongs to another installation; find out which before you go on",
        f"检查点 {where}({size} 条)与恢复的日志不符: 其中之一系伪造或属于其他系统; 请先查明再继续",
    )


def _complete_tiles(folder: DataFolder, database: Database) -> None:
    """Write the tiles anew unless they reach as far as the database: the log may have grown while it was copied."""
    with database.reading() as session:
        size = committed_size(session)
        root = committed_root(session, size) or EMPTY_ROOT
    try:
        is_whole = TileFolder(folder.log).edge(size).root == root
    except LogDamaged:
        is_whole = False
    if not is_whole:
        rebuild_tiles(database, folder.log, size, root)


# ---- steps 6 and 7 ----------------------------------------------------------------------------------------------


def _finish(settings: Settings, folder: DataFolder, found: Restored) -> int:
    """Erase again who was erased, and note the restore; returns how many certificates were erased."""
    house = House(settings, passphrase_of(settings), SystemClock())
    try:
        erased = erase_again(house)
        what = f"backup {found.manifest.name}, {found.known} entries known, {found.published} published"
        note_use(house, HistoryKind.RESTORED, what)
    finally:
        house.database.close()
    unfinished_restore(folder).unlink()
    return erased


def _is_database(one: KeptFile) -> bool:
    return one.path in {"registry.sqlite", "registry.dump"}
