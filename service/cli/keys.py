"""``keys list|make|csr|import``: signing keys, where they are kept, and their certificates."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from credential.cose import key_id
from credential.errors import InputError
from credential.ports import Algorithm
from credential.trust import Role
from keys.entry import IN_FILE, KeyEntry, KeyState
from service.certificates import without_list_address
from service.cli.amended import show_amended
from service.cli.keeping import keys_app
from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console, pairs, plain, table
from service.keeping import valid_until
from service.key_places import place_names
from service.signing_keys import adopt_key, import_chain, make_key, newest_key, request_for

IssuerOption = Annotated[str, typer.Option(help=say("发证机构代号", "ID of the issuer"))]
OwnerOption = Annotated[
    str, typer.Option("--issuer", help=say("发证机构代号(pdf, qr)", "ID of the issuer, for pdf, qr"))
]
GenerationOption = Annotated[
    int | None,
    typer.Option("--generation", help=say("第几代密钥, 默认最新的", "which generation of the key; the newest")),
]


class CannotBeMade(InputError):
    """A role whose keys are not made by this command."""

    code = "role-made-elsewhere"

    def __init__(self, role: str) -> None:
        super().__init__(
            f"keys for {role} are not made here: pdf, qr, log and status are; those of roots belong on an offline "
            "machine, see docs/security.md",
            f"此命令不创建 {role} 密钥, 只创建 pdf, qr, log, status; 根密钥应在离线机器上创建, 见 docs/security.md",
        )
        self.role = role


def add_to(_app: typer.Typer) -> None:
    """Add the commands of this file, which stand in the group ``keys``."""
    keys_app.command("list", help=say("列出密钥(只列公开部分)", "list the keys; public parts only"))(keys_list)
    keys_app.command(
        "make",
        help=say(
            "创建下一代密钥, 启用前不用于签名; 可存于加密文件、密码设备(pkcs11)或插件",
            "make the next key, which signs nothing until it is activated: in an encrypted file, a token (pkcs11) or "
            "a plug-in",
        ),
    )(keys_make)
    keys_app.command("csr", help=say("生成向认证机构申请证书的请求(PKCS#10)", "write a request for a CA (PKCS#10)"))(
        keys_csr
    )
    keys_app.command(
        "import",
        help=say(
            "导入认证机构签发的证书链; 先逐项检查并试签, 通过后才启用",
            "take in a CA's certificate chain, after judging it and signing a trial",
        ),
    )(keys_import)


def keys_list(context: typer.Context) -> None:
    """List the keys of every generation."""
    shown = table(
        say("密钥", "keys"),
        say("密钥", "key"),
        say("状态", "state"),
        say("保存在", "kept in"),
        say("算法", "algorithm"),
        say("指纹", "key ID"),
        say("证书至", "cert. until"),
    )
    for column in shown.columns:
        column.no_wrap = True
    for one in house_of(context).store.entries():
        shown.add_row(
            one.name,
            state_name(one),
            plain(place_name(one.kept_in)),
            one.algorithm.value,
            key_id(one.public_key).hex(),
            valid_until(one.chain) or "-",
        )
    console.print(shown)


def keys_make(
    context: typer.Context,
    role: Annotated[Role, typer.Option(help=say("用途: pdf, qr, log, status", "what it signs: pdf, qr, log, status"))],
    owner: OwnerOption = "",
    algorithm: Annotated[
        Algorithm | None, typer.Option(help=say("算法, 默认与现用密钥相同", "kind of key; as the one in use"))
    ] = None,
    kept_in: Annotated[
        str,
        typer.Option(
            "--in",
            help=say(f"保存位置: {', '.join(place_names())}", f"where it is kept: {', '.join(place_names())}"),
        ),
    ] = IN_FILE,
    existing: Annotated[
        str,
        typer.Option(
            help=say(
                "采用设备中已有的密钥, 如 pkcs11:token=设备标签;object=密钥标签",
                "take in a key that is there already, as pkcs11:token=LABEL;object=LABEL",
            )
        ),
    ] = "",
) -> None:
    """Make the next key of a role."""
    if role in {Role.TRUST_ROOT, Role.RECEIPT}:
        raise CannotBeMade(role)
    house = house_of(context)
    if existing:
        made = adopt_key(house, role, owner, kept_in=kept_in, reference=existing)
    else:
        kind = algorithm or house.store.entry(role, owner).algorithm
        made = make_key(house, role, owner, kind, kept_in)
    _show(say("密钥已创建, 尚未启用", "the key is made and not yet active"), made)
    if role is Role.PDF:
        command = f"yinzheng keys csr --issuer {owner} --out pdf.csr"
        console.print(say(f"下一步: {command}", f"next: {command}"), soft_wrap=True)


def keys_csr(
    context: typer.Context,
    issuer: IssuerOption,
    generation: GenerationOption = None,
    out: Annotated[
        Path | None, typer.Option(help=say("写入此文件(不覆盖)", "write it to this file, which must not exist"))
    ] = None,
) -> None:
    """Write the request for the certificate of an issuer's PDF key."""
    house = house_of(context)
    entry = newest_key(house, Role.PDF, issuer, generation)
    request = request_for(house, entry)
    if out is None:
        sys.stdout.write(request.decode("ascii"))
        return
    with out.open("xb") as file:
        file.write(request)
    _show(say("证书请求已写入", "the request is written"), entry, {say("文件", "file"): plain(str(out))})
    command = f"yinzheng keys import --issuer {issuer} --chain {say('证书链.pem', 'chain.pem')}"
    console.print(
        say(
            f"请将该文件提交认证机构; 收到证书后执行: {command}",
            f"send it to the CA; with its answer run: {command}",
        ),
        soft_wrap=True,
    )


