"""Fill a register to a million: certificates that are genuine but for their PDF, written in bulk.

Each has its own serial, code, salt, slot and record key, claims that the
issuer's key signed, and its issue and seal leaves in the log: by code or by
serial it is as valid as any, and costs a verifier as much. What it has not is
a PDF (its file's digest is one of nothing), a photo of its own, a batch that
was approved, and a person: they all are the same one.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select

from credential.claims import SALT_BYTES, claims_digest, decode_claims, encode_claims
from credential.cose import open_message, sign_message
from credential.leaves import issue_leaf, seal_leaf
from credential.model import Claims
from credential.serial import CODE_BYTES, check_identifier, identifier, new_verification_code
from credential.trust import Role
from registry.batches import record_owner
from registry.columns import table_of
from registry.credentials import credential_place, open_record_key
from registry.database import Session
from registry.log.outbox import put_leaves
from registry.rules import ALL_RULES
from registry.status.slots import Slot, allocate_slots
from registry.tables import BatchRowRow, CredentialFileRow, CredentialRow, RecordKeyRow
from registry.triggers import create_triggers, drop_triggers
from service.house import House

ROWS_AT_ONCE = 5_000
FIRST_SERIAL = 10**15  # 16 digits: no pattern of the bench's issuer makes them

_CREDENTIALS, _FILES = table_of(CredentialRow), table_of(CredentialFileRow)
_KEYS, _ROWS = table_of(RecordKeyRow), table_of(BatchRowRow)
_CLAIMS = 1  # key of the claims in what is sealed


class Crowd:
    """Writes certificates after the model of one that was issued.

    Args:
        house: of the installation.
        issuer_id: whose key signs.
    """

    def __init__(self, house: House, issuer_id: str) -> None:
        self._house = house
        self._signer = house.store.signer(Role.QR, issuer_id)
        with house.database.reading() as session:
            self._credential = _first(session, _CREDENTIALS)
            self._file = _first(session, _FILES)
            self._row = _first(session, _ROWS)
            model = session.execute(select(_CREDENTIALS).order_by(_CREDENTIALS.c.id).limit(1)).one()
            own = (_KEYS.c.batch_id == model.batch_id) & (_KEYS.c.row_number == model.row_number)
            wrapped = session.execute(select(_KEYS.c.wrapped).where(own)).scalar_one()
            key = open_record_key(house.vault, model, wrapped)
        self._sealed = key.open(model.sealed, credential_place(model.batch_id, model.row_number))
        self._claims = decode_claims(open_message(self._sealed[_CLAIMS]).payload)

    def fill(self, count: int, step: Callable[[str], None]) -> None:
        """Add so many, log them and publish their status lists.

        The rules of the tables, which rightly refuse rows without an approved
        batch, are away meanwhile and put back at the end.
        """
        with self._house.database.transaction() as session:
            drop_triggers(session.connection())
        for start in range(0, count, ROWS_AT_ONCE):
            step(f"bulk rows, {start:,} of {count:,}")
            with self._house.database.transaction() as session:
                self._add(session, start, min(ROWS_AT_ONCE, count - start))
            self._house.log.sequence(self._house.now())
        with self._house.database.transaction() as session:
            create_triggers(session.connection(), ALL_RULES)
        self._house.status_lists.publish(self._house.now())
        self._house.log.sequence(self._house.now())

    def _add(self, session: Session, start: int, count: int) -> None:
        made = [self._made(start + at, slot) for at, slot in enumerate(allocate_slots(session, count, os.urandom))]
        leaves = [leaf for one in made for leaf in one[1]]
        ids = put_leaves(session, leaves)
        connection = session.connection()
        credentials = [
            {**values, "issue_leaf": leaf_id} for (values, _, _, _), leaf_id in zip(made, ids[::2], strict=True)
        ]
        connection.execute(insert(_KEYS), [one[3] for one in made])
        connection.execute(insert(_ROWS), [self._batch_row(one) for one in credentials])
        connection.execute(insert(_CREDENTIALS), credentials)
        files = [{**one[2], "seal_leaf": leaf_id} for one, leaf_id in zip(made, ids[1::2], strict=True)]
        connection.execute(insert(_FILES), files)

    def _made(self, number: int, slot: Slot) -> tuple[dict[str, Any], list[bytes], dict[str, Any], dict[str, Any]]:
        """Make one: its credential, its two leaves, its file and its key."""
        vault, model = self._house.vault, self._credential
        serial, row_number = str(FIRST_SERIAL + number), FIRST_ROW + number
        claims = self._own_claims(serial, slot)
        payload = encode_claims(claims)
        digest = hashlib.sha256(f"no PDF {number}".encode()).digest()
        key, batch_id = vault.create_key(), model["batch_id"]
        sealed = {**self._sealed, _CLAIMS: sign_message(payload, self._signer)}
        credential = {
            **model,
            "id": FIRST_ROW + number,
            "row_number": row_number,
            "serial": serial,
            "status_list": slot.list_number,
            "status_index": slot.index,
            "sealed": key.seal(sealed, credential_place(batch_id, row_number)),
            "claims_digest": claims_digest(payload),
            "code_index": vault.blind("code", claims.verification_code),
            "live_key": None,
        }
        file = {**self._file, "id": FIRST_ROW + number, "credential_id": credential["id"], "digest": digest}
        wrapped = vault.wrap(key, record_owner(batch_id, row_number))
        leaves = [issue_leaf(claims_digest(payload), claims.salt), seal_leaf(digest, claims.salt)]
        return credential, leaves, file, {"batch_id": batch_id, "row_number": row_number, "wrapped": wrapped}

    def _own_claims(self, serial: str, slot: Slot) -> Claims:
        model = self._claims
        type_code = check_identifier(model.identifier).type_code
        return replace(
            model,
            serial=serial,
            identifier=identifier(type_code, model.issuer, serial, model.version),
            verification_code=new_verification_code(os.urandom(CODE_BYTES)),
            salt=os.urandom(SALT_BYTES),
            status_uri=f"{model.status_uri.rpartition('/')[0]}/{slot.list_number}",
            status_index=slot.index,
        )

    def _batch_row(self, credential: dict[str, Any]) -> dict[str, Any]:
        own = {key: credential[key] for key in ("row_number", "serial")}
        return {**self._row, **own, "sequence": credential["row_number"], "live_key": None}


FIRST_ROW = 10_000_000
"""Row numbers and ids from here on are the crowd's."""


def _first(session: Session, table: Any) -> dict[str, Any]:
    return dict(session.execute(select(table).order_by(*table.primary_key).limit(1)).mappings().one())
