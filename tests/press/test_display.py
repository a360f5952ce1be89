from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.model import PartialDate
from press.display import chinese_date, display_values, english_date, group, numeral_date
from press.samples import load_samples
from tests.press.certificates import copied_template, template

_READ = {numeral: value for value, numeral in enumerate("〇一二三四五六七八九")}


@pytest.mark.parametrize(
    ("iso", "digits", "numerals"),
    [
        ("2026-07-08", "2026年07月08日", "二〇二六年七月八日"),
        ("2021-10-20", "2021年10月20日", "二〇二一年十月二十日"),
        ("1999-12-31", "1999年12月31日", "一九九九年十二月三十一日"),
        ("2000-11-11", "2000年11月11日", "二〇〇〇年十一月十一日"),
        ("2009-12", "2009年12月", "二〇〇九年十二月"),
        ("1994", "1994年", "一九九四年"),
    ],
)
def test_dates_keep_their_precision(iso: str, digits: str, numerals: str) -> None:
    assert chinese_date(PartialDate(iso)) == digits
    assert numeral_date(PartialDate(iso)) == numerals


@given(st.dates())
def test_numeral_dates_can_be_read_back(day: object) -> None:
    written = numeral_date(PartialDate(str(day)))
    year, rest = written.split("年")
    month, last = rest.removesuffix("日").split("月")
    assert "".join(str(_READ[one]) for one in year) == str(day)[:4]
    assert [spoken(month), spoken(last)] == [int(part) for part in str(day).split("-")[1:]]


def spoken(text: str) -> int:
    tens, separator, ones = text.rpartition("十")
    ten = (_READ[tens] if tens else 1) * 10 if separator else 0
    return ten + (_READ[ones] if ones else 0)


def test_zero_is_the_ideograph_not_a_circle() -> None:
    assert numeral_date(PartialDate("2006"))[1:3] == "\u3007\u3007"


def test_a_code_is_grouped_by_four() -> None:
    assert group("7F3K9Q2MWX4T8ZBN") == "7F3K-9Q2M-WX4T-8ZBN"


def test_an_exchange_names_the_paper_certificate() -> None:
    _, samples = load_samples(template())
    shown = display_values(template(), samples["minority"].claims)
    assert "（编号：宁G0119860）换发" in shown["statement"]
    assert shown["original_issuer"] == "示例回族自治区人事厅"
    assert shown["qualified_on"] == "2009年12月12日"


def test_each_way_of_obtaining_has_its_own_statement() -> None:
    _, samples = load_samples(template())
    claims = samples["ordinary"].claims
    choices = template().schema.field("obtain_mode").choices
    said = {display_values(template(), replace(claims, fields={"obtain_mode": mode}))["statement"] for mode in choices}
    assert len(said) == len(choices) > 1


def test_fields_without_a_value_are_left_out() -> None:
    _, samples = load_samples(template())
    claims = replace(samples["ordinary"].claims, fields={})
    assert {"committee", "statement", "expires_on", "qualified_on"} & set(display_values(template(), claims)) == set()


@pytest.mark.parametrize(
    ("iso", "written"), [("2026-07-08", "8 July 2026"), ("2009-12", "December 2009"), ("1994", "1994")]
)
def test_english_dates_keep_their_precision(iso: str, written: str) -> None:
    assert english_date(PartialDate(iso)) == written


def test_a_date_is_shown_in_the_style_that_its_place_asks_for() -> None:
    edited = copied_template(template_toml=('field = "qualified_on"', 'field = "qualified_on@iso"'))
    claims = load_samples(template())[1]["ordinary"].claims

    values = display_values(edited, claims)

    assert values["qualified_on@iso"] == claims.fields["qualified_on"]
    assert values["qualified_on"] == "2026年06月30日"
    assert "qualified_on@iso" not in display_values(template(), claims)
