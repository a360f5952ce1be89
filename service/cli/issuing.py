"""``check``, ``issue``, ``approve``, ``batch``: from a spreadsheet to signed certificates."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from credential.problem import Problem, RowOutcome
from intake.annotate import annotate, refuse_target
from intake.annotated import AnnotatedCopy, CopyKind
from intake.report import json_lines
from issuer.issue import NotApproved
from issuer.numbering import ALREADY_ISSUED
from issuer.office import BEIJING
from service import batches
from service.already_issued import check_for
from service.batches import BatchView
from service.checking import CheckReport, check_file
from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import NOT_DATA, console, pairs, plain, problem_tables, progress_bar, table
from service.cli.successors import show_successions
from service.house import House

EXIT_ROWS_REFUSED = 1
SUBMITTED = "submitted"
DEFAULT_TEMPLATE = "professional-title"

batch_app = typer.Typer(help=say("批次", "batches"), no_args_is_help=True)

FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help=say("汇总表: .xlsx 或 .csv", "the spreadsheet: .xlsx or .csv")),
]
PhotosOption = Annotated[
    Path | None,
    typer.Option(help=say("照片压缩包(.zip), 文件名为身份证号", "zip of photos, each named by ID number")),
]
TemplateOption = Annotated[
    str,
    typer.Option(help=say("证书模板, 默认为发证机构的模板", "template of the certificate; the issuer's by default")),
]
CheckIssuerOption = Annotated[
    str,
    typer.Option(
        help=say(
            "发证机构代号; 给出时按其版面检查, 并列出已有证书的行(需要口令)",
            "ID of the issuer: checks as it would print, and lists rows that have a certificate; needs the passphrase",
        )
    ),
]
AnnotatedOption = Annotated[
    Path | None,
    typer.Option(
        help=say(
            "把标出问题的副本写到这个 .xlsx 文件(不覆盖已有文件; 内含个人信息)",
            "write a copy of the sheet with its problems marked to this .xlsx file, which must not exist; "
            "it holds personal data",
        )
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help=say("逐行输出 JSON", "print JSON lines"))]
BatchArgument = Annotated[int, typer.Argument(metavar="BATCH", help=say("批次号", "the batch"))]
AsOption = Annotated[str, typer.Option("--as", help=say("您的人员代号", "who you are: ID of a person"))]
OutOption = Annotated[
    Path | None,
    typer.Option(help=say("把 PDF 另存到这个目录", "also write the PDFs into this folder")),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("check", help=say("检查汇总表和照片, 不出证", "check a spreadsheet and its photos; issues nothing"))(
        check
    )
    app.command(
        "issue",
        help=say(
            "提交一批; 加 --approve-as 则当场由另一人审核并出证; 重复执行会接着做, 不会重复出证",
            "submit a batch; with --approve-as a second person approves and it is issued; running the same again "
            "continues and never issues twice",
        ),
    )(issue)
    app.command("approve", help=say("审核通过一批并出证(不能是提交人本人)", "approve a batch and issue it"))(approve)
    batch_app.command("list", help=say("列出各批", "list the batches"))(batch_list)
    batch_app.command("status", help=say("查看一批的进度", "show how a batch stands"))(batch_status)
    batch_app.command(
        "show", help=say("逐行列出一批的内容, 供审核人核对", "list a batch row by row, for the approver")
    )(batch_show)
    batch_app.command("cancel", help=say("取消一批中尚未出证的部分", "cancel what of a batch is not issued yet"))(
        batch_cancel
    )
    batch_app.command("resume", help=say("把中断的一批做完", "finish a batch that was interrupted"))(batch_resume)
    batch_app.command("export", help=say("把一批的 PDF 写到目录", "write a batch's PDFs into a folder"))(batch_export)
    app.add_typer(batch_app, name="batch")


def check(
    context: typer.Context,
    file: FileArgument,
    photos: PhotosOption = None,
    template: TemplateOption = "",
    issuer: CheckIssuerOption = "",
    annotated: AnnotatedOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check a file, for an issuer or for none in particular; exit code 1 when a row is refused."""
    if annotated is not None:
        refuse_target(annotated)
    if issuer:
        report = check_for(house_of(context), file, photos=photos, issuer=issuer, template=template)
    else:
        report = check_file(settings_of(context), file, photos=photos, template=template or DEFAULT_TEMPLATE)
    show_check(report, as_json=as_json)
    if annotated is not None:
        show_copy(annotate(file, report, to=annotated), annotated)
    if any(one.outcome is RowOutcome.ERROR for one in report.problems):
        raise typer.Exit(EXIT_ROWS_REFUSED)


