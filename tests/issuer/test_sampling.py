"""The first certificate of each layout of a batch is examined, and what is found stops the batch before its pack."""

from dataclasses import replace
from pathlib import Path

import pytest

from credential.errors import RefusedError
from issuer.batch import approve, submit
from issuer.issue import finish_chunk, reserve_chunk
from issuer.sampling import DocumentSample
from registry.batches import Batch, progress
from registry.chunks import get_chunk
from registry.tables import ChunkState
from tests.fakes_issuer import CHECKER, MAKER, House, build_house, make_records


class Crooked(RefusedError):
    code = "crooked"

    def __init__(self) -> None:
        super().__init__("the page is crooked", "版面歪斜")


class Examiner:
    def __init__(self) -> None:
        self.examined: list[bytes] = []
        self.is_content = True

    def examine(self, document: bytes) -> None:
        self.examined.append(document)
        if not self.is_content:
            raise Crooked


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build_house(tmp_path)


def approved(house: House, start: int) -> Batch:
    """Five people with photos and five without, one after the other."""
    rows = [
        replace(record, row=start + at, photo=record.photo if at % 2 else None)
        for at, record in enumerate(make_records(10, start=start, first_row=start))
    ]
    batch = submit(house.office, rows, [], maker=MAKER, now=house.clock.now()).batch
    return approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())


def test_the_first_of_each_layout_of_each_batch_is_examined(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuer.batch.CHUNK_ROWS", 3)
    examiner = Examiner()
    line = replace(house.line, sample=DocumentSample(examiner.examine))
    for count, start in enumerate((1, 101), 1):
        batch = approved(house, start)
        for number in range(1, 5):
            reserve_chunk(line, batch.id, number)
            house.log.sequence(house.clock.now())
            finish_chunk(line, batch.id, number)
        assert len(examiner.examined) == 2 * count
    prefixes = [document.partition(b"\n")[0] for document in examiner.examined]
    assert prefixes == [b"%PDF guilloche without photo", b"%PDF guilloche with photo"] * 2
    assert len(house.press.printed) == 20


def test_what_is_found_stops_the_chunk_before_anything_is_stored_and_it_goes_on_when_mended(house: House) -> None:
    examiner = Examiner()
    examiner.is_content = False
    batch = approved(house, 1)
    line = replace(house.line, sample=DocumentSample(examiner.examine))
    reserve_chunk(line, batch.id, 1)
    house.log.sequence(house.clock.now())
    for tries in (1, 2):
        with pytest.raises(Crooked):
            finish_chunk(line, batch.id, 1)
        with house.database.reading() as session:
            chunk = get_chunk(session, batch.id, 1)
            assert progress(session, batch.id).issued == 0
        assert chunk.state is ChunkState.RESERVED
        assert chunk.pack_name is not None
        assert not house.blobs.exists(chunk.pack_name)
        assert len(examiner.examined) == tries  # what failed is examined again
    examiner.is_content = True
    finish_chunk(line, batch.id, 1)
    with house.database.reading() as session:
        assert progress(session, batch.id).issued == 10
    assert sorted(set(house.press.printed)) == sorted(house.press.printed[-10:])


def test_a_line_without_a_sample_prints_all_the_same(house: House) -> None:
    batch = approved(house, 1)
    reserve_chunk(house.line, batch.id, 1)
    house.log.sequence(house.clock.now())
    finish_chunk(house.line, batch.id, 1)
    assert len(house.press.printed) == 10
