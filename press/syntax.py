"""The few forms of PDF syntax that the press writes (ISO 32000-1, 7.2 to 7.3).

Everything here gives bytes that satisfy PDF/A-3's stricter file structure too
(ISO 19005-3, 6.1): one line feed after ``obj`` and before ``endobj``, stream
lengths exact, strings in hexadecimal.
"""

import zlib
from collections.abc import Iterable

POINTS_PER_MM = 72 / 25.4


def number(value: float) -> bytes:
    """Write a number with at most three decimals and no trailing zeros."""
    written = (b"%.3f" % value).rstrip(b"0").rstrip(b".")
    return b"0" if written == b"-0" else written


def numbers(*values: float) -> bytes:
    """Write numbers with spaces between them."""
    return b" ".join([number(value) for value in values])


def text_string(text: str) -> bytes:
    """Write a text string: UTF-16BE with a byte order mark, in hexadecimal (7.9.2.2)."""
    return b"<FEFF" + text.encode("utf-16-be").hex().upper().encode("ascii") + b">"


def obj(index: int, body: bytes) -> bytes:
    """Write an indirect object."""
    return b"%d 0 obj\n%b\nendobj\n" % (index, body)


def stream(entries: bytes, content: bytes) -> bytes:
    """Write a stream's dictionary and data; the length is added to the entries."""
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (entries, len(content), content)


def deflated(entries: bytes, content: bytes) -> bytes:
    """Write a stream compressed with zlib, or as it is when that is shorter."""
    packed = zlib.compress(content, 9)
    if len(packed) >= len(content):
        return stream(entries, content)
    return stream(entries + b"/Filter/FlateDecode", packed)


def reference(index: int) -> bytes:
    """Write a reference to an indirect object."""
    return b"%d 0 R" % index


def references(indices: Iterable[int]) -> bytes:
    """Write an array of references."""
    return b"[" + b" ".join(reference(index) for index in indices) + b"]"


def colour(hex_code: str) -> tuple[float, float, float]:
    """Turn ``#RRGGBB`` into three numbers from 0 to 1.

    Raises:
        ValueError: it is not of that form.
    """
    if len(hex_code) != 7 or hex_code[0] != "#":
        raise ValueError(hex_code)
    red, green, blue = bytes.fromhex(hex_code[1:])
    return red / 255, green / 255, blue / 255
