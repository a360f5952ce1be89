"""Mirrors in a directory and in S3 (moto's server): create-only, checkpoint last, resumed, never ahead."""

import json
import logging
import shutil
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

import obstore
import pytest
from moto.server import ThreadedMotoServer

from credential.errors import Error
from credential.note import BadNote, Checkpoint, open_checkpoint, sign_checkpoint
from registry.log.monitor import look
from registry.log.publishing import (
    FolderTarget,
    LogTarget,
    MirrorAhead,
    MirrorDiffers,
    Mirrored,
    MirrorUnavailable,
    publish_log,
)
from registry.log.s3_folder import BadMirrorAddress, NotCreateOnly, S3Access, S3Target
from registry.log.tiles import LogDamaged, NoCheckpoint, TileFolder, Tiles

from .conftest import NOW, ORIGIN, TestLog, a_signer, all_files

Make = Callable[[], LogTarget]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Address of a store with one bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with urllib.request.urlopen(urllib.request.Request(f"{address}/log-mirror", method="PUT")):  # noqa: S310 - our own server
        pass
    yield address
    server.stop()


_numbers = count()


@pytest.fixture(params=["folder", "s3"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Gives the same mirror each time, as two runs would open it."""
    if request.param == "folder":
        return lambda: FolderTarget(tmp_path / "mirror")
    address, prefix = request.getfixturevalue("s3"), f"s3://log-mirror/{next(_numbers)}"
    return lambda: S3Target(prefix, S3Access("key", "secret", endpoint=address))


def publish(testlog: TestLog, target: LogTarget, **given: object) -> Mirrored:
    keys = [testlog.signer.public_key]
    return publish_log(TileFolder(testlog.folder), target, keys, ORIGIN, **given)  # type: ignore[arg-type] # by name


def grow(testlog: TestLog, leaves: int) -> None:
    testlog.put(leaves)
    testlog.log.sequence(NOW)


def test_a_mirror_is_a_log_that_a_monitor_finds_good(testlog: TestLog, make: Make) -> None:
    seen, keys = None, [testlog.signer.public_key]
    for leaves in (0, 5, 300, 0, 900):
        grow(testlog, leaves)
        before = 0 if seen is None else seen.checkpoint.size
        done = publish(testlog, make())
        assert (done.before, done.size) == (before, before + leaves)
        assert (done.files > 0) == (leaves > 0)
        seen = look(Tiles(make().read, "mirror"), keys, ORIGIN, seen, NOW)
    assert seen is not None
    for name, content in all_files(testlog.folder).items():
        assert name == ".lock" or make().read(name) == content


def test_what_was_seen_at_a_size_that_the_mirror_never_had_is_checked_all_the_same(
    testlog: TestLog, tmp_path: Path
) -> None:
    keys = [testlog.signer.public_key]
    grow(testlog, 3)
    publish(testlog, FolderTarget(tmp_path / "mirror"))
    grow(testlog, 2)
    seen = look(TileFolder(testlog.folder), keys, ORIGIN, None, NOW)
    grow(testlog, 5)
    publish(testlog, FolderTarget(tmp_path / "mirror"))
    assert look(TileFolder(tmp_path / "mirror"), keys, ORIGIN, seen, NOW).checkpoint.size == 10


def test_a_second_run_writes_nothing(testlog: TestLog, make: Make) -> None:
    grow(testlog, 600)
    assert publish(testlog, make()).files
    assert publish(testlog, make()) == Mirrored(600, 600, 0)


class Broken(Exception):
    """Stands for a power cut."""


class Breaking:
    """A target that is cut off after so many files, each of them stored or not."""

    def __init__(self, target: LogTarget, files: int) -> None:
        self._target, self._left, self.place = target, files, target.place
        self.names: list[str] = []

    def read(self, name: str) -> bytes | None:
        return self._target.read(name)

    def create(self, files: Mapping[str, bytes]) -> int:
        new = 0
        for name, content in files.items():
            self._step(name)
            new += self._target.create({name: content})
        return new

    def replace(self, name: str, content: bytes) -> None:
        self._step(name)
        self._target.replace(name, content)

    def _step(self, name: str) -> None:
        if not self._left:
            raise Broken
        self._left -= 1
        self.names.append(name)


def test_cut_off_after_any_file_it_shows_the_old_checkpoint_and_is_completed(testlog: TestLog, tmp_path: Path) -> None:
    grow(testlog, 200)
    folder = tmp_path / "mirror"
    publish(testlog, FolderTarget(folder))
    grow(testlog, 500)
    (testlog.folder / "checkpoint.witnessed").write_bytes((testlog.folder / "checkpoint").read_bytes())
    for files in count():
        breaking = Breaking(FolderTarget(folder), files)
        try:
            publish(testlog, breaking)
        except Broken:
            assert look(TileFolder(folder), [testlog.signer.public_key], ORIGIN, None, NOW).checkpoint.size in {
                200,
                700,
            }
        else:
            break
    assert files > 8
    assert breaking.names[-2:] == ["checkpoint", "checkpoint.witnessed"]
    assert publish(testlog, FolderTarget(folder)) == Mirrored(700, 700, 0)


def test_the_checkpoint_comes_after_everything_it_covers_and_other_files_go_along(
    testlog: TestLog, tmp_path: Path
) -> None:
    grow(testlog, 300)
    (testlog.folder / "timestamps").mkdir()
    (testlog.folder / "timestamps" / "1.tst").write_bytes(b"a token")
    target = Breaking(FolderTarget(tmp_path / "mirror"), 99)
    told: list[int] = []
    publish(testlog, target, others=["timestamps/1.tst", "timestamps/gone.tst"], progress=told.append)
    assert target.names[-2:] == ["timestamps/1.tst", "checkpoint"]
    assert target.read("timestamps/1.tst") == b"a token"
    assert told[-1] == 300


def test_a_tile_that_somebody_changed_in_the_mirror_is_refused_and_never_overwritten(
    testlog: TestLog, make: Make
) -> None:
    make().create({"tile/0/000": b"somebody was here first"})
    grow(testlog, 300)
    with pytest.raises(MirrorDiffers, match="tile/0/000"):
        publish(testlog, make())
    assert make().read("tile/0/000") == b"somebody was here first"
    assert make().read("checkpoint") is None


def test_damage_here_is_never_copied_there(testlog: TestLog, tmp_path: Path) -> None:
    grow(testlog, 300)
    publish(testlog, FolderTarget(tmp_path / "mirror"))
    before = all_files(tmp_path / "mirror")
    grow(testlog, 600)
    bundle = testlog.folder / "tile/entries/002"
    content = bytearray(bundle.read_bytes())
    content[40] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(LogDamaged):
        publish(testlog, FolderTarget(tmp_path / "mirror"))
    assert all_files(tmp_path / "mirror") == before


def test_a_restored_older_log_never_overwrites_a_mirror_that_is_ahead(testlog: TestLog, make: Make) -> None:
    grow(testlog, 10)
    shutil.copytree(testlog.folder, testlog.folder.parent / "older")
    grow(testlog, 10)
    publish(testlog, make())
    shutil.rmtree(testlog.folder)
    (testlog.folder.parent / "older").rename(testlog.folder)
    with pytest.raises(MirrorAhead, match="20 leaves"):
        publish(testlog, make())


def test_a_mirror_of_another_tree_is_refused(testlog: TestLog, make: Make) -> None:
    grow(testlog, 10)
    make().replace("checkpoint", sign_checkpoint(Checkpoint(ORIGIN, 5, b"\7" * 32), testlog.signer).encode())
    with pytest.raises(MirrorAhead):
        publish(testlog, make())
    make().replace("checkpoint", sign_checkpoint(Checkpoint(ORIGIN, 5, b"\7" * 32), a_signer("thief")).encode())
    with pytest.raises(BadNote):
        publish(testlog, make())
    make().replace("checkpoint", b"\xff")
    with pytest.raises(Error):
        publish(testlog, make())


def test_a_log_without_a_checkpoint_is_not_published(testlog: TestLog, tmp_path: Path) -> None:
    with pytest.raises(NoCheckpoint):
        publish(testlog, FolderTarget(tmp_path / "mirror"))


def test_a_mirror_of_a_former_key_goes_on_under_the_new_one(testlog: TestLog, make: Make) -> None:
    grow(testlog, 10)
    publish(testlog, make())
    old, checkpoint = testlog.signer, testlog.log.sequence(NOW)
    testlog.signer = a_signer("new")
    (testlog.folder / "checkpoint").write_text(sign_checkpoint(checkpoint, testlog.signer))
    keys = [testlog.signer.public_key, old.public_key]
    publish_log(TileFolder(testlog.folder), make(), keys, ORIGIN)
    assert open_checkpoint((make().read("checkpoint") or b"").decode(), keys[0], ORIGIN).size == 10


# ---- S3 -------------------------------------------------------------------------------------------------------


def test_what_may_be_kept_for_ever_says_so_and_the_checkpoint_does_not(testlog: TestLog, s3: str) -> None:
    grow(testlog, 256)
    target = S3Target("s3://log-mirror/headers/", S3Access("key", "secret", endpoint=s3))
    publish(testlog, target)
    headers = {}
    for name in ("tile/0/000", "checkpoint"):
        attributes = obstore.get(target._store, name).attributes
        headers[name] = (attributes["Content-Type"], attributes["Cache-Control"])
    assert headers == {
        "tile/0/000": ("application/octet-stream", "public, max-age=31536000, immutable"),
        "checkpoint": ("text/plain; charset=utf-8", "public, max-age=5"),
    }


def test_a_store_that_overwrites_what_it_should_only_create_is_refused(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = S3Target("s3://log-mirror/careless", S3Access("key", "secret", endpoint=s3))
    real = target._put
    monkeypatch.setattr(target, "_put", lambda name, content, _mode: real(name, content, "overwrite"))
    with pytest.raises(NotCreateOnly):
        target.create({"a": b"1"})
    assert target.read("a") is None


def test_a_bucket_that_is_not_there_is_said_without_the_secret(s3: str) -> None:
    target = S3Target("s3://no-such-bucket/log", S3Access("key", "a-secret-value", endpoint=s3))
    with pytest.raises(MirrorUnavailable) as caught:
        target.create({"a": b"1"})
    assert "a-secret-value" not in json.dumps(
        [str(caught.value), caught.value.zh, repr(S3Access("k", "a-secret-value"))]
    )


@pytest.mark.parametrize("address", ["s3://", "s3:///log", "https://bucket/log", "bucket"])
def test_an_address_without_a_bucket_is_refused(address: str) -> None:
    with pytest.raises(BadMirrorAddress):
        S3Target(address, S3Access("key", "secret"))
