"""``keys``, ``log``, ``doctor``: what keeps the house in order."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from service.cli.amended import show_amended
from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.registry import export_verifier
from service.cli.screens import console, plain, table
from service.crl import publish_crls
from service.doctor import Finding, examine_house
from service.trust import renew_trust_list

_STYLE = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "bad": "[bold red]✗[/]"}

keys_app = typer.Typer(help=say("密钥", "keys"), no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    keys_app.command("trust-list", help=say("输出已签名的信任列表", "print the signed trust list"))(keys_trust_list)
    keys_app.command(
        "export-verifier",
        help=say("导出核验进程的密钥文件(不含任何签发密钥)", "write the verifier's key file; no issuing key is in it"),
    )(export_verifier)
    keys_app.command("renew-trust-list", help=say("重签信任列表, 有效期一年", "sign the trust list for another year"))(
        keys_renew_trust_list
    )
    app.add_typer(keys_app, name="keys")
    app.command("doctor", help=say("体检: 逐项检查, 并给出处理办法", "check the house; every finding has a cure"))(
        doctor
    )


def keys_trust_list(context: typer.Context) -> None:
    """Print the signed trust list, for others to verify with."""
    sys.stdout.write(house_of(context).folder.trust_list.read_text(encoding="utf-8"))


def keys_renew_trust_list(context: typer.Context) -> None:
    """Sign the trust list anew; it expires after a year without it."""
    house = house_of(context)
    publish_crls(house)
    show_amended(renew_trust_list(house))


def doctor(
    context: typer.Context,
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help=say("只列有问题的", "only what is not right"))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=say("输出 JSON", "as JSON, for monitors"))] = False,
) -> None:
    """Check the house; exit code 1 when something is wrong."""
    findings = [one for one in examine_house(settings_of(context)) if not quiet or one.level != "ok"]
    if as_json:
        sys.stdout.write(json.dumps([_told(one) for one in findings], ensure_ascii=False, indent=1) + "\n")
    else:
        _show(findings)
    if any(one.level == "bad" for one in findings):
        raise typer.Exit(1)


def _told(one: Finding) -> dict[str, object]:
    """One finding for a program: every text in both languages."""
    texts = {"name": one.name, "found": one.found, "cure": one.cure}
    both = {key: None if text is None else {"zh": text[0], "en": text[1]} for key, text in texts.items()}
    return {"level": one.level, **both}


def _show(findings: Sequence[Finding]) -> None:
    shown = table(say("体检", "doctor"), "", say("项目", "what"), say("结果", "found"), say("处理办法", "cure"))
    for one in findings:
        shown.add_row(_STYLE[one.level], plain(say(*one.name)), plain(say(*one.found)), _cure(one))
    console.print(shown)


def _cure(one: Finding) -> str:
    return plain(say(*one.cure)) if one.cure else ""
