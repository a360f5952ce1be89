"""A development certificate authority: root, issuing CA, PDF signing certificates, CRLs.

For `init`, `demo` and tests only: every subject says so. A bureau's real
certificates come from a licensed CA and are put in with ``KeyStore.set_chain``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from credential.cose import load_public_key
from credential.ports import Algorithm, Signer
from keys.file_signer import FileSigner
from keys.store import KeyStore

ROOT = "ca-root"
ISSUING = "ca-issuing"
MARK = "（开发测试）"
ROOT_LIFETIME = timedelta(days=3650)
ISSUING_LIFETIME = timedelta(days=1825)

# OIDs are written out because older releases of cryptography lack the name.
_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # id-kp-documentSigning, RFC 9336
_NAME_LENGTH = 64  # ub-organization-name in characters, RFC 5280, A.1; cryptography counts common names in bytes


@dataclass(frozen=True, slots=True)
class RevokedCert:
    """One line of a CRL: whose serial number (X.509), since when."""

    serial_number: int
    revoked_at: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise


@dataclass(frozen=True, slots=True)
class Organization:
    """Whom a signing certificate names; the code becomes organizationIdentifier, a long name is cut."""

    name: str
    uscc: str


class _Party(NamedTuple):
    name: x509.Name
    signer: Signer


class DevelopmentAuthority:
    """Root and issuing CA whose keys are in a key store."""

    def __init__(self, store: KeyStore, crl_url: str) -> None:
        """Use the CA in this store; :meth:`create` makes it.

        Args:
            store: holds ``ca-root`` and ``ca-issuing``.
            crl_url: folder at which ``root.crl`` and ``issuing.crl`` are published.
        """
        self._store = store
        self._crl_url = crl_url.rstrip("/")

    def create(self, algorithm: Algorithm, now: datetime) -> None:
        """Make the keys and certificates of root and issuing CA.

        Raises:
            FileExists: there is one already.
        """
        root_key = self._store.create(ROOT, algorithm, now=now)
        root = _Party(_subject(f"印证根 CA{MARK}", f"印证{MARK}"), root_key)
        root_cert = _sign(_as_ca(_builder(root, root, now, now + ROOT_LIFETIME), path_length=1), root_key)
        self._store.set_chain(ROOT, "", [_der(root_cert)])

        issuing = _Party(_subject(f"印证签发 CA{MARK}", f"印证{MARK}"), self._store.create(ISSUING, algorithm, now=now))
        builder = _as_ca(_builder(issuing, root, now, now + ISSUING_LIFETIME), path_length=0)
        cert = _sign(_with_crl(builder, f"{self._crl_url}/root.crl"), root_key)
        self._store.set_chain(ISSUING, "", [_der(cert), _der(root_cert)])

    @property
    def anchor(self) -> bytes:
        """The root certificate, DER."""
        return self._store.chain(ROOT)[0]

    def certify(  # noqa: PLR0913 - a key, its holder and their time
        self,
        role: str,
        owner: str,
        organization: Organization,
        *,
        not_before: datetime,
        not_after: datetime,
        generation: int | None = None,
    ) -> tuple[bytes, ...]:
        """Make a PDF signing certificate for a key of the store and keep its chain there.

        Args:
            role: of the key.
            owner: of the key.
            organization: the issuer.
            not_before: with time zone.
            not_after: with time zone, inside the issuing CA's own time.
            generation: of the key; None for the active one.

        Returns:
            The chain, DER, from the new certificate to the root.
        """
        ca_chain = self._store.chain(ISSUING)
        ca = x509.load_der_x509_certificate(ca_chain[0])
        holder = _Party(
            _subject(_marked(organization.name), organization.name, organization.uscc),
            self._store.signer(role, owner, generation),
        )
        builder = _builder(holder, _Party(ca.subject, self._store.file_signer(ISSUING)), not_before, not_after)
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True, content_commitment=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([_DOCUMENT_SIGNING]), critical=False)
        )
        cert = _sign(_with_crl(builder, f"{self._crl_url}/issuing.crl"), self._store.file_signer(ISSUING))
        chain = (_der(cert), *ca_chain)
        self._store.set_chain(role, owner, chain, generation)
        return chain

    def make_crl(
        self,
        ca_role: str,
        *,
        number: int,
        this_update: datetime,
        next_update: datetime,
        revoked: Sequence[RevokedCert] = (),
    ) -> bytes:
        """Make the revocation list of root (``ca-root``) or issuing CA (``ca-issuing``), DER.

        Args:
            ca_role: whose list.
            number: greater with every list.
            this_update: with time zone.
            next_update: when the next one is due.
            revoked: all that are, each time.
        """
        ca = x509.load_der_x509_certificate(self._store.chain(ca_role)[0])
        signer = self._store.file_signer(ca_role)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(ca.subject)
            .last_update(this_update)
            .next_update(next_update)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(_authority_key(signer), critical=False)
        )
        for one in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(one.serial_number)
                .revocation_date(one.revoked_at)
                .add_extension(x509.CRLReason(one.reason), critical=False)
                .build()
            )
        return builder.sign(signer.private_key, _digest(signer)).public_bytes(Encoding.DER)


def _subject(common_name: str, organization: str, uscc: str = "") -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:_NAME_LENGTH]),
    ]
    if uscc:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, uscc))
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _marked(name: str) -> str:
    room = _NAME_LENGTH - len(MARK.encode())
    return name.encode()[:room].decode(errors="ignore") + MARK


def _builder(subject: _Party, issuer: _Party, not_before: datetime, not_after: datetime) -> x509.CertificateBuilder:
    public_key = load_public_key(subject.signer.public_key)
    return (
        x509.CertificateBuilder()
        .subject_name(subject.name)
        .issuer_name(issuer.name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_authority_key(issuer.signer), critical=False)
    )


def _authority_key(signer: Signer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(load_public_key(signer.public_key))


def _as_ca(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        _key_usage(key_cert_sign=True, crl_sign=True), critical=True
    )


def _with_crl(builder: x509.CertificateBuilder, url: str) -> x509.CertificateBuilder:
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)


def _key_usage(
    *,
    digital_signature: bool = False,
    content_commitment: bool = False,  # called nonRepudiation before
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _digest(signer: FileSigner) -> SHA256 | SHA384 | None:
    if isinstance(signer.private_key, ed25519.Ed25519PrivateKey):
        return None
    return SHA384() if signer.algorithm is Algorithm.P384 else SHA256()


def _sign(builder: x509.CertificateBuilder, signer: FileSigner) -> x509.Certificate:
    return builder.sign(signer.private_key, _digest(signer))


def _der(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(Encoding.DER)
