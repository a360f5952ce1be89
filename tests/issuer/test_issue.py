"""What a chunk signs: everything a certificate states, and nothing that was only said to the bureau."""

from dataclasses import replace
from pathlib import Path

from credential.claims import decode_claims
from credential.cose import open_message
from credential.schema import Field, FieldKind
from issuer.batch import approve, submit
from issuer.issue import issue_chunk
from registry.credentials import find_by_batch
from tests.fakes_issuer import CHECKER, MAKER, build_house, make_records


def test_a_clerks_remark_is_not_signed(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    remark = Field("remark", FieldKind.REMARK, "备注", "remark")
    schema = replace(house.office.schema, fields=(*house.office.schema.fields, remark))
    office = replace(house.office, schema=schema)
    (record,) = make_records(1)
    spoken = replace(record, fields={**record.fields, "remark": "本人自愿申请"})
    batch = submit(office, [spoken], [], maker=MAKER, now=house.clock.now()).batch
    approve(office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())
    issue_chunk(replace(house.line, office=office), house.log, batch.id, 1)
    with house.database.reading() as session:
        (found,) = find_by_batch(session, batch.id)
    (registered,) = house.source.by_serial(found.serial)
    claims = decode_claims(open_message(registered.claims).payload)
    assert dict(claims.fields) == dict(record.fields)
