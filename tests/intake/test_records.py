import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from credential.errors import InputError
from credential.model import DocumentType
from credential.problem import Problem, RowOutcome
from credential.schema import BadSchema, PhotoNeed, RecordSchema
from intake import IntakeResult, PhotoArchive, read_records
from intake.errors import MissingColumns, NoRows, SeveralSheets, UnknownShape, UnknownSheet, UnreadableFile
from intake.headings import fold_heading
from tests.intake.samples import (
    EXCHANGE,
    TODAY,
    exchange_row,
    id_number,
    jpeg_bytes,
    portrait,
    refusal_of,
    review_row,
    sheet_of,
)

RANK = ("ok", "warning", "skipped", "error")
EXPECTED_EVERYWHERE = "id-region-unknown"


def worst(outcomes: list[str]) -> str:
    return max(outcomes, key=RANK.index, default="ok")


def key_by_heading(schema: RecordSchema) -> dict[str, str]:
    return {fold_heading(name): one.key for one in schema.fields for name in (one.heading, *one.aliases)}


def outcomes(result: IntakeResult, schema: RecordSchema) -> dict[tuple[int, str], str]:
    """The worst outcome by row and field key; the warning that README expects everywhere is left out."""
    keys = key_by_heading(schema)
    found: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for one in result.problems:
        if one.code != EXPECTED_EVERYWHERE:
            found[one.row, keys[fold_heading(one.field)] if one.field else ""].append(one.outcome.value)
    return {place: worst(there) for place, there in found.items()}


def of(result: IntakeResult, outcome: RowOutcome) -> list[Problem]:
    return [one for one in result.problems if one.outcome is outcome]


def codes(result: IntakeResult, outcome: RowOutcome = RowOutcome.ERROR) -> list[tuple[int, str, str]]:
    return [(one.row, one.column, one.code) for one in of(result, outcome) if one.code != EXPECTED_EVERYWHERE]


# ---- the notices' sample sheets


def test_every_kind_of_dirt_gets_the_outcome_that_is_expected(shared: Path, schema: RecordSchema) -> None:
    result = read_records(shared / "data/dirty-30.xlsx", schema, photos=None, today=TODAY)
    keys = key_by_heading(schema)
    found = outcomes(result, schema)
    listed: set[tuple[int, str]] = set()
    with (shared / "data/dirty-30.expected.csv").open(encoding="utf-8-sig", newline="") as lines:
        for line in csv.DictReader(lines):
            place = int(line["row"]), keys[fold_heading(line["field"])] if line["field"] else ""
            listed.add(place)
            accepted = {line["expected"], *filter(None, line["also_accepted"].split("|"))}
            assert found.get(place, "ok") in accepted, (line, found.get(place))
    assert len(listed) == 36
    assert {place: one for place, one in found.items() if place not in listed and one != "ok"} == {}
    issued = {record.row for record in result.records}
    refused = {row for (row, _), one in found.items() if one in {"error", "skipped"}}
    assert issued == set(range(4, 34)) - refused
    # A warning for the unknown county code is expected on every row whose number could be read.
    unread = {5, 9, 10}
    assert {one.row for one in result.problems if one.code == EXPECTED_EVERYWHERE} == set(range(4, 34)) - unread


def test_dirt_that_is_accepted_is_cleaned_without_loss(shared: Path, schema: RecordSchema) -> None:
    result = read_records(shared / "data/dirty-30.xlsx", schema, photos=None, today=TODAY)
    records = {record.row: record for record in result.records}
    assert [records[row].holder.id_number for row in (6, 7, 8)] == [
        "640499196401019635",
        "640499197511025213",
        "64049919670325346X",
    ]
    dates = {row: records[row].fields["qualified_on"] for row in (4, 12, 13, 14, 15, 16, 17)}
    assert dates == {**dict.fromkeys((4, 12, 13, 14, 15, 16), "2018-12-12"), 17: "2018-12"}
    assert records[14].holder.name == "李\ufa19宇"
    assert [records[row].holder.name for row in (24, 25, 33)] == ["热娜古丽·卡米力", "木合塔尔·塔依尔", "张伟"]
    assert (records[4].fields["level"], records[4].holder.sex, records[4].fields["obtain_mode"]) == (
        "副高级",
        "女",
        "换发",
    )


