"""Who signed a document: known by key, for this purpose, not revoked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from tests.verifier import making
from tests.verifier.making import NOW, Identity, issue_identity, make_crl, sign_pdf, write_pdf
from verifier.document import examine
from verifier.report import DocumentReport, Integrity, Trust

Examine = Callable[[bytes], DocumentReport]


# ---- trust ------------------------------------------------------------------------------------------------------


def test_a_root_is_known_by_its_key_not_by_its_name(stranger: Identity, look_at: Examine) -> None:
    report = look_at(sign_pdf(write_pdf(), stranger))
    assert (report.integrity, report.trusted) == (Integrity.INTACT, Trust.NO)


def test_an_intermediate_authority_is_followed_to_the_root(root: Identity, look_at: Examine) -> None:
    middle = issue_identity(root, "Issuing CA", is_authority=True, purposes=None)
    assert look_at(sign_pdf(write_pdf(), issue_identity(middle))).trusted is Trust.YES


def test_a_certificate_issued_by_no_authority_is_not_trusted(bureau: Identity, look_at: Examine) -> None:
    assert look_at(sign_pdf(write_pdf(), issue_identity(bureau, "Friend"))).trusted is Trust.NO


@pytest.mark.parametrize("purpose", [ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH])
def test_a_certificate_for_another_purpose_is_not_trusted(
    purpose: ObjectIdentifier, root: Identity, look_at: Examine
) -> None:
    report = look_at(sign_pdf(write_pdf(), issue_identity(root, purposes=(purpose,))))
    assert (report.integrity, report.trusted) == (Integrity.INTACT, Trust.NO)
    assert report.sub_indication == "CHAIN_CONSTRAINTS_FAILURE"


def test_a_certificate_without_purposes_may_sign(root: Identity, look_at: Examine) -> None:
    assert look_at(sign_pdf(write_pdf(), issue_identity(root, purposes=None))).trusted is Trust.YES


def test_an_expired_certificate_cannot_be_judged_without_a_proof_of_time(root: Identity, look_at: Examine) -> None:
    expired = issue_identity(root, valid_until=NOW - timedelta(days=1))
    report = look_at(sign_pdf(write_pdf(), expired))
    assert (report.integrity, report.trusted) == (Integrity.INTACT, Trust.INDETERMINATE)


def test_a_revoked_certificate_is_not_trusted(root: Identity, bureau: Identity, signed: bytes) -> None:
    crl = make_crl(root, [bureau.cert])
    report = examine(signed, anchors=[root.der], crls=[crl], now=NOW)
    assert (report.trusted, report.sub_indication) == (Trust.NO, "REVOKED_NO_POE")


def test_a_revoked_authority_is_not_trusted(root: Identity) -> None:
    middle = issue_identity(root, "Issuing CA", is_authority=True, purposes=None)
    document = sign_pdf(write_pdf(), issue_identity(middle))
    report = examine(document, anchors=[root.der], crls=[make_crl(root, [middle.cert]), make_crl(middle)], now=NOW)
    assert (report.trusted, report.sub_indication) == (Trust.NO, "REVOKED_CA_NO_POE")


def test_a_current_list_that_does_not_name_the_signer_is_good(root: Identity, signed: bytes) -> None:
    assert examine(signed, anchors=[root.der], crls=[make_crl(root)], now=NOW).trusted is Trust.YES


def test_a_supplied_list_that_says_nothing_leaves_trust_open(root: Identity, signed: bytes) -> None:
    stale = make_crl(root, issued=NOW - timedelta(days=9), until=NOW - timedelta(days=1))
    partial = make_crl(root, is_partial=True)
    early = make_crl(root, issued=NOW + timedelta(hours=1), until=NOW + timedelta(days=1))
    forged = make_crl(making.make_root(), [])
    for crl in (stale, partial, early, forged):
        report = examine(signed, anchors=[root.der], crls=[crl], now=NOW)
        assert (report.trusted, report.sub_indication) == (Trust.INDETERMINATE, "TRY_LATER")


def test_without_roots_nobody_is_trusted(signed: bytes) -> None:
    report = examine(signed, anchors=[], crls=[], now=NOW)
    assert (report.integrity, report.trusted) == (Integrity.INTACT, Trust.NO)


def test_now_decides_about_validity(root: Identity, signed: bytes) -> None:
    late = examine(signed, anchors=[root.der], crls=[], now=datetime(2060, 1, 1, tzinfo=UTC))
    assert late.integrity is Integrity.INTACT
    assert late.trusted is not Trust.YES
