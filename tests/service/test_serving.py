"""The socket that the service listens on, and what no redirect may tell."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import create_app
from service.cli.serving import AddressTaken, listen
from service.settings import Settings
from tests.asgi_client import Client
from tests.service.at_hand import PASSPHRASE


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with listen(Settings(port=free_port())) as found:
        yield found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_an_answer_does_not_wait_for_the_acknowledgement_of_the_one_before(listening: socket.socket) -> None:
    """asyncio switches Nagle's algorithm off only for a socket that says it is TCP's."""

    async def accepted_without_delay() -> int:
        options: list[int] = []

        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            theirs = writer.get_extra_info("socket")
            options.append(theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(answer, sock=listening):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            await reader.read()
            writer.close()
            await writer.wait_closed()
        return options[0]

    assert asyncio.run(accepted_without_delay()) != 0


def test_a_taken_port_is_a_sentence_with_the_cure(listening: socket.socket) -> None:
    listening.listen()
    with pytest.raises(AddressTaken, match="--port") as caught:
        listen(Settings(port=listening.getsockname()[1]))
    assert "--port" in caught.value.zh


def test_no_redirect_repeats_the_callers_host(issued_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    client = Client(create_app(Settings(data=issued_data)))
    for path in ("/c/0000000000000000/", "/verify/", "/claim/", "/log/checkpoint/"):
        answer = client.get(path, host="evil.example")
        assert answer.status_code == 404, path
        assert "evil.example" not in str(answer.headers)
