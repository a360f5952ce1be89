"""The published files over HTTP: the right bytes, types and times to keep them, and nothing else of the folder."""

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from credential.note import Checkpoint, open_checkpoint, sign_checkpoint
from credential.ports import Algorithm
from credential.trust import Role
from registry.log.tiles import Edge, TileFolder
from registry.status.published import token_times
from registry.status.token_list import open_status_token
from service.folder import DataFolder
from service.pinned import read_own_trust_list
from service.problems import install
from service.published import CWT_TYPE, JWT_TYPE, published_routes
from tests.asgi_client import Client
from tests.fakes_issuer import MemorySigner


def client_of(data: Path, ahead: timedelta = timedelta(0)) -> Client:
    app = FastAPI()
    install(app)
    app.include_router(published_routes(DataFolder(data), lambda: datetime.now(UTC) + ahead))
    return Client(app)


@pytest.fixture
def client(issued: Path) -> Client:
    return client_of(issued)


def max_age(answer: httpx.Response) -> int:
    return int(answer.headers["cache-control"].partition("max-age=")[2].split(",")[0])


# ---- status lists -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "cwt"),
        ("*/*", "cwt"),
        (CWT_TYPE, "cwt"),
        (JWT_TYPE, "jwt"),
        (JWT_TYPE.upper(), "jwt"),
        (f"{CWT_TYPE};q=0.5, {JWT_TYPE}", "jwt"),
        (f"{JWT_TYPE};q=0.5, */*;q=0.9", "cwt"),
        (f"{CWT_TYPE};q=0, */*", "jwt"),
        ("text/html, application/*;q=0.1", "cwt"),
    ],
)
def test_a_status_list_comes_in_the_form_that_is_asked_for(
    accept: str | None, form: str, issued: Path, client: Client
) -> None:
    answer = client.get("/status/1", **({} if accept is None else {"accept": accept}))

    assert answer.headers["content-type"] == f"application/statuslist+{form}"
    assert answer.content == (issued / "public" / "status" / f"1.{form}").read_bytes()
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("accept", ["text/html", "application/json", f"{CWT_TYPE};q=0", "image/*"])
def test_another_form_is_not_to_be_had(accept: str, client: Client) -> None:
    answer = client.get("/status/1", accept=accept)

    assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")


def test_both_forms_have_an_address_of_their_own_and_are_genuine(issued: Path, client: Client) -> None:
    now = datetime.now(UTC)
    trust = read_own_trust_list(DataFolder(issued), now)
    key = next(one.public_key for one in trust.keys if one.role is Role.STATUS)
    for form in ("cwt", "jwt"):
        answer = client.get(f"/status/1.{form}", accept="text/html")
        assert answer.headers["content-type"] == f"application/statuslist+{form}"
        assert open_status_token(answer.content, key, now).sub == "https://zs.example.gov.cn/status/1"


def test_a_status_list_is_kept_for_its_ttl_and_never_past_its_end(issued: Path) -> None:
    assert max_age(client_of(issued).get("/status/1")) == 600
    left = token_times((issued / "public" / "status" / "1.jwt").read_bytes()).expires - datetime.now(UTC)
    near_the_end = client_of(issued, left - timedelta(minutes=5)).get("/status/1.jwt")
    assert 200 < max_age(near_the_end) <= 300
    assert client_of(issued, timedelta(hours=25)).get("/status/1").headers["cache-control"] == "no-cache"


def test_the_state_on_a_past_day_is_not_answered_as_if_it_were_todays(client: Client) -> None:
    answer = client.get("/status/1?time=1700000000")

    assert (answer.status_code, answer.json()["code"]) == (501, "status-history")


# ---- what all have in common ------------------------------------------------------------------------------------

FILES = [
    "/status/1",
    "/status/1.jwt",
    "/trust-list.json",
    "/trust-lists/1.json",
    "/log/checkpoint",
    "/ca/root.crl",
    "/ca/issuing.crl",
]


@pytest.mark.parametrize("address", FILES)
def test_an_unchanged_file_is_not_sent_again_and_head_tells_about_it(address: str, client: Client) -> None:
    whole = client.get(address)
    head = client.ask("HEAD", address)
    again = client.get(address, if_none_match=f'"other", {whole.headers["etag"]}')

    assert whole.status_code == head.status_code == 200
    assert whole.headers["etag"] == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    assert (dict(head.headers), head.content) == (dict(whole.headers), b"")
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == whole.headers["cache-control"]
    assert {one.headers["access-control-allow-origin"] for one in (whole, head, again)} == {"*"}


def test_each_file_has_its_type_and_time(issued: Path, client: Client, tool: Callable[[str], Path]) -> None:
    trust, checkpoint, crl = (client.get(one) for one in ("/trust-list.json", "/log/checkpoint", "/ca/issuing.crl"))

    assert trust.headers["content-type"] == "application/json"
    assert trust.content == (issued / "public" / "trust-list.json").read_bytes()
    assert max_age(trust) == 300
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert max_age(checkpoint) == 5
    assert crl.headers["content-type"] == "application/pkix-crl"
    read = subprocess.run(
        [tool("openssl"), "crl", "-inform", "DER", "-noout", "-issuer"],
        input=crl.content,
        capture_output=True,
        check=True,
    )
    assert read.stdout.startswith(b"issuer=")


