"""``keys compromised``: declare a key stolen, after saying what that costs."""

import csv
import shlex
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from credential.cose import key_id
from credential.errors import InputError
from credential.trust import Role
from issuer.office import BEIJING
from keys.entry import KeyEntry, KeyState
from service.cli.amended import show_amended
from service.cli.keeping import keys_app
from service.cli.keys import state_name
from service.cli.language import say, sentence
from service.cli.opening import house_of
from service.cli.rotation import (
    GenerationOption,
    OwnerOption,
    RoleArgument,
    RoleOption,
    command_for,
    role_meant,
    show_key,
)
from service.cli.screens import console, plain, table
from service.compromise import (
    Declared,
    Toll,
    check_generation,
    check_since,
    declare_compromised,
    lost_certificates,
    other_generations,
    weigh,
    write_local,
)
from service.house import House
from service.rotation import OF_ISSUERS

CONFIRMED_BY = 8
"""Characters of the key ID that have to be typed to declare a key stolen."""


class BadMoment(InputError):
    """A moment that cannot be read."""

    code = "bad-moment"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no moment: write 2026-11-20T14:30 (Beijing time) or with a zone, 2026-11-20T06:30+00:00",
            f"“{text}”不是有效的时间: 请写作 2026-11-20T14:30(北京时间), 或带时区, 如 2026-11-20T06:30+00:00",
        )


class WrongConfirmation(InputError):
    """What was typed to confirm is not the beginning of the key's ID."""

    code = "wrong-confirmation"

    def __init__(self, typed: str) -> None:
        super().__init__(
            f"{typed!r} is not how the ID of this key begins; compare it with yinzheng keys list",
            f"“{typed}”与该密钥的指纹不符; 请用 yinzheng keys list 核对",
        )


def add_to(_app: typer.Typer) -> None:
    """Add the command of this file, which stands in the group ``keys``."""
    keys_app.command(
        "compromised",
        help=say(
            "紧急: 宣布密钥自某时起泄露; 先用 --dry-run 查看影响",
            "emergency: declare a key stolen since a moment; look at what it costs with --dry-run first",
        ),
    )(keys_compromised)


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
    meant = role_meant(role, role_option, owner)
    entry = house.store.entry(meant, owner, generation)
    moment = check_since(house, entry, _moment(since), later=later)
    if generation is None:
        check_generation(house, entry, moment)
    own_id = key_id(entry.public_key).hex()
    is_meant = not dry_run and confirm.lower() == own_id[:CONFIRMED_BY]
    _show_toll(entry, weigh(house, entry, moment))
    _show_others(house, entry, moment)
    if lost is not None:
        _write_lost(house, entry, moment, lost)
    if not is_meant:
        # With the generation, so that the line may be repeated when the next key has taken its place.
        options = f"--since {shlex.quote(since)} --generation {entry.generation}" + (" --later" if later else "")
        command = command_for("compromised", meant, owner) + f" {options} --confirm {own_id[:CONFIRMED_BY]}"
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


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadMoment(text) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=BEIJING)


def _show_toll(entry: KeyEntry, toll: Toll) -> None:
    """Say what a declaration costs, as a tired person reads it."""
    when = write_local(toll.since)
    show_key(say(f"宣布自 {when}(北京时间)起泄露", f"declare stolen since {when} (Beijing time)"), entry)
    role = Role(entry.role)
    if role in OF_ISSUERS:
        console.print(_last_stamp(toll))
        shown = table(
            "",
            say("核验方式", "checked by"),
            say("仍然有效", "stays good"),
            say("将无法证实", "becomes unknown"),
        )
        by_code = say("二维码、核验码、编号加姓名", "QR code, code, serial and name")
        for name, (good, bad) in ((by_code, toll.codes), (say("PDF 文件", "PDF file"), toll.files)):
            shown.add_row(name, str(good), f"[bold red]{bad}[/]" if bad else "0")
        console.print(shown)
    console.print(say(*_MEANING[role]), soft_wrap=True)


def _show_others(house: House, entry: KeyEntry, since: datetime) -> None:
    """List the other generations: whoever had this key may have had those, and each is declared by itself."""
    others = other_generations(house, entry)
    if not others:
        return
    shown = table(
        say("其他各代密钥(不在此次宣布之内)", "the other generations, which this does not declare"),
        say("密钥", "key"),
        say("状态", "state"),
        say("启用于", "signs since"),
        say("扫码等 有效/无法证实", "codes good/unknown"),
        say("文件 有效/无法证实", "files good/unknown"),
    )
    for one in others:
        toll = weigh(house, one, since)
        counts = [f"{good} / {bad}" if one.role in OF_ISSUERS else "-" for good, bad in (toll.codes, toll.files)]
        begun = "-" if one.state is KeyState.PENDING else write_local(one.activated_at or one.created_at)
        shown.add_row(one.name, state_name(one), begun, *counts)
    console.print(shown)
    console.print(
        say(
            "如果它们也可能已泄露(例如整个数据目录被拷走), 请用 --generation 逐一查看并宣布。",
            "Those that may be in other hands too (say, the whole data folder was copied) are declared one by one, "
            "with --generation.",
        ),
        soft_wrap=True,
    )


def _last_stamp(toll: Toll) -> str:
    if toll.last_stamp is None:
        return say(
            "[bold red]此前没有任何时间戳, 因此没有证书能够保全[/]",
            "[bold red]there is no time stamp from before that, so nothing can be spared[/]",
        )
    stamp = write_local(toll.last_stamp)
    return say(f"此前最近的时间戳: {stamp}(北京时间)", f"newest time stamp before that: {stamp} (Beijing time)")


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
        show_key(say("新密钥已启用", "the next key is active"), declared.successor)
    elif declared.left:
        command = command_for("activate", role, owner)
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
