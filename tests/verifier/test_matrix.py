"""Every way of verifying, in every state that a certificate can be in: one table, and it fails closed."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import pytest

from credential.model import State, StatusValue
from credential.ports import Change, Link
from press.look import render
from press.press import Press
from registry.status.token_list import LIFETIME
from tests.verifier.ways import with_updates
from tests.verifier.world import NOW, Issued, Log, Register, World, issue, trust_list
from verifier.reasons import Word
from verifier.verdict import Verdict

SLOT = 77
SERIAL = "33020020260520000018"
NEWER, OLDER = Link(SERIAL, 2), Link(SERIAL, 1)
OTHER = Link("33020020270512345678", 1)

# ---- the states -------------------------------------------------------------------------------------------------


def step(state: State, reason: str) -> Change:
    return Change(state, date(2026, 11, 1), NOW - timedelta(days=2), reason, "某人社〔2026〕1号")


def put(*states: State, value: StatusValue = StatusValue.VALID, **links: Any) -> Callable[[World], None]:
    """Bring register, history and status list into a state that the issuing side would leave behind."""

    def make(world: World) -> None:
        changes = tuple(step(one, "decided") for one in states)
        state = states[-1] if states else State.VALID
        world.register.change(state=state, changes=changes, **links)
        world.register.statuses[SLOT] = value

    return make


def erase(world: World) -> None:
    """What is left when the key is destroyed: the register does not find it by anything."""
    world.register.documents.clear()
    world.register.entries.clear()
    world.register.claims.clear()


def stop(world: World) -> None:
    world.register.is_down = {"by_digest", "by_code", "by_serial"}


def grow_old(world: World) -> None:
    world.register.token_from = NOW - LIFETIME - timedelta(minutes=1)


STATES: Mapping[str, Callable[[World], None]] = {
    "valid": put(),
    "suspended": put(State.SUSPENDED, value=StatusValue.SUSPENDED),
    "reinstated": put(State.SUSPENDED, State.VALID),
    "revoked": put(State.REVOKED, value=StatusValue.INVALID),
    "withdrawn": put(State.WITHDRAWN, value=StatusValue.INVALID),
    "suspended, then revoked": put(State.SUSPENDED, State.REVOKED, value=StatusValue.INVALID),
    "ended": put(State.ENDED, value=StatusValue.INVALID),
    "lapsed": put(State.LAPSED, value=StatusValue.INVALID),
    "transferred": put(State.TRANSFERRED, value=StatusValue.INVALID),
    "corrected": put(State.ENDED, value=StatusValue.SUPERSEDED, superseded_by=NEWER),
    "replaced": put(State.ENDED, value=StatusValue.SUPERSEDED, superseded_by=OTHER),
    "corrected, then revoked": put(State.ENDED, State.REVOKED, value=StatusValue.INVALID, superseded_by=NEWER),
    "a correction": put(supersedes=OLDER),
    "a replacement": put(supersedes=OTHER),
    "a correction, revoked": put(State.REVOKED, value=StatusValue.INVALID, supersedes=OLDER),
    "expired": put(),
    "erased": erase,
    "store down": stop,
    "status list stale": grow_old,
}

# ---- the ways ---------------------------------------------------------------------------------------------------


@functools.cache
def altered(document: bytes) -> bytes:
    at = document.index(b"%PDF-1.") + len(b"%PDF-1.")
    return document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]


@functools.cache
def scan(document: bytes) -> bytes:
    out = BytesIO()
    render(document, 200).save(out, "PDF", resolution=200)
    return out.getvalue()


@functools.cache
def picture(document: bytes) -> bytes:
    out = BytesIO()
    render(document, 200).save(out, "PNG")
    return out.getvalue()


def offline(world: World, verify: Callable[[World], Verdict]) -> Verdict:
    """Verify with nothing but a trust list and the status list as it was last published."""
    world.supplied = dataclasses.replace(world.supplied, status_tokens={0: world.register.token()})
    return verify(world)


Way = Callable[[World], Verdict]
FULL: Mapping[str, Way] = {
    "file": lambda world: world.online.verify_file(world.issued.document, NOW),
    "file with updates": lambda world: world.online.verify_file(with_updates(world), NOW),
    "QR code": lambda world: world.online.verify_qr(world.issued.qr_text, NOW),
    "address of the QR code": lambda world: world.online.verify_qr(world.issued.qr_text.partition("#")[0], NOW),
    "code": lambda world: world.online.verify_code(world.issued.claims.verification_code, NOW),
    "serial and name": lambda world: world.online.verify_serial(
        world.issued.claims.serial, world.issued.claims.holder.name, NOW
    ),
}
COPIES: Mapping[str, Way] = {
    "scan": lambda world: world.online.verify_file(scan(world.issued.document), NOW),
    "screenshot": lambda world: world.online.verify_file(picture(world.issued.document), NOW),
}
ALTERED: Mapping[str, Way] = {
    "altered file": lambda world: world.online.verify_file(altered(world.issued.document), NOW),
}
OFFLINE: Mapping[str, Way] = {
    "file offline": lambda world: offline(world, lambda it: it.offline.verify_file(it.issued.document, NOW)),
    "QR code offline": lambda world: offline(world, lambda it: it.offline.verify_qr(it.issued.qr_text, NOW)),
    "scan offline": lambda world: offline(world, lambda it: it.offline.verify_file(scan(it.issued.document), NOW)),
}
WITHOUT_SIGNATURE: Mapping[str, Way] = {
    "code offline": lambda world: offline(
        world, lambda it: it.offline.verify_code(it.issued.claims.verification_code, NOW)
    ),
}

# ---- the table --------------------------------------------------------------------------------------------------

V, R, P, S = Word.VALID, Word.REVOKED, Word.SUPERSEDED, Word.SUSPENDED
E, X, T, U, A = Word.ENDED, Word.EXPIRED, Word.TAMPERED, Word.UNKNOWN, Word.UNAVAILABLE

# Altered: the altered file is told to be altered whatever the state is, unless the register cannot be asked.
# A copy of a good certificate is unknown, never valid. Offline nothing is valid; what the list says is said, and
# an end has no value of its own in it, so it reads as revoked.
TABLE: Mapping[str, tuple[Word, Word, Word, Word]] = {
    # state                    full copies altered offline
    "valid":                   (V, U, T, A),
    "suspended":               (S, S, T, S),
    "reinstated":              (V, U, T, A),
    "revoked":                 (R, R, T, R),
    "withdrawn":               (R, R, T, R),
    "suspended, then revoked": (R, R, T, R),
    "ended":                   (E, E, T, R),
    "lapsed":                  (E, E, T, R),
    "transferred":             (E, E, T, R),
    "corrected":               (P, P, T, P),
    "replaced":                (P, P, T, P),
    "corrected, then revoked": (R, R, T, R),
    "a correction":            (V, U, T, A),
    "a replacement":           (V, U, T, A),
    "a correction, revoked":   (R, R, T, R),
    "expired":                 (X, X, T, X),
    "erased":                  (U, U, T, A),
    "store down":              (A, A, A, A),
    "status list stale":       (U, U, T, U),
}  # fmt: skip
EXCEPTIONS: Mapping[tuple[str, str], Word] = {
    # The QR code does not carry the last day of validity.
    ("expired", "QR code offline"): A,
    ("expired", "scan offline"): A,
}
COLUMNS = (FULL, COPIES, ALTERED, OFFLINE)


def cells() -> Iterable[tuple[str, str, Way, Word]]:
    for state, words in TABLE.items():
        for ways, word in zip(COLUMNS, words, strict=True):
            for name, way in ways.items():
                yield state, name, way, EXCEPTIONS.get((state, name), word)
        for name, way in WITHOUT_SIGNATURE.items():
            yield state, name, way, A


# ---- the worlds -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lasting(press: Press) -> tuple[Issued, tuple[bytes, ...]]:
    log = Log()
    return issue(press, log), tuple(log.leaves)


@pytest.fixture(scope="module")
def over(press: Press) -> tuple[Issued, tuple[bytes, ...]]:
    log = Log()
    return issue(press, log, expires_on=date(2026, 11, 21)), tuple(log.leaves)


@pytest.fixture
def world_of(
    press: Press, lasting: tuple[Issued, tuple[bytes, ...]], over: tuple[Issued, tuple[bytes, ...]]
) -> Callable[[str], World]:
    def make(state: str) -> World:
        issued, leaves = over if state == "expired" else lasting
        world = World(press, issued, Register(Log(list(leaves)), issued), trust_list(issued))
        STATES[state](world)
        return world

    return make


def test_the_table_has_every_state() -> None:
    assert TABLE.keys() == STATES.keys()


@pytest.mark.parametrize(
    ("state", "name", "way", "word"), [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in cells()]
)
def test_the_verdict_is_that_of_the_table(
    state: str, name: str, way: Way, word: Word, world_of: Callable[[str], World]
) -> None:
    verdict = way(world_of(state))
    assert (verdict.verdict, verdict.exit_code == 0) == (word, word is V), (name, verdict.reason, verdict.checks[-1])


@pytest.mark.parametrize("name", [*FULL, *COPIES])
def test_both_ends_of_a_chain_are_named_by_every_way(name: str, world_of: Callable[[str], World]) -> None:
    way = {**FULL, **COPIES}[name]
    for state, by, of in (
        ("corrected", NEWER, None),
        ("replaced", OTHER, None),
        ("a correction", None, OLDER),
        ("a replacement", None, OTHER),
    ):
        about = way(world_of(state)).as_json()["credential"]
        assert about["superseded_by"] == (None if by is None else {"serial": by.serial, "version": by.version})
        assert about["supersedes"] == (None if of is None else {"serial": of.serial, "version": of.version})


@pytest.mark.parametrize("part", ["by_digest", "by_code", "by_serial", "status_token", "checkpoint"])
@pytest.mark.parametrize("state", ["valid", "revoked", "corrected", "suspended"])
def test_no_part_of_the_register_that_is_down_makes_anything_valid_or_forged(
    part: str, state: str, world_of: Callable[[str], World]
) -> None:
    for way in FULL.values():
        world = world_of(state)
        healthy = way(world).verdict
        world.register.is_down = {part}
        assert way(world).verdict in {healthy, Word.UNAVAILABLE}


def test_a_name_before_its_correction_leads_to_what_took_its_place(
    press: Press, lasting: tuple[Issued, tuple[bytes, ...]]
) -> None:
    first, leaves = lasting
    log = Log(list(leaves))
    holder = dataclasses.replace(first.claims.holder, name="王更名")
    identifier = first.claims.identifier
    second = issue(press, log, holder=holder, verification_code="0123456789ABCDEF", status_index=78)
    assert second.claims.identifier == identifier
    register = Register(log, second, first)
    register.change(0, supersedes=OLDER)
    register.change(1, state=State.ENDED, changes=(step(State.ENDED, "name-changed"),), superseded_by=NEWER)
    register.statuses[SLOT] = StatusValue.SUPERSEDED
    world = World(press, first, register, trust_list(first))
    serial = first.claims.serial
    assert world.online.verify_serial(serial, first.claims.holder.name, NOW).verdict is Word.SUPERSEDED
    assert world.online.verify_serial(serial, "王更名", NOW).verdict is Word.VALID
    register.change(0, issued=False)
    register.change(1, state=State.VALID, changes=(), superseded_by=None)
    register.statuses[SLOT] = StatusValue.VALID
    register.claims[0] = dataclasses.replace(register.claims[0])
    assert world.online.verify_serial(serial, first.claims.holder.name, NOW).verdict is Word.VALID
