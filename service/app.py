"""The service as one ASGI application: the routes that its role has, put together here only.

| role | routes |
|---|---|
| verifier | verdict pages, verifying API, published files; opens no issuing key |
| issuer | issuing API, holders' claim pages and downloads, photo by ID number, published files |
| all | both, in one process |
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from service.house import House, open_house
from service.runner import Runner
from service.settings import Settings

TITLE = "印证 Yinzheng"


def create_app(settings: Settings) -> FastAPI:
    """Put the application of one role together; opens the data folder, and starts work only once it is served.

    Raises:
        NoDataFolder: there is none.
        MissingPassphrase: none was given.
        DatabaseNotMigrated: the registry is older than the program.
    """
    house = open_house(settings)
    runner = Runner(house)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        runner.start()
        yield
        runner.stop()

    app = FastAPI(title=TITLE, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    _check_open(house)
    return app


def _check_open(house: House) -> None:
    """Open what every role needs now, so that a fault shows at start and not to the first caller."""
    house.database.close()
