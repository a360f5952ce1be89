"""A designer's PDF becomes a template folder that prints, or is refused with the cure."""

from pathlib import Path

import pikepdf
import pytest
import typst

from press.artwork_check import check_artwork
from press.strict_table import BadTemplate
from press.template_file import load_template
from service import template_import
from service.template_import import ArtworkTooHeavy, UnreadableArtwork, check_in_limits, import_template
from service.templates import BadTemplateName
from templates import UnknownTemplate
from tests.press.test_artwork_check import add_font, add_laughs, drawn
from tests.service.at_hand import run

A4 = b"#set page(width: 210mm, height: 297mm, margin: 0mm)\n#place(dx: 9mm, dy: 9mm, rect(width: 192mm, height: 279mm))"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    made = typst.compile(A4)
    assert isinstance(made, bytes)
    file = tmp_path / "page.pdf"
    file.write_bytes(made)
    return file


def test_an_imported_page_prints_every_sample_with_its_lines_as_vectors(
    page: Path, tmp_path: Path, cache: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "cache").symlink_to(cache)
    ran = run("--data", data, "template", "import", page, "--name", "green", "--out", tmp_path / "pictures")

    assert ran.code == 0, ran
    assert "nothing wrong was found" in ran.out
    assert sorted(one.name for one in (tmp_path / "pictures").iterdir())[:2] == [
        "green-foreign.png",
        "green-longest.png",
    ]
    folder = data / "templates" / "green"
    assert (folder / "background.pdf").read_bytes() == page.read_bytes()
    assert not (folder / "background.typ").exists()
    template = load_template(folder)
    assert (template.width, template.height, template.artwork) == (210, 297, "background.pdf")
    assert template.schema.kind == "training-certificate"
    assert "green" in run("--data", data, "template", "list").out


def test_boxes_follow_the_size_of_the_page(tmp_path: Path) -> None:
    file = tmp_path / "a3.pdf"
    made = typst.compile(A4.replace(b"210mm", b"297mm", 1).replace(b"height: 297mm", b"height: 420mm", 1))
    assert isinstance(made, bytes)
    file.write_bytes(made)
    imported = import_template(file, name="large", like="training", folder=tmp_path / "templates")

    template = load_template(imported.folder)
    assert (round(template.width), round(template.height)) == (297, 420)
    assert template.qr.box.width == pytest.approx(template.qr.box.height)
    assert template.qr.module_mm >= 0.41
    assert template.seal.box.width == pytest.approx(38 * 297 / 210, abs=0.1)


@pytest.mark.parametrize("name", ["", "Green", "a b", "../up", "training", "-x", "绿"])
def test_a_name_that_is_no_word_or_taken_is_refused(name: str, page: Path, tmp_path: Path) -> None:
    with pytest.raises(BadTemplateName):
        import_template(page, name=name, like="training", folder=tmp_path / "templates")
    assert not (tmp_path / "templates").exists()


def test_a_second_import_does_not_overwrite_the_first(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    import_template(page, name="green", like="training", folder=folder)
    with pytest.raises(BadTemplateName, match="there is one already"):
        import_template(page, name="green", like="professional-title", folder=folder)
    assert [one.name for one in folder.iterdir()] == ["green"]


def test_what_cannot_be_imported_leaves_nothing_behind(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(drawn(change=add_font))
    with pytest.raises(BadTemplate, match="Helvetica, which is not embedded"):
        import_template(bad, name="green", like="training", folder=folder)
    with pytest.raises(UnknownTemplate):
        import_template(page, name="green", like="no-such", folder=folder)
    with pytest.raises(UnreadableArtwork):
        import_template(tmp_path / "none.pdf", name="green", like="training", folder=folder)
    assert not folder.exists()


def test_a_file_that_outgrows_the_memory_of_its_process_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_in_limits(drawn(), tmp_path / "good.pdf") == check_artwork(drawn(), "good.pdf")
    with pytest.raises(BadTemplate, match="grows too large"):
        check_in_limits(drawn(change=add_laughs), tmp_path / "laughs.pdf")
    monkeypatch.setattr(template_import, "CHECK_SECONDS", 0)  # the child has no time at all
    with pytest.raises(ArtworkTooHeavy, match="too much time or memory"):
        check_in_limits(drawn(), tmp_path / "good.pdf")


def test_artwork_that_was_changed_after_the_import_is_checked_again(page: Path, tmp_path: Path) -> None:
    imported = import_template(page, name="green", like="training", folder=tmp_path / "templates")
    with pikepdf.open(imported.folder / "background.pdf", allow_overwriting_input=True) as pdf:
        pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("1"))
        pdf.save()
    ran = run("--data", tmp_path, "template", "check", imported.folder)
    assert ran.code == 1
    assert "an action on opening" in ran.out
