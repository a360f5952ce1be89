"""``trust``: the list of issuers and keys that everybody believes, and the roots that sign it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from credential.cose import key_id
from credential.dsse import open_envelope
from credential.errors import InputError
from credential.ports import Signer
from credential.trust import PAYLOAD_TYPE, TrustedKey, TrustList
from keys.private_files import read_passphrase
from service.cli.amended import show_amended
from service.cli.custody import open_root
from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import console, pairs, plain, table
from service.folder import DataFolder
from service.house import SystemClock
from service.pinned import believe_trust_list
from service.roots import (
    drop_own_roots,
    fingerprint,
    load_root,
    make_root,
    pin_trust_list,
    publish_drafts,
    read_draft,
    read_public_root,
    set_roots,
    sign_draft,
)
from service.trust import read_content, renew_trust_list
from service.trust_difference import differences

_GROUP = 8  # digits of a fingerprint that are read out at once

trust_app = typer.Typer(
    help=say("信任列表与根密钥", "the trust list, and the roots that sign it"), no_args_is_help=True
)
roots_app = typer.Typer(help=say("离线根密钥", "offline roots"), no_args_is_help=True)

Lists = Annotated[list[Path], typer.Argument(metavar="FILE…", help=say("信任列表文件", "files of the list"))]
Before = Annotated[
    Path | None,
    typer.Option("--before", help=say("上一版列表, 用于列出变更", "the list before, to show what changes")),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--root-passphrase-file", help=say("根密钥口令文件(权限 600)", "file with the root's passphrase")),
]


class NotConfirmed(InputError):
    """Nobody has said yes to what is about to be signed or destroyed."""

    code = "not-confirmed"

    def __init__(self) -> None:
        super().__init__(
            "nothing was done, for nobody said yes; read it over, then say yes or give --yes",
            "未确认, 未做任何操作; 请核对内容后回答“y”或加 --yes",
        )


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    trust_app.command("show", help=say("显示信任列表", "show a list, by default the installation's"))(trust_show)
    trust_app.command("verify", help=say("按已固定的根公钥核对列表", "check lists against the pinned roots"))(
        trust_verify
    )
    trust_app.command("pin", help=say("核对纸质指纹后固定根公钥", "believe roots whose fingerprints were compared"))(
        trust_pin
    )
    trust_app.command("draft", help=say("生成新的一版(补全密钥, 续期一年)", "draft or publish the next version"))(
        trust_draft
    )
    trust_app.command("sign", help=say("用离线根密钥签名草稿", "sign a draft with an offline root"))(trust_sign)
    trust_app.command("publish", help=say("发布已签名的草稿", "publish a draft that came back signed"))(trust_publish)
    roots_app.command("make", help=say("生成一个离线根密钥文件", "make the key file of an offline root"))(roots_make)
    roots_app.command("set", help=say("更换根密钥(新旧根均须签名)", "change the roots; old and new sign"))(roots_set)
    roots_app.command(
        "offline",
        help=say(
            "启用离线根密钥后, 销毁数据目录中的根密钥", "destroy the root key in the data folder, once it is not needed"
        ),
    )(roots_offline)
    trust_app.add_typer(roots_app, name="roots")
    app.add_typer(trust_app, name="trust")


def trust_show(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help=say("信任列表或草稿文件", "a list or a draft"))] = None,
    before: Before = None,
) -> None:
    """Show what a list says and which roots have signed it; nothing of it is believed by that."""
    _show(DataFolder(settings_of(context).data).trust_list if file is None else file, before)


def trust_verify(context: typer.Context, files: Lists) -> None:
    """Check lists, oldest first, as a verifier does: pinned roots, version, expiry; changes of roots are followed."""
    folder = DataFolder(settings_of(context).data)
    for file in files:
        trust = believe_trust_list(folder, read_draft(file), SystemClock().now())
        until = f"{trust.expires:%Y-%m-%d}"
        console.print(
            say(
                f"[green]✓[/] {plain(str(file))}: 第 {trust.version} 版, 有效至 {until}",
                f"[green]✓[/] {plain(str(file))}: version {trust.version}, good until {until}",
            )
        )


def trust_pin(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help=say("信任列表文件", "file of the list"))],
    fingerprints: Annotated[
        list[str],
        typer.Option(
            "--fingerprint",
            help=say("纸面上的根公钥指纹(SHA-256), 可多次给出", "fingerprint of a root, from paper; repeat it"),
        ),
    ],
) -> None:
    """Believe the roots of a list from now on; where a verifier has no installation of its own."""
    folder = DataFolder(settings_of(context).data)
    trust = pin_trust_list(folder, file, fingerprints, SystemClock().now())
    console.print(
        say(
            f"已固定 {len(trust.roots)} 个根公钥(须 {trust.threshold} 个签名), 现为第 {trust.version} 版",
            f"{len(trust.roots)} roots are pinned, {trust.threshold} must sign; the list is version {trust.version}",
        )
    )


def trust_draft(context: typer.Context) -> None:
    """Draft the next version with whatever it lacks, for another year; published at once if the roots are at hand."""
    show_amended(renew_trust_list(house_of(context)))


def trust_sign(
    file: Annotated[Path, typer.Argument(help=say("草稿文件", "the draft"))],
    roots: Annotated[list[Path], typer.Option("--root", help=say("根密钥文件, 可多次给出", "a root's key file"))],
    passphrase_file: PassphraseFile = None,
    sheets: Annotated[
        list[Path] | None, typer.Option("--sheet", help=say("口令份额页文件", "a share of the passphrase, its sheet"))
    ] = None,
    out: Annotated[Path | None, typer.Option(help=say("另存为", "write the signed draft there"))] = None,
    before: Before = None,
    *,
    shares: Annotated[bool, typer.Option("--shares", help=say("口令由各保管人的份额合成", "ask for shares"))] = False,
    yes: Annotated[bool, typer.Option("--yes", help=say("不再询问", "do not ask"))] = False,
) -> None:
    """Sign a draft on the offline machine; no data folder is needed."""
    _show(file, before)
    _confirm(say("以上内容核对无误, 签名?", "is all of that right, sign it?"), yes=yes)
    signers: list[Signer] = []
    for root in roots:
        if shares or sheets:
            signers.append(open_root(root, sheets or ()))
        else:
            signers.append(load_root(root, _passphrase(passphrase_file, confirm=False)))
    trust = sign_draft(file, signers, out)
    for signer in signers:
        if signer.public_key not in trust.roots:
            console.print(
                say(
                    "[yellow]该根密钥不在新列表中: 仅在更换根密钥时作为旧根有用[/]",
                    "[yellow]the list does not name this root: it counts only as an old root, at a change of roots[/]",
                )
            )
    signed = out or file
    written = plain(str(signed))
    console.print(
        say(
            f"已签名: {written}; 请带回执行 yinzheng trust publish",
            f"signed: {written}; take it back, then: yinzheng trust publish",
        )
    )
    found = len(open_envelope(read_draft(signed), PAYLOAD_TYPE).signers(trust.roots))
    if found < trust.threshold:
        missing = trust.threshold - found
        console.print(
            say(
                f"[yellow]本文件已有 {found}/{trust.threshold} 个根签名, 还缺 {missing} 个[/]",
                f"[yellow]this file has {found} of {trust.threshold} root signatures, {missing} are missing[/]",
            )
        )
    else:
        console.print(
            say(
                f"[green]签名已够[/]({found}/{trust.threshold}); 若本版更换了根密钥, 旧根也须签够",
                f"[green]enough roots have signed[/] ({found} of {trust.threshold}); where the roots are changed, "
                "enough old ones have to as well",
            )
        )


def trust_publish(context: typer.Context, files: Lists) -> None:
    """Publish a draft that came back; several copies with a signature each are joined."""
    trust = publish_drafts(house_of(context), files)
    console.print(say(f"信任列表第 {trust.version} 版已发布", f"trust list version {trust.version} is published"))


def roots_make(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", help=say("根密钥文件, 不得在数据目录内", "key file, not in the data folder"))
    ],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a root key in an encrypted file, and its public part beside it."""
    folder = DataFolder(settings_of(context).data)
    public = make_root(out, _passphrase(passphrase_file, confirm=True), folder)
    console.print(
        pairs(
            say("根密钥已生成", "root key made"),
            {
                say("密钥文件(离线保管)", "key file, keep it offline"): plain(str(out)),
                say("公钥文件", "public part"): plain(str(public)),
                say("指纹", "fingerprint"): _grouped(fingerprint(read_public_root(public))),
                say("下一步", "next"): f"yinzheng trust roots set --threshold M {plain(public.name)} …",
            },
        )
    )


