"""The numbers on a certificate: serial, licence identifier, verification code.

Formats and examples are in docs/formats.md. Serials are guessable on purpose
(they are read out on the phone); only the verification code is random, and
nothing printed on a certificate opens a download.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from credential.errors import ConfigError, InputError, RefusedError

DEFAULT_PATTERN = "division6 year4 series2 level1 seq6 check1"
IDENTIFIER_ROOT = "1.2.156.3005.2"  # GB/T 36904
CODE_BYTES = 10
CODE_LENGTH = 16

_DIGITS = "0123456789"
_ALPHANUMERIC = _DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CROCKFORD_PAIRS = [one + other for one in _CROCKFORD for other in _CROCKFORD]
_WIDTHS = {  # widths that make sense, by part of a pattern
    "division": range(2, 13, 2),
    "year": range(4, 5),
    "series": range(2, 4),
    "level": range(1, 2),
    "seq": range(4, 13),
    "check": range(1, 2),
}
_PART = re.compile(r"([a-z]+)([0-9]{1,2})", re.ASCII)
_IDENTIFIER = re.compile(
    r"1\.2\.156\.3005\.2\.(?P<type>[0-9A-Z]{18}[0-9]{3})\.(?P<issuer>[0-9A-Z]{18}|[0-9]{6})"
    r"\.(?P<serial>[0-9A-Z]{1,64})\.(?P<version>[0-9]{3})\.(?P<check>[0-9A-Z])"
)
_TYPE_CODE = re.compile(r"[0-9A-Z]{18}[0-9]{3}")
_ISSUER = re.compile(r"[0-9A-Z]{18}")
_SERIAL = re.compile(r"[0-9A-Z]{1,64}")
_IGNORED_IN_CODE = dict.fromkeys(map(ord, "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d \t\u00a0\u3000"), "")
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
_CODE_FOLDING = {
    **{ord(char.lower()): char for char in _ALPHANUMERIC},
    **dict.fromkeys(map(ord, "Oo"), "0"),
    **dict.fromkeys(map(ord, "IiLl"), "1"),
}


class BadPattern(ConfigError):
    """A serial pattern in an issuer's settings makes no sense."""

    code = "bad-serial-pattern"

    def __init__(self, pattern: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the serial pattern {pattern!r} cannot be used: {why_en}; an example is {DEFAULT_PATTERN!r}",
            f"证书编号规则“{pattern}”不可用: {why_zh}; 示例: “{DEFAULT_PATTERN}”",
        )
        self.pattern = pattern


class BadSerial(InputError):
    """A serial that this pattern cannot have made."""

    code = "bad-serial"

    def __init__(self, serial: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"{serial[:80]!r} is not a serial of this issuer: {why_en}; compare it with the certificate",
            f"“{serial[:80]}”不是该发证单位的证书编号: {why_zh}; 请与证书核对",
        )
        self.serial = serial


class SerialsExhausted(RefusedError):
    """The counter does not fit the pattern any more."""

    code = "serials-exhausted"

    def __init__(self, sequence: int, capacity: int, cure: str) -> None:
        super().__init__(
            f"sequence number {sequence} is beyond the {capacity} serials a year of this pattern; widen it to {cure!r}",
            f"顺序号 {sequence} 超出该编号规则每年 {capacity} 个的容量; 请将规则加宽为“{cure}”",
        )
        self.sequence = sequence
        self.capacity = capacity


class BadIdentifier(InputError):
    """A text that is not a licence identifier of GB/T 36904."""

    code = "bad-identifier"

    def __init__(self, value: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"{value[:120]!r} cannot be (part of) a licence identifier: {why_en}",
            f"“{value[:120]}”不能作为(或用于)证照标识: {why_zh}",
        )
        self.value = value


class BadVerificationCode(InputError):
    """A text that is not a verification code."""

    code = "bad-verification-code"

    def __init__(self, text: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"{text[:40]!r} is not a verification code: {why_en}; "
            "it has 16 characters in groups of four and stands beside the QR code",
            f"“{text[:40]}”不是有效的核验码: {why_zh}; 核验码共16位, 每4位一组, 印在二维码旁",
        )
        self.text = text


def check_character(text: str, alphabet: str) -> str:
    """Compute the check character of ISO 7064's hybrid systems.

    Args:
        text: characters of the alphabet, without the check character.
        alphabet: ten digits for MOD 11,10; digits and letters for MOD 37,36.

    Raises:
        ValueError: a character is not in the alphabet.
    """
    modulus = len(alphabet)
    product = _product(text, alphabet, modulus)
    return alphabet[(modulus + 1 - product) % modulus]


