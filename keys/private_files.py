"""Files that only their owner may read: written once, durably, never over another; passphrases."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from credential.errors import ConfigError, RefusedError

MAX_PRIVATE_FILE_BYTES = 1 << 20
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class FileExists(RefusedError):
    """A key file is never written over."""

    code = "key-file-exists"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} exists already and is never written over; move it away if it is not needed any more",
            f"{path} 已存在, 不会被覆盖; 如不再需要, 请先移走",
        )
        self.path = path


class UnreadablePrivateFile(ConfigError):
    """A file with a key or passphrase is missing or cannot be read."""

    code = "unreadable-private-file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be read ({reason}); check the path and who owns the file",
            f"无法读取 {path} ({reason}); 请检查路径和文件属主",
        )
        self.path = path


class OpenToOthers(ConfigError):
    """Others on the machine may read a file that holds a secret."""

    code = "private-file-open-to-others"

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(
            f"{path} can be read by others (mode {mode:03o}); run: chmod {'700' if path.is_dir() else '600'} {path}",
            f"{path} 可被其他用户读取(权限 {mode:03o}); 请执行: chmod {'700' if path.is_dir() else '600'} {path}",
        )
        self.path = path


class MissingPassphrase(ConfigError):
    """No passphrase was given, or an empty one."""

    code = "missing-passphrase"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no passphrase for the keys; put it into a file of mode 600 or into the variable {name}",
            f"缺少密钥口令; 请将口令写入权限为 600 的文件, 或设置环境变量 {name}",
        )
        self.name = name


def read_passphrase(file: Path | None, environ: Mapping[str, str], name: str) -> bytes:
    """Read the passphrase of the keys from a file or, without one, from the environment.

    Args:
        file: its content without one line end; only its owner may read it.
        environ: the process's environment, handed in.
        name: the variable in it.

    Raises:
        MissingPassphrase: neither, or it is empty.
        OpenToOthers: others may read the file.
        UnreadablePrivateFile: it is missing or cannot be read.
    """
    if file is not None:
        content = read_private(file)
        passphrase = content.removesuffix(b"\n").removesuffix(b"\r")
    else:
        passphrase = os.fsencode(environ.get(name, ""))
    if not passphrase:
        raise MissingPassphrase(name)
    return passphrase


def read_private(path: Path) -> bytes:
    """Read a small file that only its owner may read.

    Raises:
        OpenToOthers: its mode lets others read or write it.
        UnreadablePrivateFile: it is missing, too long or cannot be read.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(MAX_PRIVATE_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadablePrivateFile(path, error.strerror or "input/output") from error
    if mode & _OTHERS:
        raise OpenToOthers(path, mode)
    if len(content) > MAX_PRIVATE_FILE_BYTES:
        raise UnreadablePrivateFile(path, "too long")
    return content


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 600 that survives power loss once this returns; never over another.

    Raises:
        FileExists: there is one.
        UnreadablePrivateFile: the folder is missing or cannot be written to.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise FileExists(path) from error
    except OSError as error:
        raise UnreadablePrivateFile(path, error.strerror or "input/output") from error
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def replace_private(path: Path, content: bytes) -> None:
    """Put a file of mode 600 in the place of another, whole or not at all.

    Raises:
        UnreadablePrivateFile: the folder cannot be written to.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    write_private(beside, content)
    beside.replace(path)
    _sync_folder(path.parent)


def make_private_folder(path: Path) -> None:
    """Make a folder of mode 700, or check that an existing one is closed to others.

    Raises:
        OpenToOthers: it exists and others may enter or read it.
        UnreadablePrivateFile: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise UnreadablePrivateFile(path, error.strerror or "input/output") from error
    if mode & _OTHERS:
        raise OpenToOthers(path, mode)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
