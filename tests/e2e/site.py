"""The service as it is deployed, over a real data folder, and a real browser to look at it."""

import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Request
from starlette.types import ASGIApp

from credential.ports import Algorithm
from service.house import create_house
from service.issuers import NewIssuer, add_new_issuer, add_new_person
from service.settings import Settings
from templates import sample_folder
from tests.cheap_keys import cheap_keys
from tests.service.at_hand import PASSPHRASE, USCC, Ran, id_number, person_row, run, write_sheet

ROWS = 8
PHONE = (390, 844)
DESK = (1280, 800)
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_START_SECONDS = 30.0
_PLENTY = "100000/minute"


@dataclass(frozen=True)
class Installation:
    """A data folder whose certificates lead to one port of this machine."""

    origin: str
    settings: Settings
    certificates: tuple[Path, ...]

    def run(self, *arguments: str) -> Ran:
        """Run ``yinzheng`` over the data folder."""
        return run("--data", self.settings.data, *arguments)


def make_installation(folder: Path, cache: Path, port: int) -> Installation:
    """Make an installation that has issued a few certificates with photos."""
    data, word = folder / "data", folder / "passphrase"
    word.write_text(PASSPHRASE, encoding="ascii")
    word.chmod(0o600)
    data.mkdir(mode=0o700)
    (data / "cache").symlink_to(cache)
    origin = f"http://127.0.0.1:{port}"
    with cheap_keys():
        house = create_house(Settings(data=data), public_url=origin, passphrase=PASSPHRASE.encode("ascii"))
        assert house.store.entries()  # opened here, so that the issuer's keys are cheap to open as well
    add_new_issuer(
        house,
        NewIssuer("nb", "示例市人力资源和社会保障局", USCC, "330200", pdf_algorithm=Algorithm.P256, is_sample=True),
    )
    add_new_person(house, "wang", name="王经办", issuer="nb")
    add_new_person(house, "li", name="李审核", issuer="nb")
    sheet = write_sheet(folder / "sheet.csv", [person_row(number) for number in range(ROWS)])
    who = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")
    ran = run("--data", data, "issue", sheet, "--photos", _photos(folder), *who, "--out", folder / "out")
    assert ran.code == 0, ran
    limits = {f"limit_{kind}": _PLENTY for kind in ("verify", "serial", "upload", "claim", "photo")}
    settings = Settings.model_validate({"data": data, "passphrase_file": word, **limits})
    return Installation(origin, settings, tuple(sorted((folder / "out").glob("*.pdf"))))


def _photos(folder: Path) -> Path:
    """A portrait for every row, one and the same: an invented person of the sample."""
    with zipfile.ZipFile(sample_folder() / "exchange-200-photos.zip") as samples:
        portrait = samples.read(samples.namelist()[0])
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for number in range(ROWS):
            archive.writestr(f"{id_number(number)}.jpg", portrait)
    return folder / "photos.zip"


def free_socket() -> socket.socket:
    """Listen on a port of this machine that nobody uses."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening


@contextmanager
def served(app: ASGIApp, listening: socket.socket) -> Iterator[str]:
    """Serve an application with uvicorn, as ``yinzheng serve`` does, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False))
    thread = threading.Thread(target=partial(server.run, sockets=[listening]), daemon=True)
    thread.start()
    end = time.monotonic() + _START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the server has stopped"
        assert time.monotonic() < end, "the server does not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)
        assert not thread.is_alive()


@dataclass
class Visit:
    """A page that remembers what the browser sent, what it loaded and what it complained about."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def note(self, request: Request) -> None:
        """Remember a request."""
        self.requests.append(request)

    def note_failure(self, request: Request) -> None:
        """Complain of a request that failed; one that the next page cut short has not."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url}: {request.failure}")

    def open(self, address: str) -> "Visit":
        """Open an address anew, as a phone's camera does."""
        self.page.goto("about:blank")
        self.page.goto(address)
        return self

    @property
    def word(self) -> str:
        """The tone and the big word of the verdict."""
        banner = self.page.locator("#answer .banner").first
        return f"{(banner.get_attribute('class') or '').split()[-1]} {banner.locator('h1 span').first.inner_text()}"


@contextmanager
def visit(
    browser: Browser, size: tuple[int, int] = PHONE, *, scripts: bool = True, language: str = "zh-CN"
) -> Iterator[Visit]:
    """Open a browser window of its own, without anybody's cookies."""
    context: BrowserContext = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        locale=language,
        java_script_enabled=scripts,
        accept_downloads=True,
    )
    try:
        page = context.new_page()
        seen = Visit(page)
        page.on("request", seen.note)
        page.on("console", lambda said: seen.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
        page.on("requestfailed", seen.note_failure)
        yield seen
    finally:
        context.close()


def accessibility_violations(page: Page) -> list[str]:
    """Look the page over with axe-core; one line for each rule that it breaks."""
    # Through the debugger's door, as an extension would: the page's own policy lets no foreign script in.
    found = page.evaluate(
        f"() => {{ {AXE.read_text('utf-8')}; return axe.run(document, {{resultTypes: ['violations']}}) }}"
    )
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found["violations"]
    ]
