"""A key was stolen, and nobody can be asked: only evidence that was supplied counts."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.x509 import load_der_x509_certificate

from credential.claims import encode_claims
from credential.cose import sign_message
from credential.ports import Algorithm
from credential.trust import Role
from tests.attacks.thieves import (
    DAY,
    SEAL,
    SECOND,
    SIDES,
    VALID,
    T,
    believed,
    compromise,
    forge,
    offline_file,
    offline_qr,
    stamp,
    supply,
)
from tests.press.certificates import signing
from tests.verifier.making import Identity, make_crl
from tests.verifier.ways import with_updates
from tests.verifier.world import (
    QR_KEY,
    World,
)
from verifier.reasons import Word
from verifier.steps import Supplied
from verifier.verdict import Presented

__all__ = ["believed"]


@pytest.mark.parametrize(("size", "when", "of_files", "of_codes"), SIDES.values(), ids=SIDES.keys())
def test_offline_the_evidence_that_was_supplied_decides(
    size: int, when: timedelta, of_files: set[Word], of_codes: set[Word], world: World
) -> None:
    stamped = stamp(world, size, T + when)
    supply(world, stamped, stamp(world, SEAL, T + DAY))
    assert (offline_file(world).reason, offline_qr(world).reason) == ("register-not-asked", "register-not-asked")
    compromise(world, Role.QR, Role.PDF)
    good = {True: "register-not-asked", False: "key-compromised"}
    assert offline_file(world).reason == good[of_files == VALID]
    assert offline_file(world, with_updates(world)).reason == good[of_files == VALID]
    assert offline_qr(world).reason == good[of_codes == VALID]


def test_offline_without_evidence_everything_of_a_stolen_key_is_unknown(world: World) -> None:
    stamp(world, SEAL, T - DAY)
    compromise(world, Role.QR, Role.PDF)
    assert {offline_file(world).reason, offline_qr(world).reason} == {"key-compromised"}


def test_offline_the_evidence_of_another_certificate_helps_nobody(world: World) -> None:
    stamped = stamp(world, 5, T - DAY)
    second = world.register.log.leaves[3:5]
    supply(world, stamped, leaves=second)
    swapped = {
        own: world.supplied.evidence[other] for own, other in zip(world.register.log.leaves[1:3], second, strict=True)
    }
    world.supplied = replace(world.supplied, evidence=swapped)
    compromise(world, Role.QR, Role.PDF)
    assert {offline_file(world).reason, offline_qr(world).reason} == {"key-compromised"}


def test_offline_claims_of_a_thief_do_not_make_his_qr_code_good(world: World) -> None:
    forged = forge(world.press, world.register.log)
    supply(world, stamp(world, SEAL, T - DAY))
    payload = encode_claims(forged.claims)
    message = sign_message(payload, QR_KEY)
    world.supplied = replace(world.supplied, claims={hashlib.sha256(payload).digest(): message})
    compromise(world, Role.QR)
    assert offline_qr(world, forged.qr_text).reason == "key-compromised"


def test_offline_a_good_file_is_told_to_be_sealed(world: World) -> None:
    supply(world, stamp(world, SEAL, T - DAY))
    names = {check.name for check in offline_file(world).checks}
    assert {"issue-logged", "seal-logged"} <= names
    world.supplied = Supplied(world.supplied.templates, origins=world.supplied.origins)
    assert "seal-logged" not in {check.name for check in offline_file(world).checks}


@pytest.mark.parametrize(("when", "reason"), [(-SECOND, "register-not-asked"), (SECOND, "issue-not-logged")])
def test_offline_a_stolen_log_key_leaves_what_was_stamped_before(when: timedelta, reason: str, world: World) -> None:
    compromise(world, Role.LOG)
    assert offline_file(world).reason == "issue-not-logged"
    supply(world, stamp(world, SEAL, T + when))
    assert offline_file(world).reason == reason


def test_offline_a_revocation_list_that_names_the_stolen_key_makes_nothing_forged(world: World) -> None:
    kept = signing(Algorithm.P256)
    signer, root = map(load_der_x509_certificate, kept.chain)
    stamped = stamp(world, SEAL, T - DAY)
    world.supplied = replace(world.supplied, crls=(make_crl(Identity(root, kept.root_key), [signer]),))
    assert offline_file(world).reason == "signer-revoked"
    assert offline_file(world).verdict is Word.UNKNOWN
    compromise(world, Role.PDF)
    assert offline_file(world).reason == "key-compromised"
    supply(world, stamped)
    verdict = offline_file(world)
    assert (verdict.reason, verdict.presented) == ("register-not-asked", Presented.ORIGINAL)
