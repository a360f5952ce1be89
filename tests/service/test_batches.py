"""Batches from the command line: what is submitted, exported, listed and told as JSON."""

import csv
import json
from pathlib import Path

from tests.service.at_hand import person_row, run, write_sheet

STATUS = [
    "id", "digest", "issuer", "state", "maker", "checker", "submitted_at", "approved_at", "rows", "to_issue", "issued",
    "refused", "void", "is_finished", "is_new", "pause",
]  # fmt: skip
PROBLEM = ["sheet", "row", "column", "field", "outcome", "code", "message"]


def test_a_file_without_a_row_that_may_be_issued_is_no_batch(data: Path, tmp_path: Path) -> None:
    row = person_row(1)
    row[2] = row[2][:17] + ("0" if row[2][17] != "0" else "1")  # a wrong check digit
    ran = run("--data", data, "issue", write_sheet(tmp_path / "sheet.csv", [row]), "--issuer", "nb", "--as", "wang")

    assert (ran.code, ran.error) == (1, "nothing-to-issue")
    assert run("--data", data, "batch", "status", "1").code == 1


def test_problems_are_json_lines_in_the_order_promised(data: Path, tmp_path: Path) -> None:
    bad = person_row(2)
    bad[2] = bad[2][:17] + ("0" if bad[2][17] != "0" else "1")
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(1), bad])
    ran = run("--data", data, "check", sheet, "--json")
    found = [json.loads(line) for line in ran.out.splitlines()]

    assert ran.code == 1
    assert [list(one) for one in found] == [PROBLEM] * len(found)
    assert [(one["row"], one["column"], one["field"]) for one in found if one["outcome"] == "error"] == [
        (3, "C", "身份证号")
    ]
    assert all(set(one["message"]) == {"zh", "en"} for one in found)


def test_check_needs_no_installation_and_changes_none(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cache").symlink_to(cache)
    ran = run("--data", tmp_path / "data", "check", write_sheet(tmp_path / "sheet.csv", [person_row(1)]))

    assert ran.code == 0, ran
    assert [one.name for one in (tmp_path / "data").iterdir()] == ["cache"]


def test_status_as_json_says_how_a_batch_stands(issued: Path) -> None:
    ran = run("--data", issued, "batch", "status", "1", "--json")
    status = json.loads(ran.out)

    assert list(status) == STATUS
    assert (status["rows"], status["to_issue"], status["issued"], status["refused"], status["void"]) == (4, 4, 4, 0, 0)
    assert (status["state"], status["is_finished"]) == ("approved", True)


def test_a_second_sheet_with_the_same_people_issues_the_new_one_only(issued_data: Path, tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "more.csv", [person_row(number) for number in (0, 50, 1)])
    ran = run("--data", issued_data, "issue", sheet, "--issuer", "nb", "--as", "wang", "--approve-as", "li")
    status = json.loads(run("--data", issued_data, "batch", "status", "2", "--json").out)

    assert ran.code == 0
    assert (status["rows"], status["issued"], status["refused"], status["is_finished"]) == (3, 1, 2, True)
    assert "a live certificate for the same person and matter exists" in ran.out
    report = (issued_data / "reports" / "batch-2.jsonl").read_text("utf-8").splitlines()
    refused = [one["row"] for one in map(json.loads, report) if one["code"] == "already-issued"]
    assert refused == [2, 4]


def test_a_sheet_with_no_new_person_is_a_batch_of_nothing(issued_data: Path, tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "again.csv", [person_row(2), person_row(0)])
    ran = run("--data", issued_data, "issue", sheet, "--issuer", "nb", "--as", "wang", "--approve-as", "li")
    status = json.loads(run("--data", issued_data, "batch", "status", "2", "--json").out)

    assert ran.code == 0, ran.err
    assert (status["issued"], status["refused"], status["is_finished"]) == (0, 2, True)


def test_exported_files_are_the_sealed_ones_and_a_damaged_copy_is_written_anew(
    issued: Path, certificates: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / certificates[0].name).write_bytes(b"damaged")
    ran = run("--data", issued, "batch", "export", "1", "--out", out)

    assert ran.code == 0
    assert {one.name: one.read_bytes() for one in out.iterdir()} == {one.name: one.read_bytes() for one in certificates}


def test_the_list_of_batches_is_read_by_people(issued: Path) -> None:
    for lang, word in (("zh", "已完成"), ("en", "finished")):
        shown = run("--data", issued, "batch", "list", environ={"YINZHENG_LANG": lang}).out
        assert word in shown
        assert "4/4" in shown


def test_a_batch_can_be_shown_row_by_row(issued: Path) -> None:
    shown = run("--data", issued, "batch", "show", "1")
    status = json.loads(run("--data", issued, "batch", "status", "1", "--json").out)

    assert shown.code == 0
    assert status["digest"] in shown.out
    with (issued.parent / "sheet.csv").open(encoding="utf-8-sig") as sheet:
        for row in csv.DictReader(sheet):
            assert row["身份证号"] in shown.out


def test_approval_of_another_content_than_was_shown_is_refused(data: Path, tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(0)])
    assert run("--data", data, "issue", sheet, "--issuer", "nb", "--as", "wang").code == 0
    refused = run("--data", data, "approve", "1", "--as", "li", "--digest", "00" * 8)
    digest = json.loads(run("--data", data, "batch", "status", "1", "--json").out)["digest"]
    approved = run("--data", data, "approve", "1", "--as", "li", "--digest", digest)

    assert (refused.code, refused.error) == (1, "digest-differs")
    assert approved.code == 0


def test_a_cancelled_batch_issues_nothing_and_can_be_submitted_anew(data: Path, tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(0)])
    by = ("--issuer", "nb", "--as", "wang")
    run("--data", data, "issue", sheet, *by)
    cancelled = run("--data", data, "batch", "cancel", "1", "--as", "wang", "--reason", "wrong list")
    refused = run("--data", data, "approve", "1", "--as", "li")
    again = run("--data", data, "issue", sheet, *by, "--approve-as", "li")

    assert cancelled.code == 0
    assert refused.error == "batch-state"
    assert again.code == 0
    assert json.loads(run("--data", data, "batch", "status", "2", "--json").out)["issued"] == 1


def test_a_batch_that_waits_for_approval_is_not_resumed(data: Path, tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(0)])
    run("--data", data, "issue", sheet, "--issuer", "nb", "--as", "wang")

    assert run("--data", data, "batch", "resume", "1").error == "not-approved"