def show_check(report: CheckReport, *, as_json: bool = False) -> None:
    """Print what was found, for machines or for people."""
    if as_json:
        for line in json_lines(report.problems):
            sys.stdout.write(line + "\n")
        return
    console.print(
        pairs(
            say("检查结果", "what was found"),
            {
                say("文件", "file"): plain(report.file + (f" [{report.sheet}]" if report.sheet else "")),
                say("表格类型", "shape"): report.shape,
                say("数据行", "rows"): str(report.row_count),
                say("可以出证", "may be issued"): f"[bold green]{len(report.records)}[/]",
                say("错误行", "refused"): str(_rows(report.problems, RowOutcome.ERROR)),
                say("跳过行", "skipped"): str(_rows(report.problems, RowOutcome.SKIPPED)),
            },
        )
    )
    for one in problem_tables(report.problems):
        console.print(one)


def show_copy(made: AnnotatedCopy, to: Path) -> None:
    """Say what was written and what is not in it; on stderr, since stdout may be JSON lines."""
    what = {
        CopyKind.COPY: say("带标注的副本已写入", "the copy with its problems marked is in"),
        CopyKind.LIST: say("问题清单已写入", "the list of problems is in"),
    }
    sys.stderr.write(f"{what[made.kind]} {to}\n")
    for note in made.notes:
        sys.stderr.write(say(note.zh, note.en) + "\n")


def _offer_copy(report: CheckReport, file: Path, photos: Path | None, issuer: str, template: str) -> None:
    """After rows were refused, say how to get them back marked in the sheet itself."""
    if not any(one.outcome is RowOutcome.ERROR for one in report.problems):
        return
    copy = file.with_name(f"{file.stem}-checked.xlsx")
    words = ["yinzheng", "check", str(file), *([] if photos is None else ["--photos", str(photos)])]
    words += ["--issuer", issuer, *(["--template", template] if template else [])]
    command = plain(shlex.join([*words, "--annotated", str(copy)]))
    console.print(
        say(
            f"有行不能出证。要得到标出问题的副本, 请运行: {command}",
            f"some rows were refused; for a copy of the sheet with its problems marked run: {command}",
        ),
        soft_wrap=True,
    )


def _rows(problems: tuple[Problem, ...], outcome: RowOutcome) -> int:
    return len({one.row for one in problems if one.outcome is outcome and one.code not in NOT_DATA})


def issue(
    context: typer.Context,
    file: FileArgument,
    issuer: Annotated[str, typer.Option(help=say("发证机构代号", "ID of the issuer"))],
    maker: AsOption,
    photos: PhotosOption = None,
    template: TemplateOption = "",
    approve_as: Annotated[
        str | None, typer.Option(help=say("审核人代号(须与提交人不同)", "ID of the second person who approves"))
    ] = None,
    out: OutOption = None,
) -> None:
    """Submit a batch, and issue it when a second person approves."""
    house = house_of(context)
    report = batches.check(house, file, photos=photos, issuer=issuer, template=template)
    show_check(report)
    _offer_copy(report, file, photos, issuer, template)
    view = batches.submit(house, report, issuer=issuer, template=template, maker=maker)
    if view.is_new:
        console.print(say(f"已提交批次 [bold]{view.id}[/]", f"batch [bold]{view.id}[/] submitted"))
    else:
        console.print(
            say(
                f"这批内容以前提交过, 接着处理批次 [bold]{view.id}[/]",
                f"this was submitted before; going on with batch [bold]{view.id}[/]",
            )
        )
    if view.state == SUBMITTED and approve_as is None:
        console.print(
            say(
                f"下一步: 请另一人审核: yinzheng approve {view.id} --as 审核人代号",
                f"next: a second person runs: yinzheng approve {view.id} --as CHECKER",
            )
        )
        return
    if view.state == SUBMITTED and approve_as is not None:
        view = batches.approve(house, view.id, checker=approve_as)
    run_and_show(house, view, out)


def approve(
    context: typer.Context,
    batch: BatchArgument,
    checker: AsOption,
    digest: Annotated[
        str,
        typer.Option(help=say("核对过的内容摘要(batch show 所示)", "digest of what you looked at, from batch show")),
    ] = "",
    out: OutOption = None,
) -> None:
    """Show a batch that somebody else submitted, approve it, and issue it."""
    house = house_of(context)
    show_batch(batches.view(house, batch))
    show_successions(house, batch)
    for one in problem_tables(batches.problems(house, batch)):
        console.print(one)
    run_and_show(house, batches.approve(house, batch, checker=checker, digest=digest), out)


def batch_list(context: typer.Context) -> None:
    """List the batches, newest first."""
    shown = table(
        say("批次", "batches"),
        say("批次号", "batch"),
        say("机构", "issuer"),
        say("状态", "state"),
        say("提交", "submitted by"),
        say("审核", "approved by"),
        say("已出证", "issued"),
    )
    for one in batches.views(house_of(context)):
        shown.add_row(
            str(one.id), one.issuer, state_name(one), one.maker, one.checker or "-", f"{one.issued}/{one.rows}"
        )
    console.print(shown)


def batch_status(context: typer.Context, batch: BatchArgument, *, as_json: JsonOption = False) -> None:
    """Show how a batch stands."""
    house = house_of(context)
    view = batches.view(house, batch)
    if as_json:
        sys.stdout.write(json.dumps(view.to_json(), ensure_ascii=False) + "\n")
        return
    show_batch(view)
    for one in problem_tables(batches.problems(house, batch)):
        console.print(one)


