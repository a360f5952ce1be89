"""Routes for sheets and batches: check, submit, look, approve, resume, cancel."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from issuer.api.callers import Require, Scope, SignedIn
from issuer.api.described import LOOKS, After, BatchId, Before, Limit, idempotency_key, problems
from issuer.api.models import Approval, Batch, BatchPage, Cancellation, ProblemPage, Report, RowPage
from issuer.api.ports import BatchDesk
from issuer.api.uploads import PhotosFile, SheetFile, TemplateName, kept

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_SEES = (Scope.READ, Scope.SUBMIT, Scope.APPROVE)


def add_to(router: APIRouter, desk: BatchDesk, require: Require) -> None:
    """Add the routes of this file."""
    _add_checks(router, desk, require)
    _add_views(router, desk, require)
    _add_steps(router, desk, require)


def _add_checks(router: APIRouter, desk: BatchDesk, require: Require) -> None:
    submitting = Depends(require(Scope.SUBMIT))

    @router.post("/checks", tags=["checks"], responses=problems(404), openapi_extra=LOOKS)
    def check_sheet(
        caller: Annotated[SignedIn, submitting],
        sheet: SheetFile,
        photos: PhotosFile = None,
        template: TemplateName = "",
        most: Annotated[int, Query(ge=1, le=10_000, description="Problems to list, at most.")] = 1000,
    ) -> Report:
        """核对表格, 不保存任何内容。 Check a sheet as it would be issued; nothing is stored."""
        with kept(sheet, photos) as upload:
            return desk.check(caller, upload.sheet, upload.photos, template, most)

    @router.post(
        "/checks/annotated",
        tags=["checks"],
        response_class=Response,
        responses={200: {"content": {XLSX: {}}, "description": "The workbook. 批注后的工作簿。"}, **problems(404)},
        openapi_extra=LOOKS,
    )
    def annotate_sheet(
        caller: Annotated[SignedIn, submitting],
        sheet: SheetFile,
        photos: PhotosFile = None,
        template: TemplateName = "",
    ) -> Response:
        """核对表格并返回标注了问题的工作簿。 The sheet back, with its problems marked in it."""
        with kept(sheet, photos) as upload:
            target = upload.folder / "annotated.xlsx"
            desk.annotate(caller, upload.sheet, upload.photos, template, target)
            content = target.read_bytes()
        headers = {"Content-Disposition": 'attachment; filename="checked.xlsx"', "Cache-Control": "no-store"}
        return Response(content, media_type=XLSX, headers=headers)

    @router.post(
        "/batches",
        status_code=201,
        tags=["batches"],
        responses={200: {"model": Batch, "description": "This sheet was submitted before."}, **problems(404, 409)},
        dependencies=[Depends(idempotency_key)],
    )
    def submit_sheet(
        caller: Annotated[SignedIn, submitting],
        sheet: SheetFile,
        response: Response,
        photos: PhotosFile = None,
        template: TemplateName = "",
    ) -> Batch:
        """提交批次, 待他人复核。 Submit a sheet as a batch that another person approves.

        Rows with errors are left out and listed under `/problems`. The same sheet again is the same batch.
        """
        with kept(sheet, photos) as upload:
            batch = desk.submit(caller, upload.sheet, upload.photos, template)
        response.status_code = 201 if batch.is_new else 200
        response.headers["Location"] = f"{router.prefix}/batches/{batch.id}"
        return batch


def _add_views(router: APIRouter, desk: BatchDesk, require: Require) -> None:
    seeing = Depends(require(*_SEES))
    reviewing = Depends(require(Scope.SUBMIT, Scope.APPROVE))

    @router.get("/batches", tags=["batches"], responses=problems())
    def list_batches(caller: Annotated[SignedIn, seeing], before: Before = 0, limit: Limit = 50) -> BatchPage:
        """列出本机构批次。 The issuer's batches, newest first."""
        return desk.batches(caller, before=before, limit=limit)

    @router.get("/batches/{batch_id}", tags=["batches"], responses=problems(404))
    def read_batch(caller: Annotated[SignedIn, seeing], batch_id: BatchId) -> Batch:
        """查看批次及进度。 One batch: done is `issued` of `to_issue`."""
        return desk.batch(caller, batch_id)

    @router.get("/batches/{batch_id}/rows", tags=["batches"], responses=problems(404, 409))
    def read_rows(
        caller: Annotated[SignedIn, reviewing], batch_id: BatchId, after: After = 0, limit: Limit = 50
    ) -> RowPage:
        """查看批次各行, 供复核。 The rows as they will be issued, for whoever approves; personal data."""
        return desk.rows(caller, batch_id, after=after, limit=limit)

    @router.get("/batches/{batch_id}/problems", tags=["batches"], responses=problems(404, 409))
    def read_problems(
        caller: Annotated[SignedIn, reviewing], batch_id: BatchId, after: After = 0, limit: Limit = 50
    ) -> ProblemPage:
        """查看未出证的行及原因。 Why rows have no certificate; may quote the sheet."""
        return desk.problems(caller, batch_id, after=after, limit=limit)


def _add_steps(router: APIRouter, desk: BatchDesk, require: Require) -> None:
    approving = Depends(require(Scope.APPROVE))
    stopping = Depends(require(Scope.SUBMIT, Scope.APPROVE))
    keyed = [Depends(idempotency_key)]

    @router.post(
        "/batches/{batch_id}/approve",
        status_code=202,
        tags=["batches"],
        responses=problems(404, 409),
        dependencies=keyed,
    )
    def approve_batch(caller: Annotated[SignedIn, approving], batch_id: BatchId, approval: Approval) -> Batch:
        """复核通过, 后台开始出证。 Approve a batch somebody else submitted; the work goes on in the background."""
        return desk.approve(caller, batch_id, approval.digest)

    @router.post(
        "/batches/{batch_id}/resume",
        status_code=202,
        tags=["batches"],
        responses=problems(404, 409),
        dependencies=keyed,
    )
    def resume_batch(caller: Annotated[SignedIn, stopping], batch_id: BatchId) -> Batch:
        """继续出证。 Go on with an approved batch that rests, see `trouble`."""
        return desk.resume(caller, batch_id)

    @router.post("/batches/{batch_id}/cancel", tags=["batches"], responses=problems(404, 409), dependencies=keyed)
    def cancel_batch(caller: Annotated[SignedIn, stopping], batch_id: BatchId, cancellation: Cancellation) -> Batch:
        """取消尚未出证的部分, 编号作废。 Cancel what is not being issued yet; its numbers become void."""
        return desk.cancel(caller, batch_id, cancellation.reason)
