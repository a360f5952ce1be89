"""What raw SQL cannot do either: every rule of registry/rules.py is tried, after all migrations."""

# ruff: noqa: S608 - these tests write raw SQL on purpose

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from credential.model import RevocationReason
from issuer.batch import approve, submit
from issuer.change import revoke
from registry.log.tables import CheckpointTimestampRow
from registry.rules import ALL_RULES
from registry.service_tables import (
    ApiTokenRow,
    BatchPauseRow,
    ClaimCodeRow,
    DownloadGrantRow,
    ErasedRow,
    ErasureRow,
    IdempotentRequestRow,
    PhotoTryRow,
    ProposedChangeRow,
    RetentionRow,
    SuccessionRow,
    TemplatePrefixRow,
    TemplateVersionRow,
)
from registry.triggers import Rules
from tests.fakes_issuer import CHECKER, ISSUER, MAKER, START, House, build_house, make_records

USED_CODE, LIVE_CODE = 1, 2
REFUSED_CHANGE, WAITING_CHANGE = 1, 2


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """An issued batch (1) with a revoked and a live credential, a submitted one (2), a cancelled one (3)."""
    house = build_house(tmp_path_factory.mktemp("house"))
    office, now = house.office, house.clock.now()
    first = submit(office, make_records(2), [], maker=MAKER, now=now).batch
    approve(office, first.id, checker=CHECKER, expected_digest=first.digest, now=now)
    house.engine.run(first.id, lambda _: None)
    submit(office, make_records(1, start=100, photos=False), [], maker=MAKER, now=now)
    numbered = submit(office, make_records(1, start=200, photos=False), [], maker=MAKER, now=now).batch
    approve(office, numbered.id, checker=CHECKER, expected_digest=numbered.digest, now=now)
    serial = query(house, "SELECT serial FROM credential ORDER BY id LIMIT 1")
    revoke(
        house.desk,
        serial,
        reason=RevocationReason.FRAUD,
        decision="甬人社发〔2026〕3号",
        effective_on=START.date(),
        maker=MAKER,
        checker=CHECKER,
        now=house.clock.now(),
    )
    add_rows_of_the_service(house)
    return house


def add_rows_of_the_service(house: House) -> None:
    """At least one row in each table of the service: raw, since these tests are about what the database holds."""
    now = house.clock.now()
    later = now + timedelta(days=1)
    with house.database.transaction() as session:
        session.add(
            ApiTokenRow(
                id="t1",
                issuer_id=ISSUER.id,
                person_id=MAKER,
                digest=b"1" * 32,
                scopes=["read"],
                created_at=now,
                expires_at=later,
                revoked_at=now,
            )
        )
        session.add(
            TemplateVersionRow(digest=b"2" * 32, name="n", number=1, kind="k", blob="b", rules=b"", created_at=now)
        )
        session.flush()
        session.add(TemplatePrefixRow(prefix_digest=b"3" * 32, template_digest=b"2" * 32))
        session.add(BatchPauseRow(batch_id=1, since=now, code="token-unavailable", en="x", zh="x"))
        for key, status in (("answered", 200), ("running", None)):
            session.add(
                IdempotentRequestRow(token_id="t1", key=key, request_digest=b"4" * 32, started_at=now, status=status)
            )
        codes = [
            ClaimCodeRow(
                id=number,
                credential_id=2,
                digest=b"5" * 32,
                maker=MAKER,
                created_at=now,
                expires_at=later,
                tries_left=5,
                used_at=now if number == USED_CODE else None,
            )
            for number in (USED_CODE, LIVE_CODE)
        ]
        session.add_all(codes)
        session.flush()
        session.add(
            DownloadGrantRow(
                digest=b"6" * 32, credential_id=2, claim_code_id=USED_CODE, created_at=now, expires_at=later
            )
        )
        session.add(PhotoTryRow(credential_id=2, window_started_at=now, tries=1))
        for number in (REFUSED_CHANGE, WAITING_CHANGE):
            session.add(
                ProposedChangeRow(
                    id=number,
                    issuer_id=ISSUER.id,
                    credential_id=2,
                    state="02",
                    reason="x",
                    effective_on=START.date(),
                    sealed=b"7",
                    maker=MAKER,
                    proposed_at=now,
                )
            )
        row_number = session.execute(text("SELECT row_number FROM batch_row WHERE batch_id = 2")).scalar_one()
        session.add(
            SuccessionRow(
                batch_id=2,
                row_number=row_number,
                predecessor_id=2,
                kind="correction",
                reason="x",
                seen_change=0,
                sealed=b"y",
            )
        )
        session.add(
            CheckpointTimestampRow(
                origin="log",
                size=1,
                key_id=b"four",
                note=b"n",
                tsa="tsa",
                token=b"t",
                attested_at=now,
                received_at=now,
            )
        )
    with house.database.transaction() as session:
        session.add(
            ErasureRow(issuer_id=ISSUER.id, credential_id=1, reason="x", decision="1", maker=MAKER, proposed_at=now)
        )
        session.add(RetentionRow(issuer_id=ISSUER.id, years=1, basis="1", maker=MAKER, set_at=now))
        of_first = "batch_id = 1 AND row_number = (SELECT row_number FROM credential WHERE id = 1)"
        session.execute(text(f"UPDATE record_key SET wrapped = NULL WHERE {of_first}"))
        session.add(ErasedRow(credential_id=1, claims_digest=b"8" * 32, erased_at=now))
    with house.database.transaction() as session:
        decided = session.get_one(ProposedChangeRow, REFUSED_CHANGE)
        decided.outcome, decided.checker, decided.decided_at = "refused", CHECKER, now


