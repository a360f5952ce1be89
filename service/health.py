"""What a load balancer asks: does the process live, and can it answer."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from credential.errors import Error, UnavailableError
from registry.issuers import list_issuers
from service.house import House

_HEADERS = {"Cache-Control": "no-store"}


class NotReady(UnavailableError):
    """The process lives, but cannot answer."""

    code = "not-ready"

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"the service is not ready ({cause}); the operator runs: yinzheng doctor",
            f"服务暂不可用({cause}); 请由管理员运行 yinzheng doctor 检查",
        )


def health_routes(house: House) -> APIRouter:
    """Make the routes of ``/healthz`` and ``/readyz``; neither says anything about certificates."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="进程存活 · the process lives")
    def lives() -> JSONResponse:
        """Answer as long as the process does."""
        return JSONResponse({"status": "ok"}, headers=_HEADERS)

    @router.get(
        "/readyz",
        summary="可以服务 · it can answer",
        responses={503: {"description": "the registry does not answer, or the trust list cannot be believed"}},
    )
    def ready() -> JSONResponse:
        """Answer 503 as a problem document while the registry or the trust list cannot be used."""
        try:
            with house.database.reading() as session:
                list_issuers(session)
            _ = house.trust
        except Error as error:
            raise NotReady(error.code) from error
        return JSONResponse({"status": "ok"}, headers=_HEADERS)

    return router
