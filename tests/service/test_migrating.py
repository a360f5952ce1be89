"""From one release to the next: copied first, all or nothing, and everything verifies as before."""

# ruff: noqa: S608 - the names of tables come from the schema

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from registry.database import DatabaseTooNew, current_revision, migrate, newest_revision
from service.folder import FOLDER_FORMAT, DataFolder, FolderTooNew
from tests.service.at_hand import run
from tests.service.conftest import issue_into, make_installation

ABOUT = "installation.json"


def tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return [name for (name,) in connection.execute(query)]


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def rows(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the tables of the first release, by its columns."""
    with closing(sqlite3.connect(database)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in tables(connection)
            if table != "alembic_version"
        }


@pytest.fixture(scope="module")
def first_issued(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """What the first release issued: trust lists were no entries of the history yet."""
    with pytest.MonkeyPatch.context() as as_then:
        as_then.setattr("service.trust.append", lambda *_: None)
        as_then.setattr("service.trust.log_head", lambda *_: None)
        return issue_into(make_installation(tmp_path_factory.mktemp("first") / "data", cache))


@pytest.fixture(scope="module")
def certificates(first_issued: Path) -> list[Path]:
    """Its PDFs."""
    return sorted((first_issued.parent / "out").glob("*.pdf"))


@pytest.fixture
def old_data(first_issued: Path, tmp_path: Path) -> Path:
    """A data folder as the first release left it: its tables, its columns, its triggers, no format."""
    issued_data = Path(shutil.copytree(first_issued, tmp_path / "data", symlinks=True))
    old = tmp_path / "old.sqlite"
    migrate(f"sqlite:///{old}", "0001")
    database = DataFolder(issued_data).database
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS new", (str(database),))
        triggers = connection.execute("SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER main.{name}")
        for table in tables(connection):
            if table != "alembic_version":
                shared = ", ".join(sorted(columns(connection, table)))
                connection.execute(f"INSERT INTO main.{table} ({shared}) SELECT {shared} FROM new.{table}")
        for _, statement in triggers:
            connection.execute(statement)
    for file in database.parent.glob("registry.sqlite*"):
        file.unlink()
    shutil.move(old, database)
    about = issued_data / ABOUT
    told = json.loads(about.read_text())
    del told["format"]
    about.write_text(json.dumps(told))
    return issued_data


def test_an_older_folder_is_migrated_and_everything_verifies_as_before(
    old_data: Path, certificates: list[Path]
) -> None:
    folder = DataFolder(old_data)
    before = rows(folder.database)
    told = run("--data", old_data, "verify", certificates[0])
    assert told.code == 2
    assert "database-not-migrated" in told.err
    assert "yinzheng migrate" in told.err
    done = run("--data", old_data, "migrate")
    assert done.code == 0, done
    assert newest_revision() in done.out
    after = rows(folder.database)
    with closing(sqlite3.connect(folder.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert {table: len(found) for table, found in before.items()} == {table: len(after[table]) for table in before}
    for table in ("history", "log_leaf", "log_head", "credential_file", "record_key", "pack"):
        # New columns stand behind the old ones, which must have come through as they were.
        assert before[table] == [new[: len(old)] for old, new in zip(before[table], after[table], strict=True)], table
    for certificate in certificates:
        assert run("--data", old_data, "verify", certificate).code == 0
    assert run("--data", old_data, "log", "verify").code == 0
    assert json.loads((old_data / ABOUT).read_text())["format"] == FOLDER_FORMAT


def test_the_copy_is_the_old_registry_and_nobody_else_may_read_it(old_data: Path) -> None:
    folder = DataFolder(old_data)
    before = rows(folder.database)
    assert run("--data", old_data, "migrate").code == 0
    (copy,) = old_data.glob("registry.0001-*.sqlite")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert rows(copy) == before
    assert current_revision(f"sqlite:///{copy}") == "0001"


def test_migrating_twice_changes_nothing_more(old_data: Path) -> None:
    assert run("--data", old_data, "migrate").code == 0
    before = rows(DataFolder(old_data).database)
    again = run("--data", old_data, "migrate")
    assert again.code == 0
    assert "nothing had to be migrated" in again.out or "无需升级" in again.out
    assert rows(DataFolder(old_data).database) == before
    assert len(list(old_data.glob("registry.0001-*.sqlite"))) == 1


def test_a_dry_run_says_when_there_is_nothing_to_do(data: Path) -> None:
    ran = run("--data", data, "migrate", "--dry-run", environ={"YINZHENG_LANG": "zh"})
    assert ran.code == 0
    assert "无需升级" in ran.out


def test_a_dry_run_changes_nothing(old_data: Path) -> None:
    before = sorted((path.name, path.stat().st_size) for path in old_data.iterdir() if "-" not in path.suffix)
    assert run("--data", old_data, "migrate", "--dry-run").code == 0
    assert sorted((path.name, path.stat().st_size) for path in old_data.iterdir() if "-" not in path.suffix) == before
    assert current_revision(DataFolder(old_data).database_url) == "0001"


def test_init_leaves_an_older_folder_to_migrate(old_data: Path) -> None:
    told = run("--data", old_data, "init")
    assert told.code == 2
    assert "yinzheng migrate" in told.err
    assert current_revision(DataFolder(old_data).database_url) == "0001"


def test_a_folder_of_a_newer_program_is_refused(data: Path) -> None:
    about = data / ABOUT
    about.write_text(json.dumps(json.loads(about.read_text()) | {"format": FOLDER_FORMAT + 1, "more": 1}))
    for command in ("migrate", "doctor"):
        told = run("--data", data, command)
        assert told.code != 0
        assert "folder-too-new" in told.err + told.out
    with pytest.raises(FolderTooNew, match="newer program"):
        DataFolder(data).installation()


def test_a_registry_of_a_newer_program_is_refused(data: Path) -> None:
    database = DataFolder(data).database
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = database.read_bytes()
    told = run("--data", data, "migrate")
    assert told.code == 2
    assert DatabaseTooNew.code in told.err
    assert database.read_bytes() == before


def test_without_room_for_the_copy_nothing_is_changed(old_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.migrating.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 1))
    told = run("--data", old_data, "migrate")
    assert told.code == 2
    assert "database-copy-failed" in told.err
    assert current_revision(DataFolder(old_data).database_url) == "0001"
    assert list(old_data.glob("registry.0001-*")) == []


def test_rules_that_somebody_dropped_are_put_back_and_told(data: Path) -> None:
    with closing(sqlite3.connect(DataFolder(data).database, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER yz_history_kept")
    told = run("--data", data, "person", "list")
    assert "database-rules-changed" in told.err
    done = run("--data", data, "migrate")
    assert done.code == 0
    assert "yz_history_kept" in done.out
    assert run("--data", data, "person", "list").code == 0


def test_a_writer_in_the_way_leaves_the_registry_as_it_was(old_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.engines.BUSY_TIMEOUT_MS", 10)
    with closing(sqlite3.connect(DataFolder(old_data).database, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("BEGIN IMMEDIATE")
        told = run("--data", old_data, "migrate")
        assert told.code == 2
        assert "database-unavailable" in told.err
    assert current_revision(DataFolder(old_data).database_url) == "0001"
    assert os.access(DataFolder(old_data).database, os.R_OK)
