"""Corrections and the rest of a certificate's life, by command: two persons, the old file, the new file, the code."""

import json
from pathlib import Path

import pytest

from tests.service.at_hand import id_number, person_row, run, write_sheet

WHY = ("--decision", "示人社函[2026]9号")
BY = ("--as", "wang", "--approve-as", "li")
CORRECT = ("--reason", "clerical-error", *WHY, "--as", "wang")


def verdict(data: Path, *what: str | Path) -> dict[str, object]:
    ran = run("--data", data, "verify", *what, "--json")
    told: dict[str, object] = json.loads(ran.out)
    return told


def chain(told: dict[str, object]) -> tuple[object, object]:
    about = told["credential"]
    assert isinstance(about, dict)
    return about["superseded_by"], about["supersedes"]


def test_a_correction_from_command_to_verdict(issued_data: Path, certificates: list[Path], tmp_path: Path) -> None:
    serial = certificates[0].stem
    ran = run("--data", issued_data, "correct", serial, "--set", "specialty=果树", *CORRECT)
    assert ran.code == 0, ran
    assert "园艺 → 果树" in ran.out
    assert "yinzheng approve 2" in ran.out
    assert verdict(issued_data, certificates[0])["verdict"] == "valid"
    assert "园艺 → 果树" in run("--data", issued_data, "batch", "show", "2").out
    assert run("--data", issued_data, "approve", "2", "--as", "wang").error == "same-person"
    out = tmp_path / "new"
    done = run("--data", issued_data, "approve", "2", "--as", "li", "--out", out)
    assert done.code == 0, done

    old = verdict(issued_data, certificates[0])
    assert (old["verdict"], chain(old)) == ("superseded", ({"serial": serial, "version": 2}, None))
    new = verdict(issued_data, out / f"{serial}-2.pdf")
    assert (new["verdict"], chain(new)) == ("valid", (None, {"serial": serial, "version": 1}))
    assert new["credential"]["fields"]["specialty"] == "果树"  # type: ignore[index] # asserted by chain()
    assert run("--data", issued_data, "doctor").code == 0
    assert run("--data", issued_data, "log", "verify").code == 0

    again = tmp_path / "old"
    assert run("--data", issued_data, "batch", "export", "1", "--out", again).code == 0
    assert (again / f"{serial}.pdf").read_bytes() == certificates[0].read_bytes(), "its own version, not the newest"


def test_a_replacement_by_a_sheet_of_one(issued_data: Path, certificates: list[Path], tmp_path: Path) -> None:
    serial = certificates[0].stem
    numbers = {run("--data", issued_data, "batch", "show", "1").out.find(id_number(at)): at for at in range(4)}
    assert all(at >= 0 for at in numbers)
    row = next(
        person_row(at)
        for at in range(4)
        if serial
        in next(
            line for line in run("--data", issued_data, "batch", "show", "1").out.splitlines() if id_number(at) in line
        )
    )
    row[5], row[6] = "高级农艺师", "副高级"
    sheet = write_sheet(tmp_path / "one.csv", [row])
    why = ("--reason", "higher-level", *WHY, "--as", "wang")
    ran = run("--data", issued_data, "replace", serial, sheet, *why)
    assert ran.code == 0, ran
    assert run("--data", issued_data, "approve", "2", "--as", "li", "--out", tmp_path / "out").code == 0
    (made,) = (tmp_path / "out").glob("*.pdf")
    assert made.stem != serial
    assert chain(verdict(issued_data, certificates[0])) == ({"serial": made.stem, "version": 1}, None)
    assert chain(verdict(issued_data, made)) == (None, {"serial": serial, "version": 1})
    two = write_sheet(tmp_path / "two.csv", [person_row(8), person_row(9)])
    assert run("--data", issued_data, "replace", made.stem, two, *why).error == "record-refused"
    assert run("--data", issued_data, "replace", made.stem, *why).error == "sheet-or-set"


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        (["--set", "specialty=园艺"], "nothing-changed"),
        (["--set", "nonsense=1"], "unknown-field"),
        (["--set", "name"], "bad-set"),
        (["--set", "资格名称=高级农艺师", "--set", "title=农艺师"], "field-twice"),
        (["--set", "序号=3"], "unknown-field"),
        (["--set", "qualified_on=2026-13-45"], "record-refused"),
        (["--set", f"id_number={id_number(77)}", "--set", "name=王小二"], "another-person"),
        (["--set", "title="], "record-refused"),
    ],
)
def test_a_bad_correction_is_refused_by_the_rules_of_intake(
    setting: list[str], error: str, issued: Path, certificates: list[Path]
) -> None:
    ran = run("--data", issued, "correct", certificates[0].stem, *setting, *CORRECT)
    assert (ran.code, ran.error) == (1, error)


