"""The sRGB colour profile of the output intent, written from its definition.

A profile of our own is 604 bytes before compression, holds no date and is the same
bytes everywhere; the one Pillow would make carries the time of its making.
Version 2.1 of ICC.1, a matrix and curve profile of IEC 61966-2-1.
"""

import io
import math
import struct
from functools import cache
from itertools import product

from PIL import Image, ImageCms

_NOTICEABLE = 3  # of 255; profiles that call themselves sRGB differ by one or two, Adobe RGB by 40 and more
_CURVE_POINTS = 64  # within 1 of 255 of sRGB on the way there and back, as 1,024 are, for a sixth of the bytes
# The primaries of IEC 61966-2-1, adapted to D50 (Bradford), and the D50 white point.
_WHITE = (0.9642, 1.0, 0.8249)
_RED = (0.43607, 0.22249, 0.01392)
_GREEN = (0.38515, 0.71687, 0.09708)
_BLUE = (0.14307, 0.06061, 0.71410)


@cache
def srgb_profile() -> bytes:
    """Write the profile; colour space RGB, connection space XYZ, class display."""
    curve = _curve()
    tags = [
        (b"desc", _description("sRGB IEC61966-2.1")),
        (b"cprt", b"text" + bytes(4) + b"No copyright, use freely\0"),
        (b"wtpt", _xyz(_WHITE)),
        (b"rXYZ", _xyz(_RED)),
        (b"gXYZ", _xyz(_GREEN)),
        (b"bXYZ", _xyz(_BLUE)),
        (b"rTRC", curve),
        (b"gTRC", curve),
        (b"bTRC", curve),
    ]
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    placed: dict[bytes, tuple[int, int]] = {}
    for name, data in tags:
        if data not in placed:
            placed[data] = (start + len(body), len(data))
            body += data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", *placed[data])
    size = start + len(body)
    return _header(size) + struct.pack(">I", len(tags)) + table + body


def _header(size: int) -> bytes:
    return struct.pack(
        ">I4sI4s4s4s6H4s4sI4s4sQI3i4s44x",
        *(size, bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ "),
        *(2026, 1, 1, 0, 0, 0),  # a fixed date: the profile never changes
        *(b"acsp", bytes(4), 0, bytes(4), bytes(4), 0, 0),
        *(_fixed(part) for part in _WHITE),
        bytes(4),
    )


def _fixed(value: float) -> int:
    return round(value * 65536)


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(_fixed(value) for value in values))


def _description(text: str) -> bytes:
    ascii_text = text.encode("ascii") + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(ascii_text)) + ascii_text + bytes(4 + 4 + 2 + 1 + 67)


def _curve() -> bytes:
    points = (_linear(index / (_CURVE_POINTS - 1)) for index in range(_CURVE_POINTS))
    return b"curv" + bytes(4) + struct.pack(f">I{_CURVE_POINTS}H", _CURVE_POINTS, *(round(p * 65535) for p in points))


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else math.pow((value + 0.055) / 1.055, 2.4)


def is_srgb(profile: bytes, components: int) -> bool:
    """Whether a grey or RGB profile shows colours as sRGB does, to within what eyes and rounding tell apart.

    Args:
        profile: ICC, not trusted.
        components: 1 or 3.
    """
    steps = range(0, 256, 51)
    colours = [bytes([grey]) for grey in steps] if components == 1 else [bytes(one) for one in product(steps, repeat=3)]
    mode = "L" if components == 1 else "RGB"
    swatches = Image.frombytes(mode, (len(colours), 1), b"".join(colours))
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        shown = ImageCms.profileToProfile(
            swatches, given, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
        )
    except (OSError, ImageCms.PyCMSError):
        return False
    if shown is None:
        return False
    wanted, found = swatches.convert("RGB").tobytes(), shown.tobytes()
    return max(abs(one - other) for one, other in zip(wanted, found, strict=True)) <= _NOTICEABLE