def test_exchange_refuses_exactly_the_rows_that_the_notice_excludes(shared: Path, photo_schema: RecordSchema) -> None:
    data = shared / "data"
    result = read_records(
        data / "exchange-200.xlsx", photo_schema, photos=data / "exchange-200-photos.zip", today=TODAY
    )
    found = {
        row: outcome
        for (row, _), outcome in outcomes(result, photo_schema).items()
        if outcome != "warning" and 5 <= row <= 204
    }
    with (data / "exchange-200.expected.csv").open(encoding="utf-8-sig", newline="") as lines:
        assert found == {int(line["row"]): line["expected"] for line in csv.DictReader(lines)}
    assert len(result.records) == 195
    assert {record.row for record in result.records} == set(range(5, 205)) - set(found)
    assert codes(result, RowOutcome.WARNING) == []
    assert all(record.photo and record.photo.startswith(b"\xff\xd8\xff\xe0\x00\x10JFIF") for record in result.records)
    assert (result.shape, result.sheet, result.row_count, result.header_row) == ("exchange", "汇总表", 200, 4)
    assert result.headings["series"] == ("D", "系列名称")


def test_review_workbook_and_text_give_the_same_records_and_no_error(shared: Path, schema: RecordSchema) -> None:
    workbook, text = (
        read_records(shared / f"data/review-500.{ending}", schema, photos=None, today=TODAY)
        for ending in ("xlsx", "csv")
    )
    assert len(workbook.records) == 500
    assert workbook.records == text.records
    assert codes(workbook) == codes(text) == codes(workbook, RowOutcome.SKIPPED) == []
    assert (text.encoding, text.delimiter, text.sheet) == ("utf-8-sig", ",", "")


# ---- which sheet, which shape


def test_several_sheets_with_a_header_row_are_refused_unless_one_is_named(
    make_xlsx: Callable[..., Path], schema: RecordSchema
) -> None:
    rows = sheet_of([review_row()])
    file = make_xlsx({"甲": rows, "说明": [["填表说明"]], "乙": rows})
    with pytest.raises(SeveralSheets, match="甲, 乙"):
        read_records(file, schema, photos=None, today=TODAY)
    assert read_records(file, schema, photos=None, today=TODAY, sheet="乙").sheet == "乙"
    with pytest.raises(UnknownSheet, match="丙"):
        read_records(file, schema, photos=None, today=TODAY, sheet="丙")


def test_the_only_sheet_with_a_header_row_is_read_wherever_it_stands(
    make_xlsx: Callable[..., Path], schema: RecordSchema
) -> None:
    file = make_xlsx({"封面": [["评审结果"]], "名单": sheet_of([review_row()])})
    assert read_records(file, schema, photos=None, today=TODAY).sheet == "名单"


def test_headings_that_fit_no_shape_are_refused_and_the_shapes_named(
    make_csv: Callable[..., Path], schema: RecordSchema
) -> None:
    with pytest.raises(UnknownShape, match="评审组织"):
        read_records(make_csv([{"姓名": "张三", "身份证号": "1", "级别": "x"}]), schema, photos=None, today=TODAY)


def test_a_missing_required_column_is_refused_by_name(make_csv: Callable[..., Path], schema: RecordSchema) -> None:
    row = review_row()
    del row["专业名称"]
    with pytest.raises(MissingColumns, match="专业名称"):
        read_records(make_csv([row]), schema, photos=None, today=TODAY)


def test_a_header_without_rows_is_refused(make_xlsx: Callable[..., Path], schema: RecordSchema) -> None:
    with pytest.raises(NoRows):
        read_records(make_xlsx({"表": [list(review_row()), ["", " "]]}), schema, photos=None, today=TODAY)


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path, schema: RecordSchema) -> None:
    with pytest.raises(UnreadableFile):
        read_records(tmp_path / "none.xlsx", schema, photos=None, today=TODAY)


# ---- one row


