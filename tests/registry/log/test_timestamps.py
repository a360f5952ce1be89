"""Stamped checkpoints of a real log: what covers a leaf, proven under a tree that has grown far beyond since."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from credential.leaves import issue_leaf
from credential.merkle import LogProof, verify_consistency
from credential.note import open_checkpoint, verify_proof
from credential.ports import Algorithm
from registry.log.outbox import put_leaves
from registry.log.sequencer import Log
from registry.log.tables import LogLeafRow
from registry.log.tiles import LogDamaged
from registry.log.timestamps import Stamp, StampedCheckpoints, signed_head, tsa_name
from tests.fakes_issuer import ORIGIN, House, MemorySigner, build_house

T = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
MINUTE = timedelta(minutes=1)
KEY = MemorySigner("log", Algorithm.ED25519).public_key


def grow(house: House, to: int) -> str:
    """Let the log grow to a size; returns its checkpoint."""
    note = house.log.sequence(house.clock.now())
    with house.database.transaction() as session:
        put_leaves(session, [issue_leaf(hashlib.sha256(b"%d" % at).digest(), bytes(16)) for at in range(note.size, to)])
    house.log.sequence(house.clock.now())
    return house.log.checkpoint()


def leaf_at(house: House, position: int) -> bytes:
    with house.database.reading() as session:
        return session.exec(select(LogLeafRow.leaf).where(LogLeafRow.position == position)).one()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build_house(tmp_path)


@pytest.fixture
def stamped(house: House, tmp_path: Path) -> StampedCheckpoints:
    return StampedCheckpoints(house.database, tmp_path / "log")


def keep(stamped: StampedCheckpoints, note: str, at: datetime, tsa: str = "https://tsa.example.org/a") -> bool:
    return stamped.keep(Stamp(note, tsa, f"token of {at} by {tsa}".encode(), at, at))


def test_the_earliest_stamp_that_covers_a_leaf_proves_it_under_its_own_smaller_tree(
    house: House, stamped: StampedCheckpoints
) -> None:
    """Sizes on both sides of a full tile: by the end the partial tiles of the first ones are gone."""
    sizes = [1, 200, 256, 257, 700]
    notes = [grow(house, size) for size in sizes]
    for number, note in enumerate(notes):
        assert keep(stamped, note, T + number * MINUTE)
    newest = grow(house, 700)
    assert newest == notes[-1]
    for position in (0, 1, 199, 200, 255, 256, 257, 511, 512, 699):
        leaf = leaf_at(house, position)
        (found,) = stamped.attested(leaf, position, T + timedelta(days=1))
        covering = next(number for number, size in enumerate(sizes) if size > position)
        assert isinstance(found.proof, LogProof)
        assert found.proof.checkpoint == notes[covering]
        assert found.token.startswith(f"token of {T + covering * MINUTE}".encode())
        small = verify_proof(found.proof, leaf, KEY, ORIGIN)
        large = open_checkpoint(found.grown_into, KEY, ORIGIN)
        verify_consistency(small.size, large.size, found.growth, small.root, large.root)
        assert stamped.attested(leaf, position, T + covering * MINUTE) == []  # at that moment is too late
    assert stamped.covered_before(ORIGIN, T) == 0
    assert stamped.covered_before(ORIGIN, T + 2 * MINUTE) == 200
    assert stamped.last_before(ORIGIN, T + 2 * MINUTE) == T + MINUTE


def test_there_is_one_piece_for_each_authority_and_each_key_of_the_log(
    house: House, stamped: StampedCheckpoints, tmp_path: Path
) -> None:
    note = grow(house, 5)
    for at, tsa in ((T + MINUTE, "https://tsa.example.org/a"), (T, "https://tsa.example.org/b")):
        assert keep(stamped, note, at, tsa)
        assert not keep(stamped, note, at, tsa)
    assert stamped.stamped_by(note) == {"https://tsa.example.org/a", "https://tsa.example.org/b"}
    next_key = MemorySigner("next", Algorithm.ED25519)
    rolled = Log(house.database, tmp_path / "log", next_key, ORIGIN, bytes, former_keys=(KEY,))
    rolled.sequence(house.clock.now())
    again = rolled.checkpoint()
    assert signed_head(again).size == signed_head(note).size
    assert stamped.stamped_by(again) == frozenset()
    assert keep(stamped, again, T + 2 * MINUTE)
    assert keep(stamped, again, T + 3 * MINUTE, "https://tsa.example.org/b")
    found = stamped.attested(leaf_at(house, 3), 3, T + timedelta(days=1))
    times = [one.token.decode().split(" by ")[0].removeprefix("token of ") for one in found]
    assert times == [str(T), str(T + MINUTE), str(T + 2 * MINUTE), str(T + 3 * MINUTE)]
    assert len({tsa_name(f"https://tsa.example.org/{name}") for name in "ab"}) == 2
    assert len(list((tmp_path / "log/timestamps").iterdir())) == 2


def test_damaged_tiles_and_a_log_that_was_rolled_back_are_no_answer(
    house: House, stamped: StampedCheckpoints, tmp_path: Path
) -> None:
    first, second = grow(house, 3), grow(house, 300)
    keep(stamped, second, T)
    with pytest.raises(LogDamaged):
        stamped.attested(leaf_at(house, 2), 1, T + MINUTE)
    (tmp_path / "log/checkpoint").write_text(first, "utf-8")
    with pytest.raises(LogDamaged, match="300 leaves was stamped"):
        stamped.attested(leaf_at(house, 1), 1, T + MINUTE)


@pytest.mark.parametrize("note", ["", "no note", f"{ORIGIN}\n1\nAAAA\n\n— somebody AAAAAAAA\n"])
def test_what_is_no_checkpoint_of_the_log_is_not_kept(note: str, stamped: StampedCheckpoints) -> None:
    with pytest.raises(LogDamaged):
        keep(stamped, note, T)
