"""One line a request: method, the route's template, status, milliseconds, token id, request id.

Never the address as it was called, the query or the body: verification codes and
serials stand in addresses. The server's own access log stays off for that reason.
"""

import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER = b"x-request-id"
_ID_BYTES = 8

_logger = logging.getLogger("yinzheng.access")


def install(app: FastAPI) -> None:
    """Make an app log each request; call after every other middleware is added, so that this one is outermost."""
    app.add_middleware(AccessLog)


class AccessLog:
    """Gives each request an id, answers with it, and logs one line when the answer is out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and log it, however it ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(_ID_BYTES)
        status = 0
        started = time.monotonic()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, request_id.encode("ascii"))]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            milliseconds = (time.monotonic() - started) * 1000
            token_id = scope.get("yinzheng.token_id", "-")
            _logger.info(
                "%s %s %d %.0f ms token=%s request=%s",
                _method(scope),
                route_template(scope),
                status,
                milliseconds,
                token_id,
                request_id,
            )


def route_template(scope: Mapping[str, Any]) -> str:
    """The address as the route was declared, ``/c/{code}``; ``-`` where no route took the request."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "-"


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _method(scope: Scope) -> str:
    """The method; anything may stand in its place, so only known ones are written."""
    return scope["method"] if scope["method"] in _METHODS else "OTHER"
