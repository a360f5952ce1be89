"""``erase``, ``retention``: destroy what is known of a person; two persons, one document, no way back."""

from typing import Annotated

import typer

from credential.errors import InputError
from issuer.erasure import ERASURE_NAMES, ErasureReason
from service import erasing
from service.cli.default_command import USUAL, group
from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console, pairs, plain, table
from service.erasing import ErasureDone, ErasureView
from service.issuers import only_issuer

erase_app = group(say("删除个人信息(须两人, 不可恢复)", "erase a person; two persons, no way back"))
retention_app = typer.Typer(help=say("保存期限", "retention periods"), no_args_is_help=True)

DecisionOption = Annotated[str, typer.Option(help=say("决定或申请的文号", "number of the decision or request"))]
AsOption = Annotated[str, typer.Option("--as", help=say("本人代号", "your own ID"))]
IssuerOption = Annotated[
    str | None,
    typer.Option(help=say("发证机构代号(只有一个机构时可省略)", "ID of the issuer, where there are several")),
]


class NothingNamed(InputError):
    """Neither a number nor a document says what is to be approved."""

    code = "nothing-named"

    def __init__(self) -> None:
        super().__init__(
            "name an erasure by its number, or all that wait under a document with --decision",
            "请给出删除申请的编号, 或用 --decision 指明同一文号下的全部申请",
        )


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    erase_app.command(USUAL, help=say("提出删除申请", "propose to erase the person of a certificate"))(erase_run)
    erase_app.command("approve", help=say("复核并删除", "erase, as the second person"))(erase_approve)
    erase_app.command("refuse", help=say("退回或撤回申请", "refuse a proposal, or take one's own back"))(erase_refuse)
    erase_app.command("list", help=say("列出删除申请", "list the proposals"))(erase_list)
    retention_app.command("set", help=say("设定保存年限", "set how long what has ended is kept"))(retention_set)
    retention_app.command("show", help=say("查看保存年限", "show the period"))(retention_show)
    retention_app.command(
        "run",
        help=say(
            "列出期限届满的证书; 给出 --decision 与 --as 才提出删除申请",
            "list what is due; with --decision and --as propose to erase it",
        ),
    )(retention_run)
    app.add_typer(erase_app, name="erase")
    app.add_typer(retention_app, name="retention")


def erase_run(
    context: typer.Context,
    serial: Annotated[str, typer.Argument(metavar="SERIAL", help=say("证书编号", "serial of the certificate"))],
    decision: DecisionOption,
    maker: AsOption,
    issuer: IssuerOption = None,
    reason: Annotated[
        ErasureReason,
        typer.Option(
            help=say("原因: ", "reason: ")
            + ", ".join(f"{code.value} {say(*names)}" for code, names in ERASURE_NAMES.items())
        ),
    ] = ErasureReason.HOLDER_ASKED,
) -> None:
    """Propose to erase the person of a certificate, in all versions of it."""
    house = house_of(context)
    one, others = erasing.propose(house, serial, issuer=issuer, reason=reason, decision=decision, maker=maker)
    _show([one])
    console.print(
        say(
            f"下一步: 请另一人复核: yinzheng erase approve {one.id} --as 复核人代号",
            f"next: a second person runs: yinzheng erase approve {one.id} --as CHECKER",
        )
    )
    if others:
        listed = plain(", ".join(others))
        console.print(
            say(
                f"[yellow]同一人还有其他证书, 不会一并删除: {listed}[/]",
                f"[yellow]the same person has other certificates, which stay: {listed}[/]",
            )
        )


def erase_approve(
    context: typer.Context,
    checker: AsOption,
    erasure: Annotated[
        int | None, typer.Argument(metavar="ERASURE", help=say("删除申请编号", "number of the proposal"))
    ] = None,
    decision: Annotated[
        str, typer.Option(help=say("同一文号下待复核的全部申请", "all that wait under this document"))
    ] = "",
    issuer: IssuerOption = None,
) -> None:
    """Erase, as the second person; it cannot be undone."""
    house = house_of(context)
    owner = issuer or only_issuer(house)
    numbers = [erasure] if erasure is not None else []
    if decision:
        numbers += [one.id for one in erasing.waiting_under(house, decision, issuer=owner)]
    if not numbers:
        raise NothingNamed
    for number in numbers:
        _show_done(erasing.approve(house, number, issuer=owner, checker=checker))


def erase_refuse(
    context: typer.Context,
    erasure: Annotated[int, typer.Argument(metavar="ERASURE", help=say("删除申请编号", "number of the proposal"))],
    checker: AsOption,
    issuer: IssuerOption = None,
) -> None:
    """Refuse a proposal, or take one's own back."""
    house = house_of(context)
    _show([erasing.refuse(house, erasure, issuer=issuer or only_issuer(house), checker=checker)])


