"""What status lists weigh: real lists by the program's own encoder, for 1, 10 and 100 million certificates.

``python -m bench.status`` prints a table; ``--json`` gives one object, progress goes to standard error.

Certificates fill one list after the other up to its capacity, at random slots, as the
registry gives them out; those revoked are drawn from all certificates at once. Each list
is packed, compressed and signed in both forms, then opened again as a verifier does.
"""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from random import Random

from credential.ports import Algorithm
from keys.file_signer import generate_key
from registry.status.slots import CAPACITY
from registry.status.token_list import (
    BITS,
    LIFETIME,
    SLOTS,
    TTL,
    StatusList,
    deflate,
    open_status_token,
    pack_statuses,
    sign_cwt,
    sign_jwt,
)

MILLIONS = (1, 10, 100)
REVOKED_SHARE = 0.001
URI = "https://zs.example.gov.cn/status"
SEED = 20261122
_INVALID = 1
_BAR = 40


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes of all lists of one size of registry."""

    certificates: int
    revoked: int
    lists: int
    packed: int
    compressed: int
    cwt: int
    jwt: int
    largest_cwt: int
    encode_seconds: float
    open_seconds: float


def weigh(certificates: int, random: Random) -> Weight:
    """Make every list of a registry of this size, one after the other."""
    revoked = random.sample(range(certificates), round(certificates * REVOKED_SHARE))
    by_list = Counter(at // CAPACITY for at in revoked)
    lists = -(-certificates // CAPACITY)
    signer = generate_key(Algorithm.P256)
    now = datetime.now(UTC).replace(microsecond=0)
    cwts, jwts, compressed, encoding, opening = [0], 0, 0, 0.0, 0.0
    for number in range(lists):
        slots = random.sample(range(SLOTS), by_list[number])
        begun = time.perf_counter()
        data = pack_statuses((slot, _INVALID) for slot in slots)
        made = StatusList(f"{URI}/{number + 1}", now, now + LIFETIME, TTL, BITS, data)
        cwt, jwt = sign_cwt(made, signer), sign_jwt(made, signer)
        encoding += time.perf_counter() - begun
        begun = time.perf_counter()
        if open_status_token(cwt, signer.public_key, now) != made:
            raise SystemExit(f"list {number + 1} does not read back")
        opening += time.perf_counter() - begun
        cwts.append(len(cwt))
        jwts += len(jwt)
        compressed += len(deflate(data))
        _progress(certificates, number + 1, lists)
    return Weight(
        certificates=certificates,
        revoked=len(revoked),
        lists=lists,
        packed=lists * SLOTS * BITS // 8,
        compressed=compressed,
        cwt=sum(cwts),
        jwt=jwts,
        largest_cwt=max(cwts),
        encode_seconds=encoding,
        open_seconds=opening,
    )


def table(weights: list[Weight]) -> str:
    """The figures as a table of Markdown."""
    heads = ("certificates", "revoked", "lists", "packed", "compressed", "all CWT", "all JWT", "largest CWT")
    rows = [
        (
            f"{one.certificates:,}",
            f"{one.revoked:,}",
            str(one.lists),
            f"{one.packed / 1e6:.1f} MB",
            f"{one.compressed / 1e3:.0f} kB",
            f"{one.cwt / 1e3:.0f} kB",
            f"{one.jwt / 1e3:.0f} kB",
            f"{one.largest_cwt:,} bytes",
            f"{one.encode_seconds:.1f} s",
            f"{one.open_seconds:.1f} s",
        )
        for one in weights
    ]
    lines = [(*heads, "make all", "open all"), ("---",) * len(rows[0]), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Weigh and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--millions", type=float, action="append", help="of certificates; again for more")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    random = Random(SEED)  # noqa: S311 - made-up registries, the same each time
    weights = [weigh(round(millions * 1_000_000), random) for millions in given.millions or MILLIONS]
    print(json.dumps([asdict(one) for one in weights]) if given.json else table(weights))


def _progress(certificates: int, done: int, lists: int) -> None:
    filled = _BAR * done // lists
    end = "\n" if done == lists else ""
    sys.stderr.write(f"\r{certificates:>11,} [{'#' * filled:<{_BAR}}] {done}/{lists} lists{end}")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
