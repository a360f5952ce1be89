"""Claim and download over HTTP: the exact bytes, whole or in parts, and nothing told to who guesses."""

import hashlib
from base64 import b64encode
from email import message_from_bytes
from email.message import Message
from itertools import pairwise

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st

from holder.api import claim_routes, give_file
from holder.claim_codes import Download
from service.problems import install
from tests.asgi_client import Client
from tests.holder.conftest import Counter
from tests.holder.test_claim_codes import NO_SERIAL, wrong_code

CLAIMS = "/api/v1/claims"
CONTENT = bytes(range(256)) * 5
FILE = Download("33020020260130000018", CONTENT)


def let_pass(request: Request) -> None:
    assert request.method


@pytest.fixture
def client(counter: Counter) -> Client:
    app = FastAPI()
    install(app)
    app.include_router(claim_routes(counter.desk, let_pass))
    return Client(app)


def file_client() -> Client:
    app = FastAPI()
    install(app)
    app.api_route("/file", methods=["GET", "HEAD"], response_model=None)(_file)
    return Client(app)


def _file(request: Request) -> object:
    return give_file(request, FILE)


FILES = file_client()


def sha256_field(content: bytes) -> str:
    return f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:"


def parts_of(answer: httpx.Response) -> list[Message]:
    """Take multipart/byteranges apart with the standard library's mail parser."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + answer.content)
    assert message.is_multipart()
    return [part for part in message.get_payload() if isinstance(part, Message)]


# ---- claim ------------------------------------------------------------------------------------------------------


def test_serial_and_code_give_the_exact_signed_file(counter: Counter, client: Client) -> None:
    serial, made = counter.serials[0], counter.make()[0]
    claimed = client.post(CLAIMS, json={"serial": f" {serial} ", "claim_code": made.code.lower()})
    answer = client.get(claimed.json()["download"])
    stored = counter.house.documents.fetch_pdf(serial)

    assert claimed.status_code == answer.status_code == 200
    assert claimed.json()["file_name"] == f"{serial}.pdf"
    assert answer.content == stored
    assert answer.headers["etag"] == f'"{hashlib.sha256(stored).hexdigest()}"'
    assert answer.headers["content-digest"] == answer.headers["repr-digest"] == sha256_field(stored)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="{serial}.pdf"'
    for one in (claimed, answer):
        assert one.headers["cache-control"] == "private, no-store"
        assert one.headers["referrer-policy"] == "no-referrer"


def test_wrong_serial_and_wrong_code_cannot_be_told_apart(counter: Counter, client: Client) -> None:
    first, second = counter.make()
    serial = counter.serials[0]
    tries = [
        (NO_SERIAL, first.code),
        (serial, wrong_code()),
        (serial, second.code),
        ("1", first.code),
        ("../../etc/passwd", first.code),
        ("\x00", first.code),
        ("证书", first.code),
    ]
    answers = [client.post(CLAIMS, json={"serial": one, "claim_code": code}) for one, code in tries]

    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
    assert len({str(sorted(answer.headers.items())) for answer in answers}) == 1
    assert counter.pace.left == len(tries)
    for said in (serial, first.code, second.code):
        assert said not in answers[0].text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"serial": "1"},
        {"serial": "1", "claim_code": ""},
        {"serial": "", "claim_code": "X"},
        {"serial": 1, "claim_code": "X"},
        {"serial": "1", "claim_code": "X" * 65},
        {"serial": "1", "claim_code": "7K3M-9QXA-4TZ2", "more": 1},
        {"serial": "1", "claim_code": "not a code"},
    ],
)
def test_what_is_no_claim_costs_no_try_and_is_not_repeated(
    body: dict[str, object], counter: Counter, client: Client
) -> None:
    answer = client.post(CLAIMS, json=body)

    assert answer.status_code == 422
    assert counter.pace.entered == 0
    assert "XXX" not in answer.text
    assert "not a code" not in answer.text


def test_what_is_printed_on_a_certificate_opens_nothing(counter: Counter, client: Client) -> None:
    counter.make()
    serial = counter.serials[0]
    registered = counter.house.source.by_serial(serial)[0]
    document = counter.house.documents.fetch_pdf(serial)
    code = document.partition(b"/c/")[2][:16].decode()
    assert registered.issued
    for opened in (serial, code, code + "0" * 27, hashlib.sha256(document).hexdigest()):
        assert client.get(f"/api/v1/downloads/{opened}").status_code == 404
        assert client.post(CLAIMS, json={"serial": serial, "claim_code": opened}).status_code in {403, 422}


@pytest.mark.parametrize("grant", ["x", "A" * 43, "..%2f..", "%00", "é"])
def test_an_unknown_download_is_not_found(grant: str, client: Client) -> None:
    answer = client.get(f"/api/v1/downloads/{grant}")

    assert answer.status_code == 404
    assert answer.json()["code"] in {"unknown-download", "not-found"}


# ---- download: RFC 9110 -----------------------------------------------------------------------------------------


def test_head_says_what_get_gives_without_the_bytes() -> None:
    whole, head = FILES.get("/file"), FILES.ask("HEAD", "/file", headers={"range": "bytes=0-4"})

    assert head.content == b""
    assert head.status_code == 200
    assert dict(head.headers) == dict(whole.headers)


def test_an_unchanged_file_is_not_sent_again() -> None:
    etag = FILES.get("/file").headers["etag"]
    answer = FILES.get("/file", if_none_match=f'"other", {etag}', range="bytes=0-4")

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag
    assert FILES.get("/file", if_none_match='"other"').status_code == 200


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("0-0", 0, 1), ("10-19", 10, 20), ("1279-", 1279, 1280), ("-5", 1275, 1280)]
)
def test_one_part_is_sent_as_it_is(asked: str, start: int, end: int) -> None:
    answer = FILES.get("/file", range=f"bytes={asked}")

    assert (answer.status_code, answer.content) == (206, CONTENT[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/1280"
    assert answer.headers["content-digest"] == sha256_field(CONTENT[start:end])
    assert answer.headers["repr-digest"] == sha256_field(CONTENT)


def test_a_part_behind_the_end_is_refused_with_the_length() -> None:
    answer = FILES.get("/file", range="bytes=1280-")

    assert (answer.status_code, answer.json()["code"]) == (416, "range-outside")
    assert answer.headers["content-range"] == "bytes */1280"


def test_a_part_of_an_older_version_gives_the_whole_new_one() -> None:
    etag = FILES.get("/file").headers["etag"]

    assert FILES.get("/file", range="bytes=0-4", if_range=etag).status_code == 206
    for older in ('"older"', f"W/{etag}", "Sat, 01 Jan 2050 00:00:00 GMT"):
        answer = FILES.get("/file", range="bytes=0-4", if_range=older)
        assert (answer.status_code, answer.content) == (200, CONTENT)


def test_several_parts_come_as_one_message_that_others_can_read() -> None:
    answer = FILES.get("/file", range="bytes=900-999, 0-9, -10")
    parts = parts_of(answer)

    assert answer.status_code == 206
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-digest"] == sha256_field(answer.content)
    assert [part["Content-Range"] for part in parts] == ["bytes 900-999/1280", "bytes 0-9/1280", "bytes 1270-1279/1280"]
    assert all(part.get_content_type() == "application/pdf" for part in parts)


@given(st.lists(st.integers(1, len(CONTENT) - 1), max_size=6, unique=True))
def test_ranges_put_together_are_the_file(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(CONTENT)]
    found = b""
    for start, end in pairwise(places):
        found += FILES.get("/file", range=f"bytes={start}-{end - 1}").content

    assert found == CONTENT


@given(st.lists(st.tuples(st.integers(0, 639), st.integers(0, 300)), min_size=2, max_size=6))
def test_parts_of_one_message_put_together_are_what_was_asked_for(pairs: list[tuple[int, int]]) -> None:
    asked = [(2 * start, min(2 * start + length, len(CONTENT) - 1)) for start, length in pairs]
    answer = FILES.get("/file", range="bytes=" + ",".join(f"{first}-{last}" for first, last in asked))
    found: dict[int, int] = {}
    if answer.headers["content-type"] == "application/pdf":
        first = int(answer.headers["content-range"].split()[1].split("-")[0])
        found = dict(enumerate(answer.content, first))
    else:
        boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
        for part in answer.content.split(b"--" + boundary)[1:-1]:
            head, _, body = part.partition(b"\r\n\r\n")
            first = int(head.partition(b"bytes ")[2].split(b"-")[0])
            found |= dict(enumerate(body[:-2], first))

    assert found == {place: CONTENT[place] for first, last in asked for place in range(first, last + 1)}
