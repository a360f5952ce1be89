"""A QR symbol as the picture of a page: two by two samples a module, compressed without a compressor.

Readers draw a picture that is coarser than their pixels by repeating samples,
so modules of 2.5 pixels come out two or three wide, and zbar reads nothing from
a whole page at 150 dpi. With two samples a module they have to average instead.
As a path the symbol would be as sharp and five times as long.

Doubled rows and columns are what deflate (RFC 1951) is good at. Every second row
is a copy of the row before. The bytes of the others, each four modules doubled,
have sixteen values; a Huffman code that gives five bits to each of these and two
to the copy has, by the canonical order, the bits 1abcd for the modules a, b, c, d.
So every module has its own place in the compressed stream, whatever the others
are, and the stream follows from the codewords as the symbol does: one gather and
one pattern that is added (symbol.py). It has a third of the bytes.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np

from press.symbol import SymbolPress

SAMPLES_PER_MODULE: Final = 2
_AT_ONCE: Final = 16  # symbols; as many as a processor's cache holds with room to spare
_ZLIB_HEADER: Final = b"\x78\xda"  # deflate, window of 32 KB (RFC 1950, 2.2)
_ADLER: Final = 65521  # the modulus of Adler-32 (RFC 1950, 9)
_LITERAL_BITS: Final = 5
_COPY_BITS: Final = 2
_END_BITS: Final = 2
_END_OF_BLOCK: Final = 256
# Code lengths are run-length coded themselves: the code given to each length or run used here (RFC 1951, 3.2.7).
_RUN_3_TO_10, _RUN_11_TO_138 = 17, 18
_LENGTH_CODE: Final = {0: (0, 2), _RUN_11_TO_138: (1, 2), 1: (4, 3), 2: (5, 3), 5: (6, 3), _RUN_3_TO_10: (7, 3)}
_LENGTH_ORDER: Final = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)

_Bits = Iterator[tuple[int, int]]


class SymbolImage:
    """Makes the image streams of one press' symbols.

    Attributes:
        side: samples on a side.
    """

    def __init__(self, press: SymbolPress) -> None:
        self._press = press
        self.side = press.width * SAMPLES_PER_MODULE
        self._row_bytes = (self.side + 7) // 8
        self._unset = 8 * press.codewords([f"{press.prefix}#0"]).shape[1] - 1  # a bit of the last codeword, which is 0
        sources, constants = zip(*self._stream(), strict=True)
        self._stream_bits = np.array(sources, np.intp)
        self._constants = np.packbits(np.array(constants, np.uint8), bitorder="little")
        self._tabulate_checksum()

    def deflated(self, texts: Sequence[str]) -> list[bytes]:
        """Make the pictures of texts' symbols: rows of whole bytes, one bit a sample, 1 = dark, each a zlib stream.

        Several texts at once take half the time of each alone.

        Raises:
            BadSymbolText, SymbolOverflow: as :meth:`SymbolPress.encode`.
        """
        pictures: list[bytes] = []
        for start in range(0, len(texts), _AT_ONCE):
            codewords = self._press.codewords(texts[start : start + _AT_ONCE])
            modules = np.unpackbits(codewords, axis=1).take(self._stream_bits, axis=1)
            streams = np.packbits(modules, axis=1, bitorder="little") ^ self._constants
            sums = self._sums.take(self._sums_row + codewords).sum(axis=1) + self._sums_of_zeros
            for stream, both in zip(streams, sums.tolist(), strict=True):
                first, second = divmod(both, 1 << 32)
                checksum = second % _ADLER << 16 | first % _ADLER
                pictures.append(_ZLIB_HEADER + stream.tobytes() + checksum.to_bytes(4))
        return pictures

    def _modules(self) -> tuple[np.ndarray[Any, np.dtype[np.intp]], np.ndarray[Any, np.dtype[np.uint8]]]:
        """Which bit each module shows and what is added to it, by rows of whole bytes of samples."""
        press, across = self._press, 4 * self._row_bytes
        bits = np.full((press.width, across), self._unset)
        pattern = np.zeros((press.width, across), np.uint8)
        bits[:, : press.width] = press.module_bits.reshape(press.width, -1)[:, : press.width]
        pattern[:, : press.width] = press.pattern.reshape(press.width, -1)[:, : press.width]
        return bits, pattern

    def _stream(self) -> _Bits:
        """Give for each bit of the stream the bit of the codewords that it shows, and what is added to it."""
        copy, copy_extra, copy_extra_bits = _length_symbol(self._row_bytes)
        distance, distance_extra, distance_extra_bits = _distance_symbol(self._row_bytes)
        yield from self._fixed(_block_header(copy, distance))
        for row_bits, row_pattern in zip(*self._modules(), strict=True):
            for place in range(0, len(row_bits), 4):
                yield self._unset, 1
                yield from zip(
                    row_bits[place : place + 4].tolist(), row_pattern[place : place + 4].tolist(), strict=True
                )
            yield from self._fixed(_code(1, _COPY_BITS))
            yield from self._fixed(_number(copy_extra, copy_extra_bits))
            yield from self._fixed(_code(1, 1))  # the second of two distances
            yield from self._fixed(_number(distance_extra, distance_extra_bits))
        yield from self._fixed(_code(0, _END_BITS))

    def _fixed(self, bits: list[int]) -> _Bits:
        return ((self._unset, bit) for bit in bits)

    def _tabulate_checksum(self) -> None:
        """Table what each codeword adds to the two sums of Adler-32 (RFC 1950, 9), the first in the upper 32 bits.

        Both are linear in the samples as numbers: a byte counts once in the first
        sum, and in the second as often as there are bytes from it to the end.
        """
        bits, pattern = self._modules()
        row_bytes, length = self._row_bytes, 2 * len(bits) * self._row_bytes
        value = np.tile(0b11 << np.arange(6, -1, -2), row_bytes)  # of a dark module in its byte
        start = np.arange(len(bits))[:, None] * 2 * row_bytes + np.repeat(np.arange(row_bytes), 4)
        # Each module stands in two bytes, a row apart. Where 1 is added to its bit, a bit of 1 makes it light.
        sign = 1 - 2 * pattern.astype(np.int64)
        once, often = 2 * value * np.ones_like(start), (2 * (length - start) - row_bytes) * value
        worth = np.zeros(self._unset + 1, np.int64)
        worth[bits] = (sign * once % _ADLER << 32) + sign * often % _ADLER
        worth[self._unset] = 0
        each = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.int64)
        table = worth.reshape(-1, 8) @ each.T
        self._sums = table.ravel()
        self._sums_row = np.arange(len(table)) * 256
        self._sums_of_zeros = (1 + int((pattern * once).sum()) << 32) + (length + int((pattern * often).sum())) % _ADLER


def _block_header(copy: int, distance: int) -> list[int]:
    """Begin the last block, with Huffman codes of its own (RFC 1951, 3.2.7).

    Args:
        copy: symbol of the length copied.
        distance: symbol of its distance; a second one, 0, makes the code complete, as some readers want.
    """
    lengths = [0] * (copy + 1)
    for modules in range(16):
        lengths[_doubled(modules)] = _LITERAL_BITS
    lengths[_END_OF_BLOCK], lengths[copy] = _END_BITS, _COPY_BITS
    distances = [1, *[0] * (distance - 1), 1]
    bits = [1, *_number(2, 2), *_number(len(lengths) - 257, 5), *_number(len(distances) - 1, 5)]
    used = len(_LENGTH_ORDER) - next(n for n, one in enumerate(reversed(_LENGTH_ORDER)) if one in _LENGTH_CODE)
    bits += _number(used - 4, 4)
    for one in _LENGTH_ORDER[:used]:
        bits += _number(_LENGTH_CODE[one][1] if one in _LENGTH_CODE else 0, 3)
    for length, times in ((length, len(list(run))) for length, run in groupby(lengths + distances)):
        bits += _run(length, times)
    return bits


def _run(length: int, times: int) -> list[int]:
    """Write a code length as often as it comes; only zeros come in long runs."""
    if length or times < 3:
        return _code(*_LENGTH_CODE[length]) * times
    if times < 11:
        return _code(*_LENGTH_CODE[_RUN_3_TO_10]) + _number(times - 3, 3)
    return _code(*_LENGTH_CODE[_RUN_11_TO_138]) + _number(times - 11, 7)


def _doubled(modules: int) -> int:
    """The byte of four modules, each twice."""
    return sum(0b11 << 2 * bit for bit in range(4) if modules >> bit & 1)


def _length_symbol(length: int) -> tuple[int, int, int]:
    """Symbol, extra bits and their number for a copy of 11 to 257 bytes (RFC 1951, 3.2.5)."""
    extra_bits = (length - 3).bit_length() - 3
    return 261 + 4 * extra_bits + ((length - 3) >> extra_bits & 3), (length - 3) & (1 << extra_bits) - 1, extra_bits


def _distance_symbol(distance: int) -> tuple[int, int, int]:
    """The same for a distance of more than 4."""
    extra_bits = (distance - 1).bit_length() - 2
    return 2 + 2 * extra_bits + ((distance - 1) >> extra_bits & 1), (distance - 1) & (1 << extra_bits) - 1, extra_bits


def _code(code: int, length: int) -> list[int]:
    """A Huffman code: the highest bit comes first."""
    return [code >> bit & 1 for bit in reversed(range(length))]


def _number(number: int, length: int) -> list[int]:
    """Any other number: the lowest bit comes first."""
    return [number >> bit & 1 for bit in range(length)]
