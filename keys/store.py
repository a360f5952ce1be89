"""The folder of keys: encrypted private keys by role, owner and generation, and their public parts beside them.

``<role>[.<owner>][@N].pem`` is the key of generation N (the first is without ``@``),
the ``.json`` of the same name its public part, which can be read without the
passphrase; ``master.key`` is the registry's. A key that is kept elsewhere (a token,
a plug-in) has a public part only. Files are of mode 600, the folder of mode 700.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from credential.errors import ConfigError, InputError, RefusedError
from credential.ports import Algorithm, Signer
from keys.chain import check_chain
from keys.entry import IN_FILE, KeyEntry, KeyState, key_name, read_entry, write_entry
from keys.file_signer import BadKeyFile, FileSigner, create_key, load_signer
from keys.master_key import create_master_key, load_master_key
from keys.pkcs8 import COST, ScryptCost
from keys.places import KeptSigner, KeyPlace, NoPlaces, Places
from keys.private_files import FileExists, make_private_folder, replace_private, write_private

_ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_OWNER = re.compile(r"[0-9A-Za-z-]{0,64}")
_MASTER = "master.key"


class MissingKey(ConfigError):
    """There is no key of this role and owner, or no such generation, or none that may sign."""

    code = "missing-key"

    def __init__(self, role: str, owner: str, generation: int | None = None) -> None:
        name = key_name(role, owner, generation or 1)
        which, zh = ("", "") if generation else ("active ", "使用中的")
        super().__init__(
            f"there is no {which}key {name!r}; see yinzheng keys list, and make one with: yinzheng keys make",
            f"没有{zh}密钥“{name}”; 请用 yinzheng keys list 查看, 用 yinzheng keys make 创建",
        )
        self.role = role
        self.owner = owner
        self.generation = generation


class KeyKeptElsewhere(ConfigError):
    """The private key itself is asked for, which only a file can give."""

    code = "key-kept-elsewhere"

    def __init__(self, entry: KeyEntry) -> None:
        super().__init__(
            f"the key {entry.name!r} is kept in {entry.kept_in} and never leaves it; this needs a key in a file",
            f"密钥“{entry.name}”保存在 {entry.kept_in} 中, 不可导出; 此操作只能使用文件中的密钥",
        )
        self.name = entry.name


class KeyStateForbids(RefusedError):
    """A key's life goes forward only: pending, active, retired."""

    code = "key-state"

    def __init__(self, entry: KeyEntry) -> None:
        super().__init__(
            f"the key {entry.name!r} is {entry.state} and a key never goes back; make a new one: yinzheng keys make",
            f"密钥“{entry.name}”的状态为 {entry.state}, 不能倒退; 请用 yinzheng keys make 创建新密钥",
        )
        self.name = entry.name
        self.state = entry.state


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


