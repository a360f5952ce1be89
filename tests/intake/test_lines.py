from collections.abc import Callable
from pathlib import Path

import pytest

from credential.schema import RecordSchema
from intake import IntakeResult, read_records
from tests.intake.samples import TODAY, review_row, sheet_of

Make = Callable[..., Path]


def read(make_xlsx: Make, schema: RecordSchema, rows: list[list[str]]) -> IntakeResult:
    return read_records(make_xlsx({"表": rows}), schema, photos=None, today=TODAY)


def skipped(result: IntakeResult) -> list[tuple[int, str]]:
    return [(one.row, one.code) for one in result.problems if one.outcome == "skipped"]


def test_titles_totals_and_signatures_are_skipped_and_blanks_not_mentioned(
    make_xlsx: Make, schema: RecordSchema
) -> None:
    table = sheet_of([review_row(1), review_row(3)])
    rows = [["标题"], [""], table[0], table[1], ["", "  "], table[2], ["合计", "2人"], ["联系电话：0000"]]
    result = read(make_xlsx, schema, rows)
    assert skipped(result) == [(1, "above-header"), (7, "note-line"), (8, "note-line")]
    assert [record.row for record in result.records] == [4, 6]
    assert result.row_count == 2


def test_a_repeated_header_is_skipped(make_xlsx: Make, schema: RecordSchema) -> None:
    table = sheet_of([review_row(1), review_row(3)])
    assert skipped(read(make_xlsx, schema, [table[0], table[1], table[0], table[2]])) == [(3, "repeated-header")]


@pytest.mark.parametrize("name", ["联系", "主管部门", "合计", "日期"])
def test_a_row_with_a_number_or_many_values_is_never_passed_over(
    make_xlsx: Make, schema: RecordSchema, name: str
) -> None:
    with_number = review_row(1, 姓名=name)
    without = review_row(3, 姓名=name, 身份证号="")
    result = read(make_xlsx, schema, sheet_of([with_number, without]))
    assert skipped(result) == []
    assert result.row_count == 2
    assert [(one.row, one.code) for one in result.problems if one.outcome == "error"] == [(3, "missing")]


def test_a_stray_text_that_is_no_known_note_is_an_error_not_silence(make_xlsx: Make, schema: RecordSchema) -> None:
    result = read(make_xlsx, schema, [*sheet_of([review_row(1)]), ["张三补报"]])
    assert {one.row for one in result.problems if one.outcome == "error"} == {3}


def test_a_cell_beside_the_table_is_warned_of(make_xlsx: Make, schema: RecordSchema) -> None:
    rows = sheet_of([review_row(1)])
    rows[1] = [*rows[1], "", "请核对"]
    result = read(make_xlsx, schema, rows)
    assert [(one.row, one.code) for one in result.problems if one.row == 2 and one.column == ""] == [
        (2, "cell-not-read")
    ]
    assert len(result.records) == 1
