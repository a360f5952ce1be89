"""The folder of keys: encrypted private keys by role and owner, and their public parts beside them.

``<role>.pem`` or ``<role>.<owner>.pem`` is the key, the ``.json`` of the same
name its public part, which can be read without the passphrase; ``master.key``
is the registry's. Files are of mode 600, the folder of mode 700.
"""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.errors import ConfigError, InputError
from credential.ports import Algorithm
from keys.file_signer import BadKeyFile, FileSigner, create_key, load_signer
from keys.master_key import create_master_key, load_master_key
from keys.pkcs8 import COST, ScryptCost
from keys.private_files import FileExists, make_private_folder, read_private, replace_private, write_private

_ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_OWNER = re.compile(r"[0-9A-Za-z-]{0,64}")
_MASTER = "master.key"


class MissingKey(ConfigError):
    """There is no key of this role and owner."""

    code = "missing-key"

    def __init__(self, role: str, owner: str) -> None:
        super().__init__(
            f"there is no key {_name(role, owner)!r}; make one with: yinzheng keys",
            f"没有密钥“{_name(role, owner)}”; 请用 yinzheng keys 命令创建",
        )
        self.role = role
        self.owner = owner


class KeyStoreLocked(ConfigError):
    """A private key was asked for, but no passphrase was given."""

    code = "key-store-locked"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the keys in {folder} need their passphrase; give its file in the settings",
            f"{folder} 中的密钥需要口令; 请在设置中指定口令文件",
        )


class BadKeyName(InputError):
    """A role or owner that cannot be part of a file name."""

    code = "bad-key-name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a key; use letters, digits and hyphens",
            f"“{name}”不能作为密钥名称; 请使用字母、数字和连字符",
        )


class BadChain(InputError):
    """Certificates that do not form the chain of this key."""

    code = "bad-chain"

    def __init__(self, name: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"these certificates are not the chain of the key {name!r}: {why_en}; give its own first, the root last",
            f"这些证书不是密钥“{name}”的证书链: {why_zh}; 请先给出该密钥的证书, 最后为根证书",
        )


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """The public part of one key.

    Attributes:
        role: what it may sign.
        owner: issuer or person; empty for the service's own.
        algorithm: of the key.
        public_key: SPKI, DER.
        created_at: UTC.
        chain: certificates, DER, the key's own first; may be empty.
    """

    role: str
    owner: str
    algorithm: Algorithm
    public_key: bytes
    created_at: datetime
    chain: tuple[bytes, ...] = ()


