"""Uploads are read as in place, and whatever brings their process down harms nothing else."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from resource import RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NPROC, prlimit

import pytest
from openpyxl import load_workbook  # type: ignore[import-untyped] # it has no types

from credential.errors import Error
from credential.schema import RecordSchema
from intake.errors import EmptyFile, FileTooLarge, NoHeaderRow, NotXlsxName, UnsafeWorkbook, WebPage
from press.template_file import load_template
from service.reading import HERE, IntakeBusy, ReaderDied, ReaderTooSlow, UploadReader, usual_limits
from service.reading_tasks import Limits
from templates import certificate_folder, sample_folder
from tests.intake.samples import rezip
from tests.service.at_hand import person_row, write_sheet
from tests.service.test_annotating import write_book

TODAY = date(2026, 11, 22)
SAMPLE, PHOTOS = "exchange-200.xlsx", "exchange-200-photos.zip"
FAULTY = "tests.service.dying_reader"
SMALL = Limits(memory_bytes=400_000_000, cpu_seconds=2, wall_seconds=30)


@pytest.fixture(scope="module")
def schema() -> RecordSchema:
    return load_template(certificate_folder("professional-title")).schema


@pytest.fixture(scope="module")
def reader() -> Iterator[UploadReader]:
    with UploadReader(1) as made:
        yield made


@pytest.fixture(scope="module")
def faulty() -> Iterator[UploadReader]:
    """One whose processes can be brought down by a word in the file."""
    with UploadReader(1, limits_of=lambda _file, _photos: SMALL, wait_seconds=0.2, module=FAULTY) as made:
        yield made


def word(tmp_path: Path, text: str) -> Path:
    file = tmp_path / f"{text}.csv"
    file.write_text(text, encoding="ascii")
    return file


def good(tmp_path: Path, rows: int = 3) -> Path:
    return write_sheet(tmp_path / "good.csv", [person_row(number) for number in range(rows)])


def helper_of(reader: UploadReader) -> int:
    process = reader._helpers[0]._process
    assert process is not None
    return process.pid


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def eventually(is_so: object, seconds: float = 30) -> None:
    assert callable(is_so)
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


# ---- as in place ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sheet", "photos", "template"),
    [(SAMPLE, PHOTOS, "professional-title"), (SAMPLE, "", "professional-title"), ("training-12.xlsx", "", "training")],
)
def test_the_samples_give_what_they_give_in_place(reader: UploadReader, sheet: str, photos: str, template: str) -> None:
    of_template = load_template(certificate_folder(template)).schema
    file, archive = sample_folder() / sheet, sample_folder() / photos if photos else None

    here = HERE.read(file, of_template, photos=archive, today=TODAY)
    there = reader.read(file, of_template, photos=archive, today=TODAY)

    assert there == here
    assert bool(photos) == any(record.photo for record in there.records)


def test_the_notices_sheets_give_what_they_give_in_place(
    reader: UploadReader, schema: RecordSchema, shared: Path
) -> None:
    files = [file for file in sorted(shared.rglob("*")) if file.suffix in {".xlsx", ".csv", ".xls"}][:12]
    assert files
    for file in files:
        assert outcome(reader, file, schema) == outcome(HERE, file, schema), file.name


def outcome(reader: object, file: Path, schema: RecordSchema) -> object:
    try:
        return reader.read(file, schema, photos=None, today=TODAY)  # type: ignore[attr-defined] # either reader
    except Error as error:
        return type(error), error.en, error.zh


def test_a_photo_that_several_rows_share_is_sent_once(reader: UploadReader, schema: RecordSchema) -> None:
    file, archive = sample_folder() / SAMPLE, sample_folder() / PHOTOS

    there = reader.read(file, schema, photos=archive, today=TODAY)

    by_person: dict[str, set[int]] = {}
    for record in there.records:
        by_person.setdefault(record.holder.id_number, set()).add(id(record.photo))
    assert all(len(photos) == 1 for photos in by_person.values())


def test_a_copy_is_the_one_made_in_place(reader: UploadReader, schema: RecordSchema, tmp_path: Path) -> None:
    rows = [person_row(1), person_row(2)]
    rows[1][0] = ""
    file = write_book(tmp_path / "rows.xlsx", rows)
    checked = HERE.read(file, schema, photos=None, today=TODAY)

    here = HERE.annotate(file, checked, to=tmp_path / "here.xlsx")
    there = reader.annotate(file, checked, to=tmp_path / "there.xlsx")

    assert there == here
    assert cells(tmp_path / "there.xlsx") == cells(tmp_path / "here.xlsx")
    assert (tmp_path / "there.xlsx").stat().st_mode & 0o077 == 0
    with pytest.raises(NotXlsxName):
        reader.annotate(file, checked, to=tmp_path / "there.csv")


def cells(path: Path) -> list[object]:
    return [cell.value for page in load_workbook(path) for row in page.iter_rows() for cell in row]


def test_a_refusal_is_the_one_of_intake(reader: UploadReader, schema: RecordSchema, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "page.xls").write_text("<html></html>", encoding="ascii")
    (tmp_path / "none.csv").write_text("a,b\n1,2\n", encoding="ascii")
    unsafe = rezip(write_book(tmp_path / "unsafe.xlsx", [person_row(1)]), {"xl/x.xml": b"<!DOCTYPE a><a/>"})
    expected = {"empty.csv": EmptyFile, "page.xls": WebPage, "none.csv": NoHeaderRow, unsafe.name: UnsafeWorkbook}
    for name, kind in expected.items():
        refused = outcome(reader, tmp_path / name, schema)
        assert refused == outcome(HERE, tmp_path / name, schema)
        assert isinstance(refused, tuple)
        assert refused[0] is kind


def test_helpers_end_with_a_reader_that_nobody_closed(tmp_path: Path, schema: RecordSchema) -> None:
    own = UploadReader()
    assert len(own.read(good(tmp_path), schema, photos=None, today=TODAY).records) == 3
    process = own._helpers[0]._process
    assert process is not None
    del own
    gc.collect()
    assert process.returncode is not None


# ---- what brings a process down ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["abort", "segv", "exit", "lie", "raise", "write"])
def test_a_file_that_brings_its_process_down_is_refused_and_the_next_is_read(
    faulty: UploadReader, schema: RecordSchema, tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ReaderDied) as died:
        faulty.read(word(tmp_path, fault), schema, photos=None, today=TODAY)

    assert f"{fault}.csv" in died.value.zh
    assert "330299" not in caplog.text + died.value.en
    assert "brought its reader down" in caplog.text
    assert len(faulty.read(good(tmp_path), schema, photos=None, today=TODAY).records) == 3
    assert children_of(helper_of(faulty)) == []
    written = tmp_path / "write.written"
    assert not written.exists() or written.stat().st_size == 0


def test_memory_has_an_end(faulty: UploadReader, schema: RecordSchema, tmp_path: Path) -> None:
    with pytest.raises(FileTooLarge) as refused:
        faulty.read(word(tmp_path, "memory"), schema, photos=None, today=TODAY)
    assert "400 MB" in refused.value.en


def test_processor_time_has_an_end(faulty: UploadReader, schema: RecordSchema, tmp_path: Path) -> None:
    with pytest.raises(ReaderTooSlow):
        faulty.read(word(tmp_path, "spin"), schema, photos=None, today=TODAY)


@pytest.mark.parametrize("fault", ["sleep", "stay"])
def test_time_has_an_end_that_a_process_cannot_put_off(schema: RecordSchema, tmp_path: Path, fault: str) -> None:
    short = replace(SMALL, wall_seconds=1)
    with UploadReader(1, limits_of=lambda _file, _photos: short, module=FAULTY) as reader:
        with pytest.raises(ReaderTooSlow):
            reader.read(word(tmp_path, fault), schema, photos=None, today=TODAY)
        assert children_of(helper_of(reader)) == []


def test_a_legal_file_that_needs_more_memory_than_it_may_have_is_refused(schema: RecordSchema, tmp_path: Path) -> None:
    file = write_book(tmp_path / "big.xlsx", [person_row(number) for number in range(8_000)])
    small = write_book(tmp_path / "small.xlsx", [person_row(1)])
    tiny = replace(SMALL, memory_bytes=12_000_000, cpu_seconds=60)
    with UploadReader(1, limits_of=lambda _file, _photos: tiny) as reader:
        with pytest.raises((FileTooLarge, ReaderDied)):
            reader.read(file, schema, photos=None, today=TODAY)
        assert len(reader.read(small, schema, photos=None, today=TODAY).records) == 1


def test_nothing_is_left_in_the_folder_for_temporary_files(
    reader: UploadReader, schema: RecordSchema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_book(tmp_path / "rows.xlsx", [person_row(number) for number in range(50)])
    checked = HERE.read(file, schema, photos=None, today=TODAY)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))  # where the service makes its folders

    reader.annotate(file, checked, to=tmp_path / "copy.xlsx")
    brief = Limits(memory_bytes=400_000_000, cpu_seconds=60, wall_seconds=1)
    many = write_book(tmp_path / "many.xlsx", [person_row(number) for number in range(4_000)])
    checked = HERE.read(many, schema, photos=None, today=TODAY)
    with UploadReader(1, limits_of=lambda _file, _photos: brief) as small, pytest.raises(ReaderTooSlow):
        small.annotate(many, checked, to=tmp_path / "none.xlsx")

    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "none.xlsx").exists()


def test_only_so_many_are_read_at_once_and_the_others_are_sent_away(
    faulty: UploadReader, schema: RecordSchema, tmp_path: Path
) -> None:
    slow, ended = word(tmp_path, "spin"), []

    def read_slowly() -> None:
        with pytest.raises(ReaderTooSlow):
            faulty.read(slow, schema, photos=None, today=TODAY)
        ended.append(True)

    thread = threading.Thread(target=read_slowly)
    thread.start()
    eventually(faulty._free.empty)
    with pytest.raises(IntakeBusy):
        faulty.read(good(tmp_path), schema, photos=None, today=TODAY)
    thread.join()

    assert ended == [True]
    assert faulty.read(good(tmp_path), schema, photos=None, today=TODAY).row_count == 3


def test_a_helper_that_was_killed_is_started_again(faulty: UploadReader, schema: RecordSchema, tmp_path: Path) -> None:
    faulty.read(good(tmp_path), schema, photos=None, today=TODAY)
    before = helper_of(faulty)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not _runs(before))

    assert faulty.read(good(tmp_path), schema, photos=None, today=TODAY).row_count == 3
    assert helper_of(faulty) != before


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def test_helper_and_child_end_with_the_service_however_it_ends(tmp_path: Path) -> None:
    program = f"""
