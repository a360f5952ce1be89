"""Every error is one sentence with its code, in the language chosen; never a traceback, never a wrong exit code."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credential.errors import ConfigError, Error, InputError, RefusedError, UnavailableError
from tests.service.at_hand import ONE_SENTENCE, person_row, run, write_sheet

COMMANDS = (
    "check",
    "issue",
    "approve",
    "batch",
    "verify",
    "revoke",
    "keys",
    "log",
    "status",
    "doctor",
    "issuer",
    "person",
)
WORDS = (
    *COMMANDS, "status", "resume", "export", "list", "add", "nb", "1", "2", "99", "-1", "--json", "--help", "--as",
    "wang", "li", "--approve-as", "--issuer", "--code", "--qr", "--serial", "--name", "--reason", "fraud", "--decision",
    "示人社函〔2026〕9号", "--photos", "sheet.csv", "sheet.xlsx", "none.pdf", ".", "--out", "--trust", "--template",
    "--effective", "2026-02-30", "--ban-from", "[/bold]", "\ud800", "\x00", "", "../..", "trust-list", "--",
)  # fmt: skip

FAULTS = [
    (["check", "none.xlsx"], 1, "unreadable-file"),
    (["check", "broken.xlsx"], 1, "not-a-workbook"),
    (["check", "sheet.csv", "--template", "../x"], 1, "unknown-template"),
    (["check", "sheet.csv", "--photos", "none.zip"], 1, "unreadable-file"),
    (["issue", "sheet.csv", "--issuer", "nobody", "--as", "wang"], 1, "unknown-issuer"),
    (["issue", "sheet.csv", "--issuer", "nb", "--as", "nobody"], 1, "unknown-person"),
    (["approve", "99", "--as", "li"], 1, "unknown-batch"),
    (["batch", "status", "99"], 1, "unknown-batch"),
    (["batch", "resume", "99"], 1, "unknown-batch"),
    (["batch", "export", "99", "--out", "out"], 1, "unknown-batch"),
    (["verify"], 2, "nothing-to-verify"),
    (["verify", "none.pdf"], 2, "missing-file"),
    (["verify", "--serial", "1"], 2, "name-needed"),
    (["verify", "--name", "张三"], 2, "name-needed"),
    (["verify", "--code", "1", "--trust", "none.json"], 2, "unreadable-verifying-file"),
    (["verify", "--code", "1", "--trust", "sheet.csv"], 2, "bad-envelope"),
]


@pytest.fixture
def desk(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a sheet, to work in."""
    write_sheet(tmp_path / "sheet.csv", [person_row(1)])
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 not really")
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize(("command", "code", "error"), FAULTS, ids=[" ".join(one[0]) for one in FAULTS])
def test_an_error_is_one_sentence_with_its_code(
    command: list[str], code: int, error: str, lang: str, desk: Path
) -> None:
    ran = run("--data", desk, *command, environ={"YINZHENG_LANG": lang})

    assert (ran.code, ran.error) == (code, error)
    assert ran.err.startswith("错误 [" if lang == "zh" else "error [")
    assert any("\u4e00" <= character <= "\u9fff" for character in ran.err) == (lang == "zh")
    assert not list(desk.parent.glob("yinzheng-fault-*"))


@pytest.mark.parametrize("command", [["batch", "resume", "1"], ["approve", "1", "--as", "wang"]])
def test_a_batch_that_waits_is_neither_resumed_nor_approved_by_its_maker(
    command: list[str], data: Path, tmp_path: Path
) -> None:
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(1)])
    assert run("--data", data, "issue", sheet, "--issuer", "nb", "--as", "wang").code == 0
    ran = run("--data", data, *command)

    assert (ran.code, ran.error) == (1, "not-approved" if command[0] == "batch" else "same-person")
    assert '"issued": 0' in run("--data", data, "batch", "status", "1", "--json").out


@pytest.mark.parametrize("command", [["init"], ["doctor"], ["check", "sheet.csv"], ["demo"], ["issuer", "list"]])
@pytest.mark.usefixtures("desk")
def test_a_file_in_the_place_of_the_data_folder_is_told(command: list[str]) -> None:
    ran = run("--data", "sheet.csv", *command)

    assert ran.code in {1, 2}
    assert command == ["doctor"] or ONE_SENTENCE.fullmatch(ran.err), ran


@pytest.mark.parametrize("error", [InputError, RefusedError, UnavailableError, ConfigError, Error])
def test_each_family_has_its_exit_code(error: type[Error], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise error("it went wrong", "出错了")

    monkeypatch.setattr("service.cli.read_settings", fail)
    ran = run("doctor")

    assert ran.code == (2 if issubclass(error, UnavailableError | ConfigError) else 1)
    assert ran.err == f"error [{error.code}]: it went wrong\n"


def test_a_fault_of_ours_is_a_sentence_and_the_trace_goes_to_a_closed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("张三 330299197001010013")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("service.cli.read_settings", fail)
    ran = run("doctor")
    (trace,) = tmp_path.glob("yinzheng-fault-*.txt")

    assert ran.code == 3
    assert "Traceback" not in ran.err
    assert "张三" not in ran.err
    assert trace.name in ran.err
    assert "Traceback" in trace.read_text()
    assert trace.stat().st_mode & 0o077 == 0


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), max_size=8))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_typed_there_is_never_a_traceback(desk: Path, words: list[str]) -> None:
    if "demo" in words or "init" in words:
        return
    os.chdir(desk.parent)  # nothing to find here, so that no example is slow
    ran = run("--data", desk, *words)

    assert ran.code in {0, 1, 2}, ran
    assert "Traceback" not in ran.out + ran.err
    assert ran.code == 0 or ran.err or ran.out


@pytest.mark.parametrize("command", [[], *([one] for one in COMMANDS), ["template"], ["init"], ["demo"]])
def test_every_command_has_help(command: list[str]) -> None:
    ran = run(*command, "--help")

    assert ran.code == 0
    assert "Usage:" in ran.out
    assert "--help" in ran.out


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("revoke 1 --reason fraud --as wang", "缺少选项 --decision"),
        ("batch show", "缺少参数 BATCH"),
        ("revoke 1 --raeson fraud", "没有选项 --raeson, 是否应为 --reason?"),
        ("batch shw 1", "没有命令 shw, 是否应为 show?"),
        ("batch show x", "BATCH 的取值无效, 须为整数"),
        ("serve --port 99999", "--port 的取值无效, 须为整数, 不小于 1, 不大于 65535"),
        ("revoke 1 --reason x", "--reason 的取值无效, 可选: fraud("),
        ("serve --role x", "--role 的取值无效, 可选: all、issuer、verifier"),
        ("batch show 1 2", "多出的参数 2"),
        ("batch show 1 --as", "没有选项 --as"),
        ("issue a.csv --issuer", "选项 --issuer 后缺少取值"),
    ],
)
def test_bad_usage_is_told_in_chinese_without_the_librarys_words(command: str, told: str) -> None:
    ran = run(*command.split(), environ={"YINZHENG_LANG": "zh"})

    assert ran.code == 2
    assert ran.err.startswith(f"命令写法有误: {told}")
    assert not {"Missing", "Invalid", "such", "Input", "Value", "unexpected", "requires"} & set(ran.err.split())


def test_a_log_without_its_checkpoint_is_told(data: Path) -> None:
    (data / "public" / "log" / "checkpoint").unlink()
    ran = run("--data", data, "log", "verify")

    assert (ran.code, ran.error) == (2, "no-checkpoint")
