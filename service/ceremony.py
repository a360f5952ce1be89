"""Put a root key under a passphrase that only its custodians together can make, and open it by their shares.

1. a new passphrase is made and split; nobody sees it;
2. every share is in its custodian's hands, on a sheet or copied by hand, and was read back from there;
3. the key is encrypted under the new passphrase, and opened again by the shares as they were read back;
4. its file is written, in one stroke in place of the old one if there is one.

A crash before step 4 leaves the old file and the old passphrase as they were.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from credential.cose import key_id
from credential.errors import InputError, RefusedError
from credential.ports import Algorithm
from keys.file_signer import FileSigner, WrongPassphrase, generate_key, load_signer
from keys.pkcs8 import COST, IV_BYTES, SALT_BYTES, ScryptCost, encrypt_pkcs8
from keys.private_files import FileExists, make_private_folder, replace_private, write_private
from keys.shares import Share, SharesDisagree, SplitPassphrase, join_shares, split_new_passphrase
from service.share_sheets import Ceremony, read_sheet, sheet_name, write_sheet

Deal = Callable[[Ceremony, Sequence[Share]], Sequence[Share]]
"""Gives every custodian the share, and returns the shares as they were read back from what the custodians hold."""


class KeyOfTheService(RefusedError):
    """A key that the service opens by itself cannot have a passphrase that takes several persons."""

    code = "key-of-the-service"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is in a key store, which has one passphrase for all; make a root key outside of it with --new and "
            "put it into the trust list",
            f"{path} 位于密钥库中, 与其他密钥共用口令; 请用 --new 在密钥库以外新建根密钥, 并写入信任列表",
        )
        self.path = path


class SharesOfAnotherKey(InputError):
    """The shares fit together, and their passphrase opens another key file."""

    code = "shares-of-another-key"

    def __init__(self, path: Path, set_name: str) -> None:
        super().__init__(
            f"the shares of set {set_name} belong together, but they do not open {path}; look at the key's number on "
            "the sheets, or for the newest copy of the file",
            f"第 {set_name} 套份额彼此相符, 但打不开 {path}; 请核对份额页上的密钥号, 或查找该文件的最新副本",
        )


@dataclass(frozen=True, slots=True)
class SplitKey:
    """A key whose passphrase was split.

    Attributes:
        path: of its file.
        key_id: hexadecimal.
        public_key: SPKI, DER.
        set_name: of the shares.
    """

    path: Path
    key_id: str
    public_key: bytes
    set_name: str


def split_key(  # noqa: PLR0913 - what is split, how, by whom, and when
    path: Path,
    signer: FileSigner | None,
    *,
    threshold: int,
    of: int,
    deal: Deal,
    day: date,
    cost: ScryptCost = COST,
) -> SplitKey:
    """Put a key under a new passphrase that is split; copies of the old file still open with the old passphrase.

    Args:
        path: of the key file; to be made when there is no signer.
        signer: the key of that file, opened; None makes a new Ed25519 key.
        threshold: shares needed.
        of: shares made.
        deal: gives them out.
        day: for the sheets.
        cost: of scrypt; the tests use a cheap one.

    Raises:
        KeyOfTheService: the file is in a key store.
        FileExists: a new key is asked for, and the file is there.
        BadSplit: a split that protects nothing.
        SharesDisagree: what was read back is not what was given out.
    """
    if (path.absolute().parent / "master.key").exists():
        raise KeyOfTheService(path)
    if signer is None and path.exists():
        raise FileExists(path)
    made = split_new_passphrase(threshold, of)
    key = generate_key(Algorithm.ED25519) if signer is None else signer
    ceremony = Ceremony(key_id(key.public_key).hex(), key.algorithm.value, of, day)
    read_back = deal(ceremony, made.shares)
    _check_all(made, read_back, threshold)
    clear = key.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    content = encrypt_pkcs8(clear, made.passphrase, os.urandom(SALT_BYTES), os.urandom(IV_BYTES), cost)
    load_pem_private_key(content, join_shares(read_back[-threshold:]))
    if signer is None:
        write_private(path, content)
    else:
        replace_private(path, content)
    return SplitKey(path, ceremony.key_id, key.public_key, made.shares[0].set_name)


def open_by_shares(path: Path, shares: Sequence[Share]) -> FileSigner:
    """Open a key file with the passphrase of these shares.

    Raises:
        TooFewShares: not as many as are needed.
        SharesDisagree: they do not belong together.
        SharesOfAnotherKey: their passphrase does not open the file.
        BadKeyFile, OpenToOthers, UnreadablePrivateFile: the file is no usable key.
    """
    passphrase = join_shares(shares)
    try:
        return load_signer(path, passphrase)
    except WrongPassphrase as error:
        raise SharesOfAnotherKey(path, shares[0].set_name) from error


def deal_sheets(folder: Path) -> Deal:
    """Deal by writing each share to a file of its own in a folder of mode 700, durably.

    Raises:
        FileExists: a sheet is there already; it is left as it is.
        OpenToOthers: others may enter the folder.
    """

    def deal(ceremony: Ceremony, shares: Sequence[Share]) -> Sequence[Share]:
        make_private_folder(folder)
        paths = [folder / sheet_name(ceremony, share) for share in shares]
        for path, share in zip(paths, shares, strict=True):
            write_private(path, write_sheet(ceremony, share).encode("utf-8"))
        return [read_sheet(path) for path in paths]

    return deal


def _check_all(made: SplitPassphrase, read_back: Sequence[Share], threshold: int) -> None:
    """Join the shares around the circle, so that each one has been used before anything rests on it."""
    for start in range(len(made.shares)):
        some = [read_back[(start + step) % len(read_back)] for step in range(threshold)]
        if join_shares(some) != made.passphrase:
            raise SharesDisagree([share.number for share in some])
