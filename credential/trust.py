"""The trust list: which issuers and keys a verifier believes, signed by offline roots.

Deterministic JSON in a DSSE envelope, signed m-of-n with Ed25519
(docs/formats.md, "Trust list"). The roots that must have signed are pinned in
the verifier; a list that names other roots must be signed by both, old and new.
"""

from collections.abc import Sequence
from datetime import datetime

from credential.dsse import BadEnvelope, open_envelope, sign_envelope
from credential.errors import RefusedError
from credential.ports import Signer
from credential.trust_list import (
    BadTrustList,
    FormerLog,
    Role,
    TrustedIssuer,
    TrustedKey,
    TrustList,
    Witness,
    read_trust_list,
    write_moment,
    write_trust_list,
)

__all__ = [
    "BadEnvelope",
    "BadTrustList",
    "FormerLog",
    "Role",
    "TrustList",
    "TrustListExpired",
    "TrustListNotSigned",
    "TrustListOlder",
    "TrustedIssuer",
    "TrustedKey",
    "Witness",
    "open_past_trust_list",
    "open_trust_list",
    "sign_trust_list",
]

PAYLOAD_TYPE = "application/vnd.yinzheng.trust-list+json"


class TrustListNotSigned(RefusedError):
    """Too few of the roots have signed.

    Args:
        found: good signatures.
        threshold: how many are needed.
        cure: what is to be done, in English and Chinese; for whoever has got the list from somebody else by default.
    """

    code = "trust-list-not-signed"

    def __init__(
        self,
        found: int,
        threshold: int,
        cure: tuple[str, str] = ("get it from its publisher again", "请向发布方重新获取"),
    ) -> None:
        super().__init__(
            f"the trust list has {found} good root signatures of {threshold} needed; {cure[0]}",
            f"信任列表只有 {found} 个有效的根签名, 需要 {threshold} 个; {cure[1]}",
        )
        self.found = found
        self.threshold = threshold


class TrustListOlder(RefusedError):
    """An older list than one already seen: somebody may be hiding a withdrawn key."""

    code = "trust-list-older"

    def __init__(self, version: int, seen: int) -> None:
        super().__init__(
            f"the trust list has version {version}, but version {seen} was already seen; get the newest one",
            f"信任列表版本为 {version}, 低于已见过的版本 {seen}; 请获取最新版本",
        )
        self.version = version
        self.seen = seen


class TrustListExpired(RefusedError):
    """The list says nothing about the present any more."""

    code = "trust-list-expired"

    def __init__(self, expires: datetime) -> None:
        super().__init__(
            f"the trust list expired at {write_moment(expires)}; get the newest one",
            f"信任列表已于 {write_moment(expires)} 过期; 请获取最新版本",
        )
        self.expires = expires


def sign_trust_list(trust: TrustList, signers: Sequence[Signer]) -> bytes:
    """Write a list and sign it; a change of roots needs signers of the old and the new.

    Raises:
        BadTrustList: the list makes no sense.
        UnavailableError: a signer's key store does not answer.
    """
    payload = write_trust_list(trust)
    if read_trust_list(payload) != trust:
        raise BadTrustList("a time has no zone or a fraction of a second", "时间缺少时区或不是整秒")
    return sign_envelope(PAYLOAD_TYPE, payload, signers)


def open_trust_list(
    envelope: bytes, roots: Sequence[bytes], threshold: int, now: datetime, seen_version: int
) -> TrustList:
    """Read a list and believe it only if enough roots signed and it is the newest seen.

    Args:
        envelope: not trusted.
        roots: pinned; those of the list accepted before. SPKI, DER.
        threshold: how many of them must have signed.
        now: with time zone.
        seen_version: of the newest list accepted before; 0 for none.

    Raises:
        BadEnvelope: not an envelope of this type.
        BadTrustList: the content makes no sense.
        TrustListNotSigned: too few pinned roots, or too few of its own.
        TrustListOlder: a newer one was seen.
        TrustListExpired: no longer good.
        ValueError: a threshold below 1 would accept anything.
    """
    trust = open_past_trust_list(envelope, roots, threshold)
    if trust.version < seen_version:
        raise TrustListOlder(trust.version, seen_version)
    if now >= trust.expires:
        raise TrustListExpired(trust.expires)
    return trust


def open_past_trust_list(envelope: bytes, roots: Sequence[bytes], threshold: int) -> TrustList:
    """Read a list that enough roots signed, whatever its age: to write the next one, or to follow changes of roots.

    What it says of the present is not to be believed; see :func:`open_trust_list`, which raises the same.
    """
    if threshold < 1:
        raise ValueError("at least one root must have signed")
    opened = open_envelope(envelope, PAYLOAD_TYPE)
    _demand(len(opened.signers(frozenset(roots))), threshold)
    trust = read_trust_list(opened.payload)
    _demand(len(opened.signers(trust.roots)), trust.threshold)
    return trust


def _demand(found: int, threshold: int) -> None:
    if found < threshold:
        raise TrustListNotSigned(found, threshold)
