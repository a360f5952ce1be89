"""Keep PDF prefixes by their content: each is stored once, before the first tail that needs it."""

import hashlib

from credential.ports import Blobs
from registry.packs import PackDamaged


def prefix_name(digest: bytes) -> str:
    """Name the object that holds a prefix."""
    return f"prefix/{digest.hex()}"


def store_prefix(blobs: Blobs, prefix: bytes) -> bytes:
    """Store a prefix durably unless it is there already; returns its SHA-256."""
    digest = hashlib.sha256(prefix).digest()
    blobs.create(prefix_name(digest), [prefix])
    return digest


def read_prefix(blobs: Blobs, digest: bytes) -> bytes:
    """Read a prefix and check it against its name.

    Raises:
        MissingBlob: it is not stored.
        PackDamaged: it was changed.
    """
    prefix = blobs.read(prefix_name(digest))
    if hashlib.sha256(prefix).digest() != digest:
        raise PackDamaged(prefix_name(digest), "does not have the digest in its name", "与名称中的摘要不符")
    return prefix
