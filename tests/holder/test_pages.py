"""The claim page: what it opens, what it refuses, and what never stands in an address."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import FastAPI, Request

from credential.errors import RefusedError, UnavailableError
from holder.pages import claim_routes
from service import problems
from service.assets import Assets
from service.rendering import Pages
from tests.asgi_client import Client

SERIAL, CODE = "33029920260520001289", "7F3K-9Q2M-WX4T"


@dataclass(frozen=True)
class Opened:
    download: str = "/api/v1/downloads/a-grant"
    expires_at: datetime = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


class NotTogether(RefusedError):
    code = "not-together-of-tests"

    def __init__(self) -> None:
        super().__init__("serial and claim code do not belong together", "证书编号与领取码不符")


class Away(UnavailableError):
    code = "away-of-tests"

    def __init__(self) -> None:
        super().__init__("the register does not answer", "登记库没有应答")


def claim(serial: str, claim_code: str) -> Opened:
    if claim_code == "away":
        raise Away
    if (serial, claim_code) != (SERIAL, CODE):
        raise NotTogether
    return Opened()


def let_in(_request: Request) -> None:
    pass


def client() -> Client:
    pages = Pages("https://zs.example.gov.cn", Assets())
    app = FastAPI()
    app.include_router(claim_routes(claim, pages.render, let_in))
    problems.install(app, pages.error)
    return Client(app, accept="text/html")


def test_the_right_code_opens_the_download() -> None:
    answer = client().post("/claim", data={"serial": f" {SERIAL[:6]} {SERIAL[6:]} ", "claim_code": CODE})

    assert answer.status_code == 200
    assert 'href="/api/v1/downloads/a-grant"' in answer.text
    assert "2026-11-23 17:30:00" in answer.text
    assert "已经用掉" in answer.text
    assert "重复下载" in answer.text
    assert "保管领取码" not in answer.text  # it is of no use any more
    assert CODE not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_a_wrong_code_and_a_wrong_serial_get_one_answer() -> None:
    asked = client()
    wrong_code = asked.post("/claim", data={"serial": SERIAL, "claim_code": "x"})
    wrong_serial = asked.post("/claim", data={"serial": "9" * 20, "claim_code": CODE})

    assert wrong_code.status_code == wrong_serial.status_code == 422
    assert wrong_code.text == wrong_serial.text.replace("9" * 20, SERIAL)
    assert "证书编号与领取码不符" in wrong_code.text
    assert "downloads" not in wrong_code.text
    assert CODE not in wrong_serial.text


def test_the_form_sends_nothing_in_an_address() -> None:
    page = client().get("/claim?lang=en").text

    assert '<form class="card" method="post" action="/claim?lang=en"' in page
    assert 'autocomplete="off"' in page


def test_a_register_that_is_away_is_no_wrong_code() -> None:
    answer = client().post("/claim", data={"serial": SERIAL, "claim_code": "away"})

    assert answer.status_code == 503
    assert "不符" not in answer.text
