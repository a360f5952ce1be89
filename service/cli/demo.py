"""``demo``: the whole loop on one machine, from a sample workbook to a revoked certificate."""

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import typer

from credential.errors import RefusedError
from credential.model import RevocationReason
from credential.ports import Algorithm
from service import batches
from service.batches import BatchView
from service.changes import revoke_credential
from service.checking import CheckReport
from service.cli.issuing import SUBMITTED, export, run_and_show, show_check
from service.cli.language import say
from service.cli.opening import settings_of
from service.cli.screens import console, plain, progress_bar, table
from service.cli.verifying import show_verdict
from service.folder import DataFolder
from service.house import House, create_house
from service.issuers import NewIssuer, add_new_issuer, add_new_person, all_issuers, all_persons
from service.passphrase import DEMO_MARK, is_demo
from service.verifying import open_verifier
from templates import sample_folder
from verifier.reasons import Word
from verifier.verdict import Verdict

TEMPLATE = "professional-title"

ISSUER = NewIssuer(
    id="demo",
    name="示例回族自治区人力资源和社会保障厅",
    uscc="11649900MB0T000311",
    division="640499",
    type_code="11339900MB0T000153001",
    legal_effect="本电子证书与纸质证书具有同等效力；打印件、截图等任何再转换版本以扫码或签章验证结果为准。",
    pdf_algorithm=Algorithm.RSA_2048,
    is_sample=True,
)
MAKER = ("wang", "王经办")
CHECKER = ("li", "李审核")
DECISION = "示人社函〔2026〕9号"


class NotADemo(RefusedError):
    """The data folder holds real work; the demo keeps its hands off it."""

    code = "not-a-demo-folder"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} holds data that the demo did not make; name another folder: yinzheng --data demo-data demo",
            f"{folder} 里有不是演示产生的数据; 请换一个目录: yinzheng --data demo-data demo",
        )
        self.folder = folder


@dataclass(frozen=True, slots=True)
class Tally:
    """How the verification of all files went."""

    valid: int
    other: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Revocation:
    """One certificate's verdict before and after it was revoked."""

    file: Path
    before: Verdict
    after: Verdict


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "demo",
        help=say("用自带的样例走完全流程: 检查、审核、出证、核验、撤销", "run the whole loop on a bundled sample"),
    )(demo)


def demo(context: typer.Context) -> None:
    """Run the whole loop; running it again continues and issues nothing twice."""
    house = _open(context)
    report, view = _issue(house)
    _step(3, say("导出并逐份核验", "writing the PDFs and verifying each"))
    folder = house.folder.certificates / f"batch-{view.id}"
    export(house, view.id, folder)
    verified = _verify_all(house, folder)
    _step(
        4,
        say("查实一人弄虚作假: 两人办理撤销, 再核验", "one was obtained by fraud: two persons revoke it; verify again"),
    )
    revoked = _revoke(house, min(folder.glob("*.pdf")))
    show_verdict(str(revoked.file), revoked.after)
    _show_end(house, view, report.row_count - view.issued, verified, revoked)


def _issue(house: House) -> tuple[CheckReport, BatchView]:
    workbook, photos = sample_folder() / "exchange-200.xlsx", sample_folder() / "exchange-200-photos.zip"
    _step(1, say(f"检查 {workbook.name} 和照片", f"checking {workbook.name} and its photos"))
    report = batches.check(house, workbook, photos=photos, issuer=ISSUER.id, template=TEMPLATE)
    show_check(report)
    _step(2, say("王经办提交, 李审核通过, 出证", "wang submits, li approves, certificates are issued"))
    view = batches.submit(house, report, issuer=ISSUER.id, template=TEMPLATE, maker=MAKER[0])
    if view.state == SUBMITTED:
        view = batches.approve(house, view.id, checker=CHECKER[0])
    return report, run_and_show(house, view, None)


def _step(number: int, title: str) -> None:
    console.print()
    console.rule(f"[bold]{number}. {title}[/]", align="left")


