"""The file with a token's PIN, and the rule that processes log in one after the other."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keys.private_files import read_private
from keys.token_errors import TokenNotSet


def read_pin(pin_file: Path | None) -> tuple[Path, bytes]:
    """Read a PIN: one line of a file that only its owner may read; gives the file, too.

    Raises:
        TokenNotSet: no file is named.
        OpenToOthers: others may read it.
        UnreadablePrivateFile: it is missing.
    """
    if pin_file is None:
        raise TokenNotSet("YINZHENG_PKCS11_PIN_FILE")
    return pin_file, read_private(pin_file).removesuffix(b"\n").removesuffix(b"\r")


@contextmanager
def alone_with(pin_file: Path) -> Iterator[None]:
    """Keep other processes from logging in meanwhile.

    A login writes to SoftHSM2's token, and a process that starts in that moment sees
    none: of four that open a key again and again, four out of five tries failed.
    """
    with pin_file.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
