"""A root key under shares: its file opens by any two of three, by nothing else, and never half-way."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import combinations
from pathlib import Path
from unittest.mock import patch

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from shamir_mnemonic.share import Share as Raw  # type: ignore[import-untyped] # has no types

from credential.errors import InputError
from credential.ports import Algorithm
from keys.file_signer import FileSigner, WrongPassphrase, create_key, load_signer
from keys.pkcs8 import ScryptCost
from keys.private_files import FileExists, OpenToOthers
from keys.shares import BadShare, Share, SharesDisagree, TooFewShares, join_shares, read_share, split_new_passphrase
from service.ceremony import KeyOfTheService, SharesOfAnotherKey, SplitKey, deal_sheets, open_by_shares, split_key
from service.cli import custody, screens
from service.roots import fingerprint, read_public_root
from service.share_sheets import Ceremony, read_sheet
from tests.service.at_hand import run

CHEAP = ScryptCost(2, 8, 1)
DAY = date(2026, 11, 22)
OLD = b"the passphrase before"


def two_of_three(path: Path, signer: FileSigner | None, folder: Path) -> SplitKey:
    return split_key(path, signer, threshold=2, of=3, deal=deal_sheets(folder), day=DAY, cost=CHEAP)


def sheets(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.fixture
def split_root(tmp_path: Path) -> SplitKey:
    """A new root key, its sheets in ``sheets``."""
    return two_of_three(tmp_path / "root.pem", None, tmp_path / "sheets")


@pytest.fixture
def before(tmp_path: Path) -> FileSigner:
    """A root key under a passphrase that somebody knows, in ``root.pem``."""
    return create_key(tmp_path / "root.pem", Algorithm.ED25519, OLD, CHEAP)


def test_any_two_sheets_open_a_new_key_and_sign_with_it(split_root: SplitKey, tmp_path: Path) -> None:
    public_key = load_der_public_key(split_root.public_key)
    assert isinstance(public_key, Ed25519PublicKey)
    for some in combinations(sheets(tmp_path / "sheets"), 2):
        opened = open_by_shares(split_root.path, [read_sheet(path) for path in some])
        public_key.verify(opened.sign(b"list"), b"list")
    with pytest.raises(TooFewShares):
        open_by_shares(split_root.path, [read_sheet(sheets(tmp_path / "sheets")[0])])


def test_the_old_passphrase_opens_nothing_and_the_key_stays_the_same(before: FileSigner, tmp_path: Path) -> None:
    path = tmp_path / "root.pem"
    made = two_of_three(path, before, tmp_path / "sheets")
    assert made.public_key == before.public_key
    with pytest.raises(WrongPassphrase):
        load_signer(path, OLD)
    shares = [read_sheet(sheet) for sheet in sheets(tmp_path / "sheets")]
    assert open_by_shares(path, shares[1:]).public_key == before.public_key
    assert sorted(one.name for one in tmp_path.iterdir()) == ["root.pem", "sheets"]


def test_openssl_opens_the_file_with_the_joined_shares(split_root: SplitKey, tmp_path: Path) -> None:
    """Nobody depends on this program to use the key: any SLIP-39 program and openssl will do."""
    passphrase = join_shares([read_sheet(sheet) for sheet in sheets(tmp_path / "sheets")[:2]])
    read = subprocess.run(
        ["openssl", "pkey", "-in", split_root.path, "-passin", "stdin", "-pubout", "-outform", "DER"],
        input=passphrase,
        capture_output=True,
        check=True,
    )
    assert read.stdout == split_root.public_key


def test_a_new_split_makes_the_older_sheets_worthless(split_root: SplitKey, tmp_path: Path) -> None:
    older = [read_sheet(sheet) for sheet in sheets(tmp_path / "sheets")]
    two_of_three(split_root.path, open_by_shares(split_root.path, older[:2]), tmp_path / "newer")
    with pytest.raises(SharesOfAnotherKey, match=split_root.set_name):
        open_by_shares(split_root.path, older[:2])


def test_shares_of_another_key_say_so(split_root: SplitKey, tmp_path: Path) -> None:
    other = two_of_three(tmp_path / "other.pem", None, tmp_path / "others")
    with pytest.raises(SharesOfAnotherKey, match=other.set_name):
        open_by_shares(split_root.path, [read_sheet(sheet) for sheet in sheets(tmp_path / "others")[:2]])


def lose_power(_shares: Sequence[Share]) -> Sequence[Share]:
    raise KeyboardInterrupt


def hand_out_foreign(shares: Sequence[Share]) -> Sequence[Share]:
    return (*shares[:2], split_new_passphrase(2, 3).shares[2])


@pytest.mark.parametrize(("fault", "told"), [(lose_power, KeyboardInterrupt), (hand_out_foreign, InputError)])
def test_nothing_is_changed_before_every_share_was_read_back(
    before: FileSigner,
    tmp_path: Path,
    fault: Callable[[Sequence[Share]], Sequence[Share]],
    told: type[BaseException],
) -> None:
    path = tmp_path / "root.pem"
    content = path.read_bytes()
    deal = lambda _ceremony, shares: fault(shares)  # noqa: E731 - one line
    with pytest.raises(told):
        split_key(path, before, threshold=2, of=3, deal=deal, day=DAY, cost=CHEAP)
    assert path.read_bytes() == content
    with pytest.raises(told):
        split_key(tmp_path / "new.pem", None, threshold=2, of=3, deal=deal, day=DAY, cost=CHEAP)
    assert not (tmp_path / "new.pem").exists()


def test_a_made_up_share_of_the_set_stops_the_split(before: FileSigner, tmp_path: Path) -> None:
    """Read back as well-formed and of the set, and yet not the one that was dealt."""

    def forge(_ceremony: Ceremony, shares: Sequence[Share]) -> Sequence[Share]:
        raw = Raw.from_mnemonic(" ".join(shares[2].words))
        return (*shares[:2], read_share(Raw(**{**vars(raw), "value": bytes(16)}).mnemonic()))

    with pytest.raises(SharesDisagree):
        split_key(tmp_path / "root.pem", before, threshold=2, of=3, deal=forge, day=DAY, cost=CHEAP)
    assert load_signer(tmp_path / "root.pem", OLD).public_key == before.public_key


def test_sheets_and_keys_are_never_written_over(split_root: SplitKey, tmp_path: Path) -> None:
    content = {path: path.read_bytes() for path in sheets(tmp_path / "sheets")}
    with pytest.raises(FileExists):
        two_of_three(split_root.path, None, tmp_path / "sheets")
    assert {path: path.read_bytes() for path in sheets(tmp_path / "sheets")} == content


def test_sheets_are_for_their_owner_only(split_root: SplitKey, tmp_path: Path) -> None:
    folder = tmp_path / "sheets"
    assert {path.stat().st_mode & 0o777 for path in (split_root.path, *sheets(folder))} == {0o600}
    sheets(folder)[0].chmod(0o644)
    with pytest.raises(OpenToOthers):
        read_sheet(sheets(folder)[0])
    folder.chmod(0o755)
    with pytest.raises(OpenToOthers):
        two_of_three(tmp_path / "other.pem", None, folder)
    assert not (tmp_path / "other.pem").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [line for line in lines if not line.strip().startswith("7 ")],
        lambda lines: [line.replace("  3 ", "  4 ") for line in lines],
        lambda lines: [line[:-4] + "0000" if line.strip().startswith("9 ") else line for line in lines],
        lambda lines: lines[:12],
    ],
    ids=["a line missing", "numbered wrong", "word and number differ", "torn off"],
)
def test_a_damaged_sheet_is_refused(
    split_root: SplitKey, tmp_path: Path, damage: Callable[[list[str]], list[str]]
) -> None:
    assert split_root.set_name
    path = sheets(tmp_path / "sheets")[0]
    path.write_text("\n".join(damage(path.read_text(encoding="utf-8").split("\n"))), encoding="utf-8")
    with pytest.raises(BadShare):
        read_sheet(path)


def test_a_key_of_a_key_store_is_refused(before: FileSigner, tmp_path: Path) -> None:
    (tmp_path / "master.key").touch()
    with pytest.raises(KeyOfTheService):
        two_of_three(tmp_path / "root.pem", before, tmp_path / "sheets")


@pytest.fixture
def typed() -> Iterator[list[str]]:
    """What the custodians type, in order; what they are asked for is thrown away."""
    answers: list[str] = []
    with (
        patch.object(typer, "prompt", lambda *_args, **_kwargs: answers.pop(0)),
        patch.object(custody, "split_key", partial(split_key, cost=CHEAP)),
    ):
        yield answers


def words(path: Path) -> str:
    return " ".join(read_sheet(path).words)


def test_the_commands_split_rehearse_and_split_anew(tmp_path: Path, typed: list[str]) -> None:
    key, folder = tmp_path / "root.pem", tmp_path / "sheets"
    ran = run("keys", "split", "--key", key, "--new", "--threshold", "2", "--of", "3", "--sheets", folder)
    assert ran.code == 0, ran
    assert not [path for path in sheets(folder) if " ".join(words(path).split()[4:7]) in " ".join(ran.out.split())]
    public = read_public_root(tmp_path / "root.pem.pub")
    assert fingerprint(public) in ran.out
    one, two, three = map(words, sheets(folder))
    typed += [f"{one} extra", two, two, three]
    ran = run("keys", "join", "--key", key)
    assert ran.code == 0, ran
    assert "21 words instead of 20" in ran.out
    assert "share 2 was given before" in ran.out
    assert "2, 3" in ran.out.split("shares used")[1]
    typed += [one, three]
    ran = run(
        "keys", "split", "--key", key, "--joined", "--threshold", "3", "--of", "4", "--sheets", tmp_path / "newer"
    )
    assert ran.code == 0, ran
    assert len(sheets(tmp_path / "newer")) == 4
    assert open_by_shares(key, [read_sheet(path) for path in sheets(tmp_path / "newer")[:3]]).public_key == public
    older = [value for path in sheets(folder)[:2] for value in ("--sheet", path)]
    assert run("keys", "join", "--key", key, *older).error == "shares-of-another-key"


def test_a_share_on_the_screen_is_alone_there_and_typed_back(tmp_path: Path, typed: list[str]) -> None:
    shown: list[list[str]] = [[]]
    clear = lambda *_: shown.append([])  # noqa: E731 - one line
    seen: list[Share] = []

    def deal(ceremony: Ceremony, shares: Sequence[Share]) -> Sequence[Share]:
        seen.extend(shares)
        for share in shares:
            typed.extend(["", "", " ".join(share.words)])
        typed[2:2] = ["not what was shown", "", ""]  # mistyped once: it is shown again
        return custody.show_one_by_one(ceremony, shares)

    with (
        patch.object(screens.console, "print", lambda text: shown[-1].append(str(text))),
        patch.object(screens.console, "clear", clear),
    ):
        split_key(tmp_path / "root.pem", None, threshold=2, of=3, deal=deal, day=DAY, cost=CHEAP)
    assert not typed
    pages = [" ".join(page) for page in shown]
    whole = [[all(word in page for word in share.words) for share in seen] for page in pages]
    assert [page for page in whole if any(page)] == [
        [True, False, False], [True, False, False], [False, True, False], [False, False, True],
    ]  # fmt: skip
    assert open_by_shares(tmp_path / "root.pem", seen[:2]).algorithm is Algorithm.ED25519


def test_a_new_root_is_not_made_where_the_service_runs(tmp_path: Path) -> None:
    split = ("keys", "split", "--new", "--threshold", "2", "--of", "3", "--sheets", tmp_path / "s")
    ran = run("--data", tmp_path / "data", *split, "--key", tmp_path / "data" / "root.pem")
    assert ran.error == "root-in-data-folder"
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("where", [[], ["--sheets", "x", "--on-screen"]], ids=["nowhere", "both"])
def test_where_the_shares_go_must_be_said(tmp_path: Path, where: list[str]) -> None:
    ran = run("keys", "split", "--key", tmp_path / "k.pem", "--new", "--threshold", "2", "--of", "3", *where)
    assert (ran.code, ran.error) == (1, "where-shares-go")
    assert not (tmp_path / "k.pem").exists()


def test_the_present_passphrase_comes_from_a_file(before: FileSigner, tmp_path: Path, typed: list[str]) -> None:
    assert not typed
    key, secret = tmp_path / "root.pem", tmp_path / "secret"
    secret.write_bytes(OLD + b"\n")
    secret.chmod(0o600)
    split = ("keys", "split", "--key", key, "--threshold", "2", "--of", "2", "--sheets", tmp_path / "s")
    ran = run(*split, "--key-passphrase-file", secret)
    assert ran.code == 0, ran
    assert "if any one share is lost" in ran.out
    shares = [read_sheet(path) for path in sheets(tmp_path / "s")]
    assert open_by_shares(key, shares).public_key == before.public_key


def test_custodians_sign_a_trust_list_together(data: Path, tmp_path: Path, typed: list[str]) -> None:
    key, folder = tmp_path / "root.pem", tmp_path / "sheets"
    made = run("keys", "split", "--key", key, "--new", "--threshold", "2", "--of", "3", "--sheets", folder)
    assert made.code == 0, made
    assert run("--data", data, "trust", "roots", "set", "--threshold", "1", f"{key}.pub").code == 0
    (draft,) = (data / "trust-drafts").glob("*.json")
    one, two, _ = sheets(folder)
    sign = ("trust", "sign", draft, "--root", key, "--yes")
    typed += ["abandon", words(one), words(one), words(two)]
    few = run(*sign, "--sheet", one, "--sheet", one)
    assert few.error == "share-twice"
    assert run("--data", data, "trust", "publish", draft).code == 1  # nobody has signed for the new root yet
    signed = run(*sign, "--shares")
    assert signed.code == 0, signed
    assert ("word 1 is not in the list" in signed.out, "share 1 was given before" in signed.out) == (True, True)
    published = run("--data", data, "trust", "publish", draft)
    assert published.code == 0, published
    listed = run("--data", data, "history", "list", "--service", "--last", "1").out
    assert "trust list published" in listed
