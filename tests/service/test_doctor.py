"""Every bad finding is really found, and has its cure."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service import doctor
from service.doctor import Finding, examine_house
from service.folder import DataFolder
from service.settings import Settings
from tests.service.at_hand import PASSPHRASE, StoppedClock, person_row, run, write_sheet


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)


def bad(data: Path) -> list[Finding]:
    return [one for one in examine_house(Settings(data=data)) if one.level == "bad"]


def only_bad(data: Path) -> Finding:
    found = bad(data)
    assert len(found) == 1, found
    assert found[0].cure is not None
    assert all(found[0].cure)
    return found[0]


def at(ahead: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.house.SystemClock", lambda: StoppedClock(ahead))


def test_a_sound_house_has_no_complaint(issued: Path, made: Path) -> None:
    for data in (issued, made):
        findings = examine_house(Settings(data=data))
        assert {one.level for one in findings if "磁盘" not in one.name[0]} == {"ok"}
        assert not any(one.cure for one in findings if one.level == "ok")


def test_an_expired_signing_certificate_is_found(issued: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(timedelta(days=3 * 365 + 1), monkeypatch)

    names = {one.name[1] for one in bad(issued)}
    assert "signing certificate of nb" in names


def test_a_signing_certificate_near_its_end_is_a_warning(issued: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(timedelta(days=3 * 365 - 30), monkeypatch)

    levels = {one.name[1]: one.level for one in examine_house(Settings(data=issued))}
    assert levels["signing certificate of nb"] == "warn"


@pytest.mark.parametrize(("days", "level"), [(200, "ok"), (310, "warn"), (367, "bad")])
def test_an_old_trust_list_is_found(days: int, level: str, issued: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(timedelta(days=days), monkeypatch)

    levels = {one.name[1]: one for one in examine_house(Settings(data=issued))}
    assert levels["trust list"].level == level
    assert (levels["trust list"].cure is None) == (level == "ok")


def test_a_status_list_older_than_a_day_is_found(issued: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(timedelta(hours=25), monkeypatch)

    found = only_bad(issued)
    assert found.name[1] == "status lists"
    assert "yinzheng status refresh" in str(found.cure)


def test_a_clock_behind_is_found(issued: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(timedelta(minutes=-10), monkeypatch)

    assert "clock" in {one.name[1] for one in bad(issued)}


def test_a_clock_a_little_behind_is_none_of_it(issued_data: Path) -> None:
    soon = time.time() + 120
    os.utime(issued_data / "public" / "log" / "checkpoint", (soon, soon))

    assert bad(issued_data) == []


@pytest.mark.parametrize("name", ["log", "status", "trust-root", "pdf.nb", "qr.nb"])
def test_a_missing_key_is_found(name: str, data: Path) -> None:
    (data / "keys" / f"{name}.pem").unlink()

    assert [one.found[1] for one in bad(data) if one.name[1] == "keys"] == ["unreadable-private-file"]


def test_a_missing_master_key_is_found(data: Path) -> None:
    (data / "keys" / "master.key").unlink()

    assert only_bad(data).found[1] == "unreadable-private-file"


def test_a_key_under_another_passphrase_is_found(data: Path, made: Path) -> None:
    content = bytearray((made / "keys" / "qr.nb.pem").read_bytes())
    content[200] ^= 1
    (data / "keys" / "qr.nb.pem").write_bytes(content)

    assert only_bad(data).name[1] == "keys"


def test_a_wrong_passphrase_is_found(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", "another")

    assert only_bad(made).found[1] == "wrong-passphrase"


def test_a_key_that_others_may_read_is_found(data: Path) -> None:
    (data / "keys" / "log.pem").chmod(0o644)

    found = only_bad(data)
    assert found.found[1] == "private-file-open-to-others"
    assert "chmod 600" in str(found.cure)


def test_an_old_backup_is_found(issued_data: Path, tmp_path: Path) -> None:
    """The log and the registry of yesterday, and a copy of today's checkpoint kept elsewhere."""
    folder = DataFolder(issued_data)
    old_checkpoint = (folder.log / "checkpoint").read_text("utf-8")
    sheet = write_sheet(tmp_path / "more.csv", [person_row(900)])
    assert run("--data", issued_data, "issue", sheet, "--issuer", "nb", "--as", "wang", "--approve-as", "li").code == 0
    (folder.log / "checkpoint").write_text(old_checkpoint, "utf-8")

    found = only_bad(issued_data)
    assert found.found[1] == "older than its copy: an old backup was restored"


def test_a_lost_copy_of_the_checkpoint_is_a_warning(parts: DataFolder) -> None:
    parts.checkpoint_copy.unlink()

    levels = {one.name[1]: one.level for one in examine_house(Settings(data=parts.root))}
    assert levels["log"] == "warn"


def test_a_checkpoint_of_another_key_is_found(parts: DataFolder) -> None:
    text = (parts.log / "checkpoint").read_text("utf-8")
    lines = text.split("\n")
    lines[2] = "A" * 43 + "="  # another root, under the old signature
    (parts.log / "checkpoint").write_text("\n".join(lines), "utf-8")

    assert only_bad(parts.root).name[1] == "log"


@pytest.mark.parametrize(
    ("lost", "name"),
    [
        ("registry.sqlite", "registry"),
        ("pinned-roots.json", "trust list"),
        ("public/trust-list.json", "trust list"),
    ],
)
@pytest.mark.parametrize("damage", ["lost", "empty", "overwritten"])
def test_a_lost_or_damaged_file_is_found(lost: str, name: str, damage: str, data: Path) -> None:
    file = data / lost
    if damage == "lost":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "empty" else b"\x00not what it was\xff" * 500)

    assert name in {one.name[1] for one in bad(data)}


def test_a_damaged_status_list_is_found(parts: DataFolder) -> None:
    (parts.status / "1.cwt").write_bytes(b"\xd2\x84")

    assert only_bad(parts.root).name[1] == "status lists"


def test_too_little_room_is_found(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 1 << 62)

    assert only_bad(made).name[1] == "disk space"


def test_the_exit_code_tells_whether_something_is_bad(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--data", made, "doctor").code == 0
    at(timedelta(days=310), monkeypatch)
    assert run("--data", made, "doctor").code == 0  # a warning
    at(timedelta(days=367), monkeypatch)
    quiet = run("--data", made, "doctor", "--quiet")
    assert quiet.code == 1
    assert "trust list" in quiet.out
    assert "disk space" not in quiet.out


def test_it_speaks_both_languages(made: Path) -> None:
    zh = run("--data", made, "doctor", environ={"YINZHENG_LANG": "zh"}).out
    assert "磁盘空间" in zh
    assert "disk space" not in zh
    assert f"{datetime.now(UTC):%Y-%m-%d}" in zh
