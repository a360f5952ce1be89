"""How fast others make the same certificate, beside our press, in one run.

``make bench-peers``, or ``python -m bench.peers`` after ``python -m bench.peers.installing``; docs/performance.md says
what is the same and what is not. For each kind of key and each peer, in a process of its own:

1. it makes certificates until it is warm; the last one is verified: signature, texts, photo, QR code;
2. three times: bare key, our press, the peer, our press, bare key; the last certificate of each time is verified.

What was measured is kept in ``.peers/run.jsonl``: a run that was interrupted goes on where it was.
"""

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path

from rich.console import Console

from bench.installation import Installation
from bench.issue import RAW_SECONDS, timed
from bench.peers.certificates import LOOK, Certificate, certificates, write_jobs
from bench.peers.figures import Kept, Result, Run
from bench.peers.installing import FOLDER, ROOT
from bench.peers.key_material import KeyMaterial, PrivateKey, certify, create_key, write
from bench.peers.known import PEERS, Peer, PeerFailed, Running
from bench.peers.report import publish, show
from bench.peers.verified import BadCertificate, verify
from bench.raw import raw_rate
from bench.stopped import print_jobs
from bench.surroundings import describe
from credential.ports import Algorithm
from keys.file_signer import FileSigner
from press.fonts import FontLibrary
from press.press import Press
from press.template_file import load_template
from templates import certificate_folder

REPEATS = 3
JOBS = 60  # of a peer; the press is asked for another person each time
OURS = 300  # certificates by our press, before and after each repetition
PIPELINE_ROWS = 1_000
_OURS = ("press", "pipeline")
_JAVA_WARM = 4  # times as long as others: its compiler works while it runs
_FONTS = ROOT / "templates" / "fonts"
_ASCII_ONLY = (
    "证书名称为中文时签名无效，此为证书名称改用 ASCII 后的数值",
    "its signature is invalid with Chinese names in the certificates; this is with names in ASCII",
)


class Bench:
    """The bench for one kind of key: our press beside whoever is measured."""

    def __init__(self, folder: Path, algorithm: Algorithm, seconds: float) -> None:
        self.folder, self.algorithm, self._seconds = folder, algorithm, seconds
        key: PrivateKey = create_key(algorithm)
        self._signer = FileSigner(key)
        self._materials: dict[str, KeyMaterial] = {}
        for names in ("zh", "ascii"):
            self._materials[names] = certify(key, algorithm, names)
            write(self._materials[names], folder / names)
        fonts = FontLibrary(_FONTS, FOLDER / "fonts")
        template = load_template(certificate_folder("professional-title"))
        chain = self._materials["zh"].chain
        self.press = Press(template, LOOK, fonts, self._signer, chain, cache_folder=FOLDER / "fonts")
        self._people = certificates(self.press, FileSigner(create_key(Algorithm.P256)))
        write_jobs(folder, self.press, self._people, JOBS, _FONTS)
        self._scene = json.loads((folder / "scene.json").read_text("utf-8"))
        for one in islice(self._people, OURS):
            one.printed_by(self.press)

    def ours(self) -> Result:
        """Measure our press alone, between the bare key."""
        runs = []
        for _ in range(REPEATS):
            before, (cpu, clock), after = self._raw(), self._press(), self._raw()
            runs.append(Run(clock, cpu, cpu, statistics.mean((before, after))))
        one = next(self._people)
        length = len(self.press.prefix(photo=True).content) + len(one.printed_by(self.press))
        return Result(self.algorithm.value, "press", "Yinzheng press", runs=tuple(runs), length=length)

    def pipeline(self) -> Result:
        """Measure our whole pipeline: registry, log, proofs, encryption and packs on disk, which no peer has."""
        installation = Installation(self.folder / "installation", self.algorithm)
        line = installation.line()
        installation.issue(line, installation.approved_batch(line, PIPELINE_ROWS))
        runs = []
        for _ in range(REPEATS):
            batch = installation.approved_batch(line, PIPELINE_ROWS)
            before, press = self._raw(), self._press()[0]
            spent = timed(partial(installation.issue, line, batch))
            raw = statistics.mean((before, self._raw()))
            runs.append(Run(PIPELINE_ROWS / spent.wall, PIPELINE_ROWS / spent.cpu, press, raw))
        installation.verify(batch, PIPELINE_ROWS, 3)
        return Result(self.algorithm.value, "pipeline", "Yinzheng whole pipeline", runs=tuple(runs))

    def peer(self, peer: Peer) -> Result:
        """Measure a peer, or say why there is no figure."""
        result = Result(self.algorithm.value, peer.name, peer.title, tuned=peer.tuned, only_signs=peer.only_signs)
        if why := peer.why_missing():
            return replace(result, note=(f"未能安装：{why}", f"could not be installed: {why}"))
        if self.algorithm not in peer.algorithms:
            return replace(result, note=("不能用此种密钥签名", "cannot sign with this kind of key"))
        try:
            runs, length = self._measured(peer, "zh")
        except BadCertificate as error:
            try:
                runs, length = self._measured(peer, "ascii")
            except (BadCertificate, PeerFailed) as again:
                return replace(result, note=(f"未得到有效证书：{again}", f"no good certificate: {again}"))
            note = (f"{_ASCII_ONLY[0]}（{error}）", f"{_ASCII_ONLY[1]} ({error})")
            return replace(result, runs=runs, length=length, note=note)
        except PeerFailed as error:
            return replace(result, note=(f"未能运行：{error}", f"could not be run: {error}"))
        return replace(result, runs=runs, length=length)

    def _measured(self, peer: Peer, names: str) -> tuple[tuple[Run, ...], int]:
        kept = self.folder / f"{peer.name}.pdf"
        ca_cert = self._materials[names].ca_cert
        with Running(peer, self.folder, self.folder / names) as running:
            number, length, rate = 0, 0, 0.0
            started, warm = time.perf_counter(), self._seconds * (_JAVA_WARM if peer.kind == "java" else 1)
            while number < 3 or time.perf_counter() - started < warm:
                count = max(1, round(rate * self._seconds / 4))
                made = running.make(number, count, kept)
                number, rate = number + count, count / made.wall
            self._verify(peer, kept, number, ca_cert)
            runs = []
            count = max(2, round(rate * self._seconds))
            for _ in range(REPEATS):
                raw, press = [self._raw()], [self._press()[0]]
                made = running.make(number, count, kept)
                number, length = number + count, made.length
                press.append(self._press()[0])
                raw.append(self._raw())
                self._verify(peer, kept, number, ca_cert)
                rates = count / made.wall, count / made.cpu
                runs.append(Run(*rates, statistics.mean(press), statistics.mean(raw)))
        return tuple(runs), length

    def _verify(self, peer: Peer, kept: Path, number: int, ca_cert: bytes) -> None:
        jobs = self._scene["jobs"]
        job = jobs[0 if peer.only_signs else (number - 1) % len(jobs)]
        try:
            verify(kept.read_bytes(), job, self._scene, ca_cert)
        finally:
            kept.unlink(missing_ok=True)

    def _raw(self) -> float:
        return raw_rate(self._signer, RAW_SECONDS / 2)[1]

    def _press(self) -> tuple[float, float]:
        """Print people who are new to the press: certificates a second on the core and on the clock."""
        made: list[Certificate] = list(islice(self._people, OURS))
        spent = timed(partial(_print_all, self.press, made))
        return OURS / spent.cpu, OURS / spent.wall


