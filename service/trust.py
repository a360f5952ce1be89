"""Write the installation's trust list anew whenever an issuer or key is added."""

import json
import os
from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from pathlib import Path

from credential.dsse import open_envelope
from credential.errors import ConfigError
from credential.trust import PAYLOAD_TYPE, Role, TrustedIssuer, TrustedKey, TrustList, open_trust_list, sign_trust_list
from credential.trust_list import read_trust_list
from keys.store import KeyStore
from registry.issuers import Issuer
from service.folder import DataFolder, Installation

TRUST_LIST_LIFETIME = timedelta(days=366)  # renewed at least yearly, and whenever a key changes


class BadPinnedRoots(ConfigError):
    """The file with the pinned roots is missing or damaged."""

    code = "bad-pinned-roots"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} does not hold the pinned roots; restore it from the backup",
            f"{path} 中没有有效的根公钥; 请从备份恢复",
        )
        self.path = path


def pin_roots(folder: DataFolder, roots: tuple[bytes, ...], threshold: int) -> None:
    """Remember which roots this installation believes."""
    pinned = {"threshold": threshold, "roots": [b64encode(root).decode("ascii") for root in roots]}
    _write(folder.roots, json.dumps(pinned, indent=1).encode() + b"\n")


def pinned_roots(folder: DataFolder) -> tuple[tuple[bytes, ...], int]:
    """The pinned roots, SPKI DER, and how many of them must sign.

    Raises:
        BadPinnedRoots: the file is missing or damaged.
    """
    try:
        pinned = json.loads(folder.roots.read_text(encoding="utf-8"))
        return tuple(b64decode(root, validate=True) for root in pinned["roots"]), int(pinned["threshold"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadPinnedRoots(folder.roots) from error


def read_own_trust_list(folder: DataFolder, now: datetime) -> TrustList:
    """Open the installation's own list against the pinned roots."""
    roots, threshold = pinned_roots(folder)
    try:
        envelope = folder.trust_list.read_bytes()
    except OSError as error:
        raise BadPinnedRoots(folder.trust_list) from error
    return open_trust_list(envelope, roots, threshold, now, 0)


def newest_version(folder: DataFolder) -> int:
    """The version of the installation's own list, which may have expired.

    Raises:
        BadPinnedRoots: the file is missing.
        InputError: it is no trust list.
    """
    try:
        envelope = folder.trust_list.read_bytes()
    except OSError as error:
        raise BadPinnedRoots(folder.trust_list) from error
    return read_trust_list(open_envelope(envelope, PAYLOAD_TYPE).payload).version


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
    _write(folder.trust_list, sign_trust_list(trust, [store.signer(Role.TRUST_ROOT)]))
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


def _write(path: Path, content: bytes) -> None:
    """Replace a file so that readers see the old one or the new one, durably."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
