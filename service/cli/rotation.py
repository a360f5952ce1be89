"""``keys roll|activate|retire|compromised`` and ``log stamp``: change the keys that sign, and be ready for a theft."""

import csv
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from credential.cose import key_id
from credential.errors import InputError
from credential.ports import Algorithm
from credential.trust import Role
from issuer.office import BEIJING
from keys.entry import IN_FILE, KeyEntry
from service.cli.amended import show_amended
from service.cli.keeping import keys_app
from service.cli.language import say, sentence
from service.cli.log import log_app
from service.cli.opening import house_of
from service.cli.screens import console, pairs, plain, table
from service.compromise import Declared, Toll, check_since, declare_compromised, lost_certificates, weigh
from service.house import House
from service.profiles import NoTimestampAuthority
from service.rotation import OF_ISSUERS, ROLLED, activate_key, retire_key, roll_key
from service.stamping import stamp_checkpoint

CONFIRMED_BY = 8
"""Characters of the key ID that have to be typed to declare a key stolen."""

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


class BadMoment(InputError):
    """A moment that cannot be read."""

    code = "bad-moment"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no moment: write 2026-11-20T14:30 (Beijing time) or with a zone, 2026-11-20T06:30+00:00",
            f"“{text}”不是有效的时间: 请写作 2026-11-20T14:30(北京时间), 或带时区, 如 2026-11-20T06:30+00:00",
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
    keys_app.command(
        "compromised",
        help=say(
            "紧急: 宣布密钥自某时起泄露; 先用 --dry-run 查看影响",
            "emergency: declare a key stolen since a moment; look at what it costs with --dry-run first",
        ),
    )(keys_compromised)
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
    meant = _role(role, role_option, owner)
    rolled = roll_key(house_of(context), meant, owner, algorithm=algorithm, kept_in=kept_in)
    _show(say("下一代密钥已就绪, 尚未启用", "the next key is ready and not yet active"), rolled.entry)
    if rolled.needs_certificate:
        command = f"yinzheng keys csr --issuer {owner} --out {rolled.entry.name}.csr"
        then, last = f"yinzheng keys import --issuer {owner} --chain …", _command("activate", meant, owner)
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
    command = _command("activate", meant, owner)
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
    meant = _role(role, role_option, owner)
    entry = activate_key(house_of(context), meant, owner, generation)
    _show(say("密钥已启用", "the key is active"), entry)
    command = _command("retire", meant, owner)
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
    amended = retire_key(house_of(context), _role(role, role_option, owner), owner, generation)
    console.print(
        say(
            "原密钥的有效期已在信任列表中结束; 它以前所签的证书仍然有效",
            "the old key's time has ended in the trust list; certificates that it signed before stay good",
        )
    )
    show_amended(amended)


def keys_compromised(
    context: typer.Context,
    since: Annotated[
        str,
        typer.Option(
            help=say(
                "密钥可能落入他人之手的最早时间, 如 2026-11-20T14:30(北京时间)",
                "the earliest moment somebody else may have had the key, as 2026-11-20T14:30 (Beijing time)",
            )
        ),
    ],
    role: RoleArgument = None,
    role_option: RoleOption = None,
    owner: OwnerOption = "",
    generation: GenerationOption = None,
    confirm: Annotated[
        str,
        typer.Option(
            help=say(f"确认: 该密钥指纹的前 {CONFIRMED_BY} 位", f"to do it: first {CONFIRMED_BY} digits of the key ID")
        ),
    ] = "",
    lost: Annotated[
        Path | None,
        typer.Option(
            "--list", help=say("把将无法证实的证书编号写入此 CSV 文件", "write the serials that become unknown, CSV")
        ),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("只看影响, 不作更改", "only count"))] = False,
    later: Annotated[
        bool, typer.Option("--later", help=say("更正为更晚的时间", "correct a moment that was too early"))
    ] = False,
) -> None:
    """Declare a key stolen, after showing what that costs."""
    house = house_of(context)
    meant = _role(role, role_option, owner)
    entry = house.store.entry(meant, owner, generation)
    moment = check_since(house, entry, _moment(since), later=later)
    own_id = key_id(entry.public_key).hex()
    is_meant = not dry_run and confirm.lower() == own_id[:CONFIRMED_BY]
    _show_toll(entry, weigh(house, entry, moment))
    if lost is not None:
        _write_lost(house, entry, moment, lost)
    if not is_meant:
        options = f"--since {since}" + (f" --generation {entry.generation}" if generation else "")
        command = _command("compromised", meant, owner) + f" {options} --confirm {own_id[:CONFIRMED_BY]}"
        console.print(
            say(
                f"[bold]尚未作任何更改。[/]确认无误后执行:\n  {plain(command)}",
                f"[bold]Nothing was changed.[/] If this is what you mean, run:\n  {plain(command)}",
            ),
            soft_wrap=True,
        )
        if confirm and not dry_run:
            raise WrongConfirmation(confirm)
        return
    _show_declared(meant, owner, declare_compromised(house, entry, moment, later=later))


class WrongConfirmation(InputError):
    """What was typed to confirm is not the beginning of the key's ID."""

    code = "wrong-confirmation"

    def __init__(self, typed: str) -> None:
        super().__init__(
            f"{typed!r} is not how the ID of this key begins; compare it with yinzheng keys list",
            f"“{typed}”与该密钥的指纹不符; 请用 yinzheng keys list 核对",
        )


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