class KeyStore:
    """Makes and opens the keys of one installation; each private key is loaded once.

    Safe for several threads; several processes may read at once.
    """

    def __init__(self, folder: Path, passphrase: bytes | None, *, cost: ScryptCost = COST) -> None:
        """Open a folder, making it if need be.

        Args:
            folder: of mode 700.
            passphrase: of every key in it; None gives the public parts only.
            cost: of scrypt for new files; the tests use a cheap one.

        Raises:
            OpenToOthers: others may enter or read the folder.
            UnreadablePrivateFile: it cannot be made.
        """
        make_private_folder(folder)
        self._folder = folder
        self._passphrase = passphrase
        self._cost = cost
        self._signers: dict[str, FileSigner] = {}
        self._loading = Lock()

    def create(self, role: str, algorithm: Algorithm, owner: str = "", *, now: datetime) -> FileSigner:
        """Make a key; one whose making was interrupted is completed.

        Args:
            role: as ``credential.trust.Role`` or a name of the authority.
            algorithm: of the key.
            owner: issuer or person.
            now: with time zone, recorded beside the key.

        Raises:
            FileExists: there is such a key, or half of one with another algorithm.
            BadKeyName: role or owner cannot be a file name.
            KeyStoreLocked: opened without a passphrase.
        """
        path = self._path(role, owner)
        passphrase = self._secret()
        if path.exists() and not path.with_suffix(".json").exists():
            signer = load_signer(path, passphrase)
            if signer.algorithm is not algorithm:
                raise FileExists(path)
        else:
            signer = create_key(path, algorithm, passphrase, self._cost)
        entry = KeyEntry(role, owner, algorithm, signer.public_key, now.astimezone(UTC).replace(microsecond=0))
        write_private(path.with_suffix(".json"), _write_entry(entry))
        self._signers[path.name] = signer
        return signer

    def signer(self, role: str, owner: str = "") -> FileSigner:
        """The key, ready to sign; from the second time on at no cost.

        Raises:
            MissingKey: there is none.
            WrongPassphrase: the passphrase does not open it.
            BadKeyFile: it is damaged or not the one its public part names.
            KeyStoreLocked: opened without a passphrase.
        """
        path = self._path(role, owner)
        with self._loading:
            if path.name not in self._signers:
                entry = self.entry(role, owner)
                signer = load_signer(path, self._secret())
                if signer.public_key != entry.public_key:
                    raise BadKeyFile(path, "it is not the key that its .json names", "与同名 .json 中的公钥不符")
                self._signers[path.name] = signer
            return self._signers[path.name]

    def entry(self, role: str, owner: str = "") -> KeyEntry:
        """The public part of a key.

        Raises:
            MissingKey: there is none.
            BadKeyFile: it is damaged.
        """
        path = self._path(role, owner).with_suffix(".json")
        if not path.exists():
            raise MissingKey(role, owner)
        return _read_entry(path)

    def public_key(self, role: str, owner: str = "") -> bytes:
        """The public key, SPKI, DER; raises as :meth:`entry` does."""
        return self.entry(role, owner).public_key

    def chain(self, role: str, owner: str = "") -> tuple[bytes, ...]:
        """The certificates, DER, the key's own first; raises as :meth:`entry` does."""
        return self.entry(role, owner).chain

    def set_chain(self, role: str, owner: str, chain: Sequence[bytes]) -> None:
        """Keep a key's certificates, in place of those before.

        Args:
            role: of the key.
            owner: of the key.
            chain: DER, the key's own first, each signed by the next.

        Raises:
            BadChain: they are not that.
            MissingKey: there is no such key.
        """
        entry = self.entry(role, owner)
        _check_chain(_name(role, owner), entry.public_key, chain)
        replace_private(self._path(role, owner).with_suffix(".json"), _write_entry(replace(entry, chain=tuple(chain))))

    def entries(self) -> tuple[KeyEntry, ...]:
        """The public parts of all keys, by name.

        Raises:
            BadKeyFile: one is damaged.
        """
        return tuple(_read_entry(path) for path in sorted(self._folder.glob("*.json")))

    def create_master_key(self) -> bytes:
        """Make the registry's master key, 32 bytes.

        Raises:
            FileExists: there is one; without it the registry's personal data is lost.
            KeyStoreLocked: opened without a passphrase.
        """
        return create_master_key(self._folder / _MASTER, self._secret(), self._cost)

    def master_key(self) -> bytes:
        """The registry's master key, 32 bytes.

        Raises:
            UnreadablePrivateFile: there is none.
            WrongPassphrase: the passphrase does not open it.
            BadKeyFile: it is damaged.
            KeyStoreLocked: opened without a passphrase.
        """
        return load_master_key(self._folder / _MASTER, self._secret())

    def _path(self, role: str, owner: str) -> Path:
        if _ROLE.fullmatch(role) is None or _OWNER.fullmatch(owner) is None:
            raise BadKeyName(_name(role, owner))
        return self._folder / f"{_name(role, owner)}.pem"

    def _secret(self) -> bytes:
        if self._passphrase is None:
            raise KeyStoreLocked(self._folder)
        return self._passphrase


def _name(role: str, owner: str) -> str:
    return f"{role}.{owner}" if owner else str(role)


def _write_entry(entry: KeyEntry) -> bytes:
    chain = [x509.load_der_x509_certificate(cert).public_bytes(Encoding.PEM).decode() for cert in entry.chain]
    content = {
        "role": entry.role,
        "owner": entry.owner,
        "algorithm": entry.algorithm,
        "public_key": base64.b64encode(entry.public_key).decode(),
        "created_at": entry.created_at.isoformat(),
        "chain": chain,
    }
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


def _read_entry(path: Path) -> KeyEntry:
    try:
        content = json.loads(read_private(path))
        return KeyEntry(
            role=content["role"],
            owner=content["owner"],
            algorithm=Algorithm(content["algorithm"]),
            public_key=base64.b64decode(content["public_key"], validate=True),
            created_at=datetime.fromisoformat(content["created_at"]),
            chain=tuple(
                x509.load_pem_x509_certificate(cert.encode()).public_bytes(Encoding.DER) for cert in content["chain"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadKeyFile(path, "its public part is damaged", "公钥部分已损坏") from error


def _check_chain(name: str, public_key: bytes, chain: Sequence[bytes]) -> None:
    try:
        certs = [x509.load_der_x509_certificate(cert) for cert in chain]
        for cert, issuer in pairwise(certs):
            cert.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise BadChain(name, "one is not signed by the next", "存在未由下一张证书签发的证书") from error
    own = [cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for cert in certs[:1]]
    if own != [public_key]:
        raise BadChain(name, "the first is not this key's", "第一张不是该密钥的证书")
