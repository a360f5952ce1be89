"""Look over what the house keeps: log, history, states, status lists, stored objects.

Quick looks only; ``yinzheng log verify`` works the whole log out again.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from credential.errors import UnavailableError
from credential.note import open_checkpoint
from credential.trust import Role
from press.strict_table import BadTemplate
from press.template_folder import open_archive
from registry.agreement import check_states
from registry.history import verify_logged_history
from registry.inventory import bound_versions, expected_objects
from registry.log.outbox import count_logged, count_waiting
from registry.log.reader import committed_size
from registry.status.token_list import StatusExpired, open_status_token
from registry.templates import TemplateVersion, list_versions
from service.behind import still_owed
from service.finding import Finding
from service.house import House

LATE = timedelta(hours=1)  # a timer refreshes every ten minutes; a list says nothing after a day
MAX_NAMED = 3

_REFRESH = ("请执行 yinzheng status refresh, 并设为定时任务", "run: yinzheng status refresh, and let a timer do it")


def _log(house: House) -> Iterator[Finding]:
    name = ("签发日志", "log")
    copy = house.folder.checkpoint_copy
    with house.database.reading() as session:
        committed = committed_size(session)
        kept_leaves = count_logged(session, committed)
    if kept_leaves != committed:
        yield Finding(
            "bad",
            name,
            (
                f"登记库只有 {committed} 条中的 {kept_leaves} 条",
                f"the registry has {kept_leaves} of {committed} entries",
            ),
            (
                "条目被删除: 请查明数据库被何人改动, 并从备份恢复",
                "entries were deleted: find out who wrote to the database, then restore it from a backup",
            ),
        )
        return
    if not (house.folder.log / "checkpoint").exists():
        if committed:
            yield Finding(
                "bad",
                name,
                (
                    f"登记库已有 {committed} 条, 但检查点不见了",
                    f"no checkpoint, though {committed} entries were logged",
                ),
                (
                    "请从备份恢复 public/log, 再执行 yinzheng status refresh 与 yinzheng log verify",
                    "restore public/log from the backup, then run: yinzheng status refresh; yinzheng log verify",
                ),
            )
        else:
            yield Finding("ok", name, ("还没有内容", "nothing in it yet"))
        return
    key = house.store.public_key(Role.LOG)
    checkpoint = open_checkpoint(house.log.checkpoint(), key, house.installation.log_origin)
    if checkpoint.size > committed:
        yield Finding(
            "bad",
            name,
            (
                f"检查点有 {checkpoint.size} 条, 登记库只有 {committed} 条: 登记库可能是旧备份",
                f"{checkpoint.size} entries, but the registry knows {committed}: an old registry was restored",
            ),
            ("请恢复最新的登记库; 此前不得出证", "restore the newest registry; do not issue before"),
        )
        return
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
            (
                "请恢复最新备份, 没有更新的备份时执行 yinzheng recover(见 docs/backup.md); 此前不得出证",
                "restore the newest backup, or without one run yinzheng recover (docs/backup.md); do not issue before",
            ),
        )
    elif kept.size == checkpoint.size and kept.root != checkpoint.root:
        yield Finding(
            "bad",
            name,
            ("与检查点副本不一致: 日志出现分叉", "another than its copy says: the log has forked"),
            ("请查明哪一份是真的; 此前不得出证", "find out which is the true one; do not issue before"),
        )
    elif checkpoint.size < committed:
        yield Finding(
            "warn",
            name,
            (
                f"检查点有 {checkpoint.size} 条, 登记库已有 {committed} 条",
                f"the checkpoint has {checkpoint.size} of the {committed} entries that were logged",
            ),
            _REFRESH,
        )
    else:
        yield Finding(
            "ok", name, (f"{checkpoint.size} 条, 检查点签名有效", f"{checkpoint.size} entries, checkpoint good")
        )


def _waiting(house: House) -> Iterator[Finding]:
    name = ("待发布", "waiting to be published")
    with house.database.reading() as session:
        leaves = count_waiting(session)
    lists = len(house.status_lists.pending())
    if not leaves and not lists:
        yield Finding("ok", name, ("无", "nothing"))
        return
    yield Finding(
        "warn",
        name,
        (
            f"{lists} 个状态列表的变更尚未公布, {leaves} 条待写入日志",
            f"{lists} status lists with changes nobody sees yet, {leaves} entries not in the log yet",
        ),
        _REFRESH,
    )


def _history(house: House) -> Iterator[Finding]:
    with house.database.reading() as session:
        entries = verify_logged_history(session, house.vault)
    yield Finding("ok", ("历史记录", "history"), (f"{entries} 条, 与日志一致", f"{entries} entries, as in the log"))


def _states(house: House) -> Iterator[Finding]:
    with house.database.reading() as session:
        changed = check_states(session)
    yield Finding(
        "ok",
        ("证书状态", "states"),
        (f"变更过 {changed} 本, 与历史记录一致", f"{changed} ever changed, as the history says"),
    )


def _status(house: House) -> Iterator[Finding]:
    name = ("状态列表", "status lists")
    key = house.store.public_key(Role.STATUS)
    files = sorted(house.folder.status.glob("*.cwt"))
    expired = late = 0
    for file in files:
        try:
            opened = open_status_token(file.read_bytes(), key, house.now())
        except StatusExpired:
            expired += 1
        else:
            late += house.now() - opened.iat >= LATE
    lost = house.status_lists.missing()
    if lost:
        numbers = ", ".join(map(str, lost[:MAX_NAMED]))
        yield Finding("bad", name, (f"已发布的文件不见了: {numbers}", f"published files are gone: {numbers}"), _REFRESH)
    elif expired:
        found = (f"{len(files)} 个中有 {expired} 个已过期", f"{expired} of {len(files)} have expired")
        yield Finding("bad", name, found, _REFRESH)
    elif late:
        found = (f"{len(files)} 个中有 {late} 个超过一小时未更新", f"{late} of {len(files)} are more than an hour old")
        yield Finding("warn", name, found, _REFRESH)
    else:
        yield Finding("ok", name, (f"{len(files)} 个, 均未过期", f"{len(files)}, none expired"))


def _objects(house: House) -> Iterator[Finding]:
    name = ("存储对象", "stored objects")
    count, bad = 0, []
    with house.database.reading() as session:
        for object_name, length in expected_objects(session):
            count += 1
            file = house.folder.blobs / object_name
            if not file.is_file() or file.stat().st_size != length:
                bad.append(object_name)
    if bad:
        named = ", ".join(bad[:MAX_NAMED])
        yield Finding(
            "bad",
            name,
            (
                f"{count} 个中有 {len(bad)} 个缺失或长度不符: {named}",
                f"{len(bad)} of {count} are gone or of another length: {named}",
            ),
            (
                "请从备份恢复 blobs 目录; 此前不得出证, 相关证书也无法取出",
                "restore the folder blobs from the backup; do not issue before, and these certificates cannot be read",
            ),
        )
    else:
        yield Finding("ok", name, (f"{count} 个, 齐全", f"{count}, all there"))


def _template_versions(house: House) -> Iterator[Finding]:
    name = ("模板版本", "template versions")
    with house.database.reading() as session:
        versions = list_versions(session)
        bound = bound_versions(session)
    known = {one.digest.hex() for one in versions}
    unregistered = [f"{digest[:8]} (batch {batch})" for digest, batch in bound.items() if digest not in known]
    lost = [f"{one.name} {one.number}" for one in versions if not _is_whole(house, one)]
    if unregistered:
        named = ", ".join(unregistered[:MAX_NAMED])
        yield Finding(
            "bad",
            name,
            (f"登记库中没有批次所用的版本: {named}", f"versions that batches name are not registered: {named}"),
            (
                "条目被删除: 请查明数据库被何人改动, 并从备份恢复",
                "entries were deleted: find out who wrote to the database, then restore it from a backup",
            ),
        )
    if lost:
        named = ", ".join(lost[:MAX_NAMED])
        yield Finding(
            "bad",
            name,
            (
                f"{len(versions)} 个中有 {len(lost)} 个缺失或损坏: {named}",
                f"{len(lost)} of {len(versions)} are gone or damaged: {named}",
            ),
            (
                "请从备份恢复 blobs/template; 或(模板未改动时)删去损坏的文件并再次用该模板提交批次",
                "restore blobs/template from the backup, or remove the damaged file and submit a batch with it",
            ),
        )
    if not unregistered and not lost:
        yield Finding("ok", name, (f"{len(versions)} 个, 齐全", f"{len(versions)}, all there"))


def _is_whole(house: House, version: TemplateVersion) -> bool:
    """Whether the object holds the version, file by file, and the register the rules of that very version."""
    try:
        kept = open_archive(house.blobs.read(version.blob))
        rules = open_archive(version.rules, only_rules=True)
    except (BadTemplate, UnavailableError):
        return False
    return kept.digest == rules.digest == version.digest and kept.name == version.name


def _owed(house: House) -> Iterator[Finding]:
    """What was published before a loss and is not in the restored registry yet."""
    left = still_owed(house.folder, house.database)
    if left:
        named = ", ".join(one.serial or f"{one.list_number}#{one.slot}" for one in left[:MAX_NAMED])
        yield Finding(
            "bad",
            ("恢复后待补登的变更", "changes owed after a restore"),
            (f"{len(left)} 项: {named}", f"{len(left)}: {named}"),
            (
                "请依据原决定逐项执行 yinzheng revoke、suspend 或 end; 全部登记之前不能出证",
                "enter each again by its decision: yinzheng revoke, suspend or end; nothing is issued before",
            ),
        )


RECORD_LOOKS: tuple[tuple[tuple[str, str], Callable[[House], Iterator[Finding]]], ...] = (
    (("签发日志", "log"), _log),
    (("待发布", "waiting to be published"), _waiting),
    (("恢复后待补登的变更", "changes owed after a restore"), _owed),
    (("历史记录", "history"), _history),
    (("证书状态", "states"), _states),
    (("状态列表", "status lists"), _status),
    (("存储对象", "stored objects"), _objects),
    (("模板版本", "template versions"), _template_versions),
)
"""Each look with the name to use when it fails."""
