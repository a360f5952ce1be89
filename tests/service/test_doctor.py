"""Every bad finding is really found, and has its cure."""

import os
import sqlite3
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


BEFORE_GOING_LIVE = ("trust roots", "time stamps")


def test_a_sound_house_has_no_complaint(issued: Path, made: Path) -> None:
    for data in (issued, made):
        findings = examine_house(Settings(data=data))
        complaints = {one.name[1]: one.level for one in findings if "磁盘" not in one.name[0] and one.level != "ok"}
        assert complaints == dict.fromkeys(BEFORE_GOING_LIVE, "warn")
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
    (data / "keys" / "qr.nb.pem").chmod(0o644)

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


def warned(data: Path) -> list[Finding]:
    """The warnings but those that every installation has which did nothing of docs/operating.md, before going live."""
    found = [one for one in examine_house(Settings(data=data)) if one.level == "warn"]
    return [one for one in found if one.name[1] not in BEFORE_GOING_LIVE]


def only_warning(data: Path) -> Finding:
    (found,) = warned(data)
    assert bad(data) == []
    assert found.cure is not None
    assert all(found.cure)
    return found


def test_lost_blobs_are_found(parts: DataFolder) -> None:
    parts.blobs.rename(parts.root / "moved-away")

    found, templates = bad(parts.root)
    assert found.name[1] == "stored objects"
    assert "2 of 2 are gone" in found.found[1]
    assert templates.name[1] == "template versions"


@pytest.mark.parametrize("damage", ["lost", "cut", "another"])
def test_a_lost_or_damaged_template_version_is_found_and_the_cure_cures(
    parts: DataFolder, damage: str, tmp_path: Path
) -> None:
    (file,) = [one for one in (parts.blobs / "template").rglob("*") if one.is_file()]
    content = file.read_bytes()
    at = content.index(b"sRGB" if b"sRGB" in content else b"title")
    file.unlink()
    if damage != "lost":
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else content[:at] + b"X" + content[at + 1 :])

    found = only_bad(parts.root)
    assert found.name[1] == "template versions"
    assert found.found[1] == "1 of 1 are gone or damaged: professional-title 1"

    file.unlink(missing_ok=True)
    sheet = write_sheet(tmp_path / "next.csv", [person_row(77)])
    assert run("--data", parts.root, "issue", sheet, "--issuer", "nb", "--as", "wang").code == 0
    assert bad(parts.root) == []


def test_a_version_that_a_batch_names_and_the_register_does_not_know_is_found(parts: DataFolder) -> None:
    with sqlite3.connect(parts.database) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM template_prefix")
        connection.execute("DELETE FROM template_version")
    connection.close()
    assert run("--data", parts.root, "migrate").code == 0  # puts the rules back

    names = {one.name[1]: one.found[1] for one in bad(parts.root)}
    assert "(batch 1)" in names["template versions"]


@pytest.mark.parametrize("kind", ["prefix", "tails"])
@pytest.mark.parametrize("damage", ["lost", "cut", "longer"])
def test_one_lost_or_cut_object_is_found(parts: DataFolder, kind: str, damage: str) -> None:
    (file,) = [one for one in (parts.blobs / kind).rglob("*") if one.is_file()]
    content = file.read_bytes()
    file.unlink()
    if damage != "lost":
        file.write_bytes(content[:-1] if damage == "cut" else content + b"\n")

    found = only_bad(parts.root)
    assert found.name[1] == "stored objects"
    assert f"1 of 2 are gone or of another length: {file.relative_to(parts.blobs)}" == found.found[1]


def test_a_lost_checkpoint_is_found_and_the_cure_cures(parts: DataFolder) -> None:
    (parts.log / "checkpoint").unlink()

    found = only_bad(parts.root)
    assert found.name[1] == "log"
    assert "no checkpoint" in found.found[1]
    assert "yinzheng status refresh" in str(found.cure)
    assert run("--data", parts.root, "status", "refresh").code == 0
    assert bad(parts.root) == []
    assert run("--data", parts.root, "log", "verify").code == 0


