"""The development CA: openssl and certvalidator accept its chain, and its CRL revokes."""

import asyncio
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import RevokedError

from credential.cose import load_public_key
from credential.ports import Algorithm
from credential.trust import Role
from keys.authority import ISSUING, ROOT, DevelopmentAuthority, Organization, RevokedCert
from keys.private_files import FileExists
from keys.store import KeyStore

TOOL = Callable[[str], Path]
OWNER = "11330299MB0T00023P"
NAME = "示例市人力资源和社会保障局"
YEAR = timedelta(days=365)
DAY = timedelta(days=1)


@pytest.fixture(params=[Algorithm.P256, Algorithm.P384, Algorithm.ED25519, Algorithm.RSA_2048])
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    return Algorithm(request.param)


@pytest.fixture
def authority(store: KeyStore, algorithm: Algorithm, now: datetime) -> DevelopmentAuthority:
    made = DevelopmentAuthority(store, "http://127.0.0.1:8000/crl/")
    made.create(algorithm, now)
    store.create(Role.PDF, Algorithm.P256, OWNER, now=now)
    return made


@pytest.fixture
def chain(authority: DevelopmentAuthority, now: datetime) -> tuple[bytes, ...]:
    return authority.certify(Role.PDF, OWNER, Organization(NAME, OWNER), not_before=now, not_after=now + YEAR)


def pem(cert: bytes) -> bytes:
    return x509.load_der_x509_certificate(cert).public_bytes(Encoding.PEM)


def crls(authority: DevelopmentAuthority, now: datetime, *revoked: RevokedCert) -> list[bytes]:
    due = now + 30 * DAY
    return [
        authority.make_crl(ROOT, number=1, this_update=now, next_update=due),
        authority.make_crl(ISSUING, number=2, this_update=now, next_update=due, revoked=revoked),
    ]


def openssl_verify(
    tool: TOOL, folder: Path, chain: tuple[bytes, ...], lists: list[bytes], at: datetime
) -> subprocess.CompletedProcess[str]:
    leaf, issuing, root = chain
    (folder / "leaf.pem").write_bytes(pem(leaf))
    (folder / "issuing.pem").write_bytes(pem(issuing))
    (folder / "root.pem").write_bytes(pem(root))
    joined = b"".join(x509.load_der_x509_crl(one).public_bytes(Encoding.PEM) for one in lists)
    (folder / "crls.pem").write_bytes(joined)
    command = [str(tool("openssl")), "verify", "-x509_strict", "-crl_check_all", "-CRLfile", "crls.pem"]
    command += ["-attime", str(int(at.timestamp())), "-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem"]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def test_openssl_accepts_the_chain_strictly_and_refuses_a_revoked_certificate(
    authority: DevelopmentAuthority, chain: tuple[bytes, ...], now: datetime, tool: TOOL, tmp_path: Path
) -> None:
    good = openssl_verify(tool, tmp_path, chain, crls(authority, now), now + DAY)
    assert good.returncode == 0, good.stderr
    serial_number = x509.load_der_x509_certificate(chain[0]).serial_number
    revoked = RevokedCert(serial_number, now + DAY)
    bad = openssl_verify(tool, tmp_path, chain, crls(authority, now, revoked), now + 2 * DAY)
    assert bad.returncode != 0
    assert "revoked" in bad.stderr
    late = openssl_verify(tool, tmp_path, chain, crls(authority, now + 2 * YEAR), now + 2 * YEAR + DAY)
    assert "expired" in late.stderr


@pytest.mark.parametrize("algorithm", [Algorithm.P256, Algorithm.RSA_2048], indirect=True)
def test_certvalidator_accepts_the_chain_and_notices_the_revocation(
    authority: DevelopmentAuthority, chain: tuple[bytes, ...], now: datetime
) -> None:
    leaf, issuing, root = (asn1_x509.Certificate.load(cert) for cert in chain)

    def validate(*revoked: RevokedCert) -> None:
        lists = [asn1_crl.CertificateList.load(one) for one in crls(authority, now, *revoked)]
        context = ValidationContext(
            trust_roots=[root], moment=now + 2 * DAY, crls=lists, allow_fetching=False, revocation_mode="require"
        )
        validator = CertificateValidator(leaf, [issuing], validation_context=context)
        usage = ({"digital_signature", "non_repudiation"}, {"1.3.6.1.5.5.7.3.36"})
        asyncio.run(validator.async_validate_usage(*usage))  # type: ignore[no-untyped-call] # theirs has no types

    validate()
    with pytest.raises(RevokedError):
        validate(RevokedCert(leaf.serial_number, now + DAY))


def test_the_signing_certificate_says_what_it_is_for(
    authority: DevelopmentAuthority, chain: tuple[bytes, ...], store: KeyStore, now: datetime
) -> None:
    leaf, issuing, root = (x509.load_der_x509_certificate(cert) for cert in chain)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.content_commitment
    assert not usage.value.key_cert_sign
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [purpose.dotted_string for purpose in purposes] == ["1.3.6.1.5.5.7.3.36"]
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert issuing.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    point = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0]
    assert point.full_name is not None
    assert point.full_name[0].value == "http://127.0.0.1:8000/crl/issuing.crl"
    assert leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == NAME
    assert leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)[0].value == OWNER
    assert leaf.public_key() == load_public_key(store.public_key(Role.PDF, OWNER))
    assert leaf.not_valid_before_utc == now.replace(microsecond=0)
    assert leaf.not_valid_after_utc == (now + YEAR).replace(microsecond=0)
    assert authority.anchor == chain[2]
    assert len({cert.serial_number for cert in (leaf, issuing, root)}) == 3
    assert all(cert.serial_number.bit_length() > 64 for cert in (leaf, issuing, root))


def test_chinese_names_are_utf8_and_every_subject_says_it_is_for_tests(chain: tuple[bytes, ...]) -> None:
    for cert in chain:
        loaded = asn1_x509.Certificate.load(cert)
        assert "开发测试" in loaded.subject.native["common_name"]
        kinds = {value["type"].native: value["value"].chosen.tag for part in loaded.subject.chosen for value in part}
        assert kinds["organization_name"] == kinds["common_name"] == 12, "UTF8String"


@pytest.mark.parametrize("algorithm", [Algorithm.P256], indirect=True)
def test_a_long_organization_name_is_cut_to_what_x509_allows(authority: DevelopmentAuthority, now: datetime) -> None:
    organization = Organization("长" * 100, OWNER)
    chain = authority.certify(Role.PDF, OWNER, organization, not_before=now, not_after=now + YEAR)
    subject = x509.load_der_x509_certificate(chain[0]).subject
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "长" * 64
    common_name = subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert common_name == "长" * 15 + "（开发测试）"


@pytest.mark.parametrize("algorithm", [Algorithm.P256], indirect=True)
def test_a_second_authority_in_one_store_is_refused(authority: DevelopmentAuthority, now: datetime) -> None:
    with pytest.raises(FileExists):
        authority.create(Algorithm.P256, now)


@pytest.mark.parametrize("algorithm", [Algorithm.P256], indirect=True)
def test_an_empty_crl_is_signed_by_its_ca(authority: DevelopmentAuthority, store: KeyStore, now: datetime) -> None:
    for role, made in zip((ROOT, ISSUING), crls(authority, now), strict=True):
        loaded = x509.load_der_x509_crl(made)
        key = x509.load_der_x509_certificate(store.chain(role)[0]).public_key()
        assert len(loaded) == 0
        assert loaded.is_signature_valid(key)  # type: ignore[arg-type] # the kinds that a CA has
