import asyncio
import hashlib
import io
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import SimpleSigner
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from credential.ports import Algorithm
from press.cms import BadChain, CmsTemplate, UnusablePDFKey, WrongSigningKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PDF_ALGORITHMS = [Algorithm.RSA_2048, Algorithm.RSA_3072, Algorithm.RSA_4096, Algorithm.P256, Algorithm.P384]
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class KeySigner:
    """A Signer over a key in memory."""

    algorithm: Algorithm
    key: Key

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        digest = hashes.SHA384() if self.algorithm is Algorithm.P384 else hashes.SHA256()
        return self.key.sign(message, ec.ECDSA(digest))


@dataclass(frozen=True)
class FixedSigner:
    """Answers with a signature of a chosen length."""

    algorithm: Algorithm
    public_key: bytes
    signature: bytes

    def sign(self, _message: bytes) -> bytes:
        return self.signature


@cache
def make_key(algorithm: Algorithm) -> Key:
    if algorithm is Algorithm.P256:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm is Algorithm.P384:
        return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(65537, int(algorithm.removeprefix("rsa-")))


def certify(subject: str, key: Any, issuer: str, issuer_key: Any, *, is_ca: bool) -> bytes:
    def named(common: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "示例市人力资源和社会保障局"),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(not is_ca, not is_ca, False, False, False, is_ca, is_ca, False, False),
            critical=True,
        )
    )
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@cache
def make_chain(algorithm: Algorithm, length: int) -> tuple[bytes, ...]:
    """Leaf first, self-issued root last; a chain of one is a self-signed leaf."""
    key = make_key(algorithm)
    if length == 1:
        return (certify("签章", key, "签章", key, is_ca=False),)
    keys = [key, *(ec.generate_private_key(ec.SECP256R1()) for _ in range(length - 1))]
    names = ["签章", "Issuing CA", "Root CA"] if length == 3 else ["签章", "Root CA"]
    issuers = [*zip(names[1:], keys[1:], strict=True), (names[-1], keys[-1])]
    return tuple(
        certify(name, own, issuer, issuer_key, is_ca=place > 0)
        for place, (name, own, (issuer, issuer_key)) in enumerate(zip(names, keys, issuers, strict=True))
    )


def make(algorithm: Algorithm, length: int = 3) -> tuple[CmsTemplate, KeySigner]:
    return CmsTemplate(make_chain(algorithm, length), algorithm), KeySigner(algorithm, make_key(algorithm))


def digest_of(template: CmsTemplate, document: bytes) -> bytes:
    return hashlib.new(template.digest_name, document).digest()


def reference(algorithm: Algorithm, chain: Sequence[bytes], digest: bytes, digest_name: str) -> asn1_cms.ContentInfo:
    """Let pyHanko make its own PAdES container over the same digest with the same key."""
    certs = [asn1_x509.Certificate.load(der) for der in chain]
    key = make_key(algorithm).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    registry = SimpleCertificateStore()  # type: ignore[no-untyped-call] # pyHanko leaves it out
    registry.register_multiple(certs)
    signer = SimpleSigner(
        signing_key=asn1_keys.PrivateKeyInfo.load(key),
        signing_cert=certs[0],
        cert_registry=registry,
        embed_roots=False,
    )
    return asyncio.run(signer.async_sign(digest, digest_name, use_pades=True))


