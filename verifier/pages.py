"""The pages on which anybody checks a certificate: by QR code, by file, or typed in.

A verdict answers with 200, except ``unavailable``: 503. The address ``/c/<code>``
gives JSON to programs that ask for it. A code that was typed leads to the very
address that the QR code opens; a serial and a name stay in the form's body, out
of every address and log.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from credential.errors import InputError, RefusedError
from credential.serial import BadVerificationCode, parse_verification_code
from verifier.api import (
    PRIVATE_HEADERS,
    RETRY_SECONDS,
    BadVerifyRequest,
    code_json,
    on_loop,
    read_document,
    verdict_status,
    wants_json,
)
from verifier.desk import Desk
from verifier.explaining import (
    FACES,
    PRESENTED,
    IssuerNotice,
    Notices,
    face_of,
    has_versions,
    history,
    labels_of_code,
    next_steps,
    rows,
    shown_for_comparison,
)
from verifier.reasons import Word
from verifier.report import MAX_DOCUMENT_BYTES
from verifier.verdict import Verdict

_MAX_TYPED = 200


class Render(Protocol):
    """Makes a page; ``service.rendering.Pages.render`` is one."""

    def __call__(self, request: Request, template_name: str, status: int = 200, **values: Any) -> Response:
        """Render a template in the reader's language."""
        ...


class Portraits(Protocol):
    """Shows a holder's photo to whoever knows the end of their ID number; of the issuing side."""

    def __call__(self, code: str, last_six: str, /) -> bytes:
        """Give the portrait as JPEG.

        Raises:
            InputError, RefusedError: it is not shown; the sentence says why.
        """
        ...


Guard = Callable[[Request], None]


def page_routes(desk: Desk, render: Render, guard: Guard, notices: Notices) -> APIRouter:
    """Make the routes of the pages.

    Args:
        desk: verifies.
        render: makes pages.
        guard: refuses those who ask too much; tells by the path what is asked.
        notices: what pages say beside a verdict.
    """
    router = APIRouter(include_in_schema=False)
    screen = VerdictScreen(render, notices)

    @router.get("/")
    def home(request: Request) -> Response:
        return render(request, "home.html")

    @router.get("/c/{code}", dependencies=[Depends(on_loop(guard))])
    def by_code(request: Request, code: str) -> Response:
        if wants_json(request):
            return code_json(desk, code)
        return screen.show(request, desk.verify_code(code[:_MAX_TYPED]), code=_canonical(code))

    _add_upload(router, desk, render, screen, guard)
    _add_typing(router, desk, render, screen, guard)
    return router


def _add_upload(router: APIRouter, desk: Desk, render: Render, screen: "VerdictScreen", guard: Guard) -> None:
    """Add the routes of the page to which files are uploaded."""

    def form(request: Request, status: int = 200, file_error: str = "") -> Response:
        values = {"uses_htmx": True, "max_bytes": MAX_DOCUMENT_BYTES, "switch_path": "/verify/file"}
        return render(request, "file.html", status, file_error=file_error, **values)

    def judged(request: Request, document: bytes) -> Response:
        return screen.show(request, desk.verify_file(document), switch_path="/verify/file")

    @router.get("/verify/file")
    def upload(request: Request) -> Response:
        return form(request)

    @router.post("/verify/file", dependencies=[Depends(on_loop(guard))])
    async def uploaded(request: Request) -> Response:
        try:
            document = await read_document(request)  # too large a file is raised, and becomes the page of an error
        except BadVerifyRequest:
            return form(request, 422, "missing")
        if not document:
            return form(request, 422, "empty")
        return await run_in_threadpool(judged, request, document)


def _add_typing(router: APIRouter, desk: Desk, render: Render, screen: "VerdictScreen", guard: Guard) -> None:
    """Add the routes of the page on which codes, serials and names are typed."""

    @router.get("/verify")
    def type_in(request: Request) -> Response:
        return render(request, "typed.html", uses_htmx=True, code="", code_error=False)

    @router.get("/verify/code")
    @router.get("/verify/serial")
    def reloaded(request: Request) -> Response:
        return _lead_to(request, "/verify")

    @router.post("/verify/code", dependencies=[Depends(on_loop(guard))])
    def typed_code(request: Request, code: Annotated[str, Form(max_length=_MAX_TYPED)] = "") -> Response:
        canonical = _canonical(code)
        if not canonical:
            values = {"code": code, "code_error": True, "switch_path": "/verify"}
            return render(request, "typed.html", 422, uses_htmx=True, **values)
        return _lead_to(request, f"/c/{canonical}")

    @router.post("/verify/serial", dependencies=[Depends(on_loop(guard))])
    def typed_serial(
        request: Request,
        serial: Annotated[str, Form(max_length=_MAX_TYPED)] = "",
        name: Annotated[str, Form(max_length=_MAX_TYPED)] = "",
    ) -> Response:
        verdict = desk.verify_serial("".join(serial.split()).upper(), name)
        return screen.show(request, verdict, switch_path="/verify")


