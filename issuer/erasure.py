"""Erase the person of a certificate: proposed by one person with a document, approved by another.

Nothing is deleted. The key under which the person's data is sealed is
destroyed, and what leads to it; history and log stay whole, since they cover
what is sealed. It cannot be undone. All versions under the serial go together.

1. In one transaction the keys are destroyed, the word "approved" and the
   entries of the history are written.
2. Outside the database: marks that let a restored older database forget too,
   and reserve records written anew without the keys. Killed before, the next
   :func:`settle` does it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from credential.claims import decode_claims
from credential.cose import open_message
from credential.errors import InputError, RefusedError
from issuer.batch import SamePerson
from issuer.change import MAX_DECISION, BadDecision
from issuer.predecessor import SuccessionUnderWay
from registry import history
from registry.credentials import FoundCredential, find_by_id, find_by_serial, get_credential, read_claims
from registry.credentials import find_by_person as credentials_of_person
from registry.database import Database, Session
from registry.erasure_proposals import (
    Erasure,
    get_erasure,
    insert_erasure,
    mark_erasure,
    waiting_erasure,
)
from registry.erasures import (
    Mark,
    destroy,
    erased_at,
    erased_credentials,
    forget_problems,
    forget_reserved,
    scrub,
    store_mark,
)
from registry.history import HistoryKind
from registry.issuers import get_person
from registry.local_blobs import LocalBlobs
from registry.service_tables import ProposalOutcome
from registry.succession import batch_under_way
from registry.vault import RecordErased, Vault


class ErasureReason(StrEnum):
    """Why a person is erased; codes stand in the history for ever."""

    HOLDER_ASKED = "holder-asked"
    RETENTION_OVER = "retention-over"
    ORDERED = "erasure-ordered"


ERASURE_NAMES = {
    ErasureReason.HOLDER_ASKED: ("当事人申请", "the holder asked for it"),
    ErasureReason.RETENTION_OVER: ("保存期限届满", "the retention period is over"),
    ErasureReason.ORDERED: ("依法责令删除", "ordered by law"),
}


class AlreadyErased(RefusedError):
    """The person was erased before."""

    code = "already-erased"

    def __init__(self, serial: str, day: datetime) -> None:
        super().__init__(
            f"the personal data of {serial} was erased on {day:%Y-%m-%d} already",
            f"证书 {serial} 的个人信息已于 {day:%Y-%m-%d} 删除",
        )


class ErasureWaits(RefusedError):
    """An erasure of the same certificate waits for its second person."""

    code = "erasure-waits"

    def __init__(self, erasure: Erasure, serial: str) -> None:
        super().__init__(
            f"erasure {erasure.id} of {serial} waits for its second person; decide on that first",
            f"证书 {serial} 的删除申请 {erasure.id} 正待复核; 请先处理该申请",
        )


class ErasureDecided(RefusedError):
    """The erasure was approved or refused already."""

    code = "erasure-decided"

    def __init__(self, erasure: Erasure) -> None:
        zh = {"approved": "批准", "refused": "退回"}.get(erasure.outcome or "", "处理")
        super().__init__(
            f"erasure {erasure.id} is {erasure.outcome} already", f"删除申请 {erasure.id} 已{zh}, 不能再处理"
        )


class NotYetPrinted(RefusedError):
    """The certificate is between reserve and seal, and would be printed without its data."""

    code = "erase-after-printing"

    def __init__(self, serial: str) -> None:
        super().__init__(
            f"{serial} is still being printed; let its batch finish, then erase it",
            f"证书 {serial} 正在制作; 请待批次完成后再删除",
        )


class UnknownErasureReason(InputError):
    """There is no such reason to erase."""

    code = "unknown-erasure-reason"

    def __init__(self, reason: str) -> None:
        listed = ", ".join(ErasureReason)
        super().__init__(
            f"{reason!r} is no reason to erase; it may be {listed}", f"“{reason}”不是可用的删除原因; 可选: {listed}"
        )


@dataclass(frozen=True, slots=True)
class Archive:
    """Everything that erasing touches.

    Attributes:
        folder: of the objects, where reserve records can be deleted.
    """

    database: Database
    vault: Vault
    blobs: LocalBlobs
    folder: Path


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased.

    Attributes:
        erasure: as it was approved.
        versions: of the certificate.
        names: texts that named the person, for whoever keeps plain files; not to be stored.
    """

    erasure: Erasure
    versions: tuple[FoundCredential, ...]
    names: tuple[str, ...]


