"""Keep personal data under one random key a record, and find it again by blind index.

Every row of a batch has its own key, wrapped by the master key; all that
comes of the row (record, photo, credential, file, history details) is sealed
under it with AES-256-GCM, bound to the place where it stands. Destroying the
wrapped key erases all of it at once, backups of the rest included.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from credential.errors import ConfigError, RefusedError, UnavailableError

_FORMAT = b"\x01"
_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2.2: random, at most 2^32 under one key
_SEALED_FROM = len(_FORMAT) + _NONCE_BYTES
KEY_BYTES = 32

SEALED_OVERHEAD = _SEALED_FROM + 16
"""Bytes that sealing adds: format, nonce, tag."""


class SealedDataDamaged(UnavailableError):
    """A sealed field does not open: changed, moved to another place, or under another master key."""

    code = "sealed-data-damaged"

    def __init__(self, place: bytes) -> None:
        where = place.decode()
        super().__init__(
            f"the sealed field {where} does not open; restore it from a backup or check the master key",
            f"加密字段 {where} 无法解密;请从备份恢复或检查主密钥",
        )


class RecordErased(RefusedError):
    """The key of the record was destroyed on request; nothing personal is left of it."""

    code = "record-erased"

    def __init__(self, owner: str) -> None:
        super().__init__(f"the personal data of record {owner} was erased", f"记录 {owner} 的个人信息已被删除")


class BadMasterKey(ConfigError):
    """The master key has the wrong length."""

    code = "bad-master-key"

    def __init__(self, length: int) -> None:
        super().__init__(
            f"the master key has {length} bytes instead of {KEY_BYTES}; hand in the one that `yinzheng init` made",
            f"主密钥长度为 {length} 字节(应为 {KEY_BYTES} 字节);请使用 yinzheng init 生成的主密钥",
        )


def place(table: str, row: str, column: str) -> bytes:
    """Name where a sealed field stands; it opens nowhere else."""
    return f"{table}|{row}|{column}".encode()


class RecordKey:
    """The opened key of one record; never stored as it is."""

    __slots__ = ("_cipher", "_key", "_random")

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        self._key = key
        self._cipher = AESGCM(key)
        self._random = random

    def seal(self, fields: Mapping[Any, Any], at: bytes) -> bytes:
        """Encrypt several fields as one deterministic CBOR map."""
        return self.seal_bytes(cbor2.dumps(fields, canonical=True), at)

    def open(self, sealed: bytes, at: bytes) -> dict[Any, Any]:
        """Decrypt what :meth:`seal` made.

        Raises:
            SealedDataDamaged: it was changed, or was sealed for another place.
        """
        fields: dict[Any, Any] = cbor2.loads(self.open_bytes(sealed, at))
        return fields

    def seal_bytes(self, content: bytes, at: bytes) -> bytes:
        """Encrypt bytes; the result is ``SEALED_OVERHEAD`` longer."""
        nonce = self._random(_NONCE_BYTES)
        return b"".join((_FORMAT, nonce, self._cipher.encrypt(nonce, content, at)))

    def seal_into(self, content: bytes, at: bytes, target: memoryview) -> None:
        """Encrypt bytes straight to where they are to stand, as :meth:`seal_bytes` would.

        Args:
            content: to be sealed.
            at: the place it is sealed for.
            target: exactly ``SEALED_OVERHEAD`` longer than the content.
        """
        nonce = self._random(_NONCE_BYTES)
        target[:_SEALED_FROM] = _FORMAT + nonce
        self._cipher.encrypt_into(nonce, content, at, target[_SEALED_FROM:])

    def open_bytes(self, sealed: bytes | memoryview, at: bytes) -> bytes:
        """Decrypt what :meth:`seal_bytes` made.

        Raises:
            SealedDataDamaged: it was changed, or was sealed for another place.
        """
        return _decrypt(self._cipher, sealed, at)


class Vault:
    """Makes and opens record keys, and computes blind indexes; holds the master key.

    Args:
        master_key: 32 bytes from the key store.
        random: gives that many unpredictable bytes; ``os.urandom`` but in tests.
    """

    def __init__(self, master_key: bytes, random: Callable[[int], bytes]) -> None:
        if len(master_key) != KEY_BYTES:
            raise BadMasterKey(len(master_key))
        self._master = master_key
        self._random = random
        self._wrapping = AESGCM(self._derive("wrap"))
        self._blinding: dict[str, HMAC] = {}

    def create_key(self) -> RecordKey:
        """Make a new random key; lost unless its wrapped form is stored."""
        return RecordKey(self._random(KEY_BYTES), self._random)

    def wrap(self, key: RecordKey, owner: str) -> bytes:
        """Encrypt a record key under the master key, for its owner only."""
        nonce = self._random(_NONCE_BYTES)
        sealed = self._wrapping.encrypt(nonce, key._key, _key_place(owner))  # noqa: SLF001 - the vault owns its keys
        return b"".join((_FORMAT, nonce, sealed))

    def open_key(self, owner: str, wrapped: bytes | None) -> RecordKey:
        """Unwrap a stored key.

        Raises:
            RecordErased: the key was destroyed.
            SealedDataDamaged: it is another owner's, or under another master key.
        """
        if wrapped is None:
            raise RecordErased(owner)
        return RecordKey(_decrypt(self._wrapping, wrapped, _key_place(owner)), self._random)

    def blind(self, field: str, *values: str) -> bytes:
        """Compute the blind index of a value under the field's own key: exact match only.

        The values are joined without ambiguity; HMAC-SHA256.
        """
        keyed = self._blinding.get(field)
        if keyed is None:
            keyed = HMAC(self._derive(f"blind/{field}"), SHA256())
            self._blinding[field] = keyed
        mac = keyed.copy()
        for value in values:
            encoded = value.encode()
            mac.update(len(encoded).to_bytes(4, "big"))
            mac.update(encoded)
        return mac.finalize()

    def seal_apart(self, content: bytes, at: bytes) -> bytes:
        """Encrypt what is kept outside the database, under a key of its own; it survives a lost record key."""
        return RecordKey(self._derive("apart"), self._random).seal_bytes(content, at)

    def open_apart(self, sealed: bytes, at: bytes) -> bytes:
        """Decrypt what :meth:`seal_apart` made.

        Raises:
            SealedDataDamaged: it was changed, or was sealed for another place or master key.
        """
        return RecordKey(self._derive("apart"), self._random).open_bytes(sealed, at)

    def keys_for(self, purposes: Iterable[str]) -> dict[str, bytes]:
        """The derived keys of some purposes, for a process that is to hold no others."""
        return {purpose: self._derive(purpose) for purpose in purposes}

    def _derive(self, purpose: str) -> bytes:
        info = f"yinzheng/{purpose}/v1".encode()
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._master)


def _key_place(owner: str) -> bytes:
    return place("record_key", owner, "wrapped")


def _decrypt(cipher: AESGCM, sealed: bytes | memoryview, at: bytes) -> bytes:
    if sealed[:1] != _FORMAT or len(sealed) < SEALED_OVERHEAD:
        raise SealedDataDamaged(at)
    try:
        return cipher.decrypt(sealed[1:_SEALED_FROM], sealed[_SEALED_FROM:], at)
    except InvalidTag as error:
        raise SealedDataDamaged(at) from error
