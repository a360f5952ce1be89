"""A person is erased by two others with a document: nothing leads to them any more, and everything else holds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from credential.claims import decode_claims
from credential.cose import open_message
from credential.model import Claims
from registry.credentials import chunk_of, find_by_name, find_by_person, get_credential, read_reserved
from registry.reserve_records import read_reserve_records
from registry.vault import RecordErased
from service.backup_store import BackupStore
from service.house import House, open_house
from service.keeping import verify_whole_log
from service.settings import Settings
from service.verifying import open_verifier
from tests.service.at_hand import PASSPHRASE, Ran, run, yinzheng
from verifier.reasons import Word
from verifier.report import Integrity
from verifier.verdict import Verdict

DECISION = ("--decision", "甬信申〔2026〕7号")
REVOKE = ("--reason", "issued-in-error", "--decision", "D1", "--as", "wang", "--approve-as", "li")


@pytest.fixture
def house(issued_data: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    return open_house(Settings(data=issued_data))


def erase(data: Path, serial: str) -> Ran:
    yinzheng(data, "erase", serial, *DECISION, "--as", "wang")
    return yinzheng(data, "erase", "approve", *DECISION, "--as", "li")


def claims_and_qr(house: House, serial: str) -> tuple[Claims, str]:
    with house.database.reading() as session:
        found = get_credential(session, serial)
        reserved = read_reserved(session, house.vault, found.batch_id, chunk_of(session, found))
    (one,) = [each for each in reserved if each.serial == serial]
    return decode_claims(open_message(one.claims).payload), one.qr_text


def verdict(house: House, ask: Callable[[Any], Verdict]) -> Verdict:
    with open_verifier(house) as verifier:
        return ask(verifier)


def key_bytes(house: House, serial: str) -> bytes:
    query = text(
        "SELECT k.wrapped FROM record_key k JOIN credential c ON c.batch_id = k.batch_id "
        "AND c.row_number = k.row_number WHERE c.serial = :serial"
    )
    with house.database.reading() as session:
        return bytes(session.execute(query, {"serial": serial}).scalar_one())


def files_with(folder: Path, wanted: bytes) -> list[str]:
    return [
        one.relative_to(folder).as_posix()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and "cache" not in one.parts and wanted in one.read_bytes()
    ]


def test_an_erased_person_is_found_nowhere_and_everything_else_holds(
    house: House, issued_data: Path, certificates: list[Path]
) -> None:
    pdf, others = certificates[1], [certificates[0], *certificates[2:]]
    serial = pdf.stem
    claims, qr_text = claims_and_qr(house, serial)
    wrapped = key_bytes(house, serial)
    assert files_with(issued_data, wrapped)
    erase(issued_data, serial)
    house.database.close()
    assert files_with(issued_data, wrapped) == []
    for said in (claims.holder.name, claims.holder.id_number):
        assert files_with(issued_data, said.encode()) == []
    with house.database.reading() as session:
        assert find_by_person(session, house.vault, claims.holder) == []
        assert serial not in {one.serial for one in find_by_name(session, house.vault, claims.holder.name)}
    with pytest.raises(RecordErased):
        house.documents.fetch_pdf(serial)
    now = house.now()
    found = verdict(house, lambda verifier: verifier.verify_file(pdf.read_bytes(), now))
    assert (found.reason, found.verdict, found.exit_code) == ("erased", Word.UNKNOWN, 2)
    assert found.integrity is Integrity.INTACT
    assert f"{house.now():%Y-%m-%d}" in " ".join(one.zh for one in found.checks)
    assert found.credential is None
    assert verdict(house, lambda verifier: verifier.verify_qr(qr_text, now)).reason == "erased"
    code, name = claims.verification_code, claims.holder.name
    assert verdict(house, lambda verifier: verifier.verify_code(code, now)).reason == "no-such-credential"
    assert verdict(house, lambda verifier: verifier.verify_serial(serial, name, now)).reason == "no-such-credential"
    with open_verifier(house) as verifier:
        reasons = {verifier.verify_file(other.read_bytes(), now).reason for other in others}
    assert reasons == {"good"}
    verify_whole_log(house)
    assert "✗" not in yinzheng(issued_data, "doctor").out
    with house.database.reading() as session:
        entry = session.execute(text("SELECT subject, maker, checker, reason FROM history WHERE kind = 'erased'")).one()
    assert tuple(entry) == (f"serial {serial}/1 by {DECISION[1]}", "wang", "li", "holder-asked")


def test_reserve_records_are_written_anew_without_the_erased_row(house: House, issued_data: Path) -> None:
    (before,) = (issued_data / "blobs" / "reserved").rglob("*-*")
    with house.database.reading() as session:
        serial = str(session.execute(text("SELECT serial FROM credential WHERE id = 2")).scalar_one())
    erase(issued_data, serial)
    assert not before.exists()
    (after,) = (issued_data / "blobs" / "reserved").rglob("*-*")
    left = read_reserve_records(house.blobs, house.vault, f"reserved/{after.parent.name}/{after.name}")
    serials = {decode_claims(open_message(one.claims).payload).serial for one in left.records}
    assert serial not in serials
    assert len(serials) == 3
    assert left.batch is not None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("approve", "1", "--as", "wang"), "same-person"),
        (("approve", "2", "--as", "li"), "unknown-erasure"),
        (("approve", "1", "--as", "nobody"), "unknown-person"),
        (("approve", "--as", "li"), "nothing-named"),
        (("refuse", "7", "--as", "li"), "unknown-erasure"),
    ],
)
def test_erasing_takes_two_persons_of_the_issuer_and_a_proposal(
    issued_data: Path, certificates: list[Path], arguments: tuple[str, ...], code: str
) -> None:
    serial = certificates[0].stem
    yinzheng(issued_data, "erase", serial, *DECISION, "--as", "wang")
    assert run("--data", issued_data, "erase", *arguments).error == code
    assert run("--data", issued_data, "erase", serial, *DECISION, "--as", "li").error == "erasure-waits"
    yinzheng(issued_data, "erase", "refuse", "1", "--as", "li")
    assert run("--data", issued_data, "erase", "approve", "1", "--as", "li").error == "erasure-decided"
    yinzheng(issued_data, "verify", certificates[0])


def test_what_was_revoked_stays_revoked_when_the_person_is_erased(
    house: House, issued_data: Path, certificates: list[Path]
) -> None:
    serial = certificates[0].stem
    yinzheng(issued_data, "revoke", serial, *REVOKE)
    erase(issued_data, serial)
    content, now = certificates[0].read_bytes(), house.now()
    assert verdict(house, lambda verifier: verifier.verify_file(content, now)).reason == "revoked"
    assert run("--data", issued_data, "erase", serial, *DECISION, "--as", "wang").error == "already-erased"


def test_an_altered_file_of_an_erased_person_is_still_called_altered(
    house: House, issued_data: Path, certificates: list[Path]
) -> None:
    content = bytearray(certificates[0].read_bytes())
    erase(issued_data, certificates[0].stem)
    content[len(content) // 2] ^= 1
    altered, now = bytes(content), house.now()
    found = verdict(house, lambda verifier: verifier.verify_file(altered, now))
    assert found.reason not in {"good", "erased"}


class Killed(BaseException):
    """Stands for a kill: nothing in the program may catch it."""


@pytest.mark.parametrize("place", ["store_mark", "forget_reserved", "scrub"])
def test_an_erasure_that_was_killed_is_finished_by_the_same_word(
    house: House, issued_data: Path, certificates: list[Path], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    wrapped = key_bytes(house, certificates[0].stem)
    house.database.close()
    yinzheng(issued_data, "erase", certificates[0].stem, *DECISION, "--as", "wang")

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"issuer.erasure.{place}", die)
        with pytest.raises(Killed):
            run("--data", issued_data, "erase", "approve", "1", "--as", "li")
    yinzheng(issued_data, "erase", "approve", "1", "--as", "li")
    assert files_with(issued_data, wrapped) == []
    assert len(list((issued_data / "blobs" / "erased").rglob("*/*"))) == 1
    with house.database.reading() as session:
        kinds = session.execute(text("SELECT COUNT(*) FROM history WHERE kind = 'erased'")).scalar_one()
    assert kinds == 1


def test_a_restored_older_backup_forgets_the_person_again(
    house: House, issued_data: Path, certificates: list[Path], tmp_path: Path, cache: Path
) -> None:
    house.database.close()
    backups = tmp_path / "backups"
    yinzheng(issued_data, "backup", backups, "--keys")
    erase(issued_data, certificates[0].stem)
    yinzheng(issued_data, "backup", backups, "--keys")
    store = BackupStore(backups)
    old, new = store.names()
    for name in (old, new):
        yinzheng(issued_data, "backup", "verify", backups, "--name", name)
    data = tmp_path / "restored"
    data.mkdir()
    (data / "cache").symlink_to(cache)
    published = issued_data / "public"
    yinzheng(
        data, "restore", backups, "--name", old, "--blobs", issued_data / "blobs", "--published", published,
    )  # fmt: skip
    again = open_house(Settings(data=data))
    with again.database.reading() as session:
        erased = session.execute(text("SELECT COUNT(*) FROM erased")).scalar_one()
        left = session.execute(text("SELECT COUNT(*) FROM record_key WHERE wrapped IS NULL")).scalar_one()
    assert (erased, left) == (1, 1)
    yinzheng(data, "recover", "--do")
    content, now = certificates[0].read_bytes(), house.now()
    assert verdict(open_house(Settings(data=data)), lambda one: one.verify_file(content, now)).reason == "erased"
    # Without what survived, the marks of the newest backup are enough.
    yinzheng(issued_data, "backup", "prune", backups, "--keep", "1")
    assert store.names() == [new]


# ---- retention --------------------------------------------------------------------------------------------------


def test_what_ended_is_due_when_its_period_is_over_and_not_before(
    issued_data: Path, certificates: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = certificates[0].stem
    assert run("--data", issued_data, "retention", "run").error == "no-retention"
    yinzheng(issued_data, "retention", "set", "--years", "10", "--basis", "档案〔2026〕1号", "--as", "wang")
    assert "10" in yinzheng(issued_data, "retention", "show").out
    yinzheng(issued_data, "revoke", serial, *REVOKE)
    assert serial not in yinzheng(issued_data, "retention", "run").out
    later = datetime.now(UTC) + timedelta(days=3653)
    monkeypatch.setattr("service.house.SystemClock.now", lambda _: later)
    listed = yinzheng(issued_data, "retention", "run").out
    assert serial in listed
    assert not any(one.stem in listed for one in certificates[1:])
    assert "wait" not in yinzheng(issued_data, "erase", "list").out
    yinzheng(issued_data, "retention", "run", "--decision", "销毁1", "--as", "wang")
    assert run("--data", issued_data, "erase", "approve", "--decision", "销毁1", "--as", "wang").error == "same-person"
    assert serial not in yinzheng(issued_data, "retention", "run").out


def test_zero_years_keep_everything_for_ever_and_nonsense_is_refused(issued_data: Path) -> None:
    basis = ("--basis", "x", "--as", "wang")
    yinzheng(issued_data, "retention", "set", "--years", "0", *basis)
    assert run("--data", issued_data, "retention", "run").error == "no-retention"
    assert run("--data", issued_data, "retention", "set", "--years", "101", *basis).error == "bad-retention"