def openssl_verify(der: bytes, document: bytes, root: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    (folder / "cms.der").write_bytes(der)
    (folder / "document").write_bytes(document)
    pem = x509.load_der_x509_certificate(root).public_bytes(serialization.Encoding.PEM)
    (folder / "root.pem").write_bytes(pem)
    return subprocess.run(
        [
            *("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "cms.der", "-content", "document"),
            *("-CAfile", "root.pem", "-purpose", "any", "-out", "out", "-attime", str(int(NOW.timestamp()))),
        ],
        cwd=folder,
        capture_output=True,
        check=False,
    )


def tiny_pdf(template: CmsTemplate, signer: KeySigner) -> bytes:
    """One empty page with one certifying-free signature field, signed the way the press does."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]/SigFlags 3>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Annots[4 0 R]>>",
        b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/F 132/P 3 0 R/Rect[0 0 0 0]/V 5 0 R>>",
    ]
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    offsets.append(len(out))
    out += b"5 0 obj\n<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:20260101000000Z)/ByteRange"
    width = 2 * template.max_bytes + 2
    start = len(out) + 40 + len(b"/Contents")
    after = b">>\nendobj\n"
    xref = start + width + len(after)
    after += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    after += b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % xref
    out += (b"[0 %d %d %d]" % (start, start + width, len(after))).ljust(40) + b"/Contents"
    container = template.build(digest_of(template, out + after), signer)
    return b"%b<%b>%b" % (out, template.contents_hex(container), after)


def pyhanko_status(document: bytes, root: bytes) -> PdfSignatureStatus:
    context = ValidationContext(trust_roots=[asn1_x509.Certificate.load(root)], moment=NOW, allow_fetching=False)
    signatures = PdfFileReader(io.BytesIO(document)).embedded_signatures
    assert len(signatures) == 1
    return validate_pdf_signature(signatures[0], signer_validation_context=context)


def check_der(encoding: bytes, *, is_set: bool = False) -> None:
    """Demand the shortest lengths, nothing left over, and sorted sets (X.690, 10.1 and 11.6), all the way down."""
    at, values = 0, []
    while at < len(encoding):
        tag, first, header = encoding[at], encoding[at + 1], 2
        length = first
        if first & 0x80:
            header += first & 0x7F
            length = int.from_bytes(encoding[at + 2 : at + header], "big")
            assert encoding[at + 2] != 0
            assert length >= 0x80
        end = at + header + length
        assert end <= len(encoding)
        values.append(encoding[at:end])
        if tag & 0x20:
            check_der(encoding[at + header : end], is_set=tag == 0x31)
        at = end
    assert not is_set or values == sorted(values)


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("algorithm", PDF_ALGORITHMS)
def test_container_agrees_with_pyhanko_attribute_by_attribute(algorithm: Algorithm, length: int) -> None:
    template, signer = make(algorithm, length)
    chain = make_chain(algorithm, length)
    digest = digest_of(template, b"document")
    ours = asn1_cms.ContentInfo.load(template.build(digest, signer), strict=True)["content"]
    theirs = reference(algorithm, chain, digest, template.digest_name)["content"]

    for field in ("version", "encap_content_info"):
        assert ours[field].dump() == theirs[field].dump()
    # pyHanko means to leave the root out too (embed_roots=False), but asn1crypto takes a root that has an
    # authority key identifier for one that somebody else signed.
    without_root = {cert.dump() for cert in theirs["certificates"]} - ({chain[-1]} if length > 1 else set())
    assert [cert.dump() for cert in ours["certificates"]] == sorted(without_root)
    [our_info], [their_info] = ours["signer_infos"], theirs["signer_infos"]
    for field in ("version", "sid", "signature_algorithm"):
        assert our_info[field].dump() == their_info[field].dump()
    assert our_info["digest_algorithm"]["algorithm"].native == their_info["digest_algorithm"]["algorithm"].native
    assert our_info["unsigned_attrs"].native is None

    our_attributes = {attribute["type"].native: attribute.dump() for attribute in our_info["signed_attrs"]}
    their_attributes = {attribute["type"].native: attribute.dump() for attribute in their_info["signed_attrs"]}
    assert set(our_attributes) == {"content_type", "message_digest", "signing_certificate_v2"}
    # The one attribute of pyHanko's that PAdES does not list.
    assert set(their_attributes) - set(our_attributes) <= {"cms_algorithm_protection"}
    for kind, encoding in our_attributes.items():
        assert encoding == their_attributes[kind]


@pytest.mark.parametrize("algorithm", PDF_ALGORITHMS)
def test_digest_algorithms_carry_no_parameters(algorithm: Algorithm) -> None:
    template, signer = make(algorithm)
    signed = asn1_cms.ContentInfo.load(template.build(digest_of(template, b""), signer))["content"]
    # RFC 5754, 2: absent, where pyHanko writes NULL. An identifier with NULL is two bytes longer.
    plain = bytes.fromhex("300b0609608648016503040202" if algorithm is Algorithm.P384 else "300b0609608648016503040201")
    assert signed["digest_algorithms"][0].dump() == plain
    assert signed["signer_infos"][0]["digest_algorithm"].dump() == plain


@pytest.mark.parametrize("algorithm", PDF_ALGORITHMS)
def test_container_holds_the_chain_without_its_root(algorithm: Algorithm) -> None:
    chain = make_chain(algorithm, 3)
    template, signer = make(algorithm)
    signed = asn1_cms.ContentInfo.load(template.build(digest_of(template, b""), signer))["content"]
    assert sorted(cert.dump() for cert in signed["certificates"]) == sorted(chain[:2])


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("algorithm", PDF_ALGORITHMS)
def test_openssl_accepts_the_container_and_refuses_another_document(
    algorithm: Algorithm, length: int, tmp_path: Path
) -> None:
    template, signer = make(algorithm, length)
    root = make_chain(algorithm, length)[-1]
    container = template.build(digest_of(template, b"one document"), signer)
    accepted = openssl_verify(container, b"one document", root, tmp_path)
    assert accepted.returncode == 0, accepted.stderr
    assert openssl_verify(container, b"One document", root, tmp_path).returncode != 0
    stranger = make_chain(Algorithm.P256 if algorithm is not Algorithm.P256 else Algorithm.P384, 3)[-1]
    assert openssl_verify(container, b"one document", stranger, tmp_path).returncode != 0


@pytest.mark.parametrize("algorithm", PDF_ALGORITHMS)
def test_pyhanko_validates_a_pdf_with_the_container(algorithm: Algorithm) -> None:
    template, signer = make(algorithm)
    status = pyhanko_status(tiny_pdf(template, signer), make_chain(algorithm, 3)[-1])
    assert status.intact
    assert status.valid
    assert status.trusted
    assert status.coverage is not None
    assert status.coverage.name == "ENTIRE_FILE"
    assert status.md_algorithm == template.digest_name


@pytest.mark.parametrize("algorithm", [Algorithm.RSA_2048, Algorithm.P256, Algorithm.P384])
def test_a_flipped_byte_of_the_document_is_refused(algorithm: Algorithm) -> None:
    template, signer = make(algorithm)
    document = tiny_pdf(template, signer)
    at = document.index(b"[0 0 100 100]") + 6
    altered = document[:at] + bytes((document[at] ^ 1,)) + document[at + 1 :]
    assert not pyhanko_status(altered, make_chain(algorithm, 3)[-1]).intact


@pytest.mark.parametrize("algorithm", [Algorithm.RSA_2048, Algorithm.P256, Algorithm.P384])
def test_a_flipped_byte_of_the_signature_is_refused(algorithm: Algorithm, tmp_path: Path) -> None:
    template, signer = make(algorithm)
    container = bytearray(template.build(digest_of(template, b"d"), signer))
    container[-1] ^= 1
    assert openssl_verify(bytes(container), b"d", make_chain(algorithm, 3)[-1], tmp_path).returncode != 0


@given(length=st.integers(1, 104), document=st.binary())
@settings(max_examples=100, deadline=None)
def test_every_signature_length_gives_canonical_der(length: int, document: bytes) -> None:
    chain = make_chain(Algorithm.P384, 3)
    template = CmsTemplate(chain, Algorithm.P384)
    signature = bytes([0xA5]) * length
    signer = FixedSigner(Algorithm.P384, KeySigner(Algorithm.P384, make_key(Algorithm.P384)).public_key, signature)
    digest = digest_of(template, document)
    container = template.build(digest, signer)
    parsed = asn1_cms.ContentInfo.load(container, strict=True)
    info = parsed["content"]["signer_infos"][0]
    assert info["signature"].native == signature
    assert {a["type"].native: a["values"][0].native for a in info["signed_attrs"]}["message_digest"] == digest
    check_der(container)
    assert len(container) <= template.max_bytes


def test_a_longest_signature_fills_the_container_exactly() -> None:
    for algorithm, longest in ((Algorithm.RSA_2048, 256), (Algorithm.P256, 72), (Algorithm.P384, 104)):
        template, signer = make(algorithm)
        fixed = FixedSigner(algorithm, signer.public_key, bytes(longest))
        assert len(template.build(digest_of(template, b""), fixed)) == template.max_bytes


@pytest.mark.parametrize("algorithm", PDF_ALGORITHMS)
def test_contents_are_lower_case_hex_padded_with_zeros(algorithm: Algorithm) -> None:
    template, signer = make(algorithm)
    for _ in range(20):
        container = template.build(digest_of(template, b"x"), signer)
        contents = template.contents_hex(container)
        assert len(contents) == 2 * template.max_bytes
        assert contents == contents.lower()
        decoded = bytes.fromhex(contents.decode("ascii"))
        assert decoded[: len(container)] == container
        assert not any(decoded[len(container) :])


def test_a_container_longer_than_its_place_is_refused() -> None:
    template, _ = make(Algorithm.P256)
    with pytest.raises(ValueError, match="does not fit"):
        template.contents_hex(bytes(template.max_bytes + 1))


def test_the_same_attributes_are_signed_as_are_shown() -> None:
    template, signer = make(Algorithm.RSA_2048)
    seen: list[bytes] = []

    class Listening(KeySigner):
        def sign(self, message: bytes) -> bytes:
            seen.append(message)
            return super().sign(message)

    container = template.build(digest_of(template, b"x"), Listening(signer.algorithm, signer.key))
    info = asn1_cms.ContentInfo.load(container)["content"]["signer_infos"][0]
    assert seen == [info["signed_attrs"].untag().dump()]


def test_a_key_of_another_certificate_is_refused() -> None:
    template, _ = make(Algorithm.P256)
    other = KeySigner(Algorithm.P256, ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(WrongSigningKey, match="签章"):
        template.build(bytes(32), other)


def test_a_digest_of_another_algorithm_is_refused() -> None:
    template, signer = make(Algorithm.P384)
    with pytest.raises(ValueError, match="not sha384"):
        template.build(bytes(32), signer)


def test_ed25519_is_refused_for_pdfs() -> None:
    with pytest.raises(UnusablePDFKey, match="ed25519"):
        CmsTemplate(make_chain(Algorithm.P256, 3), Algorithm.ED25519)


def test_a_broken_chain_is_refused() -> None:
    chain = make_chain(Algorithm.P256, 3)
    with pytest.raises(BadChain, match="empty"):
        CmsTemplate((), Algorithm.P256)
    with pytest.raises(BadChain, match="not DER"):
        CmsTemplate((chain[0], b"\x30\x00"), Algorithm.P256)
    with pytest.raises(BadChain, match="number 2 did not issue number 1"):
        CmsTemplate((chain[0], chain[2], chain[1]), Algorithm.P256)
    with pytest.raises(BadChain, match="not for rsa-2048"):
        CmsTemplate(chain, Algorithm.RSA_2048)
    own = ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([]))
    odd = (
        builder.public_key(own.public_key()).serial_number(1).not_valid_before(NOW).not_valid_after(NOW).sign(own, None)
    )
    with pytest.raises(BadChain, match="not for p-256"):
        CmsTemplate((odd.public_bytes(serialization.Encoding.DER),), Algorithm.P256)
