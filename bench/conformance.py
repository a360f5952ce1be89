"""What the self-check of a certificate costs: ``python -m bench.conformance`` from the project's root.

Each template's first sample is printed and checked; process time of one check, least
of the rounds, beside an RSA-2048 signature taken in the same rounds. In a batch, each
process that prints for it checks one certificate of each layout, so the share follows.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from press.conformance import RULES, require_conformance
from press.fonts import FontLibrary
from press.samples import SamplePress
from press.template_file import load_template
from templates import certificate_folder, certificate_names, fonts_folder

_SIGNATURES = 20  # timed together: one is too short for the clock
_ROWS = (1_000, 10_000, 100_000)


def _least(work: Callable[[], object], rounds: int, times: int) -> float:
    """Least process time of one call, microseconds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - start) / times)
    return best * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--share", type=float, default=2.0, help="RSA operations that a certificate costs in all")
    given = parser.parse_args()
    key = rsa.generate_private_key(65537, 2048)
    signature = _least(lambda: key.sign(b"", padding.PKCS1v15(), hashes.SHA256()), given.rounds, _SIGNATURES)
    print(f"one RSA-2048 signature: {signature:.0f} us; {len(RULES)} rules")
    with tempfile.TemporaryDirectory() as folder:
        fonts = FontLibrary(fonts_folder(), Path(folder))
        for name in certificate_names():
            samples = SamplePress(load_template(certificate_folder(name)), fonts)
            check = partial(require_conformance, samples.print(next(iter(samples.samples))).document)
            first, least = _least(check, 1, 1), _least(check, given.rounds, 1)
            shares = [f"{rows:,}: {least / (rows * given.share * signature):.2%}" for rows in _ROWS]
            print(f"{name}: {least:.0f} us a check ({least / signature:.0f} signatures), first {first:.0f} us;")
            print(f"  one layout, one process, {given.share:g} signatures a certificate: {', '.join(shares)}")


if __name__ == "__main__":
    main()
