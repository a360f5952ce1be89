"""Whoever writes the database alone: the sequencer logs his leaves, and the salt stands in the holder's PDF."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from credential.leaves import renewal_leaf, seal_leaf
from credential.ports import Algorithm, RegisteredFile
from press.cms import CmsTemplate
from tests.press.certificates import signing
from tests.verifier.ways import with_updates
from tests.verifier.world import NOW, Issued, World
from verifier.reasons import Word
from verifier.sealed_signature import check_sealed_signature
from verifier.signed_range import BadRange, last_signature
from verifier.verdict import Presented


def register(world: World, document: bytes, leaf: bytes, *, first: bool = False) -> None:
    """Do what two INSERTs and the honest sequencer do: a leaf in the log, and a row that names its file."""
    world.register.log.add(leaf)
    digest = hashlib.sha256(document).digest()
    file = RegisteredFile(digest, len(document), world.register.log.proof(leaf))
    before = world.register.entries[0].files
    renewed = tuple(replace(one, seal_proof=proof_of(world, one)) for one in before)
    proof = world.register.log.proof
    world.register.change(files=(file, *renewed) if first else (*renewed, file), issue_proof=proof(issue_of(world)))
    world.register.documents[digest] = 0


def proof_of(world: World, file: RegisteredFile) -> str:
    return world.register.log.proof(seal_leaf(file.digest, world.issued.claims.salt))


def issue_of(world: World) -> bytes:
    return world.register.log.leaves[1]


def register_revision(world: World, document: bytes) -> None:
    digest = hashlib.sha256(document).digest()
    register(world, document, renewal_leaf(digest, world.issued.digest, world.issued.claims.salt))


def register_original(world: World, document: bytes) -> None:
    register(world, document, seal_leaf(hashlib.sha256(document).digest(), world.issued.claims.salt), first=True)


def painted(document: bytes) -> bytes:
    """Paint a red square over the page, in an incremental update."""
    writer = IncrementalPdfFileWriter(io.BytesIO(document), strict=False)
    page = writer.root["/Pages"]["/Kids"][0].get_object()
    paint = writer.add_object(generic.StreamObject(stream_data=b"q 1 0 0 rg 100 300 200 200 re f Q"))
    page["/Contents"] = generic.ArrayObject([page.raw_get("/Contents"), paint])
    writer.mark_update(page.container_ref)
    out = io.BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call] # pyHanko leaves it untyped
    return out.getvalue()


def flipped(document: bytes, at: int) -> bytes:
    return document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]


@pytest.mark.parametrize("append", [painted, lambda one: one + b"1 0 obj << /Anything true >> endobj\n%%EOF\n"])
def test_a_registered_revision_that_adds_more_than_evidence_is_not_valid(
    world: World, append: Callable[[bytes], bytes]
) -> None:
    altered = append(world.issued.document)
    register_revision(world, altered)
    verdict = world.online.verify_file(altered, NOW)
    assert (verdict.verdict, verdict.reason, verdict.presented) == (Word.TAMPERED, "altered", Presented.ALTERED)
    assert world.online.verify_file(world.issued.document, NOW).verdict is Word.VALID


def test_what_follows_a_registered_revision_is_held_against_the_printed_original(world: World) -> None:
    altered = painted(world.issued.document)
    register_revision(world, altered)
    assert world.online.verify_file(altered + b"\n", NOW).reason == "altered"


def test_a_registered_revision_that_adds_evidence_is_valid(world: World) -> None:
    renewed = with_updates(world)
    register_revision(world, renewed)
    verdict = world.online.verify_file(renewed, NOW)
    assert (verdict.verdict, verdict.presented) == (Word.VALID, Presented.ORIGINAL)


@pytest.mark.parametrize("place", ["in a stream", "in the signature", "in the certificates", "in the digest"])
def test_a_registered_original_whose_signature_does_not_fit_is_not_valid(world: World, place: str) -> None:
    document = world.issued.document
    signed, message = last_signature(document)
    hexadecimal = document[signed.gap_start : signed.gap_end]
    digest = hexadecimal.index(b"06092a864886f70d010904") + 22 + 8
    at = {
        "in a stream": document.index(b"stream") + 20,
        "in the signature": signed.gap_start + 2 * len(message) - 2,
        "in the certificates": signed.gap_start + len(hexadecimal[: 2 * len(message)]) // 3,
        "in the digest": signed.gap_start + digest + 2,
    }[place]
    altered = flipped(document, at)
    register_original(world, altered)
    verdict = world.online.verify_file(altered, NOW)
    assert (verdict.verdict, verdict.presented) == (Word.TAMPERED, Presented.ALTERED)


def test_a_genuine_file_registered_under_another_credential_is_not_valid(
    world: World, printed: tuple[Issued, Issued, tuple[bytes, ...]]
) -> None:
    _, other, _ = printed
    assert other.claims.salt == world.issued.claims.salt  # the harder case: even the salt fits
    register_original(world, other.document)
    verdict = world.online.verify_file(other.document, NOW)
    assert (verdict.verdict, verdict.reason) == (Word.TAMPERED, "register-differs")


def test_no_byte_of_a_sealed_signature_can_be_another(world: World) -> None:
    document = world.issued.document
    signed, message = last_signature(document)
    check_sealed_signature(document)
    for at in range(signed.gap_start, signed.gap_start + 2 * len(message) + 20):
        with pytest.raises(BadRange):
            check_sealed_signature(flipped(document, at))


def test_a_signing_certificate_of_a_version_that_there_is_not_is_refused(world: World) -> None:
    version_3 = b"a003020102"
    assert world.issued.document.count(version_3) >= 1
    with pytest.raises(BadRange):
        check_sealed_signature(world.issued.document.replace(version_3, b"a003020103"))


@pytest.mark.parametrize("algorithm", [Algorithm.RSA_2048, Algorithm.P256, Algorithm.P384])
def test_every_kind_of_key_that_the_press_signs_with_is_read_and_no_other_document_fits(algorithm: Algorithm) -> None:
    kept = signing(algorithm)
    template = CmsTemplate(kept.chain, algorithm)
    start, room = b"%PDF-1.7\nall that is printed /Contents", 2 * template.max_bytes + 2
    end = b"/ByteRange [0 %d %d %4d]\n%%%%EOF\n"
    numbers = (len(start), len(start) + room, len(end % (len(start), len(start) + room, 0)))
    digest = hashlib.new(template.digest_name, start + end % numbers).digest()
    gap = b"<%b>" % template.contents_hex(template.build(digest, kept.signer))
    assert check_sealed_signature(start + gap + end % numbers) == kept.chain[0]
    with pytest.raises(BadRange, match="digest of the signed bytes"):
        check_sealed_signature(start.replace(b"all", b"nil") + gap + end % numbers)
    with pytest.raises(BadRange):
        check_sealed_signature(start + gap + end % numbers + b"\n")
