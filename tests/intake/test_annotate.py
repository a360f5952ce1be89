import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook  # type: ignore[import-untyped] # it has no types

from credential.schema import RecordSchema
from intake import annotate as annotating
from intake import error_list, read_records
from intake.annotate import annotate
from intake.annotated import CopyKind
from intake.cell_text import is_formula_like
from intake.errors import FileExists, NotXlsxName, UnwritableFile
from intake.headings import RESULT_HEADING
from tests.intake.copies import Make, judge, listed, values
from tests.intake.samples import TODAY, exchange_row, review_row, rezip, sheet_of


@pytest.fixture
def good(make_xlsx: Make) -> Path:
    return make_xlsx({"表": sheet_of([review_row(1), review_row(3, 身份证号="123"), review_row(5)])})


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8-sig", ","), ("gb18030", ";"), ("utf-8", "\t")])
def test_a_text_file_gives_a_list_with_row_column_heading_value_and_cure(
    make_csv: Make, schema: RecordSchema, encoding: str, delimiter: str
) -> None:
    rows = [review_row(1), review_row(3, 姓名="=1+1", 身份证号="一二三")]
    result, to, made = judge(make_csv(rows, encoding=encoding, delimiter=delimiter), schema)

    assert made.kind is CopyKind.LIST
    assert "文本文件" in made.notes[0].zh
    lines = listed(to)
    assert len(lines) == len(result.problems)
    number = next(line for line in lines if line[:2] == (3, "C"))
    assert number[2:4] == ("身份证号", "一二三")
    assert [number[at] for at in (5, 6, 7)] == next(
        [one.zh, one.en, one.code] for one in result.problems if one.column == "C" and one.row == 3
    )
    names = [line[3] for line in lines if line[:2] == (3, "A")]
    assert all(one == "'=1+1" for one in names)


def test_more_rows_than_the_limit_give_a_list(
    good: Path, schema: RecordSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotating, "MAX_COPIED_ROWS", 2)
    result, to, made = judge(good, schema)

    assert made.kind is CopyKind.LIST
    assert "3 行超过 2 行" in made.notes[0].zh
    assert [(line[0] or 0, line[7]) for line in listed(to)] == [(one.row, one.code) for one in result.problems]
    assert load_workbook(to)[error_list.NOTE_SHEET]["A1"].value == made.notes[0].zh


def test_a_list_is_cut_at_its_limit_and_says_so(
    good: Path, schema: RecordSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotating, "MAX_COPIED_ROWS", 2)
    monkeypatch.setattr(error_list, "MAX_LISTED", 1)
    result, to, made = judge(good, schema)

    assert len(listed(to)) == 1
    assert f"另有 {len(result.problems) - 1} 项未列出" in made.notes[-1].zh


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5))
def test_a_list_of_any_text_can_be_read_by_both_readers(
    make_csv: Make, schema: RecordSchema, names: Sequence[str]
) -> None:
    rows: Sequence[Mapping[str, Any]] = [exchange_row(1), *(exchange_row(3, 姓名=name, 备注=name) for name in names)]
    file = make_csv([{key: _one_line(value) for key, value in row.items()} for row in rows])
    file.with_name("copy.xlsx").unlink(missing_ok=True)
    _, to, _ = judge(file, schema)

    cells = [cell for line in listed(to) for cell in line]
    assert cells
    assert not any(isinstance(cell, str) and is_formula_like(cell) for cell in cells)
    assert values(to)


def _one_line(text: str) -> str:
    return "".join(char for char in text if char.isprintable()) or "空"


@pytest.mark.parametrize(
    "change",
    [
        (b'<c r="A2" t="s">', b'<c r="A2" t="s" s="999">'),  # a style that is not there
        (b'<c r="A2" t="s"><v>11</v></c>', b'<c r="A2" t="b"><v>true</v></c>'),  # openpyxl knows 0 and 1 only
        (b'<c r="A2" t="s"><v>11</v></c>', b'<c r="A2" t="d"><v>2026-01-01T00:00:00</v></c>'),
    ],
)
def test_a_workbook_that_openpyxl_reads_otherwise_gives_a_list(
    good: Path, schema: RecordSchema, change: tuple[bytes, bytes]
) -> None:
    part = zipfile.ZipFile(good).read("xl/worksheets/sheet1.xml")
    assert change[0] in part
    rezip(good, {"xl/worksheets/sheet1.xml": part.replace(*change)})
    result, to, made = judge(good, schema)

    if made.kind is CopyKind.COPY:
        assert values(to, without=RESULT_HEADING) == values(good)
    else:
        assert "无法带格式复制" in made.notes[0].zh
        assert len(listed(to)) == len(result.problems)


def test_a_copy_whose_values_are_not_the_same_is_never_given_out(
    good: Path, schema: RecordSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotating, "read_values", lambda _: {"表": [["别的"]]})
    _, _, made = judge(good, schema)

    assert made.kind is CopyKind.LIST
    assert "“表”的内容无法原样保留" in made.notes[0].zh


def test_the_copy_is_readable_for_its_owner_only_and_overwrites_nothing(good: Path, schema: RecordSchema) -> None:
    result, to, _ = judge(good, schema)
    before = to.read_bytes()

    assert to.stat().st_mode & 0o777 == 0o600
    for target, fault in ((to, FileExists), (good, FileExists), (good.with_name("a.xls"), NotXlsxName)):
        with pytest.raises(fault):
            annotate(good, result, to=target)
    with pytest.raises(UnwritableFile):
        annotate(good, result, to=good.parent / "none" / "copy.xlsx")
    assert to.read_bytes() == before


def test_a_copy_that_appears_meanwhile_is_not_overwritten(
    good: Path, schema: RecordSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = read_records(good, schema, photos=None, today=TODAY)
    to = good.with_name("copy.xlsx")
    monkeypatch.setattr(annotating, "refuse_target", lambda _: to.write_bytes(b"mine"))

    with pytest.raises(FileExists):
        annotate(good, result, to=to)
    assert to.read_bytes() == b"mine"


def test_a_half_written_copy_does_not_stay(good: Path, schema: RecordSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def write(self, _: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", lambda *_: FullDisk())
    with pytest.raises(UnwritableFile, match="No space left"):
        judge(good, schema)
    assert not good.with_name("copy.xlsx").exists()
