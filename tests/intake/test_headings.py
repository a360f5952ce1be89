from collections.abc import Callable
from pathlib import Path

import pytest

from credential.schema import RecordSchema
from intake import read_records
from intake.errors import DuplicateHeading, NoHeaderRow
from intake.headings import HEADER_SEARCH_ROWS, Headings, fold_heading
from intake.workbook import Cell, Table
from tests.intake.samples import REVIEW, TODAY, review_row, sheet_of

Make = Callable[..., Path]


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("姓 名", "姓名"),
        ("级\u3000别", "级别"),
        ("身份证\n号码", "身份证号码"),
        ("备 \r\n 注\u200b", "备注"),
        ("ＩＤ　Ｎｕｍｂｅｒ", "id number"),
        ("证书编号（原）", "证书编号(原)"),
    ],
)
def test_spaces_breaks_width_and_case_of_headings_do_not_count(written: str, plain: str) -> None:
    assert fold_heading(written) == fold_heading(plain)


def test_the_header_row_is_the_first_with_the_most_headings(schema: RecordSchema) -> None:
    titles: list[list[Cell]] = [["2026年评审"], ["姓名和单位"], ["姓名", "级别"]]
    header = Headings(schema).read("x", Table("", [*titles, [*REVIEW], [*REVIEW]]))
    assert (header.row, header.columns["series"], header.printed[3]) == (4, 3, "系列名称")


def test_a_header_row_too_far_down_is_not_looked_for(schema: RecordSchema) -> None:
    rows: list[list[Cell]] = [["说明"]] * HEADER_SEARCH_ROWS
    with pytest.raises(NoHeaderRow, match="姓名"):
        Headings(schema).read("x", Table("", [*rows, [*REVIEW]]))


def test_two_columns_for_one_field_are_refused_by_letter_and_heading(make_xlsx: Make, schema: RecordSchema) -> None:
    file = make_xlsx({"表": sheet_of([{**review_row(1), "发证时间": "2026-01-01"}])})
    with pytest.raises(DuplicateHeading, match="J 取得资格时间, L 发证时间"):
        read_records(file, schema, photos=None, today=TODAY)


def test_columns_that_nobody_reads_are_warned_of(make_xlsx: Make, schema: RecordSchema) -> None:
    rows = sheet_of([{**review_row(1), "": "悄悄话", "学 历": "博士"}])
    result = read_records(make_xlsx({"表": rows}), schema, photos=None, today=TODAY)
    warned = [(one.row, one.column, one.field, one.code) for one in result.problems if one.row == 1]
    assert warned == [(1, "L", "", "column-without-heading"), (1, "M", "学历", "unknown-column")]
    assert len(result.records) == 1


def test_result_says_which_heading_each_field_was_read_from(make_xlsx: Make, schema: RecordSchema) -> None:
    rows = [["名单"], *sheet_of([review_row(1)])]
    rows[1][2] = "公民\n身份号码"
    result = read_records(make_xlsx({"表": rows}), schema, photos=None, today=TODAY)
    assert result.headings["id_number"] == ("C", "公民身份号码")
    assert result.header_row == 2
