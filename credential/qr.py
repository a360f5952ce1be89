"""The text inside the QR code: what it says, how it is read, how much fits.

``https://<host>/c/<verification code>#1<decimal>``: the path opens the verdict
page in any phone; the fragment is never sent by browsers and holds the signed
claims as one decimal number, so that paper can be checked offline.
The fragment is ``1`` (this format) and the number ``0x01 || COSE_Sign1``, big-endian.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from credential.cbor import encode
from credential.claims import DIGEST_BYTES, SLOTS_A_LIST, claims_digest, encode_claims
from credential.cose import message_bytes
from credential.errors import ConfigError, InputError
from credential.model import BadDate, Claims, PartialDate
from credential.qr_capacity import MAX_MESSAGE_BYTES, budget, decimal_digits
from credential.schema import QrFields
from credential.serial import CODE_LENGTH
from credential.signed_map import BadClaims, decode_map, integer, moment, octets, text, to_seconds

__all__ = [
    "MAX_MESSAGE_BYTES",
    "BadOrigin",
    "BadQrText",
    "QrClaims",
    "QrText",
    "QrTooSmall",
    "UnknownQrFormat",
    "budget",
    "decode_qr_claims",
    "encode_qr_claims",
    "fit_qr_claims",
    "fit_qr_payload",
    "parse_qr_text",
    "qr_prefix",
    "qr_text",
]

QR_TYPE = 2
MAX_TEXT_LENGTH = 4096  # characters; the largest QR code holds 7,089 digits, of ours none has more than 1,500

_PATH = "/c/"
_FORMAT = "1"
_LEAD = b"\x01"  # keeps leading zeros of the message
_COSE_SIGN1 = b"\xd2\x84"  # every message of ours begins so: tag 18, an array of four (RFC 9052, 4.2)
_ORIGIN = re.compile(
    r"https?://[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*(?::[1-9][0-9]{0,4})?"
)
_TEXT = re.compile(rf"({_ORIGIN.pattern}){_PATH}([0-9A-HJKMNP-TV-Z]{{{CODE_LENGTH}}})(?:#([0-9]+))?")
_ISSUER = re.compile(r"[0-9A-Z]{18}")
_SERIAL = re.compile(r"[0-9A-Z]{1,64}")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")
CUT_MARK = "…"  # ends a title that had to be shortened; a shortened name has a flag of its own
_LONGEST_WORDS = 200  # characters of a title or level, the most that _LINE takes
_USUAL_FIELDS = QrFields()
_REQUIRED = frozenset({0, 1, 2, 8, 9, 10, 11})
_ALL = frozenset(range(12))
_LAST_LIST = (1 << 31) - 1


class BadQrText(InputError):
    """A text that is not one of our QR codes."""

    code = "bad-qr-text"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the text is not that of a certificate's QR code: {why_en}; scan it again or type the verification code",
            f"该文本不是证书二维码的内容: {why_zh}; 请重新扫码或手工输入核验码",
        )


class UnknownQrFormat(InputError):
    """One of our QR codes, of a format that this version cannot read."""

    code = "unknown-qr-format"

    def __init__(self, digit: str) -> None:
        super().__init__(
            f"the QR code has format {digit}, this version reads {_FORMAT}; update the verifier",
            f"二维码格式版本为 {digit}, 本程序只识别 {_FORMAT}; 请更新核验程序",
        )


class BadOrigin(ConfigError):
    """The public address in the settings cannot stand in a QR code."""

    code = "bad-public-url"

    def __init__(self, public_url: str) -> None:
        super().__init__(
            f"{public_url!r} cannot stand in a QR code: write it as https://host, lower case, without a path",
            f"“{public_url}”不能用于二维码: 请写作 https://主机名, 小写, 不带路径",
        )


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


@dataclass(frozen=True, slots=True)
class QrText:
    """What a scanned text says, taken apart; whose host it is, the caller judges.

    Attributes:
        origin: scheme, host and port.
        code: verification code, canonical.
        message: the COSE_Sign1 bytes, not yet opened; None when there is no fragment.
    """

    origin: str
    code: str
    message: bytes | None


def encode_qr_claims(claims: QrClaims) -> bytes:
    """Write QR claims in their one encoding.

    Raises:
        BadClaims: a value that :func:`decode_qr_claims` would refuse.
    """
    payload = _write(claims)
    decode_qr_claims(payload)
    return payload


def decode_qr_claims(payload: bytes) -> QrClaims:
    """Read QR claims, strictly.

    Args:
        payload: of a message, not trusted before its signature was verified.

    Raises:
        BadClaims: not in the one encoding, or a value out of its range.
    """
    entries = decode_map(payload, QR_TYPE, required=_REQUIRED, allowed=_ALL)
    try:
        qualified_on = PartialDate(text(entries, 7, _LINE)) if 7 in entries else None
    except BadDate as error:
        raise BadClaims("the date of qualification does not exist", "取得资格时间不是有效日期") from error
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
    qualified_on = claims.fields.get(in_qr.date, "")
    whole = QrClaims(
        issuer=claims.issuer,
        serial=claims.serial,
        name=claims.holder.name,
        name_is_cut=False,
        title=_cut(claims.fields.get(in_qr.title, ""), _LONGEST_WORDS),
        level=_cut(claims.fields.get(in_qr.level, ""), _LONGEST_WORDS),
        qualified_on=PartialDate(qualified_on) if qualified_on else None,
        status_list=status_list,
        status_index=claims.status_index,
        issued_at=claims.issued_at,
        claims_digest=digest or claims_digest(encode_claims(claims)),
    )
    payload = encode_qr_claims(whole)
    needed = message_bytes(len(payload), signature_bytes)
    if needed <= budget:
        return payload
    cut = whole
    while cut.name or cut.title not in {"", CUT_MARK}:
        if len(cut.name) >= len(cut.title):
            cut = replace(cut, name=cut.name[:-1], name_is_cut=True)
        else:
            cut = replace(cut, title=_cut(whole.title, len(cut.title) - 1))
        needed = message_bytes(len(_write(cut)), signature_bytes)
        if needed <= budget:
            return encode_qr_claims(cut)
    raise QrTooSmall(needed, budget)


def says(words: str, full: str) -> bool:
    """Whether the QR code's title or level is the full text, or a marked beginning of it."""
    return words == full or (words.endswith(CUT_MARK) and full.startswith(words.removesuffix(CUT_MARK)))


