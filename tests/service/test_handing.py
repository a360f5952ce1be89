"""The hand-over sheet: codes that work, shown once, in a file that nobody else may read and no program evaluates."""

import csv
import io
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from openpyxl import load_workbook  # type: ignore[import-untyped] # it has no types

from credential.model import RevocationReason
from holder.api import claim_routes
from holder.claim_codes import ClaimRefused
from intake.handover_sheet import HandoverLine, write_handover_csv, write_handover_workbook
from registry.credentials import UnknownSerial
from registry.issuers import UnknownPerson
from service.changes import revoke_credential
from service.handing import NotToHandOver, claim_desk, hand_over, new_claim_code
from service.house import House, SystemClock
from service.problems import install
from service.settings import Settings
from tests.asgi_client import Client
from tests.service.at_hand import PASSPHRASE, run

PAGE = "https://zs.example.gov.cn/claim"


@pytest.fixture
def house(issued_data: Path) -> House:
    return House(Settings(data=issued_data), PASSPHRASE.encode(), SystemClock())


def rows_of(sheet: Path) -> list[list[str]]:
    """The lines of a sheet below its notes and headings, by another library than the one that wrote it."""
    if sheet.suffix == ".csv":
        return list(csv.reader(io.StringIO(sheet.read_text("utf-8-sig"), newline="")))[3:]
    book = load_workbook(sheet, read_only=True)
    return [[str(cell) for cell in row] for row in book.active.iter_rows(min_row=4, values_only=True)]


@pytest.mark.parametrize("name", ["handover.xlsx", "handover.csv"])
def test_the_codes_of_the_sheet_open_the_files(name: str, house: House, issued_data: Path, tmp_path: Path) -> None:
    sheet = tmp_path / name
    ran = run("--data", issued_data, "hand-over", "1", "--as", "wang", "--out", sheet)
    rows = rows_of(sheet)

    assert ran.code == 0, ran
    assert "shown this once" in ran.out
    assert len(rows) == 4
    for _, serial, masked, code, _, page in rows:
        assert claim_desk(house).claim(serial, code).serial == serial
        assert masked.endswith("**")
        assert page == PAGE
        assert code not in ran.out
        assert serial not in ran.out
    text = sheet.read_bytes() if name.endswith(".csv") else b"".join(map(str.encode, map(str, rows)))
    assert b"330299" not in text.replace(b"330200", b"")  # no ID number


def test_only_its_owner_may_read_the_sheet_and_nothing_is_written_over(issued_data: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "handover.csv"
    command = ("--data", issued_data, "hand-over", "1", "--as", "wang", "--out", sheet)
    before = os.umask(0)
    try:
        assert run(*command).code == 0
    finally:
        os.umask(before)
    first = sheet.read_bytes()
    again = run(*command)

    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert (again.code != 0, sheet.read_bytes()) == (True, first)


@pytest.mark.parametrize("name", ["handover.pdf", "handover", "missing/handover.csv"])
def test_a_sheet_that_cannot_be_written_ends_no_code(
    name: str, house: House, issued_data: Path, tmp_path: Path
) -> None:
    line = hand_over(house, 1, "wang")[0]
    assert run("--data", issued_data, "hand-over", "1", "--as", "wang", "--out", tmp_path / name).code != 0

    assert claim_desk(house).claim(line.serial, line.code).serial == line.serial


def test_a_person_of_nobody_hands_nothing_over(house: House) -> None:
    with pytest.raises(UnknownPerson):
        hand_over(house, 1, "nobody")
    with pytest.raises(UnknownSerial):
        new_claim_code(house, "1", "wang")


def test_a_new_code_replaces_that_of_the_sheet(house: House) -> None:
    line = hand_over(house, 1, "wang")[0]
    fresh = new_claim_code(house, line.serial, "li")

    assert (fresh.page, fresh.until) == (PAGE, line.until)
    with pytest.raises(ClaimRefused):
        claim_desk(house).claim(line.serial, line.code)
    assert claim_desk(house).claim(line.serial, fresh.code).serial == line.serial


def test_a_revoked_certificate_is_left_out_and_that_is_said(house: House, tmp_path: Path) -> None:
    serial = hand_over(house, 1, "wang")[0].serial
    revoke_credential(
        house, serial, issuer=None, reason=RevocationReason.FRAUD, decision="9号", maker="wang", checker="li"
    )

    assert serial not in {line.serial for line in hand_over(house, 1, "wang")}
    with pytest.raises(NotToHandOver):
        new_claim_code(house, serial, "wang")
    ran = run("--data", house.folder.root, "hand-over", "1", "--as", "wang", "--out", tmp_path / "sheet.csv")
    assert (ran.code, "1 rows have no code" in ran.out) == (0, True), ran


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "＝1"])
def test_no_text_of_the_sheet_is_evaluated(name: str, tmp_path: Path) -> None:
    line = HandoverLine(5, "=HYPERLINK(1)", name, "7K3M-9QXA-4TZ2", "2027-02-20", PAGE)
    book = tmp_path / "a.xlsx"
    book.write_bytes(write_handover_workbook([line]))
    cells = next(load_workbook(book).active.iter_rows(min_row=4, max_row=4))
    written = list(csv.reader(io.StringIO(write_handover_csv([line]).decode("utf-8-sig"), newline="")))[3]

    assert [cell.data_type for cell in cells] == ["n", "s", "s", "s", "s", "s"]
    assert (written[1][0], written[2][0]) == ("'", "'")


def test_a_serial_of_twenty_digits_stays_whole(tmp_path: Path) -> None:
    book = tmp_path / "a.xlsx"
    book.write_bytes(
        write_handover_workbook([HandoverLine(5, "33020020260130000018", "张**", "X", "2027-02-20", PAGE)])
    )
    cell = load_workbook(book).active["B4"]

    assert (cell.value, cell.data_type) == ("33020020260130000018", "s")


def test_other_programs_read_the_file_that_a_holder_downloads(
    house: House, certificates: list[Path], tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    app = FastAPI()
    install(app)
    app.include_router(claim_routes(claim_desk(house), _let_pass))
    client = Client(app)
    line = hand_over(house, 1, "wang")[0]
    claimed = client.post("/api/v1/claims", json={"serial": line.serial, "claim_code": line.code}).json()
    whole = client.get(claimed["download"])
    middle = len(whole.content) // 2
    halves = [
        client.get(claimed["download"], range=span).content for span in (f"bytes=0-{middle}", f"bytes={middle + 1}-")
    ]
    saved = tmp_path / claimed["file_name"]
    saved.write_bytes(b"".join(halves))

    assert saved.name == f"{line.serial}.pdf"
    assert saved.read_bytes() == whole.content == house.documents.fetch_pdf(line.serial)
    assert saved.read_bytes() == next(one for one in certificates if one.stem == line.serial).read_bytes()
    subprocess.run([tool("qpdf"), "--check", saved], check=True, capture_output=True)
    shown = subprocess.run([tool("pdfsig"), "-nocert", saved], check=False, capture_output=True, text=True).stdout
    assert "Signature is Valid" in shown
    assert "Total document signed" in shown


def _let_pass(request: Request) -> None:
    assert request.method
