"""Rules about the bytes of a signed PDF, before and beside any parsing.

A signature says only that certain bytes were signed. These rules say that they
are the right bytes: all of the revision but the signature's own hex string,
with nothing hidden in that string or behind the end of the file.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asn1crypto import parser

from credential.der import is_canonical_der

__all__ = [
    "BadRange",
    "SignedRange",
    "check_contents",
    "check_range",
    "contents_at",
    "has_only_line_ends",
    "is_canonical_der",
    "is_lower_case",
    "last_signature",
    "revisions_of",
    "signed_ends",
]

_HEX = re.compile(rb"[0-9A-Fa-f]*")
_ZEROS = re.compile(rb"\0*")
_LINE_ENDS = re.compile(rb"[\r\n]*")
_END_OF_FILE = re.compile(rb"%%EOF[\r\n]*\Z")
_BYTE_RANGE = re.compile(
    rb"/ByteRange\s{0,16}\[\s{0,16}0\s{1,64}(\d{1,10})\s{1,64}(\d{1,10})\s{1,64}(\d{1,10})\s{0,64}\]"
)
_LONGEST_END = 64  # %%EOF and line ends; longer runs of line ends belong to nobody
MAX_CANDIDATES = 16  # signed revisions tried in a file that cannot be read as a whole


class BadRange(Exception):
    """The byte range or the ``/Contents`` string is not as it must be."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail


@dataclass(frozen=True, slots=True)
class SignedRange:
    """The bytes that one signature covers: all up to ``end`` but the gap.

    Attributes:
        gap_start: offset of the ``<`` of ``/Contents``.
        gap_end: offset behind its ``>``.
        end: offset behind the signed revision.
    """

    gap_start: int
    gap_end: int
    end: int


def check_range(document: bytes, byte_range: Sequence[object]) -> SignedRange:
    """Check that a byte range is ``[0 a b c]`` around one hex string, up to the end of a revision.

    Raises:
        BadRange: it is not.
    """
    numbers = [value for value in byte_range if isinstance(value, int) and not isinstance(value, bool)]
    if len(numbers) != 4 or len(byte_range) != 4:
        raise BadRange("byte-range", "the byte range is not four whole numbers")
    start, gap_start, gap_end, rest = (int(number) for number in numbers)
    if start != 0 or not 0 < gap_start < gap_end or rest <= 0 or gap_end + rest > len(document):
        raise BadRange("byte-range", "the byte range does not run from the start around one gap")
    gap = document[gap_start:gap_end]
    if len(gap) < 4 or gap[:1] != b"<" or gap[-1:] != b">" or not _HEX.fullmatch(gap, 1, len(gap) - 1):
        raise BadRange("byte-range", "the gap of the byte range is not exactly one hex string")
    end = gap_end + rest
    if not _END_OF_FILE.search(document, max(0, end - _LONGEST_END), end):
        raise BadRange("covers-revision", "the byte range does not reach the end of its revision")
    return SignedRange(gap_start, gap_end, end)


def check_contents(document: bytes, signed: SignedRange, contents: bytes) -> bytes:
    """Check that the gap holds ``contents``: one CMS message and zeros behind it.

    Returns:
        The CMS message without the padding.

    Raises:
        BadRange: the signature dictionary's value is another one, or something
            stands behind the message.
    """
    if contents_at(document, signed) != contents:
        raise BadRange("byte-range", "the gap of the byte range is not the value of /Contents")
    try:
        _, _, _, header, content, trailer = parser.parse(contents)
    except ValueError as error:
        raise BadRange("contents", "/Contents holds no CMS message") from error
    length = len(header) + len(content) + len(trailer)
    if not _ZEROS.fullmatch(contents, length):
        raise BadRange("padding", "bytes behind the CMS message are not zero")
    return contents[:length]


def contents_at(document: bytes, signed: SignedRange) -> bytes:
    """Decode the hex string in the gap.

    Raises:
        BadRange: it has an odd number of digits.
    """
    digits = document[signed.gap_start + 1 : signed.gap_end - 1]
    if len(digits) % 2:
        raise BadRange("byte-range", "the hex string in the gap has an odd number of digits")
    return bytes.fromhex(digits.decode("ascii"))


def has_only_line_ends(document: bytes, start: int) -> bool:
    """Whether nothing but line ends follows the offset."""
    return _LINE_ENDS.fullmatch(document, start) is not None


def is_lower_case(document: bytes, signed: SignedRange) -> bool:
    """Whether the hex string is written in lower case, as our press writes it."""
    gap = document[signed.gap_start : signed.gap_end]
    return gap == gap.lower()


def last_signature(document: bytes) -> tuple[SignedRange, bytes]:
    """Find the last signature, if it covers the whole document: what it covers, and its CMS message without padding.

    Looked for from the end, where a tail of ours has it: the first one is found
    only through the whole file, which takes half as long as digesting it.

    Raises:
        BadRange: there is none, or bytes follow what it signs.
    """
    match = _BYTE_RANGE.match(document, max(0, document.rfind(b"/ByteRange")))
    if match is None:
        raise BadRange("byte-range", "there is no byte range")
    signed = check_range(document, [0, *(int(number) for number in match.groups())])
    if signed.end != len(document):
        raise BadRange("covers-revision", "the last signature does not cover the document")
    return signed, check_contents(document, signed, contents_at(document, signed))


def signed_ends(document: bytes) -> list[int]:
    """Find where signed revisions may end, from the bytes alone, longest first.

    For a file that cannot be read as a whole: what was signed may still be
    good. Only ends before the end of the file are given, at most
    ``MAX_CANDIDATES``.
    """
    ends = set()
    for match in _BYTE_RANGE.finditer(document):
        try:
            signed = check_range(document, [0, *(int(number) for number in match.groups())])
        except BadRange:
            continue
        if signed.end < len(document):
            ends.add(signed.end)
    return sorted(ends, reverse=True)[:MAX_CANDIDATES]


def revisions_of(document: bytes) -> Iterator[bytes]:
    """Yield the file and then, only if asked, its earlier signed revisions, longest first."""
    yield document
    for end in signed_ends(document):
        yield document[:end]
