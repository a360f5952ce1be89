"""The roots leave the data folder: key files elsewhere, drafts signed there, a change signed by old and new."""

import io
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from credential.dsse import BadEnvelope, open_envelope
from credential.trust import PAYLOAD_TYPE, Role, TrustListNotSigned, TrustListOlder, sign_trust_list
from keys.file_signer import FileSigner, load_signer
from keys.pkcs8 import ScryptCost
from keys.private_files import FileExists
from keys.store import KeyStore
from service.folder import DataFolder
from service.house import House, SystemClock, create_house
from service.pinned import TrustListTwice, believe_trust_list, pinned_roots, read_own_trust_list, read_pinned
from service.roots import (
    AlreadyPinned,
    BadRootFile,
    NotTheDraft,
    RootInDataFolder,
    RootNotConfirmed,
    RootStillNeeded,
    drop_own_roots,
    fingerprint,
    make_root,
    pin_trust_list,
    publish_drafts,
    read_public_root,
    set_roots,
    sign_draft,
)
from service.settings import Settings
from service.trust import amend_trust_list, read_content, renew_trust_list
from service.verifying import read_foreign_trust_list
from tests.service.at_hand import PASSPHRASE, run

ROOT_PASSPHRASE = b"of a root, in the tests"
CHEAP = ScryptCost(2, 8, 1)
OTHER = ("--name", "示例县人力资源和社会保障局", "--uscc", "11649900MB0T000236", "--division", "330226", "--sample")


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three root keys on a stick, with a file of their passphrase."""
    folder = tmp_path_factory.mktemp("stick")
    for number in (1, 2, 3):
        make_root(folder / f"root{number}.pem", ROOT_PASSPHRASE, DataFolder(folder / "data"), CHEAP)
    (folder / "passphrase").write_bytes(ROOT_PASSPHRASE + b"\n")
    (folder / "passphrase").chmod(0o600)
    return folder


def root(stick: Path, number: int) -> FileSigner:
    return load_signer(stick / f"root{number}.pem", ROOT_PASSPHRASE)


def house_of(data: Path) -> House:
    return House(Settings(data=data), PASSPHRASE.encode(), SystemClock())


def publics(stick: Path, *numbers: int) -> list[bytes]:
    return [read_public_root(stick / f"root{number}.pem.pub") for number in numbers]


@pytest.fixture(scope="module")
def moved(made: Path, stick: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose list two of the three offline roots sign; look, do not touch."""
    data = Path(shutil.copytree(made, tmp_path_factory.mktemp("moved") / "data", symlinks=True))
    house = house_of(data)
    draft = set_roots(house, publics(stick, 1, 2, 3), 2).draft
    assert draft is not None
    sign_draft(draft, [root(stick, 1), root(stick, 2)])
    publish_drafts(house, [draft])
    drop_own_roots(house)
    return data


@pytest.fixture
def offline(moved: Path, tmp_path: Path) -> Path:
    """A copy of ``moved`` of one's own."""
    return Path(shutil.copytree(moved, tmp_path / "offline", symlinks=True))


