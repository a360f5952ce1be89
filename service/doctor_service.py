"""Look over what waits for somebody, what runs out, and who may read the keys."""

import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from credential.cosignature import read_cosignatures
from registry.inventory import count_waiting_work, expiring_tokens
from service.finding import Finding
from service.house import House
from service.verifying_house import verifier_key_path

SOON = timedelta(days=14)
BYTES_A_ROW = 200_000  # a portrait of 100 kB, sealed, in a pack; the tail of the PDF; rows, leaves, room to spare
MAX_NAMED = 3


def _work(house: House) -> Iterator[Finding]:
    name = ("待办", "waiting for somebody")
    with house.database.reading() as session:
        waiting = count_waiting_work(session)
    if waiting.unfinished:
        numbers = ", ".join(map(str, waiting.unfinished[:MAX_NAMED]))
        yield Finding(
            "warn",
            name,
            (f"已复核但未出完的批次: {numbers}", f"approved batches that are not finished: {numbers}"),
            ("请执行 yinzheng batch resume 编号", "run: yinzheng batch resume NUMBER"),
        )
    if waiting.submitted or waiting.proposed:
        yield Finding(
            "ok",
            name,
            (
                f"待复核的批次 {waiting.submitted} 个, 待复核的变更 {waiting.proposed} 项",
                f"{waiting.submitted} batches and {waiting.proposed} changes wait for a second person",
            ),
        )
    elif not waiting.unfinished:
        yield Finding("ok", name, ("无", "nothing"))


def _room(house: House) -> Iterator[Finding]:
    name = ("待出证所需空间", "room for what waits")
    with house.database.reading() as session:
        rows = count_waiting_work(session).rows
    needed, free = rows * BYTES_A_ROW, shutil.disk_usage(house.folder.root).free
    found = (
        f"{rows} 本约需 {needed / 1e9:.2f} GB, 剩余 {free / 1e9:.1f} GB",
        f"{rows} certificates need about {needed / 1e9:.2f} GB of {free / 1e9:.1f} GB",
    )
    if needed > free:
        yield Finding("bad", name, found, ("请扩容后再复核或出证", "add disk space before you approve or issue"))
    else:
        yield Finding("ok", name, found)


def _tokens(house: House) -> Iterator[Finding]:
    name = ("接口令牌", "API tokens")
    with house.database.reading() as session:
        found = expiring_tokens(session, house.now(), house.now() + SOON)
    if found:
        named = ", ".join(found[:MAX_NAMED])
        yield Finding(
            "warn",
            name,
            (f"{len(found)} 个将在两周内到期: {named}", f"{len(found)} expire within two weeks: {named}"),
            ("请用 yinzheng token create 换新", "replace them: yinzheng token create"),
        )
    else:
        yield Finding("ok", name, ("两周内没有到期的", "none expires within two weeks"))


def _revocation_lists(house: House) -> Iterator[Finding]:
    name = ("证书吊销列表(CRL)", "revocation lists (CRL)")
    crls = [x509.load_der_x509_crl(one.read_bytes()) for one in sorted(house.folder.ca.glob("*.crl"))]
    spans = [(crl.next_update_utc, crl.last_update_utc) for crl in crls if crl.next_update_utc is not None]
    if not spans:
        yield Finding("ok", name, ("由外部认证机构发布", "none of our own"))
        return
    until, since = min(spans)
    found = (f"有效至 {until:%Y-%m-%d %H:%M}", f"good until {until:%Y-%m-%d %H:%M}")
    cure = (
        "服务运行时会自动更新; 否则请定时执行 yinzheng status refresh",
        "the running service renews them; without it, run from a timer: yinzheng status refresh",
    )
    if until - house.now() < (until - since) / 2:  # no harm to our own verifier, which goes by the trust list
        yield Finding("warn", name, found, cure)
    else:
        yield Finding("ok", name, found)


def _witnesses(house: House) -> Iterator[Finding]:
    name = ("日志见证方", "witnesses of the log")
    trust = house.witness_list.trust()
    known, demanded = len(trust.witnesses), trust.witness_threshold
    if not known:
        yield Finding("ok", name, ("未经见证", "nobody: not witnessed"))
        return
    seen = len(read_cosignatures(house.log.checkpoint(), trust.witnesses))
    found = (
        f"最新检查点: {known} 个中有 {seen} 个联署, 要求 {demanded} 个",
        f"{seen} of {known} cosigned the newest checkpoint, {demanded} are demanded",
    )
    if seen >= max(demanded, 1):
        yield Finding("ok", name, found)
    else:
        cure = (
            "请用 yinzheng witness list 查看未应答原因; 见证数不足时不能出证",
            "see why they do not answer: yinzheng witness list; while too few do, nothing is printed",
        )
        yield Finding("bad" if demanded else "warn", name, found, cure)


def _modes(house: House) -> Iterator[Finding]:
    name = ("私密文件权限", "who may read private files")
    private = [verifier_key_path(house.settings)]
    # A folder that only its owner may enter protects what lies in it. The keys' own files are looked at when opened.
    if _is_open(house.folder.root) and not house.settings.database:
        private += sorted(house.folder.root.glob("registry*.sqlite"))
    opened = [one for one in private if one.exists() and _is_open(one)]
    if opened:
        named = ", ".join(str(one) for one in opened[:MAX_NAMED])
        yield Finding(
            "bad",
            name,
            (f"其他账号可读: {named}", f"others may read: {named}"),
            ("请执行 chmod go-rwx", "run: chmod go-rwx on them, and ask who has read them"),
        )
    else:
        yield Finding("ok", name, ("仅限本账号", "the owner only"))


def _is_open(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


SERVICE_LOOKS: tuple[tuple[tuple[str, str], Callable[[House], Iterator[Finding]]], ...] = (
    (("待办", "waiting for somebody"), _work),
    (("待出证所需空间", "room for what waits"), _room),
    (("接口令牌", "API tokens"), _tokens),
    (("证书吊销列表(CRL)", "revocation lists (CRL)"), _revocation_lists),
    (("日志见证方", "witnesses of the log"), _witnesses),
    (("私密文件权限", "who may read private files"), _modes),
)
"""Each look with the name to use when it fails."""
