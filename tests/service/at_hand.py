"""The command line run in this process, and a sheet of invented people."""

import csv
import io
import os
import re
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from service.cli import main, screens

PASSPHRASE = "a passphrase of the tests"
USCC = "11649900MB0T000311"
HEADINGS = (
    "姓名", "性别", "身份证号", "系列名称", "专业名称", "资格名称", "级别", "评审组织", "批准文号",
    "取得资格时间", "取得方式", "工作单位",
)  # fmt: skip
_ISSUED = (
    "农业技术人员", "园艺", "农艺师", "中级", "示例市农业专业中级职务任职资格评审委员会", "示市人社发〔2026〕19号",
    "2026-01-13", "评审", "示例市安禾农业技术推广站",
)  # fmt: skip
_NAMES = "赵钱孙李周吴郑王冯陈"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

ONE_SENTENCE = re.compile(r"(?:error|错误) \[[a-z0-9]+(?:-[a-z0-9]+)*\]: [^\n]+[^\n.。]\n")


@dataclass(frozen=True)
class Ran:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The code of the one error that was printed, which was printed as one sentence."""
        assert ONE_SENTENCE.fullmatch(self.err), self.err
        return self.err.partition("[")[2].partition("]")[0]


def run(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> Ran:
    """Run ``yinzheng`` with these arguments, in English unless the variables say otherwise."""
    out, err = io.StringIO(), io.StringIO()
    variables = {"YINZHENG_PASSPHRASE": PASSPHRASE, "YINZHENG_LANG": "en"} | dict(environ or {})
    with (
        patch.dict(os.environ, variables),
        patch.object(sys, "argv", ["yinzheng", *map(str, arguments)]),
        patch.object(screens.console, "_width", 300),  # else that of the terminal of its first import
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = _exit_code()
    return Ran(code, out.getvalue(), err.getvalue())


def yinzheng(data: Path, *arguments: str | Path) -> Ran:
    """Run a command over a data folder that must succeed."""
    ran = run("--data", data, *arguments)
    assert ran.code == 0, ran
    return ran


def _exit_code() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


def id_number(number: int) -> str:
    """A well-formed ID number of a county that does not exist."""
    body = "330299" + (date(1970, 1, 1) + timedelta(number % 9000)).strftime("%Y%m%d") + f"{number // 9000:03d}"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def person_row(number: int) -> list[str]:
    """One row of a review sheet."""
    document = id_number(number)
    name = "".join(_NAMES[number // 10**place % 10] for place in range(3))
    return [name, "男" if int(document[16]) % 2 else "女", document, *_ISSUED]


def write_sheet(path: Path, rows: list[list[str]]) -> Path:
    """Write a sheet as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADINGS, *rows])
    return path


class StoppedClock:
    """A clock that stands; give it to ``monkeypatch`` in place of the machine's."""

    def __init__(self, ahead: timedelta) -> None:
        self._now = datetime.now(UTC) + ahead

    def now(self) -> datetime:
        """The moment it stands at."""
        return self._now
