"""Two processes at once on PostgreSQL, where nothing but rows and locks keeps them apart."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from credential.model import RevocationReason
from issuer.batch import approve, cancel, submit
from issuer.change import revoke
from issuer.issue import finish_chunk, issue_chunk, reserve_chunk
from registry.batches import Batch, progress
from registry.credentials import find_by_batch
from registry.history import verify_logged_history
from registry.log.outbox import logged_leaves
from registry.log.reader import verify_log
from registry.numbers import account_numbers
from registry.status.slots import allocate_slots
from tests.fakes_issuer import CHECKER, ISSUER, MAKER, ORIGIN, START, House, build_house, make_records

WORKERS = 6

pytestmark = [
    pytest.mark.usefixtures("either_registry"),
    pytest.mark.parametrize("either_registry", ["postgresql"], indirect=True),
]


def houses(folder: Path, count: int = WORKERS) -> list[House]:
    """Several houses over one registry, as processes have them: each with connections of its own."""
    return [build_house(folder), *(build_house(folder, is_new=False) for _ in range(count - 1))]


def at_once(actions: list[Callable[[], object]]) -> list[object]:
    """Start all of them at the same moment; what one raises is raised here."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        start.wait(30)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return [one.result(120) for one in [pool.submit(run, action) for action in actions]]


def submitted(house: House, start: int, rows: int = 4, first_row: int = 5) -> Batch:
    records = make_records(rows, photos=False, start=start, first_row=first_row)
    return submit(house.office, records, [], maker=MAKER, now=house.clock.now()).batch


def approving(house: House, batch: Batch) -> Callable[[], object]:
    return lambda: approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())


def expect_whole(house: House, folder: Path, numbers: int) -> None:
    """No number lost or given twice, no person with two live titles, one whole log and history."""
    house.log.sequence(house.clock.now())
    with house.database.reading() as session:
        account = account_numbers(session, ISSUER.id, START.year)
        assert account.taken == numbers
        assert account.missing == ()
        serials = list(session.execute(text("SELECT serial FROM batch_row WHERE serial IS NOT NULL")).scalars())
        assert len(serials) == len(set(serials)) == numbers
        live = list(session.execute(text("SELECT live_key FROM credential WHERE live_key IS NOT NULL")).scalars())
        assert len(live) == len(set(live))
        verify_log(folder / "log", house.log_signer.public_key, ORIGIN, logged_leaves(session))
        verify_logged_history(session, house.vault)


def test_the_same_persons_in_batches_approved_at_once_get_one_live_certificate_each(tmp_path: Path) -> None:
    team = houses(tmp_path)
    # Another first row makes another batch of the same persons.
    batches = [submitted(team[0], start=1, first_row=5 + 10 * at) for at in range(WORKERS)]
    at_once([approving(house, batch) for house, batch in zip(team, batches, strict=True)])
    at_once([issuing(house, batch) for house, batch in zip(team, batches, strict=True)])
    with team[0].database.reading() as session:
        found = [find_by_batch(session, batch.id) for batch in batches]
        counted = [progress(session, batch.id) for batch in batches]
    assert sorted(len(one) for one in found) == [0] * (WORKERS - 1) + [4]
    assert all(one.is_finished for one in counted)
    assert sum(one.refused for one in counted) == 4 * (WORKERS - 1)
    expect_whole(team[0], tmp_path, numbers=4)


def issuing(house: House, batch: Batch) -> Callable[[], object]:
    return lambda: house.engine.run(batch.id, lambda _: None)


def test_numbers_taken_at_once_from_a_new_year_are_one_row_without_gaps(tmp_path: Path) -> None:
    team = houses(tmp_path)
    batches = [submitted(team[0], start=1 + 100 * at, rows=3) for at in range(WORKERS)]
    at_once([approving(house, batch) for house, batch in zip(team, batches, strict=True)])
    at_once([issuing(house, batch) for house, batch in zip(team, batches, strict=True)])
    expect_whole(team[0], tmp_path, numbers=3 * WORKERS)
    with team[0].database.reading() as session:
        ranges = session.execute(text("SELECT first, last FROM number_range ORDER BY first")).all()
    assert [(row.first, row.last) for row in ranges] == [(1 + 3 * at, 3 + 3 * at) for at in range(WORKERS)]


