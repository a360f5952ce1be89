"""``witness``: cosign other bureaus' logs, and have one's own cosigned."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from credential.cosignature import Cosignature, read_cosignatures, witness_key
from credential.note import BadNote, parse_checkpoint, parse_note, verifier_key
from credential.trust import Role, Witness
from issuer.office import BEIJING
from keys.private_files import read_passphrase
from service.cli.amended import show_amended
from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import console, pairs, plain, table
from service.cli.serving import HostOption, PortOption, listen, log_to_stderr
from service.folder import DataFolder
from service.house import House, SystemClock
from service.passphrase import VARIABLE
from service.settings import Settings
from service.witness_list import add_witness, remove_witness, require_witnesses
from service.witnessing import NoWitness, WitnessHouse, check_name, is_witness, make_witness, open_witness, witness_keys

witness_app = typer.Typer(
    help=say("见证: 为其他机构的日志联署, 或请他们为本机构联署", "witnesses of logs"), no_args_is_help=True
)

_FOLDER = typer.Option(
    "--folder", help=say("见证方目录(默认 ./witness)", "the witness's own folder (default ./witness)")
)
Folder = Annotated[Path | None, _FOLDER]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    commands = (
        ("init", init, "成为见证方: 新建目录与密钥", "become a witness: make its folder and key"),
        ("trust-log", trust_log, "见证一个日志(或更换、停用其密钥)", "witness a log, or another key of it"),
        ("serve", serve, "启动见证服务, 应答日志的联署请求", "answer the logs that ask for cosignatures"),
        (
            "list",
            list_both,
            "列出所见证的日志, 以及见证本日志的各方",
            "the logs that are witnessed here, and who witnesses ours",
        ),
        ("add", add, "为本机构的日志添加见证方", "add a witness of our own log"),
        ("remove", remove, "移除本机构日志的见证方", "take a witness of our log away"),
        ("require", require, "设定出证与核验所须的见证签名个数", "how many cosignatures are demanded"),
    )
    for name, command, zh, en in commands:
        witness_app.command(name, help=say(zh, en))(command)
    app.add_typer(witness_app, name="witness")


# ---- the witness's side ---------------------------------------------------------------------------------------


def init(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=say("名称, 不可更改; 如 rsj.example.gov.cn/witness", "for good; e.g. rsj.example.gov.cn/witness"),
        ),
    ],
    folder: Folder = None,
) -> None:
    """Make a witness."""
    settings = settings_of(context)
    path = _folder(settings, folder)
    check_name(name)
    made = make_witness(path, witness_keys(path, _passphrase(settings)), name, SystemClock().now())
    console.print(
        pairs(
            say("见证方已建立", "the witness is made"),
            {say("名称", "name"): plain(made.public.name), say("目录", "folder"): plain(str(path))},
        )
    )
    _show_key(say("交给请求见证的机构:", "to give to the bureau whose log is witnessed:"), witness_key(made.public))
    console.print(
        say(
            "下一步: yinzheng witness trust-log 对方日志的密钥, 然后 yinzheng witness serve\n"
            "[yellow]此目录切勿用备份恢复: 旧状态会使见证方为分叉的日志联署。目录丢失时请以新名称、新密钥重建。[/]",
            "next: yinzheng witness trust-log KEY-OF-THE-LOG, then yinzheng witness serve\n"
            "[yellow]never restore this folder from a backup: an older one would cosign a fork. If it is lost, begin "
            "anew with another name and key.[/]",
        )
    )


def trust_log(
    context: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help=say("日志密钥: 名称+标识+公钥", "the log's key: name+hash+base64"))
    ],
    origin: Annotated[
        str,
        typer.Option(help=say("日志标识, 与密钥名称不同时给出", "the log's origin, where it is not the key's name")),
    ] = "",
    folder: Folder = None,
    *,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help=say("不再认可此密钥", "believe this key no longer"))
    ] = False,
) -> None:
    """Cosign a log that signs with this key."""
    house = _open_public(settings_of(context), folder)
    known = house.logs.distrust(key, origin) if withdraw else house.trust_log(key, origin)
    console.print(
        say(
            f"日志 {plain(known.origin)}: 认可 {len(known.keys)} 个密钥, 已见证 {known.size} 条",
            f"the log {plain(known.origin)}: {len(known.keys)} keys are believed, {known.size} leaves were cosigned",
        )
    )


def serve(
    context: typer.Context,
    host: HostOption = None,
    port: PortOption = None,
    folder: Folder = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    # Imported here only: the web's libraries would slow every other command down.
    import uvicorn  # noqa: PLC0415 - see above

    from service.limits import Limiter  # noqa: PLC0415 - see above
    from service.witnessing_http import witness_app as asgi_app  # noqa: PLC0415 - see above

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings_of(context).model_copy(update=given)
    path = _folder(settings, folder)
    if not is_witness(path):
        raise NoWitness(path)
    house = open_witness(path, witness_keys(path, _passphrase(settings)))
    log_to_stderr()
    app = asgi_app(house.witness(), house.logs, SystemClock().now, Limiter(settings))
    with listen(settings) as listening:
        console.print(
            say(
                f"见证方 {plain(house.public.name)} 已启动: http://{settings.host}:{settings.port}",
                f"the witness {plain(house.public.name)} answers at http://{settings.host}:{settings.port}",
            )
        )
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, proxy_headers=False)
        uvicorn.Server(config).run(sockets=[listening])


# ---- both -----------------------------------------------------------------------------------------------------


def list_both(context: typer.Context, folder: Folder = None) -> None:
    """Show the logs that are witnessed here, and who witnesses this installation's log."""
    settings = settings_of(context)
    path = _folder(settings, folder)
    shown = False
    if is_witness(path):
        _show_logs(_open_public(settings, folder))
        shown = True
    if DataFolder(settings.data).exists():
        house = house_of(context)
        house.log.sequence(house.now())
        _show_witnesses(house)
        shown = True
    if not shown:
        _open_public(settings, folder)  # says what is missing


