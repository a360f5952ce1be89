import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from credential.leaves import status_list_leaf
from credential.model import StatusValue
from credential.ports import Algorithm
from registry.database import Database, migrate
from registry.log.files import replace_durably
from registry.status import publisher as publisher_module
from registry.status import slots as slots_module
from registry.status.publisher import StatusIsFinal, StatusLists, UnknownStatusList
from registry.status.slots import CAPACITY, Slot, SlotsDamaged, allocate_slots, close_lists
from registry.status.token_list import LIFETIME, SLOTS, TTL, StatusExpired, StatusList, open_status_token
from registry.triggers import drop_triggers

NOW = datetime(2026, 11, 22, 14, 0, 0, 123456, tzinfo=UTC)
BASE = "https://rsj.example/status"


@dataclass(frozen=True)
class P256Signer:
    """A working signer of the shape of credential.ports.Signer."""

    key: ec.EllipticCurvePrivateKey
    algorithm: Algorithm = Algorithm.P256

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, ec.ECDSA(SHA256()))


SIGNER = P256Signer(ec.derive_private_key(0x5EA1, ec.SECP256R1()))


def make_database(folder: Path) -> Database:
    url = f"sqlite:///{folder / 'registry.sqlite'}"
    migrate(url)
    return Database(url)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return make_database(tmp_path)


@pytest.fixture
def lists(database: Database, tmp_path: Path) -> StatusLists:
    return StatusLists(database, tmp_path / "status", SIGNER, BASE + "/")


