"""Every way in, against every state of a credential, its keys, its log and its stores: revocation always counts."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from credential.claims import encode_claims
from credential.cose import sign_message
from credential.model import State, StatusValue
from credential.ports import Link
from credential.trust import Role
from press.press import Press
from tests.fakes_issuer import MemorySigner
from tests.verifier.ways import ALL_WAYS, COPY_WAYS, FULL_WAYS, Way, qr_copy, with_updates
from tests.verifier.world import (
    NOW,
    OTHER_LOG_KEY,
    Log,
    Register,
    World,
    change_key,
    issue,
    trust_list,
)
from verifier.reasons import REASONS, Indication, Step, Word
from verifier.sandbox import Sandbox
from verifier.verdict import Outcome, Presented

every_way = pytest.mark.parametrize("way", ALL_WAYS.values(), ids=ALL_WAYS.keys())


# ---- good -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "presented"),
    list(
        zip(
            FULL_WAYS.values(),
            [
                Presented.ORIGINAL,
                Presented.ORIGINAL_WITH_UPDATES,
                Presented.ORIGINAL_WITH_UPDATES,
                Presented.QR_ONLY,
                Presented.QR_ONLY,
                Presented.CODE,
                Presented.SERIAL,
            ],
            strict=True,
        )
    ),
    ids=FULL_WAYS.keys(),
)
def test_a_good_certificate_is_valid_by_every_way(way: Way, presented: Presented, world: World) -> None:
    verdict = way(world)
    assert (verdict.verdict, verdict.indication, verdict.exit_code) == (Word.VALID, Indication.PASSED, 0)
    assert verdict.presented is presented
    assert all(check.outcome is not Outcome.FAILED for check in verdict.checks)
    assert [check.step for check in verdict.checks] == sorted(check.step for check in verdict.checks)
    assert verdict.status_at == NOW


def test_the_sandbox_gives_the_same_verdicts(world: World) -> None:
    with Sandbox() as sandbox:
        world.reader = sandbox
        assert world.online.verify_file(with_updates(world), NOW).verdict is Word.VALID
        offline = world.offline.verify_file(world.issued.document, NOW)
        assert offline.reason == "register-not-asked"
        assert {check.name for check in offline.checks} >= {"document", "claims", "signer", "shown", "issue-logged"}
        assert world.online.verify_file(qr_copy(world), NOW).reason == "copy"


def test_an_exact_original_is_not_even_parsed(world: World) -> None:
    verdict = world.online.verify_file(world.issued.document, NOW)
    assert verdict.verdict is Word.VALID
    assert world.reader.examined == 0  # type: ignore[attr-defined] # of the direct reader


# ---- every state by every way -----------------------------------------------------------------------------------

SUCCESSOR = Link("33020020270512345678", 1)


def unrevoke(world: World, state: State) -> None:
    """What somebody does who can write the table of credentials, and publishes the lists from it."""
    world.register.set_state(State.REVOKED)
    world.register.change(state=state)


STATES: Mapping[str, tuple[Callable[[World], None], Word]] = {
    "suspended": (lambda world: world.register.set_state(State.SUSPENDED), Word.SUSPENDED),
    "revoked": (lambda world: world.register.set_state(State.REVOKED), Word.REVOKED),
    "withdrawn": (lambda world: world.register.set_state(State.WITHDRAWN), Word.REVOKED),
    "ended": (lambda world: world.register.set_state(State.ENDED), Word.ENDED),
    "lapsed": (lambda world: world.register.set_state(State.LAPSED), Word.ENDED),
    "transferred": (lambda world: world.register.set_state(State.TRANSFERRED), Word.ENDED),
    "other": (lambda world: world.register.set_state(State.OTHER), Word.ENDED),
    "superseded": (lambda world: world.register.change(superseded_by=SUCCESSOR), Word.SUPERSEDED),
    "un-revoked behind the history": (lambda world: unrevoke(world, State.VALID), Word.UNKNOWN),
    "another state than its history": (lambda world: unrevoke(world, State.SUSPENDED), Word.UNKNOWN),
    "revoked without a history": (lambda world: world.register.change(state=State.REVOKED), Word.UNKNOWN),
    "superseded and ended": (
        lambda world: world.register.set_state(State.ENDED, superseded_by=SUCCESSOR),
        Word.SUPERSEDED,
    ),
    "revoked and superseded": (
        lambda world: world.register.set_state(State.REVOKED, superseded_by=SUCCESSOR),
        Word.REVOKED,
    ),
    "list says invalid": (lambda world: world.register.statuses.update({77: StatusValue.INVALID}), Word.REVOKED),
    "list says suspended": (lambda world: world.register.statuses.update({77: StatusValue.SUSPENDED}), Word.SUSPENDED),
    "list says superseded": (
        lambda world: world.register.statuses.update({77: StatusValue.SUPERSEDED}),
        Word.SUPERSEDED,
    ),
    "not issued": (lambda world: world.register.change(issued=False), Word.UNKNOWN),
    "no issue proof": (lambda world: world.register.change(issue_proof=""), Word.UNKNOWN),
    "bad issue proof": (
        lambda world: world.register.change(issue_proof=world.register.entries[1].issue_proof),
        Word.UNKNOWN,
    ),
    "list expired": (lambda world: setattr(world.register, "token_from", NOW - timedelta(hours=25)), Word.UNKNOWN),
    "list of the future": (lambda world: setattr(world.register, "token_from", NOW + timedelta(days=1)), Word.UNKNOWN),
    "list of another address": (lambda world: setattr(world.register, "status_uri", "https://x.org/0"), Word.UNKNOWN),
    "list by another key": (
        lambda world: setattr(world.register, "status_key", MemorySigner("thief")),
        Word.UNKNOWN,
    ),
    "another list": (lambda world: world.register.change(status_list=1), Word.TAMPERED),
    "another slot": (lambda world: world.register.change(status_index=78), Word.TAMPERED),
    "other claims": (
        lambda world: world.register.change(claims=world.register.entries[1].claims),
        Word.UNKNOWN,
    ),
    "claims signed by a thief": (
        lambda world: world.register.change(
            claims=sign_message(encode_claims(world.issued.claims), MemorySigner("thief"))
        ),
        Word.UNKNOWN,
    ),
    "checkpoint of another log": (
        lambda world: setattr(world.register, "published", Log(key=OTHER_LOG_KEY).checkpoint()),
        Word.UNKNOWN,
    ),
    "checkpoint rolled back": (lambda world: setattr(world.register, "published", Log().checkpoint()), Word.UNKNOWN),
    "checkpoint forked": (
        lambda world: setattr(
            world.register, "published", Log([b"%d" % n for n in range(len(world.register.log.leaves))]).checkpoint()
        ),
        Word.UNKNOWN,
    ),
    "checkpoint is no checkpoint": (lambda world: setattr(world.register, "published", "x\n"), Word.UNKNOWN),
    "trust list expired": (
        lambda world: setattr(world, "trust", dataclasses.replace(world.trust, expires=NOW)),
        Word.UNAVAILABLE,
    ),
    "witnesses demanded": (
        lambda world: setattr(world, "trust", dataclasses.replace(world.trust, witness_threshold=1)),
        Word.UNKNOWN,
    ),
}  # fmt: skip
ROLE_FAULTS: Mapping[str, dict[str, Any]] = {
    "compromised": {"compromised_since": NOW},
    "compromised long ago": {"compromised_since": NOW - timedelta(days=3650)},
    "of another issuer": {"issuer": "11330200002967370Q"},
    "valid too late": {"valid_from": NOW + timedelta(days=1)},
    "valid too early": {"valid_until": NOW - timedelta(days=200)},
    "unknown": {"public_key": MemorySigner("somebody").public_key},
}


@pytest.mark.parametrize(("fault", "word"), STATES.values(), ids=STATES.keys())
@every_way
def test_every_way_fails_closed_in_every_state(
    way: Way, fault: Callable[[World], None], word: Word, world: World
) -> None:
    fault(world)
    verdict = way(world)
    if way in COPY_WAYS.values() and word is Word.TAMPERED:
        word = verdict.verdict  # a copy has its own order of checks, and is never valid
    if verdict.reason == "no-such-credential":
        word = Word.UNKNOWN  # by serial and name, another person's claims are simply not found
    assert verdict.verdict is word, verdict
    assert verdict.verdict is not Word.VALID
    assert verdict.exit_code in {1, 2}


@pytest.mark.parametrize("fault", ROLE_FAULTS.values(), ids=ROLE_FAULTS.keys())
@every_way
def test_a_claims_key_in_a_bad_state_makes_nothing_valid(way: Way, fault: dict[str, Any], world: World) -> None:
    world.trust = change_key(world.trust, Role.QR, **fault)
    assert way(world).verdict in {Word.UNKNOWN, Word.TAMPERED}


@pytest.mark.parametrize("fault", ROLE_FAULTS.values(), ids=ROLE_FAULTS.keys())
@pytest.mark.parametrize("way", [FULL_WAYS["file"], FULL_WAYS["file with updates"]])
def test_a_document_key_in_a_bad_state_makes_no_file_valid(way: Way, fault: dict[str, Any], world: World) -> None:
    world.trust = change_key(world.trust, Role.PDF, **fault)
    assert way(world).verdict in {Word.UNKNOWN, Word.TAMPERED}


@pytest.mark.parametrize("role", [Role.LOG, Role.STATUS])
@every_way
def test_a_compromised_or_missing_key_of_log_or_status_makes_nothing_valid(way: Way, role: Role, world: World) -> None:
    whole = world.trust
    world.trust = change_key(whole, role, compromised_since=NOW - timedelta(days=1))
    assert way(world).verdict is Word.UNKNOWN
    world.trust = dataclasses.replace(whole, keys=tuple(key for key in whole.keys if key.role is not role))
    assert way(world).verdict is Word.UNKNOWN


def test_a_status_key_that_is_over_makes_nothing_valid(world: World) -> None:
    world.trust = change_key(world.trust, Role.STATUS, valid_until=NOW)
    assert FULL_WAYS["code"](world).reason == "status-unusable"


@pytest.mark.parametrize("method", ["by_digest", "by_code", "by_serial", "checkpoint", "status_token"])
@every_way
def test_a_store_that_does_not_answer_is_never_called_a_forgery(way: Way, method: str, world: World) -> None:
    world.register.is_down = {method}
    verdict = way(world)
    if verdict.verdict is not Word.UNAVAILABLE:  # this way does not ask that question
        assert verdict.verdict is Word.VALID or verdict.reason == "copy"
    else:
        assert (verdict.indication, verdict.exit_code) == (Indication.INDETERMINATE, 2)


def test_anything_but_an_unanswered_question_passes_through(world: World) -> None:
    def broken(_: bytes) -> None:
        raise ZeroDivisionError

    world.register.by_digest = broken  # type: ignore[method-assign,assignment] # a fault of our own
    with pytest.raises(ZeroDivisionError):
        world.online.verify_file(world.issued.document, NOW)


def test_the_last_day_of_validity_is_a_day_in_beijing(press: Press) -> None:
    log = Log()
    issued = issue(press, log, expires_on=date(2026, 11, 22))
    world = World(press, issued, Register(log, issued), trust_list(issued))
    midnight = NOW.replace(hour=16)  # 00:00 of the 23rd in Beijing
    world.register.token_from = NOW
    assert world.online.verify_file(issued.document, midnight - timedelta(seconds=1)).verdict is Word.VALID
    late = world.online.verify_file(issued.document, midnight)
    assert (late.verdict, late.exit_code) == (Word.EXPIRED, 1)
    assert world.offline.verify_file(issued.document, midnight).verdict is Word.EXPIRED


def test_a_register_that_contradicts_itself_says_so_and_still_tells_of_the_revocation(world: World) -> None:
    unrevoke(world, State.VALID)
    for way in FULL_WAYS.values():
        verdict = way(world)
        assert (verdict.reason, verdict.exit_code) == ("register-damaged", 2)
        assert [change.state for change in verdict.changes] == [State.REVOKED]


def test_the_newest_change_counts(world: World) -> None:
    world.register.set_state(State.SUSPENDED)
    (suspended,) = world.register.entries[0].changes
    resumed = dataclasses.replace(suspended, state=State.VALID, recorded_at=NOW - timedelta(days=1))
    world.register.change(state=State.VALID, changes=(suspended, resumed))
    assert FULL_WAYS["file"](world).verdict is Word.VALID
    world.register.change(changes=(resumed, suspended))
    assert FULL_WAYS["file"](world).reason == "register-damaged"


# ---- what is told -----------------------------------------------------------------------------------------------


def test_a_file_or_code_tells_the_name_and_a_serial_only_its_beginning(world: World) -> None:
    name = world.issued.claims.holder.name
    for label, way in FULL_WAYS.items():
        summary = way(world).credential
        assert summary is not None
        assert (summary.name == name) is (label != "serial")
        assert summary.name[0] == name[0]


@every_way
def test_no_verdict_tells_an_id_number(way: Way, world: World) -> None:
    number = world.issued.claims.holder.id_number
    assert number
    assert number not in str(way(world).as_json())
    assert number not in repr(way(world))


def test_a_bad_serial_and_a_bad_name_are_answered_alike(world: World) -> None:
    claims = world.issued.claims
    answers = [
        world.online.verify_serial("33020020260512345678", claims.holder.name, NOW),
        world.online.verify_serial(claims.serial, "别人", NOW),
        world.online.verify_serial(claims.serial, "", NOW),
        world.online.verify_serial("", "", NOW),
    ]
    assert len({str(answer.as_json()) for answer in answers}) == 1
    assert answers[0].reason == "no-such-credential"
    assert answers[0].credential is None


def test_changes_are_told_with_both_dates(world: World) -> None:
    world.register.set_state(State.REVOKED)
    verdict = FULL_WAYS["code"](world)
    (change,) = verdict.as_json()["changes"]
    assert change["effective_on"] == "2026-11-01"
    assert change["recorded_at"].startswith("2026-11-20")
    assert (change["reason"], change["decision"]) == ("fraud", "某人社〔2026〕1号")
    assert verdict.as_json()["credential"]["state"] == {
        "code": "03",
        "zh": "撤销",
        "en": "revoked from the start",
    }


def test_the_json_form_has_the_keys_that_callers_rely_on(world: World) -> None:
    value = FULL_WAYS["file"](world).as_json("a.pdf")
    assert list(value)[:8] == [
        "file", "verdict", "presented", "integrity", "indication", "sub_indication", "checks", "credential",
    ]  # fmt: skip
    assert value["file"] == "a.pdf"


def test_every_reason_has_a_verdict_and_words_in_both_languages() -> None:
    for name, reason in REASONS.items():
        assert reason.zh, name
        assert reason.en, name
        assert any("\u4e00" <= char <= "\u9fff" for char in reason.zh), name
        assert not reason.en.endswith("."), name
        assert (reason.word is Word.VALID) is (reason.indication is Indication.PASSED) is (name == "good"), name


def test_steps_are_numbered_as_documented() -> None:
    assert [int(step) for step in Step] == list(range(1, 10))