# ---- the log's side -------------------------------------------------------------------------------------------


def add(
    context: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help=say("见证方密钥: 名称+标识+公钥", "its key: name+hash+base64"))
    ],
    url: Annotated[str, typer.Option("--url", help=say("见证方的网址", "where it is asked"))],
) -> None:
    """Add a witness to the trust list, and ask it at once."""
    house = house_of(context)
    _, amended = add_witness(house, key, url)
    if amended is not None:
        show_amended(amended)
    _show_key(
        say(
            "交给见证方, 由其执行 yinzheng witness trust-log:", "for the witness, who runs yinzheng witness trust-log:"
        ),
        _log_key(house),
    )
    house.log.sequence(house.now())
    _show_witnesses(house)


def remove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=say("见证方名称", "of the witness"))],
) -> None:
    """Take a witness out of the trust list."""
    house = house_of(context)
    show_amended(remove_witness(house, name))
    console.print(
        say(
            "注意: 该见证方此前的联署也不再计数; 离线核验旧证书时, 见证数可能不足。",
            "note: what it cosigned before counts no more either; old certificates checked offline may lack witnesses.",
        )
    )


def require(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="K", min=0, max=16, help=say("个数; 0 为不要求", "0 demands none"))],
) -> None:
    """Demand so many cosignatures, online and offline; refused while fewer witnesses answer."""
    house = house_of(context)
    house.log.sequence(house.now())
    show_amended(require_witnesses(house, number, len(_cosigned(house))))
    if number:
        console.print(
            say(
                "自此: 须有足够的见证签名才能出证; 撤销、暂扣不受影响。此前印出的证书若见证数不足, "
                "离线核验为“无法证实”, 在线核验不受影响。",
                "from now on printing waits for so many cosignatures; revoking never does. Certificates printed before "
                "with fewer are unknown offline, and as good as ever online.",
            )
        )
    _show_witnesses(house)


# ---- parts ----------------------------------------------------------------------------------------------------


def _folder(settings: Settings, folder: Path | None) -> Path:
    return folder or settings.witness


def _passphrase(settings: Settings) -> bytes:
    # Not the demo's, whatever the data folder is: a witness's key is a real one.
    return read_passphrase(settings.passphrase_file, os.environ, VARIABLE)


def _open_public(settings: Settings, folder: Path | None) -> WitnessHouse:
    """Open a witness's folder for what needs no key."""
    path = _folder(settings, folder)
    if not is_witness(path):
        raise NoWitness(path)
    return open_witness(path, witness_keys(path, None))


def _log_key(house: House) -> str:
    return verifier_key(house.installation.log_origin, house.store.public_key(Role.LOG))


def _show_key(title: str, key: str) -> None:
    """Print a key in one line that can be copied, however narrow the window is."""
    console.print(title)
    console.print(f"  {plain(key)}", soft_wrap=True)


def _show_logs(house: WitnessHouse) -> None:
    shown = table(
        say(f"{plain(house.public.name)} 所见证的日志", f"logs that {plain(house.public.name)} witnesses"),
        say("日志", "log"),
        say("密钥数", "keys"),
        say("已见证条数", "leaves cosigned"),
        say("最近联署(北京时间)", "last (Beijing time)"),
        say("分叉", "forks"),
    )
    for known in house.logs.all():
        forks = house.logs.forks(known.origin)
        shown.add_row(
            plain(known.origin),
            str(len(known.keys)),
            str(known.size),
            "-" if known.cosigned_at is None else _moment(known.cosigned_at),
            f"[bold red]{forks}[/]" if forks else "0",
        )
    console.print(shown)
    _show_key(say("本见证方密钥:", "the witness's key:"), witness_key(house.public))


def _show_witnesses(house: House) -> None:
    trust = house.witness_list.trust()
    shown = table(
        say(
            f"日志 {plain(house.installation.log_origin)} 的见证方(要求 {trust.witness_threshold} 个)",
            f"witnesses of {plain(house.installation.log_origin)} ({trust.witness_threshold} demanded)",
        ),
        say("名称", "name"),
        say("网址", "address"),
        say("最新检查点", "newest checkpoint"),
    )
    addresses, cosigned = house.witness_list.addresses(), _cosigned(house)
    for witness in trust.witnesses:
        shown.add_row(
            plain(witness.name),
            plain(addresses.get(witness.name, "-")),
            _said(house, witness, cosigned.get(witness.name)),
        )
    console.print(shown)
    _show_key(say("本日志密钥:", "the log's key:"), _log_key(house))


def _cosigned(house: House) -> dict[str, Cosignature]:
    """Who has cosigned the newest checkpoint, by name."""
    note = house.log.checkpoint()
    try:
        return {one.witness.name: one for one in read_cosignatures(note, house.witness_list.trust().witnesses)}
    except BadNote:
        return {}


def _said(house: House, witness: Witness, found: Cosignature | None) -> str:
    if found is not None:
        size = parse_checkpoint(parse_note(house.log.checkpoint()).text).size
        at = _moment(datetime.fromtimestamp(found.seconds, UTC))
        return say(f"[green]已见证 {size} 条[/], {at}", f"[green]{size} leaves cosigned[/] at {at}")
    reply = house.cosigners.replies.get(witness.name)
    problem = (
        say("未询问", "not asked")
        if reply is None or reply.problem is None
        else say(reply.problem.zh, reply.problem.en)
    )
    return f"[yellow]{plain(problem)}[/]"


def _moment(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
