"""The house as a process that only verifies sees it: a registry it cannot write to, and no key that signs.

It needs of the data folder: ``installation.json``, ``pinned-roots.json``,
``public/`` and the file of ``yinzheng keys export-verifier``; no passphrase,
no folder ``keys``, no ``blobs``. Why, and what it could still read when it is
taken over: docs/decisions/0006-a-verifier-holds-no-issuing-key.md.
"""

import os
from functools import cached_property
from pathlib import Path

from credential.errors import ConfigError
from credential.ports import Clock
from keys.private_files import read_private, replace_private
from keys.store import KeyStore
from registry.database import Database, open_database
from registry.verdict_vault import VerdictVault, read_verdict_keys, write_verdict_keys
from service.folder import DataFolder, NoDataFolder
from service.house import House, SystemClock
from service.registry_address import registry_address
from service.settings import Settings


class NoVerifierKey(ConfigError):
    """The verifier's key file is not there yet."""

    code = "no-verifier-key"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"there is no {path}; on the issuing side run: yinzheng keys export-verifier",
            f"没有文件 {path}; 请在发证端运行 yinzheng keys export-verifier",
        )
        self.path = path


class NoIssuingKeys(ConfigError):
    """A process that only verifies was asked to sign, or to open what only the issuing side may."""

    code = "no-issuing-keys"

    def __init__(self) -> None:
        super().__init__(
            "a verifier's process holds no issuing key; do this on the issuing side",
            "核验进程不持有签发密钥; 请在发证端操作",
        )


class VerifyingHouse(House):
    """An installation to verify with; what needs an issuing key raises :class:`NoIssuingKeys`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(settings, b"", clock)

    @cached_property
    def database(self) -> Database:
        """The registry's database; every connection reads only, and only what a verdict needs."""
        return open_database(registry_address(self.settings), verdicts_only=True)

    @cached_property
    def store(self) -> KeyStore:
        """There is none.

        Raises:
            NoIssuingKeys: always.
        """
        raise NoIssuingKeys

    @cached_property
    def vault(self) -> VerdictVault:
        """Opens records, finds them by code, and nothing else."""
        path = verifier_key_path(self.settings)
        if not path.exists():
            raise NoVerifierKey(path)
        return VerdictVault(read_verdict_keys(read_private(path)), os.urandom)


def open_verifying_house(settings: Settings) -> VerifyingHouse:
    """Open an installation to verify with; asks for no passphrase.

    Raises:
        NoDataFolder: there is none in the data folder.
        NoVerifierKey: the issuing side has not exported the verifier's key.
        BadVerdictKeys, OpenToOthers: its file cannot be used.
        DatabaseNotMigrated, DatabaseRulesChanged: the registry is not this program's.
    """
    if not DataFolder(settings.data).exists():
        raise NoDataFolder(settings.data)
    house = VerifyingHouse(settings, SystemClock())
    _ = house.vault
    _ = house.database
    return house


def verifier_key_path(settings: Settings) -> Path:
    """Where the verifier's key file is, by the settings."""
    return settings.verifier_key or DataFolder(settings.data).root / "verifier.key"


def export_verifier_key(house: House, path: Path | None = None) -> Path:
    """Write the verifier's key file, mode 600, in place of one before; returns where it is."""
    target = path or verifier_key_path(house.settings)
    replace_private(target, write_verdict_keys(house.vault))
    return target
