"""One line a request, and nothing of what it was about; what all loggers say together is searched."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from credential.claims import decode_claims
from credential.cose import open_message
from credential.serial import group_code
from issuer.api.callers import Scope
from registry.credentials import get_credential, read_claims
from service import batches
from service.app import create_app
from service.house import House, SystemClock
from service.logs import route_template
from service.settings import Settings
from service.tokens import create_token
from tests.asgi_client import Client
from tests.service.at_hand import PASSPHRASE, person_row, write_sheet

LINE = re.compile(
    r"(GET|HEAD|POST|OTHER) (/[a-z0-9./_{}:-]*|-) \d{3} \d+ ms token=([a-z2-7]{8}|-) request=[0-9a-f]{16}"
)
MARKED_NAME = "欧阳标记"
#: Routes that are no part of the API's description.
PAGES = ("/", "/c/{code}", "/c/{code}/photo", "/verify", "/verify/file", "/verify/code", "/verify/serial", "/claim",
         "/status/{other}", "/log/{other}", "/ca/{other}", "/static/{other}", "/healthz", "/trust-list.json",
         "/api/v1/downloads/{other}", "/{other}")  # fmt: skip
DECISION = "示人社函〔2026〕77号"


class _Everything(logging.Handler):
    """Keeps what every logger says, with its arguments and traces."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []
        self.access: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "httpx":
            return  # the caller of these tests, not the service
        self.said += [record.getMessage(), repr(record.args), str(record.exc_info), logging.Formatter().format(record)]
        if record.name == "yinzheng.access":
            self.access.append(record.getMessage())


@pytest.fixture
def everything() -> Iterator[_Everything]:
    handler, root = _Everything(), logging.getLogger()
    before = root.level
    names = (
        "yinzheng.access",
        "yinzheng.fault",
        "service",
        "uvicorn",
        "uvicorn.access",
        "multipart",
        "python_multipart",
    )
    loggers = [root, *(logging.getLogger(name) for name in names)]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)
    root.setLevel(before)


