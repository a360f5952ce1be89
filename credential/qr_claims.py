"""The claims inside the QR code: what paper says when it is checked offline, and how much of it fits.

A map like the full claims (docs/formats.md, section 7), with their digest: who
has the paper only can check who signed it, and what of the register it is.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from credential.cbor import spell_map_head, spell_number, spell_text
from credential.claims import DIGEST_BYTES, SLOTS_A_LIST, claims_digest, encode_claims
from credential.cose import message_bytes
from credential.errors import ConfigError
from credential.model import BadDate, Claims, PartialDate
from credential.schema import QrFields
from credential.signed_map import (
    BadClaims,
    decode_map,
    integer,
    moment,
    octets,
    partial_date,
    spell_form,
    spell_integer,
    spell_lines,
    spell_octets,
    text,
    to_seconds,
)

QR_TYPE = 2
CUT_MARK = "…"  # ends a title that had to be shortened; a shortened name has a flag of its own

_ISSUER = re.compile(r"[0-9A-Z]{18}")
_SERIAL = re.compile(r"[0-9A-Z]{1,64}")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")
_LONGEST_WORDS = 200  # characters of a name, title or level, the most that _LINE takes
_USUAL_FIELDS = QrFields()
_REQUIRED = frozenset({0, 1, 2, 8, 9, 10, 11})
_ALL = frozenset(range(12))
_LAST_LIST = (1 << 31) - 1


class QrTooSmall(ConfigError):
    """The box of the template is too small even for claims without a name."""

    code = "qr-too-small"

    def __init__(self, needed: int, budget: int) -> None:
        super().__init__(
            f"the QR code holds {budget} bytes but needs {needed} even without a name; "
            "raise version under [qr] in template.toml and enlarge its box, or use a shorter host or a P-256 key",
            f"二维码只能容纳 {budget} 字节, 不含姓名已需 {needed} 字节; 请在 template.toml 的 [qr] 中提高 version "
            "并加大 box, 或缩短域名、改用 P-256 密钥",
        )
        self.needed = needed
        self.budget = budget


@dataclass(frozen=True, slots=True)
class QrClaims:
    """What paper says when it is checked offline; no ID number, not even hashed.

    Attributes:
        issuer: unified social credit code.
        serial: as printed.
        name: of the holder, or its beginning.
        name_is_cut: the name had to be shortened.
        title: empty where the kind of credential has none.
        level: empty likewise.
        qualified_on: None likewise.
        status_list: number of the status list.
        status_index: slot in it.
        issued_at: UTC, whole seconds.
        claims_digest: SHA-256 of the full claims' bytes.
    """

    issuer: str
    serial: str
    name: str
    name_is_cut: bool
    title: str
    level: str
    qualified_on: PartialDate | None
    status_list: int
    status_index: int
    issued_at: datetime
    claims_digest: bytes


def encode_qr_claims(claims: QrClaims) -> bytes:
    """Write QR claims in their one encoding.

    Raises:
        BadClaims: a value that :func:`decode_qr_claims` would refuse.
    """
    return _spell(
        claims.issuer,
        claims.serial,
        claims.name,
        claims.title,
        claims.level,
        "" if claims.qualified_on is None else str(claims.qualified_on),
        claims.status_list,
        claims.status_index,
        claims.issued_at,
        claims.claims_digest,
        name_is_cut=claims.name_is_cut,
    )


def decode_qr_claims(payload: bytes) -> QrClaims:
    """Read QR claims, strictly.

    Args:
        payload: of a message, not trusted before its signature was verified.

    Raises:
        BadClaims: not in the one encoding, or a value out of its range.
    """
    entries = decode_map(payload, QR_TYPE, required=_REQUIRED, allowed=_ALL)
    try:
        qualified_on = partial_date(text(entries, 7, _LINE)) if 7 in entries else None
    except BadDate as error:
        raise _no_date() from error
    return QrClaims(
        issuer=text(entries, 1, _ISSUER),
        serial=text(entries, 2, _SERIAL),
        name=text(entries, 3, _LINE) if 3 in entries else "",
        name_is_cut=4 in entries and bool(integer(entries, 4, 1, 1)),
        title=text(entries, 5, _LINE) if 5 in entries else "",
        level=text(entries, 6, _LINE) if 6 in entries else "",
        qualified_on=qualified_on,
        status_list=integer(entries, 8, 0, _LAST_LIST),
        status_index=integer(entries, 9, 0, SLOTS_A_LIST - 1),
        issued_at=moment(entries, 10),
        claims_digest=octets(entries, 11, DIGEST_BYTES),
    )


def fit_qr_claims(  # noqa: PLR0913 - those of fit_qr_payload
    claims: Claims,
    status_list: int,
    budget: int,
    signature_bytes: int,
    *,
    in_qr: QrFields = _USUAL_FIELDS,
    digest: bytes | None = None,
) -> QrClaims:
    """Give what :func:`fit_qr_payload` chooses, taken apart; arguments and errors are its."""
    return decode_qr_claims(fit_qr_payload(claims, status_list, budget, signature_bytes, in_qr=in_qr, digest=digest))


def fit_qr_payload(  # noqa: PLR0913 - two of them have a default
    claims: Claims,
    status_list: int,
    budget: int,
    signature_bytes: int,
    *,
    in_qr: QrFields = _USUAL_FIELDS,
    digest: bytes | None = None,
) -> bytes:
    """Choose what of a credential's claims the QR code says, cutting the longer of name and title if need be.

    Args:
        claims: the full claims.
        status_list: number of the status list that ``status_index`` is in.
        budget: bytes of the message that the symbol holds, from :func:`budget`.
        signature_bytes: from ``cose.signature_bytes``.
        in_qr: which fields are title, level and date for this kind of credential.
        digest: of the encoded claims, where the caller has it; spares encoding them again.

    Returns:
        The payload to be signed, as from :func:`encode_qr_claims`.

    Raises:
        QrTooSmall: it does not fit even without name and title.
        BadClaims: the claims themselves are bad.
    """
    fields = claims.fields
    title = _cut(fields.get(in_qr.title, ""), _LONGEST_WORDS)
    payload = _spell(
        claims.issuer,
        claims.serial,
        claims.holder.name,
        title,
        _cut(fields.get(in_qr.level, ""), _LONGEST_WORDS),
        fields.get(in_qr.date, ""),
        status_list,
        claims.status_index,
        claims.issued_at,
        digest or claims_digest(encode_claims(claims)),
    )
    needed = message_bytes(len(payload), signature_bytes)
    if needed <= budget:
        return payload
    cut = decode_qr_claims(payload)
    while cut.name or cut.title not in {"", CUT_MARK}:
        if len(cut.name) >= len(cut.title):
            cut = replace(cut, name=cut.name[:-1], name_is_cut=True)
        else:
            cut = replace(cut, title=_cut(title, len(cut.title) - 1))
        payload = encode_qr_claims(cut)
        needed = message_bytes(len(payload), signature_bytes)
        if needed <= budget:
            return payload
    raise QrTooSmall(needed, budget)


def says(words: str, full: str) -> bool:
    """Whether the QR code's title or level is the full text, or a marked beginning of it."""
    return words == full or (words.endswith(CUT_MARK) and full.startswith(words.removesuffix(CUT_MARK)))


