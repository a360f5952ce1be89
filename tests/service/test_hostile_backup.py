"""What a backup or a checkpoint of a stranger may not do: manifests, links, and notes with a bad line."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from credential.note import Checkpoint, sign_checkpoint
from credential.ports import Algorithm
from credential.trust import Role
from service.backup_store import MANIFEST, BackupStore
from service.house import open_house
from service.restoring import BadOutsideCheckpoint, outside_checkpoint
from service.settings import Settings
from tests.fakes_issuer import MemorySigner
from tests.service.at_hand import PASSPHRASE, run


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory, issued: Path) -> Path:
    """A backup with keys; look, do not touch."""
    folder = tmp_path_factory.mktemp("backup")
    data = shutil.copytree(issued, folder / "data", symlinks=True)
    assert run("--data", data, "backup", folder / "kept", "--keys").code == 0
    return folder / "kept"


@pytest.fixture
def own(backup: Path, tmp_path: Path) -> Path:
    """A copy of the backup of one's own."""
    return Path(shutil.copytree(backup, tmp_path / "own"))


@pytest.mark.parametrize(
    ("path", "mode", "why"),
    [
        ("public/s", 0o4755, "has the mode"),
        ("public/s", -1, "has the mode"),
        ("public/s", "420", "has the mode"),
        ("public/s", True, "has the mode"),
        ("public/a\0b", 0o644, "leads out of its folder"),
        ("../escaped", 0o644, "leads out of its folder"),
        ("/escaped", 0o644, "leads out of its folder"),
        (".", 0o644, "leads out of its folder"),
        (7, 0o644, "is no path"),
        ("restoring.json", 0o644, "is not for a manifest to say"),
        ("installation.json", 0o644, "is not for a manifest to say"),
        ("registry.dump", 0o644, "is not one database"),
        ("registry.sqlite-wal", 0o644, "is not one database"),
    ],
)
def test_a_manifest_says_nothing_that_no_backup_of_ours_said(
    own: Path, fresh: Path, path: object, mode: object, why: str
) -> None:
    add_to_manifest(own, path=path, mode=mode)
    found = run("--data", fresh, "restore", own)
    assert (found.error, why in found.err) == ("backup-damaged", True), found
    assert [one.name for one in fresh.iterdir()] == ["cache"]


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_in_a_folder_of_backups_is_not_followed(own: Path, fresh: Path, link: str) -> None:
    outside = own.parent / "outside"
    outside.mkdir()
    (outside / "extra").write_bytes(b"extra")
    if link == "file":
        (own / "extra").symlink_to(outside / "extra")
    else:
        (own / "folder").symlink_to(outside)
    add_to_manifest(own, at="extra" if link == "file" else "folder/extra")
    found = run("--data", fresh, "restore", own)
    assert (found.error, "behind a link" in found.err) == ("backup-damaged", True)


def test_nobody_else_may_write_what_was_restored(own: Path, fresh: Path) -> None:
    (own / "extra").write_bytes(b"extra")
    add_to_manifest(own, mode=0o777)
    assert run("--data", fresh, "restore", own).code == 0
    assert (fresh / "public" / "extra").stat().st_mode & 0o7777 == 0o755


def add_to_manifest(own: Path, **changes: object) -> None:
    file = own / BackupStore(own).names()[-1] / MANIFEST
    told = json.loads(file.read_text("utf-8"))
    digest = hashlib.sha256(b"extra").hexdigest()
    extra = {"path": "public/extra", "at": "extra", "length": 5, "digest": digest, "mode": 0o644}
    told["files"].append(extra | changes)
    file.write_text(json.dumps(told), "utf-8")


def test_a_checkpoint_with_a_bad_line_by_any_key_of_the_log_is_refused(
    issued_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One good line does not make up for it (docs/formats-log.md, 3.3); lines of strangers are passed over."""
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    house = open_house(Settings(data=issued_data))
    signer, other = house.store.signer(Role.LOG), MemorySigner("the log's other key", Algorithm.ED25519)
    first = next(key for key in house.trust.keys if key.role is Role.LOG)
    two = replace(first, public_key=other.public_key)
    head = Checkpoint(house.installation.log_origin, 5, bytes(32))
    good, by_other = sign_checkpoint(head, signer), sign_checkpoint(head, other)
    bad = sign_checkpoint(replace(head, size=6), other).partition("\n\n")[2]
    house.database.close()
    for keys in ((first, two), (two, first)):
        trust = replace(house.trust, keys=keys)
        for note, is_believed in ((good, True), (by_other, True), (good + bad, False)):
            (tmp_path / "note").write_text(note)
            if is_believed:
                assert outside_checkpoint(str(tmp_path / "note"), trust) == (note, head)
            else:
                with pytest.raises(BadOutsideCheckpoint, match="does not fit"):
                    outside_checkpoint(str(tmp_path / "note"), trust)
    (tmp_path / "note").write_text(good + bad)
    assert outside_checkpoint(str(tmp_path / "note"), replace(house.trust, keys=(first,))) == (good + bad, head)