def _open(context: typer.Context) -> House:
    settings = settings_of(context)
    if not is_demo(settings):
        if settings.data.exists() and any(one.name != "cache" for one in settings.data.iterdir()):
            raise NotADemo(settings.data)
        settings.data.mkdir(parents=True, exist_ok=True)
        (settings.data / DEMO_MARK).write_text("made by `yinzheng demo`; may be deleted as a whole\n", encoding="utf-8")
    # The addresses in its QR codes are those of `yinzheng serve` on this machine.
    is_new = not DataFolder(settings.data).exists()
    house = create_house(settings, public_url=f"http://127.0.0.1:{settings.port}" if is_new else None)
    if not all_issuers(house):
        add_new_issuer(house, ISSUER)
    present = {one.id for one in all_persons(house)}
    for person, name in (MAKER, CHECKER):
        if person not in present:
            add_new_person(house, person, name=name, issuer=ISSUER.id)
    return house


def _verify_all(house: House, folder: Path) -> Tally:
    files = sorted(folder.glob("*.pdf"))
    started = time.monotonic()
    valid = 0
    with open_verifier(house) as verifier, progress_bar(say("核验", "verifying"), len(files)) as update:
        for done, file in enumerate(files, 1):
            valid += verifier.verify_file(file.read_bytes(), house.now()).verdict is Word.VALID
            update(done)
    return Tally(valid, len(files) - valid, time.monotonic() - started)


def _revoke(house: House, victim: Path) -> Revocation:
    document = victim.read_bytes()
    with open_verifier(house) as verifier:
        before = verifier.verify_file(document, house.now())
        if before.verdict is Word.VALID:
            revoke_credential(
                house,
                victim.stem,
                issuer=ISSUER.id,
                reason=RevocationReason.FRAUD,
                decision=DECISION,
                maker=MAKER[0],
                checker=CHECKER[0],
            )
        return Revocation(victim, before, verifier.verify_file(document, house.now()))


def _show_end(house: House, view: BatchView, refused: int, verified: Tally, revoked: Revocation) -> None:
    shown = table(say("演示结果", "what happened"), say("事项", "what"), say("结果", "outcome"))
    rate = verified.valid + verified.other, verified.seconds
    shown.add_row(say("已出证", "certificates issued"), f"[bold green]{view.issued}[/]")
    shown.add_row(
        say("未出证的行", "rows without a certificate"), say(f"{refused} (原因见上表)", f"{refused} (see above)")
    )
    shown.add_row(
        say("核验全部 PDF", "all PDFs verified"),
        say(
            f"有效 {verified.valid}, 其他 {verified.other} ({rate[0] / rate[1]:,.0f} 份/秒)",
            f"{verified.valid} valid, {verified.other} other ({rate[0] / rate[1]:,.0f}/s)",
        ),
    )
    shown.add_row(
        say(f"撤销 {revoked.file.stem}", f"revoked {revoked.file.stem}"),
        f"{revoked.before.verdict.value} → [bold red]{revoked.after.verdict.value}[/]",
    )
    shown.add_row(say("证书 PDF", "PDFs"), plain(str(revoked.file.parent)))
    shown.add_row(say("逐行问题清单", "problems, row by row"), plain(str(batches.report_file(house, view.id))))
    shown.add_row(say("签发日志", "log"), plain(str(house.folder.log)))
    shown.add_row(say("信任列表", "trust list"), plain(str(house.folder.trust_list)))
    console.print()
    console.print(shown)
    ours = f"{_program()} --data {house.folder.root}"
    console.print(say("接着可试(退出码 1 = 无效):", "now try (exit code 1 = not valid):"))
    console.print(plain(f"{ours} verify {revoked.file}"), soft_wrap=True)
    console.print(say("启动网页服务, 在浏览器查看:", "start the service, and look in a browser:"))
    console.print(plain(f"{ours} serve"), soft_wrap=True)


def _program() -> str:
    """How this program is called from here: by name where the shell finds it, else by its path."""
    own = Path(sys.executable).with_name("yinzheng")
    if shutil.which("yinzheng") is not None or not own.exists():
        return "yinzheng"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)
