import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.model import DocumentType
from credential.schema import PARAGRAPH_MARK, Field, FieldKind
from intake.findings import Reading
from intake.persons import IdReadings, read_document_type, read_name, read_other_number
from intake.values import (
    read_certificate_number,
    read_date,
    read_document_number,
    read_remark,
    read_text,
    read_word,
    reader_of,
)
from intake.workbook import Cell
from tests.intake.samples import TODAY, id_number


def codes(reading: Reading) -> list[str]:
    return [one.code for one in reading.findings]


@pytest.mark.parametrize(
    ("cell", "value", "code"),
    [
        ("  机械工程\u3000", "机械工程", None),
        ("机械\r\n工程", "机械工程", "line-break-removed"),
        ("李䶮\U0003134a", "李䶮\U0003134a", None),
        ("\U00031350\n甲", "\U00031350甲", "line-break-removed"),
        ("机械?", "", "lost-character"),
        ("机械\ufffd", "", "lost-character"),
        ("机械\ue000", "", "lost-character"),
        ("机械\x07", "", "lost-character"),
        ("机械\u202e", "", "lost-character"),
        ("#REF!", "", "cell-error"),
        ("C#", "C#", None),
        (12.0, "12", "number-as-text"),
        (1.5, "", "number-precision-lost"),
        (6.4e17, "", "number-precision-lost"),
        (True, "", "not-text"),
        (dt.date(2018, 12, 1), "", "not-text"),
        ("", "", None),
    ],
)
def test_a_printed_text_is_kept_or_refused_never_mended(cell: Cell, value: str, code: str | None) -> None:
    reading = read_text(cell)
    assert (reading.value, codes(reading)) == (value, [code] if code else [])


@given(st.text(max_size=40))
def test_a_text_that_is_accepted_lost_nothing_but_space_around_its_lines(text: str) -> None:
    reading = read_text(text)
    if any(one.outcome == "error" for one in reading.findings):
        assert reading.value == ""
    else:
        assert "".join(reading.value.split()) == "".join(text.split())


@pytest.mark.parametrize("brackets", ["[]", "［］", "【】", "()", "（）", "〔〕"])
def test_brackets_around_the_year_of_a_document_become_one_form_and_the_raw_is_named(brackets: str) -> None:
    raw = f"示人社发{brackets[0]}2018{brackets[1]}211号"
    reading = read_document_number(raw)
    assert reading.value == "示人社发〔2018〕211号"
    assert codes(reading) == ([] if brackets == "〔〕" else ["document-number-normalised"])
    assert all(raw in one.zh and raw in one.en for one in reading.findings)


def test_other_brackets_of_a_document_number_stay() -> None:
    assert read_document_number("示人社(职)字12号") == Reading("示人社(职)字12号")


def test_certificate_numbers_are_folded_with_a_note_and_long_numbers_refused() -> None:
    assert (read_certificate_number("示Ｇ１８ 01").value, read_certificate_number("示G1801")) == (
        "示G1801",
        Reading("示G1801"),
    )
    assert codes(read_certificate_number(2.017011e11)) == ["number-as-text"]
    assert codes(read_certificate_number(2.0170110005112345e19)) == ["number-precision-lost"]


def test_words_lose_their_inner_spaces_and_remarks_keep_theirs() -> None:
    assert read_word("高级\u3000工程 师").value == "高级工程师"
    assert read_remark(" 离退休,  自愿?\n申请\x00 ").value == "离退休, 自愿? 申请"


@pytest.mark.parametrize("cell", [dt.date(2018, 12, 12), dt.datetime(2018, 12, 12, 9, 30), "2018-12-12"])  # noqa: DTZ001 - cells have no zone
def test_a_true_date_cell_is_read_as_it_is(cell: Cell) -> None:
    assert read_date(cell, today=TODAY) == Reading("2018-12-12")


@pytest.mark.parametrize("cell", [dt.time(1), dt.timedelta(3), True])
def test_times_and_truths_are_no_dates(cell: Cell) -> None:
    assert codes(read_date(cell, today=TODAY)) == ["date-not-understood"]


@pytest.mark.parametrize(
    "cell", [6.40499196401087e17, 330299198604120173, "3.30299E+17", "３.30299e17", dt.date(2018, 1, 1)]
)
def test_a_number_that_a_spreadsheet_spoilt_is_refused_never_repaired(cell: Cell) -> None:
    reading = IdReadings(TODAY)[cell]
    assert (reading.number, reading.sex, [one.code for one in reading.findings]) == ("", "", ["id-stored-as-number"])


def test_the_warning_of_a_region_is_shared_by_its_people() -> None:
    readings = IdReadings(TODAY)
    first, second = readings[id_number(1)], readings[id_number(2)]
    assert first.findings[0] is second.findings[0]
    assert (first.sex, second.sex) == ("男", "女")
    assert IdReadings(TODAY)["11010519491231002X"].findings == ()


@given(st.text(max_size=24) | st.floats() | st.booleans() | st.dates())
def test_any_cell_is_a_number_or_refused_or_empty(cell: Cell) -> None:
    for reading in (IdReadings(TODAY)[cell], read_other_number(cell, DocumentType.PASSPORT)):
        refused = any(one.outcome == "error" for one in reading.findings)
        assert not (refused and reading.number)
    assert isinstance(read_name(cell).value, str)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [("", "111"), ("居民身份证", "111"), (414.0, "414"), ("台湾居民来往大陆通行证", "511"), ("999", "999")],
)
def test_kinds_of_documents_are_known_by_name_and_code(cell: Cell, kind: str) -> None:
    assert read_document_type(cell) == Reading(kind)


def test_each_line_of_a_long_text_is_a_paragraph_and_empty_ones_go() -> None:
    field = Field("content", FieldKind.LONG_TEXT, "课程内容", "content", max_length=40)
    read = reader_of(field, today=TODAY, dates_from_1904=False)

    assert read("第一单元 \r\n\n 第二单元").value == f"第一单元{PARAGRAPH_MARK}第二单元"
    assert read("只有一段").value == "只有一段"
    assert [one.code for one in read("一\n二?").findings] == ["lost-character"]
    assert [one.code for one in read("字" * 30 + "\n" + "字" * 30).findings] == ["too-long"]


@pytest.mark.parametrize(("cell", "value"), [(40, "40"), (40.0, "40"), (32.5, "32.5"), ("16", "16"), ("", "")])
def test_a_number_of_hours_is_read_without_a_word(cell: Cell, value: str) -> None:
    field = Field("hours", FieldKind.NUMBER, "学时", "hours")
    assert reader_of(field, today=TODAY, dates_from_1904=False)(cell) == Reading(value)


@pytest.mark.parametrize("cell", ["四十", "40学时", "-1", "1.", ".5", -3, True])
def test_what_is_no_number_of_hours_is_refused(cell: Cell) -> None:
    field = Field("hours", FieldKind.NUMBER, "学时", "hours")
    reading = reader_of(field, today=TODAY, dates_from_1904=False)(cell)
    assert any(one.outcome == "error" for one in reading.findings)