def _product(text: str, alphabet: str, product: int) -> int:
    """Go on from a product of ISO 7064 over more characters; it begins with the modulus."""
    following = _following(alphabet)
    try:
        for char in text:
            product = following[char][product]
    except KeyError as error:
        raise ValueError(f"{error} is not in the alphabet") from None
    return product


@cache
def _following(alphabet: str) -> Mapping[str, tuple[int, ...]]:
    """The product that follows each product (0 to the modulus), by character: a look-up instead of three divisions."""
    modulus = len(alphabet)
    return {
        char: tuple(((product + value) % modulus or modulus) * 2 % (modulus + 1) for product in range(modulus + 1))
        for value, char in enumerate(alphabet)
    }


@dataclass(frozen=True, slots=True)
class SerialPattern:
    """How an issuer numbers its certificates; made by :meth:`parse`.

    Attributes:
        parts: names and widths in printed order.
    """

    parts: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, text: str) -> "SerialPattern":
        """Read a pattern such as ``division6 year4 series2 level1 seq6 check1``.

        Year and counter are always part of it, since the counter starts anew
        each year; the check digit, if any, is last.

        Raises:
            BadPattern: unknown, repeated or missing parts, or a width that makes no sense.
        """
        parts: dict[str, int] = {}
        for word in text.split(" "):
            match = _PART.fullmatch(word)
            if match is None or match[1] not in _WIDTHS:
                raise BadPattern(text, f"{word!r} is not a part", f"“{word}”不是规则的组成部分")
            name, width = match[1], int(match[2])
            if name in parts:
                raise BadPattern(text, f"{name!r} stands twice", f"“{name}”重复")
            if width not in _WIDTHS[name] or word != f"{name}{width}":
                raise BadPattern(text, f"{word!r} has no usable width", f"“{word}”的宽度不可用")
            parts[name] = width
        for needed in ("year", "seq"):
            if needed not in parts:
                raise BadPattern(text, f"{needed!r} is missing", f"缺少“{needed}”")
        if "check" in parts and list(parts)[-1] != "check":
            raise BadPattern(text, "'check1' is not the last part", "“check1”应在最后")
        return cls(tuple(parts.items()))

    def __str__(self) -> str:
        return " ".join(f"{name}{width}" for name, width in self.parts)

    @property
    def capacity(self) -> int:
        """How many serials a year the counter can give."""
        return int("9" * dict(self.parts)["seq"])

    @property
    def length(self) -> int:
        """Digits of a serial."""
        return sum(width for _, width in self.parts)

    def widened(self) -> "SerialPattern":
        """The same pattern with one more digit for the counter.

        Raises:
            BadPattern: the counter has the greatest width already.
        """
        return SerialPattern.parse(
            str(replace(self, parts=tuple((name, width + (name == "seq")) for name, width in self.parts)))
        )

    def format(self, *, division: str, year: int, series: str, level: str, sequence: int) -> str:
        """Write one serial.

        Args:
            division: digits of the issuer's division code; unused parts are ignored.
            year: of issue, in Beijing time.
            series: digits.
            level: one digit.
            sequence: the issuer's counter for the year, from 1.

        Raises:
            SerialsExhausted: the counter is past the pattern's capacity.
            BadSerial: a part has not the width or the digits that the pattern asks for.
        """
        if sequence > self.capacity:
            wider = " ".join(f"{name}{width + (name == 'seq')}" for name, width in self.parts)
            raise SerialsExhausted(sequence, self.capacity, wider)
        values = {"division": division, "year": str(year), "series": series, "level": level}
        serial = ""
        for name, width in self.parts:
            if name == "check":
                serial += check_character(serial, _DIGITS)
                continue
            value = f"{sequence:0{width}d}" if name == "seq" else values[name]
            if len(value) != width or not _is_digits(value) or sequence < 1:
                raise BadSerial(value, f"{name} must be {width} digits", f"{name} 应为{width}位数字")
            serial += value
        return serial

    def check(self, serial: str) -> None:
        """Refuse what this pattern cannot have made.

        Raises:
            BadSerial: wrong length, characters, counter or check digit.
        """
        if len(serial) != self.length:
            raise BadSerial(
                serial,
                f"it has {len(serial)} characters, not {self.length}",
                f"应为{self.length}位, 实为{len(serial)}位",
            )
        if not _is_digits(serial):
            raise BadSerial(serial, "it may hold digits only", "只能包含数字")
        start = 0
        for name, width in self.parts:
            value = serial[start : start + width]
            if name == "seq" and int(value) == 0:
                raise BadSerial(serial, "the sequence number is zero", "顺序号为零")
            if name == "check" and value != check_character(serial[:start], _DIGITS):
                raise BadSerial(serial, "the check digit is wrong", "校验码错误")
            start += width


