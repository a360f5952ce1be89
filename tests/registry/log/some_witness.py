"""A witness that believes the log of some_log.py, in a folder of the test's own."""

from pathlib import Path

import pytest

from registry.log.witness import KnownLogs, LogWitness
from tests.registry.log.some_log import KEY, LOG, NAME


@pytest.fixture(name="logs")
def believed_logs(tmp_path: Path) -> KnownLogs:
    """What the witness knows of logs: the key of one."""
    known = KnownLogs(tmp_path / "logs")
    known.trust(LOG.key)
    return known


@pytest.fixture(name="witness")
def one_witness(tmp_path: Path, logs: KnownLogs) -> LogWitness:
    """A witness of that log."""
    assert logs.all()
    return LogWitness(tmp_path / "logs", NAME, KEY)


def size_of(logs: KnownLogs, origin: str = LOG.origin) -> int:
    """How many leaves of a log were cosigned."""
    return next(one.size for one in logs.all() if one.origin == origin)
