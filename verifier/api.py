"""Verifying over HTTP: one address for files, QR texts, codes, and serials with names. No token is needed.

Nothing here says more than the verdict: headers and form of an answer are the
same whatever was asked and whatever is known of it.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from credential.errors import InputError
from verifier.acceptance import accepted_weights
from verifier.answers import Asked, AskedByCode, AskedByQr, AskedBySerial, VerdictAnswer, verdict_examples
from verifier.desk import Desk
from verifier.reasons import Word
from verifier.report import MAX_DOCUMENT_BYTES
from verifier.verdict import Verdict

Guard = Callable[[Request], None]


def on_loop(guard: Guard) -> Callable[[Request], Awaitable[None]]:
    """Make a dependency of a guard, which only counts in memory: it runs on the event loop, not in a thread.

    A hop to a thread and back costs as much as a good part of a verification.
    """

    async def check(request: Request) -> None:
        guard(request)

    return check


MAX_JSON_BYTES = 32 * 1024
MAX_FORM_BYTES = MAX_DOCUMENT_BYTES + 64 * 1024  # the file and what a form puts around it
RETRY_SECONDS = 30

#: A verdict speaks of one moment, and the address that was asked may hold a verification code.
PRIVATE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_ABOUT = """核验文件、二维码文字、核验码,或编号加姓名。结论见 `verdict`;除 `unavailable` 为 503 外,均以 200 返回。

Verify a file, the text of a QR code, a verification code, or a serial with the holder's name. The answer is in
`verdict`; the status is 200 for every verdict but `unavailable`, which is 503 and says nothing about the certificate.
A serial that does not exist and a name that does not belong to it give the same answer.
"""

_ASKED: TypeAdapter[Asked] = TypeAdapter(Asked)


class BadVerifyRequest(InputError):
    """What was sent is none of the four questions."""

    code = "bad-verify-request"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(
            f'{why_en}; send a form with one field "file", or JSON: {{"qr": …}}, {{"code": …}} or '
            f'{{"serial": …, "name": …}}',
            f"{why_zh};请提交含 file 字段的表单,或 JSON:qr、code、serial 加 name 三者之一",
        )


class UnknownQuestionType(InputError):
    """Neither JSON nor a form was sent."""

    code = "unsupported-media-type"

    def __init__(self) -> None:
        super().__init__(
            "the body is neither application/json nor multipart/form-data; set Content-Type",
            "请求类型须为 application/json 或 multipart/form-data,请设置 Content-Type",
        )


class DocumentTooLarge(InputError):
    """A file longer than any certificate may be."""

    code = "document-too-large"

    def __init__(self) -> None:
        megabytes = MAX_DOCUMENT_BYTES // 1024**2
        super().__init__(
            f"the file is larger than {megabytes} MB, which no certificate is; send the file as downloaded",
            f"文件超过 {megabytes} MB,不是本系统的证书文件;请上传下载的原文件",
        )


def verify_routes(desk: Desk, guard: Guard, serial_guard: Guard) -> APIRouter:
    """Make the routes of the verifying API.

    Args:
        desk: answers.
        guard: raises what refuses one request too many of an address.
        serial_guard: the same, stricter, for who asks by serial and name.
    """
    router = APIRouter(tags=["verify"])

    @router.post(
        "/api/v1/verify",
        summary="核验一份证书 · verify a certificate",
        description=_ABOUT,
        response_model=VerdictAnswer,
        responses=_RESPONSES,
        openapi_extra={"requestBody": _request_body()},
        dependencies=[Depends(on_loop(guard))],
    )
    async def verify(request: Request) -> Response:
        """Verify whatever was sent."""
        asked = await _read(request)
        if isinstance(asked, AskedBySerial):
            serial_guard(request)
        return give_verdict(await run_in_threadpool(_ask, desk, asked))

    return router


def give_verdict(verdict: Verdict) -> JSONResponse:
    """Write a verdict as JSON: 200, or 503 when it is ``unavailable``; never to be kept."""
    headers = dict(PRIVATE_HEADERS)
    if verdict.verdict is Word.UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return JSONResponse(verdict.as_json(), verdict_status(verdict), headers)


def verdict_status(verdict: Verdict) -> int:
    """Say which HTTP status goes with a verdict."""
    return 503 if verdict.verdict is Word.UNAVAILABLE else 200


def code_json(desk: Desk, code: str) -> JSONResponse:
    """Answer ``GET /c/{code}`` for a machine; the same body as ``POST /api/v1/verify`` gives."""
    answer = give_verdict(desk.verify_code(code[:_MOST_OF_A_CODE]))
    answer.headers["Vary"] = "Accept"
    return answer


def wants_json(request: Request) -> bool:
    """Say whether a request would rather have JSON than a page; who says nothing gets the page."""
    weights = accepted_weights(request.headers.getlist("accept"), _FORMS)
    return weights["json"] > weights["page"]


_FORMS = {"json": ("application/json",), "page": ("text/html",)}
_MOST_OF_A_CODE = 1_024  # a longer path is no code, and need not be folded to find that out


def _ask(desk: Desk, asked: Asked | bytes) -> Verdict:
    match asked:
        case AskedByQr(qr=text):
            return desk.verify_qr(text)
        case AskedByCode(code=code):
            return desk.verify_code(code)
        case AskedBySerial(serial=serial, name=name):
            return desk.verify_serial(serial, name)
        case bytes():
            return desk.verify_file(asked)


async def _read(request: Request) -> Asked | bytes:
    """Read the question, and refuse what is longer than any question while it comes in.

    Raises:
        BadVerifyRequest: it is none of the four.
        UnknownQuestionType: neither JSON nor a form.
        DocumentTooLarge: the file is longer than a certificate may be.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await read_document(request)
    if kind == "application/json":
        return await _read_json(request)
    raise UnknownQuestionType


