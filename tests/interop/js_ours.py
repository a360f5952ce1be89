"""The same questions put to our own verifier, so that the two can be compared case by case."""

import hashlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from credential.cosignature import read_cosignatures
from credential.errors import InputError, RefusedError
from credential.leaves import issue_leaf, key_leaf, seal_leaf, status_list_leaf, trust_list_leaf
from credential.merkle import verify_consistency
from credential.note import Checkpoint, open_checkpoint, parse_checkpoint, parse_note
from credential.qr import decode_qr_claims, parse_qr_text
from credential.trust import Role, TrustList, open_trust_list
from tests.verifier.world import DirectReader
from verifier.compare import check_qr
from verifier.former_logs import check_end, find_former_log
from verifier.found import Supplied
from verifier.status import check_expiry, check_listed
from verifier.trust import check_issuer_key, check_logged, open_claims, open_signed, open_status
from verifier.verdict import CheckFailed
from verifier.verify import Verifier
from verifier.witnessed import independent_witnesses

Given = Mapping[str, Any]


def is_refused(given: Given) -> bool:
    """Whether our own verifier refuses a case."""
    now = datetime.fromtimestamp(given["now"], UTC)
    try:
        roots = [b64decode(root) for root in given["roots"]]
        trust = open_trust_list(b64decode(given["envelope"]), roots, given["threshold"], now, given["seen"])
        _CHECKS[given["check"]](given, trust, now)
    except (InputError, RefusedError, CheckFailed):
        return True
    return False


def _paper(given: Given, trust: TrustList, now: datetime) -> None:
    scanned = parse_qr_text(given["text"])
    if scanned.message is None or scanned.origin not in given["origins"]:
        raise CheckFailed("bad-qr", "offline a strange site is left open, and is refused there")
    tokens = {0: b64decode(given["token"])}
    verdict = Verifier(None, trust, DirectReader(), Supplied(status_tokens=tokens)).verify_qr(given["text"], now)
    if verdict.reason != "register-not-asked":  # what good paper is told offline
        raise CheckFailed(verdict.reason, "")


def _file(given: Given, trust: TrustList, now: datetime) -> None:
    claims, payload, key = open_claims(trust, b64decode(given["claims"]))
    check_issuer_key(key, claims.issuer, claims.issued_at)
    scanned = parse_qr_text(given["text"])
    assert scanned.message is not None
    said, qr_key = open_signed(trust, scanned.message)
    qr = decode_qr_claims(said)
    check_issuer_key(qr_key, qr.issuer, qr.issued_at)
    check_qr(qr, claims, payload, None, "qr-of-another")
    if scanned.code != claims.verification_code:
        raise CheckFailed("qr-of-another", "another verification code")
    check_logged(trust, given["proof"], issue_leaf(hashlib.sha256(payload).digest(), claims.salt), "issue-not-logged")
    sealed = seal_leaf(hashlib.sha256(b64decode(given["document"])).digest(), claims.salt)
    check_logged(trust, given["seal"], sealed, "seal-not-logged")
    check_listed(open_status(trust, b64decode(given["token"]), now), claims.status_uri, claims.status_index)
    check_expiry(claims, now)


def _list(given: Given, trust: TrustList, now: datetime) -> None:
    found = open_status(trust, b64decode(given["token"]), now)
    check_listed(found, given["uri"], given["slot"])
    if "proof" in given:
        check_logged(trust, given["proof"], status_list_leaf(found.sub, found.iat, found.digest), "issue-not-logged")


def _checkpoint(given: Given, trust: TrustList, _now: datetime) -> None:
    _open(given["note"], trust)


def _growth(given: Given, trust: TrustList, _now: datetime) -> None:
    before, after = _open(given["before"], trust), _open(given["after"], trust)
    hashes = [b64decode(one) for one in given["hashes"]]
    verify_consistency(before.size, after.size, hashes, before.root, after.root)


def _open(note: str, trust: TrustList) -> Checkpoint:
    """Open a checkpoint by itself, as the checks of proofs do."""
    former = find_former_log(trust, note)
    origin = trust.log_origin if former is None else former.origin
    keys = [key for key in trust.keys if key.role is Role.LOG and key.compromised_since is None]
    if not keys:
        raise CheckFailed("log-forked", "no usable log key")
    checkpoint = open_checkpoint(note, keys[0].public_key, origin)
    assert parse_checkpoint(parse_note(note).text) == checkpoint
    if former is not None:
        check_end(former, checkpoint)
    if len(read_cosignatures(note, independent_witnesses(trust))) < trust.witness_threshold:
        raise CheckFailed("witnesses-needed", "")
    return checkpoint


def _listed(given: Given, trust: TrustList, _now: datetime) -> None:
    check_logged(trust, given["proof"], trust_list_leaf(b64decode(given["older"])), "issue-not-logged")


def _key(given: Given, trust: TrustList, _now: datetime) -> None:
    leaf = key_leaf(given["role"], given["owner"], b64decode(given["spki"]))
    check_logged(trust, given["proof"], leaf, "issue-not-logged")


_CHECKS: Mapping[str, Callable[[Given, TrustList, datetime], None]] = {
    "paper": _paper,
    "file": _file,
    "trust": lambda _given, _trust, _now: None,
    "list": _list,
    "checkpoint": _checkpoint,
    "growth": _growth,
    "listed": _listed,
    "key": _key,
}
