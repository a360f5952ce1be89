"""Deterministic CBOR (RFC 8949, 4.2.1): one value, one encoding.

Only what our formats need: integers, byte and text strings, arrays, maps and
tags. Reading is total and strict: whatever is not the one shortest encoding of
such a value is refused, so that equal values always have equal digests.
"""

from dataclasses import dataclass
from typing import Any

from credential.errors import InputError

MAX_DEPTH = 8
_LENGTHS = {24: (1, 24), 25: (2, 1 << 8), 26: (4, 1 << 16), 27: (8, 1 << 32)}  # bytes that follow, least value
_SHORT_HEADS = [bytes([first]) for first in range(256)]  # by first byte


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value, as 18 for COSE_Sign1."""

    number: int
    value: Any


class BadCbor(InputError):
    """Bytes that are not deterministic CBOR of the kind we write."""

    code = "bad-cbor"

    def __init__(self, why_en: str, why_zh: str, offset: int) -> None:
        super().__init__(
            f"the bytes are not deterministic CBOR: {why_en} at byte {offset}",
            f"数据不是确定性 CBOR 编码: 第 {offset} 字节处{why_zh}",
        )
        self.offset = offset


def encode(value: Any) -> bytes:
    """Write integers, bytes, text, lists, maps and tags in their one encoding.

    Written here since cbor2's canonical mode orders keys by length first, which
    is another order than RFC 8949's where positive and negative keys meet.

    Raises:
        TypeError: a value of another type.
        OverflowError: an integer outside -2^64 to 2^64 - 1.
        UnicodeEncodeError: a text with a lone surrogate.
    """
    if isinstance(value, str):
        content = value.encode()
        return _head(3, len(content)) + content
    if isinstance(value, int) and not isinstance(value, bool):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, dict):
        entries = sorted([(encode(key), encode(item)) for key, item in value.items()])
        return _head(5, len(value)) + b"".join([part for entry in entries for part in entry])
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join([encode(item) for item in value])
    if isinstance(value, Tag):
        return _head(6, value.number) + encode(value.value)
    raise TypeError(f"our formats have no {type(value).__name__}")


def decode(data: bytes) -> Any:
    """Read what :func:`encode` wrote; arrays become lists.

    Raises:
        BadCbor: anything else, including bytes after the value.
    """
    value, end = _read(data, 0, MAX_DEPTH)
    if end != len(data):
        raise BadCbor("something follows the value", "有多余内容", end)
    return value


def spell_text(text: str) -> bytes:
    """Write a text, for those who write a map of ours entry by entry, its keys in order.

    Raises:
        UnicodeEncodeError: it has a lone surrogate.
    """
    content = text.encode()
    length = len(content)
    return (_TEXT_HEADS[length] if length < 256 else _head(3, length)) + content


def spell_bytes(content: bytes) -> bytes:
    """Write bytes, likewise."""
    length = len(content)
    return (_BYTES_HEADS[length] if length < 256 else _head(2, length)) + content


def spell_number(number: int) -> bytes:
    """Write an integer from 0 to 2^64 - 1, likewise."""
    return _SHORT_HEADS[number] if 0 <= number < 24 else _head(0, number)


def spell_map_head(count: int) -> bytes:
    """Write what stands before so many entries of a map."""
    return _head(5, count)


def _head(major: int, argument: int) -> bytes:
    if 0 <= argument < 24:
        return _SHORT_HEADS[major << 5 | argument]
    if argument < 1 << 16:
        short, width = (24, 1) if argument < 1 << 8 else (25, 2)
    else:
        short, width = (26, 4) if argument < 1 << 32 else (27, 8)
    return _SHORT_HEADS[major << 5 | short] + argument.to_bytes(width)


_TEXT_HEADS = [_head(3, length) for length in range(256)]
_BYTES_HEADS = [_head(2, length) for length in range(256)]


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth == 0:
        raise BadCbor("it is nested too deep", "嵌套过深", at)
    if at >= len(data):
        raise BadCbor("it is cut off", "数据不完整", at)
    start = at
    head = data[at]
    major, argument, at = head >> 5, head & 31, at + 1
    if argument >= 24:
        argument, at = _read_argument(data, start, argument)
    if major == 2 or major == 3:  # noqa: PLR1714 - most values are strings, and a set costs as much as the rest
        end = at + argument
        chunk = data[at:end]
        if len(chunk) != argument:
            raise BadCbor("a string is cut off", "字符串不完整", at)
        return (chunk if major == 2 else _text(chunk, at)), end
    if major < 2:
        return (argument if major == 0 else -1 - argument), at
    if major == 5:
        return _read_map(data, at, _count(data, at, argument), depth)
    if major == 4:
        return _read_list(data, at, _count(data, at, argument), depth)
    if major == 6:
        item, at = _read(data, at, depth - 1)
        return Tag(argument, item), at
    raise BadCbor("there is a number or value of a kind we do not write", "出现不支持的类型", start)


def _read_argument(data: bytes, at: int, short: int) -> tuple[int, int]:
    """Read the argument of a head whose first byte, at ``at``, does not hold it."""
    if short not in _LENGTHS:
        raise BadCbor("a length is indefinite or reserved", "长度未定或保留", at)
    width, least = _LENGTHS[short]
    following = data[at + 1 : at + 1 + width]
    argument = int.from_bytes(following)
    if len(following) != width:
        raise BadCbor("it is cut off", "数据不完整", at)
    if argument < least:
        raise BadCbor("a number is not written in the shortest way", "数字未采用最短编码", at)
    return argument, at + 1 + width


def _read_list(data: bytes, at: int, count: int, depth: int) -> tuple[list[Any], int]:
    items = []
    for _ in range(count):
        item, at = _read(data, at, depth - 1)
        items.append(item)
    return items, at


def _read_map(data: bytes, at: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
    """Read the entries of a map.

    Nearly all keys of ours are small numbers or short texts, and most values
    texts of less than 256 bytes: those are read here, and all others by
    :func:`_read`, which takes three times as long. What is cut off or not in
    its shortest form goes there too, to be refused.
    """
    entries: dict[Any, Any] = {}
    small, previous = -1, b""  # the last key that is one byte below 24, which sort first, and the last other one
    past = len(data)
    depth -= 1
    try:
        for _ in range(count):
            start = at
            head = data[at] if depth and at < past else 0xFF
            first = at + 1
            key: Any = head
            if head < 24:
                if head <= small:
                    raise _out_of_order(start)
                small = head
                at = first
            else:
                if 0x60 <= head < 0x78 and first + head - 0x60 <= past:
                    at = first + head - 0x60
                    key = data[first:at].decode()
                else:
                    key, at = _read(data, at, depth)
                    if not isinstance(key, (int, str)):
                        raise BadCbor("a key is neither number nor text", "键不是数字或文本", start)
                spelt = data[start:at]
                if spelt <= previous:
                    raise _out_of_order(start)
                small, previous = 24, spelt
            head = data[at] if at < past else 0xFF
            first = at + 1
            if 0x60 <= head < 0x78 and first + head - 0x60 <= past:
                at = first + head - 0x60
                entries[key] = data[first:at].decode()
            elif head == 0x78 and first < past and data[first] >= 24 and first + data[first] < past:
                at = first + 1 + data[first]
                entries[key] = data[first + 1 : at].decode()
            else:
                entries[key], at = _read(data, at, depth)
    except UnicodeDecodeError as error:
        raise _not_utf8(first) from error
    return entries, at


def _count(data: bytes, at: int, argument: int) -> int:
    """Refuse counts that the rest of the bytes cannot hold, before any work is done."""
    if argument > len(data) - at:
        raise BadCbor("a list or map is cut off", "列表或映射不完整", at)
    return argument


def _out_of_order(at: int) -> BadCbor:
    return BadCbor("keys are out of order or stand twice", "键次序错误或重复", at)


def _text(chunk: bytes, at: int) -> str:
    try:
        return chunk.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(at) from error


def _not_utf8(at: int) -> BadCbor:
    return BadCbor("a text is not UTF-8", "文本不是 UTF-8", at)
