"""An installation that issued at B-T and wants B-LTA, its authorities, and what is asked of it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from registry.tables import CredentialFileRow, CredentialRow
from service.house import House
from service.settings import Settings
from service.verifying import open_verifier
from tests.authorities import ListServer, TsaServer, certificate, serve_lists, serve_tsa
from tests.service.at_hand import PASSPHRASE, Ran, person_row, run, write_sheet
from verifier.verdict import Verdict

ROWS = 3


@pytest.fixture(scope="module", name="tsa")
def running_tsa() -> Iterator[TsaServer]:
    with serve_tsa() as server:
        yield server


@pytest.fixture(scope="module", autouse=True, name="lists")
def published_lists() -> Iterator[ListServer]:
    with serve_lists() as server:
        yield server


@pytest.fixture(autouse=True)
def authorities_are_well(tsa: TsaServer, lists: ListServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tsa.is_down, lists.at = False, None
    monkeypatch.setattr("keys.timestamp.PAUSE", 0.001)


class LaterClock:
    """The machine's clock, put forward."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Bureau:
    """One installation and how it is set."""

    def __init__(self, data: Path, tsa: TsaServer) -> None:
        self.data = data
        self.tsa = tsa
        self.environ = {"YINZHENG_TSA_URLS": tsa.url}

    def run(self, *arguments: str | Path) -> Ran:
        return run("--data", self.data, *arguments, environ=self.environ)

    def good(self, *arguments: str | Path) -> Ran:
        ran = self.run(*arguments)
        assert ran.code == 0, ran
        return ran

    def issue(self, folder: Path) -> Ran:
        sheet = write_sheet(folder / "sheet.csv", [person_row(number) for number in range(ROWS)])
        who = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")
        return self.run("issue", sheet, *who, "--out", folder / "out")

    def copy(self, folder: Path) -> "Bureau":
        shutil.copytree(self.data, folder, symlinks=True)
        return Bureau(folder, self.tsa)

    def house(self, ahead: timedelta = timedelta(0)) -> House:
        settings = Settings(data=self.data, tsa_urls=self.tsa.url)
        return House(settings, PASSPHRASE.encode("ascii"), LaterClock(ahead))


@pytest.fixture(scope="module", name="stamped")
def issued_and_stamped(made: Path, tmp_path_factory: pytest.TempPathFactory, tsa: TsaServer) -> Bureau:
    """An installation that issued at B-T and wants B-LTA; look, do not touch."""
    folder = tmp_path_factory.mktemp("stamped")
    bureau = Bureau(made, tsa).copy(folder / "data")
    (folder / "tsa-root.der").write_bytes(certificate("tsa-root"))
    bureau.good("archive", "trust-tsa", folder / "tsa-root.der")
    bureau.good("archive", "profile", "nb", "B-LTA")
    assert bureau.issue(folder).code == 0
    return bureau


@pytest.fixture(name="bureau")
def copied_bureau(stamped: Bureau, tmp_path: Path) -> Bureau:
    return stamped.copy(tmp_path / "data")


def serials(house: House) -> list[str]:
    with house.database.reading() as session:
        return sorted(session.exec(select(CredentialRow.serial)))


def newest(house: House) -> list[bytes]:
    return [house.documents.fetch_pdf(serial) for serial in serials(house)]


def rows(house: House) -> list[CredentialFileRow]:
    with house.database.reading() as session:
        order = (col(CredentialFileRow.credential_id), col(CredentialFileRow.revision))
        found = list(session.exec(select(CredentialFileRow).order_by(*order)))
        session.expunge_all()
    return found


def verify(house: House, *documents: bytes) -> list[Verdict]:
    with open_verifier(house) as verifier:
        return [verifier.verify_file(document, house.now()) for document in documents]
