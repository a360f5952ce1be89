"""Replace files so that a power cut leaves the old ones or the new ones, never halves."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_MODE = 0o644  # the log and the status lists are public
_SYNC_AT_ONCE = 16


def replace_durably(files: Mapping[Path, bytes]) -> None:
    """Write files, making their folders; once this returns they survive a power cut.

    Each file appears whole or not at all; several do not appear at one moment.
    All are written first, then brought to the disk together, then renamed: a
    run of eighty tiles costs little more than one.
    """
    folders = {path.parent for path in files}
    for folder in folders:
        _make_folder(folder)
    written: list[tuple[int, str, Path]] = []
    try:
        for path, content in files.items():
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            written.append((handle, temporary, path))
            os.fchmod(handle, _MODE)
            with open(handle, "wb", closefd=False) as file:
                file.write(content)
        if len(written) >= _SYNC_AT_ONCE:
            os.sync()  # one pass over the disk; the calls below then find nothing to write, but report errors
        for handle, _, _ in written:
            os.fsync(handle)
        for _, temporary, path in written:
            Path(temporary).replace(path)
    finally:
        for handle, temporary, _ in written:
            os.close(handle)
            with suppress(FileNotFoundError):  # renamed, as it should be
                Path(temporary).unlink()
    for folder in folders:
        _sync_folder(folder)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
