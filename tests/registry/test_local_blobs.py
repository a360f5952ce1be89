"""Durable, create-only files."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from registry.blob_names import BadBlobName, BlobsUnavailable, MissingBlob
from registry.local_blobs import LocalBlobs


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def test_what_is_created_is_read_back_whole_and_in_parts(blobs: LocalBlobs) -> None:
    assert blobs.create("tails/1/2", [b"abc", b"", b"defg"])
    assert blobs.exists("tails/1/2")
    assert blobs.read("tails/1/2") == b"abcdefg"
    assert blobs.read("tails/1/2", 2, 3) == b"cde"
    assert blobs.read("tails/1/2", 5) == b"fg"


def test_a_name_is_taken_once(blobs: LocalBlobs) -> None:
    assert blobs.create("a", [b"first"])
    assert not blobs.create("a", [b"second"])
    assert blobs.read("a") == b"first"


def test_of_many_who_create_one_name_exactly_one_succeeds(blobs: LocalBlobs, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda at: blobs.create("a/b", [str(at).encode() * 10_000]), range(40)))
    assert sum(won) == 1
    assert blobs.read("a/b") == str(won.index(True)).encode() * 10_000
    assert list((tmp_path / "blobs" / ".incoming").iterdir()) == []


def test_a_name_that_is_not_there_is_missing(blobs: LocalBlobs) -> None:
    assert not blobs.exists("a")
    with pytest.raises(MissingBlob, match="a"):
        blobs.read("a")


@pytest.mark.parametrize("name", ["", "/a", "a/", "../a", "a/../b", "A", "a b", ".incoming/x", "a//b", "é", "a\n"])
def test_a_name_that_could_leave_the_folder_is_refused(blobs: LocalBlobs, name: str) -> None:
    for use in (lambda: blobs.create(name, []), lambda: blobs.read(name), lambda: blobs.exists(name)):
        with pytest.raises(BadBlobName):
            use()


def test_file_and_folders_are_synced_before_create_returns(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    linked: list[str] = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(handle: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink().name) if is_folder else "file")
        real_fsync(handle)

    def link(source: Any, target: Any) -> None:
        assert synced[-1] == "file"
        linked.append(Path(target).name)
        real_link(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    blobs.create("one/two/three", [b"x"])
    assert linked == ["three"]
    assert synced[-1] == "two", "the folder that got the name is synced last"
    assert {"one", "blobs"} <= set(synced), "and so were those that are new"


def test_whoever_finds_a_name_syncs_its_folder_too(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs.create("one/two", [b"x"])
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    assert not blobs.create("one/two", [b"x"])
    assert len(synced) == 1


def test_a_short_write_is_continued(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda handle, part: real_write(handle, bytes(part[:3])))
    blobs.create("a", [b"0123456789", b"abc"])
    assert blobs.read("a") == b"0123456789abc"


@pytest.mark.parametrize("call", ["fsync", "link", "write"])
def test_a_full_or_broken_disk_is_reported_and_leaves_nothing(
    blobs: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    blobs.create("other", [b""])
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(BlobsUnavailable, match="No space left"):
            blobs.create("a", [b"x"])
    assert not blobs.exists("a")
    assert list((tmp_path / "blobs" / ".incoming").iterdir()) == []


def test_reading_from_a_broken_disk_is_not_a_missing_file(blobs: LocalBlobs, tmp_path: Path) -> None:
    (tmp_path / "blobs" / "a").mkdir(parents=True)
    with pytest.raises(BlobsUnavailable, match="a"):
        blobs.read("a")


def test_a_name_that_cannot_be_looked_up_is_not_a_missing_file(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(Path, "is_file", fail)
    with pytest.raises(BlobsUnavailable, match="a"):
        blobs.exists("a")
