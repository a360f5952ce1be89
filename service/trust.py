"""Change the installation's trust list: everybody who changes issuers, keys, witnesses or logs does it here.

A list is published in steps that may each be the last before a crash:

1. it must be one that this installation would itself believe, or nothing is written;
2. the signed list is kept aside, durably;
3. its leaf, those of keys it is the first to name, and an entry of the history, in one transaction;
4. the public files, then the pinned roots, which follow a change of roots;
5. what was kept aside is removed.

:func:`settle_trust_list` goes on at the step that was not reached. Where too few
root keys are at hand the list becomes a draft (service/trust_drafts.py).
"""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from credential.cose import key_id
from credential.dsse import open_envelope
from credential.errors import Error, RefusedError
from credential.leaves import key_leaf, trust_list_leaf
from credential.ports import Signer
from credential.trust import (
    PAYLOAD_TYPE,
    Role,
    TrustedIssuer,
    TrustedKey,
    TrustList,
    TrustListOlder,
    open_past_trust_list,
    open_trust_list,
    sign_trust_list,
)
from credential.trust_list import read_trust_list
from keys.entry import KeyEntry, KeyState
from keys.store import KeyStore
from registry.file_lock import locked
from registry.history import Entry, HistoryKind, append, log_head
from registry.issuers import Issuer, list_issuers
from registry.log.files import replace_durably
from registry.log.outbox import is_put, put_leaves
from service.folder import DataFolder
from service.pinned import Pinned, content_digest, pin_roots, read_list_file, read_pinned, remember_list
from service.trust_drafts import (
    drop_drafts,
    drop_publishing,
    keep_draft,
    keep_publishing,
    read_publishing,
    waiting_draft,
)

if TYPE_CHECKING:
    from service.house import House

TRUST_LIST_LIFETIME = timedelta(days=366)  # renewed at least yearly, and whenever a key changes

_LOCK = ".trust-list.lock"
_SUBJECT = 300  # characters of an entry's subject
_SHARED = (Role.LOG, Role.STATUS, Role.RECEIPT)
_OWN = (Role.PDF, Role.QR)
_NEEDED = (Role.LOG, Role.STATUS)

_logger = logging.getLogger(__name__)


class NotOwnList(RefusedError):
    """With this list published, nobody would believe what this installation signs."""

    code = "not-own-trust-list"

    def __init__(self, what_en: str, what_zh: str) -> None:
        super().__init__(
            f"the trust list does not name this installation's {what_en}, so nobody would believe it any more; draft "
            "the list anew with: yinzheng trust draft",
            f"该信任列表没有本系统的{what_zh}, 发布后本系统将不再被信任; 请用 yinzheng trust draft 重新生成草稿",
        )


@dataclass(frozen=True, slots=True)
class Amended:
    """What became of a change.

    Attributes:
        published: whether everybody can see it; else it waits for signatures of the offline roots.
        version: of the list or draft.
        draft: the file to sign with ``yinzheng trust sign``, if it waits.
    """

    published: bool
    version: int
    draft: Path | None


def amend_trust_list(house: "House", change: Callable[[TrustList], TrustList], *, why: str) -> Amended:
    """Change the trust list: sign and publish it if enough root keys are in the key store, else draft it.

    Version and times are set here, whatever the change says of them. A change
    starts from the draft that waits, if there is one, so that none is lost.
    Not inside a transaction on the registry, for this makes one of its own.

    Args:
        house: whose list it is.
        change: from the newest list to the one wanted; called once.
        why: one line for the history, without names of persons; e.g. ``issuer nb added``.

    Raises:
        BadTrustList: the list makes no sense.
        NotOwnList: nobody would believe this installation with it.
        BadPinnedRoots: roots or list are missing or damaged.
        TrustListNotSigned: the published list is not signed by the pinned roots.
        TrustListOlder: the published list is not the newest that was seen, nor is that one kept.
    """
    folder = house.folder
    with _alone(folder):
        _settle(house)
        newest, pinned = newest_trust_list(folder), read_pinned(folder)
        waiting = waiting_draft(folder)
        found = newest if waiting is None else read_content(waiting.envelope)
        version = max(found.version, newest.version, pinned.seen_version) + 1
        trust = _dated(change(found), version, house.now())
        _check_own(house, trust)
        signers = root_signers(house.store, {*pinned.roots, *trust.roots})
        envelope = sign_trust_list(trust, signers)
        reasons = why if waiting is None else f"{waiting.why}; {why}"
        if _is_enough(signers, pinned.roots, pinned.threshold) and _is_enough(signers, trust.roots, trust.threshold):
            _publish(house, envelope, reasons)
            return Amended(published=True, version=version, draft=None)
        return Amended(published=False, version=version, draft=keep_draft(folder, version, envelope, reasons))


