"""Make signed PDFs and the authorities behind them with pyHanko and cryptography, apart from our own press."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, cast

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator.registry import SimpleCertificateStore

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Identity:
    """A certificate, its key and the certificates above it, nearest first."""

    cert: x509.Certificate
    key: PrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.cert.public_bytes(serialization.Encoding.DER)


def make_root(name: str = "Test Root", *, key: PrivateKey | None = None) -> Identity:
    """A self-signed authority; two of the same name have different keys."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    return Identity(_certificate(subject, own, subject, own, is_authority=True), own)


def issue_identity(
    authority: Identity,
    name: str = "Test Bureau Seal",
    *,
    key: PrivateKey | None = None,
    purposes: Iterable[ObjectIdentifier] | None = (DOCUMENT_SIGNING,),
    is_authority: bool = False,
    valid_from: datetime = NOW - timedelta(days=365),
    valid_until: datetime = NOW + timedelta(days=365),
    may_sign: bool = True,
) -> Identity:
    own = key or ec.generate_private_key(ec.SECP256R1())
    cert = _certificate(
        _name(name),
        own,
        authority.cert.subject,
        authority.key,
        is_authority=is_authority,
        purposes=purposes,
        valid_from=valid_from,
        valid_until=valid_until,
        may_sign=may_sign,
    )
    return Identity(cert, own, (authority.cert, *authority.above))


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    *,
    is_authority: bool,
    purposes: Iterable[ObjectIdentifier] | None = None,
    valid_from: datetime = NOW - timedelta(days=3650),
    valid_until: datetime = NOW + timedelta(days=3650),
    may_sign: bool = True,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid_from)
        .not_valid_after(valid_until)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=may_sign,
                content_commitment=may_sign,
                key_encipherment=not may_sign,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=False)
    digest = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(issuer_key, digest)


def make_crl(
    authority: Identity,
    revoked: Sequence[x509.Certificate] = (),
    *,
    issued: datetime = NOW - timedelta(days=1),
    until: datetime = NOW + timedelta(days=1),
    is_partial: bool = False,
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.cert.subject)
        .last_update(issued)
        .next_update(until)
    )
    for cert in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(cert.serial_number).revocation_date(issued).build()
        builder = builder.add_revoked_certificate(entry)
    if is_partial:
        point = x509.IssuingDistributionPoint(
            full_name=None,
            relative_name=None,
            only_contains_user_certs=True,
            only_contains_ca_certs=False,
            only_some_reasons=None,
            indirect_crl=False,
            only_contains_attribute_certs=False,
        )
        builder = builder.add_extension(point, critical=True)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


# ---- documents ------------------------------------------------------------------------------------------------


def write_pdf(
    content: bytes = b"BT /F1 24 Tf 72 700 Td (Zhang San) Tj ET",
    attachments: Mapping[str, bytes] | None = None,
    extra: Mapping[int, bytes] | None = None,
    catalog: bytes = b"",
    info: bytes = b"",
) -> bytes:
    """A PDF of one page and one revision, written by hand; ``extra`` objects are numbered from 20."""
    objects: dict[int, bytes] = {
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        4: _stream(content),
        5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    }
    if info:
        objects[6] = b"<< " + info + b" >>"
    names = b""
    for place, (name, attachment) in enumerate(sorted((attachments or {}).items())):
        number = 7 + 2 * place
        objects[number] = b"<< /Type /Filespec /F (%s) /EF << /F %d 0 R >> >>" % (name.encode(), number + 1)
        objects[number + 1] = _stream(attachment, b"/Type /EmbeddedFile")
        names += b" (%s) %d 0 R" % (name.encode(), number)
    tree = b" /Names << /EmbeddedFiles << /Names [%s ] >> >>" % names if names else b""
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R%s %s >>" % (tree, catalog)
    objects |= dict(extra or {})
    return append_objects(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", objects, previous=None, has_info=bool(info))


def append_objects(
    document: bytes,
    objects: Mapping[int, bytes],
    *,
    previous: int | None = -1,
    has_info: bool = False,
    between: bytes = b"",
    trailer: bytes = b"",
    root: int = 1,
    ending: bytes = b"%%EOF\n",
) -> bytes:
    """Write objects behind a document with a cross-reference table, as an update where there is an earlier one."""
    out = bytearray(document)
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body) + between
    start = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for number, offset in sorted(offsets.items()):
        out += b"%d 1\n%010d 00000 n \n" % (number, offset)
    size = max(max(objects, default=0) + 1, _size(document) if previous is not None else 0)
    out += b"trailer\n<< /Size %d /Root %d 0 R%s" % (size, root, b" /Info 6 0 R" if has_info else b"")
    if previous is not None:
        out += b" /Prev %d" % (last_startxref(document) if previous == -1 else previous)
    out += trailer + b" >>\nstartxref\n%d\n" % start + ending
    return bytes(out)