async def _read_json(request: Request) -> Asked:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_JSON_BYTES:
            raise BadVerifyRequest("the JSON is too long", "JSON 过长")
    try:
        return _ASKED.validate_json(bytes(body))
    except ValidationError as error:  # its own words would repeat what was sent
        raise BadVerifyRequest("the JSON is none of the questions", "JSON 内容不符合要求") from error


async def read_document(request: Request) -> bytes:
    """Read the one file of a form; a body without a length is counted while it streams.

    Raises:
        BadVerifyRequest: the form has no file, or more than that.
        DocumentTooLarge: the file is longer than a certificate may be.
    """
    if int(_digits(request.headers.get("content-length", "0"))) > MAX_FORM_BYTES:
        raise DocumentTooLarge
    counted = Request(request.scope, _Counted(request).receive)
    try:
        async with counted.form(max_files=1, max_fields=0, max_part_size=MAX_JSON_BYTES) as form:
            file = form.get("file")
            # A browser sends a part without name and content where no file was chosen.
            if not isinstance(file, UploadFile) or not (file.filename or file.size):
                raise BadVerifyRequest('the form has no file in its field "file"', "表单中缺少 file 文件")
            if (file.size or 0) > MAX_DOCUMENT_BYTES:
                raise DocumentTooLarge
            return await file.read()
    except (MultiPartException, HTTPException) as error:
        raise BadVerifyRequest("the form cannot be read, or has other fields", "表单无法解析或含有其他字段") from error


class _Counted:
    """Receives a body, and no more of it than a form with one file may have."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._left = MAX_FORM_BYTES

    async def receive(self) -> Any:
        """Receive the next message of the body."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise DocumentTooLarge
        return message


def _digits(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) < 20 else "0"


def _request_body() -> dict[str, Any]:
    schema = _ASKED.json_schema(ref_template="#/components/schemas/{model}")
    schema["anyOf"] = [schema["$defs"][part["$ref"].rpartition("/")[2]] for part in schema["anyOf"]]
    del schema["$defs"]
    file = {"type": "string", "format": "binary", "maxLength": MAX_DOCUMENT_BYTES}
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": schema,
                "examples": {
                    "code": {"value": {"code": "7K3M-9QXA-4TZ2-RB6H"}},
                    "serial": {"value": {"serial": "33020020260130000018", "name": "张三"}},
                    "qr": {"value": {"qr": "https://zs.example.gov.cn/c/7K3M9QXA4TZ2RB6H"}},
                },
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": file},
                    "required": ["file"],
                    "additionalProperties": False,
                }
            },
        },
    }


def _responses() -> dict[int | str, dict[str, Any]]:
    """Say what may come back; problems are RFC 9457 documents, which the application describes."""
    examples = verdict_examples()
    unavailable = {"unavailable": examples.pop("unavailable")}
    return {
        200: {"description": "a verdict", "content": {"application/json": {"examples": examples}}},
        413: {"description": "the file is too large"},
        415: {"description": "neither JSON nor a form"},
        422: {"description": "none of the four questions"},
        429: {"description": "too many requests; Retry-After says when to come back"},
        503: {
            "description": "the register does not answer; this says nothing about the certificate",
            "model": VerdictAnswer,
            "content": {"application/json": {"examples": unavailable}},
        },
    }


_RESPONSES = _responses()
