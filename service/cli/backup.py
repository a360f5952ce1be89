"""``backup``, ``restore``, ``recover``: keep a copy, put it back, and go on from one that is behind."""

from pathlib import Path
from typing import Annotated

import typer

from credential.leaves import LeafKind
from service.backing_up import back_up
from service.backup_store import BackupStore
from service.behind import Owed
from service.cli.default_command import USUAL, group
from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import console, pairs, plain, table
from service.erasing import settle_erasures
from service.recovering import Recovered, RecoveryPlan, plan_recovery, recover
from service.restoring import Restored, Survivors, restore

backup_app = group(say("备份", "backups"))

DestArgument = Annotated[
    Path, typer.Argument(metavar="DEST", help=say("存放备份的目录", "folder that backups are kept in"))
]
NameOption = Annotated[
    str, typer.Option("--name", help=say("哪一份备份, 默认最新", "which backup; the newest by default"))
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    backup_app.command(USUAL, help=say("做一份备份; 服务可照常运行", "make a backup; the service may be at work"))(
        backup_run
    )
    backup_app.command("verify", help=say("核对备份的每个文件", "compare every file of a backup with its digest"))(
        backup_verify
    )
    backup_app.command("list", help=say("列出备份", "list the backups"))(backup_list)
    backup_app.command("prune", help=say("删除较早的备份", "delete the oldest backups"))(backup_prune)
    app.add_typer(backup_app, name="backup")
    app.command("restore", help=say("把备份恢复到空的数据目录", "restore a backup into an empty data folder"))(
        restore_backup
    )
    app.command(
        "recover",
        help=say(
            "从落后于已公布内容的登记库继续: 先列出要做的事, 加 --do 才执行",
            "go on from a registry that is behind what was published; says what it would do, --do does it",
        ),
    )(recover_registry)


def backup_run(
    context: typer.Context,
    dest: DestArgument,
    *,
    keys: Annotated[
        bool,
        typer.Option("--keys", help=say("连同密钥(保持加密)一起备份", "the keys too; they stay encrypted")),
    ] = False,
) -> None:
    """Make a backup."""
    house = house_of(context)
    settle_erasures(house)
    made = back_up(house, dest, with_keys=keys)
    rows = {
        say("备份", "backup"): made.manifest.name,
        say("日志条目", "entries of the log"): str(made.manifest.log_size),
        say("新写入", "written"): say(
            f"{made.copied} 个文件, {_megabytes(made.written)}", f"{made.copied} files, {_megabytes(made.written)}"
        ),
        say("此前已有", "there already"): str(made.kept),
        say("密钥", "keys"): say("在内(加密)", "in it, encrypted")
        if keys
        else say("不在内, 请另行保存", "not in it; keep them apart"),
    }
    console.print(pairs(say("备份完成", "backup made"), rows))
    copy = house.folder.checkpoint_copy
    console.print(
        say(
            f"[yellow]请把 {plain(str(copy))} 另存到别处: 恢复时须用它确认备份是否落后[/]",
            f"[yellow]keep {plain(str(copy))} somewhere else: a restore needs it to know whether it is behind[/]",
        )
    )


def backup_verify(context: typer.Context, dest: DestArgument, name: NameOption = "") -> None:
    """Compare every file of a backup with its digest; needs no passphrase."""
    del context
    store = BackupStore(dest)
    manifest = store.read(name)
    count = store.check(manifest)
    console.print(
        say(f"备份 {manifest.name} 完好: {count} 个文件", f"the backup {manifest.name} is whole: {count} files")
    )


def backup_list(context: typer.Context, dest: DestArgument) -> None:
    """List the backups."""
    del context
    store = BackupStore(dest)
    shown = table(
        say("备份", "backups"),
        say("名称", "name"),
        say("日志条目", "log entries"),
        say("数据库", "database"),
        say("密钥", "keys"),
        say("文件", "files"),
    )
    for name in store.names():
        one = store.read(name)
        keys = say("在内", "in it") if one.has_keys else "-"
        shown.add_row(one.name, str(one.log_size), one.database, keys, str(len(one.files)))
    console.print(shown)


def backup_prune(
    context: typer.Context,
    dest: DestArgument,
    keep: Annotated[int, typer.Option(min=1, help=say("保留最新几份", "how many of the newest to keep"))],
) -> None:
    """Delete the oldest backups and what only they held."""
    del context
    gone = BackupStore(dest).prune(keep)
    console.print(say(f"已删除 {len(gone)} 份较早的备份", f"{len(gone)} older backups were deleted"))


def restore_backup(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FROM", help=say("存放备份的目录", "folder of backups"))],
    name: NameOption = "",
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            help=say(
                "备份之外保存的最新检查点(文件或网址), 可重复",
                "newest checkpoint kept outside, a file or address; may be repeated",
            )
        ),
    ] = None,
    keys: Annotated[Path | None, typer.Option(help=say("另行保存的密钥目录", "folder of keys kept apart"))] = None,
    blobs: Annotated[Path | None, typer.Option(help=say("幸存的 blobs 目录", "folder blobs that survived"))] = None,
    published: Annotated[
        Path | None, typer.Option(help=say("幸存的 public 目录或其镜像", "folder public that survived, or a mirror"))
    ] = None,
) -> None:
    """Restore a backup into an empty data folder; killed anywhere, the same command goes on."""
    found = restore(settings_of(context), source, Survivors(keys, blobs, published, tuple(checkpoint or ())), name=name)
    _show_restored(found)


