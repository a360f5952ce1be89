"""A small working issuer for tests: real registry, log and status lists; a press and keys in memory."""

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from credential.model import Claims, DocumentType, Holder, Record
from credential.ports import Algorithm, Blobs
from credential.schema import Field, FieldKind, PhotoNeed, RecordSchema, Series, Shape, TitleTable
from issuer.change import ChangeDesk
from issuer.engine import Records, SingleProcess
from issuer.issue import IssuingLine
from issuer.office import Office
from registry.database import Database, migrate
from registry.issuers import Issuer, IssuerSettings, Person, add_issuer, add_person
from registry.local_blobs import LocalBlobs
from registry.log.reader import LogReader
from registry.log.sequencer import Log
from registry.lookup import DocumentStore, RegistrySource
from registry.status.publisher import StatusLists
from registry.vault import Vault

START = datetime(2026, 6, 30, 1, 2, 3, tzinfo=UTC)
ORIGIN = "log.example.org/test"
STATUS_BASE = "https://zs.example.org/status"
MAKER, CHECKER = "wang", "li"

SCHEMA = RecordSchema(
    kind="professional-title",
    fields=(Field("name", FieldKind.NAME, "姓名", "name"),),
    shapes=(Shape("review", (), (), {}, ()),),
    photo=PhotoNeed.OPTIONAL,
    unique_by=("series", "title", "level", "qualified_on"),
    titles=TitleTable({"副高级": "2"}, {}, (Series("05", "工程技术人员", ("工程",), {"高级工程师": "副高级"}),)),
)

ISSUER = Issuer(
    id="ningbo",
    uscc="11330200002967370Q",
    name="宁波市人力资源和社会保障局",
    division="330200",
    settings=IssuerSettings(
        type_code="11100000000013338W032",
        serial_pattern="division6 year4 series2 level1 seq6 check1",
        public_url="https://zs.example.org",
    ),
)


class MemorySigner:
    """A key that is the same in every process of a test."""

    def __init__(self, name: str, algorithm: Algorithm = Algorithm.P256) -> None:
        self.algorithm = algorithm
        seed = hashlib.sha256(name.encode()).digest()
        self._key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
        if algorithm is Algorithm.ED25519:
            self._key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        else:
            self._key = ec.derive_private_key(int.from_bytes(seed[:31], "big"), ec.SECP256R1())
        self.public_key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, ec.ECDSA(SHA256()))


class Clock:
    """Goes on by a second each time it is looked at."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    @property
    def last(self) -> datetime:
        """What it showed last."""
        return self._now


@dataclass(frozen=True)
class FakePrefix:
    content: bytes

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.content).digest()


@dataclass(frozen=True)
class FakePrinted:
    prefix_digest: bytes
    tail: bytes
    digest: bytes
    length: int


class BadDocument(Exception):  # a check that fails, as the verifier's would
    pass


@dataclass
class FakePress:
    """Prints text documents that end in a real signature, another one each time."""

    signer: MemorySigner = field(default_factory=lambda: MemorySigner("pdf"))
    artwork: str = "guilloche"
    qr_budget: int = 313
    printed: list[str] = field(default_factory=list)

    def prefix(self, *, photo: bool) -> FakePrefix:
        return FakePrefix(f"%PDF {self.artwork} {'with' if photo else 'without'} photo\n".encode())

    def print_many(
        self,
        claims: Sequence[Claims],
        *,
        photos: Sequence[bytes | None],
        qr_texts: Sequence[str],
        messages: Sequence[bytes],
        proofs: Sequence[str],
    ) -> list[FakePrinted]:
        return [
            self.print(one, photo=photo, qr_text=text, message=message, proof=proof)
            for one, photo, text, message, proof in zip(claims, photos, qr_texts, messages, proofs, strict=True)
        ]

    def print(self, claims: Claims, *, photo: bytes | None, qr_text: str, message: bytes, proof: str) -> FakePrinted:
        assert claims.photo_digest == (None if photo is None else hashlib.sha256(photo).digest())
        assert proof.startswith("c2sp.org/tlog-proof@v1")
        prefix = self.prefix(photo=photo is not None)
        body = b"\n".join((claims.serial.encode(), photo or b"-", qr_text.encode(), message, proof.encode()))
        signature = self.signer.sign(prefix.content + body)
        tail = body + signature + len(signature).to_bytes(1, "big")
        self.printed.append(claims.serial)
        whole = prefix.content + tail
        return FakePrinted(prefix.digest, tail, hashlib.sha256(whole).digest(), len(whole))

    def check(self, document: bytes, message: bytes) -> None:
        size = document[-1]
        key = load_der_public_key(self.signer.public_key)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        try:
            key.verify(document[-1 - size : -1], document[: -1 - size], ec.ECDSA(SHA256()))
        except InvalidSignature as error:
            raise BadDocument from error
        if message not in document:
            raise BadDocument


@dataclass
class House:
    """Everything of one issuer, on disk in one folder."""

    database: Database
    blobs: LocalBlobs
    vault: Vault
    office: Office
    press: FakePress
    line: IssuingLine
    log: Log
    lists: StatusLists
    reader: LogReader
    desk: ChangeDesk
    source: RegistrySource
    documents: DocumentStore
    engine: SingleProcess
    clock: Clock
    log_signer: MemorySigner
    qr_signer: MemorySigner


NEW_REGISTRY: list[Callable[[str | None], str]] = []
"""Where the registry of a new house is to be, if not in its folder; the fixture ``either_registry`` puts one here.

