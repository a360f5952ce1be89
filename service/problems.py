"""Answer every error as a problem document (RFC 9457), or as a page where a person asked for one.

What a person can put right is told in both languages. What is the
installation's own fault is told by its code only: paths, hosts and traces stay
here, and the log gets a fault's type and place, never its message.
"""

import logging
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from credential.errors import Error
from service.problem_codes import STATUS, status_of

MEDIA_TYPE = "application/problem+json"

TYPE_PREFIX = "urn:yinzheng:problem:"
"""Before a code: the name of a problem's type. A name and no address, since no page explains it (RFC 9457, 3.1.1)."""

RETRY_AFTER_SECONDS = 5
"""Told with 503; stores mostly answer again within seconds."""

_REALM = 'Bearer realm="yinzheng"'
_HEADERS: Mapping[str, Mapping[str, str]] = {
    "not-signed-in": {"WWW-Authenticate": _REALM},
    "bad-token": {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
    "missing-scope": {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope"'},
    "request-runs": {"Retry-After": str(RETRY_AFTER_SECONDS)},
}
_OWN_FAULTS: Mapping[int, tuple[str, str]] = {
    500: (
        "the service has a fault of its own; send the request again, or ask the operator, who has the place in a log",
        "服务内部故障, 不是您的操作有误; 可以原样重试, 详情请运维人员查看日志",
    ),
    503: (
        "a store of the service does not answer; nothing is lost, send the request again in a moment",
        "服务暂时无法读取数据, 数据未受影响; 请稍后重试",
    ),
}
_HTTP_FAULTS: Mapping[int, tuple[str, str, str]] = {
    400: (
        "bad-request",
        "the body cannot be read; send it as the API's description says",
        "无法读取请求内容; 请按接口说明发送",
    ),
    404: ("not-found", "there is nothing at this address; check it", "该地址下没有内容; 请核对地址"),
    405: (
        "method-not-allowed",
        "this address does not take this method; use one of those in Allow",
        "该地址不支持此请求方法; 请使用 Allow 中列出的方法",
    ),
    413: ("file-too-large", "the request is larger than is taken; split the file", "请求内容过大; 请拆分文件后重试"),
}

_logger = logging.getLogger("yinzheng.fault")


class ErrorPage(Protocol):
    """Shows a problem to a person; the pages of service/rendering.py."""

    def __call__(self, request: Request, *, status: int, code: str, zh: str, en: str) -> Response:
        """Render the page with this status."""
        ...


def wants_page(request: Request) -> bool:
    """Whether a person asked, and not a program: HTML is accepted, and the address is not the API's."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def type_of(code: str) -> str:
    """The URI that names a problem's type."""
    return TYPE_PREFIX + code


def told(error: Error) -> tuple[str, str]:
    """What callers are told of an error, in English and Chinese."""
    return told_by(status_of(error), error.en, error.zh)


def told_by(status: int, en: str, zh: str) -> tuple[str, str]:
    """What callers are told of an error of which its status and its sentences are left."""
    return _OWN_FAULTS.get(status, (en, zh))


def problem_response(error: Error, request: Request) -> Response:  # noqa: ARG001 - every answer is to a request
    """The problem document of an error of ours."""
    status = status_of(error)
    en, zh = told(error)
    members: Mapping[str, object] = getattr(error, "members", {})
    return _answer(status, error.code, en, zh, headers=_headers(error, status), members=members)


def install(app: FastAPI, page: ErrorPage | None = None) -> None:
    """Make an app answer every error as a problem, or with ``page`` where a person asked.

    Args:
        app: of the service.
        page: None answers everybody with a problem document.
    """

    def shown(request: Request, answer: Response, code: str, en: str, zh: str) -> Response:
        if page is None or not wants_page(request):
            return answer
        made = page(request, status=answer.status_code, code=code, zh=zh, en=en)
        for name in ("WWW-Authenticate", "Retry-After", "Allow"):
            if name in answer.headers:
                made.headers[name] = answer.headers[name]
        return made

    def of_ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, Error)  # noqa: S101 - registered for these only
        if status_of(error) >= 500 or error.code not in STATUS:
            log_fault(error)
        en, zh = told(error)
        return shown(request, problem_response(error, request), error.code, en, zh)

    def of_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for these only
        status, en, zh, fields = _validation(error.errors())
        code = "bad-request" if status == 400 else "invalid-request"
        return shown(request, _answer(status, code, en, zh, members={"errors": fields}), code, en, zh)

    def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for these only
        phrase = HTTPStatus(error.status_code).phrase.lower()
        generic = (phrase.replace(" ", "-"), phrase, f"请求未能完成({error.status_code})")
        code, en, zh = _HTTP_FAULTS.get(error.status_code, generic)
        answer = _answer(error.status_code, code, en, zh, headers=error.headers or {})
        return shown(request, answer, code, en, zh)

    app.add_exception_handler(Error, of_ours)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)
    app.add_middleware(FaultBarrier, page=page)


