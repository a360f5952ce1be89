"""One installation with 195 certificates, made by real processes, for all tests that only look."""

import csv
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from python_calamine import CalamineWorkbook

from service.app import create_app
from tests.cheap_keys import make_cheap
from tests.e2e.processes import CommandLine, Ran, qr_text
from tests.e2e.site import DESK, PHONE, Installation, Visit, free_socket, make_installation, served, visit
from tests.verifier.gallery import gallery_app

ISSUER = ("--name", "示例市人力资源和社会保障局", "--uscc", "11649900MB0T000311", "--division", "330200", "--sample")
BY_TWO = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")


@dataclass(frozen=True)
class Story:
    """What was done to the installation, and what it said."""

    yinzheng: CommandLine
    out: Path
    workbook: Path
    photos: Path
    checked: Ran
    submitted: Ran
    same_person: Ran
    approved: Ran
    again: Ran

    @property
    def certificates(self) -> list[Path]:
        """The PDFs."""
        return sorted(self.out.glob("*.pdf"))

    @property
    def sheet(self) -> dict[int, list[str]]:
        """The data rows of the workbook by row number, read by another library than our intake's door."""
        rows = CalamineWorkbook.from_path(self.workbook).get_sheet_by_index(0).to_python(skip_empty_area=False)
        return {number: [str(cell) for cell in row] for number, row in enumerate(rows, 1) if 5 <= number <= 204}


@pytest.fixture(scope="session")
def fonts(cache_folder: Path) -> Path:
    """The cache of all data folders, with the fonts."""
    return cache_folder


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory, fonts: Path) -> CommandLine:
    """An installation with an issuer and two persons."""
    folder = tmp_path_factory.mktemp("bureau")
    word = folder / "passphrase"
    word.write_text("known to the tests\n")
    word.chmod(0o600)
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "cache").symlink_to(fonts)
    yinzheng = CommandLine(folder / "data", word)
    yinzheng.done("init")
    yinzheng.done("issuer", "add", "nb", *ISSUER, "--pdf-key", "p-256")
    yinzheng.done("person", "add", "wang", "--name", "王经办", "--issuer", "nb")
    yinzheng.done("person", "add", "li", "--name", "李审核", "--issuer", "nb")
    make_cheap(yinzheng.data / "keys", b"known to the tests")
    return yinzheng


@pytest.fixture(scope="session")
def story(installation: CommandLine, shared: Path) -> Story:
    """The workbook of the notices, checked, submitted, refused to its maker, approved by another, sent again."""
    yinzheng = installation
    out = yinzheng.data.parent / "certificates"
    workbook, photos = shared / "data" / "exchange-200.xlsx", shared / "data" / "exchange-200-photos.zip"
    sheet = (workbook, "--photos", photos)
    return Story(
        yinzheng=yinzheng,
        out=out,
        workbook=workbook,
        photos=photos,
        checked=yinzheng.run("check", *sheet, "--json"),
        submitted=yinzheng.done("issue", *sheet, "--issuer", "nb", "--as", "wang"),
        same_person=yinzheng.run("approve", "1", "--as", "wang"),
        approved=yinzheng.done("approve", "1", "--as", "li", "--out", out),
        again=yinzheng.done("issue", *sheet, *BY_TWO),
    )


@pytest.fixture(scope="session")
def valid(story: Story) -> Ran:
    """Every certificate verified as a file, and one by every other way, in one process, before any is revoked."""
    one = story.certificates[0]
    (about,) = story.yinzheng.done("verify", one, "--json").lines
    text = qr_text(one)
    code = text.partition("#")[0].rpartition("/")[2]
    ways = ("--qr", text, "--code", code, "--serial", one.stem, "--name", about["credential"]["name"])
    return story.yinzheng.run("verify", story.out, *ways, "--json")


@pytest.fixture(scope="session")
def expected(shared: Path) -> dict[int, set[str]]:
    """The rows of the workbook that must not be exchanged, with the outcomes that can be defended."""
    with (shared / "data" / "exchange-200.expected.csv").open(encoding="utf-8-sig", newline="") as file:
        return {
            int(line["row"]): {line["expected"], *filter(None, line["also_accepted"].split("|"))}
            for line in csv.DictReader(file)
        }


@pytest.fixture(scope="module")
def browser(tool: Callable[[str], Path]) -> Iterator[Browser]:
    """A real browser that nobody sees, and that asks nobody but the pages it is shown.

    It ends with its module: while it runs, this thread has an event loop, and
    no test of another folder could start its own.
    """
    chromium = tool("chromium")
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, headless=True, args=quiet)
        yield started
        started.close()


@pytest.fixture(scope="session")
def gallery() -> Iterator[str]:
    """A site with a page for every reason that a verification can end with."""
    with served(gallery_app(), free_socket()) as origin:
        yield origin


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, fonts: Path) -> Iterator[Installation]:
    listening = free_socket()
    installation = make_installation(tmp_path_factory.mktemp("site"), fonts, listening.getsockname()[1])
    with served(create_app(installation.settings), listening) as origin:
        assert origin == installation.origin
        yield installation


@pytest.fixture
def phone(browser: Browser) -> Iterator[Visit]:
    with visit(browser, PHONE) as seen:
        yield seen
    assert seen.complaints == []


@pytest.fixture
def desk(browser: Browser) -> Iterator[Visit]:
    with visit(browser, DESK) as seen:
        yield seen
    assert seen.complaints == []


@pytest.fixture(scope="module")
def scan(tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """What a scanner that did not make the code reads from a printed certificate: zbar, from poppler's pixels."""
    folder = tmp_path_factory.mktemp("scans")
    draw, read = tool("pdftoppm"), tool("zbarimg")

    def scanned(certificate: Path) -> str:
        picture = folder / certificate.stem
        subprocess.run([draw, "-r", "200", "-png", "-singlefile", certificate, picture], check=True)
        found = subprocess.run(
            [read, "--quiet", "--raw", f"{picture}.png"], check=True, capture_output=True, text=True
        ).stdout.split()
        assert len(found) == 1
        return found[0]

    return scanned
