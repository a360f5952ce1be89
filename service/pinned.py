"""The roots that are believed here, and the newest trust list that they were seen to sign.

One small file in the data folder. It is changed only after a list was believed:
its version is never gone back behind, and a change of roots is followed.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from credential.dsse import open_envelope
from credential.errors import ConfigError, RefusedError
from credential.trust import PAYLOAD_TYPE, TrustList, open_trust_list
from credential.trust_list import read_trust_list
from registry.file_lock import locked
from registry.log.files import replace_durably
from service.folder import DataFolder

_LOCK = ".pinned-roots.lock"


class BadPinnedRoots(ConfigError):
    """The file with the pinned roots is missing or damaged."""

    code = "bad-pinned-roots"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} does not hold the pinned roots; restore it from the backup",
            f"{path} 中没有有效的根公钥; 请从备份恢复",
        )
        self.path = path


class TrustListTwice(RefusedError):
    """Two lists of one version: whoever signed them shows different people different lists."""

    code = "trust-list-twice"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"another trust list of version {version} was seen before; ask its publisher which one is in the log",
            f"此前见过内容不同的第 {version} 版信任列表; 请向发布方核实日志中记录的是哪一份",
        )
        self.version = version


@dataclass(frozen=True, slots=True)
class Pinned:
    """What is believed, and what was seen.

    Attributes:
        roots: SPKI, DER.
        threshold: how many of them must sign.
        seen_version: of the newest list that was believed; 0 for none.
        seen_digest: SHA-256 of what it says, hexadecimal; empty when an earlier program wrote the file.
    """

    roots: tuple[bytes, ...]
    threshold: int
    seen_version: int = 0
    seen_digest: str = ""


def pin_roots(folder: DataFolder, roots: Sequence[bytes], threshold: int) -> None:
    """Remember which roots are believed here; what was seen under others is forgotten."""
    write_pinned(folder, Pinned(tuple(roots), threshold))


def read_pinned(folder: DataFolder) -> Pinned:
    """Read what is believed here.

    Raises:
        BadPinnedRoots: the file is missing or damaged.
    """
    try:
        told = json.loads(folder.roots.read_text(encoding="utf-8"))
        roots = tuple(b64decode(root, validate=True) for root in told["roots"])
        return Pinned(roots, int(told["threshold"]), int(told.get("seen_version", 0)), str(told.get("seen_digest", "")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadPinnedRoots(folder.roots) from error


def pinned_roots(folder: DataFolder) -> tuple[tuple[bytes, ...], int]:
    """The pinned roots, SPKI DER, and how many of them must sign; raises as :func:`read_pinned` does."""
    pinned = read_pinned(folder)
    return pinned.roots, pinned.threshold


def seen_version(folder: DataFolder) -> int:
    """The newest version of a list that was believed here, 0 for none; raises as :func:`read_pinned` does."""
    return read_pinned(folder).seen_version


def believe_trust_list(folder: DataFolder, envelope: bytes, now: datetime) -> TrustList:
    """Open a list, not trusted, against the pinned roots, and remember it as the newest seen.

    Raises:
        BadPinnedRoots: the file of the roots is missing or damaged.
        TrustListOlder: a newer one was seen.
        TrustListTwice: another one of this version was seen.
        and what ``credential.trust.open_trust_list`` raises.
    """
    pinned = read_pinned(folder)
    trust = open_trust_list(envelope, pinned.roots, pinned.threshold, now, pinned.seen_version)
    digest = content_digest(envelope)
    if trust.version == pinned.seen_version and pinned.seen_digest not in {"", digest}:
        raise TrustListTwice(trust.version)
    if (trust.version, digest) != (pinned.seen_version, pinned.seen_digest):
        with suppress(OSError):  # whoever may only read the folder can still verify
            remember_list(folder, trust, digest)
    return trust


def remember_list(folder: DataFolder, trust: TrustList, digest: str) -> None:
    """Never again accept an older list, and follow its roots, durably; call only after the list was believed.

    A list that is older than what another process has seen meanwhile changes nothing.

    Raises:
        BadPinnedRoots: the file is missing or damaged.
    """
    with locked(folder.root / _LOCK):
        pinned = read_pinned(folder)  # again, for another process may have seen a newer one by now
        is_same = trust.version == pinned.seen_version and pinned.seen_digest in {"", digest}
        if is_same or trust.version > pinned.seen_version:
            write_pinned(folder, Pinned(trust.roots, trust.threshold, trust.version, digest))


def read_own_trust_list(folder: DataFolder, now: datetime) -> TrustList:
    """Open the installation's own list against the pinned roots; raises as :func:`believe_trust_list` does."""
    return believe_trust_list(folder, read_list_file(folder.trust_list), now)


def read_list_file(path: Path) -> bytes:
    """Read the file of the installation's own list.

    Raises:
        BadPinnedRoots: it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadPinnedRoots(path) from error


def newest_version(folder: DataFolder) -> int:
    """The newest version of the installation's own list there ever was: of the file, or one seen before.

    Raises:
        BadPinnedRoots: the file is missing.
        InputError: it is no trust list.
    """
    envelope = read_list_file(folder.trust_list)
    return max(read_trust_list(open_envelope(envelope, PAYLOAD_TYPE).payload).version, seen_version(folder))


def content_digest(envelope: bytes) -> str:
    """SHA-256 of what a list says, hexadecimal; the same however many have signed it.

    Raises:
        BadEnvelope: it is no envelope.
    """
    return sha256(open_envelope(envelope, PAYLOAD_TYPE).payload).hexdigest()


def write_pinned(folder: DataFolder, pinned: Pinned) -> None:
    """Put this in the place of what is believed here, durably."""
    content = {
        "threshold": pinned.threshold,
        "roots": [b64encode(root).decode("ascii") for root in pinned.roots],
        "seen_version": pinned.seen_version,
        "seen_digest": pinned.seen_digest,
    }
    replace_durably({folder.roots: json.dumps(content, indent=1).encode() + b"\n"})
