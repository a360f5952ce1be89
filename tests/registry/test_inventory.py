"""What must be stored, and how long it is: prefixes and packs, also once evidence was appended to files."""

from pathlib import Path

from sqlalchemy import select

from issuer.batch import approve, submit
from registry.columns import table_of
from registry.inventory import expected_objects
from registry.tables import CredentialFileRow
from tests.fakes_issuer import CHECKER, MAKER, build_house, make_records


def test_evidence_that_was_appended_changes_no_length_of_a_prefix(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    now = house.clock.now()
    batch = submit(house.office, make_records(2), [], maker=MAKER, now=now).batch
    approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=now)
    house.engine.run(batch.id, lambda _: None)
    with house.database.reading() as session:
        before = list(expected_objects(session))
        assert {name: len(house.blobs.read(name)) for name, _ in before} == dict(before)
        files = session.execute(select(table_of(CredentialFileRow))).mappings().all()
    with house.database.transaction() as session:
        for file in files:
            added = {"id": None, "revision": 1, "digest": file["digest"][::-1], "length": file["length"] + 9_000}
            session.add(CredentialFileRow(**{**file, **added, "pack_length": 8_500}))

    with house.database.reading() as session:
        assert list(expected_objects(session)) == before
