"""The client against authorities on this machine: quick, slow, down, lying."""

import base64
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import tsp
from hypothesis import given
from hypothesis import strategies as st

from credential.timestamp import read_timestamp, verify_timestamp
from keys.timestamp import (
    MAX_ANSWER_BYTES,
    NONCE_BYTES,
    ROUNDS,
    BadTsaUrl,
    NoTimestamp,
    TimestampClient,
    encode_request,
)
from tests.authorities import TsaServer, answer, certificate, serve_tsa

AT = datetime(2026, 7, 8, 1, 2, 3, tzinfo=UTC)
ANCHOR = [certificate("tsa-root")]


class Nonces:
    """Counts, so that no two requests are alike and every run is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0

    def __call__(self, length: int) -> bytes:
        with self._lock:
            self._next += 1
            return self._next.to_bytes(length)


Connect = Callable[..., TimestampClient]


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def connect(waits: list[float]) -> Connect:
    def make(*servers: TsaServer | str, anchors: list[bytes] = ANCHOR, connections: int = 8) -> TimestampClient:
        urls = [server if isinstance(server, str) else server.url for server in servers]
        return TimestampClient(
            urls, anchors, now=lambda: AT, random=Nonces(), wait=waits.append, connections=connections
        )

    return make


@pytest.fixture
def tsa() -> Iterator[TsaServer]:
    with serve_tsa("tsa", at=AT) as server:
        yield server


@pytest.fixture
def other() -> Iterator[TsaServer]:
    with serve_tsa("tsa-late", at=AT) as server:
        yield server


def test_token_is_for_the_message_and_of_the_authority(tsa: TsaServer, connect: Connect) -> None:
    token = connect(tsa).timestamp(b"m")
    assert verify_timestamp(token, b"m", ANCHOR).attested_at == AT


def test_many_tokens_come_in_the_order_of_their_messages(tsa: TsaServer, other: TsaServer, connect: Connect) -> None:
    messages = [b"%d" % number for number in range(30)]
    tokens = connect(tsa, other).timestamp_many(messages)
    assert [verify_timestamp(token, one, ANCHOR).attested_at for token, one in zip(tokens, messages, strict=True)]
    assert tsa.asked + other.asked == 30
    assert {read_timestamp(token).tsa for token in tokens} == {"CN=tsa,O=Outside,C=CN", "CN=tsa-late,O=Outside,C=CN"}


def test_a_slow_authority_is_asked_for_many_at_once(tsa: TsaServer, connect: Connect) -> None:
    tsa.sleep = 0.05
    connect(tsa, connections=6).timestamp_many([b"%d" % number for number in range(12)])
    assert 2 <= tsa.most_at_once <= 6


def test_another_authority_takes_the_place_of_one_that_is_down(
    tsa: TsaServer, other: TsaServer, connect: Connect
) -> None:
    tsa.is_down = True
    client = connect(tsa, other, connections=1)
    tokens = client.timestamp_many([b"%d" % number for number in range(10)])
    assert {read_timestamp(token).tsa for token in tokens} == {"CN=tsa-late,O=Outside,C=CN"}
    assert tsa.asked <= 2, "one that failed is left alone for a while"


def test_an_authority_that_refuses_connections_is_passed_over(other: TsaServer, connect: Connect) -> None:
    token = connect("http://127.0.0.1:1/tsa", other).timestamp(b"m")
    assert read_timestamp(token).tsa == "CN=tsa-late,O=Outside,C=CN"


def test_a_failed_request_is_tried_again_after_a_pause(tsa: TsaServer, connect: Connect, waits: list[float]) -> None:
    tsa.failures = 2
    verify_timestamp(connect(tsa).timestamp(b"m"), b"m", ANCHOR)
    assert waits == [0.5, 1.0]


def test_all_down_says_so_in_both_languages_and_soon(
    tsa: TsaServer, other: TsaServer, connect: Connect, waits: list[float]
) -> None:
    tsa.is_down = other.is_down = True
    with pytest.raises(NoTimestamp) as caught:
        connect(tsa, other).timestamp(b"m")
    assert tsa.asked == other.asked == ROUNDS
    assert sum(waits) < 5
    for sentence in (caught.value.en, caught.value.zh):
        assert sentence.count("HTTP 503") == 2
        assert "/tsa" not in sentence, "an address may hold a secret; its host is enough"


def test_one_failure_ends_the_many(tsa: TsaServer, connect: Connect) -> None:
    tsa.is_down = True
    with pytest.raises(NoTimestamp):
        connect(tsa, connections=2).timestamp_many([b"%d" % number for number in range(50)])
    assert tsa.asked < 50 * ROUNDS, "the rest is not asked for"


def test_name_and_password_of_an_address_stay_out_of_errors(connect: Connect) -> None:
    with pytest.raises(NoTimestamp) as caught:
        connect("http://bureau:secret@127.0.0.1:1/tsa").timestamp(b"m")
    assert "secret" not in caught.value.en + caught.value.zh


# TimeStampResp with a status of 2, rejection, and no token (RFC 3161, 2.4.2).
REJECTION = bytes.fromhex("3005 3003 020102")

LIES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a rejection": (lambda _: REJECTION, "it says rejection"),
    "a web page": (lambda _: b"<html>log in to the network</html>", "no time-stamp response"),
    "nothing": (lambda _: b"", "no time-stamp response"),
    "too much": (lambda _: bytes(MAX_ANSWER_BYTES + 1), "more than"),
    "a spoilt signature": (lambda answer: answer[:-1] + bytes([answer[-1] ^ 1]), "signature is wrong"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_no_good_token_is_not_handed_on(lie: str, tsa: TsaServer, other: TsaServer, connect: Connect) -> None:
    tsa.garble, reason = LIES[lie]
    with pytest.raises(NoTimestamp, match=reason):
        connect(tsa).timestamp(b"m")
    verify_timestamp(connect(tsa, other).timestamp(b"m"), b"m", ANCHOR)


def test_an_answer_to_an_earlier_request_is_refused(tsa: TsaServer, connect: Connect) -> None:
    answers: list[bytes] = []

    def replay(answer: bytes) -> bytes:
        answers.append(answer)
        return answers[0]

    tsa.garble = replay
    client = connect(tsa)
    client.timestamp(b"m")
    with pytest.raises(NoTimestamp, match="another request"):
        client.timestamp(b"m")


@pytest.mark.parametrize("away", [timedelta(hours=1), timedelta(hours=-1)])
def test_an_authority_with_a_wrong_clock_is_refused(away: timedelta, tsa: TsaServer, connect: Connect) -> None:
    tsa.at = AT + away
    with pytest.raises(NoTimestamp, match="its clock says"):
        connect(tsa).timestamp(b"m")


def test_an_authority_that_the_trust_list_does_not_name_is_refused(tsa: TsaServer, connect: Connect) -> None:
    with pytest.raises(NoTimestamp, match="no authority that is trusted"):
        connect(tsa, anchors=[certificate("root")]).timestamp(b"m")


@pytest.mark.parametrize("url", ["", "tsa.example", "ftp://tsa.example/", "http://", "http://[::1"])
def test_what_is_no_address_is_refused_at_once(url: str, connect: Connect) -> None:
    with pytest.raises(BadTsaUrl):
        connect(url)


@given(imprint=st.binary(min_size=32, max_size=32), nonce=st.integers(0, 256**NONCE_BYTES - 1))
def test_the_request_is_what_asn1crypto_writes(imprint: bytes, nonce: int) -> None:
    named = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint}
    wanted = tsp.TimeStampReq({"version": 1, "message_imprint": named, "nonce": nonce, "cert_req": True})
    assert encode_request(imprint, nonce) == wanted.dump()


# ---- connections ------------------------------------------------------------------------------------------------


class Plain(socketserver.StreamRequestHandler):
    """Answers one request after another over a connection, in a form of the test's choice."""

    def handle(self) -> None:
        server: Any = self.server
        server.connections += 1
        while head := self._head():
            length = next(line for line in head if line.lower().startswith(b"content-length:"))
            token = answer(self.rfile.read(int(length.split(b":")[1])), AT).dump()
            server.heads.append(head)
            self.wfile.write(server.form(token))
            if server.hangs_up:
                return

    def _head(self) -> list[bytes]:
        lines = []
        while (line := self.rfile.readline().strip()) != b"":
            lines.append(line)
        return lines


