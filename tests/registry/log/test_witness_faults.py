"""A witness whose files are damaged, that is killed, or asked by many at once: never two faces of a log."""

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import registry.log.witness as module
from credential.cosignature import read_cosignatures
from credential.errors import UnavailableError
from credential.merkle import root_hash
from credential.ports import Algorithm
from registry.log.witness import (
    KnownLog,
    KnownLogs,
    LogForkSeen,
    LogWitness,
    OtherOldSize,
    WitnessDamaged,
)
from tests.fakes_issuer import MemorySigner
from tests.registry.log.some_log import AT, FORK, LOG, NAME, WITNESS, SomeLog
from tests.registry.log.some_witness import believed_logs, one_witness, size_of  # noqa: F401 - fixtures

DAMAGES: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "cut off": lambda text: text[: len(text) // 2],
    "no size": lambda text: text.replace('"size"', '"wide"'),
    "a size that is text": lambda text: text.replace('"size": 5', '"size": "5"'),
    "a size that is true": lambda text: text.replace('"size": 5', '"size": true'),
    "a negative size": lambda text: text.replace('"size": 5', '"size": -5'),
    "a short root": lambda text: text.replace(base64.b64encode(root_hash(LOG.hashes(5))).decode(), "AAAA"),
    "a bad key": lambda text: text.replace(LOG.key, LOG.key[:-4]),
    "another log": lambda text: text.replace(f'"origin": "{LOG.origin}"', '"origin": "x"'),
    "a list": lambda _: "[]",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_never_taken_for_a_new_log(
    damage: Callable[[str], str], witness: LogWitness, tmp_path: Path
) -> None:
    witness.add_checkpoint(LOG.request(0, 5), AT)
    (path,) = (tmp_path / "logs").glob("*.json")
    whole = path.read_text("utf-8")
    path.write_text(damage(whole), "utf-8")
    assert path.read_text("utf-8") != whole
    for body in (LOG.request(0, 1), LOG.request(5, 6), FORK.request(0, 5)):
        with pytest.raises(WitnessDamaged):
            witness.add_checkpoint(body, AT)


def test_a_file_that_cannot_be_read_is_damage(witness: LogWitness, tmp_path: Path) -> None:
    (path,) = (tmp_path / "logs").glob("*.json")
    path.unlink()
    path.mkdir()
    with pytest.raises(WitnessDamaged):
        witness.add_checkpoint(LOG.request(0, 1), AT)


class Killed(Exception):  # stands for the end of the process
    pass


def test_killed_before_it_is_written_nothing_was_cosigned(
    witness: LogWitness, logs: KnownLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_files: object) -> None:
        raise Killed

    monkeypatch.setattr(module, "replace_durably", die)
    with pytest.raises(Killed):
        witness.add_checkpoint(LOG.request(0, 5), AT)
    monkeypatch.undo()
    assert size_of(logs) == 0
    witness.add_checkpoint(FORK.request(0, 5), AT)  # no cosignature left, so this is the first tree seen


def test_killed_between_writing_and_answering_no_fork_is_cosigned_afterwards(
    witness: LogWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = KnownLogs.write

    def write_and_die(self: KnownLogs, known: KnownLog) -> None:
        whole(self, known)
        raise Killed

    monkeypatch.setattr(KnownLogs, "write", write_and_die)
    with pytest.raises(Killed):
        witness.add_checkpoint(LOG.request(0, 5), AT)
    monkeypatch.undo()
    with pytest.raises(OtherOldSize) as conflict:  # the log does not know that it was cosigned, and asks again
        witness.add_checkpoint(LOG.request(0, 5), AT)
    assert conflict.value.cosigned == 5
    with pytest.raises(LogForkSeen):
        witness.add_checkpoint(FORK.request(5, 5), AT)
    assert read_cosignatures(LOG.note(5) + witness.add_checkpoint(LOG.request(5, 5), AT), (WITNESS,))


def test_a_key_store_that_does_not_answer_leaves_everything_as_it_was(tmp_path: Path, logs: KnownLogs) -> None:
    class TokenGone(UnavailableError):
        code = "test-token-gone"

        def __init__(self) -> None:
            super().__init__("the token is gone", "密钥设备已拔出")

    class Removed(MemorySigner):
        def sign(self, message: bytes) -> bytes:  # noqa: ARG002 - the port's
            raise TokenGone

    with pytest.raises(TokenGone):
        LogWitness(tmp_path / "logs", NAME, Removed("witness", Algorithm.ED25519)).add_checkpoint(LOG.request(0, 5), AT)
    assert size_of(logs) == 0


def test_of_two_faces_at_once_one_is_cosigned(witness: LogWitness, logs: KnownLogs) -> None:
    answers: list[str] = []
    start = threading.Barrier(8)

    def ask(log: SomeLog, size: int) -> None:
        start.wait()
        try:
            witness.add_checkpoint(log.request(0, size), AT)
            answers.append(log.salt)
        except (OtherOldSize, LogForkSeen):
            pass

    threads = [threading.Thread(target=ask, args=(log, size)) for log in (LOG, FORK) for size in (3, 4, 5, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1
    assert size_of(logs) in {3, 4, 5, 6}


_ASK = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tests.registry.log.some_log import AT, FORK, KEY, LOG, NAME
from registry.log.witness import LogWitness
from credential.errors import Error
witness = LogWitness(Path(sys.argv[1]), NAME, KEY)
log = {"log": LOG, "fork": FORK}[sys.argv[2]]
sys.stdin.readline()
for size in range(1, 40):
    try:
        witness.add_checkpoint(log.request(size - 1, size), AT)
        print(size)
    except Error:
        pass
"""


def test_of_two_faces_by_two_processes_one_is_cosigned(tmp_path: Path, logs: KnownLogs) -> None:
    """Two witnesses over one folder, as when one is started twice."""
    command = [sys.executable, "-c", _ASK, str(tmp_path / "logs")]
    running = [
        subprocess.Popen(
            [*command, face], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."}
        )
        for face in ("log", "fork")
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    sizes = [sorted(int(one) for one in process.communicate(timeout=60)[0].split()) for process in running]
    assert sorted(sizes) == [[], list(range(1, 40))]
    assert size_of(logs) == 39