class FaultBarrier:
    """Answers 500 for whatever nobody foresaw; the server around it, which logs messages, never sees it."""

    def __init__(self, app: ASGIApp, page: ErrorPage | None = None) -> None:
        self._app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer it when that fails."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def watched(message: Message) -> None:
            nonlocal has_started
            has_started = has_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the outermost handler: callers get a sentence, the log type and place
            log_fault(error)
            if has_started:
                # Too late for an answer; closing without the last chunk tells the client that it is cut short.
                return
            en, zh = _OWN_FAULTS[500]
            request = Request(scope)
            answer: Response = _answer(500, "fault", en, zh)
            if self._page is not None and wants_page(request):
                answer = self._page(request, status=500, code="fault", zh=zh, en=en)
            await answer(scope, receive, send)


def log_fault(error: BaseException) -> None:
    """Log what kind of fault it was and where, in one line; messages and values may be personal."""
    places = [f"{one.filename.rpartition('/')[2]}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)]
    code = error.code if isinstance(error, Error) else "fault"
    _logger.error("%s %s at %s", code, type(error).__name__, " < ".join(reversed(places[-6:])) or "?")


def _headers(error: Error, status: int) -> Mapping[str, str]:
    given: Mapping[str, str] = getattr(error, "headers", {})
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
    return {**retry, **_HEADERS.get(error.code, {}), **given}


def _answer(  # noqa: PLR0913 - the parts of a problem document
    status: int,
    code: str,
    en: str,
    zh: str,
    *,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, object] | None = None,
) -> Response:
    body = {
        "type": type_of(code),
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": en,
        "code": code,
        "zh": zh,
        "en": en,
        **(members or {}),
    }
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(body, status, headers=kept, media_type=MEDIA_TYPE)


def _validation(errors: Sequence[Any]) -> tuple[int, str, str, list[dict[str, str]]]:
    """Name each field and its cure; what was sent in it is not repeated."""
    if any(one["type"] == "json_invalid" for one in errors):
        return 400, "the body is not JSON; correct it and send it again", "请求内容不是有效的 JSON; 请改正后重试", []
    fields = []
    for one in errors:
        where, name = _place(one["loc"])
        en, zh = _cure(one)
        fields.append({"in": where, "field": name, "en": en, "zh": zh})
    listed = "; ".join(f"{one['field'] or one['in']}: {one['en']}" for one in fields)
    in_chinese = "; ".join(f"{one['field'] or one['in']}: {one['zh']}" for one in fields)
    return 422, f"the request has fields to correct: {listed}", f"请求中有需要改正的字段: {in_chinese}", fields


def _place(location: Sequence[str | int]) -> tuple[str, str]:
    where, *path = [str(part) for part in location] or ["body"]
    return where, ".".join(path)


def _cure(error: Mapping[str, Any]) -> tuple[str, str]:
    kind = error["type"]
    if kind == "missing":
        return "is missing; give it", "缺少此项, 请补充"
    if kind == "extra_forbidden":
        return "is not a field of this request; leave it out", "不是本请求的字段, 请去掉"
    limits = {name: value for name, value in error.get("ctx", {}).items() if name in _TOLD_LIMITS}
    shown = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in limits.items())
    rule = kind.replace("_", " ")
    return f"does not fit ({shown or rule}); correct it", f"取值不符合要求({shown or rule}), 请改正"


_TOLD_LIMITS = frozenset(
    {"ge", "gt", "le", "lt", "max_length", "min_length", "pattern", "expected", "min_items", "max_items"}
)
