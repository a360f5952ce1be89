"""Corrections and replacements for tests: made, approved and issued as a person would."""

import hashlib
from dataclasses import replace
from datetime import date

from credential.model import Record, State, StatusValue
from credential.ports import RegisteredCredential
from issuer.batch import approve, submit
from issuer.change import Decided, change_state
from issuer.predecessor import succeed
from registry.batches import Batch
from registry.chunks import read_rows
from registry.credentials import FoundCredential, get_credential
from registry.service_tables import SuccessionKind
from registry.status.token_list import open_status_token
from tests.fakes_issuer import CHECKER, ISSUER, MAKER, START, House, MemorySigner

DECISION = "甬人社发〔2026〕3号"
TODAY = START.date()


def record_of(house: House, serial: str) -> Record:
    """The row that the newest version under a serial was made of, without its photo."""
    with house.database.reading() as session:
        found = get_credential(session, serial)
        rows = read_rows(session, house.vault, found.batch_id)
    return next(row.record for row in rows if row.row_number == found.row_number)


def changed(record: Record, **fields: str) -> Record:
    """A row with another name, ID number or field; row 2, as in a sheet of one."""
    was = record.holder
    holder = replace(was, name=fields.pop("name", was.name), id_number=fields.pop("id_number", was.id_number))
    return replace(record, row=2, holder=holder, fields={**record.fields, **fields})


def submit_successor(
    house: House,
    serial: str,
    record: Record,
    *,
    kind: SuccessionKind = SuccessionKind.CORRECTION,
    decision: str = DECISION,
    photo: bytes | None = None,
) -> Batch:
    record = replace(record, photo=photo)
    with house.database.reading() as session:
        found = get_credential(session, serial, ISSUER.id)
    digest = None if photo is None else hashlib.sha256(photo).digest()
    one = succeed(
        house.office, found, record, kind=kind, reason="clerical-error", decision=decision, photo_digest=digest
    )
    made = submit(house.office, [record], [], maker=MAKER, now=house.clock.now(), successions={record.row: one})
    return made.batch


def approve_it(house: House, batch: Batch) -> Batch:
    return approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())


def issue_it(house: House, batch: Batch) -> None:
    approve_it(house, batch)
    house.engine.run(batch.id, lambda _: None)


def correct(house: House, serial: str, **fields: str) -> Batch:
    """Correct a certificate, all the way."""
    batch = submit_successor(house, serial, changed(record_of(house, serial), **fields))
    issue_it(house, batch)
    return batch


def change(house: House, serial: str, to: State, *, decision: str = DECISION, on: date = TODAY) -> FoundCredential:
    decided = Decided(to, "decided", decision, on, MAKER, CHECKER, note="说明")
    return change_state(house.desk, serial, decided, house.clock.now())


def versions(house: House, serial: str) -> list[RegisteredCredential]:
    """What the register says of all versions, newest first."""
    return list(house.source.by_serial(serial))


def slot(house: House, registered: RegisteredCredential) -> StatusValue:
    """What the published list says."""
    token = house.source.status_token(registered.status_list)
    status_list = open_status_token(token, MemorySigner("status").public_key, house.clock.now())
    return StatusValue(status_list.value(registered.status_index))