It is handed the URL of the database that the new one is to be a copy of, or None for an empty one.
"""

_TOLD = "registry.url"


def url_of(folder: Path, template: str | None = None) -> str:
    """The registry of a house; one outside is told by a file, so that other processes find it too."""
    told = folder / _TOLD
    if NEW_REGISTRY and not told.exists():
        told.write_text(NEW_REGISTRY[-1](template))
    return told.read_text() if told.exists() else f"sqlite:///{folder}/registry.sqlite"


@dataclass(frozen=True)
class KeptHouse:
    """A closed house that is there to be copied, for to make one takes most of the time of a short test."""

    folder: Path
    clock: datetime
    printed: tuple[str, ...]

    def copy(self, folder: Path) -> Clock:
        """Put a copy of its registry and its files into a folder; returns a clock that goes on from its own."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(_TOLD), dirs_exist_ok=True)
        told = self.folder / _TOLD
        url_of(folder, told.read_text() if told.exists() else None)
        return Clock(self.clock)


_KEPT: dict[tuple[str, bool], KeptHouse] = {}


def kept_house(name: str, make: Callable[[Path], House]) -> KeptHouse:
    """The house of this name on the kind of database that is asked for; made when it is first wanted."""
    kind = name, bool(NEW_REGISTRY)
    if kind not in _KEPT:
        folder = Path(tempfile.mkdtemp(prefix="yz-house-"))
        atexit.register(shutil.rmtree, folder)
        house = make(folder)
        house.database.close()
        _KEPT[kind] = KeptHouse(folder, house.clock.last, tuple(house.press.printed))
    return _KEPT[kind]


def build_house(
    folder: Path,
    *,
    is_new: bool = True,
    database: Database | None = None,
    master_key: bytes = bytes(range(32)),
    press: FakePress | None = None,
    blobs: Blobs | None = None,
    random: Callable[[int], bytes] = os.urandom,
    clock: Clock | None = None,
) -> House:
    """Put a house together, as ``service/`` does, in the order that operators read."""
    if is_new and database is None and clock is None and not (folder / _TOLD).exists():
        clock = kept_house("new", lambda empty: build_house(empty, clock=Clock())).copy(folder)
        is_new = False
    clock = clock or Clock()
    if database is not None:
        is_new = False
    else:
        url = url_of(folder)
        if is_new:
            migrate(url)
        database = Database(url)
    if is_new:
        with database.transaction() as session:
            add_issuer(session, ISSUER, now=clock.now())
            for person in (MAKER, CHECKER):
                add_person(session, Person(person, ISSUER.id, person), now=clock.now())
    log_signer, qr_signer = MemorySigner("log", Algorithm.ED25519), MemorySigner("qr")
    local = LocalBlobs(folder / "blobs")
    vault = Vault(master_key, random)
    press = press or FakePress()
    log = Log(database, folder / "log", log_signer, ORIGIN, random)
    reader = LogReader(database, folder / "log")
    lists = StatusLists(database, folder / "status", MemorySigner("status"), STATUS_BASE)
    look = {"template": hashlib.sha256(press.artwork.encode()).hexdigest()}
    office = Office(database, vault, blobs or local, ISSUER, SCHEMA, look, STATUS_BASE, random)
    line = IssuingLine(office, press, qr_signer, reader, press.check, clock.now)
    return House(
        database=database,
        blobs=local,
        vault=vault,
        office=office,
        press=press,
        line=line,
        log=log,
        lists=lists,
        reader=reader,
        desk=ChangeDesk(office, lists, log),
        source=RegistrySource(database, vault, reader, lists),
        documents=DocumentStore(database, vault, blobs or local),
        engine=SingleProcess(Records(database, log, lists, clock.now), line),
        clock=clock,
        log_signer=log_signer,
        qr_signer=qr_signer,
    )


def make_records(count: int, *, photos: bool = True, start: int = 1, first_row: int = 5) -> list[Record]:
    """Rows of different persons, as intake hands them over."""
    return [
        Record(
            row=first_row + at,
            holder=Holder("张" + chr(0x4E00 + at), DocumentType.RESIDENT_ID, f"33020019900101{start + at:04d}", "女"),
            fields={
                "series": "工程",
                "title": "高级工程师",
                "level": "副高级",
                "specialty": "机械",
                "qualified_on": date(2025, 12, 20).isoformat(),
            },
            photo=b"\xff\xd8 photo of " + str(start + at).encode() + bytes(200) if photos else None,
            shape="review",
        )
        for at in range(count)
    ]