def recover_registry(
    context: typer.Context,
    *,
    do: Annotated[bool, typer.Option("--do", help=say("执行", "do it"))] = False,
    skip: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=say("每个机构跳过多少个编号, 默认自动", "numbers to leave out for each issuer; worked out by default"),
        ),
    ] = None,
    leave_out: Annotated[
        list[int] | None, typer.Option(help=say("略过的批次, 可重复", "batch to leave out; may be repeated"))
    ] = None,
) -> None:
    """Go on from a registry that is behind what was published."""
    house = house_of(context)
    plan = plan_recovery(house, skip=skip)
    _show_plan(plan)
    if not do:
        console.print(
            say("核对无误后加 --do 执行; 执行前请停止服务", "stop the service, then do it with --do if this is right")
        )
        return
    _show_recovered(recover(house, plan, leave_out=frozenset(leave_out or ())))


def _show_restored(found: Restored) -> None:
    rows = {
        say("备份", "backup"): found.manifest.name,
        say("登记库的日志条目", "entries the registry knows"): str(found.known),
        say("已公布的日志条目", "entries published"): str(found.published) if found.published else "?",
        say("较备份更新的对象", "objects newer than the backup"): str(found.newer_objects),
        say("再次删除的个人信息", "persons erased again"): str(found.erased_again),
    }
    console.print(pairs(say("恢复完成", "restored"), rows))
    if found.is_behind:
        lost = found.published - found.known
        console.print(
            say(
                f"[bold red]登记库落后 {lost} 条: 现停止出证、变更与核验。请尽量找回更新的备份与 blobs 目录; "
                "确无更新的, 执行 yinzheng recover 查看如何继续[/]",
                f"[bold red]the registry is {lost} entries behind: nothing is issued, changed or verified. Look for a "
                "newer backup and the folder blobs first; if there is none, yinzheng recover says how to go on[/]",
            )
        )
    elif not found.published:
        console.print(
            say(
                "[bold red]没有给出备份之外的检查点, 无法确认备份是否最新。找到后请先比对再出证: "
                "把它放到 checkpoint-copy/checkpoint, 然后执行 yinzheng doctor[/]",
                "[bold red]no checkpoint from outside was compared, so nobody knows whether this is the newest. Put "
                "one to checkpoint-copy/checkpoint and run yinzheng doctor before anything is issued[/]",
            )
        )
    else:
        console.print(say("与已公布的检查点一致, 可以启动服务", "it agrees with what was published; start the service"))


