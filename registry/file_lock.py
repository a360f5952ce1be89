"""Keep other processes of this machine out while something is written."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process or thread holds the file, and hold it while the block runs.

    Killed while it holds, a process lets go. The file is made if missing and stays, with nothing in it.
    """
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
