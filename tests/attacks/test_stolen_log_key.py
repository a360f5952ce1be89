"""With the key of the log a thief can only fork it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from credential.claims import encode_claims
from credential.leaves import issue_leaf, seal_leaf
from credential.merkle import inclusion_proof, leaf_hash
from credential.note import format_proof
from credential.ports import EarlyEvidence, RegisteredFile
from credential.trust import Role
from tests.attacks.thieves import (
    DAY,
    NEXT_LOG_KEY,
    SEAL,
    SECOND,
    UNKNOWN,
    VALID,
    T,
    add_key,
    believed,
    by_file,
    by_forged,
    codes,
    compromise,
    files,
    forge,
    insert,
    offline_file,
    offline_qr,
    stamp,
    supply,
    with_authority,
)
from tests.fakes_issuer import MemorySigner
from tests.verifier.world import (
    LOG_KEY,
    NOW,
    OTHER_LOG_KEY,
    Issued,
    Log,
    Register,
    Stamped,
    World,
    change_key,
    trust_list,
)
from verifier.reasons import Word

__all__ = ["believed"]


def fork(world: World, forged: Issued, *, at: datetime, key: MemorySigner = LOG_KEY) -> tuple[Log, Stamped]:
    """Another tree under the log's name, with a place for the forged certificate, stamped in good time."""
    payload = encode_claims(forged.claims)
    leaves = [*world.register.log.leaves[:1], issue_leaf(hashlib.sha256(payload).digest(), forged.claims.salt)]
    leaves.append(seal_leaf(forged.digest, forged.claims.salt))
    log = Log(leaves, key)
    return log, log.stamp(at)


class TwoFaced(Register):
    """A register that hands out the stamps of a fork, and says that the fork grew into the published log."""

    false: tuple[Log, Stamped]

    def attested(self, leaf: bytes, index: int, before: datetime) -> Sequence[EarlyEvidence]:  # noqa: ARG002 - it lies
        log, stamped = self.false
        hashes = [leaf_hash(one) for one in log.leaves]
        at = log.leaves.index(leaf)
        proof = format_proof(at, inclusion_proof(hashes, at), stamped.note)
        grown = self.log.evidence(0, Log(self.log.leaves[: stamped.size]).stamp(T))
        return [EarlyEvidence(proof, stamped.token, grown.growth, self.log.checkpoint())]


def test_a_fork_that_was_stamped_in_good_time_is_no_evidence(world: World) -> None:
    """The leaf needs no stolen key: a thief of the log's key may stamp it before he steals the other one."""
    forged = forge(world.press, world.register.log)
    insert(world, forged, logged=True)
    register = TwoFaced(world.register.log, world.issued)
    register.__dict__ |= world.register.__dict__
    world.register = register
    register.false = fork(world, forged, at=T - DAY)
    compromise(world, Role.QR, Role.PDF)
    assert by_forged(world, forged) == UNKNOWN
    detail = by_file(world, forged.document).checks[-1].detail
    assert "the proof of the log does not hold" in detail
    register.published = register.false[0].checkpoint()  # and shows the fork to everybody who asks
    assert by_forged(world, forged) == UNKNOWN


def test_proofs_of_a_fork_are_refused_online(world: World) -> None:
    forged = forge(world.press, world.register.log)
    false, _ = fork(world, forged, at=T - DAY)
    insert(world, forged, logged=False)
    leaf = seal_leaf(forged.digest, forged.claims.salt)
    payload = encode_claims(forged.claims)
    issued = issue_leaf(hashlib.sha256(payload).digest(), forged.claims.salt)
    while len(false.leaves) < len(world.register.log.leaves):
        false.add(b"filling")
    at = len(world.register.entries) - 1
    file = RegisteredFile(forged.digest, len(forged.document), false.proof(leaf))
    world.register.change(at, issue_proof=false.proof(issued), files=(file,))
    assert by_file(world, forged.document).reason == "log-forked"


