"""``verify``: PDFs, QR texts and verification codes, one verdict each."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from credential.errors import Error, InputError
from credential.model import STATE_NAMES
from credential.ports import Link
from issuer.office import BEIJING
from service import house as houses
from service.cli import EXIT_UNKNOWN, complain
from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import console, pairs, plain
from service.verifying import open_offline_verifier, open_verifier
from verifier.reasons import Word
from verifier.verdict import Outcome, Presented, Verdict, WitnessCount
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
    Presented.ALTERED: ("不是签发的原件: 被改动过, 或从未封存", "not the original: altered, or never sealed"),
    Presented.QR_ONLY: ("仅二维码", "a QR code only"),
    Presented.CONVERTED_COPY: ("转换件(另存、打印、截图等)", "a converted copy (re-saved, printed, a screenshot)"),
    Presented.OTHER: ("不能读取或不能识别的文件", "a file that cannot be read, or is no certificate of ours"),
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


STATUS_UNUSABLE = "status-unusable"


class NothingToVerify(InputError):
    """Neither a file nor a QR text nor a code was given."""

    code = "nothing-to-verify"

    def __init__(self) -> None:
        super().__init__(
            "nothing to verify: give a PDF, --qr TEXT, --code CODE, or --serial with --name",
            "没有可核验的内容: 请给出 PDF 文件, 或 --qr、--code、--serial 加 --name",
        )


class TrustNeeded(InputError):
    """Lists were supplied without a trust list to check them against."""

    code = "trust-needed"

    def __init__(self) -> None:
        super().__init__(
            "--status, --crl and --evidence go with --trust; give the trust list too",
            "--status、--crl、--evidence 须与 --trust 同用",
        )


class NameNeeded(InputError):
    """A serial was given without the holder's name, or a name without a serial."""

    code = "name-needed"

    def __init__(self) -> None:
        super().__init__("--serial and --name go together; give both", "--serial 与 --name 须同时给出")


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
    status: Annotated[
        list[Path] | None,
        typer.Option(help=say("离线用: 状态列表文件, 如 1.cwt", "with --trust: a status list, as 1.cwt")),
    ] = None,
    crl: Annotated[
        list[Path] | None,
        typer.Option(help=say("离线用: 认证机构的证书撤销列表", "with --trust: a CA's revocation list")),
    ] = None,
    evidence: Annotated[
        list[Path] | None,
        typer.Option(
            help=say(
                "离线用: 证书的证据文件(签名密钥泄露后, 证明证书早于泄露)",
                "with --trust: evidence that a certificate is older than the theft of a key",
            )
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help=say("每份输出一行 JSON", "one JSON object a line"))] = False,
) -> None:
    """Verify; the exit code is that of the worst answer, and 2 when an error kept us from answering."""
    exits: list[int] = []
    words: Counter[Word] = Counter()
    try:
        asked = _Asked(_all_files(paths or []), qr or [], code or [], _serial_and_name(serial, name))
        if asked.is_empty:
            raise NothingToVerify
        with _open(context, trust, status or [], crl or [], evidence or []) as verifier:
            for label, verdict in _answers(verifier, asked):
                exits.append(verdict.exit_code)
                words[verdict.verdict] += 1
                if as_json:
                    sys.stdout.write(json.dumps(verdict.as_json(label), ensure_ascii=False) + "\n")
                    sys.stdout.flush()
                else:
                    show_verdict(label, verdict)
    except Error as error:
        complain(error)
        raise typer.Exit(EXIT_UNKNOWN) from error  # 1 would be read as "not valid"
    if len(exits) > 1 and not as_json:
        console.print(count_text(words))
    raise typer.Exit(worst_exit(exits))


def _open(
    context: typer.Context, trust: Path | None, status: list[Path], crls: list[Path], evidence: list[Path]
) -> AbstractContextManager[Verifier]:
    if trust is not None:
        return open_offline_verifier(settings_of(context), trust, status, crls, evidence)
    if status or crls or evidence:
        raise TrustNeeded
    return open_verifier(house_of(context))


@dataclass(frozen=True, slots=True)
class _Asked:
    files: list[Path]
    qr: list[str]
    codes: list[str]
    serial: tuple[str, str] | None

    @property
    def is_empty(self) -> bool:
        return not (self.files or self.qr or self.codes or self.serial)


