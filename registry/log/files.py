"""Replace files so that a power cut leaves the old ones or the new ones, never halves."""

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from time import perf_counter

_MODE = 0o644  # the log and the status lists are public
_SYNC_AT_ONCE = 16
"""Threads that wait for a slow disk: it brings many files down in little more than the time of one."""

_FEW = 4  # files that are not worth a thread
_SLOW_SECONDS = 0.001  # a file that takes less is on the disk before a thread for the next would have begun


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
    renamed = 0
    try:
        for path, content in files.items():
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            written.append((handle, temporary, path))
            os.fchmod(handle, _MODE)
            _write(handle, content)
        _sync([handle for handle, _, _ in written])
        for _, temporary, path in written:
            Path(temporary).replace(path)
            renamed += 1
    finally:
        for handle, _, _ in written:
            os.close(handle)
        for _, temporary, _ in written[renamed:]:
            with suppress(FileNotFoundError):  # renamed, but that was not heard of
                Path(temporary).unlink()
    _sync_folders(folders)


def _write(handle: int, content: bytes) -> None:
    written = os.write(handle, content)
    while written < len(content):  # a full disk takes part of it, and refuses the rest
        written += os.write(handle, content[written:])


def _sync(handles: Sequence[int]) -> None:
    """Bring files down to the disk, one after another while it is quick, else together."""
    done = 0
    is_quick = True
    while done < len(handles) and (is_quick or len(handles) - done <= _FEW):
        started = perf_counter()
        os.fsync(handles[done])
        done += 1
        is_quick = perf_counter() - started < _SLOW_SECONDS
    if done < len(handles):
        with ThreadPoolExecutor(_SYNC_AT_ONCE) as pool:
            for _ in pool.map(os.fsync, handles[done:]):
                pass


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folders([folder.parent])


def _sync_folders(folders: Collection[Path]) -> None:
    with ExitStack() as opened:
        handles = []
        for folder in folders:
            handles.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
            opened.callback(os.close, handles[-1])
        _sync(handles)
