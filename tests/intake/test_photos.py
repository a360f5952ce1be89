import csv
import struct
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageStat

from intake.jpeg import parse_jpeg, read_orientation
from intake.photos import Photo, PhotoRule, check_photo
from tests.intake.samples import jpeg_bytes, portrait

RULE = PhotoRule()
LAX = PhotoRule(over_bytes=0)
ORIENTATION = 0x0112


def codes(photo: Photo) -> list[str]:
    return [one.code for one in photo.findings]


def exif(orientation: int, **more: str) -> bytes:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    for tag in more.values():
        tags[0x010E] = tag
    return tags.tobytes()


def opened(content: bytes | None) -> Image.Image:
    assert content is not None
    picture = Image.open(BytesIO(content))
    picture.load()
    return picture


def markers(content: bytes) -> list[int]:
    """Markers up to the first scan, found without our parser."""
    found, at = [], 2
    while content[at + 1] != 0xDA:
        found.append(content[at + 1])
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return found


def test_every_sample_photo_gets_the_outcome_that_is_expected(shared: Path) -> None:
    count = 0
    with (shared / "data/photos-bad.expected.csv").open(encoding="utf-8-sig", newline="") as lines:
        for line in csv.DictReader(lines):
            photo = check_photo((shared / "data/photos-bad" / line["file"]).read_bytes(), RULE)
            outcomes = [one.outcome.value for one in photo.findings]
            worst = "error" if "error" in outcomes else "warning" if outcomes else "ok"
            assert worst in {line["expected"], *line["also_accepted"].split("|")}, (line, photo.findings)
            assert (photo.content is None) == (worst == "error")
            count += 1
    assert count == 12


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [
        (215, 300, "photo-too-few-pixels"),
        (216, 301, None),
        (215, 301, "photo-too-few-pixels"),
        (216, 300, "photo-too-few-pixels"),
        (260, 400, None),
        (260, 401, "photo-bad-ratio"),
        (320, 400, None),
        (321, 400, "photo-bad-ratio"),
    ],
)
def test_pixel_sizes_at_the_edges_of_the_rule(width: int, height: int, code: str | None) -> None:
    assert codes(check_photo(jpeg_bytes(portrait(width, height)), LAX)) == ([code] if code else [])


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (30 * 1024, "photo-file-too-small"),
        (30 * 1024 + 1, None),
        (999_999, None),
        (1_000_000, "photo-file-too-large"),
        (1024 * 1024, "photo-file-too-large"),
    ],
)
def test_file_sizes_at_the_edges_of_the_rule(size: int, code: str | None) -> None:
    content = jpeg_bytes(portrait(), quality=60)
    content += bytes(size - len(content))
    assert len(content) == size
    assert codes(check_photo(content, RULE)) == ([code] if code else [])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright_by_its_mark(orientation: int) -> None:
    upright = portrait()
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    photo = check_photo(jpeg_bytes(stored, exif=exif(orientation)), RULE)
    assert codes(photo) == (["photo-turned"] if orientation > 1 else [])
    result = opened(photo.content)
    assert result.size == (295, 413)
    assert not result.getexif()
    difference = ImageStat.Stat(ImageChops.difference(result.convert("RGB"), upright)).mean
    assert max(difference) < 12, difference
    assert markers(photo.content or b"").count(0xE0) == 1


def test_the_ratio_is_judged_after_turning() -> None:
    lying = portrait(413, 590).transpose(Image.Transpose.ROTATE_90)
    assert "photo-bad-ratio" in codes(check_photo(jpeg_bytes(lying), RULE))
    assert codes(check_photo(jpeg_bytes(lying, exif=exif(6)), RULE)) == ["photo-turned"]
    assert "photo-bad-ratio" in codes(check_photo(jpeg_bytes(portrait(413, 590), exif=exif(6)), RULE))


def test_metadata_thumbnails_and_trailing_data_are_cut_and_the_picture_kept_byte_for_byte() -> None:
    plain = jpeg_bytes(portrait())
    thumbnail = (
        b"\xff\xe0" + struct.pack(">H", 8 + 8 + 27) + b"JFIF\x00\x01\x02\x01\x00\x48\x00\x48\x03\x03" + bytes(27)
    )
    extra = thumbnail + b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload
        for marker, payload in (
            (0xE1, b"Exif\x00\x00" + exif(1, place="at home")[6:]),
            (0xE1, b"http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>secret</x:xmpmeta>"),
            (0xED, b"Photoshop 3.0\x008BIMsecret"),
            (0xE2, b"MPF\x00II*\x00secret"),
            (0xFE, b"secret comment"),
        )
    )
    dirty = plain[:2] + extra + plain[20:] + b"secret" + plain
    photo = check_photo(dirty, RULE)
    assert photo.findings == ()
    assert photo.content is not None
    assert b"secret" not in photo.content
    assert b"Exif" not in photo.content
    assert photo.content[20:] == plain[20:]
    assert photo.content.endswith(b"\xff\xd9")
    assert opened(photo.content).info["jfif_density"] == (72, 72)
    assert set(markers(photo.content)) <= {0xE0, 0xDB, 0xC0, 0xC4, 0xDD}


