"""The same request with the same key is done once, whatever happens on the way."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from credential.errors import UnavailableError
from service import batches, idempotency
from service.house import House
from service.idempotency import KEPT, LEASE
from tests.service.api.conftest import Api
from tests.service.api.test_batches import assert_problem
from tests.service.api.test_credentials import record
from tests.service.at_hand import StoppedClock, person_row, write_sheet


def _stored(house: House) -> list[Any]:
    with house.database.reading() as session:
        rows = session.connection().execute(text("SELECT key, status, body FROM idempotent_request"))
        return [tuple(row) for row in rows]


def test_the_same_request_again_gets_the_first_answer(api: Api, sheet: Path) -> None:
    first = api.submit(sheet, key="k1")
    second = api.submit(sheet, key="k1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(api.get("/batches").json()["items"]) == 1


KIND = "Multipart/Form-Data"  # names of types have no case (RFC 9110, 8.3.1)


def test_a_form_is_the_same_request_whatever_its_boundary(api: Api, sheet: Path) -> None:
    name, content = "名单.csv", sheet.read_bytes()
    for boundary, kind in [("first", "multipart/form-data"), ("second", "multipart/form-data"), ("third", KIND)]:
        body = (
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="sheet"; filename="{name}"\r\n'
                "Content-Type: text/csv\r\n\r\n"
            ).encode()
            + content
            + f"\r\n--{boundary}--\r\n".encode()
        )
        headers = api.headers("wang") | {
            "Content-Type": f"{kind}; boundary={boundary}", "Idempotency-Key": "k1",
        }  # fmt: skip
        answer = api.client.ask("POST", "/api/v1/batches", headers=headers, content=body)
        assert answer.status_code == 201, answer.text
        assert ("idempotent-replayed" in answer.headers) is (boundary != "first")


def test_the_key_may_stand_in_quotation_marks(api: Api, sheet: Path) -> None:
    api.submit(sheet, key='"k1"')

    assert api.submit(sheet, key="k1").headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("other", ["sheet", "path", "field"])
def test_a_key_belongs_to_one_request(api: Api, sheet: Path, tmp_path: Path, other: str) -> None:
    api.submit(sheet, key="k1")

    if other == "sheet":
        answer = api.submit(write_sheet(tmp_path / "o.csv", [person_row(8)]), key="k1")
    elif other == "path":
        answer = api.post("/credentials", json={"record": record(1)}, key="k1")
    else:
        sent = {"sheet": (sheet.name, sheet.read_bytes())}
        answer = api.post("/batches", files=sent, data={"template": "professional-title"}, key="k1")

    assert_problem(answer, 422, "key-used-otherwise")


def test_keys_of_two_tokens_have_nothing_to_do_with_each_other(api: Api, sheet: Path) -> None:
    api.submit(sheet, key="k1")

    answer = api.submit(sheet, "zhao", key="k1")

    assert answer.status_code == 201
    assert "idempotent-replayed" not in answer.headers


@pytest.mark.parametrize("key", ["a b", "x" * 201, '""', "\t", "\u00e9"])
def test_a_key_is_visible_ascii(api: Api, sheet: Path, key: str) -> None:
    headers = {name.encode(): value.encode() for name, value in api.headers("wang").items()}
    headers |= {b"Idempotency-Key": key.encode("latin-1")}
    sent = {"sheet": (sheet.name, sheet.read_bytes())}

    answer = api.client.ask("POST", "/api/v1/batches", headers=headers, files=sent)

    assert_problem(answer, 400, "bad-idempotency-key")
    assert _stored(api.house) == []


def test_a_refused_request_frees_its_key(api: Api, sheet: Path) -> None:
    batch = api.submit(sheet).json()
    assert_problem(api.approve(batch | {"digest": "0" * 16}, key="k1"), 409, "digest-differs")

    assert _stored(api.house) == []
    assert api.approve(batch, key="k1").status_code == 202


def test_a_request_that_fails_frees_its_key(api: Api, sheet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise UnavailableError("gone", "无")

    with monkeypatch.context() as patched:
        patched.setattr(batches, "submit", fail)
        assert api.submit(sheet, key="k1").status_code == 503

    assert _stored(api.house) == []
    assert api.submit(sheet, key="k1").status_code == 201


def test_while_the_first_runs_the_second_is_told_to_wait(
    api: Api, sheet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on, answers = threading.Event(), threading.Event(), []
    submit = batches.submit

    def slow(*arguments: Any, **named: Any) -> Any:
        started.set()
        assert go_on.wait(30)
        return submit(*arguments, **named)

    api.headers("wang")
    monkeypatch.setattr(batches, "submit", slow)
    first = threading.Thread(target=lambda: answers.append(api.submit(sheet, key="k1")))
    first.start()
    assert started.wait(30)

    second = api.submit(sheet, key="k1")
    go_on.set()
    first.join()

    assert_problem(second, 409, "request-runs")
    assert second.headers["retry-after"]
    assert answers[0].status_code == 201
    assert api.submit(sheet, key="k1").headers["idempotent-replayed"] == "true"


def _leave_running(api: Api, sheet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the row that a killed process leaves: taken, and never answered."""
    with monkeypatch.context() as killed:
        killed.setattr(idempotency.Keeper, "_release", lambda _self, _asked: None)
        killed.setattr(idempotency.Keeper, "_finish", lambda _self, _asked, _answer: None)
        assert api.submit(sheet, key="k1").status_code == 201


