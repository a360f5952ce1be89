"""Single certificates over HTTP: one record is one batch, found again by an exact value only."""

import base64
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from service import batches
from templates import sample_folder
from tests.service.api.conftest import Api
from tests.service.api.test_batches import assert_problem
from tests.service.at_hand import HEADINGS, person_row, write_sheet

KEYS = (
    "name", "sex", "id_number", "series", "specialty", "title", "level", "committee", "approval_document",
    "qualified_on", "obtain_mode", "employer",
)  # fmt: skip
NO_SUCH = "33020020260000000000"


def record(number: int, **changed: str) -> dict[str, str]:
    return dict(zip(KEYS, person_row(number), strict=True)) | changed


def test_one_record_becomes_a_certificate_that_another_person_approved(api: Api) -> None:
    submitted = api.post("/credentials", json={"record": record(5)})
    batch = submitted.json()

    assert (submitted.status_code, batch["rows"], batch["state"]) == (201, 1, "submitted")
    assert_problem(api.approve(batch, "wang"), 403, "same-person")
    assert api.approve(batch).status_code == 202
    batches.run(api.house, batch["id"], lambda _: None)
    row = api.get(f"/batches/{batch['id']}/rows").json()["items"][0]
    credential = api.get(f"/credentials/{row['serial']}").json()
    assert credential["holder"] == {"name": person_row(5)[0], "id_type": "111", "id_number": "33" + "*" * 16}
    assert (credential["state"], credential["state_zh"], credential["version"]) == ("01", "有效", 1)
    assert credential["fields"]["title"] == "农艺师"


def test_a_record_says_the_same_as_a_row_of_a_sheet(api: Api, tmp_path: Path) -> None:
    assert len(KEYS) == len(HEADINGS)
    one = api.post("/credentials", json={"record": record(5)}).json()
    sheet = api.submit(write_sheet(tmp_path / "s.csv", [person_row(5)])).json()

    assert (sheet["id"], sheet["is_new"]) == (one["id"], False)


def test_a_record_with_errors_is_refused_with_each_of_them(api: Api) -> None:
    sent = record(5, name="", qualified_on="2026-02-30")

    body = assert_problem(api.post("/credentials", json={"record": sent}), 422, "record-refused")

    errors = {one["code"] for one in body["problems"] if one["outcome"] == "error"}
    assert errors >= {"date-does-not-exist"}
    assert len(errors) == 2
    assert api.get("/batches").json()["items"] == []


@pytest.mark.parametrize("key", ["speciality", "issuer", "sequence", "serial"])
def test_a_field_that_the_template_has_not_is_refused(api: Api, key: str) -> None:
    assert_problem(api.post("/credentials", json={"record": record(5) | {key: "x"}}), 422, "unknown-field")


@pytest.mark.parametrize("name", ["a\nb,c", '"', "=1+1", "a\x00b", "\ud800", "𠮷" * 80, "?"])
def test_no_value_breaks_out_of_its_field(api: Api, name: str) -> None:
    answer = api.client.ask(
        "POST",
        "/api/v1/credentials",
        headers=api.headers("wang") | {"Content-Type": "application/json"},
        content=json.dumps({"record": record(5, name=name)}).encode(),
    )

    assert answer.status_code == 422, answer.text


def _portrait() -> bytes:
    with zipfile.ZipFile(next(sample_folder().glob("*.zip"))) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".jpg")))


def test_a_photo_comes_along_in_base64(api: Api) -> None:
    photo = base64.b64encode(_portrait()).decode()

    batch = api.post("/credentials", json={"record": record(5), "photo": photo}).json()

    assert api.get(f"/batches/{batch['id']}/rows").json()["items"][0]["has_photo"] is True


@pytest.mark.parametrize(
    ("photo", "code"),
    [("abc", "photo-not-base64"), ("====", "photo-not-base64"), ("!!", "invalid-request"), ("AAAA", "record-refused")],
)
def test_a_photo_that_is_none_is_refused(api: Api, photo: str, code: str) -> None:
    assert_problem(api.post("/credentials", json={"record": record(5), "photo": photo}), 422, code)