def _cut(words: str, length: int) -> str:
    """Shorten a text to so many characters, the mark of the cut included."""
    if len(words) <= length:
        return words
    return words[: length - 1] + CUT_MARK


def _spell(  # noqa: PLR0913, PLR0917 - those of QrClaims, without making one for every certificate
    issuer: str,
    serial: str,
    name: str,
    title: str,
    level: str,
    qualified_on: str,
    status_list: int,
    status_index: int,
    issued_at: datetime,
    digest: bytes,
    *,
    name_is_cut: bool = False,
) -> bytes:
    """Write the entries in the order of their keys, without those that are empty.

    Raises:
        BadClaims: :func:`decode_qr_claims` would refuse a value.
    """
    try:
        spelt_name, spelt_title, spelt_level = spell_lines((name, title, level), _LONGEST_WORDS, 3)
    except UnicodeEncodeError as error:
        raise BadClaims("a text is not valid Unicode", "文本不是有效的 Unicode") from error
    entries = [_spell_issuer(issuer), b"\x02" + spell_form(serial, _SERIAL, 2)]
    if name:
        entries.append(b"\x03" + spelt_name)
    if name_is_cut:
        entries.append(b"\x04\x01")
    if title:
        entries.append(b"\x05" + spelt_title)
    if level:
        entries.append(b"\x06" + spelt_level)
    if qualified_on:
        entries.append(_spell_date(qualified_on))
    entries += (
        b"\x08" + spell_integer(status_list, 0, _LAST_LIST, 8),
        b"\x09" + spell_integer(status_index, 0, SLOTS_A_LIST - 1, 9),
        _spell_moment(issued_at),
        b"\x0b" + spell_octets(digest, DIGEST_BYTES, 11),
    )
    return spell_map_head(len(entries) + 1) + b"".join(entries)  # the issuer comes with the format type


@lru_cache(maxsize=64)
def _spell_issuer(issuer: str) -> bytes:
    return b"\x00" + spell_number(QR_TYPE) + b"\x01" + spell_form(issuer, _ISSUER, 1)


@lru_cache(maxsize=1024)
def _spell_date(qualified_on: str) -> bytes:
    try:
        return b"\x07" + spell_text(partial_date(qualified_on).text)
    except BadDate as error:
        raise _no_date() from error


@lru_cache(maxsize=1024)
def _spell_moment(issued_at: datetime) -> bytes:
    return b"\x0a" + spell_number(to_seconds(issued_at))


def _no_date() -> BadClaims:
    return BadClaims("the date of qualification does not exist", "取得资格时间不是有效日期")
