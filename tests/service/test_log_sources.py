"""What is fetched of a log over the net ends, however its server behaves."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.log_sources import LogUnreachable, tiles_at
from service.restoring import MAX_CHECKPOINT_BYTES, BadOutsideCheckpoint, _fetched, outside_checkpoint
from tests.service.test_cosigning import TRUST

END = threading.Event()


class _Hostile(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    encodings: list[str] = []  # noqa: RUF012 - of all requests together

    def do_GET(self) -> None:
        self.close_connection = True
        self.encodings.append(self.headers["Accept-Encoding"])
        kind = self.path.split("/")[1]
        if kind == "elsewhere":
            self._answer(302, b"", {"Location": "/good/checkpoint"})
        elif kind == "bomb":
            self._answer(200, gzip.compress(bytes(1 << 26)), {"Content-Encoding": "gzip"})
        elif kind == "good":
            self._answer(200, b"a note", {})
        else:
            self._go_on(b"x" if kind == "drip" else bytes(1 << 20), 0.02 if kind == "drip" else 0.0)

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _go_on(self, part: bytes, pause: float) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while not END.wait(pause):
                self.wfile.write(part)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hostile) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        END.set()
        server.shutdown()


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("drip", "not whole after"),
        ("endless", "more than"),
        ("bomb", "compressed"),
        ("elsewhere", "HTTP 302"),
    ],
)
def test_a_hostile_server_is_given_up(kind: str, why: str, address: str) -> None:
    file_seconds = 0.3 if kind == "drip" else 60.0
    with pytest.raises(LogUnreachable, match=why):
        tiles_at(f"{address}/{kind}", file_seconds=file_seconds).fetch("checkpoint")


def test_all_files_of_a_look_have_one_deadline(address: str) -> None:
    files = tiles_at(f"{address}/good", look_seconds=60.0)
    assert files.fetch("checkpoint") == b"a note"
    assert set(_Hostile.encodings) == {"identity"}
    with pytest.raises(LogUnreachable, match="all files together"):
        tiles_at(f"{address}/good", look_seconds=0.0).fetch("checkpoint")


@pytest.mark.parametrize("kind", ["endless", "bomb", "elsewhere"])
def test_a_checkpoint_for_a_restore_is_read_no_further_than_one_may_be_long(kind: str, address: str) -> None:
    with pytest.raises(BadOutsideCheckpoint, match="LogUnreachable"):
        outside_checkpoint(f"{address}/{kind}/checkpoint", TRUST)


def test_a_file_that_is_named_as_a_checkpoint_is_read_no_further_either(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"x" * 3 * MAX_CHECKPOINT_BYTES)
    assert len(_fetched(str(tmp_path / "checkpoint"))) == MAX_CHECKPOINT_BYTES + 1