def query(house: House, sql: str) -> str:
    with house.database.reading() as session:
        return str(session.execute(text(sql)).scalar_one())


def refused(house: House, sql: str, rule: str) -> None:
    with pytest.raises(IntegrityError, match=rule):
        run(house, sql)


def run(house: House, sql: str) -> None:
    """Run a statement; one that meets no row would prove nothing, and passes without an error."""
    with house.database.transaction() as session:
        session.execute(text(sql))


def columns(house: House, table: str) -> list[str]:
    with house.database.reading() as session:
        return [str(row[1]) for row in session.execute(text(f"PRAGMA table_info({table})"))]


@pytest.mark.parametrize("rules", ALL_RULES, ids=lambda rules: rules.table)
def test_no_row_is_deleted_and_no_frozen_column_updated(house: House, rules: Rules) -> None:
    if query(house, f"SELECT COUNT(*) FROM {rules.table}") == "0":
        pytest.fail(f"the fixture has no row of {rules.table}, so nothing would be tried")
    if not rules.deletable:
        refused(house, f"DELETE FROM {rules.table}", "keeps its rows")
    for column in columns(house, rules.table):
        if column not in rules.mutable:
            refused(
                house, f"UPDATE {rules.table} SET {column} = {column}", "append-only|finished|placed once|for good|once"
            )


