from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.dates import DateRefused, read_date_number, read_date_text

DAYS = st.dates(date(1900, 3, 1), date(2099, 12, 31))
DIGITS = "〇一二三四五六七八九"


def in_chinese(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else DIGITS[tens] + "十") + (DIGITS[ones] if ones else "")


@given(
    DAYS,
    st.sampled_from(
        ["{0}-{1:02}-{2:02}", "{0}.{1}.{2}", "{0}/{1}/{2:02}", "{0}年{1}月{2}日", " {0} 年 {1} 月 {2} 日 "]
    ),
)
def test_a_day_is_read_in_every_way_it_is_written(day: date, form: str) -> None:
    assert read_date_text(form.format(day.year, day.month, day.day)) == (day.isoformat(), "")


@given(DAYS)
def test_a_day_in_chinese_numerals_is_read(day: date) -> None:
    year = "".join(DIGITS[int(digit)] for digit in str(day.year))
    written = f"{year}年{in_chinese(day.month)}月{in_chinese(day.day)}日"
    assert read_date_text(written) == (day.isoformat(), "")


@given(DAYS)
def test_a_serial_number_is_read_as_excel_counts_and_said_so(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    if serial >= 10_000:
        assert read_date_number(serial, "") == read_date_text(str(serial)) == (day.isoformat(), "date-serial")
    assert date(1900, 3, 1) + timedelta(days=serial - 61) == day


@pytest.mark.parametrize(
    ("text", "value", "note"),
    [
        ("2018年12月", "2018-12", "date-month-only"),
        ("2018.6", "2018-06", "date-month-only"),
        ("二〇一八年六月", "2018-06", "date-month-only"),
        ("2018年", "2018", "date-year-only"),
        ("20181212", "2018-12-12", "date-compact"),
        ("２０１８．１２．１２", "2018-12-12", ""),
        ("2018-12-12 00:00:00", "2018-12-12", ""),
        ("二○一八年十月三十一日", "2018-10-31", ""),
    ],
)
def test_precision_is_kept_and_odd_forms_are_said(text: str, value: str, note: str) -> None:
    assert read_date_text(text) == (value, note)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2018.02.30", "date-does-not-exist"),
        ("2018-13-01", "date-does-not-exist"),
        ("2018-00-10", "date-does-not-exist"),
        ("二〇一八年十三月一日", "date-does-not-exist"),
        ("二〇一八年一二月一日", "date-does-not-exist"),
        ("1899-01-01", "date-does-not-exist"),
        ("99-01-02", "date-not-understood"),
        ("12/12/2018", "date-not-understood"),
        ("2018.12-12", "date-not-understood"),
        ("2018-12-12 10:30", "date-not-understood"),
        ("同上", "date-not-understood"),
    ],
)
def test_what_is_no_day_is_refused_with_the_value(text: str, code: str) -> None:
    with pytest.raises(DateRefused) as refusal:
        read_date_text(text)
    assert refusal.value.code == code
    assert text in refusal.value.zh


@pytest.mark.parametrize(
    "number", [2018.1, 2018.12, 43446.5, 0.0, 60.0, 99_999.0, 1e300, -5.0, float("nan"), float("inf")]
)
def test_a_number_that_can_be_read_in_two_ways_is_refused(number: float) -> None:
    with pytest.raises(DateRefused):
        read_date_number(number, str(number))


@given(st.text(max_size=30) | st.from_regex(r"[0-9〇一十年月日./-]{1,16}", fullmatch=True))
def test_any_text_is_a_date_or_refused(text: str) -> None:
    try:
        value, _ = read_date_text(text)
    except DateRefused:
        return
    date.fromisoformat((value + "-01-01")[:10] if len(value) == 4 else (value + "-01")[:10])
