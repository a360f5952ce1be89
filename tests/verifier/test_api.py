"""The verifying API: what it takes, what it refuses, and that an answer tells nothing but the verdict."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from credential.errors import RefusedError
from service.problems import install
from tests.asgi_client import Client
from verifier.answers import MAX_CODE_CHARS, VerdictAnswer, verdict_examples
from verifier.api import MAX_FORM_BYTES, code_json, verify_routes, wants_json
from verifier.reasons import REASONS, Word
from verifier.report import MAX_DOCUMENT_BYTES
from verifier.verdict import Presented, Verdict

ADDRESS = "/api/v1/verify"
NOW = datetime(2026, 11, 22, 9, 0, 0, 5, tzinfo=UTC)


class TooOften(RefusedError):
    code = "too-many-requests"

    def __init__(self) -> None:
        super().__init__("too many", "过多")


class Desk:
    """Answers with one reason, and remembers what it was asked."""

    def __init__(self, reason: str = "no-such-credential") -> None:
        self.reason = reason
        self.asked: list[tuple[object, ...]] = []

    def _answer(self, presented: Presented, *asked: object) -> Verdict:
        self.asked.append((presented, *asked))
        return Verdict(self.reason, presented, None, (), None, (), None, NOW)

    def verify_file(self, document: bytes) -> Verdict:
        return self._answer(Presented.OTHER, document)

    def verify_qr(self, text: str) -> Verdict:
        return self._answer(Presented.QR_ONLY, text)

    def verify_code(self, code: str) -> Verdict:
        return self._answer(Presented.CODE, code)

    def verify_serial(self, serial: str, name: str) -> Verdict:
        return self._answer(Presented.SERIAL, serial, name)


def let_pass(request: Request) -> None:
    assert request.method


def refuse(request: Request) -> None:
    assert request.method
    raise TooOften


def make_app(desk: Desk, guard: Callable[[Request], None] = let_pass, serial_guard: object = let_pass) -> FastAPI:
    app = FastAPI()
    install(app)
    assert callable(serial_guard)
    app.include_router(verify_routes(desk, guard, serial_guard))

    @app.get("/c/{code}")
    def verdict(request: Request, code: str) -> Response:
        return code_json(desk, code) if wants_json(request) else Response("<html>", media_type="text/html")

    return app


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def client(desk: Desk) -> Client:
    return Client(make_app(desk))


def refused(answer: httpx.Response, status: int, code: str) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    return True


# ---- what it takes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ({"qr": "https://zs.example.gov.cn/c/X"}, (Presented.QR_ONLY, "https://zs.example.gov.cn/c/X")),
        ({"code": "7K3M-9QXA"}, (Presented.CODE, "7K3M-9QXA")),
        ({"serial": "330200", "name": "张三"}, (Presented.SERIAL, "330200", "张三")),
    ],
)
def test_each_question_reaches_its_own_way_of_verifying(
    sent: dict[str, str], asked: tuple[object, ...], desk: Desk, client: Client
) -> None:
    answer = client.post(ADDRESS, json=sent)

    assert desk.asked == [asked]
    assert VerdictAnswer.model_validate_json(answer.content).verdict is Word.UNKNOWN


def test_a_file_is_verified_byte_for_byte(desk: Desk, client: Client) -> None:
    content = bytes(range(256)) * 9_000  # beyond what a form parser keeps in memory
    client.post(ADDRESS, files={"file": ("张三.pdf", content, "application/pdf")})

    assert desk.asked == [(Presented.OTHER, content)]


def test_a_file_of_the_greatest_length_is_taken(desk: Desk, client: Client) -> None:
    assert client.post(ADDRESS, files={"file": b"a" * MAX_DOCUMENT_BYTES}).status_code == 200
    assert len(desk.asked) == 1


def test_every_reason_gives_200_but_unavailable_503(client: Client, desk: Desk) -> None:
    for reason, why in REASONS.items():
        desk.reason = reason
        answer = client.post(ADDRESS, json={"code": "X"})
        assert answer.status_code == (503 if why.word is Word.UNAVAILABLE else 200)
        assert ("retry-after" in answer.headers) is (why.word is Word.UNAVAILABLE)
        assert answer.json()["verdict"] == why.word.value
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


# ---- what it refuses --------------------------------------------------------------------------------------------

NOT_A_QUESTION = [
    b"",
    b"null",
    b"[]",
    b'"code"',
    b"{}",
    b'{"code": ""}',
    b'{"code": 1}',
    b'{"code": null}',
    b'{"code": "X", "extra": 1}',
    b'{"code": "X", "qr": "Y"}',
    b'{"serial": "1"}',
    b'{"name": "X"}',
    b'{"code": "\\ud800"}',
    b'{"code": "\xff"}',
    json.dumps({"code": "X" * (MAX_CODE_CHARS + 1)}).encode(),
    b"[" * 30_000,
    b'{"code": "X"' + b" " * 40_000 + b"}",
]


@pytest.mark.parametrize("body", NOT_A_QUESTION)
def test_what_is_no_question_is_refused_and_not_repeated(body: bytes, client: Client, desk: Desk) -> None:
    answer = client.post(ADDRESS, content=body, headers={"content-type": "application/json"})

    assert refused(answer, 422, "bad-verify-request")
    assert "XX" not in answer.text
    assert desk.asked == []


@pytest.mark.parametrize(
    "form",
    [
        {"files": {"other": b"x"}},
        {"files": [("file", b"x"), ("file", b"y")]},
        {"files": {"file": b"x"}, "data": {"name": "张三"}},
        {"files": {"file": (None, b"a text field, no file")}},
        {"content": b"", "headers": {"content-type": "multipart/form-data; boundary=a"}},
        {"content": b"--a\r\n", "headers": {"content-type": "multipart/form-data; boundary=a"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
    ],
)
def test_a_form_with_anything_but_one_file_is_refused(form: dict[str, object], client: Client, desk: Desk) -> None:
    assert refused(client.post(ADDRESS, **form), 422, "bad-verify-request")
    assert desk.asked == []


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_another_type_is_refused(kind: str, client: Client) -> None:
    assert refused(
        client.post(ADDRESS, content=b'{"code": "X"}', headers={"content-type": kind} if kind else {}),
        415,
        "unsupported-media-type",
    )


@pytest.mark.parametrize("size", [MAX_DOCUMENT_BYTES + 1, MAX_FORM_BYTES + 1])
def test_a_file_that_is_too_long_is_refused(size: int, client: Client, desk: Desk) -> None:
    assert refused(client.post(ADDRESS, files={"file": b"a" * size}), 413, "document-too-large")
    assert desk.asked == []


def test_a_body_without_a_length_is_cut_off_while_it_streams(desk: Desk) -> None:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        yield b'--a\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while sent < 10 * MAX_FORM_BYTES:
            sent += 1 << 20
            yield b"a" * (1 << 20)

    class Bytes(httpx.AsyncByteStream):
        async def __aiter__(self) -> object:  # type: ignore[override]  # an async generator is one
            for part in body():
                yield part

    app = make_app(desk)
    request = {"content": Bytes(), "headers": {"content-type": "multipart/form-data; boundary=a"}}
    assert refused(Client(app).post(ADDRESS, **request), 413, "document-too-large")
    assert sent <= MAX_FORM_BYTES + (2 << 20)
    assert desk.asked == []


def test_one_request_too_many_is_not_looked_at(desk: Desk) -> None:
    answer = Client(make_app(desk, guard=refuse)).post(ADDRESS, json={"code": "X"})

    assert refused(answer, 429, "too-many-requests")
    assert desk.asked == []


def test_who_asks_by_serial_has_a_limit_of_their_own(desk: Desk) -> None:
    client = Client(make_app(desk, serial_guard=refuse))

    assert refused(client.post(ADDRESS, json={"serial": "1", "name": "张三"}), 429, "too-many-requests")
    assert client.post(ADDRESS, json={"code": "X"}).status_code == 200
    assert desk.asked == [(Presented.CODE, "X")]


# ---- pages or JSON ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json", True),
        ("APPLICATION/JSON", True),
        ("application/json, text/html;q=0.9", True),
        ("application/json;q=0.5, text/html", False),
        ("application/json;q=0", False),
        ("application/json;q=0, */*", False),
        ("text/html;q=0, */*", True),
        ("application/*", True),
        ("application/*;q=0.4, text/*;q=0.6", False),
        ("text/html;q=0.3, application/json;q=nonsense", False),
        ("application/json;q=0.3;q=1, text/html;q=0.2", True),
        (";;;,,,q=1", False),
    ],
)
def test_a_code_is_answered_in_json_only_to_who_would_rather_have_it(
    accept: str,
    is_json: bool,  # noqa: FBT001 - a column of the table above
    client: Client,
) -> None:
    answer = client.get("/c/7K3M", **({"accept": accept} if accept else {}))

    assert answer.headers["content-type"].startswith("application/json" if is_json else "text/html")


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=80))
def test_no_accept_header_is_a_fault(accept: str) -> None:
    scope = {"type": "http", "headers": [(b"accept", accept.encode("latin-1"))]}

    assert wants_json(Request(scope)) in {True, False}


def test_the_json_of_a_code_is_that_of_the_api_and_is_never_kept(client: Client, desk: Desk) -> None:
    by_path = client.get("/c/7K3M", accept="application/json")
    posted = client.post(ADDRESS, json={"code": "7K3M"})

    assert by_path.content == posted.content
    assert by_path.headers["cache-control"] == "no-store"
    assert by_path.headers["vary"] == "Accept"
    assert desk.asked[0] == desk.asked[1]


# ---- what is described ------------------------------------------------------------------------------------------


def test_there_is_an_example_of_every_verdict_and_each_is_an_answer(client: Client) -> None:
    described = client.get("/openapi.json").json()["paths"][ADDRESS]["post"]
    shown = {
        name: example["value"]
        for status in ("200", "503")
        for name, example in described["responses"][status]["content"]["application/json"]["examples"].items()
    }

    assert set(shown) == {word.value for word in Word} == set(verdict_examples())
    for name, example in shown.items():
        assert VerdictAnswer.model_validate(example).verdict.value == name


def test_the_description_names_both_ways_to_ask(client: Client) -> None:
    described = client.get("/openapi.json").json()["paths"][ADDRESS]["post"]["requestBody"]["content"]

    assert set(described) == {"application/json", "multipart/form-data"}
    required = [sorted(one["required"]) for one in described["application/json"]["schema"]["anyOf"]]
    assert required == [["qr"], ["code"], ["name", "serial"]]