def _size(document: bytes) -> int:
    return int(re.findall(rb"/Size (\d+)", document)[-1])


def last_startxref(document: bytes) -> int:
    position = document.rindex(b"startxref") + 9
    return int(document[position:].split()[0])


def stream(content: bytes, keys: bytes = b"") -> bytes:
    return _stream(content, keys)


def _stream(content: bytes, keys: bytes = b"") -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (keys, len(content), content)


def sign_pdf(
    document: bytes,
    identity: Identity,
    *,
    permission: int | None = 1,
    field_name: str = "Seal",
    box: tuple[int, int, int, int] | None = None,
    digest: str = "sha256",
    stamper: Identity | None = None,
    cades: bool = True,
    prepared: bool = False,
) -> bytes:
    """Sign with pyHanko; ``permission`` None makes an approval signature, else a certification of that level."""
    writer = IncrementalPdfFileWriter(BytesIO(document))
    metadata = signers.PdfSignatureMetadata(
        field_name=field_name,
        md_algorithm=digest,
        certify=permission is not None,
        docmdp_permissions=fields.MDPPerm(permission or 2),
        subfilter=fields.SigSeedSubFilter.PADES if cades else fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED,
    )
    spec = None if prepared else fields.SigFieldSpec(field_name, on_page=0, box=box)
    signer = signers.PdfSigner(
        metadata, pyhanko_signer(identity), timestamper=_stamper(stamper) if stamper else None, new_field_spec=spec
    )
    return cast("BytesIO", signer.sign_pdf(writer)).getvalue()


def pyhanko_signer(identity: Identity) -> signers.SimpleSigner:
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call] # pyHanko leaves it untyped
    store.register_multiple([_asn1(cert) for cert in identity.above])
    return signers.SimpleSigner(_asn1(identity.cert), _asn1_key(identity.key), store)


def add_timestamp(document: bytes, authority: Identity, *, digest: str = "sha256") -> bytes:
    stamper = signers.PdfTimeStamper(_stamper(authority))
    output = stamper.timestamp_pdf(IncrementalPdfFileWriter(BytesIO(document)), digest)
    return cast("BytesIO", output).getvalue()


def add_validation_data(document: bytes, certs: Iterable[x509.Certificate], crls: Iterable[bytes] = ()) -> bytes:
    from asn1crypto import crl as asn1_crl  # noqa: PLC0415 - only here

    writer = IncrementalPdfFileWriter(BytesIO(document))
    contents = writer.prev.embedded_signatures[-1].pkcs7_content.hex().encode()
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        contents,
        certs=[_asn1(cert) for cert in certs],
        crls=[asn1_crl.CertificateList.load(crl) for crl in crls],
    )
    output = BytesIO()
    writer.write(output)  # type: ignore[no-untyped-call] # pyHanko leaves it untyped
    return output.getvalue()


def add_empty_field(document: bytes, name: str, box: tuple[int, int, int, int] | None = None) -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(document))
    fields.append_signature_field(writer, fields.SigFieldSpec(name, on_page=0, box=box))
    output = BytesIO()
    writer.write(output)  # type: ignore[no-untyped-call] # pyHanko leaves it untyped
    return output.getvalue()


def _stamper(identity: Identity) -> DummyTimeStamper:
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call] # pyHanko leaves it untyped
    store.register_multiple([_asn1(cert) for cert in identity.above])
    return DummyTimeStamper(_asn1(identity.cert), _asn1_key(identity.key), store, fixed_dt=NOW)


def make_stamper(authority: Identity) -> Identity:
    key = rsa.generate_private_key(65537, 2048)  # pyHanko's own timestamper knows no other kind
    return issue_identity(authority, "Test TSA", key=key, purposes=(ExtendedKeyUsageOID.TIME_STAMPING,))


def _asn1(cert: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(cert.public_bytes(serialization.Encoding.DER))


def _asn1_key(key: PrivateKey) -> Any:
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return asn1_keys.PrivateKeyInfo.load(der)
