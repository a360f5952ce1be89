"""The issuing API over a real data folder with two issuers; work is done when a test says so."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from credential.errors import Error
from credential.ports import Algorithm
from service import batches, logs, problems
from service.house import House, SystemClock
from service.issuers import NewIssuer, add_new_issuer, add_new_person
from service.issuing import issuing_router
from service.settings import Settings
from service.tokens import create_token
from tests.asgi_client import Client
from tests.service.at_hand import PASSPHRASE, person_row, write_sheet

EVERY_SCOPE = ("read", "submit", "approve", "change", "hand-over")
OTHER_USCC = "113303000029570638"


class StillRunner:
    """A runner that only remembers that it was woken."""

    def __init__(self) -> None:
        self.woken: list[int | None] = []
        self.troubles: dict[int, Error] = {}

    def wake(self, batch_id: int | None = None) -> None:
        self.woken.append(batch_id)
        if batch_id is not None:
            self.troubles.pop(batch_id, None)

    def trouble(self, batch_id: int) -> Error | None:
        return self.troubles.get(batch_id)


class Api:
    """A client with a token for every person."""

    def __init__(self, house: House, runner: StillRunner, app: FastAPI) -> None:
        self.house = house
        self.runner = runner
        self.app = app
        self.client = Client(app)
        self._tokens: dict[tuple[str, tuple[str, ...]], str] = {}

    def headers(self, person: str, *scopes: str) -> dict[str, str]:
        """The header of a person with these scopes; every scope when none is named."""
        wanted = scopes or EVERY_SCOPE
        if (person, wanted) not in self._tokens:
            self._tokens[person, wanted] = create_token(self.house, person, scopes=wanted, days=1)[0]
        return {"Authorization": f"Bearer {self._tokens[person, wanted]}"}

    def get(self, path: str, person: str = "wang", *scopes: str) -> httpx.Response:
        return self.client.ask("GET", f"/api/v1{path}", headers=self.headers(person, *scopes))

    def post(self, path: str, person: str = "wang", *scopes: str, key: str = "", **sent: Any) -> httpx.Response:
        headers = self.headers(person, *scopes) | ({"Idempotency-Key": key} if key else {})
        return self.client.post(f"/api/v1{path}", headers=headers, **sent)

    def submit(self, sheet: Path, person: str = "wang", **more: Any) -> httpx.Response:
        return self.post("/batches", person, files={"sheet": (sheet.name, sheet.read_bytes())}, **more)

    def approve(self, batch: dict[str, Any], person: str = "li", **more: Any) -> httpx.Response:
        return self.post(f"/batches/{batch['id']}/approve", person, json={"digest": batch["digest"]}, **more)

    def issue(self, sheet: Path) -> dict[str, Any]:
        """Submit and approve through the API, and do the runner's work."""
        batch = self.submit(sheet).json()
        assert self.approve(batch).status_code == 202
        batches.run(self.house, batch["id"], lambda _: None)
        done: dict[str, Any] = self.get(f"/batches/{batch['id']}").json()
        return done


def _add_other_issuer(house: House) -> None:
    new = NewIssuer("other", "另一示例市人力资源和社会保障局", OTHER_USCC, "330300", pdf_algorithm=Algorithm.P256)
    add_new_issuer(house, new)
    add_new_person(house, "zhao", name="赵经办", issuer="other")
    add_new_person(house, "qian", name="钱审核", issuer="other")


@pytest.fixture(scope="session")
def two_issuers(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """``made`` with a second issuer; look, do not touch."""
    data = Path(shutil.copytree(made, tmp_path_factory.mktemp("two") / "data", symlinks=True))
    _add_other_issuer(House(Settings(data=data), PASSPHRASE.encode("ascii"), SystemClock()))
    return data


@pytest.fixture
def house(two_issuers: Path, tmp_path: Path) -> Iterator[House]:
    """A house of one's own with two issuers."""
    data = Path(shutil.copytree(two_issuers, tmp_path / "data", symlinks=True))
    made_house = House(Settings(data=data), PASSPHRASE.encode("ascii"), SystemClock())
    yield made_house
    made_house.database.close()


class Standing:
    """Stands for what each test has of its own, in routes made once: making them takes longer than most tests."""

    def __init__(self) -> None:
        self.stands_for: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stands_for, name)

    def now(self) -> datetime:
        """The moment by the house's clock; asked for when the routes are made."""
        now: datetime = self.stands_for.now()
        return now


def let_in(_request: Request) -> None:
    """A guard that counts nobody."""


@pytest.fixture
def runner() -> StillRunner:
    """Does nothing by itself."""
    return StillRunner()


@pytest.fixture(scope="session")
def standing() -> tuple[Any, Any, FastAPI]:
    """The issuing side alone, of whatever house and runner stand in it."""
    house, runner, made_app = Standing(), Standing(), FastAPI()
    made_app.include_router(issuing_router(house, runner, let_in))  # type: ignore[arg-type]  # it stands for one
    problems.install(made_app)
    logs.install(made_app)
    return house, runner, made_app


@pytest.fixture
def app(house: House, runner: StillRunner, standing: tuple[Any, Any, FastAPI]) -> FastAPI:
    """The issuing side alone, over the house of this test."""
    standing[0].stands_for, standing[1].stands_for = house, runner
    return standing[2]


@pytest.fixture
def api(house: House, runner: StillRunner, app: FastAPI) -> Api:
    """The issuing API."""
    return Api(house, runner, app)


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A sheet of three people."""
    return write_sheet(tmp_path / "sheet.csv", [person_row(number) for number in range(3)])
