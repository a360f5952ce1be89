"""QR symbols of one shape, many times: everything that can be known in advance is tabled once.

With version, level and mask fixed, a symbol is an affine function over GF(2) of
its data codewords (ISO/IEC 18004): error correction is linear (7.5), then comes
a fixed permutation of bits (7.6, 7.7.3), then a fixed pattern is added: the
mask, the finders, the format information (7.8, 6.3). The `qrcode` library says
what that permutation and that pattern are, and every new press compares a whole
symbol with the library's own before it is used.

The text is ``https://host/c/CODE#1<decimal>``: a byte segment up to and with
the ``#``, then a numeric segment (3.33 bits a digit). A shorter text is padded
as the standard says, so one version fits every length up to its capacity.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from qrcode import QRCode, base, constants, util

from credential.errors import ConfigError, InputError

MIN_VERSION: Final = 5
MAX_VERSION: Final = 20
QUIET_MODULES: Final = 4  # light modules on every side (ISO/IEC 18004, 6.3.8)
LEVELS: Final = MappingProxyType(
    {
        "L": constants.ERROR_CORRECT_L,
        "M": constants.ERROR_CORRECT_M,
        "Q": constants.ERROR_CORRECT_Q,
        "H": constants.ERROR_CORRECT_H,
    },
)
_BYTE_MODE: Literal[4] = 4  # mode indicators (ISO/IEC 18004, table 2)
_NUMERIC_MODE: Literal[1] = 1
_MODE_BITS: Final = 4
_TERMINATOR_BITS: Final = 4  # fewer where the symbol is full (7.4.9)
_GROUP_BITS: Final = (0, 4, 7, 10)  # bits for a group of so many digits (7.4.3)
_MASK_SAMPLES: Final = 3

_Bytes = np.ndarray[Any, np.dtype[np.uint8]]
_Indices = np.ndarray[Any, np.dtype[np.intp]]
_Numbers = np.ndarray[Any, np.dtype[np.float64]]
# Twelve digits are four groups of ten bits, five whole bytes: what each of the twelve adds to that number. It stays
# far below 2^53, so floating point, which numpy multiplies fastest, is exact.
_FOUR_GROUPS: Final = 12
_FOUR_GROUPS_BITS: Final = 40
_WEIGHTS: Final[_Numbers] = np.array([ten << shift for shift in (30, 20, 10, 0) for ten in (100, 10, 1)], np.float64)
_WEIGHT_OF_ZEROS: Final = float(_WEIGHTS.sum() * ord("0"))  # what twelve characters "0" come to


class UnsupportedSymbol(ConfigError):
    """A template asks for a symbol that this press does not make."""

    code = "unsupported-qr-symbol"

    def __init__(self, version: int, level: str, mask: int | None) -> None:
        super().__init__(
            f"no QR symbol of version {version}, level {level}, mask {mask}: "
            f"use versions {MIN_VERSION} to {MAX_VERSION}, levels L, M, Q, H and masks 0 to 7",
            f"不支持版本 {version}、纠错级别 {level}、掩模 {mask} 的二维码："
            f"请使用版本 {MIN_VERSION} 至 {MAX_VERSION}、级别 L/M/Q/H、掩模 0 至 7",
        )


class DifferentSymbol(ConfigError):
    """The tables of a press and the qrcode library disagree about a symbol."""

    code = "different-qr-symbol"

    def __init__(self, version: int, level: str) -> None:
        super().__init__(
            f"the QR press and the qrcode library draw version {version}-{level} differently: "
            "install the locked version of qrcode",
            f"二维码印制模块与 qrcode 库对版本 {version}-{level} 的图形不一致：请安装锁定版本的 qrcode",
        )


class BadSymbolText(InputError):
    """A text is not of the form that a press was made for."""

    code = "bad-symbol-text"

    def __init__(self, start: str) -> None:
        super().__init__(
            f"a QR text must be ASCII and read {start}...#<digits>: check the public address and the code",
            f"二维码文本须为 ASCII，形如 {start}…#<数字>：请核对公开网址与验证码",
        )


class SymbolOverflow(InputError):
    """A text is longer than the symbol holds."""

    code = "qr-text-too-long"

    def __init__(self, bits: int, capacity: int) -> None:
        super().__init__(
            f"a QR text of {bits} bits does not fit in {capacity}: shorten its content or enlarge the box",
            f"二维码文本为 {bits} 位，超过容量 {capacity} 位：请缩短内容或增大二维码尺寸",
        )


@dataclass(frozen=True, slots=True)
class Symbol:
    """One QR symbol with its quiet zone.

    Attributes:
        width: modules on a side, quiet zone included.
        quiet: modules of quiet zone on each side.
        rows: ``width`` rows from the top, each packed to whole bytes, the
            leftmost module in the highest bit, 1 = dark; the last byte's spare
            bits are 0. As a PDF image it needs ``/Decode[1 0]`` in DeviceGray.
    """

    width: int
    quiet: int
    rows: bytes

    def matrix(self) -> _Bytes:
        """The modules as an array of 0 and 1, ``width`` x ``width``, 1 = dark."""
        packed = np.frombuffer(self.rows, np.uint8).reshape(self.width, -1)
        return np.unpackbits(packed, axis=1)[:, : self.width]

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """Yield x, y and length of every horizontal run of dark modules, from the top left corner."""
        edges = np.diff(self.matrix().astype(np.int8), axis=1, prepend=0, append=0)
        starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
        for (y, x), (_, end) in zip(starts.tolist(), ends.tolist(), strict=True):
            yield x, y, end - x

    def path(self) -> bytes:
        """Draw the dark modules as one filled PDF path, in units of a module, origin at the bottom left."""
        return b"\n".join([*(b"%d %d %d 1 re" % (x, self.width - 1 - y, n) for x, y, n in self.runs()), b"f"])


class SymbolPress:
    """Makes symbols of one version, level and mask.

    Args:
        version: 5 to 20; the side is 17 + 4 * version modules.
        level: error correction, "L", "M", "Q" or "H".
        quiet: modules of quiet zone on each side; 0 leaves it to the page.
        prefix: how every text begins, as "https://host/c/".
        mask: 0 to 7, as ``choose_mask`` found it once for the template; found
            now if None (about half a second).

    Attributes:
        module_bits: the bit of ``codewords`` that each module shows, row after row, rows filled up to whole bytes.
        pattern: what is added to each of them, 0 or 1; both fix the symbol.

    Raises:
        UnsupportedSymbol: no such symbol.
        DifferentSymbol: the installed qrcode library draws it differently.
    """

    def __init__(
        self,
        version: int,
        level: str = "M",
        *,
        quiet: int = QUIET_MODULES,
        prefix: str = "",
        mask: int | None = None,
    ) -> None:
        if not MIN_VERSION <= version <= MAX_VERSION or level not in LEVELS or mask not in {None, *range(8)}:
            raise UnsupportedSymbol(version, level, mask)
        self.version, self.level, self.quiet, self.prefix = version, level, quiet, prefix
        self.width = 17 + 4 * version + 2 * quiet
        self._blocks = base.rs_blocks(version, LEVELS[level])
        self._codewords = sum(block.data_count for block in self._blocks)
        self._padding = bytes((util.PAD0, util.PAD1)) * self._codewords
        self._byte_count_bits = util.length_in_bits(_BYTE_MODE, version)
        self._digit_count_bits = util.length_in_bits(_NUMERIC_MODE, version)
        self.mask = choose_mask(version, level, _samples(self)) if mask is None else mask
        self._tabulate_correction()
        self._tabulate_placement()
        sample = _samples(self)[0]
        if not np.array_equal(self.encode(sample).matrix(), _framed(_library_matrix(self, sample, self.mask), quiet)):
            raise DifferentSymbol(version, level)

    def max_digits(self, byte_length: int) -> int:
        """How many digits fit after a byte segment of so many bytes (the ``#`` included)."""
        overhead = 2 * _MODE_BITS + self._byte_count_bits + 8 * byte_length + self._digit_count_bits
        threes, rest = divmod(max(0, 8 * self._codewords - overhead), 10)
        return 3 * threes + (2 if rest >= 7 else 1 if rest >= 4 else 0)

    def encode(self, text: str) -> Symbol:
        """Make the symbol of a text.

        Args:
            text: ``<prefix>...#<digits>``, ASCII, at least one digit.

        Raises:
            BadSymbolText: it has another form.
            SymbolOverflow: it is longer than the symbol holds.
        """
        modules = np.unpackbits(self.codewords([text])).take(self.module_bits)
        return Symbol(self.width, self.quiet, (np.packbits(modules) ^ self._packed_pattern).tobytes())

    def codewords(self, texts: Sequence[str]) -> _Bytes:
        """Give for each text, a row, the data codewords, their error correction block by block, and a last codeword 0.

        Bits are numbered through all of a row, the highest of the first codeword
        first; ``module_bits`` says which of them each module shows. Several
        texts at once take half the time of each alone.

        Args:
            texts: as for :meth:`encode`.

        Raises:
            BadSymbolText, SymbolOverflow: as from :meth:`encode`.
        """
        parted = [self._parted(text) for text in texts]
        numbers = _grouped([digits for _, digits in parted])
        data = b"".join(map(self._data_codewords, parted, numbers))
        rows = np.frombuffer(data, np.uint8).reshape(len(texts), self._codewords)
        stream = np.zeros((len(texts), self._stream_length), np.uint8)
        stream[:, : self._codewords] = rows
        stream[:, self._codewords : -1] = self._correction(rows)
        return stream

    def _parted(self, text: str) -> tuple[bytes, bytes]:
        """Part a text after its ``#``."""
        head, mark, digits = text.encode("utf-8").partition(b"#")
        if not (text.isascii() and digits.isdigit() and text.startswith(self.prefix)):
            raise BadSymbolText(self.prefix)
        return head + mark, digits

    def _data_codewords(self, parted: tuple[bytes, bytes], grouped: tuple[int, int]) -> bytes:
        """Write the two segments as one number, bit after bit, and pad it (ISO/IEC 18004, 7.4)."""
        segment, digits = parted
        number, number_bits = grouped
        length = len(segment)
        # Mode 0100, the number of bytes, the bytes, mode 0001, the number of digits, then the digits by threes.
        opening = (_BYTE_MODE << self._byte_count_bits | length) << 8 * length | int.from_bytes(segment)
        opening = (opening << _MODE_BITS | _NUMERIC_MODE) << self._digit_count_bits | len(digits)
        end = 2 * _MODE_BITS + self._byte_count_bits + 8 * length + self._digit_count_bits + number_bits
        capacity = 8 * self._codewords
        # The byte counter of versions below 10 has 8 bits; a longer segment overflows the smaller capacity anyway.
        if end > capacity:
            raise SymbolOverflow(end, capacity)
        # Terminator and fill bits are zeros; pad codewords alternate from the first free one.
        used = (min(end + _TERMINATOR_BITS, capacity) + 7) // 8
        whole = (opening << number_bits | number) << 8 * used - end
        return whole.to_bytes(used) + self._padding[: self._codewords - used]

    def _correction(self, data: _Bytes) -> _Bytes:
        """Look up what each data codeword adds to its block's error correction, and add (XOR) it up."""
        added = self._correction_words.take(self._correction_row + data, axis=0)
        sums = np.bitwise_xor.reduceat(added, self._block_starts, axis=1)
        return sums.view(np.uint8)[:, :, : self._correction_length].reshape(len(data), -1)

    def _tabulate_correction(self) -> None:
        """Table value x remainder for every place in a block and every byte (7.5.2).

        The remainder that a codeword leaves depends only on its distance from
        the block's end, so blocks of both lengths share one table.
        """
        self._correction_length = self._blocks[0].total_count - self._blocks[0].data_count
        generator = base.Polynomial([1], 0)
        for power in range(self._correction_length):
            generator = generator * base.Polynomial([1, base.gexp(power)], 0)
        longest = max(block.data_count for block in self._blocks)
        words = -(-self._correction_length // 8)
        table = np.zeros((longest, 256, 8 * words), np.uint8)
        remainder = np.array(generator.num[1:], np.uint8)  # of x^n divided by the generator, n its degree
        for place in range(longest):
            table[place, :, : self._correction_length] = _products(remainder)
            lead, shifted = int(remainder[0]), np.append(remainder[1:], np.uint8(0))
            remainder = shifted ^ _products(np.array(generator.num[1:], np.uint8))[lead]
        self._correction_words = table.reshape(longest * 256, -1).view(np.uint64)
        from_end = [place for block in self._blocks for place in range(block.data_count - 1, -1, -1)]
        self._correction_row: _Indices = np.array(from_end, np.intp) * 256
        self._block_starts: _Indices = np.cumsum([0, *(block.data_count for block in self._blocks[:-1])])

    def _tabulate_placement(self) -> None:
        """Find out which bit of which codeword every module shows, and the pattern added to all of them.

        Asked of the library by drawing codewords that count: in the k-th of
        these drawings each bit of the final sequence is the k-th bit of its own
        number (from 1). What a module shows in all of them spells the number.
        """
        total = sum(block.total_count for block in self._blocks)
        blank = _drawn(self, [0] * total, self.mask)
        numbers = np.arange(1, 8 * total + 1)
        shown = np.zeros(blank.shape, np.intp)
        for k in range(int(numbers[-1]).bit_length()):
            counting = np.packbits((numbers >> k & 1).astype(np.uint8)).tolist()
            shown |= (_drawn(self, counting, self.mask) ^ blank).astype(np.intp) << k
        # Bits in the order that encode() holds them; number 0 (no codeword there) points to a bit that is always 0.
        self._stream_length = total + 1
        order = np.array(self._final_sequence())
        bit_of_number = np.append(8 * total, (8 * order[:, None] + np.arange(8)).ravel())
        side = -(-self.width // 8) * 8
        module_bit: _Indices = np.full((self.width, side), 8 * total, np.intp)
        pattern: _Bytes = np.zeros((self.width, side), np.uint8)
        inner = slice(self.quiet, self.quiet + len(blank))
        module_bit[inner, inner] = bit_of_number[shown]
        pattern[inner, inner] = blank
        self.module_bits, self.pattern = module_bit.ravel(), pattern.ravel()
        self._packed_pattern: _Bytes = np.packbits(self.pattern)

    def _final_sequence(self) -> list[int]:
        """Interleave the blocks (7.6): for each place of the final sequence, the codeword's place in ``encode``."""
        numbered, start = [], 0
        for block in self._blocks:
            numbered.append(range(start, start + block.data_count))
            start += block.data_count
        count = self._correction_length
        correction = [range(start + n * count, start + (n + 1) * count) for n in range(len(self._blocks))]
        columns = [*zip_longest(*numbered), *zip(*correction, strict=True)]
        return [place for column in columns for place in column if place is not None]


def _grouped(texts: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Write decimal digits by threes, ten bits a group, the last of one or two shorter (7.4.3); number and bits."""
    evens = [len(digits) // _FOUR_GROUPS for digits in texts]
    whole = b"".join([digits[: even * _FOUR_GROUPS] for digits, even in zip(texts, evens, strict=True)])
    rows = np.frombuffer(whole, np.uint8).reshape(-1, _FOUR_GROUPS)
    # Each row's number as eight bytes, of which the upper three are zeros.
    packed = (rows.dot(_WEIGHTS) - _WEIGHT_OF_ZEROS).astype(">i8").view(np.uint8).reshape(-1, 8)[:, 3:].tobytes()
    at = 0
    for digits, even in zip(texts, evens, strict=True):
        number, bits = int.from_bytes(packed[5 * at : 5 * (at + even)]), even * _FOUR_GROUPS_BITS
        at += even
        for start in range(even * _FOUR_GROUPS, len(digits), 3):
            group = digits[start : start + 3]
            number = number << _GROUP_BITS[len(group)] | int(group)
            bits += _GROUP_BITS[len(group)]
        yield number, bits


def _products(factors: _Bytes) -> _Bytes:
    """Multiply 0 to 255 by each factor in the field of the standard: 256 rows, one column a factor."""
    logs = np.array([0, *(base.glog(n) for n in range(1, 256))])
    powers = np.array([base.gexp(n) for n in range(255)], np.uint8)
    table: _Bytes = powers[(logs[:, None] + logs[factors]) % 255]
    table[0] = 0
    table[:, factors == 0] = 0
    return table


def choose_mask(version: int, level: str, texts: Sequence[str]) -> int:
    """Find the mask with the lowest penalty (ISO/IEC 18004, 7.8.3) summed over some typical texts.

    The standard weighs every symbol by itself. Readers take any mask; one that
    suits a template's symbols on the whole keeps the symbol affine.
    """
    penalties = [sum(_penalty(version, level, text, mask) for text in texts) for mask in range(8)]
    return penalties.index(min(penalties))


def _penalty(version: int, level: str, text: str, mask: int) -> int:
    return util.lost_point(_library_code(version, level, text, mask).modules)


def _library_code(version: int, level: str, text: str, mask: int) -> QRCode[Any]:
    """Let the library make the whole symbol from the same two segments."""
    head, _, digits = text.partition("#")
    code: QRCode[Any] = QRCode(version, LEVELS[level], mask_pattern=mask)
    code.add_data(util.QRData(f"{head}#".encode("ascii"), _BYTE_MODE))
    code.add_data(util.QRData(digits.encode("ascii"), _NUMERIC_MODE))
    code.make(fit=False)
    return code


def _library_matrix(press: SymbolPress, text: str, mask: int) -> _Bytes:
    return np.array(_library_code(press.version, press.level, text, mask).modules, np.uint8)


def _drawn(press: SymbolPress, codewords: list[int], mask: int) -> _Bytes:
    """Let the library place a final sequence of codewords, and mask it."""
    code: QRCode[Any] = QRCode(press.version, LEVELS[press.level], mask_pattern=mask)
    code.data_cache = codewords
    code.makeImpl(test=False, mask_pattern=mask)
    return np.array(code.modules, np.uint8)


def _framed(matrix: _Bytes, quiet: int) -> _Bytes:
    return np.pad(matrix, quiet)


def _samples(press: SymbolPress) -> list[str]:
    """Make typical texts that fill the symbol: a code, then digits as random as a signature's."""
    texts = []
    for number in range(_MASK_SAMPLES):
        seed = hashlib.sha256(f"{press.prefix}{number}".encode()).digest()
        head = press.prefix + seed.hex().upper()[:16]
        digits = str(int.from_bytes(hashlib.shake_256(seed).digest(1024)))
        texts.append(f"{head}#1{digits}"[: len(head) + 1 + press.max_digits(len(head) + 1)])
    return texts
