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
from datetime import date, datetime
from functools import lru_cache

from credential.cbor import spell_map_head, spell_number, spell_text
from credential.model import BadDate, Claims, DocumentType, Holder, PartialDate
from credential.serial import IDENTIFIER_ROOT, BadIdentifier, identifier
from credential.signed_map import (
    BadClaims,
    bad_key,
    decode_map,
    moment,
    partial_date,
    spell_form,
    spell_integer,
    spell_lines,
    spell_octets,
    text,
    to_seconds,
)

__all__ = [
    "CLAIMS_TYPE",
    "DIGEST_BYTES",
    "MAX_CLAIMS_BYTES",
    "MAX_TEXT",
    "SALT_BYTES",
    "SLOTS_A_LIST",
    "BadClaims",
    "claims_digest",
    "decode_claims",
    "encode_claims",
]

CLAIMS_TYPE = 1
MAX_CLAIMS_BYTES = 1 << 16
MAX_TEXT = 2000  # characters of any one text
SLOTS_A_LIST = 1 << 20
DIGEST_BYTES = 32
SALT_BYTES = 16

_ISSUER = re.compile(r"[0-9A-Z]{18}")
_SERIAL = re.compile(r"[0-9A-Z]{1,64}")
_KIND = re.compile(r"[a-z][a-z0-9-]{0,63}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{16}")
_URI = re.compile(r"https?://[!-~]{1,1000}")
_TYPE_CODE = slice(len(IDENTIFIER_ROOT) + 1, len(IDENTIFIER_ROOT) + 22)  # where it stands in an identifier
_REQUIRED = frozenset(range(18)) - {11, 15}
_ALL = frozenset(range(18))
_HOLDER_KEYS = frozenset({1, 2, 3, 4})
_DOCUMENT_TYPES = {one.value: one for one in DocumentType}
_SPELT_TYPES = {one.value: b"\x02" + spell_text(one.value) for one in DocumentType}


def encode_claims(claims: Claims) -> bytes:
    """Write the claims; equal claims give equal bytes.

    Raises:
        BadClaims: a value is outside what :func:`decode_claims` accepts, or
            ``issued_at`` has no time zone or is not whole seconds.
    """
    try:
        payload = _spell(claims)
    except UnicodeEncodeError as error:
        raise BadClaims("a text is not valid Unicode", "文本不是有效的 Unicode") from error
    except (BadDate, BadIdentifier, ValueError) as error:
        # The value itself stays out of the sentence: it may be personal.
        raise BadClaims("a date, identifier or document type is wrong", "日期、标识或证件类型有误") from error
    if len(payload) > MAX_CLAIMS_BYTES:
        raise BadClaims("they are too long", "数据过长")
    return payload


def decode_claims(payload: bytes) -> Claims:
    """Read claims, strictly; ``issued_at`` comes back in UTC.

    What is read is written again, and must be the same bytes: so one set of
    rules holds for both.

    Args:
        payload: not trusted; at most 64 KiB.

    Raises:
        BadClaims: not deterministic, an unknown or missing key, a value of the
            wrong type or range, or another format type.
    """
    if len(payload) > MAX_CLAIMS_BYTES:
        raise BadClaims("they are too long", "数据过长")
    entries = decode_map(payload, CLAIMS_TYPE, required=_REQUIRED, allowed=_ALL)
    holder, fields = entries[7], entries[8]
    if not isinstance(holder, dict) or holder.keys() != _HOLDER_KEYS:
        raise bad_key(7)
    if not isinstance(fields, dict):
        raise bad_key(8)
    id_type = _DOCUMENT_TYPES.get(text(holder, 2))
    if id_type is None:
        raise bad_key(7)
    try:
        issued_on = partial_date(text(entries, 10))
        expires_on = _day(text(entries, 11)) if 11 in entries else None
    except (BadDate, ValueError) as error:
        raise BadClaims("a date is wrong", "日期有误") from error
    claims = Claims(
        issuer=text(entries, 1),
        issuer_name=text(entries, 2),
        serial=entries[3],
        version=entries[4],
        kind=text(entries, 5),
        identifier=entries[6],
        holder=Holder(holder[1], id_type, holder[3], holder[4]),
        fields=fields,
        issued_at=moment(entries, 9),
        issued_on=issued_on,
        expires_on=expires_on,
        status_uri=text(entries, 12),
        status_index=entries[13],
        verification_code=entries[14],
        photo_digest=entries.get(15),
        template_digest=entries[16],
        salt=entries[17],
    )
    if encode_claims(claims) != payload:
        raise BadClaims("they are not written as they read", "编码与内容不符")
    return claims


