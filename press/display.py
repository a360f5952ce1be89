"""What a certificate shows for each field: pure, so that press and verifier agree to the character.

The claims hold canonical values (ISO dates, ungrouped codes); people read
``2026年06月30日`` and ``7F3K-9Q2M-WX4T-8ZBN``. Every rule of that kind is here.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from credential.model import Claims, DocumentType, PartialDate
from press.template import Template

_DIGITS = "〇一二三四五六七八九"  # 〇 is U+3007, an ideograph of its own, not a circle
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_CODE_GROUP = 4
_CACHED_DATES = 4096  # a batch has few dates of issue, and not many of qualification

DOCUMENT_NAMES: Mapping[DocumentType, str] = {
    DocumentType.RESIDENT_ID: "居民身份证",
    DocumentType.PASSPORT: "护照",
    DocumentType.HK_MACAO_PERMIT: "港澳居民来往内地通行证",
    DocumentType.TAIWAN_PERMIT: "台湾居民来往大陆通行证",
    DocumentType.OTHER: "其他证件",
}


def display_values(template: Template, claims: Claims) -> Mapping[str, str]:
    """Say for each field what the page shows; fields without a value are left out.

    A value stands on the page whole, though a long one may be broken over lines.
    """
    holder, fields = claims.holder, claims.fields
    values = dict(fields)
    for key in template.date_keys:
        day = fields.get(key)
        if day is not None:
            values[key] = _dated("chinese", day)
    values |= {
        "name": holder.name,
        "sex": holder.sex,
        "id_number": holder.id_number,
        "id_type": DOCUMENT_NAMES[holder.id_type],
        "issuer_name": claims.issuer_name,
        "serial": claims.serial,
        "identifier": claims.identifier,
        "verification_code": group(claims.verification_code),
        "issued_on": _dated("numeral", claims.issued_on.text),
        "expires_on": "" if claims.expires_on is None else _dated("chinese", claims.expires_on.isoformat()),
    }
    for key in template.variants:
        values[key] = _styled(claims, key)
    mode = fields.get(template.statement_field, "")
    for key, texts in (("statement", template.statements), ("statement@english", template.english_statements)):
        text = texts.get(mode, texts.get("", ""))
        values[key] = text.format_map(_Words(claims, values)) if "{" in text else text
    return {key: value for key, value in values.items() if value} if "" in values.values() else values


@lru_cache(_CACHED_DATES)
def _dated(style: str, day: str) -> str:
    """Write a date, once for each: of those that a batch shows few differ."""
    return DATE_STYLES[style](PartialDate(day))


def _styled(claims: Claims, key: str) -> str:
    """Write the date that a name such as ``ended_on@iso`` asks for; what is not known is blank."""
    field, _, style = key.partition("@")
    if field == "issued_on":
        day = claims.issued_on.text
    elif field == "expires_on":
        day = "" if claims.expires_on is None else claims.expires_on.isoformat()
    else:
        day = claims.fields.get(field, "")
    return _dated(style, day) if style and day else ""


def chinese_date(day: PartialDate) -> str:
    """Write a date with digits, ``2026年06月30日``, no more precisely than it is known."""
    parts = [f"{day.year:04}年"]
    if day.month is not None:
        parts.append(f"{day.month:02}月")
    if day.day is not None:
        parts.append(f"{day.day:02}日")
    return "".join(parts)


def numeral_date(day: PartialDate) -> str:
    """Write a date with Chinese numerals, ``二〇二六年七月八日``, as under a seal."""
    parts = ["".join(_DIGITS[int(digit)] for digit in f"{day.year:04}"), "年"]
    if day.month is not None:
        parts += [_numeral(day.month), "月"]
    if day.day is not None:
        parts += [_numeral(day.day), "日"]
    return "".join(parts)


def english_date(day: PartialDate) -> str:
    """Write a date in English, ``30 June 2026``, no more precisely than it is known."""
    parts = [f"{day.year:04}"]
    if day.month is not None:
        parts.append(_MONTHS[day.month - 1])
    if day.day is not None:
        parts.append(str(day.day))
    return " ".join(reversed(parts))


DATE_STYLES: Mapping[str, Callable[[PartialDate], str]] = {
    "chinese": chinese_date,
    "numeral": numeral_date,
    "iso": str,
    "english": english_date,
}


def group(code: str) -> str:
    """Write a verification code in groups of four."""
    return "-".join([code[start : start + _CODE_GROUP] for start in range(0, len(code), _CODE_GROUP)])


def _numeral(number: int) -> str:
    """Write a number from 1 to 99 as it is spoken: 十, 十二, 二十, 三十一."""
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else f"{_DIGITS[tens]}十"
    return head + (_DIGITS[ones] if ones else "")


class _Words(dict[str, str]):
    """What is shown of each field; dates in other styles come when asked for, what is not known is blank."""

    def __init__(self, claims: Claims, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self._claims = claims

    def __missing__(self, key: str) -> str:
        return _styled(self._claims, key)
