import datetime as dt
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped] # it has no types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook  # type: ignore[import-untyped] # it has no types

from credential.problem import RowOutcome
from credential.schema import RecordSchema
from intake import marked_copy, read_records
from intake.annotate import annotate
from intake.annotated import CopyKind
from intake.cell_text import is_formula_like
from intake.headings import RESULT_HEADING
from intake.sentences import NOT_ROWS
from tests.intake.copies import GREEN, RED, YELLOW, Make, broken, judge, values
from tests.intake.samples import REVIEW, TODAY, full_schema, review_row, sheet_of


@pytest.fixture
def good(make_xlsx: Make) -> Path:
    return make_xlsx({"表": sheet_of([review_row(1), review_row(3, 身份证号="123"), review_row(5)])})


def test_a_bad_cell_has_a_colour_and_a_comment_and_its_row_a_sentence(good: Path, schema: RecordSchema) -> None:
    result, to, made = judge(good, schema)
    page = load_workbook(to)["表"]
    last = len(REVIEW) + 1

    assert made.kind is CopyKind.COPY
    assert [page.cell(row, last).value.split("\n")[0][:4] for row in (2, 3, 4)] == ["可以出证", "不能出证", "可以出证"]
    assert page.cell(1, last).value == RESULT_HEADING
    cell = page["C3"]
    assert cell.fill.fgColor.rgb == page.cell(3, last).fill.fgColor.rgb == RED
    (problem,) = [one for one in result.problems if one.row == 3 and one.outcome is RowOutcome.ERROR]
    assert cell.comment.text.startswith(f"错误: {problem.zh}\n")
    assert f"error: {problem.en}" in cell.comment.text
    assert problem.zh in page.cell(3, last).value
    assert problem.en in page.cell(3, last).value


def test_every_problem_of_the_samples_stands_at_its_own_cell_and_no_other_is_marked(
    shared: Path, tmp_path: Path, schema: RecordSchema
) -> None:
    for name in ("dirty-30", "exchange-200", "review-500"):
        source = shared / f"data/{name}.xlsx"
        result = read_records(source, schema, photos=None, today=TODAY)
        to = tmp_path / f"{name}.xlsx"
        assert annotate(source, result, to=to).kind is CopyKind.COPY
        page = load_workbook(to)[result.sheet]
        expected = {f"{one.column}{one.row}" for one in result.problems if one.column and one.row}
        headings = {cell.column for cell in page[result.header_row] if cell.value == RESULT_HEADING}
        marked = {
            cell.coordinate for row in page.iter_rows() for cell in row if cell.comment and cell.column not in headings
        }
        assert marked == expected
        for one in result.problems:
            if one.column:
                assert one.zh in page[f"{one.column}{one.row}"].comment.text


def test_every_data_row_has_a_sentence_and_no_other_row(shared: Path, tmp_path: Path, schema: RecordSchema) -> None:
    source = shared / "data/dirty-30.xlsx"
    result = read_records(source, schema, photos=None, today=TODAY)
    annotate(source, result, to=tmp_path / "copy.xlsx")
    page = load_workbook(tmp_path / "copy.xlsx")[result.sheet]
    (column,) = [cell.column for cell in page[result.header_row] if cell.value == RESULT_HEADING]
    said = {row: page.cell(row, column).value for row in range(1, page.max_row + 1) if page.cell(row, column).value}
    accepted = {record.row for record in result.records}
    passed_over = {one.row for one in result.problems if one.code in NOT_ROWS}

    assert set(said) == {result.header_row, *range(result.header_row + 1, result.header_row + 1 + result.row_count)}
    assert {row for row, text in said.items() if text.startswith("可以出证")} == accepted
    assert passed_over
    assert not passed_over & set(said)


@pytest.mark.parametrize("name", ["dirty-30", "exchange-200", "review-500"])
def test_no_value_of_a_sample_changes(shared: Path, tmp_path: Path, schema: RecordSchema, name: str) -> None:
    source = shared / f"data/{name}.xlsx"
    annotate(source, read_records(source, schema, photos=None, today=TODAY), to=tmp_path / "copy.xlsx")

    assert values(tmp_path / "copy.xlsx", without=RESULT_HEADING) == values(source)


