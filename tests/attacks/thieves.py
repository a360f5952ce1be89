"""A stolen key: what thieves and the time-stamping authority do to the world of the verifier's tests."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from credential.claims import encode_claims
from credential.leaves import issue_leaf, seal_leaf
from credential.ports import Algorithm, EarlyEvidence
from credential.trust import Role, TrustedKey, TrustList
from press.press import Press
from tests import authorities
from tests.fakes_issuer import MemorySigner
from tests.verifier.ways import with_updates
from tests.verifier.world import (
    LOG_KEY,
    NOW,
    Issued,
    Log,
    Register,
    Stamped,
    World,
    change_key,
    issue,
    trust_list,
)
from verifier.reasons import Word
from verifier.verdict import Verdict

T = NOW - timedelta(days=10)
"""The moment that compromises are dated from; everything was issued thirty days ago."""
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
NEXT_LOG_KEY = MemorySigner("the log's next key", Algorithm.ED25519)
NEXT_STATUS_KEY = MemorySigner("next status key")
ISSUE, SEAL = 2, 3
"""Sizes of the log just behind the first certificate's issue leaf, and behind its seal leaf."""


@pytest.fixture(scope="session")
def portraits(press: Press) -> tuple[Issued, tuple[bytes, ...]]:
    """A certificate with a photo, and the leaves of its log."""
    log = Log()
    return issue(press, log, "ordinary"), tuple(log.leaves)


@pytest.fixture
def framed(press: Press, portraits: tuple[Issued, tuple[bytes, ...]]) -> World:
    issued, leaves = portraits
    return World(press, issued, Register(Log(list(leaves)), issued), with_authority(trust_list(issued)))


@pytest.fixture(autouse=True)
def believed(world: World) -> None:
    world.trust = with_authority(world.trust)


def with_authority(trust: TrustList) -> TrustList:
    return replace(trust, tsa_certs=(authorities.certificate("tsa-root"),))


def stamp(world: World, size: int, at: datetime, tsa: str = "tsa", key: MemorySigner = LOG_KEY) -> Stamped:
    """Have the log stamped as it was at a size."""
    log = world.register.log
    stamped = Log(log.leaves[:size], key).stamp(at, tsa)
    log.stamps.append(stamped)
    return stamped


def compromise(world: World, *roles: Role, since: datetime = T) -> None:
    for role in roles:
        world.trust = change_key(world.trust, role, compromised_since=since)


def add_key(trust: TrustList, role: Role, signer: MemorySigner, start: datetime) -> TrustList:
    """Let a new key of a role stand beside the old one."""
    old = next(key for key in trust.keys if key.role is role)
    new = TrustedKey(role, old.issuer, signer.algorithm, signer.public_key, start)
    return replace(trust, keys=(*trust.keys, new))


def by_file(world: World, document: bytes = b"") -> Verdict:
    return world.online.verify_file(document or world.issued.document, NOW)


def by_code(world: World) -> Verdict:
    return world.online.verify_code(world.issued.claims.verification_code, NOW)


def by_qr(world: World) -> Verdict:
    return world.online.verify_qr(world.issued.qr_text, NOW)


def by_serial(world: World) -> Verdict:
    claims = world.issued.claims
    return world.online.verify_serial(claims.serial, claims.holder.name, NOW)


FILES: Mapping[str, Callable[[World], Verdict]] = {
    "file": by_file,
    "file with updates": lambda world: by_file(world, with_updates(world)),
    "file and line end": lambda world: by_file(world, world.issued.document + b"\n"),
}
CODES: Mapping[str, Callable[[World], Verdict]] = {"qr": by_qr, "code": by_code, "serial": by_serial}


def files(world: World) -> set[Word]:
    return {way(world).verdict for way in FILES.values()}


def codes(world: World) -> set[Word]:
    return {way(world).verdict for way in CODES.values()}


VALID, UNKNOWN = {Word.VALID}, {Word.UNKNOWN}


def supply(world: World, *stamps: Stamped, issued: Issued | None = None, leaves: Sequence[bytes] = ()) -> None:
    """Hand the evidence of a certificate over, as its holder would who got it from the issuer."""
    one = issued or world.issued
    payload = encode_claims(one.claims)
    digest = hashlib.sha256(payload).digest()
    log = world.register.log
    wanted = leaves or [issue_leaf(digest, one.claims.salt), seal_leaf(one.digest, one.claims.salt)]
    evidence: dict[bytes, tuple[EarlyEvidence, ...]] = {
        leaf: tuple(log.evidence(log.leaves.index(leaf), it) for it in stamps if log.leaves.index(leaf) < it.size)
        for leaf in wanted
    }
    tokens = {0: world.register.token()}
    world.supplied = replace(world.supplied, evidence=evidence, claims={digest: one.message}, status_tokens=tokens)


def offline_file(world: World, document: bytes = b"") -> Verdict:
    return world.offline.verify_file(document or world.issued.document, NOW)


def offline_qr(world: World, text: str = "") -> Verdict:
    return world.offline.verify_qr(text or world.issued.qr_text, NOW)


SIDES: Mapping[str, tuple[int, timedelta, set[Word], set[Word]]] = {
    # size that was stamped, when, files, codes
    "sealed long before": (SEAL, -9 * DAY, VALID, VALID),
    "sealed a second before": (SEAL, -SECOND, VALID, VALID),
    "sealed at that very moment": (SEAL, timedelta(0), UNKNOWN, UNKNOWN),
    "sealed a second after": (SEAL, SECOND, UNKNOWN, UNKNOWN),
    "issued before, sealed after": (ISSUE, -SECOND, UNKNOWN, VALID),
    "issued at that very moment": (ISSUE, timedelta(0), UNKNOWN, UNKNOWN),
    "another was issued before": (1, -DAY, UNKNOWN, UNKNOWN),
}


def forge(press: Press, log: Log, **changes: Any) -> Issued:
    """What somebody with both signing keys makes: everything but a place in the log."""
    own = Log(list(log.leaves), log.key)
    return issue(press, own, verification_code="F0RGEDF0RGEDF0RG", status_index=99, **changes)


def insert(world: World, forged: Issued, *, logged: bool) -> None:
    """Write a certificate into the register, and into the outbox of the log if wanted."""
    register = world.register
    if logged:
        payload = encode_claims(forged.claims)
        register.log.add(issue_leaf(hashlib.sha256(payload).digest(), forged.claims.salt))
        register.log.add(seal_leaf(forged.digest, forged.claims.salt))
    register.documents[forged.digest] = len(register.entries)
    register.entries.append(register.entry(forged))
    register.claims.append(forged.claims)


def by_forged(world: World, forged: Issued) -> set[Word]:
    return {
        by_file(world, forged.document).verdict,
        world.online.verify_code(forged.claims.verification_code, NOW).verdict,
        world.online.verify_qr(forged.qr_text, NOW).verdict,
    }


@pytest.fixture(scope="session")
def lasting(press: Press, printed: tuple[Issued, Issued, tuple[bytes, ...]]) -> World:
    """A world that the property test changes only by what it sets each time."""
    first, second, leaves = printed
    return World(press, first, Register(Log(list(leaves)), first, second), with_authority(trust_list(first)))


TOKENS: dict[tuple[int, int], Stamped] = {}


def made(world: World, size: int, at: int) -> Stamped:
    return TOKENS.get((size, at)) or Log(world.register.log.leaves[:size]).stamp(T + at * SECOND)