@pytest.mark.parametrize("number", ["../../x", "a/b", "..", "x" * 4000])
def test_a_number_names_no_file(api: Api, number: str) -> None:
    photo = base64.b64encode(_portrait()).decode()

    assert_problem(
        api.post("/credentials", json={"record": record(5, id_number=number), "photo": photo}), 422, "record-refused"
    )


@pytest.fixture
def done(api: Api, sheet: Path) -> list[dict[str, Any]]:
    """The rows of a batch that was issued."""
    batch = api.issue(sheet)
    rows: list[dict[str, Any]] = api.get(f"/batches/{batch['id']}/rows").json()["items"]
    return rows


def test_a_certificate_is_found_by_an_exact_value(api: Api, done: list[dict[str, Any]]) -> None:
    wanted = done[1]
    for sent in (
        {"serial": wanted["serial"]},
        {"name": wanted["name"]},
        {"id_number": wanted["id_number"]},
        {"id_number": wanted["id_number"].lower(), "id_type": "111"},
    ):
        found = api.post("/search", json=sent).json()
        assert [one["serial"] for one in found["items"]] == [wanted["serial"]], sent
        assert found["is_complete"] is True


def test_nothing_is_found_by_a_part(api: Api, done: list[dict[str, Any]]) -> None:
    for sent in (
        {"serial": done[0]["serial"][:-1]},
        {"name": done[0]["name"][:1]},
        {"id_number": done[0]["id_number"][:-1]},
        {"id_number": done[0]["id_number"], "id_type": "414"},
        {"name": "%"},
    ):
        assert api.post("/search", json=sent).json()["items"] == [], sent


@pytest.mark.parametrize("sent", [{}, {"serial": "1", "name": "张三"}, {"name": "张三", "id_number": "1"}])
def test_a_search_names_one_value(api: Api, sent: dict[str, str]) -> None:
    assert_problem(api.post("/search", json=sent), 422, "search-by-one")


def test_the_history_tells_who_did_what(api: Api, done: list[dict[str, Any]]) -> None:
    entries = api.get(f"/credentials/{done[0]['serial']}/history").json()["items"]

    assert [(one["kind"], one["maker"], one["checker"]) for one in entries][:2] == [
        ("batch-submitted", "wang", None),
        ("batch-approved", "wang", "li"),
    ]
    assert [one["sequence"] for one in entries] == sorted(one["sequence"] for one in entries)


@pytest.mark.parametrize("path", [f"/credentials/{NO_SUCH}", f"/credentials/{NO_SUCH}/history"])
def test_a_serial_that_nobody_has_is_not_there(api: Api, path: str) -> None:
    assert_problem(api.get(path), 404, "unknown-serial")


def test_codes_of_a_batch_are_new_each_time_and_the_old_ones_end(api: Api, done: list[dict[str, Any]]) -> None:
    batch = api.get(f"/credentials/{done[0]['serial']}").json()["batch"]

    first = api.post(f"/batches/{batch}/hand-over").json()["items"]
    second = api.post(f"/batches/{batch}/hand-over").json()["items"]
    alone = api.post(f"/credentials/{done[0]['serial']}/claim-code")

    assert [one["serial"] for one in first] == [row["serial"] for row in done]
    codes = {one["code"] for one in (*first, *second, alone.json())}
    assert len(codes) == 2 * len(done) + 1
    assert alone.headers["cache-control"] == "no-store"
    assert [one["name"] for one in first] == [f"{row['name'][0]}**" for row in done]


def test_no_code_is_made_for_what_is_not_issued(api: Api, sheet: Path) -> None:
    batch = api.submit(sheet).json()

    assert_problem(api.post(f"/batches/{batch['id']}/hand-over"), 409, "nothing-to-hand-over")
