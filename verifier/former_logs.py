"""Believe the proofs of logs that were given up after a restore, up to the size that the trust list names.

A certificate that was printed before the end of a log carries a proof under
that log's name. Its place in the present log is proven anew by the register;
offline the old proof is all there is.
"""

from credential.merkle import LogProof
from credential.note import (
    BadCheckpoint,
    BadNote,
    Checkpoint,
    parse_checkpoint,
    parse_note,
    parse_proof,
    refuse_bad_lines,
    verify_proof,
)
from credential.trust import FormerLog, Role, TrustList


def verify_known_proof(trust: TrustList, proof: LogProof | str, leaf: bytes, public_key: bytes) -> Checkpoint:
    """Check that a leaf is in the log of a trust list, or in a former one of it.

    The checkpoint that is returned says by its origin which; against what is
    published now only one of the present log can be held.

    Args:
        trust: names the log and the former ones.
        proof: as text or taken apart; not trusted.
        leaf: computed by the caller from what it wants proven.
        public_key: the log's, SPKI DER.

    Raises:
        BadLogProof: not a proof, or one of another leaf, place or tree.
        BadNote: its checkpoint is not signed by the key, or a line by another log key of the list is bad.
        BadCheckpoint: its checkpoint is of an unknown log, or past the end of a former one.
    """
    taken_apart = parse_proof(proof) if isinstance(proof, str) else proof
    former = find_former_log(trust, taken_apart.checkpoint)
    refuse_bad_lines(taken_apart.checkpoint, trust.log_origin if former is None else former.origin, log_keys(trust))
    if former is None:
        return verify_proof(taken_apart, leaf, public_key, trust.log_origin)
    checkpoint = verify_proof(taken_apart, leaf, public_key, former.origin)
    check_end(former, checkpoint)
    return checkpoint


def log_keys(trust: TrustList) -> list[bytes]:
    """All log keys that a trust list names, in use, retired or stolen: none of them may have a bad line."""
    return [key.public_key for key in trust.keys if key.role is Role.LOG]


def find_former_log(trust: TrustList, note: str) -> FormerLog | None:
    """The former log that a signed note names; None when it names the present one, or none at all.

    Nothing of the note is verified.
    """
    try:
        origin = parse_checkpoint(parse_note(note).text).origin
    except (BadNote, BadCheckpoint):
        return None  # whoever verifies the note says what is wrong with it
    return next((one for one in trust.former_logs if one.origin == origin), None)


def check_end(former: FormerLog, checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint that a former log never published before it was given up.

    Raises:
        BadCheckpoint: it is larger than the last one that counts, or another one of its size.
    """
    if checkpoint.size > former.size:
        raise BadCheckpoint(
            f"the log {former.origin} was given up at {former.size} entries, and this says {checkpoint.size}",
            f"日志 {former.origin} 已于第 {former.size} 条停用, 而此处为 {checkpoint.size} 条",
        )
    if checkpoint.size == former.size and checkpoint.root != former.root:
        raise BadCheckpoint(
            f"it is not the last checkpoint of the log {former.origin}", f"与日志 {former.origin} 的最后检查点不符"
        )
