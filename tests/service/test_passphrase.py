"""The passphrase comes from a closed file or a variable; only a demo folder has a known one."""

from pathlib import Path

import pytest

from keys.private_files import MissingPassphrase, OpenToOthers, UnreadablePrivateFile
from service.passphrase import DEMO_MARK, DEMO_PASSPHRASE, VARIABLE, is_demo, passphrase_of
from service.settings import Settings
from tests.service.at_hand import PASSPHRASE, run


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def closed_file(path: Path, content: str) -> Path:
    path.write_text(content)
    path.chmod(0o600)
    return path


def test_there_is_no_default_outside_a_demo_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingPassphrase):
        passphrase_of(Settings(data=tmp_path))


def test_an_empty_one_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(MissingPassphrase):
        passphrase_of(Settings(data=tmp_path))
    with pytest.raises(MissingPassphrase):
        passphrase_of(Settings(data=tmp_path, passphrase_file=closed_file(tmp_path / "word", "\n")))


def test_a_demo_folder_has_a_known_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "another")
    (tmp_path / DEMO_MARK).touch()

    assert is_demo(Settings(data=tmp_path))
    assert passphrase_of(Settings(data=tmp_path)) == DEMO_PASSPHRASE


def test_the_file_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "of the variable")
    file = closed_file(tmp_path / "word", "of the file\n")

    assert passphrase_of(Settings(data=tmp_path, passphrase_file=file)) == b"of the file"
    assert passphrase_of(Settings(data=tmp_path)) == b"of the variable"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    file = closed_file(tmp_path / "word", "secret\n")
    file.chmod(mode)

    with pytest.raises(OpenToOthers) as refused:
        passphrase_of(Settings(data=tmp_path, passphrase_file=file))
    assert "chmod 600" in refused.value.en


def test_a_missing_file_is_told_and_the_variable_is_not_taken_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "of the variable")
    with pytest.raises(UnreadablePrivateFile):
        passphrase_of(Settings(data=tmp_path, passphrase_file=tmp_path / "none"))


def test_init_without_a_passphrase_makes_nothing(tmp_path: Path) -> None:
    ran = run("--data", tmp_path / "data", "init", environ={VARIABLE: ""})

    assert (ran.code, ran.error) == (2, "missing-passphrase")
    assert not (tmp_path / "data").exists()


def test_the_demo_passphrase_does_not_open_a_real_folder(made: Path) -> None:
    ran = run("--data", made, "doctor", environ={VARIABLE: DEMO_PASSPHRASE.decode("ascii")})

    assert ran.code == 1
    assert "wrong-passphrase" in ran.out


def test_no_command_takes_the_passphrase_itself() -> None:
    """Other users of a machine see command lines."""
    assert "--passphrase-file" in run("--help").out
    for option in ("--passphrase", "--password"):
        assert run(option, PASSPHRASE, "doctor").code == 2
