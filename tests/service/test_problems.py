"""Every error of the project has a status, and no answer says more than callers may know."""

import asyncio
import importlib
import logging
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.responses import HTMLResponse, Response, StreamingResponse

import credential
import holder
import intake
import issuer
import keys
import press
import registry
import service
import templates
import verifier
from credential.errors import ConfigError, Error, InputError, RefusedError, UnavailableError
from service import problems
from service.problem_codes import FAMILIES, STATUS, status_of
from service.problems import type_of
from tests.architecture import FLOORS
from tests.asgi_client import Client

API_PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
PACKAGES = (credential, keys, registry, templates, press, intake, issuer, verifier, holder, service)
#: Written by problems.py and the framework's own refusals, so no class of ours carries them.
OF_HTTP = {"bad-request", "invalid-request", "not-found", "method-not-allowed", "fault"}
#: RFC 8141: the namespace, then what is ours to say in it.
URN = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,30}[a-z0-9]:[a-z0-9:-]+")
SECRET = "330299198001010019 张三"


def _every_error() -> Iterator[type[Error]]:
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    waiting: list[type[Error]] = [Error]
    while waiting:
        kind = waiting.pop()
        yield kind
        waiting += kind.__subclasses__()


def _ours() -> list[type[Error]]:
    # Other tests make errors too, and modules with errors in them: plug-ins.
    return [kind for kind in _every_error() if kind.__module__.partition(".")[0] in FLOORS]


def test_every_error_has_a_status() -> None:
    missing = sorted(f"{kind.code} ({kind.__module__})" for kind in _ours() if kind.code not in STATUS)

    assert missing == []


def test_no_status_is_left_of_an_error_that_is_gone() -> None:
    assert sorted(STATUS.keys() - {kind.code for kind in _ours()} - OF_HTTP) == []


def test_a_familys_errors_keep_to_its_statuses() -> None:
    allowed: dict[type[Error], set[int]] = {
        InputError: {400, 404, 406, 408, 413, 415, 416, 422},
        RefusedError: {401, 403, 404, 408, 409, 410, 429, 501},
        UnavailableError: {503},
        ConfigError: {500},
    }
    for kind in _ours():
        family = next((one for one in allowed if issubclass(kind, one)), None)
        if family is not None:
            assert STATUS[kind.code] in allowed[family], kind.code


def test_every_code_stands_in_the_docs_under_its_status() -> None:
    page = API_PAGE.read_text("utf-8")
    rows = dict(re.findall(r"^\| (\d{3}) \|[^|]*\| (.*) \|$", page, re.MULTILINE))

    told = {code: int(status) for status, codes in rows.items() for code in re.findall(r"`([a-z0-9-]+)`", codes)}

    assert told == dict(STATUS)


def test_an_error_not_in_the_table_is_answered_by_its_family() -> None:
    class NewRefusal(RefusedError):
        code = "new-refusal-of-a-test"

    assert status_of(NewRefusal("no", "不")) == FAMILIES[RefusedError] == 409


class _Body(BaseModel):
    name: str
    level: int


class _Refused(RefusedError):
    code = "refused"

    def __init__(self) -> None:
        super().__init__("a rule says no", "规则不允许")
        self.members = {"problems": [1]}
        self.headers = {"X-More": "yes"}


def _raising(error: Exception) -> FastAPI:
    app = FastAPI()

    @app.get("/api/raise")
    @app.get("/raise")
    def fail() -> None:
        raise error

    @app.post("/body")
    def take(body: _Body) -> str:
        return body.name

    @app.get("/half")
    def half() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"begun"
            raise error

        return StreamingResponse(parts())

    def page(request: Request, *, status: int, code: str, zh: str, en: str) -> Response:
        return HTMLResponse(f"<h1>{code}</h1><p>{zh}</p><p>{en}</p><p>{request.method}</p>", status)

    problems.install(app, page)
    return app


def _body(answer: Any) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    return body


