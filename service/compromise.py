"""Declare a key stolen: since when, what that costs, and what is done at once.

In the trust list stands the moment of the theft. What a stamped checkpoint from
before it covers stays good (verifier/cutoff.py); the rest of what the key signed
is unknown from then on, and nothing brings it back but being issued again. So
it is weighed first: :func:`weigh` counts both sides and changes nothing.

1. The next key is made, if none waits.
2. One new trust list says both: the theft, and the next key.
3. The next key signs from now on; checkpoint or status lists are signed anew at once.
4. The stolen key's certificate is revoked, if it is of our own CA.

Where the list has to be signed by offline roots, step 3 waits for that. Killed
anywhere, doing it again completes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from credential.errors import Error, InputError
from credential.trust import Role, TrustList
from credential.trust_list import write_moment
from issuer.office import BEIJING
from keys.entry import KeyEntry, KeyState
from registry.coverage import Span, count_covered, list_uncovered
from registry.history import HistoryKind
from service.crl import AlreadyRevokedCert, UnknownSigningCert, revoke_signing_cert
from service.custody import note_use
from service.house import House
from service.rotation import (
    OF_ISSUERS,
    KeyNotAnnounced,
    activate_key,
    check_role,
    is_named,
    next_key,
    subject_of,
    whole_seconds,
    with_change,
    with_key,
)
from service.trust import Amended, amend_trust_list, newest_trust_list


class BadCompromise(InputError):
    """The moment that a theft is dated from cannot be right."""

    code = "bad-compromise-time"


@dataclass(frozen=True, slots=True)
class Declared:
    """What became of a declaration.

    Attributes:
        entry: of the key that was stolen.
        amended: the change of the trust list.
        successor: the key that signs from now on; None when that has to wait.
        left: what could not be done yet, and is to be done by hand.
    """

    entry: KeyEntry
    amended: Amended
    successor: KeyEntry | None
    left: tuple[Error, ...]


@dataclass(frozen=True, slots=True)
class Toll:
    """What a declaration would cost, counted before it is made.

    Attributes:
        since: the moment of the theft, whole seconds.
        last_stamp: the newest time stamp from before it; None when there is none.
        codes: certificates that stay good, and that become unknown, by QR code, code, or serial and name.
        files: the same as files.
    """

    since: datetime
    last_stamp: datetime | None
    codes: tuple[int, int]
    files: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Lost:
    """A certificate that would become unknown.

    Attributes:
        serial: as printed.
        version: of the certificate.
        issued_at: when its claims were fixed.
        by_code: whether it is unknown by its code too, not only as a file.
    """

    serial: str
    version: int
    issued_at: datetime
    by_code: bool


def weigh(house: House, entry: KeyEntry, since: datetime) -> Toll:
    """Count what would stay good and what would become unknown, and change nothing.

    Counted are the certificates that were issued while the key was the active
    one; for keys of the log and of status lists there are none to count.

    Args:
        house: of the installation.
        entry: of the key.
        since: the moment of the theft, with time zone.
    """
    moment = whole_seconds(since)
    role, origin = Role(entry.role), house.installation.log_origin
    last = house.stamped.last_before(origin, moment)
    if role not in OF_ISSUERS:
        return Toll(moment, last, (0, 0), (0, 0))
    with house.database.reading() as session:
        found = count_covered(session, _span(house, entry, moment))
    files = (found.sealed_covered, found.sealed - found.sealed_covered)
    if role is Role.PDF:
        return Toll(moment, last, (found.issued, 0), files)
    return Toll(moment, last, (found.issued_covered, found.issued - found.issued_covered), files)


def other_generations(house: House, entry: KeyEntry) -> list[KeyEntry]:
    """List the other keys of the same role and owner, which may have been within the thief's reach too."""
    return [
        one
        for one in house.store.entries()
        if (one.role, one.owner) == (entry.role, entry.owner) and one.generation != entry.generation
    ]


def check_generation(house: House, entry: KeyEntry, since: datetime) -> None:
    """Refuse a theft from before the key was made where an older one signed then, for that one was stolen.

    Asked where nobody said which generation is meant: the key in use is taken
    then, and of a key that did not exist nothing would seem to be lost.

    Raises:
        BadCompromise: the key was made later; it names the one that signed then.
    """
    moment = whole_seconds(since)
    older = [one for one in other_generations(house, entry) if one.generation < entry.generation]
    if moment >= entry.created_at or not older:
        return
    older.sort(key=lambda one: one.generation)
    begun = [one for one in older if (one.activated_at or one.created_at) <= moment]
    signed = begun[-1] if begun else older[0]
    made = write_local(entry.created_at)
    raise BadCompromise(
        f"the key {entry.name} was made at {made} (Beijing time), later than the moment given; {signed.name} signed "
        f"then: say --generation {signed.generation}",
        f"密钥 {entry.name} 于 {made}(北京时间)才创建, 晚于所填时间; 当时使用的是 {signed.name}: "
        f"请加 --generation {signed.generation}",
    )


