"""Routes for single certificates: issue one, look, search; and who calls."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from issuer.api.callers import Require, Scope, SignedIn
from issuer.api.described import LOOKS, Serial, idempotency_key, problems
from issuer.api.models import Batch, Credential, CredentialList, History, Me, Search, SingleIssue
from issuer.api.ports import BatchDesk, CredentialDesk


def add_to(router: APIRouter, desk: CredentialDesk, batch_desk: BatchDesk, require: Require) -> None:
    """Add the routes of this file."""
    reading = Depends(require(Scope.READ))

    @router.get("/me", tags=["access"], responses=problems())
    def read_me(caller: Annotated[SignedIn, Depends(require())]) -> Me:
        """查看令牌对应的机构、人员和权限。 Who the token stands for; any scope will do."""
        return desk.me(caller)

    @router.post(
        "/credentials",
        status_code=201,
        tags=["certificates"],
        responses={200: {"model": Batch, "description": "This record was submitted before."}, **problems(404, 409)},
        dependencies=[Depends(idempotency_key)],
    )
    def issue_one(
        caller: Annotated[SignedIn, Depends(require(Scope.SUBMIT))], asked: SingleIssue, response: Response
    ) -> Batch:
        """单个出证, 待他人复核。 Submit one record: a batch of one that another person approves."""
        batch = batch_desk.submit_one(caller, asked)
        response.status_code = 201 if batch.is_new else 200
        response.headers["Location"] = f"{router.prefix}/batches/{batch.id}"
        return batch

    @router.get("/credentials/{serial}", tags=["certificates"], responses=problems(404))
    def read_credential(caller: Annotated[SignedIn, reading], serial: Serial) -> Credential:
        """查看证书。 One certificate, its newest version."""
        return desk.credential(caller, serial)

    @router.get("/credentials/{serial}/history", tags=["certificates"], responses=problems(404))
    def read_history(caller: Annotated[SignedIn, reading], serial: Serial) -> History:
        """查看证书变更记录。 What happened to a certificate, oldest first."""
        return desk.history(caller, serial)

    @router.post("/search", tags=["certificates"], responses=problems(), openapi_extra=LOOKS)
    def search(
        caller: Annotated[SignedIn, reading],
        asked: Search,
        most: Annotated[int, Query(ge=1, le=100, description="Certificates to list, at most.")] = 50,
    ) -> CredentialList:
        """按编号、姓名或证件号码精确查找。 Find by one exact value, in the body and never in an address."""
        return desk.search(caller, asked, most=most)
