"""The routes of the issuing API, put together from the files of this folder."""

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.routing import APIRoute

from issuer.api import batches, changes, credentials, holding
from issuer.api.callers import Require
from issuer.api.ports import BatchDesk, ChangeDesk, CredentialDesk, HandOverDesk

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Desks:
    """Who does the work behind the routes."""

    batches: BatchDesk
    credentials: CredentialDesk
    changes: ChangeDesk
    hand_over: HandOverDesk


def issuing_routes(desks: Desks, *, require: Require, route_class: type[APIRoute]) -> APIRouter:
    """Make the routes of the issuing side that ask for a token.

    Args:
        desks: do the work.
        require: makes the dependency that asks for a scope.
        route_class: counts requests, and looks at the token before a body is read and at the Idempotency-Key.
    """
    router = APIRouter(prefix=PREFIX, route_class=route_class, generate_unique_id_function=lambda route: route.name)
    batches.add_to(router, desks.batches, require)
    credentials.add_to(router, desks.credentials, desks.batches, require)
    changes.add_to(router, desks.changes, require)
    holding.add_to(router, desks.hand_over, require)
    return router
