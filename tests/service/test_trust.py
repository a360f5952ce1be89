"""What the published trust list holds, who signed it, and how it grows."""

import base64
import errno
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from credential.trust import Role, TrustList, TrustListExpired, TrustListNotSigned, TrustListOlder, open_trust_list
from keys.store import KeyStore
from service.folder import DataFolder
from service.house import House
from service.pinned import (
    BadPinnedRoots,
    newest_version,
    pin_roots,
    pinned_roots,
    read_own_trust_list,
    remember_list,
    seen_version,
)
from service.settings import Settings
from service.verifying import UnreadableFile, read_foreign_trust_list
from tests.service.at_hand import PASSPHRASE, StoppedClock, run

OTHER = ("--name", "示例县人力资源和社会保障局", "--uscc", "11649900MB0T000236", "--division", "330226", "--sample")


def own(data: Path) -> TrustList:
    return read_own_trust_list(DataFolder(data), datetime.now(UTC))


def test_every_key_stands_there_with_its_one_role(made: Path) -> None:
    keys = {(key.role, key.issuer) for key in own(made).keys}
    uscc = "11649900MB0T000311"

    assert keys == {(Role.LOG, ""), (Role.STATUS, ""), (Role.PDF, uscc), (Role.QR, uscc)}
    assert len({key.public_key for key in own(made).keys}) == 4


def test_the_list_holds_public_keys_of_the_store_and_the_root_of_the_authority(made: Path) -> None:
    store, trust = KeyStore(made / "keys", PASSPHRASE.encode()), own(made)

    assert {key.public_key for key in trust.keys} == {
        store.public_key(Role.LOG),
        store.public_key(Role.STATUS),
        store.public_key(Role.PDF, "nb"),
        store.public_key(Role.QR, "nb"),
    }
    assert trust.ca_certs == (store.chain(Role.PDF, "nb")[-1],)
    assert trust.roots == (store.public_key(Role.TRUST_ROOT),) == pinned_roots(DataFolder(made))[0]
    assert trust.expires - trust.issued_at == timedelta(days=366)


def test_the_first_version_has_no_issuer_and_each_new_issuer_adds_one(data: Path) -> None:
    assert own(data).version == 2
    assert run("--data", data, "issuer", "add", "xs", *OTHER, "--pdf-key", "p-256").code == 0

    assert own(data).version == newest_version(DataFolder(data)) == 3
    assert [one.name for one in own(data).issuers] == ["示例市人力资源和社会保障局", OTHER[1]]
    assert len(own(data).keys) == 6
    assert len(own(data).ca_certs) == 1


def test_adding_a_person_changes_nothing_in_it(data: Path) -> None:
    before = (data / "public" / "trust-list.json").read_bytes()
    assert run("--data", data, "person", "add", "zhao", "--name", "赵", "--issuer", "nb").code == 0

    assert (data / "public" / "trust-list.json").read_bytes() == before


def test_a_list_signed_by_other_roots_is_refused(data: Path, made: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert run("--data", elsewhere, "init").code == 0
    (data / "public" / "trust-list.json").write_bytes((elsewhere / "public" / "trust-list.json").read_bytes())

    with pytest.raises(TrustListNotSigned):
        own(data)
    with pytest.raises(TrustListNotSigned):
        read_foreign_trust_list(Settings(data=made), elsewhere / "public" / "trust-list.json", datetime.now(UTC))
    ran = run("--data", made, "verify", "--code", "0" * 16, "--trust", elsewhere / "public" / "trust-list.json")
    assert (ran.code, ran.error) == (2, "trust-list-not-signed")


def test_without_a_data_folder_naming_a_list_is_the_act_of_trust(made: Path, tmp_path: Path) -> None:
    file = made / "public" / "trust-list.json"
    trust = read_foreign_trust_list(Settings(data=tmp_path / "none"), file, datetime.now(UTC))

    assert trust == own(made)


def test_one_changed_byte_of_the_list_is_seen(made: Path, tmp_path: Path) -> None:
    envelope = json.loads((made / "public" / "trust-list.json").read_text())
    payload = bytearray(base64.b64decode(envelope["payload"]))
    payload[payload.index(b"330") if b"330" in payload else 100] ^= 1
    envelope["payload"] = base64.b64encode(payload).decode()
    changed = tmp_path / "list.json"
    changed.write_text(json.dumps(envelope))

    for settings in (Settings(data=made), Settings(data=tmp_path / "none")):
        with pytest.raises((TrustListNotSigned, ValueError, Exception)) as refused:
            read_foreign_trust_list(settings, changed, datetime.now(UTC))
        assert type(refused.value).__module__.startswith("credential.")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"threshold": 1}', '{"threshold": "x", "roots": []}', "\x00"])
