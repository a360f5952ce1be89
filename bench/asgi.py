"""Call an ASGI application in this process, without a client library or a socket between."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int = 0
    body: bytes = b""


async def call(app: App, path: str, accept: str) -> Answer:
    """Send one GET request and collect its answer."""
    answer = Answer()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
        else:
            answer.body += message.get("body", b"")

    headers = [(b"host", b"zs.example.gov.cn"), (b"accept", accept.encode()), (b"user-agent", b"bench")]
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    await app(scope, receive, send)
    return answer


def call_all(app: App, paths: Sequence[str], accept: str) -> tuple[float, list[Answer]]:
    """Send requests one after the other; gives the CPU-seconds of this process, all its threads, and the answers."""

    async def run() -> tuple[float, list[Answer]]:
        await call(app, paths[0], accept)  # the loop's threads are started
        started = time.process_time()
        answers = [await call(app, path, accept) for path in paths]
        return time.process_time() - started, answers

    return asyncio.run(run())
