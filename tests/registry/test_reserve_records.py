"""What was reserved can be read back without the database."""

from pathlib import Path

import cbor2
import pytest
from sqlalchemy import text

from credential.claims import decode_claims
from credential.cose import open_message
from registry.batches import get_batch, row_place
from registry.blob_names import MissingBlob
from registry.records import decode_record
from registry.reserve_records import UnknownReserveRecords, read_reserve_records, reserve_record_name
from registry.vault import SealedDataDamaged, place
from tests.fakes_issuer import House, build_house, make_records
from tests.faults.faults import run_all


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = build_house(tmp_path)
    run_all(house)
    return house


def name_of(house: House) -> str:
    with house.database.reading() as session:
        return reserve_record_name(str(session.execute(text("SELECT pack_name FROM chunk")).scalar_one()))


def test_reserved_credentials_are_read_back_with_their_keys_from_the_store_alone(house: House) -> None:
    found = read_reserve_records(house.blobs, house.vault, name_of(house))
    assert (found.issuer_id, found.batch_id, found.chunk_number) == ("ningbo", 1, 1)
    claims = [decode_claims(open_message(one.claims).payload) for one in found.records]
    assert [one.serial for one in claims] == house.press.printed
    assert [one.holder for one in claims] == [one.holder for one in make_records(2)]
    for one in found.records:
        assert one.qr_text.startswith("https://zs.example.org/c/")
        key = house.vault.open_key(f"1/{one.row_number}", one.wrapped)
        record, digest = decode_record(key.open_bytes(one.row, row_place(1, one.row_number)), one.row_number)
        assert record.holder.name in {claim.holder.name for claim in claims}
        assert digest is not None
    assert [one.sequence for one in found.records] == [1, 2]


def test_they_say_who_submitted_and_approved_the_batch_and_when(house: House) -> None:
    kept = read_reserve_records(house.blobs, house.vault, name_of(house)).batch
    with house.database.reading() as session:
        batch = get_batch(session, 1)
    assert kept is not None
    assert (kept.maker, kept.checker, kept.digest, kept.binding) == ("wang", "li", batch.digest, batch.binding)
    assert (kept.submitted_at, kept.approved_at, kept.row_count) == (batch.submitted_at, batch.approved_at, 2)
    assert {person for person, _, _ in kept.persons} == {"wang", "li"}


def test_records_of_the_first_release_are_read_and_those_of_a_newer_program_refused(house: House) -> None:
    name, newer = "reserved/7/1-ab", "reserved/7/2-cd"
    old = cbor2.dumps(["ningbo", 7, b"digest", [[5, b"wrapped", b"claims", "qr"]]])
    house.blobs.create(name, [house.vault.seal_apart(old, place("reserved", name, "records"))])
    found = read_reserve_records(house.blobs, house.vault, name)
    assert (found.batch, found.chunk_number, found.pack_name) == (None, 0, "tails/7/1-ab")
    assert (found.records[0].row_number, found.records[0].sequence) == (5, 0)
    content = cbor2.dumps(["yinzheng-reserved/3", []])
    house.blobs.create(newer, [house.vault.seal_apart(content, place("reserved", newer, "records"))])
    with pytest.raises(UnknownReserveRecords):
        read_reserve_records(house.blobs, house.vault, newer)


def test_they_are_stored_before_anything_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build_house(tmp_path)

    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(house.press, "print", lambda *_, **__: fail())
    with pytest.raises(ZeroDivisionError):
        run_all(house)
    assert len(read_reserve_records(house.blobs, house.vault, name_of(house)).records) == 2


def test_they_are_unreadable_with_another_master_key_and_when_changed(house: House, tmp_path: Path) -> None:
    name = name_of(house)
    path = tmp_path / "blobs" / name
    assert "张".encode() not in path.read_bytes()
    other = build_house(tmp_path, is_new=False, master_key=bytes(32))
    with pytest.raises(SealedDataDamaged):
        read_reserve_records(other.blobs, other.vault, name)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SealedDataDamaged):
        read_reserve_records(house.blobs, house.vault, name)
    with pytest.raises(MissingBlob):
        read_reserve_records(house.blobs, house.vault, "reserved/9/9")
