"""A folder of backups: what each holds is in its manifest, what never changes is kept once for all of them.

```
DEST/shared/blobs/…            packs, prefixes, reserve records, templates: never rewritten under one name
DEST/shared/logs/<origin>/…    full tiles of the log, likewise
DEST/20261122T101500Z/files/…  what may change, the database included
DEST/20261122T101500Z/manifest.json   every file with length and SHA-256; written last
```
A folder without its manifest is a backup that was cut off, and is none.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from credential.errors import InputError, UnavailableError
from registry.log.files import replace_durably

FORMAT = "yinzheng-backup/1"
SHARED = "shared"
REMOVED = "removed.json"
MANIFEST = "manifest.json"
DATABASE = "registry"
"""Path, in a manifest, of the copy of the database; the ending says which kind."""

MAX_NAMED = 3
_MODES, _OWN = 0o755, 0o600  # what a restored file may be set to; whoever owns it can always read it
_NEVER_KEPT = frozenset({"restoring.json", "recovery.json"})
_BLOCK = 1 << 20


class NoBackup(InputError):
    """There is no backup in the folder, or none of this name."""

    code = "no-backup"

    def __init__(self, folder: Path, name: str = "") -> None:
        en, zh = (f"no backup {name}", f"没有备份 {name}") if name else ("no backup", "没有备份")
        super().__init__(
            f"{folder} holds {en}; compare with: yinzheng backup list {folder}",
            f"{folder} 中{zh}; 请用 yinzheng backup list {folder} 核对",
        )
        self.folder = folder


class BackupDamaged(UnavailableError):
    """Files of a backup are missing or not what was written."""

    code = "backup-damaged"

    def __init__(self, name: str, bad: Sequence[str], why_en: str = "", why_zh: str = "") -> None:
        named = ", ".join(bad[:MAX_NAMED]) + (f" (+{len(bad) - MAX_NAMED})" if len(bad) > MAX_NAMED else "")
        super().__init__(
            f"the backup {name} is damaged: {named}{why_en}; use another one, and find out what happened to it",
            f"备份 {name} 已损坏: {named}{why_zh}; 请改用其他备份, 并查明原因",
        )
        self.bad = tuple(bad)


class BackupFailed(UnavailableError):
    """The folder of backups cannot be written to."""

    code = "backup-failed"

    def __init__(self, folder: Path, cause: str) -> None:
        super().__init__(
            f"the backup could not be written to {folder} ({cause}); check disk space and rights, and run it again",
            f"无法把备份写入 {folder}({cause}); 请检查磁盘空间与权限后重试",
        )
        self.folder = folder


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file of a backup.

    Attributes:
        path: in the data folder.
        at: in the folder of backups.
        length: bytes.
        digest: SHA-256, hex.
        mode: of the file, as ``chmod`` takes it.
    """

    path: str
    at: str
    length: int
    digest: str
    mode: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds.

    Attributes:
        name: of its folder, the moment it was begun.
        made_at: ISO 8601, UTC.
        public_url: of the installation.
        log_origin: of its log.
        log_size: entries that the log had when the database began to be copied; the copy has at least these.
        database: ``sqlite`` or ``postgresql``.
        has_keys: the keys are in it, encrypted as they were.
        files: by path.
    """

    name: str
    made_at: str
    public_url: str
    log_origin: str
    log_size: int
    database: str
    has_keys: bool
    files: tuple[KeptFile, ...]


class BackupStore:
    """The folder that backups are kept in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """The finished backups, oldest first."""
        return sorted(one.parent.name for one in self.folder.glob(f"*/{MANIFEST}"))

    def read(self, name: str = "") -> Manifest:
        """Read the manifest of a backup; of the newest when none is named.

        Raises:
            NoBackup: there is none.
            BackupDamaged: the manifest cannot be read.
        """
        names = self.names()
        if not names or (name and name not in names):
            raise NoBackup(self.folder, name)
        name = name or names[-1]
        try:
            told = json.loads((self.folder / name / MANIFEST).read_text("utf-8"))
            if told.pop("format") != FORMAT or told["name"] != name:
                raise BackupDamaged(name, [MANIFEST])
            files = tuple(KeptFile(**one) for one in told.pop("files"))
            found = Manifest(**told, files=files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackupDamaged(name, [MANIFEST]) from error
        self._check_manifest(found)
        return replace(found, files=tuple(replace(one, mode=one.mode & _MODES | _OWN) for one in files))

    def write(self, manifest: Manifest) -> None:
        """Finish a backup: once this returns it is there, and survives a power cut."""
        told = {"format": FORMAT} | asdict(manifest)
        content = json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n"
        target = self.folder / manifest.name / MANIFEST
        replace_durably({target: content})
        target.chmod(0o600)

    def check(self, manifest: Manifest) -> int:
        """Compare every file of a backup with its manifest; returns how many there are.

        Reserve records that were replaced since, because a person was erased, are passed over.

        Raises:
            BackupDamaged: names the files that are missing or changed.
        """
        removed = self.removed()
        bad = [one.path for one in manifest.files if one.at not in removed and not self.is_whole(one)]
        if bad:
            raise BackupDamaged(manifest.name, bad)
        return len(manifest.files)

    def removed(self) -> frozenset[str]:
        """Files that were taken out of all backups since, because a person was erased."""
        file = self.folder / REMOVED
        return frozenset(json.loads(file.read_text("utf-8"))) if file.is_file() else frozenset()

    def remove_shared(self, at: Sequence[str]) -> None:
        """Take files out of all backups, and note that."""
        if at:
            noted = sorted({*self.removed(), *at})
            replace_durably({self.folder / REMOVED: json.dumps(noted, indent=1).encode() + b"\n"})
        for one in at:
            (self.folder / one).unlink(missing_ok=True)

    def prune(self, keep: int) -> list[str]:
        """Delete the oldest backups but so many, and what only they held; returns their names.

        Whoever is erased today can be found in an older backup of the database until it is gone.
        """
        names = self.names()
        old = names[: max(0, len(names) - max(keep, 1))]
        for name in old:
            (self.folder / name / MANIFEST).unlink()  # first, so that what is cut off now is no backup any more
        self.sweep()
        return old

    def sweep(self) -> None:
        """Delete backups that were cut off, and shared files that no backup names; not while one is being made."""
        names = set(self.names())
        for one in self.folder.iterdir():
            if one.is_dir() and one.name not in {SHARED, *names}:
                shutil.rmtree(one)
        used = {file.at for name in names for file in self.read(name).files}
        for path in [one for one in (self.folder / SHARED).rglob("*") if one.is_file()]:
            if path.relative_to(self.folder).as_posix() not in used:
                path.unlink()

    def _check_manifest(self, manifest: Manifest) -> None:
        """Refuse what no backup of ours ever was: a manifest is not signed, and a folder of backups travels.

        Raises:
            BackupDamaged: names the first entry that is wrong, and why.
        """

        def refuse(what: object, why_en: str, why_zh: str) -> BackupDamaged:
            return BackupDamaged(manifest.name, [f"{MANIFEST} {what!r}"], f" {why_en}", why_zh)

        folders: set[Path] = set()
        paths: set[str] = set()
        for one in manifest.files:
            if not all(isinstance(text, str) for text in (one.path, one.at, one.digest)):
                raise refuse(one.path, "is no path", "不是路径")
            if not _is_inside(one.path) or not _is_inside(one.at):
                raise refuse(one.path, "leads out of its folder", "指向目录之外")
            if one.path in paths or one.path in _NEVER_KEPT:
                raise refuse(one.path, "is not for a manifest to say", "不应列在清单中")
            if type(one.mode) is not int or type(one.length) is not int or not 0 <= one.mode <= 0o777:  # not a bool
                raise refuse(one.path, f"has the mode {one.mode!r}", f"的权限为 {one.mode!r}")
            place = self.folder / one.at
            above = {each for each in place.parents if each.is_relative_to(self.folder) and each != self.folder}
            if place.is_symlink() or any(each.is_symlink() for each in above - folders):
                raise refuse(one.path, "lies behind a link", "经由符号链接")
            folders |= above
            paths.add(one.path)
        databases = {path for path in paths if path.startswith(f"{DATABASE}.")}
        ending = {"sqlite": "sqlite", "postgresql": "dump"}.get(manifest.database)
        if databases != {f"{DATABASE}.{ending}"}:
            raise refuse(sorted(databases), "is not one database of its kind", "应为一个同类的数据库")

    def is_whole(self, one: KeptFile) -> bool:
        """Whether a file of a backup is as it was written."""
        try:
            path = self.folder / one.at
            return path.stat().st_size == one.length and digest_of(path) == one.digest
        except OSError:
            return False


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hex; read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def copy_durably(source: Path, target: Path, mode: int) -> tuple[int, str]:
    """Copy a file so that it is whole under its name or not there; returns length and SHA-256, hex.

    Raises:
        OSError: it cannot be read or written.
    """
    for folder in reversed([one for one in target.parents if not one.is_dir()]):
        folder.mkdir(mode=0o700, exist_ok=True)
    digest, length = hashlib.sha256(), 0
    handle, temporary = tempfile.mkstemp(prefix=".incoming-", dir=target.parent)
    try:
        with source.open("rb") as file, os.fdopen(handle, "wb") as copy:
            while block := file.read(_BLOCK):
                digest.update(block)
                length += copy.write(block)
            copy.flush()
            os.fchmod(copy.fileno(), mode)
            os.fsync(copy.fileno())
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    return length, digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def regular_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder with its path in it; links are not followed, hidden files left out."""
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in relative.parts):
            yield relative.as_posix(), path


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path
