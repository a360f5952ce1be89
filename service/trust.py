"""Write the installation's trust list anew whenever an issuer or key is added."""

import fcntl
import json
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from credential.dsse import open_envelope
from credential.errors import ConfigError
from credential.trust import PAYLOAD_TYPE, Role, TrustedIssuer, TrustedKey, TrustList, open_trust_list, sign_trust_list
from credential.trust_list import read_trust_list
from keys.store import KeyStore
from registry.issuers import Issuer
from registry.log.files import replace_durably
from service.folder import DataFolder, Installation

TRUST_LIST_LIFETIME = timedelta(days=366)  # renewed at least yearly, and whenever a key changes

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


@dataclass(frozen=True, slots=True)
class _Pinned:
    roots: tuple[bytes, ...]
    threshold: int
    seen_version: int


def pin_roots(folder: DataFolder, roots: tuple[bytes, ...], threshold: int) -> None:
    """Remember which roots this installation believes."""
    _write_pinned(folder, _Pinned(roots, threshold, 0))


def pinned_roots(folder: DataFolder) -> tuple[tuple[bytes, ...], int]:
    """The pinned roots, SPKI DER, and how many of them must sign.

    Raises:
        BadPinnedRoots: the file is missing or damaged.
    """
    pinned = _read_pinned(folder)
    return pinned.roots, pinned.threshold


def seen_version(folder: DataFolder) -> int:
    """The newest version of a trust list that was ever accepted here; 0 for none.

    Raises:
        BadPinnedRoots: the file that says so is missing or damaged.
    """
    return _read_pinned(folder).seen_version


def remember_version(folder: DataFolder, version: int) -> None:
    """Never again accept a list older than this version, durably; call only after a list was believed.

    A version that is not newer changes nothing.

    Raises:
        BadPinnedRoots: the file is missing or damaged.
    """
    if version <= seen_version(folder):
        return
    with (folder.root / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pinned = _read_pinned(folder)  # again, for another process may have seen a newer one by now
        if version > pinned.seen_version:
            _write_pinned(folder, replace(pinned, seen_version=version))


def read_own_trust_list(folder: DataFolder, now: datetime) -> TrustList:
    """Open the installation's own list against the pinned roots.

    Raises:
        BadPinnedRoots: the list or the roots are missing or damaged.
        TrustListOlder: a newer one was published or opened here before.
        and what ``credential.trust.open_trust_list`` raises.
    """
    pinned = _read_pinned(folder)
    try:
        envelope = folder.trust_list.read_bytes()
    except OSError as error:
        raise BadPinnedRoots(folder.trust_list) from error
    trust = open_trust_list(envelope, pinned.roots, pinned.threshold, now, pinned.seen_version)
    with suppress(OSError):  # whoever may only read the folder can still verify
        remember_version(folder, trust.version)
    return trust


def newest_version(folder: DataFolder) -> int:
    """The newest version of the installation's own list there ever was: of the file, or one seen before.

    Raises:
        BadPinnedRoots: the file is missing.
        InputError: it is no trust list.
    """
    try:
        envelope = folder.trust_list.read_bytes()
    except OSError as error:
        raise BadPinnedRoots(folder.trust_list) from error
    return max(read_trust_list(open_envelope(envelope, PAYLOAD_TYPE).payload).version, seen_version(folder))


def publish_trust_list(  # noqa: PLR0913 - the list's parts and its moment
    folder: DataFolder,
    installation: Installation,
    store: KeyStore,
    issuers: tuple[Issuer, ...],
    *,
    version: int,
    now: datetime,
) -> TrustList:
    """Sign and publish a list of all issuers and their keys."""
    start = now.replace(microsecond=0)
    shared = [_key(store, role, "", "") for role in (Role.LOG, Role.STATUS)]
    own = [_key(store, role, one.id, one.uscc) for one in issuers for role in (Role.PDF, Role.QR)]
    trust = TrustList(
        version=version,
        issued_at=start,
        expires=start + TRUST_LIST_LIFETIME,
        log_origin=installation.log_origin,
        issuers=tuple(TrustedIssuer(one.uscc, one.name) for one in issuers),
        keys=tuple(shared + own),
        ca_certs=tuple({store.chain(Role.PDF, one.id)[-1]: None for one in issuers}),
        witnesses=(),
        witness_threshold=0,
        roots=(store.public_key(Role.TRUST_ROOT),),
        threshold=1,
    )
    folder.trust_list.parent.mkdir(parents=True, exist_ok=True)
    replace_durably({folder.trust_list: sign_trust_list(trust, [store.signer(Role.TRUST_ROOT)])})
    remember_version(folder, version)
    return trust


def _key(store: KeyStore, role: Role, owner: str, issuer: str) -> TrustedKey:
    entry = store.entry(role, owner)
    return TrustedKey(
        role=role,
        issuer=issuer,
        algorithm=entry.algorithm,
        public_key=entry.public_key,
        valid_from=entry.created_at,
    )


def _read_pinned(folder: DataFolder) -> _Pinned:
    try:
        pinned = json.loads(folder.roots.read_text(encoding="utf-8"))
        roots = tuple(b64decode(root, validate=True) for root in pinned["roots"])
        return _Pinned(roots, int(pinned["threshold"]), int(pinned.get("seen_version", 0)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadPinnedRoots(folder.roots) from error


def _write_pinned(folder: DataFolder, pinned: _Pinned) -> None:
    content = {
        "threshold": pinned.threshold,
        "roots": [b64encode(root).decode("ascii") for root in pinned.roots],
        "seen_version": pinned.seen_version,
    }
    replace_durably({folder.roots: json.dumps(content, indent=1).encode() + b"\n"})
