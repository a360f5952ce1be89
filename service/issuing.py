"""The issuing API over the house: who may come in, and what is done with sheets and batches.

Everything acts for the caller's person and issuer. What belongs to another issuer
raises the same error as what does not exist.
"""

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

from credential.errors import Error
from credential.problem import Problem as Finding
from issuer.api.callers import SignedIn
from issuer.api.models import (
    Batch,
    BatchPage,
    Problem,
    ProblemPage,
    Report,
    Row,
    RowPage,
    RowProblem,
    SingleIssue,
)
from issuer.api.ports import Runner
from issuer.api.routes import Desks, issuing_routes
from issuer.issue import NotApproved
from registry.batches import UnknownBatch, get_batch, list_batches_of
from registry.chunks import StoredRow, read_rows
from registry.pauses import Pause
from registry.tables import BatchState
from service import batches
from service.already_issued import check_for
from service.auth import Door
from service.batches import BatchView
from service.changing_api import HouseChanges
from service.checking import CheckReport
from service.handing_api import HouseHandOver
from service.house import House
from service.idempotency import Keeper
from service.issued import HouseCredentials
from service.problem_codes import STATUS, status_of
from service.problems import told_by, type_of
from service.single import RecordRefused, write_photo, write_sheet

_FOR_CLERKS = frozenset({"token-unavailable", "wrong-token-pin"})
"""Troubles of the installation that whoever issues can put right, before the token; so they are told whole."""


def issuing_router(house: House, runner: Runner, guard: Callable[[Request], None]) -> APIRouter:
    """Make the routes of the issuing side that ask for a token.

    Args:
        house: of the installation; the registry is opened when the first request comes.
        runner: issues approved batches.
        guard: refuses too many requests.
    """
    door = Door(lambda: house.database, house.now)
    keeper = Keeper(door, guard, lambda: house.database, house.now)
    own_batches = HouseBatches(house, runner)
    changes = HouseChanges(house, own_batches.shown)
    desks = Desks(own_batches, HouseCredentials(house), changes, HouseHandOver(house))
    return issuing_routes(desks, require=door.require, route_class=keeper.route_class())


