"""A key was stolen: what is older than the theft stays good, the rest is unknown, never valid and never forged."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credential.model import StatusValue
from credential.trust import Role
from tests import authorities
from tests.attacks.thieves import (
    CODES,
    DAY,
    FILES,
    ISSUE,
    SEAL,
    SECOND,
    SIDES,
    TOKENS,
    UNKNOWN,
    VALID,
    T,
    believed,
    by_code,
    by_file,
    by_qr,
    codes,
    compromise,
    files,
    lasting,
    made,
    stamp,
)
from tests.verifier.ways import qr_copy
from tests.verifier.world import (
    NOW,
    Log,
    World,
)
from verifier.reasons import Word

__all__ = ["believed", "lasting"]


@pytest.mark.parametrize(("size", "when", "of_files", "of_codes"), SIDES.values(), ids=SIDES.keys())
@pytest.mark.parametrize("roles", [(Role.QR,), (Role.QR, Role.PDF)], ids=["claims key", "both keys"])
def test_what_a_stamped_checkpoint_covers_before_the_theft_stays_good_and_the_rest_is_unknown(  # noqa: PLR0917 - one row of the table
    size: int, when: timedelta, of_files: set[Word], of_codes: set[Word], roles: tuple[Role, ...], world: World
) -> None:
    stamp(world, size, T + when)
    stamp(world, SEAL, T + DAY)
    assert (files(world), codes(world)) == (VALID, VALID)
    compromise(world, *roles)
    assert (files(world), codes(world)) == (of_files, of_codes)


@pytest.mark.parametrize(("when", "of_files"), [(-SECOND, VALID), (timedelta(0), UNKNOWN), (SECOND, UNKNOWN)])
def test_a_stolen_pdf_key_concerns_files_alone(when: timedelta, of_files: set[Word], world: World) -> None:
    stamp(world, SEAL, T + when)
    compromise(world, Role.PDF)
    assert (files(world), codes(world)) == (of_files, VALID)


def test_each_key_has_its_own_cut_off(world: World) -> None:
    stamp(world, SEAL, T - DAY)
    compromise(world, Role.PDF, since=T)
    compromise(world, Role.QR, since=T - 2 * DAY)
    assert (files(world), codes(world)) == (UNKNOWN, UNKNOWN)
    compromise(world, Role.QR, since=T - DAY + SECOND)
    assert (files(world), codes(world)) == (VALID, VALID)


def test_nothing_is_called_forged_and_the_reason_is_told(world: World) -> None:
    compromise(world, Role.QR, Role.PDF)
    for way in {**FILES, **CODES}.values():
        verdict = way(world)
        assert (verdict.reason, verdict.sub_indication, verdict.exit_code) == ("key-compromised", "REVOKED_NO_POE", 2)
        assert verdict.credential is not None
        assert verdict.checks[-1].detail.endswith("no stamped checkpoint covers it")


def test_a_good_answer_tells_that_the_key_was_stolen(world: World) -> None:
    stamp(world, SEAL, T - DAY)
    compromise(world, Role.QR, Role.PDF)
    told = [(check.name, int(check.step)) for check in by_file(world).checks if check.name == "older-than-compromise"]
    assert told == [("older-than-compromise", 4), ("older-than-compromise", 6)]
    steps = [check.step for check in by_qr(world).checks]
    assert steps == sorted(steps)
    assert "qr-signature" in {check.name for check in by_qr(world).checks}


def test_a_revocation_counts_on_both_sides(world: World) -> None:
    stamp(world, SEAL, T - DAY)
    compromise(world, Role.QR, Role.PDF)
    world.register.statuses[77] = StatusValue.INVALID
    assert files(world) | codes(world) == {Word.REVOKED}


def test_a_copy_of_an_old_certificate_is_a_copy_and_of_a_late_one_unknown(world: World) -> None:
    stamp(world, ISSUE, T - DAY)
    compromise(world, Role.QR)
    assert world.online.verify_file(qr_copy(world), NOW).reason == "copy"
    compromise(world, Role.QR, since=T - DAY)
    assert world.online.verify_file(qr_copy(world), NOW).reason == "key-compromised"


def test_a_store_of_stamps_that_does_not_answer_is_unavailable(world: World) -> None:
    stamp(world, SEAL, T - DAY)
    compromise(world, Role.QR)
    world.register.is_down = {"attested"}
    for way in {**FILES, **CODES}.values():
        assert way(world).verdict is Word.UNAVAILABLE


@settings(max_examples=60, deadline=None)
@given(
    since=st.integers(-40, 40),
    stamps=st.lists(st.tuples(st.integers(1, 5), st.integers(-40, 40)), max_size=4),
    roles=st.sets(st.sampled_from([Role.QR, Role.PDF])),
)
def test_at_any_moment_the_answer_is_that_of_the_rule(
    lasting: World, since: int, stamps: list[tuple[int, int]], roles: set[Role]
) -> None:
    world = World(lasting.press, lasting.issued, lasting.register, lasting.trust)
    world.register.log.stamps = [TOKENS.setdefault(one, made(world, *one)) for one in stamps]
    compromise(world, *roles, since=T + since * SECOND)
    sealed = any(size >= SEAL and at < since for size, at in stamps)
    issued = any(size >= ISSUE and at < since for size, at in stamps)
    assert by_file(world).verdict is (Word.VALID if sealed or not roles else Word.UNKNOWN)
    assert by_code(world).verdict is (Word.VALID if issued or Role.QR not in roles else Word.UNKNOWN)


# ---- tokens that prove nothing ------------------------------------------------------------


@pytest.mark.parametrize(
    ("tsa", "anchors"),
    [
        ("tsa", ()),
        ("tsa", ("root",)),
        ("tsa-plain", ("tsa-root",)),
    ],
    ids=["no authority is trusted", "of an unknown authority", "of one that may not make time stamps"],
)
def test_a_token_of_somebody_else_proves_nothing(tsa: str, anchors: Sequence[str], world: World) -> None:
    stamp(world, SEAL, T - DAY, tsa)
    world.trust = replace(world.trust, tsa_certs=tuple(map(authorities.certificate, anchors)))
    compromise(world, Role.QR, Role.PDF)
    assert (files(world), codes(world)) == (UNKNOWN, UNKNOWN)


@pytest.mark.parametrize(
    ("accuracy", "of_both"), [({"millis": 999}, VALID), ({"seconds": 1}, UNKNOWN), ({"seconds": 60}, UNKNOWN)]
)
def test_a_token_that_may_mean_the_moment_of_the_theft_proves_nothing(
    accuracy: dict[str, int], of_both: set[Word], world: World
) -> None:
    """It states the second before; what counts is the latest moment within its accuracy."""
    log = world.register.log
    log.stamps.append(Log(log.leaves[:SEAL]).stamp(T - SECOND, accuracy=accuracy))
    compromise(world, Role.QR, Role.PDF)
    assert (files(world), codes(world)) == (of_both, of_both)


def test_one_good_authority_of_several_is_enough(world: World) -> None:
    stamp(world, SEAL, T - 2 * DAY, "tsa-plain")
    stamp(world, SEAL, T - DAY, "tsa-late")
    compromise(world, Role.QR, Role.PDF)
    assert (files(world), codes(world)) == (VALID, VALID)


def test_a_token_over_another_checkpoint_proves_nothing(world: World) -> None:
    early, late = stamp(world, 1, T - DAY), stamp(world, SEAL, T + DAY)
    world.register.log.stamps = [replace(late, token=early.token, at=early.at)]
    compromise(world, Role.QR, Role.PDF)
    assert (files(world), codes(world)) == (UNKNOWN, UNKNOWN)


def test_a_register_that_lies_about_when_a_stamp_was_made_is_not_believed(world: World) -> None:
    late = stamp(world, SEAL, T + SECOND)
    world.register.log.stamps = [replace(late, at=T - DAY)]
    compromise(world, Role.QR, Role.PDF)
    verdict = by_code(world)
    assert verdict.reason == "key-compromised"
    assert "its first stamp is of" in verdict.checks[-1].detail


@pytest.mark.parametrize("damage", [b"", b"\x30\x00", b"\xff" * 40])
def test_a_broken_token_proves_nothing(damage: bytes, world: World) -> None:
    good = stamp(world, SEAL, T - DAY)
    world.register.log.stamps = [replace(good, token=damage)]
    compromise(world, Role.QR, Role.PDF)
    assert (files(world), codes(world)) == (UNKNOWN, UNKNOWN)
