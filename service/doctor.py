"""Look the installation over: every finding says what was found, and every bad one its cure."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509

from credential.errors import Error
from credential.note import open_checkpoint
from credential.trust import Role, TrustListExpired
from registry.status.token_list import StatusExpired, open_status_token
from service.house import House, open_house
from service.settings import Settings
from service.trust import read_own_trust_list

MIN_FREE_BYTES = 1_000_000_000  # about 15,000 certificates with their photos
SOON = timedelta(days=60)
CLOCK_TOLERANCE = timedelta(minutes=5)

Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination; every text is (zh, en)."""

    level: Level
    name: tuple[str, str]
    found: tuple[str, str]
    cure: tuple[str, str] | None = None


def examine_house(settings: Settings) -> list[Finding]:
    """Look an installation over; what cannot be opened is a finding, not an error."""
    findings = [_disk(settings)]
    try:
        house = open_house(settings)
        house.store.master_key()
    except (Error, OSError) as error:
        return [*findings, _failure(("数据目录与口令", "data folder and passphrase"), error)]
    findings.append(Finding("ok", ("数据目录与口令", "data folder and passphrase"), (str(settings.data), "opened")))
    for name, look in _LOOKS:
        try:
            findings.extend(look(house))
        except (Error, OSError) as error:
            findings.append(_failure(name, error))
    return findings


def _failure(name: tuple[str, str], error: Error | OSError) -> Finding:
    if isinstance(error, OSError):
        cure = (f"无法读取({error}); 请检查文件与权限", f"cannot be read ({error}); check the file and its rights")
        return Finding("bad", name, ("file-trouble", "file-trouble"), cure)
    return Finding("bad", name, (error.code, error.code), (error.zh, error.en))


def _disk(settings: Settings) -> Finding:
    name = ("磁盘空间", "disk space")
    existing = next(one for one in (settings.data.absolute(), *settings.data.absolute().parents) if one.exists())
    free = shutil.disk_usage(existing).free
    found = (f"剩余 {free / 1e9:.1f} GB", f"{free / 1e9:.1f} GB free")
    if free < MIN_FREE_BYTES:
        return Finding("bad", name, found, ("请清理磁盘或扩容后再出证", "free or add disk space before you issue"))
    return Finding("ok", name, found)


def _database(house: House) -> Iterator[Finding]:
    with house.database.reading():
        yield Finding("ok", ("登记库", "registry"), ("版本与程序一致", "at this program's revision"))


def _keys(house: House) -> Iterator[Finding]:
    for entry in house.store.entries():
        house.store.signer(entry.role, entry.owner)
    yield Finding("ok", ("密钥", "keys"), (f"{len(house.store.entries())} 个, 均可打开", "all of them open"))


def _certificates(house: House) -> Iterator[Finding]:
    for entry in house.store.entries():
        if entry.role != Role.PDF or not entry.chain:
            continue
        until = x509.load_der_x509_certificate(entry.chain[0]).not_valid_after_utc
        name = (f"签名证书 {entry.owner}", f"signing certificate of {entry.owner}")
        found = (f"有效至 {until:%Y-%m-%d}", f"valid until {until:%Y-%m-%d}")
        cure = (
            "请向认证机构申请新证书并换用, 到期后不能出证",
            "get a new one from the CA; nothing can be issued after that day",
        )
        if until <= house.now():
            yield Finding("bad", name, found, cure)
        elif until - house.now() < SOON:
            yield Finding("warn", name, found, cure)
        else:
            yield Finding("ok", name, found)


def _trust(house: House) -> Iterator[Finding]:
    name = ("信任列表", "trust list")
    cure = ("请执行 yinzheng keys renew-trust-list", "run: yinzheng keys renew-trust-list")
    try:
        trust = read_own_trust_list(house.folder, house.now())
    except TrustListExpired as error:
        yield Finding("bad", name, (error.zh, error.en), cure)
        return
    soon = trust.expires - house.now() < SOON
    yield Finding(
        "warn" if soon else "ok",
        name,
        (
            f"第 {trust.version} 版, 有效至 {trust.expires:%Y-%m-%d}",
            f"version {trust.version}, until {trust.expires:%Y-%m-%d}",
        ),
        cure if soon else None,
    )


