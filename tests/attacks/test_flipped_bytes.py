"""A flipped byte never leaves a certificate of ours valid.

Through the whole verifier: every byte outside streams, even if the examination
of the document were fooled altogether. By the examination alone: every byte of
the signature dictionary and trailer and a sample elsewhere; ``make soak`` takes
every byte outside streams there too, which is some minutes of work.
"""

import re
from collections.abc import Sequence
from datetime import datetime

import pytest
from asn1crypto import cms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.test_own_documents import gap_of
from tests.verifier.world import NOW, DirectReader, World
from verifier.document import examine
from verifier.look import Look
from verifier.reasons import Word
from verifier.report import DocumentReport, Integrity, Trust
from verifier.verify import Verifier

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
    hexes += unsigned_digits(document)
    hexes += [*range(message_end + 8, end - 8, 997), *range(end - 8, end)]
    trailer = document.index(b"trailer", table) if table != behind else behind
    return sorted(
        {*range(dictionary - 8, start), *hexes, *range(end, behind + 8), *range(table, table + 40)}
        | {*range(trailer, len(document))}
    )


class FooledReader:
    """The worst case: an examination that takes every document for the genuine one."""

    def __init__(self, genuine: bytes) -> None:
        self._genuine = genuine
        self._report: DocumentReport | None = None
        self._look = DirectReader().look(genuine)

    def examine(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> DocumentReport:
        del document
        if self._report is None:
            self._report = examine(self._genuine, anchors=anchors, crls=crls, now=now)
        return self._report

    def look(self, document: bytes) -> Look:
        del document
        return self._look

    def read(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> tuple[DocumentReport, Look]:
        return self.examine(document, anchors=anchors, crls=crls, now=now), self.look(document)


def outside_streams(document: bytes) -> list[int]:
    """Offsets of every byte that is no content of a stream: objects, dictionaries, signature, table, trailer."""
    inside = bytearray(len(document))
    for match in re.finditer(rb"stream\n(.*?)\nendstream", document, re.DOTALL):
        start, end = match.span(1)
        inside[start:end] = b"\x01" * (end - start)
    return [position for position, is_inside in enumerate(inside) if not is_inside]


@pytest.mark.parametrize("piece", range(PIECES))
def test_no_flipped_byte_of_the_structures_is_valid_even_for_a_fooled_examination(
    piece: int,
    world: World,
) -> None:
    genuine = world.issued.document
    reader = FooledReader(genuine)
    verifier = Verifier(world.register, world.trust, reader, world.supplied)
    assert verifier.verify_file(genuine, NOW).verdict is Word.VALID
    for position in outside_streams(genuine)[piece::PIECES]:
        flipped = bytearray(genuine)
        flipped[position] ^= 0x01
        assert verifier.verify_file(bytes(flipped), NOW).verdict is not Word.VALID, position


@pytest.mark.soak
@pytest.mark.parametrize("piece", range(PIECES))
def test_no_flipped_byte_outside_streams_is_accepted(piece: int, world: World) -> None:
    document = world.issued.document
    for position in outside_streams(document)[piece::PIECES]:
        flipped = bytearray(document)
        flipped[position] ^= 0x01
        report = examine(bytes(flipped), anchors=world.trust.ca_certs, crls=(), now=NOW)
        assert not is_accepted(report), (position, report)


def unsigned_digits(document: bytes) -> list[int]:
    """Offsets of the hex digits of what no signature covers in the CMS: versions and the digest algorithms."""
    start, end = gap_of(document)
    message = bytes.fromhex(document[start + 1 : end - 1].decode())
    data = cms.ContentInfo.load(message)["content"]
    head = message.index(data["version"].dump() + data["digest_algorithms"].dump())
    head_end = head + len(data["version"].dump() + data["digest_algorithms"].dump())
    signer = message.index(data["signer_infos"].dump())
    bytes_in_message = [*range(head, head_end), *range(signer, signer + 16)]
    return [start + 1 + 2 * at + digit for at in bytes_in_message for digit in (0, 1)]


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
