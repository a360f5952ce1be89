"""A command that is stopped, or gets no answer to its question, is no fault: one sentence, exit code 130."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.at_hand import PASSPHRASE, run

STOPPED = 130
TOLD = {
    "zh": ("已取消, 未作任何更改\n", "已中断; 可原样重试\n"),
    "en": ("cancelled, nothing was changed\n", "interrupted; the same command may be run again\n"),
}


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("answers", ["</dev/null", "<&-"], ids=["empty", "closed"])
def test_a_question_that_gets_no_answer_is_cancelled(lang: str, answers: str, tmp_path: Path) -> None:
    out = tmp_path / "root.pem"
    command = [sys.executable, "-m", "service.cli", "trust", "roots", "make", "--out", str(out)]
    ran = subprocess.run(
        ["sh", "-c", f'"$@" {answers}', "sh", *command],
        env=_environ(lang),
        cwd=tmp_path,
        start_new_session=True,  # no terminal to ask on
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == STOPPED, ran
    assert ran.stderr.endswith(TOLD[lang][0])
    assert "Traceback" not in ran.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("where", ["service.cli.read_settings", "service.cli.keeping.examine_house"])
def test_ctrl_c_says_that_the_command_may_be_run_again(
    where: str, lang: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt  # what Python makes of it, unless the parent had it ignored

    monkeypatch.setattr(where, press)
    ran = run("--data", made, "doctor", environ={"YINZHENG_LANG": lang})
    assert (ran.code, ran.err.lstrip("\n")) == (STOPPED, TOLD[lang][1])
    assert not list(made.parent.glob("yinzheng-fault-*"))


def _environ(lang: str) -> dict[str, str]:
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": paths, "YINZHENG_LANG": lang, "YINZHENG_PASSPHRASE": PASSPHRASE}