def test_a_checkpoint_that_is_behind_is_a_warning_and_the_cure_cures(parts: DataFolder, tmp_path: Path) -> None:
    both = (parts.log / "checkpoint", parts.checkpoint_copy)
    before = both[0].read_text("utf-8")
    sheet = write_sheet(tmp_path / "more.csv", [person_row(901)])
    assert run("--data", parts.root, "issue", sheet, "--issuer", "nb", "--as", "wang", "--approve-as", "li").code == 0
    for one in both:  # as a kill between the commit of a head and its checkpoint leaves it
        one.write_text(before, "utf-8")

    found = only_warning(parts.root)
    assert found.name[1] == "log"
    assert run("--data", parts.root, "status", "refresh").code == 0
    assert warned(parts.root) == []


def test_a_registry_older_than_the_checkpoint_is_found(parts: DataFolder, tmp_path: Path) -> None:
    old = {one: one.read_bytes() for one in parts.root.glob("registry.sqlite*")}
    sheet = write_sheet(tmp_path / "more.csv", [person_row(902)])
    assert run("--data", parts.root, "issue", sheet, "--issuer", "nb", "--as", "wang", "--approve-as", "li").code == 0
    for one in parts.root.glob("registry.sqlite*"):
        one.unlink()
    for one, content in old.items():
        one.write_bytes(content)

    assert "log" in {one.name[1] for one in bad(parts.root)}


def test_a_change_that_was_never_published_is_a_warning_and_the_cure_cures(
    parts: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands for kill -9: nothing catches it."""

    def die(*_: object) -> None:
        raise Killed

    who = ("--reason", "fraud", "--decision", "示市人社发〔2026〕20号", "--as", "wang", "--approve-as", "li")
    with monkeypatch.context() as patch:
        patch.setattr("registry.status.publisher.StatusLists.publish", die)
        with pytest.raises(Killed):
            run("--data", parts.root, "revoke", _serial(parts), *who)

    found = only_warning(parts.root)
    assert found.name[1] == "waiting to be published"
    assert found.found[1] == "1 status lists with changes nobody sees yet, 2 entries not in the log yet"
    assert run("--data", parts.root, "status", "refresh").code == 0
    assert warned(parts.root) == []


def _serial(parts: DataFolder) -> str:
    with sqlite3.connect(parts.root / "registry.sqlite") as connection:
        return str(connection.execute("SELECT serial FROM credential ORDER BY id").fetchone()[0])


def test_an_older_trust_list_is_found_and_the_cure_cures(parts: DataFolder) -> None:
    old = parts.trust_list.read_bytes()
    assert run("--data", parts.root, "keys", "renew-trust-list").code == 0
    parts.trust_list.write_bytes(old)

    found = only_bad(parts.root)
    assert found.name[1] == "trust list"
    assert "version 3 was already seen" in found.found[1]
    assert run("--data", parts.root, "keys", "renew-trust-list").code == 0
    assert bad(parts.root) == []


@pytest.mark.parametrize("form", ["cwt", "jwt"])
def test_a_lost_status_list_is_found_and_the_cure_cures(parts: DataFolder, form: str) -> None:
    (parts.status / f"1.{form}").unlink()

    found = only_bad(parts.root)
    assert found.name[1] == "status lists"
    assert "gone: 1" in found.found[1]
    assert run("--data", parts.root, "status", "refresh").code == 0
    assert bad(parts.root) == []


@pytest.mark.parametrize(("hours", "level"), [(0.5, "ok"), (2, "warn"), (23, "warn"), (25, "bad")])
def test_a_late_status_list_is_a_warning_before_it_expires(
    hours: float, level: str, issued: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(timedelta(hours=hours), monkeypatch)

    levels = {one.name[1]: one for one in examine_house(Settings(data=issued))}
    assert levels["status lists"].level == level
    assert (levels["status lists"].cure is None) == (level == "ok")