def roots_set(
    context: typer.Context,
    public: Annotated[list[Path], typer.Argument(metavar="PUB…", help=say("新根的公钥文件(.pub)", "the new roots"))],
    threshold: Annotated[int, typer.Option(help=say("须有几个签名", "how many must sign"))],
) -> None:
    """Draft a list with other roots; enough of the old and of the new must sign it."""
    show_amended(set_roots(house_of(context), [read_public_root(one) for one in public], threshold))


def roots_offline(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", help=say("不再询问", "do not ask"))] = False,
) -> None:
    """Destroy the root key in the data folder; from then on only the offline roots can change the list."""
    house = house_of(context)
    _confirm(
        say("销毁数据目录中的根密钥, 此后只有离线根密钥能更改信任列表?", "destroy the root key in the data folder?"),
        yes=yes,
    )
    gone = ", ".join(drop_own_roots(house))
    console.print(
        say(
            f"已销毁根密钥 {gone}; 旧备份中的副本也须销毁",
            f"the root key {gone} is destroyed; destroy its copies in older backups too",
        )
    )


def _show(file: Path, before: Path | None) -> None:
    envelope = read_draft(file)
    trust = read_content(envelope)
    signed = open_envelope(envelope, PAYLOAD_TYPE).signers(trust.roots)
    console.print(
        pairs(say("信任列表(仅显示, 未核对)", "trust list, shown and not checked"), _facts(trust, len(signed)))
    )
    roots = table(
        say("根密钥", "roots"), say("指纹 (SHA-256)", "fingerprint (SHA-256)"), say("本版已签名", "signed it")
    )
    for root in trust.roots:
        roots.add_row(_grouped(fingerprint(root)), "[green]✓[/]" if root in signed else "-")
    known = {key_id(root).hex() for root in trust.roots}
    for keyid, _ in open_envelope(envelope, PAYLOAD_TYPE).signatures:
        if keyid not in known:
            roots.add_row(say(f"{plain(keyid)}: 不在列表中(旧根?)", f"{plain(keyid)}: not named (an old root?)"), "?")
    console.print(roots)
    keys = table(
        say("密钥", "keys"),
        say("用途", "role"),
        say("机构", "issuer"),
        say("算法", "algorithm"),
        say("指纹", "key ID"),
        say("启用", "from"),
        say("状态", "state"),
    )
    names = {one.uscc: one.name for one in trust.issuers}
    for key in trust.keys:
        owner = plain(names.get(key.issuer, key.issuer)) or "-"
        since = f"{key.valid_from:%Y-%m-%d}"
        keys.add_row(key.role, owner, key.algorithm, key_id(key.public_key).hex(), since, _state(key))
    console.print(keys)
    if before is not None:
        _show_changes(read_content(read_draft(before)), trust)


