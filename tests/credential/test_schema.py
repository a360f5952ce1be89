"""Record schemas: the template's own tables are read, nonsense is refused."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from credential.errors import ConfigError
from credential.schema import BadSchema, FieldKind, PhotoNeed, RecordSchema, parse_schema

TEMPLATE = Path(__file__).resolve().parents[2] / "templates" / "certificate" / "professional-title"
LEAST: dict[str, Any] = {
    "kind": "course",
    "photo": "none",
    "unique_by": ["name"],
    "field": [{"key": "name", "kind": "name", "heading": "姓名", "english": "name"}],
    "shape": [{"name": "plain", "marks": ["name"], "required": ["name"]}],
}


@pytest.fixture
def schema() -> RecordSchema:
    tables = [tomllib.loads((TEMPLATE / name).read_text()) for name in ("record.toml", "titles.toml")]
    return parse_schema(tables[0], tables[1])


def test_the_professional_title_has_what_the_notices_ask_for(schema: RecordSchema) -> None:
    assert schema.kind == "professional-title"
    keys = {field.key for field in schema.fields}
    assert {"name", "id_number", "series", "specialty", "title", "level"} <= keys
    assert schema.field("id_number").kind is FieldKind.ID_NUMBER
    assert schema.field("name").max_length == 50
    assert "身份证号码" in schema.field("id_number").aliases
    assert schema.photo is PhotoNeed.OPTIONAL
    assert len({field.key for field in schema.fields}) == len(schema.fields)


def test_every_title_has_a_level_that_is_known(schema: RecordSchema) -> None:
    assert schema.titles is not None
    for series in schema.titles.series:
        assert set(series.titles.values()) <= set(schema.titles.levels)
    engineering = schema.titles.find_series("工程技术人员")
    assert engineering is not None
    assert engineering.titles["高级工程师"] == "副高级"
    assert schema.titles.levels["副高级"] == "2"
    assert schema.titles.find_series("没有这个系列") is None


def test_a_series_is_found_by_its_alias(schema: RecordSchema) -> None:
    assert schema.titles is not None
    for series in schema.titles.series:
        for alias in (series.name, *series.aliases):
            assert schema.titles.find_series(alias) is series


def test_the_least_that_a_schema_needs() -> None:
    schema = parse_schema(LEAST, None)
    assert schema.titles is None
    assert schema.field("name").max_length == 100
    assert schema.shapes[0].rules == ()


def test_an_unknown_field_is_told() -> None:
    with pytest.raises(BadSchema, match="'title'"):
        parse_schema(LEAST, None).field("title")


@pytest.mark.parametrize(
    "change",
    [
        {"photo": "maybe"},
        {"unique_by": ["title"]},
        {"unique_by": 5},
        {"field": [{"key": "name", "kind": "nickname", "heading": "姓名", "english": "name"}]},
        {"field": [{"key": "name"}]},
        {"field": [{"key": "name", "kind": "name", "heading": "姓名", "english": "name", "colour": "red"}]},
        {"shape": [{"name": "plain", "marks": ["title"], "required": []}]},
        {"shape": [{"name": "plain", "marks": [], "required": ["title"]}]},
        {"shape": [{"name": "plain", "marks": []}]},
    ],
)
def test_a_schema_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadSchema):
        parse_schema(LEAST | change, None)


@pytest.mark.parametrize("key", ["kind", "photo", "unique_by", "field", "shape"])
def test_a_missing_table_is_refused(key: str) -> None:
    with pytest.raises(BadSchema):
        parse_schema({name: value for name, value in LEAST.items() if name != key}, None)


@pytest.mark.parametrize(
    "titles",
    [{}, {"levels": {"中级": "3"}}, {"levels": {"中级": "3"}, "series": [{"code": "05", "name": "工程"}]}],
)
def test_a_table_of_titles_that_is_not_complete_is_refused(titles: dict[str, Any]) -> None:
    with pytest.raises(BadSchema):
        parse_schema(LEAST, titles)


def test_a_kind_may_number_in_its_own_way_and_say_what_its_code_holds() -> None:
    folder = TEMPLATE.parent / "training"
    schema = parse_schema(tomllib.loads((folder / "record.toml").read_text("utf-8")), None)

    assert str(schema.numbering.pattern) == "year4 division6 series2 seq7 check1"
    assert (schema.numbering.series, schema.numbering.level) == ("90", "0")
    assert (schema.in_qr.title, schema.in_qr.level, schema.in_qr.date) == ("course", "", "ended_on")


@pytest.mark.parametrize(
    "extra",
    [
        {"in_qr": {"title": "no-such-field"}},
        {"in_qr": {"date": "course"}},  # not a date
        {"in_qr": {"titel": "course"}},
        {"numbering": {"pattern": "seq"}},
        {"numbering": {"patern": "year4 seq6"}},
    ],
)
def test_nonsense_about_numbers_and_codes_is_refused(extra: dict[str, Any]) -> None:
    record = tomllib.loads((TEMPLATE.parent / "training" / "record.toml").read_text("utf-8"))
    with pytest.raises(ConfigError):
        parse_schema({**record, **extra}, None)
