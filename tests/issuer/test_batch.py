"""Submit, approve, cancel: who may, what is bound, which number goes where."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from credential.leaves import SALT_BYTES, void_leaf
from credential.model import RevocationReason
from credential.problem import Problem, RowOutcome
from credential.serial import SerialPattern, SerialsExhausted
from issuer.batch import (
    BindingChanged,
    DigestDiffers,
    NotSubmitted,
    SamePerson,
    approve,
    cancel,
    refusals,
    submit,
)
from issuer.change import revoke
from issuer.engine import SingleProcess
from issuer.issue import NotApproved, reserve_chunk
from registry import chunks
from registry.batches import Batch, UnknownBatch, list_batches, progress, read_problems
from registry.chunks import list_chunks, read_rows
from registry.history import verify_history
from registry.issuers import Person, UnknownPerson, add_person
from registry.numbers import account_numbers
from registry.tables import BatchState, ChunkState
from tests.fakes_issuer import CHECKER, ISSUER, MAKER, START, House, build_house, make_records


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build_house(tmp_path)


def send(house: House, count: int = 3, **options: int | bool) -> Batch:
    records = make_records(count, **options)  # type: ignore[arg-type] # the options of make_records
    return submit(house.office, records, [], maker=MAKER, now=house.clock.now()).batch


def allow(house: House, batch: Batch, now: datetime | None = None) -> Batch:
    return approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=now or house.clock.now())


def serials(house: House, batch: Batch) -> list[str]:
    with house.database.reading() as session:
        return [row.serial for row in read_rows(session, house.vault, batch.id)]


def test_the_same_sheet_is_the_same_batch_and_any_edit_another(house: House) -> None:
    first = send(house)
    assert send(house) == first
    edited = make_records(3)
    edited[1] = replace(edited[1], fields=dict(edited[1].fields) | {"specialty": "电气"})
    other_photo = make_records(3)
    other_photo[2] = replace(other_photo[2], photo=b"\xff\xd8 another")
    moved = [replace(one, row=one.row + 1) for one in make_records(3)]
    for records in (edited, other_photo, moved, make_records(2), make_records(3, photos=False)):
        submission = submit(house.office, records, [], maker=MAKER, now=house.clock.now())
        assert submission.is_new
        assert submission.batch.digest != first.digest


def test_another_template_or_setting_makes_another_batch(house: House) -> None:
    first = send(house)
    settings = replace(ISSUER, settings=replace(ISSUER.settings, legal_effect="打印件无效"))
    for office in (
        replace(house.office, look_digests={"template": "00"}),
        replace(house.office, issuer=settings),
    ):
        other = submit(office, make_records(3), [], maker=MAKER, now=house.clock.now())
        assert other.is_new
        assert other.batch.digest != first.digest


def test_the_digest_of_a_batch_cannot_be_computed_without_the_master_key(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = build_house(tmp_path / "a")
    other = build_house(tmp_path / "b", master_key=bytes(32))
    assert send(one, 1).digest != send(other, 1).digest


def test_rows_and_photos_of_a_draft_are_not_readable_on_disk(house: House, tmp_path: Path) -> None:
    send(house)
    with house.database.transaction() as session:
        session.execute(text("SELECT 1"))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in ("张一".encode(), b"33020019900101", b"photo of", "机械".encode()):
                assert secret not in content, path.name


def test_rows_come_back_as_they_were_submitted(house: House) -> None:
    batch = send(house)
    with house.database.reading() as session:
        rows = read_rows(session, house.vault, batch.id)
    assert [row.record for row in rows] == [replace(one, photo=None) for one in make_records(3)]


def test_what_intake_found_is_kept_with_the_batch(house: House) -> None:
    problem = Problem("Sheet1", 9, "C", "身份证号", RowOutcome.ERROR, "id-length", "“1”长度错误", "'1' is too short")
    batch = submit(house.office, make_records(1), [problem], maker=MAKER, now=START).batch
    with house.database.reading() as session:
        assert read_problems(session, house.vault, batch.id) == [problem]


def test_the_maker_cannot_approve_and_strangers_can_do_nothing(house: House) -> None:
    with pytest.raises(UnknownPerson):
        submit(house.office, make_records(1), [], maker="nobody", now=START)
    batch = send(house)
    with pytest.raises(SamePerson):
        approve(house.office, batch.id, checker=MAKER, expected_digest=batch.digest, now=START)
    with pytest.raises(UnknownPerson):
        approve(house.office, batch.id, checker="nobody", expected_digest=batch.digest, now=START)
    assert serials(house, batch) == ["", "", ""]


def test_raw_sql_cannot_let_the_maker_approve_either(house: House) -> None:
    batch = send(house)
    sql = "UPDATE batch SET state = 'approved', checker = maker, approved_at = submitted_at WHERE id = :id"
    with pytest.raises(IntegrityError, match="two_persons"), house.database.transaction() as session:
        session.execute(text(sql), {"id": batch.id})


def test_approval_binds_the_digest_that_was_shown(house: House) -> None:
    batch = send(house)
    with pytest.raises(DigestDiffers):
        approve(house.office, batch.id, checker=CHECKER, expected_digest=bytes(32), now=START)
    with pytest.raises(UnknownBatch):
        approve(house.office, 99, checker=CHECKER, expected_digest=batch.digest, now=START)


def test_approval_is_refused_when_template_or_settings_changed_since(house: House) -> None:
    batch = send(house)
    changed = replace(house.office, look_digests={"template": "00", "fonts": "11"})
    with pytest.raises(BindingChanged, match="fonts, template"):
        approve(changed, batch.id, checker=CHECKER, expected_digest=batch.digest, now=START)
    allow(house, batch)
    with pytest.raises(BindingChanged, match="fonts, template"):
        reserve_chunk(replace(house.line, office=changed), batch.id, 1)


def test_approving_twice_numbers_once(house: House) -> None:
    batch = send(house)
    first = allow(house, batch)
    before = serials(house, batch)
    assert allow(house, batch) == first
    assert serials(house, batch) == before
    with house.database.transaction() as session:
        add_person(session, Person("zhao", ISSUER.id, "赵"), now=START)
    with pytest.raises(NotSubmitted):
        approve(house.office, batch.id, checker="zhao", expected_digest=batch.digest, now=START)


def test_numbers_run_on_from_batch_to_batch_in_the_issuers_pattern(house: House) -> None:
    first, second = send(house, 3), send(house, 2, start=50)
    allow(house, second)
    allow(house, first)
    pattern = SerialPattern.parse(ISSUER.settings.serial_pattern)
    assert [one[:-1] for one in serials(house, second)] == ["3302002026052000001", "3302002026052000002"]
    assert [one[:-1] for one in serials(house, first)] == [f"330200202605200000{at}" for at in (3, 4, 5)]
    for serial in serials(house, first):
        pattern.check(serial)


@pytest.mark.parametrize(
    ("utc", "year"),
    [(datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC), "2026"), (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), "2027")],
)
def test_the_year_of_a_number_is_that_of_beijing(house: House, utc: datetime, year: str) -> None:
    batch = send(house, 1)
    allow(house, batch, utc)
    assert serials(house, batch)[0][6:10] == year


def test_an_unknown_series_or_level_is_numbered_with_zeros(house: House) -> None:
    record = replace(make_records(1)[0], fields={"series": "律师", "title": "二级律师"})
    batch = submit(house.office, [record], [], maker=MAKER, now=START).batch
    allow(house, batch)
    assert serials(house, batch)[0][10:13] == "000"
    plain = replace(house.office, schema=replace(house.office.schema, titles=None))
    assert plain.serial(record, 2026, 7)[10:13] == "000"


def test_a_batch_past_the_patterns_capacity_takes_no_number(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    small = replace(ISSUER, settings=replace(ISSUER.settings, serial_pattern="year4 seq4"))
    office = replace(house.office, issuer=small)
    with house.database.transaction() as session:
        session.execute(text("INSERT INTO counter VALUES ('ningbo', 2026, 9998)"))
    batch = submit(office, make_records(3), [], maker=MAKER, now=START).batch
    with pytest.raises(SerialsExhausted, match="seq5"):
        approve(office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=START)
    with house.database.reading() as session:
        assert session.execute(text("SELECT next_sequence FROM counter")).scalar_one() == 9998
    fits = submit(office, make_records(2), [], maker=MAKER, now=START).batch
    approve(office, fits.id, checker=CHECKER, expected_digest=fits.digest, now=START)


def test_rows_are_cut_into_chunks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuer.batch.CHUNK_ROWS", 2)
    batch = send(house, 5)
    allow(house, batch)
    with house.database.reading() as session:
        assert [chunk.row_count for chunk in list_chunks(session, batch.id)] == [2, 2, 1]
    done: list[int] = []
    house.engine.run(batch.id, done.append)
    assert done == [2, 2, 1]
    assert len(house.press.printed) == 5


def test_a_title_issued_already_is_refused_by_row_and_the_others_go_on(house: House) -> None:
    first = send(house, 2)
    allow(house, first)
    house.engine.run(first.id, lambda _: None)
    second = submit(house.office, make_records(4, photos=False), [], maker=MAKER, now=START)
    taken = serials(house, first)
    assert dict(second.obstacles) == {5: taken[0], 6: taken[1]}, "the maker is told at once"
    allow(house, second.batch)
    house.engine.run(second.batch.id, lambda _: None)
    problems = refusals(house.database, second.batch.id)
    assert [(one.row, one.code) for one in problems] == [(5, "already-issued"), (6, "already-issued")]
    assert [serial in one.zh and serial in one.en for one, serial in zip(problems, taken, strict=True)] == [True, True]
    with house.database.reading() as session:
        done = progress(session, second.batch.id)
        assert (done.issued, done.refused, done.is_finished) == (2, 2, True)
        assert account_numbers(session, "ningbo", 2026).taken == 4, "a refused row takes no number"


def test_a_title_numbered_in_another_batch_is_refused_too(house: House) -> None:
    first, second = send(house, 2), send(house, 3, photos=False)
    allow(house, first)
    allow(house, second)
    assert [one.row for one in refusals(house.database, second.id)] == [5, 6]


def test_one_title_twice_in_a_sheet_is_issued_once(house: House) -> None:
    records = [*make_records(1), replace(make_records(1)[0], row=9)]
    batch = submit(house.office, records, [], maker=MAKER, now=START).batch
    allow(house, batch)
    (problem,) = refusals(house.database, batch.id)
    assert problem.row == 9
    assert serials(house, batch)[0] in problem.zh


def test_a_batch_of_nothing_new_is_finished_when_approved(house: House) -> None:
    first = send(house, 2)
    allow(house, first)
    again = send(house, 2, photos=False)
    allow(house, again)
    house.engine.run(again.id, lambda _: None)
    with house.database.reading() as session:
        assert progress(session, again.id).is_finished


def test_persons_without_a_document_are_told_apart_by_name(house: House) -> None:
    records = [replace(one, holder=replace(one.holder, id_number="")) for one in make_records(2)]
    batch = submit(house.office, records, [], maker=MAKER, now=START).batch
    allow(house, batch)
    house.engine.run(batch.id, lambda _: None)
    again = submit(house.office, [replace(records[0], row=77)], [], maker=MAKER, now=START)
    assert list(again.obstacles) == [77]


def test_after_revocation_the_title_may_be_issued_anew(house: House) -> None:
    first = send(house, 1)
    allow(house, first)
    house.engine.run(first.id, lambda _: None)
    (serial,) = serials(house, first)
    revoke(
        house.desk,
        serial,
        reason=RevocationReason.ISSUED_IN_ERROR,
        decision="甬人社发〔2026〕3号",
        effective_on=START.date(),
        maker=MAKER,
        checker=CHECKER,
        now=house.clock.now(),
    )
    again = submit(house.office, make_records(1, photos=False), [], maker=MAKER, now=START)
    assert again.obstacles == {}
    allow(house, again.batch)
    house.engine.run(again.batch.id, lambda _: None)
    assert len(set(house.press.printed)) == 2


def test_a_title_that_came_to_life_after_approval_voids_the_row(house: House) -> None:
    first, second = send(house, 1), send(house, 2, start=50)
    allow(house, first)
    house.engine.run(first.id, lambda _: None)
    allow(house, second)
    with house.database.transaction() as session:
        # Stands for a reinstated credential: it holds the claim of the first row of the second batch.
        session.execute(
            text("UPDATE credential SET live_key = (SELECT live_key FROM batch_row WHERE batch_id = 2 LIMIT 1)")
        )
    house.engine.run(second.id, lambda _: None)
    with house.database.reading() as session:
        done = progress(session, second.id)
        account = account_numbers(session, "ningbo", 2026)
    assert (done.issued, done.void, done.is_finished) == (1, 1, True)
    assert (account.taken, account.issued, account.void, account.missing) == (3, 2, 1, ())


def test_cancelling_voids_what_is_not_reserved_and_tells_the_log(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuer.batch.CHUNK_ROWS", 2)
    batch = send(house, 4)
    allow(house, batch)
    numbers = serials(house, batch)
    reserve_chunk(house.line, batch.id, 1)
    cancelled = cancel(house.office, batch.id, person=MAKER, reason="wrong sheet", now=house.clock.now())
    assert cancelled.state is BatchState.CANCELLED
    house.engine.run(batch.id, lambda _: None)
    with house.database.reading() as session:
        assert [one.state for one in list_chunks(session, batch.id)] == [ChunkState.ISSUED, ChunkState.CANCELLED]
        account = account_numbers(session, "ningbo", 2026)
        assert (account.issued, account.void, account.missing) == (2, 2, ())
        leaves = set(session.execute(text("SELECT leaf FROM log_leaf")).scalars())
        verify_history(session)
    for serial in numbers[2:]:
        salt = house.vault.blind("void-leaf", ISSUER.id, serial)[:SALT_BYTES]
        assert void_leaf(ISSUER.uscc, serial, "batch-cancelled", salt) in leaves
    assert [(one.row, one.code) for one in refusals(house.database, batch.id)] == [
        (7, "batch-cancelled"),
        (8, "batch-cancelled"),
    ]
    with pytest.raises(NotSubmitted):
        cancel(house.office, batch.id, person=MAKER, reason="again", now=START)
    with pytest.raises(NotSubmitted):
        allow(house, batch)


def test_a_cancelled_draft_takes_no_number_and_may_be_submitted_again(house: House) -> None:
    batch = send(house)
    cancel(house.office, batch.id, person=CHECKER, reason="wrong sheet", now=START)
    again = submit(house.office, make_records(3), [], maker=MAKER, now=START)
    assert again.is_new
    assert again.batch.id != batch.id
    assert again.batch.digest == batch.digest
    with house.database.reading() as session:
        assert [one.id for one in list_batches(session)] == [again.batch.id, batch.id]
        assert account_numbers(session, "ningbo", 2026).taken == 0


def test_a_number_that_vanished_is_found_missing(house: House) -> None:
    allow(house, send(house))
    with house.database.transaction() as session:
        session.execute(text("UPDATE counter SET next_sequence = next_sequence + 1"))
        session.execute(
            text(
                "INSERT INTO number_range (issuer_id, year, first, last, reason, taken_at)"
                " VALUES ('ningbo', 2026, 5, 6, 'skipped', '2026-01-01 00:00:00')"
            )
        )
        session.execute(text("UPDATE counter SET next_sequence = 8"))
        account = account_numbers(session, "ningbo", 2026)
    assert (account.taken, account.pending, account.void, account.missing) == (7, 3, 2, (4, 7))


def test_nothing_of_a_submitted_batch_can_be_issued(house: House) -> None:
    batch = send(house)
    with pytest.raises(NotApproved):
        house.engine.run(batch.id, lambda _: None)
    with pytest.raises(chunks.UnknownChunk):
        reserve_chunk(house.line, batch.id, 1)
    assert isinstance(house.engine, SingleProcess)
    assert house.press.printed == []


def test_a_reserved_chunk_of_a_batch_that_lost_its_approval_is_not_reserved(house: House) -> None:
    batch = send(house)
    allow(house, batch)
    with house.database.transaction() as session:
        session.execute(text("UPDATE batch SET state = 'cancelled', cancelled_at = '2026-01-01'"))
    with pytest.raises(NotApproved):
        reserve_chunk(house.line, batch.id, 1)
