"""Signing keys in encrypted files: made once, loaded once per process."""

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from credential.cose import BadPublicKey, algorithm_of, load_public_key
from credential.errors import ConfigError
from credential.ports import Algorithm
from keys.pkcs8 import COST, IV_BYTES, SALT_BYTES, ScryptCost, encrypt_pkcs8
from keys.private_files import read_private, write_private

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_RSA_EXPONENT = 65537
_RSA_BITS = {Algorithm.RSA_2048: 2048, Algorithm.RSA_3072: 3072, Algorithm.RSA_4096: 4096}


class WrongPassphrase(ConfigError):
    """The passphrase does not open the key file."""

    code = "wrong-passphrase"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the passphrase does not open {path}; give the one it was made with, or the file is damaged",
            f"口令无法打开 {path}; 请使用创建该文件时的口令, 否则文件已损坏",
        )
        self.path = path


class BadKeyFile(ConfigError):
    """A file that holds no encrypted private key of a kind we use."""

    code = "bad-key-file"

    def __init__(self, path: Path, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"{path} holds no usable key: {why_en}; restore it from the backup",
            f"{path} 不含可用的密钥: {why_zh}; 请从备份恢复",
        )
        self.path = path


class FileSigner:
    """A private key in memory; implements ``credential.ports.Signer``.

    Safe for several threads. Its printed form never shows the key.
    """

    def __init__(self, key: PrivateKey) -> None:
        """Hold a key of a kind we use.

        Raises:
            BadPublicKey: another kind or size.
        """
        self._key = key
        self._public_key = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._algorithm = algorithm_of(load_public_key(self._public_key))
        self._sign = _signing(key)

    @property
    def algorithm(self) -> Algorithm:
        """Which kind of key this is."""
        return self._algorithm

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return self._public_key

    @property
    def private_key(self) -> PrivateKey:
        """The key itself, for making certificates; everything else uses :meth:`sign`."""
        return self._key

    def sign(self, message: bytes) -> bytes:
        """Sign the message itself; the form of the signature is that of the port."""
        return self._sign(message)

    def __repr__(self) -> str:
        return f"FileSigner({self._algorithm})"


def _signing(key: PrivateKey) -> Callable[[bytes], bytes]:
    """What signs a message with a key; which way that is, is asked once and not with every signature."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    if isinstance(key, rsa.RSAPrivateKey):
        pkcs1, sha256 = padding.PKCS1v15(), SHA256()
        return lambda message: key.sign(message, pkcs1, sha256)
    ecdsa = ec.ECDSA(SHA384() if isinstance(key.curve, ec.SECP384R1) else SHA256())
    return lambda message: key.sign(message, ecdsa)


def generate_key(algorithm: Algorithm) -> FileSigner:
    """Make a new key in memory, from the operating system's randomness."""
    match algorithm:
        case Algorithm.P256:
            return FileSigner(ec.generate_private_key(ec.SECP256R1()))
        case Algorithm.P384:
            return FileSigner(ec.generate_private_key(ec.SECP384R1()))
        case Algorithm.ED25519:
            return FileSigner(ed25519.Ed25519PrivateKey.generate())
        case _:
            return FileSigner(rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS[algorithm]))


def create_key(path: Path, algorithm: Algorithm, passphrase: bytes, cost: ScryptCost = COST) -> FileSigner:
    """Make a new key and keep it in an encrypted file of mode 600, durably.

    Args:
        path: PEM file to be made; its folder exists.
        algorithm: kind of key.
        passphrase: not empty; whoever has it and the file has the key.
        cost: of scrypt; the tests use a cheap one.

    Raises:
        FileExists: the file is there already; it is left as it is.
        ValueError: an empty passphrase.
    """
    if not passphrase:
        raise ValueError("an empty passphrase protects nothing")
    signer = generate_key(algorithm)
    clear = signer.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    write_private(path, encrypt_pkcs8(clear, passphrase, os.urandom(SALT_BYTES), os.urandom(IV_BYTES), cost))
    return signer


def load_signer(path: Path, passphrase: bytes) -> FileSigner:
    """Open a key file; costs a fifth of a second on purpose, so keep what it returns.

    Args:
        path: encrypted PKCS #8, PEM; only its owner may read it.
        passphrase: that it was made with.

    Raises:
        OpenToOthers: others may read the file.
        UnreadablePrivateFile: it is missing.
        WrongPassphrase: it does not open the file.
        BadKeyFile: not encrypted, or not a key of a kind we use.
    """
    content = read_private(path)
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in content:
        raise BadKeyFile(path, "it is no encrypted PKCS #8 file", "不是加密的 PKCS #8 文件")
    try:
        key = load_pem_private_key(content, passphrase)
    except UnsupportedAlgorithm as error:
        raise BadKeyFile(path, "its kind of key or encryption is unknown", "密钥或加密类型未知") from error
    except (ValueError, TypeError) as error:
        raise WrongPassphrase(path) from error
    try:
        if isinstance(key, PrivateKey):
            return FileSigner(key)
    except BadPublicKey as error:
        raise BadKeyFile(path, "its curve or size is not used here", "不支持该曲线或密钥长度") from error
    raise BadKeyFile(path, "its kind of key is not used here", "不支持该类密钥")
