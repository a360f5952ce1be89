"""Files that appear whole or not at all, on a quick disk (one after another) and on a slow one (many at once)."""

import os
from pathlib import Path
from threading import Lock
from unittest.mock import patch

import pytest

from registry.log import files
from registry.log.files import replace_durably


@pytest.fixture(params=["quick", "slow"], autouse=True)
def _disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SLOW_SECONDS", 1e9 if request.param == "quick" else -1.0)


class Disk:
    """Writes down, in order, what is synced and what is renamed; fails at one file if asked to."""

    def __init__(self, bad: int | None = None) -> None:
        self.done: list[tuple[str, int]] = []
        self._bad = bad
        self._fsync = os.fsync
        self._lock = Lock()

    def fsync(self, handle: int) -> None:
        with self._lock:
            self.done.append(("sync", os.fstat(handle).st_ino))
            if len(self.done) - 1 == self._bad:
                raise OSError(28, "No space left on device")
        self._fsync(handle)

    def run(self, contents: dict[Path, bytes]) -> None:
        real = Path.replace

        def replace(path: Path, target: Path) -> Path:
            self.done.append(("rename", path.stat().st_ino))
            return real(path, target)

        with patch.object(os, "fsync", self.fsync), patch.object(Path, "replace", replace):
            replace_durably(contents)


@pytest.mark.parametrize("count", [1, 4, 5, 12, 40])
def test_every_file_is_on_the_disk_before_one_is_renamed_and_its_folder_after(tmp_path: Path, count: int) -> None:
    contents = {tmp_path / f"{number % 3}" / f"{number:03}": bytes([number]) * number for number in range(count)}
    folders = {path.parent for path in contents}
    for folder in folders:
        folder.mkdir()
    disk = Disk()
    disk.run(contents)
    kinds = [kind for kind, _ in disk.done]
    assert kinds == ["sync"] * count + ["rename"] * count + ["sync"] * len(folders)
    written = {path.stat().st_ino for path in contents}
    assert {inode for _, inode in disk.done[:count]} == written
    assert {inode for _, inode in disk.done[2 * count :]} == {folder.stat().st_ino for folder in folders}
    assert {path: path.read_bytes() for path in contents} == contents


@pytest.mark.parametrize("bad", [0, 3, 11])
def test_a_disk_that_fails_leaves_what_was_there_and_nothing_half_written(tmp_path: Path, bad: int) -> None:
    old = {tmp_path / f"{number:03}": b"old" for number in range(12)}
    replace_durably(old)
    with pytest.raises(OSError, match="No space"):
        Disk(bad).run(dict.fromkeys(old, b"new"))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_a_disk_that_takes_little_at_a_time_gets_all_of_it(tmp_path: Path) -> None:
    real = os.write
    with patch.object(os, "write", lambda handle, content: real(handle, content[:7])):
        replace_durably({tmp_path / "a": bytes(range(100)), tmp_path / "b": b""})
    assert (tmp_path / "a").read_bytes() == bytes(range(100))
    assert (tmp_path / "b").read_bytes() == b""
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
