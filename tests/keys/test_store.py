"""The folder of keys: by role and owner, public parts without passphrase, the master key."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credential.ports import Algorithm, Signer
from credential.trust import Role
from keys import store as store_module
from keys.authority import DevelopmentAuthority, Organization
from keys.chain import BadChain
from keys.entry import KeyState
from keys.file_signer import BadKeyFile, FileSigner, WrongPassphrase, generate_key, load_signer
from keys.pkcs8 import COST, ScryptCost
from keys.places import NoPlaces
from keys.private_files import FileExists, OpenToOthers, UnreadablePrivateFile
from keys.store import (
    BadKeyName,
    KeyKeptElsewhere,
    KeyStateForbids,
    KeyStore,
    KeyStoreLocked,
    MissingKey,
)

OWNER = "11330299MB0T00023P"


def test_a_key_is_found_again_by_role_and_owner(store: KeyStore, folder: Path, now: datetime) -> None:
    made = store.create(Role.QR, Algorithm.P256, OWNER, now=now)
    store.create(Role.QR, Algorithm.P256, "other", now=now)
    again = KeyStore(folder, b"correct horse")
    assert again.signer(Role.QR, OWNER).public_key == made.public_key
    assert again.public_key(Role.QR, OWNER) == made.public_key
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_public_parts_are_read_without_the_passphrase(store: KeyStore, folder: Path, now: datetime) -> None:
    made = store.create(Role.LOG, Algorithm.ED25519, now=now)
    store.create(Role.PDF, Algorithm.P256, OWNER, now=now)
    locked = KeyStore(folder, None)
    log, pdf = locked.entries()
    assert (log.role, log.owner, log.algorithm, log.public_key) == ("log", "", Algorithm.ED25519, made.public_key)
    assert log.created_at == datetime(2026, 7, 8, 1, 2, 3, tzinfo=UTC)
    assert (pdf.role, pdf.owner, pdf.chain) == ("pdf", OWNER, ())
    for use in (lambda: locked.signer(Role.LOG), locked.master_key, locked.create_master_key):
        with pytest.raises(KeyStoreLocked):
            use()
    with pytest.raises(KeyStoreLocked):
        locked.create(Role.QR, Algorithm.P256, now=now)


def test_a_private_key_is_loaded_once_even_by_many_threads(
    store: KeyStore, folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(Role.LOG, Algorithm.ED25519, now=now)
    loaded = []

    def counted(path: Path, passphrase: bytes) -> FileSigner:
        loaded.append(path)
        return load_signer(path, passphrase)

    monkeypatch.setattr(store_module, "load_signer", counted)
    again = KeyStore(folder, b"correct horse")
    threads = [threading.Thread(target=again.signer, args=(Role.LOG,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert again.signer(Role.LOG) is again.signer(Role.LOG)
    assert len(loaded) == 1


def test_a_second_key_of_the_same_name_is_refused(store: KeyStore, now: datetime) -> None:
    first = store.create(Role.LOG, Algorithm.ED25519, now=now)
    with pytest.raises(FileExists):
        store.create(Role.LOG, Algorithm.ED25519, now=now)
    assert store.public_key(Role.LOG) == first.public_key


def test_a_key_whose_making_was_interrupted_is_completed(store: KeyStore, folder: Path, now: datetime) -> None:
    first = store.create(Role.LOG, Algorithm.ED25519, now=now)
    (folder / "log.json").unlink()
    with pytest.raises(MissingKey):
        store.public_key(Role.LOG)
    with pytest.raises(FileExists):
        store.create(Role.LOG, Algorithm.P256, now=now)
    assert store.create(Role.LOG, Algorithm.ED25519, now=now).public_key == first.public_key
    assert store.public_key(Role.LOG) == first.public_key


def test_missing_keys_and_wrong_passphrases_are_told(store: KeyStore, folder: Path, now: datetime) -> None:
    store.create(Role.LOG, Algorithm.ED25519, now=now)
    for use in (store.signer, store.public_key, store.chain):
        with pytest.raises(MissingKey, match=r"qr\.x"):
            use(Role.QR, "x")
    with pytest.raises(WrongPassphrase):
        KeyStore(folder, b"wrong").signer(Role.LOG)


@pytest.mark.parametrize(
    ("role", "owner"), [("../x", ""), ("QR", ""), ("", ""), ("qr", "a/b"), ("qr", ".."), ("qr", "单位")]
)
def test_names_that_could_leave_the_folder_are_refused(role: str, owner: str, store: KeyStore, now: datetime) -> None:
    with pytest.raises(BadKeyName):
        store.create(role, Algorithm.ED25519, owner, now=now)


def test_a_key_put_in_place_of_another_is_noticed(store: KeyStore, folder: Path, now: datetime) -> None:
    store.create(Role.LOG, Algorithm.ED25519, now=now)
    store.create(Role.STATUS, Algorithm.ED25519, now=now)
    (folder / "status.pem").replace(folder / "log.pem")
    with pytest.raises(BadKeyFile, match="names"):
        KeyStore(folder, b"correct horse").signer(Role.LOG)


@pytest.mark.parametrize(
    "change",
    [{"algorithm": "rot13"}, {"public_key": "!"}, {"created_at": "yesterday"}, {"chain": ["x"]}, {"chain": [1]}],
)
def test_a_damaged_public_part_is_told(change: dict[str, object], store: KeyStore, folder: Path, now: datetime) -> None:
    store.create(Role.LOG, Algorithm.ED25519, now=now)
    path = folder / "log.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadKeyFile, match="public part"):
        store.entries()
    path.write_text("[]")
    with pytest.raises(BadKeyFile, match="public part"):
        store.entry(Role.LOG)


def test_a_folder_open_to_others_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(OpenToOthers, match="chmod 700"):
        KeyStore(folder, b"x")


def test_only_the_keys_own_chain_is_kept(store: KeyStore, folder: Path, now: datetime) -> None:
    authority = DevelopmentAuthority(store, "http://127.0.0.1/crl")
    authority.create(Algorithm.P256, now)
    store.create(Role.PDF, Algorithm.P256, OWNER, now=now)
    organization = Organization("示例市人力资源和社会保障局", OWNER)
    chain = authority.certify(Role.PDF, OWNER, organization, not_before=now, not_after=now + timedelta(days=365))
    assert KeyStore(folder, None).chain(Role.PDF, OWNER) == chain
    for wrong in ((), chain[1:], chain[::-1], (chain[0], chain[2]), (b"x",)):
        with pytest.raises(BadChain):
            store.set_chain(Role.PDF, OWNER, wrong)
    assert store.chain(Role.PDF, OWNER) == chain
    stored = json.loads((folder / f"pdf.{OWNER}.json").read_text())["chain"]
    assert x509.load_pem_x509_certificate(stored[0].encode()).public_bytes(Encoding.DER) == chain[0]


# ---- the master key


def test_the_master_key_is_found_again_and_stands_nowhere_in_clear(store: KeyStore, folder: Path) -> None:
    made = store.create_master_key()
    assert len(made) == 32
    content = (folder / "master.key").read_bytes()
    assert made not in content
    assert (folder / "master.key").stat().st_mode & 0o777 == 0o600
    assert KeyStore(folder, b"correct horse").master_key() == made


def test_a_second_master_key_is_refused(store: KeyStore) -> None:
    made = store.create_master_key()
    with pytest.raises(FileExists):
        store.create_master_key()
    assert store.master_key() == made


def test_a_missing_master_key_and_a_wrong_passphrase_are_told(store: KeyStore, folder: Path) -> None:
    with pytest.raises(UnreadablePrivateFile):
        store.master_key()
    store.create_master_key()
    with pytest.raises(WrongPassphrase):
        KeyStore(folder, b"wrong").master_key()


def test_any_flipped_byte_of_the_master_key_file_is_noticed(store: KeyStore, folder: Path) -> None:
    store.create_master_key()
    content = (folder / "master.key").read_bytes()
    cheap_line = b"yinzheng-master-key/1 scrypt 2 8 1\n"
    assert content.startswith(cheap_line)
    for at in range(len(content)):
        if content[at : at + 1].isdigit() and at < len(cheap_line):
            continue  # another cost is another computation; the next test has those
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        (folder / "master.key").write_bytes(changed)
        with pytest.raises((WrongPassphrase, BadKeyFile)):
            store.master_key()


@pytest.mark.parametrize("cost", [b"4 8 1", b"2 9 1", b"2 8 2", b"3 8 1", b"0 8 1", b"9999999999 8 1", b"1 8 1"])
def test_another_cost_in_the_master_key_file_is_noticed(cost: bytes, store: KeyStore, folder: Path) -> None:
    store.create_master_key()
    content = (folder / "master.key").read_bytes()
    (folder / "master.key").write_bytes(content.replace(b"2 8 1", cost, 1))
    with pytest.raises((WrongPassphrase, BadKeyFile)):
        store.master_key()


def test_the_cost_of_real_files_is_not_the_cheap_one(folder: Path) -> None:
    KeyStore(folder, b"x").create_master_key()
    assert (folder / "master.key").read_bytes().startswith(b"yinzheng-master-key/1 scrypt 16384 8 5\n")
    assert ScryptCost(16384, 8, 5) == COST


# ---- generations


def test_the_next_key_waits_until_it_is_activated_and_then_the_old_one_signs_no_more(
    store: KeyStore, folder: Path, now: datetime
) -> None:
    first = store.create(Role.QR, Algorithm.P256, OWNER, now=now)
    second = store.create_next(Role.QR, Algorithm.P256, OWNER, now=now)
    again = KeyStore(folder, b"correct horse")
    assert again.signer(Role.QR, OWNER).public_key == first.public_key
    assert again.signer(Role.QR, OWNER, 2).public_key == second.public_key
    assert sorted(path.name for path in folder.glob("*.pem")) == [f"qr.{OWNER}.pem", f"qr.{OWNER}@2.pem"]

    later = now + timedelta(days=1)
    store.activate(Role.QR, OWNER, 2, later)
    assert again.signer(Role.QR, OWNER).public_key == second.public_key  # a store that was open already
    old, new = again.entries()
    assert (old.generation, old.state, old.retired_at) == (1, KeyState.RETIRED, later.replace(microsecond=0))
    assert (new.generation, new.state, new.activated_at) == (2, KeyState.ACTIVE, later.replace(microsecond=0))
    assert again.signer(Role.QR, OWNER, 1).public_key == first.public_key


def test_a_keys_life_goes_forward_only(store: KeyStore, now: datetime) -> None:
    store.create(Role.LOG, Algorithm.ED25519, now=now)
    for _ in range(2):
        store.create_next(Role.LOG, Algorithm.ED25519, now=now)
    store.retire(Role.LOG, "", 2, now)
    with pytest.raises(KeyStateForbids, match=r"log@2.*retired"):
        store.activate(Role.LOG, "", 2, now)
    store.activate(Role.LOG, "", 3, now)
    with pytest.raises(KeyStateForbids):
        store.activate(Role.LOG, "", 1, now)
    activated = store.entry(Role.LOG)
    store.activate(Role.LOG, "", 3, now + timedelta(days=1))
    assert store.entry(Role.LOG) == activated  # asked again, nothing changes
    retired = store.retire(Role.LOG, "", 3, now)
    assert store.retire(Role.LOG, "", 3, now + timedelta(days=1)) == retired
    with pytest.raises(MissingKey, match="active"):
        store.signer(Role.LOG)
    with pytest.raises(MissingKey, match="log@9"):
        store.entry(Role.LOG, "", 9)


def test_an_activation_that_was_cut_off_leaves_the_new_key_signing_and_is_completed(
    store: KeyStore, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(Role.LOG, Algorithm.ED25519, now=now)
    second = store.create_next(Role.LOG, Algorithm.ED25519, now=now)

    def stop(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as doors:
        doors.setattr(store, "retire", stop)
        with pytest.raises(OSError, match="No space"):
            store.activate(Role.LOG, "", 2, now)
    assert store.signer(Role.LOG).public_key == second.public_key
    store.activate(Role.LOG, "", 2, now)
    assert [one.state for one in store.entries()] == [KeyState.RETIRED, KeyState.ACTIVE]


def test_a_key_file_from_before_there_were_generations_is_the_first_active_one(
    store: KeyStore, folder: Path, now: datetime
) -> None:
    made = store.create(Role.LOG, Algorithm.ED25519, now=now)
    path = folder / "log.json"
    before = {"role", "owner", "algorithm", "public_key", "created_at", "chain"}
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name in before}))
    entry = KeyStore(folder, None).entry(Role.LOG)
    assert (entry.generation, entry.state, entry.kept_in) == (1, KeyState.ACTIVE, "file")
    assert entry.activated_at == entry.created_at
    assert KeyStore(folder, b"correct horse").signer(Role.LOG).public_key == made.public_key


def test_the_next_key_whose_making_was_interrupted_is_completed(store: KeyStore, folder: Path, now: datetime) -> None:
    store.create(Role.LOG, Algorithm.ED25519, now=now)
    made = store.create_next(Role.LOG, Algorithm.ED25519, now=now)
    (folder / "log@2.json").unlink()
    assert KeyStore(folder, b"correct horse").create_next(Role.LOG, Algorithm.ED25519, now=now).public_key == (
        made.public_key
    )
    assert [one.generation for one in store.entries()] == [1, 2]


def test_generations_are_in_the_order_of_their_numbers(store: KeyStore, now: datetime) -> None:
    for _ in range(11):
        store.create_next(Role.LOG, Algorithm.ED25519, now=now)
    assert [one.generation for one in store.entries()] == list(range(1, 12))
    store.activate(Role.LOG, "", 9, now)
    store.activate(Role.LOG, "", 11, now)
    assert store.entry(Role.LOG).generation == 11


def test_a_public_part_under_another_name_is_refused(store: KeyStore, folder: Path, now: datetime) -> None:
    store.create(Role.LOG, Algorithm.ED25519, now=now)
    (folder / "log@2.json").write_bytes((folder / "log.json").read_bytes())
    (folder / "log@2.json").chmod(0o600)
    with pytest.raises(BadKeyFile, match="that of log"):
        store.entry(Role.LOG, "", 2)


def test_a_key_kept_elsewhere_is_not_asked_for_its_private_part(folder: Path, now: datetime, cheap: ScryptCost) -> None:
    class Drawer:
        def __init__(self) -> None:
            self.kept: dict[str, FileSigner] = {}

        def create(self, name: str, algorithm: Algorithm) -> str:
            self.kept[f"drawer:{name}"] = generate_key(algorithm)
            return f"drawer:{name}"

        def open(self, reference: str) -> Signer:
            return Hidden(self.kept[reference])

    class Hidden:
        def __init__(self, inner: FileSigner) -> None:
            self.algorithm, self.public_key, self.sign = inner.algorithm, inner.public_key, inner.sign

    drawer = Drawer()
    store = KeyStore(folder, b"x", cost=cheap, places={"drawer": drawer}.__getitem__)
    made = store.create_next(Role.PDF, Algorithm.P256, OWNER, now=now, kept_in="drawer")
    assert store.entry(Role.PDF, OWNER, 1).reference == f"drawer:pdf.{OWNER}"
    assert not list(folder.glob("*.pem"))
    with pytest.raises(KeyKeptElsewhere, match="drawer"):
        store.file_signer(Role.PDF, OWNER, 1)

    adopted = store.adopt(Role.PDF, OWNER, kept_in="drawer", reference=f"drawer:pdf.{OWNER}", now=now)
    assert adopted.public_key == made.public_key
    assert store.entry(Role.PDF, OWNER, 2).state is KeyState.PENDING
    with pytest.raises(NoPlaces, match="drawer"):
        KeyStore(folder, b"x").signer(Role.PDF, OWNER, 1)
    drawer.kept[f"drawer:pdf.{OWNER}"] = generate_key(Algorithm.P256)  # somebody put another key there
    again = KeyStore(folder, b"x", places={"drawer": drawer}.__getitem__)
    with pytest.raises(BadKeyFile, match="names"):
        again.signer(Role.PDF, OWNER, 1).sign(b"x")
