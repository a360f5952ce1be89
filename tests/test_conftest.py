"""The rules for all tests hold: nothing is skipped in silence, nothing leaves the machine."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
SKIPS = """
import pytest

def test_with_a_missing_program(tool):
    tool("no-such-program")

def test_with_a_missing_folder(shared):
    raise AssertionError

@pytest.mark.skip(reason="marked")
def test_marked():
    raise AssertionError

@pytest.mark.xfail(reason="known", strict=True)
def test_known_to_fail():
    raise AssertionError

def test_that_runs():
    pass
"""
SKIPPED_MODULE = 'import pytest\n\npytest.importorskip("no_such_module")\n'


def outcomes(folder: Path, everything: str, *workers: str) -> str:
    (folder / "tests").mkdir()
    for name in ("conftest.py", "postgresql.py", "kept_work.py"):
        shutil.copy(CONFTEST.with_name(name), folder / "tests")
    (folder / "tests" / "test_skips.py").write_text(SKIPS)
    (folder / "tests" / "test_skipped_module.py").write_text(SKIPPED_MODULE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    environment = {**os.environ, "YINZHENG_TEST_ALL": everything}
    run = subprocess.run(
        [*command, *workers], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    return run.stdout.strip().splitlines()[-1].partition(" in ")[0]


def test_what_is_missing_is_skipped(tmp_path: Path) -> None:
    assert outcomes(tmp_path, "") == "1 passed, 4 skipped, 1 xfailed"


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_skipped_test_is_a_failure_when_all_are_asked_for(tmp_path: Path, workers: tuple[str, ...]) -> None:
    assert outcomes(tmp_path, "1", *workers) == "1 failed, 1 passed, 1 xfailed, 3 errors"


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("example.org", 443), ("2001:db8::1", 443)])
def test_nothing_leaves_the_machine(address: tuple[str, int]) -> None:
    with pytest.raises(AssertionError, match="tests stay on this machine"):
        socket.create_connection(address, timeout=1)


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_no_socket_leaves_the_machine(method: str) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door,
        pytest.raises(AssertionError, match="tests stay on this machine"),
    ):
        getattr(door, method)(("192.0.2.1", 53))


def test_the_machine_reaches_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()


def test_no_setting_of_the_person_reaches_a_test() -> None:
    assert [name for name in os.environ if name.startswith("YINZHENG_")] == []
