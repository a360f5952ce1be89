"""What a signature costs in an encrypted file and in a token, side by side.

    python -m bench.keys [--seconds 2] [--repeats 3] [--json]

The token is SoftHSM2's, so this measures PKCS #11 and our way through it, not a
piece of hardware: `softhsm2-util` and its module have to be installed. Both sides
sign the same message of the length that a PDF's signature has, in one process, and
in as many processes as there are cores, each with a session of its own. The sides
take turns; given is the median, with the least and the most. Every last signature of
a run is verified.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from bench.surroundings import describe
from credential.cose import open_message, sign_message
from credential.ports import Algorithm, Signer
from keys.file_signer import create_key, load_signer
from keys.pkcs11_signer import ALGORITHMS, TokenPlace
from service.checking import core_count

PIN = "739154"
LABEL = "bench"
PASSPHRASE = b"bench"
MESSAGE = bytes(range(200)) + b"PDF"  # the signed attributes of a CMS container have about this length
MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)

Opener = Callable[[], Signer]


@dataclass(frozen=True, slots=True)
class Rate:
    """Signatures a second on the clock: median, least, most of the repetitions."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:,.0f} ({self.least:,.0f} to {self.most:,.0f})"


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of key in one number of processes."""

    algorithm: str
    processes: int
    file: Rate
    token: Rate

    @property
    def share(self) -> float:
        """How much of the file's rate the token reaches."""
        return self.token.median / self.file.median


def open_file(path: Path) -> Signer:
    """Open a key file."""
    return load_signer(path, PASSPHRASE)


def open_token(module: Path, pin_file: Path, reference: str) -> Signer:
    """Open a key of the token."""
    return TokenPlace(module, LABEL, pin_file).open(reference)


_opened: dict[str, Signer] = {}


def count(name: str, open_signer: Opener, seconds: float) -> tuple[int, float]:
    """Sign for a while with a key that is opened once a process; returns how often, and in what time."""
    if name not in _opened:
        _opened[name] = open_signer()
    signer = _opened[name]
    signed, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds:
        signer.sign(MESSAGE)
        signed += 1
    open_message(sign_message(MESSAGE, signer)).verify(signer.public_key)
    return signed, took


def rate(name: str, open_signer: Opener, seconds: float, processes: int, pool: ProcessPoolExecutor) -> float:
    """Signatures a second of so many processes at once."""
    # Each opens its key first, in a run that is not counted.
    for wanted in (0.05, seconds):
        runs = [pool.submit(count, name, open_signer, wanted) for _ in range(processes)]
        done = [one.result() for one in runs]
    return sum(signed / took for signed, took in done)


def measure(openers: dict[str, Opener], algorithm: Algorithm, seconds: float, repeats: int, processes: int) -> Line:
    """Let file and token take turns."""
    found: dict[str, list[float]] = {name: [] for name in openers}
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for _ in range(repeats):
            for name, open_signer in openers.items():
                found[name].append(rate(name, open_signer, seconds, processes, pool))
                sys.stderr.write(f"{algorithm}, {processes} process(es), {name}: {found[name][-1]:,.0f}/s\n")
    file, token = (Rate(statistics.median(one), min(one), max(one)) for one in (found["file"], found["token"]))
    return Line(algorithm.value, processes, file, token)


def make_token(folder: Path) -> tuple[Path, Path]:
    """Make a token of SoftHSM2 in a folder, and let this process and its children see it; module and PIN file."""
    module = next(path for path in map(Path, MODULES) if path.exists())
    tokens, config, pin_file = folder / "tokens", folder / "softhsm2.conf", folder / "pin"
    tokens.mkdir()
    config.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    pin_file.touch(mode=0o600)
    pin_file.write_text(PIN)
    os.environ["SOFTHSM2_CONF"] = str(config)
    command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", PIN, "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    return module, pin_file


def main() -> None:
    """Run it; progress goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="yinzheng-bench-") as name:
        folder = Path(name)
        module, pin_file = make_token(folder)
        lines = []
        for algorithm in ALGORITHMS:
            create_key(folder / f"{algorithm}.pem", algorithm, PASSPHRASE)
            reference = TokenPlace(module, LABEL, pin_file).create(algorithm, algorithm)
            openers: dict[str, Opener] = {
                "file": partial(open_file, folder / f"{algorithm}.pem"),
                "token": partial(open_token, module, pin_file, reference),
            }
            numbers = sorted({1, core_count()})
            lines += [measure(openers, algorithm, given.seconds, given.repeats, number) for number in numbers]
        where = describe(folder, command="python -m bench.keys", load_before=load_before, rows=0, repeats=given.repeats)
    if given.json:
        sys.stdout.write(json.dumps({"surroundings": asdict(where), "lines": [asdict(one) for one in lines]}) + "\n")
        return
    sys.stdout.write(as_table(lines))
    sys.stdout.write(
        f"\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {where.processor}, {where.cores} cores, load average "
        f"{where.load_before:.1f} before and {where.load_after:.1f} after; Python {where.python}, {where.openssl}\n"
    )


def as_table(lines: Sequence[Line]) -> str:
    """The figures as a table of Markdown."""
    head = "| key | processes | file, signatures/s | token (SoftHSM2), signatures/s | token/file |\n"
    head += "|---|---|---|---|---|\n"
    rows = (f"| {one.algorithm} | {one.processes} | {one.file} | {one.token} | {one.share:.0%} |\n" for one in lines)
    return head + "".join(rows)


if __name__ == "__main__":
    main()