def test_a_problem_document_says_what_and_how_to_cure_in_both_languages() -> None:
    answer = Client(_raising(_Refused())).get("/raise")

    assert _body(answer) == {
        "type": "urn:yinzheng:problem:refused",
        "title": "Refused",
        "status": 409,
        "detail": "a rule says no",
        "code": "refused",
        "en": "a rule says no",
        "zh": "规则不允许",
        "problems": [1],
    }
    assert (answer.status_code, answer.headers["x-more"], answer.headers["cache-control"]) == (409, "yes", "no-store")


@pytest.mark.parametrize("path", ["/nothing-here", "/raise"])
def test_a_problem_is_named_by_a_urn_and_not_by_an_address_that_nobody_serves(path: str) -> None:
    body = _body(Client(_raising(_Refused())).get(path))

    assert URN.fullmatch(body["type"])
    assert body["type"] == type_of(body["code"])


@pytest.mark.parametrize(
    "error",
    [
        ValueError(SECRET),
        KeyError(SECRET),
        UnavailableError(f"the host {SECRET} does not answer", SECRET),
        ConfigError(f"the file {SECRET} is bad", SECRET),
    ],
)
def test_a_fault_of_ours_is_told_without_its_message(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    answer = Client(_raising(error)).get("/raise")

    assert answer.status_code == (503 if isinstance(error, UnavailableError) else 500)
    assert not any(part in answer.text for part in SECRET.split())
    assert not any(part in caplog.text for part in SECRET.split())
    assert type(error).__name__ in caplog.text
    assert "test_problems.py:" in caplog.text
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)


def test_an_answer_that_fails_half_way_is_cut_short_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(30)  # the client stays

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/half", "query_string": b"", "headers": [], "root_path": ""}
    asyncio.run(_raising(ValueError(SECRET))(scope, receive, send))

    assert [one["type"] for one in sent] == ["http.response.start", "http.response.body"]
    assert (sent[1]["body"], sent[1]["more_body"]) == (b"begun", True)
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("sent", "status", "code", "fields"),
    [
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "bad-request", []),
        ({"json": {"name": "x"}}, 422, "invalid-request", ["level"]),
        ({"json": {"name": SECRET, "level": SECRET}}, 422, "invalid-request", ["level"]),
        ({"json": {"name": [SECRET], "level": SECRET}}, 422, "invalid-request", ["name", "level"]),
        ({"content": b"", "headers": {}}, 422, "invalid-request", [""]),
    ],
)
def test_a_bad_body_is_told_by_field_and_cure_and_never_repeated(
    sent: dict[str, Any], status: int, code: str, fields: list[str]
) -> None:
    answer = Client(_raising(_Refused())).post("/body", **sent)

    body = _body(answer)
    assert (answer.status_code, body["code"], [one["field"] for one in body["errors"]]) == (status, code, fields)
    assert all(one["zh"] and one["en"] for one in body["errors"])
    assert not any(part in answer.text for part in SECRET.split())


def test_an_address_or_method_that_is_not_there_is_a_problem_too() -> None:
    client = Client(_raising(_Refused()))

    assert (client.get("/none").status_code, _body(client.get("/none"))["code"]) == (404, "not-found")
    wrong = client.post("/raise")
    assert (wrong.status_code, _body(wrong)["code"], wrong.headers["allow"]) == (405, "method-not-allowed", "GET")


def test_a_person_gets_a_page_and_a_program_never_does() -> None:
    client = Client(_raising(_Refused()), accept="text/html")

    page = client.get("/raise", accept="text/html,*/*;q=0.8")
    api = client.get("/api/raise", accept="text/html")
    fault = Client(_raising(ValueError(SECRET))).get("/raise", accept="text/html")

    assert (page.status_code, page.headers["content-type"]) == (409, "text/html; charset=utf-8")
    assert "规则不允许" in page.text
    assert _body(api)["code"] == "refused"
    assert (fault.status_code, "<h1>fault</h1>" in fault.text, SECRET in fault.text) == (500, True, False)