def erase_list(
    context: typer.Context,
    issuer: IssuerOption = None,
    *,
    show_all: Annotated[bool, typer.Option("--all", help=say("包括已处理的", "also those that were decided"))] = False,
) -> None:
    """List the proposals."""
    house = house_of(context)
    _show(erasing.views(house, issuer=issuer or only_issuer(house), waiting_only=not show_all))


def retention_set(
    context: typer.Context,
    years: Annotated[int, typer.Option(help=say("终止后保存几年, 0 为永久", "years after the end; 0 for ever"))],
    basis: Annotated[str, typer.Option(help=say("依据文件", "document it rests on"))],
    maker: AsOption,
    issuer: IssuerOption = None,
) -> None:
    """Set how long an issuer keeps what has ended; nothing is erased by it."""
    house = house_of(context)
    erasing.set_retention(house, issuer=issuer or only_issuer(house), years=years, basis=basis, maker=maker)
    retention_show(context, issuer)


def retention_show(context: typer.Context, issuer: IssuerOption = None) -> None:
    """Show the period."""
    house = house_of(context)
    found = erasing.retention_of(house, issuer=issuer or only_issuer(house))
    period = say(f"终止后 {found.years} 年", f"{found.years} years after the end")
    rows = {
        say("保存期限", "period"): period if found.years else say("永久", "for ever"),
        say("依据", "basis"): plain(found.basis),
        say("设定人", "set by"): plain(found.maker),
        say("设定时间", "set at"): f"{found.set_at:%Y-%m-%d}",
    }
    console.print(pairs(say(f"机构 {found.issuer_id}", f"issuer {found.issuer_id}"), rows))


def retention_run(
    context: typer.Context,
    issuer: IssuerOption = None,
    decision: Annotated[str, typer.Option(help=say("决定文号", "number of the decision"))] = "",
    maker: Annotated[str, typer.Option("--as", help=say("经办人代号", "ID of the person who proposes it"))] = "",
) -> None:
    """List what is due; with a decision and a person propose to erase it."""
    house = house_of(context)
    owner = issuer or only_issuer(house)
    if decision and maker:
        _show(erasing.propose_due(house, issuer=owner, decision=decision, maker=maker))
        console.print(
            say(
                f"下一步: 请另一人复核: yinzheng erase approve --decision {plain(decision)} --as 复核人代号",
                f"next: a second person runs: yinzheng erase approve --decision {plain(decision)} --as CHECKER",
            )
        )
        return
    shown = table(
        say("期限届满的证书(仅列出, 未作更改)", "due to be erased; only listed"),
        say("证书编号", "serial"),
        say("终止日期", "ended on"),
    )
    for one in erasing.due(house, issuer=owner):
        shown.add_row(one.serial, one.ended_on.isoformat())
    console.print(shown)


def _show(views: list[ErasureView]) -> None:
    shown = table(
        say("删除申请", "erasures"),
        say("编号", "number"),
        say("证书编号", "serial"),
        say("原因", "reason"),
        say("文号", "document"),
        say("经办人", "proposed by"),
        say("结果", "outcome"),
    )
    outcomes = {
        "waiting": say("待复核", "waiting"),
        "approved": say("已删除", "erased"),
        "refused": say("已退回", "refused"),
        "withdrawn": say("已撤回", "withdrawn"),
    }
    for one in views:
        reason = say(*ERASURE_NAMES[ErasureReason(one.reason)])
        shown.add_row(str(one.id), one.serial, reason, plain(one.decision), plain(one.maker), outcomes[one.outcome])
    console.print(shown)


def _show_done(done: ErasureDone) -> None:
    rows = {
        say("证书编号", "serial"): done.view.serial,
        say("版本数", "versions"): str(done.versions),
        say("已清理的明文文件", "plain files cleaned"): plain(", ".join(str(one) for one in done.files)) or "-",
    }
    console.print(pairs(say("个人信息已删除", "the person was erased"), rows))
    for path in done.copies:
        console.print(
            say(
                f"[bold red]{plain(str(path))} 是登记库的旧副本, 仍含其密钥; 不再需要时请删除[/]",
                f"[bold red]{plain(str(path))} is an old copy of the registry and still holds the key; delete it when "
                "it is not needed any more[/]",
            )
        )
    console.print(
        say(
            "较早的备份在被删除之前仍含其密钥: yinzheng backup prune; 在别处另存的文件请自行删除",
            "older backups hold the key until they are pruned (yinzheng backup prune); files kept elsewhere are yours "
            "to delete",
        )
    )
