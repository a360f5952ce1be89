"""Backups: consistent while the service runs, nothing copied twice, every damage found; restores that refuse."""

import shutil
import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import make_url

from credential.note import Checkpoint, sign_checkpoint
from credential.ports import Algorithm
from credential.trust import Role
from keys.store import KeyStore
from registry.credentials import find_by_batch
from registry.dumping import DumpFailed, DumpProgramMissing, dump_postgresql
from registry.engines import read_address
from registry.history import HistoryKind, verify_logged_history
from registry.log.reader import committed_size
from registry.numbers import account_numbers
from service.backing_up import back_up
from service.backup_store import MANIFEST, SHARED, BackupStore
from service.batches import approve
from service.custody import note_use
from service.folder import DataFolder
from service.house import House, create_house, open_house
from service.issuers import NewIssuer, add_new_issuer, all_issuers
from service.keeping import verify_whole_log
from service.restoring import OtherDatabase, Survivors, restore
from service.settings import Settings
from tests.cheap_keys import CHEAP
from tests.postgresql import PostgresServer
from tests.service.at_hand import PASSPHRASE, USCC, person_row, run, write_sheet, yinzheng

WHO = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")


def house_of(data: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    return open_house(Settings(data=data))


@pytest.fixture(scope="module")
def backups(tmp_path_factory: pytest.TempPathFactory, issued: Path) -> Path:
    """Two backups of one installation, the second with keys; look, do not touch."""
    folder = tmp_path_factory.mktemp("backups")
    data = Path(shutil.copytree(issued, folder / "data", symlinks=True))
    yinzheng(data, "backup", folder / "kept")
    yinzheng(data, "backup", folder / "kept", "--keys")
    return folder / "kept"


@pytest.fixture
def own(backups: Path, tmp_path: Path) -> Path:
    """A copy of the backups of one's own."""
    return Path(shutil.copytree(backups, tmp_path / "own"))


# ---- what a backup holds ----------------------------------------------------------------------------------------


def test_a_second_backup_copies_no_pack_or_prefix_again(backups: Path) -> None:
    first, second = (BackupStore(backups).read(name) for name in BackupStore(backups).names())
    shared = {one.path: one.at for one in first.files if one.at.startswith(SHARED)}
    assert any(path.startswith("blobs/tails/") for path in shared)
    assert any(path.startswith("blobs/prefix/") for path in shared)
    assert any(path.startswith("blobs/reserved/") for path in shared)
    assert shared.items() <= {one.path: one.at for one in second.files}.items()
    packs = [one for one in (backups / SHARED / "blobs").rglob("*") if one.is_file()]
    assert len(packs) == len([path for path in shared if path.startswith("blobs/")])


def test_keys_are_in_a_backup_only_when_asked_for_and_stay_encrypted(backups: Path) -> None:
    first, second = (BackupStore(backups).read(name) for name in BackupStore(backups).names())
    assert not [one.path for one in first.files if one.path.startswith("keys/")]
    keys = [one for one in second.files if one.path.startswith("keys/")]
    assert "keys/master.key" in {one.path for one in keys}
    for one in keys:
        assert b"BEGIN PRIVATE KEY" not in (backups / one.at).read_bytes()
        assert one.mode & 0o077 == 0


def test_a_backup_holds_no_plain_text_of_persons_and_nobody_else_may_read_it(backups: Path) -> None:
    name = person_row(0)[0].encode()
    assert [str(one) for one in backups.rglob("*") if one.is_file() and name in one.read_bytes()] == []
    assert backups.stat().st_mode & 0o077 == 0
    paths = {one.path for one in BackupStore(backups).read().files}
    assert not {path for path in paths if path.split("/")[0] in {"cache", "reports", "checkpoint-copy", "certificates"}}


def test_a_backup_made_while_the_log_grows_is_one_whole_state(
    issued_data: Path, tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, stop, at_work = house_of(issued_data, monkeypatch), threading.Event(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            note_use(house, HistoryKind.KEY_MADE, "another entry")
            house.log.sequence(house.now())
            at_work.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert at_work.wait(30)
        yinzheng(issued_data, "backup", tmp_path / "kept", "--keys")
    finally:
        stop.set()
        thread.join()
        house.database.close()
    yinzheng(fresh, "restore", tmp_path / "kept")  # not behind of what it holds itself
    restored = house_of(fresh, monkeypatch)
    restored.log.sequence(restored.now())
    verify_whole_log(restored)


# ---- damage -----------------------------------------------------------------------------------------------------


def test_every_kind_of_damage_to_a_backup_is_found_and_nothing_of_it_is_restored(own: Path, fresh: Path) -> None:
    manifest = BackupStore(own).read()
    for wanted in ("registry.sqlite", "blobs/tails/", "blobs/reserved/", "public/log/checkpoint", "keys/master.key"):
        one = next(each for each in manifest.files if each.path.startswith(wanted))
        path = own / one.at
        content = path.read_bytes()
        for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), content + b"x", None):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            assert run("--data", fresh, "backup", "verify", own).error == "backup-damaged"
            assert one.path in run("--data", fresh, "backup", "verify", own).err
            path.write_bytes(content)
    (own / next(each for each in manifest.files).at).unlink()
    assert run("--data", fresh, "restore", own).error == "backup-damaged"
    assert [one.name for one in fresh.iterdir()] == ["cache"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": "yinzheng-backup/9"}'])
def test_a_manifest_that_is_none_is_called_damaged(own: Path, fresh: Path, content: str) -> None:
    (own / BackupStore(own).names()[-1] / MANIFEST).write_text(content)
    assert run("--data", fresh, "backup", "verify", own).error == "backup-damaged"


def test_a_manifest_cannot_lead_out_of_the_data_folder(own: Path, fresh: Path) -> None:
    file = own / BackupStore(own).names()[-1] / MANIFEST
    file.write_text(file.read_text().replace('"path": "installation.json"', '"path": "../installation.json"'))
    assert run("--data", fresh, "restore", own).error == "backup-damaged"
    assert not (fresh.parent / "installation.json").exists()


def test_a_backup_that_was_cut_off_is_none_and_the_next_one_is_whole(
    issued_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    kept = tmp_path / "kept"
    for place in ("copy_sqlite", "BackupStore.write"):
        with monkeypatch.context() as patch:
            patch.setattr(f"service.backing_up.{place}", die)
            with pytest.raises(Killed):
                run("--data", issued_data, "backup", kept)
        assert run("--data", issued_data, "backup", "verify", kept).error == "no-backup"
    yinzheng(issued_data, "backup", kept)
    yinzheng(issued_data, "backup", "verify", kept)
    yinzheng(issued_data, "backup", "prune", kept, "--keep", "1")
    yinzheng(issued_data, "backup", "verify", kept)
    assert sorted(one.name for one in kept.iterdir()) == sorted([SHARED, *BackupStore(kept).names()])


# ---- restores ---------------------------------------------------------------------------------------------------


def test_the_newest_backup_agrees_with_what_was_published_and_goes_on(
    issued_data: Path, tmp_path: Path, fresh: Path, certificates: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    yinzheng(issued_data, "backup", tmp_path / "kept", "--keys")
    checkpoint = issued_data / "checkpoint-copy" / "checkpoint"
    told = yinzheng(fresh, "restore", tmp_path / "kept", "--checkpoint", checkpoint)
    assert "start the service" in told.out
    assert run("--data", fresh, "recover").error == "nothing-to-recover"
    yinzheng(fresh, "verify", certificates[0])
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(7)])
    yinzheng(fresh, "issue", sheet, *WHO, "--out", tmp_path / "out")
    assert "✗" not in yinzheng(fresh, "doctor").out
    verify_whole_log(house_of(fresh, monkeypatch))


def test_without_a_checkpoint_from_outside_the_warning_is_loud(backups: Path, fresh: Path) -> None:
    assert "no checkpoint from outside" in yinzheng(fresh, "restore", backups).out


def test_a_restore_needs_an_empty_folder_and_the_keys(backups: Path, issued_data: Path, fresh: Path) -> None:
    assert run("--data", issued_data, "restore", backups).error == "data-folder-in-use"
    first = BackupStore(backups).names()[0]
    assert run("--data", fresh, "restore", backups, "--name", first).error == "keys-needed"
    assert run("--data", fresh, "verify", backups).code != 0  # whatever it is asked: the restore is not finished
    yinzheng(fresh, "restore", backups, "--name", first, "--keys", issued_data / "keys")
    assert run("--data", fresh, "restore", backups, "--name", "19990101T000000Z").error == "no-backup"


def test_an_unfinished_restore_lets_nobody_work(
    backups: Path, fresh: Path, certificates: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("service.restoring.erase_again", die)
        with pytest.raises(Killed):
            run("--data", fresh, "restore", backups)
    assert run("--data", fresh, "verify", certificates[0]).error == "restore-unfinished"
    yinzheng(fresh, "restore", backups)
    yinzheng(fresh, "verify", certificates[0])


def test_a_checkpoint_of_another_log_or_tree_is_refused(
    backups: Path, fresh: Path, issued_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_of(issued_data, monkeypatch)
    signer, origin = house.store.signer(Role.LOG), house.installation.log_origin
    notes = {
        "bad-outside-checkpoint": (
            "nothing at all",
            sign_checkpoint(Checkpoint("other.example/log", 5, bytes(32)), signer),
            house.log.checkpoint().replace("\n", "\r\n"),
        ),
        "restored-forked": (sign_checkpoint(Checkpoint(origin, house_size(house), bytes(32)), signer),),
    }
    for code, texts in notes.items():
        for note in texts:
            (tmp_path / "note").write_text(note)
            assert run("--data", fresh, "restore", backups, "--checkpoint", tmp_path / "note").error == code
    assert run("--data", fresh, "restore", backups, "--checkpoint", tmp_path / "none").error == "bad-outside-checkpoint"


def house_size(house: House) -> int:
    with house.database.reading() as session:
        return committed_size(session)


def test_an_older_database_put_in_place_by_hand_stops_everything_too(
    issued_data: Path, tmp_path: Path, certificates: list[Path]
) -> None:
    database = DataFolder(issued_data).database
    with closing(sqlite3.connect(database)) as old, closing(sqlite3.connect(tmp_path / "old.sqlite")) as copy:
        old.backup(copy)
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(8)])
    yinzheng(issued_data, "issue", sheet, *WHO, "--out", tmp_path / "out")
    for path in database.parent.glob("registry.sqlite*"):
        path.unlink()
    shutil.copy(tmp_path / "old.sqlite", database)
    other = write_sheet(tmp_path / "other.csv", [person_row(9)])
    assert run("--data", issued_data, "issue", other, *WHO).error == "restored-behind"
    assert run("--data", issued_data, "verify", certificates[0]).error == "restored-behind"
    assert run("--data", issued_data, "backup", tmp_path / "kept").error == "restored-behind"
    yinzheng(issued_data, "recover", "--do")
    yinzheng(issued_data, "verify", next((tmp_path / "out").glob("*.pdf")))


def test_without_reserve_records_no_number_is_used_twice_and_nothing_unreserved_is_printed(
    issued_data: Path, tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = write_sheet(tmp_path / "approved.csv", [person_row(number) for number in (50, 51)])
    yinzheng(issued_data, "issue", sheet, "--issuer", "nb", "--as", "wang")
    house = house_of(issued_data, monkeypatch)
    approve(house, 2, checker="li")
    house.database.close()
    yinzheng(issued_data, "backup", tmp_path / "kept", "--keys")
    yinzheng(issued_data, "batch", "resume", "2")
    with house.database.reading() as session:
        lost = [one.serial for one in find_by_batch(session, 2)]
    checkpoint = issued_data / "checkpoint-copy" / "checkpoint"
    yinzheng(fresh, "restore", tmp_path / "kept", "--checkpoint", checkpoint)
    told = yinzheng(fresh, "recover")
    assert "2/1" in told.out
    assert "not certain" in told.out
    yinzheng(fresh, "recover", "--do", "--skip", "10")
    again = house_of(fresh, monkeypatch)
    with again.database.reading() as session:
        account = account_numbers(session, "nb", again.today().year)
    assert (account.issued, account.pending, account.missing) == (4, 0, ())
    assert account.void == account.taken - 4
    yinzheng(fresh, "issue", sheet, *WHO, "--out", tmp_path / "out")  # the same people, with other numbers
    printed = {one.stem for one in (tmp_path / "out").glob("*.pdf")}
    assert len(printed) == 2
    assert not printed & set(lost)
    verify_whole_log(again)
    assert "✗" not in yinzheng(fresh, "doctor").out


# ---- PostgreSQL -------------------------------------------------------------------------------------------------


def test_a_postgresql_registry_is_dumped_and_restored_by_the_programs_of_the_server(
    postgres_server: PostgresServer, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.house.KeyStore", partial(KeyStore, cost=CHEAP))
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    programs = postgres_server._programs
    names = [make_url(postgres_server.url(postgres_server.create(migrated=False))).database for _ in range(2)]
    settings = [
        Settings(
            data=tmp_path / f"data-{number}",
            database=f"postgresql://postgres@/{name}?host={postgres_server.folder}",
            postgresql_programs=programs,
        )
        for number, name in enumerate(names)
    ]
    for one in settings:
        one.data.mkdir()
        (one.data / "cache").symlink_to(cache)
    house = create_house(settings[0], public_url="https://zs.example.gov.cn", passphrase=PASSPHRASE.encode())
    add_new_issuer(house, NewIssuer("nb", "示例局", USCC, "330200", pdf_algorithm=Algorithm.P256))
    made = back_up(house, tmp_path / "kept", with_keys=True)
    assert made.manifest.database == "postgresql"
    with pytest.raises(OtherDatabase):
        restore(settings[1].model_copy(update={"database": ""}), tmp_path / "kept", Survivors())
    with pytest.raises(OtherDatabase):
        restore(settings[1].model_copy(update={"database": settings[0].database}), tmp_path / "kept", Survivors())
    found = restore(
        settings[1], tmp_path / "kept", Survivors(checkpoints=[str(settings[0].data / "checkpoint-copy/checkpoint")])
    )
    assert not found.is_behind
    again = open_house(settings[1])
    assert [one.id for one in all_issuers(again)] == ["nb"]
    with again.database.reading() as session:
        verify_logged_history(session, again.vault)
    again.log.sequence(again.now())
    house.database.close()
    again.database.close()


def test_a_missing_or_failing_program_is_said_with_its_cure(tmp_path: Path) -> None:
    address = read_address("postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(DumpProgramMissing):
        dump_postgresql(address, tmp_path / "dump", programs=tmp_path)
    (tmp_path / "pg_dump").write_text("#!/bin/sh\necho it is broken >&2\nexit 3\n")
    (tmp_path / "pg_dump").chmod(0o755)
    with pytest.raises(DumpFailed, match="it is broken"):
        dump_postgresql(address, tmp_path / "dump", programs=tmp_path)
