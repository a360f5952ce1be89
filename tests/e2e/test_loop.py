"""From a workbook to certificates that anyone can check, and one that was revoked: the whole loop."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Story
from tests.e2e.processes import CommandLine, Ran, qr_text, sequence_numbers

KEYS = ["file", "verdict", "presented", "integrity", "indication", "sub_indication", "checks", "credential"]
FRAUD = ("--reason", "fraud", "--decision", "示人社函[2026]9号")
RARE = "䶮㛃𬱖𤩽𣲵㼆喆堃昇㐂𠮷·"


def stopped(ran: Ran) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for line in ran.lines:
        if line["outcome"] != "warning" and line["code"] not in {"above-header", "note-line"}:
            found.setdefault(line["row"], set()).add(line["outcome"])
    return found


def test_check_stops_exactly_the_rows_that_the_rules_stop(story: Story, expected: dict[int, set[str]]) -> None:
    found = stopped(story.checked)

    assert story.checked.code == 1  # two rows are errors
    assert found.keys() == expected.keys()
    assert all(found[row] <= expected[row] for row in expected)


def test_submitting_issues_nothing(story: Story) -> None:
    assert "batch 1 submitted" in story.submitted.out
    assert "approve 1 --as" in story.submitted.out


def test_the_maker_cannot_approve(story: Story) -> None:
    assert (story.same_person.code, story.same_person.error) == (1, "same-person")
    assert "0 / 195" in story.same_person.out  # the batch is shown, and stays as it is


def test_every_row_that_may_be_issued_is_issued_once(story: Story, expected: dict[int, set[str]], valid: Ran) -> None:
    (status,) = story.yinzheng.done("batch", "status", "1", "--json").lines
    names = sorted(line["credential"]["name"] for line in valid.lines if line["file"].endswith(".pdf"))

    assert "195 / 195" in story.approved.out
    assert (status["state"], status["is_finished"], status["issued"], status["refused"]) == ("approved", True, 195, 0)
    assert (status["maker"], status["checker"]) == ("wang", "li")
    assert len(story.certificates) == 195
    assert names == sorted(row[1] for number, row in story.sheet.items() if number not in expected)


def test_serials_have_no_gap(story: Story) -> None:
    assert sequence_numbers([one.stem for one in story.certificates]) == list(range(1, 196))


def test_the_same_command_again_issues_nothing_twice(story: Story) -> None:
    assert "going on with batch 1" in story.again.out
    assert story.yinzheng.rows("SELECT count(*), count(DISTINCT serial) FROM credential WHERE batch_id = 1") == [
        (195, 195)
    ]


def test_every_certificate_is_valid_by_every_way(story: Story, valid: Ran) -> None:
    assert valid.code == 0
    assert len(valid.lines) == 195 + 3
    assert {line["verdict"] for line in valid.lines} == {"valid"}
    assert [line["presented"] for line in valid.lines] == ["original"] * 195 + ["qr-only", "code", "serial"]
    assert [line["file"] for line in valid.lines[:195]] == [str(one) for one in story.certificates]


def test_json_has_the_keys_that_were_promised(valid: Ran) -> None:
    for line in valid.lines:
        assert list(line)[: len(KEYS)] == KEYS
        assert {check["outcome"] for check in line["checks"]} == {"passed"}
    assert {line["integrity"] for line in valid.lines[:195]} == {"intact"}
    assert {line["integrity"] for line in valid.lines[195:]} == {None}


def test_serial_and_name_alone_tell_no_full_name(valid: Ran) -> None:
    whole, masked = valid.lines[0]["credential"], valid.lines[-1]["credential"]

    assert whole["serial"] == masked["serial"]
    assert whole["name"] != masked["name"]
    assert whole["name"] not in valid.out.splitlines()[-1]


def test_with_a_trust_list_alone_nobody_is_told_valid_or_false(story: Story, valid: Ran) -> None:
    trust = story.yinzheng.data / "public" / "trust-list.json"
    ran = CommandLine(story.yinzheng.data.parent / "nobody", None).run(
        "verify", story.certificates[1], "--qr", qr_text(story.certificates[1]), "--trust", trust, "--json"
    )

    assert valid.code == 0
    assert ran.code == 2
    assert [(line["verdict"], line["integrity"]) for line in ran.lines] == [
        ("unavailable", "intact"),
        ("unavailable", None),
    ]


def test_rare_names_are_read_back_exactly(valid: Ran, tool: Callable[[str], Path]) -> None:
    rare = [line for line in valid.lines[:195] if set(line["credential"]["name"]) & set(RARE)]
    assert len(rare) >= 8
    for line in rare:
        text = subprocess.run([tool("pdftotext"), line["file"], "-"], capture_output=True, check=True, text=True).stdout
        assert line["credential"]["name"] in text


@pytest.mark.parametrize("command", [["pdfsig", "-nocert"], ["qpdf", "--check"], ["mutool", "info"]])
def test_other_programs_accept_what_the_whole_pipeline_made(
    command: list[str], story: Story, tool: Callable[[str], Path]
) -> None:
    for file in story.certificates[::65]:
        done = subprocess.run([tool(command[0]), *command[1:], file], capture_output=True, check=True, text=True)
        assert "warning" not in (done.stdout + done.stderr).lower()
        if command[0] == "pdfsig":
            assert "Signature is Valid" in done.stdout
            assert "Total document signed" in done.stdout


def test_a_copy_saved_anew_is_never_valid(story: Story, tool: Callable[[str], Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.pdf"
    subprocess.run([tool("qpdf"), story.certificates[2], copy], check=True)
    ran = story.yinzheng.run("verify", copy, story.certificates[2], "--json")

    assert [line["verdict"] for line in ran.lines][1] == "valid"
    assert ran.lines[0]["verdict"] in {"unknown", "tampered"}
    assert ran.code != 0


def test_revoked_is_shown_by_every_way_at_once(story: Story, valid: Ran) -> None:
    one = story.certificates[0]
    about = valid.lines[0]["credential"]
    text = qr_text(one)
    code = text.partition("#")[0].rpartition("/")[2]
    itself = story.yinzheng.run("revoke", one.stem, *FRAUD, "--as", "wang", "--approve-as", "wang")
    revoked = story.yinzheng.done("revoke", one.stem, *FRAUD, "--as", "wang", "--approve-as", "li")
    ways = ("--qr", text, "--code", code, "--serial", one.stem, "--name", about["name"])
    ran = story.yinzheng.run("verify", one, *ways, "--json")
    twice = story.yinzheng.run("revoke", one.stem, *FRAUD, "--as", "wang", "--approve-as", "li")
    other = ("--reason", "penalty", "--decision", FRAUD[3])
    differently = story.yinzheng.run("revoke", one.stem, *other, "--as", "wang", "--approve-as", "li")
    entries = story.yinzheng.rows("SELECT count(*) FROM history WHERE kind = 'state-changed'")

    assert (itself.code, itself.error) == (1, "same-person")
    assert "[2026]" in revoked.out
    assert ran.code == 1
    assert [line["verdict"] for line in ran.lines] == ["revoked"] * 4
    assert [line["credential"]["state"]["code"] for line in ran.lines] == ["03"] * 4
    assert ran.lines[0]["changes"][0]["decision"] == FRAUD[3]
    assert ran.lines[0]["integrity"] == "intact"  # the document is whole; the certificate is void
    assert twice.code == 0  # the same decision again completes what was cut off, and records nothing new
    assert (differently.code, differently.error) == (1, "already-revoked")
    assert entries == [(1,)]


def test_log_and_house_are_sound_afterwards(story: Story, valid: Ran) -> None:
    assert valid.code == 0
    assert "the log is whole" in story.yinzheng.done("log", "verify").out
    assert "✗" not in story.yinzheng.done("doctor").out
