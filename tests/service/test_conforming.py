"""What would not be PDF/A-3a and PDF/UA-1 is refused with its batch, and what comes out otherwise pauses it."""

import json
import shutil
from pathlib import Path

import pytest

from press.conformance import NonconformingDocument, check_document, require_conformance
from templates import certificate_folder
from tests.press.broken_cases import BROKEN
from tests.service.at_hand import id_number, person_row, run, write_sheet

COURSE = "安全培训,16,2026-03-02,2026-03-04,第一单元 法规"
BY = ("--issuer", "nb", "--as", "wang")


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data", symlinks=True))


def test_a_template_whose_certificates_would_not_conform_is_refused_before_anything_is_numbered(
    data: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(certificate_folder("training"), data / "templates" / "own"))
    file = own / "template.toml"
    file.write_text(file.read_text("utf-8").replace('language = "zh-CN"', 'language = "zh_CN"', 1), "utf-8")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        f"姓名,证件号码,培训课程,学时,开始日期,结束日期,课程内容\n赵安,{id_number(1)},{COURSE}\n", "utf-8-sig"
    )
    refused = run("--data", data, "issue", sheet, *BY, "--template", "own", "--approve-as", "li")
    assert (refused.code, refused.error) == (1, "nonconforming-document")
    assert "ISO 14289-1, 7.2" in refused.err
    assert run("--data", data, "batch", "list", "--json").out.strip() in {"", "[]"}


def test_a_certificate_that_does_not_conform_pauses_its_batch_with_the_clause(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(0), person_row(1)])
    given: list[bytes] = []

    def examine(document: bytes) -> None:
        given.append(document)
        require_conformance(BROKEN["notdef"][0](document))

    with monkeypatch.context() as press:
        press.setattr("service.house.require_conformance", examine)
        stopped = run("--data", data, "issue", sheet, *BY, "--approve-as", "li")
    assert (stopped.code, stopped.error) == (1, NonconformingDocument.code)
    (document,) = given
    assert check_document(document) == []  # as it was printed, before it was broken for this test
    paused = json.loads(run("--data", data, "batch", "status", "1", "--json").out)
    assert paused["issued"] == 0
    assert paused["pause"]["code"] == "nonconforming-document"
    assert "6.2.11.8" in paused["pause"]["zh"]
    assert "6.2.11.8" in paused["pause"]["en"]

    resumed = run("--data", data, "batch", "resume", "1")
    assert resumed.code == 0, resumed
    assert json.loads(run("--data", data, "batch", "status", "1", "--json").out)["issued"] == 2
