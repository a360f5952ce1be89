"""Judge a certificate chain from a CA before anything is signed with it.

1. read it                    PEM or DER, the key's own certificate first, the root last
2. algorithms are strong      all but the root's signature of itself, which proves nothing
3. each is signed by the next, and the root by itself
4. CAs are CAs                basic constraints, key usage, path length
5. valid now                  every one of them
6. purpose                    may sign documents, by the very rule of the verifier
7. whose it is                names the issuer, or what a person wrote out that it names
"""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from credential.errors import InputError
from keys.chain import check_chain
from registry.issuers import Issuer
from verifier.signer_policy import STRONG_DIGESTS, describe_key, may_sign_documents

MAX_CHAIN_BYTES = 1 << 20
_NAME_CHARACTERS = 64  # of an organisation in a certificate; longer names are cut (RFC 5280, A.1)

# What ETSI EN 319 412-1, 5.1.4 puts before an identifier: its kind, the country and a hyphen.
_SEMANTICS = re.compile(r"[A-Z]{3}CN-")


class UnfitCertificate(InputError):
    """A chain with which nothing would be signed that anybody believes."""

    code = "unfit-certificate"

    def __init__(self, subject: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the certificate of {subject!r} cannot be used: {why_en}", f"“{subject}”的证书不可用: {why_zh}"
        )
        self.subject = subject


class OtherOrganization(InputError):
    """The certificate names another organisation than the issuer."""

    code = "other-organization"

    def __init__(self, named: str, issuer: Issuer) -> None:
        super().__init__(
            f"the certificate names {named!r}, the issuer is {issuer.name!r} ({issuer.uscc}); ask the CA for one in "
            "the issuer's name, or, if you answer for it, repeat what it names with --accept-organization and say who "
            "you are with --as",
            f"证书中的机构是“{named}”, 发证机构是“{issuer.name}”({issuer.uscc}); 请向认证机构申请以发证机构名义的证书; "
            "如确认无误并愿负责, 请用 --accept-organization 原样写出证书中的机构名称, 并用 --as 说明经办人",
        )
        self.named = named


