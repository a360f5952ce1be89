"""Change the keys that sign: roll to the next one with an overlap, and retire the old one.

Rolling (docs/rotation.md):

1. *roll*: the next key is made, certified where it signs PDFs, and announced in the
   trust list. It signs nothing yet, so that verifiers have the new list in time.
2. *activate*: it signs from now on, in every process; the one before signs nothing any
   more, and stays good. The log's checkpoint and all status lists are signed anew at once.
3. *retire*: the trust list ends the old key's time. What it signed before stays good.

Killed anywhere, each is completed by doing it again. What is done about a stolen key
stands in service/compromise.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from credential.cose import key_id
from credential.errors import InputError, RefusedError
from credential.ports import Algorithm
from credential.trust import Role, TrustedKey, TrustList
from credential.trust_list import write_moment
from keys.authority import ISSUING, Organization
from keys.entry import IN_FILE, KeyEntry, KeyState
from keys.store import MissingKey
from registry.batches import get_batch
from registry.chunks import unfinished_batches
from registry.history import HistoryKind
from service.crl import authority_of
from service.custody import note_use
from service.house import House
from service.issuers import SIGNING_CERT_LIFETIME
from service.signing_keys import make_key
from service.stamping import stamp_checkpoint
from service.trust import Amended, amend_trust_list, newest_trust_list

ROLLED = (Role.PDF, Role.QR, Role.LOG, Role.STATUS, Role.RECEIPT)
"""Roles whose keys are rolled here; roots are changed by those who hold them (``yinzheng trust roots``)."""
OF_ISSUERS = frozenset({Role.PDF, Role.QR})


class RoleNotRolled(InputError):
    """Roots of trust are not rolled like keys that sign every day."""

    code = "role-not-rolled"

    def __init__(self, role: str) -> None:
        super().__init__(
            f"{role!r} keys are not rolled here ({', '.join(ROLLED)} are); roots are changed with: "
            "yinzheng trust roots set",
            f"此命令不更换 {role} 密钥(可更换 {', '.join(ROLLED)}); 更换根密钥请用 yinzheng trust roots set",
        )


class NoPendingKey(RefusedError):
    """There is no next key that could be activated."""

    code = "no-pending-key"

    def __init__(self, role: str, owner: str) -> None:
        name = f"{role} {owner}".strip()
        super().__init__(
            f"no next key of {name} waits to be activated; make one with: yinzheng keys roll {role}",
            f"{name} 没有待启用的密钥; 请先执行 yinzheng keys roll {role}",
        )


class KeyNotAnnounced(RefusedError):
    """Nobody would believe what the key signs yet."""

    code = "key-not-announced"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the published trust list does not name the key {name} yet; publish the draft that waits "
            "(yinzheng trust sign, then yinzheng trust publish), or run yinzheng keys roll",
            f"已发布的信任列表中还没有密钥 {name}; 请先发布待签名的草稿(yinzheng trust sign, yinzheng trust publish), "
            "或执行 yinzheng keys roll",
        )


class CertificateNeeded(RefusedError):
    """A PDF key without a certificate signs nothing that programs of others believe."""

    code = "certificate-needed"

    def __init__(self, name: str, owner: str) -> None:
        super().__init__(
            f"the key {name} has no certificate yet; run yinzheng keys csr --issuer {owner}, and yinzheng keys import "
            "with the answer of the CA",
            f"密钥 {name} 还没有证书; 请执行 yinzheng keys csr --issuer {owner} 向认证机构申请, "
            "再用 yinzheng keys import 导入",
        )


class KeyStillSigns(RefusedError):
    """The key's time cannot end, for something is still signed with it."""

    code = "key-still-signs"

    def __init__(self, name: str, why_en: str, why_zh: str) -> None:
        super().__init__(f"the key {name} cannot be retired: {why_en}", f"密钥 {name} 暂不能停用: {why_zh}")


@dataclass(frozen=True, slots=True)
class Rolled:
    """What became of a roll.

    Attributes:
        entry: of the next key.
        amended: the change of the trust list; None when it named the key already, or waits for a certificate.
        needs_certificate: a CA outside must certify it before anything else.
    """

    entry: KeyEntry
    amended: Amended | None
    needs_certificate: bool