def _print_all(press: Press, made: Sequence[Certificate]) -> None:
    for _ in print_jobs(press, [one.job for one in made]):
        pass


def _measurements(bench: Bench, peers: Sequence[Peer]) -> Iterator[tuple[str, Callable[[], Result]]]:
    yield from zip(_OURS, (bench.ours, bench.pipeline), strict=True)
    for peer in peers:
        yield peer.name, partial(bench.peer, peer)


def measure(kept: Kept, algorithms: Sequence[Algorithm], peers: Sequence[Peer], seconds: float, folder: Path) -> None:
    """Measure what has not been measured yet, telling how far it is."""
    for algorithm in algorithms:
        names = (*_OURS, *(peer.name for peer in peers))
        if all(kept.has(algorithm.value, name) for name in names):
            continue
        with tempfile.TemporaryDirectory(prefix="yinzheng-peers-", dir=folder) as temporary:
            for name, measured in _measurements(Bench(Path(temporary), algorithm, seconds), peers):
                if not kept.has(algorithm.value, name):
                    sys.stderr.write(f"{algorithm}: {name} ... ")
                    sys.stderr.flush()
                    result = measured()
                    kept.add(result)
                    said = f"{result.spread('cpu')[1]:,.1f} a CPU-second" if result.runs else result.note[1]
                    sys.stderr.write(f"{said}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and show or write what came out."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a second a repetition instead of five")
    parser.add_argument("--key", action="append", type=Algorithm, choices=list(Algorithm), dest="keys")
    parser.add_argument("--peer", action="append", choices=[one.name for one in PEERS], dest="peers")
    parser.add_argument("--fresh", action="store_true", help="measure again what an earlier run has measured")
    parser.add_argument("--folder", type=Path, help="where the temporary data goes; a disk, not a tmpfs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="put tables and chart into docs/ and bench/README.md")
    asked = parser.parse_args(arguments)
    algorithms = asked.keys or [Algorithm.RSA_2048, Algorithm.P256]
    peers = [one for one in PEERS if not asked.peers or one.name in asked.peers]
    seconds = 1.0 if asked.quick else 5.0
    FOLDER.mkdir(exist_ok=True)
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # what it thinks of a peer's signature is told in the table
    load = os.getloadavg()[0]
    kept = Kept(
        FOLDER / "run.jsonl",
        {"keys": [one.value for one in algorithms], "peers": [one.name for one in peers], "seconds": seconds},
    )
    if asked.fresh:
        kept.path.unlink(missing_ok=True)
    kept.resume(len(algorithms) * (len(peers) + len(_OURS)))
    measure(kept, algorithms, peers, seconds, asked.folder or FOLDER)
    command = " ".join(["python -m bench.peers", *(arguments if arguments is not None else sys.argv[1:])])
    where = describe(FOLDER, command=command, load_before=load, rows=JOBS, repeats=REPEATS)
    if asked.json:
        table = {"bench": "peers", "surroundings": asdict(where), "results": [asdict(one) for one in kept.results]}
        print(json.dumps(table, ensure_ascii=False, indent=1))
    else:
        show(kept.results, where, Console(width=None if sys.stdout.isatty() else 150))
    if asked.write:
        publish(kept.results, where)
    return 0


if __name__ == "__main__":
    sys.exit(main())