def found_trust_list(house: "House") -> None:
    """Publish the first list, of the installation's own keys, and pin its one root; one there is stays."""
    folder, store = house.folder, house.store
    with _alone(folder):
        if not folder.roots.exists():
            pin_roots(folder, (store.public_key(Role.TRUST_ROOT),), 1)
        _settle(house)
        if folder.trust_list.exists():
            return
        empty = TrustList(
            version=1,
            issued_at=house.now(),
            expires=house.now(),
            log_origin=house.installation.log_origin,
            issuers=(),
            keys=(),
            ca_certs=(),
            witnesses=(),
            witness_threshold=0,
            roots=(store.public_key(Role.TRUST_ROOT),),
            threshold=1,
        )
        trust = _dated(with_own_keys(store, ())(empty), 1, house.now())
        _publish(house, sign_trust_list(trust, root_signers(store, trust.roots)), "first list")


def publish_signed(house: "House", envelope: bytes, why: str) -> TrustList:
    """Publish a list that the roots have signed elsewhere; drafts that it is newer than, or equal to, are dropped.

    Raises:
        TrustListNotSigned, TrustListOlder, TrustListExpired: it is not one that would be believed.
        NotOwnList: nobody would believe this installation with it.
        BadTrustList, BadEnvelope: it is no list.
    """
    with _alone(house.folder):
        _settle(house)
        return _publish(house, envelope, why)


def settle_trust_list(house: "House") -> bool:
    """Finish a publication that a crash cut off; whether there was one."""
    if read_publishing(house.folder) is None:
        return False
    with _alone(house.folder):
        return _settle(house)


def newest_trust_list(folder: DataFolder) -> TrustList:
    """The newest list there ever was, even if it expired, or if an older file was put in its place.

    Raises:
        BadPinnedRoots: the pinned roots or the list are missing or damaged.
        InputError, RefusedError: no copy that is left is the newest one.
    """
    pinned = read_pinned(folder)
    kept = folder.trust_lists / f"{pinned.seen_version}.json"
    try:
        return _open_newest(read_list_file(folder.trust_list), pinned)
    except Error:
        if not kept.exists():
            raise
        return _open_newest(read_list_file(kept), pinned)


def with_own_keys(store: KeyStore, issuers: Sequence[Issuer]) -> Callable[[TrustList], TrustList]:
    """Give the change that adds what a list lacks of this installation: issuers, active keys, CA certificates."""
    active = {(entry.role, entry.owner): entry for entry in store.entries() if entry.state is KeyState.ACTIVE}

    def change(trust: TrustList) -> TrustList:
        names = {one.uscc: one.name for one in trust.issuers} | {one.uscc: one.name for one in issuers}
        own = [(role, "", "") for role in _SHARED] + [(role, one.id, one.uscc) for one in issuers for role in _OWN]
        wanted = [_trusted(active[role, owner], uscc) for role, owner, uscc in own if (role, owner) in active]
        listed = {key.public_key for key in trust.keys}
        chains = [entry.chain for (role, _), entry in active.items() if role == Role.PDF]
        return replace(
            trust,
            issuers=tuple(TrustedIssuer(*one) for one in names.items()),
            keys=(*trust.keys, *(key for key in wanted if key.public_key not in listed)),
            ca_certs=tuple(dict.fromkeys((*trust.ca_certs, *(chain[-1] for chain in chains if chain)))),
        )

    return change


def renew_trust_list(house: "House", *, why: str = "renewed") -> Amended:
    """Publish the list for another year, with whatever it lacks of this installation; else as any change."""
    with house.database.reading() as session:
        issuers = list_issuers(session)
    return amend_trust_list(house, with_own_keys(house.store, issuers), why=why)


