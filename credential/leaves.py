"""The leaves of the transparency log: what is committed to, and how an opening is checked.

A leaf is deterministic CBOR (RFC 8949, 4.2.1) ``[kind, version, commitment]``,
where ``commitment = SHA-256(domain || salt || content)``:

- ``domain`` is ``yinzheng.log/v1/`` + kind + one zero byte;
- ``salt`` is 16 bytes: secret for what concerns a person, zeros for what is
  public anyway (status lists, keys, trust lists), so that everybody can check;
- ``content`` is the deterministic CBOR array that each function below names.

Nothing in a leaf can be guessed without its salt. An auditor is given salt and
content (the opening), computes the leaf again and finds it in the log;
docs/formats-log.md is the specification.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from credential.cbor import encode
from credential.errors import InputError
from credential.model import State, StatusValue

LEAF_VERSION = 1
SALT_BYTES = 16
DIGEST_BYTES = 32
PUBLIC_SALT = bytes(SALT_BYTES)
MAX_LEAF_BYTES = 64  # the longest of ours has 50


class LeafKind(StrEnum):
    """What a leaf commits to; in clear, so that anyone can count them."""

    ISSUE = "issue"
    REISSUE = "reissue"
    SEAL = "seal"
    STATUS = "status"
    VOID = "void"
    STATUS_LIST = "status-list"
    KEY = "key"
    TRUST_LIST = "trust-list"
    RENEWAL = "renewal"
    HISTORY = "history"


class BadLeaf(InputError):
    """Bytes that are no leaf of ours, or something that cannot be put into one."""

    code = "bad-leaf"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"this is not a log leaf: {why_en}", f"不是有效的日志条目:{why_zh}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf taken apart."""

    kind: LeafKind
    version: int
    commitment: bytes


@dataclass(frozen=True, slots=True)
class StatusChange:
    """The content of a status leaf: one change of one slot.

    Attributes:
        list_uri: address of the status list.
        index: slot in it.
        state: the state code it led to.
        value: the two bits it led to.
        effective_on: the day it counts from, Beijing time.
        recorded_at: when the registry learnt of it; whole seconds are committed to.
    """

    list_uri: str
    index: int
    state: State
    value: StatusValue
    effective_on: date
    recorded_at: datetime


_DIGEST_HEAD = b"\x58\x20"  # CBOR: a byte string of 32 bytes follows
_ONE_DIGEST = b"\x81" + _DIGEST_HEAD
_HEADS = {kind: b"\x83" + encode(kind.value) + bytes([LEAF_VERSION]) + _DIGEST_HEAD for kind in LeafKind}
_KINDS = {head: kind for kind, head in _HEADS.items()}
_DOMAINS = {kind: f"yinzheng.log/v1/{kind.value}".encode() + b"\0" for kind in LeafKind}


def issue_leaf(claims_digest: bytes, salt: bytes) -> bytes:
    """Commit to a credential's claims: ``[claims digest]``, under the salt in the claims."""
    return _leaf(LeafKind.ISSUE, _digests(claims_digest), salt)


def reissue_leaf(claims_digest: bytes, replaced_digest: bytes, salt: bytes) -> bytes:
    """Commit to a correction or replacement: ``[new claims digest, old claims digest]``.

    It stands beside the new credential's own issue leaf, under the new salt.
    """
    return _leaf(LeafKind.REISSUE, _digests(claims_digest, replaced_digest), salt)


def seal_leaf(pdf_digest: bytes, salt: bytes) -> bytes:
    """Commit to the exact signed PDF: ``[PDF digest]``, under the salt in the claims."""
    return _leaf(LeafKind.SEAL, _digests(pdf_digest), salt)


def status_leaf(change: StatusChange, salt: bytes) -> bytes:
    """Commit to a change of status: ``[list URI, index, state, value, day, seconds]``.

    Take a fresh salt for each change: under the credential's own, whoever has
    the PDF could find the leaf by trying.
    """
    return _leaf(LeafKind.STATUS, status_content(change), salt)


def status_content(change: StatusChange) -> bytes:
    """What a status leaf commits to, as an opening shows it."""
    content = [
        change.list_uri,
        change.index,
        change.state.value,
        int(change.value),
        change.effective_on.isoformat(),
        _seconds(change.recorded_at),
    ]
    return encode(content)


