"""``keys roll|activate|retire`` and ``log stamp``: change the keys that sign, and be ready for a theft."""

from typing import Annotated

import typer

from credential.cose import key_id
from credential.errors import InputError
from credential.ports import Algorithm
from credential.trust import Role
from keys.entry import IN_FILE, KeyEntry
from service.cli.amended import show_amended
from service.cli.keeping import keys_app
from service.cli.language import say, sentence
from service.cli.log import log_app
from service.cli.opening import house_of
from service.cli.screens import console, pairs, plain
from service.profiles import NoTimestampAuthority
from service.rotation import OF_ISSUERS, ROLLED, activate_key, retire_key, roll_key
from service.stamping import stamp_checkpoint

RoleArgument = Annotated[
    Role | None,
    typer.Argument(metavar="ROLE", help=say(f"用途: {', '.join(ROLLED)}", f"what it signs: {', '.join(ROLLED)}")),
]
RoleOption = Annotated[Role | None, typer.Option("--role", help=say("用途(同 ROLE)", "the same as ROLE"))]
OwnerOption = Annotated[
    str, typer.Option("--issuer", help=say("发证机构代号(pdf, qr)", "ID of the issuer, for pdf and qr"))
]
GenerationOption = Annotated[
    int | None, typer.Option("--generation", help=say("第几代密钥, 见 keys list", "which generation, see keys list"))
]


class RoleNeeded(InputError):
    """It has to be said which key is meant."""

    code = "role-needed"

    def __init__(self) -> None:
        super().__init__(
            f"say which key is meant: one of {', '.join(ROLLED)}, and --issuer ID for pdf and qr",
            f"请指明密钥用途({', '.join(ROLLED)} 之一); pdf、qr 还须用 --issuer 指明发证机构",
        )


def add_to(_app: typer.Typer) -> None:
    """Add the commands of this file, which stand in the groups ``keys`` and ``log``."""
    keys_app.command(
        "roll",
        help=say(
            "更换密钥第一步: 创建下一代密钥并写入信任列表, 暂不使用",
            "roll, step 1: make the next key and announce it in the trust list; it signs nothing yet",
        ),
    )(keys_roll)
    keys_app.command(
        "activate",
        help=say(
            "更换密钥第二步: 启用下一代密钥, 原密钥不再用于签名",
            "roll, step 2: the next key signs from now on, the one before no more",
        ),
    )(keys_activate)
    keys_app.command(
        "retire",
        help=say(
            "更换密钥第三步: 在信任列表中结束原密钥的有效期; 它以前所签的仍然有效",
            "roll, step 3: end the old key's time in the trust list; what it signed before stays good",
        ),
    )(keys_retire)
    log_app.command(
        "stamp",
        help=say("立即为日志检查点加盖可信时间戳", "have the log's checkpoint stamped now by the authorities"),
    )(log_stamp)


def keys_roll(
    context: typer.Context,
    role: RoleArgument = None,
    role_option: RoleOption = None,
    owner: OwnerOption = "",
    algorithm: Annotated[
        Algorithm | None, typer.Option(help=say("算法, 默认与现用密钥相同", "kind of key; as the one in use"))
    ] = None,
    kept_in: Annotated[str, typer.Option("--in", help=say("保存位置, 见 keys make", "where; see keys make"))] = IN_FILE,
) -> None:
    """Make and announce the next key."""
    meant = role_meant(role, role_option, owner)
    rolled = roll_key(house_of(context), meant, owner, algorithm=algorithm, kept_in=kept_in)
    show_key(say("下一代密钥已就绪, 尚未启用", "the next key is ready and not yet active"), rolled.entry)
    if rolled.needs_certificate:
        command = f"yinzheng keys csr --issuer {owner} --out pdf.csr"
        then, last = f"yinzheng keys import --issuer {owner} --chain …", command_for("activate", meant, owner)
        console.print(
            say(
                f"下一步: {command}, 提交认证机构; 收到证书后 {then}, 再执行 {last}",
                f"next: {command} for the CA; with its answer {then}, then {last}",
            ),
            soft_wrap=True,
        )
        return
    if rolled.amended is not None:
        show_amended(rolled.amended)
    command = command_for("activate", meant, owner)
    console.print(
        say(
            f"下一步: 待各方取得新的信任列表后(建议一天), 执行 {command}",
            f"next: when verifiers have had time to fetch the new list (a day), run {command}",
        ),
        soft_wrap=True,
    )


def keys_activate(
    context: typer.Context,
    role: RoleArgument = None,
    role_option: RoleOption = None,
    owner: OwnerOption = "",
    generation: GenerationOption = None,
) -> None:
    """Let the next key sign."""
    meant = role_meant(role, role_option, owner)
    entry = activate_key(house_of(context), meant, owner, generation)
    show_key(say("密钥已启用", "the key is active"), entry)
    command = command_for("retire", meant, owner)
    console.print(
        say(
            f"原密钥已停止签名, 以前所签的仍然有效。所有进行中的批次完成后, 执行 {command}",
            f"the old key signs nothing any more, and what it signed stays good. When every batch is finished, run "
            f"{command}",
        ),
        soft_wrap=True,
    )


def keys_retire(
    context: typer.Context,
    role: RoleArgument = None,
    role_option: RoleOption = None,
    owner: OwnerOption = "",
    generation: GenerationOption = None,
) -> None:
    """End the old key's time."""
    amended = retire_key(house_of(context), role_meant(role, role_option, owner), owner, generation)
    console.print(
        say(
            "原密钥的有效期已在信任列表中结束; 它以前所签的证书仍然有效",
            "the old key's time has ended in the trust list; certificates that it signed before stay good",
        )
    )
    show_amended(amended)


def log_stamp(context: typer.Context) -> None:
    """Have the checkpoint stamped now."""
    house = house_of(context)
    done = stamp_checkpoint(house, at_once=True)
    if done is None:
        raise NoTimestampAuthority(say("加盖时间戳", "a stamped checkpoint"))
    for address in done.stamped:
        console.print(
            say(
                f"[green]✓[/] {plain(address)} 已为 {done.size} 条的检查点加盖时间戳",
                f"[green]✓[/] {plain(address)} has stamped the checkpoint of {done.size} leaves",
            )
        )
    for error in done.failed.values():
        console.print(f"[yellow]![/] {plain(sentence(error))}")
    if not done.stamped:
        raise typer.Exit(1)


def role_meant(argument: Role | None, option: Role | None, owner: str) -> Role:
    """Say which role is meant.

    Raises:
        RoleNeeded: none, or the issuer is missing or out of place.
    """
    role = argument or option
    if role is None or (role in OF_ISSUERS) is not bool(owner):
        raise RoleNeeded
    return role


def command_for(verb: str, role: Role, owner: str) -> str:
    """Write a command out for people to repeat."""
    return f"yinzheng keys {verb} {role}" + (f" --issuer {owner}" if owner else "")


def show_key(title: str, entry: KeyEntry) -> None:
    """Show which key something is about."""
    console.print(f"[bold]{title}[/]", soft_wrap=True)  # a table would break it at its own width
    console.print(
        pairs(
            "",
            {
                say("密钥", "key"): entry.name,
                say("算法", "algorithm"): entry.algorithm.value,
                say("指纹", "key ID"): key_id(entry.public_key).hex(),
            },
        )
    )
