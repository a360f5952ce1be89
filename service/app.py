"""The service as one ASGI application: the routes that its role has, put together here only.

| role | routes |
|---|---|
| verifier | verdict pages, verifying API, published files; opens no issuing key |
| issuer | issuing API, holders' claim pages and downloads, photo by ID number, published files |
| all | both, in one process |
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI

from holder import api as holder_api
from holder import pages as holder_pages
from service import logs, problems
from service.assets import Assets, asset_routes
from service.bodies import BodyLimit, body_limit
from service.description import complete
from service.handing import claim_desk
from service.health import health_routes
from service.house import House, open_house
from service.issuing import issuing_router
from service.limits import Kind, Limiter
from service.notices import HouseNotices
from service.portrait import photo_of
from service.published import published_routes
from service.reading import UploadReader
from service.rendering import Pages
from service.runner import Runner
from service.settings import Settings
from service.verifying import VerifyingDesk
from service.verifying_house import open_verifying_house
from verifier.api import verify_routes
from verifier.pages import page_routes, photo_routes

TITLE = "印证 Yinzheng"
DESCRIPTION = """电子证书的签发与核验。核验一侧无需令牌;签发一侧需要 `yinzheng token create` 生成的令牌。

Issuing and verifying certificates. The verifying side asks for no token; the issuing side takes one of
`yinzheng token create`. Every error is a problem document (RFC 9457) with a stable `code` and a sentence in Chinese
and English.
"""


class Application:
    """One process's parts, and what must be started and stopped with it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reader = UploadReader()  # started at the first upload
        self.house: House = (
            open_verifying_house(settings) if settings.role == "verifier" else open_house(settings, self.reader)
        )
        self.desk = VerifyingDesk(self.house)
        self.limiter = Limiter(settings)
        self.notices = HouseNotices(self.house)
        self.assets = Assets()
        has_claims = settings.role != "verifier"
        self.pages = Pages(self.house.installation.public_url, self.assets, has_claims=has_claims)
        self.runner = None if settings.role == "verifier" else Runner(self.house)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Start what works in the background once requests come, and stop it after the last one."""
        async with AsyncExitStack() as closing:
            closing.callback(self.house.database.close)
            closing.callback(self.desk.close)
            closing.callback(self.reader.close)
            if self.runner is not None:
                self.runner.start()
                closing.callback(self.runner.stop)
            yield

    def build(self) -> FastAPI:
        """Put the routes of the role together."""
        app = FastAPI(
            title=TITLE,
            description=DESCRIPTION,
            version=version("yinzheng"),
            lifespan=self.lifespan,
            redirect_slashes=False,  # a redirect would repeat the caller's Host, and a code, over http
            docs_url=None,  # their pages load scripts from elsewhere; docs/api.md is ours
            redoc_url=None,
            openapi_url="/api/v1/openapi.json",
        )
        if self.settings.role != "issuer":
            self._add_verifying(app)
        if self.runner is not None:
            self._add_issuing(app, self.runner)
        app.include_router(published_routes(self.house.folder, self.house.now))
        app.include_router(asset_routes(self.assets))
        app.include_router(health_routes(self.house))
        app.add_middleware(BodyLimit, limit_of=body_limit(self.settings))
        problems.install(app, page=self.pages.error)
        logs.install(app)
        complete(app)
        return app

    def _add_verifying(self, app: FastAPI) -> None:
        app.include_router(page_routes(self.desk, self.pages.render, self.limiter, self.notices))
        app.include_router(verify_routes(self.desk, self.limiter, self.limiter.guard(Kind.SERIAL)))

    def _add_issuing(self, app: FastAPI, runner: Runner) -> None:
        claims = claim_desk(self.house)
        portraits = partial(photo_of, self.house)
        app.include_router(holder_pages.claim_routes(partial(holder_api.take, claims), self.pages.render, self.limiter))
        app.include_router(holder_api.claim_routes(claims, self.limiter))
        app.include_router(photo_routes(self.desk, portraits, self.pages.render, self.limiter, self.notices))
        app.include_router(issuing_router(self.house, runner, self.limiter))


def create_app(settings: Settings) -> FastAPI:
    """Put the application of one role together; opens the data folder, and starts work only once it is served.

    Raises:
        NoDataFolder: there is none.
        MissingPassphrase: none was given.
        NoVerifierKey: a verifier's process has not been given its key.
        DatabaseNotMigrated: the registry is older than the program.
        BadSetting: a limit or a network cannot be read.
    """
    return Application(settings).build()
