"""Parts of the house that are made with a key, and made anew once the key was rolled, in every process."""

from collections.abc import Callable
from typing import Generic, TypeVar

from credential.ports import Signer
from credential.trust import Role
from keys.entry import KeyState
from keys.store import KeyStore

Part = TypeVar("Part")


class MadeWith(Generic[Part]):
    """One part, by the active key of a role of the service.

    Args:
        store: looked into each time, for another process may have rolled the key.
        role: of the key.
        make: makes the part from the active key and the public keys before it, SPKI DER.
    """

    def __init__(self, store: KeyStore, role: Role, make: Callable[[Signer, tuple[bytes, ...]], Part]) -> None:
        self._store = store
        self._role = role
        self._make = make
        self._made: tuple[Signer, Part] | None = None

    @property
    def current(self) -> Part:
        """The part as it is made with the key that is active now."""
        signer, made = self._store.signer(self._role), self._made
        if made is None or made[0] is not signer:
            made = self._made = signer, self._make(signer, former_keys(self._store, self._role))
        return made[1]


def former_keys(store: KeyStore, role: Role) -> tuple[bytes, ...]:
    """The public keys that a role of the service had before, SPKI DER."""
    return tuple(one.public_key for one in store.entries() if one.role == role and one.state is KeyState.RETIRED)
