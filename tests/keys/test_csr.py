"""Requests for certificates: OpenSSL reads them, and believes their signature."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from credential.ports import Algorithm
from keys.csr import write_request
from keys.file_signer import generate_key
from tests.keys.soft_token import Tool

BUREAU = "示例市人力资源和社会保障局"
USCC = "11330299MB0T00023P"


@pytest.mark.parametrize("algorithm", [Algorithm.RSA_2048, Algorithm.P256, Algorithm.P384, Algorithm.ED25519])
def test_openssl_verifies_a_request_for_every_kind_of_key(algorithm: Algorithm, tmp_path: Path, tool: Tool) -> None:
    signer = generate_key(algorithm)
    (tmp_path / "request").write_bytes(write_request(signer, BUREAU, USCC))
    command = [
        str(tool("openssl")),
        "req",
        "-in",
        "request",
        "-verify",
        "-noout",
        "-text",
        "-nameopt",
        "utf8,sep_comma_plus",
    ]
    told = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "self-signature verify OK" in told.stderr
    assert f"O={BUREAU}" in told.stdout
    assert f"organizationIdentifier={USCC}" in told.stdout
    assert "Digital Signature, Non Repudiation" in told.stdout


def test_a_request_names_the_issuer_by_name_and_code_and_carries_its_key() -> None:
    signer = generate_key(Algorithm.P256)
    request = x509.load_pem_x509_csr(write_request(signer, BUREAU, USCC))
    assert request.is_signature_valid
    assert request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == signer.public_key
    assert {one.oid: one.value for one in request.subject} == {
        NameOID.COUNTRY_NAME: "CN",
        NameOID.ORGANIZATION_NAME: BUREAU,
        NameOID.ORGANIZATION_IDENTIFIER: USCC,
        NameOID.COMMON_NAME: BUREAU,
    }


def test_a_name_longer_than_cas_take_is_cut() -> None:
    request = x509.load_pem_x509_csr(write_request(generate_key(Algorithm.P256), "局" * 70, USCC))
    assert request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "局" * 64
