"""B-T: a time stamp over the signature, in the signature's own container, and nothing else changed by it."""

import hashlib
import io
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from credential.timestamp import verify_timestamp
from press.cms import CmsTemplate
from press.fonts import FontLibrary
from press.press import SignedTail
from tests.authorities import certificate, signer, stamp
from tests.press.stamped import AT, CHAIN, outside_press, sign_sample, stamped_certificate

ROOM = 3072


@pytest.fixture(scope="module")
def signed(library: FontLibrary) -> tuple[bytes, SignedTail]:
    return sign_sample(outside_press(library), ROOM)


@pytest.fixture(scope="module")
def document(library: FontLibrary) -> bytes:
    return stamped_certificate(library)


def container_of(document: bytes) -> bytes:
    match = re.search(rb"/Contents<([0-9a-f]+)>", document)
    assert match is not None
    return bytes.fromhex(match.group(1).decode("ascii"))


def test_outside_validator_finds_signature_and_time_stamp_good(document: bytes) -> None:
    embedded = PdfFileReader(io.BytesIO(document)).embedded_regular_signatures[0]
    contexts = [
        ValidationContext(trust_roots=[asn1_x509.Certificate.load(certificate(name))], moment=AT + timedelta(days=1))
        for name in ("root", "tsa-root")
    ]
    status = validate_pdf_signature(embedded, contexts[0], contexts[1])
    assert status.bottom_line
    assert status.timestamp_validity is not None
    assert status.timestamp_validity.trusted
    assert status.timestamp_validity.timestamp == AT + timedelta(seconds=5)


def test_poppler_and_qpdf_find_nothing_wrong(document: bytes, tmp_path: Path, tool: Callable[[str], str]) -> None:
    (tmp_path / "a.pdf").write_bytes(document)
    seen = subprocess.run([tool("pdfsig"), "a.pdf"], cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid" in seen
    assert "Total document signed" in seen
    checked = subprocess.run([tool("qpdf"), "--check", "a.pdf"], cwd=tmp_path, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_digest_and_length_are_those_of_the_finished_file(signed: tuple[bytes, SignedTail]) -> None:
    prefix, tail = signed
    printed = tail.finish(stamp(hashlib.sha256(tail.signature).digest(), AT))
    whole = prefix + printed.tail
    assert (printed.digest, printed.length) == (hashlib.sha256(whole).digest(), len(whole))


def test_token_is_the_one_unsigned_attribute_and_stamps_the_signature(document: bytes) -> None:
    signed_data = cms.ContentInfo.load(container_of(document))["content"]
    (signer_info,) = signed_data["signer_infos"]
    (attribute,) = signer_info["unsigned_attrs"]
    assert attribute["type"].native == "signature_time_stamp_token"
    (token,) = attribute["values"]
    said = verify_timestamp(token.dump(), bytes(signer_info["signature"]), [certificate("tsa-root")])
    assert said.attested_at == AT + timedelta(seconds=5)


def test_container_without_its_token_is_that_of_b_b() -> None:
    template = CmsTemplate(CHAIN, signer().algorithm)
    digest = hashlib.sha256(b"document").digest()
    signature = template.sign(digest, signer())
    plain, stamped = template.wrap(digest, signature), template.wrap(digest, signature, stamp(digest, AT))
    container, bare = cms.ContentInfo.load(stamped), cms.ContentInfo.load(plain)
    stamped_info, bare_info = (one["content"]["signer_infos"][0] for one in (container, bare))
    for field in ("version", "sid", "digest_algorithm", "signed_attrs", "signature_algorithm", "signature"):
        assert stamped_info[field].dump() == bare_info[field].dump()
    container["content"]["signer_infos"] = [bare_info]
    assert container.dump(force=True) == plain


@pytest.mark.parametrize("length", [1, 127, 128, 255, 256, 2000, 65_535, 65_536])
def test_room_is_enough_for_every_length_of_token(length: int) -> None:
    template = CmsTemplate(CHAIN, signer().algorithm)
    digest = hashlib.sha256(b"document").digest()
    container = template.wrap(digest, bytes(72), bytes(length))
    assert len(container) <= template.room_for(length)
    assert len(template.contents_hex(container, template.room_for(length))) == 2 * template.room_for(length)


def test_token_longer_than_was_said_is_refused(signed: tuple[bytes, SignedTail]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        signed[1].finish(bytes(ROOM + 100))


def test_without_a_token_no_room_is_kept(library: FontLibrary) -> None:
    press = outside_press(library)
    prefix, tail = sign_sample(press, 0)
    contents = container_of(prefix + tail.finish().tail)
    assert len(contents) == CmsTemplate(CHAIN, signer().algorithm).max_bytes
