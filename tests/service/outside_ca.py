"""A licensed CA as the bureau meets it: reads a request, issues a certificate in the name it was shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.service.at_hand import USCC

BUREAU = "示例市人力资源和社会保障局"
YEAR = timedelta(days=365)


class OutsideCa:
    """A root and an issuing CA.

    Args:
        now: certificates are valid from an hour before.
        is_ca: False makes the issuing CA one that is none.
        critical_oddity: puts an extension into its certificate that must be understood, and is not.
    """

    def __init__(self, now: datetime | None = None, *, is_ca: bool = True, critical_oddity: bool = False) -> None:
        self._now = now or datetime.now(UTC)
        self._root_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root_name, name = _name("一家认证机构根 CA", "一家认证机构"), _name("一家认证机构 CA 1", "一家认证机构")
        root = self._builder(root_name, root_name, self._root_key.public_key(), 10 * YEAR)
        self.root = root.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True).sign(
            self._root_key, SHA256()
        )
        issuing = self._builder(name, root_name, self._key.public_key(), 5 * YEAR)
        if critical_oddity:
            oddity = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
            issuing = issuing.add_extension(oddity, critical=True)
        self.issuing = issuing.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True).sign(
            self._root_key, SHA256()
        )

    def answer(
        self,
        request: bytes,
        *,
        name: str = BUREAU,
        code: str = f"NTRCN-{USCC}",
        usage: str = "digital_signature",
        purposes: tuple[str, ...] = (),
        lifetime: timedelta = YEAR,
        digest: SHA256 | SHA512 | None = None,
    ) -> x509.Certificate:
        """Certify the key of a request; everything else is as asked here, not there."""
        asked = x509.load_pem_x509_csr(request)
        assert asked.is_signature_valid
        builder = self._builder(_name(name, name, code), self.issuing.subject, asked.public_key(), lifetime)
        names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        used = {one: one == usage for one in names}
        key_usage = x509.KeyUsage(**used, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False)
        builder = builder.add_extension(key_usage, critical=True)
        if purposes:
            wanted = [x509.ObjectIdentifier(one) for one in purposes]
            builder = builder.add_extension(x509.ExtendedKeyUsage(wanted), critical=False)
        return builder.sign(self._key, digest or SHA256())

    def write(self, path: Path, *certs: x509.Certificate) -> Path:
        """Write certificates as PEM, one after the other."""
        path.write_bytes(b"".join(cert.public_bytes(Encoding.PEM) for cert in certs))
        return path

    def chain(self, path: Path, cert: x509.Certificate) -> Path:
        """Write a certificate with its chain up to the root."""
        return self.write(path, cert, self.issuing, self.root)

    def write_issuing_key(self, path: Path) -> None:
        """Write the issuing CA's key in clear, for openssl to issue with."""
        path.write_bytes(self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, lifetime: timedelta
    ) -> x509.CertificateBuilder:
        start = self._now - timedelta(hours=1)
        serial_number = x509.random_serial_number()
        return x509.CertificateBuilder(issuer, subject, key, serial_number, start, start + lifetime)


def _name(common: str, organization: str, code: str = "") -> x509.Name:
    parts = [(NameOID.COUNTRY_NAME, "CN"), (NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common)]
    if code:
        parts.append((NameOID.ORGANIZATION_IDENTIFIER, code))
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts if text])
