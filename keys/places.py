"""Where private keys may be kept outside our own folder: a token, or a cloud's key service.

A place makes keys that it never gives out, and opens them to sign. The key
folder keeps their public part and a reference. ``pkcs11`` is built in; any other
name is a plug-in of the entry point group :data:`GROUP` (docs/keys.md).
"""

from collections.abc import Callable
from threading import Lock
from typing import Protocol

from credential.errors import ConfigError
from credential.ports import Algorithm, Signer

GROUP = "yinzheng.signers"


class NoPlaces(ConfigError):
    """A key is kept outside the folder, and nothing was handed in that opens such places."""

    code = "no-key-places"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"keys kept in {name} cannot be used here; only the issuing service opens them",
            f"此处不能使用保存在 {name} 中的密钥; 只有签发服务可以打开",
        )
        self.name = name


class KeyPlace(Protocol):
    """One place that keeps private keys; used by several threads, never carried into another process."""

    def create(self, name: str, algorithm: Algorithm) -> str:
        """Make a key that cannot leave the place, durably; returns its reference.

        Args:
            name: ours, ``<role>[.<owner>][@N]``; asking again with the name of a key
                that is there must fail, or give that very key.
            algorithm: of the key.

        Raises:
            RefusedError: the place makes no such keys, or has one of that name.
            UnavailableError: it does not answer.
        """
        ...

    def open(self, reference: str) -> Signer:
        """Give a key, ready to sign; it need not touch the private key before it signs.

        Raises:
            ConfigError: there is no such key, or it is of a kind we do not use.
            UnavailableError: the place does not answer.
        """
        ...


Places = Callable[[str], KeyPlace]
"""Gives a place by its name; raises ConfigError for a name that means nothing here."""


class KeptSigner:
    """A key that is kept elsewhere, opened when it first signs: to look at a batch nobody needs the token."""

    def __init__(self, algorithm: Algorithm, public_key: bytes, open_it: Callable[[], Signer]) -> None:
        """Know the public part, and how to open the rest; ``open_it`` refuses another key than this."""
        self.algorithm = algorithm
        self.public_key = public_key
        self._open_it = open_it
        self._opened: Signer | None = None
        self._opening = Lock()

    def opened(self) -> Signer:
        """Open the key now, unless that is done; raises as ``KeyPlace.open`` does."""
        with self._opening:
            if self._opened is None:
                self._opened = self._open_it()
            return self._opened

    def sign(self, message: bytes) -> bytes:
        """Sign the message itself; raises as :meth:`opened` does, and what the key's own ``sign`` raises."""
        return self.opened().sign(message)


def open_now(signer: Signer) -> None:
    """Open a key before it is needed, so that one process finds out, and not many, that its PIN is wrong."""
    if isinstance(signer, KeptSigner):
        signer.opened()
