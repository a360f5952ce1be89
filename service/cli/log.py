"""``log``: check the transparency log, prove, watch, mirror, and open it for auditors."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from credential.leaves import LeafKind
from keys.private_files import read_private, write_private
from registry.disclosure import Scope
from registry.log.monitor import LogForkFound, LogShrank, load_seen, look, save_evidence, save_seen
from registry.log.openings import Opening
from registry.log.s3_folder import S3Access
from service.cli.language import say
from service.cli.life import IssuerOption
from service.cli.opening import house_of
from service.cli.screens import console, pairs, plain, table
from service.house import SystemClock
from service.keeping import verify_whole_log
from service.log_desk import (
    LogKeys,
    check_openings_file,
    check_proof,
    given_log_keys,
    named_key,
    own_log_keys,
    prove_leaf,
    publish_own_log,
    write_openings,
)
from service.log_sources import tiles_at

log_app = typer.Typer(help=say("签发日志", "the transparency log"), no_args_is_help=True)

KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="NAME+ID+KEY",
        help=say(
            "日志公钥(yinzheng log verify 会显示); 换过密钥的可重复, 新的在前; 不给则用本机的",
            "the log's key, as `yinzheng log verify` shows it; again for older keys, newest first; else our own",
        ),
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help=say("写入的文件", "file to write"))]


class ProvenKind(StrEnum):
    """What ``log prove`` proves."""

    ISSUE = "issue"
    SEAL = "seal"


def kind_name(kind: LeafKind) -> str:
    """A kind of leaf as people read it."""
    names = {
        LeafKind.ISSUE: say("颁发证书", "issue"),
        LeafKind.REISSUE: say("更正或换发", "reissue"),
        LeafKind.SEAL: say("封存文件", "seal"),
        LeafKind.STATUS: say("状态变更", "status"),
        LeafKind.VOID: say("作废编号", "void"),
        LeafKind.STATUS_LIST: say("状态列表", "status-list"),
        LeafKind.KEY: say("密钥", "key"),
        LeafKind.TRUST_LIST: say("信任列表", "trust-list"),
        LeafKind.RENEWAL: say("长期签名续期", "renewal"),
        LeafKind.HISTORY: say("历史记录", "history"),
    }
    return names[kind]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    log_app.command("verify", help=say("从头核对整个日志", "check the whole log from its first entry"))(log_verify)
    log_app.command(
        "prove",
        help=say("出具某份证书已入日志的证明, 或核对证明", "prove that a certificate is in the log, or check one"),
    )(log_prove)
    log_app.command(
        "monitor",
        help=say(
            "仅凭公开文件监督日志: 是否被改写、分叉", "watch a log from its public files: was it rewritten, forked?"
        ),
    )(log_monitor)
    log_app.command(
        "publish", help=say("把日志镜像到目录或 S3", "mirror the log to a directory or to S3; goes on where it stopped")
    )(log_publish)
    log_app.command(
        "open",
        help=say("向审计人员开示日志条目的内容, 或核对开示", "open leaves for an auditor, or check what was opened"),
    )(log_open)
    app.add_typer(log_app, name="log")


def log_verify(context: typer.Context) -> None:
    """Recompute the whole log; anything changed, removed or moved is found."""
    house = house_of(context)
    found = verify_whole_log(house)
    console.print(
        pairs(
            say("日志完好", "the log is whole"),
            {
                say("名称", "origin"): found.origin,
                say("条目数", "entries"): str(found.size),
                say("根", "root"): found.root.hex(),
                say("公钥(交给监督方)", "key, for monitors"): named_key(own_log_keys(house)),
            },
        )
    )


def log_prove(
    context: typer.Context,
    serial: Annotated[str | None, typer.Argument(metavar="SERIAL", help=say("证书编号", "serial"))] = None,
    *,
    issuer: IssuerOption = None,
    of: Annotated[
        ProvenKind,
        typer.Option("--of", help=say("证明什么: issue 已颁发, seal 文件已封存", "what: issued, or the file sealed")),
    ] = ProvenKind.SEAL,
    out: Annotated[Path | None, typer.Option("--out", help=say("写入的文件", "file to write"))] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help=say("核对这份证明", "check this proof instead"), exists=True)
    ] = None,
    leaf: Annotated[
        str | None, typer.Option("--leaf", metavar="HEX", help=say("所证明的条目", "the leaf that it is to prove"))
    ] = None,
    key: KeyOption = None,
) -> None:
    """Write a C2SP tlog-proof for a serial, or check one."""
    if check is not None:
        _check_proof(context, check, leaf, key)
        return
    if serial is None:
        raise typer.BadParameter(say("请给出证书编号, 或用 --check 核对证明", "give a serial, or a proof with --check"))
    house = house_of(context)
    proven = prove_leaf(house, Scope(serial, issuer), LeafKind(of.value))
    path = out or Path(f"{serial}-{of.value}.tlog-proof")
    path.write_text(proven.text, encoding="utf-8")
    console.print(
        pairs(
            say("证明已写入", "the proof is written"),
            {
                say("文件", "file"): str(path),
                say("证明内容", "proves"): kind_name(proven.opening.kind),
                say("位置", "position"): say(
                    f"第 {proven.opening.position} 条(共 {proven.size} 条)",
                    f"{proven.opening.position} of {proven.size}",
                ),
                say("条目", "leaf"): proven.opening.leaf.hex(),
            },
        )
    )


def log_monitor(
    context: typer.Context,
    place: Annotated[
        str, typer.Argument(metavar="DIR|URL", help=say("日志所在的目录或网址", "folder or address of the log"))
    ],
    *,
    key: KeyOption = None,
    state: Annotated[
        Path,
        typer.Option("--state", help=say("记录上次所见检查点的文件", "file that keeps the checkpoint seen last")),
    ] = Path("log-monitor.json"),
    as_json: Annotated[bool, typer.Option("--json", help=say("输出 JSON", "as JSON"))] = False,
) -> None:
    """Check what was published since the last look; exit code 1 when the log was rewritten."""
    keys = _keys(context, key)
    before = load_seen(state, keys.public_keys, keys.origin)
    with _keeping_evidence(state):
        seen = look(tiles_at(place), keys.public_keys, keys.origin, before, SystemClock().now())
    save_seen(state, seen)
    older: Mapping[LeafKind, int] = {} if before is None else before.counts
    if as_json:
        told = {
            "origin": keys.origin,
            "size": seen.checkpoint.size,
            "before": 0 if before is None else before.checkpoint.size,
            "root": seen.checkpoint.root.hex(),
            "counts": {kind.value: count for kind, count in seen.counts.items()},
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    shown = table(
        say("日志只增未改", "the log only grew"), say("条目", "leaves"), say("总数", "in all"), say("新增", "new")
    )
    for kind in LeafKind:
        if seen.counts.get(kind):
            shown.add_row(kind_name(kind), str(seen.counts[kind]), f"+{seen.counts[kind] - older.get(kind, 0)}")
    size, fresh = seen.checkpoint.size, seen.checkpoint.size - (0 if before is None else before.checkpoint.size)
    shown.add_row(say("合计", "together"), str(size), f"+{fresh}", style="bold")
    console.print(shown)
    console.print(
        say(
            f"{keys.origin}: 规模 {size}, 与上次所见一致; 记录在 {plain(str(state))}",
            f"{keys.origin}: {size} leaves, consistent with what was seen before; kept in {plain(str(state))}",
        )
    )


def log_publish(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(metavar="DIR|s3://...", help=say("目录, 或 s3://桶名/目录", "folder, or s3://bucket/folder")),
    ],
    *,
    credentials: Annotated[
        Path | None,
        typer.Option(
            "--credentials",
            help=say(
                "S3 密钥文件(权限 600): 首行为访问密钥, 次行为私密密钥", "file (mode 600): access key, then secret"
            ),
        ),
    ] = None,
    endpoint: Annotated[
        str, typer.Option("--endpoint", help=say("非亚马逊 S3 的网址", "address of a store that is not Amazon's"))
    ] = "",
    region: Annotated[str, typer.Option("--region", help=say("区域", "region"))] = "us-east-1",
) -> None:
    """Mirror the log: tiles are only created, the checkpoint comes last."""
    access = None
    if target.startswith("s3://"):
        if credentials is None:
            raise typer.BadParameter(say("S3 需用 --credentials 给出密钥文件", "S3 needs a file with --credentials"))
        key_id, _, secret = read_private(credentials).decode().strip().partition("\n")
        access = S3Access(key_id.strip(), secret.strip(), region, endpoint)
    done = publish_own_log(house_of(context), target, access)
    console.print(
        say(
            f"镜像已更新: 规模 {done.before} → {done.size}, 新写入 {done.files} 个文件",
            f"the mirror is up to date: {done.before} → {done.size} leaves, {done.files} files written",
        )
    )


def log_open(
    context: typer.Context,
    *,
    serial: Annotated[str | None, typer.Option("--serial", help=say("一个编号", "one serial"))] = None,
    issuer: IssuerOption = None,
    batch: Annotated[int | None, typer.Option("--batch", help=say("一个批次", "one batch"))] = None,
    everything: Annotated[bool, typer.Option("--all", help=say("全部", "everything"))] = False,
    out: Annotated[Path | None, typer.Option("--out", help=say("写入的文件", "file to write"))] = None,
    proofs: Annotated[
        bool,
        typer.Option("--proofs/--no-proofs", help=say("每条附证明, 无需日志即可核对", "prove each, to check it alone")),
    ] = True,
    check: Annotated[
        Path | None, typer.Option("--check", help=say("核对这份开示", "check this file instead"), exists=True)
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="DIR|URL", help=say("与公开的日志逐条对照", "compare with the published log as well")
        ),
    ] = None,
    key: KeyOption = None,
) -> None:
    """Write salt, content and place of leaves, for an auditor to check; or check such a file."""
    if check is not None:
        _check_openings(context, check, against, key)
        return
    if (serial is not None) + (batch is not None) + everything != 1 or out is None:
        raise typer.BadParameter(
            say(
                "请给出 --serial、--batch、--all 之一, 并用 --out 指定文件",
                "give one of --serial, --batch, --all; and --out",
            )
        )
    house = house_of(context)
    lines: list[str] = []
    opened = write_openings(house, Scope(serial, issuer, batch), lines.append, with_proofs=proofs)
    write_private(out, "".join(lines).encode())
    shown = table(
        say("已开示", "opened"),
        say("条目", "leaves"),
        say("已开示", "opened"),
        *([say("日志中", "in the log")] if everything else []),
    )
    for kind in LeafKind:
        if opened.counts[kind] or opened.in_log[kind]:
            counts = [str(opened.counts[kind]), *([str(opened.in_log[kind])] if everything else [])]
            shown.add_row(kind_name(kind), *counts)
    console.print(shown)
    if opened.erased:
        console.print(
            say(
                f"{opened.erased} 份证书的个人信息已删除, 其条目不能再开示",
                f"{opened.erased} certificates were erased; their leaves can never be opened",
            )
        )
    console.print(
        say(
            f"{plain(str(out))} 含证书编号, 只交给审计人员; 核对: yinzheng log open --check {plain(str(out))} --key …",
            f"{plain(str(out))} names serials: for the auditor only, who runs: "
            f"yinzheng log open --check {plain(str(out))} --key …",
        )
    )


def _check_proof(context: typer.Context, path: Path, leaf: str | None, key: list[str] | None) -> None:
    try:
        wanted = bytes.fromhex(leaf or "")
    except ValueError:
        wanted = b""
    if not wanted:
        raise typer.BadParameter(say("请用 --leaf 给出条目(十六进制)", "give the leaf in hexadecimal with --leaf"))
    keys = _keys(context, key)
    checkpoint = check_proof(path.read_text(encoding="utf-8", errors="replace"), wanted, keys)
    console.print(
        say(
            f"证明成立: 该条目在 {keys.origin} 规模 {checkpoint.size} 的日志中",
            f"the proof holds: the leaf is in {keys.origin} at {checkpoint.size} leaves",
        )
    )


def _check_openings(context: typer.Context, path: Path, against: str | None, key: list[str] | None) -> None:
    keys = _keys(context, key)
    shown = table(
        say("开示属实", "what was opened is true"),
        say("位置", "position"),
        say("条目", "leaf"),
        say("所属", "said to be of"),
        say("内容", "content"),
    )

    def tell(opening: Opening, content: object) -> None:
        if len(shown.rows) < _MOST_SHOWN:
            values = content if isinstance(content, list) else [content]
            told = [_shown(value) for value in values]
            shown.add_row(str(opening.position), kind_name(opening.kind), plain(opening.about), plain("\n".join(told)))

    tiles = None if against is None else tiles_at(against)
    checked = check_openings_file(path, keys, tiles, SystemClock().now(), tell)
    count = checked.counts.total()
    console.print(shown)
    console.print(
        say(
            f"{count} 条全部属实, 检查点规模 {checked.checkpoint.size}",
            f"all {count} are true, under the checkpoint of {checked.checkpoint.size} leaves",
        )
    )


def _shown(value: object) -> str:
    if not isinstance(value, bytes):
        return str(value)
    text = value.hex()
    return text if len(value) <= _DIGEST_BYTES else f"{text[:32]}…{text[-32:]}"


_MOST_SHOWN = 50
_DIGEST_BYTES = 32


def _keys(context: typer.Context, texts: list[str] | None) -> LogKeys:
    return given_log_keys(texts) if texts else own_log_keys(house_of(context))


@contextmanager
def _keeping_evidence(state: Path) -> Iterator[None]:
    try:
        yield
    except (LogForkFound, LogShrank) as error:
        path = save_evidence(state, error)
        console.print(
            say(
                f"[bold red]两份检查点已保存为证据: {plain(str(path))}[/]",
                f"[bold red]both checkpoints are kept as evidence: {plain(str(path))}[/]",
            )
        )
        raise
