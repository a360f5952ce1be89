"""Erase persons, and what plain files of the installation say of them; keep each issuer's retention period."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from credential.errors import InputError
from issuer import erasure as erasures
from issuer.change import MAX_DECISION, BadDecision
from issuer.erasure import Archive, Erased, ErasureReason
from registry.credentials import find_by_id
from registry.erasure_proposals import (
    Erasure,
    Retention,
    ended_before,
    find_retention,
    insert_retention,
    list_erasures,
)
from registry.erasures import read_marks
from registry.issuers import get_person
from registry.log.files import replace_durably
from service.changes import issuer_of
from service.house import House

MAX_YEARS = 100


class BadRetention(InputError):
    """A retention period that is none."""

    code = "bad-retention"

    def __init__(self, years: int) -> None:
        super().__init__(
            f"{years} is not a number of years from 0 (for ever) to {MAX_YEARS}",
            f"{years} 不是有效的年数: 须为 0(永久)至 {MAX_YEARS}",
        )


class NoRetention(InputError):
    """The issuer has set no period, or keeps everything for ever."""

    code = "no-retention"

    def __init__(self, issuer_id: str) -> None:
        super().__init__(
            f"issuer {issuer_id} has set no retention period; set one with: yinzheng retention set",
            f"发证机构 {issuer_id} 未设定保存期限; 请用 yinzheng retention set 设定",
        )


@dataclass(frozen=True, slots=True)
class ErasureView:
    """A proposed erasure for people.

    Attributes:
        outcome: ``waiting``, ``approved``, ``refused`` or ``withdrawn``.
    """

    id: int
    serial: str
    reason: str
    decision: str
    maker: str
    checker: str
    outcome: str


@dataclass(frozen=True, slots=True)
class ErasureDone:
    """What an erasure did, and what it cannot reach.

    Attributes:
        files: plain files of the data folder that were deleted or written anew.
        copies: copies of the registry in the data folder that still hold the key.
    """

    view: ErasureView
    versions: int
    files: tuple[Path, ...]
    copies: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """A certificate whose retention period is over."""

    serial: str
    ended_on: date


def propose(  # noqa: PLR0913 - each is a fact that the history keeps
    house: House, serial: str, *, issuer: str | None, reason: str, decision: str, maker: str
) -> tuple[ErasureView, list[str]]:
    """Propose an erasure; gives also the serials of the same person's other certificates, which stay.

    Raises:
        what ``issuer.erasure.propose_erasure`` raises.
    """
    issuer_id = issuer or issuer_of(house, serial)
    archive = archive_of(house)
    done = erasures.propose_erasure(
        archive, serial, issuer_id=issuer_id, reason=reason, decision=decision, maker=maker, now=house.now()
    )
    return _view(house, done), erasures.others_of_person(archive, serial, issuer_id)


def approve(house: House, erasure_id: int, *, issuer: str, checker: str) -> ErasureDone:
    """Erase, as the second person, and clean what plain files of the data folder say of the person.

    Raises:
        what ``issuer.erasure.approve_erasure`` raises.
    """
    done = erasures.approve_erasure(archive_of(house), erasure_id, issuer_id=issuer, checker=checker, now=house.now)
    files = (*_clean_reports(house, done), *_delete_exports(house, done))
    house.log.sequence(house.now())
    copies = tuple(sorted(house.folder.root.glob("registry.*.sqlite")))
    return ErasureDone(_view(house, done.erasure), len(done.versions), files, copies)


def refuse(house: House, erasure_id: int, *, issuer: str, checker: str) -> ErasureView:
    """Refuse a proposed erasure, or take one's own back."""
    archive = archive_of(house)
    return _view(
        house, erasures.refuse_erasure(archive, erasure_id, issuer_id=issuer, checker=checker, now=house.now())
    )


def views(house: House, *, issuer: str, waiting_only: bool) -> list[ErasureView]:
    """The proposed erasures of an issuer, oldest first."""
    with house.database.reading() as session:
        found = list_erasures(session, issuer, waiting_only=waiting_only)
    return [_view(house, one) for one in found]


def waiting_under(house: House, decision: str, *, issuer: str) -> list[ErasureView]:
    """The erasures that wait under one document, as of a run of the retention period."""
    return [one for one in views(house, issuer=issuer, waiting_only=True) if one.decision == decision.strip()]


