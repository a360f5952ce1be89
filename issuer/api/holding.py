"""Routes that hand certificates over: new claim codes, shown once and never kept."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from issuer.api.callers import Require, Scope, SignedIn
from issuer.api.described import SHOWN_ONCE, BatchId, Serial, idempotency_key, problems
from issuer.api.holding_models import ClaimCode, HandOver
from issuer.api.ports import HandOverDesk


def add_to(router: APIRouter, desk: HandOverDesk, require: Require) -> None:
    """Add the routes of this file."""
    handing = Depends(require(Scope.HAND_OVER))
    keyed = [Depends(idempotency_key)]

    @router.post(
        "/batches/{batch_id}/hand-over",
        tags=["hand-over"],
        responses=problems(404, 409),
        dependencies=keyed,
        openapi_extra=SHOWN_ONCE,
    )
    def hand_over(caller: Annotated[SignedIn, handing], batch_id: BatchId, response: Response) -> HandOver:
        """为整批证书生成领取码, 只显示一次, 旧码失效。 New claim codes for a batch, shown once; the old ones end."""
        response.headers["Cache-Control"] = "no-store"
        return desk.hand_over(caller, batch_id)

    @router.post(
        "/credentials/{serial}/claim-code",
        tags=["hand-over"],
        responses=problems(404, 409),
        dependencies=keyed,
        openapi_extra=SHOWN_ONCE,
    )
    def make_claim_code(caller: Annotated[SignedIn, handing], serial: Serial, response: Response) -> ClaimCode:
        """为一份证书生成领取码, 只显示一次, 旧码失效。 A new claim code, shown once; the old one ends."""
        response.headers["Cache-Control"] = "no-store"
        return desk.claim_code(caller, serial)
