"""One request too many: counted by caller and kind, in a window that moves."""

import threading
from collections.abc import Callable

import pytest
from fastapi import Depends, FastAPI, Request

from service import limits
from service.limits import Kind, Limiter, TooManyRequests, kind_of
from service.problems import install
from service.settings import BadSetting, Settings
from tests.asgi_client import Client


class Seconds:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def request(path: str = "/c/X", address: str = "192.0.2.1", method: str = "GET", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": raw,
            "client": (address, 1),
            "server": ("127.0.0.1", 80),
            "scheme": "http",
        }
    )


def refused(guard: Callable[[Request], None], sent: Request | None = None) -> TooManyRequests | None:
    try:
        guard(sent or request())
    except TooManyRequests as error:
        return error
    return None


def test_a_caller_has_the_limit_and_not_one_more() -> None:
    limiter = Limiter(Settings(limit_verify="3/minute"), Seconds())
    answers = [refused(limiter) for _ in range(5)]

    assert [answer is None for answer in answers] == [True, True, True, False, False]


def test_the_window_moves_and_a_refused_request_does_not_lengthen_it() -> None:
    clock = Seconds()
    limiter = Limiter(Settings(limit_verify="2/minute"), clock)
    limiter(request())
    clock.now += 30
    limiter(request())
    first = refused(limiter)
    clock.now += 29
    second = refused(limiter)
    clock.now += 1

    assert first is not None
    assert second is not None
    assert (first.wait, second.wait) == (30, 1)
    assert refused(limiter) is None  # the first is a minute old
    assert refused(limiter) is not None  # the second is not


def test_kinds_and_callers_are_counted_apart() -> None:
    limiter = Limiter(Settings(limit_verify="1/minute", limit_serial="1/minute"), Seconds())
    limiter(request())
    limiter.guard(Kind.SERIAL)(request())
    limiter(request(address="192.0.2.2"))

    assert refused(limiter) is not None
    assert refused(limiter.guard(Kind.SERIAL)) is not None


def test_another_address_of_the_same_ipv6_network_is_no_way_out() -> None:
    limiter = Limiter(Settings(limit_verify="2/minute"), Seconds())
    answers = [refused(limiter, request(address=f"2001:db8::{at:x}")) for at in range(1, 5)]

    assert [answer is None for answer in answers] == [True, True, False, False]


@pytest.mark.parametrize("trusted", ["", "10.0.0.0/8"])
def test_a_forged_header_is_no_way_out(trusted: str) -> None:
    limiter = Limiter(Settings(limit_serial="2/minute", trusted_proxies=trusted), Seconds())
    guard = limiter.guard(Kind.SERIAL)
    answers = [refused(guard, request(x_forwarded_for=f"198.51.100.{at}")) for at in range(1, 5)]

    assert [answer is None for answer in answers] == [True, True, False, False]


def test_through_a_trusted_proxy_each_client_has_its_own_limit_whatever_it_sends_itself() -> None:
    limiter = Limiter(Settings(limit_verify="1/minute", trusted_proxies="10.0.0.0/8"), Seconds())
    for forged, client, is_first in [("1.1.1.1", "7", True), ("2.2.2.2", "7", False), ("1.1.1.1", "8", True)]:
        sent = request(address="10.1.1.1", x_forwarded_for=f"{forged}, 198.51.100.{client}")
        assert (refused(limiter, sent) is None) is is_first


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (request("/"), Kind.VERIFY),
        (request("/c/7K3M9QXA4TZ2RB6H"), Kind.VERIFY),
        (request("/c/7K3M9QXA4TZ2RB6H/photo", method="POST"), Kind.PHOTO),
        (request("/c/7K3M9QXA4TZ2RB6H/photo/", method="POST"), Kind.PHOTO),
        (request("/verify/serial", method="POST"), Kind.SERIAL),
        (request("/verify/code", method="POST"), Kind.VERIFY),
        (request("/verify/file", method="POST"), Kind.UPLOAD),
        (request("/verify/file"), Kind.VERIFY),
        (request("/api/v1/verify", method="POST", content_type="application/json"), Kind.VERIFY),
        (request("/api/v1/verify", method="POST", content_type="Multipart/Form-Data; boundary=a"), Kind.UPLOAD),
        (request("/claim", method="POST"), Kind.CLAIM),
        (request("/api/v1/claims", method="POST"), Kind.CLAIM),
        (request("/api/v1/downloads/abc"), Kind.DOWNLOAD),
    ],
)
def test_path_and_type_tell_the_kind(sent: Request, kind: Kind) -> None:
    assert kind_of(sent) is kind


@pytest.mark.parametrize("text", ["", "20", "minute", "0/minute", "-1/minute", "20/fortnight", "many/minute"])
def test_a_limit_that_cannot_be_read_is_refused_at_start(text: str) -> None:
    with pytest.raises(BadSetting, match="YINZHENG_LIMIT_SERIAL"):
        Limiter(Settings(limit_serial=text))


def test_who_is_refused_is_told_when_to_come_back_and_no_more() -> None:
    app = FastAPI()
    install(app)
    app.get("/c/{code}", dependencies=[Depends(Limiter(Settings(limit_verify="1/hour"), Seconds()))])(lambda code: code)
    client = Client(app)
    assert client.get("/c/7K3M").status_code == 200
    answer = client.get("/c/7K3M")

    assert answer.status_code == 429
    assert answer.json()["code"] == "too-many-requests"
    assert answer.headers["retry-after"] == "3600"
    assert answer.headers["ratelimit"] == '"verify";r=0;t=3600'
    assert answer.headers["ratelimit-policy"] == '"verify";q=1;w=3600'
    assert "7K3M" not in answer.text
    assert "127.0.0.1" not in answer.text


def test_many_addresses_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CALLERS", 50)
    limiter = Limiter(Settings(limit_verify="1/hour"), Seconds())
    for number in range(500):
        limiter(request(address=f"192.0.{number // 250}.{number % 250}"))

    assert limiter._windows.reset() == 50


def test_threads_at_once_have_one_limit_together() -> None:
    limiter = Limiter(Settings(limit_verify="50/hour"), Seconds())
    passed: list[int] = []

    def hit() -> None:
        passed.extend(1 for _ in range(25) if refused(limiter) is None)

    threads = [threading.Thread(target=hit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(passed) == 50
