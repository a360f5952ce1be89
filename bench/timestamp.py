"""How fast certificates are issued at B-T by an authority that takes 50 ms for each answer.

    python -m bench.timestamp

The authority runs in a process of its own on this machine, so it takes part of the same cores; what the client
alone bears is measured beside the whole. Keys are P-256 and in memory, the registry is left out: this measures
press, client and authority, and says what share of the time was spent on each.
"""

import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from asn1crypto import cms, tsp

from keys.timestamp import CONNECTIONS, TimestampClient
from press.fonts import FontLibrary
from press.press import SignedTail
from tests.authorities import certificate, outside, serve_tsa, signer, stamp
from tests.press.stamped import outside_press, sign_sample

ROWS = 300
SLEEP = 0.05
WANTED = 300


def main() -> None:
    """Measure, and say whether the target is met."""
    outside()  # made before the fork, so that both processes know the same keys
    here, there = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=_authority, args=(there,), daemon=True)
    process.start()
    client = TimestampClient([here.recv()], [certificate("tsa-root")], now=lambda: datetime.now(UTC), random=os.urandom)
    room = client.token_bytes
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {CONNECTIONS} connections, an answer takes 50 ms")
    with TemporaryDirectory() as folder:
        press = outside_press(FontLibrary(Path("templates/fonts"), Path(folder)))
        sign_sample(press, room)
        plain = _measure("press at B-B", lambda: [sign_sample(press, 0)[1].finish() for _ in range(ROWS)])
        _measure("tokens alone", lambda: client.timestamp_many((b"%d" % row for row in range(ROWS)), room))

        def stamped() -> None:
            signed: list[SignedTail] = []

            def signatures() -> Iterator[bytes]:
                for _ in range(ROWS):
                    signed.append(sign_sample(press, room)[1])
                    yield signed[-1].signature

            tokens = client.timestamp_many(signatures(), room)
            for document, token in zip(signed, tokens, strict=True):
                document.finish(token)

        rate = _measure("press at B-T", stamped)
    here.send("stop")
    process.join(5)
    print(f"B-T is {rate / plain:.0%} of B-B; wanted {WANTED}/s: {'met' if rate >= WANTED else 'MISSED'}")


def _measure(what: str, work: Callable[[], object]) -> float:
    start, cpu = time.perf_counter(), time.process_time()
    work()
    rate, busy = ROWS / (time.perf_counter() - start), ROWS / (time.process_time() - cpu)
    print(f"{what:14} {rate:6.0f}/s on the clock, {busy:6.0f} for each CPU-second of this process")
    return rate


class _Quick:
    """Makes tokens by hand: certomancer's take 20 ms of a core each, and would be all that is measured."""

    def __init__(self) -> None:
        token = cms.ContentInfo.load(stamp(bytes(32), datetime.now(UTC)))
        self._token = token
        self._signer = signer("tsa")
        signed_data = token["content"]
        self._info = tsp.TSTInfo.load(bytes(signed_data["encap_content_info"]["content"]))
        self._signer_info = signed_data["signer_infos"][0]

    def __call__(self, request: bytes) -> bytes:
        """Answer a request."""
        asked = tsp.TimeStampReq.load(request)
        info = self._info.copy()
        info["message_imprint"], info["nonce"] = asked["message_imprint"], asked["nonce"]
        info["gen_time"] = datetime.now(UTC)
        content = info.dump()
        attributes = cms.CMSAttributes(
            [one for one in self._signer_info["signed_attrs"] if one["type"].native != "message_digest"]
        )
        attributes.append({"type": "message_digest", "values": [hashlib.sha256(content).digest()]})
        signer_info = self._signer_info.copy()
        signer_info["signed_attrs"] = attributes
        signer_info["signature"] = self._signer.sign(cms.CMSAttributes(list(attributes)).dump())
        token = self._token.copy()
        token["content"]["encap_content_info"]["content"] = cms.ParsableOctetString(content)
        token["content"]["signer_infos"] = [signer_info]
        return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())


def _authority(pipe: Connection) -> None:
    quick = _Quick()
    with serve_tsa(sleep=SLEEP) as server:
        server.answer = quick
        pipe.send(server.url)
        pipe.recv()


if __name__ == "__main__":
    main()
