"""What a verifier's account and a verifier's connection may read, on both databases, and that neither writes."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from credential.errors import UnavailableError
from credential.model import RevocationReason, State
from issuer.batch import approve, submit
from issuer.change import revoke
from registry.credentials import find_by_batch
from registry.database import Database, open_database
from registry.log.reader import LogReader
from registry.lookup import RegistrySource
from registry.rules import ALL_RULES
from registry.vault import SealedDataDamaged, Vault
from registry.verdict_columns import VERDICT_COLUMNS, NoSuchRole, RolesNotKnown, RoleTooMighty, grant_verdicts
from registry.verdict_vault import (
    BadVerdictKeys,
    KeyNotHeld,
    VerdictVault,
    read_verdict_keys,
    write_verdict_keys,
)
from tests.fakes_issuer import CHECKER, MAKER, START, House, build_house, make_records, url_of
from tests.postgresql import PostgresServer

SECRET_TABLES = (
    *("batch", "batch_row", "person", "api_token", "claim_code", "download_grant", "photo_try"),
    *("idempotent_request", "proposed_change", "counter", "number_range", "chunk", "pack"),
)
SECRET_COLUMNS = (
    *(("credential", name) for name in ("person_index", "name_index", "live_key")),
    *(("history", name) for name in ("maker", "checker", "subject")),
)


DENIED = r"permission denied|prohibited|not authorized"


class Verifying:
    """A house that has issued and revoked, and a database opened as a verifier opens it."""

    def __init__(self, house: House, database: Database) -> None:
        self.house = house
        self.database = database


@pytest.fixture
def verifying(either_registry: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Verifying]:
    house = build_house(tmp_path)
    now = house.clock.now()
    batch = submit(house.office, make_records(3), [], maker=MAKER, now=now).batch
    approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=now)
    house.engine.run(batch.id, lambda _: None)
    with house.database.reading() as session:
        serial = find_by_batch(session, batch.id)[0].serial
    revoke(
        house.desk,
        serial,
        reason=RevocationReason.FRAUD,
        decision="x",
        effective_on=START.date(),
        maker=MAKER,
        checker=CHECKER,
        now=house.clock.now(),
    )
    url = url_of(tmp_path)
    if either_registry == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.execute("DROP ROLE IF EXISTS yz_verifier")
        server.execute("CREATE ROLE yz_verifier LOGIN")
        with house.database.transaction() as session:
            grant_verdicts(session.connection(), "yz_verifier")
            grant_verdicts(session.connection(), "yz_verifier")  # again does no harm
        url = url.replace("postgres@", "yz_verifier@")
    yield Verifying(house, open_database(url, verdicts_only=True))
    if either_registry == "postgresql":
        with house.database.transaction() as session:
            session.execute(text("DROP OWNED BY yz_verifier"))
        server.execute("DROP ROLE yz_verifier")


def source(verifying: Verifying, tmp_path: Path) -> RegistrySource:
    """The registry as a verifier's process sees it: its own keys, its own connections."""
    keys = read_verdict_keys(write_verdict_keys(verifying.house.vault))
    reader = LogReader(verifying.database, tmp_path / "log")
    return RegistrySource(verifying.database, VerdictVault(keys, lambda _: b""), reader, verifying.house.lists)


def test_a_verifier_finds_all_that_a_verdict_needs(verifying: Verifying, tmp_path: Path) -> None:
    house = verifying.house
    with house.database.reading() as session:
        found = find_by_batch(session, 1)
    asked = source(verifying, tmp_path)
    for one in found:
        (by_serial,) = asked.by_serial(one.serial)
        assert by_serial == house.source.by_serial(one.serial)[0]
        assert by_serial.state is one.state
        assert one.digest is not None
        assert asked.by_digest(one.digest) == by_serial
    assert {one.state for one in found} == {State.VALID, State.REVOKED}
    revoked = asked.by_serial(found[0].serial)[0]
    assert [change.state for change in revoked.changes] == [State.REVOKED]
    assert asked.by_code("0" * 16) is None
    assert asked.candidates(found[0].serial)[0] == revoked
    assert by_serial.issue_proof == house.source.by_serial(found[-1].serial)[0].issue_proof


def test_every_column_named_is_there_and_none_is_secret() -> None:
    tables = SQLModel.metadata.tables
    for table, columns in VERDICT_COLUMNS.items():
        if table != "alembic_version":
            assert set(columns) <= set(tables[table].columns.keys()), table
    assert not set(SECRET_TABLES) & set(VERDICT_COLUMNS)
    assert not {(table, column) for table, column in SECRET_COLUMNS if column in VERDICT_COLUMNS[table]}
    assert {rules.table for rules in ALL_RULES} >= set(SECRET_TABLES)


def test_tables_of_the_issuing_side_cannot_be_read_not_even_counted(verifying: Verifying) -> None:
    for table in SECRET_TABLES:
        for what in ("*", "COUNT(*)", "1"):
            assert_denied(verifying.database, f"SELECT {what} FROM {table}")  # noqa: S608 - a table of ours


