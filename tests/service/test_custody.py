"""What is done with an administrative key stands on the history; what stood there before stays as it was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from credential.leaves import history_leaf
from registry.columns import table_of
from registry.history import (
    Entry,
    HistoryBroken,
    HistoryKind,
    HistoryTampered,
    entry_digest,
    head,
    head_salt,
    verify_logged_history,
)
from registry.log.tables import LogLeafRow
from registry.tables import HistoryRow
from registry.triggers import drop_triggers
from service.custody import MAX_SUBJECT, BadSubject, UnregisteredPerson, is_of_the_service, note_use, put_use
from service.house import House, SystemClock
from service.keeping import verify_whole_log
from service.settings import Settings
from tests.service.at_hand import PASSPHRASE

SUBJECT = "key qr nb@2 5d1f00aa5d1f00aa"
OF_THE_SERVICE = [kind for kind in HistoryKind if is_of_the_service(kind)]


@pytest.fixture
def house(issued_data: Path) -> Iterator[House]:
    opened = House(Settings(data=issued_data), PASSPHRASE.encode("ascii"), SystemClock())
    yield opened
    opened.database.close()


def rows(house: House) -> list[HistoryRow]:
    with house.database.reading() as session:
        return list(session.exec(select(HistoryRow).order_by(col(HistoryRow.sequence))))


def checked(house: House) -> int:
    with house.database.reading() as session:
        return verify_logged_history(session, house.vault)


def fail_after_use(house: House) -> None:
    with house.database.transaction() as session:
        put_use(session, house.vault, Entry(HistoryKind.KEY_RETIRED, None, SUBJECT, house.now(), None))
        raise RuntimeError("the deed failed")


def test_a_use_is_chained_and_its_head_has_a_leaf(house: House) -> None:
    before = rows(house)
    note_use(house, HistoryKind.KEY_MADE, SUBJECT)
    after = rows(house)
    newest = after[-1]
    assert [one.digest for one in after[:-1]] == [one.digest for one in before]
    assert (newest.kind, newest.issuer_id, newest.maker, newest.subject) == ("key-made", None, None, SUBJECT)
    assert newest.previous == before[-1].digest
    assert checked(house) == len(before) + 1
    with house.database.reading() as session:
        assert head(session) == (newest.sequence, newest.digest)
        leaf = history_leaf(newest.digest, newest.sequence, head_salt(house.vault, newest.sequence))
        stored = session.execute(select(table_of(LogLeafRow).c.leaf)).scalars().all()
        assert stored.count(leaf) == 1


def test_the_log_stays_whole_before_and_after_the_leaf_is_logged(house: House) -> None:
    note_use(house, HistoryKind.TRUST_LIST_PUBLISHED, "trust list version 2", maker="wang")
    before = verify_whole_log(house)
    house.log.sequence(house.now())
    assert verify_whole_log(house).size == before.size + 1


def test_a_person_may_stand_in_it(house: House) -> None:
    note_use(house, HistoryKind.BACKED_UP, "backup to the second site", maker="li")
    assert rows(house)[-1].maker == "li"


@pytest.mark.parametrize("kind", OF_THE_SERVICE)
def test_every_kind_of_the_service_is_taken(house: House, kind: HistoryKind) -> None:
    note_use(house, kind, "x" * MAX_SUBJECT)
    assert rows(house)[-1].kind == kind
    assert checked(house) == len(rows(house))


@pytest.mark.parametrize("kind", [kind for kind in HistoryKind if kind not in OF_THE_SERVICE])
def test_a_kind_that_names_persons_is_refused(house: House, kind: HistoryKind) -> None:
    before = len(rows(house))
    with pytest.raises(ValueError, match="written with its issuer"):
        note_use(house, kind, SUBJECT)
    assert len(rows(house)) == before


@pytest.mark.parametrize("subject", ["", "x" * (MAX_SUBJECT + 1), "two\nlines", "a\x00b", "a\u2028b", "\x9b31m"])
def test_a_subject_is_one_line(house: House, subject: str) -> None:
    before = len(rows(house))
    with pytest.raises(BadSubject):
        note_use(house, HistoryKind.KEY_MADE, subject)
    assert len(rows(house)) == before


def test_nobody_who_is_not_registered_stands_in_it(house: House) -> None:
    before = len(rows(house))
    with pytest.raises(UnregisteredPerson):
        note_use(house, HistoryKind.KEY_MADE, SUBJECT, maker="nobody")
    assert len(rows(house)) == before


def test_a_use_is_rolled_back_with_the_deed_it_belongs_to(house: House) -> None:
    before = len(rows(house))
    with pytest.raises(RuntimeError, match="the deed failed"):
        fail_after_use(house)
    assert checked(house) == before


def test_an_entry_of_the_service_that_is_changed_or_cut_off_is_found(house: House) -> None:
    note_use(house, HistoryKind.KEY_COMPROMISED, SUBJECT)
    last = len(rows(house))
    with house.database.transaction() as session:
        drop_triggers(session.connection())
        session.get_one(HistoryRow, last).subject = "key qr nb@1 0000000000000000"
    with pytest.raises(HistoryBroken):
        checked(house)
    with house.database.transaction() as session:
        session.delete(session.get_one(HistoryRow, last))
    with pytest.raises(HistoryTampered):
        checked(house)


def test_the_digest_of_an_entry_is_what_it_was_before_entries_could_be_of_the_service() -> None:
    """Computed with the code of version 0.2; a change of the record would break every chain there is."""
    row = HistoryRow(
        sequence=7,
        previous=bytes(range(32)),
        digest=b"",
        kind="batch-approved",
        issuer_id="nb",
        subject="batch 3",
        batch_id=3,
        recorded_at=datetime(2026, 7, 8, tzinfo=UTC) + timedelta(microseconds=5),
        maker="wang",
        checker="li",
    )
    assert entry_digest(row).hex() == "082a28be9dbdf1fd1c3165cbaa65a50bf9b0dbed147a4de058861c75cb652dd3"
