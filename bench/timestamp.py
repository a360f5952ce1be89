"""How fast certificates are issued at B-T by an authority that takes 50 ms for each answer, beside B-B.

    python -m bench.timestamp [--rows 1000] [--repeats 3] [--pool 1] [--key p-256|rsa-2048] [--folder DIR]

The authority runs in a process of its own on this machine, so it takes part of the same cores. What is asked of the
press and of the pipeline is what bench.issue asks; each repetition measures B-B and B-T one after the other.
"""

import argparse
import hashlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from asn1crypto import cms, tsp

from bench.figures import Spread
from bench.installation import ISSUER, PASSPHRASE, TEMPLATE, Installation
from bench.stopped import Job, jobs_of, print_jobs
from credential.model import Claims
from credential.ports import Algorithm
from credential.profile import SignatureProfile
from issuer.batch import CHUNK_ROWS
from issuer.engine import ProcessPool, Records
from issuer.line import CompiledPrefix, IssuingLine, PrintedDocument, Printer
from keys.timestamp import CONNECTIONS, TimestampClient
from press.press import Press, SignedTail
from registry.issuers import set_signature_profile
from service.house import LineOpener
from service.trust import amend_trust_list
from tests.authorities import certificate, outside, serve_tsa, signer, stamp

SLEEP = 0.05
WANTED = 300
PROCESSES = 2


def main() -> None:
    """Measure, and say whether the target is met; exit code 1 when it is missed."""
    asked = _arguments()
    outside()  # made before the fork, so that both processes know the same keys
    here, there = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=_authority, args=(there,), daemon=True)
    process.start()
    url = here.recv()
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {asked.key};"
    )
    print(f"{CONNECTIONS} connections, an answer takes {1000 * SLEEP:.0f} ms; {asked.repeats} times {asked.rows}")
    with tempfile.TemporaryDirectory(prefix="yinzheng-bench-", dir=asked.folder) as folder:
        rates = _measure(Path(folder), url, asked)
    here.send("stop")
    process.join(5)
    rate = Spread.of(rates).median
    print(
        f"press at B-T: wanted {WANTED}/s: {'met' if rate >= WANTED else 'MISSED'}; load {os.getloadavg()[0]:.1f} after"
    )
    if rate < WANTED:
        raise SystemExit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pool", type=int, default=1, help="how often two processes are measured, 4,000 rows each")
    parser.add_argument("--key", type=Algorithm, choices=[Algorithm.P256, Algorithm.RSA_2048], default=Algorithm.P256)
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


def _measure(folder: Path, url: str, asked: argparse.Namespace) -> list[float]:
    """Measure all parts and print them; gives the rates of the press at B-T."""
    plain, stamped = Installation(folder / "plain", asked.key), _stamping(folder / "stamped", url, asked.key)
    client = TimestampClient([url], [certificate("tsa-root")], now=lambda: datetime.now(UTC), random=os.urandom)
    room = client.token_bytes
    lines = {"B-B": (plain, plain.line()), "B-T": (stamped, stamped.line())}
    recorder = _Recorder(lines["B-B"][1].printer)
    lines["B-B"] = plain, replace(lines["B-B"][1], printer=recorder)
    for installation, line in lines.values():  # the first batch of a process is not counted
        installation.issue(line, installation.approved_batch(line, asked.rows))
    jobs = recorder.asked[: asked.rows]
    press = plain.fresh_press()
    _print_plain(press, jobs)
    found: dict[str, list[tuple[float, float]]] = {}

    def add(what: str, rows: int, work: Callable[[], object]) -> None:
        found.setdefault(what, []).append(_timed(rows, work))

    for _ in range(asked.repeats):
        messages = [os.urandom(64) for _ in range(asked.rows)]
        add("tokens alone", asked.rows, lambda messages=messages: client.timestamp_many(messages, room))  # type: ignore[misc] # mypy cannot type a lambda's default
        add("press at B-B", asked.rows, lambda: _print_plain(press, jobs))
        add("press at B-T", asked.rows, lambda: _print_stamped(press, jobs, client))
        for profile, (installation, line) in lines.items():
            batch = installation.approved_batch(line, asked.rows)
            add(f"pipeline at {profile}", asked.rows, lambda one=installation, of=line, to=batch: one.issue(of, to))  # type: ignore[misc] # as above
    for what, rates in found.items():
        wall, cpu = Spread.of([one[0] for one in rates]), Spread.of([one[1] for one in rates])
        print(f"{what:16} {wall.text():>24} /s on the clock {cpu.text():>24} a CPU-second of this process")
    for profile, (installation, line) in lines.items():
        ends = [_in_processes(installation, line) for _ in range(asked.pool)]
        if not ends:
            continue
        print(f"{PROCESSES} processes, {profile} {Spread.of(ends).text():>23} /s on the clock after their start")
    return [one[0] for one in found["press at B-T"]]


def _timed(rows: int, work: Callable[[], object]) -> tuple[float, float]:
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return rows / (time.perf_counter() - start), rows / (time.process_time() - cpu)


