"""The witness role: a folder of its own, with one key and what was cosigned, and no registry."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from credential.cosignature import read_log_key, spki_of
from credential.errors import ConfigError, InputError, RefusedError
from credential.ports import Algorithm
from credential.trust import Witness
from keys.private_files import make_private_folder
from keys.store import KeyStore
from registry.log.files import replace_durably
from registry.log.witness import KnownLog, KnownLogs, LogWitness

ROLE = "witness"

_ABOUT = "witness.json"
_NAME = re.compile(r"[!-*,-~]{1,200}")  # ASCII without space and plus (C2SP signed-note)


class BadWitnessName(InputError):
    """A name that cannot stand in a note."""

    code = "bad-witness-name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name[:200]!r} cannot name a witness; take an address without scheme, as rsj.example.gov.cn/witness",
            f"“{name[:200]}”不能作见证方名称; 请用不带 https:// 的网址, 如 rsj.example.gov.cn/witness",
        )
        self.name = name


class WitnessExists(RefusedError):
    """There is a witness in the folder, or something else; neither is ever written over."""

    code = "witness-exists"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is not empty; a witness is made in a folder of its own, named with --folder",
            f"{folder} 不是空目录; 见证方须有单独的目录, 请用 --folder 指定",
        )
        self.folder = folder


class NoWitness(ConfigError):
    """The folder holds no witness."""

    code = "no-witness"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"there is no witness in {folder}; make one with: yinzheng witness init NAME",
            f"{folder} 中没有见证方; 请先运行 yinzheng witness init 名称",
        )
        self.folder = folder


class OwnLogKey(RefusedError):
    """Somebody asks a witness to believe its own key for a log."""

    code = "own-log-key"

    def __init__(self) -> None:
        super().__init__(
            "this key is the witness's own; a log signs with another",
            "这是见证方自己的密钥; 日志须使用另外的密钥",
        )


@dataclass(frozen=True, slots=True)
class WitnessHouse:
    """A witness's folder.

    Attributes:
        folder: holds ``witness.json``, ``keys/`` and ``logs/``.
        public: its name and public key.
        logs: the logs it knows.
        keys: its one key.
    """

    folder: Path
    public: Witness
    logs: KnownLogs
    keys: KeyStore

    def witness(self) -> LogWitness:
        """The witness, ready to cosign.

        Raises:
            WrongPassphrase, KeyStoreLocked, UnavailableError: its key cannot be used.
        """
        return LogWitness(self.folder / "logs", self.public.name, self.keys.signer(ROLE))

    def trust_log(self, key: str, origin: str = "") -> KnownLog:
        """Cosign a log from now on that signs with this key; see ``KnownLogs.trust``.

        Raises:
            OwnLogKey: it is the witness's own.
            BadNamedKey: it is no key of a log.
        """
        if read_log_key(key)[1] == spki_of(self.public.public_key):
            raise OwnLogKey
        return self.logs.trust(key, origin)


def make_witness(folder: Path, keys: KeyStore, name: str, now: datetime) -> WitnessHouse:
    """Make a witness with a new key; one whose making was cut off is completed.

    Args:
        folder: the witness's own; empty, but for ``keys/``.
        keys: the store in ``folder/keys``.
        name: of the witness, for good: it stands in its key and its lines.
        now: with time zone.

    Raises:
        BadWitnessName: it cannot stand in a note.
        WitnessExists: there is something in the folder already.
    """
    check_name(name)
    if {one.name for one in folder.iterdir()} - {"keys", "logs"}:
        raise WitnessExists(folder)
    if not any(entry.role == ROLE for entry in keys.entries()):
        keys.create(ROLE, Algorithm.ED25519, now=now)
    (folder / "logs").mkdir(exist_ok=True)
    replace_durably({folder / _ABOUT: json.dumps({"format": 1, "name": name}, indent=1).encode() + b"\n"})
    return open_witness(folder, keys)


def check_name(name: str) -> None:
    """Refuse what cannot name a witness."""
    if not _NAME.fullmatch(name):
        raise BadWitnessName(name)


def witness_keys(folder: Path, passphrase: bytes | None) -> KeyStore:
    """The key store of a witness's folder, which is made if need be; None reads public parts only."""
    make_private_folder(folder)
    return KeyStore(folder / "keys", passphrase)


def is_witness(folder: Path) -> bool:
    """Whether a witness was made in this folder."""
    return (folder / _ABOUT).is_file()


def open_witness(folder: Path, keys: KeyStore) -> WitnessHouse:
    """Open a witness's folder.

    Raises:
        NoWitness: there is none.
    """
    try:
        name = json.loads((folder / _ABOUT).read_text("utf-8"))["name"]
        check_name(name)
    except (OSError, ValueError, KeyError, TypeError, BadWitnessName) as error:
        raise NoWitness(folder) from error
    public = Witness(name, keys.entry(ROLE).public_key[-32:])
    return WitnessHouse(folder, public, KnownLogs(folder / "logs"), keys)
