import re
import shutil
from pathlib import Path

import pytest

from credential.schema import BadSchema
from press.strict_table import BadTemplate
from press.template import Label, Place, Row, Value
from press.template_file import load_template
from tests.press.certificates import FOLDER, template


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "copy"))


def change(folder: Path, old: str, new: str, name: str = "template.toml") -> None:
    path = folder / name
    content = path.read_text("utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('artwork = "background.typ"', 'artwerk = "background.typ"', "artwork is missing"),
        ("vocabulary_face", "vocabulary_fase", "vocabulary_face is missing"),
        ("quiet = 4", "quiet = 4\nglow = 2", "glow is not a known key"),
        ("quiet = 4", "quiet = 3", "quiet 3 is outside 4 to 8"),
        ("version = 14", "version = 14.5", "version 14.5 must be a whole number"),
        ("version = 14", 'version = "14"', "version must be a number, not '14'"),
        ("version = 14", "version = 20", "below 0.41 mm"),
        ('level = "M"', 'level = "X"', "level 'X' is none of L, M, Q, H"),
        ('type = "photo"', 'type = "foto"', "'foto' is none of label, row, value, photo, qr, seal"),
        ('face = "title"', 'face = "titel"', "face 'titel' is none of"),
        ('"song-bold", "song"', '"song-bold", "sung"', "'sung' is not a bundled face"),
        ('colour = "label"', 'colour = "labl"', "'labl' is not a colour"),
        ('red = "#A81A1A"', 'red = "#A81A1"', "is not a colour"),
        ('field = "sex"', 'field = "sax"', "there is no field 'sax'"),
        ('field = "serial"', 'field = "identifier"', "nothing shows the field 'serial'"),
        ('public_fields = ["name"', 'public_fields = ["nam"', "there is no field 'nam'"),
        ('text = "核验网址：{url}"', 'text = "核验网址：{uri}"', "unknown word 'uri'"),
        ("{original_number}", "{holder_number}", "unknown word 'holder_number'"),
        ("box = [99, 60.4, 65, 9.2]", "box = [99, 60.4, 65]", "box must be 4 numbers"),
        ("box = [99, 60.4, 65, 9.2]", "box = [240, 60.4, 65, 9.2]", "'name' is not on the page"),
        ("box = [99, 60.4, 65, 9.2]", "box = [99, 60.4, 65, 10.2]", "boxes of 'name' and 'sex' overlap (with photo)"),
        ("plain = [65, 60.4, 81, 9.2]", "plain = [65, 60.4, 100, 9.2]", "overlap (without photo)"),
        ('type = "seal"', 'type = "photo"', "exactly one item of type seal"),
        ("size = 30", "size = 30\nmin_size = 31", "min_size 31 is outside 4 to 30"),
        ("title = ", "title == ", "is not TOML"),
    ],
)
def test_a_slip_is_refused_with_its_place(folder: Path, old: str, new: str, said: str) -> None:
    change(folder, old, new)
    with pytest.raises(BadTemplate) as caught:
        load_template(folder)
    assert said in caught.value.en
    assert caught.value.zh != caught.value.en


@pytest.mark.parametrize("name", ["template.toml", "record.toml", "background.typ", "seal.typ"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BadTemplate, match=f"{name}: is missing"):
        load_template(folder)


def test_a_bad_record_schema_is_refused(folder: Path) -> None:
    change(folder, 'kind = "name"', 'kind = "nom"', "record.toml")
    with pytest.raises(BadSchema):
        load_template(folder)


def test_items_keep_the_order_of_the_file() -> None:
    items = template().items
    kinds = [type(item) for item in items if not isinstance(item, Place)]
    assert kinds.index(Row) > kinds.index(Label)
    assert [item.key for item in items if isinstance(item, Row)][:3] == ["name", "sex", "id_number"]
    assert items.index(Place.PHOTO) < items.index(Place.QR) < items.index(Place.SEAL)
    assert next(item.field for item in items if isinstance(item, Value)) == "statement"


def test_the_digest_follows_every_file_that_decides_the_look(folder: Path) -> None:
    before = load_template(folder).digest
    assert before != template().digest  # it has another name
    (folder / "leaf.svg").write_text("<svg/>", "utf-8")  # which the artwork might read
    for name in ("background.typ", "seal.typ", "template.toml", "record.toml", "titles.toml", "leaf.svg"):
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write("\n")
        after = load_template(folder).digest
        assert after != before
        before = after
    (folder / "README.md").write_text("said to authors", "utf-8")
    (folder / "samples" / "ordinary.toml").unlink()
    assert load_template(folder).digest == before


def test_a_kind_without_photo_needs_no_photo_box(folder: Path) -> None:
    record = folder / "record.toml"
    record.write_text(
        re.sub('^photo = ".*"$', 'photo = "none"', record.read_text("utf-8"), flags=re.MULTILINE), "utf-8"
    )
    with pytest.raises(BadTemplate, match="photo is not a known key"):
        load_template(folder)
    path = folder / "template.toml"
    lines = path.read_text("utf-8").split("\n")
    at = lines.index("[photo]")
    path.write_text("\n".join(lines[:at] + lines[at + 3 :]), "utf-8")
    assert load_template(folder).photo_box is None