def propose_erasure(  # noqa: PLR0913 - each is a fact that the history keeps
    archive: Archive, serial: str, *, issuer_id: str, reason: str, decision: str, maker: str, now: datetime
) -> Erasure:
    """Propose to erase the person of a certificate; nothing changes yet.

    Raises:
        UnknownSerial, UnknownPerson: the issuer has no such certificate or person.
        UnknownErasureReason, BadDecision: the reason or the document's number is none.
        AlreadyErased, ErasureWaits, NotYetPrinted, SuccessionUnderWay: it cannot be erased now.
    """
    if reason not in set(ErasureReason):
        raise UnknownErasureReason(reason)
    if not 0 < len(decision.strip()) <= MAX_DECISION or not decision.isprintable():
        raise BadDecision(decision)
    with archive.database.transaction() as session:
        get_person(session, maker, issuer_id=issuer_id)
        found = get_credential(session, serial, issuer_id, lock=True)
        _check(session, found)
        waiting = waiting_erasure(session, found.id)
        if waiting is not None:
            raise ErasureWaits(waiting, serial)
        return insert_erasure(session, found, reason=reason, decision=decision.strip(), maker=maker, now=now)


def approve_erasure(
    archive: Archive, erasure_id: int, *, issuer_id: str, checker: str, now: Callable[[], datetime]
) -> Erased:
    """Erase, as the second person; there is no way back. Asked again by the same person, finish it.

    Raises:
        UnknownErasure, UnknownPerson: the issuer has no such proposal or person.
        SamePerson: the checker proposed it.
        ErasureDecided: it was refused, or approved by somebody else.
        NotYetPrinted, SuccessionUnderWay: a new version is being printed.
    """
    with archive.database.transaction() as session:
        get_person(session, checker, issuer_id=issuer_id)
        erasure = get_erasure(session, erasure_id, issuer_id, lock=True)
        if checker == erasure.maker:
            raise SamePerson(checker)
        about = find_by_id(session, erasure.credential_id)
        newest = get_credential(session, about.serial, issuer_id, lock=True)
        versions = [one for one in find_by_serial(session, about.serial) if one.issuer_id == issuer_id]
        names: tuple[str, ...] = ()
        if erasure.outcome is None:
            _check_free(session, newest)
            names = _names_of(session, archive.vault, versions)
            for one in versions:
                _erase(session, archive.vault, one, erasure, checker, names, now())
            erasure = mark_erasure(session, erasure, ProposalOutcome.APPROVED, checker, now())
        elif erasure.outcome is not ProposalOutcome.APPROVED or erasure.checker != checker:
            raise ErasureDecided(erasure)
    settle(archive)
    return Erased(erasure, tuple(versions), names)


def refuse_erasure(archive: Archive, erasure_id: int, *, issuer_id: str, checker: str, now: datetime) -> Erasure:
    """Refuse a proposed erasure, or take one's own back.

    Raises:
        UnknownErasure, UnknownPerson: the issuer has no such proposal or person.
        ErasureDecided: it was decided before.
    """
    with archive.database.transaction() as session:
        get_person(session, checker, issuer_id=issuer_id)
        erasure = get_erasure(session, erasure_id, issuer_id, lock=True)
        if erasure.outcome is not None:
            raise ErasureDecided(erasure)
        if checker == erasure.maker:
            return mark_erasure(session, erasure, ProposalOutcome.WITHDRAWN, None, now)
        return mark_erasure(session, erasure, ProposalOutcome.REFUSED, checker, now)


