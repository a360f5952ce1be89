"""The list of commands; each group has a file of its own."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli import (
    access,
    archive,
    backup,
    ca,
    changing,
    compromise,
    custody,
    demo,
    erase,
    evidence,
    history,
    holding,
    issuing,
    keeping,
    keys,
    life,
    log,
    registry,
    rotation,
    serving,
    setup,
    status,
    templating,
    trust,
    verifying,
    witness,
)
from service.cli.language import say
from service.settings import Settings, read_settings

app = typer.Typer(
    name="yinzheng",
    help=say(
        "印证: 签发电子证书, 并让任何人都能查验。",
        "Yinzheng: issues digital certificates and lets anyone check them.",
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def remember_settings(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Option("--data", help=say("数据目录(默认 ./data)", "data folder (default ./data)"))
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--passphrase-file",
            help=say(
                "存放密钥口令的文件(权限 600); 也可用环境变量 YINZHENG_PASSPHRASE",
                "file with the passphrase of the keys (mode 600); or the variable YINZHENG_PASSPHRASE",
            ),
        ),
    ] = None,
) -> None:
    """Let options win over the environment for every command."""
    given = context.obj if isinstance(context.obj, Settings) else read_settings()
    context.obj = given.model_copy(
        update={
            name: value
            for name, value in {"data": data, "passphrase_file": passphrase_file}.items()
            if value is not None
        }
    )


for group in (
    demo,
    setup,
    access,
    issuing,
    holding,
    verifying,
    changing,
    life,
    log,
    serving,
    templating,
    keeping,
    archive,
    keys,
    status,
    trust,
    ca,
    registry,
    custody,
    history,
    witness,
    backup,
    erase,
    rotation,
    evidence,
    compromise,
):
    group.add_to(app)

#: What `yinzheng --help` lists under which heading.
PANELS = {
    say("签发", "issuing"): "check issue approve batch hand-over template",
    say("变更", "changing"): "revoke suspend reinstate end correct replace change erase retention",
    say("核验", "verifying"): "verify evidence",
    say("机构与人员", "who may do what"): "init issuer person token",
    say("信任", "trust"): "keys trust witness log status history archive ca",
    say("运行与维护", "running it"): "serve doctor backup restore recover migrate database demo",
}

_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names.split()}
for command in app.registered_commands:
    command.rich_help_panel = _PANEL_OF[command.name or ""]
for typer_group in app.registered_groups:
    typer_group.rich_help_panel = _PANEL_OF[typer_group.name or ""]