CELL = (
    st.text(max_size=12)
    | st.sampled_from(
        ["=1+1", "+86", "-", "@x", "＝1", "\tx", "_x0041_", "_x005F_x0041_", " a ", "a\r\nb", "a\nb", "'x"]
    )
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(2199, 1, 1))  # noqa: DTZ001 - sheets know no time zones
    | st.dates(dt.date(1900, 3, 1), dt.date(2199, 1, 1))
    | st.none()
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.tuples(
        st.lists(st.lists(CELL, max_size=4), max_size=6),
        st.lists(st.lists(CELL, max_size=4), max_size=4),
        st.lists(CELL, max_size=3),
    ),
    options=st.fixed_dictionaries({"date_1904": st.booleans()}),
)
def test_every_value_of_every_sheet_is_what_it_was(
    tmp_path: Path,
    schema: RecordSchema,
    cells: tuple[list[list[object]], list[list[object]], list[object]],
    options: dict[str, bool],
) -> None:
    file = tmp_path / "rows.xlsx"
    extra, other, above = cells
    rows: list[list[object]] = [above, [*REVIEW, "甲", "乙", "丙", "丁"]]
    rows += [[*review_row(1 + 2 * number).values(), *more] for number, more in enumerate([[], *extra])]
    with xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd", **options}) as book:
        for name, lines in (("表", rows), ("其他", other)):
            page = book.add_worksheet(name)
            for number, row in enumerate(lines):
                for at, cell in enumerate(row):
                    page.write_string(number, at, cell) if isinstance(cell, str) else page.write(number, at, cell)
    to = tmp_path / "copy.xlsx"
    to.unlink(missing_ok=True)

    _, _, made = judge(file, schema)

    assert made.kind is CopyKind.COPY, made.notes
    assert values(to, without=RESULT_HEADING) == values(file)
    read = load_workbook(to)
    for page in read.worksheets:
        for row in page.iter_rows():
            for one in row:
                assert one.data_type != "f"
                assert one.quotePrefix or not (isinstance(one.value, str) and is_formula_like(one.value))


def test_the_looks_of_the_sheet_stay(tmp_path: Path, schema: RecordSchema) -> None:
    file = tmp_path / "rows.xlsx"
    with xlsxwriter.Workbook(file) as book:
        page = book.add_worksheet("表")
        blue = book.add_format({"bg_color": "#0000FF", "bold": True, "num_format": "yyyy年m月"})
        page.merge_range("A1:K1", "评审结果汇总表", blue)
        page.merge_range("A2:K2", "单位名称", blue)
        for at, cell in enumerate(REVIEW):
            page.write_string(2, at, cell, blue)
        for at, cell in enumerate(review_row(1, 身份证号="1").values()):
            page.write_string(3, at, cell)
        page.set_column("B:D", 33)
        page.set_row(0, 44)
        page.set_row(4, None, None, {"hidden": True})
        page.freeze_panes(3, 1)
        page.autofilter(2, 0, 3, 10)
        for at, cell in enumerate(review_row(3).values()):
            page.write_string(4, at, cell)
        page.write_comment("A4", "请王科长核对", {"author": "科室"})
        book.add_worksheet("说明").write_string("B2", "填表说明")

    result, to, made = judge(file, schema)
    read = load_workbook(to)
    page = read["表"]

    assert (made.kind, made.notes) == (CopyKind.COPY, ())
    assert read.sheetnames == ["表", "说明"]
    assert read["说明"]["B2"].value == "填表说明"
    assert {str(one) for one in page.merged_cells.ranges} == {"A1:K1", "A2:K2"}
    assert page["A1"].fill.fgColor.rgb == "FF0000FF"
    assert page["A3"].number_format == "yyyy年m月"
    assert page.column_dimensions["B"].width == pytest.approx(33.7, abs=0.1)
    assert page.row_dimensions[1].height == pytest.approx(44, abs=0.5)
    assert page.row_dimensions[5].hidden
    assert page.freeze_panes == "B4"
    assert page.auto_filter.ref == "A3:K4"
    assert page["A4"].comment.text == "请王科长核对"
    assert page["L3"].value == RESULT_HEADING
    assert page["L4"].value.startswith("不能出证")
    assert page["L5"].value.startswith("可以出证; 有 2 项提示请核对: 该行在表格中被隐藏")
    assert page["C4"].fill.fgColor.rgb == RED
    assert result.header_row == 3


def test_a_comment_of_the_clerk_stays_above_ours(tmp_path: Path, schema: RecordSchema) -> None:
    file = tmp_path / "rows.xlsx"
    with xlsxwriter.Workbook(file) as book:
        page = book.add_worksheet("表")
        for number, row in enumerate(sheet_of([review_row(1, 身份证号="1")])):
            for at, cell in enumerate(row):
                page.write_string(number, at, cell)
        page.write_comment("C2", "已打电话询问")
    _, to, _ = judge(file, schema)

    assert load_workbook(to)["表"]["C2"].comment.text.startswith("已打电话询问\n\n错误: ")


