"""What was reserved can be read back without the database."""

from pathlib import Path

import pytest
from sqlalchemy import text

from credential.claims import decode_claims
from credential.cose import open_message
from registry.blob_names import MissingBlob
from registry.reserve_records import read_reserve_records, reserve_record_name
from registry.vault import SealedDataDamaged
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
    issuer_id, batch_id, _, records = read_reserve_records(house.blobs, house.vault, name_of(house))
    assert (issuer_id, batch_id) == ("ningbo", 1)
    claims = [decode_claims(open_message(one.claims).payload) for one in records]
    assert [one.serial for one in claims] == house.press.printed
    assert [one.holder for one in claims] == [one.holder for one in make_records(2)]
    for one in records:
        assert one.qr_text.startswith("https://zs.example.org/c/")
        house.vault.open_key(f"{batch_id}/{one.row_number}", one.wrapped)


def test_they_are_stored_before_anything_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build_house(tmp_path)

    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(house.press, "print", lambda *_, **__: fail())
    with pytest.raises(ZeroDivisionError):
        run_all(house)
    assert len(read_reserve_records(house.blobs, house.vault, name_of(house))[3]) == 2


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