@pytest.mark.parametrize(
    ("changes", "column", "code"),
    [
        ({"姓名": ""}, "A", "missing"),
        ({"姓名": "张?"}, "A", "name-lost-character"),
        ({"身份证号": ""}, "C", "missing"),
        ({"身份证号": "330299198604120174"}, "C", "id-number-check-digit"),
        ({"身份证号": "330299860412017"}, "C", "id-number-15-digits"),
        ({"身份证号": "3.30299E+17"}, "C", "id-stored-as-number"),
        ({"性别": "女"}, "B", "sex-contradicts-id-number"),
        ({"性别": "M"}, "B", "unknown-sex"),
        ({"系列名称": "铁路系列", "级别": ""}, "G", "level-needed"),
        ({"级别": "特级"}, "G", "unknown-level"),
        ({"级别": "中级"}, "G", "level-contradicts-title"),
        ({"资格名称": "超级工程师", "级别": ""}, "G", "level-needed"),
        ({"评审组织": "示例?委员会"}, "H", "lost-character"),
        ({"评审组织": "示例\ue863委员会"}, "H", "lost-character"),
        ({"评审组织": "委" * 61}, "H", "too-long"),
        ({"取得资格时间": "2026-02-30"}, "J", "date-does-not-exist"),
        ({"取得资格时间": "去年"}, "J", "date-not-understood"),
        ({"取得方式": "赠送"}, "K", "not-a-choice"),
    ],
)
def test_one_bad_cell_refuses_its_row_by_column_and_code(
    make_csv: Callable[..., Path], schema: RecordSchema, changes: dict[str, str], column: str, code: str
) -> None:
    result = read_records(make_csv([review_row(1, **changes), review_row(3)]), schema, photos=None, today=TODAY)
    assert codes(result) == [(2, column, code)]
    assert [record.row for record in result.records] == [3]
    (problem,) = of(result, RowOutcome.ERROR)
    assert problem.field == list(review_row())[ord(column) - ord("A")]
    assert problem.zh
    assert problem.en


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"系列名称": "铁路系列"}, "unknown-series"),
        ({"资格名称": "超级工程师"}, "unknown-title"),
        ({"批准文号": "示人社发[2026]18号"}, "document-number-normalised"),
        ({"取得资格时间": "2027-01-01"}, "date-in-future"),
        ({"姓名": "阿依努尔•买买提江"}, "name-separator"),
        ({"身份证号": id_number(1)[:17] + " " + id_number(1)[17:]}, "id-number-space"),
    ],
)
def test_what_is_odd_but_sure_is_accepted_with_a_warning(
    make_csv: Callable[..., Path], schema: RecordSchema, changes: dict[str, str], code: str
) -> None:
    result = read_records(make_csv([review_row(1, **changes)]), schema, photos=None, today=TODAY)
    assert [found for _, _, found in codes(result, RowOutcome.WARNING)] == [code]
    assert len(result.records) == 1


def test_sex_and_level_are_derived_where_the_sheet_has_none(
    make_csv: Callable[..., Path], schema: RecordSchema
) -> None:
    rows = [exchange_row(1), exchange_row(2, 资格名称="正高级工程师", 证书编号="示G9")]
    result = read_records(make_csv(rows), schema, photos=None, today=TODAY)
    assert [(one.holder.sex, one.fields["level"]) for one in result.records] == [("男", "副高级"), ("女", "正高级")]


def test_a_series_alias_becomes_the_name_of_the_table(make_csv: Callable[..., Path], schema: RecordSchema) -> None:
    result = read_records(make_csv([exchange_row()]), schema, photos=None, today=TODAY)
    assert result.records[0].fields["series"] == "工程技术人员"


def test_other_documents_than_the_resident_card_are_accepted_by_type(
    make_csv: Callable[..., Path], schema: RecordSchema
) -> None:
    rows = [
        {**review_row(1, 姓名="John Smith", 身份证号="e12345678"), "证件类型": "护照"},
        {**review_row(3), "证件类型": ""},
        {**review_row(5, 身份证号="!"), "证件类型": "护照"},
        {**review_row(7), "证件类型": "学生证"},
    ]
    result = read_records(make_csv(rows), schema, photos=None, today=TODAY)
    assert [(one.holder.id_type, one.holder.id_number) for one in result.records] == [
        (DocumentType.PASSPORT, "E12345678"),
        (DocumentType.RESIDENT_ID, id_number(3)),
    ]
    assert [code for _, _, code in codes(result)] == ["document-number-form", "unknown-document-type"]


def test_true_and_one_in_a_column_are_different_cells(make_xlsx: Callable[..., Path], schema: RecordSchema) -> None:
    rows = sheet_of([review_row(1, 专业名称=1), review_row(3, 专业名称=True)])
    result = read_records(make_xlsx({"表": rows}), schema, photos=None, today=TODAY)
    assert [record.fields["specialty"] for record in result.records] == ["1", "TRUE"]


def test_a_workbook_counting_from_1904_gives_no_meaning_to_bare_serials(
    make_xlsx: Callable[..., Path], schema: RecordSchema
) -> None:
    rows = sheet_of([review_row(1, 取得资格时间=45000)])
    normal = read_records(make_xlsx({"表": rows}), schema, photos=None, today=TODAY)
    assert normal.records[0].fields["qualified_on"] == "2023-03-15"
    assert codes(normal, RowOutcome.WARNING) == [(2, "J", "date-serial")]
    mac = read_records(make_xlsx({"表": rows}, date_1904=True), schema, photos=None, today=TODAY)
    assert codes(mac) == [(2, "J", "date-stored-as-number")]


# ---- photos