class HouseBatches:
    """Sheets and batches; see issuer.api.ports.BatchDesk."""

    def __init__(self, house: House, runner: Runner) -> None:
        self._house = house
        self._runner = runner

    def check(self, caller: SignedIn, sheet: Path, photos: Path | None, template: str, most: int) -> Report:
        """Check a sheet; nothing is stored."""
        report = self._look(caller, sheet, photos, template)
        return Report(
            sheet=report.sheet,
            shape=report.shape,
            rows=report.row_count,
            accepted=len(report.records),
            problem_count=len(report.problems),
            problems=[_row_problem(one) for one in report.problems[:most]],
        )

    def annotate(self, caller: SignedIn, sheet: Path, photos: Path | None, template: str, to: Path) -> None:
        """Check a sheet and write its annotated copy."""
        self._house.reader.annotate(sheet, self._look(caller, sheet, photos, template), to=to)

    def submit(self, caller: SignedIn, sheet: Path, photos: Path | None, template: str) -> Batch:
        """Check a sheet and submit what may be issued, or find the batch it already is."""
        return self._submit(caller, self._check(caller, sheet, photos, template), template)

    def submit_one(self, caller: SignedIn, asked: SingleIssue) -> Batch:
        """Submit one record as a batch of its own."""
        schema = self._house.templates.current(self._template(caller, asked.template)).schema
        with tempfile.TemporaryDirectory(prefix="yinzheng-upload-") as name:
            folder = Path(name)
            sheet = write_sheet(folder, schema, asked.record)
            photos = write_photo(folder, schema, asked.record, asked.photo)
            report = self._check(caller, sheet, photos, asked.template)
        if len(report.records) != 1:
            raise RecordRefused(report.problems)
        return self._submit(caller, report, asked.template)

    def batches(self, caller: SignedIn, *, before: int, limit: int) -> BatchPage:
        """Batches, newest first."""
        with self._house.database.reading() as session:
            found = list_batches_of(session, caller.issuer_id, before=before, limit=limit + 1)
        items = [self.shown(batches.view(self._house, one.id)) for one in found[:limit]]
        return BatchPage(items=items, next_before=items[-1].id if len(found) > limit else None)

    def batch(self, caller: SignedIn, batch_id: int) -> Batch:
        """One batch."""
        self._require_own(caller, batch_id)
        return self.shown(batches.view(self._house, batch_id))

    def rows(self, caller: SignedIn, batch_id: int, *, after: int, limit: int) -> RowPage:
        """Rows of a batch, opened."""
        self._require_own(caller, batch_id)
        with self._house.database.reading() as session:
            found = read_rows(session, self._house.vault, batch_id, after=after, limit=limit + 1)
        items = [_row(one) for one in found[:limit]]
        return RowPage(items=items, next_after=items[-1].row if len(found) > limit else None)

    def problems(self, caller: SignedIn, batch_id: int, *, after: int, limit: int) -> ProblemPage:
        """Why rows of a batch have no certificate; ``after`` counts problems."""
        self._require_own(caller, batch_id)
        found = batches.problems(self._house, batch_id)
        items = [_row_problem(one) for one in found[after : after + limit]]
        return ProblemPage(items=items, next_after=after + limit if len(found) > after + limit else None)

    def approve(self, caller: SignedIn, batch_id: int, digest: str) -> Batch:
        """Approve the batch of this digest; the work begins in the background."""
        self._require_own(caller, batch_id)
        approved = batches.approve(self._house, batch_id, checker=caller.person_id, digest=digest)
        self._runner.wake(batch_id)
        return self.shown(approved)

    def resume(self, caller: SignedIn, batch_id: int) -> Batch:
        """Go on with a batch that rests; of a cancelled one, with what was reserved."""
        if self._require_own(caller, batch_id) is BatchState.SUBMITTED:
            raise NotApproved(batch_id)
        batches.go_on(self._house, batch_id)
        self._runner.wake(batch_id)
        return self.shown(batches.view(self._house, batch_id))

    def cancel(self, caller: SignedIn, batch_id: int, reason: str) -> Batch:
        """Cancel what is not reserved yet."""
        self._require_own(caller, batch_id)
        return self.shown(batches.cancel(self._house, batch_id, person=caller.person_id, reason=reason))

    def _submit(self, caller: SignedIn, report: CheckReport, template: str) -> Batch:
        name = self._template(caller, template)
        maker = caller.person_id
        return self.shown(batches.submit(self._house, report, issuer=caller.issuer_id, template=name, maker=maker))

    def _look(self, caller: SignedIn, sheet: Path, photos: Path | None, template: str) -> CheckReport:
        """Check a sheet for somebody who submits nothing yet."""
        name = self._template(caller, template)
        return check_for(self._house, sheet, photos=photos, issuer=caller.issuer_id, template=name)

    def _check(self, caller: SignedIn, sheet: Path, photos: Path | None, template: str) -> CheckReport:
        name = self._template(caller, template)
        return batches.check(self._house, sheet, photos=photos, issuer=caller.issuer_id, template=name)

    def _template(self, caller: SignedIn, asked: str) -> str:
        return asked or self._house.issuer(caller.issuer_id).settings.template

    def _require_own(self, caller: SignedIn, batch_id: int) -> BatchState:
        with self._house.database.reading() as session:
            batch = get_batch(session, batch_id)
        if batch.issuer_id != caller.issuer_id:
            raise UnknownBatch(batch_id)
        return batch.state

    def shown(self, view: BatchView) -> Batch:
        """A batch as the API shows it, with why it rests, here or in another process."""
        values: dict[str, Any] = asdict(view)
        trouble = self._runner.trouble(view.id) or view.pause
        return Batch(
            **values
            | {
                "checker": view.checker or None,
                "approved_at": view.approved_at or None,
                "trouble": None if trouble is None else _trouble(trouble),
            }
        )


def _trouble(why: Error | Pause) -> Problem:
    # Of a pause that another process noted, code and sentences are left; its status is the table's.
    status = STATUS.get(why.code, 503) if isinstance(why, Pause) else status_of(why)
    en, zh = (why.en, why.zh) if why.code in _FOR_CLERKS else told_by(status, why.en, why.zh)
    return Problem(
        type=type_of(why.code),
        title=why.code.replace("-", " ").capitalize(),
        status=status,
        detail=en,
        code=why.code,
        zh=zh,
        en=en,
    )


def _row_problem(one: Finding) -> RowProblem:
    return RowProblem(**asdict(one))


def _row(stored: StoredRow) -> Row:
    holder = stored.record.holder
    return Row(
        row=stored.row_number,
        name=holder.name,
        id_type=holder.id_type.value,
        id_number=holder.id_number,
        sex=holder.sex,
        fields=dict(stored.record.fields),
        has_photo=stored.photo is not None,
        serial=stored.serial or None,
    )
