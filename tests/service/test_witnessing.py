"""A witness over HTTP: the statuses and bodies of C2SP tlog-witness, and the folder that it lives in."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from credential.cosignature import MAX_REQUEST_BYTES, WitnessRequest, format_request, read_cosignatures, witness_key
from credential.merkle import EMPTY_ROOT, consistency_proof
from credential.note import Checkpoint, sign_checkpoint, verifier_key
from credential.ports import Algorithm
from keys.pkcs8 import ScryptCost
from keys.store import KeyStore
from registry.log.witness import KnownLogs, LogWitness
from service.limits import Limiter
from service.settings import Settings
from service.witnessing import (
    ROLE,
    BadWitnessName,
    NoWitness,
    OwnLogKey,
    WitnessExists,
    is_witness,
    make_witness,
    open_witness,
)
from service.witnessing_http import witness_app
from tests.asgi_client import Client
from tests.fakes_issuer import MemorySigner
from tests.registry.log.some_log import AT, FORK, KEY, LOG, NAME, WITNESS, SomeLog
from tests.registry.log.some_witness import believed_logs  # noqa: F401 - a fixture

SECRET = b"a passphrase of the tests"


@pytest.fixture
def client(tmp_path: Path, logs: KnownLogs) -> Client:
    return Client(witness_app(LogWitness(tmp_path / "logs", NAME, KEY), logs, lambda: AT))


def ask(client: Client, body: bytes) -> tuple[int, str, str]:
    answer = client.post("/add-checkpoint", content=body)
    return answer.status_code, answer.headers["content-type"].partition(";")[0], answer.text


# ---- add-checkpoint -------------------------------------------------------------------------------------------


def test_a_cosignature_is_the_whole_answer(client: Client) -> None:
    status, kind, line = ask(client, LOG.request(0, 5))
    assert (status, kind) == (200, "text/plain")
    assert line.startswith(f"\N{EM DASH} {NAME} ")
    assert [one.witness for one in read_cosignatures(LOG.note(5) + line, (WITNESS,))] == [WITNESS]


def test_a_wrong_old_size_is_told_the_right_one(client: Client) -> None:
    assert ask(client, LOG.request(2, 5)) == (409, "text/x.tlog.size", "0\n")
    ask(client, LOG.request(0, 5))
    assert ask(client, LOG.request(0, 9)) == (409, "text/x.tlog.size", "5\n")
    assert ask(client, LOG.request(5, 9))[0] == 200


def test_a_rollback_is_refused(client: Client) -> None:
    ask(client, LOG.request(0, 5))
    assert ask(client, LOG.request(3, 4)) == (409, "text/x.tlog.size", "5\n")


REFUSED: dict[str, tuple[Callable[[], bytes], int]] = {
    "nothing": (lambda: b"", 400),
    "random bytes": (lambda: b"\xff\x00" * 40, 400),
    "an old size greater than the new": (lambda: LOG.request(5, 3), 400),
    "another key": (lambda: SomeLog(signer=MemorySigner("thief", Algorithm.ED25519)).request(5, 9), 403),
    "a bad signature": (lambda: LOG.request(5, 9).replace(b"\n9\n", b"\n8\n"), 403),
    "an unknown log": (lambda: SomeLog(origin="elsewhere.example/log").request(0, 9), 404),
    "a fork of the same size": (lambda: format_request(WitnessRequest(5, (), FORK.note(5))).encode(), 409),
    "a larger fork": (lambda: FORK.request(5, 9), 422),
    "a proof of another tree": (
        lambda: format_request(WitnessRequest(5, consistency_proof(LOG.hashes(8), 5), LOG.note(9))).encode(),
        422,
    ),
    "too long": (lambda: LOG.request(5, 9) + b"x" * MAX_REQUEST_BYTES, 413),
}


@pytest.mark.parametrize(("body", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_has_the_status_of_the_page_and_no_cosignature(
    body: Callable[[], bytes], status: int, client: Client, logs: KnownLogs
) -> None:
    ask(client, LOG.request(0, 5))
    before = logs.all()
    found, kind, text = ask(client, body())
    assert (found, "\N{EM DASH} " in text) == (status, False)
    assert kind != "text/x.tlog.size"  # which would ask for the same again
    assert logs.all() == before


def test_an_empty_log_is_cosigned(client: Client) -> None:
    note = sign_checkpoint(Checkpoint(LOG.origin, 0, EMPTY_ROOT), LOG.signer)
    assert ask(client, format_request(WitnessRequest(0, (), note)).encode())[0] == 200


def test_a_damaged_file_is_an_answer_that_tells_nothing(client: Client, tmp_path: Path) -> None:
    (path,) = (tmp_path / "logs").glob("*.json")
    path.write_text("{", "utf-8")
    status, _, text = ask(client, LOG.request(0, 5))
    assert status == 503
    assert str(tmp_path) not in text
    assert path.name not in text


def test_other_addresses_and_methods_are_not_there(client: Client) -> None:
    assert client.get("/add-checkpoint").status_code == 405
    assert client.get("/").status_code == 404
    assert client.get("/healthz").text == "ok\n"


def test_an_address_that_sends_too_much_is_refused_for_a_while(tmp_path: Path, logs: KnownLogs) -> None:
    limiter = Limiter(Settings(limit_witness="2/minute"))
    client = Client(witness_app(LogWitness(tmp_path / "logs", NAME, KEY), logs, lambda: AT, limiter))
    assert [ask(client, LOG.request(0, 5))[0] for _ in range(2)] == [200, 409]
    answer = client.post("/add-checkpoint", content=LOG.request(5, 9))
    assert (answer.status_code, 0 < int(answer.headers["Retry-After"]) <= 60) == (429, True)
    assert client.get("/healthz").status_code == 200


# ---- for monitors ---------------------------------------------------------------------------------------------


def test_the_head_cosigned_last_is_there_for_monitors(client: Client) -> None:
    address = f"/{hashlib.sha256(LOG.origin.encode()).hexdigest()}/checkpoint"
    assert client.get(address).status_code == 404  # known, and never cosigned
    _, _, line = ask(client, LOG.request(0, 5))
    assert client.get(address).text == LOG.note(5) + line
    assert client.get(f"/{'0' * 64}/checkpoint").status_code == 404
    assert client.get("/..%2f..%2fwitness/checkpoint").status_code == 404


# ---- the folder -----------------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    (tmp_path / "witness").mkdir(mode=0o700)
    return KeyStore(tmp_path / "witness" / "keys", SECRET, cost=ScryptCost(2, 8, 1))


def test_a_witness_that_was_made_is_opened_with_the_same_key(tmp_path: Path, keys: KeyStore) -> None:
    folder = tmp_path / "witness"
    made = make_witness(folder, keys, NAME, AT)
    assert is_witness(folder)
    public = open_witness(folder, KeyStore(folder / "keys", None)).public  # without passphrase
    assert (public, public.name) == (made.public, NAME)
    made.trust_log(LOG.key)
    line = made.witness().add_checkpoint(LOG.request(0, 1), AT)
    assert read_cosignatures(LOG.note(1) + line, (public,))


def test_a_witness_is_made_once_and_in_a_folder_of_its_own(tmp_path: Path, keys: KeyStore) -> None:
    folder = tmp_path / "witness"
    (folder / "something").write_text("", "utf-8")
    with pytest.raises(WitnessExists):
        make_witness(folder, keys, NAME, AT)
    (folder / "something").unlink()
    make_witness(folder, keys, NAME, AT)
    with pytest.raises(WitnessExists):
        make_witness(folder, keys, "another.example", AT)


def test_a_making_that_was_cut_off_is_completed_with_the_same_key(tmp_path: Path, keys: KeyStore) -> None:
    first = keys.create(ROLE, Algorithm.ED25519, now=AT)
    assert make_witness(tmp_path / "witness", keys, NAME, AT).public.public_key == first.public_key[-32:]


@pytest.mark.parametrize("name", ["", "a b", "a+b", "见证", "x" * 201, "a\n"])
def test_a_name_that_cannot_stand_in_a_note_is_refused(name: str, tmp_path: Path, keys: KeyStore) -> None:
    with pytest.raises(BadWitnessName):
        make_witness(tmp_path / "witness", keys, name, AT)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"name": 1}', '{"name": "a b"}'])
def test_a_folder_that_holds_no_witness_is_told_so(content: str | None, tmp_path: Path, keys: KeyStore) -> None:
    if content is not None:
        (tmp_path / "witness" / "witness.json").write_text(content, "utf-8")
    with pytest.raises(NoWitness):
        open_witness(tmp_path / "witness", keys)


def test_a_witness_does_not_witness_under_its_own_key(tmp_path: Path, keys: KeyStore) -> None:
    made = make_witness(tmp_path / "witness", keys, NAME, AT)
    own = verifier_key("rsj.example/log", keys.public_key(ROLE))
    with pytest.raises(OwnLogKey):
        made.trust_log(own)
    assert made.logs.all() == ()
    assert witness_key(made.public).startswith(f"{NAME}+")
    assert partial(made.trust_log, LOG.key)().keys == (LOG.key,)
