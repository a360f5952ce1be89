"""Where a measurement ran: what a reader must know before comparing it with another."""

import os
import platform
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from bench.figures import Surroundings

_SYNCS = 20


def describe(folder: Path, *, command: str, load_before: float, rows: int, repeats: int) -> Surroundings:
    """Describe machine, software and the disk under a folder, as of now."""
    return Surroundings(
        when=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=command,
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        load_before=load_before,
        load_after=os.getloadavg()[0],
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        openssl=backend.openssl_version_text(),
        file_system=_file_system(folder),
        sync_ms=_sync_ms(folder),
        rows=rows,
        repeats=repeats,
    )


def _processor() -> str:
    """Name and clock-independent identity of the processor, as far as the kernel tells it."""
    wanted = {"model name": "", "cpu family": "", "model": ""}
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.is_file() else ():
        key, _, value = line.partition(":")
        if key.strip() in wanted:
            wanted[key.strip()] = value.strip()
    if not wanted["model name"]:
        return platform.processor() or "unknown processor"
    return f"{wanted['model name']} (family {wanted['cpu family']}, model {wanted['model']})"


def _file_system(folder: Path) -> str:
    """Kind of the file system, as ext4; on tmpfs nothing is durable, and synced writes cost nothing."""
    mounts = Path("/proc/mounts")
    best, kind = "", "an unknown file system"
    for line in mounts.read_text().splitlines() if mounts.is_file() else ():
        _, point, name, *_ = line.split()
        if folder.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, name
    return kind


def _sync_ms(folder: Path) -> float:
    """Median time of a synced write of 4 KB."""
    times = []
    path = folder / "sync-probe"
    with path.open("wb") as file:
        for _ in range(_SYNCS):
            started = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    path.unlink()
    return 1e3 * statistics.median(times)
