"""What every test may use, and the rules that hold for all of them.

- `shared` is the folder of the notices' sample sheets and the attack corpus; it stands beside the project.
- `tool("qpdf")` is the path of an outside program: a decoder that did not make the thing under test.
- Where one of them is missing, a test is skipped. With YINZHENG_TEST_ALL=1 (or --no-skips) that counts as
  a failure, for a test that did not run has not passed.
- No test reaches the network, and no variable of the person's own installation reaches a test.
"""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Generator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.kept_work import keep_statements

# Fixtures for every test; pytest finds them by their names here.
from tests.postgresql import either_registry, empty_url, postgres_server, postgres_url, registry_url  # noqa: F401 - fixtures

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT_PREFIX = "YINZHENG_"

# Timing says nothing on a loaded machine, so no example fails for being slow. "fixed" tries the same examples
# each time: a change is judged by what it changed. "default" tries new ones and remembers those that failed.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", settings.get_profile("default"), derandomize=True, database=None)


class NetworkBlocked(AssertionError):
    """A test tried to leave the machine."""

    def __init__(self, where: object) -> None:
        super().__init__(f"tests stay on this machine, but something tried to reach {where!r}")


# ---- what pytest asks for -------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        default=os.environ.get("YINZHENG_TEST_ALL") == "1",
        help="count a skipped test as failed (also: YINZHENG_TEST_ALL=1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.option.no_skips |= getattr(config, "workerinput", {}).get("no_skips", False)
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        del os.environ[name]
    settings.load_profile("fixed" if config.getoption("--no-skips") else "default")
    _block_network()
    keep_statements()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the rule on to a worker of pytest-xdist, whose environment is cleaned already."""
    node.workerinput["no_skips"] = node.config.getoption("--no-skips")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("--no-skips"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which is a failure here: {_reason(report.longrepr, call)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped and collector.config.getoption("--no-skips"):
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, which is a failure here: {_reason(report.longrepr, None)}"
    return report


def _reason(longrepr: object, call: pytest.CallInfo[None] | None) -> str:
    if isinstance(longrepr, tuple):  # (path, line, reason), as pytest has it for skips
        return str(longrepr[2])
    return str(call.excinfo.value) if call is not None and call.excinfo is not None else str(longrepr)


# ---- the network ----------------------------------------------------------------------------------------------


def _is_here(family: int, address: Any) -> bool:
    if family == socket.AF_UNIX:
        return True
    host = address[0] if isinstance(address, tuple) else address
    return host in {None, "", "localhost"} or _is_loopback(host)


def _is_loopback(host: object) -> bool:
    try:
        return ip_address(str(host)).is_loopback
    except ValueError:  # a name, not an address
        return False


def _block_network() -> None:
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def checked_connect(self: socket.socket, address: Any) -> None:
        if not _is_here(self.family, address):
            raise NetworkBlocked(address)
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        if not _is_here(self.family, address):
            raise NetworkBlocked(address)
        return connect_ex(self, address)

    def checked_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_here(socket.AF_INET, host):
            raise NetworkBlocked(host)
        return getaddrinfo(host, *args, **kwargs)

    doors = pytest.MonkeyPatch()  # never undone
    doors.setattr(socket.socket, "connect", checked_connect)
    doors.setattr(socket.socket, "connect_ex", checked_connect_ex)
    doors.setattr(socket, "getaddrinfo", checked_getaddrinfo)


# ---- fixtures -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def applications_end_with_their_tests() -> Generator[None, None, None]:
    """Clear what FastAPI remembers of endpoints: through them it keeps every application, with its keys and faces."""
    yield
    models = sys.modules.get("fastapi.dependencies.models")
    for remembered in vars(models).values() if models else ():
        if hasattr(remembered, "cache_clear"):
            remembered.cache_clear()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of sample sheets and attack files beside the project; it is no part of the repository."""
    folder = PROJECT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared is not here")
    return folder


@pytest.fixture(scope="session")
def unpacked_fonts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all tests of a run unpack the fonts: three seconds' work, and a file is named and checked by its digest."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "unpacked-fonts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory, unpacked_fonts: Path) -> Path:
    """What the installations of a process keep and could make again: compiled prefixes, and the fonts."""
    folder = tmp_path_factory.getbasetemp() / "cache-of-the-command-line"
    folder.mkdir()
    (folder / "fonts").symlink_to(unpacked_fonts)
    return folder


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Gives the path of an outside program by its name, or skips the test."""

    def find(name: str) -> Path:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"the program {name} is not installed (.ci/run names the packages)")
        return Path(path)

    return find
