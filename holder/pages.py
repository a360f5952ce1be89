"""The page on which a holder fetches the exact signed file, with serial and claim code.

Both travel in the form's body: neither stands in an address or a log. Whatever
is wrong, a serial that does not exist, a code that is not its own or one that
is used up, is told in the one sentence that the desk gives.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Form, Request, Response

from credential.errors import InputError, RefusedError

_MAX_TYPED = 200


class Render(Protocol):
    """Makes a page; ``service.rendering.Pages.render`` is one."""

    def __call__(self, request: Request, template_name: str, status: int = 200, **values: Any) -> Response:
        """Render a template in the reader's language."""
        ...


class Claimed(Protocol):
    """A file that may be fetched for a while."""

    @property
    def download(self) -> str:
        """The path that it is fetched at."""
        ...

    @property
    def expires_at(self) -> datetime:
        """First moment that is too late."""
        ...


class Claim(Protocol):
    """Exchanges a claim code for a download."""

    def __call__(self, serial: str, claim_code: str, /) -> Claimed:
        """Open the download of a certificate to whoever holds its claim code.

        Raises:
            InputError, RefusedError: it is not opened; the sentence does not tell whether the serial exists.
        """
        ...


Guard = Callable[[Request], None]


def claim_routes(claim: Claim, render: Render, guard: Guard) -> APIRouter:
    """Make the routes of the claim page.

    Args:
        claim: exchanges a claim code for a download.
        render: makes pages.
        guard: refuses those who ask too much.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/claim")
    def door(request: Request) -> Response:
        return render(request, "claim.html", claimed=None, claim_error=None, serial="")

    @router.post("/claim", dependencies=[Depends(guard)])
    def claimed(
        request: Request,
        serial: Annotated[str, Form(max_length=_MAX_TYPED)] = "",
        claim_code: Annotated[str, Form(max_length=_MAX_TYPED)] = "",
    ) -> Response:
        asked = "".join(serial.split()).upper()
        try:
            opened = claim(asked, claim_code)
        except (InputError, RefusedError) as error:
            return _page(request, 422, None, error, asked)
        return _page(request, 200, opened, None, asked)

    def _page(
        request: Request, status: int, opened: Claimed | None, error: InputError | RefusedError | None, serial: str
    ) -> Response:
        values = {"claimed": opened, "claim_error": error, "serial": serial, "switch_path": "/claim"}
        return render(request, "claim.html", status, **values)

    return router