def _cut(words: str, length: int) -> str:
    """Shorten a text to so many characters, the mark of the cut included."""
    if len(words) <= length:
        return words
    return words[: length - 1] + CUT_MARK


def qr_text(public_url: str, code: str, message: bytes) -> str:
    """Write the text of a QR code.

    Args:
        public_url: ``https://host``; http is for demonstrations on this machine.
        code: verification code, canonical.
        message: COSE_Sign1 over QR claims, at most 1,500 bytes.

    Raises:
        BadOrigin: the address has a path, capital letters or another scheme.
        ValueError: the message is longer than any symbol of ours.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(message)} bytes does not fit into a QR code")
    number = int.from_bytes(_LEAD + message)
    return f"{qr_prefix(public_url, code)}{_FORMAT}{number}"


def qr_prefix(public_url: str, code: str) -> str:
    """Write the text up to and with ``#``, which the symbol holds as bytes.

    Raises:
        BadOrigin: as in :func:`qr_text`.
    """
    if _ORIGIN.fullmatch(public_url) is None:
        raise BadOrigin(public_url)
    return f"{public_url}{_PATH}{code}#"


def parse_qr_text(scanned: str) -> QrText:
    """Take a scanned text apart; any text at all may be given.

    Raises:
        BadQrText: it is not exactly what :func:`qr_text` writes, with or
            without the fragment.
        UnknownQrFormat: a fragment of a later format.
    """
    match = _TEXT.fullmatch(scanned) if len(scanned) <= MAX_TEXT_LENGTH else None
    if match is None:
        raise BadQrText("it has not the form https://host/c/CODE#digits", "格式应为 https://主机名/c/核验码#数字")
    origin, code, fragment = match.groups()
    if fragment is None:
        return QrText(origin, code, None)
    if not fragment.startswith(_FORMAT):
        raise UnknownQrFormat(fragment[0])
    digits = fragment[1:]
    if not digits or digits.startswith("0") or len(digits) > decimal_digits(MAX_MESSAGE_BYTES):
        raise BadQrText("the number after # is none of ours", "#后的数字无效")
    number = int(digits)
    content = number.to_bytes((number.bit_length() + 7) // 8)
    if not content.startswith(_LEAD + _COSE_SIGN1):  # cut off by a scanner, more likely than not
        raise BadQrText("the number after # is none of ours", "#后的数字无效")
    return QrText(origin, code, content[1:])


def _write(claims: QrClaims) -> bytes:
    entries = {
        0: QR_TYPE,
        1: claims.issuer,
        2: claims.serial,
        3: claims.name or None,
        4: 1 if claims.name_is_cut else None,
        5: claims.title or None,
        6: claims.level or None,
        7: None if claims.qualified_on is None else str(claims.qualified_on),
        8: claims.status_list,
        9: claims.status_index,
        10: to_seconds(claims.issued_at),
        11: claims.claims_digest,
    }
    try:
        return encode({key: value for key, value in entries.items() if value is not None})
    except UnicodeEncodeError as error:
        raise BadClaims("a text is not valid Unicode", "文本不是有效的 Unicode") from error
