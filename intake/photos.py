"""Judge one portrait by the bureau's rule and make it fit to stand in a certificate.

The content decides, not the name. What comes out is upright, baseline, three
components, without metadata; unless it has to be turned or converted, the
picture data is kept byte for byte. From here on nobody touches it.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import cast

from PIL import Image, ImageChops, ImageCms, UnidentifiedImageError

from intake.findings import Finding, error, warning
from intake.jpeg import BadJpeg, Jpeg, parse_jpeg

# Quality at which a turned photo is written again; beyond it files grow and nothing is seen.
_REWRITE_QUALITY = 95
_TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}
_FORMATS = (
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "zip"),
    (b"\x00\x00\x00\x0cjP", "JPEG 2000"),
)


@dataclass(frozen=True, slots=True)
class PhotoRule:
    """What a portrait must be (DOMAIN 1.7 G2, read strictly as G3 says).

    Attributes:
        over_bytes: the file must have more; "大于30K" with K = 1024.
        under_bytes: and fewer; "小于1M" with M = 1000 x 1000.
        over_width: pixels, upright; 215 itself fails.
        over_height: pixels, upright.
        least_ratio: hundredths of width / height, included.
        most_ratio: likewise.
        most_pixels: a decompression bomb begins here; 1 MB of honest JPEG holds fewer.
        white_floor: a background pixel's darkest channel is at least this, of 255.
        white_spread: and its channels differ by no more.
        white_share: percent of the border that must be such pixels; hair and JPEG noise may touch it.
    """

    over_bytes: int = 30 * 1024
    under_bytes: int = 1_000_000
    over_width: int = 215
    over_height: int = 300
    least_ratio: int = 65
    most_ratio: int = 80
    most_pixels: int = 40_000_000
    white_floor: int = 225
    white_spread: int = 24
    white_share: int = 85


@dataclass(frozen=True, slots=True)
class Photo:
    """A judged portrait.

    Attributes:
        content: the JPEG to store; None when it is refused.
        findings: errors refuse it, warnings are shown.
    """

    content: bytes | None
    findings: tuple[Finding, ...]


def check_photo(content: bytes, rule: PhotoRule) -> Photo:
    """Judge a photo as sent, and clean it.

    Args:
        content: the whole file; not trusted.
        rule: sizes in bytes are judged as sent, pixels after turning upright.
    """
    findings = list(_check_size(len(content), rule))
    if not content.startswith(b"\xff\xd8\xff"):
        return Photo(None, (*findings, _not_jpeg(content)))
    try:
        jpeg = parse_jpeg(content)
    except BadJpeg as fault:
        return Photo(None, (*findings, error(fault.code, fault.zh, fault.en)))
    findings += _check_pixels(jpeg, rule)
    findings += _check_coding(jpeg)
    if jpeg.width * jpeg.height > rule.most_pixels or any(one.code == "photo-cmyk" for one in findings):
        return Photo(None, tuple(findings))
    try:
        picture = _decode(jpeg)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, ImageCms.PyCMSError) as fault:
        finding = error(
            "photo-damaged",
            f"照片无法解码({fault}), 请重新导出为 JPEG",
            f"the photo cannot be decoded ({fault}); export it again",
        )
        return Photo(None, (*findings, finding))
    findings += _check_background(picture, rule)
    if any(one.outcome == "error" for one in findings):
        return Photo(None, tuple(findings))
    return _clean(jpeg, picture, findings)


def _check_size(size: int, rule: PhotoRule) -> list[Finding]:
    if size <= rule.over_bytes:
        return [
            error(
                "photo-file-too-small",
                f"照片文件 {size:,} 字节, 须大于 {rule.over_bytes:,} 字节(30K), 请提供更清晰的照片",
                f"the photo has {size:,} bytes, it must have more than {rule.over_bytes:,} (30K); send a clearer one",
            )
        ]
    if size >= rule.under_bytes:
        return [file_too_large(size, rule)]
    return []


def file_too_large(size: int, rule: PhotoRule) -> Finding:
    """Say that a photo has too many bytes; judged before it is read."""
    return error(
        "photo-file-too-large",
        f"照片文件 {size:,} 字节, 须小于 {rule.under_bytes:,} 字节(1M), 请压缩后提交",
        f"the photo has {size:,} bytes, it must have fewer than {rule.under_bytes:,} (1M); save it smaller",
    )


def _not_jpeg(content: bytes) -> Finding:
    found = next((name for start, name in _FORMATS if content.startswith(start)), "")
    found = found or ("WebP" if content[8:12] == b"WEBP" else "HEIC" if content[4:8] == b"ftyp" else "")
    return error(
        "photo-not-jpeg",
        f"照片内容{f'是 {found}' if found else '不是 JPEG'}, 只接受 JPG/JPEG(改扩展名无效), 请另存为 JPEG",
        f"the photo is {found or 'no JPEG'} by its content, only JPEG is accepted whatever its name; save it as JPEG",
    )


def _check_pixels(jpeg: Jpeg, rule: PhotoRule) -> list[Finding]:
    width, height = (jpeg.height, jpeg.width) if jpeg.orientation >= 5 else (jpeg.width, jpeg.height)
    size = f"{width} × {height}"
    least, most = rule.least_ratio / 100, rule.most_ratio / 100
    found = []
    if width <= rule.over_width or height <= rule.over_height:
        found.append(
            error(
                "photo-too-few-pixels",
                f"照片为 {size} 像素, 宽高须大于 {rule.over_width} × {rule.over_height}, 请提供更大的照片",
                f"the photo has {size} pixels, it must be larger than {rule.over_width} × {rule.over_height}",
            )
        )
    if width * height > rule.most_pixels:
        found.append(
            error(
                "photo-too-many-pixels",
                f"照片为 {size} 像素, 过大, 请缩小后提交",
                f"the photo has {size} pixels, more than {rule.most_pixels:,} in all; scale it down",
            )
        )
    # In whole numbers, so that 260 / 400 is exactly 0.65.
    if not rule.least_ratio * height <= 100 * width <= rule.most_ratio * height:
        found.append(
            error(
                "photo-bad-ratio",
                f"照片宽高比 {width / height:.4f}({size}), 须在 {least} 与 {most} 之间",
                f"the photo's width / height is {width / height:.4f} ({size}), it must be from "
                f"{least} to {most}; crop it",
            )
        )
    return found


def _check_coding(jpeg: Jpeg) -> list[Finding]:
    if len(jpeg.components) not in {1, 3}:
        return [
            error(
                "photo-cmyk",
                "照片为 CMYK(印刷)色彩模式, 请转换为 RGB 后另存为 JPEG",
                "the photo is in CMYK, for printing presses; convert it to RGB and save it as JPEG",
            )
        ]
    return []


def _decode(jpeg: Jpeg) -> Image.Image:
    """Decode to upright sRGB; works on the stripped bytes, so nothing else in the file is ever parsed."""
    source = jpeg.stripped()
    if jpeg.adobe_transform is not None:
        # Without the Adobe segment a decoder takes RGB for YCbCr.
        adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([jpeg.adobe_transform])
        source = source[:2] + adobe + source[20:]
    elif jpeg.components == b"RGB":
        source = source[:2] + source[20:]
    with Image.open(BytesIO(source), formats=("JPEG",)) as opened:
        opened.load()
        picture: Image.Image = opened
        if jpeg.icc and not _is_srgb(jpeg.icc):
            picture = _to_srgb(picture, jpeg.icc)
        picture = picture.convert("RGB")
    for turn in _TURNS.get(jpeg.orientation, ()):
        picture = picture.transpose(turn)
    return picture


def _is_srgb(profile: bytes) -> bool:
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    converted = ImageCms.profileToProfile(
        picture, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    return cast("Image.Image", converted)  # None only with inPlace=True


def _check_background(picture: Image.Image, rule: PhotoRule) -> list[Finding]:
    """Measure the border: the top edge, and both sides down to the middle (shoulders reach the rest)."""
    width, height = picture.size
    rim = max(3, width // 25)
    boxes = ((0, 0, width, rim), (0, rim, rim, height // 2), (width - rim, rim, width, height // 2))
    white = total = 0
    for box in boxes:
        part = picture.crop(box)
        red, green, blue = part.split()
        darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
        lightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
        bright = darkest.point([255 if level >= rule.white_floor else 0 for level in range(256)])
        spread = ImageChops.subtract(lightest, darkest)
        neutral = spread.point([255 if level <= rule.white_spread else 0 for level in range(256)])
        white += ImageChops.darker(bright, neutral).histogram()[255]
        total += part.size[0] * part.size[1]
    share = 100 * white // total
    if share >= rule.white_share:
        return []
    return [
        error(
            "photo-background-not-white",
            f"照片背景不是白色(边缘只有 {share}% 为白色, 须达 {rule.white_share}%), 请提供白底证件照",
            f"the photo's background is not white ({share} % of its border is, {rule.white_share} % must be); "
            "send one with a white background",
        )
    ]


def _clean(jpeg: Jpeg, picture: Image.Image, findings: list[Finding]) -> Photo:
    reason = _why_rewrite(jpeg)
    if reason is None:
        return Photo(jpeg.stripped(), tuple(findings))
    code, zh, en = reason
    written = BytesIO()
    picture.save(written, "JPEG", quality=_REWRITE_QUALITY, subsampling=0, optimize=True)
    content = parse_jpeg(written.getvalue()).stripped()
    return Photo(content, (*findings, warning(code, f"照片{zh}, 请核对", f"the photo was {en}; look at it")))


def _why_rewrite(jpeg: Jpeg) -> tuple[str, str, str] | None:
    if jpeg.orientation != 1:
        return "photo-turned", "已按其方向标记转正", "turned upright by its orientation mark"
    if jpeg.icc and not _is_srgb(jpeg.icc):
        return "photo-colours-converted", "已转换为 sRGB 色彩", "converted to sRGB"
    is_ycbcr = len(jpeg.components) == 3 and jpeg.adobe_transform in {None, 1} and jpeg.components != b"RGB"
    if jpeg.frame != 0xC0 or jpeg.precision != 8 or not is_ycbcr:
        return "photo-recoded", "已转换为标准(基线)JPEG", "written again as baseline JPEG"
    return None