def claims_digest(payload: bytes) -> bytes:
    """SHA-256 of the claims' bytes, as it stands in QR codes and log leaves."""
    return hashlib.sha256(payload).digest()


def _spell(claims: Claims) -> bytes:
    """Write the entries in the order of their keys; what is the same for a whole batch is written once."""
    photo = claims.photo_digest
    dates, count = _spell_dates(claims.issued_at, claims.issued_on, claims.expires_on, claims.status_uri)
    return b"".join(
        (
            spell_map_head(13 + count + (photo is not None)),
            _spell_issuer(claims.issuer, claims.issuer_name),
            b"\x03",
            spell_form(claims.serial, _SERIAL, 3),
            b"\x04",
            spell_integer(claims.version, 1, 999, 4),
            _spell_kind(claims.kind),
            b"\x06",
            _spell_identifier(claims),
            b"\x07",
            _spell_holder(claims.holder),
            b"\x08",
            _spell_fields(claims.fields),
            dates,
            b"\x0d",
            spell_integer(claims.status_index, 0, SLOTS_A_LIST - 1, 13),
            b"\x0e",
            spell_form(claims.verification_code, _CODE, 14),
            b"" if photo is None else b"\x0f" + spell_octets(photo, DIGEST_BYTES, 15),
            b"\x10",
            spell_octets(claims.template_digest, DIGEST_BYTES, 16),
            b"\x11",
            spell_octets(claims.salt, SALT_BYTES, 17),
        )
    )


def _spell_identifier(claims: Claims) -> bytes:
    """Write the identifier, which must be that of the issuer, the serial and the version; these are checked before."""
    given = claims.identifier
    if not isinstance(given, str):
        raise bad_key(6)
    if given != identifier(given[_TYPE_CODE], claims.issuer, claims.serial, claims.version):
        raise BadClaims(
            "the identifier is not that of issuer, serial and version", "证照标识与颁发机构、编号或版本不符"
        )
    return spell_text(given)


@lru_cache(maxsize=64)
def _spell_issuer(issuer: str, name: str) -> bytes:
    (line,) = spell_lines((name,), MAX_TEXT, 2)
    if not name:
        raise bad_key(2)
    return b"".join((b"\x00", spell_number(CLAIMS_TYPE), b"\x01", spell_form(issuer, _ISSUER, 1), b"\x02", line))


@lru_cache(maxsize=64)
def _spell_kind(kind: str) -> bytes:
    return b"\x05" + spell_form(kind, _KIND, 5)


def _spell_holder(holder: Holder) -> bytes:
    spelt_type = _SPELT_TYPES.get(holder.id_type)
    if spelt_type is None or not holder.name:
        raise bad_key(7)
    name, number, sex = spell_lines((holder.name, holder.id_number, holder.sex), MAX_TEXT, 7)
    return b"".join((b"\xa4\x01", name, spelt_type, b"\x03", number, b"\x04", sex))


def _spell_fields(fields: Mapping[str, str]) -> bytes:
    head, keys, spelt_keys = _spell_keys(tuple(fields))
    values = [fields[key] for key in keys]
    if not all(values):
        raise bad_key(8)
    parts = [head] * (2 * len(keys) + 1)
    parts[1::2] = spelt_keys
    parts[2::2] = spell_lines(values, MAX_TEXT, 8)
    return b"".join(parts)


@lru_cache(maxsize=64)
def _spell_keys(keys: tuple[str, ...]) -> tuple[bytes, tuple[str, ...], tuple[bytes, ...]]:
    """The head of the fields' map, and the keys in the order of their encoding: the same for all rows of a sheet."""
    spelt = sorted([(spell_form(key, _KEY, 8), key) for key in keys])
    return spell_map_head(len(spelt)), tuple(key for _, key in spelt), tuple(content for content, _ in spelt)


@lru_cache(maxsize=256)
def _spell_dates(
    issued_at: datetime, issued_on: PartialDate, expires_on: date | None, status_uri: str
) -> tuple[bytes, int]:
    """Keys 9 to 12, which all certificates of a chunk share; and how many these are."""
    parts = [
        b"\x09",
        spell_number(to_seconds(issued_at)),
        b"\x0a",
        spell_text(partial_date(str(issued_on)).text),
    ]
    if expires_on is not None:
        parts += [b"\x0b", spell_text(_day(expires_on.isoformat()).isoformat())]
    parts += [b"\x0c", spell_form(status_uri, _URI, 12)]
    return b"".join(parts), len(parts) // 2


def _day(value: str) -> date:
    day = date.fromisoformat(value)
    if day.isoformat() != value:
        raise BadDate(value)
    return day