def _show_changes(before: TrustList, after: TrustList) -> None:
    shown = table(say(f"与第 {before.version} 版相比", f"against version {before.version}"), say("变更", "changes"))
    for zh, en in differences(before, after):
        shown.add_row(plain(say(zh, en)))
    if not shown.row_count:
        shown.add_row(say("仅续期, 无其他变更", "renewed only, nothing else"))
    console.print(shown)


def _facts(trust: TrustList, signed: int) -> dict[str, str]:
    names = plain(", ".join(one.name for one in trust.witnesses))
    needed = say(f"{names}, 须 {trust.witness_threshold} 个", f"{names}, {trust.witness_threshold} needed")
    return {
        say("版本", "version"): str(trust.version),
        say("签发", "issued"): _day(trust.issued_at),
        say("有效至", "good until"): _day(trust.expires),
        say("日志", "log"): plain(trust.log_origin),
        say("发证机构", "issuers"): plain("; ".join(f"{one.name} ({one.uscc})" for one in trust.issuers)) or "-",
        say("CA 证书", "CA certificates"): str(len(trust.ca_certs)),
        say("时间戳证书", "TSA certificates"): str(len(trust.tsa_certs)),
        say("见证方", "witnesses"): needed if trust.witnesses else say("未启用", "none"),
        say("停用的日志", "former logs"): plain(", ".join(one.origin for one in trust.former_logs)) or "-",
        say("根签名", "root signatures"): say(
            f"{signed} 个, 须 {trust.threshold} 个(共 {len(trust.roots)} 个根)",
            f"{signed} of {trust.threshold} needed, of {len(trust.roots)} roots",
        ),
    }


def _state(key: TrustedKey) -> str:
    if key.compromised_since is not None:
        day = _day(key.compromised_since)
        return say(f"[bold red]{day} 起失密[/]", f"[bold red]compromised since {day}[/]")
    if key.valid_until is not None:
        return say(f"用至 {_day(key.valid_until)}", f"until {_day(key.valid_until)}")
    return say("使用中", "in use")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _grouped(text: str) -> str:
    return " ".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def _confirm(question: str, *, yes: bool) -> None:
    if not yes and not typer.confirm(question):
        raise NotConfirmed


def _passphrase(file: Path | None, *, confirm: bool) -> bytes:
    if file is not None:
        return read_passphrase(file, {}, "--root-passphrase-file")
    asked = say("根密钥的口令", "passphrase of the root key")
    return str(typer.prompt(asked, hide_input=True, confirmation_prompt=confirm)).encode()
