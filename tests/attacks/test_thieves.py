"""What somebody with keys of ours can do, and what the declaration of the theft takes away again."""

import hashlib
from dataclasses import replace
from datetime import datetime

import pytest

from credential.claims import encode_claims
from credential.leaves import issue_leaf, seal_leaf
from credential.ports import RegisteredFile
from credential.trust import Role
from press.samples import load_samples
from tests.attacks.thieves import (
    DAY,
    NEXT_STATUS_KEY,
    SEAL,
    SECOND,
    UNKNOWN,
    VALID,
    T,
    add_key,
    believed,
    by_code,
    by_file,
    by_forged,
    codes,
    compromise,
    files,
    forge,
    framed,
    insert,
    offline_file,
    offline_qr,
    portraits,
    stamp,
    supply,
)
from tests.press.certificates import template
from tests.verifier.world import (
    NOW,
    Issued,
    World,
    change_key,
    make_qr_text,
)
from verifier.reasons import Word

__all__ = ["believed", "framed", "portraits"]


@pytest.mark.parametrize("claimed", [NOW - 300 * DAY, T - DAY, T, NOW - SECOND])
def test_a_thief_with_the_signing_keys_makes_nothing_acceptable_however_it_is_dated(
    claimed: datetime, world: World
) -> None:
    forged = forge(world.press, world.register.log, issued_at=claimed)
    stamp(world, SEAL, T - DAY)
    for declared in ((), (Role.QR,), (Role.PDF,), (Role.QR, Role.PDF)):
        compromise(world, *declared)
        assert by_file(world, forged.document).verdict is Word.UNKNOWN
        assert world.online.verify_qr(forged.qr_text, NOW).verdict is Word.UNKNOWN
        assert world.online.verify_code(forged.claims.verification_code, NOW).verdict is Word.UNKNOWN
    supply(world, *world.register.log.stamps)
    assert offline_file(world, forged.document).reason == "key-compromised"
    assert offline_qr(world, forged.qr_text).reason == "key-compromised"


def test_a_thief_who_changes_the_words_of_a_genuine_qr_code_is_found_out(world: World) -> None:
    genuine = world.issued.claims
    other = replace(genuine, holder=replace(genuine.holder, name="李四"))
    text = make_qr_text(world.press, other)
    stamped = stamp(world, SEAL, T - DAY)
    compromise(world, Role.QR)
    assert world.online.verify_qr(text, NOW).reason == "register-differs"
    supply(world, stamped)
    assert offline_qr(world, text).verdict is not Word.VALID
    assert offline_qr(world, text).reason == "key-compromised"  # nobody has claims of that digest
    assert world.offline.verify_qr(text, NOW).credential is None


# ---- with a key and a row of the database ------------------------------------------------------------


def test_a_row_without_a_leaf_is_worth_nothing_whether_the_theft_is_known_or_not(world: World) -> None:
    forged = forge(world.press, world.register.log)
    insert(world, forged, logged=False)
    assert by_forged(world, forged) == UNKNOWN
    stamp(world, SEAL, T - DAY)
    compromise(world, Role.QR, Role.PDF)
    assert by_forged(world, forged) == UNKNOWN


def test_a_row_with_the_proofs_of_another_certificate_is_worth_nothing(world: World) -> None:
    forged = forge(world.press, world.register.log)
    insert(world, forged, logged=False)
    genuine, at = world.register.entries[0], len(world.register.entries) - 1
    file = RegisteredFile(forged.digest, len(forged.document), genuine.files[0].seal_proof)
    world.register.change(at, issue_proof=genuine.issue_proof, files=(file,))
    assert by_forged(world, forged) == UNKNOWN
    stamp(world, SEAL, T - DAY)
    compromise(world, Role.QR, Role.PDF)
    assert by_forged(world, forged) == UNKNOWN


def test_what_a_thief_gets_logged_is_unknown_from_the_declaration_on_and_the_genuine_stays_good(world: World) -> None:
    """With key, register and outbox one is the issuer, until the theft is declared."""
    stamp(world, SEAL, T - DAY)
    forged = forge(world.press, world.register.log, issued_at=T - 20 * DAY)
    insert(world, forged, logged=True)
    stamp(world, len(world.register.log.leaves), T + DAY)
    assert by_forged(world, forged) == VALID
    compromise(world, Role.QR, Role.PDF)
    assert by_forged(world, forged) == UNKNOWN
    assert (files(world), codes(world)) == (VALID, VALID)


# ---- with a genuine COSE message and the key of PDFs ------------------------------------------------------------


