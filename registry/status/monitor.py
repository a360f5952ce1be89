"""Compare the status lists that an issuer serves with those seen before, and with its log.

A monitor holds no key and sees only what everybody may see. It keeps of each list
the newest content, and which slots were ever called invalid or superseded: what was
is never valid again, whoever wrote to the database or signs anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from credential.leaves import status_list_leaf
from credential.model import StatusValue
from registry.status.token_list import BITS, MAX_CLOCK_SKEW, SLOTS, BadStatusToken, StatusList, open_past_token
from registry.status.watched import COMMITMENT_BYTES, KeptList, Watched

MAX_LOG_DELAY = timedelta(minutes=10)
"""How long after a list was first seen its leaf may be missing: the log moves within a minute or so."""

MAX_CACHE = timedelta(minutes=5)
"""A list is published anew when as old as its ttl, and may then be kept for as long by caches; so much more is late."""

MOST_LEAVES = 100_000
"""Leaves of lists that are remembered until a list needs one; a week of a hundred lists."""

NAMED_SLOTS = 20  # in one alarm

_SLOT_MASK = (1 << BITS) - 1


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an issuer must explain.

    Attributes:
        code: stable, for machines.
        list_number: which list; 0 for all of them together.
        en: what was found.
        zh: the same in Chinese.
        slots: where, the first few.
    """

    code: str
    list_number: int
    en: str
    zh: str
    slots: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """Both forms of a list as they were fetched, not trusted; None for one that is not there."""

    cwt: bytes | None
    jwt: bytes | None


