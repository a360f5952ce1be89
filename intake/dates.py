"""Read a date as bureaus write it, keeping its precision, and say when reading was needed."""

import re
from datetime import date, timedelta

# Serial day numbers of Excel's 1900 system: 1 March 1900 to 31 December 2099. Below 61 its leap-year bug bites.
_FIRST_SERIAL, _LAST_SERIAL = 61, 73050
_EPOCH = date(1899, 12, 30)
_FIRST_YEAR, _LAST_YEAR = 1900, 2099

_NUMERALS = {"〇": 0, "零": 0, "○": 0, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_FULL_WIDTH = str.maketrans("０１２３４５６７８９．／－", "0123456789./-")
_DAY = re.compile(
    r"(\d{4})(?:([-./])(\d{1,2})\2(\d{1,2})|年(\d{1,2})月(\d{1,2})日?)(?:[T ]?0{1,2}:00(?::00(?:\.0+)?)?)?"
)
_MONTH = re.compile(r"(\d{4})(?:[-./](\d{1,2})|年(\d{1,2})月?)")
_YEAR = re.compile(r"(\d{4})年?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_SERIAL = re.compile(r"\d{5}(?:\.0+)?")
_CHINESE = re.compile(
    r"([〇零○一二三四五六七八九]{4})年(?:([一二三四五六七八九十]{1,2})月(?:([一二三四五六七八九十]{1,3})日?)?)?"
)


class DateRefused(ValueError):
    """A value that is no date; only this package sees it.

    Attributes:
        code: of the problem.
        en: sentence.
        zh: sentence.
    """

    def __init__(self, code: str, en: str, zh: str) -> None:
        super().__init__(en)
        self.code = code
        self.en = en
        self.zh = zh


def read_date_text(text: str) -> tuple[str, str]:
    """Read a written date.

    Args:
        text: white space inside does not count.

    Returns:
        ISO text in the precision given, and the code of a note: ``""``,
        ``date-serial``, ``date-compact``, ``date-month-only``, ``date-year-only``.

    Raises:
        DateRefused: not understood, or no such day.
    """
    written = " ".join(text.translate(_FULL_WIDTH).split())
    written = re.sub(r" ?([-./年月日]) ?", r"\1", written)
    chinese = _CHINESE.fullmatch(written)
    if chinese is not None:
        year, month, day = chinese.groups()
        number = int("".join(str(_NUMERALS[char]) for char in year))
        return _iso(text, number, _small_number(month), _small_number(day))
    if match := _DAY.fullmatch(written):
        year, _, month, day, month_zh, day_zh = match.groups()
        return _iso(text, int(year), int(month or month_zh), int(day or day_zh))
    if match := _MONTH.fullmatch(written):
        return _iso(text, int(match[1]), int(match[2] or match[3]), None)
    if match := _COMPACT.fullmatch(written):
        return _iso(text, *map(int, match.groups()))[0], "date-compact"
    if _SERIAL.fullmatch(written):
        return read_date_number(float(written), text)
    if match := _YEAR.fullmatch(written):
        return _iso(text, int(match[1]), None, None)
    raise DateRefused(
        "date-not-understood",
        f"{text!r} is not understood as a date; write it as 2018-12-12",
        f"无法识别日期“{text}”, 请写成 2018-12-12 的形式",
    )


def read_date_number(number: float, shown: str, *, dates_from_1904: bool = False) -> tuple[str, str]:
    """Read a bare number in a date column: a serial day, or year, month and day run together.

    Args:
        number: as stored.
        shown: for the error.
        dates_from_1904: a serial then has two meanings and is refused.

    Returns:
        ISO text and the code of a note, as :func:`read_date_text`.

    Raises:
        DateRefused: neither.
    """
    whole = int(number) if number == number and abs(number) < 1e9 else -1  # noqa: PLR0124 - refuses NaN
    if whole == number and _FIRST_SERIAL <= whole <= _LAST_SERIAL and len(str(whole)) == 5 and not dates_from_1904:
        return (_EPOCH + timedelta(days=whole)).isoformat(), "date-serial"
    if whole == number and len(str(whole)) == 8:
        return _iso(shown, whole // 10000, whole // 100 % 100, whole % 100)[0], "date-compact"
    if whole == number and _FIRST_YEAR <= whole <= _LAST_YEAR:
        return str(whole), "date-year-only"
    raise DateRefused(
        "date-stored-as-number",
        f"the date is stored as the number {shown}, which can be read in more than one way; write it as 2018-12-12",
        f"日期被存为数字 {shown}, 含义不明(如 2018.1 可能是 1 月或 10 月), 请写成 2018-12-12 的形式",
    )


def _small_number(text: str | None) -> int | None:
    """Read 一 to 三十一."""
    if text is None:
        return None
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return _NUMERALS[text] if len(text) == 1 else 99
    return (_NUMERALS.get(tens, 99) if tens else 1) * 10 + (_NUMERALS.get(ones, 99) if ones else 0)


def _iso(shown: str, year: int, month: int | None, day: int | None) -> tuple[str, str]:
    try:
        date(year, 1 if month is None else month, 1 if day is None else day)
    except ValueError as error:
        raise _no_such_date(shown) from error
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise _no_such_date(shown)
    if month is None:
        return f"{year:04}", "date-year-only"
    if day is None:
        return f"{year:04}-{month:02}", "date-month-only"
    return f"{year:04}-{month:02}-{day:02}", ""


def _no_such_date(shown: str) -> DateRefused:
    return DateRefused(
        "date-does-not-exist",
        f"{shown!r} is a date that does not exist (or lies before 1900 or after 2099); correct it",
        f"日期“{shown}”不存在(或早于1900年、晚于2099年), 请更正",
    )