def rewrap(world: World) -> Issued:
    """A new PDF around the genuine claims, with somebody else's photo, signed with the stolen key."""
    genuine = world.issued
    photo = load_samples(template())[1]["minority"].record.photo
    assert photo is not None
    shown = replace(genuine.claims, photo_digest=hashlib.sha256(photo).digest())
    assert shown.photo_digest != genuine.claims.photo_digest
    log = world.register.log
    leaf = issue_leaf(hashlib.sha256(encode_claims(genuine.claims)).digest(), genuine.claims.salt)
    printed = world.press.print(
        shown, photo=photo, qr_text=genuine.qr_text, message=genuine.message, proof=log.proof(leaf)
    )
    prefix = world.press.prefix(True)
    return replace(genuine, document=prefix.content + printed.tail)


def test_a_genuine_message_in_a_new_pdf_with_another_photo_is_never_valid(framed: World) -> None:
    wrapped = rewrap(framed)
    stamped = stamp(framed, SEAL, T - DAY)
    assert by_file(framed, wrapped.document).reason == "shown-differs"
    compromise(framed, Role.PDF)
    assert by_file(framed, wrapped.document).reason == "key-compromised"
    supply(framed, stamped)
    assert offline_file(framed, wrapped.document).reason == "key-compromised"
    assert (files(framed), codes(framed)) == (VALID, VALID)
    assert offline_file(framed).reason == "register-not-asked"


def test_not_even_a_registered_and_logged_rewrapping_is_valid_once_the_theft_is_declared(framed: World) -> None:
    wrapped = rewrap(framed)
    register = framed.register
    stamp(framed, SEAL, T - DAY)
    leaf = seal_leaf(wrapped.digest, wrapped.claims.salt)
    register.log.add(leaf)
    stamp(framed, len(register.log.leaves), T + DAY)
    file = RegisteredFile(wrapped.digest, len(wrapped.document), register.log.proof(leaf))
    register.documents[wrapped.digest] = 0
    register.change(files=(*register.entries[0].files, file))
    compromise(framed, Role.PDF)
    assert by_file(framed, wrapped.document).verdict is Word.UNKNOWN
    assert (files(framed), codes(framed)) == (VALID, VALID)


def test_a_register_that_calls_a_rewrapping_the_first_file_gains_nothing(framed: World) -> None:
    wrapped = rewrap(framed)
    register = framed.register
    genuine = register.entries[0].files[0]
    stamp(framed, SEAL, T - DAY)
    compromise(framed, Role.PDF)
    register.documents[wrapped.digest] = 0
    for seal_proof in (genuine.seal_proof, register.entries[0].issue_proof, ""):
        register.change(files=(RegisteredFile(wrapped.digest, len(wrapped.document), seal_proof), genuine))
        assert by_file(framed, wrapped.document).verdict is Word.UNKNOWN
    register.change(files=(RegisteredFile(wrapped.digest, genuine.length, genuine.seal_proof), genuine))
    assert by_file(framed, wrapped.document).verdict is Word.UNKNOWN


# ---- keys that were rolled ------------------------------------------------------------


def test_keys_that_were_rolled_long_ago_stay_good_for_what_they_signed(world: World) -> None:
    for role in (Role.QR, Role.PDF):
        world.trust = change_key(world.trust, role, valid_until=NOW - 29 * DAY)
    assert (files(world), codes(world)) == (VALID, VALID)
    for role in (Role.QR, Role.PDF):
        world.trust = change_key(world.trust, role, valid_until=NOW - 30 * DAY)
    assert (files(world), codes(world)) == (UNKNOWN, UNKNOWN)


def test_a_certificate_reserved_under_the_old_keys_may_be_printed_under_the_new_ones(world: World) -> None:
    """Claims of thirty days ago by a key that is retired since; the file by one that came into use after them."""
    world.trust = change_key(world.trust, Role.PDF, valid_from=NOW - 20 * DAY)
    world.trust = change_key(world.trust, Role.QR, valid_until=NOW - 25 * DAY)
    assert (files(world), codes(world)) == (VALID, VALID)
    assert offline_file(world).reason == "register-not-asked"


# ---- the other roles ------------------------------------------------------------


def test_lists_by_a_stolen_status_key_are_worthless_and_lists_by_the_next_one_are_good(world: World) -> None:
    compromise(world, Role.STATUS, since=NOW + DAY)
    assert files(world) | codes(world) == UNKNOWN
    assert by_code(world).reason == "status-unusable"
    world.trust = add_key(world.trust, Role.STATUS, NEXT_STATUS_KEY, NOW - DAY)
    assert files(world) | codes(world) == UNKNOWN
    world.register.status_key = NEXT_STATUS_KEY
    assert files(world) | codes(world) == VALID