def _show_plan(plan: RecoveryPlan) -> None:
    recovery, kinds = plan.recovery, plan.lost.kinds
    told = say("未知(日志文件未幸存)", "not known; the log's files did not survive")
    if kinds is not None:
        issued, changed = kinds.get(LeafKind.ISSUE, 0), kinds.get(LeafKind.STATUS, 0)
        told = say(f"证书 {issued} 本, 状态变更 {changed} 项", f"{issued} certificates, {changed} changes of state")
    rows = {
        say("停用的日志", "log that is given up"): say(
            f"{recovery.origin}, 共 {recovery.size} 条, 登记库有 {recovery.known} 条",
            f"{recovery.origin}, {recovery.size} entries, {recovery.known} known",
        ),
        say("新日志", "log that follows"): recovery.new_origin,
        say("丢失部分", "what was lost"): told,
        say("可找回的证书", "certificates brought back"): say(
            f"{plan.credentials} 本{'(全部)' if plan.is_whole else ''}",
            f"{plan.credentials}{' (all)' if plan.is_whole else ''}",
        ),
        say("作废的分块", "chunks that come to nothing"): ", ".join(f"{one}/{two}" for one, two in plan.to_close)
        or "-",
        say("跳过的编号", "numbers left out"): str(recovery.skip),
    }
    console.print(pairs(say("恢复方案", "the way on"), rows))
    if not plan.is_whole:
        console.print(
            say(
                "[yellow]不能确定全部证书均已找回: 其余证书的编号不会再用, 但登记库查不到它们[/]",
                "[yellow]it is not certain that all come back: the numbers of the others are never used again, but the "
                "registry will not know them[/]",
            )
        )


def _show_recovered(done: Recovered) -> None:
    rows = {
        say("新日志", "log"): done.recovery.new_origin,
        say("找回的证书", "certificates brought back"): str(len(done.brought_back)),
        say("作废的分块", "chunks that came to nothing"): ", ".join(f"{one}/{two}" for one, two in done.closed) or "-",
        say("未能封存的分块", "chunks not sealed"): plain(", ".join(done.unsealed)) or "-",
    }
    console.print(pairs(say("已继续", "recovered"), rows))
    for serial in done.unclaimed:
        console.print(
            say(
                f"[yellow]{serial} 与登记库中另一有效证书重复: 原来那本丢失前已撤销或注销, 请重新登记[/]",
                f"[yellow]{serial} stands beside another live certificate for the same title: enter again what ended "
                "that one[/]",
            )
        )
    if not done.is_trusted:
        console.print(
            say(
                "[bold red]信任列表草稿须由离线根密钥签名: yinzheng trust sign, 再 yinzheng trust publish, "
                "然后再次执行 yinzheng recover --do[/]",
                "[bold red]the draft of the trust list waits for the roots: yinzheng trust sign, then yinzheng trust "
                "publish, then yinzheng recover --do again[/]",
            )
        )
    if done.owed:
        show_owed(done.owed)


def show_owed(owed: tuple[Owed, ...]) -> None:
    """Say which published changes have to be entered again."""
    names = {
        0: say("有效", "valid"),
        1: say("无效(撤销、吊销或注销)", "invalid (revoked or ended)"),
        2: say("暂扣", "suspended"),
        3: say("被取代", "superseded"),
    }
    shown = table(
        say("丢失前已公布、须重新登记的变更", "changes that were published, to be entered again"),
        say("证书编号", "serial"),
        say("已公布的状态", "published as"),
        say("列表与位置", "list and slot"),
    )
    for one in owed:
        shown.add_row(one.serial or "?", names.get(one.value, str(one.value)), f"{one.list_number}#{one.slot}")
    console.print(shown)
    console.print(
        say(
            "请依据原决定文件逐项执行 yinzheng revoke、suspend 或 end; 全部登记之前不能出证",
            "enter each by its decision: yinzheng revoke, suspend or end; nothing is issued before all are",
        )
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
