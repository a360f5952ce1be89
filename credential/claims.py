"""The exact bytes of a credential's full claims, which the issuer signs.

Deterministic CBOR, one map with integer keys (docs/formats.md, "Claims"):

====  =================  =========================================
key   claim              value
====  =================  =========================================
0     format type        1 (the claims of a QR code have 2)
1     issuer             text, 18 characters
2     issuer_name        text
3     serial             text, digits and capital letters
4     version            1 to 999
5     kind               text, ``professional-title``
6     identifier         text, GB/T 36904
7     holder             map: 1 name, 2 document type, 3 number, 4 sex
8     fields             map of text to text, none empty
9     issued_at          seconds since 1970-01-01 UTC
10    issued_on          text, date of any precision
11    expires_on         text, ``YYYY-MM-DD``; left out when None
12    status_uri         text
13    status_index       0 to 2^20 - 1
14    verification_code  text, 16 characters
15    photo_digest       32 bytes; left out when None
16    template_digest    32 bytes
17    salt               16 bytes
====  =================  =========================================
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from credential.cbor import BadCbor, decode, encode
from credential.errors import InputError
from credential.model import BadDate, Claims, DocumentType, Holder, PartialDate
from credential.serial import BadIdentifier, check_identifier

CLAIMS_TYPE = 1
MAX_CLAIMS_BYTES = 1 << 16
MAX_TEXT = 2000  # characters of any one text
SLOTS_A_LIST = 1 << 20
DIGEST_BYTES = 32
SALT_BYTES = 16

_LATEST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
_ISSUER = re.compile(r"[0-9A-Z]{18}")
_SERIAL = re.compile(r"[0-9A-Z]{1,64}")
_KIND = re.compile(r"[a-z][a-z0-9-]{0,63}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{16}")
_URI = re.compile(r"https?://[!-~]{1,1000}")
_LINE = re.compile(rf"[^\x00-\x1f\x7f-\x9f]{{1,{MAX_TEXT}}}")  # no control characters
_ANY_LINE = re.compile(rf"[^\x00-\x1f\x7f-\x9f]{{0,{MAX_TEXT}}}")
_REQUIRED = frozenset(range(18)) - {11, 15}
_ALL = frozenset(range(18))
_HOLDER_KEYS = frozenset({1, 2, 3, 4})


class BadClaims(InputError):
    """Bytes or values that are not the claims of a credential."""

    code = "bad-claims"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"these are not the claims of a credential: {why_en}", f"这不是有效的证书声明数据: {why_zh}")


def encode_claims(claims: Claims) -> bytes:
    """Write the claims; equal claims give equal bytes.

    Raises:
        BadClaims: a value is outside what :func:`decode_claims` accepts, or
            ``issued_at`` has no time zone or is not whole seconds.
    """
    holder = claims.holder
    payload = _encode(
        {
            0: CLAIMS_TYPE,
            1: claims.issuer,
            2: claims.issuer_name,
            3: claims.serial,
            4: claims.version,
            5: claims.kind,
            6: claims.identifier,
            7: {1: holder.name, 2: str(holder.id_type), 3: holder.id_number, 4: holder.sex},
            8: dict(claims.fields),
            9: to_seconds(claims.issued_at),
            10: str(claims.issued_on),
            11: None if claims.expires_on is None else claims.expires_on.isoformat(),
            12: claims.status_uri,
            13: claims.status_index,
            14: claims.verification_code,
            15: claims.photo_digest,
            16: claims.template_digest,
            17: claims.salt,
        }
    )
    decode_claims(payload)
    return payload


def decode_claims(payload: bytes) -> Claims:
    """Read claims, strictly; ``issued_at`` comes back in UTC.

    Args:
        payload: not trusted; at most 64 KiB.

    Raises:
        BadClaims: not deterministic, an unknown or missing key, a value of the
            wrong type or range, or another format type.
    """
    if len(payload) > MAX_CLAIMS_BYTES:
        raise BadClaims("they are too long", "数据过长")
    entries = decode_map(payload, CLAIMS_TYPE, required=_REQUIRED, allowed=_ALL)
    holder = entries[7]
    if not isinstance(holder, dict) or holder.keys() != _HOLDER_KEYS:
        raise bad_key(7)
    try:
        identifier = check_identifier(text(entries, 6, _LINE))
        claims = Claims(
            issuer=text(entries, 1, _ISSUER),
            issuer_name=text(entries, 2, _LINE),
            serial=text(entries, 3, _SERIAL),
            version=integer(entries, 4, 1, 999),
            kind=text(entries, 5, _KIND),
            identifier=entries[6],
            holder=Holder(
                name=text(holder, 1, _LINE),
                id_type=DocumentType(text(holder, 2, _LINE)),
                id_number=text(holder, 3, _ANY_LINE),
                sex=text(holder, 4, _ANY_LINE),
            ),
            fields=_fields(entries[8]),
            issued_at=moment(entries, 9),
            issued_on=PartialDate(text(entries, 10, _LINE)),
            expires_on=_day(text(entries, 11, _LINE)) if 11 in entries else None,
            status_uri=text(entries, 12, _URI),
            status_index=integer(entries, 13, 0, SLOTS_A_LIST - 1),
            verification_code=text(entries, 14, _CODE),
            photo_digest=octets(entries, 15, DIGEST_BYTES) if 15 in entries else None,
            template_digest=octets(entries, 16, DIGEST_BYTES),
            salt=octets(entries, 17, SALT_BYTES),
        )
    except (BadDate, BadIdentifier, ValueError) as error:
        # The value itself stays out of the sentence: it may be personal.
        raise BadClaims("a date, identifier or document type is wrong", "日期、标识或证件类型有误") from error
    if (identifier.issuer, identifier.serial, identifier.version) != (claims.issuer, claims.serial, claims.version):
        raise BadClaims(
            "the identifier is not that of issuer, serial and version", "证照标识与颁发机构、编号或版本不符"
        )
    return claims


def claims_digest(payload: bytes) -> bytes:
    """SHA-256 of the claims' bytes, as it stands in QR codes and log leaves."""
    return hashlib.sha256(payload).digest()


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


