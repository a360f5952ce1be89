"""An older backup is restored while newer ones lie beside it: what they know is not forgotten."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.backup_store import MANIFEST, BackupStore
from service.folder import DataFolder
from tests.service.at_hand import person_row, run, write_sheet, yinzheng

WHO = ("--as", "wang", "--approve-as", "li")


@dataclass(frozen=True)
class Kept:
    """Two backups of one folder, and what happened in between."""

    folder: Path
    older: str
    cache: Path
    erased: Path
    revoked: Path
    untouched: Path
    issued_since: Path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, issued: Path, certificates: list[Path], cache: Path) -> Kept:
    """Backup; one erased, one revoked for fraud, one issued; backup."""
    folder = tmp_path_factory.mktemp("older")
    data = Path(shutil.copytree(issued, folder / "data", symlinks=True))
    erased, revoked, untouched = certificates[:3]
    yinzheng(data, "backup", folder / "kept", "--keys")
    yinzheng(data, "erase", erased.stem, "--decision", "D1", "--as", "wang")
    yinzheng(data, "erase", "approve", "1", "--as", "li")
    yinzheng(data, "revoke", revoked.stem, "--reason", "fraud", "--decision", "D2", *WHO)
    sheet = write_sheet(folder / "sheet.csv", [person_row(60)])
    yinzheng(data, "issue", sheet, "--issuer", "nb", *WHO, "--out", folder / "out")
    yinzheng(data, "backup", folder / "kept", "--keys")
    (since,) = (folder / "out").glob("*.pdf")
    older, _ = BackupStore(folder / "kept").names()
    return Kept(folder / "kept", older, cache, erased, revoked, untouched, since)


@pytest.fixture
def fresh(kept: Kept, tmp_path: Path) -> Path:
    data = tmp_path / "fresh"
    data.mkdir()
    (data / "cache").symlink_to(kept.cache)
    return data


def test_a_newer_backup_beside_it_says_who_was_erased_and_revoked_and_what_was_issued(
    kept: Kept, fresh: Path, tmp_path: Path
) -> None:
    told = yinzheng(fresh, "restore", kept.folder, "--name", kept.older)
    assert "behind" in told.out
    assert "persons erased again" in told.out
    assert run("--data", fresh, "verify", kept.revoked).error == "restored-behind"
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(61)])
    assert run("--data", fresh, "issue", sheet, "--issuer", "nb", *WHO).error == "restored-behind"
    done = yinzheng(fresh, "recover", "--do")
    assert kept.revoked.stem in done.out
    answers = {
        one: run("--data", fresh, "verify", one, "--json").out
        for one in (kept.erased, kept.revoked, kept.untouched, kept.issued_since)
    }
    reasons = {one: json.loads(answer)["reason"] for one, answer in answers.items()}
    assert list(reasons.values()) == ["erased", "revoked", "good", "good"]
    assert person_row(0)[0] not in answers[kept.erased]
    assert run("--data", fresh, "issue", sheet, "--issuer", "nb", *WHO).error == "changes-owed"
    yinzheng(fresh, "revoke", kept.revoked.stem, "--reason", "fraud", "--decision", "D2", *WHO)
    yinzheng(fresh, "issue", sheet, "--issuer", "nb", *WHO, "--out", tmp_path / "out")


@pytest.mark.parametrize("path", ["public/log/checkpoint", "public/status/"])
def test_a_newer_backup_that_cannot_tell_stops_the_restore_of_an_older_one(
    kept: Kept, fresh: Path, tmp_path: Path, path: str
) -> None:
    own = shutil.copytree(kept.folder, tmp_path / "own")
    newer = BackupStore(own).read()
    file = next(own / one.at for one in newer.files if one.path.startswith(path))
    file.write_bytes(b"other" + file.read_bytes())
    found = run("--data", fresh, "restore", own, "--name", kept.older)
    assert found.error == "backup-damaged"
    assert newer.name in found.err
    assert [one.name for one in fresh.iterdir()] == ["cache"]


def test_a_backup_from_before_a_recovery_is_refused_while_one_from_after_it_is_there(
    kept: Kept, fresh: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(kept.folder, tmp_path / "own")
    manifest = own / BackupStore(own).names()[-1] / MANIFEST
    told = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps(told | {"log_origin": f"{told['log_origin']}-2"}))
    found = run("--data", fresh, "restore", own, "--name", kept.older)
    assert (found.error, told["name"] in found.err) == ("restored-forked", True)
    assert not DataFolder(fresh).exists()


def test_a_correction_that_was_printed_after_the_backup_comes_back_with_its_predecessor(
    issued_data: Path, certificates: list[Path], cache: Path, tmp_path: Path
) -> None:
    folder, out, one = tmp_path / "kept", tmp_path / "out", certificates[0]
    yinzheng(issued_data, "backup", folder, "--keys")
    change = ("--set", "specialty=果树", "--reason", "clerical-error", "--decision", "D3", "--as", "wang")
    yinzheng(issued_data, "correct", one.stem, *change)
    yinzheng(issued_data, "approve", "2", "--as", "li", "--out", out)
    later = out / f"{one.stem}-2.pdf"
    data = tmp_path / "restored"
    data.mkdir()
    (data / "cache").symlink_to(cache)
    survived = ("--blobs", issued_data / "blobs", "--published", issued_data / "public")
    yinzheng(data, "restore", folder, *survived)
    assert run("--data", data, "verify", later).error == "restored-behind"
    yinzheng(data, "recover", "--do")
    told = {pdf: json.loads(run("--data", data, "verify", pdf, "--json").out) for pdf in (one, later)}
    assert [one["verdict"] for one in told.values()] == ["superseded", "valid"]
    assert told[one]["credential"]["superseded_by"] == {"serial": one.stem, "version": 2}
    assert told[later]["credential"]["supersedes"] == {"serial": one.stem, "version": 1}
    assert "✗" not in run("--data", data, "doctor").out
