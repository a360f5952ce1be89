"""Work with batches: check, submit, approve, run, export; each step gives a view for people."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from credential.errors import Error, RefusedError, UnavailableError
from credential.problem import Problem
from credential.schema import RecordSchema
from intake.report import json_lines
from issuer import batch as batches
from issuer.issue import NotApproved
from issuer.line import IssuingLine
from registry.batches import Batch, get_batch, list_batches, progress, read_problems
from registry.chunks import StoredRow, read_rows
from registry.credentials import find_by_batch
from registry.pauses import Pause, end_pause, pause_batch, read_pause
from registry.tables import BatchState
from service.agreement import open_issuing_line
from service.checking import CheckReport, check_rows
from service.house import House

DIGEST_CHARACTERS = 16


class ServiceStops(UnavailableError):
    """The service is being stopped; what is issued stays issued, and the rest goes on at the next start."""

    code = "service-stops"

    def __init__(self) -> None:
        super().__init__(
            "the service is being stopped; the batch goes on when it starts again",
            "服务正在停止; 下次启动后该批次继续出证",
        )


class NothingToIssue(RefusedError):
    """Every row of the file is refused or passed over."""

    code = "nothing-to-issue"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"no row of {file} may be issued; correct the rows listed and try again",
            f"{file} 中没有可以出证的行; 请按清单改正后重试",
        )
        self.file = file


@dataclass(frozen=True, slots=True)
class BatchView:
    """How a batch stands, for people and machines.

    Attributes:
        digest: first characters of what approval binds.
        rows: rows in the batch; those refused at intake are not among them.
        issued: sealed credentials.
        to_issue: rows that have a number.
        refused: rows that approval refused, a live certificate being there already.
        is_new: False when the same content was submitted before.
        pause: why its work rests; None while it runs, waits for its turn or is done.
    """

    id: int
    digest: str
    issuer: str
    state: str
    maker: str
    checker: str
    submitted_at: str
    approved_at: str
    rows: int
    to_issue: int
    issued: int
    refused: int
    void: int
    is_finished: bool
    is_new: bool = False
    pause: Pause | None = None

    def to_json(self) -> dict[str, object]:
        """The view as one JSON object."""
        pause = None if self.pause is None else asdict(self.pause) | {"since": self.pause.since.isoformat()}
        return asdict(self) | {"pause": pause}


def check(house: House, file: Path, *, photos: Path | None, issuer: str, template: str) -> CheckReport:
    """Check a file as the issuer's own press would print it; an empty template is the issuer's default.

    Raises:
        UnknownIssuer: there is no such issuer.
        InputError: the file or the archive as a whole is refused.
    """
    found = house.issuer(issuer)
    loaded = house.templates.current(template or found.settings.template)
    return check_rows(file, loaded, house.press(found, loaded), photos=photos, reader=house.reader)


def submit(house: House, report: CheckReport, *, issuer: str, template: str, maker: str) -> BatchView:
    """Submit what a check let through, or find the batch it already is.

    Raises:
        UnknownPerson: the maker does not act for this issuer.
        NothingToIssue: no row of the file may be issued.
    """
    if not report.records:
        raise NothingToIssue(report.file)
    line = house.line(issuer, template)
    house.keep_template(line)
    submission = batches.submit(line.office, report.records, report.problems, maker=maker, now=house.now())
    _write_report(house, submission.batch.id, report.problems)
    return view(house, submission.batch.id, is_new=submission.is_new)


def schema_of(house: House, batch_id: int) -> RecordSchema:
    """What a row of a batch says, by the version of the template that it was submitted with.

    Raises:
        UnknownBatch: there is none with this number.
    """
    return _line(house, _batch(house, batch_id)).office.schema


def rows(house: House, batch_id: int) -> list[StoredRow]:
    """Every row of a batch as it will be, or was, issued; for the person who approves it.

    Raises:
        UnknownBatch: there is none with this number.
    """
    with house.database.reading() as session:
        return read_rows(session, house.vault, get_batch(session, batch_id).id)


def cancel(house: House, batch_id: int, *, person: str, reason: str) -> BatchView:
    """Cancel what of a batch is not reserved yet; its numbers become void, with the reason.

    Raises:
        UnknownBatch: there is none with this number.
        UnknownPerson: the person does not act for this issuer.
    """
    batch = _batch(house, batch_id)
    office = _line(house, batch).office
    batches.cancel(office, batch_id, person=person, reason=reason, now=house.now())
    house.log.sequence(house.now())
    return view(house, batch_id)


def approve(house: House, batch_id: int, *, checker: str, digest: str = "") -> BatchView:
    """Approve a batch as it is in the registry now.

    Args:
        house: of the installation.
        batch_id: the batch.
        checker: id of the approving person.
        digest: first characters of the digest the person was shown; empty accepts the present one.

    Raises:
        DigestDiffers: the batch is not the one that was shown.
        UnknownBatch: there is none with this number.
        SamePerson: the checker submitted it.
    """
    batch = _batch(house, batch_id)
    if not batch.digest.hex().startswith(digest.lower()):
        raise batches.DigestDiffers(batch_id)
    office = _line(house, batch).office
    batches.approve(office, batch_id, checker=checker, expected_digest=batch.digest, now=house.now())
    return view(house, batch_id)


def run(house: House, batch_id: int, on_progress: Callable[[int], None]) -> BatchView:
    """Issue what is left of an approved batch; killed at any moment, the next call goes on.

    Whatever stops it, a token that was removed, a full disk, is noted with the batch until
    the next call; what is done stays done.

    Args:
        house: of the installation.
        batch_id: the batch.
        on_progress: told how many rows of the batch are done in all; may raise :class:`ServiceStops`.
    """
    if _batch(house, batch_id).state is BatchState.SUBMITTED:
        raise NotApproved(batch_id)
    try:
        _run(house, batch_id, on_progress)
    except ServiceStops:
        raise
    except Error as error:
        with suppress(UnavailableError), house.database.transaction() as session:
            pause_batch(session, batch_id, Pause(house.now(), error.code, error.en, error.zh))
        raise
    return view(house, batch_id)


def go_on(house: House, batch_id: int) -> None:
    """Forget why a batch rested, for somebody asked that it go on."""
    with house.database.transaction() as session:
        end_pause(session, batch_id)


def _run(house: House, batch_id: int, on_progress: Callable[[int], None]) -> None:
    batch = _batch(house, batch_id)
    now = view(house, batch_id)
    if now.pause is not None:
        go_on(house, batch_id)
    done = now.issued

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        on_progress(done)

    on_progress(done)
    line = open_issuing_line(house, *_template_of(batch))
    house.engine(line, now.to_issue - now.issued).run(batch_id, count)
    _write_report(house, batch_id, problems(house, batch_id))


def export(house: House, batch_id: int, folder: Path, on_progress: Callable[[int], None]) -> int:
    """Write the exact signed PDFs of a batch as ``<serial>.pdf``, corrected ones with their version; returns how many.

    A file that is there already is written anew only if it differs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    issuer = _batch(house, batch_id).issuer_id
    with house.database.reading() as session:
        printed = [one for one in find_by_batch(session, batch_id) if one.digest is not None]
    for done, one in enumerate(printed, 1):
        document = house.documents.fetch_pdf(one.serial, issuer_id=issuer, version=one.version)
        target = folder / (f"{one.serial}.pdf" if one.version == 1 else f"{one.serial}-{one.version}.pdf")
        if not target.exists() or target.read_bytes() != document:
            target.write_bytes(document)
        on_progress(done)
    return len(printed)


