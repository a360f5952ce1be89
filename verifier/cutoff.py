"""What stays good of a key that was stolen: the cut-off by stamped checkpoints (DESIGN 7, docs/rotation.md).

A signature does not say when it was made, and claims say what their signer
likes. Older than a compromise is only what was in the log when somebody else's
clock said so:

1. a proof leads from the leaf to a checkpoint of the log;
2. a time-stamping authority of the trust list stamped that very signed note;
3. at the stamped time the log's key was in its time and not compromised: it may
   be retired or stolen since;
4. the stamped time is before the moment that the compromise is dated from, not at it;
5. where there is a published checkpoint to hold it against, the log grew from
   the stamped one into that by appending only, so that no fork counts. The
   stamped one may be of a former log that the trust list names: the present one
   goes on from its tree, and it is the roots that say from how much of it.

For being older than a compromise witnesses are not asked for: lists that demand
some today would else turn away what was stamped before there were any. For
being logged at all they are (step 5 of verifier/verify.py).
"""

from collections.abc import Sequence
from datetime import datetime

from credential.errors import InputError
from credential.merkle import BadProof, LogProof, verify_consistency
from credential.note import BadCheckpoint, BadLogProof, BadNote, Checkpoint, parse_proof
from credential.ports import EarlyEvidence
from credential.timestamp import verify_timestamp
from credential.trust import Role, TrustedKey, TrustList
from verifier.former_logs import verify_known_proof
from verifier.trust import check_published, open_head
from verifier.verdict import CheckFailed
from verifier.witnessed import check_witnessed

REASON = "key-compromised"

MAX_EVIDENCE = 32
"""Pieces of evidence that are looked at for one leaf; a source has one for each log key and authority."""


class _NotProven(Exception):
    """One piece of evidence does not prove what it should."""


def prove_older(
    trust: TrustList, key: TrustedKey, leaf: bytes, evidence: Sequence[EarlyEvidence], published: str | None
) -> datetime:
    """Check that a leaf is older than the compromise of a key; gives a moment at which it was in the log.

    Args:
        trust: knows the log's keys, old and new, and the authorities.
        key: compromised, else there is nothing to prove.
        leaf: computed from what the key signed.
        evidence: not trusted; one good piece is enough.
        published: the log's checkpoint of today; None where nobody can be asked.

    Raises:
        CheckFailed: nothing proves it.
    """
    since = key.compromised_since
    if since is None:
        raise AssertionError("a key that is not compromised needs no evidence")
    problem = "no stamped checkpoint covers it"
    for one in evidence[:MAX_EVIDENCE]:
        try:
            attested_at = _attested_at(trust, leaf, one, published)
        except _NotProven as error:
            problem = str(error)
            continue
        if attested_at < since:
            return attested_at
        problem = f"its first stamp is of {attested_at.isoformat(timespec='seconds')}"
    what = f"{key.role} key {key.kid.hex()}, compromised since {since.isoformat(timespec='seconds')}"
    raise CheckFailed(REASON, f"{what}: {problem}")


def is_attested(trust: TrustList, leaf: bytes, evidence: Sequence[EarlyEvidence]) -> bool:
    """Whether a stamped checkpoint proves that a leaf is in the log, whatever became of the log's key later.

    A stamp alone does not stand in for witnesses, for a thief of the log's key
    can have his fork stamped too: under a key that is not declared compromised
    as many must have cosigned as the trust list demands.
    """
    for one in evidence[:MAX_EVIDENCE]:
        try:
            _attested_at(trust, leaf, one, None)
            if not _is_of_stolen_key(trust, one, leaf):
                check_witnessed(trust, one.proof)
        except (_NotProven, CheckFailed):
            continue
        return True
    return False


def _is_of_stolen_key(trust: TrustList, one: EarlyEvidence, leaf: bytes) -> bool:
    proof = parse_proof(one.proof) if isinstance(one.proof, str) else one.proof
    return _proven_under(trust, proof, leaf)[1].compromised_since is not None


def _attested_at(trust: TrustList, leaf: bytes, one: EarlyEvidence, published: str | None) -> datetime:
    """Take steps 1 to 3, and 5, for one piece of evidence."""
    try:
        proof = parse_proof(one.proof) if isinstance(one.proof, str) else one.proof
        checkpoint, log_key = _proven_under(trust, proof, leaf)
        stamp = verify_timestamp(one.token, proof.checkpoint.encode(), trust.tsa_certs)
        if published is not None:
            _check_growth(trust, one, checkpoint, published)
    except InputError as error:
        raise _NotProven(error.en) from error
    except CheckFailed as failure:
        raise _NotProven(f"the stamped checkpoint is of another log ({failure.detail})") from failure
    for moment in (stamp.stated_at, stamp.attested_at):
        if not log_key.is_valid_at(moment) or log_key.is_compromised_at(moment):
            raise _NotProven(f"the log key {log_key.kid.hex()} was not good at {moment.isoformat(timespec='seconds')}")
    return stamp.attested_at


def _proven_under(trust: TrustList, proof: LogProof, leaf: bytes) -> tuple[Checkpoint, TrustedKey]:
    problem: InputError = BadNote("no log key is known", "没有已知的日志密钥")
    for key in trust.keys:
        if key.role is Role.LOG:
            try:
                return verify_known_proof(trust, proof, leaf, key.public_key), key
            except (BadLogProof, BadNote, BadCheckpoint) as error:
                problem = error
    raise problem


def _check_growth(trust: TrustList, one: EarlyEvidence, stamped: Checkpoint, published: str) -> None:
    """Take step 5.

    Raises:
        BadProof: the log did not grow from one into the other.
        CheckFailed: what it is said to have grown into is not the published log.
    """
    grown = open_head(trust, one.grown_into)
    check_published(trust, published, [grown])
    if stamped.origin not in {grown.origin, *(former.origin for former in trust.former_logs)}:
        raise BadProof(f"it is of the log {stamped.origin}", f"属于日志 {stamped.origin}")
    verify_consistency(stamped.size, grown.size, one.growth, stamped.root, grown.root)
