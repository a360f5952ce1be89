"""Copy a SQLite registry as it stands, while others may read and write it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from credential.errors import UnavailableError


class CopyFailed(UnavailableError):
    """The copy could not be written, or is not the whole database."""

    code = "database-copy-failed"

    def __init__(self, target: Path, cause: str) -> None:
        super().__init__(
            f"the database could not be copied to {target} ({cause}); nothing was changed: check disk space and rights",
            f"无法把数据库复制到 {target}({cause}); 未作任何更改: 请检查磁盘空间与权限",
        )
        self.target = target


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database into a new file of mode 600, durably, and check that the copy is whole.

    Args:
        source: the database.
        target: must not exist.

    Raises:
        CopyFailed: it could not be written; what there is of it is removed.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise CopyFailed(target, error.strerror or "input/output") from error
    try:
        with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
            original.backup(copy)
            (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        for path in (target, target.parent):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise CopyFailed(target, str(error)) from error
    if found != "ok":
        target.unlink()
        raise CopyFailed(target, found)
