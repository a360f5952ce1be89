"""Where the passphrase of the keys comes from: a file, the environment, or the demo's mark."""

import os
from pathlib import Path

from credential.errors import RefusedError
from keys.private_files import read_passphrase
from service.settings import Settings

#: A data folder with this file in it was made by ``yinzheng demo`` and holds nothing real.
DEMO_MARK = "DEMO"

#: Known to everybody, so it is worth nothing, and opens demo folders only.
DEMO_PASSPHRASE = b"demo only: not a secret"

VARIABLE = "YINZHENG_PASSPHRASE"


class DemoFolder(RefusedError):
    """The folder's keys have a passphrase that everybody knows."""

    code = "demo-folder"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} was made by the demo, whose passphrase everybody knows; choose another folder with --data",
            f"{folder} 是演示目录, 其密钥口令人人皆知, 不能用于正式发证; 请用 --data 另选一个目录",
        )
        self.folder = folder


def is_demo(settings: Settings) -> bool:
    """Whether the data folder was made by the demo."""
    return (settings.data / DEMO_MARK).exists()


def passphrase_of(settings: Settings) -> bytes:
    """Read the passphrase; a demo folder, and only such a one, has a known one.

    Raises:
        MissingPassphrase: none is given.
        OpenToOthers: others may read the file.
        UnreadablePrivateFile: it is missing or cannot be read.
    """
    if is_demo(settings):
        return DEMO_PASSPHRASE
    return read_passphrase(settings.passphrase_file, os.environ, VARIABLE)
