"""Look at keys, log and history without changing them; publish the lists that are due."""

from cryptography import x509

from credential.note import Checkpoint
from credential.trust import Role
from registry.agreement import check_states
from registry.history import verify_logged_history
from registry.log.outbox import logged_leaves
from registry.log.reader import verify_log
from service.house import House


def verify_whole_log(house: House) -> Checkpoint:
    """Recompute the log from its entries, and hold tiles, database, history and every state against it.

    Each step rests on the one before: the signed checkpoint proves the leaves,
    the leaves prove the history, the history says what every state and slot must be.

    Raises:
        LogDamaged: something in the log is not what it should be.
        HistoryBroken: an entry of the history was changed or removed.
        HistoryTampered: the history is another one than the log was given.
        StatusTampered: a credential's state or slot is not what was decided.
    """
    key = house.store.public_key(Role.LOG)
    with house.database.reading() as session:
        checkpoint = verify_log(house.folder.log, key, house.installation.log_origin, logged_leaves(session))
        verify_logged_history(session, house.vault)
        check_states(session)
    return checkpoint


def refresh_status_lists(house: House) -> list[int]:
    """Publish every status list anew that is older than its ``ttl``, and log it; returns their numbers."""
    numbers = house.status_lists.refresh(house.now())
    house.log.sequence(house.now())
    return numbers


def valid_until(chain: tuple[bytes, ...]) -> str:
    """The last day of a key's certificate, as 2026-07-08; empty without one."""
    if not chain:
        return ""
    return x509.load_der_x509_certificate(chain[0]).not_valid_after_utc.strftime("%Y-%m-%d")