def compare_list(
    number: int, kept: KeptList | None, served_forms: Served, keys: Sequence[bytes], now: datetime
) -> tuple[KeptList | None, int, list[Alarm]]:
    """Hold what is served of a list against what was seen of it.

    Args:
        number: of the list.
        kept: what the last look left, or None.
        served_forms: what is served, not trusted.
        keys: that may sign status lists, SPKI DER, trusted.
        now: with time zone.

    Returns:
        What to keep, how many slots changed, and what is wrong.
    """
    opened, alarms = _open_both(number, served_forms, keys)
    good: dict[str, StatusList] = {}
    for form, served in opened.items():
        wrong = _unusable(number, kept, form, served)
        if wrong is None:
            good[form] = served
            alarms += _late(number, served, now)
        else:
            alarms.append(wrong)
    before = bytes(SLOTS * BITS // 8) if kept is None else kept.data
    final = bytes(SLOTS * BITS // 8) if kept is None else kept.final
    seen = {} if kept is None else dict(kept.forms)
    leaves = {leaf for _, leaf in seen.values()} | (set() if kept is None else {kept.leaf})
    waiting = {} if kept is None else dict(kept.waiting)
    merged, fresh = final, kept
    # Whatever is served in either form is believed by somebody, so each is held against all that was seen.
    for form, served in good.items():
        leaf = status_list_leaf(served.sub, served.iat, served.digest)[-COMMITMENT_BYTES:]
        alarms += _two_lists(number, seen.get(form), served, leaf)
        if leaf not in leaves:
            waiting.setdefault(leaf, now)
        if form not in seen or seen[form][1] != leaf or form == "CWT":  # a cache may keep the other form a while
            alarms += _taken_back(number, final, served.data)
        seen[form] = (served.iat, leaf)
        merged = _merge(merged, served.data)
        if fresh is None or served.iat > fresh.iat or (form == "CWT" and served.iat == fresh.iat):
            fresh = KeptList(served.sub, served.iat, served.data, merged, leaf, waiting)
    alarms = list(dict.fromkeys(alarms))
    if fresh is None or not good:
        return kept, 0, alarms
    fresh = replace(fresh, final=merged, waiting=waiting, forms=seen)
    return fresh, len(_differing(before, fresh.data)), alarms


def _unusable(number: int, kept: KeptList | None, form: str, served: StatusList) -> Alarm | None:
    """Why a form cannot be held against what was seen before, if so."""
    if (kept is not None and served.sub != kept.sub) or not served.sub.endswith(f"/{number}"):
        return Alarm(
            "renamed", number, f"it names itself {served.sub}", f"列表地址为 {served.sub}, 与此前所见或编号不符"
        )
    newest = None if kept is None else _newest(kept, form)
    if newest is not None and served.iat < newest:
        return Alarm(
            "rolled-back",
            number,
            f"a list of {served.iat:%Y-%m-%d %H:%M:%S} is served, and a newer one was seen: {newest:%H:%M:%S}",
            f"当前列表签发于 {served.iat:%Y-%m-%d %H:%M:%S}, 而此前见过更新的({newest:%H:%M:%S})",
        )
    if len(served.data) != SLOTS * BITS // 8 or served.bits != BITS:
        return Alarm("another-size", number, "it has another number of slots now", "列表长度发生变化")
    return None


def _newest(kept: KeptList, form: str) -> datetime | None:
    """When the newest of this form was issued; of what was kept before forms were told apart, it was the CWT."""
    if form in kept.forms:
        return kept.forms[form][0]
    return kept.iat if form == "CWT" else None


def _two_lists(number: int, seen: tuple[datetime, bytes] | None, served: StatusList, leaf: bytes) -> list[Alarm]:
    if seen is None or seen[0] != served.iat or seen[1] == leaf:
        return []
    return [Alarm("two-lists", number, f"two lists of {served.iat:%H:%M:%S} differ", "同一签发时间出现两份不同的列表")]


def is_list(number: int, forms: Served, keys: Sequence[bytes]) -> bool:
    """Whether one of the forms is a list of this number, signed by one of the keys."""
    opened, _ = _open_both(number, forms, keys)
    return any(one.sub.endswith(f"/{number}") for one in opened.values())


def settle(watched: Watched, status_leaves: int, now: datetime) -> tuple[Watched, list[Alarm]]:
    """Hold the lists against the log's leaves, after both were looked at; in this order, lists first.

    Args:
        watched: with the lists of this look, and the leaves of the log up to now.
        status_leaves: how many leaves of kind ``status`` the log has.
        now: with time zone.
    """
    alarms: list[Alarm] = []
    logged = set(watched.recent)
    lists: dict[int, KeptList] = {}
    for number, kept in watched.lists.items():
        waiting = {leaf: since for leaf, since in kept.waiting.items() if leaf not in logged}
        lists[number] = replace(kept, waiting=waiting)
        late = [since for since in waiting.values() if now - since > MAX_LOG_DELAY]
        if late:
            first = f"{min(late):%Y-%m-%d %H:%M:%S}"
            alarms.append(
                Alarm(
                    "not-logged",
                    number,
                    f"{len(late)} contents that were served are not in the log, the first of them seen at {first}",
                    f"有 {len(late)} 份提供过的列表未记入日志, 最早见于 {first}",
                )
            )
    unexplained = watched.changes - watched.explained - status_leaves
    if unexplained > 0 and not any(one.waiting for one in lists.values()):
        alarms.append(
            Alarm(
                "unexplained",
                0,
                f"{unexplained} slots changed without an entry of a change of status in the log",
                f"有 {unexplained} 处状态变化在日志中没有对应的变更记录",
            )
        )
    return replace(watched, lists=lists), alarms


def remember_leaves(watched: Watched, origin: str, commitments: Iterable[bytes]) -> Watched:
    """Add the commitments of status-list leaves that were found in the log since the last look."""
    if watched.origin not in {"", origin}:  # a new log, after a restore: what changed before stands in the former one
        watched = replace(watched, explained=watched.changes, recent=())
    return replace(watched, origin=origin, recent=(*watched.recent, *commitments)[-MOST_LEAVES:])


# ---- the bits -------------------------------------------------------------------------------------------------


def _taken_back(number: int, final: bytes, after: bytes) -> list[Alarm]:
    """Slots that were invalid and are not, or were superseded and are valid or suspended."""
    lost = [
        slot
        for slot in _differing(final, after)
        if (was := _value(final, slot)) != StatusValue.VALID
        and not (was == StatusValue.SUPERSEDED and _value(after, slot) == StatusValue.INVALID)
    ]
    if not lost:
        return []
    named = ", ".join(map(str, lost[:NAMED_SLOTS])) + (" …" if len(lost) > NAMED_SLOTS else "")
    return [
        Alarm(
            "taken-back",
            number,
            f"{len(lost)} slots were revoked or superseded, and the list says otherwise now: {named}",
            f"{len(lost)} 处曾被撤销或取代, 现在的列表却不再如此: {named}",
            tuple(lost[:NAMED_SLOTS]),
        )
    ]


def _merge(final: bytes, data: bytes) -> bytes:
    """What each slot may not leave from now on."""
    merged = bytearray(final)
    for slot in _differing(final, data):
        value, was = _value(data, slot), _value(final, slot)
        if value == StatusValue.INVALID or (value == StatusValue.SUPERSEDED and was == StatusValue.VALID):
            byte, place = divmod(slot * BITS, 8)
            merged[byte] = merged[byte] & ~(_SLOT_MASK << place) | value << place
    return bytes(merged)


def _differing(before: bytes, after: bytes) -> list[int]:
    """The slots at which two lists differ."""
    if before == after:
        return []
    per_byte = 8 // BITS
    return [
        byte * per_byte + place
        for byte, (one, other) in enumerate(zip(before, after, strict=True))
        if one != other
        for place in range(per_byte)
        if (one ^ other) >> (place * BITS) & _SLOT_MASK
    ]


def _value(data: bytes, slot: int) -> int:
    byte, place = divmod(slot * BITS, 8)
    return data[byte] >> place & _SLOT_MASK


# ---- what is served -------------------------------------------------------------------------------------------


def _open_both(number: int, forms: Served, keys: Sequence[bytes]) -> tuple[dict[str, StatusList], list[Alarm]]:
    alarms: list[Alarm] = []
    opened: dict[str, StatusList] = {}
    for form, token in (("CWT", forms.cwt), ("JWT", forms.jwt)):
        if token is None:
            alarms.append(Alarm("missing", number, f"its {form} is not served", f"未提供 {form} 形式"))
            continue
        try:
            opened[form] = _open_by_any(token, keys)
        except BadStatusToken as error:
            alarms.append(Alarm("bad-token", number, f"its {form} is bad: {error.en}", f"{form} 无效: {error.zh}"))
    if len(opened) == 2 and opened["CWT"] != opened["JWT"] and opened["CWT"].iat == opened["JWT"].iat:
        alarms.append(Alarm("forms-differ", number, "its CWT and JWT differ", "CWT 与 JWT 内容不一致"))
    return opened, alarms


def _open_by_any(token: bytes, keys: Sequence[bytes]) -> StatusList:
    refused = BadStatusToken("the trust list names no key for it", "信任列表中没有状态列表密钥")
    for key in keys:
        try:
            return open_past_token(token, key)
        except BadStatusToken as error:
            refused = error
    raise refused


def _late(number: int, served: StatusList, now: datetime) -> list[Alarm]:
    since = f"{served.iat:%Y-%m-%d %H:%M:%S}"
    if served.iat > now + MAX_CLOCK_SKEW:
        return [Alarm("from-the-future", number, f"it was issued at {since}", f"签发时间为 {since}, 晚于现在")]
    if now >= served.exp:
        return [Alarm("expired", number, f"it is of {since} and says nothing any more", f"签发于 {since}, 已过期")]
    if now - served.iat > 2 * served.ttl + MAX_CACHE:
        return [Alarm("not-refreshed", number, f"it was not published anew since {since}", f"自 {since} 起未更新")]
    return []