def settle_erasures(house: House) -> int:
    """Finish erasures that were cut off; returns how many were not finished. Call before a backup."""
    return erasures.settle(archive_of(house))


def erase_again(house: House) -> int:
    """Erase in a restored registry whom marks beside the packs say were erased; returns how many certificates."""
    archive = archive_of(house)
    marks = list(read_marks(house.blobs, house.vault, house.folder.blobs))
    return erasures.erase_marked(archive, marks, house.now()) if marks else 0


def archive_of(house: House) -> Archive:
    """Everything that erasing touches."""
    return Archive(house.database, house.vault, house.blobs, house.folder.blobs)


# ---- retention --------------------------------------------------------------------------------------------------


def set_retention(house: House, *, issuer: str, years: int, basis: str, maker: str) -> Retention:
    """Set how long an issuer keeps what has ended; nothing is erased by it.

    Raises:
        BadRetention: not a number of years.
        BadDecision: no document is named.
        UnknownPerson: the issuer has no such person.
    """
    if not 0 <= years <= MAX_YEARS:
        raise BadRetention(years)
    if not 0 < len(basis.strip()) <= MAX_DECISION:
        raise BadDecision(basis)
    new = Retention(issuer, years, basis.strip(), maker, house.now())
    with house.database.transaction() as session:
        get_person(session, maker, issuer_id=issuer)
        insert_retention(session, new)
    return new


def retention_of(house: House, *, issuer: str) -> Retention:
    """How long an issuer keeps what has ended.

    Raises:
        NoRetention: nothing is set.
    """
    with house.database.reading() as session:
        found = find_retention(session, issuer)
    if found is None:
        raise NoRetention(issuer)
    return found


def due(house: House, *, issuer: str) -> list[Due]:
    """The certificates whose period is over today; changes nothing.

    Raises:
        NoRetention: nothing is set, or everything is kept for ever.
    """
    period = retention_of(house, issuer=issuer)
    if not period.years:
        raise NoRetention(issuer)
    with house.database.reading() as session:
        found = ended_before(session, issuer, _years_before(house.today(), period.years))
    return [Due(one.serial, ended) for one, ended in found]


def propose_due(house: House, *, issuer: str, decision: str, maker: str) -> list[ErasureView]:
    """Propose to erase all that is due, under one document; a second person approves.

    Raises:
        NoRetention: nothing is set.
        and what ``issuer.erasure.propose_erasure`` raises.
    """
    reason = ErasureReason.RETENTION_OVER
    return [
        propose(house, one.serial, issuer=issuer, reason=reason, decision=decision, maker=maker)[0]
        for one in due(house, issuer=issuer)
    ]


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year - years, day=28)


# ---- plain files ------------------------------------------------------------------------------------------------


def _clean_reports(house: House, done: Erased) -> list[Path]:
    """Write the lists of problems anew without lines of the rows, or that name the person."""
    cleaned = []
    for one in done.versions:
        path = house.folder.reports / f"batch-{one.batch_id}.jsonl"
        if not path.is_file():
            continue
        lines = path.read_text("utf-8").splitlines()
        kept = [
            line
            for line in lines
            if json.loads(line).get("row") != one.row_number and not any(name in line for name in done.names)
        ]
        if kept != lines:
            replace_durably({path: "".join(f"{line}\n" for line in kept).encode()})
            cleaned.append(path)
    return cleaned


def _delete_exports(house: House, done: Erased) -> list[Path]:
    """Delete the plain PDFs that were written below the data folder."""
    deleted = []
    for one in done.versions:
        for path in sorted(house.folder.certificates.rglob(f"{one.serial}*.pdf")):
            if path.stem in {one.serial, f"{one.serial}-{one.version}"}:
                path.unlink()
                deleted.append(path)
    return deleted


def _view(house: House, one: Erasure) -> ErasureView:
    with house.database.reading() as session:
        serial = find_by_id(session, one.credential_id).serial
    outcome = "waiting" if one.outcome is None else one.outcome.value
    return ErasureView(one.id, serial, one.reason, one.decision, one.maker, one.checker or "", outcome)
