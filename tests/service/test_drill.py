"""The drill of docs/backup.md: the disk is lost after a backup, and everything that was printed comes back."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from credential.claims import decode_claims
from credential.cose import open_message
from registry.credentials import chunk_of, get_credential, read_reserved
from registry.history import verify_logged_history
from registry.numbers import account_numbers
from service.behind import read_recovery, still_owed
from service.folder import DataFolder
from service.house import House, open_house
from service.keeping import verify_whole_log
from service.recovering import plan_recovery, recover
from service.settings import Settings
from service.verifying import open_offline_verifier, open_verifier
from tests.service.at_hand import PASSPHRASE, Ran, person_row, run, write_sheet, yinzheng
from verifier.verdict import Outcome, Verdict

WHO = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")


@dataclass(frozen=True)
class Loss:
    """What there is after the loss: a backup, and what survived it."""

    backup: Path
    blobs: Path
    published: Path
    checkpoint: Path
    cache: Path
    old: list[Path]
    new: list[Path]
    revoked: str


def house_of(data: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    return open_house(Settings(data=data))


def verdict_of(house: House, pdf: Path) -> Verdict:
    with open_verifier(house) as verifier:
        return verifier.verify_file(pdf.read_bytes(), house.now())


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory, issued: Path, cache: Path) -> Loss:
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
    return Loss(folder / "backups", blobs, published, Path(checkpoint), cache, old, new, revoked)


def restored(lost: Loss, data: Path, *more: str | Path) -> Ran:
    """Restore, with the fonts and prefixes that other tests have unpacked already."""
    data.mkdir(exist_ok=True)
    if not (data / "cache").exists():
        (data / "cache").symlink_to(lost.cache)
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
    assert lost.revoked in run("--data", data, "doctor", "--quiet").out
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
    expect_good_by_code_and_qr(house, [*lost.old[1:], *lost.new, *later])
    expect_old_proofs_to_count_offline(house, lost)
    assert "✗" not in run("--data", data, "doctor").out


def expect_good_by_code_and_qr(house: House, pdfs: list[Path]) -> None:
    with open_verifier(house) as verifier:
        for pdf in pdfs:
            (found,) = house.source.by_serial(pdf.stem)
            claims = decode_claims(open_message(found.claims).payload)
            assert verifier.verify_code(claims.verification_code, house.now()).reason == "good"
            with house.database.reading() as session:
                one = get_credential(session, pdf.stem)
                (reserved,) = [
                    each
                    for each in read_reserved(session, house.vault, one.batch_id, chunk_of(session, one))
                    if each.serial == pdf.stem
                ]
            assert verifier.verify_qr(reserved.qr_text, house.now()).reason == "good"


def expect_old_proofs_to_count_offline(house: House, lost: Loss) -> None:
    """What was printed under the former log is proven by it, up to its end, by the file alone."""
    settings = house.settings.model_copy(update={"data": house.folder.root / "nowhere"})
    with open_offline_verifier(settings, house.folder.trust_list) as verifier:
        for pdf in lost.new:
            found = verifier.verify_file(pdf.read_bytes(), house.now())
            assert found.reason == "register-not-asked"
            assert "issue-logged" in {one.name for one in found.checks if one.outcome is Outcome.PASSED}


# ---- killed at every step ---------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for a kill: nothing in the program may catch it."""


@contextmanager
def killed_at(number: int) -> Iterator[list[str]]:
    """Raise at the so-manieth commit or renaming; 0 only counts."""
    passed: list[str] = []

    def passing(what: str) -> None:
        passed.append(what)
        if len(passed) == number:
            raise Killed

    def before(name: str) -> Callable[..., Any]:
        real = getattr(Path, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            passing(name)
            return real(*arguments, **named)

        return wrapped

    def before_commit(_connection: Any) -> None:
        passing("commit")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename",):
            patch.setattr(Path, name, before(name))
        event.listen(Engine, "commit", before_commit)
        try:
            yield passed
        finally:
            event.remove(Engine, "commit", before_commit)


def restored_and_recovered(lost: Loss, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restored(lost, data)
    house = house_of(data, monkeypatch)
    try:
        recover(house, plan_recovery(house))
    finally:
        house.database.close()


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_a_recovery_killed_at_any_commit_or_renaming_is_finished_by_the_same_command(
    lost: Loss, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """Each day at every renaming and some commits; in a soak at all of them."""
    with killed_at(0) as places:
        restored_and_recovered(lost, tmp_path / "whole", monkeypatch)
    assert {"commit", "rename"} <= set(places)
    chosen = [number for number, what in enumerate(places, 1) if what == "rename" or number % every == 0]
    for number in chosen:
        data = tmp_path / str(number)
        with pytest.raises(Killed), killed_at(number):
            restored_and_recovered(lost, data, monkeypatch)
        restore_again_if_unfinished(lost, data)
        yinzheng(data, "recover", "--do")
        expect_all_back(lost, data, monkeypatch)
        shutil.rmtree(data)


def restore_again_if_unfinished(lost: Loss, data: Path) -> None:
    if (data / "restoring.json").exists() or not (data / "installation.json").exists():
        restored(lost, data)


def expect_all_back(lost: Loss, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = house_of(data, monkeypatch)
    with house.database.reading() as session:
        verify_logged_history(session, house.vault)
        account = account_numbers(session, "nb", house.today().year)
    assert (account.issued, account.missing) == (len(lost.old) + len(lost.new), ())
    for pdf in lost.new:
        assert house.documents.fetch_pdf(pdf.stem) == pdf.read_bytes()
    assert [one.serial for one in still_owed(house.folder, house.database)] == [lost.revoked]
    assert house.trust.log_origin == house.installation.log_origin == verify_whole_log(house).origin
    (former,) = house.trust.former_logs
    assert (former.origin, house.trust.log_origin) == ("zs.example.gov.cn/log", "zs.example.gov.cn/log-2")
    house.database.close()