def batch_show(context: typer.Context, batch: BatchArgument) -> None:
    """List a batch row by row, with the digest that approval binds."""
    house = house_of(context)
    show_batch(batches.view(house, batch))
    schema = batches.schema_of(house, batch)
    fields = [schema.field(key) for key in schema.unique_by]
    shown = table(
        say("逐行内容", "rows"),
        say("行", "row"),
        say("姓名", "name"),
        say("证件号码", "ID number"),
        *(say(one.heading, one.english) for one in fields),
        say("照片", "photo"),
        say("证书编号", "serial"),
    )
    for row in batches.rows(house, batch):
        said = row.record.fields
        cells = (
            row.record.holder.name,
            row.record.holder.id_number,
            *(said.get(one.key, "") for one in fields),
            say("有", "yes") if row.photo_digest else "-",
            row.serial or "-",
        )
        shown.add_row(str(row.row_number), *(plain(cell) for cell in cells))
    console.print(shown)
    show_successions(house, batch)
    for one in problem_tables(batches.problems(house, batch)):
        console.print(one)


def batch_cancel(
    context: typer.Context,
    batch: BatchArgument,
    person: AsOption,
    reason: Annotated[str, typer.Option(help=say("取消原因", "why it is cancelled"))],
) -> None:
    """Cancel what of a batch is not issued yet; its numbers become void."""
    show_batch(batches.cancel(house_of(context), batch, person=person, reason=reason))


def batch_resume(context: typer.Context, batch: BatchArgument, out: OutOption = None) -> None:
    """Finish an approved batch that was interrupted."""
    house = house_of(context)
    view = batches.view(house, batch)
    if view.state == SUBMITTED:
        raise NotApproved(batch)
    done = run_and_show(house, view, out)
    if out is None and done.is_finished:  # whoever was interrupted in `approve --out` believes them written
        command = f"yinzheng batch export {batch} --out DIR"
        console.print(say(f"PDF 尚未导出: {command}", f"the PDFs are not exported: {command}"), soft_wrap=True)


def batch_export(
    context: typer.Context,
    batch: BatchArgument,
    out: Annotated[Path, typer.Option(help=say("目录", "folder"))],
) -> None:
    """Write the exact signed PDFs of a batch into a folder."""
    export(house_of(context), batch, out)


def run_and_show(house: House, view: BatchView, out: Path | None) -> BatchView:
    """Issue what is left of an approved batch under a progress bar."""
    with progress_bar(say("出证", "issuing"), view.to_issue) as update:
        view = batches.run(house, view.id, update)
    show_batch(view)
    if view.refused:
        late = [one for one in batches.problems(house, view.id) if one.code == ALREADY_ISSUED]
        for one in problem_tables(late):
            console.print(one)
    if out is not None:
        export(house, view.id, out)
    return view


def state_name(view: BatchView) -> str:
    """Where a batch stands, as a clerk reads it."""
    if view.is_finished:
        return say("已完成", "finished")
    if view.pause is not None:
        return say("已暂停", "paused")
    names = {
        SUBMITTED: say("待审核", "waits for approval"),
        "approved": say("已审核, 未完成", "approved, not finished"),
        "cancelled": say("已取消", "cancelled"),
    }
    return names[view.state]


def show_batch(view: BatchView) -> None:
    """Print a batch as a small table."""
    rows = {
        say("状态", "state"): state_name(view),
        say("内容摘要", "digest"): view.digest,
        say("提交", "submitted by"): view.maker,
        say("审核", "approved by"): view.checker or "-",
        say("已出证", "issued"): f"[bold green]{view.issued}[/] / {view.rows}",
    }
    if view.refused:
        rows[say("已有有效证书, 不再出证", "live certificate exists, none issued")] = str(view.refused)
    if view.void:
        rows[say("作废编号", "void numbers")] = str(view.void)
    if view.pause is not None:
        since = view.pause.since.astimezone(BEIJING)
        rows[say("暂停原因", "paused because")] = (
            f"[bold red]{plain(say(view.pause.zh, view.pause.en))}[/] [{view.pause.code}]"
        )
        rows[say("暂停时间", "paused since")] = f"{since:%Y-%m-%d %H:%M:%S}"
        rows[say("继续出证", "to go on")] = f"yinzheng batch resume {view.id}"
    console.print(pairs(say(f"批次 {view.id}", f"batch {view.id}"), rows))


def export(house: House, batch: int, folder: Path) -> None:
    """Write PDFs under a progress bar and say where they are."""
    view = batches.view(house, batch)
    with progress_bar(say("导出 PDF", "writing PDFs"), view.issued) as update:
        written = batches.export(house, batch, folder, update)
    console.print(say(f"{written} 份 PDF 在 {plain(str(folder))}", f"{written} PDFs are in {plain(str(folder))}"))
