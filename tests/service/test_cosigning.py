"""Asking witnesses: all at once, not for long, and whatever they answer never stops the log."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from credential.cosignature import cosign, parse_request, read_cosignatures, witness_of
from credential.merkle import consistency_proof, inclusion_proof, root_hash
from credential.note import Checkpoint, format_proof, parse_note
from credential.ports import Algorithm
from credential.trust import Role, TrustedKey, TrustList, Witness
from registry.log.tiles import LogDamaged
from registry.log.witness import KnownLogs, LogWitness, OtherOldSize
from service.cosigning import MAX_SKEW_SECONDS, WitnessClient
from service.witness_list import BadWitnessAddress
from tests.fakes_issuer import MemorySigner
from tests.registry.log.some_log import AT, FORK, KEY, LOG, NAME, WITNESS
from verifier.trust import open_head
from verifier.witnessed import check_witnessed

PATIENCE = 60.0  # a busy machine may take longer than an operator would wait
TRUST = TrustList(
    version=1,
    issued_at=AT,
    expires=AT + timedelta(days=1),
    log_origin=LOG.origin,
    issuers=(),
    keys=(),
    ca_certs=(),
    witnesses=(),
    witness_threshold=0,
    roots=(),
    threshold=1,
)
ANOTHER = MemorySigner("another witness", Algorithm.ED25519)
SECOND = witness_of("w2.example.com", ANOTHER)

Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Site:
    """Witnesses of many kinds behind one port, one address each; remembers who was asked what."""

    folder: Path
    asked: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def __post_init__(self) -> None:
        self.logs = KnownLogs(self.folder)
        self.logs.trust(LOG.key)
        self.good = LogWitness(self.folder, NAME, KEY)
        second = KnownLogs(self.folder / "second")
        second.trust(LOG.key)
        self.second = LogWitness(self.folder / "second", SECOND.name, ANOTHER)

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.port}/{kind}"

    def answer(self, kind: str, body: bytes) -> Answer | None:
        self.asked.append(kind)
        self.bodies.append(body)
        text = parse_note(parse_request(body)[0].note).text
        forged = cosign(text, NAME, ANOTHER, AT).encode()
        other = cosign(parse_note(FORK.note(9)).text, NAME, KEY, AT).encode()
        note = parse_request(body)[0].note
        line = cosign(text, NAME, KEY, AT).encode()
        future = cosign(text, NAME, KEY, AT + timedelta(seconds=MAX_SKEW_SECONDS + 2)).encode()
        if kind in {"good", "second"}:
            return self._honest(self.good if kind == "good" else self.second, body)
        if kind == "slow":
            self.release.wait()
            return None
        answers: dict[str, Answer] = {
            "empty": (200, {}, b""),
            "nonsense": (200, {}, b"hello"),
            "no text": (200, {}, b"\xff\xfe\n"),
            "forged": (200, {}, forged),
            "another text": (200, {}, other),
            "from the future": (200, {}, future),
            # The text of a note ends at its last empty line: what an answer brings there, its cosignature may fit.
            "moves the text": (200, {}, b"x\n\n" + cosign(note + "x\n", NAME, KEY, AT).encode()),
            "an empty line first": (200, {}, b"\n" + cosign(note, NAME, KEY, AT).encode()),
            "a good and a bad line": (200, {}, line + other),
            "more than lines": (200, {}, line + b"and thanks\n"),
            "no line end": (200, {}, line[:-1]),
            "a hundred lines": (200, {}, line * 100),
            "an error": (500, {}, b"a\x1b[31mb"),
            "not known": (404, {}, b"unknown log\n"),
            "elsewhere": (302, {"Location": self.url("good") + "/add-checkpoint"}, b""),
            "fork": (409, {"Content-Type": "text/plain"}, b"two trees\n"),
            "the same size": (409, {"Content-Type": "text/x.tlog.size"}, b"0\n"),
            "ahead": (409, {"Content-Type": "text/x.tlog.size"}, b"5000\n"),
            "a size that is none": (409, {"Content-Type": "text/x.tlog.size"}, b"-1\n"),
            "a size without end": (409, {"Content-Type": "text/x.tlog.size"}, b"3"),
            "restless": (409, {"Content-Type": "text/x.tlog.size"}, f"{len(self.asked)}\n".encode()),
            "long": (200, {}, b"\xe2\x80\x94 " * 100_000),
        }
        return answers[kind]

    @staticmethod
    def _honest(witness: LogWitness, body: bytes) -> Answer:
        try:
            return 200, {}, witness.add_checkpoint(body, AT).encode()
        except OtherOldSize as error:
            return 409, {"Content-Type": "text/x.tlog.size; charset=utf-8"}, f"{error.cosigned}\n".encode()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kind = self.path.removeprefix("/").removesuffix("/add-checkpoint").replace("%20", " ")
            if kind == "dripping":
                self._drip()
                return
            found = made.answer(kind, body)
            if found is None:
                self.close_connection = True
                return
            status, headers, content = found
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _drip(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.close_connection = True
            try:
                while not made.release.wait(0.05):
                    self.wfile.write(b"x")
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


Make = Callable[..., WitnessClient]


@pytest.fixture
def client(site: Site) -> Iterator[Make]:
    made: list[WitnessClient] = []

    def make(
        kinds: Mapping[Witness, str],
        threshold: int = 0,
        *,
        patience: float = PATIENCE,
        grace: float = PATIENCE,
        rest: float = 0.0,
    ) -> WitnessClient:
        trust = replace(TRUST, witnesses=tuple(kinds), witness_threshold=threshold)
        addresses = {one.name: site.url(kind.replace(" ", "%20")) for one, kind in kinds.items()}
        made.append(
            WitnessClient(lambda: trust, lambda: addresses, lambda: AT, patience=patience, grace=grace, rest=rest)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def head(size: int) -> tuple[str, Checkpoint, Callable[[int], Sequence[bytes]]]:
    hashes = LOG.hashes(size)
    checkpoint = Checkpoint(LOG.origin, size, root_hash(hashes))
    return LOG.note(size), checkpoint, lambda old: consistency_proof(hashes, old)


def names(note: str, *witnesses: Witness) -> list[str]:
    return [one.witness.name for one in read_cosignatures(note, witnesses)]


# ---- good ones ------------------------------------------------------------------------------------------------


def test_every_witness_adds_its_line_to_the_note(client: Make) -> None:
    asking = client({WITNESS: "good", SECOND: "second"}, 2)
    cosigned = asking.cosign(*head(5))
    assert cosigned.startswith(LOG.note(5))
    assert names(cosigned, WITNESS, SECOND) == [NAME, SECOND.name]
    assert asking.threshold == 2


def test_who_has_cosigned_is_not_asked_again(client: Make, site: Site) -> None:
    asking = client({WITNESS: "good", SECOND: "second"})
    note, checkpoint, prove = head(5)
    cosigned = asking.cosign(note, checkpoint, prove)
    site.asked.clear()
    assert asking.cosign(cosigned, checkpoint, prove) == cosigned
    assert site.asked == []


def test_a_witness_that_is_further_is_asked_again_with_its_size(client: Make, site: Site) -> None:
    """Another process of the log, or one before this one, had it cosigned."""
    site.good.add_checkpoint(LOG.request(0, 3), AT)
    asking = client({WITNESS: "good"})
    assert names(asking.cosign(*head(5)), WITNESS) == [NAME]
    assert [parse_request(body)[0].old_size for body in site.bodies] == [0, 3]
    assert names(asking.cosign(*head(9)), WITNESS) == [NAME]
    assert [parse_request(body)[0].old_size for body in site.bodies] == [0, 3, 5]  # it is remembered


def test_a_witness_that_forgot_or_was_replaced_is_asked_from_its_size(client: Make, site: Site, tmp_path: Path) -> None:
    asking = client({WITNESS: "good"})
    asking.cosign(*head(5))
    for path in tmp_path.glob("*.json"):
        path.unlink()
    site.logs.trust(LOG.key)
    assert names(asking.cosign(*head(9)), WITNESS) == [NAME]


# ---- bad ones -------------------------------------------------------------------------------------------------

BAD = (
    "empty", "nonsense", "no text", "forged", "another text", "from the future", "an error", "not known", "elsewhere",
    "moves the text", "an empty line first", "a good and a bad line", "more than lines", "no line end",
    "a hundred lines", "fork", "the same size", "restless", "ahead", "a size that is none", "a size without end",
    "long",
)  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_answer_adds_nothing_and_raises_nothing(kind: str, client: Make) -> None:
    asking = client({WITNESS: kind, SECOND: "second"})
    assert names(asking.cosign(*head(5)), WITNESS, SECOND) == [SECOND.name]
    problem = asking.replies[NAME].problem
    assert problem is not None
    assert problem.en.isprintable()


@pytest.mark.parametrize("threshold", [0, 1])
@pytest.mark.parametrize("kind", BAD)
def test_whatever_one_witness_answers_verifiers_accept_what_is_published(
    kind: str, threshold: int, client: Make
) -> None:
    """A bad line by a known key would make every proof under the checkpoint void, even where none is demanded."""
    asking = client({WITNESS: kind, SECOND: "second"}, threshold)
    cosigned = asking.cosign(*head(5))
    trust = replace(
        TRUST,
        keys=(TrustedKey(Role.LOG, "", Algorithm.ED25519, LOG.signer.public_key, AT),),
        witnesses=(WITNESS, SECOND),
        witness_threshold=threshold,
    )
    assert parse_note(cosigned).text == parse_note(LOG.note(5)).text
    assert asking.count(cosigned) == 1
    assert open_head(trust, cosigned).size == 5
    proof = format_proof(2, inclusion_proof(LOG.hashes(5), 2), cosigned)
    assert check_witnessed(trust, proof).seen == 1


def test_a_redirect_is_not_followed(client: Make, site: Site) -> None:
    client({WITNESS: "elsewhere"}).cosign(*head(5))
    assert site.asked == ["elsewhere"]


def test_a_witness_that_has_seen_more_than_there_is_is_told_of_loudly(
    client: Make, caplog: pytest.LogCaptureFixture
) -> None:
    client({WITNESS: "ahead"}).cosign(*head(5))
    assert any(one.levelname == "ERROR" and "rolled back" in one.getMessage() for one in caplog.records)


@pytest.mark.parametrize("kind", ["slow", "dripping"])
def test_a_slow_witness_does_not_hold_up_the_others(kind: str, client: Make) -> None:
    asking = client(
        {WITNESS: kind, SECOND: "second"}, 1, patience=3_600.0, grace=0.2
    )  # the number demanded ends it long before
    assert names(asking.cosign(*head(5)), WITNESS, SECOND) == [SECOND.name]
    assert asking.replies[NAME].problem is not None


@pytest.mark.parametrize("kind", ["slow", "dripping"])
def test_patience_ends_even_if_too_few_have_answered(kind: str, client: Make) -> None:
    asking = client({WITNESS: kind, SECOND: "second"}, 2, patience=0.5)
    assert NAME not in names(asking.cosign(*head(5)), WITNESS, SECOND)


def test_a_witness_that_still_thinks_is_not_asked_again(client: Make, site: Site) -> None:
    asking = client({WITNESS: "slow", SECOND: "second"}, 2)
    waiting = threading.Event()
    asking._busy[NAME] = asking._hands.submit(waiting.wait)  # type: ignore[arg-type] # stands for a request that hangs
    asking.cosign(*head(5))
    waiting.set()
    problem = asking.replies[NAME].problem
    assert problem is not None
    assert "last request" in problem.en
    assert site.asked == ["second"]


def test_a_dead_witness_is_left_alone_for_a_while(client: Make, site: Site) -> None:
    asking = client({WITNESS: "an error", SECOND: "second"}, rest=60.0)
    asking.cosign(*head(5))
    asking.cosign(*head(6))
    assert site.asked.count("an error") == 1
    assert site.asked.count("second") == 2


def test_a_witness_that_nobody_listens_for_adds_nothing(client: Make, site: Site) -> None:
    port, site.port = site.port, 1
    asking = client({WITNESS: "good"})
    site.port = port
    note, checkpoint, prove = head(5)
    assert asking.cosign(note, checkpoint, prove) == note


def test_a_witness_without_an_address_is_told_so(site: Site) -> None:
    asking = WitnessClient(lambda: replace(TRUST, witnesses=(WITNESS,)), dict, lambda: AT)
    asking.cosign(*head(5))
    problem = asking.replies[NAME].problem
    assert problem is not None
    assert "witness add" in problem.en
    assert site.asked == []
    asking.close()


def test_lines_of_strangers_and_bad_lines_are_left_out(client: Make) -> None:
    note, checkpoint, prove = head(5)
    stranger = cosign(parse_note(note).text, "stranger.example", MemorySigner("x", Algorithm.ED25519), AT)
    moved = cosign(parse_note(FORK.note(5)).text, NAME, KEY, AT)
    cosigned = client({WITNESS: "good"}).cosign(note + stranger + moved, checkpoint, prove)
    assert [one.name for one in parse_note(cosigned).signatures] == [LOG.origin, NAME]
    assert names(cosigned, WITNESS) == [NAME]


def test_damaged_tiles_behind_a_proof_raise_nothing(client: Make) -> None:
    def prove(_old: int) -> Sequence[bytes]:
        raise LogDamaged("tile/0/000 is missing", "缺少 tile/0/000")

    note, checkpoint, _ = head(5)
    asking = client({WITNESS: "good"})
    assert asking.cosign(note, checkpoint, prove) == note
    problem = asking.replies[NAME].problem
    assert (problem and problem.code) == "log-damaged"


def test_an_unreadable_trust_list_asks_nobody_and_demands_nothing(site: Site) -> None:
    def trust() -> TrustList:
        raise BadWitnessAddress("x")

    asking = WitnessClient(trust, dict, lambda: AT)
    note, checkpoint, prove = head(5)
    assert asking.cosign(note, checkpoint, prove) == note
    assert asking.threshold == 0
    assert site.asked == []
    asking.close()