@pytest.mark.parametrize("name", ["specialty", "专业名称", " 专业 名称 "])
def test_a_correction_names_a_field_by_key_or_heading_and_shows_the_heading(
    name: str, issued_data: Path, certificates: list[Path]
) -> None:
    ran = run(
        "--data", issued_data, "correct", certificates[0].stem, "--set", f"{name}=果树", *CORRECT,
        environ={"YINZHENG_LANG": "zh"},
    )  # fmt: skip
    (line,) = [one for one in ran.out.splitlines() if "园艺 → 果树" in one]
    assert "专业名称" in line
    assert "specialty" not in ran.out


@pytest.mark.parametrize("command", ["correct", "replace"])
def test_a_refused_record_is_listed_with_its_row_and_cure(command: str, issued: Path, certificates: list[Path]) -> None:
    reason = "clerical-error" if command == "correct" else "higher-level"
    ran = run(
        "--data", issued, command, certificates[0].stem, "--set", "取得资格时间=2026-13-45", "--reason", reason, *WHY,
        "--as", "wang", environ={"YINZHENG_LANG": "zh"},
    )  # fmt: skip
    assert ran.error == "record-refused"
    assert "2026-13-45" in ran.out
    assert "取得资格时间" in ran.out


def test_suspended_reinstated_and_ended_is_seen_at_once(issued_data: Path, certificates: list[Path]) -> None:
    file, serial = certificates[1], certificates[1].stem
    assert run("--data", issued_data, "suspend", serial, *WHY, *BY).code == 0
    assert verdict(issued_data, file)["verdict"] == "suspended"
    assert run("--data", issued_data, "reinstate", serial, *WHY, *BY).code == 0
    assert verdict(issued_data, file)["verdict"] == "valid"
    assert run("--data", issued_data, "end", serial, "--reason", "other-end", *WHY, *BY).error == "note-needed"
    assert run("--data", issued_data, "end", serial, "--reason", "holder-died", *WHY, *BY).code == 0
    assert verdict(issued_data, file)["verdict"] == "ended"
    assert run("--data", issued_data, "reinstate", serial, *WHY, *BY).error == "change-not-allowed"


def test_changes_are_listed_without_naming_the_only_issuer(issued: Path, data: Path) -> None:
    assert run("--data", issued, "change", "list").code == 0
    second = ("issuer", "add", "xs", "--name", "示例县人社局", "--uscc", "11649900MB0T000236", "--division", "330201")
    added = run("--data", data, *second, "--pdf-key", "p-256", "--sample")
    assert added.code == 0, added
    assert run("--data", data, "change", "list").error == "issuer-needed"
    assert run("--data", data, "change", "list", "--issuer", "nb").code == 0


def test_a_whole_batch_is_withdrawn_by_one_command(issued_data: Path, certificates: list[Path]) -> None:
    revoke = ("revoke", certificates[0].stem, "--reason", "fraud", "--decision", "1号", *BY)
    assert run("--data", issued_data, *revoke).code == 0
    withdraw = ("batch", "withdraw", "1", "--reason", "decision-annulled", *WHY, *BY)
    for _ in range(2):
        done = run("--data", issued_data, *withdraw)
        assert done.code == 0, done
        assert certificates[0].stem in done.out
    assert {verdict(issued_data, one)["verdict"] for one in certificates} == {"revoked"}
    assert run("--data", issued_data, "doctor").code == 0
