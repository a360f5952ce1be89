"""Two workers on one chunk, two submissions of one sheet, and packs that were tampered with."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from credential.model import Claims
from issuer.batch import approve, submit
from issuer.issue import PrefixChanged, WrongPack, finish_chunk, issue_chunk, reserve_chunk
from registry.batches import Batch
from registry.blob_names import MissingBlob
from registry.chunks import read_rows
from registry.database import Session
from registry.packs import PackDamaged, PackItem, build_pack, item_place
from registry.triggers import drop_triggers
from registry.vault import RecordKey, SealedDataDamaged
from tests.fakes_issuer import (
    CHECKER,
    MAKER,
    BadDocument,
    FakePress,
    FakePrinted,
    House,
    MemorySigner,
    build_house,
    make_records,
)
from tests.faults.faults import ROWS, expect_exactly_once, run_all

pytestmark = pytest.mark.usefixtures("either_registry")


@dataclass
class HookedPress(FakePress):
    """Calls something in the middle of its work."""

    hooks: list[Callable[[], None]] = field(default_factory=list)

    def print(self, claims: Claims, *, photo: bytes | None, qr_text: str, message: bytes, proof: str) -> FakePrinted:
        if self.hooks:
            self.hooks.pop()()
        return super().print(claims, photo=photo, qr_text=qr_text, message=message, proof=proof)


def approved(house: House) -> Batch:
    batch = submit(house.office, make_records(ROWS), [], maker=MAKER, now=house.clock.now()).batch
    return approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())


def printed_not_sealed(house: House, monkeypatch: pytest.MonkeyPatch) -> Batch:
    """A batch whose worker died between pack and seal."""
    batch = approved(house)

    def die(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("issuer.issue._seal", die)
        with pytest.raises(ZeroDivisionError):
            issue_chunk(house.line, house.log, batch.id, 1)
    return batch


def pack_path(house: House, folder: Path) -> Path:
    with house.database.reading() as session:
        return folder / "blobs" / str(session.execute(text("SELECT pack_name FROM chunk")).scalar_one())


def sealed_files(house: House) -> int:
    with house.database.reading() as session:
        return int(session.execute(text("SELECT COUNT(*) FROM credential_file")).scalar_one())


def test_a_worker_overtaken_while_printing_seals_what_the_other_stored(tmp_path: Path) -> None:
    house = build_house(tmp_path, press=HookedPress())
    batch = approved(house)
    other = build_house(tmp_path, is_new=False)
    assert isinstance(house.press, HookedPress)
    house.press.hooks = [lambda: issue_chunk(other.line, other.log, batch.id, 1)]
    issue_chunk(house.line, house.log, batch.id, 1)
    house.engine.run(batch.id, lambda _: None)
    assert len(house.press.printed) == len(other.press.printed) == ROWS, "both have printed"
    expect_exactly_once(house, batch.id, tmp_path)


def test_a_worker_overtaken_before_the_seal_seals_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build_house(tmp_path)
    batch = printed_not_sealed(house, monkeypatch)
    other = build_house(tmp_path, is_new=False)
    real_check = house.press.check

    def check(document: bytes, message: bytes) -> None:
        real_check(document, message)
        finish_chunk(other.line, batch.id, 1)

    monkeypatch.setattr(house.press, "check", check)
    finish_chunk(build_house(tmp_path, is_new=False, press=house.press).line, batch.id, 1)
    house.engine.run(batch.id, lambda _: None)
    expect_exactly_once(house, batch.id, tmp_path)


def test_many_workers_at_once_issue_each_row_once(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    batch = approved(house)
    workers = [build_house(tmp_path, is_new=False) for _ in range(4)]
    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(lambda one: one.engine.run(batch.id, lambda _: None), workers))
    expect_exactly_once(house, batch.id, tmp_path)


def test_one_sheet_submitted_by_many_at_once_is_one_batch(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    workers = [build_house(tmp_path, is_new=False) for _ in range(4)]

    def send(one: House) -> int:
        return submit(one.office, make_records(ROWS), [], maker=MAKER, now=one.clock.now()).batch.id

    with ThreadPoolExecutor(len(workers)) as pool:
        assert len(set(pool.map(send, workers))) == 1
    expect_exactly_once(house, run_all(house), tmp_path)


def test_a_sheet_stored_between_look_and_insert_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house, other = build_house(tmp_path), build_house(tmp_path, is_new=False)
    real_create = house.blobs.create

    def create(name: str, parts: list[bytes]) -> bool:
        submit(other.office, make_records(ROWS), [], maker=MAKER, now=other.clock.now())
        return real_create(name, parts)

    monkeypatch.setattr(house.blobs, "create", create)
    submission = submit(house.office, make_records(ROWS), [], maker=MAKER, now=house.clock.now())
    assert not submission.is_new
    assert submission.batch.id == 1


def test_every_flipped_byte_of_a_found_pack_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build_house(tmp_path)
    batch = printed_not_sealed(house, monkeypatch)
    path = pack_path(house, tmp_path)
    good = path.read_bytes()
    index_end = 12 + int.from_bytes(good[8:12], "big")
    for at in [*range(index_end), *range(index_end, len(good), 41), len(good) - 1]:
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises((PackDamaged, SealedDataDamaged, WrongPack, MissingBlob)):
            finish_chunk(house.line, batch.id, 1)
    assert sealed_files(house) == 0
    path.write_bytes(good)
    house.engine.run(batch.id, lambda _: None)
    expect_exactly_once(house, batch.id, tmp_path)


def test_a_found_file_without_a_good_signature_is_not_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build_house(tmp_path)
    house.press.signer = MemorySigner("a thief's")
    batch = printed_not_sealed(house, monkeypatch)
    house.press.signer = MemorySigner("pdf")
    with pytest.raises(BadDocument):
        finish_chunk(house.line, batch.id, 1)
    assert sealed_files(house) == 0


@pytest.mark.parametrize("change", ["prefix", "length", "digest"])
def test_a_found_pack_whose_index_lies_is_not_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    house = build_house(tmp_path)
    batch = printed_not_sealed(house, monkeypatch)
    path = pack_path(house, tmp_path)
    with house.database.reading() as session:
        name = str(session.execute(text("SELECT pack_name FROM chunk")).scalar_one())
    other = house.press.prefix(photo=False)
    house.blobs.create(f"prefix/{other.digest.hex()}", [other.content])
    prefix = other if change == "prefix" else house.press.prefix(photo=True)
    items = []
    for row_number, key in _keys(house, batch.id).items():
        document = prefix.content + b"tail"
        items.append(
            PackItem(
                row_number,
                key.seal_bytes(b"tail", item_place("tail", name, row_number)),
                bytes(32) if change == "digest" else hashlib.sha256(document).digest(),
                len(document) + (change == "length"),
                prefix.digest,
            )
        )
    path.write_bytes(b"".join(build_pack("tail", name, items)[0]))
    with pytest.raises(WrongPack, match=name):
        finish_chunk(house.line, batch.id, 1)
    assert sealed_files(house) == 0


def _keys(house: House, batch_id: int) -> dict[int, RecordKey]:
    with house.database.reading() as session:
        return {row.row_number: row.key for row in read_rows(session, house.vault, batch_id)}


def test_a_flipped_byte_of_a_stored_tail_is_noticed_at_download(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    run_all(house)
    path = pack_path(house, tmp_path)
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with house.database.reading() as session:
        serials = session.execute(text("SELECT serial FROM credential ORDER BY row_number")).scalars().all()
    house.documents.fetch_pdf(serials[0])
    with pytest.raises(SealedDataDamaged):
        house.documents.fetch_pdf(serials[-1])


def test_a_stored_pack_that_gives_another_file_is_noticed_at_download(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    run_all(house)
    with house.database.transaction() as session:
        _swap_digests(session)
        serial = session.execute(text("SELECT serial FROM credential LIMIT 1")).scalar_one()
    with pytest.raises(PackDamaged, match="another file"):
        house.documents.fetch_pdf(serial)


def _swap_digests(session: Session) -> None:
    drop_triggers(session.connection())
    session.execute(text("UPDATE credential_file SET digest = :other WHERE id = 1"), {"other": b"0"})


def test_a_press_that_was_changed_after_reserve_prints_nothing(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    batch = approved(house)
    reserve_chunk(house.line, batch.id, 1)
    house.log.sequence(house.clock.now())
    house.press.artwork = "another"
    with pytest.raises(PrefixChanged, match="put that release back"):
        finish_chunk(house.line, batch.id, 1)
    assert house.press.printed == []