def void_leaf(issuer: str, serial: str, reason: str, salt: bytes) -> bytes:
    """Commit to a number that will never be issued: ``[issuer, serial, reason]``; a fresh salt."""
    return _leaf(LeafKind.VOID, encode([issuer, serial, reason]), salt)


def status_list_leaf(list_uri: str, issued_at: datetime, bits_digest: bytes) -> bytes:
    """Commit to a published status list: ``[list URI, seconds, digest of the inflated list]``; public.

    All of it stands in either form of the token, so a reader of one can compute it.
    """
    content = encode([list_uri, _seconds(issued_at), _digest(bits_digest)])
    return _leaf(LeafKind.STATUS_LIST, content, PUBLIC_SALT)


def key_leaf(role: str, owner: str, public_key: bytes) -> bytes:
    """Commit to a key coming into use: ``[role, owner, SPKI DER]``; public."""
    return _leaf(LeafKind.KEY, encode([role, owner, bytes(public_key)]), PUBLIC_SALT)


def trust_list_leaf(envelope: bytes) -> bytes:
    """Commit to a signed trust list: ``[SHA-256 of the envelope's bytes]``; public."""
    return _leaf(LeafKind.TRUST_LIST, _digests(hashlib.sha256(envelope).digest()), PUBLIC_SALT)


def renewal_leaf(pdf_digest: bytes, original_digest: bytes, salt: bytes) -> bytes:
    """Commit to a later revision of a PDF: ``[new digest, digest of the original]``, the claims' salt."""
    return _leaf(LeafKind.RENEWAL, _digests(pdf_digest, original_digest), salt)


def history_leaf(head: bytes, count: int, salt: bytes) -> bytes:
    """Commit to the head of the history chain: ``[digest of the newest entry, entries]``; a fresh salt."""
    return _leaf(LeafKind.HISTORY, encode([_digest(head), count]), salt)


def opened_leaf(kind: LeafKind, salt: bytes, content: bytes) -> bytes:
    """Work a leaf out from its opening; whoever finds these bytes in the log knows that it committed to the content.

    Args:
        kind: of the leaf.
        salt: 16 bytes.
        content: the deterministic CBOR that the functions above name.

    Raises:
        BadLeaf: the salt has another length.
    """
    return _leaf(kind, content, salt)


def leaf_start(kind: LeafKind) -> bytes:
    """The bytes that every leaf of a kind begins with; its commitment follows."""
    return _HEADS[kind]


def parse_leaf(leaf: bytes) -> Leaf:
    """Take a leaf apart; anything but the one canonical form is refused.

    Raises:
        BadLeaf: not CBOR of this form, an unknown kind or version, or not canonical.
    """
    require_leaves([leaf])
    return Leaf(_KINDS[leaf[:-DIGEST_BYTES]], LEAF_VERSION, leaf[-DIGEST_BYTES:])


def require_leaves(leaves: Iterable[bytes]) -> None:
    """Refuse what :func:`parse_leaf` would, without taking thousands of leaves apart.

    Raises:
        BadLeaf: one of them is none.
    """
    for leaf in leaves:
        if leaf[:-DIGEST_BYTES] not in _KINDS:
            raise BadLeaf("its kind or version is unknown, or it is not canonical", "类型或版本未知,或编码不规范")


def _leaf(kind: LeafKind, content: bytes, salt: bytes) -> bytes:
    if len(salt) != SALT_BYTES:
        raise BadLeaf(f"a salt has {SALT_BYTES} bytes, not {len(salt)}", f"盐值应为 {SALT_BYTES} 字节,实为 {len(salt)}")
    return _HEADS[kind] + hashlib.sha256(_DOMAINS[kind] + salt + content).digest()


def _digest(value: bytes) -> bytes:
    if len(value) != DIGEST_BYTES:
        raise BadLeaf(f"a digest has 32 bytes, not {len(value)}", f"摘要应为 32 字节,实为 {len(value)}")
    return bytes(value)


def _digests(*values: bytes) -> bytes:
    # The same bytes as the CBOR encoder's, without it: two of these are made for every credential.
    if len(values) == 1:
        return _ONE_DIGEST + _digest(values[0])
    return bytes([0x80 + len(values)]) + b"".join(_DIGEST_HEAD + _digest(value) for value in values)


def _seconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise BadLeaf(f"{moment.isoformat()} has no time zone", f"{moment.isoformat()} 缺少时区")
    return int(moment.timestamp())
