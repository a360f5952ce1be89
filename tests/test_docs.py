"""The docs say what is so: links lead somewhere, commands exist, the list of files is the list of files."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from docs import settings as settings_page
from docs import tree
from service.cli.default_command import USUAL, WithUsualCommand

PROJECT = Path(__file__).resolve().parent.parent
README, README_ZH = "README.md", "README.zh.md"

LINK = re.compile(r"\]\(([^)\s]+)\)")
TARGET = re.compile(r"^([a-z][a-z-]*):.*## ", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)\b")
CODE = re.compile(r"```sh\n(?P<block>.*?)```|`(?P<span>[^`\n]+)`", re.DOTALL)


def text(name: str) -> str:
    return (PROJECT / name).read_text("utf-8")


@pytest.fixture(scope="module")
def pages(tool: Callable[[str], Path]) -> list[str]:
    git = subprocess.run(
        [tool("git"), "-c", "safe.directory=*", "ls-files", "*.md"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
        text=True,
    )
    return git.stdout.split()


def commands_in(page: str) -> Iterator[str]:
    """Every line of code on the page, in blocks and in running text."""
    for match in CODE.finditer(page):
        yield from (match["block"] or match["span"]).splitlines()


def mistake_in(line: str, app: typer.Typer) -> str:
    """Follow the words of a line down to a command; say which word or option it does not have."""
    words = line.split()[1:]
    command = get_command(app)
    while words and isinstance(command, TyperGroup):
        has_usual = isinstance(command, WithUsualCommand) and words[0] not in command.commands
        name = USUAL if has_usual else words.pop(0)
        if name not in command.commands:
            return f"{line!r}: there is no {name!r} among {sorted(command.commands)}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    return f"{line!r}: has no option {unknown}" if unknown else ""


def test_every_link_of_every_page_leads_somewhere(pages: list[str]) -> None:
    assert README in pages
    links = [(page, link) for page in pages for link in LINK.findall(text(page)) if "://" not in link]
    assert len(links) > 10

    assert [
        f"{page}: {link}" for page, link in links if not (PROJECT / page).parent.joinpath(link.split("#")[0]).exists()
    ] == []


@pytest.mark.parametrize("page", [README, README_ZH])
def test_both_readmes_name_the_two_commands_and_show_a_certificate(page: str) -> None:
    assert "```sh\nmake demo\nmake test\n```" in text(page)
    assert "](docs/images/certificate.png)" in text(page)


@pytest.mark.parametrize("page", [README, README_ZH, "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"])
def test_every_make_command_that_a_page_names_exists(page: str) -> None:
    targets = set(TARGET.findall(text("Makefile")))
    named = {name for line in commands_in(text(page)) for name in MAKE.findall(line)}

    assert named <= targets


def test_every_make_command_says_what_it_does() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", text("Makefile"), re.MULTILINE)

    assert phony is not None
    assert set(phony[1].split()) == set(TARGET.findall(text("Makefile")))


@pytest.mark.parametrize("page", [README, README_ZH])
def test_every_command_and_option_that_a_readme_names_exists(page: str) -> None:
    from service.cli.commands import app  # noqa: PLC0415 - the other docs are checked without the program

    lines = [line for line in commands_in(text(page)) if line.startswith("yinzheng ")]

    assert [mistake for line in lines if (mistake := mistake_in(line, app))] == []


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("yinzheng isue rows.xlsx", "no 'isue'"),
        ("yinzheng batch resum B1", "no 'resum'"),
        ("yinzheng check rows.xlsx --fotos a.zip", "no option ['--fotos']"),
        ("yinzheng check rows.xlsx --photos a.zip", ""),
    ],
)
def test_a_command_that_does_not_exist_is_told(line: str, mistake: str) -> None:
    app, batch = typer.Typer(), typer.Typer()
    app.add_typer(batch, name="batch")

    @app.command()
    def check(file: str, photos: str = "") -> None:
        raise AssertionError(file, photos)

    @batch.command()
    def resume(name: str) -> None:
        raise AssertionError(name)

    found = mistake_in(line, app)

    assert mistake in found
    assert bool(mistake) == bool(found)


def test_the_list_of_files_is_the_list_of_files() -> None:
    page = text("docs/architecture.md")

    assert page == tree.rewrite(page), "run: make docs"


def test_the_page_of_settings_is_the_settings() -> None:
    assert settings_page.PAGE.read_text("utf-8") == settings_page.page(), "run: make docs"


def test_every_folder_of_the_house_is_in_the_list_of_files() -> None:
    folders = {file.parent.relative_to(PROJECT).as_posix() for file in PROJECT.glob("*/**/__init__.py")}
    ours = {folder for folder in folders if (PROJECT / folder.split("/")[0] / "__init__.py").is_file()}

    assert ours - set(tree.FOLDERS) <= {"registry/migrations/versions"}


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    headings = [line for line in text("CHANGELOG.md").splitlines() if line.startswith("## ")]

    assert headings[0] == "## [Unreleased]"
    assert all(re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:])