def _role(argument: Role | None, option: Role | None, owner: str) -> Role:
    role = argument or option
    if role is None or (role in OF_ISSUERS) is not bool(owner):
        raise RoleNeeded
    return role


def _command(verb: str, role: Role, owner: str) -> str:
    return f"yinzheng keys {verb} {role}" + (f" --issuer {owner}" if owner else "")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadMoment(text) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=BEIJING)


def _show(title: str, entry: KeyEntry) -> None:
    console.print(
        pairs(
            title,
            {
                say("密钥", "key"): entry.name,
                say("算法", "algorithm"): entry.algorithm.value,
                say("指纹", "key ID"): key_id(entry.public_key).hex(),
            },
        )
    )


def _show_toll(entry: KeyEntry, toll: Toll) -> None:
    """Say what a declaration costs, as a tired person reads it."""
    when = toll.since.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    stamp = "-" if toll.last_stamp is None else toll.last_stamp.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    _show(say(f"宣布自 {when}(北京时间)起泄露", f"declare stolen since {when} (Beijing time)"), entry)
    role = Role(entry.role)
    if role in OF_ISSUERS:
        shown = table(
            say(f"此前最近的时间戳: {stamp}(北京时间)", f"newest time stamp before that: {stamp} (Beijing time)"),
            say("核验方式", "checked by"),
            say("仍然有效", "stays good"),
            say("将无法证实", "becomes unknown"),
        )
        by_code = say("二维码、核验码、编号加姓名", "QR code, code, serial and name")
        for name, (good, bad) in ((by_code, toll.codes), (say("PDF 文件", "PDF file"), toll.files)):
            shown.add_row(name, str(good), f"[bold red]{bad}[/]" if bad else "0")
        console.print(shown)
    console.print(say(*_MEANING[role]), soft_wrap=True)


_MEANING: dict[Role, tuple[str, str]] = {
    Role.QR: (
        (
            "无法证实的证书: 核验结果为“无法证实”, 不会显示“伪造”, 也不会再显示“有效”; 须以新密钥重新出证(更正)。"
            "此数按出证时间统计。"
        ),
        (
            "Unknown means: never valid again and never called forged; these have to be issued again under the next "
            "key (as corrections). Counted by time of issue."
        ),
    ),
    Role.PDF: (
        "只影响 PDF 文件; 扫码和核验码查询不受影响。无法证实的文件须以新密钥重新出证(更正)。此数按出证时间统计。",
        (
            "Only files are concerned; QR codes and look-ups are not. Files that become unknown have to be issued "
            "again under the next key (as corrections). Counted by time of issue."
        ),
    ),
    Role.LOG: (
        (
            "在线核验: 以新密钥重新发布检查点后, 全部证书不受影响。离线核验: 文件内的旧日志证明不再被采信, "
            "须附泄露之前加盖时间戳的证据文件(yinzheng evidence)。"
        ),
        (
            "Online nothing is lost: everything is proven anew under the next key at once. Offline, the proof inside a "
            "file counts no more; an evidence file stamped before the theft takes its place (yinzheng evidence)."
        ),
    ),
    Role.STATUS: (
        (
            "该密钥签发的状态列表全部作废, 立即以新密钥重新发布全部列表; 证书本身不受影响。"
            "离线核验方须取得新的信任列表和状态列表。"
        ),
        (
            "All lists by this key are worthless and are published anew under the next key at once; no certificate is "
            "lost. Offline verifiers need the new trust list and the new status lists."
        ),
    ),
    Role.RECEIPT: (
        "该密钥签发的核验回执一律不再被采信; 证书不受影响。",
        "Receipts by this key count no more; certificates are not concerned.",
    ),
}


def _show_declared(role: Role, owner: str, declared: Declared) -> None:
    show_amended(declared.amended)
    if declared.successor is not None:
        _show(say("新密钥已启用", "the next key is active"), declared.successor)
    elif declared.left:
        command = _command("activate", role, owner)
        console.print(
            say(
                f"[bold yellow]新密钥尚未启用, 此前请勿出证。[/] 处理完下列事项后执行 {command}",
                "[bold yellow]The next key does not sign yet: issue nothing until it does.[/] After what is listed "
                f"below run {command}",
            ),
            soft_wrap=True,
        )
    for error in declared.left:
        console.print(f"[yellow]![/] {plain(sentence(error))}", soft_wrap=True)
    console.print(
        say(
            "请通知各离线核验方更新信任列表, 并重启仍在运行的出证进程。详见 docs/rotation.md",
            "Tell offline verifiers to fetch the new trust list, and restart issuing processes that still run. See "
            "docs/rotation.md",
        ),
        soft_wrap=True,
    )


def _write_lost(house: House, entry: KeyEntry, since: datetime, path: Path) -> None:
    with path.open("x", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["编号 serial", "版本 version", "出证时间 issued at", "仅 PDF 文件 file only"])
        for one in lost_certificates(house, entry, since):
            lines.writerow([one.serial, one.version, one.issued_at.astimezone(BEIJING).isoformat(), not one.by_code])
    console.print(say(f"清单已写入 {plain(str(path))}", f"the list is in {plain(str(path))}"))
