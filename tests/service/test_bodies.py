"""Bodies that are too long or come too slowly are refused while they stream."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, File, Request

from service import bodies
from service.bodies import RECORD_BYTES, SMALL_BODY_BYTES, BodyLimit, body_limit
from service.problems import install
from service.settings import Settings
from tests.asgi_client import Client
from tests.e2e.site import free_socket, served
from tests.verifier.gallery import gallery_app
from verifier.api import MAX_FORM_BYTES

LIMIT = 1_000


class Parts(httpx.AsyncByteStream):
    """A body without a length, part by part; counts what was taken."""

    def __init__(self, part: bytes, count: int, pause: float = 0.0) -> None:
        self.part, self.count, self.pause, self.taken = part, count, pause, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            self.taken += 1
            await asyncio.sleep(self.pause)
            yield self.part


def make_app(idle_seconds: float = 30.0) -> FastAPI:
    app = FastAPI()
    install(app)

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/file")
    def file(file: Annotated[bytes, File()]) -> int:
        return len(file)

    @app.post("/unread")
    async def unread() -> str:
        return "not read"

    app.add_middleware(BodyLimit, limit_of=lambda _: LIMIT, idle_seconds=idle_seconds)
    return app


def test_a_body_up_to_the_limit_passes_whole() -> None:
    assert Client(make_app()).post("/raw", content=b"a" * LIMIT).json() == LIMIT
    assert Client(make_app()).post("/raw", content=Parts(b"a", LIMIT)).json() == LIMIT


@pytest.mark.parametrize("length", [LIMIT + 1, 10**6])
def test_a_longer_one_is_refused_by_the_length_it_claims(length: int) -> None:
    answer = Client(make_app()).post("/raw", content=b"a" * length)

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_a_longer_one_without_a_length_is_refused_when_it_is_too_long() -> None:
    body = Parts(b"a" * 100, 1_000)
    answer = Client(make_app()).post("/raw", content=body)

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert body.taken <= LIMIT / 100 + 2


@pytest.mark.parametrize("length", ["0", "5"])
def test_a_length_that_is_a_lie_changes_nothing(length: str) -> None:
    body = Parts(b"a" * 100, 1_000)
    answer = Client(make_app()).post("/raw", content=body, headers={"content-length": length})

    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["9" * 5_000, "-5", "1e9", "١٠٠٠٠", "5, 9999999"])
def test_no_length_is_a_fault(length: str) -> None:
    answer = Client(make_app()).ask(
        "POST", "/raw", content=Parts(b"a", 1), headers=[(b"content-length", length.encode())]
    )

    assert answer.status_code == (413 if length.startswith("999") else 200)


def test_a_framework_that_hides_the_cause_does_not_hide_it_here() -> None:
    """FastAPI makes 400 of whatever happens while it reads a form."""
    answer = Client(make_app()).post("/file", files={"file": b"a" * 5_000})

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert answer.headers["content-type"] == "application/problem+json"


def test_who_does_not_read_the_body_is_left_alone() -> None:
    assert Client(make_app()).post("/unread", content=b"a" * 5_000).json() == "not read"


def test_a_sender_who_falls_silent_is_not_waited_for() -> None:
    body = Parts(b"a", 10, pause=60.0)
    answer = Client(make_app(idle_seconds=0.01)).post("/raw", content=body)

    assert (answer.status_code, answer.json()["code"]) == (408, "body-too-slow")
    assert body.taken == 1


def test_who_sends_a_large_form_to_its_end_before_reading_gets_the_page() -> None:
    """As some browsers do: a connection that is closed on them shows their own page of an error."""
    body = b"x" * (40 * 1024 * 1024)
    app = gallery_app()
    app.add_middleware(BodyLimit, limit_of=body_limit(Settings()))
    head = (
        "POST /verify/file HTTP/1.1\r\nHost: zs.example.gov.cn\r\nAccept: text/html\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with served(app, free_socket()) as origin, socket.create_connection(_place(origin)) as client:
        client.sendall(head.encode("ascii") + body)
        answer = b"".join(iter(lambda: client.recv(65_536), b"")).decode()

    assert answer.startswith("HTTP/1.1 413 ")
    assert "文件超过 16 MB" in answer


def _place(origin: str) -> tuple[str, int]:
    host, _, port = origin.removeprefix("http://").partition(":")
    return host, int(port)


def test_who_waits_to_be_told_to_send_is_not_asked_for_what_nobody_wants() -> None:
    body = Parts(b"a", 10)
    headers = {"accept": "text/html", "expect": "100-continue", "content-length": "5000"}
    answer = Client(make_app()).post("/raw", content=body, headers=headers)

    assert (answer.status_code, body.taken) == (413, 0)


def test_no_more_is_thrown_away_than_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "DRAINED_BYTES", 1_000)
    body = Parts(b"a" * 100, 1_000)
    answer = Client(make_app()).post("/unread", content=body, headers={"accept": "text/html"})

    assert answer.status_code == 200
    assert body.taken == 10


def test_each_address_takes_what_it_needs() -> None:
    limit = body_limit(Settings(max_upload_mb=7))

    assert limit("/api/v1/verify") == limit("/verify/file") > MAX_FORM_BYTES
    assert limit("/api/v1/batches") == limit("/api/v1/checks/annotated") == 7 * 1024**2
    assert limit("/api/v1/credentials") == limit("/api/v1/credentials/1/corrections") == RECORD_BYTES < 7 * 1024**2
    small = ("/api/v1/credentials/1/changes", "/api/v1/batches/1/approve", "/api/v1/batches/1/hand-over")
    assert {limit(path) for path in small} == {SMALL_BODY_BYTES}
    assert {limit(path) for path in ("/", "/claim", "/api/v1/claims", "/c/X/photo", "/verify/serial")} == {
        SMALL_BODY_BYTES
    }
