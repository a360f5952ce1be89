"""What the published trust list holds, who signed it, and how it grows."""

import base64
import errno
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

import service.trust
from credential.leaves import key_leaf, trust_list_leaf
from credential.trust import (
    BadTrustList,
    Role,
    TrustList,
    TrustListExpired,
    TrustListNotSigned,
    TrustListOlder,
    open_trust_list,
)
from keys.store import KeyStore
from registry.history import HistoryKind
from registry.log.tables import LogLeafRow
from registry.tables import HistoryRow
from service.folder import DataFolder
from service.house import House
from service.pinned import (
    BadPinnedRoots,
    content_digest,
    newest_version,
    pin_roots,
    pinned_roots,
    read_own_trust_list,
    remember_list,
    seen_version,
)
from service.settings import Settings
from service.trust import NotOwnList, amend_trust_list, settle_trust_list
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


# ---- publishing ---------------------------------------------------------------------------------------------


def logged(house: House) -> list[bytes]:
    """Every leaf of the log, and those that wait for it."""
    with house.database.reading() as session:
        return list(session.execute(select(LogLeafRow.leaf)).scalars())


def test_every_list_and_every_key_that_it_is_the_first_to_name_is_in_the_log(made: Path) -> None:
    house = House(Settings(data=made), PASSPHRASE.encode(), StoppedClock(timedelta()))
    leaves, trust = logged(house), own(made)
    for version in (1, 2):
        envelope = (made / "public" / "trust-lists" / f"{version}.json").read_bytes()
        assert leaves.count(trust_list_leaf(envelope)) == 1
    for key in trust.keys:
        assert leaves.count(key_leaf(key.role, key.issuer, key.public_key)) == 1
    assert leaves.count(key_leaf(Role.TRUST_ROOT, "", trust.roots[0])) == 1
    checkpoint = house.log_reader.verify(house.store.public_key(Role.LOG), house.installation.log_origin)
    assert checkpoint.size == len(leaves), "all of them are under the published checkpoint"


def test_every_published_list_stands_in_the_history(made: Path) -> None:
    house = House(Settings(data=made), PASSPHRASE.encode(), StoppedClock(timedelta()))
    digest = content_digest((made / "public" / "trust-list.json").read_bytes())
    with house.database.reading() as session:
        rows = session.exec(select(HistoryRow).where(HistoryRow.kind == HistoryKind.TRUST_LIST_PUBLISHED)).all()

    assert [one.subject for one in rows][-1] == f"trust list 2, 4 keys, {digest}: issuer nb added"


STEPS = [
    "service.trust.keep_publishing",
    "service.trust.put_leaves",
    "service.trust.log_head",
    "service.trust.replace_durably",
    "service.trust.remember_list",
    "service.trust.drop_drafts",
    "service.trust.drop_publishing",
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_list_is_published_once_or_not_at_all(
    step: str, when: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(Settings(data=data), PASSPHRASE.encode(), StoppedClock(timedelta()))
    real = getattr(service.trust, step.rpartition(".")[2])

    def killed(*arguments: object) -> object:
        if when == "after":
            real(*arguments)
        raise Killed

    with monkeypatch.context() as doors:
        doors.setattr(step, killed)
        with pytest.raises(Killed):
            amend_trust_list(house, lambda trust: trust, why="renewed")
    assert own(data).version in {2, 3}, "whatever happened, there is a list that is believed"
    again = House(Settings(data=data), PASSPHRASE.encode(), StoppedClock(timedelta()))
    settle_trust_list(again)
    version = own(data).version
    assert version == (2 if (step, when) == (STEPS[0], "before") else 3)

    leaves = logged(again)
    for number in range(1, version + 1):
        envelope = (data / "public" / "trust-lists" / f"{number}.json").read_bytes()
        assert leaves.count(trust_list_leaf(envelope)) == 1
    assert len(set(leaves)) == len(leaves)
    with again.database.reading() as session:
        kinds = session.exec(select(HistoryRow.kind)).all()
    assert kinds.count(HistoryKind.TRUST_LIST_PUBLISHED) == version
    assert not settle_trust_list(again)
    assert amend_trust_list(again, lambda trust: trust, why="next").version == version + 1


class Killed(BaseException):
    """What no handler catches."""


def test_what_the_installation_would_not_believe_is_not_published(data: Path) -> None:
    house = House(Settings(data=data), PASSPHRASE.encode(), StoppedClock(timedelta()))
    before = house.folder.trust_list.read_bytes()
    changes: list[Callable[[TrustList], TrustList]] = [
        lambda trust: replace(trust, log_origin="another.example/log"),
        lambda trust: replace(trust, keys=tuple(key for key in trust.keys if key.role is not Role.LOG)),
        lambda trust: replace(trust, keys=tuple(key for key in trust.keys if key.role is not Role.STATUS)),
    ]
    for change in changes:
        with pytest.raises(NotOwnList):
            amend_trust_list(house, change, why="a mistake")
    with pytest.raises(BadTrustList):
        amend_trust_list(house, lambda trust: replace(trust, threshold=2), why="more roots than there are")

    assert house.folder.trust_list.read_bytes() == before
    assert not settle_trust_list(house)
    assert not list(data.glob("trust-drafts/*.json"))


def test_a_change_starts_from_the_newest_list_even_if_an_older_file_was_put_there(data: Path) -> None:
    """Else a restored folder would bring a withdrawn key back."""
    house = House(Settings(data=data), PASSPHRASE.encode(), StoppedClock(timedelta()))
    old = house.folder.trust_list.read_bytes()
    since = own(data).issued_at
    amend_trust_list(
        house,
        lambda trust: replace(trust, keys=tuple(replace(key, compromised_since=since) for key in trust.keys)),
        why="all is lost",
    )
    house.folder.trust_list.write_bytes(old)
    assert amend_trust_list(house, lambda trust: trust, why="renewed").version == 4
    assert all(key.compromised_since == since for key in own(data).keys)


def test_without_the_newest_list_no_change_is_made(data: Path) -> None:
    house = House(Settings(data=data), PASSPHRASE.encode(), StoppedClock(timedelta()))
    old = house.folder.trust_list.read_bytes()
    amend_trust_list(house, lambda trust: trust, why="renewed")
    house.folder.trust_list.write_bytes(old)
    (house.folder.trust_lists / "3.json").unlink()
    with pytest.raises(TrustListOlder):
        amend_trust_list(house, lambda trust: trust, why="renewed")


def test_a_log_that_cannot_be_written_does_not_hold_the_list_up(data: Path) -> None:
    """A withdrawn key must be told even then."""
    (data / "public" / "log" / "checkpoint").write_bytes(b"damaged")
    house = House(Settings(data=data), PASSPHRASE.encode(), StoppedClock(timedelta()))
    assert amend_trust_list(house, lambda trust: trust, why="renewed").published
    assert own(data).version == 3