def _seeded(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes  # noqa: S311 - repeatable tests


def _allocate(database: Database, count: int, seed: int = 1) -> list[Slot]:
    with database.transaction() as session:
        return allocate_slots(session, count, _seeded(seed))


def _set(database: Database, lists: StatusLists, slot: Slot, value: StatusValue) -> None:
    with database.transaction() as session:
        lists.set_status(session, slot, value)


def _open(lists: StatusLists, number: int, now: datetime = NOW) -> StatusList:
    from_cwt = open_status_token(lists.token(number), SIGNER.public_key, now)
    assert open_status_token(lists.jwt(number), SIGNER.public_key, now) == from_cwt
    return from_cwt


def _outbox(database: Database) -> list[bytes]:
    with database.reading() as session:
        return list(session.execute(text("SELECT leaf FROM log_leaf ORDER BY id")).scalars())


# ---- slots ----------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(counts=st.lists(st.integers(0, 3000), min_size=1, max_size=5))
def test_no_slot_is_ever_given_twice(tmp_path_factory: pytest.TempPathFactory, counts: list[int]) -> None:
    database = make_database(tmp_path_factory.mktemp("slots"))
    slots = [slot for seed, count in enumerate(counts) for slot in _allocate(database, count, seed)]
    assert len(slots) == sum(counts) == len(set(slots))
    assert all(slot.list_number == 1 and 0 <= slot.index < SLOTS for slot in slots)


def test_the_same_randomness_again_still_gives_other_slots(database: Database) -> None:
    first, again = _allocate(database, 500, seed=7), _allocate(database, 500, seed=7)
    assert not set(first) & set(again)


def test_slots_are_spread_over_the_whole_list(database: Database) -> None:
    with database.transaction() as session:
        indexes = [slot.index for slot in allocate_slots(session, 4000, os.urandom)]
    quarters = [sum(index // (SLOTS // 4) == quarter for index in indexes) for quarter in range(4)]
    assert min(quarters) > 800  # 1000 expected; below 800 once in 10^12 runs
    assert indexes != sorted(indexes)


def test_slots_of_a_transaction_that_was_undone_are_free_again(database: Database) -> None:
    def undone() -> None:
        with database.transaction() as session:
            allocate_slots(session, 10, _seeded(1))
            session.execute(text("DELETE FROM status_list"))

    with pytest.raises(IntegrityError):
        undone()
    assert len(_allocate(database, 10)) == 10
    with database.reading() as session:
        assert session.execute(text("SELECT allocated FROM status_list")).scalar_one() == 10


def test_a_full_list_is_closed_and_the_next_one_opened(database: Database) -> None:
    with patch.object(slots_module, "CAPACITY", 100):
        slots = _allocate(database, 90) + _allocate(database, 30, 2) + _allocate(database, 100, 3)
    assert [sum(slot.list_number == number for slot in slots) for number in (1, 2, 3)] == [100, 100, 20]
    assert len(set(slots)) == 220


def test_one_list_really_takes_fifteen_sixteenths_of_its_slots(database: Database) -> None:
    assert CAPACITY == 983_040
    with database.transaction() as session:
        slots = allocate_slots(session, CAPACITY + 1, os.urandom)
    assert len(set(slots)) == CAPACITY + 1
    assert slots[-1].list_number == 2


def test_closed_lists_give_no_more_slots(database: Database) -> None:
    _allocate(database, 3)
    with database.transaction() as session:
        close_lists(session)
    assert _allocate(database, 1)[0].list_number == 2


def test_a_record_of_slots_that_does_not_add_up_is_refused(database: Database) -> None:
    _allocate(database, 3)
    with database.transaction() as session:
        drop_triggers(session.connection())
        session.execute(text("UPDATE status_list SET taken = zeroblob(131072)"))
    with pytest.raises(SlotsDamaged):
        _allocate(database, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM status_list",
        "DELETE FROM status_entry",
        "UPDATE status_list SET allocated = 0",
        "UPDATE status_list SET number = 9",
        "UPDATE status_entry SET value = 0",
        "UPDATE status_entry SET slot = slot + 1",
        "INSERT INTO status_entry (list_number, slot, value) VALUES (1, 5, 4)",
    ],
)
def test_the_database_lets_nobody_free_a_slot_or_undo_a_revocation(
    database: Database, lists: StatusLists, statement: str
) -> None:
    slot = _allocate(database, 1)[0]
    _set(database, lists, slot, StatusValue.INVALID)
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.execute(text(statement))


# ---- publishing -----------------------------------------------------------------------------------------------


def test_a_revocation_stands_in_both_forms_once_published(database: Database, lists: StatusLists) -> None:
    slots = _allocate(database, 4)
    for slot, value in zip(slots, StatusValue, strict=True):
        if value is not StatusValue.VALID:
            _set(database, lists, slot, value)
    assert lists.publish(NOW) == [1]
    opened = _open(lists, 1)
    assert [opened.value(slot.index) for slot in slots] == list(StatusValue)
    assert (opened.sub, opened.ttl, opened.exp - opened.iat) == (f"{BASE}/1", TTL, LIFETIME)
    assert opened.iat == NOW.replace(microsecond=0)
    assert sum(byte.bit_count() > 0 for byte in opened.data) <= 3


def test_a_new_list_is_published_though_nothing_was_revoked(database: Database, lists: StatusLists) -> None:
    _allocate(database, 1)
    assert lists.publish(NOW) == [1]
    assert not any(_open(lists, 1).data)
    assert lists.publish(NOW) == []


def test_only_lists_that_changed_are_written(database: Database, lists: StatusLists) -> None:
    with patch.object(slots_module, "CAPACITY", 2):
        slots = _allocate(database, 4)
    assert lists.publish(NOW) == [1, 2]
    second = next(slot for slot in slots if slot.list_number == 2)
    _set(database, lists, second, StatusValue.SUSPENDED)
    before = lists.token(1)
    assert lists.publish(NOW) == [2]
    assert lists.token(1) == before


def test_a_suspension_can_be_lifted_and_invalid_is_final(database: Database, lists: StatusLists) -> None:
    slot = _allocate(database, 1)[0]
    for value in (StatusValue.SUSPENDED, StatusValue.VALID, StatusValue.SUSPENDED, StatusValue.INVALID):
        _set(database, lists, slot, value)
        lists.publish(NOW)
        assert _open(lists, 1).value(slot.index) == value
    for value in (StatusValue.VALID, StatusValue.SUSPENDED, StatusValue.SUPERSEDED):
        with pytest.raises(StatusIsFinal):
            _set(database, lists, slot, value)
    _set(database, lists, slot, StatusValue.INVALID)
    lists.publish(NOW)
    assert _open(lists, 1).value(slot.index) == StatusValue.INVALID


def test_a_change_of_a_transaction_that_was_undone_is_not_published(database: Database, lists: StatusLists) -> None:
    slot = _allocate(database, 1)[0]
    lists.publish(NOW)

    def undone() -> None:
        with database.transaction() as session:
            lists.set_status(session, slot, StatusValue.INVALID)
            session.execute(text("DELETE FROM status_list"))

    with pytest.raises(IntegrityError):
        undone()
    assert lists.publish(NOW) == []
    assert _open(lists, 1).value(slot.index) == StatusValue.VALID


def test_every_published_token_has_its_leaf_in_the_outbox(database: Database, lists: StatusLists) -> None:
    slot = _allocate(database, 1)[0]
    published = []
    for minutes, value in enumerate((StatusValue.SUSPENDED, StatusValue.INVALID)):
        _set(database, lists, slot, value)
        lists.publish(NOW + timedelta(minutes=minutes))
        published.append(_open(lists, 1))
    leaves = [status_list_leaf(one.sub, one.iat, one.digest) for one in published]
    assert _outbox(database) == leaves
    assert leaves[0] != leaves[1]


def test_refresh_publishes_again_when_the_token_is_as_old_as_its_ttl(database: Database, lists: StatusLists) -> None:
    _allocate(database, 1)
    assert lists.refresh(NOW) == [1]
    assert lists.refresh(NOW + timedelta(seconds=599)) == []
    assert lists.refresh(NOW + timedelta(seconds=600)) == [1]
    assert _open(lists, 1, NOW + TTL).iat == (NOW + TTL).replace(microsecond=0)


def test_a_lost_file_comes_back_with_the_next_refresh(database: Database, lists: StatusLists, tmp_path: Path) -> None:
    _allocate(database, 1)
    lists.publish(NOW)
    (tmp_path / "status/1.cwt").unlink()
    with pytest.raises(UnknownStatusList):
        lists.token(1)
    assert lists.refresh(NOW) == [1]
    assert not any(_open(lists, 1).data)


def test_a_list_nobody_published_again_for_a_day_says_nothing(database: Database, lists: StatusLists) -> None:
    _allocate(database, 1)
    lists.publish(NOW)
    with pytest.raises(StatusExpired):
        open_status_token(lists.token(1), SIGNER.public_key, NOW + LIFETIME)


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


@pytest.mark.parametrize("step", ["put_leaves", "sign_cwt", "sign_jwt", "replace_durably"])
def test_killed_at_any_step_the_next_publish_completes_it(database: Database, lists: StatusLists, step: str) -> None:
    slot = _allocate(database, 1)[0]
    lists.publish(NOW)
    _set(database, lists, slot, StatusValue.INVALID)
    with patch.object(publisher_module, step, side_effect=Killed), pytest.raises(Killed):
        lists.publish(NOW)
    assert _open(lists, 1).value(slot.index) == StatusValue.VALID
    assert lists.publish(NOW) == [1]
    assert _open(lists, 1).value(slot.index) == StatusValue.INVALID


def test_killed_after_the_files_were_written_the_list_is_published_again(
    database: Database, lists: StatusLists
) -> None:
    slot = _allocate(database, 1)[0]
    _set(database, lists, slot, StatusValue.INVALID)

    def replace_then_die(files: dict[Path, bytes]) -> None:
        replace_durably(files)
        raise Killed

    with patch.object(publisher_module, "replace_durably", replace_then_die), pytest.raises(Killed):
        lists.publish(NOW)
    torn = _open(lists, 1)
    assert status_list_leaf(torn.sub, torn.iat, torn.digest) in _outbox(database)
    assert lists.publish(NOW) == [1]
    assert lists.publish(NOW) == []


def test_a_slot_of_no_list_is_refused(database: Database, lists: StatusLists) -> None:
    _allocate(database, 1)
    for slot in (Slot(9, 1), Slot(1, SLOTS), Slot(1, -1)):
        with pytest.raises(UnknownStatusList):
            _set(database, lists, slot, StatusValue.INVALID)
    with pytest.raises(UnknownStatusList):
        lists.token(9)


def test_credentials_name_the_list_as_the_token_does(database: Database, lists: StatusLists) -> None:
    _allocate(database, 1)
    lists.publish(NOW)
    assert lists.uri(1) == _open(lists, 1).sub == "https://rsj.example/status/1"
