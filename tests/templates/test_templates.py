"""The door to the bundled data opens for what is there, and says clearly what is not."""

import re
from pathlib import Path

import pytest

import templates
from credential.errors import ConfigError, InputError


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(templates, "_HERE", tmp_path)
    return tmp_path


def test_every_listed_template_has_a_folder() -> None:
    assert templates.certificate_names()
    for name in templates.certificate_names():
        assert (templates.certificate_folder(name) / "template.toml").is_file()


@pytest.mark.parametrize("name", ["", ".", "..", "../fonts", "/", "no-such-template"])
def test_a_name_that_is_not_listed_leads_nowhere(name: str) -> None:
    with pytest.raises(templates.UnknownTemplate) as caught:
        templates.certificate_folder(name)

    assert isinstance(caught.value, InputError)
    assert repr(name) in caught.value.en
    assert f"“{name}”" in caught.value.zh


def test_a_folder_without_a_template_is_not_listed(empty: Path) -> None:
    (empty / "certificate" / "draft").mkdir(parents=True)
    (empty / "certificate" / "diploma").mkdir()
    (empty / "certificate" / "diploma" / "template.toml").touch()

    assert templates.certificate_names() == ("diploma",)


def test_a_missing_bundle_names_the_folder(empty: Path) -> None:
    for door in (templates.fonts_folder, templates.sample_folder, templates.certificate_names):
        with pytest.raises(templates.MissingBundle, match=re.escape(str(empty))) as caught:
            door()
        assert isinstance(caught.value, ConfigError)


def test_the_sample_is_a_sheet_and_its_photos() -> None:
    files = {file.name for file in templates.sample_folder().iterdir()}

    assert files == {"README.md", "exchange-200.xlsx", "exchange-200-photos.zip", "training-12.xlsx"}
