"""A log that was given up proves what it published, and nothing past its end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from credential.merkle import LogProof, inclusion_proof, leaf_hash, root_hash
from credential.note import BadCheckpoint, BadLogProof, BadNote, Checkpoint, format_proof, sign_checkpoint
from credential.ports import Algorithm
from credential.trust import FormerLog, TrustList
from tests.fakes_issuer import ORIGIN, MemorySigner
from verifier.former_logs import verify_known_proof

FORMER = "zs.example.org/log-before"
SIGNER = MemorySigner("log", Algorithm.ED25519)
LEAVES = [bytes([number]) for number in range(5)]


def proof(size: int, *, origin: str = FORMER, signer: MemorySigner = SIGNER) -> LogProof:
    hashes = [leaf_hash(leaf) for leaf in LEAVES[:size]]
    note = sign_checkpoint(Checkpoint(origin, size, root_hash(hashes)), signer)
    return LogProof(1, inclusion_proof(hashes, 1), note)


def trusting(size: int) -> TrustList:
    root = root_hash([leaf_hash(leaf) for leaf in LEAVES[:size]])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return TrustList(
        version=1,
        issued_at=start,
        expires=start + timedelta(days=1),
        log_origin=ORIGIN,
        issuers=(),
        keys=(),
        ca_certs=(),
        witnesses=(),
        witness_threshold=0,
        roots=(),
        threshold=1,
        former_logs=(FormerLog(FORMER, size, root),),
    )


@pytest.mark.parametrize("size", [2, 3])
def test_what_a_former_log_published_before_its_end_is_proven(size: int) -> None:
    one = proof(size)
    found = verify_known_proof(trusting(3), one, LEAVES[1], SIGNER.public_key)
    assert (found.origin, found.size) == (FORMER, size)
    text = format_proof(one.index, one.hashes, one.checkpoint)
    assert verify_known_proof(trusting(3), text, LEAVES[1], SIGNER.public_key) == found


def test_nothing_past_the_end_of_a_former_log_counts() -> None:
    with pytest.raises(BadCheckpoint, match="given up at 3 entries"):
        verify_known_proof(trusting(3), proof(4), LEAVES[1], SIGNER.public_key)


def test_another_tree_of_the_last_size_does_not_count() -> None:
    trust = replace(trusting(3), former_logs=(FormerLog(FORMER, 3, bytes(32)),))
    with pytest.raises(BadCheckpoint, match="not the last checkpoint"):
        verify_known_proof(trust, proof(3), LEAVES[1], SIGNER.public_key)


def test_a_log_that_the_list_does_not_name_proves_nothing() -> None:
    with pytest.raises(BadNote):
        verify_known_proof(trusting(3), proof(3, origin="elsewhere.example/log"), LEAVES[1], SIGNER.public_key)
    thief = MemorySigner("thief", Algorithm.ED25519)
    with pytest.raises(BadNote):
        verify_known_proof(trusting(3), proof(3, signer=thief), LEAVES[1], SIGNER.public_key)
    with pytest.raises(BadLogProof):
        verify_known_proof(trusting(3), proof(3), LEAVES[2], SIGNER.public_key)
    with pytest.raises(BadNote):
        verify_known_proof(trusting(3), replace(proof(3), checkpoint="no note"), LEAVES[1], SIGNER.public_key)


def test_the_present_log_is_proven_as_before() -> None:
    found = verify_known_proof(trusting(3), proof(5, origin=ORIGIN), LEAVES[1], SIGNER.public_key)
    assert (found.origin, found.size) == (ORIGIN, 5)