def test_the_whole_way_by_command(data: Path, stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/security.md tells it: make, set, sign on two machines, publish, destroy."""
    secret = ("--root-passphrase-file", stick / "passphrase")
    ran = run("--data", data, "trust", "roots", "make", "--out", tmp_path / "root4.pem", *secret)
    assert ran.code == 0, ran.err
    new = [stick / "root1.pem.pub", stick / "root2.pem.pub", tmp_path / "root4.pem.pub"]
    ran = run("--data", data, "trust", "roots", "set", *new, "--threshold", "2")
    assert ran.code == 0, ran.err
    draft = data / "trust-drafts" / "trust-list-3.json"
    assert str(draft) in ran.out
    assert read_own_trust_list(DataFolder(data), datetime.now(UTC)).version == 2, "a draft counts for nothing"
    assert run("--data", data, "trust", "roots", "offline", "--yes").error == "root-still-needed"

    copies = [Path(shutil.copy(draft, tmp_path / f"copy{number}.json")) for number in (1, 2)]
    for copy, key in zip(copies, (stick / "root1.pem", tmp_path / "root4.pem"), strict=True):
        monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
        assert "not-confirmed" in run("trust", "sign", copy, "--root", key, *secret).err
        ran = run("trust", "sign", copy, "--root", key, *secret, "--yes")
        assert ran.code == 0, ran.err
        assert "this file has 1 of 2 root signatures, 1 are missing" in ran.out
    both = Path(shutil.copy(copies[0], tmp_path / "both.json"))
    ran = run("trust", "sign", both, "--root", tmp_path / "root4.pem", *secret, "--yes")
    assert "enough roots have signed" in ran.out
    ran = run("--data", data, "trust", "publish", copies[0])
    assert ran.error == "trust-list-not-signed"
    assert "1 missing: have as many custodians run yinzheng trust sign" in ran.err
    ran = run("--data", data, "trust", "publish", copies[0], environ={"YINZHENG_LANG": "zh"})
    assert "还缺 1 个: 请再由 1 位保管人执行 yinzheng trust sign" in ran.err
    assert run("--data", data, "trust", "publish", *copies).code == 0
    ran = run("--data", data, "trust", "roots", "offline", "--yes")
    assert ran.code == 0, ran.err

    assert not list((data / "keys").glob("trust-root*"))
    assert not list((data / "trust-drafts").glob("trust-list*"))
    shown = run("--data", data, "trust", "show").out
    assert "2 of 2 needed, of 3 roots" in shown
    assert run("--data", data, "trust", "verify", data / "public" / "trust-list.json").code == 0
    assert run("--data", data, "doctor").code == 0


def test_a_change_needs_the_old_roots_and_the_new(data: Path, stick: Path) -> None:
    house = house_of(data)
    old = KeyStore(data / "keys", PASSPHRASE.encode()).signer(Role.TRUST_ROOT)
    draft = set_roots(house, publics(stick, 1, 2, 3), 2).draft
    assert draft is not None
    assert {old.public_key} == signers_of(draft, [old.public_key, *publics(stick, 1, 2, 3)])
    with pytest.raises(TrustListNotSigned):
        publish_drafts(house, [draft])
    sign_draft(draft, [root(stick, 1)])
    with pytest.raises(TrustListNotSigned):
        publish_drafts(house, [draft])
    sign_draft(draft, [root(stick, 1)])  # the same again makes no second signature
    with pytest.raises(TrustListNotSigned):
        publish_drafts(house, [draft])
    assert read_own_trust_list(house.folder, house.now()).version == 2
    assert pinned_roots(house.folder) == ((old.public_key,), 1)


def test_new_roots_alone_change_nothing(data: Path, stick: Path) -> None:
    """Whoever can write drafts and has keys of their own, but not the old root."""
    house = house_of(data)
    draft = set_roots(house, publics(stick, 1), 1).draft
    assert draft is not None
    content = read_content(draft.read_bytes())
    draft.unlink()

    forged = draft.with_name("forged.json")
    forged.write_bytes(sign_trust_list(content, [root(stick, 1)]))
    with pytest.raises(TrustListNotSigned):
        publish_drafts(house, [forged])


def signers_of(file: Path, roots: list[bytes]) -> set[bytes]:

    return set(open_envelope(file.read_bytes(), PAYLOAD_TYPE).signers(roots))


def test_the_pins_follow_the_change_and_older_roots_count_no_more(moved: Path, made: Path, stick: Path) -> None:
    assert pinned_roots(DataFolder(moved)) == (tuple(publics(stick, 1, 2, 3)), 2)
    with pytest.raises((TrustListNotSigned, TrustListOlder)):
        believe_trust_list(DataFolder(moved), (made / "public" / "trust-list.json").read_bytes(), datetime.now(UTC))


def test_a_change_made_without_roots_waits_as_a_draft_and_none_is_lost(offline: Path, stick: Path) -> None:
    house = house_of(offline)
    ran = run("--data", offline, "issuer", "add", "xs", *OTHER, "--pdf-key", "p-256")
    assert ran.code == 0, ran.err
    first = amend_trust_list(house, lambda trust: trust, why="one more")
    assert not first.published
    assert first.draft is not None
    assert [one.name for one in offline.joinpath("trust-drafts").glob("*.json")] == [first.draft.name]
    sign_draft(first.draft, [root(stick, 2), root(stick, 3)])
    published = publish_drafts(house, [first.draft])

    assert {one.uscc for one in published.issuers} == {"11649900MB0T000311", OTHER[3]}
    assert house.trust == published


def test_a_draft_that_was_changed_meanwhile_is_signed_anew(offline: Path, stick: Path, tmp_path: Path) -> None:
    house = house_of(offline)
    away = Path(shutil.copy(renew_trust_list(house).draft or "", tmp_path / "away.json"))
    newer = renew_trust_list(house)
    sign_draft(away, [root(stick, 1), root(stick, 2)])
    with pytest.raises(NotTheDraft):
        publish_drafts(house, [away])
    assert newer.draft is not None
    sign_draft(newer.draft, [root(stick, 1), root(stick, 2)])
    assert publish_drafts(house, [newer.draft]).version == newer.version


def test_a_published_draft_is_not_published_twice(offline: Path, stick: Path, tmp_path: Path) -> None:
    house = house_of(offline)
    signed = Path(shutil.copy(renew_trust_list(house).draft or "", tmp_path / "signed.json"))
    sign_draft(signed, [root(stick, 1), root(stick, 2)])
    publish_drafts(house, [signed])
    with pytest.raises(TrustListOlder):
        publish_drafts(house, [signed])


def test_init_makes_no_second_root_once_it_was_taken_out(offline: Path) -> None:
    create_house(Settings(data=offline), public_url=None, passphrase=PASSPHRASE.encode())

    assert not list((offline / "keys").glob("trust-root*"))


def test_a_root_key_is_not_made_in_the_data_folder(made: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(made)
    for path in (made / "root.pem", made / "keys" / "root.pem", link / "root.pem"):
        with pytest.raises(RootInDataFolder):
            make_root(path, ROOT_PASSPHRASE, DataFolder(made), CHEAP)


def test_a_root_key_is_never_written_over(stick: Path) -> None:
    with pytest.raises(FileExists):
        make_root(stick / "root1.pem", ROOT_PASSPHRASE, DataFolder(stick / "data"), CHEAP)


def test_what_is_no_root_is_refused(made: Path, stick: Path, tmp_path: Path) -> None:
    for path in (stick / "passphrase", stick / "root1.pem", tmp_path / "none"):
        with pytest.raises(BadRootFile):
            read_public_root(path)
    with pytest.raises(BadEnvelope):
        sign_draft(stick / "root1.pem", [root(stick, 1)])
    ran = run("trust", "show", made / "pinned-roots.json")
    assert (ran.code, ran.error) == (1, "bad-envelope")


def test_the_root_stays_while_the_list_names_it(data: Path) -> None:
    with pytest.raises(RootStillNeeded):
        drop_own_roots(house_of(data))
    assert (data / "keys" / "trust-root.pem").exists()


def test_two_lists_of_one_version_are_noticed(offline: Path, stick: Path) -> None:
    """Roots that show different people different lists."""

    trust = read_own_trust_list(DataFolder(offline), datetime.now(UTC))
    other = sign_trust_list(replace(trust, issuers=(), keys=trust.keys[:2]), [root(stick, 1), root(stick, 2)])
    with pytest.raises(TrustListTwice):
        believe_trust_list(DataFolder(offline), other, datetime.now(UTC))
    more = sign_trust_list(trust, [root(stick, 3), root(stick, 2)])  # the same content under other signatures
    assert believe_trust_list(DataFolder(offline), more, datetime.now(UTC)) == trust


# ---- a verifier that has no installation ---------------------------------------------------------------------


def test_a_verifier_pins_what_was_compared_and_follows_from_there(
    offline: Path, made: Path, stick: Path, tmp_path: Path
) -> None:
    mine = DataFolder(tmp_path / "mine")
    first = made / "public" / "trust-list.json"
    (paper,) = [fingerprint(one) for one in pinned_roots(DataFolder(made))[0]]
    spoken = " ".join(paper[at : at + 8] for at in range(0, 64, 8)).upper()
    assert run("--data", mine.root, "trust", "pin", first, "--fingerprint", spoken).code == 0
    for name in ("3.json",):
        ran = run("--data", mine.root, "trust", "verify", offline / "public" / "trust-lists" / name)
        assert ran.code == 0, ran.err

    assert read_pinned(mine).roots == tuple(publics(stick, 1, 2, 3))
    with pytest.raises((TrustListNotSigned, TrustListOlder)):
        read_foreign_trust_list(Settings(data=mine.root), first, datetime.now(UTC))
    with pytest.raises(AlreadyPinned):
        pin_trust_list(mine, first, [paper], datetime.now(UTC))


def test_a_list_of_other_roots_is_not_pinned(made: Path, moved: Path, stick: Path, tmp_path: Path) -> None:
    file = moved / "public" / "trust-list.json"
    third = fingerprint(publics(stick, 3)[0])
    cases: list[tuple[list[str], type[Exception]]] = [
        (["0" * 64], RootNotConfirmed),
        ([], RootNotConfirmed),
        ([third], TrustListNotSigned),  # named by the list, and has not signed it
        ([fingerprint(publics(stick, 1)[0]), third], TrustListNotSigned),
    ]
    for named, error in cases:
        with pytest.raises(error):
            pin_trust_list(DataFolder(tmp_path / "mine"), file, named, datetime.now(UTC))
    assert not (tmp_path / "mine" / "pinned-roots.json").exists()
    with pytest.raises(AlreadyPinned):
        pin_trust_list(DataFolder(made), file, [third], datetime.now(UTC))


def test_a_stolen_root_alone_signs_nothing_that_is_believed(moved: Path, stick: Path) -> None:

    trust = read_own_trust_list(DataFolder(moved), datetime.now(UTC))
    for forged in (
        sign_trust_list(replace(trust, version=99), [root(stick, 1)]),
        sign_trust_list(replace(trust, version=99, threshold=1), [root(stick, 1)]),
        sign_trust_list(replace(trust, version=99, threshold=1, roots=(trust.roots[0],)), [root(stick, 1)]),
        sign_trust_list(replace(trust, version=99, threshold=1), [root(stick, 1), root(stick, 1)]),
    ):
        with pytest.raises(TrustListNotSigned):
            believe_trust_list(DataFolder(moved), forged, datetime.now(UTC))
