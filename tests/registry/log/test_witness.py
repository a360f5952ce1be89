"""A witness cosigns one face of a log only, whatever it is asked, and whenever it is killed."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import registry.log.witness as module
from credential.cosignature import BadWitnessRequest, WitnessRequest, format_request, read_cosignatures
from credential.errors import Error
from credential.merkle import EMPTY_ROOT, consistency_proof, leaf_hash, root_hash
from credential.note import Checkpoint, parse_note, sign_checkpoint
from credential.ports import Algorithm
from registry.log.witness import (
    KnownLogs,
    LogForkSeen,
    LogNotSigned,
    LogWitness,
    NotConsistent,
    OtherOldSize,
    SizesCrossed,
    UnknownLog,
)
from tests.fakes_issuer import MemorySigner
from tests.registry.log.some_log import AT, FORK, KEY, LOG, NAME, WITNESS, SomeLog
from tests.registry.log.some_witness import believed_logs, one_witness, size_of  # noqa: F401 - fixtures

# ---- what is cosigned -----------------------------------------------------------------------------------------


def test_a_log_that_grows_is_cosigned_step_by_step(witness: LogWitness, logs: KnownLogs) -> None:
    old = 0
    for size in (1, 2, 3, 3, 7, 8, 300):
        line = witness.add_checkpoint(LOG.request(old, size), AT)
        (found,) = read_cosignatures(LOG.note(size) + line, (WITNESS,))
        assert found.seconds == int(AT.timestamp())
        assert size_of(logs) == old if size == old else size_of(logs) == size
        old = size


@settings(max_examples=12)
@given(steps=st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_any_growth_is_cosigned_and_no_fork_of_it_ever(
    steps: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("grown")
    KnownLogs(folder).trust(LOG.key)
    witness = LogWitness(folder, NAME, KEY)
    old = 0
    for step in steps:
        witness.add_checkpoint(LOG.request(old, old + step), AT)
        old += step
        for size in range(old, old + 5):
            with pytest.raises((LogForkSeen, NotConsistent)):
                witness.add_checkpoint(FORK.request(old, size), AT)
        with pytest.raises(OtherOldSize):
            witness.add_checkpoint(LOG.request(old + 1, old + 1), AT)
    assert size_of(KnownLogs(folder)) == old


def test_the_head_that_was_cosigned_is_kept_with_the_cosignature(witness: LogWitness, logs: KnownLogs) -> None:
    stranger = "— somebody.example " + base64.b64encode(bytes(60)).decode() + "\n"
    line = witness.add_checkpoint(LOG.request(0, 5) + stranger.encode(), AT + timedelta(microseconds=7))
    (known,) = logs.all()
    assert (known.size, known.root, known.cosigned_at) == (5, root_hash(LOG.hashes(5)), AT)
    assert known.note == LOG.note(5) + line  # without the line of somebody that nobody vouches for
    assert logs.by_hash(hashlib.sha256(LOG.origin.encode()).hexdigest()) == known


def test_a_replay_of_the_current_head_costs_neither_signature_nor_write(
    witness: LogWitness, logs: KnownLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = witness.add_checkpoint(LOG.request(0, 5), AT)
    with monkeypatch.context() as patched:
        patched.delattr(module, "cosign")
        patched.delattr(KnownLogs, "write")
        assert witness.add_checkpoint(LOG.request(5, 5), AT + timedelta(seconds=59)) == line
    later = witness.add_checkpoint(LOG.request(5, 5), AT + timedelta(seconds=60))
    assert later != line  # a log that asks again later wants a new time
    (known,) = logs.all()
    assert known.note == LOG.note(5) + later


def test_a_line_that_is_repeated_is_kept_once_and_too_many_are_refused(witness: LogWitness, logs: KnownLogs) -> None:
    own = LOG.note(5).split("\n\n")[1]
    with pytest.raises(BadWitnessRequest, match="over 64 signature lines"):
        witness.add_checkpoint(LOG.request(0, 5) + (own * 64).encode(), AT)
    assert size_of(logs) == 0
    line = witness.add_checkpoint(LOG.request(0, 5) + (own * 63).encode(), AT)
    (known,) = logs.all()
    assert known.note == LOG.note(5) + line


def test_extension_lines_are_cosigned_with_the_rest(witness: LogWitness) -> None:
    note = sign_checkpoint(Checkpoint(LOG.origin, 2, root_hash(LOG.hashes(2)), ("more",)), LOG.signer)
    line = witness.add_checkpoint(format_request(WitnessRequest(0, (), note)).encode(), AT)
    assert read_cosignatures(note + line, (WITNESS,))
    assert parse_note(note).text.endswith("more\n")


def test_two_logs_do_not_mix(witness: LogWitness, logs: KnownLogs) -> None:
    other = SomeLog("other.example/log", MemorySigner("other log", Algorithm.ED25519), "other ")
    logs.trust(other.key)
    witness.add_checkpoint(LOG.request(0, 9), AT)
    witness.add_checkpoint(other.request(0, 2), AT)
    witness.add_checkpoint(other.request(2, 4), AT)
    assert (size_of(logs), size_of(logs, other.origin)) == (9, 4)
    crossed = sign_checkpoint(Checkpoint(other.origin, 9, root_hash(LOG.hashes(9))), LOG.signer)
    with pytest.raises(LogNotSigned):
        witness.add_checkpoint(format_request(WitnessRequest(4, (), crossed)).encode(), AT)


def test_a_log_whose_key_has_another_name_is_known_by_its_origin(tmp_path: Path) -> None:
    """Go's checksum database: a real checkpoint, as litewitness's own test has it."""
    logs = KnownLogs(tmp_path)
    logs.trust("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "go.sum database tree")
    body = (
        "old 0\n\ngo.sum database tree\n35225469\nvt5T6GaLCXvyHFl9VUvvItR43XZxfLgftEcTyO3eJCQ=\n\n"
        "— sum.golang.org "
        "Az3grpukl5AXaVfYkLiDGORx/DN2nlcS5kZHR5uYOBV2KA2HgXpD+gu9HHONebHLAyaKbbTM75QTtPydhKCExixSfwQ=\n"
    )
    LogWitness(tmp_path, NAME, KEY).add_checkpoint(body.encode(), AT)
    assert size_of(logs, "go.sum database tree") == 35225469


# A log of sigsum's with its requests, from the tests of another witness (FiloSottile/torchwood).
SIGSUM = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
SIGSUM_KEY = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"
_SIGNED = {
    1: "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=",
    3: "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=",
    5: "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=",
}
_ROOTS = {
    1: "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    3: "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=",
    5: "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=",
}
_PROOFS = {
    1: (),
    3: ("KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    5: (
        "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=",
        "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ),
}


def of_sigsum(old: int, size: int) -> bytes:
    lines = [f"old {old}", *_PROOFS[size], "", SIGSUM, str(size), _ROOTS[size], "", f"— {SIGSUM} {_SIGNED[size]}", ""]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(("size", "other"), [(3, 5), (5, 3)])
def test_requests_that_another_witness_accepts_are_accepted(tmp_path: Path, size: int, other: int) -> None:
    raw = bytes.fromhex(SIGSUM_KEY)
    key_id = hashlib.sha256(f"{SIGSUM}\n".encode() + b"\x01" + raw).hexdigest()[:8]
    logs = KnownLogs(tmp_path)
    logs.trust("+".join((SIGSUM, key_id, base64.b64encode(b"\x01" + raw).decode())))
    witness = LogWitness(tmp_path, NAME, KEY)
    witness.add_checkpoint(of_sigsum(0, 1), AT)
    with pytest.raises(OtherOldSize) as conflict:
        witness.add_checkpoint(of_sigsum(0, 1), AT)
    assert conflict.value.cosigned == 1
    witness.add_checkpoint(of_sigsum(1, size), AT)
    assert size_of(logs, SIGSUM) == size
    with pytest.raises(OtherOldSize):
        witness.add_checkpoint(of_sigsum(1, other), AT)


# ---- what is refused ------------------------------------------------------------------------------------------


def test_a_fork_of_the_same_size_is_refused_and_kept_as_evidence(
    witness: LogWitness, logs: KnownLogs, tmp_path: Path
) -> None:
    witness.add_checkpoint(LOG.request(0, 5), AT)
    for _ in range(2):
        with pytest.raises(LogForkSeen):
            witness.add_checkpoint(format_request(WitnessRequest(5, (), FORK.note(5))).encode(), AT)
    assert (logs.forks(LOG.origin), size_of(logs)) == (1, 5)
    (kept,) = (tmp_path / "logs").rglob("*.note")
    assert kept.read_text("utf-8") == FORK.note(5)


def test_no_more_forks_are_kept_than_prove_anything(
    witness: LogWitness, logs: KnownLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FORKS", 2)
    witness.add_checkpoint(LOG.request(0, 5), AT)
    for salt in "abc":
        with pytest.raises(LogForkSeen):
            witness.add_checkpoint(format_request(WitnessRequest(5, (), SomeLog(salt=salt).note(5))).encode(), AT)
    assert logs.forks(LOG.origin) == 2


REFUSED: dict[str, tuple[Callable[[], bytes], type[Error]]] = {
    "a larger fork": (lambda: FORK.request(5, 9), NotConsistent),
    "a larger fork with the true log's proof": (
        lambda: format_request(WitnessRequest(5, consistency_proof(LOG.hashes(9), 5), FORK.note(9))).encode(),
        NotConsistent,
    ),
    "a rollback": (lambda: LOG.request(3, 4), OtherOldSize),
    "a rollback that names the last size": (lambda: LOG.request(5, 4), SizesCrossed),
    "a rollback to nothing": (lambda: LOG.request(0, 0), OtherOldSize),
    "an old size that is too small": (lambda: LOG.request(0, 9), OtherOldSize),
    "an old size that is too large": (lambda: LOG.request(6, 9), OtherOldSize),
    "no proof": (lambda: format_request(WitnessRequest(5, (), LOG.note(9))).encode(), NotConsistent),
    "a proof too long": (
        lambda: format_request(
            WitnessRequest(5, (*consistency_proof(LOG.hashes(9), 5), bytes(32)), LOG.note(9))
        ).encode(),
        NotConsistent,
    ),
    "a proof where none is due": (
        lambda: format_request(WitnessRequest(5, (bytes(32),), LOG.note(5))).encode(),
        NotConsistent,
    ),
    "another key": (
        lambda: replace(LOG, signer=MemorySigner("thief", Algorithm.ED25519)).request(5, 9),
        LogNotSigned,
    ),
    "a bad signature": (lambda: LOG.request(5, 9).replace(b"\n9\n", b"\n10\n"), LogNotSigned),
    "another log": (lambda: replace(LOG, origin="elsewhere.example/log").request(0, 9), UnknownLog),
    "no checkpoint": (lambda: b"old 5\n\nx\n\n" + LOG.note(5).split("\n\n")[1].encode(), BadWitnessRequest),
    "no note": (lambda: b"old 5\n\nx\n", BadWitnessRequest),
}


@pytest.mark.parametrize(("body", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_grow_out_of_the_last_head_is_refused(
    body: Callable[[], bytes], error: type[Error], witness: LogWitness, logs: KnownLogs
) -> None:
    witness.add_checkpoint(LOG.request(0, 5), AT)
    before = logs.all()
    with pytest.raises(error):
        witness.add_checkpoint(body(), AT)
    assert logs.all() == before


@pytest.mark.parametrize(
    ("root", "proof", "accepted"),
    [
        (EMPTY_ROOT, (), True),
        (leaf_hash(b"leaf"), (), False),
        (bytes(32), (), False),
        (EMPTY_ROOT, (bytes(32),), False),
    ],
    ids=["the empty tree", "another root", "a root of zeros", "with a proof"],
)
def test_an_empty_log_has_one_root(
    root: bytes,
    proof: tuple[bytes, ...],
    accepted: bool,  # noqa: FBT001 - a column of the table above
    witness: LogWitness,
) -> None:
    note = sign_checkpoint(Checkpoint(LOG.origin, 0, root), LOG.signer)
    body = format_request(WitnessRequest(0, proof, note)).encode()
    if accepted:
        assert read_cosignatures(note + witness.add_checkpoint(body, AT), (WITNESS,))
    else:
        with pytest.raises(NotConsistent):
            witness.add_checkpoint(body, AT)


def test_a_bad_line_of_a_known_key_spoils_a_note_that_another_known_key_signed(
    witness: LogWitness, logs: KnownLogs
) -> None:
    """A malformed note by C2SP signed-note."""
    newer = replace(LOG, signer=MemorySigner("newer log key", Algorithm.ED25519))
    logs.trust(newer.key)
    other = newer.note(3).split("\n\n")[1]
    with pytest.raises(LogNotSigned):
        witness.add_checkpoint(LOG.request(0, 2) + other.encode(), AT)
    witness.add_checkpoint(LOG.request(0, 2) + newer.note(2).split("\n\n")[1].encode(), AT)
    assert size_of(logs) == 2


def test_a_key_that_is_no_longer_believed_signs_for_nothing(witness: LogWitness, logs: KnownLogs) -> None:
    """After the log's key was rolled the old one is taken away; what was seen stays."""
    witness.add_checkpoint(LOG.request(0, 5), AT)
    newer = replace(LOG, signer=MemorySigner("newer log key", Algorithm.ED25519))
    logs.trust(newer.key)
    left = logs.distrust(LOG.key)
    assert (left.keys, left.size) == ((newer.key,), 5)
    with pytest.raises(LogNotSigned):
        witness.add_checkpoint(LOG.request(5, 6), AT)
    witness.add_checkpoint(newer.request(5, 6), AT)


def test_trusting_a_log_twice_changes_nothing(witness: LogWitness, logs: KnownLogs) -> None:
    witness.add_checkpoint(LOG.request(0, 5), AT)
    assert logs.trust(LOG.key) == logs.all()[0]
    assert (logs.all()[0].size, logs.all()[0].keys) == (5, (LOG.key,))


def test_nothing_is_written_for_a_log_that_is_not_known(witness: LogWitness, logs: KnownLogs, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UnknownLog):
        witness.add_checkpoint(replace(LOG, origin="x" * 300).request(0, 1), AT)
    with pytest.raises(UnknownLog):
        logs.distrust(replace(LOG, origin="elsewhere.example/log").key)
    for digest in ("", "../" * 3, "0" * 64, hashlib.sha256(LOG.origin.encode()).hexdigest().upper()):
        with pytest.raises(UnknownLog):
            logs.by_hash(digest)
    assert sorted(tmp_path.rglob("*")) == before
