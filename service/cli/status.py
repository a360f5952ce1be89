"""``status``: publish the lists that are due, and watch those of others."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import console, plain, table
from service.crl import refresh_crls
from service.folder import DataFolder
from service.house import SystemClock
from service.keeping import refresh_status_lists
from service.status_monitor import watch_status
from service.trust import settle_trust_list

status_app = typer.Typer(help=say("状态列表", "status lists"), no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    status_app.command(
        "refresh",
        help=say(
            "重签到期的状态列表与吊销列表; 服务未运行时供定时任务每 10 分钟执行",
            "publish status and revocation lists that are due; for a timer, where no service runs",
        ),
    )(status_refresh)
    status_app.command(
        "monitor",
        help=say(
            "仅凭公开文件监督状态列表: 有无被悄悄恢复、未入日志或停止更新",
            "watch status lists from public files: was a revocation taken back, is one not in the log, or late?",
        ),
    )(status_monitor)
    app.add_typer(status_app, name="status")


def status_refresh(context: typer.Context) -> None:
    """Publish the lists that are due; status lists expire after a day without it, revocation lists after a week."""
    house = house_of(context)
    settle_trust_list(house)
    crls = refresh_crls(house)
    written = refresh_status_lists(house)
    console.print(say(f"已更新 {len(written)} 个状态列表", f"{len(written)} status lists were published"))
    if crls:
        console.print(say("已更新吊销列表", "the revocation lists were published"))


def status_monitor(
    context: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            metavar="DIR|URL", help=say("公开目录或核验网址", "public folder, or the address of the issuer")
        ),
    ],
    *,
    state: Annotated[
        Path, typer.Option("--state", help=say("保存所见内容的目录", "folder that keeps what was seen"))
    ] = Path("status-monitor"),
    as_json: Annotated[bool, typer.Option("--json", help=say("输出 JSON", "as JSON"))] = False,
) -> None:
    """Look once at the lists and the log of an issuer; exit code 1 when something is wrong. For a timer."""
    found = watch_status(place, state, DataFolder(settings_of(context).data), SystemClock().now())
    if as_json:
        told = {
            "lists": found.lists,
            "changes": found.changes,
            "log_size": found.log_size,
            "alarms": [asdict(one) for one in found.alarms],
            "evidence": None if found.evidence is None else str(found.evidence),
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
    elif found.alarms:
        shown = table(
            say("状态列表有异常", "something is wrong with the status lists"),
            say("列表", "list"),
            say("代码", "code"),
            say("情况", "what"),
        )
        for one in found.alarms:
            shown.add_row(str(one.list_number or "-"), one.code, f"[bold red]{plain(say(one.zh, one.en))}[/]")
        console.print(shown)
        where = plain(str(found.evidence))
        console.print(
            say(
                f"原始文件已留存: {where}; 请向发证机构及其他监督方通报",
                f"the signed files are kept in {where}; tell the issuer and the other monitors",
            )
        )
    else:
        console.print(
            say(
                f"[green]✓[/] {found.lists} 个状态列表, 自上次以来变化 {found.changes} 处, 均与日志相符"
                f"(日志共 {found.log_size} 条)",
                f"[green]✓[/] {found.lists} status lists, {found.changes} slots changed since the last look, all of it "
                f"in the log of {found.log_size} entries",
            )
        )
    if found.alarms:
        raise typer.Exit(1)
