"""A check names the certificates that stand in the way, as approval would; a submission is left as it is."""

import json
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook  # type: ignore[import-untyped] # it has no types

from credential.model import RevocationReason
from credential.ports import Algorithm
from credential.problem import Problem, RowOutcome
from credential.reasons import CorrectionReason
from issuer.numbering import ALREADY_ISSUED
from registry.batches import find_obstacles, find_standing
from registry.chunks import read_rows
from registry.credentials import find_by_batch
from service import batches, successions
from service.already_issued import check_for
from service.changes import revoke_credential
from service.house import House, SystemClock
from service.issuers import NewIssuer, add_new_issuer
from service.settings import Settings
from tests.service.at_hand import HEADINGS, PASSPHRASE, person_row, run, write_sheet
from tests.service.conftest import ROWS

OTHER_USCC = "113303000029570638"


@pytest.fixture
def house(issued_data: Path) -> House:
    """An installation that has issued certificates to persons 0 to 3."""
    return House(Settings(data=issued_data), PASSPHRASE.encode("ascii"), SystemClock())


def serials(house: House, batch_id: int = 1) -> list[str]:
    with house.database.reading() as session:
        return [one.serial for one in find_by_batch(session, batch_id)]


def issued_problems(house: House, sheet: Path) -> list[Problem]:
    report = check_for(house, sheet, photos=None, issuer="nb", template="")
    return [one for one in report.problems if one.code == ALREADY_ISSUED]


def sheet_of(tmp_path: Path, *people: int, name: str = "again.csv") -> Path:
    return write_sheet(tmp_path / name, [person_row(number) for number in people])


def test_a_check_skips_the_rows_that_have_a_certificate_and_names_it(house: House, tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, 7, 1, 8, 3)

    report = check_for(house, sheet, photos=None, issuer="nb", template="")

    known = serials(house)
    found = [one for one in report.problems if one.code == ALREADY_ISSUED]
    assert [(one.row, one.column, one.field, one.outcome) for one in found] == [
        (3, "A", "姓名", RowOutcome.SKIPPED),
        (5, "A", "姓名", RowOutcome.SKIPPED),
    ]
    assert known[1] in found[0].zh
    assert known[1] in found[0].en
    assert known[3] in found[1].zh
    assert [record.row for record in report.records] == [2, 4]


def test_the_check_names_what_approval_would(house: House, tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, 0, 5, 2)
    checked = issued_problems(house, sheet)
    plain = batches.check(house, sheet, photos=None, issuer="nb", template="")

    batch = batches.submit(house, plain, issuer="nb", template="", maker="wang")
    batches.approve(house, batch.id, checker="li")

    refused = [one for one in batches.problems(house, batch.id) if one.code == ALREADY_ISSUED]
    assert [(one.row, one.zh, one.en) for one in refused] == [(one.row, one.zh, one.en) for one in checked]
    assert len(refused) == 2


def test_a_row_that_only_has_a_number_is_named_too(house: House, tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, 20, 21)
    report = batches.check(house, sheet, photos=None, issuer="nb", template="")
    batch = batches.submit(house, report, issuer="nb", template="", maker="wang")
    assert issued_problems(house, sheet) == []  # submitted only: nobody approved it

    batches.approve(house, batch.id, checker="li")

    numbered = [row.serial for row in batches.rows(house, batch.id)]
    assert all(numbered)
    assert [one.row for one in issued_problems(house, sheet)] == [2, 3]
    assert all(serial in one.zh for serial, one in zip(numbered, issued_problems(house, sheet), strict=True))


def test_a_revoked_certificate_stands_in_nobodys_way(house: House, tmp_path: Path) -> None:
    revoke_credential(
        house,
        serials(house)[0],
        issuer="nb",
        reason=RevocationReason.FRAUD,
        decision="示人社〔2026〕1号",
        maker="wang",
        checker="li",
    )

    assert [one.row for one in issued_problems(house, sheet_of(tmp_path, 0, 1))] == [3]