def test_damaged_pinned_roots_are_no_roots(content: str, data: Path) -> None:
    DataFolder(data).roots.write_text(content)

    with pytest.raises(BadPinnedRoots):
        own(data)


def test_an_older_list_than_was_seen_is_refused_offline_too(data: Path, tmp_path: Path) -> None:
    older = tmp_path / "older.json"
    older.write_bytes((data / "public" / "trust-list.json").read_bytes())
    assert run("--data", data, "keys", "renew-trust-list").code == 0

    with pytest.raises(TrustListOlder):
        read_foreign_trust_list(Settings(data=data), older, datetime.now(UTC))


def test_a_missing_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        read_foreign_trust_list(Settings(data=tmp_path), tmp_path / "none.json", datetime.now(UTC))


def test_an_expired_list_is_refused_and_can_be_renewed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoppedClock(timedelta(days=400))
    monkeypatch.setattr("service.house.SystemClock", lambda: clock)
    house = House(Settings(data=data), PASSPHRASE.encode(), clock)
    with pytest.raises(TrustListExpired):
        _ = house.trust
    ran = run("--data", data, "keys", "renew-trust-list")

    assert ran.code == 0, ran.err
    assert "version 3" in ran.out
    assert house.trust.version == 3
    assert house.trust.keys == own_at_any_time(data).keys


def own_at_any_time(data: Path) -> TrustList:
    roots, threshold = pinned_roots(DataFolder(data))
    return open_trust_list(
        DataFolder(data).trust_list.read_bytes(), roots, threshold, datetime(2020, 1, 1, tzinfo=UTC), 0
    )


def test_the_printed_list_is_the_published_one(made: Path) -> None:
    ran = run("--data", made, "keys", "trust-list")

    assert (ran.code, ran.out) == (0, (made / "public" / "trust-list.json").read_text("utf-8"))


def test_a_list_that_was_rolled_back_is_refused(data: Path) -> None:
    folder = DataFolder(data)
    old = folder.trust_list.read_bytes()
    assert run("--data", data, "keys", "renew-trust-list").code == 0
    assert seen_version(folder) == own(data).version == 3
    folder.trust_list.write_bytes(old)

    with pytest.raises(TrustListOlder) as refused:
        own(data)
    assert (refused.value.version, refused.value.seen) == (2, 3)
    assert newest_version(folder) == 3, "the next list is newer than every one before"


def test_what_is_opened_is_remembered(data: Path) -> None:
    folder = DataFolder(data)
    pinned = json.loads(folder.roots.read_text("utf-8"))
    del pinned["seen_version"]  # as an earlier program wrote it
    folder.roots.write_text(json.dumps(pinned), "utf-8")
    assert seen_version(folder) == 0

    assert own(data).version == seen_version(folder) == 2
    assert pinned_roots(folder) == (own(data).roots, 1)


def test_versions_are_never_forgotten(data: Path) -> None:
    folder, trust = DataFolder(data), own(data)
    for version, seen in ((7, 7), (5, 7), (7, 7), (9, 9), (0, 9)):
        remember_list(folder, replace(trust, version=version), f"{version:064x}")
        assert seen_version(folder) == seen


def test_a_folder_that_cannot_be_written_can_still_be_read(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = DataFolder(data)
    pin_roots(folder, *pinned_roots(folder))

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only file system")

    monkeypatch.setattr("service.pinned.replace_durably", read_only)
    assert own(data).version == 2
    assert seen_version(folder) == 0


@pytest.mark.parametrize("version", ['"x"', "null", "[]", "{}"])
def test_a_damaged_version_is_no_version(version: str, data: Path) -> None:
    folder = DataFolder(data)
    text = folder.roots.read_text("utf-8")
    assert '"seen_version": 2' in text
    folder.roots.write_text(text.replace('"seen_version": 2', f'"seen_version": {version}'), "utf-8")

    with pytest.raises(BadPinnedRoots):
        own(data)
