"""Take a JPEG apart by its markers, without decoding it.

Enough to know what it is, which way up it is, where it ends, and to write it
again without metadata while its picture data stays as it was, byte for byte.
"""

import struct
from dataclasses import dataclass, field

from credential.errors import InputError

JFIF_HEADER = b"\xff\xe0\x00\x10JFIF\x00\x01\x01"
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM, RST0 to RST7: no length follows
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_ORIENTATION_TAG = 0x0112


class BadJpeg(InputError):
    """Bytes that are no whole JPEG."""

    code = "photo-damaged"

    def __init__(self, reason: str, reason_zh: str) -> None:
        super().__init__(
            f"the photo is damaged: {reason}; export it again as JPEG",
            f"照片已损坏: {reason_zh}, 请重新导出为 JPEG",
        )


@dataclass(slots=True)
class Jpeg:
    """The parts of one JPEG picture.

    Attributes:
        width: pixels, as stored.
        height: pixels, as stored.
        frame: marker of the frame: 0xC0 baseline, 0xC2 progressive.
        precision: bits a sample.
        components: identifiers of the components, in order.
        orientation: EXIF, 1 to 8; 1 is upright.
        density: the five bytes of JFIF's unit and densities.
        adobe_transform: of the Adobe segment, or None without one.
        icc: the colour profile, or empty.
        kept: the segments that decoding needs, from after SOI to EOI.
        has_metadata: something is left out of ``kept``.
    """

    width: int = 0
    height: int = 0
    frame: int = 0
    precision: int = 0
    components: bytes = b""
    orientation: int = 1
    density: bytes = b"\x00\x00\x01\x00\x01"
    adobe_transform: int | None = None
    icc: bytes = b""
    kept: list[bytes] = field(default_factory=list)
    has_metadata: bool = False

    def stripped(self) -> bytes:
        """The same picture with a bare JFIF header and nothing but what decoding needs."""
        return b"".join((b"\xff\xd8", JFIF_HEADER, self.density, b"\x00\x00", *self.kept))


def parse_jpeg(content: bytes) -> Jpeg:
    """Take a JPEG apart, up to the end of its first picture.

    Raises:
        BadJpeg: cut off, or not a sequence of markers.
    """
    jpeg = Jpeg()
    if not content.startswith(b"\xff\xd8"):
        raise BadJpeg("it does not start like a JPEG", "文件开头不是 JPEG")
    at = 2
    while True:
        marker, start = _marker(content, at)
        if marker == 0xD9:
            jpeg.kept.append(b"\xff\xd9")
            jpeg.has_metadata |= start < len(content)
            break
        if marker in _STANDALONE:
            at = start
            continue
        if start + 2 > len(content):
            raise BadJpeg("it is cut off", "文件不完整")
        (length,) = struct.unpack_from(">H", content, start)
        end = start + length
        if length < 2 or end > len(content):
            raise BadJpeg("it is cut off", "文件不完整")
        _take_segment(jpeg, marker, content[start + 2 : end])
        at = end
        if marker == 0xDA:
            at = _scan_end(content, end)
            jpeg.kept.append(content[end:at])
    if not jpeg.frame:
        raise BadJpeg("it holds no picture", "没有图像数据")
    return jpeg


def _marker(content: bytes, at: int) -> tuple[int, int]:
    """The marker at a position and where its segment starts; fill bytes are passed over."""
    if at >= len(content):
        raise BadJpeg("it is cut off before its end marker", "文件不完整(缺少结束标记)")
    if content[at] != 0xFF:
        raise BadJpeg(f"byte {at} is no marker", f"第 {at} 字节不是标记")
    while at < len(content) and content[at] == 0xFF:
        at += 1
    if at >= len(content):
        raise BadJpeg("it is cut off before its end marker", "文件不完整(缺少结束标记)")
    return content[at], at + 1


def _scan_end(content: bytes, at: int) -> int:
    """Position of the marker after entropy-coded data; restart markers and stuffed zeros belong to the data."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise BadJpeg("its picture data is cut off", "图像数据不完整")
        follower = content[at + 1]
        if follower == 0xFF:
            at += 1
        elif follower == 0x00 or 0xD0 <= follower <= 0xD7:
            at += 2
        else:
            return at


def _take_segment(jpeg: Jpeg, marker: int, payload: bytes) -> None:
    if marker in _FRAMES:
        _take_frame(jpeg, marker, payload)
    is_application = 0xE0 <= marker <= 0xEF
    if not is_application and marker != 0xFE:
        jpeg.kept.append(struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload)
        return
    if marker == 0xE0 and payload[:5] == b"JFIF\x00" and len(payload) >= 14:
        jpeg.density = payload[7:12]
        jpeg.has_metadata |= len(payload) > 14
        return
    jpeg.has_metadata = True
    if marker == 0xE1 and payload[:6] == b"Exif\x00\x00":
        jpeg.orientation = read_orientation(payload[6:])
    elif marker == 0xE2 and payload[:12] == b"ICC_PROFILE\x00":
        jpeg.icc += payload[14:]
    elif marker == 0xEE and payload[:5] == b"Adobe" and len(payload) >= 12:
        jpeg.adobe_transform = payload[11]


def _take_frame(jpeg: Jpeg, marker: int, payload: bytes) -> None:
    if jpeg.frame:
        raise BadJpeg("it holds two frames", "含有两个图像帧")
    if len(payload) < 6 or len(payload) < 6 + 3 * payload[5]:
        raise BadJpeg("its frame header is cut off", "帧头不完整")
    jpeg.frame = marker
    jpeg.precision, jpeg.height, jpeg.width = struct.unpack_from(">BHH", payload)
    jpeg.components = payload[6 : 6 + 3 * payload[5] : 3]
    if not jpeg.width or not jpeg.height or not jpeg.components:
        raise BadJpeg("its frame header states no size", "帧头没有尺寸")


def read_orientation(tiff: bytes) -> int:
    """Read EXIF's orientation (1 to 8); anything odd counts as upright."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, offset)
        for entry in range(min(count, 200)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, offset + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
