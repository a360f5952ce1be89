"""docs/security.md speaks of everything that there is: every role of a key, every store, and only real commands."""

import re
from pathlib import Path

import pytest

from credential.trust import Role
from service.cli.commands import app
from service.folder import DataFolder
from tests.test_docs import commands_in, mistake_in

PROJECT = Path(__file__).resolve().parents[2]
PAGES = ("docs/security.md", "SECURITY.md", "docs/formats.md", "docs/formats-log.md", "docs/formats-registry.md")


def page(name: str = "docs/security.md") -> str:
    return (PROJECT / name).read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_every_command_and_option_that_is_named_exists(name: str) -> None:
    lines = [line.partition("#")[0].strip() for line in commands_in(page(name)) if line.startswith("yinzheng ")]
    assert [mistake for line in lines if (mistake := mistake_in(line, app))] == []


def test_every_role_of_a_key_is_spoken_of() -> None:
    assert [role for role in Role if f"`{role}`" not in page()] == []


def test_every_part_of_the_data_folder_is_spoken_of() -> None:
    folder = DataFolder(Path("/data"))
    parts = {value for value in vars(folder).values() if isinstance(value, Path) and value != folder.root}
    names = {path.relative_to("/data").parts for path in parts} - {("registry.sqlite",)}
    wanted = {"/".join(parts[:2]) if parts[0] == "public" else parts[0] for parts in names}
    assert [name for name in sorted(wanted) if f"`{name}" not in page()] == []


def test_the_page_of_reporting_leads_to_it_and_repeats_nothing() -> None:
    assert "(docs/security.md)" in page("SECURITY.md")
    assert "|" not in page("SECURITY.md")


def test_every_row_of_the_stores_says_how_one_recovers() -> None:
    table = page().partition("## 2. Stores")[2].partition("## 3.")[0]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines() if "|" in line]
    assert len(rows) > 14
    assert {len(row) for row in rows} == {6}
    assert [row[0] for row in rows[2:] if not row[1] or not row[3] or not row[5]] == []
