"""A small signed PDF that proves nothing: what a reader of documents is warmed with before the first one comes.

pyHanko, asn1crypto and PDFium load and compute much at their first document.
The sandbox's helper has that behind it when it forks, since none of it is
shared by children otherwise. The key is the number one, which nobody trusts.
"""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
"""At which the specimen's certificate is valid."""

_CONTENTS_DIGITS = 4096
_RANGE_WIDTH = 60
_PAGE = b"BT /F 12 Tf 20 60 Td (specimen) Tj ET q 20 0 0 20 60 10 cm /QR Do Q 1 0 0 rg 10 10 30 30 re f"


def specimen() -> tuple[bytes, bytes]:
    """Make the document and its signer's certificate, DER, which is its own root."""
    key = ec.derive_private_key(1, ec.SECP256R1())
    certificate = _certificate(key)
    unsigned, gap = _unsigned()
    end = gap + _CONTENTS_DIGITS + 2
    place = b"[" + b" " * _RANGE_WIDTH + b"]"
    ranges = f"[0 {gap} {end} {len(unsigned) - end}".encode()
    unsigned = unsigned.replace(place, ranges.ljust(len(place) - 1) + b"]")
    signer = pkcs7.PKCS7SignatureBuilder().set_data(unsigned[:gap] + unsigned[end:])
    message = signer.add_signer(certificate, key, hashes.SHA256()).sign(
        Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
    )
    contents = b"<" + message.hex().encode().ljust(_CONTENTS_DIGITS, b"0") + b">"
    return unsigned[:gap] + contents + unsigned[end:], certificate.public_bytes(Encoding.DER)


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "specimen")])
    usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(MOMENT - timedelta(1)).not_valid_after(MOMENT + timedelta(1))
    return builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())


def _unsigned() -> tuple[bytes, int]:
    """Write the document with a gap for the signature; gives where the gap begins."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[6 0 R]/SigFlags 3>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Annots[6 0 R]/Resources 8 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(_PAGE), _PAGE),
        b"<</Subtype/Image/Width 8/Height 8/ColorSpace/DeviceGray/BitsPerComponent 1/Length 8>>stream\n%s\nendstream"
        % b"\xff\x81\xbd\xa5\xa5\xbd\x81\xff",
        b"<</Type/Annot/Subtype/Widget/FT/Sig/T(s)/Rect[0 0 0 0]/F 132/P 3 0 R/V 7 0 R>>",
        b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/adbe.pkcs7.detached/ByteRange[%s]/Contents<%s>>>"
        % (b" " * _RANGE_WIDTH, b"0" * _CONTENTS_DIGITS),
        b"<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>/XObject<</QR 5 0 R>>>>",
    )
    document, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    gap = document.index(b"/Contents<") + len(b"/Contents")
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start, count = len(document), len(objects) + 1
    document += b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
    return document + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, start), gap
