"""Cosignatures on the published checkpoints, and the change of the log's key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from credential.cosignature import cosign, read_cosignatures, witness_of
from credential.merkle import EMPTY_ROOT, verify_consistency
from credential.note import (
    BadNote,
    Checkpoint,
    open_checkpoint,
    parse_note,
    sign_checkpoint,
    verify_proof,
)
from registry.log.notes import LogForked, LogRolledBack
from registry.log.reader import LogReader, NotWitnessed
from registry.log.sequencer import Log
from registry.log.tiles import LogDamaged

from .conftest import NOW, ORIGIN, TestLog, a_signer

KNOWN = tuple(witness_of(name, a_signer(name)) for name in ("w1", "w2"))


@dataclass
class Witnesses:
    """Cosigners of the shape of sequencer.Cosigners: each keeps the last head it saw, and checks consistency."""

    threshold: int = 1
    awake: set[str] = field(default_factory=lambda: {"w1", "w2"})
    seen: dict[str, Checkpoint] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    during: Callable[[], object] = lambda: None

    def cosign(self, note: str, checkpoint: Checkpoint, prove: Callable[[int], Sequence[bytes]]) -> str:
        lines = {one.name for one in parse_note(note).signatures}
        for name in sorted(self.awake - lines):
            self.asked.append(name)
            old = self.seen.get(name, Checkpoint(ORIGIN, 0, EMPTY_ROOT))
            verify_consistency(old.size, checkpoint.size, prove(old.size), old.root, checkpoint.root)
            self.seen[name] = checkpoint
            note += cosign(parse_note(note).text, name, a_signer(name), NOW)
        self.during()
        return note

    def count(self, note: str) -> int:
        return len(read_cosignatures(note, KNOWN))


def log_with(testlog: TestLog, witnesses: Witnesses, **given: object) -> Log:
    parts = {"signer": testlog.signer, "outside": testlog.outside, "cosigners": witnesses, **given}
    return Log(testlog.database, testlog.folder, origin=ORIGIN, random=testlog.shuffle, **parts)  # type: ignore[arg-type] # the parts of a log by name


def witnessed(testlog: TestLog) -> str:
    return (testlog.folder / "checkpoint.witnessed").read_text()


def test_the_published_checkpoint_carries_what_the_witnesses_signed(testlog: TestLog) -> None:
    witnesses = Witnesses(threshold=2)
    log = log_with(testlog, witnesses)
    for count in (3, 300, 700):
        testlog.put(count)
        log.sequence(NOW)
    testlog.check()
    assert len(read_cosignatures(log.checkpoint(), KNOWN)) == 2
    assert witnessed(testlog) == log.checkpoint()
    assert {one.size for one in witnesses.seen.values()} == {1003}


def test_a_witness_that_sleeps_holds_up_nothing_but_the_witnessed_checkpoint(testlog: TestLog) -> None:
    witnesses = Witnesses(threshold=2)
    log = log_with(testlog, witnesses)
    testlog.put(5)
    log.sequence(NOW)
    witnesses.awake = {"w1"}
    testlog.put(5)
    assert log.sequence(NOW).size == 10
    assert open_checkpoint(log.checkpoint(), testlog.signer.public_key, ORIGIN).size == 10
    assert open_checkpoint(witnessed(testlog), testlog.signer.public_key, ORIGIN).size == 5
    witnesses.awake, witnesses.asked = {"w1", "w2"}, []
    log.sequence(NOW)
    assert witnesses.asked == ["w2"]  # the other's line was kept
    assert open_checkpoint(witnessed(testlog), testlog.signer.public_key, ORIGIN).size == 10
    testlog.check()


def test_what_must_not_wait_asks_no_witness_and_the_next_run_does(testlog: TestLog) -> None:
    witnesses = Witnesses()
    log = log_with(testlog, witnesses)
    testlog.put(5)
    assert log.unwitnessed.sequence(NOW).size == 5
    assert not witnesses.asked
    assert not (testlog.folder / "checkpoint.witnessed").exists()
    log.sequence(NOW)
    assert witnesses.asked == ["w1", "w2"]
    assert witnessed(testlog) == log.checkpoint()


def test_a_run_without_cosigners_keeps_the_lines_that_are_there(testlog: TestLog) -> None:
    log = log_with(testlog, Witnesses())
    testlog.put(5)
    log.sequence(NOW)
    before = log.checkpoint()
    testlog.log.sequence(NOW)
    assert log.checkpoint() == before


def test_a_note_that_was_overtaken_while_witnesses_were_asked_never_replaces_the_newer_one(testlog: TestLog) -> None:
    witnesses = Witnesses()
    log = log_with(testlog, witnesses)
    testlog.put(5)

    def overtake() -> None:
        witnesses.during = lambda: None
        testlog.put(5)
        testlog.log.sequence(NOW)

    witnesses.during = overtake
    log.sequence(NOW)
    assert open_checkpoint(log.checkpoint(), testlog.signer.public_key, ORIGIN).size == 10
    assert open_checkpoint(witnessed(testlog), testlog.signer.public_key, ORIGIN).size == 5
    testlog.check()


def test_a_cosigner_that_loses_the_logs_own_signature_is_refused(testlog: TestLog) -> None:
    class Careless(Witnesses):
        def cosign(self, note: str, checkpoint: Checkpoint, prove: Callable[[int], Sequence[bytes]]) -> str:
            lines = super().cosign(note, checkpoint, prove).splitlines(keepends=True)
            return "".join(line for line in lines if not line.startswith(f"— {ORIGIN}"))

    testlog.put(5)
    with pytest.raises(BadNote, match="no signature by"):
        log_with(testlog, Careless()).sequence(NOW)
    testlog.check()  # what was published before stays


def test_damaged_tiles_give_no_consistency_proof(testlog: TestLog) -> None:
    testlog.put(700)
    testlog.log.sequence(NOW)
    tile = testlog.folder / "tile/0/001"
    content = bytearray(tile.read_bytes())
    content[-1] ^= 1
    tile.write_bytes(content)
    witnesses = Witnesses(seen={"w1": Checkpoint(ORIGIN, 511, bytes(32))}, awake={"w1"})
    with pytest.raises(LogDamaged, match="not the ones signed"):
        log_with(testlog, witnesses).sequence(NOW)


# ---- proofs under a witnessed checkpoint ----------------------------------------------------------------------


def test_proofs_are_under_the_newest_checkpoint_that_enough_witnesses_saw(testlog: TestLog) -> None:
    witnesses = Witnesses(threshold=2)
    log = log_with(testlog, witnesses)
    reader = LogReader(testlog.database, testlog.folder, threshold=lambda: witnesses.threshold, count=witnesses.count)
    first = testlog.put(5)
    log.sequence(NOW)
    witnesses.awake = {"w1"}
    second = testlog.put(5)
    log.sequence(NOW)
    key = testlog.signer.public_key
    assert verify_proof(reader.proof(first[0]), testlog.put_so_far[0], key, ORIGIN).size == 5
    assert reader.is_logged(first)
    assert not reader.is_logged(second)
    witnesses.threshold = 1
    log.sequence(NOW)
    assert reader.is_logged(second)
    witnesses.threshold = 0
    assert verify_proof(reader.proof(second[0]), testlog.put_so_far[5], key, ORIGIN).size == 10


def test_without_enough_cosignatures_nothing_is_proven(testlog: TestLog) -> None:
    witnesses = Witnesses(threshold=2, awake={"w1"})
    log = log_with(testlog, witnesses)
    reader = LogReader(testlog.database, testlog.folder, threshold=lambda: witnesses.threshold, count=witnesses.count)
    ids = testlog.put(5)
    log.sequence(NOW)
    assert not reader.is_logged(ids)
    with pytest.raises(NotWitnessed, match="the 2 cosignatures"):
        reader.proof(ids[0])
    witnesses.threshold = 1
    log.sequence(NOW)
    assert reader.is_logged(ids)
    witnesses.threshold = 2  # demanded since then: the file has one
    with pytest.raises(NotWitnessed):
        reader.prove([(0, testlog.put_so_far[0])])


def bad_line(name: str = "w1") -> str:
    """A line under a known key that fits another text."""
    return cosign("another text\n", name, a_signer(name), NOW)


def test_lines_that_nobody_verified_never_make_a_checkpoint_a_witnessed_one(testlog: TestLog) -> None:
    ids = testlog.put(5)
    witnesses = Witnesses(threshold=2, awake={"w1"})
    log_with(testlog, witnesses).sequence(NOW)
    reader = LogReader(testlog.database, testlog.folder, threshold=lambda: 2, count=witnesses.count)
    note = (testlog.folder / "checkpoint").read_text()
    strangers = "".join(cosign(parse_note(note).text, name, a_signer("thief"), NOW) for name in ("x", "y", "w2"))
    (testlog.folder / "checkpoint.witnessed").write_text(note + strangers)
    with pytest.raises(NotWitnessed):
        reader.proof(ids[0])


def test_a_poisoned_witnessed_checkpoint_is_never_used_and_the_next_run_replaces_it(testlog: TestLog) -> None:
    ids = testlog.put(5)
    witnesses = Witnesses(threshold=1)
    log = log_with(testlog, witnesses)
    log.sequence(NOW)
    reader = LogReader(testlog.database, testlog.folder, threshold=lambda: 1, count=witnesses.count)
    good = witnessed(testlog)
    (testlog.folder / "checkpoint.witnessed").write_text(good + bad_line())
    with pytest.raises(LogDamaged, match="does not fit the text"):
        reader.proof(ids[0])
    log.sequence(NOW)
    assert witnessed(testlog) == good
    assert reader.is_logged(ids)


def test_a_poisoned_note_of_the_cosigners_is_not_published(testlog: TestLog) -> None:
    class Fooled(Witnesses):
        def cosign(self, note: str, checkpoint: Checkpoint, prove: Callable[[int], Sequence[bytes]]) -> str:
            return super().cosign(note, checkpoint, prove) + bad_line()

    testlog.put(5)
    with pytest.raises(BadNote, match="does not fit the text"):
        log_with(testlog, Fooled()).sequence(NOW)
    assert [one.name for one in parse_note(testlog.log.checkpoint()).signatures] == [ORIGIN]
    assert not (testlog.folder / "checkpoint.witnessed").exists()


def test_a_bad_line_on_a_published_note_goes_with_the_next_run_even_if_no_witness_is_asked(testlog: TestLog) -> None:
    testlog.put(5)
    log = log_with(testlog, Witnesses())
    log.sequence(NOW)
    good = log.checkpoint()
    for path in (testlog.folder / "checkpoint", testlog.outside):
        path.write_text(good + bad_line("w2"))
    log.unwitnessed.sequence(NOW)
    assert log.checkpoint() == good


@pytest.mark.parametrize("content", [b"", b"\xff", b"rsj.example/log\n"])
def test_a_witnessed_checkpoint_that_is_none_is_damage(testlog: TestLog, content: bytes) -> None:
    ids = testlog.put(5)
    testlog.log.sequence(NOW)
    (testlog.folder / "checkpoint.witnessed").write_bytes(content)
    with pytest.raises(LogDamaged):
        LogReader(testlog.database, testlog.folder, threshold=lambda: 1).proof(ids[0])


def test_a_witnessed_checkpoint_of_another_tree_stops_the_sequencer(testlog: TestLog) -> None:
    log = log_with(testlog, Witnesses())
    testlog.put(5)
    log.sequence(NOW)
    note = witnessed(testlog)
    testlog.put(5)
    log.sequence(NOW)
    (testlog.folder / "checkpoint.witnessed").write_text(note.replace("\n5\n", "\n6\n"))
    with pytest.raises(LogForked):
        log.sequence(NOW)


# ---- a new key of the log -------------------------------------------------------------------------------------


def test_a_former_key_is_believed_for_what_is_published_and_the_head_is_signed_anew(testlog: TestLog) -> None:
    old, new = testlog.signer, a_signer("new log key")
    log_with(testlog, Witnesses(), signer=old)
    testlog.put(5)
    log_with(testlog, Witnesses(), signer=old).sequence(NOW)
    with pytest.raises(LogForked, match="no signature by"):
        log_with(testlog, Witnesses(), signer=new).sequence(NOW)
    after = log_with(testlog, Witnesses(), signer=new, former_keys=[a_signer("x").public_key, old.public_key])
    after.unwitnessed.sequence(NOW)
    note = after.checkpoint()
    assert open_checkpoint(note, new.public_key, ORIGIN).size == 5
    with pytest.raises(BadNote):
        open_checkpoint(note, old.public_key, ORIGIN)
    assert len(read_cosignatures(note, KNOWN)) == 2  # they vouch for the text, which is the same
    testlog.put(5)
    assert after.sequence(NOW).size == 10
    testlog.signer = new
    testlog.check()


@pytest.mark.parametrize(("size", "error"), [(4, LogForked), (5, LogForked), (6, LogRolledBack)])
def test_a_former_key_makes_no_other_tree_acceptable(testlog: TestLog, size: int, error: type[Exception]) -> None:
    old, new = testlog.signer, a_signer("new log key")
    testlog.put(5)
    testlog.log.sequence(NOW)
    after = log_with(testlog, Witnesses(), signer=new, former_keys=[old.public_key])
    after.sequence(NOW)
    (testlog.folder / "checkpoint").write_text(sign_checkpoint(Checkpoint(ORIGIN, size, b"\x07" * 32), old))
    with pytest.raises(error):
        after.sequence(NOW)
