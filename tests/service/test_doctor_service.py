"""What waits, what runs out, and files that others may read: each is found, with a cure in both languages."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from registry.service_tables import ApiTokenRow
from service import doctor_service
from service.doctor import examine_house
from service.finding import Finding
from service.house import House, SystemClock
from service.settings import Settings
from tests.service.at_hand import PASSPHRASE, StoppedClock, person_row, run, write_sheet


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)


def about(data: Path, name: str) -> Finding:
    (found,) = [one for one in examine_house(Settings(data=data)) if one.name[1] == name]
    return found


def test_what_waits_for_a_second_person_is_counted(data: Path, tmp_path: Path) -> None:
    assert about(data, "waiting for somebody").found[1] == "nothing"
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(number) for number in range(3)])
    assert run("--data", data, "issue", sheet, "--issuer", "nb", "--as", "wang").code == 0
    assert about(data, "waiting for somebody").found[1].startswith("1 batches")
    assert about(data, "room for what waits").found[1].startswith("3 certificates")


def test_too_little_room_for_what_waits_is_bad(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(1)])
    assert run("--data", data, "issue", sheet, "--issuer", "nb", "--as", "wang").code == 0
    monkeypatch.setattr(doctor_service, "BYTES_A_ROW", 1 << 62)
    found = about(data, "room for what waits")
    assert found.level == "bad"
    assert found.cure is not None


def test_a_token_that_ends_soon_is_named(data: Path) -> None:
    house = House(Settings(data=data), PASSPHRASE.encode("ascii"), SystemClock())
    now = datetime.now(UTC)
    with house.database.transaction() as session:
        for name, days in (("soon", 3), ("later", 300), ("over", -3)):
            session.add(
                ApiTokenRow(
                    id=name,
                    issuer_id="nb",
                    person_id="wang",
                    digest=name.encode(),
                    scopes=["read"],
                    created_at=now,
                    expires_at=now + timedelta(days=days),
                )
            )
    found = about(data, "API tokens")
    assert found.level == "warn"
    assert found.found[1] == "1 expire within two weeks: soon"


def test_revocation_lists_that_end_are_told_and_renewed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert about(data, "revocation lists (CRL)").level == "ok"
    for days in (5, 8):
        monkeypatch.setattr("service.house.SystemClock", partial(StoppedClock, timedelta(days=days)))
        found = about(data, "revocation lists (CRL)")
        assert found.level == "warn"
        assert "yinzheng status refresh" in str(found.cure)
    assert run("--data", data, "status", "refresh").code == 0
    assert about(data, "revocation lists (CRL)").level == "ok"


def test_a_private_file_that_others_may_read_is_bad(data: Path) -> None:
    assert run("--data", data, "keys", "export-verifier").code == 0
    assert about(data, "who may read private files").level == "ok"
    (data / "verifier.key").chmod(0o640)
    found = about(data, "who may read private files")
    assert found.level == "bad"
    assert "verifier.key" in found.found[1]


def test_as_json_every_finding_has_both_languages(data: Path) -> None:
    ran = run("--data", data, "doctor", "--json")
    assert ran.code == 0
    findings = json.loads(ran.out)
    assert {one["level"] for one in findings} <= {"ok", "warn"}
    for one in findings:
        assert one["name"]["zh"]
        assert one["found"]["en"]
    assert json.loads(run("--data", data, "doctor", "--json", "--quiet").out) == [
        one for one in findings if one["level"] != "ok"
    ]
