"""A signing key with its certificates, in every form that a peer may ask for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import NameOID

from credential.ports import Algorithm

PASSWORD = "bench"  # noqa: S105 - of a key that lives as long as the benchmark
NAMES = {  # of the authority, its organisation, and the signer
    "zh": ("示例市电子证照根证书", "示例市大数据发展管理局", "示例市人力资源和社会保障局"),
    "ascii": ("Example Licence Root", "Example Data Bureau", "Example Human Resources Bureau"),
}
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """A signer's key, its certificate and the authority's, DER."""

    key: PrivateKey
    signing_cert: bytes
    ca_cert: bytes

    @property
    def chain(self) -> tuple[bytes, bytes]:
        """The signer's certificate first."""
        return self.signing_cert, self.ca_cert


def create_key(algorithm: Algorithm) -> PrivateKey:
    """Make a private key of a kind that the press signs with."""
    if algorithm is Algorithm.P256:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, {Algorithm.RSA_2048: 2048, Algorithm.RSA_3072: 3072}[algorithm])


def certify(key: PrivateKey, algorithm: Algorithm, names: str) -> KeyMaterial:
    """Make an authority that certifies a key; ``names`` says in which letters the names are written."""
    authority, organisation, signer = NAMES[names]
    root = create_key(algorithm)
    root_name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, authority),
        ]
    )
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"), x509.NameAttribute(NameOID.COMMON_NAME, signer)])
    now = datetime.now(UTC)

    def certificate(subject: x509.Name, owner: PrivateKey, *, is_ca: bool) -> bytes:
        usage = x509.KeyUsage(
            digital_signature=not is_ca,
            content_commitment=not is_ca,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=is_ca,
            crl_sign=is_ca,
            encipher_only=False,
            decipher_only=False,
        )
        public = owner.public_key()
        builder = x509.CertificateBuilder(root_name, subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
        builder = builder.add_extension(identifier, critical=False)
        return builder.sign(root, hashes.SHA256()).public_bytes(Encoding.DER)

    return KeyMaterial(key, certificate(name, key, is_ca=False), certificate(root_name, root, is_ca=True))


def write(material: KeyMaterial, folder: Path) -> None:
    """Write the key and the certificates as PEM, and all together as PKCS #12.

    The PKCS #12 file's key derivation has one round: no peer is to be charged for a password's strength.
    """
    folder.mkdir()
    signing, authority = (x509.load_der_x509_certificate(one) for one in material.chain)
    pem = material.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    (folder / "key.der").write_bytes(material.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "cert.pem").write_bytes(signing.public_bytes(Encoding.PEM))
    (folder / "ca.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(1)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - the oldest form, which every library reads
        .build(PASSWORD.encode())
    )
    packed = pkcs12.serialize_key_and_certificates(b"bench", material.key, signing, [authority], encryption)
    (folder / "key.p12").write_bytes(packed)