def test_several_problems_of_one_cell_share_one_comment_with_the_worst_colour(
    make_xlsx: Make, schema: RecordSchema
) -> None:
    file = make_xlsx({"表": sheet_of([review_row(1), review_row(1, 身份证号=review_row(1)["身份证号"] + " ")])})
    result, to, _ = judge(file, schema)
    there = [one for one in result.problems if (one.row, one.column) == (3, "C")]
    cell = load_workbook(to)["表"]["C3"]

    assert {one.outcome for one in there} == {RowOutcome.ERROR, RowOutcome.WARNING}
    assert all(one.zh in cell.comment.text and one.en in cell.comment.text for one in there)
    assert cell.comment.text.startswith("错误: ")
    assert cell.fill.fgColor.rgb == RED


def test_a_problem_under_a_merged_area_is_told_at_its_first_cell(tmp_path: Path, schema: RecordSchema) -> None:
    file = tmp_path / "rows.xlsx"
    with xlsxwriter.Workbook(file) as book:
        page = book.add_worksheet("表")
        for number, row in enumerate(sheet_of([review_row(1), review_row(3)])):
            for at, cell in enumerate(row):
                if (number, at) != (2, 0):
                    page.write_string(number, at, cell)
        page.merge_range("A2:A3", "张三")
    _, to, made = judge(file, schema)
    page = load_workbook(to)["表"]

    assert made.kind is CopyKind.COPY
    assert page["A2"].comment.text.startswith("A3 错误: 缺少姓名")
    assert page["L3"].value.startswith("不能出证: A列“姓名”缺少姓名")


def test_only_so_many_comments_are_written_and_errors_come_first(
    make_xlsx: Make, schema: RecordSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marked_copy, "MAX_COMMENTS", 1)
    file = make_xlsx({"表": sheet_of([review_row(1, 姓名="张 三三"), review_row(3, 身份证号="1")])})
    _, to, made = judge(file, schema)
    page = load_workbook(to)["表"]

    assert page["C3"].comment is not None
    assert [page[place].comment for place in ("A2", "C2")] == [None, None]
    assert page["A2"].fill.fgColor.rgb == YELLOW
    assert "批注只写到前 1 格" in made.notes[0].zh


def test_what_concerns_the_whole_file_stands_at_the_heading_of_the_column(shared: Path, tmp_path: Path) -> None:
    source = shared / "data/review-500.xlsx"
    result = read_records(source, full_schema(), photos=None, today=TODAY)
    annotate(source, result, to=tmp_path / "copy.xlsx")
    heading = load_workbook(tmp_path / "copy.xlsx")[result.sheet]["M1"]

    assert heading.value == RESULT_HEADING
    assert heading.comment.text.startswith("500 行可以出证, 0 行不能出证")
    assert "没有提供照片压缩包" in heading.comment.text


def test_the_copy_corrected_and_sent_back_gives_every_record_and_no_old_mark(good: Path, schema: RecordSchema) -> None:
    _, first, _ = judge(broken(good, "E3", "专业?"), schema)
    book = load_workbook(first)
    assert book["表"]["E3"].fill.fgColor.rgb == RED
    book["表"]["C3"].value = review_row(3)["身份证号"]
    book["表"]["E3"].value = "机械工程"
    second = good.with_name("second.xlsx")
    book.save(second)
    result, last, made = judge(second, schema, name="third.xlsx")
    page = load_workbook(last)["表"]

    assert len(result.records) == 3
    assert not [one for one in result.problems if RESULT_HEADING in one.zh]
    assert made.kind is CopyKind.COPY
    assert page["E3"].fill.fill_type is None
    assert page["E3"].comment is None
    assert [cell.value for cell in page[1]].count(RESULT_HEADING) == 1
    assert page["L3"].value.startswith("可以出证")
    assert page["L3"].fill.fgColor.rgb in {GREEN, YELLOW}


def test_a_row_in_which_only_our_sentence_is_left_is_blank(good: Path, schema: RecordSchema) -> None:
    _, first, _ = judge(good, schema)
    book = load_workbook(first)
    for cell in book["表"][3][:-1]:
        cell.value = None
    book.save(first)

    assert read_records(first, schema, photos=None, today=TODAY).row_count == 2
