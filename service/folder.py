"""The data folder: where everything of one installation lies, and the little that it says of itself."""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from credential.errors import ConfigError, InputError, RefusedError

_ABOUT = "installation.json"
FOLDER_FORMAT = 1
"""Raised when files move or change so that an older program would do harm; `yinzheng migrate` raises a folder's."""

_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
#: What may be in a folder before it is made an installation: our own folders, from a first try that was cut off.
_ALLOWED = frozenset({"cache", "DEMO", "blobs", "public", "reports", "checkpoint-copy", "templates", f"{_ABOUT}.new"})


class NoDataFolder(ConfigError):
    """There is nothing of ours in the folder yet."""

    code = "no-data-folder"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} holds no installation; run `yinzheng init`, or name the folder with --data",
            f"{folder} 中没有数据; 请先运行 yinzheng init, 或用 --data 指定数据目录",
        )
        self.folder = folder


class DataFolderInUse(RefusedError):
    """The folder holds something already, and nothing is ever written over."""

    code = "data-folder-in-use"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is not empty; choose another folder with --data",
            f"{folder} 不是空目录; 请用 --data 另选一个目录",
        )
        self.folder = folder


class BadPublicUrl(InputError):
    """The address that people check at is not a bare https origin."""

    code = "bad-public-address"

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url!r} is not an address of the form https://zs.example.gov.cn (http only for 127.0.0.1 and localhost)",
            f"“{url}”不是 https://zs.example.gov.cn 形式的网址(仅本机地址可用 http)",
        )
        self.url = url


class PublicUrlFixed(RefusedError):
    """Signed things name the address, so it stays as it was when the folder was made."""

    code = "public-url-fixed"

    def __init__(self, url: str) -> None:
        super().__init__(
            f"this data folder was made with {url}, which signed certificates name; an issuer may have another address "
            "(yinzheng issuer add --public-url)",
            f"该数据目录建立时的核验网址是 {url}, 已写入签名数据, 不能更改; 可为各发证机构另设网址"
            "(yinzheng issuer add --public-url)",
        )
        self.url = url


class FolderTooNew(ConfigError):
    """The folder was made or upgraded by a newer program."""

    code = "folder-too-new"

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__(
            f"{folder} has the format {number}, this program knows none newer than {FOLDER_FORMAT}; install the newer "
            "program, or restore the backup from before its upgrade",
            f"{folder} 的格式版本为 {number}, 本程序最高支持 {FOLDER_FORMAT}; 请安装新版本程序, 或恢复升级前的备份",
        )
        self.folder = folder


@dataclass(frozen=True, slots=True)
class Installation:
    """What an installation says of itself; fixed when it is made, since signed things name it.

    Attributes:
        public_url: origin of the verdict pages and status lists.
        log_origin: first line of the log's checkpoints.
        format: of the folder, :data:`FOLDER_FORMAT`; a folder of the first release does not say it.
        former_origins: names that the log had before a restore, oldest first.
    """

    public_url: str
    log_origin: str
    format: int = FOLDER_FORMAT
    former_origins: tuple[str, ...] = ()

    @property
    def status_uri(self) -> str:
        """Address of the status lists; the list's number follows."""
        return f"{self.public_url}/status"


class DataFolder:
    """The parts of a data folder by name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "registry.sqlite"
        self.database_url = f"sqlite:///{self.database.absolute()}"
        self.keys = root / "keys"
        self.master_key = self.keys / "master.key"
        self.blobs = root / "blobs"
        self.log = root / "public" / "log"
        self.former_logs = root / "public" / "former-logs"
        self.status = root / "public" / "status"
        self.ca = root / "public" / "ca"
        self.trust_list = root / "public" / "trust-list.json"
        self.trust_lists = root / "public" / "trust-lists"
        self.trust_drafts = root / "trust-drafts"
        self.roots = root / "pinned-roots.json"
        self.checkpoint_copy = root / "checkpoint-copy" / "checkpoint"
        self.cache = root / "cache"
        self.templates = root / "templates"
        self.reports = root / "reports"
        self.certificates = root / "certificates"

    def exists(self) -> bool:
        """Whether an installation was made here."""
        return (self.root / _ABOUT).is_file()

    def make(self, installation: Installation) -> None:
        """Make the folders and write what the installation says of itself.

        Raises:
            DataFolderInUse: there is something in the folder already.
        """
        if self.root.exists() and any(one.name not in _ALLOWED for one in self.root.iterdir()):
            raise DataFolderInUse(self.root)
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)  # it may have been there already, for its cache
        for one in (self.blobs, self.log, self.status, self.cache, self.reports, self.checkpoint_copy.parent):
            one.mkdir(parents=True, exist_ok=True)
        self.write_installation(installation)

    def write_installation(self, installation: Installation) -> None:
        """Write what the installation says of itself, in the folder's present format."""
        fresh = self.root / f"{_ABOUT}.new"
        told = asdict(installation) | {"format": FOLDER_FORMAT}
        if not installation.former_origins:
            del told["former_origins"]
        with fresh.open("w", encoding="utf-8") as file:
            file.write(json.dumps(told, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())  # it names the log; an empty one after a power cut would be no installation
        fresh.replace(self.root / _ABOUT)
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def told_format(self) -> int | None:
        """The format that the folder says it has; None for one that does not say it."""
        told = json.loads((self.root / _ABOUT).read_text(encoding="utf-8")).get("format")
        return told if isinstance(told, int) else None

    def installation(self) -> Installation:
        """Read what the installation says of itself.

        Raises:
            NoDataFolder: there is none, or it is not readable as one.
            FolderTooNew: a newer program made it.
        """
        try:
            told = json.loads((self.root / _ABOUT).read_text(encoding="utf-8"))
            number = told.get("format", 1)
            if isinstance(number, int) and number > FOLDER_FORMAT:
                raise FolderTooNew(self.root, number)
            told["former_origins"] = tuple(told.get("former_origins", ()))
            return Installation(**told)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise NoDataFolder(self.root) from error


def check_public_url(url: str) -> str:
    """Return the bare origin of an address, or refuse it.

    Raises:
        BadPublicUrl: it has a path, no host, or is not https (http for loopback).
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadPublicUrl(url) from error
    host = parts.hostname or ""
    is_local = host in {"localhost", "127.0.0.1"}
    is_bare = parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)
    if (
        _HOST.fullmatch(host) is None
        or not url.isprintable()  # urlsplit passes over line ends and tabs
        or not is_bare
        or parts.scheme not in ({"http", "https"} if is_local else {"https"})
    ):
        raise BadPublicUrl(url)
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")
