"""The reading process with faults: run in its place by tests, since a file that brings a reader down is hard to keep.

What a text file begins with says what happens to the process that reads it;
any other file is read as ever.
"""

import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from unittest.mock import patch

from credential.schema import RecordSchema
from intake.records import IntakeResult, read_records
from service import reading_child


def _sleep(_file: Path) -> None:
    time.sleep(120)


def _spin(_file: Path) -> None:
    while True:
        pass


def _lie(_file: Path) -> None:
    lie = b'{"kind": "read", "photos": 10000000000}'
    number = next(int(one.name) for one in Path("/proc/self/fd").iterdir() if one.is_socket())
    os.write(number, struct.pack(">I", len(lie)) + lie)
    time.sleep(120)


def _ignore_and_sleep(_file: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(120)


def _raise(_file: Path) -> None:
    raise KeyError("330299197001010001")


def _write(file: Path) -> None:
    file.with_suffix(".written").write_text("more than nothing", encoding="ascii")


_FAULTS: Mapping[bytes, Callable[[Path], object]] = {
    b"abort": lambda _: os.abort(),
    b"segv": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    b"exit": lambda _: os._exit(0),
    b"sleep": _sleep,
    b"stay": _ignore_and_sleep,
    b"spin": _spin,
    b"lie": _lie,
    b"raise": _raise,
    b"write": _write,
    b"memory": lambda _: bytearray(50_000_000_000),
}


def faulty(file: Path, schema: RecordSchema, *, photos: Path | None, today: date) -> IntakeResult:
    """Read, or do what the file says."""
    with file.open("rb") as opened:
        fault = _FAULTS.get(opened.readline().strip())
    if fault is not None:
        fault(file)
    return read_records(file, schema, photos=photos, today=today)


if __name__ == "__main__":
    with patch.object(reading_child, "read_records", faulty):
        reading_child.main(sys.argv)