class KeyStore:
    """Makes and opens the keys of one installation; each private key is loaded once.

    Safe for several threads; several processes may read at once.
    """

    def __init__(
        self, folder: Path, passphrase: bytes | None, *, cost: ScryptCost = COST, places: Places | None = None
    ) -> None:
        """Open a folder, making it if need be.

        Args:
            folder: of mode 700.
            passphrase: of every key in it; None gives the public parts only.
            cost: of scrypt for new files; the tests use a cheap one.
            places: opens tokens and plug-ins; without it only files can be used.

        Raises:
            OpenToOthers: others may enter or read the folder.
            UnreadablePrivateFile: it cannot be made.
        """
        make_private_folder(folder)
        self._folder = folder
        self._passphrase = passphrase
        self._cost = cost
        self._places = places
        self._signers: dict[str, Signer] = {}
        self._loading = Lock()

    def create(self, role: str, algorithm: Algorithm, owner: str = "", *, now: datetime) -> FileSigner:
        """Make the first key of a role and owner, in a file and active; a making that was cut off is completed.

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
        signer = self._create_file(role, algorithm, owner, 1)
        moment = _whole(now)
        self._add(KeyEntry(role, owner, algorithm, signer.public_key, moment, activated_at=moment), signer)
        return signer

    def create_next(
        self, role: str, algorithm: Algorithm, owner: str = "", *, now: datetime, kept_in: str = IN_FILE
    ) -> Signer:
        """Make the next key of a role and owner, which waits until it is activated.

        Args:
            role: of the key.
            algorithm: of the key.
            owner: issuer or person.
            now: with time zone.
            kept_in: ``file``, ``pkcs11`` or the name of a plug-in.

        Raises:
            what :meth:`create` and ``KeyPlace.create`` raise.
        """
        generation = self._next_generation(role, owner)
        if kept_in == IN_FILE:
            signer: Signer = self._create_file(role, algorithm, owner, generation)
            reference = ""
        else:
            place = self._place(kept_in)
            reference = place.create(key_name(role, owner, generation), algorithm)
            signer = place.open(reference)
        pending = _pending(signer, now, kept_in, reference)
        self._add(replace(pending, role=role, owner=owner, generation=generation), signer)
        return signer

    def adopt(self, role: str, owner: str = "", *, kept_in: str, reference: str, now: datetime) -> Signer:
        """Take in a key that is in a token or key service already, as the next generation.

        Raises:
            what ``KeyPlace.open`` raises.
        """
        signer = self._place(kept_in).open(reference)
        pending = _pending(signer, now, kept_in, reference)
        self._add(replace(pending, role=role, owner=owner, generation=self._next_generation(role, owner)), signer)
        return signer

    def activate(self, role: str, owner: str, generation: int, now: datetime) -> KeyEntry:
        """Let a pending key sign from now on; the one that did before is retired.

        Killed in between, the newer key is the active one; asked again, nothing is missing.

        Raises:
            MissingKey: there is no such generation.
            KeyStateForbids: it is retired.
        """
        entry = self.entry(role, owner, generation)
        if entry.state is KeyState.RETIRED:
            raise KeyStateForbids(entry)
        if entry.state is KeyState.PENDING:
            entry = self._write(replace(entry, state=KeyState.ACTIVE, activated_at=_whole(now)))
        for other in self._generations(role, owner):
            if other.state is KeyState.ACTIVE and other.generation != generation:
                self.retire(role, owner, other.generation, now)
        return entry

    def retire(self, role: str, owner: str, generation: int, now: datetime) -> KeyEntry:
        """Never let a key sign again, or a pending one ever; a key that is retired stays as it is.

        Raises:
            MissingKey: there is no such generation.
        """
        entry = self.entry(role, owner, generation)
        if entry.state is KeyState.RETIRED:
            return entry
        return self._write(replace(entry, state=KeyState.RETIRED, retired_at=_whole(now)))

    def signer(self, role: str, owner: str = "", generation: int | None = None) -> Signer:
        """The key, ready to sign; opened once.

        Args:
            role: of the key.
            owner: of the key.
            generation: None for the active one.

        Raises:
            MissingKey: there is none.
            WrongPassphrase: the passphrase does not open it.
            BadKeyFile: it is damaged or not the one its public part names.
            KeyStoreLocked: opened without a passphrase.
            NoPlaces: it is kept elsewhere, and nothing opens that. What goes wrong there is raised by its ``sign``.
        """
        entry = self.entry(role, owner, generation)
        with self._loading:
            if entry.name not in self._signers:
                path = self._path(role, owner, entry.generation)
                if entry.kept_in == IN_FILE:
                    self._signers[entry.name] = _checked(load_signer(path, self._secret()), entry, path)
                else:
                    place = self._place(entry.kept_in)
                    self._signers[entry.name] = KeptSigner(
                        entry.algorithm, entry.public_key, lambda: _checked(place.open(entry.reference), entry, path)
                    )
            return self._signers[entry.name]

    def file_signer(self, role: str, owner: str = "", generation: int | None = None) -> FileSigner:
        """The key with its private part, for making certificates; raises as :meth:`signer` does.

        Raises:
            KeyKeptElsewhere: it is in no file.
        """
        entry = self.entry(role, owner, generation)
        signer = self.signer(role, owner, entry.generation)
        if not isinstance(signer, FileSigner):
            raise KeyKeptElsewhere(entry)
        return signer

    def entry(self, role: str, owner: str = "", generation: int | None = None) -> KeyEntry:
        """The public part of a key; of the active one if no generation is named.

        Raises:
            MissingKey: there is none.
            BadKeyFile: it is damaged.
        """
        if generation is None:
            active = [one for one in self._generations(role, owner) if one.state is KeyState.ACTIVE]
            if not active:
                raise MissingKey(role, owner)
            return active[-1]
        path = self._path(role, owner, generation).with_suffix(".json")
        if not path.exists():
            raise MissingKey(role, owner, generation)
        return read_entry(path)

    def public_key(self, role: str, owner: str = "", generation: int | None = None) -> bytes:
        """The public key, SPKI, DER; raises as :meth:`entry` does."""
        return self.entry(role, owner, generation).public_key

    def chain(self, role: str, owner: str = "", generation: int | None = None) -> tuple[bytes, ...]:
        """The certificates, DER, the key's own first; raises as :meth:`entry` does."""
        return self.entry(role, owner, generation).chain

    def set_chain(self, role: str, owner: str, chain: Sequence[bytes], generation: int | None = None) -> None:
        """Keep a key's certificates, in place of those before.

        Args:
            role: of the key.
            owner: of the key.
            chain: DER, the key's own first, each signed by the next.
            generation: None for the active one.

        Raises:
            BadChain: they are not that.
            MissingKey: there is no such key.
        """
        entry = self.entry(role, owner, generation)
        check_chain(entry.name, entry.public_key, chain)
        self._write(replace(entry, chain=tuple(chain)))

    def entries(self) -> tuple[KeyEntry, ...]:
        """The public parts of all keys of all generations, by role, owner and generation.

        Raises:
            BadKeyFile: one is damaged.
        """
        found = [read_entry(path) for path in self._folder.glob("*.json")]
        return tuple(sorted(found, key=lambda one: (one.role, one.owner, one.generation)))

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

    def _create_file(self, role: str, algorithm: Algorithm, owner: str, generation: int) -> FileSigner:
        path = self._path(role, owner, generation)
        passphrase = self._secret()
        if path.with_suffix(".json").exists() or not path.exists():
            return create_key(path, algorithm, passphrase, self._cost)
        signer = load_signer(path, passphrase)  # its making was cut off before its public part was written
        if signer.algorithm is not algorithm:
            raise FileExists(path)
        return signer

    def _add(self, entry: KeyEntry, signer: Signer) -> None:
        path = self._path(entry.role, entry.owner, entry.generation).with_suffix(".json")
        write_private(path, write_entry(entry))
        self._signers[entry.name] = signer

    def _write(self, entry: KeyEntry) -> KeyEntry:
        path = self._path(entry.role, entry.owner, entry.generation).with_suffix(".json")
        replace_private(path, write_entry(entry))
        return entry

    def _generations(self, role: str, owner: str) -> list[KeyEntry]:
        """Every generation of a role and owner, the oldest first."""
        first = self._path(role, owner, 1).with_suffix(".json")
        paths = [first] if first.exists() else []
        paths += self._folder.glob(f"{first.stem}@*.json")
        return sorted((read_entry(path) for path in paths), key=lambda one: one.generation)

    def _next_generation(self, role: str, owner: str) -> int:
        return max((one.generation for one in self._generations(role, owner)), default=0) + 1

    def _place(self, name: str) -> KeyPlace:
        if self._places is None:
            raise NoPlaces(name)
        return self._places(name)

    def _path(self, role: str, owner: str, generation: int) -> Path:
        if _ROLE.fullmatch(role) is None or _OWNER.fullmatch(owner) is None or generation < 1:
            raise BadKeyName(key_name(role, owner, generation))
        return self._folder / f"{key_name(role, owner, generation)}.pem"

    def _secret(self) -> bytes:
        if self._passphrase is None:
            raise KeyStoreLocked(self._folder)
        return self._passphrase


def _checked(signer: Signer, entry: KeyEntry, path: Path) -> Signer:
    if signer.public_key != entry.public_key:
        raise BadKeyFile(path, "it is not the key that its .json names", "与同名 .json 中的公钥不符")
    return signer


def _whole(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(microsecond=0)


def _pending(signer: Signer, now: datetime, kept_in: str, reference: str) -> KeyEntry:
    return KeyEntry(
        role="",
        owner="",
        algorithm=signer.algorithm,
        public_key=signer.public_key,
        created_at=_whole(now),
        state=KeyState.PENDING,
        kept_in=kept_in,
        reference=reference,
    )