def _clock(house: House) -> Iterator[Finding]:
    name = ("系统时间", "clock")
    newest = max(
        (datetime.fromtimestamp(one.stat().st_mtime, UTC) for one in house.folder.log.rglob("*") if one.is_file()),
        default=house.now(),
    )
    if newest - house.now() > CLOCK_TOLERANCE:
        yield Finding(
            "bad",
            name,
            (f"早于日志文件的时间 {newest:%Y-%m-%d %H:%M}", f"earlier than the log's files, {newest:%Y-%m-%d %H:%M}"),
            ("请校准系统时间(NTP)后再出证", "set the clock (NTP) before you issue"),
        )
    else:
        yield Finding("ok", name, (f"{house.now():%Y-%m-%d %H:%M:%S} UTC",) * 2)


def _log(house: House) -> Iterator[Finding]:
    name = ("签发日志", "log")
    copy = house.folder.checkpoint_copy
    if not (house.folder.log / "checkpoint").exists():
        yield Finding("ok", name, ("还没有内容", "nothing in it yet"))
        return
    key = house.store.public_key(Role.LOG)
    checkpoint = open_checkpoint(house.log.checkpoint(), key, house.installation.log_origin)
    if not copy.exists():
        yield Finding(
            "warn",
            name,
            ("缺少检查点副本", "the second copy of the checkpoint is missing"),
            ("下次出证时会重写; 请把副本放在备份之外的地方", "the next run writes it; keep it apart from the backup"),
        )
        return
    kept = open_checkpoint(copy.read_text("utf-8"), key, house.installation.log_origin)
    if kept.size > checkpoint.size:
        yield Finding(
            "bad",
            name,
            ("检查点早于副本: 数据可能是旧备份", "older than its copy: an old backup was restored"),
            ("请恢复最新备份; 此前不得出证", "restore the newest backup; do not issue before"),
        )
    elif kept.size == checkpoint.size and kept.root != checkpoint.root:
        yield Finding(
            "bad",
            name,
            ("与检查点副本不一致: 日志出现分叉", "another than its copy says: the log has forked"),
            ("请查明哪一份是真的; 此前不得出证", "find out which is the true one; do not issue before"),
        )
    else:
        yield Finding(
            "ok", name, (f"{checkpoint.size} 条, 检查点签名有效", f"{checkpoint.size} entries, checkpoint good")
        )


def _status(house: House) -> Iterator[Finding]:
    name = ("状态列表", "status lists")
    key = house.store.public_key(Role.STATUS)
    files = sorted(house.folder.status.glob("*.cwt"))
    old = 0
    for file in files:
        try:
            open_status_token(file.read_bytes(), key, house.now())
        except StatusExpired:
            old += 1
    if old:
        yield Finding(
            "bad",
            name,
            (f"{len(files)} 个中有 {old} 个已过期", f"{old} of {len(files)} have expired"),
            ("请执行 yinzheng status refresh, 并设为定时任务", "run: yinzheng status refresh, and let a timer do it"),
        )
    else:
        yield Finding("ok", name, (f"{len(files)} 个, 均未过期", f"{len(files)}, none expired"))


_LOOKS: tuple[tuple[tuple[str, str], Callable[[House], Iterator[Finding]]], ...] = (
    (("登记库", "registry"), _database),
    (("密钥", "keys"), _keys),
    (("签名证书", "signing certificates"), _certificates),
    (("信任列表", "trust list"), _trust),
    (("系统时间", "clock"), _clock),
    (("签发日志", "log"), _log),
    (("状态列表", "status lists"), _status),
)
