"""The salts that are worked out again from the master key: what is opened for an auditor must not be lost.

Those of ``issue``, ``reissue``, ``seal`` and ``renewal`` leaves stand in the
claims and end with the person's key. These here concern no person by name:
whoever has the master key can always open the leaves under them, as those of
:func:`registry.history.head_salt`.
"""

from credential.leaves import SALT_BYTES
from registry.vault import Vault


def status_salt(vault: Vault, sequence: int) -> bytes:
    """The salt of the status leaf that goes with an entry of the history."""
    return vault.blind("status-leaf", str(sequence))[:SALT_BYTES]


def void_salt(vault: Vault, issuer_id: str, serial: str) -> bytes:
    """The salt of the leaf of a number that will never be issued."""
    return vault.blind("void-leaf", issuer_id, serial)[:SALT_BYTES]