@dataclass(frozen=True, slots=True)
class Identifier:
    """The parts of a licence identifier (证照标识, GB/T 36904).

    Attributes:
        type_code: 21 characters: code of the defining authority and three digits.
        issuer: 18 characters; some systems write a division code of six digits.
        serial: digits and capital letters.
        version: from 0 to 999; ours start at 1.
    """

    type_code: str
    issuer: str
    serial: str
    version: int


@lru_cache(maxsize=1024)
def identifier(type_code: str, issuer: str, serial: str, version: int) -> str:
    """Write a licence identifier with its check character (DOMAIN 2.2).

    Those of a chunk are remembered: each is asked for again when its claims are written.

    Raises:
        BadIdentifier: a part has not the form that GB/T 36904 gives it.
    """
    start, product = _identifier_start(type_code, issuer)
    if _SERIAL.fullmatch(serial) is None:
        raise BadIdentifier(serial, "a serial is 1 to 64 digits or capital letters", "流水号应为1至64位数字或大写字母")
    if not 1 <= version <= 999:
        raise BadIdentifier(str(version), "a version is 1 to 999", "版本号应为1至999")
    product = _product(f"{serial}{version:03d}", _ALPHANUMERIC, product)
    return f"{start}{serial}.{version:03d}.{_ALPHANUMERIC[(37 - product) % 36]}"


@lru_cache(maxsize=64)
def _identifier_start(type_code: str, issuer: str) -> tuple[str, int]:
    """The parts that all identifiers of one issuer share, and the check's product over them."""
    if _TYPE_CODE.fullmatch(type_code) is None:
        raise BadIdentifier(type_code, "a type is 18 characters and three digits", "证照类型代码应为18位加3位数字")
    if _ISSUER.fullmatch(issuer) is None:
        raise BadIdentifier(issuer, "an issuer has 18 characters", "颁发机构代码应为18位")
    return f"{IDENTIFIER_ROOT}.{type_code}.{issuer}.", _product(type_code + issuer, _ALPHANUMERIC, 36)


def check_identifier(text: str) -> Identifier:
    """Take a licence identifier apart; also one of another issuer's system.

    Raises:
        BadIdentifier: form or check character is wrong.
    """
    match = _IDENTIFIER.fullmatch(text)
    if match is None:
        raise BadIdentifier(text, "it has not the form of GB/T 36904", "格式不符合 GB/T 36904")
    if match["check"] != check_character("".join(match.group("type", "issuer", "serial", "version")), _ALPHANUMERIC):
        raise BadIdentifier(text, "the check character is wrong", "校验位错误")
    return Identifier(match["type"], match["issuer"], match["serial"], int(match["version"]))


def new_verification_code(random: bytes) -> str:
    """Write 10 random bytes as 16 characters of Crockford's base 32, upper case.

    Raises:
        ValueError: not exactly 10 bytes.
    """
    if len(random) != CODE_BYTES:
        raise ValueError(f"a verification code is made of {CODE_BYTES} bytes, not {len(random)}")
    number = int.from_bytes(random)
    return "".join([_CROCKFORD_PAIRS[number >> shift & 1023] for shift in range(70, -1, -10)])


def parse_verification_code(text: str) -> str:
    """Read a code as people type it: case, hyphens, spaces, O for 0, I or L for 1.

    Returns:
        The canonical 16 characters, without hyphens.

    Raises:
        BadVerificationCode: a foreign character (also U) or a wrong length.
    """
    code = text.translate(_FULL_WIDTH).translate(_IGNORED_IN_CODE).translate(_CODE_FOLDING)
    foreign = next((char for char in code if char not in _CROCKFORD), None)
    if foreign is not None:
        raise BadVerificationCode(text, f"{foreign!r} never stands in one", f"不会包含字符“{foreign}”")
    if len(code) != CODE_LENGTH:
        raise BadVerificationCode(text, f"it has {len(code)} characters", f"实为{len(code)}位")
    return code


def group_code(code: str) -> str:
    """Write a canonical code as it is printed: ``XXXX-XXXX-XXXX-XXXX``."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
