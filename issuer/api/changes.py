"""Routes for changes: propose, look, approve, refuse, withdraw; correct and replace."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from issuer.api.callers import Require, Scope, SignedIn
from issuer.api.change_models import (
    ChangeDone,
    ChangePage,
    ChangeSent,
    ChangeShown,
    CorrectionSent,
    ReplacementSent,
    SuccessionList,
    WithdrawalSent,
)
from issuer.api.described import BatchId, Before, Limit, Serial, idempotency_key, problems
from issuer.api.models import MAX_ID, Batch
from issuer.api.ports import ChangeDesk

ChangeId = Annotated[int, Path(ge=1, le=MAX_ID, description="变更申请编号。 Number of the change.", examples=[3])]
_KEYED = [Depends(idempotency_key)]


def add_to(router: APIRouter, desk: ChangeDesk, require: Require) -> None:
    """Add the routes of this file."""
    _add_proposing(router, desk, require)
    _add_deciding(router, desk, require)
    _add_successions(router, desk, require)


def _add_proposing(router: APIRouter, desk: ChangeDesk, require: Require) -> None:
    changing = Depends(require(Scope.CHANGE))

    @router.post(
        "/credentials/{serial}/changes",
        status_code=201,
        tags=["changes"],
        responses=problems(404, 409),
        dependencies=_KEYED,
    )
    def propose_change(
        caller: Annotated[SignedIn, changing], serial: Serial, asked: ChangeSent, response: Response
    ) -> ChangeDone:
        """提出变更(暂扣、恢复、注销、撤销等), 待他人复核。 Propose a change of state; nothing changes yet."""
        made = desk.propose(caller, serial, asked)
        response.headers["Location"] = f"{router.prefix}/changes/{made.id}"
        return made

    @router.post(
        "/batches/{batch_id}/withdraw",
        status_code=201,
        tags=["changes"],
        responses=problems(404, 409),
        dependencies=_KEYED,
    )
    def propose_withdrawal(
        caller: Annotated[SignedIn, changing], batch_id: BatchId, asked: WithdrawalSent, response: Response
    ) -> ChangeDone:
        """提出整批撤回, 待他人复核。 Propose to revoke every certificate of a batch; nothing changes yet."""
        made = desk.propose_withdrawal(caller, batch_id, asked)
        response.headers["Location"] = f"{router.prefix}/changes/{made.id}"
        return made


def _add_deciding(router: APIRouter, desk: ChangeDesk, require: Require) -> None:
    changing = Depends(require(Scope.CHANGE))
    approving = Depends(require(Scope.APPROVE))
    seeing = Depends(require(Scope.CHANGE, Scope.APPROVE))

    @router.get("/changes", tags=["changes"], responses=problems())
    def list_changes(
        caller: Annotated[SignedIn, seeing],
        waiting_only: Annotated[  # noqa: FBT002 - a query parameter has a name
            bool, Query(description="Only those that nobody has decided.")
        ] = True,
        before: Before = 0,
        limit: Limit = 50,
    ) -> ChangePage:
        """列出变更申请。 Proposed changes, newest first."""
        return desk.changes(caller, waiting_only=waiting_only, before=before, limit=limit)

    @router.get("/changes/{change_id}", tags=["changes"], responses=problems(404))
    def read_change(caller: Annotated[SignedIn, seeing], change_id: ChangeId) -> ChangeShown:
        """查看变更申请。 One proposed change, with its decision."""
        return desk.change(caller, change_id)

    @router.post("/changes/{change_id}/approve", tags=["changes"], responses=problems(404, 409), dependencies=_KEYED)
    def approve_change(caller: Annotated[SignedIn, approving], change_id: ChangeId) -> ChangeDone:
        """复核通过, 立即生效并公布。 Approve a change somebody else proposed; it is made and published at once.

        A whole batch is revoked step by step before the answer comes; interrupted, the same request goes on.
        """
        return desk.approve_change(caller, change_id)

    @router.post("/changes/{change_id}/refuse", tags=["changes"], responses=problems(404, 409), dependencies=_KEYED)
    def refuse_change(caller: Annotated[SignedIn, approving], change_id: ChangeId) -> ChangeDone:
        """退回变更申请。 Refuse a change somebody else proposed."""
        return desk.refuse_change(caller, change_id)

    @router.post("/changes/{change_id}/withdraw", tags=["changes"], responses=problems(404, 409), dependencies=_KEYED)
    def withdraw_change(caller: Annotated[SignedIn, changing], change_id: ChangeId) -> ChangeDone:
        """撤回自己提出的变更申请。 Take back a change of one's own."""
        return desk.withdraw_change(caller, change_id)


def _add_successions(router: APIRouter, desk: ChangeDesk, require: Require) -> None:
    changing = Depends(require(Scope.CHANGE))
    reviewing = Depends(require(Scope.SUBMIT, Scope.APPROVE, Scope.CHANGE))

    @router.post(
        "/credentials/{serial}/corrections",
        status_code=201,
        tags=["changes"],
        responses={200: {"model": Batch, "description": "This was submitted before."}, **problems(404, 409)},
        dependencies=_KEYED,
    )
    def correct(
        caller: Annotated[SignedIn, changing], serial: Serial, asked: CorrectionSent, response: Response
    ) -> Batch:
        """更正证书: 编号不变, 版本加一。 Correct a certificate: a batch of one that another approves."""
        return _located(router, response, desk.correct(caller, serial, asked))

    @router.post(
        "/credentials/{serial}/replacements",
        status_code=201,
        tags=["changes"],
        responses={200: {"model": Batch, "description": "This was submitted before."}, **problems(404, 409)},
        dependencies=_KEYED,
    )
    def replace(
        caller: Annotated[SignedIn, changing], serial: Serial, asked: ReplacementSent, response: Response
    ) -> Batch:
        """换发证书: 使用新编号。 Replace a certificate under a new serial: a batch of one that another approves."""
        return _located(router, response, desk.replace(caller, serial, asked))

    @router.get("/batches/{batch_id}/successions", tags=["changes"], responses=problems(404, 409))
    def read_successions(caller: Annotated[SignedIn, reviewing], batch_id: BatchId) -> SuccessionList:
        """查看批次更正或换发了什么, 供复核。 What a batch corrects or replaces, old and new; personal data."""
        return desk.successions(caller, batch_id)


def _located(router: APIRouter, response: Response, batch: Batch) -> Batch:
    response.status_code = 201 if batch.is_new else 200
    response.headers["Location"] = f"{router.prefix}/batches/{batch.id}"
    return batch
