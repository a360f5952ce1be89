"""Back up an installation while it runs: the database at one moment, and every file that it speaks of.

1. The backup is noted on the history and the log is brought up to date, so that it stands in its own copy.
2. What is published (checkpoint, status lists, trust list) is copied *before*
   the database: a copy never has a checkpoint that its database does not know.
3. The database is copied at one moment: SQLite by its online backup, PostgreSQL by ``pg_dump``.
4. Packs, prefixes, reserve records and tiles are copied *after* it: they are
   stored before the database speaks of them and never change, so what it
   speaks of is there. Those that a backup before holds are not copied again.
5. The manifest is written last. A backup that was cut off has none.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from registry.copying import copy_sqlite
from registry.dumping import dump_postgresql
from registry.history import HistoryKind
from registry.log.reader import committed_size
from registry.reserve_records import FOLDER as RESERVED
from service.backup_store import (
    DATABASE,
    SHARED,
    BackupFailed,
    BackupStore,
    KeptFile,
    Manifest,
    copy_durably,
    digest_of,
    regular_files,
)
from service.behind import require_caught_up
from service.custody import note_use
from service.house import House
from service.registry_address import registry_address

#: Made again when they are needed; or kept apart from backups; or plain text about people that erasing would miss.
_LEFT_OUT = frozenset({"cache", "checkpoint-copy", "reports", "certificates", "keys"})
_PRIVATE = re.compile(r"registry.*\.sqlite.*|.*\.key|.*\.lock|.*\.new|recovery\.json|restoring\.json")
_FULL_TILE = re.compile(r"public/(?P<log>log|former-logs/[0-9]+)/tile/(?!.*\.p/).*")
_FOREIGN = re.compile(r"[^a-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class BackupMade:
    """What a backup did.

    Attributes:
        copied: files that were written.
        kept: files that an earlier backup holds already.
        written: bytes that were written.
    """

    manifest: Manifest
    copied: int
    kept: int
    written: int


def back_up(house: House, target: Path, *, with_keys: bool = False) -> BackupMade:
    """Make a backup into a folder of backups; see the module for the steps.

    Args:
        house: of the installation; it may be at work.
        target: the folder, made if it is not there; on another disk, or it is no backup.
        with_keys: copy the keys too, encrypted as they are. Whoever has both
            the backup and the passphrase has the installation.

    Raises:
        RestoredBehind: the registry is behind what was published, which no backup should carry on.
        BackupFailed: the folder cannot be written to.
        CopyFailed, DumpFailed, DumpProgramMissing: the database could not be copied.
    """
    require_caught_up(house.folder, house.database)
    store = BackupStore(target)
    now = house.now()
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = _new_name(store, now)
        # First: an entry stands in the copy that it is about.
        note_use(house, HistoryKind.BACKED_UP, f"backup {name}{' with keys' if with_keys else ''}")
        house.log.sequence(now)
        return _Making(house, store, name, with_keys=with_keys).make(now)
    except OSError as error:
        raise BackupFailed(target, error.strerror or "input/output") from error


class _Making:
    """One backup on its way."""

    def __init__(self, house: House, store: BackupStore, name: str, *, with_keys: bool) -> None:
        self._house = house
        self._store = store
        self._name = name
        self._with_keys = with_keys
        self._files: list[KeptFile] = []
        self._copied = self._kept = self._written = 0
        earlier = store.names()[-1:]
        self._known = {one.at: one for last in earlier for one in store.read(last).files}

    def make(self, now: datetime) -> BackupMade:
        house, root = self._house, self._house.folder.root
        for path, file in self._chosen(root, lambda path: not path.startswith("blobs/") and not _is_tile(path)):
            self._keep(path, file, f"{self._name}/files/{path}")
        with house.database.reading() as session:
            size = committed_size(session)
        self._keep_database()
        for path, file in self._chosen(root, lambda path: path.startswith("blobs/") or _is_tile(path)):
            self._keep(path, file, self._shared(path))
        self._drop_erased()
        manifest = Manifest(
            name=self._name,
            made_at=now.isoformat(),
            public_url=house.installation.public_url,
            log_origin=house.installation.log_origin,
            log_size=size,
            database=house.database.dialect,
            has_keys=self._with_keys,
            files=tuple(sorted(self._files, key=lambda one: one.path)),
        )
        self._store.write(manifest)
        return BackupMade(manifest, self._copied, self._kept, self._written)

    def _chosen(self, root: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
        for folder in sorted(root.iterdir()):
            if folder.is_symlink() or folder.name.startswith("."):
                continue
            if folder.is_file():
                found = [(folder.name, folder)]
            elif folder.name in _LEFT_OUT and not (folder.name == "keys" and self._with_keys):
                continue
            else:
                found = [(f"{folder.name}/{path}", file) for path, file in regular_files(folder)]
            for path, file in found:
                is_key = path.startswith("keys/")
                if is_wanted(path) and (is_key or _PRIVATE.fullmatch(path.rpartition("/")[2]) is None):
                    yield path, file

    def _keep(self, path: str, file: Path, at: str) -> None:
        """Copy a file, unless it is one that never changes and is there already."""
        target = self._store.folder / at
        try:
            found = file.stat()
        except FileNotFoundError:
            return  # a partial tile whose full one has taken its place meanwhile
        mode = found.st_mode & 0o777
        if at.startswith(f"{SHARED}/") and target.is_file() and target.stat().st_size == found.st_size:
            known = self._known.get(at)
            digest = known.digest if known is not None else digest_of(target)
            # One that no manifest vouches for was copied by a backup that was cut off.
            if known is not None or digest == digest_of(file):
                self._files.append(KeptFile(path, at, found.st_size, digest, mode))
                self._kept += 1
                return
        try:
            length, digest = copy_durably(file, target, mode)
        except FileNotFoundError:
            return
        self._files.append(KeptFile(path, at, length, digest, mode))
        self._copied += 1
        self._written += length

    def _keep_database(self) -> None:
        house = self._house
        folder = self._store.folder / self._name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if house.database.dialect == "sqlite":
            path = f"{DATABASE}.sqlite"
            copy_sqlite(house.folder.database, folder / path)
        else:
            path = f"{DATABASE}.dump"
            programs = house.settings.postgresql_programs
            dump_postgresql(registry_address(house.settings), folder / path, programs=programs)
        length = (folder / path).stat().st_size
        self._files.append(KeptFile(path, f"{self._name}/{path}", length, digest_of(folder / path), 0o600))
        self._copied += 1
        self._written += length

    def _shared(self, path: str) -> str:
        tile = _FULL_TILE.fullmatch(path)
        if tile is None:
            return f"{SHARED}/{path}"
        installation = self._house.installation
        number = tile["log"].rpartition("/")[2]
        origin = installation.former_origins[int(number) - 1] if number.isdigit() else installation.log_origin
        return f"{SHARED}/logs/{_FOREIGN.sub('-', origin)}/{path.partition('/tile/')[2]}"

    def _drop_erased(self) -> None:
        """Take out of every backup the reserve records that were written anew because a person was erased."""
        folder = self._store.folder / SHARED / "blobs" / RESERVED
        kept = {one.at for one in self._files}
        held = [one.relative_to(self._store.folder).as_posix() for one in folder.rglob("*") if one.is_file()]
        self._store.remove_shared([at for at in held if at not in kept])


def _new_name(store: BackupStore, now: datetime) -> str:
    name = f"{now:%Y%m%dT%H%M%SZ}"
    for number in range(1, 100):
        fresh = name if number == 1 else f"{name}-{number}"
        if not (store.folder / fresh).exists():
            return fresh
    raise BackupFailed(store.folder, f"{name} exists a hundred times")


def _is_tile(path: str) -> bool:
    return _FULL_TILE.fullmatch(path) is not None
