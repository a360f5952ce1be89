"""Encrypted PKCS #8 (RFC 5958) under scrypt and AES-256-CBC (PBES2, RFC 8018 and 7914).

Written by hand because ``cryptography`` writes PBKDF2 with 2,048 rounds only
(docs/decisions/0001-key-encryption-at-rest.md); it reads this, and so does openssl.
"""

import base64
import textwrap
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

SALT_BYTES = 16
IV_BYTES = 16

_PBES2 = bytes.fromhex("06092a864886f70d01050d")  # 1.2.840.113549.1.5.13
_SCRYPT = bytes.fromhex("06092b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_AES_256_CBC = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42
_AES_BLOCK_BITS = 128
_KEY_BYTES = 32


class ScryptCost(NamedTuple):
    """Parameters of scrypt: memory is 128 * n * r bytes, time grows with p."""

    n: int
    r: int
    p: int


# 16 MiB, five times over: OWASP's equivalent of 128 MiB once. openssl refuses to read n above 2^14.
COST = ScryptCost(1 << 14, 8, 5)


def encrypt_pkcs8(private_key_info: bytes, passphrase: bytes, salt: bytes, iv: bytes, cost: ScryptCost = COST) -> bytes:
    """Write a private key as PEM, ``ENCRYPTED PRIVATE KEY``.

    Args:
        private_key_info: PKCS #8, DER, in clear.
        passphrase: any bytes, not empty.
        salt: 16 random bytes.
        iv: 16 random bytes.
        cost: of scrypt.
    """
    key = Scrypt(salt, _KEY_BYTES, cost.n, cost.r, cost.p).derive(passphrase)
    padder = PKCS7(_AES_BLOCK_BITS).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    content = encryptor.update(padder.update(private_key_info) + padder.finalize()) + encryptor.finalize()
    scrypt = _sequence(_SCRYPT, _sequence(_octets(salt), _integer(cost.n), _integer(cost.r), _integer(cost.p)))
    cipher = _sequence(_AES_256_CBC, _octets(iv))
    der = _sequence(_sequence(_PBES2, _sequence(scrypt, cipher)), _octets(content))
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join(
        ["-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, "-----END ENCRYPTED PRIVATE KEY-----", ""]
    ).encode()


def _sequence(*parts: bytes) -> bytes:
    return _element(0x30, b"".join(parts))


def _octets(content: bytes) -> bytes:
    return _element(0x04, content)


def _integer(number: int) -> bytes:
    return _element(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    width = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + length.to_bytes(width) + content
