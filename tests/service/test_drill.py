"""The drill of docs/backup.md: the disk is lost after a backup, and everything that was printed comes back."""

import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from credential.model import State
from credential.note import parse_checkpoint, parse_note
from registry.numbers import account_numbers
from service.behind import read_recovery
from service.folder import DataFolder
from service.house import House, open_house
from service.keeping import verify_whole_log
from service.settings import Settings
from service.verifying import open_verifier
from tests.service.at_hand import PASSPHRASE, Ran, person_row, run, write_sheet
from verifier.verdict import Verdict

WHO = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")


@dataclass(frozen=True)
class Loss:
    """What there is after the loss: a backup, and what survived it."""

    backup: Path
    blobs: Path
    published: Path
    checkpoint: Path
    old: list[Path]
    new: list[Path]
    revoked: str


def yinzheng(data: Path, *arguments: str | Path) -> Ran:
    ran = run("--data", data, *arguments)
    assert ran.code == 0, ran
    return ran


def house_of(data: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    return open_house(Settings(data=data))


def verdict_of(house: House, pdf: Path) -> Verdict:
    with open_verifier(house) as verifier:
        return verifier.verify_file(pdf.read_bytes(), house.now())


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory, issued: Path) -> Loss:
    """A backup was made; then two were issued and one revoked; then the disk went, but not the objects."""
    folder = tmp_path_factory.mktemp("lost")
    data = Path(shutil.copytree(issued, folder / "data", symlinks=True))
    yinzheng(data, "backup", folder / "backups", "--keys")
    old = sorted((issued.parent / "out").glob("*.pdf"))
    sheet = write_sheet(folder / "sheet.csv", [person_row(number) for number in (20, 21)])
    yinzheng(data, "issue", sheet, *WHO, "--out", folder / "out")
    new = sorted((folder / "out").glob("*.pdf"))
    revoked = old[0].stem
    yinzheng(
        data, "revoke", revoked, "--reason", "issued-in-error", "--decision", "D1", "--as", "wang", "--approve-as", "li"
    )
    checkpoint = shutil.copy(data / "checkpoint-copy" / "checkpoint", folder / "checkpoint")
    blobs = shutil.copytree(data / "blobs", folder / "blobs")
    published = shutil.copytree(data / "public", folder / "public")
    shutil.rmtree(data)
    return Loss(folder / "backups", blobs, published, Path(checkpoint), old, new, revoked)


def restored(lost: Loss, data: Path, *more: str | Path) -> Ran:
    return yinzheng(
        data, "restore", lost.backup, "--blobs", lost.blobs, "--published", lost.published,
        "--checkpoint", lost.checkpoint, *more,
    )  # fmt: skip


def test_the_drill(lost: Loss, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    told = restored(lost, data)
    assert "behind" in told.out
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(30)])
    assert run("--data", data, "issue", sheet, *WHO).error == "restored-behind"
    assert run("--data", data, "verify", lost.old[1]).error == "restored-behind"
    assert "2 (all)" in yinzheng(data, "recover").out
    assert read_recovery(DataFolder(data)) is None  # a plan changes nothing
    done = yinzheng(data, "recover", "--do")
    assert lost.revoked in done.out
    house = house_of(data, monkeypatch)
    assert house.installation.log_origin.endswith("/log-2")
    # What was revoked is never called valid, though the registry does not know it yet; and nothing is issued.
    assert verdict_of(house, lost.old[0]).reason == "revoked"
    assert run("--data", data, "issue", sheet, *WHO).error == "changes-owed"
    yinzheng(
        data, "revoke", lost.revoked, "--reason", "issued-in-error", "--decision", "D1", "--as", "wang",
        "--approve-as", "li",
    )  # fmt: skip
    yinzheng(data, "issue", sheet, *WHO, "--out", tmp_path / "out")
    later = sorted((tmp_path / "out").glob("*.pdf"))
    for pdf in [*lost.old[1:], *lost.new, *later]:
        assert verdict_of(house, pdf).reason == "good", pdf
    serials = [one.stem for one in [*lost.old, *lost.new, *later]]
    assert len(set(serials)) == len(serials)
    verify_whole_log(house)
    with house.database.reading() as session:
        assert account_numbers(session, "nb", house.today().year).missing == ()
    assert "✗" not in run("--data", data, "doctor").out