class _Caller:
    """Calls as both persons, and remembers what must never be logged."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
        free = dict.fromkeys(("verify", "serial", "upload", "claim", "photo"), "100000/minute")
        settings = Settings(data=data).model_copy(update={f"limit_{name}": rate for name, rate in free.items()})
        self.house = House(settings, PASSPHRASE.encode("ascii"), SystemClock())
        scopes = [one.value for one in Scope]
        self.tokens = {person: create_token(self.house, person, scopes=scopes, days=1)[0] for person in ("wang", "li")}
        self.app = create_app(settings)
        self.client = Client(self.app)
        self.secrets = {*self.tokens.values(), *(one.split("_")[2] for one in self.tokens.values())}

    def ask(self, method: str, path: str, person: str = "wang", **sent: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[person]}"} | sent.pop("headers", {})
        return self.client.ask(method, path, headers=headers, **sent)


def _issue(caller: _Caller, tmp_path: Path) -> tuple[str, str]:
    """Issue a marked certificate through the API; returns its serial and verification code."""
    row = person_row(4321)
    row[0] = MARKED_NAME
    caller.secrets |= {MARKED_NAME, row[2], row[2][-6:], DECISION}
    content = write_sheet(tmp_path / "sheet.csv", [row]).read_bytes()
    sent = {"sheet": (f"{MARKED_NAME}.csv", content)}
    for path in ("/api/v1/checks", "/api/v1/checks/annotated"):
        assert caller.ask("POST", path, files=sent).status_code == 200
    batch = caller.ask("POST", "/api/v1/batches", files=sent, headers={"Idempotency-Key": "k1"}).json()
    path = f"/api/v1/batches/{batch['id']}"
    assert caller.ask("POST", f"{path}/approve", "li", json={"digest": batch["digest"]}).status_code == 202
    batches.run(caller.house, batch["id"], lambda _: None)
    row_shown = caller.ask("GET", f"{path}/rows").json()["items"][0]
    assert row_shown["name"] == MARKED_NAME
    with caller.house.database.reading() as session:
        found = get_credential(session, row_shown["serial"])
        claims = decode_claims(open_message(read_claims(session, caller.house.vault, found)).payload)
    caller.secrets |= {claims.verification_code, group_code(claims.verification_code)}
    return row_shown["serial"], claims.verification_code


def _hand_over(caller: _Caller, serial: str) -> None:
    made = caller.ask("POST", f"/api/v1/credentials/{serial}/claim-code").json()["code"]
    caller.secrets |= {made, made.replace("-", "")}
    claimed = caller.ask("POST", "/api/v1/claims", json={"serial": serial, "claim_code": made}).json()
    grant = claimed["download"].rpartition("/")[2]
    caller.secrets.add(grant)
    assert caller.ask("GET", f"/api/v1/downloads/{grant}").content.startswith(b"%PDF")


def _ask_everything(caller: _Caller, values: dict[str, str]) -> int:
    """Call every route of the app with marked values in address, query, headers and body; returns how many."""
    paths = {**caller.app.openapi()["paths"], **{page: {"get": {}, "post": {}} for page in PAGES}}
    count = 0
    for path, methods in paths.items():
        target = re.sub(r"{(\w+)[^}]*}", lambda match: values.get(match[1], values["other"]), path)
        for method in methods:
            for sent in (
                {},
                {"json": values},
                {"json": [values["name"]]},
                {"data": values},
                {"content": values["name"].encode(), "headers": {"content-type": "application/json"}},
                {"files": {"sheet": (values["name"], values["name"].encode()), "file": ("x.pdf", b"%PDF-1.7 " * 9)}},
            ):
                answer = caller.ask(method.upper(), target, params={"name": values["name"]}, **sent)
                assert answer.status_code < 500, (method, path, answer.text)
                count += 1
    return count


def test_nothing_personal_is_logged_whatever_is_called(
    issued_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everything: _Everything
) -> None:
    caller = _Caller(issued_data, monkeypatch)
    serial, code = _issue(caller, tmp_path)
    _hand_over(caller, serial)
    revocation = {"action": "revoke", "reason": "fraud", "decision": DECISION, "note": MARKED_NAME}
    caller.ask("POST", f"/api/v1/credentials/{serial}/changes", json=revocation)
    caller.client.get(f"/c/{code}")
    caller.client.get(f"/c/{group_code(code)}", accept="application/json")
    caller.ask("POST", "/api/v1/verify", json={"serial": serial, "name": MARKED_NAME})
    values = {"name": MARKED_NAME, "id_number": person_row(4321)[2], "code": code, "serial": serial, "qr": code,
              "last_six": person_row(4321)[2][-6:], "claim_code": "ABCD", "other": MARKED_NAME}  # fmt: skip
    count = _ask_everything(caller, values)

    assert count > 200
    assert len(everything.access) > count
    assert [line for line in everything.access if not LINE.fullmatch(line)] == []
    # A serial is no secret, but addresses are not logged as they were called, and so no serial either.
    said = "\n".join(everything.said)
    assert [secret for secret in {*caller.secrets, serial, quote(MARKED_NAME)} if secret in said] == []
    assert any("token=" + caller.tokens["wang"].split("_")[1] in line for line in everything.access)
    assert any(" /api/v1/credentials/{serial}/claim-code 200 " in line for line in everything.access)


def test_each_answer_names_the_line_it_is_logged_under(
    data: Path, monkeypatch: pytest.MonkeyPatch, everything: _Everything
) -> None:
    caller = _Caller(data, monkeypatch)

    answers = [caller.client.get("/none"), caller.ask("GET", "/api/v1/me"), caller.ask("BREW", "/api/v1/me")]

    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 3
    assert [line.rpartition("=")[2] for line in everything.access] == ids
    assert [line.split()[:3] for line in everything.access] == [
        ["GET", "-", "404"],
        ["GET", "/api/v1/me", "200"],
        ["OTHER", everything.access[2].split()[1], "405"],
    ]


def test_a_route_without_a_template_is_a_dash() -> None:
    assert route_template({"route": object(), "path": "/c/SECRET"}) == "-"
    assert route_template({}) == "-"
