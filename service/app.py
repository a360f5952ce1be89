"""The service as one ASGI application: the routes that its role has, put together here only.

| role | routes |
|---|---|
| verifier | verdict pages, verifying API, published files; opens no issuing key |
| issuer | issuing API, holders' claim pages and downloads, photo by ID number, published files |
| all | both, in one process |
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from service import logs, problems
from service.assets import Assets, asset_routes
from service.bodies import BodyLimit, body_limit
from service.house import House, open_house
from service.limits import Kind, Limiter
from service.notices import HouseNotices
from service.rendering import Pages
from service.runner import Runner
from service.settings import Settings
from service.verifying import VerifyingDesk
from service.verifying_house import open_verifying_house
from verifier.api import verify_routes
from verifier.pages import page_routes

TITLE = "印证 Yinzheng"


class Application:
    """One process's parts, and what must be started and stopped with it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.house: House = open_verifying_house(settings) if settings.role == "verifier" else open_house(settings)
        self.has_issuing = settings.role in {"all", "issuer"}
        self.has_verifying = settings.role in {"all", "verifier"}
        self.runner = Runner(self.house) if self.has_issuing else None
        self.desk = VerifyingDesk(self.house)
        self.limiter = Limiter(settings)
        self.assets = Assets()
        self.pages = Pages(self.house.installation.public_url, self.assets)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Start what works in the background once requests come, and stop it after the last one."""
        async with AsyncExitStack() as closing:
            closing.callback(self.house.database.close)
            closing.callback(self.desk.close)
            if self.runner is not None:
                self.runner.start()
                closing.callback(self.runner.stop)
            yield

    def build(self) -> FastAPI:
        """Put the routes of the role together."""
        app = FastAPI(
            title=TITLE, lifespan=self.lifespan, docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
        )
        app.include_router(asset_routes(self.assets))
        if self.has_verifying:
            self._add_verifying(app)
        app.add_middleware(BodyLimit, limit_of=body_limit(self.settings))
        problems.install(app, page=self.pages.error)
        logs.install(app)
        return app

    def _add_verifying(self, app: FastAPI) -> None:
        notices = HouseNotices(self.house)
        app.include_router(page_routes(self.desk, self.pages.render, self.limiter, notices))
        app.include_router(verify_routes(self.desk, self.limiter, self.limiter.guard(Kind.SERIAL)))


def create_app(settings: Settings) -> FastAPI:
    """Put the application of one role together; opens the data folder, and starts work only once it is served.

    Raises:
        NoDataFolder: there is none.
        MissingPassphrase: none was given.
        DatabaseNotMigrated: the registry is older than the program.
    """
    return Application(settings).build()
