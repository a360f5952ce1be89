"""The registry on PostgreSQL, by the command line as an operator uses it; its password shows nowhere."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from keys.store import KeyStore
from registry.engines import BadDatabaseAddress, read_address
from service.migrating import BackupNeeded
from service.registry_address import registry_address
from service.settings import Settings
from tests.cheap_keys import CHEAP
from tests.postgresql import WITH_PASSWORD, PostgresServer, closed_afterwards
from tests.service.at_hand import USCC, person_row, run, write_sheet

SECRET = "p@ss/word: %41"


@pytest.fixture
def environ(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Settings for an account with a password, and an empty database that it owns."""
    name = f"yz_cli_{tmp_path.name.replace('-', '_').lower()}"[:50].rstrip("_")
    quoted = SECRET.replace("'", "''")
    postgres_server.execute(f"CREATE ROLE {WITH_PASSWORD} LOGIN PASSWORD '{quoted}'")
    postgres_server.execute(f"CREATE DATABASE {name} OWNER {WITH_PASSWORD}")
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    address = f"postgresql://{WITH_PASSWORD}@/{name}?host={postgres_server.folder}"
    with closed_afterwards():
        yield {"YINZHENG_DATABASE": address, "YINZHENG_DATABASE_PASSWORD_FILE": str(file)}
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    postgres_server.execute(f"DROP ROLE {WITH_PASSWORD}")


def test_from_init_to_revoke_and_verify_on_postgresql(
    environ: Mapping[str, str], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.house.KeyStore", partial(KeyStore, cost=CHEAP))
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "cache").symlink_to(cache)
    said = []

    def yinzheng(*arguments: str | Path, code: int = 0) -> str:
        ran = run("--data", data, *arguments, environ=environ)
        said.append(ran.out + ran.err)
        assert ran.code == code, ran
        return ran.out + ran.err

    yinzheng("person", "list", code=2)
    yinzheng("init", "--public-url", "https://zs.example.gov.cn")
    assert not (data / "registry.sqlite").exists()
    yinzheng(
        *("issuer", "add", "nb", "--name", "示例市人社局", "--uscc", USCC, "--division", "330200", "--sample"),
        *("--pdf-key", "p-256"),
    )
    for person in ("wang", "li"):
        yinzheng("person", "add", person, "--name", person, "--issuer", "nb")
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(number) for number in range(2)])
    out = tmp_path / "out"
    yinzheng("issue", sheet, "--issuer", "nb", "--as", "wang", "--approve-as", "li", "--out", out)
    first, second = sorted(out.glob("*.pdf"))
    yinzheng("verify", first, second)
    yinzheng(
        *("revoke", first.stem, "--reason", "fraud", "--decision", "甬人社发〔2026〕3号"),
        *("--as", "wang", "--approve-as", "li"),
    )
    yinzheng("verify", first, code=1)
    yinzheng("verify", second)
    yinzheng("log", "verify")
    yinzheng("migrate")
    yinzheng("doctor")
    yinzheng("database", "grant-verifier", "--role", "nobody-here", code=1)
    assert SECRET not in "".join(said)


def test_a_wrong_password_is_told_without_either(environ: Mapping[str, str], data: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong"
    file.write_text("wrong-secret\n")
    file.chmod(0o600)
    told = run("--data", data, "person", "list", environ={**environ, "YINZHENG_DATABASE_PASSWORD_FILE": str(file)})
    assert told.error == "database-unavailable"
    assert "wrong-secret" not in told.err
    file.chmod(0o644)
    told = run("--data", data, "person", "list", environ={**environ, "YINZHENG_DATABASE_PASSWORD_FILE": str(file)})
    assert told.error == "private-file-open-to-others"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:topsecret@db/yz",
        "postgresql://me@db/yz?password=topsecret",
        "mysql://me@db/topsecret",
        "postgresql://me@db",
        "sqlite:////srv/topsecret",
        "topsecret",
        "postgresql://me@db:topsecret/yz",
    ],
)
def test_another_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(BadDatabaseAddress) as refused:
        read_address(address)
    assert "topsecret" not in refused.value.en + refused.value.zh
    assert "YINZHENG_DATABASE" in refused.value.en


def test_a_password_of_any_characters_reaches_the_server_and_never_the_text() -> None:
    url = read_address("postgresql://me@db.example:5433/yz?sslmode=verify-full", SECRET)
    assert url.password == SECRET
    assert (url.host, url.port, url.database, url.query["sslmode"]) == ("db.example", 5433, "yz", "verify-full")
    assert SECRET not in str(url) + repr(url)


def test_without_the_setting_it_is_the_data_folders_file(tmp_path: Path) -> None:
    assert registry_address(Settings(data=tmp_path)).database == str(tmp_path / "registry.sqlite")


def test_an_older_postgresql_is_migrated_only_after_a_dump(postgres_server: PostgresServer, data: Path) -> None:
    from registry.database import current_revision, migrate  # noqa: PLC0415 - beside the one test that needs them

    with postgres_server.database(migrated=False) as url:
        migrate(url, "0001")
        environ = {"YINZHENG_DATABASE": url.replace("+psycopg", "")}
        told = run("--data", data, "person", "list", environ=environ)
        assert "yinzheng migrate" in told.err
        refused = run("--data", data, "migrate", environ=environ)
        assert refused.code == 1
        assert BackupNeeded.code in refused.err
        assert "pg_dump" in refused.err
        assert current_revision(url) == "0001"
        assert run("--data", data, "migrate", "--backed-up", environ=environ).code == 0
        assert current_revision(url) != "0001"