def lost_certificates(house: House, entry: KeyEntry, since: datetime) -> Iterator[Lost]:
    """List the certificates that would become unknown, so that they can be issued again; the oldest first."""
    role = Role(entry.role)
    if role not in OF_ISSUERS:
        return
    with house.database.reading() as session:
        for one in list_uncovered(session, _span(house, entry, whole_seconds(since))):
            yield Lost(one.serial, one.version, one.issued_at, role is Role.QR and not one.is_issue_covered)


def write_local(moment: datetime) -> str:
    """Write a moment as people here read it: Beijing time, to the second."""
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _span(house: House, entry: KeyEntry, since: datetime) -> Span:
    """The certificates that were issued while a key was the active one."""
    covered = house.stamped.covered_before(house.installation.log_origin, since)
    return Span(entry.owner, entry.activated_at or entry.created_at, entry.retired_at, covered)


def declare_compromised(house: House, entry: KeyEntry, since: datetime, *, later: bool = False) -> Declared:
    """Tell everybody that a key is in a thief's hands since a moment, and go on with the next one.

    Weigh it first (:func:`weigh`): what no stamp from before that
    moment covers becomes unknown, and cannot be brought back.

    Args:
        house: of the installation.
        entry: of the key.
        since: the earliest moment at which somebody else may have had it; with time zone.
        later: allow a later moment than one that was declared before, which had been too early.

    Raises:
        BadCompromise: the moment is in the future, or later than one that was declared.
        RoleNotRolled: it is a root's.
    """
    role = Role(entry.role)
    check_role(role)
    moment = check_since(house, entry, since, later=later)
    successor: KeyEntry | None = None
    if entry.state is not KeyState.RETIRED:
        successor = _successor(house, entry)

    def change(trust: TrustList) -> TrustList:
        named = trust if is_named(trust, entry) else with_key(house, trust, entry)
        told = with_change(named, entry, lambda key: replace(key, compromised_since=moment))
        if successor is None or (role is Role.PDF and not successor.chain) or is_named(told, successor):
            return told
        return with_key(house, told, successor)

    amended = amend_trust_list(house, change, why=f"{entry.name} compromised since {write_moment(moment)}")
    note_use(house, HistoryKind.KEY_COMPROMISED, f"{subject_of(entry)} since {write_moment(moment)}")
    left: list[Error] = []
    taken_over = _take_over(house, role, successor, amended, left)
    if role is Role.PDF:
        _revoke_certificate(house, entry, moment, left)
    return Declared(entry, amended, taken_over, tuple(left))


def check_since(house: House, entry: KeyEntry, since: datetime, *, later: bool = False) -> datetime:
    """Check the moment that a theft is dated from; gives it in whole seconds, never a later one.

    Raises:
        BadCompromise: it is in the future, or later than one that was declared.
    """
    moment = whole_seconds(since)
    if since > house.now():
        raise BadCompromise(
            f"{write_moment(since)} is in the future; say since when the key may have been in other hands",
            f"{write_moment(since)} 在将来; 请填写密钥可能已落入他人之手的最早时间",
        )
    known = next((key for key in newest_trust_list(house.folder).keys if key.public_key == entry.public_key), None)
    before = None if known is None else known.compromised_since
    if before is not None and moment > before and not later:
        raise BadCompromise(
            f"the key is declared compromised since {write_moment(before)}; a later moment makes what is unknown now "
            "good again: say --later if the first one was a mistake",
            f"该密钥已宣布自 {write_moment(before)} 起泄露; 改为更晚的时间会使目前无法证实的证书恢复有效, "
            "如确属填错, 请加 --later",
        )
    return moment


def _take_over(
    house: House, role: Role, successor: KeyEntry | None, amended: Amended, left: list[Error]
) -> KeyEntry | None:
    """Let the next key sign, unless the list that names it waits for its roots."""
    if successor is None:
        return None
    if not amended.published:
        left.append(KeyNotAnnounced(successor.name))
        return None
    try:
        return activate_key(house, role, successor.owner, successor.generation)
    except Error as error:
        left.append(error)
        return None


def _revoke_certificate(house: House, entry: KeyEntry, since: datetime, left: list[Error]) -> None:
    """Have programs of others know: by the revocation list of our CA, else by whoever certified it."""
    for certificate in entry.chain[:1]:
        number = x509.load_der_x509_certificate(certificate).serial_number
        try:
            revoke_signing_cert(house, number, "key-compromise", revoked_at=since)
        except AlreadyRevokedCert:
            continue
        except UnknownSigningCert as error:
            left.append(error)


def _successor(house: House, entry: KeyEntry) -> KeyEntry:
    return next_key(house, Role(entry.role), entry.owner, entry.algorithm, entry.kept_in)
