"""Look the installation over: every finding says what was found, and every bad one its cure."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509

from credential.errors import Error
from credential.trust import Role, TrustListExpired, TrustListOlder
from keys.places import open_now
from registry.inventory import newest_moment
from service.doctor_records import RECORD_LOOKS
from service.doctor_service import SERVICE_LOOKS
from service.finding import Finding
from service.house import House, open_house
from service.issuers import all_issuers
from service.pinned import pinned_roots, read_own_trust_list
from service.settings import Settings
from service.trust_drafts import waiting_draft

__all__ = ["Finding", "examine_house"]

MIN_FREE_BYTES = 1_000_000_000  # about 15,000 certificates with their photos
SOON = timedelta(days=60)
CLOCK_TOLERANCE = timedelta(minutes=5)
STAMPS_LATE = timedelta(days=1)


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
        open_now(house.store.signer(entry.role, entry.owner, entry.generation))
    yield Finding("ok", ("密钥", "keys"), (f"{len(house.store.entries())} 个, 均可打开", "all of them open"))


def _certificates(house: House) -> Iterator[Finding]:
    for entry in house.store.entries():
        if entry.role != Role.PDF or not entry.chain:
            continue
        until = x509.load_der_x509_certificate(entry.chain[0]).not_valid_after_utc
        name = (f"签名证书 {entry.owner}", f"signing certificate of {entry.owner}")
        days = (until - house.now()).days
        found = (f"有效至 {until:%Y-%m-%d}, 剩余 {days} 天", f"valid until {until:%Y-%m-%d}, {days} days left")
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
    cure = ("请执行 yinzheng trust draft", "run: yinzheng trust draft")
    try:
        trust = read_own_trust_list(house.folder, house.now())
    except (TrustListExpired, TrustListOlder) as error:
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


def _roots(house: House) -> Iterator[Finding]:
    name = ("根密钥", "trust roots")
    waiting = waiting_draft(house.folder)
    if waiting is not None:
        yield Finding(
            "warn",
            ("待签的信任列表", "trust list that waits"),
            (f"{waiting.file.name}: {waiting.why}", f"{waiting.file.name}: {waiting.why}"),
            (
                "请在离线机器上执行 yinzheng trust sign, 带回后执行 yinzheng trust publish",
                "offline: yinzheng trust sign; back here: yinzheng trust publish",
            ),
        )
    is_here = any(entry.role == Role.TRUST_ROOT for entry in house.store.entries())
    if not is_here:
        roots, threshold = pinned_roots(house.folder)
        found = (f"离线, {len(roots)} 个中须 {threshold} 个", f"offline, {threshold} of {len(roots)}")
        yield Finding("ok", name, found)
    elif all(one.settings.is_sample for one in all_issuers(house)):
        yield Finding("ok", name, ("在数据目录中(仅供试用)", "in the data folder, for trials only"))
    else:
        yield Finding(
            "warn",
            name,
            (
                "在数据目录中: 服务器失守即可伪造信任列表",
                "in the data folder: whoever has the server can sign any list",
            ),
            (
                "请移至离线保管, 见 docs/trust.md(yinzheng trust roots)",
                "move it offline: docs/trust.md, yinzheng trust roots",
            ),
        )


def _stamps(house: House) -> Iterator[Finding]:
    """Without stamps older than a theft, all that a stolen key ever signed becomes unknown (docs/rotation.md)."""
    name = ("检查点时间戳", "time stamps")
    newest = house.stamped.newest()
    set_one = (
        "请设置 YINZHENG_TSA_URLS, 并执行 yinzheng archive trust-tsa, 见 docs/rotation.md",
        "set YINZHENG_TSA_URLS and run yinzheng archive trust-tsa: docs/rotation.md",
    )
    if newest is not None and house.now() - newest <= STAMPS_LATE:
        yield Finding("ok", name, (f"最近 {newest:%Y-%m-%d %H:%M} UTC", f"newest {newest:%Y-%m-%d %H:%M} UTC"))
    elif not house.settings.tsa_urls and all(one.settings.is_sample for one in all_issuers(house)):
        yield Finding("ok", name, ("没有(仅供试用)", "none, for trials only"))
    elif newest is None or not house.settings.tsa_urls:
        found = (
            "没有: 若密钥失窃, 其签发的全部证书都将无法判断",
            "none: should a key be stolen, everything that it signed becomes unknown",
        )
        yield Finding("warn", name, found, set_one)
    else:
        yield Finding(
            "warn",
            name,
            (f"最近一次是 {newest:%Y-%m-%d %H:%M} UTC", f"the newest is of {newest:%Y-%m-%d %H:%M} UTC"),
            (
                "请运行 yinzheng log stamp 查看哪家机构没有应答",
                "run yinzheng log stamp, and see which authority does not answer",
            ),
        )


def _clock(house: House) -> Iterator[Finding]:
    name = ("系统时间", "clock")
    with house.database.reading() as session:
        recorded = newest_moment(session)
    newest = max(
        [
            recorded or house.now(),
            *(datetime.fromtimestamp(one.stat().st_mtime, UTC) for one in house.folder.log.rglob("*") if one.is_file()),
        ]
    )
    if newest - house.now() > CLOCK_TOLERANCE:
        yield Finding(
            "bad",
            name,
            (f"早于已有记录的时间 {newest:%Y-%m-%d %H:%M}", f"earlier than what was recorded, {newest:%Y-%m-%d %H:%M}"),
            ("请校准系统时间(NTP)后再出证", "set the clock (NTP) before you issue"),
        )
    else:
        yield Finding("ok", name, (f"{house.now():%Y-%m-%d %H:%M:%S} UTC",) * 2)


_LOOKS: tuple[tuple[tuple[str, str], Callable[[House], Iterator[Finding]]], ...] = (
    (("登记库", "registry"), _database),
    (("密钥", "keys"), _keys),
    (("签名证书", "signing certificates"), _certificates),
    (("信任列表", "trust list"), _trust),
    (("根密钥", "trust roots"), _roots),
    (("检查点时间戳", "time stamps"), _stamps),
    (("系统时间", "clock"), _clock),
    *RECORD_LOOKS,
    *SERVICE_LOOKS,
)
