"""The entries of our signed maps, claims and QR claims: read strictly, written one by one.

A map is written by joining its entries in the order of their keys, which is much
faster than handing a dictionary to an encoder. Whoever writes checks each value
by the same forms and ranges as whoever reads.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from credential.cbor import BadCbor, decode, spell_bytes, spell_number, spell_text
from credential.errors import InputError
from credential.model import PartialDate

_LATEST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class BadClaims(InputError):
    """Bytes or values that are not the claims of a credential."""

    code = "bad-claims"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"these are not the claims of a credential: {why_en}", f"这不是有效的证书声明数据: {why_zh}")


def decode_map(
    payload: bytes, format_type: int, *, required: frozenset[int], allowed: frozenset[int]
) -> dict[int, Any]:
    """Read one of our signed maps: deterministic, of this type, with known keys only.

    Raises:
        BadClaims: it is none.
    """
    try:
        entries = decode(payload)
    except BadCbor as error:
        raise BadClaims(error.en, error.zh) from error
    if not isinstance(entries, dict) or entries.get(0) != format_type:
        raise BadClaims(f"they have not the format type {format_type}", f"格式类型不是 {format_type}")
    if not required <= entries.keys() <= allowed:
        raise BadClaims("a key is missing or unknown", "缺少必需的键或含有未知的键")
    return entries


def text(entries: Mapping[int, Any], key: int, form: re.Pattern[str] | None = None) -> str:
    """The text under a key, if it has this form.

    Raises:
        BadClaims: it has not, or is no text.
    """
    value = entries[key]
    if not isinstance(value, str) or (form is not None and form.fullmatch(value) is None):
        raise bad_key(key)
    return value


def integer(entries: Mapping[int, Any], key: int, least: int, most: int) -> int:
    """The integer under a key, if it is in the range.

    Raises:
        BadClaims: it is not.
    """
    value = entries[key]
    if not isinstance(value, int) or not least <= value <= most:
        raise bad_key(key)
    return value


def octets(entries: Mapping[int, Any], key: int, length: int) -> bytes:
    """The bytes under a key, if there are so many.

    Raises:
        BadClaims: there are not.
    """
    value = entries[key]
    if not isinstance(value, bytes) or len(value) != length:
        raise bad_key(key)
    return value


def moment(entries: Mapping[int, Any], key: int) -> datetime:
    """The moment under a key, in UTC.

    Raises:
        BadClaims: not seconds between 1970 and 9999.
    """
    return _moment(integer(entries, key, 0, _LATEST_SECOND))


def to_seconds(moment: datetime) -> int:
    """Seconds since 1970-01-01 UTC.

    Raises:
        BadClaims: no time zone, not whole seconds, or not between 1970 and 9999.
    """
    if moment.tzinfo is None or moment.microsecond:
        raise BadClaims("a time has no time zone or is not whole seconds", "时间缺少时区或不是整秒")
    seconds = int(moment.timestamp())
    if not 0 <= seconds <= _LATEST_SECOND:
        raise BadClaims("a time is not between 1970 and 9999", "时间不在1970年至9999年之间")
    return seconds


def bad_key(key: int) -> BadClaims:
    """The error for a value of the wrong type, form or range; names the key only."""
    return BadClaims(f"the value of key {key} has a wrong type, form or range", f"键 {key} 的值类型、格式或范围不符")


@lru_cache(maxsize=1024)
def partial_date(text: str) -> PartialDate:
    """Read a date; the same few stand in thousands of claims.

    Raises:
        BadDate: it is none.
    """
    return PartialDate(text)


def spell_form(value: object, form: re.Pattern[str], key: int) -> bytes:
    """Write the text under a key, if it has this form.

    Raises:
        BadClaims: it has not.
    """
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise bad_key(key)
    return spell_text(value)


def spell_lines(texts: Sequence[str], most: int, key: int) -> list[bytes]:
    """Write texts of one line each, of which none has control characters or more than so many characters.

    Raises:
        BadClaims: one has.
    """
    try:
        joined = "".join(texts)
    except TypeError as error:
        raise bad_key(key) from error
    # What is printable has no control characters, and to ask that of all of them costs a tenth of the pattern.
    if not joined.isprintable() and _CONTROL.search(joined):
        raise bad_key(key)
    if len(joined) > most and max(map(len, texts)) > most:
        raise bad_key(key)
    return list(map(spell_text, texts))


def spell_integer(value: object, least: int, most: int, key: int) -> bytes:
    """Write the integer under a key, if it is in the range.

    Raises:
        BadClaims: it is not.
    """
    if not isinstance(value, int) or not least <= value <= most:
        raise bad_key(key)
    return spell_number(value)


def spell_octets(value: object, length: int, key: int) -> bytes:
    """Write the bytes under a key, if there are so many.

    Raises:
        BadClaims: there are not.
    """
    if not isinstance(value, bytes) or len(value) != length:
        raise bad_key(key)
    return spell_bytes(value)


@lru_cache(maxsize=1024)
def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
