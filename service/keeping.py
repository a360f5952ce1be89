"""Look at keys and log without changing them."""

from dataclasses import dataclass

from cryptography import x509

from credential.cose import key_id
from credential.note import Checkpoint
from credential.trust import Role
from registry.log.outbox import logged_leaves
from registry.log.reader import verify_log
from service.house import House


@dataclass(frozen=True, slots=True)
class KeyLine:
    """The public part of a key, for a table."""

    role: str
    owner: str
    algorithm: str
    key_id: str
    valid_until: str


def key_lines(house: House) -> list[KeyLine]:
    """Every key, by name; no passphrase is needed for it."""
    return [
        KeyLine(
            role=entry.role,
            owner=entry.owner,
            algorithm=entry.algorithm.value,
            key_id=key_id(entry.public_key).hex(),
            valid_until=_until(entry.chain),
        )
        for entry in house.store.entries()
    ]


def verify_whole_log(house: House) -> Checkpoint:
    """Recompute the log from its entries and hold it against tiles, checkpoint and database.

    Raises:
        LogDamaged: something in it is not what it should be.
    """
    key = house.store.public_key(Role.LOG)
    with house.database.reading() as session:
        return verify_log(house.folder.log, key, house.installation.log_origin, logged_leaves(session))


def refresh_status_lists(house: House) -> list[int]:
    """Publish every status list anew that is older than its ``ttl``, and log it; returns their numbers."""
    numbers = house.status_lists.refresh(house.now())
    house.log.sequence(house.now())
    return numbers


def _until(chain: tuple[bytes, ...]) -> str:
    if not chain:
        return ""
    return x509.load_der_x509_certificate(chain[0]).not_valid_after_utc.strftime("%Y-%m-%d")
