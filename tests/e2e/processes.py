"""The command line as people run it: a process of its own for every command."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zxingcpp

from press.look import render

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0  # seconds for one command on a loaded machine; nothing is judged by it


@dataclass(frozen=True)
class Ran:
    """What one process left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The code of the one error it printed."""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("error ["), self.err
        return self.err.partition("[")[2].partition("]")[0]


@dataclass(frozen=True)
class CommandLine:
    """``yinzheng`` over one data folder."""

    data: Path
    passphrase_file: Path | None

    def run(self, *arguments: str | Path) -> Ran:
        """Run one command to its end."""
        done = subprocess.run(
            self._command(arguments),
            cwd=self.data.parent,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def done(self, *arguments: str | Path) -> Ran:
        """Run a command that must succeed."""
        ran = self.run(*arguments)
        assert ran.code == 0, ran
        return ran

    def killed_when(self, ready: Callable[[], bool], *arguments: str | Path) -> None:
        """Start a command, and ``kill -9`` it when it is in the middle of something."""
        with subprocess.Popen(
            self._command(arguments),
            cwd=self.data.parent,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            _wait_until(lambda: ready() or process.poll() is not None)
            assert process.poll() is None, "it ended before it could be killed"
            process.send_signal(signal.SIGKILL)
            assert process.wait(PATIENCE) == -signal.SIGKILL
        _wait_until(lambda: not _workers_of(process.pid))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Look into the registry as it is committed at this moment; nothing when it is not there yet."""
        with sqlite3.connect(f"file:{self.data / 'registry.sqlite'}?mode=ro", uri=True, timeout=30) as connection:
            found = connection.execute(query).fetchall()
        connection.close()
        return found

    def _command(self, arguments: Sequence[str | Path]) -> list[str]:
        options = ["--data", str(self.data)]
        if self.passphrase_file is not None:
            options += ["--passphrase-file", str(self.passphrase_file)]
        return [sys.executable, "-m", "service.cli", *options, *map(str, arguments)]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YINZHENG_")}
    return kept | {"YINZHENG_LANG": "en", "COLUMNS": "200", "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "error"}


def _wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def _workers_of(session: int) -> list[int]:
    """Processes of a session that are still there and have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except OSError:  # ended in the meantime
            continue
        if int(after_name[3]) == session and after_name[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def qr_text(certificate: Path) -> str:
    """What a phone reads from the page: drawn at 150 dpi, decoded by zxing-cpp."""
    page = render(certificate.read_bytes(), 150).convert("L")
    (symbol,) = zxingcpp.read_barcodes(page)
    assert symbol.valid
    return str(symbol.text)


def sequence_numbers(serials: Sequence[str]) -> list[int]:
    """The counters inside serials of the pattern ``division6 year4 series2 level1 seq6 check1``."""
    return sorted(int(serial[13:19]) for serial in serials)
