"""Over HTTP: a file that brings its reader down is one refused request, and the service answers on."""

import io
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook  # type: ignore[import-untyped] # it has no types

from issuer.numbering import ALREADY_ISSUED
from service.reading import UploadReader
from service.reading_tasks import Limits
from tests.service.api.conftest import Api
from tests.service.api.test_batches import assert_problem, files
from tests.service.api.test_changes import CORRECTION
from tests.service.api.test_credentials import record
from tests.service.at_hand import person_row
from tests.service.test_annotating import write_book
from tests.service.test_reading import FAULTY, eventually

LIMITS = Limits(memory_bytes=400_000_000, cpu_seconds=3, wall_seconds=30)


@pytest.fixture
def apart(api: Api) -> Iterator[Api]:
    """The issuing API as the service runs it, but for the faults that a file can ask for."""
    reader = UploadReader(1, limits_of=lambda _file, _photos: LIMITS, wait_seconds=0.2, module=FAULTY)
    api.house.reader = reader
    with reader:
        yield api


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the service makes its folders for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("path", ["/checks", "/checks/annotated", "/batches"])
@pytest.mark.parametrize("fault", [("abort", "reader-died"), ("spin", "reader-too-slow")])
def test_a_file_that_brings_its_reader_down_is_refused(
    apart: Api, sheet: Path, scratch: Path, path: str, fault: tuple[str, str]
) -> None:
    word, code = fault
    body = assert_problem(apart.post(path, files=files(word.encode())), 422, code)

    assert "xlsx" in body["zh"]
    assert apart.get("/me").status_code == 200
    assert apart.post("/checks", files=files(sheet.read_bytes())).json()["accepted"] == 3
    assert list(scratch.iterdir()) == []


def test_memory_has_an_end(apart: Api) -> None:
    assert_problem(apart.post("/checks", files=files(b"memory")), 413, "file-too-large")


def test_a_service_that_reads_enough_says_when_to_come_back(apart: Api, sheet: Path) -> None:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(apart.post("/checks", files=files(b"spin"))))
    apart.headers("wang")  # makes the token before two threads ask for it
    thread.start()
    reader = apart.house.reader
    assert isinstance(reader, UploadReader)
    eventually(reader._free.empty)

    answer = apart.post("/checks", files=files(sheet.read_bytes()))
    thread.join()

    assert_problem(answer, 503, "intake-busy")
    assert int(answer.headers["retry-after"]) > 0
    assert_problem(answers[0], 422, "reader-too-slow")


def test_nothing_that_is_sent_is_read_in_the_service_itself(
    apart: Api, sheet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def must_not(*_: object, **__: object) -> None:
        raise AssertionError("read in the service")

    for name in ("intake.records.read_records", "service.reading.read_records", "service.reading.annotate"):
        monkeypatch.setattr(name, must_not)
    monkeypatch.setattr("intake.workbook.Workbook.__init__", must_not)
    monkeypatch.setattr("intake.photos.check_photo", must_not)
    serial = apart.issue(sheet) and apart.get("/batches/1/rows").json()["items"][0]["serial"]

    one = apart.post("/credentials", json={"record": record(77)})
    corrected = apart.post(f"/credentials/{serial}/corrections", json=CORRECTION)
    copy = apart.post("/checks/annotated", files=files(sheet.read_bytes()))

    assert (one.status_code, corrected.status_code, copy.status_code) == (201, 201, 200)


def test_a_check_names_the_certificate_that_is_there(apart: Api, sheet: Path, tmp_path: Path) -> None:
    apart.issue(sheet)
    book = write_book(tmp_path / "rows.xlsx", [person_row(1), person_row(50)])
    serial = apart.get("/batches/1/rows").json()["items"][1]["serial"]

    report = apart.post("/checks", files=files(book.read_bytes(), "rows.xlsx")).json()
    copy = apart.post("/checks/annotated", files=files(book.read_bytes(), "rows.xlsx"))

    found = [one for one in report["problems"] if one["code"] == ALREADY_ISSUED]
    assert [(one["row"], one["column"], one["outcome"]) for one in found] == [(2, "A", "skipped")]
    assert serial in found[0]["zh"]
    assert report["accepted"] == 1
    page = load_workbook(io.BytesIO(copy.content)).active
    assert page["M2"].value.startswith("已有证书")
    assert serial in page["M2"].value


def test_the_same_sheet_is_still_the_same_batch(apart: Api, sheet: Path) -> None:
    first = apart.issue(sheet)

    again = apart.submit(sheet)

    assert (again.status_code, again.json()["id"]) == (200, first["id"])
