"""What is remembered of a reserved chunk is what the database says, or it is not used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from credential.leaves import LeafKind
from credential.model import State
from issuer.batch import approve, submit
from issuer.issue import finish_chunk, reserve_chunk
from registry.batches import get_batch
from registry.chunks import get_chunk
from registry.credentials import find_by_batch
from registry.database import Session
from registry.erasures import destroy
from registry.reserve_records import read_reserve_records, reserve_record_name
from registry.reserved import Remembered, ReservedChunk, read_chunk, recall_chunk
from registry.vault import RecordErased
from tests.fakes_issuer import CHECKER, MAKER, FakePrinted, House, build_house, make_records
from tests.faults.faults import expect_exactly_once, leaf_kinds, run_all
from tests.issuer.successors import approve_it, change, changed, record_of, submit_successor

pytestmark = pytest.mark.usefixtures("either_registry")

ROWS = 3


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build_house(tmp_path)


@pytest.fixture
def chunk(house: House) -> Remembered:
    """The first chunk of the first batch, of which the last row has no photo, reserved and logged."""
    records = make_records(ROWS - 1) + make_records(1, photos=False, start=9, first_row=90)
    batch = submit(house.office, records, [], maker=MAKER, now=house.clock.now()).batch
    approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())
    remembered = reserve_chunk(house.line, batch.id, 1)
    house.log.sequence(house.clock.now())
    assert remembered is not None
    return remembered


def recalled(house: House, remembered: Remembered) -> ReservedChunk | None:
    with house.database.reading() as session:
        return recall_chunk(session, get_batch(session, 1), get_chunk(session, 1, 1), remembered)


def read(house: House) -> ReservedChunk:
    with house.database.reading() as session:
        return read_chunk(session, house.vault, get_batch(session, 1), get_chunk(session, 1, 1))


def asked_to_print(house: House, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the press is handed from now on; it fails at the last row, so that nothing is stored."""
    asked: list[tuple[Any, ...]] = []

    def ask(claims: object, **named: object) -> FakePrinted:
        asked.append((claims, sorted(named.items())))
        if len(asked) == ROWS:
            raise ZeroDivisionError
        return FakePrinted(bytes(32), b"tail", bytes(32), 9)

    monkeypatch.setattr(house.press, "print", ask)
    return asked


def test_what_is_remembered_is_what_would_be_read(house: House, chunk: Remembered) -> None:
    one, other = recalled(house, chunk), read(house)
    assert one is not None
    assert (one.claims, one.reservation) == (other.claims, other.reservation)
    assert [each[:-1] for each in one.credentials] == [each[:-1] for each in other.credentials]
    assert len(one.credentials) == ROWS
    for mine, theirs in zip(one.credentials, other.credentials, strict=True):
        sealed = mine.key.seal_bytes(b"tail", b"here")
        assert theirs.key.open_bytes(sealed, b"here") == b"tail", "the key is the row's"


def test_the_press_is_asked_for_the_same_both_ways(
    house: House, chunk: Remembered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = build_house(tmp_path, is_new=False, clock=house.clock)
    from_memory, from_database = asked_to_print(house, monkeypatch), asked_to_print(other, monkeypatch)
    for at, remembered in ((house, chunk), (other, None)):
        with pytest.raises(ZeroDivisionError):
            finish_chunk(at.line, 1, 1, remembered)
    assert len(from_memory) == ROWS
    assert from_memory == from_database


def test_a_chunk_finished_from_memory_is_a_chunk_like_any_other(house: House, tmp_path: Path) -> None:
    assert run_all(house) == 1  # the engine hands on what was reserved
    expect_exactly_once(house, 1, tmp_path)


def test_a_key_destroyed_meanwhile_is_not_used(house: House, chunk: Remembered) -> None:
    with house.database.transaction() as session:
        destroy(session, find_by_batch(session, 1)[1], house.clock.now())
    assert recalled(house, chunk) is None
    with pytest.raises(RecordErased):
        finish_chunk(house.line, 1, 1, chunk)
    assert house.press.printed == []
    assert LeafKind.SEAL not in leaf_kinds(house)


def test_a_credential_revoked_meanwhile_is_kept_as_one_that_is_no_longer_live(house: House, chunk: Remembered) -> None:
    serial = chunk.rows[1].serial
    change(house, serial, State.REVOKED)
    assert recalled(house, chunk) is None
    finish_chunk(house.line, 1, 1, chunk)
    kept = read_reserve_records(house.blobs, house.vault, reserve_record_name(chunk.pack_name))
    assert [one.live_key is None for one in kept.records] == [False, True, False]
    assert len(house.press.printed) == ROWS


def forget_pack(remembered: Remembered) -> Remembered:
    return Remembered("tails/1/1-0123456789abcdef", remembered.rows, remembered.news)


def forget_row(remembered: Remembered) -> Remembered:
    return Remembered(remembered.pack_name, remembered.rows[1:], remembered.news[1:])


def wrap_anew(remembered: Remembered) -> Remembered:
    row = remembered.rows[0]._replace(wrapped=b"as it was")
    return Remembered(remembered.pack_name, [row, *remembered.rows[1:]], remembered.news)


@pytest.mark.parametrize("differ", [forget_pack, forget_row, wrap_anew])
def test_what_differs_in_anything_is_read_anew(
    house: House, chunk: Remembered, differ: Callable[[Remembered], Remembered]
) -> None:
    assert recalled(house, differ(chunk)) is None
    finish_chunk(house.line, 1, 1, differ(chunk))
    assert len(house.press.printed) == ROWS
    house.log.sequence(house.clock.now())
    with house.database.reading() as session:
        assert _sealed(session) == ROWS


def test_a_chunk_with_a_successor_in_it_is_never_remembered(house: House) -> None:
    run_all(house)
    serial = house.press.printed[0]
    batch = submit_successor(house, serial, changed(record_of(house, serial), specialty="电气"))
    approve_it(house, batch)
    assert reserve_chunk(house.line, batch.id, 1) is None


def _sealed(session: Session) -> int:
    return int(session.execute(text("SELECT COUNT(*) FROM credential_file")).scalar_one())
