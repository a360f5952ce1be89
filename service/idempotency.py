"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the same request twice is done once.

The answer of a request that succeeded is kept for a day and given again. A
request that was refused changed nothing, so its key is free again. Answers that
show codes (``x-idempotency: shown-once``) are not kept: the same request again is
refused, and a new key makes new codes, which end the old ones. Requests that only
look (``x-idempotency: looks``) need no key and ignore one.
"""

import json
import re
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from credential.errors import InputError, RefusedError
from registry import idempotent
from registry.database import Database
from registry.idempotent import Answer, Turn
from service.auth import Door

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT = timedelta(days=1)

LEASE = timedelta(minutes=5)
"""A request that has not ended by then belonged to a killed process; whoever repeats it takes it over.

Should it still run after all, both do the same: every operation is idempotent by itself.
"""

_CHUNK_BYTES = 1 << 20
_KEY = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class BadKey(InputError):
    """The header's value is not a key."""

    code = "bad-idempotency-key"

    def __init__(self) -> None:
        super().__init__(
            f"the header {HEADER} takes 1 to 200 visible ASCII characters, as a UUID",
            f"请求头 {HEADER} 须为 1 至 200 个可见 ASCII 字符, 例如 UUID",
        )


class KeyUsedOtherwise(InputError):
    """The key belongs to another request."""

    code = "key-used-otherwise"

    def __init__(self) -> None:
        super().__init__(
            f"the {HEADER} was sent with another request; give each request a key of its own",
            f"该 {HEADER} 已用于另一请求; 每个请求须使用各自的键",
        )


class RequestRuns(RefusedError):
    """The same request is being worked on."""

    code = "request-runs"

    def __init__(self) -> None:
        super().__init__(
            "the same request is being worked on; ask again in a moment", "相同的请求正在处理中; 请稍后再试"
        )


class AnswerShownOnce(RefusedError):
    """The request was done, and its answer could be shown only once."""

    code = "answer-shown-once"

    def __init__(self) -> None:
        super().__init__(
            "this was done, and its codes were shown then and are not kept; with a new key new codes are made, "
            "and the old ones end",
            "该请求已完成, 其中的领取码只显示一次且不留存; 换用新的键可生成新码, 旧码随即失效",
        )


class Keeper:
    """Keeps the answers of requests that carry a key.

    Args:
        door: tells who calls.
        guard: refuses too many requests, before anything is looked up.
        database: of the registry; asked for at each request.
        now: the current moment, UTC.
    """

    def __init__(
        self,
        door: Door,
        guard: Callable[[Request], None],
        database: Callable[[], Database],
        now: Callable[[], datetime],
    ) -> None:
        self._door = door
        self._guard = guard
        self._database = database
        self._now = now

    def route_class(self) -> type[APIRoute]:
        """The class of routes that ask who calls before a body is read, and answer a repeated request once."""
        keeper = self

        class KeptRoute(APIRoute):
            """A route of the issuing API."""

            def get_route_handler(self) -> Handler:
                return keeper.wrap(super().get_route_handler(), (self.openapi_extra or {}).get("x-idempotency", ""))

        return KeptRoute

    def wrap(self, handler: Handler, kind: str) -> Handler:
        """Put the look at the token, and that for the key, before a handler.

        Args:
            handler: reads the body and answers.
            kind: ``shown-once``, ``looks``, or empty.
        """

        async def handle(request: Request) -> Response:
            await run_in_threadpool(self._guard, request)
            caller = await run_in_threadpool(self._door.caller, request)
            text = request.headers.get(HEADER)
            if text is None or request.method != "POST" or kind == "looks":
                return await handler(request)
            try:
                asked = idempotent.Request(caller.token_id, _key(text), await _digest(request))
                turn, answer = await run_in_threadpool(self._begin, asked)
                if turn is Turn.OTHER:
                    raise KeyUsedOtherwise
                if turn is Turn.RUNS:
                    raise RequestRuns
                if answer is not None:
                    return _replay(answer)
                return await self._run(handler, request, asked, keeps_body=kind != "shown-once")
            finally:
                await request.close()  # uploads that no handler took

        return handle

    async def _run(
        self, handler: Handler, request: Request, asked: idempotent.Request, *, keeps_body: bool
    ) -> Response:
        is_kept = False
        try:
            response = await handler(request)
            if response.status_code < 300:
                body = bytes(response.body) if keeps_body else None
                answer = Answer(response.status_code, response.headers.get("content-type", ""), body)
                await run_in_threadpool(self._finish, asked, answer)
                is_kept = True
            return response
        finally:
            if not is_kept:
                await run_in_threadpool(self._release, asked)

    def _begin(self, asked: idempotent.Request) -> tuple[Turn, Answer | None]:
        now = self._now()
        with self._database().transaction() as session:
            idempotent.forget(session, now - KEPT)
            return idempotent.begin(session, asked, now=now, lease_from=now - LEASE)

    def _finish(self, asked: idempotent.Request, answer: Answer) -> None:
        with self._database().transaction() as session:
            idempotent.finish(session, asked, answer)

    def _release(self, asked: idempotent.Request) -> None:
        with self._database().transaction() as session:
            idempotent.release(session, asked)


def _replay(answer: Answer) -> Response:
    if answer.body is None:
        raise AnswerShownOnce
    headers = {"content-type": answer.content_type, REPLAYED: "true", "Cache-Control": "no-store"}
    return Response(answer.body, answer.status, headers=headers)


def _key(text: str) -> str:
    """The key; the draft writes it in quotation marks, many clients without."""
    bare = text.strip()
    if len(bare) >= 2 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    if _KEY.fullmatch(bare) is None:
        raise BadKey
    return bare


async def _digest(request: Request) -> bytes:
    """Digest method, address and content; a form by its fields, since its boundary differs each time."""
    whole = sha256()
    _feed(whole, request.method.encode(), request.url.path.encode(), request.url.query.encode())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()  # types have no case
    if kind == "multipart/form-data":
        form = await request.form()
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                _feed(whole, name.encode(), (value.filename or "").encode(), await _file_digest(value))
            else:
                _feed(whole, name.encode(), value.encode())
    else:
        _feed(whole, await request.body())
    return whole.digest()


async def _file_digest(file: UploadFile) -> bytes:
    digest = sha256()
    while chunk := await file.read(_CHUNK_BYTES):
        digest.update(chunk)
    await file.seek(0)
    return digest.digest()


def _feed(whole: Any, *parts: bytes) -> None:
    """Feed parts with their lengths, so that no two lists of parts give one digest."""
    whole.update(json.dumps([len(part) for part in parts]).encode())
    for part in parts:
        whole.update(part)