@pytest.mark.parametrize("rules", [one for one in ALL_RULES if not one.deletable], ids=lambda rules: rules.table)
def test_no_row_is_replaced(house: House, rules: Rules) -> None:
    refused(house, f"INSERT OR REPLACE INTO {rules.table} SELECT * FROM {rules.table}", ".")


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("UPDATE counter SET next_sequence = next_sequence - 1", "only grows"),
        (
            "UPDATE batch SET state = 'approved', checker = maker, approved_at = '2026-01-01' WHERE id = 2",
            "two_persons",
        ),
        ("UPDATE batch SET state = 'approved' WHERE id = 2", "approved_by"),
        ("UPDATE batch SET state = 'submitted' WHERE id = 1", "approved once"),
        ("UPDATE batch SET checker = NULL WHERE id = 1", "approved once"),
        ("UPDATE batch SET approved_at = '2026-01-01' WHERE id = 1", "approved once"),
        ("UPDATE batch SET state = 'nonsense' WHERE id = 2", "state_known"),
        (
            """INSERT INTO batch (issuer_id, digest, kind, state, maker, submitted_at, cancel_reason, row_count,
            binding, sealed, checker, approved_at) SELECT issuer_id, X'00', kind, state, maker, submitted_at,
            cancel_reason, row_count, binding, sealed, checker, approved_at FROM batch WHERE id = 1""",
            "submitted first",
        ),
        ("UPDATE chunk SET state = 'ready' WHERE batch_id = 1", "finished"),
        ("UPDATE chunk SET state = 'issued' WHERE batch_id = 3", "reserved first"),
        ("UPDATE batch_row SET serial = '1' WHERE batch_id = 1", "number stays"),
        ("UPDATE batch_row SET serial = NULL, state = 'void', reason = 'x' WHERE batch_id = 3", "number stays"),
        ("UPDATE batch_row SET state = 'void', reason = 'x' WHERE batch_id = 1", "issued is not void"),
        ("UPDATE batch_row SET state = 'void' WHERE batch_id = 3", "void_has_reason"),
        ("UPDATE batch_row SET state = 'submitted' WHERE batch_id = 3", "numbered then void"),
        ("UPDATE batch_row SET state = 'numbered' WHERE batch_id = 2", "numbered"),
        (
            """INSERT INTO batch_row (batch_id, row_number, issuer_id, state, sealed, version, reason)
            SELECT 1, 0, issuer_id, 'submitted', sealed, version, reason FROM batch_row WHERE batch_id = 2""",
            "before approval",
        ),
        ("UPDATE credential SET state = '01' WHERE state = '03'", "revoked for good|history first"),
        ("UPDATE credential SET state = '02' WHERE state = '01'", "history first"),
        ("UPDATE credential SET superseded_by_id = 999 WHERE id = 1", "superseded by its successor"),
        ("UPDATE credential SET live_key = X'01'", "UNIQUE constraint failed: credential.live_key"),
        ("UPDATE log_leaf SET position = position + 100", "placed once"),
        ("INSERT INTO log_leaf (leaf, position) VALUES (X'00', 7777)", "waits first"),
        ("INSERT INTO log_head SELECT number + 1, origin, 1, root, committed_at FROM log_head", "grows"),
        ("UPDATE status_list SET allocated = 0", "only grows"),
        ("UPDATE status_entry SET value = 0", "invalid for good"),
        ("UPDATE record_key SET wrapped = NULL, batch_id = 9 WHERE batch_id = 2", "append-only"),
        ("UPDATE api_token SET revoked_at = NULL", "revoked for good"),
        ("UPDATE idempotent_request SET status = 500 WHERE key = 'answered'", "answered once"),
        (f"UPDATE claim_code SET tries_left = 6 WHERE id = {LIVE_CODE}", "tries only fall"),
        (f"UPDATE claim_code SET tries_left = -1 WHERE id = {LIVE_CODE}", "tries_not_negative"),
        (f"UPDATE claim_code SET used_at = NULL WHERE id = {USED_CODE}", "used once"),
        (
            """INSERT INTO claim_code (credential_id, digest, maker, created_at, expires_at, tries_left)
            SELECT credential_id, digest, maker, created_at, expires_at, 5 FROM claim_code WHERE used_at IS NULL""",
            "claim_code.credential_id|uq_claim_code_live",
        ),
        (f"UPDATE proposed_change SET outcome = '' WHERE id = {REFUSED_CHANGE}", "decided once"),
        (
            f"UPDATE proposed_change SET outcome = 'refused', checker = maker WHERE id = {WAITING_CHANGE}",
            "two_persons",
        ),
        (f"UPDATE proposed_change SET outcome = 'approved' WHERE id = {WAITING_CHANGE}", "approved_by"),
        (
            """INSERT INTO proposed_change (issuer_id, credential_id, state, reason, effective_on, sealed, maker,
            proposed_at, outcome, checker) SELECT issuer_id, credential_id, state, reason, effective_on, sealed, maker,
            proposed_at, 'approved', checker FROM proposed_change WHERE checker IS NOT NULL""",
            "undecided first",
        ),
        (
            """INSERT INTO proposed_change (issuer_id, batch_id, credential_id, state, reason, effective_on, sealed,
            maker, proposed_at, outcome) SELECT issuer_id, 2, credential_id, state, reason, effective_on, sealed,
            maker, proposed_at, '' FROM proposed_change""",
            "of_one_thing",
        ),
    ],
)
def test_a_rule_holds_against_raw_sql(house: House, sql: str, rule: str) -> None:
    refused(house, sql, rule)


