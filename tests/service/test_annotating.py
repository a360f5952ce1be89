import shutil
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook  # type: ignore[import-untyped] # it has no types

from intake.annotated import CopyKind
from intake.headings import RESULT_HEADING
from service.annotating import annotated
from service.house import House, SystemClock
from service.settings import Settings
from tests.service.at_hand import HEADINGS, PASSPHRASE, person_row, run, write_sheet


def wrong(number: int) -> list[str]:
    """A row whose ID number has a wrong check digit."""
    row = person_row(number)
    row[2] = row[2][:17] + ("0" if row[2][17] != "0" else "1")
    return row


def write_book(path: Path, rows: list[list[str]]) -> Path:
    book = Workbook()
    for row in [list(HEADINGS), *rows]:
        book.active.append(row)
    book.save(path)
    return path


def test_check_writes_the_copy_beside_its_usual_answer(tmp_path: Path, data: Path) -> None:
    file, to = write_book(tmp_path / "rows.xlsx", [person_row(1), wrong(2)]), tmp_path / "copy.xlsx"

    ran = run("--data", data, "check", file, "--annotated", to, "--json")

    assert ran.code == 1
    assert '"id-number-check-digit"' in ran.out
    assert str(to) not in ran.out  # it is JSON lines and nothing else
    assert str(to) in ran.err
    page = load_workbook(to).active
    assert page["M1"].value == RESULT_HEADING
    assert page["M2"].value.startswith("可以出证")
    assert page["M3"].value.startswith("不能出证: C列“身份证号”")
    assert to.stat().st_mode & 0o077 == 0


def test_a_row_whose_layout_overflows_is_marked_like_any_other(tmp_path: Path, data: Path) -> None:
    row = person_row(1)
    row[HEADINGS.index("评审组织")] = "示例市" * 60
    file, to = write_book(tmp_path / "rows.xlsx", [row, person_row(2)]), tmp_path / "copy.xlsx"

    ran = run("--data", data, "check", file, "--annotated", to, "--json")

    page = load_workbook(to).active
    assert ran.code == 1
    assert page["M2"].value.startswith("不能出证: H列“评审组织”")
    assert page["H2"].comment.text.startswith("错误: ")


@pytest.mark.parametrize("name", ["rows.xlsx", "other.xlsx", "dangling.xlsx"])
def test_no_file_is_ever_overwritten(tmp_path: Path, data: Path, name: str) -> None:
    file = write_book(tmp_path / "rows.xlsx", [wrong(1)])
    shutil.copy(file, tmp_path / "other.xlsx")
    (tmp_path / "dangling.xlsx").symlink_to(tmp_path / "nowhere.xlsx")
    before = file.read_bytes()

    ran = run("--data", data, "check", file, "--annotated", tmp_path / name)

    assert (ran.code, ran.error) == (1, "file-exists")
    assert file.read_bytes() == (tmp_path / "other.xlsx").read_bytes() == before
    assert not (tmp_path / "nowhere.xlsx").exists()


@pytest.mark.parametrize(("name", "code"), [("copy.csv", "not-xlsx-name"), ("none/copy.xlsx", "unwritable-file")])
def test_a_copy_that_cannot_be_written_is_refused_with_the_cure(
    tmp_path: Path, data: Path, name: str, code: str
) -> None:
    ran = run("--data", data, "check", write_sheet(tmp_path / "a.csv", [wrong(1)]), "--annotated", tmp_path / name)

    assert (ran.code, ran.error) == (1, code)


def test_issue_offers_the_copy_by_a_command_that_works(tmp_path: Path, data: Path) -> None:
    file = write_book(tmp_path / "my rows.xlsx", [person_row(1), wrong(2)])

    ran = run("--data", data, "issue", file, "--issuer", "nb", "--as", "wang")

    assert f"yinzheng check '{file}' --issuer nb --annotated '{tmp_path / 'my rows-checked.xlsx'}'" in ran.out
    checked = run("--data", data, "check", file, "--issuer", "nb", "--annotated", tmp_path / "my rows-checked.xlsx")
    assert checked.code == 1
    assert (tmp_path / "my rows-checked.xlsx").is_file()


def test_issue_offers_nothing_where_nothing_is_wrong(tmp_path: Path, data: Path) -> None:
    ran = run(
        "--data", data, "issue", write_sheet(tmp_path / "a.csv", [person_row(1)]), "--issuer", "nb", "--as", "wang"
    )

    assert ran.code == 0
    assert "--annotated" not in ran.out


def test_the_service_checks_by_the_issuers_own_press(tmp_path: Path, data: Path) -> None:
    house = House(Settings(data=data), PASSPHRASE.encode("ascii"), SystemClock())
    made = annotated(
        house,
        write_sheet(tmp_path / "rows.csv", [wrong(1), person_row(2)]),
        photos=None,
        issuer="nb",
        template="professional-title",
        to=tmp_path / "list.xlsx",
    )

    assert made.copy.kind is CopyKind.LIST
    assert len(made.report.records) == 1
    lines = list(load_workbook(tmp_path / "list.xlsx").worksheets[0].iter_rows(values_only=True))
    assert any(line[0] == 2 and line[1] == "C" and line[7] == "id-number-check-digit" for line in lines)