def read_chain(path: Path) -> tuple[bytes, ...]:
    """Read the certificates of a file, PEM one after the other or a single one as DER; gives DER in their order.

    Raises:
        UnfitCertificate: there is none in it.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MAX_CHAIN_BYTES + 1)
    try:
        if b"-----BEGIN" in content:
            certs = x509.load_pem_x509_certificates(content[:MAX_CHAIN_BYTES])
        else:
            certs = [x509.load_der_x509_certificate(content[:MAX_CHAIN_BYTES])]
    except (ValueError, x509.InvalidVersion) as error:
        raise UnfitCertificate(
            path.name,
            "the file is not certificates as PEM or DER; openssl pkcs7 -print_certs turns a .p7b into PEM",
            "文件不是 PEM 或 DER 格式的证书; .p7b 文件可用 openssl pkcs7 -print_certs 转为 PEM",
        ) from error
    return tuple(cert.public_bytes(Encoding.DER) for cert in certs)


def judge_chain(name: str, public_key: bytes, chain: Sequence[bytes], now: datetime) -> None:
    """Take steps 2 to 6.

    Args:
        name: of the key that the chain is for.
        public_key: of it, SPKI, DER.
        chain: DER, the signer's first, the root last.
        now: with time zone.

    Raises:
        UnfitCertificate: says which certificate and why.
        BadChain: one is not signed by the next, or the first is for another key.
    """
    certs = [x509.load_der_x509_certificate(one) for one in chain]
    for cert in certs:
        _check_strength(cert, is_root=cert is certs[-1])
    check_chain(name, public_key, chain)
    _check_root(certs[-1])
    for depth, ca in enumerate(certs[1:]):
        _check_ca(ca, depth)
    for cert in certs:
        _check_time(cert, now)
    if _constraints(certs[0]).ca:
        raise UnfitCertificate(name_of(certs[0]), "it is a CA's, not a signer's", "它是 CA 证书, 不是签名证书")
    if not _has_key_usage(certs[0]) or not may_sign_documents(certs[0]):
        raise UnfitCertificate(
            name_of(certs[0]),
            "its key usage does not allow signing documents; ask the CA for digital signature or non-repudiation",
            "密钥用途不允许签署文档; 请向认证机构申请用途为数字签名或不可否认的证书",
        )


def organization_of(cert: bytes) -> str:
    """The organisation that a certificate names, as it stands there."""
    subject = x509.load_der_x509_certificate(cert).subject
    return _value(subject, NameOID.ORGANIZATION_NAME) or _value(subject, NameOID.COMMON_NAME)


def names_issuer(cert: bytes, issuer: Issuer) -> bool:
    """Whether a certificate names the issuer: by its code, or, where it says none, by its whole name."""
    subject = x509.load_der_x509_certificate(cert).subject
    code = _value(subject, NameOID.ORGANIZATION_IDENTIFIER)
    if code:
        return _SEMANTICS.sub("", code, count=1) == issuer.uscc
    return _value(subject, NameOID.ORGANIZATION_NAME) == issuer.name[:_NAME_CHARACTERS]


def without_list_address(chain: Sequence[bytes]) -> list[str]:
    """The certificates of a chain but its root that name no address of their revocation list, by their common names.

    Nothing can prove later that such a one was not revoked, so that B-LT is out of reach.
    """
    certs = [x509.load_der_x509_certificate(one) for one in chain]
    return [name_of(one) for one in certs if one.issuer != one.subject and not list_addresses(one)]


def list_addresses(cert: x509.Certificate) -> list[str]:
    """The addresses of its revocation list that a certificate names (RFC 5280, 4.2.1.13)."""
    try:
        points = cert.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    names = [name for point in points for name in point.full_name or ()]
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return [url for url in urls if url.startswith(("http://", "https://"))]


def _check_root(root: x509.Certificate) -> None:
    if root.issuer == root.subject and not _is_strongly_signed(root):
        return  # an old one, signed with SHA-1: whoever believes it has it from elsewhere
    try:
        root.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise UnfitCertificate(
            name_of(root),
            "the last one is no root: it did not sign itself; put the CA's root at the end of the file",
            "最后一张不是根证书(未自签); 请在文件末尾加上认证机构的根证书",
        ) from error


def _check_ca(ca: x509.Certificate, depth: int) -> None:
    constraints = _constraints(ca)
    if not constraints.ca or (_has_key_usage(ca) and not _usage(ca).key_cert_sign):
        raise UnfitCertificate(name_of(ca), "it may not issue certificates", "它无权签发证书")
    if constraints.path_length is not None and constraints.path_length < depth:
        raise UnfitCertificate(name_of(ca), "it may not have so many CAs below it", "其下级 CA 层数超出限制")


def _check_strength(cert: x509.Certificate, *, is_root: bool) -> None:
    kind, is_strong = describe_key(cert)
    if not is_strong:
        raise UnfitCertificate(
            name_of(cert),
            f"its key ({kind}) is weak, or of a kind that PDF readers do not verify",
            f"密钥({kind})强度不足, 或为 PDF 阅读器不支持的类型",
        )
    if not (_is_strongly_signed(cert) or (is_root and cert.issuer == cert.subject)):
        raise UnfitCertificate(
            name_of(cert),
            "it is signed with a weak digest; ask the CA for one signed with SHA-256",
            "其签名使用了过弱的摘要算法; 请向认证机构申请以 SHA-256 签名的证书",
        )


def _is_strongly_signed(cert: x509.Certificate) -> bool:
    digest = cert.signature_hash_algorithm  # none with Ed25519, which is strong
    return digest is None or digest.name in STRONG_DIGESTS


def _check_time(cert: x509.Certificate, now: datetime) -> None:
    start, end = cert.not_valid_before_utc, cert.not_valid_after_utc
    if not start <= now <= end:
        raise UnfitCertificate(
            name_of(cert),
            f"it is valid from {start:%Y-%m-%d} to {end:%Y-%m-%d}, which today is not",
            f"其有效期为 {start:%Y-%m-%d} 至 {end:%Y-%m-%d}, 今天不在其内",
        )


def _constraints(cert: x509.Certificate) -> x509.BasicConstraints:
    try:
        return cert.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return x509.BasicConstraints(ca=False, path_length=None)


def _has_key_usage(cert: x509.Certificate) -> bool:
    return any(isinstance(one.value, x509.KeyUsage) for one in cert.extensions)


def _usage(cert: x509.Certificate) -> x509.KeyUsage:
    return cert.extensions.get_extension_for_class(x509.KeyUsage).value


def name_of(cert: x509.Certificate) -> str:
    """Whose a certificate is, for people: its common name, else all that stands there."""
    return _value(cert.subject, NameOID.COMMON_NAME) or cert.subject.rfc4514_string()


def _value(subject: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""