def _answers(verifier: Verifier, asked: _Asked) -> Iterator[tuple[str, Verdict]]:
    now = houses.SystemClock().now
    for file in asked.files:
        yield str(file), verifier.verify_file(file.read_bytes(), now())
    for text in asked.qr:
        yield text.partition("#")[0], verifier.verify_qr(text, now())
    for code in asked.codes:
        yield code, verifier.verify_code(code, now())
    if asked.serial is not None:
        serial, name = asked.serial
        yield serial, verifier.verify_serial(serial, name, now())


def _serial_and_name(serial: str | None, name: str | None) -> tuple[str, str] | None:
    if serial is None and name is None:
        return None
    if serial is None or name is None:
        raise NameNeeded
    return serial, name


def _all_files(paths: list[Path]) -> list[Path]:
    """Find every file before the first is verified, so that a wrong path stops nothing half-way."""
    return [file for path in paths for file in _files(path)]


def _files(path: Path) -> list[Path]:
    """The file itself, or the PDFs anywhere in the folder."""
    inside = sorted(path.rglob("*")) if path.is_dir() else []
    found = [path] if path.is_file() else [one for one in inside if one.suffix.lower() == ".pdf" and one.is_file()]
    if not found:
        raise MissingFile(path)
    return found


def show_verdict(label: str, verdict: Verdict) -> None:
    """Print one verdict so that one glance is enough."""
    style, zh, en = _STYLE[verdict.verdict]
    console.print()
    console.print(f"[{style}]  {say(zh, en)}  [/]  {plain(label)}")
    console.print(f"   {say(verdict.why.zh, verdict.why.en)}")
    rows = {say("所示材料", "presented"): say(*_PRESENTED[verdict.presented])}
    about = verdict.credential
    if about is not None:
        rows |= {
            say("姓名", "name"): about.name,
            **{say(*about.headings.get(key, (key, key))): value for key, value in about.fields.items()},
            say("证书编号", "serial"): about.serial,
            say("发证机构", "issuer"): about.issuer_name or about.issuer,
            say("发证日期", "issued on"): about.issued_on,
        }
        if about.superseded_by is not None:
            rows[say("已被取代, 新证书", "superseded by")] = link_text(about.superseded_by)
        if about.supersedes is not None:
            rows[say("取代的原证书", "supersedes")] = link_text(about.supersedes)
    for change in verdict.changes:
        rows[f"{change.effective_on}"] = f"{say(*STATE_NAMES[change.state])}  {change.decision}"
    if verdict.status_at is not None:
        rows[say("状态列表时间", "status list of")] = verdict.status_at.astimezone(BEIJING).strftime(
            "%Y-%m-%d %H:%M:%S"
        )
    if verdict.witnesses is not None:
        rows[say("日志见证", "log witnessed by")] = witnesses_text(verdict.witnesses)
    console.print(pairs("", {key: plain(value) for key, value in rows.items() if value}))
    # A no-break space keeps each mark with its words.
    marks = [f"{_MARK[check.outcome]}\N{NO-BREAK SPACE}{say(check.zh, check.en)}" for check in verdict.checks]
    console.print("  ".join(marks))
    if verdict.reason == STATUS_UNUSABLE:
        console.print(
            say("处理办法: 由发证方执行 yinzheng status refresh", "cure: the issuing side runs yinzheng status refresh")
        )


def count_text(words: Counter[Word]) -> str:
    """Count what was verified, so that one bad file among many is not scrolled past; the good first."""
    named = [(_STYLE[word], words[word]) for word in _STYLE if words[word]]
    zh = ", ".join(f"{style[1]} {count}" for style, count in named)
    en = ", ".join(f"{count} {style[2].lower()}" for style, count in named)
    return say(f"共 {words.total()}: {zh}", f"{words.total()} files: {en}")


def witnesses_text(count: WitnessCount) -> str:
    """Say how many witnesses cosigned the checkpoint that the verdict's proofs rest on."""
    if not count.seen:
        return say("未经见证", "nobody: not witnessed")
    return say(f"{count.seen} 个见证方(共 {count.known} 个)", f"{count.seen} of {count.known} witnesses")


def link_text(link: Link) -> str:
    """Name another certificate of a chain; its version only where there is more than one."""
    return (
        link.serial
        if link.version == 1
        else say(f"{link.serial}(第 {link.version} 版)", f"{link.serial} v{link.version}")
    )


def worst_exit(codes: list[int]) -> int:
    """Not valid (1) is worse than could not tell (2), which is worse than valid (0)."""
    return 1 if 1 in codes else max(codes)
