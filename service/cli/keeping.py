"""``keys``, ``trust``, ``log``, ``doctor``: what keeps the house in order."""

import sys
from typing import Annotated

import typer

from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import console, pairs, table
from service.doctor import Finding, examine_house
from service.keeping import key_lines, verify_whole_log

_STYLE = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "bad": "[bold red]✗[/]"}

keys_app = typer.Typer(help=say("密钥", "keys"), no_args_is_help=True)
log_app = typer.Typer(help=say("签发日志", "the transparency log"), no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    keys_app.command("list", help=say("列出密钥(只列公开部分)", "list the keys; public parts only"))(keys_list)
    keys_app.command("trust-list", help=say("输出已签名的信任列表", "print the signed trust list"))(keys_trust_list)
    log_app.command("verify", help=say("从头核对整个日志", "check the whole log from its first entry"))(log_verify)
    app.add_typer(keys_app, name="keys")
    app.add_typer(log_app, name="log")
    app.command("doctor", help=say("体检: 逐项检查, 并给出处理办法", "check the house; every finding has a cure"))(
        doctor
    )


def keys_list(context: typer.Context) -> None:
    """List the keys."""
    shown = table(
        say("密钥", "keys"),
        say("用途", "role"),
        say("机构", "owner"),
        say("算法", "algorithm"),
        say("指纹", "key ID"),
        say("证书有效至", "certificate until"),
    )
    for one in key_lines(house_of(context)):
        shown.add_row(one.role, one.owner or "-", one.algorithm, one.key_id, one.valid_until or "-")
    console.print(shown)


def keys_trust_list(context: typer.Context) -> None:
    """Print the signed trust list, for others to verify with."""
    sys.stdout.write(house_of(context).folder.trust_list.read_text(encoding="utf-8"))


def log_verify(context: typer.Context) -> None:
    """Recompute the whole log; anything changed, removed or moved is found."""
    found = verify_whole_log(house_of(context))
    console.print(
        pairs(
            say("日志完好", "the log is whole"),
            {
                say("名称", "origin"): found.origin,
                say("条目数", "entries"): str(found.size),
                say("根", "root"): found.root.hex(),
            },
        )
    )


def doctor(
    context: typer.Context,
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help=say("只列有问题的", "only what is not right"))] = False,
) -> None:
    """Check the house; exit code 1 when something is wrong."""
    findings = examine_house(settings_of(context))
    shown = table(say("体检", "doctor"), "", say("项目", "what"), say("结果", "found"), say("处理办法", "cure"))
    for one in findings:
        if not quiet or one.level != "ok":
            shown.add_row(_STYLE[one.level], say(*one.name), say(*one.found), _cure(one))
    console.print(shown)
    if any(one.level == "bad" for one in findings):
        raise typer.Exit(1)


def _cure(one: Finding) -> str:
    return say(*one.cure) if one.cure else ""
