"""Real signing keys and one complete example of claims, for the tests of this folder."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.model import Claims, DocumentType, Holder, PartialDate
from credential.ports import Algorithm

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class MemorySigner:
    """A small working signer: what keys/ does with files, in memory."""

    algorithm: Algorithm
    key: PrivateKey

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), SHA256())
        return self.key.sign(message, ec.ECDSA(SHA384() if self.algorithm is Algorithm.P384 else SHA256()))


@cache
def _make_signer(algorithm: Algorithm, number: int = 0) -> MemorySigner:  # noqa: ARG001 # tells keys apart in the cache
    match algorithm:
        case Algorithm.P256:
            return MemorySigner(algorithm, ec.generate_private_key(ec.SECP256R1()))
        case Algorithm.P384:
            return MemorySigner(algorithm, ec.generate_private_key(ec.SECP384R1()))
        case Algorithm.ED25519:
            return MemorySigner(algorithm, ed25519.Ed25519PrivateKey.generate())
        case _:
            return MemorySigner(algorithm, rsa.generate_private_key(65537, int(algorithm.removeprefix("rsa-"))))


@pytest.fixture(scope="session")
def make_signer() -> Callable[..., MemorySigner]:
    """Give the signer of this algorithm and number; the same one for the same arguments."""
    return _make_signer


@pytest.fixture
def claims() -> Claims:
    """The first example record of DOMAIN 7, complete."""
    return Claims(
        issuer="11330299MB0T00023P",
        issuer_name="示例市人力资源和社会保障局",
        serial="33029920260520001289",
        version=1,
        kind="professional-title",
        identifier="1.2.156.3005.2.11339900MB0T000153001.11330299MB0T00023P.33029920260520001289.001.4",
        holder=Holder("张喆堃", DocumentType.RESIDENT_ID, "330299198604120173", "男"),
        fields={"title": "高级工程师", "level": "副高级", "series": "工程技术人员", "qualified_on": "2026-06-30"},
        issued_at=datetime(2026, 7, 8, 1, 2, 3, tzinfo=UTC),
        issued_on=PartialDate("2026-07-08"),
        expires_on=date(2031, 7, 7),
        status_uri="https://zs.example.gov.cn/status/7",
        status_index=1_048_575,
        verification_code="7F3K9Q2MWX4T8ZBN",
        photo_digest=bytes(range(32)),
        template_digest=bytes(range(32, 64)),
        salt=bytes(range(16)),
    )
