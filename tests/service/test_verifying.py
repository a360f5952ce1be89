"""What ``verify`` takes, prints and answers."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.cli.verifying import worst_exit
from tests.service.at_hand import Ran, StoppedClock, run

KEYS = ["file", "verdict", "presented", "integrity", "indication", "sub_indication", "checks", "credential"]
SAID_BESIDES = ["reason", "zh", "en", "changes", "status_at", "judged_at", "witnesses"]


def lines(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.out.splitlines()]


def test_one_object_a_line_with_the_keys_promised(issued: Path, certificates: list[Path]) -> None:
    ran = run("--data", issued, "verify", *certificates, "--json")

    assert ran.code == 0
    assert [list(line) for line in lines(ran)] == [KEYS + SAID_BESIDES] * len(certificates)
    assert {check["outcome"] for line in lines(ran) for check in line["checks"]} == {"passed"}


def test_a_folder_gives_every_pdf_in_it_and_nothing_else(
    issued: Path, certificates: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "A.PDF").write_bytes(certificates[0].read_bytes())
    (tmp_path / "b.pdf").write_bytes(certificates[1].read_bytes())
    (tmp_path / "folder.pdf").mkdir()
    (tmp_path / "notes.txt").write_text("no PDF")
    (tmp_path / "gone.pdf").symlink_to(tmp_path / "nowhere")
    ran = run("--data", issued, "verify", tmp_path, "--json")

    assert [line["file"] for line in lines(ran)] == [str(tmp_path / "b.pdf"), str(tmp_path / "deep" / "A.PDF")]
    assert ran.code == 0


def test_a_wrong_path_stops_before_the_first_answer(issued: Path, certificates: list[Path], tmp_path: Path) -> None:
    ran = run("--data", issued, "verify", certificates[0], tmp_path / "none.pdf", "--json")

    assert (ran.code, ran.error, ran.out) == (2, "missing-file", "")


def test_a_serial_without_a_name_is_not_passed_over(issued: Path, certificates: list[Path]) -> None:
    ran = run("--data", issued, "verify", certificates[0], "--serial", certificates[0].stem)

    assert (ran.code, ran.error, ran.out) == (2, "name-needed", "")


def test_one_changed_byte_is_not_valid_and_the_worst_answer_counts(
    issued: Path, certificates: list[Path], tmp_path: Path
) -> None:
    content = bytearray(certificates[0].read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / "changed.pdf"
    changed.write_bytes(content)
    ran = run("--data", issued, "verify", certificates[1], changed, certificates[2], "--json")

    assert [line["verdict"] for line in lines(ran)][::2] == ["valid", "valid"]
    assert lines(ran)[1]["verdict"] in {"tampered", "unknown"}
    assert ran.code != 0


@pytest.mark.parametrize(
    ("codes", "worst"), [([0], 0), ([0, 2], 2), ([2, 1, 0], 1), ([1, 2], 1), ([0, 0], 0), ([2, 2], 2)]
)
def test_not_valid_is_worse_than_could_not_tell(codes: list[int], worst: int) -> None:
    assert worst_exit(codes) == worst


@pytest.mark.parametrize(
    ("what", "code"), [(["--code", "0000-0000-0000-0000"], 1), (["--serial", "1", "--name", "张三"], 1)]
)
def test_what_the_register_does_not_know_is_not_valid(what: list[str], code: int, issued: Path) -> None:
    ran = run("--data", issued, "verify", *what, "--json")

    assert ran.code == code
    assert [line["verdict"] for line in lines(ran)] == ["unknown"]
    assert lines(ran)[0]["credential"] is None


@pytest.mark.parametrize("name", ["registry.sqlite", "public/log/checkpoint"])
def test_a_register_that_does_not_answer_is_never_called_a_forgery(
    name: str, issued_data: Path, certificates: list[Path]
) -> None:
    (issued_data / name).unlink()
    ran = run("--data", issued_data, "verify", certificates[0], "--json")

    assert ran.code == 2
    assert ran.out == "" or [line["verdict"] for line in lines(ran)] == ["unavailable"]


def test_a_status_list_past_its_time_says_nothing_until_the_issuing_side_renews_it(
    issued_data: Path, certificates: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verifying signs and writes nothing, so it cannot renew the list itself."""
    monkeypatch.setattr("service.house.SystemClock", lambda: StoppedClock(timedelta(hours=25)))
    before = {path: path.read_bytes() for path in (issued_data / "public").rglob("*") if path.is_file()}
    late = run("--data", issued_data, "verify", certificates[0])
    assert late.code == 2
    assert "status refresh" in late.out
    assert {path: path.read_bytes() for path in (issued_data / "public").rglob("*") if path.is_file()} == before

    assert run("--data", issued_data, "status", "refresh").code == 0
    ran = run("--data", issued_data, "verify", certificates[0], "--json")
    assert (ran.code, lines(ran)[0]["verdict"]) == (0, "valid")


def test_status_refresh_renews_what_is_past_its_ttl(issued_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoppedClock(timedelta(hours=25))
    monkeypatch.setattr("service.house.SystemClock", lambda: clock)
    assert run("--data", issued_data, "doctor").code == 1

    assert "1 status lists" in run("--data", issued_data, "status", "refresh").out
    assert run("--data", issued_data, "doctor").code == 0
    assert "0 status lists" in run("--data", issued_data, "status", "refresh").out
    assert run("--data", issued_data, "log", "verify").code == 0


def test_people_see_the_verdict_in_their_language(issued: Path, certificates: list[Path]) -> None:
    for lang, word in (("zh", "有效"), ("en", "VALID")):
        shown = run("--data", issued, "verify", certificates[0], environ={"YINZHENG_LANG": lang}).out
        assert word in shown
        assert certificates[0].stem in shown


def test_offline_a_supplied_status_list_shows_a_revocation(issued_data: Path, certificates: list[Path]) -> None:
    public = issued_data / "public"
    offline = ("verify", certificates[0], "--trust", public / "trust-list.json", "--json")
    before = run("--data", issued_data, *offline, "--status", public / "status" / "1.cwt")
    revoke = ("--reason", "fraud", "--decision", "示人社函〔2026〕9号", "--as", "wang", "--approve-as", "li")
    assert run("--data", issued_data, "revoke", certificates[0].stem, *revoke).code == 0
    without = run("--data", issued_data, *offline)
    after = run("--data", issued_data, *offline, "--status", public / "status" / "1.cwt")

    assert (before.code, lines(before)[0]["verdict"]) == (2, "unavailable")  # nobody was asked about the seal
    assert lines(before)[0]["status_at"] is not None
    assert (without.code, lines(without)[0]["status_at"]) == (2, None)
    assert (after.code, lines(after)[0]["verdict"]) == (1, "revoked")


def test_lists_without_a_trust_list_are_refused(issued: Path, certificates: list[Path]) -> None:
    ran = run("--data", issued, "verify", certificates[0], "--status", "1.cwt")

    assert (ran.code, ran.error) == (2, "trust-needed")
