import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intake import photo_archive
from intake.errors import BadPhotoArchive, EmptyFile, UnreadableFile
from intake.photo_archive import PhotoArchive
from tests.intake.samples import jpeg_bytes, portrait, refusal_of

GOOD = jpeg_bytes(portrait())
ONE, TWO, THREE = "33029919800101001X", "330299198001010028", "330299198001010036"
Make = Callable[..., Path]


def codes(archive: PhotoArchive, number: str) -> list[str]:
    return [one.code for one in archive.photo(number).findings]


@pytest.mark.parametrize(
    "name", [f"{ONE}.jpg", f"{ONE.lower()}.JPEG", f"照片/{ONE}.jpg", f"a\\b\\{ONE}.jpg", f"../../{ONE}.jpg", ONE]
)
def test_a_photo_is_found_by_number_in_any_folder_and_case(make_zip: Make, name: str) -> None:
    with PhotoArchive(make_zip({name: GOOD})) as archive:
        assert archive.photo(ONE).content == GOOD
        assert list(archive.unused()) == []


def test_one_bad_photo_does_not_touch_the_others(make_zip: Make) -> None:
    files = {f"{ONE}.jpg": GOOD, f"{TWO}.jpg": GOOD[:500], f"{THREE}.jpg": b"\x89PNG\r\n\x1a\n" + bytes(40_000)}
    with PhotoArchive(make_zip(files)) as archive:
        assert codes(archive, ONE) == []
        assert "photo-damaged" in codes(archive, TWO)
        assert archive.photo(THREE).content is None


def test_missing_and_double_photos_are_errors_and_unasked_ones_warnings(make_zip: Make) -> None:
    files = {f"{ONE}.jpg": GOOD, f"again/{ONE}.jpeg": GOOD, f"{THREE}.jpg": GOOD, "Thumbs.db": b"x", "__MACOSX/x": b"y"}
    with PhotoArchive(make_zip(files)) as archive:
        assert codes(archive, ONE) == ["photo-not-unique"]
        assert codes(archive, TWO) == ["photo-missing"]
        unused = list(archive.unused())
    assert [(one.code, one.outcome.value) for one in unused] == [("photo-without-row", "warning")]
    assert THREE in unused[0].en


def test_names_in_gbk_are_shown_as_they_are_meant(make_zip: Make) -> None:
    file = make_zip({})
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("AAAAAAAA.jpg", GOOD)
    name = "照片甲乙".encode("gbk")
    file.write_bytes(file.read_bytes().replace(b"AAAAAAAA", name))
    with PhotoArchive(file) as photos:
        assert "照片甲乙.jpg" in next(photos.unused()).zh


def test_a_link_is_refused(make_zip: Make) -> None:
    file = make_zip({})
    with zipfile.ZipFile(file, "w") as archive:
        entry = zipfile.ZipInfo(f"{ONE}.jpg")
        entry.create_system = 3
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, b"/etc/passwd")
    with PhotoArchive(file) as photos:
        assert codes(photos, ONE) == ["photo-is-a-link"]


def test_a_file_beyond_the_rule_is_refused_without_reading_it(make_zip: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_zip({f"{ONE}.jpg": bytes(1_000_000), f"{TWO}.jpg": bytes(900_000)})
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with PhotoArchive(file) as photos:
        assert codes(photos, ONE) == ["photo-file-too-large"]
        assert codes(photos, TWO) == ["photo-not-a-photo"]


def test_a_nested_zip_is_no_photo(make_zip: Make) -> None:
    inner = make_zip({"x": GOOD}, name="inner.zip").read_bytes()
    with PhotoArchive(make_zip({f"{ONE}.zip": inner})) as photos:
        assert "photo-not-jpeg" in codes(photos, ONE)


def test_an_encrypted_archive_is_refused(make_zip: Make) -> None:
    file = make_zip({f"{ONE}.jpg": GOOD})
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(bytes(content))
    with pytest.raises(BadPhotoArchive, match="encrypted"):
        PhotoArchive(file)


def test_an_unusual_packing_method_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "photos.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(f"{ONE}.jpg", GOOD)
    with pytest.raises(BadPhotoArchive, match="method"):
        PhotoArchive(file)


@pytest.mark.parametrize("limit", ["MAX_ENTRIES", "MAX_TOTAL_BYTES"])
def test_an_archive_beyond_the_limits_is_refused(make_zip: Make, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(photo_archive, limit, 1)
    with pytest.raises(BadPhotoArchive):
        PhotoArchive(make_zip({"1.jpg": GOOD, "2.jpg": GOOD}))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "photos.zip"
    with pytest.raises(UnreadableFile):
        PhotoArchive(file)
    file.write_bytes(b"")
    with pytest.raises(EmptyFile):
        PhotoArchive(file)
    file.write_bytes(b"Rar!\x1a\x07" + bytes(100))
    with pytest.raises(BadPhotoArchive):
        PhotoArchive(file)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_an_archive_gives_a_verdict(make_zip: Make, data: st.DataObject) -> None:
    file = make_zip({f"{ONE}.jpg": GOOD[:900]})
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1) | st.integers(1, 140).map(lambda back: -back))
        content[at] = data.draw(st.integers(0, 255))
    file.write_bytes(bytes(content))

    def judge() -> None:
        with PhotoArchive(file) as photos:
            assert photos.photo(ONE).content is None
            list(photos.unused())

    refusal = refusal_of(judge)
    assert refusal is None or refusal.zh
