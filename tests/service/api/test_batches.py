"""Batches over HTTP: checked, submitted, approved by another, issued, cancelled; hostile uploads refused."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook  # type: ignore[import-untyped] # it has no types

from service import batches
from service.house import House
from tests.service.api.conftest import Api
from tests.service.at_hand import person_row, write_sheet

UPLOADS = "/batches", "/checks", "/checks/annotated"


def files(content: bytes, name: str = "sheet.csv") -> dict[str, Any]:
    return {"sheet": (name, content)}


#: Only who makes tokens is sent there.
OF_THE_COMMAND_LINE = re.compile(r"--[a-z]|yinzheng (?!token create)")


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["detail"] == body["en"] != body["zh"]
    assert not OF_THE_COMMAND_LINE.search(body["en"] + body["zh"]), "this reader has no command line"
    return body


def test_a_checked_sheet_is_reported_by_row_and_column_and_stored_nowhere(api: Api, tmp_path: Path) -> None:
    rows = [person_row(1), person_row(2)]
    rows[1][2] = rows[1][2][:-1] + ("0" if rows[1][2][-1] != "0" else "1")
    sheet = write_sheet(tmp_path / "s.csv", rows)

    answer = api.post("/checks", files=files(sheet.read_bytes()))

    report = answer.json()
    assert answer.status_code == 200
    assert (report["rows"], report["accepted"], report["shape"]) == (2, 1, "review")
    errors = [one for one in report["problems"] if one["outcome"] == "error"]
    assert [(one["row"], one["column"], one["code"]) for one in errors] == [(3, "C", "id-number-check-digit")]
    assert api.get("/batches").json()["items"] == []


def test_a_report_is_cut_where_asked_and_says_how_many_there_are(api: Api, tmp_path: Path) -> None:
    rows = [person_row(number) for number in range(5)]
    for row in rows:
        row[0] = ""
    sheet = write_sheet(tmp_path / "s.csv", rows)

    report = api.post("/checks?most=2", files=files(sheet.read_bytes())).json()

    assert len(report["problems"]) == 2
    assert report["problem_count"] >= 5


def test_the_annotated_sheet_is_a_workbook_that_says_what_is_wrong(api: Api, tmp_path: Path) -> None:
    rows = [person_row(1), person_row(2)]
    rows[1][0] = ""
    sheet = write_sheet(tmp_path / "s.csv", rows)

    answer = api.post("/checks/annotated", files=files(sheet.read_bytes()))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    book = load_workbook(io.BytesIO(answer.content))
    words = [str(cell.value) for page in book for line in page.iter_rows() for cell in line if cell.value]
    assert any("姓名" in word for word in words)


def test_a_batch_goes_from_sheet_to_certificates(api: Api, sheet: Path) -> None:
    submitted = api.submit(sheet)
    batch = submitted.json()
    assert submitted.status_code == 201
    assert submitted.headers["location"] == f"/api/v1/batches/{batch['id']}"
    assert (batch["state"], batch["rows"], batch["maker"], batch["checker"]) == ("submitted", 3, "wang", None)

    approved = api.approve(batch)
    assert approved.status_code == 202
    assert (approved.json()["state"], approved.json()["checker"]) == ("approved", "li")
    assert api.runner.woken == [batch["id"]]

    batches.run(api.house, batch["id"], lambda _: None)
    done = api.get(f"/batches/{batch['id']}").json()
    assert (done["to_issue"], done["issued"], done["is_finished"], done["trouble"]) == (3, 3, True, None)
    rows = api.get(f"/batches/{batch['id']}/rows", "li").json()["items"]
    assert [row["name"] for row in rows] == [person_row(number)[0] for number in range(3)]
    for row in rows:
        assert api.get(f"/credentials/{row['serial']}").json()["digest"]


def test_the_same_sheet_again_is_the_same_batch(api: Api, sheet: Path) -> None:
    first, second = api.submit(sheet), api.submit(sheet)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert (first.json()["is_new"], second.json()["is_new"]) == (True, False)


def test_whoever_submitted_cannot_approve(api: Api, sheet: Path) -> None:
    batch = api.submit(sheet).json()

    assert_problem(api.approve(batch, "wang"), 403, "same-person")
    assert api.get(f"/batches/{batch['id']}").json()["state"] == "submitted"
    assert api.runner.woken == []


@pytest.mark.parametrize("sent", [{}, {"digest": ""}, {"digest": "0" * 8}, {"digest": "x" * 16}, {"digest": None}])
def test_an_approval_names_the_digest_it_was_shown(api: Api, sheet: Path, sent: dict[str, Any]) -> None:
    batch = api.submit(sheet).json()

    body = assert_problem(api.post(f"/batches/{batch['id']}/approve", "li", json=sent), 422, "invalid-request")

    assert body["errors"][0]["field"] == "digest"


def test_an_approval_of_another_digest_is_refused(api: Api, sheet: Path) -> None:
    batch = api.submit(sheet).json()
    other = "".join("0" if char != "0" else "1" for char in batch["digest"])

    assert_problem(api.approve(batch | {"digest": other}), 409, "digest-differs")


def test_batches_and_rows_come_page_by_page(api: Api, tmp_path: Path) -> None:
    ids = []
    for number in range(5):
        people = [person_row(10 * number + at) for at in range(3)]
        ids.append(api.submit(write_sheet(tmp_path / f"{number}.csv", people)).json()["id"])

    seen: list[int] = []
    before: int | None = 0
    while before is not None:
        page = api.get(f"/batches?limit=2&before={before}").json()
        seen += [one["id"] for one in page["items"]]
        before = page["next_before"]
    rows: list[int] = []
    after: int | None = 0
    while after is not None:
        page = api.get(f"/batches/{ids[0]}/rows?limit=2&after={after}").json()
        rows += [one["row"] for one in page["items"]]
        after = page["next_after"]

    assert seen == sorted(ids, reverse=True)
    assert rows == [2, 3, 4]


def test_rows_without_a_certificate_are_listed_with_the_reason(api: Api, sheet: Path, tmp_path: Path) -> None:
    api.issue(sheet)
    again = write_sheet(tmp_path / "again.csv", [person_row(0), person_row(7)])
    batch = api.issue(again)

    page = api.get(f"/batches/{batch['id']}/problems").json()

    assert (batch["issued"], batch["refused"]) == (1, 1)
    assert [one["row"] for one in page["items"] if one["code"] == "already-issued"] == [2]


def test_a_resting_batch_says_why_and_goes_on_when_asked(api: Api, sheet: Path) -> None:
    batch = api.submit(sheet).json()
    assert_problem(api.post(f"/batches/{batch['id']}/resume", "li"), 409, "not-approved")
    api.approve(batch)
    api.runner.troubles[batch["id"]] = batches.NothingToIssue("sheet.csv")

    resting = api.get(f"/batches/{batch['id']}").json()
    resumed = api.post(f"/batches/{batch['id']}/resume", "li")

    assert resting["trouble"]["code"] == "nothing-to-issue"
    assert resting["trouble"]["type"] == "urn:yinzheng:problem:nothing-to-issue"
    assert (resumed.status_code, resumed.json()["trouble"]) == (202, None)
    assert api.runner.woken == [batch["id"], batch["id"]]


def test_a_cancelled_batch_can_no_longer_be_approved(api: Api, sheet: Path) -> None:
    batch = api.submit(sheet).json()

    cancelled = api.post(f"/batches/{batch['id']}/cancel", json={"reason": "名单有误"})

    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert_problem(api.approve(batch), 409, "batch-state")
    assert_problem(api.post(f"/batches/{batch['id']}/cancel", json={"reason": "x"}), 409, "batch-state")


@pytest.mark.parametrize("reason", ["", "   ", "a\x00b", "x" * 500, 7, None])
def test_a_reason_is_a_line_of_text(api: Api, sheet: Path, reason: object) -> None:
    batch = api.submit(sheet).json()

    assert_problem(api.post(f"/batches/{batch['id']}/cancel", json={"reason": reason}), 422, "invalid-request")


# ---- hostile uploads --------------------------------------------------------------------------------------------


def _bomb() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 60_000_000)
    return whole.getvalue()


HOSTILE = {
    "empty": b"",
    "noise": bytes(range(256)) * 40,
    "broken zip": b"PK\x03\x04 not really",
    "zip of zeros": _bomb(),
    "program": b"\x7fELF" + bytes(100),
    "old workbook": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "text without header": "一,二,三\n1,2,3\n".encode(),
    "half a character": "姓名,身份证号\n".encode()[:-2],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("path", UPLOADS)
def test_a_hostile_sheet_is_refused_with_a_sentence(api: Api, path: str, content: bytes) -> None:
    answer = api.post(path, files=files(content, "sheet.xlsx"))

    assert answer.status_code in {413, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.get("/batches").json()["items"] == []


@pytest.mark.parametrize(
    "name", ["../../outside.csv", "/etc/cron.d/x.csv", "a\\b.csv", "con", "x" * 300 + ".csv", "..", "名单.csv"]
)
def test_the_name_of_a_sheet_leads_nowhere(api: Api, sheet: Path, name: str, tmp_path: Path) -> None:
    answer = api.post("/checks", files=files(sheet.read_bytes(), name))

    assert answer.status_code == 200, answer.text
    assert not list(tmp_path.parent.rglob("outside.csv"))
    assert name not in answer.text


def test_uploads_leave_nothing_behind(api: Api, sheet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    api.post("/checks", files=files(sheet.read_bytes()))
    api.post("/checks", files=files(b"PK\x03\x04", "x.xlsx"))
    api.post("/checks/annotated", files=files(sheet.read_bytes()))
    api.submit(sheet, key="once")
    api.submit(sheet, key="once")

    assert list(folder.iterdir()) == []


def test_an_archive_that_is_none_is_refused(api: Api, sheet: Path) -> None:
    sent = files(sheet.read_bytes()) | {"photos": ("p.zip", b"not a zip")}

    assert_problem(api.post("/batches", files=sent), 422, "bad-photo-archive")


@pytest.mark.parametrize("template", ["../..", "no-such", "x" * 70, "A b"])
def test_a_template_is_one_of_those_there_are(api: Api, sheet: Path, template: str) -> None:
    answer = api.post("/checks", files=files(sheet.read_bytes()), data={"template": template})

    assert answer.status_code in {404, 422}
    assert answer.json()["code"] in {"unknown-template", "invalid-request"}


def test_a_form_without_a_sheet_names_it(api: Api) -> None:
    body = assert_problem(api.post("/batches", data={"template": ""}), 422, "invalid-request")

    assert [(one["in"], one["field"]) for one in body["errors"]] == [("body", "sheet")]


def test_the_problems_of_a_batch_are_read_without_a_press_or_a_key(
    api: Api, sheet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = api.submit(sheet).json()

    def opened(*_: object) -> None:
        pytest.fail("the press was opened, and with it a signing key")

    monkeypatch.setattr(House, "press", opened)

    answer = api.get(f"/batches/{batch['id']}/problems")
    assert {one["row"] for one in answer.json()["items"]} == {0, 2, 3, 4}