def test_cleaning_twice_changes_nothing() -> None:
    stored = portrait().transpose(Image.Transpose.ROTATE_180)
    once = check_photo(jpeg_bytes(stored, exif=exif(3)), LAX).content
    assert once is not None
    assert check_photo(once, LAX) == Photo(once, ())


@pytest.mark.parametrize(
    ("kind", "found"),
    [("PNG", "PNG"), ("GIF", "GIF"), ("BMP", "BMP"), ("TIFF", "TIFF"), ("WEBP", "WebP"), ("JPEG2000", "JPEG 2000")],
)
def test_other_formats_are_refused_by_their_content(kind: str, found: str) -> None:
    written = BytesIO()
    portrait().save(written, kind)
    photo = check_photo(written.getvalue(), PhotoRule(over_bytes=0, under_bytes=10**7))
    assert codes(photo) == ["photo-not-jpeg"]
    assert found in photo.findings[0].en


@pytest.mark.parametrize("background", ["#438edb", "#d02020", "#c8c8c8", "#fff0c0"])
def test_a_background_that_is_not_white_is_refused(background: str) -> None:
    assert codes(check_photo(jpeg_bytes(portrait(background=background)), LAX)) == ["photo-background-not-white"]


@pytest.mark.parametrize("quality", [30, 60, 95])
def test_noise_of_strong_compression_does_not_make_white_unwhite(quality: int) -> None:
    assert codes(check_photo(jpeg_bytes(portrait(), quality=quality), LAX)) == []


def test_a_cmyk_photo_is_refused_with_the_cure() -> None:
    photo = check_photo(jpeg_bytes(portrait().convert("CMYK")), LAX)
    assert codes(photo) == ["photo-cmyk"]
    assert "RGB" in photo.findings[0].zh


@pytest.mark.parametrize("picture", [portrait().convert("L"), portrait()])
def test_grey_and_progressive_photos_come_out_baseline_in_three_components(picture: Image.Image) -> None:
    photo = check_photo(jpeg_bytes(picture, progressive=True), LAX)
    assert codes(photo) == ["photo-recoded"]
    assert photo.content is not None
    assert 0xC0 in markers(photo.content)
    assert opened(photo.content).mode == "RGB"


def test_rgb_stored_without_conversion_keeps_its_colours() -> None:
    source = portrait()
    photo = check_photo(jpeg_bytes(source, keep_rgb=True), LAX)
    assert codes(photo) == ["photo-recoded"]
    assert max(ImageStat.Stat(ImageChops.difference(opened(photo.content).convert("RGB"), source)).mean) < 12


def test_a_foreign_colour_profile_is_converted_and_an_srgb_one_cut() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert check_photo(jpeg_bytes(portrait(), icc_profile=srgb), LAX) == check_photo(jpeg_bytes(portrait()), LAX)
    broken = check_photo(jpeg_bytes(portrait(), icc_profile=b"no profile at all" * 10), LAX)
    assert codes(broken) == ["photo-damaged"]


def test_a_decompression_bomb_is_refused_before_decoding() -> None:
    content = bytearray(jpeg_bytes(portrait()))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 50_000)
    photo = check_photo(bytes(content), LAX)
    assert codes(photo) == ["photo-too-many-pixels"]
    assert photo.content is None


@settings(max_examples=60)
@given(length=st.integers(0, 20_000))
def test_a_truncated_photo_is_never_accepted(length: int) -> None:
    content = jpeg_bytes(portrait())
    assert check_photo(content[: min(length, len(content) - 1)], LAX).content is None


@settings(max_examples=150)
@given(data=st.data())
def test_any_change_of_bytes_gives_a_verdict_and_a_clean_picture(data: st.DataObject) -> None:
    stored = portrait().transpose(Image.Transpose.ROTATE_180)
    content = bytearray(jpeg_bytes(stored, exif=exif(3)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, 900) | st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    photo = check_photo(bytes(content), LAX)
    assert (photo.content is None) == any(one.outcome == "error" for one in photo.findings)
    if photo.content is not None:
        assert opened(photo.content).mode == "RGB"
        assert set(markers(photo.content)).isdisjoint({*range(0xE1, 0xF0), 0xFE})


@given(st.binary(max_size=400))
def test_any_bytes_after_the_start_of_a_jpeg_are_judged(tail: bytes) -> None:
    assert check_photo(b"\xff\xd8\xff" + tail, LAX).content is None


@given(st.binary(max_size=200).map(lambda tail: b"II*\x00\x08\x00\x00\x00" + tail) | st.binary(max_size=50))
def test_orientation_of_any_bytes_is_one_to_eight(tiff: bytes) -> None:
    assert 1 <= read_orientation(tiff) <= 8


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_read_in_both_byte_orders(order: str) -> None:
    head = b"II*\x00" if order == "<" else b"MM\x00*"
    tiff = head + struct.pack(f"{order}IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0)
    assert read_orientation(tiff) == 6


def test_restart_markers_belong_to_the_picture() -> None:
    content = jpeg_bytes(portrait(), restart_marker_blocks=4)
    assert b"\xff\xd3" in content
    assert check_photo(content, LAX).content == parse_jpeg(content).stripped() == content