def root_signers(store: KeyStore, roots: Collection[bytes]) -> list[Signer]:
    """The root keys in the key store that are among these."""
    return [
        store.signer(entry.role, entry.owner, entry.generation)
        for entry in store.entries()
        if entry.role == Role.TRUST_ROOT and entry.public_key in roots
    ]


def read_content(envelope: bytes) -> TrustList:
    """Read what a list says, whoever signed it; believe nothing of it.

    Raises:
        BadEnvelope, BadTrustList: it is no list.
    """
    return read_trust_list(open_envelope(envelope, PAYLOAD_TYPE).payload)


def _publish(house: "House", envelope: bytes, why: str) -> TrustList:
    pinned = read_pinned(house.folder)
    trust = open_trust_list(envelope, pinned.roots, pinned.threshold, house.now(), pinned.seen_version + 1)
    _check_own(house, trust)
    keep_publishing(house.folder, envelope, why)
    _settle(house)
    return trust


def _settle(house: "House") -> bool:
    """Do what is left of a publication; each step may be done twice."""
    folder = house.folder
    found = read_publishing(folder)
    if found is None:
        return False
    trust = read_content(found.envelope)
    before = newest_trust_list(folder) if folder.trust_list.exists() else None
    with house.database.transaction() as session:
        if not is_put(session, trust_list_leaf(found.envelope)):
            put_leaves(session, _leaves(before, trust, found.envelope))
            subject = (
                f"trust list {trust.version}, {len(trust.keys)} keys, {content_digest(found.envelope)}: {found.why}"
            )
            append(session, Entry(HistoryKind.TRUST_LIST_PUBLISHED, None, subject[:_SUBJECT], house.now(), None))
            log_head(session, house.vault)
    # The copy by version first: whoever reads an older one after a change of roots finds all that come between.
    replace_durably({folder.trust_lists / f"{trust.version}.json": found.envelope})
    replace_durably({folder.trust_list: found.envelope})
    remember_list(folder, trust, content_digest(found.envelope))
    drop_drafts(folder, trust.version)
    drop_publishing(folder)
    try:
        house.log.sequence(house.now())
    except Error as error:  # a withdrawn key must be told even if the log is damaged or forked; the leaves wait for it
        _logger.warning("trust list %d is published and not yet in the log: %s", trust.version, error.code)
    return True


def _leaves(before: TrustList | None, trust: TrustList, envelope: bytes) -> list[bytes]:
    """The leaf of a list, and those of the keys that it is the first to name."""
    known = set() if before is None else {key.public_key for key in before.keys} | {*before.roots}
    keys = [key_leaf(key.role, key.issuer, key.public_key) for key in trust.keys if key.public_key not in known]
    roots = [key_leaf(Role.TRUST_ROOT, "", root) for root in trust.roots if root not in known]
    return [*keys, *roots, trust_list_leaf(envelope)]


def _check_own(house: "House", trust: TrustList) -> None:
    if trust.log_origin != house.installation.log_origin:
        raise NotOwnList(f"log {house.installation.log_origin}", f"日志 {house.installation.log_origin}")
    for role in _NEEDED:
        if trust.find_key(key_id(house.store.public_key(role)), role) is None:
            raise NotOwnList(f"{role} key", f" {role} 密钥")


def _open_newest(envelope: bytes, pinned: Pinned) -> TrustList:
    trust = open_past_trust_list(envelope, pinned.roots, pinned.threshold)
    if trust.version < pinned.seen_version:
        raise TrustListOlder(trust.version, pinned.seen_version)
    return trust


def _dated(trust: TrustList, version: int, now: datetime) -> TrustList:
    start = now.astimezone(UTC).replace(microsecond=0)
    return replace(trust, version=version, issued_at=start, expires=start + TRUST_LIST_LIFETIME)


def _trusted(entry: KeyEntry, issuer: str) -> TrustedKey:
    return TrustedKey(Role(entry.role), issuer, entry.algorithm, entry.public_key, valid_from=entry.created_at)


def _is_enough(signers: Sequence[Signer], roots: Collection[bytes], threshold: int) -> bool:
    return len({signer.public_key for signer in signers} & {*roots}) >= threshold


def _alone(folder: DataFolder) -> AbstractContextManager[None]:
    """Let one process of this machine at a time change the list."""
    return locked(folder.root / _LOCK)
