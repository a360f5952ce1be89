"""Refuse bodies that are too long or come too slowly, while they stream: no route ever holds one in memory."""

import asyncio
import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from credential.errors import InputError
from service.problems import problem_response, wants_page
from service.settings import Settings
from verifier.api import MAX_FORM_BYTES

MEGABYTE = 1024**2
SMALL_BODY_BYTES = MEGABYTE
"""Of every request that carries no file: the longest of them is a list of credentials to change."""

IDLE_SECONDS = 30.0
"""How long a sender may be silent in the middle of a body."""

SLOWEST_BYTES_PER_SECOND = 10 * 1024
"""A body may take as long as this speed needs, and ``IDLE_SECONDS`` more."""

RECORD_BYTES = 4 * MEGABYTE
"""Of a request with one record in JSON; its photo, in base64, is most of it."""

DRAINED_BYTES = 64 * MEGABYTE
"""How much of a form that nobody wanted is read and thrown away, so that a browser reads the answer.

A browser that is still sending when the connection ends may show its own page of an error, and not ours.
"""

_SHEETS = frozenset({"/api/v1/checks", "/api/v1/checks/annotated", "/api/v1/batches"})
_RECORDS = re.compile(r"/api/v1/credentials(/[^/]+/(corrections|replacements))?")
_DOCUMENTS = ("/api/v1/verify", "/verify/file")


class BodyTooLarge(InputError):
    """The request carries more than this address takes."""

    code = "body-too-large"

    def __init__(self, limit: int) -> None:
        kilobytes = limit // 1024
        super().__init__(
            f"the request is larger than the {kilobytes} kB that this address takes; send less, or split it",
            f"请求内容超过此地址允许的 {kilobytes} kB; 请减少内容或拆分后重试",
        )
        self.limit = limit


class BodyTooSlow(InputError):
    """The request's body did not come in time."""

    code = "body-too-slow"

    def __init__(self) -> None:
        super().__init__(
            "the request's body did not arrive in time; check the connection and send it again",
            "请求内容未能及时送达; 请检查网络后重试",
        )


def body_limit(settings: Settings) -> Callable[[str], int]:
    """Make the rule that says how many bytes a path takes."""
    sheet_bytes = settings.max_upload_mb * MEGABYTE

    def limit(path: str) -> int:
        if path.startswith(_DOCUMENTS):
            return MAX_FORM_BYTES + MEGABYTE  # the route itself refuses a large file first, by its name
        if path in _SHEETS:
            return sheet_bytes
        return RECORD_BYTES if _RECORDS.fullmatch(path) else SMALL_BODY_BYTES

    return limit


class BodyLimit:
    """Counts each body as it comes in, whatever its Content-Length says.

    The error is raised where the application reads, so that a page can show
    it; where the application makes something else of it, the answer is a
    problem document all the same.

    Args:
        app: what is guarded.
        limit_of: how many bytes a path takes.
        idle_seconds: longest silence within a body.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int], idle_seconds: float = IDLE_SECONDS) -> None:
        self._app = app
        self._limit_of = limit_of
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted = _CountedBody(receive, self._limit_of(scope["path"]), self._idle_seconds)
        counted.expect(Request(scope).headers.get("content-length", ""))
        answered = _Answer(scope, receive, send, counted)
        await self._app(scope, counted.receive, answered.send)


class _CountedBody:
    def __init__(self, receive: Receive, limit: int, idle_seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit
        self._idle = idle_seconds
        self._until: float | None = None
        self._is_whole = False
        self._is_too_long = False
        self.refusal: BodyTooLarge | BodyTooSlow | None = None

    def expect(self, length: str) -> None:
        """Refuse a body by the length it claims, before the first byte is read."""
        if length.isascii() and length.isdigit() and (len(length) > 19 or int(length) > self._limit):
            self._is_too_long = True

    def _refuse(self, refusal: BodyTooLarge | BodyTooSlow) -> BodyTooLarge | BodyTooSlow:
        self.refusal = refusal
        return refusal

    async def drain(self, most: int) -> None:
        """Throw away what is still to come, up to so many bytes, as long as it comes."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._idle + most / SLOWEST_BYTES_PER_SECOND
        while not self._is_whole and most > 0:
            try:
                async with asyncio.timeout_at(min(until, loop.time() + self._idle)):
                    message = await self._receive()
            except TimeoutError:
                return
            most -= len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)

    async def receive(self) -> Message:
        """Receive the next part, and count it."""
        if self._is_whole:
            return await self._receive()  # waits for the client to hang up, however long
        if self._is_too_long:
            raise self._refuse(BodyTooLarge(self._limit))
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + self._idle + self._limit / SLOWEST_BYTES_PER_SECOND
        try:
            async with asyncio.timeout_at(min(self._until, now + self._idle)):
                message = await self._receive()
        except TimeoutError as error:
            raise self._refuse(BodyTooSlow()) from error
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self._is_too_long = True
            raise self._refuse(BodyTooLarge(self._limit))
        self._is_whole = not message.get("more_body", False)
        return message


class _Answer:
    """Lets the application's answer pass, unless it hides why the body was refused."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, body: _CountedBody) -> None:
        self._request = (scope, receive, send)
        self._send = send
        self._body = body
        self._is_replaced = False
        asked = Request(scope)
        # Who waits to be told to send has sent nothing: reading would ask for it.
        self._is_drained = wants_page(asked) and asked.method == "POST" and "expect" not in asked.headers

    async def send(self, message: Message) -> None:
        """Send a part of the answer, or ours in its place."""
        refusal = self._body.refusal
        if message["type"] == "http.response.start" and refusal is not None:
            shown = problem_response(refusal, Request(self._request[0]))
            if message["status"] != shown.status_code:
                self._is_replaced = True
                await shown(*self._request)
        if self._is_replaced:
            return
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last and self._is_drained:
            await self._send({**message, "more_body": True})
            await self._body.drain(DRAINED_BYTES)
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)