def _stamping(folder: Path, url: str, algorithm: Algorithm) -> Installation:
    """Make an installation that issues at B-T, set as a bureau sets it."""
    made = Installation(folder, algorithm)
    made.settings = made.settings.model_copy(update={"tsa_urls": url})
    amend_trust_list(made.house, lambda trust: replace(trust, tsa_certs=(certificate("tsa-root"),)), why="bench")
    with made.house.database.transaction() as session:
        set_signature_profile(session, ISSUER, SignatureProfile.B_T)
    made.reopen()
    return made


def _in_processes(installation: Installation, line: IssuingLine) -> float:
    """Issue four chunks a process in several; a second, after the first chunk."""
    house, rows = installation.house, 4 * CHUNK_ROWS * PROCESSES
    batch = installation.approved_batch(line, rows)
    ends: list[tuple[float, int]] = []
    version = line.office.look_digests["template version"]
    opener = LineOpener(installation.settings, PASSPHRASE, ISSUER, TEMPLATE, version)
    pool = ProcessPool(Records(house.database, house.log, house.status_lists, house.now), opener, PROCESSES)
    pool.run(batch, lambda done: ends.append((time.perf_counter(), done)))
    return (rows - ends[0][1]) / (ends[-1][0] - ends[0][0])


class _Recorder:
    """Keeps what the press was asked to print."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self.asked: list[Job] = []

    @property
    def qr_budget(self) -> int:
        return self._printer.qr_budget

    def prefix(self, *, photo: bool) -> CompiledPrefix:
        return self._printer.prefix(photo=photo)

    def print_many(self, claims: Sequence[Claims], **parts: Any) -> Sequence[PrintedDocument]:
        self.asked += jobs_of(claims, **parts)
        return self._printer.print_many(claims, **parts)


def _print_plain(press: Press, jobs: Sequence[Job]) -> None:
    for _ in print_jobs(press, jobs):
        pass


def _print_stamped(press: Press, jobs: Sequence[Job], client: TimestampClient) -> None:
    """Print chunk after chunk, as issuer/printing.py does."""
    for start in range(0, len(jobs), CHUNK_ROWS):
        signed: list[SignedTail] = []

        def signatures(start: int = start, signed: list[SignedTail] = signed) -> Iterator[bytes]:
            for claims, parts in jobs[start : start + CHUNK_ROWS]:
                signed.append(press.sign(claims, **parts, token_bytes=client.token_bytes))
                yield signed[-1].signature

        for document, token in zip(signed, client.timestamp_many(signatures(), client.token_bytes), strict=True):
            document.finish(token)


# ---- the authority ----------------------------------------------------------------------------------------------


class _Quick:
    """Makes tokens out of a certomancer's pieces: its own take 20 ms of a core each, and would be all there is to see.

    It reads the one form of request that our client sends.
    """

    def __init__(self) -> None:
        token = cms.ContentInfo.load(stamp(bytes(32), datetime.now(UTC)))
        self._signer = signer("tsa")
        signed_data = token["content"]
        enclosed = signed_data["encap_content_info"]
        content = bytes(enclosed["content"])
        info = tsp.TSTInfo.load(content)
        names = ("version", "policy", "message_imprint", "serial_number")
        self._before = b"".join(info[name].dump() for name in names).split(bytes(32))
        self._after = b"".join(info[name].dump() for name in ("accuracy", "ordering")), info["tsa"].dump()
        signer_info = signed_data["signer_infos"][0]
        self._attributes = b"\x31" + signer_info["signed_attrs"].dump()[1:]
        self._digest = hashlib.sha256(content).digest()
        self._signer_head = b"".join(signer_info[name].dump() for name in ("version", "sid", "digest_algorithm"))
        self._algorithm = signer_info["signature_algorithm"].dump()
        self._head = signed_data["version"].dump() + signed_data["digest_algorithms"].dump()
        self._kinds = token["content_type"].dump(), enclosed["content_type"].dump()
        self._certificates = signed_data["certificates"].dump()

    def __call__(self, request: bytes) -> bytes:
        """Answer a request."""
        imprint, nonce = request[24:56], request[56:-3]
        at = datetime.now(UTC).strftime("%Y%m%d%H%M%SZ").encode("ascii")
        before, number = self._before
        accuracy, name = self._after
        content = _tlv(0x30, before, imprint, number, _tlv(0x18, at), accuracy, nonce, name)
        attributes = self._attributes.replace(self._digest, hashlib.sha256(content).digest())
        signature = _tlv(0x04, self._signer.sign(attributes))
        signer_info = _tlv(0x30, self._signer_head, b"\xa0", attributes[1:], self._algorithm, signature)
        enclosed = _tlv(0x30, self._kinds[1], _tlv(0xA0, _tlv(0x04, content)))
        signed_data = _tlv(0x30, self._head, enclosed, self._certificates, _tlv(0x31, signer_info))
        return _tlv(0x30, bytes.fromhex("3003020100"), _tlv(0x30, self._kinds[0], _tlv(0xA0, signed_data)))


def _tlv(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _authority(pipe: Connection) -> None:
    quick = _Quick()
    with serve_tsa(sleep=SLEEP) as server:
        server.answer = quick
        pipe.send(server.url)
        pipe.recv()


if __name__ == "__main__":
    main()