def roll_key(
    house: House, role: Role, owner: str = "", *, algorithm: Algorithm | None = None, kept_in: str = IN_FILE
) -> Rolled:
    """Make and announce the next key of a role; one that waits already is gone on with.

    Args:
        house: of the installation.
        role: of the key.
        owner: id of the issuer, for PDF and QR keys.
        algorithm: as the key in use when None.
        kept_in: ``file``, ``pkcs11`` or the name of a plug-in.

    Raises:
        RoleNotRolled: it is a root's.
        MissingKey: there is no key to be followed by another.
        and what ``make_key`` and ``amend_trust_list`` raise.
    """
    entry = next_key(house, role, owner, algorithm, kept_in)
    if role is Role.PDF and not entry.chain:
        return Rolled(entry, None, needs_certificate=True)
    if is_named(newest_trust_list(house.folder), entry):
        return Rolled(entry, None, needs_certificate=False)
    amended = amend_trust_list(house, lambda trust: with_key(house, trust, entry), why=f"next key {entry.name}")
    return Rolled(entry, amended, needs_certificate=False)


def activate_key(house: House, role: Role, owner: str = "", generation: int | None = None) -> KeyEntry:
    """Let the next key sign from now on; asked again, what was cut off is completed.

    Args:
        house: of the installation.
        role: of the key.
        owner: id of the issuer, for PDF and QR keys.
        generation: the newest that is not retired when None.

    Raises:
        NoPendingKey: there is none.
        KeyNotAnnounced: the published trust list does not name it.
        CertificateNeeded: it is for PDFs and has none.
        UnavailableError: status lists or checkpoint could not be signed anew; activate it again.
    """
    check_role(role)
    left = [one for one in _generations(house, role, owner) if one.state is not KeyState.RETIRED]
    wanted = left[-1:] if generation is None else [one for one in left if one.generation == generation]
    if not wanted:
        raise NoPendingKey(role, owner)
    entry = wanted[0]
    if role is Role.PDF and not entry.chain:
        raise CertificateNeeded(entry.name, owner)
    if not is_named(newest_trust_list(house.folder), entry):
        raise KeyNotAnnounced(entry.name)
    was_pending = entry.state is KeyState.PENDING
    entry = house.store.activate(role, owner, entry.generation, house.now())
    if was_pending:
        note_use(house, HistoryKind.KEY_ACTIVATED, subject_of(entry))
    _sign_anew(house, role)
    return entry


def retire_key(house: House, role: Role, owner: str = "", generation: int | None = None) -> Amended:
    """End a key's time in the trust list: what it signs from now on is not believed, what it signed before is.

    A log key only stops signing here: a proof carries no date, so offline a tree
    that somebody signs with it later looks like an old one. Destroy it, or have
    witnesses demanded; one that may be copied is for ``declare_compromised``.

    Args:
        house: of the installation.
        role: of the key.
        owner: id of the issuer, for PDF and QR keys.
        generation: the one before the active key when None.

    Raises:
        KeyStillSigns: it is the active key, or a batch is on its way that may have been begun with it.
        MissingKey: there is no such key.
    """
    check_role(role)
    entry = _former(house, role, owner, generation)
    if entry.state is KeyState.ACTIVE:
        raise KeyStillSigns(entry.name, "it is the active one; roll first", "它是使用中的密钥, 请先更换(keys roll)")
    for number in _batches_on_their_way(house, owner) if role in OF_ISSUERS else ():
        raise KeyStillSigns(
            entry.name,
            f"batch {number} may have been begun with it; finish it first (yinzheng batch resume {number})",
            f"批次 {number} 可能仍在用它签发, 请先完成该批次(yinzheng batch resume {number})",
        )
    _sign_anew(house, role)
    house.store.retire(role, owner, entry.generation, house.now())
    end = whole_seconds(house.now())
    amended = amend_trust_list(
        house,
        lambda trust: with_change(trust, entry, lambda key: replace(key, valid_until=min(key.valid_until or end, end))),
        why=f"retired {entry.name}",
    )
    note_use(house, HistoryKind.KEY_RETIRED, f"{subject_of(entry)} at {write_moment(end)}")
    return amended


