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


def test_a_page_of_another_shape_ends_with_what_to_edit_and_what_to_run(tmp_path: Path, cache: Path) -> None:
    turned = typst.compile(A4.replace(b"width: 210mm, height: 297mm", b"width: 297mm, height: 210mm", 1))
    assert isinstance(turned, bytes)
    (tmp_path / "turned.pdf").write_bytes(turned)
    data = tmp_path / "data"
    data.mkdir()
    (data / "cache").symlink_to(cache)
    ran = run("--data", data, "template", "import", tmp_path / "turned.pdf", "--name", "wide")

    assert (ran.code, ran.err) == (0, "")
    folder = data / "templates" / "wide"
    assert f"edit the boxes and sizes in {folder / 'template.toml'}" in ran.out
    assert ran.out.strip().endswith("yinzheng template check wide")


def test_a_qr_code_too_small_is_a_finding_that_names_the_key_to_edit(page: Path, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "cache").symlink_to(cache)
    folder = import_template(page, name="green", like="training", folder=tmp_path / "templates").folder
    layout = (folder / "template.toml").read_text("utf-8")
    (folder / "template.toml").write_text(layout.replace("version = 12", "version = 9", 1), "utf-8")
    ran = run("--data", tmp_path, "template", "check", "green")

    assert (ran.code, ran.err) == (1, "")
    assert "version under [qr] in template.toml" in ran.out


def test_pictures_lie_by_the_template_and_are_no_part_of_its_version(
    page: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").symlink_to(cache)
    folder = import_template(page, name="green", like="training", folder=tmp_path / "templates").folder
    before = load_template(folder).digest
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name, where in (("green", folder / "preview"), ("training", tmp_path / "cache" / "preview" / "training")):
        ran = run("--data", tmp_path, "template", "preview", name, "--sample", "ordinary")
        assert ran.out == f"{where / f'{name}-ordinary.png'}\n"
        assert (where / f"{name}-ordinary.png").read_bytes().startswith(b"\x89PNG")
    assert not list((tmp_path / "here").iterdir())
    assert load_template(folder).digest == before


@pytest.mark.parametrize("breaking", ["syntax", "name", "schema"])
def test_a_broken_template_is_listed_with_its_reason_and_hides_no_other(
    breaking: str, page: Path, tmp_path: Path
) -> None:
    for name in ("amber", "green"):
        import_template(page, name=name, like="training", folder=tmp_path / "templates")
    broken = tmp_path / "templates" / "amber"
    if breaking == "syntax":
        (broken / "template.toml").write_text("= [", "utf-8")
    elif breaking == "schema":
        (broken / "record.toml").write_text("kind = 1", "utf-8")
    else:
        broken = broken.rename(tmp_path / "templates" / "training")
    ran = run("--data", tmp_path, "template", "list")

    assert (ran.code, ran.err) == (0, "")
    assert "green" in ran.out
    (line,) = [one for one in ran.out.splitlines() if one.startswith("the template ")]
    assert line.startswith(f"the template {broken.name} is broken: ")
    assert len(line) > len(f"the template {broken.name} is broken: ") + 10
