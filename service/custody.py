"""Note every use of an administrative key, and every act on the service as a whole, on the history; read and prove it.

Such an entry concerns no issuer. It is chained like any other and its leaf is put in
the same transaction, so that whoever holds a later checkpoint can prove what was left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from credential.errors import InputError
from credential.note import Checkpoint
from credential.trust import Role
from registry.database import Session
from registry.history import Entry, HistoryKind, append, head, log_head, verify_logged_history
from registry.issuers import get_issuer, list_persons
from registry.log.outbox import logged_leaves
from registry.log.reader import verify_log
from registry.past import Wanted, count_heads_waiting, read_past
from registry.tables import HistoryRow, PersonRow
from registry.vault import Vault
from service.house import House

MAX_SUBJECT = 300  # characters; a sentence, not a document

_SUBJECT = re.compile(rf"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{{1,{MAX_SUBJECT}}}")
_OF_THE_SERVICE = ("key-", "trust-", "system-")


class BadSubject(InputError):
    """What an entry is about is told in one line."""

    code = "bad-history-subject"

    def __init__(self, subject: str) -> None:
        shown = subject[:40].encode("unicode_escape").decode("ascii")
        super().__init__(
            f"{shown!r} is not the subject of an entry: one line of 1 to {MAX_SUBJECT} characters is asked for",
            f"“{shown}”不能作为历史记录的事由: 须为 1 至 {MAX_SUBJECT} 个字符的一行文字",
        )
        self.subject = subject


class UnregisteredPerson(InputError):
    """Nobody is registered under this id, with any issuer."""

    code = "unregistered-person"

    def __init__(self, person: str) -> None:
        super().__init__(
            f"nobody is registered as {person!r}; see `yinzheng person list`",
            f"没有登记名为“{person}”的人员; 请见 yinzheng person list",
        )
        self.person = person


def is_of_the_service(kind: HistoryKind) -> bool:
    """Whether entries of this kind concern the whole service, and so need no issuer and no person."""
    return kind.startswith(_OF_THE_SERVICE)


def note_use(house: House, kind: HistoryKind, subject: str, *, maker: str | None = None) -> None:
    """Append an entry of the service itself and the leaf of its head, in a transaction of its own.

    Durable once this returns. The leaf waits in the outbox for the next run of the
    sequencer. Call it after the deed: an entry says what was done, not what was tried.
    Inside a transaction on the registry use :func:`put_use`, or SQLite waits for itself.

    Args:
        house: whose history it is.
        kind: one of ``key-*``, ``trust-*`` and ``system-*``.
        subject: what it was done to, in words that outlive the database, as ``key qr nb@2 5d1f…``;
            never a person's name or number, and never a passphrase.
        maker: id of a registered person, if one is known to have done it.

    Raises:
        BadSubject: empty, too long, or more than a line.
        UnregisteredPerson: the maker is not registered.
        ValueError: the kind is one that an issuer's persons are named in.
        DatabaseUnavailable: nothing was written, or it is not known.
    """
    with house.database.transaction() as session:
        put_use(session, house.vault, Entry(kind, None, subject, house.now(), maker))


def put_use(session: Session, vault: Vault, entry: Entry) -> int:
    """Do as :func:`note_use` in the caller's transaction; returns the entry's number.

    Raises:
        BadSubject: empty, too long, or more than a line.
        UnregisteredPerson: the maker is not registered.
        ValueError: the kind is one that an issuer's persons are named in.
    """
    if not is_of_the_service(entry.kind):
        raise ValueError(f"{entry.kind} is written with its issuer and persons")
    if _SUBJECT.fullmatch(entry.subject) is None:
        raise BadSubject(entry.subject)
    if entry.maker is not None and session.get(PersonRow, entry.maker) is None:
        raise UnregisteredPerson(entry.maker)
    sequence = append(session, entry).sequence
    log_head(session, vault)
    return sequence


@dataclass(frozen=True, slots=True)
class ProvenHistory:
    """A history that was walked from end to end.

    Attributes:
        entries: how many there are.
        head: digest of the newest one; whoever writes it down elsewhere can tell later that nothing was cut off.
        waiting: entries whose leaf is not yet under the checkpoint.
        checkpoint: that proves the others.
    """

    entries: int
    head: bytes
    waiting: int
    checkpoint: Checkpoint


def prove_history(house: House) -> ProvenHistory:
    """Prove the whole history by its chain, by its leaves, and these by the signed log.

    Raises:
        HistoryBroken: an entry was changed or removed.
        HistoryTampered: the history is another one than the log was given.
        LogDamaged: the leaves are not those of the log.
        NoCheckpoint: nothing was published yet.
    """
    key = house.store.public_key(Role.LOG)
    with house.database.reading() as session:
        checkpoint = verify_log(house.folder.log, key, house.installation.log_origin, logged_leaves(session))
        entries = verify_logged_history(session, house.vault)
        return ProvenHistory(entries, head(session)[1], count_heads_waiting(session, checkpoint.size), checkpoint)


def past_of(house: House, wanted: Wanted, last: int) -> Sequence[HistoryRow]:
    """The newest entries that are wanted, oldest first."""
    with house.database.reading() as session:
        if wanted.issuer_id:
            get_issuer(session, wanted.issuer_id)
        return read_past(session, wanted, last)


def names_of_persons(house: House) -> Mapping[str, str]:
    """The name of each registered person, by id."""
    with house.database.reading() as session:
        return {person.id: person.name for person in list_persons(session)}