def keys_import(
    context: typer.Context,
    issuer: IssuerOption,
    chain: Annotated[
        Path,
        typer.Option(
            help=say("证书链(PEM): 签名证书在前, 根证书在后", "the chain as PEM: the key's own first, the root last")
        ),
    ],
    accept_organization: Annotated[
        str,
        typer.Option(
            help=say(
                "证书中的机构与发证机构不一致而仍要采用时, 原样写出证书中的机构名称",
                "to take one that names another organisation all the same: its name as it stands there",
            )
        ),
    ] = "",
    person: Annotated[
        str | None, typer.Option("--as", help=say("您的人员代号(记入历史)", "who you are; noted on the history"))
    ] = None,
) -> None:
    """Take in the certificate of an issuer's PDF key."""
    imported = import_chain(house_of(context), issuer, chain, accepted=accept_organization, maker=person)
    if imported.amended is not None:
        show_amended(imported.amended)
    if not imported.in_use:
        console.print(
            say(
                "[yellow]证书检查通过, 但尚未换用: 信任列表发布后, 请再次执行本命令[/]",
                "[yellow]the certificate is good and not yet in use: run this again once the trust list is "
                "published[/]",
            )
        )
        return
    _show(say("证书已导入", "the certificate is in"), imported.entry)
    warn_without_lists(imported.entry.chain)
    if imported.entry.state is KeyState.PENDING:
        command = f"yinzheng keys activate pdf --issuer {issuer}"
        console.print(
            say(
                f"信任列表发布后(建议隔一天, 待各方取得): {command}",
                f"once the trust list is published, and verifiers have had a day to fetch it: {command}",
            ),
            soft_wrap=True,
        )


def warn_without_lists(chain: Sequence[bytes]) -> None:
    """Warn where certificates of a chain do not say where their revocation lists are, while they can be had anew."""
    for name in without_list_address(chain):
        console.print(
            say(
                f"[yellow]![/] {plain(name)}: 该证书未注明吊销列表地址, 达不到 B-LT; 请向认证机构换发含 CRL 地址的证书",
                f"[yellow]![/] {plain(name)}: it names no place of its revocation list, so B-LT cannot be reached; "
                "ask the CA for one that does",
            ),
            soft_wrap=True,
        )


def place_name(kept_in: str) -> str:
    """Where a key is kept, for people."""
    return {IN_FILE: say("加密文件", "file"), "pkcs11": say("密码设备", "token")}.get(kept_in, kept_in)


def state_name(entry: KeyEntry) -> str:
    """What state a key is in, for people."""
    return {
        KeyState.PENDING: say("[yellow]待启用[/]", "[yellow]pending[/]"),
        KeyState.ACTIVE: say("[green]使用中[/]", "[green]active[/]"),
        KeyState.RETIRED: say("已停用", "retired"),
    }[entry.state]


def _show(title: str, entry: KeyEntry, more: dict[str, str] | None = None) -> None:
    rows = {
        say("密钥", "key"): entry.name,
        say("状态", "state"): state_name(entry),
        say("保存在", "kept in"): plain(place_name(entry.kept_in)),
        say("算法", "algorithm"): entry.algorithm.value,
        say("指纹", "key ID"): key_id(entry.public_key).hex(),
    }
    if entry.reference:
        rows[say("引用", "reference")] = plain(entry.reference)
    if entry.chain:
        rows[say("证书有效至", "certificate until")] = valid_until(entry.chain)
    console.print(pairs(title, rows | (more or {})))
