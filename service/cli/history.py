"""``history``: what was done, by whom, and the proof that nothing was left out."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Annotated

import typer

from credential.model import REASON_NAMES, STATE_NAMES, State
from credential.reasons import CHANGE_NAMES
from issuer.office import BEIJING
from registry.history import HistoryKind
from registry.past import Wanted
from registry.tables import HistoryRow
from service.cli.changing import day_of
from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console, pairs, plain, table
from service.custody import names_of_persons, past_of, prove_history

KIND_NAMES: Mapping[str, tuple[str, str]] = {
    HistoryKind.BATCH_SUBMITTED: ("提交批次", "batch submitted"),
    HistoryKind.BATCH_APPROVED: ("批准批次", "batch approved"),
    HistoryKind.BATCH_CANCELLED: ("取消批次", "batch cancelled"),
    HistoryKind.CHUNK_ISSUED: ("出证", "certificates issued"),
    HistoryKind.STATE_CHANGED: ("状态变更", "state changed"),
    HistoryKind.SUCCEEDED: ("更正或换发", "corrected or replaced"),
    HistoryKind.ERASED: ("销毁个人数据", "personal data erased"),
    HistoryKind.KEY_MADE: ("生成密钥", "key made"),
    HistoryKind.KEY_CERTIFIED: ("装入证书", "key certified"),
    HistoryKind.KEY_ACTIVATED: ("启用密钥", "key activated"),
    "key-activated": ("启用密钥", "key activated"),
    HistoryKind.KEY_RETIRED: ("停用密钥", "key retired"),
    HistoryKind.KEY_COMPROMISED: ("宣告密钥泄露", "key declared compromised"),
    "key-certificate-revoked": ("吊销签名证书", "signing certificate revoked"),
    HistoryKind.TRUST_LIST_PUBLISHED: ("发布信任列表", "trust list published"),
    HistoryKind.BACKED_UP: ("备份", "backed up"),
    HistoryKind.RESTORED: ("恢复", "restored"),
}
"""What every kind of entry is called."""

_REASONS: Mapping[str, tuple[str, str]] = {
    **{code.value: names for code, names in REASON_NAMES.items()},
    **{str(code): names for code, names in CHANGE_NAMES.items()},
}

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHOWN = 12  # characters of a digest; --json has all of it

#: Words that subjects are made of (docs/formats-registry.md, section 4).
_WORDS = (
    ("batch ", "批次 "),
    ("chunk ", "分块 "),
    ("pack ", "文件包 "),
    ("serial ", "证书 "),
    ("superseded by ", "被替换为 "),
    ("supersedes ", "替换 "),
    ("trust list ", "信任列表 "),
    (" keys, ", " 个密钥, "),
    ("key ", "密钥 "),
    (": first list", ": 首次发布"),
    ("removed from the data folder", "已从数据目录中移除"),
    ("certificate of ", "证书已更新: "),
    (" in pkcs11", ", 存于密码设备"),
    (" in file", ", 存于加密文件"),
    (" certificate ", " 证书 "),
    (" retired", " 已停用"),
    (" accepted as ", ", 机构名称不一致, 经确认采用: "),
)

_MOMENT = re.compile(r" (?P<word>since|at) (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00))")

history_app = typer.Typer(help=say("历史记录(只增不改)", "the history, which is only added to"), no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    history_app.command("list", help=say("列出记录: 何时、何事、何人", "list entries: when, what, who"))(history_list)
    history_app.command(
        "verify",
        help=say("核对全部记录: 链条完整, 且逐条已写入签发日志", "prove every entry by its chain and by the log"),
    )(history_verify)
    app.add_typer(history_app, name="history")


def history_list(
    context: typer.Context,
    issuer: Annotated[str, typer.Option(help=say("只列此发证机构的", "only of this issuer"))] = "",
    serial: Annotated[str, typer.Option(help=say("只列此证书编号的", "only of this serial"))] = "",
    kind: Annotated[HistoryKind | None, typer.Option(help=say("只列此类的", "only of this kind"))] = None,
    since: Annotated[str | None, typer.Option(help=say("自此日起(北京时间)", "since this day, Beijing time"))] = None,
    last: Annotated[int, typer.Option(min=1, help=say("最多列最近几条", "at most so many, the newest"))] = 40,
    *,
    service: Annotated[
        bool, typer.Option("--service", help=say("只列服务本身的: 密钥、信任列表、备份", "only of the service itself"))
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=say("逐条输出 JSON", "one JSON object a line"))] = False,
) -> None:
    """List entries of the history, the newest last."""
    house = house_of(context)
    day = day_of(since)
    wanted = Wanted(
        issuer_id=issuer,
        of_service=service,
        serial=serial,
        kind=kind or "",
        since=None if day is None else datetime.combine(day, time(), BEIJING),
    )
    rows = past_of(house, wanted, last)
    if as_json:
        for row in rows:
            sys.stdout.write(json.dumps(_told(row), ensure_ascii=False) + "\n")
        return
    _show(rows, names_of_persons(house))
    if len(rows) == last:
        console.print(
            say(f"只列最近 {last} 条; 用 --last 列更多", f"the newest {last} only; --last lists more"), style="dim"
        )


def history_verify(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help=say("输出 JSON", "as JSON"))] = False,
) -> None:
    """Prove the history; exit code 2 with the reason when it does not hold."""
    proven = prove_history(house_of(context))
    checkpoint = proven.checkpoint
    if as_json:
        told = {
            "entries": proven.entries,
            "head": proven.head.hex(),
            "waiting": proven.waiting,
            "checkpoint": {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()},
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    console.print(
        pairs(
            say("历史记录完好", "the history is whole"),
            {
                say("记录数", "entries"): str(proven.entries),
                say("已写入日志", "in the log"): str(proven.entries - proven.waiting),
                say("待写入日志", "waiting for the log"): str(proven.waiting),
                say("最新一条的摘要", "digest of the newest"): proven.head.hex(),
                say("检查点", "checkpoint"): f"{checkpoint.origin}, {checkpoint.size}",
            },
        )
    )


def _show(rows: Sequence[HistoryRow], names: Mapping[str, str]) -> None:
    shown = table(
        say("历史记录", "history"),
        say("序号", "no."),
        say("时间(北京)", "when (Beijing)"),
        say("机构", "issuer"),
        say("事项", "what"),
        say("事由", "about"),
        say("经办", "maker"),
        say("审核", "checker"),
    )
    for row in rows:
        shown.add_row(
            str(row.sequence),
            f"{row.recorded_at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}",
            plain(row.issuer_id or say("(服务)", "(service)")),
            _what(row),
            plain(_about(row.subject)),
            _who(row.maker, names),
            _who(row.checker, names),
        )
    console.print(shown)


def _what(row: HistoryRow) -> str:
    name = say(*KIND_NAMES.get(row.kind, (row.kind, row.kind)))
    state = "" if row.state is None else say(*STATE_NAMES[State(row.state)])
    reason = say(*_REASONS[row.reason]) if row.reason in _REASONS else row.reason
    return plain(": ".join(part for part in (name, ", ".join(one for one in (state, reason) if one)) if part))


def _about(subject: str) -> str:
    """The subject with digests shortened, and in Chinese as far as it is told in words of ours."""
    short = _DIGEST.sub(lambda found: f"{found[0][:_SHOWN]}…", subject)
    short = _MOMENT.sub(_local, short)
    for word, zh in _WORDS:
        short = short.replace(word, say(zh, word))
    return short


def _local(found: re.Match[str]) -> str:
    moment = datetime.fromisoformat(found["moment"]).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    since = found["word"] == "since"
    return say(f" 自 {moment} 起" if since else f" 于 {moment}", f" {found['word']} {moment}")


def _who(person: str | None, names: Mapping[str, str]) -> str:
    return "-" if person is None else plain(f"{names.get(person, '')} {person}".strip())


def _told(row: HistoryRow) -> dict[str, object]:
    """One entry for a program: all that its digest covers but the sealed details, and the digest."""
    return {
        "sequence": row.sequence,
        "recorded_at": row.recorded_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "kind": row.kind,
        "issuer": row.issuer_id,
        "subject": row.subject,
        "batch": row.batch_id,
        "state": row.state,
        "reason": row.reason,
        "effective_on": None if row.effective_on is None else row.effective_on.isoformat(),
        "maker": row.maker,
        "checker": row.checker,
        "previous": row.previous.hex(),
        "digest": row.digest.hex(),
    }
