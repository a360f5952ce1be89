"""Where private keys may be kept outside our own folder: a token, or a cloud's key service.

A place makes keys that it never gives out, and opens them to sign. The key
folder keeps their public part and a reference. ``pkcs11`` is built in; any other
name is a plug-in of the entry point group :data:`GROUP` (docs/keys.md).
"""

from collections.abc import Callable
from typing import Protocol

from credential.ports import Algorithm, Signer

GROUP = "yinzheng.signers"


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
