"""Checks on who somebody is: ID numbers, organisation codes; how they are masked.

Lengths, characters, birth dates and check digits are errors; an unknown region
is never one, since historic and new division codes belong to real people.
Names have a file of their own; its public functions can be had from here too.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from operator import mul

from credential.errors import InputError
from credential.names import (
    BadName,
    FoldedName,
    check_name,
    fold_name_for_matching,
    fold_separator,
    mask_name,
)

__all__ = [
    "BadIdNumber",
    "BadName",
    "BadUscc",
    "FoldedName",
    "IdNumber",
    "check_id_number",
    "check_name",
    "check_uscc",
    "fold_id_number",
    "fold_name_for_matching",
    "fold_separator",
    "mask_id_number",
    "mask_name",
]

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643
_ID_CHECKS = "10X98765432"
_ID_FORM = re.compile(r"[0-9]{17}[0-9X]")
_EARLIEST_BIRTH = date(1900, 1, 1)
_PROVINCES = frozenset(map(str, (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47)))) | frozenset(
    map(str, (*range(50, 55), *range(61, 66), 71))
)
_RESIDENCE_PERMITS = frozenset({"810000", "820000", "830000"})  # 港澳台居民居住证
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
_APOSTROPHES = "'`\u2018\u2019\u00b4"
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100: without I, O, S, V, Z
_USCC_LENGTH = 18


class BadIdNumber(InputError):
    """A citizen ID number (GB 11643) that cannot be right; each part has its own code."""

    code = "bad-id-number"


class IdNumberLength(BadIdNumber):
    """It has not 18 characters."""

    code = "id-number-length"

    def __init__(self, length: int) -> None:
        super().__init__(
            f"the ID number has {length} characters, not 18; type it again as text",
            f"身份证号为{length}位, 应为18位; 请按文本格式重新录入",
        )
        self.length = length


class IdNumberOld(BadIdNumber):
    """It is a first-generation number of 15 digits, which is no longer valid."""

    code = "id-number-15-digits"

    def __init__(self) -> None:
        super().__init__(
            "the ID number has the 15 digits of a first-generation card, void since 2013; ask for the one of 18",
            "身份证号为15位(第一代身份证, 2013年起停用); 请提供18位号码",
        )


class IdNumberCharacters(BadIdNumber):
    """It holds something else than digits and a final X."""

    code = "id-number-characters"

    def __init__(self, position: int, char: str) -> None:
        super().__init__(
            f"character {position} of the ID number is {char!r}; only digits, and X as the 18th, can stand there",
            f"身份证号第{position}位为“{char}”; 应为数字(末位可为X)",
        )
        self.position = position


class IdNumberBirth(BadIdNumber):
    """Its birth date does not exist, or nobody alive was born then."""

    code = "id-number-birth-date"

    def __init__(self, digits: str) -> None:
        super().__init__(
            f"the ID number has {digits} for a birth date, which cannot be; compare it with the card",
            f"身份证号中的出生日期“{digits}”不成立; 请与证件核对",
        )
        self.digits = digits


class IdNumberCheckDigit(BadIdNumber):
    """Its last character does not fit the rest: something was mistyped."""

    code = "id-number-check-digit"

    def __init__(self, char: str) -> None:
        super().__init__(
            f"the check character {char!r} does not fit the ID number: a character is wrong or two were swapped; "
            "compare it with the card",
            f"身份证号校验码“{char}”不符: 号码有误或相邻数字颠倒; 请与证件核对",
        )


class BadUscc(InputError):
    """A text that is not a unified social credit code (GB 32100)."""

    code = "bad-uscc"

    def __init__(self, text: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"{text[:40]!r} is not a unified social credit code: {why_en}; copy it from the registration certificate",
            f"“{text[:40]}”不是有效的统一社会信用代码: {why_zh}; 请按登记证书填写",
        )
        self.text = text


@dataclass(frozen=True, slots=True)
class IdNumber:
    """A citizen ID number whose check digit and birth date are right.

    Attributes:
        number: 18 characters, upper case.
        birth: date of birth.
        sex: ``男`` or ``女``, by the 17th digit.
        region_known: False asks for a warning, never for a refusal.
        is_residence_permit: of a resident of Hong Kong (81), Macao (82) or Taiwan (83).
    """

    number: str
    birth: date
    sex: str
    region_known: bool
    is_residence_permit: bool


def fold_id_number(text: str) -> tuple[str, tuple[str, ...]]:
    """Take away what typing and copying leave around an ID number.

    Full-width characters become ASCII, x becomes X, leading apostrophes, white
    space and invisible direction marks go. Digits are never touched.

    Returns:
        The number and the codes of what was done: ``id-number-full-width``,
        ``id-number-apostrophe``, ``id-number-space``, ``id-number-lower-case``.
    """
    notes = []
    number = text.translate(_FULL_WIDTH)
    if number != text:
        notes.append("id-number-full-width")
    visible = "".join(char for char in number if not char.isspace() and char not in _INVISIBLE)
    bare = visible.lstrip(_APOSTROPHES)
    if bare != visible:
        notes.append("id-number-apostrophe")
    if visible != number:
        notes.append("id-number-space")
    if bare.endswith("x"):
        bare = bare[:-1] + "X"
        notes.append("id-number-lower-case")
    return bare, tuple(notes)


def check_id_number(text: str, *, today: date) -> IdNumber:
    """Check a citizen ID number, part by part (GB 11643).

    Args:
        text: as :func:`fold_id_number` gives it; a final x counts as X.
        today: nobody is born after it.

    Raises:
        IdNumberOld: 15 digits.
        IdNumberLength: not 18 characters.
        IdNumberCharacters: not digits with a digit or X at the end.
        IdNumberBirth: no such date, before 1900 or after today.
        IdNumberCheckDigit: the last character does not fit.
    """
    number = text[:-1] + "X" if text.endswith("x") else text
    if len(number) == 15 and number.isascii() and number.isdigit():
        raise IdNumberOld
    if len(number) != 18:
        raise IdNumberLength(len(number))
    if _ID_FORM.fullmatch(number) is None:
        bad = next(at for at, char in enumerate(number) if char not in ("0123456789X" if at == 17 else "0123456789"))
        raise IdNumberCharacters(bad + 1, number[bad])
    birth = _birth(number[6:14], today)
    total = sum(map(mul, _ID_WEIGHTS, map(int, number[:17])))
    if number[17] != _ID_CHECKS[total % 11]:
        raise IdNumberCheckDigit(number[17])
    return IdNumber(
        number=number,
        birth=birth,
        sex="男" if int(number[16]) % 2 else "女",
        region_known=_is_region_known(number[:6]),
        is_residence_permit=number[:6] in _RESIDENCE_PERMITS,
    )


def check_uscc(text: str) -> str:
    """Check a unified social credit code (GB 32100) and return it.

    For our own issuers only: some early real codes have a wrong check character.

    Raises:
        BadUscc: wrong length, character or check character.
    """
    if len(text) != _USCC_LENGTH:
        raise BadUscc(text, f"it has {len(text)} characters, not 18", f"应为18位, 实为{len(text)}位")
    foreign = _first_outside(text, _USCC_ALPHABET)
    if foreign:
        raise BadUscc(text, f"{foreign!r} never stands in one", f"不会包含字符“{foreign}”")
    total = sum(_USCC_ALPHABET.index(char) * pow(3, at, 31) for at, char in enumerate(text[:-1]))
    if text[-1] != _USCC_ALPHABET[-total % 31]:
        raise BadUscc(text, "the check character is wrong", "校验码错误")
    return text


def mask_id_number(number: str) -> str:
    """Mask a number of any identity document: two characters, then always 16 stars.

    The end is hidden because its last six characters are the second factor for
    the photo; one mask serves everywhere, since two different ones can be joined.
    """
    return f"{number[:2]}{'*' * 16}" if number else ""


def _birth(digits: str, today: date) -> date:
    try:
        birth = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError as error:
        raise IdNumberBirth(digits) from error
    if not _EARLIEST_BIRTH <= birth <= today:
        raise IdNumberBirth(digits)
    return birth


def _is_region_known(code: str) -> bool:
    """Judge by the structure of GB/T 2260, for county codes are not tabulated.

    The province must exist; the prefecture is 01 to 70, or 90 for counties
    directly under a province; the county is 01 to 98. A county part of 99
    has never been given out, so made-up examples use it.
    """
    if code in _RESIDENCE_PERMITS:
        return True
    prefecture, county = int(code[2:4]), int(code[4:])
    return code[:2] in _PROVINCES and (1 <= prefecture <= 70 or prefecture == 90) and 1 <= county <= 98


def _first_outside(text: str, allowed: Collection[str]) -> str:
    return next((char for char in text if char not in allowed), "")
