"""Keys, purposes and revocation lists by our own policy."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from tests.verifier.making import NOW, issue_identity, make_crl, make_root
from verifier.signer_policy import check_revocation, describe_key, may_sign_documents


class Certificate:
    """Stands for a certificate with any key."""

    def __init__(self, key: object) -> None:
        self._key = key

    def public_key(self) -> object:
        if isinstance(self._key, Exception):
            raise self._key
        return self._key


@pytest.mark.parametrize(
    ("key", "name", "is_strong"),
    [
        (rsa.generate_private_key(65537, 2048).public_key(), "rsa-2048", True),
        (rsa.generate_private_key(65537, 1024).public_key(), "rsa-1024", False),  # noqa: S505 - weak on purpose
        (ec.generate_private_key(ec.SECP256R1()).public_key(), "secp256r1", True),
        (ec.generate_private_key(ec.SECP224R1()).public_key(), "secp224r1", False),
        (ec.generate_private_key(ec.SECP256K1()).public_key(), "secp256k1", False),
        (ed25519.Ed25519PrivateKey.generate().public_key(), "ed25519", True),
        (ed448.Ed448PrivateKey.generate().public_key(), "ed448", True),
        (dsa.generate_private_key(2048).public_key(), "unknown", False),
        (ValueError(), "unknown", False),
    ],
)
def test_keys_are_named_and_weighed(key: object, name: str, is_strong: bool) -> None:  # noqa: FBT001 - a parameter
    assert describe_key(Certificate(key)) == (name, is_strong)  # type: ignore[arg-type] # stands for one


def test_a_certificate_that_may_not_sign_may_not_sign_documents() -> None:
    root = make_root()
    assert may_sign_documents(issue_identity(root).cert)
    assert not may_sign_documents(issue_identity(root, may_sign=False).cert)


def test_a_certificate_without_any_restriction_may_sign() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1))
    assert may_sign_documents(builder.sign(key, hashes.SHA256()))


def test_a_list_by_a_key_of_another_kind_counts_as_forged() -> None:
    root = make_root()
    bureau = issue_identity(root)
    crl = x509.load_der_x509_crl(make_crl(make_root(key=rsa.generate_private_key(65537, 2048)), [bureau.cert]))
    assert check_revocation([root.cert, bureau.cert], [crl], NOW) == "TRY_LATER"
    assert check_revocation([root.cert, bureau.cert], [], NOW) == ""