def test_columns_that_would_find_a_person_cannot_be_read(verifying: Verifying) -> None:
    for table, column in SECRET_COLUMNS:
        assert_denied(verifying.database, f"SELECT {column} FROM {table}")  # noqa: S608 - a column of ours
        assert_denied(verifying.database, f"SELECT 1 FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608 - as above
        assert_denied(verifying.database, f"SELECT * FROM {table}")  # noqa: S608 - as above


def assert_denied(database: Database, query: str) -> None:
    with database.reading() as session, pytest.raises(DBAPIError, match=DENIED) as denied:
        session.execute(text(query)).all()
    assert query in str(denied.value)


WRITING = (
    "UPDATE credential SET state = '01'",
    "DELETE FROM history",
    "INSERT INTO log_leaf (id, leaf) SELECT id + 99, leaf FROM log_leaf",
    "UPDATE status_publication SET published_change = 0",
    "CREATE TABLE mine (id INTEGER)",
    "DROP TABLE history",
    "DROP TABLE alembic_version",
)


def test_nothing_can_be_written(verifying: Verifying) -> None:
    before = counted(verifying.house)
    for statement in WRITING:
        for opened in (verifying.database.transaction, verifying.database.reading):
            with pytest.raises((DBAPIError, UnavailableError)), opened() as session:
                session.execute(text(statement))
        assert counted(verifying.house) == before, statement


@pytest.mark.parametrize("either_registry", ["postgresql"], indirect=True)
def test_the_account_itself_cannot_write_whatever_the_connection_says(
    verifying: Verifying, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """A stolen password is used with another program, that asks for a writing transaction."""
    assert verifying.house.database.dialect == "postgresql"
    database = url_of(tmp_path).partition("?")[0].rpartition("/")[2]
    with psycopg.connect(
        host=str(postgres_server.folder), user="yz_verifier", dbname=database, autocommit=True
    ) as connection:
        connection.execute("SET default_transaction_read_only = off")
        for statement in (
            b"UPDATE credential SET state = '01'",
            b"INSERT INTO log_leaf (leaf) VALUES ('x')",
            b"DELETE FROM credential",
            b"TRUNCATE history",
            b"CREATE TABLE mine (id INTEGER)",
            b"DROP TRIGGER yz_history_kept ON history",
            b"DROP FUNCTION yz_history_frozen() CASCADE",
            b"SELECT sealed FROM batch_row",
            b"SELECT nextval('log_leaf_id_seq')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def counted(house: House) -> list[int]:
    with house.database.reading() as session:
        names = sorted(inspect(session.connection()).get_table_names())
        return [session.execute(text(f"SELECT COUNT(*) FROM {name}")).scalar_one() for name in names]  # noqa: S608 - ours


def test_grants_need_a_role_that_can_be_restricted(postgres_url: str, postgres_server: PostgresServer) -> None:
    database = Database(postgres_url)
    with pytest.raises(NoSuchRole, match="nobody-here"), database.transaction() as session:
        grant_verdicts(session.connection(), "nobody-here")
    with pytest.raises(RoleTooMighty, match="postgres"), database.transaction() as session:
        grant_verdicts(session.connection(), "postgres")
    postgres_server.execute('CREATE ROLE "yz odd; DROP TABLE %" LOGIN')
    try:
        with database.transaction() as session:
            grant_verdicts(session.connection(), "yz odd; DROP TABLE %")
            session.execute(text('DROP OWNED BY "yz odd; DROP TABLE %"'))
    finally:
        postgres_server.execute('DROP ROLE "yz odd; DROP TABLE %"')


def test_sqlite_has_no_roles_to_grant_to(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    with pytest.raises(RolesNotKnown), house.database.transaction() as session:
        grant_verdicts(session.connection(), "anybody")


def test_a_verifiers_keys_open_records_by_code_and_find_nobody() -> None:
    vault = Vault(bytes(range(32)), bytes)
    held = VerdictVault(read_verdict_keys(write_verdict_keys(vault)), bytes)
    record = vault.create_key()
    sealed = record.seal_bytes(b"claims", b"at")
    assert held.open_key("7/1", vault.wrap(record, "7/1")).open_bytes(sealed, b"at") == b"claims"
    with pytest.raises(SealedDataDamaged):
        held.open_key("7/2", vault.wrap(record, "7/1"))
    assert held.blind("code", "0123456789ABCDEF") == vault.blind("code", "0123456789ABCDEF")
    for field in ("person", "person-by-name", "name", "live", "batch", "history-leaf", "void-leaf", "claim-code"):
        with pytest.raises(KeyNotHeld, match="issuing side"):
            held.blind(field, "x")
    with pytest.raises(KeyNotHeld):
        held.open_apart(vault.seal_apart(b"reserved", b"at"), b"at")
    assert bytes(range(32)).hex().encode() not in write_verdict_keys(vault)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": "yinzheng-verdict-keys/2", "wrap": "00", "blind/code": "00"}',
        b'{"format": "yinzheng-verdict-keys/1", "wrap": "00", "blind/code": "00"}',
        b'{"format": "yinzheng-verdict-keys/1", "wrap": "zz", "blind/code": "00"}',
        b'{"format": "yinzheng-verdict-keys/1", "wrap": 7, "blind/code": "00"}',
        b'{"format": "yinzheng-verdict-keys/1", "wrap": "00"}',
    ],
)
def test_another_file_is_no_key_file(content: bytes) -> None:
    with pytest.raises(BadVerdictKeys, match="export-verifier"):
        read_verdict_keys(content)
