"""Photo archives and photos that mean harm: each person's photo is judged alone, nothing is written to disk."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from intake.errors import BadPhotoArchive
from intake.photo_archive import PhotoArchive
from intake.photos import PhotoRule, check_photo
from tests.intake.samples import jpeg_bytes, portrait

GOOD = jpeg_bytes(portrait())
NUMBER = "33029919800101001X"
Make = Callable[..., Path]


def codes(content: bytes) -> list[str]:
    return [one.code for one in check_photo(content, PhotoRule()).findings]


TRAVERSALS = [
    "../../../etc/cron.d/%s.jpg",
    "/etc/%s.jpg",
    "C:\\Windows\\%s.jpg",
    "\\\\server\\share\\%s.jpg",
    "a/../%s.jpg",
    "./%s.jpg",
]


@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_path_in_a_name_leads_nowhere(make_zip: Make, tmp_path: Path, name: str) -> None:
    file = make_zip({name % NUMBER: GOOD})
    before = sorted(tmp_path.rglob("*"))
    with PhotoArchive(file) as photos:
        assert photos.photo(NUMBER).content == GOOD

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", [".jpg", "\u202e.jpg", "a" * 60_000 + ".jpg", "照片/.jpg", "con.jpg"])
def test_an_odd_name_belongs_to_nobody(make_zip: Make, name: str) -> None:
    with PhotoArchive(make_zip({name: GOOD, f"{NUMBER}.jpg": GOOD})) as photos:
        assert photos.photo(NUMBER).content == GOOD
        assert all(len(one.zh) < 300 for one in photos.unused())


def test_a_name_that_begins_with_a_zero_byte_harms_nobody_else(make_zip: Make) -> None:
    file = make_zip({"ZZZZ.jpg": GOOD, f"{NUMBER}.jpg": GOOD})
    file.write_bytes(file.read_bytes().replace(b"ZZZZ.jpg", b"\x00ZZZ.jpg"))
    with PhotoArchive(file) as photos:
        assert photos.photo(NUMBER).content == GOOD
        assert len(list(photos.unused())) == 1


def test_an_empty_file_is_no_photo(make_zip: Make) -> None:
    with PhotoArchive(make_zip({f"{NUMBER}.jpg": b""})) as photos:
        photo = photos.photo(NUMBER)

    assert photo.content is None
    assert {one.code for one in photo.findings} == {"photo-file-too-small", "photo-not-jpeg"}


def test_entries_that_share_their_bytes_are_read_one_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "photos.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{NUMBER}.jpg", bytes(900_000))
    content = file.read_bytes()
    start = content.index(b"PK\x01\x02")
    end = bytearray(content[content.index(b"PK\x05\x06") :])
    entry = content[start : content.index(b"PK\x05\x06")]
    end[8:12] = (5_000).to_bytes(2, "little") * 2
    end[12:16] = (len(entry) * 5_000).to_bytes(4, "little")
    file.write_bytes(content[:start] + entry * 5_000 + bytes(end))
    with PhotoArchive(file) as photos:
        assert [one.code for one in photos.photo(NUMBER).findings] == ["photo-not-unique"]


@pytest.mark.parametrize("content", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01", b"x", b"PK\x03\x04"])
def test_another_archive_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "photos.zip"
    file.write_bytes(content)
    with pytest.raises(BadPhotoArchive) as refusal:
        PhotoArchive(file)
    assert "photos.zip" in refusal.value.zh


def test_a_jpeg_that_is_also_a_zip_or_a_page_is_only_a_jpeg_afterwards(make_zip: Make) -> None:
    inner = make_zip({"evil.html": b"<script>"}, name="inner.zip").read_bytes()
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 25) + b"<html><script>a</script>.."[:25]
    photo = check_photo(GOOD[:2] + comment + GOOD[2:] + inner, PhotoRule())

    assert photo.content == GOOD
    assert b"<script>" not in (photo.content or b"")


def png_bomb() -> bytes:
    """A PNG of 50,000 x 50,000 pixels in 300 kB."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(50_000 * 6_251), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def test_a_png_bomb_is_told_by_its_first_bytes_and_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", None)

    assert codes(png_bomb()) == ["photo-not-jpeg"]


@pytest.mark.parametrize(("width", "height"), [(65_535, 65_535), (65_535, 1), (8_000, 8_000)])
def test_a_jpeg_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch, width: int, height: int) -> None:
    content = bytearray(GOOD)
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    if width * height > PhotoRule().most_pixels:
        monkeypatch.setattr(Image, "open", None)

    assert check_photo(bytes(content), PhotoRule()).content is None


def test_a_cmyk_photo_with_a_mark_to_turn_it_is_refused_as_cmyk() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6

    assert "photo-cmyk" in codes(jpeg_bytes(portrait().convert("CMYK"), exif=tags.tobytes()))