def settle(archive: Archive) -> int:
    """Finish what erasures have to do outside the database; returns how many were not finished."""
    with archive.database.reading() as session:
        erased = erased_credentials(session)
    unfinished = [
        found
        for found, moment in erased
        if store_mark(
            archive.blobs,
            archive.vault,
            Mark(found.batch_id, found.row_number, found.serial, found.version, moment),
        )
    ]
    # All of them: a run that was cut off may have stored its mark and no more.
    forget_reserved(archive.blobs, archive.vault, archive.folder, [found for found, _ in erased])
    scrub(archive.database)
    return len(unfinished)


def erase_marked(archive: Archive, marks: Sequence[Mark], now: datetime) -> int:
    """Erase again what a mark says was erased, in a restored database that does not know; returns how many."""
    done = 0
    for mark in marks:
        with archive.database.transaction() as session:
            found = next(
                (
                    one
                    for one in find_by_serial(session, mark.serial)
                    if (one.batch_id, one.row_number) == (mark.batch_id, mark.row_number)
                ),
                None,
            )
            if found is None or erased_at(session, found.id) is not None:
                continue
            names = _names_of(session, archive.vault, [found])
            destroy(session, found, mark.erased_at)
            forget_problems(session, archive.vault, found, names)
            entry = history.Entry(
                kind=HistoryKind.RESTORED,
                issuer_id=found.issuer_id,
                subject=f"serial {found.serial}/{found.version} erased again, as it was on {mark.erased_at:%Y-%m-%d}",
                recorded_at=now,
                maker=None,
                batch_id=found.batch_id,
                credential_id=found.id,
            )
            history.append(session, entry)
            history.log_head(session, archive.vault)
            done += 1
    settle(archive)
    return done


def others_of_person(archive: Archive, serial: str, issuer_id: str) -> list[str]:
    """The serials of the same person's other certificates, of every issuer; none of them is erased with it."""
    with archive.database.reading() as session:
        found = get_credential(session, serial, issuer_id)
        holder = decode_claims(open_message(read_claims(session, archive.vault, found)).payload).holder
        of_person = credentials_of_person(session, archive.vault, holder)
    return sorted({one.serial for one in of_person} - {serial})


def _check(session: Session, found: FoundCredential) -> None:
    moment = erased_at(session, found.id)
    if moment is not None:
        raise AlreadyErased(found.serial, moment)
    _check_free(session, found)


def _check_free(session: Session, found: FoundCredential) -> None:
    if found.digest is None:
        raise NotYetPrinted(found.serial)
    under_way = batch_under_way(session, found.id)
    if under_way is not None:
        raise SuccessionUnderWay(found.serial, under_way)


def _erase(  # noqa: PLR0913, PLR0917 - only approve_erasure() calls it
    session: Session,
    vault: Vault,
    found: FoundCredential,
    erasure: Erasure,
    checker: str,
    names: Sequence[str],
    now: datetime,
) -> None:
    if erased_at(session, found.id) is not None:
        return
    destroy(session, found, now)
    forget_problems(session, vault, found, names)
    entry = history.Entry(
        kind=HistoryKind.ERASED,
        issuer_id=found.issuer_id,
        # The document's number stands here in clear: there is no key left to seal it under.
        subject=f"serial {found.serial}/{found.version} by {erasure.decision}",
        recorded_at=now,
        maker=erasure.maker,
        checker=checker,
        batch_id=found.batch_id,
        credential_id=found.id,
        reason=erasure.reason,
    )
    history.append(session, entry)
    history.log_head(session, vault)


def _names_of(session: Session, vault: Vault, versions: Sequence[FoundCredential]) -> tuple[str, ...]:
    names: set[str] = set()
    for one in versions:
        with suppress(RecordErased):
            holder = decode_claims(open_message(read_claims(session, vault, one)).payload).holder
            names |= {holder.name, holder.id_number}
    return tuple(sorted(names - {""}))
