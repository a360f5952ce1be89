"""``status``: publish the lists that are due, and watch those of others."""

import typer

from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console
from service.crl import refresh_crls
from service.keeping import refresh_status_lists
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
