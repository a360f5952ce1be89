"""``verify``: PDFs, QR texts and verification codes, one verdict each."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from credential.errors import InputError
from credential.model import STATE_NAMES
from issuer.office import BEIJING
from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import console, pairs
from service.verifying import open_offline_verifier, open_verifier
from verifier.reasons import Word
from verifier.verdict import Outcome, Presented, Verdict
from verifier.verify import Verifier

_STYLE = {
    Word.VALID: ("bold white on green", "有效", "VALID"),
    Word.REVOKED: ("bold white on red", "已撤销", "REVOKED"),
    Word.SUPERSEDED: ("bold black on yellow", "已被替换", "SUPERSEDED"),
    Word.SUSPENDED: ("bold black on yellow", "已暂扣", "SUSPENDED"),
    Word.EXPIRED: ("bold black on yellow", "已过有效期", "EXPIRED"),
    Word.ENDED: ("bold black on yellow", "已失效", "ENDED"),
    Word.TAMPERED: ("bold white on red", "被改动或伪造", "TAMPERED"),
    Word.UNKNOWN: ("bold black on yellow", "无法证实", "UNKNOWN"),
    Word.UNAVAILABLE: ("bold black on yellow", "暂时无法查询", "UNAVAILABLE"),
}
_PRESENTED = {
    Presented.ORIGINAL: ("签发的原件", "the original file"),
    Presented.ORIGINAL_WITH_UPDATES: ("原件, 附有后加的验证信息", "the original with validation data added"),
    Presented.ALTERED: ("被改动过的文件", "an altered file"),
    Presented.QR_ONLY: ("仅二维码", "a QR code only"),
    Presented.CONVERTED_COPY: ("转换件(另存、打印、截图等)", "a converted copy (re-saved, printed, a screenshot)"),
    Presented.CODE: ("核验码", "a verification code"),
    Presented.SERIAL: ("证书编号和姓名", "serial and name"),
}
_MARK = {Outcome.PASSED: "[green]✓[/]", Outcome.FAILED: "[bold red]✗[/]", Outcome.INDETERMINATE: "[yellow]?[/]"}


class MissingFile(InputError):
    """A path to verify does not exist, or holds no PDF."""

    code = "missing-file"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is no file and holds no PDF; check the path", f"{path} 不是文件, 目录中也没有 PDF; 请检查路径"
        )
        self.path = path


class NothingToVerify(InputError):
    """Neither a file nor a QR text nor a code was given."""

    code = "nothing-to-verify"

    def __init__(self) -> None:
        super().__init__(
            "nothing to verify: give a PDF, --qr TEXT, --code CODE, or --serial with --name",
            "没有可核验的内容: 请给出 PDF 文件, 或 --qr、--code、--serial 加 --name",
        )


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(
        "verify",
        help=say(
            "核验: PDF 文件或目录、二维码文字、核验码、编号加姓名; 退出码 0 有效, 1 无效, 2 无法判断",
            "verify PDFs or folders, a QR text, a code, or serial and name; exit 0 valid, 1 not valid, 2 could not "
            "tell",
        ),
    )(verify)


def verify(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH…", help=say("PDF 文件或目录", "PDF files or folders"))
    ] = None,
    qr: Annotated[list[str] | None, typer.Option(help=say("二维码里的文字", "text of a QR code"))] = None,
    code: Annotated[list[str] | None, typer.Option(help=say("核验码", "verification code"))] = None,
    serial: Annotated[str | None, typer.Option(help=say("证书编号, 与 --name 同用", "serial, with --name"))] = None,
    name: Annotated[str | None, typer.Option(help=say("姓名, 与 --serial 同用", "name, with --serial"))] = None,
    trust: Annotated[
        Path | None,
        typer.Option(help=say("信任列表文件; 给出则不查本地登记库", "trust list; then no local registry is asked")),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help=say("每份输出一行 JSON", "one JSON object a line"))] = False,
) -> None:
    """Verify; the exit code is that of the worst answer."""
    exits: list[int] = []
    opened = open_verifier(house_of(context)) if trust is None else open_offline_verifier(settings_of(context), trust)
    with opened as verifier:
        for label, verdict in _ask(verifier, paths or [], qr or [], code or [], (serial, name)):
            exits.append(verdict.exit_code)
            if as_json:
                sys.stdout.write(json.dumps(verdict.as_json(label), ensure_ascii=False) + "\n")
                sys.stdout.flush()
            else:
                show_verdict(label, verdict)
    if not exits:
        raise NothingToVerify
    raise typer.Exit(worst_exit(exits))


def _ask(
    verifier: Verifier, paths: list[Path], qr: list[str], codes: list[str], by_name: tuple[str | None, str | None]
) -> Iterator[tuple[str, Verdict]]:
    for path in paths:
        for file in _files(path):
            yield str(file), verifier.verify_file(file.read_bytes(), datetime.now(UTC))
    for text in qr:
        yield "QR", verifier.verify_qr(text, datetime.now(UTC))
    for code in codes:
        yield code, verifier.verify_code(code, datetime.now(UTC))
    serial, name = by_name
    if serial is not None and name is not None:
        yield serial, verifier.verify_serial(serial, name, datetime.now(UTC))


def _files(path: Path) -> list[Path]:
    """The file itself, or the PDFs anywhere in the folder."""
    found = [path] if path.is_file() else sorted(path.rglob("*.pdf")) if path.is_dir() else []
    if not found:
        raise MissingFile(path)
    return found


def show_verdict(label: str, verdict: Verdict) -> None:
    """Print one verdict so that one glance is enough."""
    style, zh, en = _STYLE[verdict.verdict]
    console.print()
    console.print(f"[{style}]  {say(zh, en)}  [/]  {label}")
    console.print(f"   {say(verdict.why.zh, verdict.why.en)}")
    rows = {say("所示材料", "presented"): say(*_PRESENTED[verdict.presented])}
    about = verdict.credential
    if about is not None:
        rows |= {
            say("姓名", "name"): about.name,
            say("资格", "title"): " ".join(about.fields.get(key, "") for key in ("series", "title", "level")).strip(),
            say("证书编号", "serial"): about.serial,
            say("发证机构", "issuer"): about.issuer_name or about.issuer,
            say("发证日期", "issued on"): about.issued_on,
        }
        if about.superseded_by:
            rows[say("替换为", "superseded by")] = about.superseded_by
    for change in verdict.changes:
        rows[f"{change.effective_on}"] = f"{say(*STATE_NAMES[change.state])}  {change.decision}"
    if verdict.status_at is not None:
        rows[say("状态列表时间", "status list of")] = verdict.status_at.astimezone(BEIJING).strftime(
            "%Y-%m-%d %H:%M:%S"
        )
    console.print(pairs("", {key: value for key, value in rows.items() if value}))
    # A no-break space keeps each mark with its words.
    marks = [f"{_MARK[check.outcome]}\N{NO-BREAK SPACE}{say(check.zh, check.en)}" for check in verdict.checks]
    console.print("  ".join(marks))


def worst_exit(codes: list[int]) -> int:
    """Not valid (1) is worse than could not tell (2), which is worse than valid (0)."""
    return 1 if 1 in codes else max(codes)
