"""Let an answer come after the same time, whatever was found out on the way."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

PACE_SECONDS = 0.3
"""Longer than two durable transactions of a healthy disk and whatever is computed between them."""


@contextmanager
def steady_pace(seconds: float = PACE_SECONDS) -> Iterator[None]:
    """Leave, also by an exception, no earlier than so many seconds after entering.

    Work that takes longer is not shortened: on a disk slower than this, who
    measures patiently could tell a wrong code from an unknown serial.
    """
    started = time.monotonic()
    try:
        yield
    finally:
        time.sleep(max(0.0, started + seconds - time.monotonic()))
