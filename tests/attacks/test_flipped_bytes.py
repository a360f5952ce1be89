"""A flipped byte never leaves a certificate of ours valid: every byte of the structures, a sample elsewhere."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.test_own_documents import gap_of
from tests.verifier.world import NOW, World
from verifier.document import examine
from verifier.reasons import Word
from verifier.report import DocumentReport, Integrity, Trust

GOOD = {Integrity.INTACT, Integrity.INTACT_WITH_UPDATES}
PIECES = 8  # so that a test of thousands of bytes shows where it failed


def is_accepted(report: DocumentReport) -> bool:
    """Whether a document would pass as one of ours by its signature alone: intact, trusted, in our one shape."""
    return report.integrity in GOOD and report.trusted is Trust.YES and report.is_canonical


def structure_bytes(document: bytes) -> list[int]:
    """Offsets of the signature dictionary but for most of its hex string, the table's ends and the trailer."""
    start, end = gap_of(document)
    dictionary = document.rindex(b" obj", 0, start)
    behind = document.index(b"endobj", end)
    table = document.rindex(b"xref", 0, document.rindex(b"trailer")) if b"trailer" in document[end:] else behind
    message_end = start + 1 + len(document[start + 1 : end - 1].rstrip(b"0"))
    hexes = [*range(start, start + 40), *range(start + 40, message_end, 23), *range(message_end - 4, message_end + 8)]
    hexes += [*range(message_end + 8, end - 8, 997), *range(end - 8, end)]
    trailer = document.index(b"trailer", table) if table != behind else behind
    return sorted(
        {*range(dictionary - 8, start), *hexes, *range(end, behind + 8), *range(table, table + 40)}
        | {*range(trailer, len(document))}
    )


@pytest.mark.parametrize("piece", range(PIECES))
def test_no_flipped_byte_of_the_structures_is_accepted(piece: int, world: World) -> None:
    document = world.issued.document
    for position in structure_bytes(document)[piece::PIECES]:
        for mask in (0x01, 0x20):  # another digit, another case
            flipped = bytearray(document)
            flipped[position] ^= mask
            report = examine(bytes(flipped), anchors=world.trust.ca_certs, crls=(), now=NOW)
            assert not is_accepted(report), (position, mask, report)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_flipped_byte_anywhere_is_accepted(data: st.DataObject, world: World) -> None:
    document = world.issued.document
    position = data.draw(st.integers(0, len(document) - 1))
    flipped = bytearray(document)
    flipped[position] ^= data.draw(st.integers(1, 255))
    report = examine(bytes(flipped), anchors=world.trust.ca_certs, crls=(), now=NOW)
    assert not is_accepted(report), position


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_flipped_byte_never_leaves_the_verdict_valid(share: float, world: World) -> None:
    document = bytearray(world.issued.document)
    document[int(share * len(document))] ^= 0x01
    for verifier in (world.online, world.offline):
        assert verifier.verify_file(bytes(document), NOW).verdict is not Word.VALID


def test_the_structures_of_our_documents_are_where_this_test_looks(world: World) -> None:
    document = world.issued.document
    positions = set(structure_bytes(document))
    for name in (rb"/ByteRange", rb"/SubFilter", rb"startxref", rb"%%EOF"):
        (match, *_) = [found for found in re.finditer(name, document) if found.start() in positions]
        assert set(range(*match.span())) <= positions
    assert len(positions) > 500
