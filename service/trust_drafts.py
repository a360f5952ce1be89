"""Trust lists on their way: drafts that wait for signatures, and the one that is being published.

All of it is in the data folder, not public. A draft is an envelope with the
signatures it has so far, possibly none; it is carried to the root keys and back.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from credential.errors import UnavailableError
from registry.log.files import replace_durably
from service.folder import DataFolder

_DRAFT = "trust-list-*.json"
_PUBLISHING = "publishing.json"


class TrustDraftDamaged(UnavailableError):
    """A draft, or what was kept while a list was published, cannot be read."""

    code = "trust-draft-damaged"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is damaged; remove it, then draft the list anew with: yinzheng trust draft",
            f"{path} 已损坏; 请移除后用 yinzheng trust draft 重新生成",
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class Waiting:
    """A list that is not published yet.

    Attributes:
        file: the envelope, for whoever signs it; of what is being published, the record.
        envelope: with the signatures it has.
        why: what changed, one line.
    """

    file: Path
    envelope: bytes
    why: str


def keep_draft(folder: DataFolder, version: int, envelope: bytes, why: str) -> Path:
    """Keep a draft in place of the one before, durably; returns the file to sign."""
    path = folder.trust_drafts / f"trust-list-{version}.json"
    folder.trust_drafts.mkdir(mode=0o700, exist_ok=True)
    replace_durably({path.with_suffix(".why"): why.encode() + b"\n"})
    replace_durably({path: envelope})
    _remove([one for one in _drafts(folder) if one != path])
    return path


def waiting_draft(folder: DataFolder) -> Waiting | None:
    """The newest draft that waits for signatures, or None.

    Raises:
        TrustDraftDamaged: it cannot be read.
    """
    found = _drafts(folder)
    if not found:
        return None
    path = found[-1]
    try:
        return Waiting(path, path.read_bytes(), path.with_suffix(".why").read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise TrustDraftDamaged(path) from error


def drop_drafts(folder: DataFolder, version: int) -> None:
    """Forget the drafts up to a version, which was published."""
    _remove(one for one in _drafts(folder) if (_version(one) or 0) <= version)


def keep_publishing(folder: DataFolder, envelope: bytes, why: str) -> None:
    """Keep aside, durably, the list that is about to be published."""
    folder.trust_drafts.mkdir(mode=0o700, exist_ok=True)
    told = {"envelope": b64encode(envelope).decode(), "why": why}
    replace_durably({folder.trust_drafts / _PUBLISHING: json.dumps(told).encode()})


def read_publishing(folder: DataFolder) -> Waiting | None:
    """The list whose publishing was not finished, or None.

    Raises:
        TrustDraftDamaged: it cannot be read.
    """
    path = folder.trust_drafts / _PUBLISHING
    try:
        told = json.loads(path.read_bytes())
        return Waiting(path, b64decode(told["envelope"], validate=True), str(told["why"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrustDraftDamaged(path) from error


def drop_publishing(folder: DataFolder) -> None:
    """Forget what was kept aside: everything was done."""
    (folder.trust_drafts / _PUBLISHING).unlink(missing_ok=True)


def _drafts(folder: DataFolder) -> list[Path]:
    """The drafts, oldest first; one that another process removes meanwhile is none."""
    found = folder.trust_drafts.glob(_DRAFT) if folder.trust_drafts.is_dir() else ()
    return sorted((one for one in found if _version(one) is not None), key=lambda one: _version(one) or 0)


def _version(path: Path) -> int | None:
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdecimal() else None


def _remove(drafts: Iterable[Path]) -> None:
    for one in drafts:
        one.unlink(missing_ok=True)
        one.with_suffix(".why").unlink(missing_ok=True)
