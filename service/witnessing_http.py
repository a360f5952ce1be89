"""A witness over HTTP (C2SP tlog-witness).

| request | answer |
|---|---|
| ``POST /add-checkpoint`` | 200 and the cosignature; 400, 403, 404, 409, 422 as tlog-witness says; 429 |
| ``GET /<SHA-256 of the origin, hex>/checkpoint`` | the head cosigned last, for monitors and after a restore |
| ``GET /healthz`` | 200 |
"""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from credential.cosignature import MAX_REQUEST_BYTES
from credential.errors import Error
from registry.log.witness import KnownLogs, LogWitness, OtherOldSize, UnknownLog
from service.bodies import BodyLimit
from service.limits import Kind, Limiter, TooManyRequests
from service.problem_codes import status_of
from service.problems import told

SIZE_TYPE = "text/x.tlog.size"

_logger = logging.getLogger("yinzheng.witness")


def witness_app(
    witness: LogWitness, logs: KnownLogs, now: Callable[[], datetime], limiter: Limiter | None = None
) -> ASGIApp:
    """Make the application that answers logs and monitors.

    Args:
        witness: cosigns.
        logs: what it knows.
        now: the clock, whose time goes into cosignatures.
        limiter: refuses an address that sends too much; None refuses none.
    """

    async def add_checkpoint(request: Request) -> Response:
        try:
            if limiter is not None:
                limiter.count(Kind.WITNESS, request)
            body = await request.body()  # as long as BodyLimit lets it be
            line = await run_in_threadpool(lambda: witness.add_checkpoint(body, now()))
        except OtherOldSize as error:
            return Response(f"{error.cosigned}\n", 409, media_type=SIZE_TYPE)
        except TooManyRequests as error:
            return PlainTextResponse(f"{error.en}\n{error.zh}\n", 429, headers=dict(error.headers))
        except Error as error:
            return _refused(error)
        return PlainTextResponse(line)

    async def checkpoint(request: Request) -> Response:
        try:
            known = await run_in_threadpool(partial(logs.by_hash, request.path_params["digest"]))
            if not known.note:
                raise UnknownLog(known.origin)
        except Error as error:
            return _refused(error)
        return PlainTextResponse(known.note, headers={"Cache-Control": "no-cache"})

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    routes = [
        Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
        Route("/{digest:str}/checkpoint", checkpoint),
        Route("/healthz", health),
    ]
    return BodyLimit(Starlette(routes=routes), lambda _path: MAX_REQUEST_BYTES)


def _refused(error: Error) -> Response:
    """Answer with the status of an error; a fault of our own is told by its code only."""
    status = status_of(error)
    level = logging.ERROR if status >= 500 or error.code == "log-fork-seen" else logging.INFO
    _logger.log(level, "no cosignature: %s (%d)", error.code, status)
    en, zh = told(error)
    return PlainTextResponse(f"{en}\n{zh}\n", status)