def with_length(token: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(token), token)


def in_chunks(token: bytes) -> bytes:
    pieces = [token[at : at + 700] for at in range(0, len(token), 700)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def cut_short(token: bytes) -> bytes:
    return with_length(token)[:-10]


@pytest.fixture
def plain() -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Plain) as server:
        any_server: Any = server
        any_server.daemon_threads = True
        any_server.connections, any_server.heads, any_server.form, any_server.hangs_up = 0, [], with_length, False
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: Any, connect: Connect, messages: int, where: str = "") -> list[bytes]:
    client = connect(f"http://{where}127.0.0.1:{server.server_address[1]}/tsa", connections=1)
    return client.timestamp_many([b"%d" % number for number in range(messages)])


@pytest.mark.parametrize("form", [with_length, in_chunks])
def test_one_connection_serves_many_requests(form: Callable[[bytes], bytes], plain: Any, connect: Connect) -> None:
    plain.form = form
    assert len(ask(plain, connect, 4)) == 4
    assert plain.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_no_failure(plain: Any, connect: Connect, waits: list[float]) -> None:
    plain.hangs_up = True
    assert len(ask(plain, connect, 4)) == 4
    assert not waits
    assert plain.connections == 4


def test_an_answer_that_is_cut_short_is_refused(plain: Any, connect: Connect) -> None:
    plain.form, plain.hangs_up = cut_short, True
    with pytest.raises(NoTimestamp, match="no time-stamp response"):
        ask(plain, connect, 1)


def test_name_and_password_of_an_address_are_shown_to_the_authority(plain: Any, connect: Connect) -> None:
    ask(plain, connect, 1, "bureau:p%40ss@")
    wanted = b"Authorization: Basic " + base64.b64encode(b"bureau:p@ss")
    assert wanted in plain.heads[0]


def test_a_client_is_closed_as_often_as_one_likes_and_used_again(tsa: TsaServer, connect: Connect) -> None:
    client = connect(tsa)
    client.close()
    client.timestamp(b"m")
    client.close()
    client.close()
    verify_timestamp(client.timestamp(b"m"), b"m", ANCHOR)


def test_closing_meanwhile_disturbs_nobody(tsa: TsaServer, connect: Connect) -> None:
    client = connect(tsa, connections=2)

    def messages() -> Iterator[bytes]:
        for number in range(8):
            client.close()
            yield b"%d" % number

    assert len(client.timestamp_many(messages())) == 8


def test_only_the_digest_leaves_the_house(tsa: TsaServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    respond = tsa.respond

    def listen(request: bytes) -> Any:
        asked.append(request)
        return respond(request)

    monkeypatch.setattr(tsa, "respond", listen)
    connect(tsa).timestamp("姓名".encode())
    assert len(asked) == 1
    assert "姓名".encode() not in asked[0]
    assert tsp.TimeStampReq.load(asked[0])["cert_req"].native is True
