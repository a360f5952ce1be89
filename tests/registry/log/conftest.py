import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.leaves import issue_leaf
from credential.ports import Algorithm
from registry.database import Database, migrate
from registry.log.outbox import put_leaves
from registry.log.reader import LogReader, verify_log
from registry.log.sequencer import Log

NOW = datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)
ORIGIN = "rsj.example/log"


@dataclass(frozen=True)
class Ed25519Signer:
    """A working signer of the shape of credential.ports.Signer."""

    key: Ed25519PrivateKey
    algorithm: Algorithm = Algorithm.ED25519

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)


def a_signer(name: str = "log") -> Ed25519Signer:
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


def some_leaves(start: int, count: int) -> list[bytes]:
    return [issue_leaf(hashlib.sha256(b"%d" % number).digest(), bytes(16)) for number in range(start, start + count)]


@dataclass
class TestLog:
    """A log with its database and folder; ``check`` works the whole of it out again after each step."""

    __test__ = False

    url: str
    folder: Path
    outside: Path
    shuffle: Callable[[int], bytes]

    def __post_init__(self) -> None:
        self.database = Database(self.url)
        self.signer = a_signer()
        self.put_so_far: list[bytes] = []
        self.ids: list[int] = []

    @property
    def log(self) -> Log:
        return Log(self.database, self.folder, self.signer, ORIGIN, self.shuffle, outside=self.outside)

    @property
    def reader(self) -> LogReader:
        return LogReader(self.database, self.folder)

    def put(self, count: int) -> list[int]:
        leaves = some_leaves(len(self.put_so_far), count)
        with self.database.transaction() as session:
            ids = put_leaves(session, leaves)
        self.put_so_far += leaves
        self.ids += ids
        return ids

    def check(self) -> list[bytes]:
        """No leaf lost, none twice, every file right; returns the leaves in the log's order."""
        checkpoint = self.reader.verify(self.signer.public_key, ORIGIN)
        assert verify_log(self.folder, self.signer.public_key, ORIGIN) == checkpoint
        assert self.outside.read_bytes() == (self.folder / "checkpoint").read_bytes()
        logged = entries(self.folder, checkpoint.size)
        assert sorted(logged) == sorted(self.put_so_far)
        return logged


def entries(folder: Path, size: int) -> list[bytes]:
    """The leaves, read from the bundles by a few lines that are not those under test."""
    found: list[bytes] = []
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        path = folder / f"tile/entries/{index:03}"
        bundle = (path if width == 256 else Path(f"{path}.p/{width}")).read_bytes()
        while bundle:
            length = int.from_bytes(bundle[:2])
            found.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
    return found


def all_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def testlog(tmp_path: Path) -> TestLog:
    return make_log(tmp_path)


@cache
def _empty_registry() -> bytes:
    """A migrated database, made once: hundreds of logs begin with it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "registry.sqlite"
        migrate(f"sqlite:///{path}")
        assert not path.with_name("registry.sqlite-wal").exists(), "all of it is in the one file"
        return path.read_bytes()


def make_log(folder: Path, seed: int = 1) -> TestLog:
    url = f"sqlite:///{folder / 'registry.sqlite'}"
    (folder / "registry.sqlite").write_bytes(_empty_registry())
    return TestLog(url, folder / "log", folder / "elsewhere" / "checkpoint", random.Random(seed).randbytes)  # noqa: S311 - a fixed shuffle makes the test repeatable
