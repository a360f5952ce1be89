"""Conditions and ranges of a request (RFC 9110, 13 and 14), as functions of headers: pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from credential.errors import InputError

MAX_RANGES = 16
"""Parts of one answer; who asks for more gets the whole file (RFC 9110, 14.2)."""

_ETAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"(\d*)[ \t]*-[ \t]*(\d*)", re.ASCII)
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file, never empty.

    Attributes:
        start: first byte.
        end: byte behind the last.
    """

    start: int
    end: int


class RangeOutside(InputError):
    """No part of the file was asked for that it has."""

    code = "range-outside"

    def __init__(self, length: int) -> None:
        super().__init__(
            f"the range lies behind the end of the file, which has {length} bytes; ask for a part of those",
            f"请求的范围超出文件长度 {length} 字节; 请改正范围",
        )
        self.headers = {"Content-Range": f"bytes */{length}"}


def has_etag(header: str | None, etag: str) -> bool:
    """Say whether ``If-None-Match`` names this tag, or any; the comparison is the weak one."""
    if header is None:
        return False
    return header.strip() == "*" or etag in _ETAG.findall(header)


def asked_spans(header: str | None, if_range: str | None, etag: str, length: int) -> Sequence[Span]:
    """Say which parts of a file are asked for; none means all of it.

    A header that is no list of byte ranges is passed over, as RFC 9110, 14.2
    demands, and so is one whose ``If-Range`` names another version. Parts that
    meet or overlap are given as one.

    Raises:
        RangeOutside: ranges were asked for, and the file has none of them.
    """
    if header is None or (if_range is not None and if_range.strip() != etag):
        return ()
    unit, _, listed = header.partition("=")
    if unit.strip().lower() != "bytes":
        return ()
    spans = []
    entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
    for entry in entries:
        match = _RANGE.fullmatch(entry)
        if match is None or max(map(len, match.groups())) > _MAX_DIGITS:
            return ()
        first, last = match.groups()
        if not (first or last) or (first and last and int(last) < int(first)):
            return ()
        if (span := _span(first, last, length)) is not None:
            spans.append(span)
    if not entries or len(entries) > MAX_RANGES:
        return ()
    if not spans:
        raise RangeOutside(length)
    return _joined(spans)


def _span(first: str, last: str, length: int) -> Span | None:
    if not first:
        start, end = max(0, length - int(last)), length
    else:
        start, end = int(first), min(length, int(last) + 1 if last else length)
    return Span(start, end) if start < end else None


def _joined(spans: Sequence[Span]) -> Sequence[Span]:
    """Join what meets or overlaps, so that nobody is sent one byte many times."""
    joined: list[Span] = []
    for span in spans:
        start, end = span.start, span.end
        apart = []
        for other in joined:
            if other.end < start or end < other.start:
                apart.append(other)
            else:
                start, end = min(start, other.start), max(end, other.end)
        joined = [*apart, Span(start, end)]
    return joined
