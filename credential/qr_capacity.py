"""How many bytes of a signed message a QR symbol holds beside its address (ISO/IEC 18004).

The text is one byte segment (the address, up to and with ``#``) and one numeric
segment (the digit of the format and the decimal number).
"""

import math
from functools import lru_cache

from credential.errors import ConfigError

MAX_MESSAGE_BYTES = 1500  # far more than any template leaves room for

# ISO/IEC 18004, table 9: error correction codewords a block and number of blocks, versions 1 to 40.
_ERROR_CODEWORDS = {
    "L": (
        "7 10 15 20 26 18 20 24 30 18 20 24 26 30 22 24 28 30 28 28 "
        "28 28 30 30 26 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30"
    ),
    "M": (
        "10 16 26 18 24 16 18 22 22 26 30 22 22 24 24 28 28 26 26 26 "
        "26 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28"
    ),
    "Q": (
        "13 22 18 26 18 24 18 22 20 24 28 26 24 20 30 24 28 28 26 30 "
        "28 30 30 30 30 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30"
    ),
    "H": (
        "17 28 22 16 22 28 26 26 24 28 24 28 22 24 24 30 28 28 26 28 "
        "30 24 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30"
    ),
}
_BLOCKS = {
    "L": ("1 1 1 1 1 2 2 2 2 4 4 4 4 4 6 6 6 6 7 8 8 9 9 10 12 12 12 13 14 15 16 17 18 19 19 20 21 22 24 25"),
    "M": ("1 1 1 2 2 4 4 4 5 5 5 8 9 9 10 10 11 13 14 16 17 17 18 20 21 23 25 26 28 29 31 33 35 37 38 40 43 45 47 49"),
    "Q": (
        "1 1 2 2 4 4 6 6 8 8 8 10 12 16 12 17 16 18 21 20 23 23 25 27 29 34 34 35 38 40 43 45 48 51 53 56 59 62 65 68"
    ),
    "H": (
        "1 1 2 4 4 4 5 6 8 8 11 11 16 16 18 16 19 21 25 25 25 34 30 32 35 37 40 42 45 48 51 54 57 60 63 66 70 74 77 81"
    ),
}
_MODE_BITS = 4
_DIGITS_IN_BITS = ((7, 2), (4, 1))  # what is left after groups of three digits in ten bits


class UnknownSymbol(ConfigError):
    """There is no QR symbol of this version and level."""

    code = "unknown-qr-symbol"

    def __init__(self, version: int, level: str) -> None:
        super().__init__(
            f"there is no QR symbol {version}-{level}; versions are 1 to 40, levels L, M, Q and H",
            f"不存在 {version}-{level} 型二维码; 版本为1至40, 纠错等级为 L、M、Q、H",
        )


def data_codewords(version: int, level: str) -> int:
    """Bytes of data in a symbol, headers included (ISO/IEC 18004, table 7).

    Raises:
        UnknownSymbol: no such version or level.
    """
    if not 1 <= version <= 40 or level not in _BLOCKS:
        raise UnknownSymbol(version, level)
    modules = (16 * version + 128) * version + 64
    if version >= 2:
        patterns = version // 7 + 2  # alignment patterns along a side
        modules -= (25 * patterns - 10) * patterns - 55
    if version >= 7:
        modules -= 36  # version information
    at = version - 1
    return modules // 8 - int(_ERROR_CODEWORDS[level].split()[at]) * int(_BLOCKS[level].split()[at])


def numeric_digits(version: int, level: str, url_length: int) -> int:
    """Digits that fit beside an address of so many bytes; negative when not even it fits.

    Raises:
        UnknownSymbol: no such version or level.
    """
    byte_count_bits = 8 if version < 10 else 16
    numeric_count_bits = 10 if version < 10 else 12 if version < 27 else 14
    headers = 2 * _MODE_BITS + byte_count_bits + numeric_count_bits
    bits = 8 * data_codewords(version, level) - headers - 8 * url_length
    if bits < 0:
        return -1
    return bits // 10 * 3 + next((digits for needed, digits in _DIGITS_IN_BITS if bits % 10 >= needed), 0)


def decimal_digits(message_bytes: int) -> int:
    """Digits of the largest number ``0x01 || message`` of so many bytes."""
    return int((8 * message_bytes + 1) * math.log10(2)) + 1  # no power of two is one of ten


@lru_cache(maxsize=64)
def budget(version: int, level: str, url_length: int) -> int:
    """Bytes of a message that surely fit a symbol, whatever their values.

    Args:
        version: 1 to 40.
        level: of error correction, ``M`` for ours.
        url_length: bytes of the text up to and with ``#`` (``qr.qr_prefix``).

    Returns:
        Zero when there is no room at all.

    Raises:
        UnknownSymbol: no such version or level.
    """
    digits = numeric_digits(version, level, url_length) - 1  # the first one is the format's
    return next(
        length for length in range(MAX_MESSAGE_BYTES, -1, -1) if length == 0 or decimal_digits(length) <= digits
    )
