"""What the last lines of a command say: a count, an export that is owing, words of the service's own history."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from service.cli.language import choose_language
from service.cli.verifying import count_text
from tests.service.at_hand import run
from verifier.reasons import Word


def test_a_folder_that_is_verified_ends_with_a_count(issued: Path, certificates: list[Path]) -> None:
    count = len(certificates)
    words: list[str | Path] = ["--data", issued, "verify", *certificates]
    for lang, told in (("zh", f"共 {count}: 有效 {count}"), ("en", f"{count} files: {count} valid")):
        ran = run(*words, environ={"YINZHENG_LANG": lang})
        assert (ran.code, ran.out.splitlines()[-1]) == (0, told)
    assert "files:" not in run("--data", issued, "verify", certificates[0]).out
    assert run(*words, "--json").out.splitlines()[-1].startswith("{")


def test_a_count_names_every_answer_the_good_first() -> None:
    choose_language("en", {})
    assert count_text(Counter({Word.TAMPERED: 1, Word.VALID: 2})) == "3 files: 2 valid, 1 tampered"


def test_a_batch_that_is_resumed_without_a_folder_says_that_the_files_are_not_exported(
    issued: Path, tmp_path: Path
) -> None:
    for lang, told in (
        ("zh", "PDF 尚未导出: yinzheng batch export 1"),
        ("en", "not exported: yinzheng batch export 1"),
    ):
        ran = run("--data", issued, "batch", "resume", "1", environ={"YINZHENG_LANG": lang})
        assert ran.code == 0, ran
        assert told in ran.out
    assert "batch export" not in run("--data", issued, "batch", "resume", "1", "--out", tmp_path / "out").out


def test_the_history_of_the_service_is_in_the_readers_language_and_time(issued_data: Path) -> None:
    for verb in ("roll", "activate", "retire"):
        assert run("--data", issued_data, "keys", verb, "qr", "--issuer", "nb").code == 0
    told = run("--data", issued_data, "history", "list", "--service", environ={"YINZHENG_LANG": "zh"}).out
    for word in (" in file", " at ", " retired", "certificate of"):
        assert word not in told
    assert "存于加密文件" in told
    assert not [line for line in told.splitlines() if "00Z" in line]


@pytest.mark.parametrize("name", ["pyhanko.sign.validation", "pyhanko_certvalidator"])
def test_no_trace_of_the_librarys_own_log_is_shown(name: str) -> None:
    run("--help")
    assert not logging.getLogger(name).isEnabledFor(logging.ERROR)
