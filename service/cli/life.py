"""``suspend``, ``reinstate``, ``end``, ``correct``, ``replace``, ``batch withdraw``, ``change``: the rest of a life."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from credential.errors import InputError
from credential.model import REASON_NAMES, STATE_NAMES, RevocationReason
from credential.reasons import (
    CHANGE_NAMES,
    CorrectionReason,
    EndReason,
    ReinstatementReason,
    ReplacementReason,
    SuspensionReason,
)
from service import proposals, successions
from service.batches import BatchView
from service.batches import view as view_of
from service.changes import Action, change_credential, withdraw_whole_batch
from service.cli.changing import day_of
from service.cli.issuing import AsOption, BatchArgument, PhotosOption, batch_app, show_batch
from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console, pairs, plain, problem_tables, progress_bar, table
from service.cli.successors import show_successions
from service.house import House
from service.issuers import only_issuer
from service.proposals import ProposalView
from service.single import RecordRefused

change_app = typer.Typer(help=say("待复核的变更", "changes that wait for a second person"), no_args_is_help=True)

SerialArgument = Annotated[str, typer.Argument(metavar="SERIAL", help=say("证书编号", "serial of the certificate"))]
DecisionOption = Annotated[str, typer.Option(help=say("决定文号", "number of the decision document"))]
CheckerOption = Annotated[
    str, typer.Option("--approve-as", help=say("审核人代号(须为另一人)", "ID of the second person"))
]
IssuerOption = Annotated[
    str | None,
    typer.Option("--issuer", help=say("发证机构代号(编号重复时需要)", "ID of the issuer, where serials repeat")),
]
OwnIssuerOption = Annotated[str, typer.Option("--issuer", help=say("发证机构代号", "ID of the issuer"))]
EffectiveOption = Annotated[
    str | None, typer.Option("--effective", help=say("生效日期, 默认今天", "day it takes effect; today by default"))
]
NoteOption = Annotated[str, typer.Option("--note", help=say("说明(加密保存)", "note, kept sealed"))]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar=say("栏目=值", "FIELD=VALUE"),
        help=say(
            "要改的栏目(表头或字段名), 可重复; 值为空则删除",
            "what is to be different (heading or key), repeatable; an empty value removes it",
        ),
    ),
]
PhotoOption = Annotated[Path | None, typer.Option("--photo", help=say("新照片(JPEG)", "a new photo, JPEG"))]


class BadSetting(InputError):
    """An option ``--set`` is not written as field=value."""

    code = "bad-set"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} does not say what is to be different; write it as name=VALUE",
            f"“{text}”格式不对, 请写成 name=值 的形式",
        )


class SheetOrSet(InputError):
    """A replacement is described by a sheet of one row or by what is different, and never by both."""

    code = "sheet-or-set"

    def __init__(self) -> None:
        super().__init__(
            "give either a sheet of one row or --set, not both and not neither", "请提供单行表格或 --set, 二者择一"
        )


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("suspend", help=say("暂扣一份证书(须两人)", "suspend a certificate; takes two persons"))(suspend)
    app.command("reinstate", help=say("解除暂扣(须两人)", "make a suspended certificate valid again"))(reinstate)
    app.command("end", help=say("注销或宣告失效(须两人)", "end a certificate that was valid until now"))(end)
    app.command(
        "correct",
        help=say("更正一份证书: 同一编号的新版本, 另须审核", "correct a certificate: same serial, next version"),
    )(correct)
    app.command(
        "replace",
        help=say("换发: 以新编号的证书取代原证书, 另须审核", "replace a certificate by one with a new serial"),
    )(replace)
    batch_app.command(
        "withdraw",
        help=say("撤回整批证书(须两人); 可重复执行", "revoke every certificate of a batch; may be run again"),
    )(batch_withdraw)
    change_app.command("list", help=say("列出待复核的变更", "list the changes that wait"))(change_list)
    change_app.command("approve", help=say("批准一项变更", "approve a proposed change"))(change_approve)
    change_app.command("refuse", help=say("退回一项变更", "refuse a proposed change"))(change_refuse)
    change_app.command("withdraw", help=say("撤回本人提出的变更", "take your own proposal back"))(change_withdraw)
    app.add_typer(change_app, name="change")


def suspend(
    context: typer.Context,
    serial: SerialArgument,
    decision: DecisionOption,
    maker: AsOption,
    checker: CheckerOption,
    reason: Annotated[
        SuspensionReason, typer.Option(help=say("原因", "reason"))
    ] = SuspensionReason.UNDER_INVESTIGATION,
    issuer: IssuerOption = None,
    effective: EffectiveOption = None,
    note: NoteOption = "",
) -> None:
    """Suspend a certificate while something is looked into."""
    _change(context, Action.SUSPEND, serial, (reason.value, decision, maker, checker), issuer, effective, note)


def reinstate(
    context: typer.Context,
    serial: SerialArgument,
    decision: DecisionOption,
    maker: AsOption,
    checker: CheckerOption,
    reason: Annotated[ReinstatementReason, typer.Option(help=say("原因", "reason"))] = ReinstatementReason.CLEARED,
    issuer: IssuerOption = None,
    effective: EffectiveOption = None,
    note: NoteOption = "",
) -> None:
    """Make a suspended certificate valid again."""
    _change(context, Action.REINSTATE, serial, (reason.value, decision, maker, checker), issuer, effective, note)


def end(
    context: typer.Context,
    serial: SerialArgument,
    reason: Annotated[EndReason, typer.Option(help=say("原因", "reason"))],
    decision: DecisionOption,
    maker: AsOption,
    checker: CheckerOption,
    issuer: IssuerOption = None,
    effective: EffectiveOption = None,
    note: NoteOption = "",
) -> None:
    """End a certificate: it was valid until now, and is no longer."""
    _change(context, Action.END, serial, (reason.value, decision, maker, checker), issuer, effective, note)


def correct(
    context: typer.Context,
    serial: SerialArgument,
    reason: Annotated[CorrectionReason, typer.Option(help=say("原因", "reason"))],
    decision: DecisionOption,
    maker: AsOption,
    changes: SetOption = None,
    photo: PhotoOption = None,
    issuer: IssuerOption = None,
) -> None:
    """Submit a correction; it waits for its approval like any batch."""
    house = house_of(context)
    with _listing_problems():
        view = successions.correct(
            house,
            serial,
            _settings(changes or ()),
            issuer=issuer,
            reason=reason,
            decision=decision,
            maker=maker,
            photo=None if photo is None else photo.read_bytes(),
        )
    _show_submitted(house, view)


def replace(
    context: typer.Context,
    serial: SerialArgument,
    reason: Annotated[ReplacementReason, typer.Option(help=say("原因", "reason"))],
    decision: DecisionOption,
    maker: AsOption,
    sheet: Annotated[Path | None, typer.Argument(metavar="[FILE]", help=say("单行表格", "a sheet of one row"))] = None,
    changes: SetOption = None,
    photo: PhotoOption = None,
    photos: PhotosOption = None,
    issuer: IssuerOption = None,
) -> None:
    """Submit what replaces a certificate; it waits for its approval like any batch."""
    if (sheet is None) == (not changes and photo is None):
        raise SheetOrSet
    house = house_of(context)
    with _listing_problems():
        if sheet is not None:
            view = successions.replace_by_sheet(
                house, serial, sheet, photos=photos, issuer=issuer, reason=reason, decision=decision, maker=maker
            )
        else:
            view = successions.replace_credential(
                house,
                serial,
                _settings(changes or ()),
                issuer=issuer,
                reason=reason,
                decision=decision,
                maker=maker,
                photo=None if photo is None else photo.read_bytes(),
            )
    _show_submitted(house, view)


def batch_withdraw(
    context: typer.Context,
    batch: BatchArgument,
    reason: Annotated[RevocationReason, typer.Option(help=say("原因", "reason"))],
    decision: DecisionOption,
    maker: AsOption,
    checker: CheckerOption,
    effective: EffectiveOption = None,
) -> None:
    """Revoke every certificate of a batch and void the numbers that have none."""
    house = house_of(context)
    with progress_bar(say("撤回", "withdrawing"), view_of(house, batch).issued) as update:
        done = withdraw_whole_batch(
            house,
            batch,
            reason=reason,
            decision=decision,
            maker=maker,
            checker=checker,
            effective_on=day_of(effective),
            on_progress=update,
        )
    rows = {
        say("原因", "reason"): say(*REASON_NAMES[reason]),
        say("本次决定撤销", "revoked by this decision"): str(done.revoked),
        say("作废编号", "void numbers"): str(done.voided),
    }
    if done.before:
        rows[say("此前已被撤销, 保持不变", "revoked before, left as they are")] = plain(", ".join(done.before))
    if done.replaced_by:
        rows[say("已换发的新证书, 未变更", "replaced by, not touched")] = plain(", ".join(done.replaced_by))
    console.print(pairs(say(f"批次 {batch} 已撤回", f"batch {batch} withdrawn"), rows))


def change_list(
    context: typer.Context,
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", help=say("发证机构代号(仅一个机构时可省略)", "ID of the issuer; needed with several")),
    ] = None,
) -> None:
    """List the changes that wait for a second person."""
    house = house_of(context)
    owner = issuer or only_issuer(house)
    shown = table(
        say("待复核的变更", "changes that wait"),
        say("编号", "change"),
        say("证书或批次", "certificate or batch"),
        say("变更为", "to"),
        say("原因", "reason"),
        say("决定文号", "decision"),
        say("提出人", "proposed by"),
    )
    for one in proposals.views(house, issuer=owner):
        about = one.serial or say(f"批次 {one.batch}", f"batch {one.batch}")
        shown.add_row(str(one.id), *map(plain, (about, one.state, one.reason, one.decision, one.maker)))
    console.print(shown)


def change_approve(
    context: typer.Context,
    change: Annotated[int, typer.Argument(metavar="CHANGE", help=say("变更申请编号", "number of the change"))],
    issuer: OwnIssuerOption,
    checker: AsOption,
) -> None:
    """Approve a proposed change, and make it."""
    done, _ = proposals.approve(house_of(context), change, issuer=issuer, checker=checker)
    _show_proposal(done)


def change_refuse(
    context: typer.Context,
    change: Annotated[int, typer.Argument(metavar="CHANGE", help=say("变更申请编号", "number of the change"))],
    issuer: OwnIssuerOption,
    checker: AsOption,
) -> None:
    """Refuse a proposed change."""
    _show_proposal(proposals.refuse(house_of(context), change, issuer=issuer, checker=checker))


def change_withdraw(
    context: typer.Context,
    change: Annotated[int, typer.Argument(metavar="CHANGE", help=say("变更申请编号", "number of the change"))],
    issuer: OwnIssuerOption,
    maker: AsOption,
) -> None:
    """Take a proposed change back as the person who proposed it."""
    _show_proposal(proposals.withdraw(house_of(context), change, issuer=issuer, maker=maker))


def _change(
    context: typer.Context,
    action: Action,
    serial: str,
    facts: tuple[str, str, str, str],
    issuer: str | None,
    effective: str | None,
    note: str,
) -> None:
    reason, decision, maker, checker = facts
    done = change_credential(
        house_of(context),
        serial,
        action,
        issuer=issuer,
        reason=reason,
        decision=decision,
        maker=maker,
        checker=checker,
        effective_on=day_of(effective),
        note=note,
    )
    rows = {
        say("证书编号", "serial"): plain(done.serial),
        say("状态", "state"): f"{done.state} {say(*STATE_NAMES[done.state])}",
        say("原因", "reason"): say(*CHANGE_NAMES[reason]),
        say("决定文号", "decision"): plain(decision),
        say("生效", "effective"): done.effective_on.isoformat(),
    }
    console.print(pairs(say("证书状态已变更", "the certificate's state has changed"), rows))


@contextmanager
def _listing_problems() -> Iterator[None]:
    """Print what is wrong with a record that is refused; the error's own sentence only counts it."""
    try:
        yield
    except RecordRefused as error:
        for one in problem_tables(error.found):
            console.print(one)
        raise


def _show_submitted(house: House, view: BatchView) -> None:
    show_batch(view)
    show_successions(house, view.id)
    console.print(
        say(
            f"下一步: 请另一人审核: yinzheng approve {view.id} --as 审核人代号",
            f"next: a second person runs: yinzheng approve {view.id} --as CHECKER",
        )
    )


def _show_proposal(one: ProposalView) -> None:
    rows = {
        say("证书或批次", "certificate or batch"): plain(one.serial) or str(one.batch),
        say("状态代码", "state code"): one.state,
        say("提出人", "proposed by"): one.maker,
        say("结果", "outcome"): one.outcome,
    }
    console.print(pairs(say(f"变更申请 {one.id}", f"change {one.id}"), rows))


def _settings(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        key, is_set, value = text.partition("=")
        if not is_set or not key.strip():
            raise BadSetting(text)
        found[key.strip()] = value
    return found
