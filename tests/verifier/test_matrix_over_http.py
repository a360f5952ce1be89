"""The table of tests/verifier/test_matrix.py over HTTP: JSON and page say the verifier's own word, in every state."""

import re
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from service import problems
from service.assets import Assets
from service.rendering import Pages
from tests.asgi_client import Client
from tests.verifier.gallery import StillNotices, let_in
from tests.verifier.test_matrix import TABLE, altered, lasting, over, scan, world_of  # noqa: F401 - fixtures
from tests.verifier.world import NOW, World
from verifier.api import verify_routes
from verifier.explaining import FACES, IssuerNotice
from verifier.pages import page_routes
from verifier.reasons import Word
from verifier.verdict import Verdict

NAMES = {(face.zh, face.en): word for word, face in FACES.items()}


class WorldDesk:
    """A verifier as the routes are handed one; its clock stands still."""

    def __init__(self, world: World) -> None:
        self._verifier = world.online

    def verify_file(self, document: bytes) -> Verdict:
        return self._verifier.verify_file(document, NOW)

    def verify_qr(self, text: str) -> Verdict:
        return self._verifier.verify_qr(text, NOW)

    def verify_code(self, code: str) -> Verdict:
        return self._verifier.verify_code(code, NOW)

    def verify_serial(self, serial: str, name: str) -> Verdict:
        return self._verifier.verify_serial(serial, name, NOW)


class AnyIssuer(StillNotices):
    """Says the same of every issuer."""

    def issuer(self, uscc: str) -> IssuerNotice | None:
        return IssuerNotice(f"{uscc}.example.gov.cn", "", is_sample=False)


def app_over(world: World) -> FastAPI:
    """Every route that verifies, over the verifier of a world."""
    desk, assets, app = WorldDesk(world), Assets(), FastAPI()
    pages = Pages("https://zs.example.gov.cn", assets)
    app.include_router(page_routes(desk, pages.render, let_in, AnyIssuer()))
    app.include_router(verify_routes(desk, let_in, let_in))
    problems.install(app, pages.error)
    return app


def heading(page: str) -> Word:
    """The word that stands, in both languages, as the one heading of a page."""
    shown = re.sub(r"<template\b.*?</template>", "", page, flags=re.DOTALL)  # what scripts may show instead
    (found,) = re.findall(r"<h1[^>]*>(.*?)</h1>", shown, re.DOTALL)
    zh, en = re.findall(r">([^<>]+)</(?:span|small)>", found)
    return NAMES[zh, en]


def said(answer: httpx.Response) -> Word:
    """The word of an answer, and the status that goes with it."""
    is_json = answer.headers["content-type"].startswith("application/json")
    word = Word(answer.json()["verdict"]) if is_json else heading(answer.text)
    assert answer.status_code == (503 if word is Word.UNAVAILABLE else 200)
    assert answer.headers["cache-control"] == "no-store"
    return word


API = "/api/v1/verify"
BROWSER = {"Accept": "text/html", "Accept-Language": "zh"}
JSON = {"Accept": "application/json"}
Way = Callable[[Client, World], httpx.Response]


def _upload(path: str, document: Callable[[World], bytes]) -> Way:
    headers = JSON if path == API else BROWSER
    return lambda client, world: client.post(path, files={"file": ("x.pdf", document(world))}, headers=headers)


def _code(world: World) -> str:
    return world.issued.claims.verification_code


FULL: dict[str, Way] = {
    "API, file": _upload(API, lambda world: world.issued.document),
    "API, QR code": lambda client, world: client.post(API, json={"qr": world.issued.qr_text}),
    "API, code": lambda client, world: client.post(API, json={"code": _code(world)}),
    "API, serial": lambda client, world: client.post(
        API, json={"serial": world.issued.claims.serial, "name": world.issued.claims.holder.name}
    ),
    "address of the QR code as JSON": lambda client, world: client.ask("GET", f"/c/{_code(world)}", headers=JSON),
    "page of the QR code": lambda client, world: client.ask("GET", f"/c/{_code(world)}", headers=BROWSER),
    "page, file": _upload("/verify/file", lambda world: world.issued.document),
    "page, serial": lambda client, world: client.post(
        "/verify/serial",
        data={"serial": world.issued.claims.serial, "name": world.issued.claims.holder.name},
        headers=BROWSER,
    ),
}
COPIES: dict[str, Way] = {
    "API, scan": _upload(API, lambda world: scan(world.issued.document)),
    "page, scan": _upload("/verify/file", lambda world: scan(world.issued.document)),
}
ALTERED: dict[str, Way] = {
    "API, altered file": _upload(API, lambda world: altered(world.issued.document)),
    "page, altered file": _upload("/verify/file", lambda world: altered(world.issued.document)),
}


@pytest.mark.parametrize("state", TABLE)
def test_json_and_page_say_the_word_of_the_table(state: str, world_of: Callable[[str], World]) -> None:  # noqa: F811 - the fixture
    full, copies, changed, _ = TABLE[state]
    for ways, word in ((FULL, full), (COPIES, copies), (ALTERED, changed)):
        for name, way in ways.items():
            world = world_of(state)
            client = Client(app_over(world))
            assert said(way(client, world)) is word, (state, name)


def test_every_word_has_a_heading_of_its_own() -> None:
    assert len(NAMES) == len(FACES) == len(Word)