def text(entries: Mapping[int, Any], key: int, form: re.Pattern[str]) -> str:
    """The text under a key, if it has this form.

    Raises:
        BadClaims: it has not.
    """
    value = entries[key]
    if not isinstance(value, str) or form.fullmatch(value) is None:
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
    return datetime.fromtimestamp(integer(entries, key, 0, _LATEST_SECOND), UTC)


def to_seconds(moment: datetime) -> int:
    """Seconds since 1970-01-01 UTC.

    Raises:
        BadClaims: no time zone, or not whole seconds.
    """
    if moment.tzinfo is None or moment.microsecond:
        raise BadClaims("a time has no time zone or is not whole seconds", "时间缺少时区或不是整秒")
    return int(moment.timestamp())


def bad_key(key: int) -> BadClaims:
    """The error for a value of the wrong type, form or range; names the key only."""
    return BadClaims(f"the value of key {key} has a wrong type, form or range", f"键 {key} 的值类型、格式或范围不符")


def _encode(entries: dict[int, Any]) -> bytes:
    try:
        return encode({key: value for key, value in entries.items() if value is not None})
    except UnicodeEncodeError as error:
        raise BadClaims("a text is not valid Unicode", "文本不是有效的 Unicode") from error


def _fields(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise bad_key(8)
    for key, content in value.items():
        is_known = isinstance(key, str) and _KEY.fullmatch(key)
        if not is_known or not isinstance(content, str) or _LINE.fullmatch(content) is None:
            raise bad_key(8)
    return value


def _day(value: str) -> date:
    day = date.fromisoformat(value)
    if day.isoformat() != value:
        raise BadDate(value)
    return day
