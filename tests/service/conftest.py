"""An installation without certificates and one with a few, made once, copied for every test that changes them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from credential.ports import Algorithm
from service.folder import DataFolder
from service.house import create_house
from service.issuers import NewIssuer, add_new_issuer, add_new_person
from service.settings import Settings
from tests.cheap_keys import cheap_keys
from tests.kept_work import kept_press
from tests.service.at_hand import PASSPHRASE, USCC, person_row, run, write_sheet

ROWS = 4


@pytest.fixture(scope="module", autouse=True)
def cheap() -> Iterator[None]:
    """Whatever makes keys here makes them cheap to open, and opens fonts once."""
    with cheap_keys(), kept_press():
        yield


@pytest.fixture(scope="session")
def cache(cache_folder: Path) -> Path:
    """The cache of all data folders."""
    return cache_folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """An installation with one issuer and two persons; look, do not touch."""
    return make_installation(tmp_path_factory.mktemp("made") / "data", cache)


def make_installation(data: Path, cache: Path) -> Path:
    """Make an installation with one issuer and two persons, its keys cheap to open."""
    data.mkdir(mode=0o700)
    (data / "cache").symlink_to(cache)
    with cheap_keys():
        house = create_house(
            Settings(data=data), public_url="https://zs.example.gov.cn", passphrase=PASSPHRASE.encode("ascii")
        )
        assert house.store.entries()  # opened here, so that the issuer's keys are cheap to open as well
    add_new_issuer(house, NewIssuer("nb", "示例市人力资源和社会保障局", USCC, "330200", pdf_algorithm=Algorithm.P256))
    add_new_person(house, "wang", name="王经办", issuer="nb")
    add_new_person(house, "li", name="李审核", issuer="nb")
    return data


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """An installation that has issued a few certificates, PDFs in ``out``; look, do not touch."""
    folder = tmp_path_factory.mktemp("issued")
    data = folder / "data"
    shutil.copytree(made, data, symlinks=True)
    return issue_into(data)


def issue_into(data: Path) -> Path:
    """Issue a few certificates, PDFs in ``out`` beside the installation."""
    folder = data.parent
    sheet = write_sheet(folder / "sheet.csv", [person_row(number) for number in range(ROWS)])
    who = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")
    ran = run("--data", data, "issue", sheet, *who, "--out", folder / "out")
    assert ran.code == 0, ran
    return data


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A copy of ``made`` of one's own."""
    return Path(shutil.copytree(made, tmp_path / "data", symlinks=True))


@pytest.fixture
def issued_data(issued: Path, tmp_path: Path) -> Path:
    """A copy of ``issued`` of one's own."""
    return Path(shutil.copytree(issued, tmp_path / "data", symlinks=True))


@pytest.fixture
def parts(issued_data: Path) -> DataFolder:
    """The parts of ``issued_data`` by name."""
    return DataFolder(issued_data)


@pytest.fixture(scope="session")
def certificates(issued: Path) -> list[Path]:
    """The PDFs of ``issued``."""
    return sorted((issued.parent / "out").glob("*.pdf"))


@pytest.fixture
def fresh(tmp_path: Path, cache: Path) -> Path:
    """An empty folder to restore into, but for the fonts."""
    data = tmp_path / "fresh"
    data.mkdir()
    (data / "cache").symlink_to(cache)
    return data