def test_a_credential_without_an_approved_numbered_row_cannot_be_inserted(house: House) -> None:
    names = [name for name in columns(house, "credential") if name != "id"]
    changed = {
        "batch_id": "2",
        "row_number": "(SELECT row_number FROM batch_row WHERE batch_id = 2)",
        "serial": "'33020020260520009990'",
        "status_index": "1",
        "code_index": "X'01'",
        "live_key": "X'01'",
        "state": "'01'",
    }
    chosen = ", ".join(changed.get(name, name) for name in names)
    sql = f"INSERT INTO credential ({', '.join(names)}) SELECT {chosen} FROM credential LIMIT 1"
    refused(house, sql, "approved and numbered|succeeds as approved")


def test_history_takes_only_the_next_entry_of_its_chain(house: House) -> None:
    names = columns(house, "history")
    last = "WHERE sequence = (SELECT MAX(sequence) FROM history)"
    for sequence, previous, rule in (
        ("sequence + 2", "digest", "next in chain|chained"),
        ("sequence + 1", "X'22'", "chained"),
    ):
        changed = {"sequence": sequence, "previous": previous, "digest": "X'11'"}
        chosen = ", ".join(changed.get(name, name) for name in names)
        refused(house, f"INSERT INTO history ({', '.join(names)}) SELECT {chosen} FROM history {last}", rule)


def test_a_change_of_state_needs_two_persons_in_history(house: House) -> None:
    names = columns(house, "history")
    last = "WHERE sequence = (SELECT MAX(sequence) FROM history)"
    for checker, rule in (("maker", "two_persons"), ("NULL", "change_checked")):
        changed = {"sequence": "sequence + 1", "previous": "digest", "digest": "X'11'", "checker": checker}
        chosen = ", ".join(changed.get(name, name) for name in names)
        refused(house, f"INSERT INTO history ({', '.join(names)}) SELECT {chosen} FROM history {last}", rule)


def test_a_destroyed_key_stays_destroyed(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    submit(house.office, make_records(1), [], maker=MAKER, now=house.clock.now())
    with house.database.transaction() as session:
        session.execute(text("UPDATE record_key SET wrapped = NULL, destroyed_at = '2026-01-01'"))
    refused(house, "UPDATE record_key SET wrapped = X'00'", "destroyed for good")


def test_a_cancelled_batch_stays_cancelled(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    submit(house.office, make_records(1), [], maker=MAKER, now=house.clock.now())
    with house.database.transaction() as session:
        session.execute(text("UPDATE batch SET state = 'cancelled'"))
    refused(house, "UPDATE batch SET state = 'submitted'", "cancelled for good")


@pytest.mark.parametrize(
    ("dropped", "changes", "rule"),
    [
        ((), {"revision": "2"}, "next revision"),
        ((), {"revision": "-1"}, "next revision"),
        ((), {"revision": "0"}, "next revision"),
        (("next_revision",), {"revision": "-1"}, "revision_counts_up"),
        (("next_revision",), {"pack_id": "(SELECT id FROM pack WHERE kind = 'photo')"}, "sealed with its chunk"),
        (("next_revision", "sealed_with_its_chunk"), {}, "UNIQUE"),
    ],
)
def test_a_file_is_the_next_revision_and_an_original_is_of_its_chunks_pack(
    house: House, dropped: tuple[str, ...], changes: dict[str, str], rule: str
) -> None:
    names = [name for name in columns(house, "credential_file") if name != "id"]
    changed = {"digest": "X'11'", **changes}
    chosen = ", ".join(changed.get(name, name) for name in names)
    sql = (
        f"INSERT INTO credential_file ({', '.join(names)}) SELECT {chosen} FROM credential_file WHERE credential_id = 2"
    )
    with house.database.transaction() as session:
        for name in dropped:
            session.execute(text(f"DROP TRIGGER yz_credential_file_{name}"))
        with pytest.raises(IntegrityError, match=rule):
            session.execute(text(sql))
        session.rollback()  # the triggers are there again