def test_what_a_killed_process_left_is_taken_over(api: Api, sheet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _leave_running(api, sheet, monkeypatch)
    assert_problem(api.submit(sheet, key="k1"), 409, "request-runs")

    api.house.clock = StoppedClock(LEASE + timedelta(seconds=5))
    taken = api.submit(sheet, key="k1")

    assert (taken.status_code, taken.json()["is_new"]) == (200, False)
    assert api.submit(sheet, key="k1").headers["idempotent-replayed"] == "true"
    assert len(api.get("/batches").json()["items"]) == 1


def test_an_answer_is_forgotten_after_a_day(api: Api, sheet: Path, tmp_path: Path) -> None:
    api.submit(sheet, key="k1")
    api.headers("wang", "submit")
    api.house.clock = StoppedClock(KEPT - timedelta(hours=1))
    api.submit(write_sheet(tmp_path / "o.csv", [person_row(8)]), key="k2")
    assert {one[0] for one in _stored(api.house)} == {"k1", "k2"}

    api.house.clock = StoppedClock(KEPT - timedelta(minutes=1))
    assert api.submit(sheet, key="k1").headers["idempotent-replayed"] == "true"


def test_codes_are_shown_once_and_never_kept(api: Api, sheet: Path) -> None:
    batch = api.issue(sheet)

    first = api.post(f"/batches/{batch['id']}/hand-over", key="k1")
    second = api.post(f"/batches/{batch['id']}/hand-over", key="k1")
    third = api.post(f"/batches/{batch['id']}/hand-over", key="k2")

    codes = {one["code"] for one in first.json()["items"]}
    assert_problem(second, 409, "answer-shown-once")
    assert codes.isdisjoint({one["code"] for one in third.json()["items"]})
    assert [(key, status, body) for key, status, body in _stored(api.house)] == [("k1", 200, None), ("k2", 200, None)]


def test_what_only_looks_keeps_nothing(api: Api, sheet: Path) -> None:
    sent = {"sheet": (sheet.name, sheet.read_bytes())}
    assert api.post("/checks", files=sent, key="k1").status_code == 200
    assert api.post("/search", json={"name": "张三"}, key="k1").status_code == 200

    assert _stored(api.house) == []


def test_no_kept_answer_holds_anything_personal(api: Api, sheet: Path) -> None:
    batch = api.submit(sheet, key="k1").json()
    api.approve(batch, key="k2")
    api.post(f"/batches/{batch['id']}/resume", "li", key="k3")
    api.post("/credentials", json={"record": record(9)}, key="k4")
    api.post(f"/batches/{batch['id']}/cancel", json={"reason": "张三的材料有误"}, key="k5")

    bodies = [bytes(body) for _, _, body in _stored(api.house)]

    assert len(bodies) == 5
    personal = [person_row(number)[at] for number in (0, 1, 2, 9) for at in (0, 2)]
    for body in bodies:
        assert not any(value.encode() in body for value in (*personal, "材料"))