def test_the_first_number_of_a_year_needs_no_lock_held_by_the_caller(tmp_path: Path) -> None:
    """take_numbers alone: two sessions find no counter, and both end with a range of their own."""
    from registry.numbers import take_numbers  # noqa: PLC0415 - what this one test is about

    team = houses(tmp_path)
    batches = [submitted(team[0], start=1 + 100 * at, rows=1) for at in range(WORKERS)]

    def taking(house: House, batch: Batch) -> Callable[[], object]:
        def take() -> int:
            with house.database.transaction() as session:
                return take_numbers(session, batch, 2031, 10, START)

        return take

    firsts = at_once([taking(house, batch) for house, batch in zip(team, batches, strict=True)])
    assert sorted(firsts) == [1 + 10 * at for at in range(WORKERS)]  # type: ignore[type-var] # all of them are int


def test_one_chunk_taken_by_many_workers_is_issued_once(tmp_path: Path) -> None:
    team = houses(tmp_path)
    batch = submitted(team[0], start=1)
    approving(team[0], batch)()
    at_once([partial(issue_chunk, house.line, house.log, batch.id, 1) for house in team])
    with team[0].database.reading() as session:
        found = find_by_batch(session, batch.id)
        files = session.execute(text("SELECT COUNT(*) FROM credential_file")).scalar_one()
    assert len(found) == files == 4
    for one in found:
        assert team[-1].documents.fetch_pdf(one.serial)
    expect_whole(team[0], tmp_path, numbers=4)


def test_many_sequencers_make_one_log(tmp_path: Path) -> None:
    team = houses(tmp_path)
    for at in range(3):
        batches = [submitted(team[0], start=1 + 100 * (at * WORKERS + one), rows=1) for one in range(WORKERS)]
        at_once([approving(house, batch) for house, batch in zip(team, batches, strict=True)])
        at_once([partial(house.log.sequence, house.clock.now()) for house in team])
    expect_whole(team[0], tmp_path, numbers=3 * WORKERS)


def test_cancelling_and_sealing_a_batch_at_once_do_not_wait_for_each_other(tmp_path: Path) -> None:
    team = houses(tmp_path, 2)
    for at in range(5):
        batch = submitted(team[0], start=1 + 100 * at)
        approving(team[0], batch)()
        reserve_chunk(team[0].line, batch.id, 1)
        team[0].log.sequence(START)
        at_once(
            [
                partial(finish_chunk, team[0].line, batch.id, 1),
                partial(cancel, team[1].office, batch.id, person=MAKER, reason="x", now=team[1].clock.now()),
            ]
        )
    expect_whole(team[0], tmp_path, numbers=20)


def test_revoked_by_two_at_once_there_is_one_entry_and_one_answer(tmp_path: Path) -> None:
    team = houses(tmp_path, 3)
    batch = submitted(team[0], start=1)
    approving(team[0], batch)()
    issuing(team[0], batch)()
    with team[0].database.reading() as session:
        serial = find_by_batch(session, batch.id)[0].serial

    def revoking(house: House) -> Callable[[], object]:
        return lambda: revoke(
            house.desk,
            serial,
            reason=RevocationReason.FRAUD,
            decision="x",
            effective_on=START.date(),
            maker=MAKER,
            checker=CHECKER,
            now=START,
        )

    at_once([revoking(house) for house in team])
    with team[0].database.reading() as session:
        entries = session.execute(text("SELECT COUNT(*) FROM history WHERE kind = 'state-changed'")).scalar_one()
    assert entries == 1
    expect_whole(team[0], tmp_path, numbers=4)


def test_a_list_that_another_opens_at_this_moment_is_not_opened_a_second_time(tmp_path: Path) -> None:
    first, second = houses(tmp_path, 2)
    with ExitStack() as others, second.database.transaction() as session:
        other = others.enter_context(first.database.transaction())
        allocate_slots(other, 3, first.office.random)
        asked: list[str] = []

        def commit_the_other(*execution: Any) -> None:
            asked.append(execution[2])
            if len(asked) == 2:  # the first was whether a list is open, and there was none
                others.close()

        event.listen(session.connection(), "before_cursor_execute", commit_the_other)
        slots = allocate_slots(session, 3, second.office.random)

    assert "FOR NO KEY UPDATE" in asked[0]
    assert {slot.list_number for slot in slots} == {1}
    with first.database.reading() as session:
        assert session.execute(text("SELECT number, allocated FROM status_list")).all() == [(1, 6)]