def _canonical(code: str) -> str:
    """The code in its one form, or empty where it is none."""
    try:
        return parse_verification_code(code[:_MAX_TYPED])
    except BadVerificationCode:
        return ""


def _lead_to(request: Request, path: str) -> Response:
    """Lead on to a page that can be opened, reloaded and kept; the answer to a form cannot."""
    return RedirectResponse(f"{path}{_language(request)}", 303, headers=PRIVATE_HEADERS)


def _language(request: Request) -> str:
    """The language that was chosen by hand, to be kept in an address."""
    chosen = request.query_params.get("lang", "")
    return f"?lang={chosen}" if chosen in {"zh", "en"} else ""


def photo_routes(desk: Desk, portraits: Portraits, render: Render, guard: Guard, notices: Notices) -> APIRouter:
    """Make the route that shows a verdict together with the photo; of the issuing side, which has the ID numbers.

    Args:
        desk: verifies.
        portraits: shows photos.
        render: makes pages.
        guard: refuses those who ask too much.
        notices: what pages say beside a verdict.
    """
    router = APIRouter(include_in_schema=False)
    screen = VerdictScreen(render, notices)

    @router.get("/c/{code}/photo")
    def reloaded(request: Request, code: str) -> Response:
        canonical = _canonical(code)
        return _lead_to(request, f"/c/{canonical}" if canonical else "/verify")

    @router.post("/c/{code}/photo", dependencies=[Depends(on_loop(guard))])
    def photo(request: Request, code: str, last_six: Annotated[str, Form(max_length=_MAX_TYPED)] = "") -> Response:
        verdict = desk.verify_code(code[:_MAX_TYPED])
        canonical = _canonical(code)
        if verdict.verdict is not Word.VALID:  # the photo would lend its weight to it; and no try is spent on that
            return screen.show(request, verdict, code=canonical, switch_path=f"/c/{canonical}")
        try:
            portrait = portraits(code[:_MAX_TYPED], last_six.strip().upper())
        except (InputError, RefusedError) as error:
            return screen.show(request, verdict, code=canonical, photo_error=error, switch_path=f"/c/{canonical}")
        return screen.show(request, verdict, code=canonical, photo=portrait, switch_path=f"/c/{canonical}")

    return router


class VerdictScreen:
    """Shows a verdict as a page."""

    def __init__(self, render: Render, notices: Notices) -> None:
        self._render = render
        self._notices = notices

    def show(  # noqa: PLR0913 - what may stand on the page beside the verdict
        self,
        request: Request,
        verdict: Verdict,
        *,
        code: str = "",
        photo: bytes | None = None,
        photo_error: InputError | RefusedError | None = None,
        switch_path: str | None = None,
    ) -> Response:
        """Render the page of a verdict.

        Args:
            request: chooses the language.
            verdict: to be shown.
            code: where it was asked for by verification code.
            photo: JPEG, where it was asked for and may be shown.
            photo_error: why it is not shown.
            switch_path: where the language switch leads, for the answer to a form.
        """
        values: dict[str, Any] = {} if switch_path is None else {"switch_path": switch_path}
        status = 422 if photo_error is not None else verdict_status(verdict)
        answer = self._render(
            request,
            "verdict.html",
            status,
            **values,
            **self._words(verdict),
            code=code,
            photo=photo,
            photo_error=photo_error,
        )
        if status == 503:
            answer.headers["Retry-After"] = str(RETRY_SECONDS)
        return answer

    def _words(self, verdict: Verdict) -> dict[str, Any]:
        credential = verdict.credential
        notice: IssuerNotice | None = None
        fields: Sequence[Any] = ()
        compared: Mapping[str, str] = {}
        keys: Sequence[Mapping[str, str | None]] = ()
        if credential is not None:
            notice = self._notices.issuer(credential.issuer)
            fields = rows(credential)
            compared = shown_for_comparison(credential)
            keys = self._notices.qr_keys(credential.issuer)
        return {
            "verdict": verdict,
            "face": face_of(verdict),
            "faces": FACES,
            "word": Word,
            "credential": credential,
            "notice": notice,
            "fields": fields,
            "presented": PRESENTED[verdict.presented],
            "steps": next_steps(verdict),
            "history": history(verdict),
            "has_versions": has_versions(credential),
            "compared": compared,
            "code_labels": labels_of_code(credential),
            "keys": keys,
        }
