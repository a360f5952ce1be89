"""A QR symbol as the picture of a page: every module is two by two samples.

Readers draw a picture that is coarser than their pixels by repeating samples,
so modules of 2.5 pixels come out two or three wide, and zbar reads nothing from
a whole page at 150 dpi. With two samples a module they have to average instead.
As a path the symbol would be as sharp and five times as long.
"""

import numpy as np

from press.symbol import Symbol

SAMPLES_PER_MODULE = 2


def _double_bits(byte: int) -> int:
    return sum(0b11 << 2 * bit for bit in range(8) if byte >> bit & 1)


_DOUBLED = np.array([_double_bits(byte) for byte in range(256)], ">u2")


def symbol_image(symbol: Symbol) -> tuple[int, bytes]:
    """Give the side in samples and the rows, one bit a sample, rows of whole bytes, 1 = dark."""
    side = symbol.width * SAMPLES_PER_MODULE
    rows = np.frombuffer(symbol.rows, np.uint8).reshape(symbol.width, -1)
    wide = _DOUBLED[rows].view(np.uint8)[:, : (side + 7) // 8]
    return side, np.repeat(wide, SAMPLES_PER_MODULE, axis=0).tobytes()
