"""A key's certificates, from its own up to the root."""

from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.errors import InputError


class BadChain(InputError):
    """Certificates that do not form the chain of this key."""

    code = "bad-chain"

    def __init__(self, name: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"these certificates are not the chain of the key {name!r}: {why_en}; give its own first, the root last",
            f"这些证书不是密钥“{name}”的证书链: {why_zh}; 请先给出该密钥的证书, 最后为根证书",
        )


def check_chain(name: str, public_key: bytes, chain: Sequence[bytes]) -> None:
    """Refuse certificates that are not this key's, each signed by the next; DER.

    Raises:
        BadChain: they are not that.
    """
    try:
        certs = [x509.load_der_x509_certificate(cert) for cert in chain]
        for cert, issuer in pairwise(certs):
            cert.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, x509.InvalidVersion, InvalidSignature) as error:
        raise BadChain(name, "one is not signed by the next", "存在未由下一张证书签发的证书") from error
    own = [cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for cert in certs[:1]]
    if own != [public_key]:
        raise BadChain(name, "the first is not this key's", "第一张不是该密钥的证书")
