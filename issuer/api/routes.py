"""The routes of the issuing API, put together from the files of this folder."""

from collections.abc import Callable

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute

from issuer.api import batches, credentials
from issuer.api.callers import Require
from issuer.api.ports import BatchDesk, CredentialDesk

PREFIX = "/api/v1"


def issuing_routes(
    batch_desk: BatchDesk,
    credential_desk: CredentialDesk,
    *,
    require: Require,
    route_class: type[APIRoute],
    guard: Callable[[Request], None],
) -> APIRouter:
    """Make the routes of the issuing side that ask for a token.

    Args:
        batch_desk: works with sheets and batches.
        credential_desk: shows what was issued.
        require: makes the dependency that asks for a scope.
        route_class: looks at the token before a body is read, and at the Idempotency-Key.
        guard: refuses too many requests.
    """
    router = APIRouter(prefix=PREFIX, route_class=route_class, dependencies=[Depends(guard)])
    batches.add_to(router, batch_desk, require)
    credentials.add_to(router, credential_desk, batch_desk, require)
    return router