def problems(house: House, batch_id: int) -> tuple[Problem, ...]:
    """Why rows of a batch have no certificate: what intake found, and what approval refused."""
    with house.database.reading() as session:
        found = read_problems(session, house.vault, batch_id)
    return (*found, *batches.refusals(house.database, batch_id))


def view(house: House, batch_id: int, *, is_new: bool = False) -> BatchView:
    """How a batch stands.

    Raises:
        UnknownBatch: there is none with this number.
    """
    with house.database.reading() as session:
        batch = get_batch(session, batch_id)
        counted = progress(session, batch_id)
        pause = read_pause(session, batch_id)
    return BatchView(
        id=batch.id,
        digest=batch.digest.hex()[:DIGEST_CHARACTERS],
        issuer=batch.issuer_id,
        state=batch.state.value,
        maker=batch.maker,
        checker=batch.checker or "",
        submitted_at=batch.submitted_at.isoformat(),
        approved_at=batch.approved_at.isoformat() if batch.approved_at else "",
        rows=counted.rows,
        to_issue=counted.numbered,
        issued=counted.issued,
        refused=counted.refused,
        void=counted.void,
        is_finished=batch.state is not BatchState.SUBMITTED and counted.is_finished,
        is_new=is_new,
        pause=pause,
    )


def views(house: House) -> list[BatchView]:
    """Every batch, newest first."""
    with house.database.reading() as session:
        found = list_batches(session)
    return [view(house, one.id) for one in found]


def report_file(house: House, batch_id: int) -> Path:
    """Where the list of problems of a batch is kept, as JSON lines; it quotes values of the sheet."""
    return house.folder.reports / f"batch-{batch_id}.jsonl"


def _write_report(house: House, batch_id: int, found: tuple[Problem, ...]) -> None:
    text = "".join(line + "\n" for line in json_lines(found))
    report_file(house, batch_id).write_text(text, encoding="utf-8")


def _batch(house: House, batch_id: int) -> Batch:
    with house.database.reading() as session:
        return get_batch(session, batch_id)


def _line(house: House, batch: Batch) -> IssuingLine:
    """The line that a batch goes on with: the version of the template that it was submitted with."""
    return house.line(*_template_of(batch))


def _template_of(batch: Batch) -> tuple[str, str, str]:
    """Its issuer, and the template that it was submitted with, by name and version."""
    return batch.issuer_id, batch.binding["template"], batch.binding.get("template version", "")
