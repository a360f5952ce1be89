from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from credential.schema import RecordSchema
from intake import IntakeResult, read_records
from tests.intake.samples import TODAY, exchange_row, id_number

Make = Callable[..., Path]
HIGHER = {"资格名称": "正高级工程师"}


def read(make_csv: Make, schema: RecordSchema, *rows: dict[str, Any]) -> IntakeResult:
    return read_records(make_csv(rows), schema, photos=None, today=TODAY)


def findings(result: IntakeResult) -> list[tuple[int, str, str]]:
    return [(one.row, one.outcome.value, one.code) for one in result.problems if one.code != "id-region-unknown"]


def twin(**changes: Any) -> dict[str, Any]:
    """Another certificate of the person in ``exchange_row(1)``."""
    return exchange_row(2, **{"身份证号": id_number(1), **changes})


def test_only_the_highest_certificate_of_a_person_is_exchanged(make_csv: Make, schema: RecordSchema) -> None:
    result = read(make_csv, schema, exchange_row(1), twin(**HIGHER), exchange_row(3))
    assert findings(result) == [(2, "skipped", "lower-level")]
    assert "3" in next(one.zh for one in result.problems if one.code == "lower-level")
    assert [record.row for record in result.records] == [3, 4]


def test_two_certificates_of_one_level_are_both_exchanged(make_csv: Make, schema: RecordSchema) -> None:
    result = read(make_csv, schema, exchange_row(1), twin(系列名称="农业系列", 资格名称="高级农艺师"))
    assert findings(result) == []


def test_a_higher_certificate_to_be_corrected_still_holds_the_lower_back(make_csv: Make, schema: RecordSchema) -> None:
    result = read(make_csv, schema, exchange_row(1), twin(**HIGHER, 发证时间="2018.02.30"))
    assert findings(result) == [(2, "skipped", "lower-level"), (3, "error", "date-does-not-exist")]


def test_a_higher_certificate_of_limited_scope_does_not_count(make_csv: Make, schema: RecordSchema) -> None:
    result = read(make_csv, schema, exchange_row(1), twin(**HIGHER, 备注="所属范围内有效"))
    assert findings(result) == [(3, "error", "limited-scope")]
    assert [record.row for record in result.records] == [2]


def test_the_rule_applies_only_to_shapes_that_name_it(make_csv: Make, schema: RecordSchema) -> None:
    free = replace(schema, shapes=tuple(replace(shape, rules=()) for shape in schema.shapes))
    result = read(make_csv, free, exchange_row(1, 备注="所属范围内有效"), twin(**HIGHER))
    assert findings(result) == []


@pytest.mark.parametrize(
    ("remark", "is_refused"),
    [
        ("在全区非公有制经济组织范围内有效", True),
        ("在全区非公有制经济组织范围内有效或所属范围内有效", True),
        ("所属行业范围内有效", True),
        ("本领域内有效", True),
        ("离退休，本人自愿申请换发", False),
        ("已调离，本人自愿申请换发", False),
        ("所属单位推荐，材料有效", False),
        ("非公有制经济组织工作人员", False),
        ("全区范围内有效", False),
    ],
)
def test_limited_scope_is_told_by_the_words_of_the_notice(
    make_csv: Make, schema: RecordSchema, remark: str, *, is_refused: bool
) -> None:
    found = findings(read(make_csv, schema, exchange_row(1, 备注=remark)))
    assert found == ([(2, "error", "limited-scope")] if is_refused else [])


def test_the_later_of_two_rows_for_one_title_is_refused(make_csv: Make, schema: RecordSchema) -> None:
    result = read(make_csv, schema, exchange_row(1), twin(发证时间="2018年12月12日"), twin(证书编号="示G3"))
    assert findings(result) == [(3, "error", "duplicate-row"), (4, "error", "duplicate-row")]
    assert [record.row for record in result.records] == [2]


def test_namesakes_with_different_numbers_are_two_people(make_csv: Make, schema: RecordSchema) -> None:
    assert findings(read(make_csv, schema, exchange_row(1), exchange_row(2))) == []


def test_rows_without_a_readable_person_are_no_duplicates(make_csv: Make, schema: RecordSchema) -> None:
    result = read(make_csv, schema, exchange_row(1, 身份证号="1"), exchange_row(2, 身份证号="1"))
    assert {code for _, _, code in findings(result)} == {"id-number-length"}


def test_a_certificate_number_belongs_to_one_person(make_csv: Make, schema: RecordSchema) -> None:
    result = read(make_csv, schema, exchange_row(1), exchange_row(2, 证书编号="示G000001"))
    assert findings(result) == [(3, "error", "number-of-another")]
    same = read(
        make_csv, schema, exchange_row(1), twin(证书编号="示G000001", 系列名称="农业系列", 资格名称="高级农艺师")
    )
    assert findings(same) == [(3, "warning", "number-repeated")]
