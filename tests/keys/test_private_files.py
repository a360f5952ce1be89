"""Files that only their owner may read, and where passphrases come from."""

import os
import stat
from pathlib import Path

import pytest

from keys.private_files import (
    FileExists,
    MissingPassphrase,
    OpenToOthers,
    UnreadablePrivateFile,
    make_private_folder,
    read_passphrase,
    read_private,
    replace_private,
    write_private,
)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_written_file_is_its_owners_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "a", b"content")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a") == 0o600
    assert read_private(tmp_path / "a") == b"content"


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    write_private(tmp_path / "a", b"first")
    with pytest.raises(FileExists):
        write_private(tmp_path / "a", b"second")
    assert read_private(tmp_path / "a") == b"first"


def test_a_link_is_never_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExists):
        write_private(tmp_path / "link", b"content")
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePrivateFile, match="missing"):
        write_private(tmp_path / "missing" / "a", b"content")


def test_a_file_is_replaced_whole_and_an_interrupted_try_is_no_hindrance(tmp_path: Path) -> None:
    write_private(tmp_path / "a", b"first")
    write_private(tmp_path / ".a.new", b"half")
    replace_private(tmp_path / "a", b"second")
    assert read_private(tmp_path / "a") == b"second"
    assert mode_of(tmp_path / "a") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_file_that_others_may_touch_is_refused_with_the_cure(mode: int, tmp_path: Path) -> None:
    write_private(tmp_path / "a", b"content")
    (tmp_path / "a").chmod(mode)
    with pytest.raises(OpenToOthers, match="chmod 600"):
        read_private(tmp_path / "a")


def test_missing_folders_and_giants_are_not_read(tmp_path: Path) -> None:
    write_private(tmp_path / "big", bytes((1 << 20) + 1))
    with pytest.raises(UnreadablePrivateFile, match="too long"):
        read_private(tmp_path / "big")
    with pytest.raises(UnreadablePrivateFile, match="No such file"):
        read_private(tmp_path / "none")
    with pytest.raises(UnreadablePrivateFile, match="directory"):
        read_private(tmp_path)


def test_a_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a")
    assert mode_of(tmp_path / "a") == 0o700
    make_private_folder(tmp_path / "a")
    (tmp_path / "a").chmod(0o750)
    with pytest.raises(OpenToOthers, match="chmod 700"):
        make_private_folder(tmp_path / "a")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnreadablePrivateFile):
        make_private_folder(tmp_path / "file" / "a")


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [(b"secret", b"secret"), (b"secret\n", b"secret"), (b"secret\r\n", b"secret"), (b" a b \n\n", b" a b \n")],
)
def test_one_line_end_does_not_count(content: bytes, passphrase: bytes, tmp_path: Path) -> None:
    write_private(tmp_path / "a", content)
    assert read_passphrase(tmp_path / "a", {"NAME": "other"}, "NAME") == passphrase


def test_without_a_file_the_environment_counts() -> None:
    assert read_passphrase(None, {"NAME": "口令"}, "NAME") == "口令".encode()


def test_no_passphrase_is_told_with_the_cure(tmp_path: Path) -> None:
    write_private(tmp_path / "empty", b"\n")
    for file, environ in ((None, {}), (None, {"NAME": ""}), (tmp_path / "empty", {"NAME": "secret"})):
        with pytest.raises(MissingPassphrase, match="NAME"):
            read_passphrase(file, environ, "NAME")


def test_a_passphrase_file_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"secret")
    (tmp_path / "a").chmod(0o644)
    with pytest.raises(OpenToOthers):
        read_passphrase(tmp_path / "a", {}, "NAME")