def test_offline_a_fork_counts_for_nothing_from_the_theft_of_the_log_key_on(world: World) -> None:
    forged = forge(world.press, world.register.log)
    false, stamped = fork(world, forged, at=T - DAY)
    world.register.log.leaves, kept = false.leaves, world.register.log.leaves
    supply(world, stamped, issued=forged)
    world.register.log.leaves = kept
    compromise(world, Role.QR, Role.PDF)
    compromise(world, Role.LOG, since=T - DAY)
    assert offline_file(world, forged.document).verdict is Word.UNKNOWN
    assert offline_qr(world, forged.qr_text).verdict is Word.UNKNOWN


def test_a_fork_under_a_key_of_nobody_counts_for_nothing(world: World) -> None:
    forged = forge(world.press, world.register.log)
    false, stamped = fork(world, forged, at=T - DAY, key=OTHER_LOG_KEY)
    world.register.log.leaves, kept = false.leaves, world.register.log.leaves
    supply(world, stamped, issued=forged)
    world.register.log.leaves = kept
    compromise(world, Role.QR, Role.PDF)
    assert offline_file(world, forged.document).reason == "key-compromised"


def roll_log(world: World, *, stolen_at: datetime | None = None, retired_at: datetime | None = None) -> None:
    """Let the log go on under a new key: every proof of today is under that one."""
    world.trust = change_key(world.trust, Role.LOG, compromised_since=stolen_at, valid_until=retired_at)
    world.trust = add_key(world.trust, Role.LOG, NEXT_LOG_KEY, (stolen_at or retired_at or NOW) - DAY)
    register = world.register
    log = Log(register.log.leaves, NEXT_LOG_KEY, register.log.stamps)
    world.register = Register(log, world.issued)


def test_after_the_log_key_was_stolen_everything_is_proven_again_under_the_next_one(world: World) -> None:
    compromise(world, Role.LOG)
    assert files(world) | codes(world) == UNKNOWN
    roll_log(world, stolen_at=T)
    assert (files(world), codes(world)) == (VALID, VALID)


@pytest.mark.parametrize(
    ("when", "stolen", "expected"),
    [
        (-5 * DAY, -DAY, VALID),
        (-5 * DAY, -5 * DAY + SECOND, VALID),
        (-5 * DAY, -5 * DAY, UNKNOWN),
        (-5 * DAY, -6 * DAY, UNKNOWN),
    ],
)
def test_a_stamped_checkpoint_of_a_stolen_log_key_counts_until_its_own_theft(
    when: timedelta, stolen: timedelta, expected: set[Word], world: World
) -> None:
    stamp(world, SEAL, T + when)
    compromise(world, Role.QR, Role.PDF)
    roll_log(world, stolen_at=T + stolen)
    assert files(world) | codes(world) == expected


@pytest.mark.parametrize(("accuracy", "expected"), [({"millis": 999}, VALID), ({"seconds": 1}, UNKNOWN)])
def test_the_stolen_log_key_must_have_been_good_at_the_latest_moment_that_the_token_can_mean(
    accuracy: dict[str, int], expected: set[Word], world: World
) -> None:
    log = world.register.log
    log.stamps.append(Log(log.leaves[:SEAL]).stamp(T - DAY - SECOND, accuracy=accuracy))
    compromise(world, Role.QR, Role.PDF)
    roll_log(world, stolen_at=T - DAY)
    assert files(world) | codes(world) == expected


def test_a_stamp_under_the_next_log_key_helps_where_that_of_the_stolen_one_does_not(world: World) -> None:
    stamp(world, SEAL, T - 5 * DAY)
    stamp(world, SEAL, T - 4 * DAY, key=NEXT_LOG_KEY)
    compromise(world, Role.QR, Role.PDF)
    roll_log(world, stolen_at=T - 6 * DAY + SECOND)
    assert files(world) | codes(world) == VALID


def test_a_retired_log_key_vouches_for_its_own_time_alone(world: World) -> None:
    stamp(world, SEAL, T - 5 * DAY)
    compromise(world, Role.QR, Role.PDF)
    roll_log(world, retired_at=T - 4 * DAY)
    assert files(world) | codes(world) == VALID
    world.trust = change_key(trust_list(world.issued), Role.LOG, valid_until=T - 5 * DAY)
    world.trust = with_authority(add_key(world.trust, Role.LOG, NEXT_LOG_KEY, T - 6 * DAY))
    compromise(world, Role.QR, Role.PDF)
    assert files(world) | codes(world) == UNKNOWN