def next_key(house: House, role: Role, owner: str, algorithm: Algorithm | None, kept_in: str) -> KeyEntry:
    """The key that waits to follow, made and, by our own CA, certified if need be; raises as :func:`roll_key`."""
    check_role(role)
    waiting = [one for one in _generations(house, role, owner) if one.state is KeyState.PENDING]
    if waiting:
        entry = waiting[-1]
    else:
        made = _generations(house, role, owner)
        if not made:
            raise MissingKey(role, owner)
        entry = make_key(house, role, owner, algorithm or made[-1].algorithm, kept_in)
    if role is Role.PDF and not entry.chain and _certifies_itself(house, entry):
        _certify(house, entry)
    return house.store.entry(role, owner, entry.generation)


def _certifies_itself(house: House, entry: KeyEntry) -> bool:
    """Whether the keys of this issuer have their certificates from the installation's own CA."""
    anchors = {one.chain[-1] for one in house.store.entries() if one.role == ISSUING and one.chain}
    chains = [one.chain for one in _generations(house, Role.PDF, entry.owner) if one.chain]
    return bool(chains) and chains[-1][-1] in anchors


def _certify(house: House, entry: KeyEntry) -> None:
    issuer, now = house.issuer(entry.owner), house.now()
    authority_of(house.store, house.installation).certify(
        Role.PDF,
        entry.owner,
        Organization(issuer.name, issuer.uscc),
        not_before=now,
        not_after=now + SIGNING_CERT_LIFETIME,
        generation=entry.generation,
    )
    note_use(house, HistoryKind.KEY_CERTIFIED, subject_of(entry))


def _sign_anew(house: House, role: Role) -> None:
    """Have what is published signed by the active key of the role, at once."""
    if role is Role.STATUS:
        house.status_lists.renew(house.now())
    if role in {Role.STATUS, Role.LOG}:
        house.log.sequence(house.now())
        stamp_checkpoint(house, at_once=True)


def with_key(house: House, trust: TrustList, entry: KeyEntry) -> TrustList:
    """The list with a key added, and with the anchor of its certificate."""
    uscc = house.issuer(entry.owner).uscc if entry.role in OF_ISSUERS else ""
    named = TrustedKey(Role(entry.role), uscc, entry.algorithm, entry.public_key, entry.created_at)
    anchors = tuple(dict.fromkeys((*trust.ca_certs, *entry.chain[-1:])))
    return replace(trust, keys=(*trust.keys, named), ca_certs=anchors)


def with_change(trust: TrustList, entry: KeyEntry, change: Callable[[TrustedKey], TrustedKey]) -> TrustList:
    """The list with one key changed."""
    keys = tuple(change(key) if key.public_key == entry.public_key else key for key in trust.keys)
    return replace(trust, keys=keys)


def is_named(trust: TrustList, entry: KeyEntry) -> bool:
    """Whether a trust list knows a key."""
    return any(key.public_key == entry.public_key for key in trust.keys)


def _generations(house: House, role: Role, owner: str) -> list[KeyEntry]:
    return [one for one in house.store.entries() if (one.role, one.owner) == (role, owner)]


def _former(house: House, role: Role, owner: str, generation: int | None) -> KeyEntry:
    if generation is not None:
        return house.store.entry(role, owner, generation)
    former = [one for one in _generations(house, role, owner) if one.state is KeyState.RETIRED]
    if not former:
        return house.store.entry(role, owner)
    return former[-1]


def _batches_on_their_way(house: House, owner: str) -> list[int]:
    with house.database.reading() as session:
        return [number for number in unfinished_batches(session) if get_batch(session, number).issuer_id == owner]


def check_role(role: Role) -> None:
    """Refuse roles whose keys are not changed here.

    Raises:
        RoleNotRolled: it is a root's.
    """
    if role not in ROLLED:
        raise RoleNotRolled(role)


def subject_of(entry: KeyEntry) -> str:
    """How the history names a key."""
    return f"key {entry.name} {key_id(entry.public_key).hex()}"


def whole_seconds(moment: datetime) -> datetime:
    """A moment in whole seconds, as trust lists have them; never a later one."""
    return moment.astimezone(UTC).replace(microsecond=0)
