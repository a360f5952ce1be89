"""Demand and count the cosignatures of witnesses on the checkpoints that proofs rest on."""

from collections.abc import Iterable

from credential.cosignature import read_cosignatures, spki_of
from credential.merkle import LogProof
from credential.note import BadLogProof, BadNote, parse_proof
from credential.trust import TrustList, Witness
from verifier.verdict import CheckFailed, WitnessCount


def check_witnessed(trust: TrustList, proof: LogProof | str) -> WitnessCount:
    """Check that as many witnesses as the trust list demands cosigned a proof's checkpoint.

    With the log's key a thief can sign another tree, but not have it cosigned
    by witnesses who have seen the true one (C2SP tlog-cosignature).

    Args:
        trust: names the witnesses, and how many must have signed.
        proof: with a checkpoint that the log signed; its proof is another's business.

    Raises:
        CheckFailed: too few, or a line by one of them is bad.
    """
    count = _count(trust, _note_of(proof))
    if count.seen < count.demanded:
        raise CheckFailed("witnesses-needed", f"{count.seen} of {count.known} cosigned, {count.demanded} needed")
    return count


def count_witnesses(trust: TrustList, proofs: Iterable[LogProof | str]) -> WitnessCount:
    """Count the witnesses of several proofs: as many as of the one that has the fewest.

    Args:
        trust: names the witnesses.
        proofs: at least one, each with a checkpoint that the log signed.

    Raises:
        CheckFailed: a line by one of the witnesses is bad.
    """
    return min((_count(trust, _note_of(proof)) for proof in proofs), key=lambda count: count.seen)


def independent_witnesses(trust: TrustList) -> tuple[Witness, ...]:
    """The witnesses whose keys do nothing else in the trust list: a log cannot vouch for itself."""
    if not trust.witnesses:
        return ()
    taken = {key.public_key for key in trust.keys}
    return tuple(one for one in trust.witnesses if spki_of(one.public_key) not in taken)


def _count(trust: TrustList, note: str) -> WitnessCount:
    witnesses = independent_witnesses(trust)
    try:
        seen = len(read_cosignatures(note, witnesses)) if witnesses else 0
    except BadNote as error:
        raise CheckFailed("witnesses-needed", error.en) from error
    return WitnessCount(seen, len(witnesses), trust.witness_threshold)


def _note_of(proof: LogProof | str) -> str:
    if isinstance(proof, LogProof):
        return proof.checkpoint
    try:
        return parse_proof(proof).checkpoint
    except BadLogProof as error:
        raise CheckFailed("witnesses-needed", error.en) from error
