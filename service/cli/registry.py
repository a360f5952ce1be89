"""``migrate``, ``database``, ``keys export-verifier``: the registry between releases, and who may read it."""

from pathlib import Path
from typing import Annotated

import typer

from registry.engines import shown
from registry.verdict_columns import grant_verdicts
from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import console, pairs, plain
from service.house import SystemClock
from service.migrating import UpgradePlan, plan_upgrade, upgrade
from service.registry_address import registry_address
from service.verifying_house import export_verifier_key

database_app = typer.Typer(help=say("登记库", "the registry's database"), no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(
        "migrate",
        help=say("升级到本程序的版本: 先备份, 后升级", "bring an older data folder up to this program, after a copy"),
    )(migrate_folder)
    database_app.command(
        "grant-verifier",
        help=say("授权一个数据库账号只读核验所需的列", "let an account read what a verdict needs, and nothing else"),
    )(grant_verifier)
    app.add_typer(database_app, name="database")


def migrate_folder(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("只说明将做什么", "only say what would be done"))
    ] = False,
    backed_up: Annotated[
        bool, typer.Option("--backed-up", help=say("已自行备份 PostgreSQL", "a dump of PostgreSQL was made"))
    ] = False,
) -> None:
    """Bring an older data folder and registry up to this program."""
    settings = settings_of(context)
    plan = plan_upgrade(settings, SystemClock().now())
    console.print(pairs(say("升级计划", "plan"), _plan_lines(plan)))
    if dry_run:
        if not plan.is_needed and not plan.is_folder_old:
            console.print(say("已是最新版本, 无需升级", "up to date; nothing is to be migrated"))
        return
    done = upgrade(settings, plan, is_backed_up=backed_up)
    for name in done.rules_put_back:
        console.print(
            say(
                f"[bold red]保护规则 {name} 曾缺失或被改动, 已恢复; 请查明何人改动过数据库, 并执行 "
                "yinzheng log verify[/]",
                f"[bold red]the rule {name} was missing or changed and is back; find out who changed the database, and "
                "run: yinzheng log verify[/]",
            )
        )
    if plan.is_needed:
        console.print(say(f"已升级到版本 {plan.after}", f"the registry is at revision {plan.after} now"))
    else:
        console.print(say("已是最新版本, 无需升级", "up to date; nothing had to be migrated"))


def grant_verifier(
    context: typer.Context,
    role: Annotated[str, typer.Option(help=say("数据库账号", "the account, a role of PostgreSQL"))],
) -> None:
    """Grant an account just what verifying reads; run again after every migrate."""
    house = house_of(context)
    with house.database.transaction() as session:
        grant_verdicts(session.connection(), role)
    console.print(
        say(
            f"账号 {plain(role)} 只能读取核验所需的列, 不能写入",
            f"{plain(role)} may read what a verdict needs and write nothing",
        )
    )
    console.print(plain(shown(registry_address(house.settings))))


def export_verifier(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option(help=say("写到哪个文件(默认 data/verifier.key)", "file; by default verifier.key"))
    ] = None,
) -> None:
    """Write the key file that a verifier's process opens; it signs nothing and finds nobody by name."""
    path = export_verifier_key(house_of(context), to)
    console.print(
        say(
            f"已写入 {plain(str(path))}(权限 600); 请只交给核验进程的账号",
            f"{plain(str(path))} written (mode 600); hand it to the verifier's account only",
        )
    )


def _plan_lines(plan: UpgradePlan) -> dict[str, str]:
    lines = {
        say("登记库", "registry"): plain(plan.where),
        say("现版本", "revision now"): plan.before,
        say("将升级到", "to be"): plan.after,
    }
    if plan.copy is not None:
        lines[say("先备份到", "copied first to")] = plain(str(plan.copy))
    return lines
