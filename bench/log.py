"""How long the log takes to make leaves durable: ``python -m bench.log`` from the root of the project.

One run of the sequencer is timed as production calls it: 10,000 leaves wait in
the database; they get shuffled positions, tiles are written and synced, the
head is committed, the checkpoint is signed, published in both places and
synced. SQLite with ``synchronous=FULL``, files on a disk. The leaves are put
into the outbox before, in the transaction of what they commit to, and that is
not timed. Nothing is left out of the run itself.

Besides, as issuing calls it: one run for a chunk, 500 leaves of certificates
that are to be printed and 500 of those before them, then the proofs of its 500,
in process time a certificate. And entries a second that a monitor works
through, who knows nothing but the files and the key.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.figures import Spread
from bench.surroundings import describe
from credential.leaves import issue_leaf
from credential.note import Checkpoint
from credential.ports import Algorithm
from registry.database import Database, migrate
from registry.log.monitor import look
from registry.log.outbox import put_leaves
from registry.log.reader import LogReader
from registry.log.sequencer import Log
from registry.log.tiles import TileFolder

ORIGIN = "bench.example/log"
TARGET_SECONDS = 0.25
CHUNK = 500  # certificates
BEFORE = 300  # leaves in the log before the first run, so that none begins at an empty or full tile


class MemoryKey:
    """An Ed25519 key in memory."""

    algorithm = Algorithm.ED25519

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public_key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """Sign."""
        return self._key.sign(message)


def put(database: Database, count: int) -> list[int]:
    """Put leaves into the outbox; returns their ids."""
    leaves = [issue_leaf(hashlib.sha256(os.urandom(8)).digest(), os.urandom(16)) for _ in range(count)]
    with database.transaction() as session:
        return put_leaves(session, leaves)


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and on a core."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure, print, and end with 1 when the target was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leaves", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--folder", type=Path, help="on a disk, never a tmpfs; the present folder by default")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    with TemporaryDirectory(dir=given.folder or Path.cwd(), prefix="bench-log-") as place:
        folder = Path(place)
        figures = measure(folder, given.leaves, given.repeats)
        where = describe(
            folder,
            command="python -m bench.log " + " ".join(sys.argv[1:]),
            load_before=load_before,
            rows=given.leaves,
            repeats=given.repeats,
        )
    wall, cpu, proofs, chunks, watched, size = figures
    is_met = wall.median <= TARGET_SECONDS
    if given.json:
        told = {"append_seconds": wall, "append_cpu_seconds": cpu, "proofs_per_second": proofs}
        told |= {"chunk_sequenced_cpu_us": chunks[0], "chunk_proven_cpu_us": chunks[1]}
        told |= {"monitor_entries_per_second": watched}
        shown = {name: {"min": one.min, "median": one.median, "max": one.max} for name, one in told.items()}
        print(json.dumps(shown | {"leaves": given.leaves, "log_size": size, "is_met": is_met}))
    else:
        print(f"{where.when}, {where.processor}, {where.cores} cores, load {where.load_before:.1f} before and")
        print(f"{where.load_after:.1f} after, {where.file_system}, a synced write of 4 KB takes {where.sync_ms:.2f} ms")
        print(
            f"{given.leaves:,} leaves durable under a checkpoint: {wall.text('.3f')} s; processor {cpu.text('.3f')} s"
        )
        print(f"  target {TARGET_SECONDS} s: {'met' if is_met else 'MISSED'}")
        print(f"proofs made and checked: {proofs.text()} a second")
        print(f"a chunk, processor: {chunks[0].text('.1f')} us a certificate to log its two leaves,")
        print(f"  {chunks[1].text('.1f')} us to prove one")
        print(f"a monitor works through {watched.text()} entries a second (log of {size:,})")
    sys.exit(0 if is_met else 1)


def measure(
    folder: Path, leaves: int, repeats: int
) -> tuple[Spread, Spread, Spread, tuple[Spread, Spread], Spread, int]:
    """Time runs of the sequencer and proofs, those of a chunk, and a monitor's look at all of it."""
    url = f"sqlite:///{folder / 'registry.sqlite'}"
    migrate(url)
    database, key = Database(url), MemoryKey()
    log = Log(database, folder / "log", key, ORIGIN, os.urandom, outside=folder / "copy" / "checkpoint")
    put(database, BEFORE)
    log.sequence(datetime.now(UTC))
    runs, proofs, watched = [], [], []
    checkpoint = Checkpoint(ORIGIN, 0, b"")
    for _ in range(repeats):
        ids = put(database, leaves)
        runs.append(timed(lambda: log.sequence(datetime.now(UTC))))
        reader = LogReader(database, folder / "log")
        made = ids[: min(leaves, 5_000)]
        proofs.append(len(made) / timed(lambda reader=reader, made=made: reader.proofs(made))[0])  # type: ignore[misc] # bound now
    chunks = measure_chunks(database, log, LogReader(database, folder / "log"), repeats)
    for _ in range(3):
        tiles = TileFolder(folder / "log")
        started = time.perf_counter()
        checkpoint = look(tiles, [key.public_key], ORIGIN, None, datetime.now(UTC)).checkpoint
        watched.append(checkpoint.size / (time.perf_counter() - started))
    database.close()
    walls, cpus = zip(*runs, strict=True)
    return Spread.of(walls), Spread.of(cpus), Spread.of(proofs), chunks, Spread.of(watched), checkpoint.size


def measure_chunks(database: Database, log: Log, reader: LogReader, repeats: int) -> tuple[Spread, Spread]:
    """Microseconds of a core a certificate to log the leaves of a chunk, and to prove those of its claims."""
    logged, proven = [], []
    for _ in range(2 * repeats):
        issued = put(database, CHUNK)
        put(database, CHUNK)  # the seals of the chunk before
        logged.append(timed(lambda: log.sequence(datetime.now(UTC)))[1] / CHUNK * 1e6)
        proven.append(timed(lambda issued=issued: reader.proofs(issued))[1] / CHUNK * 1e6)  # type: ignore[misc] # bound now
    return Spread.of(logged), Spread.of(proven)


if __name__ == "__main__":
    main()
