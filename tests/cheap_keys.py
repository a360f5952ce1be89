"""Keys that are cheap to open: at the real cost of scrypt each takes a third of a second, in every process anew."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from keys.master_key import create_master_key, load_master_key
from keys.pkcs8 import IV_BYTES, SALT_BYTES, ScryptCost, encrypt_pkcs8
from keys.store import KeyStore

CHEAP = ScryptCost(2, 8, 1)


@contextmanager
def cheap_keys() -> Iterator[None]:
    """Make the keys of every installation and witness cheap to open while the block runs."""
    with pytest.MonkeyPatch.context() as doors:
        for module in ("service.house", "service.witnessing"):
            doors.setattr(f"{module}.KeyStore", partial(KeyStore, cost=CHEAP))
        yield


def make_cheap(keys: Path, passphrase: bytes) -> None:
    """Encrypt the keys of a folder anew, which processes of their own have made at the real cost."""
    for path in keys.glob("*.pem"):
        key = load_pem_private_key(path.read_bytes(), passphrase)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(encrypt_pkcs8(der, passphrase, os.urandom(SALT_BYTES), os.urandom(IV_BYTES), CHEAP))
    master = keys / "master.key"
    secret, draw = load_master_key(master, passphrase), os.urandom
    master.unlink()
    with pytest.MonkeyPatch.context() as doors:
        doors.setattr(os, "urandom", lambda size: secret if size == len(secret) else draw(size))
        create_master_key(master, passphrase, CHEAP)
    assert load_master_key(master, passphrase) == secret
