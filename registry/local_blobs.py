"""Keep named bytes as files on one machine, durably and create-only.

Implements credential.ports.Blobs. A file is written beside its place, synced,
and linked to its name: a name shows all of its bytes or is not there.
"""

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from registry.blob_names import BlobsUnavailable, MissingBlob, check_name

_INCOMING = ".incoming"
"""Unfinished files; what a kill leaves here belongs to nobody and may be deleted."""

_WRITE_AT_ONCE = 1 << 20
"""Bytes: given 32 MiB in one call, Linux takes four times as long on ext4 to find memory for them."""


class LocalBlobs:
    """A folder of create-only files.

    Args:
        folder: must exist or have a parent that exists; on a file system with hard links.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str, parts: Sequence[bytes | memoryview]) -> bool:
        """Store the joined parts; see credential.ports.Blobs.

        Raises:
            BadBlobName: the name is not safe.
            BlobsUnavailable: the disk is full, read-only or broken.
        """
        target = self._folder / check_name(name)
        try:
            if target.exists():
                # Whoever linked it may not have synced the folder yet.
                _sync_folder(target.parent)
                return False
            self._make_folders(target.parent)
            incoming = self._write(parts)
            try:
                os.link(incoming, target)
            except FileExistsError:
                return False
            finally:
                incoming.unlink()
                _sync_folder(target.parent)
        except OSError as error:
            raise BlobsUnavailable(name, os.strerror(error.errno or errno.EIO)) from error
        return True

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read all or a range; see credential.ports.Blobs.

        Raises:
            BadBlobName: the name is not safe.
            MissingBlob: there is no such object.
            BlobsUnavailable: the disk does not answer.
        """
        try:
            with (self._folder / check_name(name)).open("rb") as file:
                file.seek(offset)
                return file.read() if length is None else file.read(length)
        except FileNotFoundError as error:
            raise MissingBlob(name) from error
        except OSError as error:
            raise BlobsUnavailable(name, os.strerror(error.errno or errno.EIO)) from error

    def exists(self, name: str) -> bool:
        """Whether the name is stored.

        Raises:
            BadBlobName: the name is not safe.
            BlobsUnavailable: the disk does not answer.
        """
        try:
            return (self._folder / check_name(name)).is_file()
        except OSError as error:
            raise BlobsUnavailable(name, os.strerror(error.errno or errno.EIO)) from error

    def _write(self, parts: Sequence[bytes | memoryview]) -> Path:
        handle, path = tempfile.mkstemp(dir=self._folder / _INCOMING)
        try:
            for part in parts:
                _write_all(handle, part)
            os.fsync(handle)
        except OSError:
            Path(path).unlink()
            raise
        finally:
            os.close(handle)
        return Path(path)

    def _make_folders(self, folder: Path) -> None:
        (self._folder / _INCOMING).mkdir(parents=True, exist_ok=True)
        if folder.is_dir():
            return
        folder.mkdir(parents=True, exist_ok=True)
        while folder != self._folder:
            _sync_folder(folder.parent)
            folder = folder.parent
        _sync_folder(self._folder.parent)


def _write_all(handle: int, part: bytes | memoryview) -> None:
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(handle, rest[:_WRITE_AT_ONCE]) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
