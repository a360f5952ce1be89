"""Stamps under the name that the log had before a restore count as far as the tree is the same; no fork does."""

import hashlib
from dataclasses import replace

import pytest

from credential.merkle import leaf_hash, root_hash
from credential.note import Checkpoint, sign_checkpoint
from credential.trust import FormerLog, Role
from tests import authorities
from tests.attacks.thieves import (
    DAY,
    SEAL,
    UNKNOWN,
    VALID,
    T,
    believed,
    by_file,
    codes,
    compromise,
    files,
    offline_file,
    supply,
)
from tests.verifier.world import LOG_KEY, Log, Stamped, World

__all__ = ["believed"]

FORMER = "zs.example.org/log-before"


def stamp_former(log: Log, size: int) -> Stamped:
    """Have the former log stamped as it was at a size."""
    note = sign_checkpoint(Checkpoint(FORMER, size, root_of(log, size)), LOG_KEY)
    token = authorities.stamp(hashlib.sha256(note.encode()).digest(), T - DAY, "tsa")
    return Stamped(size, note, token, T - DAY)


def root_of(log: Log, size: int) -> bytes:
    return root_hash([leaf_hash(leaf) for leaf in log.leaves[:size]])


def give_up(world: World, size: int, root: bytes) -> None:
    world.trust = replace(world.trust, former_logs=(FormerLog(FORMER, size, root),))


def test_what_a_former_log_had_stamped_before_the_theft_stays_good(world: World) -> None:
    log = world.register.log
    give_up(world, len(log.leaves) + 7, bytes(32))  # it went on beyond the restored tree
    log.stamps.append(stamp_former(log, SEAL))
    compromise(world, Role.QR, Role.PDF)
    assert (files(world), codes(world)) == (VALID, VALID)
    supply(world, log.stamps[-1])
    assert offline_file(world).reason == "register-not-asked"


@pytest.mark.parametrize("end", [0, SEAL - 1])
def test_past_the_end_that_the_roots_have_named_no_stamp_of_a_former_log_counts(world: World, end: int) -> None:
    log = world.register.log
    give_up(world, end, root_of(log, end))
    log.stamps.append(stamp_former(log, SEAL))
    compromise(world, Role.QR, Role.PDF)
    assert (files(world), codes(world)) == (UNKNOWN, UNKNOWN)


def test_a_log_that_the_roots_have_not_named_is_no_former_one(world: World) -> None:
    log = world.register.log
    log.stamps.append(stamp_former(log, SEAL))
    compromise(world, Role.QR, Role.PDF)
    assert (files(world), codes(world)) == (UNKNOWN, UNKNOWN)


def test_a_fork_under_a_former_name_that_was_stamped_in_good_time_is_no_evidence(world: World) -> None:
    """A thief of the log's key has any leaf in a tree of his; the present log did not grow from it."""
    log = world.register.log
    give_up(world, len(log.leaves) + 7, bytes(32))
    fork = Log([b"another first leaf", *log.leaves[1:]])
    false = stamp_former(fork, SEAL)
    log.evidence = lambda index, stamped: replace(  # type: ignore[method-assign] # the register lies
        Log.evidence(fork, index, stamped), growth=Log.evidence(log, index, stamped).growth, grown_into=log.checkpoint()
    )
    log.stamps.append(false)
    compromise(world, Role.QR, Role.PDF)
    assert (files(world), codes(world)) == (UNKNOWN, UNKNOWN)
    assert "the proof of the log does not hold" in by_file(world).checks[-1].detail
