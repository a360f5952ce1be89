import json
import shutil
from pathlib import Path

import pikepdf
import pytest
import typst

from press.artwork import ObjectWriter, draw_page
from press.fonts import FontLibrary
from press.inspection import check_template
from press.strict_table import BadTemplate
from press.template_file import load_template
from tests.press.certificates import FOLDER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "copy"))


def use(folder: Path, name: str) -> None:
    path = folder / "template.toml"
    path.write_text(path.read_text("utf-8").replace('"background.typ"', f'"{name}"'), "utf-8")


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_artwork_may_be_a_pdf_or_an_svg(kind: str, folder: Path, library: FontLibrary) -> None:
    given = json.dumps({"rules": [], "photo": None, "qr": [26, 148, 34, 34]})
    source, target = str(folder / "background.typ"), str(folder / f"art.{kind}")
    typst.compile(source, output=target, format="pdf" if kind == "pdf" else "svg", sys_inputs={"layout": given})
    use(folder, f"art.{kind}")
    report = check_template(folder, library)
    assert report.findings == ()


def test_pictures_and_patterns_of_artwork_are_kept(folder: Path, library: FontLibrary) -> None:
    shutil.copy(FOLDER / "samples" / "portrait-man.jpg", folder / "picture.jpg")
    with (folder / "background.typ").open("a", encoding="utf-8") as file:
        file.write('\n#at(100, 20, image("picture.jpg", width: 10mm))\n')
        file.write("#at(120, 20, rect(width: 10mm, height: 10mm, fill: gradient.linear(red, gold)))\n")
    assert check_template(folder, library).findings == ()
    writer = ObjectWriter(10)
    drawing = draw_page(load_template(folder), writer, photo=True)
    assert b"/XObject" in drawing.resources
    assert any(b"/DCTDecode" in body for body in writer.bodies.values())
    assert b"/Pattern" in drawing.resources


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("art.png", b"\x89PNG", "neither .typ, .svg nor .pdf"),
        ("art.typ", b"#set page(width: 297mm, height: 210mm)\na\n#pagebreak()\nb", "2 pages"),
        ("art.typ", b"#set page(width: 200mm, height: 210mm)\na", "not 297.0 x 210.0 mm"),
        ("art.typ", b"#nonsense()", "Typst says"),
        ("art.svg", b"<svg", "Typst says"),
    ],
)
def test_unusable_artwork_is_refused(folder: Path, name: str, content: bytes, said: str) -> None:
    (folder / name).write_bytes(content)
    use(folder, name)
    with pytest.raises(BadTemplate, match=said):
        draw_page(load_template(folder), ObjectWriter(10), photo=True)


def test_colours_become_plain_rgb_and_numbers_are_rounded() -> None:
    drawing = draw_page(load_template(FOLDER), ObjectWriter(10), photo=True)
    assert b"scn" not in drawing.content
    assert b" rg\n" in drawing.content
    words = {word for word in drawing.content.split() if b"." in word}
    assert max(len(word.split(b".")[1]) for word in words) <= 3


def test_rules_meet_the_rows() -> None:
    with_photo, without = (draw_page(load_template(FOLDER), ObjectWriter(10), photo=photo) for photo in (True, False))
    assert with_photo.content != without.content
    assert len(with_photo.content) > len(without.content)  # the photo's frame


def test_a_damaged_pdf_is_refused(folder: Path) -> None:
    (folder / "art.pdf").write_bytes(b"%PDF-1.7\nnothing")
    use(folder, "art.pdf")
    with pytest.raises(BadTemplate, match="cannot be read"):
        draw_page(load_template(folder), ObjectWriter(10), photo=True)
    with pytest.raises(pikepdf.PdfError):
        pikepdf.open(folder / "art.pdf")
