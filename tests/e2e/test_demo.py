"""``yinzheng demo``: the whole loop in one command, and nothing twice."""

import re
from pathlib import Path

import pytest

from tests.e2e.processes import CommandLine, Ran
from tests.service.at_hand import run


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, fonts: Path) -> tuple[CommandLine, Ran]:
    data = tmp_path_factory.mktemp("demo") / "data"
    data.mkdir(mode=0o700)
    (data / "cache").symlink_to(fonts)
    yinzheng = CommandLine(data, None)
    return yinzheng, yinzheng.done("demo")


def outcomes(shown: str) -> dict[str, str]:
    """The table at the end: what, and how it went."""
    rows = re.findall(r"│ ([^│]+?) +│ ([^│]+?) +│", shown.rpartition("what happened")[2])
    return dict(rows)


def test_it_issues_verifies_and_revokes(demo: tuple[CommandLine, Ran]) -> None:
    yinzheng, ran = demo
    found = outcomes(ran.out)
    files = sorted((yinzheng.data / "certificates" / "batch-1").glob("*.pdf"))

    assert found["certificates issued"] == "195"
    assert found["rows without a certificate"].startswith("5 ")
    assert found["all PDFs verified"].startswith("195 valid, 0 other")
    assert found[f"revoked {files[0].stem}"] == "valid → revoked"
    assert len(files) == 195
    assert yinzheng.rows("SELECT state, count(*) FROM credential GROUP BY state ORDER BY state") == [
        ("01", 194),
        ("03", 1),
    ]


def test_the_command_that_it_names_shows_the_revoked_certificate(demo: tuple[CommandLine, Ran]) -> None:
    yinzheng, ran = demo
    command = ran.out.rpartition("now try")[2].splitlines()[1].strip()
    program, *words = command.split()
    assert Path(program).name == "yinzheng"

    shown = run(*words, environ={"YINZHENG_PASSPHRASE": ""})
    assert (shown.code, "REVOKED" in shown.out) == (1, True), shown
    assert yinzheng.data.name in command


def test_run_again_it_issues_nothing_more(demo: tuple[CommandLine, Ran]) -> None:
    yinzheng, _ = demo
    again = run("--data", yinzheng.data, "demo", environ={"YINZHENG_PASSPHRASE": ""})
    found = outcomes(again.out)

    assert again.code == 0, again.err
    assert found["certificates issued"] == "195"
    assert found["all PDFs verified"].startswith("194 valid, 1 other")
    assert yinzheng.rows("SELECT count(*) FROM credential") == [(195,)]
    assert yinzheng.rows("SELECT count(*) FROM batch") == [(1,)]


def test_a_folder_with_other_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    ran = run("--data", tmp_path, "demo", environ={"YINZHENG_PASSPHRASE": ""})

    assert (ran.code, ran.error) == (1, "not-a-demo-folder")
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_real_installation_is_refused(installation: CommandLine) -> None:
    ran = run("--data", installation.data, "demo")

    assert (ran.code, ran.error) == (1, "not-a-demo-folder")
    assert not (installation.data / "DEMO").exists()