import threading
from datetime import date
from pathlib import Path
from press.template_file import load_template
from service.reading import UploadReader
from templates import certificate_folder
schema = load_template(certificate_folder("professional-title")).schema
reader = UploadReader(1, module="{FAULTY}")
reader.read(Path({str(good(tmp_path))!r}), schema, photos=None, today=date(2026, 11, 22))
print(reader._helpers[0]._process.pid, flush=True)
reader.read(Path({str(word(tmp_path, "stay"))!r}), schema, photos=None, today=date(2026, 11, 22))
"""
    environ = {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environ) as service:
        assert service.stdout is not None
        helper = int(service.stdout.readline())
        eventually(lambda: children_of(helper) != [])
        child = children_of(helper)[0]
        service.kill()

    eventually(lambda: not _runs(helper) and not _runs(child))


def test_a_helper_has_one_thread_and_no_secrets(
    schema: RecordSchema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", "a secret of the service")
    with UploadReader(1) as reader:
        reader.read(good(tmp_path), schema, photos=None, today=TODAY)
        process = Path(f"/proc/{helper_of(reader)}")

        assert len(list((process / "task").iterdir())) == 1  # it forks
        assert b"secret" not in (process / "environ").read_bytes()


def test_a_child_is_limited_for_good(schema: RecordSchema, tmp_path: Path) -> None:
    limits = Limits(memory_bytes=400_000_000, cpu_seconds=7, wall_seconds=60)
    with UploadReader(1, limits_of=lambda _file, _photos: limits, module=FAULTY) as reader:
        reader.read(good(tmp_path), schema, photos=None, today=TODAY)
        helper = helper_of(reader)
        thread = threading.Thread(target=outcome, args=(reader, word(tmp_path, "sleep"), schema))
        thread.start()
        eventually(lambda: children_of(helper) != [])
        child = children_of(helper)[0]
        eventually(lambda: prlimit(child, RLIMIT_NPROC) == (0, 0))  # the last that is set; binds all but root

        assert prlimit(child, RLIMIT_CORE) == (0, 0)
        assert prlimit(child, RLIMIT_FSIZE) == (0, 0)
        assert prlimit(child, RLIMIT_CPU) == (7, 9)
        assert 400_000_000 < prlimit(child, RLIMIT_AS)[1] < 1_500_000_000
        assert Path(f"/proc/{child}/oom_score_adj").read_text("ascii") == "1000\n"
        reader.close()  # while it reads
        thread.join()
        assert not _runs(child)


def test_limits_grow_with_what_was_sent(tmp_path: Path) -> None:
    sheet, photos = good(tmp_path), tmp_path / "photos.zip"
    photos.write_bytes(bytes(30_000_000))

    alone, both = usual_limits(sheet, None), usual_limits(sheet, photos)

    assert both.memory_bytes == alone.memory_bytes + 60_000_000
    assert both.cpu_seconds == alone.cpu_seconds + 30