def test_a_correction_goes_through_and_stands_in_the_way_in_its_turn(house: House, tmp_path: Path) -> None:
    serial = serials(house)[0]
    view = successions.correct(
        house,
        serial,
        {"specialty": "茶学"},
        issuer="nb",
        reason=CorrectionReason.CLERICAL_ERROR,
        decision="示人社〔2026〕2号",
        maker="wang",
    )
    with house.database.reading() as session:
        assert find_obstacles(session, view.id) == {}
    approved = batches.approve(house, view.id, checker="li")
    sheet = sheet_of(tmp_path, 0)

    assert [serial in one.zh for one in issued_problems(house, sheet)] == [True]
    batches.run(house, approved.id, lambda _: None)
    assert [serial in one.zh for one in issued_problems(house, sheet)] == [True]


def test_keys_and_batches_find_the_same_obstacles(house: House, tmp_path: Path) -> None:
    report = batches.check(house, sheet_of(tmp_path, 9, 0, 3, 11, 1), photos=None, issuer="nb", template="")
    batch = batches.submit(house, report, issuer="nb", template="", maker="wang")

    with house.database.reading() as session:
        keys = {row.row_number: row.live_key or b"" for row in read_rows(session, house.vault, batch.id)}
        standing = find_standing(session, keys.values())
        obstacles = find_obstacles(session, batch.id)

    assert {row: standing[key] for row, key in keys.items() if key in standing} == obstacles
    assert len(obstacles) == 3


def test_more_keys_than_one_question_takes_are_all_asked(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.batches._KEYS_AT_ONCE", 1)

    assert len(issued_problems(house, sheet_of(tmp_path, *range(ROWS)))) == ROWS


def test_the_certificates_of_another_issuer_stand_in_nobodys_way(house: House, tmp_path: Path) -> None:
    new = NewIssuer("other", "另一示例市人力资源和社会保障局", OTHER_USCC, "330300", pdf_algorithm=Algorithm.P256)
    add_new_issuer(house, new)
    sheet = sheet_of(tmp_path, *range(ROWS))

    report = check_for(house, sheet, photos=None, issuer="other", template="")

    assert len(report.records) == ROWS
    assert ALREADY_ISSUED not in {one.code for one in report.problems}


def test_the_same_sheet_is_still_found_as_the_batch_it_is(house: House, tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, *range(ROWS))
    assert len(issued_problems(house, sheet)) == ROWS

    ran = run("--data", house.folder.root, "issue", sheet, "--issuer", "nb", "--as", "wang", "--approve-as", "li")

    assert ran.code == 0, ran
    assert "going on with batch 1" in ran.out


def test_the_command_asks_the_registry_for_an_issuer_and_for_nobody_else(house: House, tmp_path: Path) -> None:
    sheet, data = sheet_of(tmp_path, 2, 40), house.folder.root

    asked = run("--data", data, "check", sheet, "--issuer", "nb", "--json")
    plain = run("--data", data, "check", sheet, "--json")
    nowhere = run("--data", tmp_path / "nowhere", "check", sheet, "--json")

    lines = [json.loads(line) for line in asked.out.splitlines()]
    assert [(one["row"], one["outcome"]) for one in lines if one["code"] == ALREADY_ISSUED] == [(2, "skipped")]
    assert (asked.code, plain.code, nowhere.code) == (0, 0, 0)
    assert ALREADY_ISSUED not in plain.out + nowhere.out


def test_the_annotated_copy_says_it_in_its_row(house: House, tmp_path: Path) -> None:
    book = Workbook()
    for row in [list(HEADINGS), person_row(2), person_row(41)]:
        book.active.append(row)
    book.save(tmp_path / "rows.xlsx")

    ran = run(
        "--data", house.folder.root, "check", tmp_path / "rows.xlsx", "--issuer", "nb",
        "--annotated", tmp_path / "copy.xlsx",
    )  # fmt: skip

    page = load_workbook(tmp_path / "copy.xlsx").active
    assert ran.code == 0, ran
    assert page["M2"].value.startswith("已有证书: ")
    assert serials(house)[2] in page["M2"].value
    assert page["M3"].value.startswith("可以出证")
    assert serials(house)[2] in page["A2"].comment.text


def test_an_unknown_issuer_is_refused_with_one_sentence(house: House, tmp_path: Path) -> None:
    ran = run("--data", house.folder.root, "check", sheet_of(tmp_path, 1), "--issuer", "nobody")

    assert (ran.code, ran.error) == (1, "unknown-issuer")