def test_a_photo_is_needed_where_the_schema_says_so(
    make_csv: Callable[..., Path], make_zip: Callable[..., Path], photo_schema: RecordSchema
) -> None:
    file = make_csv([review_row(1), review_row(3)])
    without = read_records(file, photo_schema, photos=None, today=TODAY)
    assert [code for _, _, code in codes(without)] == ["photo-missing"] * 2
    good = jpeg_bytes(portrait())
    archive = make_zip({f"照片/{id_number(1)}.JPG": good, "330299197001010000.jpg": good})
    result = read_records(file, photo_schema, photos=archive, today=TODAY)
    assert codes(result) == [(3, "", "photo-missing")]
    assert [(record.row, record.photo) for record in result.records] == [(2, good)]
    assert [one.row for one in result.problems if one.code == "photo-without-row"] == [0]
    optional = replace(photo_schema, photo=PhotoNeed.OPTIONAL)
    relaxed = read_records(file, optional, photos=archive, today=TODAY)
    assert [record.photo for record in relaxed.records] == [good, None]
    assert [(one.row, one.outcome) for one in relaxed.problems if one.code == "no-photo"] == [(3, RowOutcome.WARNING)]
    bare = read_records(file, optional, photos=None, today=TODAY)
    assert [record.photo for record in bare.records] == [None, None]
    assert [(one.row, one.outcome) for one in bare.problems if one.code == "no-photos"] == [(0, RowOutcome.WARNING)]


def test_photos_need_not_be_kept_in_memory(
    make_csv: Callable[..., Path], make_zip: Callable[..., Path], photo_schema: RecordSchema
) -> None:
    archive = make_zip({f"{id_number(1)}.jpg": jpeg_bytes(portrait())})
    file = make_csv([review_row(1)])
    kept = read_records(file, photo_schema, photos=archive, today=TODAY)
    lean = read_records(file, photo_schema, photos=archive, today=TODAY, keep_photos=False)
    assert lean.records == (replace(kept.records[0], photo=None),)
    with PhotoArchive(archive) as photos:
        assert photos.photo(id_number(1)).content == kept.records[0].photo


# ---- any bytes


HEADER = ",".join(EXCHANGE).encode()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=600)
    | st.binary(max_size=600).map(lambda tail: HEADER + b"\n" + tail)
    | st.text(max_size=300).map(lambda tail: HEADER + b"\n" + tail.encode("utf-8", "replace")),
    ending=st.sampled_from([".csv", ".xlsx", ".xls", ""]),
)
@example(content=b"\xff\xfe" + "姓名".encode("utf-16-le"), ending=".csv")
def test_any_bytes_give_records_or_an_input_error(
    tmp_path: Path, schema: RecordSchema, content: bytes, ending: str
) -> None:
    file = tmp_path / f"any{ending}"
    file.write_bytes(content)
    refusal = refusal_of(lambda: read_records(file, schema, photos=None, today=TODAY))
    assert refusal is None or (refusal.zh and refusal.en and refusal.code != InputError.code)


CELLS = st.one_of(
    st.text(max_size=20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**20), 10**20),
    st.booleans(),
    st.dates(),
    st.sampled_from([id_number(1), "工程系列", "高级工程师", "2018.12.12", "合计", "#N/A", *EXCHANGE]),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELLS, max_size=12), min_size=1, max_size=6))
def test_any_cells_give_records_or_an_input_error(
    make_xlsx: Callable[..., Path], schema: RecordSchema, rows: list[list[object]]
) -> None:
    file = make_xlsx({"表": [EXCHANGE, *rows]}, nan_inf_to_errors=True)
    try:
        result = read_records(file, schema, photos=None, today=TODAY)
    except InputError:
        return
    refused = {one.row for one in result.problems if one.outcome is not RowOutcome.WARNING and one.row}
    assert not refused & {record.row for record in result.records}
    for record in result.records:
        assert set(schema_required(schema)) <= {*record.fields, "name", "id_number"}


def schema_required(schema: RecordSchema) -> tuple[str, ...]:
    return next(shape.required for shape in schema.shapes if shape.name == "exchange")


@settings(max_examples=70, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_workbook_with_changed_bytes_gives_records_or_an_input_error(
    make_xlsx: Callable[..., Path], schema: RecordSchema, data: st.DataObject
) -> None:
    file = make_xlsx({"表": sheet_of([review_row(1), review_row(3)])})
    content = bytearray(file.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    file.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    refusal = refusal_of(lambda: read_records(file, schema, photos=None, today=TODAY))
    assert refusal is None or refusal.code != InputError.code


def test_an_unknown_rule_in_the_schema_is_a_configuration_error(
    make_csv: Callable[..., Path], schema: RecordSchema
) -> None:
    shapes = tuple(replace(shape, rules=("lowest-only",)) for shape in schema.shapes)
    with pytest.raises(BadSchema, match="lowest-only"):
        read_records(make_csv([exchange_row()]), replace(schema, shapes=shapes), photos=None, today=TODAY)