OUTSIDE = [
    "/status/%2e%2e/trust-list.json",
    "/trust-lists/%2e%2e/trust-list.json",
    "/trust-lists/0.json",
    "/trust-lists/99.json",
    "/trust-lists/1",
    "/status/..%2ftrust-list.json",
    "/status/.lock",
    "/status/0",
    "/status/01",
    "/status/1.cwt.cwt",
    "/status/1.txt",
    "/status/٣",
    "/status/99",
    "/status/" + "9" * 300,
    "/ca/%2e%2e/trust-list.json",
    "/ca/..%2f..%2fpinned-roots.json",
    "/ca/%2e%2e",
    "/ca/root.key",
    "/ca/.root.crl",
    "/ca/none.crl",
    "/ca/linked.crl",
    "/log/%2e%2e/trust-list.json",
    "/log/tile/%2e%2e/checkpoint",
    "/log/tile/..%2fcheckpoint",
    "/log/tile/0/%2e%2e/%2e%2e/checkpoint",
    "/log/tile/64/000",
    "/log/tile/00/000",
    "/log/tile/-1/000",
    "/log/tile/0/0",
    "/log/tile/0/x000",
    "/log/tile/0/000.p/0",
    "/log/tile/0/000.p/256",
    "/log/tile/0/000.p/01",
    "/log/tile/0/000.p/255",
    "/log/tile/63/x999/x999/x999/x999/x999/999",
    "/log/tile/data/000",
    "/log/.checkpoint",
    "/registry.sqlite",
    "/installation.json",
]


@pytest.mark.parametrize("address", OUTSIDE)
def test_nothing_else_is_handed_out(address: str, issued_data: Path) -> None:
    (issued_data / "public" / "ca" / "linked.crl").symlink_to(issued_data / "installation.json")
    answer = client_of(issued_data).get(address)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40))
def test_no_name_leads_out_of_the_public_folder(name: str) -> None:
    app = Client(_EMPTY)
    for folder in ("status", "ca", "log/tile", "log"):
        quoted = "".join(f"%{byte:02x}" for byte in name.encode())
        assert app.get(f"/{folder}/{quoted}").status_code in {404, 405}


_EMPTY = FastAPI(redirect_slashes=False)  # as the service has it
install(_EMPTY)
_EMPTY.include_router(published_routes(DataFolder(Path("/nonexistent")), lambda: datetime.now(UTC)))


# ---- the log, as a monitor reads it -----------------------------------------------------------------------------


def _sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _root(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, written again from the text: largest power of two below the number of leaves."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return _sha(b"\x01", _root(hashes[:half]), _root(hashes[half:]))


def test_a_monitor_finds_under_the_signed_checkpoint_exactly_the_entries_it_fetches(
    issued: Path, client: Client
) -> None:
    """Nothing of our log's code takes part but the paths of C2SP tlog-tiles, which are written out here."""
    note = client.get("/log/checkpoint").text
    origin, size, root = note.split("\n")[:3]
    count = int(size)
    assert 0 < count < 256
    entries, hashes = client.get(f"/log/tile/entries/000.p/{count}"), client.get(f"/log/tile/0/000.p/{count}")

    leaves = []
    rest = entries.content
    while rest:
        length = int.from_bytes(rest[:2], "big")
        leaves.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    hashed = [_sha(b"\x00", leaf) for leaf in leaves]
    assert len(leaves) == count
    assert hashes.content == b"".join(hashed)
    assert _root(hashed) == base64.b64decode(root)
    for answer in (entries, hashes):
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "application/octet-stream"
    assert client.get(f"/log/tile/0/000.p/{count + 1}").status_code == 404
    assert client.get("/log/tile/0/000").status_code == 404

    trust = read_own_trust_list(DataFolder(issued), datetime.now(UTC))
    key = next(one.public_key for one in trust.keys if one.role is Role.LOG)
    assert open_checkpoint(note, key, trust.log_origin).size == count
    text, _, signatures = note.partition("\n\n")
    (line,) = signatures.splitlines()
    signature = base64.b64decode(line.split(" ")[2])[4:]
    loaded = load_der_public_key(key)
    loaded.verify(signature, text.encode() + b"\n")  # type: ignore[union-attr,call-arg]  # Ed25519; raises if it is not genuine
    assert origin == trust.log_origin


def test_a_partial_tile_stays_to_be_had_when_the_full_one_has_taken_its_place(tmp_path: Path) -> None:
    log = DataFolder(tmp_path).log
    edge, files = Edge(0, (), b"").extend([number.to_bytes(2) for number in range(300)])
    TileFolder(log).write(files)
    signer = MemorySigner("log", Algorithm.ED25519)
    (log / "checkpoint").write_text(sign_checkpoint(Checkpoint("example.org/log", 300, edge.root), signer))
    client = client_of(tmp_path)
    full = client.get("/log/tile/0/000").content

    assert len(full) == 256 * 32
    assert client.get("/log/tile/0/000.p/100").content == full[: 100 * 32]
    assert client.get("/log/tile/entries/000.p/3").content == b"\x00\x02\x00\x00\x00\x02\x00\x01\x00\x02\x00\x02"
    assert client.get("/log/tile/0/001.p/44").status_code == 200
    assert client.get("/log/tile/1/000.p/1").content == _root([full[at : at + 32] for at in range(0, len(full), 32)])
    assert client.get("/log/tile/0/001.p/45").status_code == 404


def test_tiles_ahead_of_the_published_checkpoint_are_not_handed_out_yet(issued_data: Path) -> None:
    checkpoint = issued_data / "public" / "log" / "checkpoint"
    count = int(checkpoint.read_text().split("\n")[1])
    assert client_of(issued_data).get(f"/log/tile/0/000.p/{count}").status_code == 200
    checkpoint.write_text(checkpoint.read_text().replace(f"\n{count}\n", f"\n{count - 1}\n", 1))

    assert client_of(issued_data).get(f"/log/tile/0/000.p/{count}").status_code == 404


def test_the_trust_list_is_readable_by_others(client: Client) -> None:
    envelope = json.loads(client.get("/trust-list.json").content)

    assert set(envelope) == {"payloadType", "payload", "signatures"}
