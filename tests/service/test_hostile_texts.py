"""Texts that no store can keep, at every door: each gets a plain answer, on both databases, and never a fault."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from credential.ports import Algorithm
from keys.store import KeyStore
from registry.claim_codes import count_try
from registry.credentials import UnknownSerial, find_by_serial, get_credential
from service.app import Application
from service.house import House, create_house
from service.issuers import NewIssuer, add_new_issuer, add_new_person
from service.limits import Kind
from service.settings import Settings
from service.tokens import create_token
from tests.asgi_client import Client
from tests.cheap_keys import CHEAP
from tests.postgresql import ADMIN, PostgresServer, closed_afterwards
from tests.service.at_hand import PASSPHRASE, USCC

SERIAL = "33020020260120000017"
CODE = "7K3M-9QXA-4TZ2-RB6H"
MOST_OF_AN_ADDRESS = 10_000  # bytes, before they are written as %E5; the client sends no more than 64 kB
TEXTS = {
    "nul": "\0",
    "nul inside": SERIAL + "\0",
    "lone surrogate": "\ud800",
    "surrogates the wrong way round": "张\udfff\ud800三",
    "ten thousand characters": "张" * 10_000,
    "ten thousand digits": "3" * 10_000,
    "no characters at all": " \t\u3000",
    "other way round": "\u202e" + SERIAL,
    "wild cards": "%_'\"\\;--",
}


class Door(NamedTuple):
    """One place where a stranger's text comes in; ``{}`` in the path stands for it."""

    method: str
    path: str
    kind: str  # json, form, path, header
    fields: Mapping[str, str] = {}


def _doors() -> Iterator[Door]:
    """Each door once for every field that takes a text; the other fields hold what is well formed."""
    for path, kind, fields in (
        ("/api/v1/verify", "json", {"code": CODE}),
        ("/api/v1/verify", "json", {"qr": f"https://zs.example.gov.cn/c/{CODE}"}),
        ("/api/v1/verify", "json", {"serial": SERIAL, "name": "张三"}),
        ("/api/v1/claims", "json", {"serial": SERIAL, "claim_code": "7K3M9QXA4TZ2"}),
        ("/api/v1/search", "json", {"serial": SERIAL}),
        ("/api/v1/search", "json", {"name": "张三"}),
        ("/api/v1/search", "json", {"id_number": "330299199001010019"}),
        ("/verify/code", "form", {"code": CODE}),
        ("/verify/serial", "form", {"serial": SERIAL, "name": "张三"}),
        ("/claim", "form", {"serial": SERIAL, "claim_code": "7K3M9QXA4TZ2"}),
        (f"/c/{CODE}/photo", "form", {"last_six": "010019"}),
    ):
        for name in fields:
            yield Door("POST", path, kind, {**fields, name: "{}"})
    for path in ("/c/{}", "/api/v1/downloads/{}", "/api/v1/credentials/{}", "/api/v1/credentials/{}/history",
                 "/status/{}", "/log/tile/{}", "/ca/{}", "/static/{}/site.css", "/c/{}?lang=en"):  # fmt: skip
        yield Door("GET", path, "path")
    yield Door("POST", "/c/{}/photo", "path", {"last_six": "010019"})
    yield Door("POST", "/api/v1/credentials/{}/claim-code", "path")
    yield Door("GET", "/verify?lang={}", "path")
    for name in ("authorization", "accept", "accept-language", "idempotency-key", "if-none-match", "range"):
        yield Door("POST" if name == "idempotency-key" else "GET", "/api/v1/batches", "header", {name: "{}"})


class Service(NamedTuple):
    """A running service and a token for it."""

    house: House
    client: Client
    token: str


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Service]:
    """Every role over an installation with one issuer, on either kind of database."""
    data, database = tmp_path_factory.mktemp("house") / "data", ""
    data.mkdir(mode=0o700)
    (data / "cache").symlink_to(cache)
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        database = f"postgresql://{ADMIN}@/{server.create(migrated=False)}?host={server.folder}"
    free = {f"limit_{kind}": "1000000/minute" for kind in Kind}
    settings = Settings(data=data, database=database).model_copy(update=free)
    with closed_afterwards(), pytest.MonkeyPatch.context() as doors:
        doors.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
        doors.setattr("service.house.KeyStore", partial(KeyStore, cost=CHEAP))
        house = create_house(settings, public_url="https://zs.example.gov.cn", passphrase=PASSPHRASE.encode())
        new = NewIssuer("nb", "示例市人力资源和社会保障局", USCC, "330200", pdf_algorithm=Algorithm.P256)
        add_new_issuer(house, new)
        add_new_person(house, "wang", name="王经办", issuer="nb")
        token, _ = create_token(house, "wang", scopes=("read", "submit", "hand-over"), days=1)
        application = Application(settings)
        yield Service(application.house, Client(application.build()), token)
        application.desk.close()
        application.reader.close()


def ask(service: Service, door: Door, text: str) -> httpx.Response:
    """Go through a door with a text, written as the door has it."""
    raw = text.encode("utf-8", "surrogatepass")[:MOST_OF_AN_ADDRESS]
    fields = {name: text if value == "{}" else value for name, value in door.fields.items()}
    headers: dict[bytes, bytes] = {b"authorization": f"Bearer {service.token}".encode()}
    sent: dict[str, Any] = {}
    if door.kind == "json":
        sent["content"] = json.dumps(fields).encode("ascii")
        headers[b"content-type"] = b"application/json"
    elif door.kind == "header":
        headers |= {name.encode(): b"Bearer " * (name == "authorization") + raw for name in fields}
    elif door.method == "POST":
        pairs = (f"{name}={quote(value.encode('utf-8', 'surrogatepass'), safe='')}" for name, value in fields.items())
        sent["content"] = "&".join(pairs).encode("ascii")
        headers[b"content-type"] = b"application/x-www-form-urlencoded"
    return service.client.ask(door.method, door.path.replace("{}", quote(raw, safe="")), headers=headers, **sent)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_no_door_takes_a_text_for_a_fault_of_ours(text: str, service: Service) -> None:
    for door in _doors():
        answer = ask(service, door, text)
        place = (door, answer.status_code, answer.text[:300])
        assert answer.status_code < 500 or answer.json()["code"] == "status-history", place
        if answer.status_code >= 400 and "json" in answer.headers.get("content-type", ""):
            assert answer.json()["zh"], place
            assert answer.json()["en"], place
            assert text.strip() == "" or text not in answer.text, place
        if answer.headers.get("content-type") == "application/json" and "verdict" in answer.json():
            assert answer.json()["verdict"] == "unknown", place


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_no_look_up_by_a_serial_ends_in_anything_but_an_answer(text: str, service: Service) -> None:
    house = service.house
    with house.database.transaction() as session:
        assert count_try(session, text, house.now()) == []
        assert find_by_serial(session, text) == []
        with pytest.raises(UnknownSerial):
            get_credential(session, text)
    with pytest.raises(UnknownSerial):
        house.documents.fetch_pdf(text)
    assert house.source.by_serial(text) == []
    assert house.source.candidates(text) == []
