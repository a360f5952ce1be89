"""Damage to what a verifier reads is never the asker's fault, and never the certificate's: every way says 503.

Each file is damaged in every way a disk, a copy or a clumsy hand does it, under
a running service; afterwards the file is put back, and the service says valid
again without a new start.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.claims import decode_claims
from credential.cose import open_message
from registry.database import open_database
from registry.log.paths import TileCache
from registry.log.reader import LogReader
from registry.log.tiles import LogDamaged, TileFolder
from registry.status.published import PublishedLists, token_times
from registry.status.publisher import StatusListDamaged
from registry.status.token_list import BadStatusToken
from service.app import Application
from service.registry_address import registry_address
from service.settings import Settings
from tests.asgi_client import Client
from tests.service.at_hand import PASSPHRASE

API = "/api/v1/verify"
PAGE = {"Accept": "text/html", "Accept-Language": "zh"}
JSON = {"Accept": "application/json"}
RED = re.compile("伪造|篡改|撤销|不符|forged|tampered|revoked")


@dataclass(frozen=True)
class Service:
    """A running service and one certificate of its."""

    client: Client
    reader: LogReader
    folder: Path
    document: bytes = field(repr=False)
    serial: str
    name: str
    code: str

    def forget_tiles(self) -> None:
        """Make the service as it is after a new start: what it read before and found good is not in memory."""
        self.reader._head, self.reader._cache = None, TileCache(TileFolder(self.folder / "public" / "log"))

    def ways(self) -> Mapping[str, httpx.Response]:
        """Every way to ask about the certificate, each asked once."""
        client, altered = self.client, self.document.replace(b"/Type", b"/TypE", 1)
        of_serial = {"serial": self.serial, "name": self.name}
        qr = f"https://zs.example.gov.cn/c/{self.code}"

        def send(path: str, document: bytes, headers: Mapping[str, str]) -> httpx.Response:
            return client.post(path, files={"file": ("x.pdf", document)}, headers=headers)

        return {
            "file": send(API, self.document, JSON),
            "altered file": send(API, altered, JSON),
            "page, file": send("/verify/file", self.document, PAGE),
            "QR code": client.post(API, json={"qr": qr}),
            "code": client.post(API, json={"code": self.code}),
            "serial": client.post(API, json=of_serial),
            "page, serial": client.post("/verify/serial", data=of_serial, headers=PAGE),
            "page": client.ask("GET", f"/c/{self.code}", headers=PAGE),
            "page as JSON": client.ask("GET", f"/c/{self.code}", headers=JSON),
            "photo": client.post(f"/c/{self.code}/photo", data={"last_six": "000000"}, headers=PAGE),
        }


@pytest.fixture(scope="module")
def service(issued: Path, certificates: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data = Path(shutil.copytree(issued, tmp_path_factory.mktemp("damage") / "data", symlinks=True))
    free = dict.fromkeys(("verify", "serial", "upload", "claim", "photo"), "100000/minute")
    settings = Settings(data=data).model_copy(update={f"limit_{name}": rate for name, rate in free.items()})
    with pytest.MonkeyPatch.context() as doors:
        doors.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
        parts = Application(settings)
    client = Client(parts.build())
    reader = parts.desk._source._proofs
    assert isinstance(reader, LogReader)
    (found,) = parts.house.source.by_serial(certificates[0].stem)
    claims = decode_claims(open_message(found.claims).payload)
    document = certificates[0].read_bytes()
    yield Service(client, reader, data, document, claims.serial, claims.holder.name, claims.verification_code)
    parts.desk.close()
    parts.house.database.close()


# ---- the ways to damage a file -----------------------------------------------------------------------------------


def _missing(path: Path, _: bytes) -> None:
    path.unlink()


def _empty(path: Path, _: bytes) -> None:
    path.write_bytes(b"")


def _cut(path: Path, content: bytes) -> None:
    path.write_bytes(content[: len(content) // 2])


def _torn(path: Path, content: bytes) -> None:
    """Lose the last bytes only."""
    path.write_bytes(content[:-20])


def _garbage(path: Path, content: bytes) -> None:
    path.write_bytes(bytes((at * 167 + 13) % 251 for at in range(len(content))))


def _zeros(path: Path, content: bytes) -> None:
    """What a file system leaves of a file after a power cut."""
    path.write_bytes(bytes(len(content)))


def _no_text(path: Path, content: bytes) -> None:
    path.write_bytes(b"\xff\xfe" + content)


def _folder(path: Path, _: bytes) -> None:
    path.unlink()
    path.mkdir()


def _beneath_a_file(path: Path, _: bytes) -> None:
    """The folder that the file lies in is a file."""
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"")


def _unreadable(path: Path, _: bytes) -> None:
    path.chmod(0)


DAMAGES = [_missing, _empty, _cut, _torn, _garbage, _zeros, _no_text, _folder, _beneath_a_file]
if os.geteuid() != 0:  # root reads everything: a mode takes nothing from it
    DAMAGES.append(_unreadable)
FILES = ["public/trust-list.json", "pinned-roots.json", "public/log/checkpoint", "public/log/tile", "public/status"]


def _targets(folder: Path, name: str) -> list[Path]:
    path = folder / name
    if path.is_file():
        return [path]
    return sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))


@pytest.fixture
def put_back(service: Service, tmp_path: Path) -> Iterator[None]:
    """Put the published files back after the test."""
    shutil.copytree(service.folder / "public", tmp_path / "public")
    shutil.copy2(service.folder / "pinned-roots.json", tmp_path)
    yield
    _restore(service.folder, tmp_path)


def _restore(folder: Path, kept: Path) -> None:
    public = folder / "public"
    shutil.rmtree(public) if public.is_dir() else public.unlink()
    shutil.copytree(kept / "public", folder / "public")
    roots = folder / "pinned-roots.json"
    roots.rmdir() if roots.is_dir() else roots.unlink(missing_ok=True)
    shutil.copy2(kept / "pinned-roots.json", folder)


#: The pinned roots lie in the data folder itself, which cannot become a file.
CASES = [
    (name, damage) for name in FILES for damage in DAMAGES if (name, damage) != ("pinned-roots.json", _beneath_a_file)
]


@pytest.mark.usefixtures("put_back")
@pytest.mark.parametrize(("name", "damage"), CASES)
def test_a_damaged_file_is_unavailable_in_every_way_and_good_again_once_it_is_restored(
    name: str, damage: Callable[[Path, bytes], None], service: Service, tmp_path: Path
) -> None:
    service.forget_tiles()
    _damage(service.folder, name, damage)
    # An altered file is refused for its own bytes, before any list is looked at.
    not_asked = {"altered file"} if name == "public/status" else set()
    for way, answer in service.ways().items():
        if way not in not_asked:
            assert_says_nothing(way, answer)
    _restore(service.folder, tmp_path)
    restored = service.client.post(API, json={"code": service.code})

    assert (restored.status_code, restored.json()["verdict"]) == (200, "valid")


def _damage(folder: Path, name: str, damage: Callable[[Path, bytes], None]) -> None:
    files = _targets(folder, name)
    assert files
    for path in files:
        if path.exists():  # else its folder is gone with another
            damage(path, path.read_bytes())
    if name == "pinned-roots.json":  # it is read together with the list
        (folder / "public" / "trust-list.json").touch()


def assert_says_nothing(way: str, answer: httpx.Response) -> None:
    """A store is out of order, and nothing is said of the certificate."""
    assert answer.status_code == 503, (way, answer.status_code, answer.text[:300])
    assert answer.headers["cache-control"] == "no-store", way
    if answer.headers["content-type"] == "application/json":
        assert answer.json()["verdict"] == "unavailable", way
    elif answer.headers["content-type"].startswith("text/html"):
        heading = re.search(r"<h1[^>]*>(.*?)</h1>", answer.text, re.DOTALL)
        assert heading is not None, way
        assert not RED.search(heading[1]), way


@pytest.mark.usefixtures("put_back")
@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("public/status/1.cwt", "/status/1"),
        ("public/status/1.jwt", "/status/1.jwt"),
        ("public/trust-list.json", "/trust-list.json"),
        ("public/log/checkpoint", "/log/checkpoint"),
    ],
)
@pytest.mark.parametrize("damage", [one for one in DAMAGES if one is not _missing])
def test_a_damaged_file_is_not_handed_out(
    name: str, address: str, damage: Callable[[Path, bytes], None], service: Service
) -> None:
    path = service.folder / name
    assert service.client.get(address).status_code == 200
    damage(path, path.read_bytes())
    answer = service.client.get(address)

    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("put_back")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_tile_under_the_checkpoint_is_unavailable_and_not_absent(
    damage: Callable[[Path, bytes], None], service: Service
) -> None:
    """A cache in between may keep a 404, and a monitor would take it for a log without the tile."""
    log = service.folder / "public" / "log"
    size = int((log / "checkpoint").read_text().split("\n")[1])
    path = log / "tile" / "0" / "000.p" / str(size)
    address = f"/log/tile/0/000.p/{size}"
    assert service.client.get(address).status_code == 200
    damage(path, path.read_bytes())
    is_as_long = damage in {_garbage, _zeros, _no_text}

    assert service.client.get(address).status_code == (200 if is_as_long else 503)  # a monitor hashes what it gets


# ---- any bytes at all --------------------------------------------------------------------------------------------


@given(content=st.binary(max_size=400) | st.text(max_size=100).map(str.encode))
def test_no_bytes_in_place_of_a_checkpoint_or_list_are_the_askers_fault(
    content: bytes, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "checkpoint").write_bytes(content)
    (folder / "1.cwt").write_bytes(content)
    database = open_database(registry_address(Settings(data=service.folder)))
    try:
        with pytest.raises(LogDamaged):
            LogReader(database, folder).prove([(0, b"leaf")])
    finally:
        database.close()
    with pytest.raises(StatusListDamaged):
        PublishedLists(folder).token(1)


@given(st.data())
def test_no_beginning_of_a_status_list_passes_for_one(service: Service, data: st.DataObject) -> None:
    for form in ("cwt", "jwt"):
        whole = (service.folder / "public" / "status" / f"1.{form}").read_bytes()
        token_times(whole)
        cut = data.draw(st.integers(0, len(whole) - 1))
        with pytest.raises(BadStatusToken):
            token_times(whole[:cut])
