"""The text inside the QR code: what it says, how it is read, how much fits.

``https://<host>/c/<verification code>#1<decimal>``: the path opens the verdict
page in any phone; the fragment is never sent by browsers and holds the signed
claims as one decimal number, so that paper can be checked offline.
The fragment is ``1`` (this format) and the number ``0x01 || COSE_Sign1``, big-endian.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from credential.errors import ConfigError, InputError
from credential.qr_capacity import MAX_MESSAGE_BYTES, budget, decimal_digits
from credential.qr_claims import (
    QrClaims,
    QrTooSmall,
    decode_qr_claims,
    encode_qr_claims,
    fit_qr_claims,
    fit_qr_payload,
    says,
)
from credential.serial import CODE_LENGTH

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
    "says",
]

MAX_TEXT_LENGTH = 4096  # characters; the largest QR code holds 7,089 digits, of ours none has more than 1,500

_PATH = "/c/"
_FORMAT = "1"
_LEAD = b"\x01"  # keeps leading zeros of the message
_COSE_SIGN1 = b"\xd2\x84"  # every message of ours begins so: tag 18, an array of four (RFC 9052, 4.2)
_ORIGIN = re.compile(
    r"https?://[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*(?::[1-9][0-9]{0,4})?"
)
_TEXT = re.compile(rf"({_ORIGIN.pattern}){_PATH}([0-9A-HJKMNP-TV-Z]{{{CODE_LENGTH}}})(?:#([0-9]+))?")


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
    return f"{_address(public_url)}{code}#{_FORMAT}{number}"


def qr_prefix(public_url: str, code: str) -> str:
    """Write the text up to and with ``#``, which the symbol holds as bytes.

    Raises:
        BadOrigin: as in :func:`qr_text`.
    """
    return f"{_address(public_url)}{code}#"


@lru_cache(maxsize=64)
def _address(public_url: str) -> str:
    """What stands before the code; checked once for each public address."""
    if _ORIGIN.fullmatch(public_url) is None:
        raise BadOrigin(public_url)
    return public_url + _PATH


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
