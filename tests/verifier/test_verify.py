"""Every way in, against every state of a credential, its keys, its log and its stores: revocation always counts."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import pytest

from credential.claims import encode_claims
from credential.cose import sign_message
from credential.leaves import issue_leaf, seal_leaf
from credential.model import State, StatusValue
from credential.ports import Algorithm
from credential.qr import qr_text
from credential.trust import Role
from press.look import render
from press.press import Press
from tests.fakes_issuer import MemorySigner
from tests.verifier import making
from tests.verifier.making import make_root, make_stamper, write_pdf
from tests.verifier.world import (
    CODE,
    NOW,
    QR_KEY,
    DirectReader,
    Log,
    Register,
    World,
    change_key,
    issue,
    make_qr_text,
    sample_claims,
    trust_list,
)
from verifier.inquiry import Inquiry
from verifier.reasons import REASONS, Indication, Step, Word
from verifier.report import Integrity
from verifier.sandbox import Sandbox
from verifier.steps import Supplied
from verifier.verdict import Outcome, Presented, Verdict
from verifier.verify import Verifier

Way = Callable[[World], Verdict]


def with_updates(world: World) -> bytes:
    return making.add_validation_data(world.issued.document, [make_root().cert])


def qr_copy(world: World) -> bytes:
    """What a scan of the page is: a picture of it in a PDF without any signature."""

    out = BytesIO()
    render(world.issued.document, 200).save(out, "PDF", resolution=200)
    return out.getvalue()


FULL_WAYS: Mapping[str, Way] = {
    "file": lambda world: world.online.verify_file(world.issued.document, NOW),
    "file with updates": lambda world: world.online.verify_file(with_updates(world), NOW),
    "file and line end": lambda world: world.online.verify_file(world.issued.document + b"\n", NOW),
    "qr": lambda world: world.online.verify_qr(world.issued.qr_text, NOW),
    "qr without signature": lambda world: world.online.verify_qr(world.issued.qr_text.partition("#")[0], NOW),
    "code": lambda world: world.online.verify_code(world.issued.claims.verification_code, NOW),
    "serial": lambda world: world.online.verify_serial(
        world.issued.claims.serial, world.issued.claims.holder.name, NOW
    ),
}
COPY_WAYS: Mapping[str, Way] = {"scan": lambda world: world.online.verify_file(qr_copy(world), NOW)}
ALL_WAYS = {**FULL_WAYS, **COPY_WAYS}

every_full_way = pytest.mark.parametrize("way", FULL_WAYS.values(), ids=FULL_WAYS.keys())
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


OTHER_LOG_KEY = MemorySigner("another log", Algorithm.ED25519)

# ---- every state by every way -----------------------------------------------------------------------------------

STATES: Mapping[str, tuple[Callable[[World], None], Word]] = {
    "suspended": (lambda world: world.register.set_state(State.SUSPENDED), Word.SUSPENDED),
    "revoked": (lambda world: world.register.set_state(State.REVOKED), Word.REVOKED),
    "withdrawn": (lambda world: world.register.set_state(State.WITHDRAWN), Word.REVOKED),
    "ended": (lambda world: world.register.set_state(State.ENDED), Word.ENDED),
    "lapsed": (lambda world: world.register.set_state(State.LAPSED), Word.ENDED),
    "transferred": (lambda world: world.register.set_state(State.TRANSFERRED), Word.ENDED),
    "other": (lambda world: world.register.set_state(State.OTHER), Word.ENDED),
    "superseded": (lambda world: world.register.change(superseded_by="33020020270512345678"), Word.SUPERSEDED),
    "superseded and ended": (
        lambda world: world.register.change(state=State.ENDED, superseded_by="33020020270512345678"),
        Word.SUPERSEDED,
    ),
    "revoked and superseded": (
        lambda world: world.register.change(state=State.REVOKED, superseded_by="33020020270512345678"),
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


# ---- unknown things ---------------------------------------------------------------------------------------------


def test_codes_of_nobody_and_nonsense_are_not_valid(world: World) -> None:
    assert world.online.verify_code("0000-0000-0000-0000", NOW).reason == "no-such-credential"
    assert world.online.verify_code("short", NOW).reason == "bad-code"
    assert world.online.verify_code("", NOW).exit_code == 1


def test_a_code_may_be_typed_with_hyphens_and_small_letters(world: World) -> None:
    assert world.online.verify_code("7f3k-9q2m-wx4t-8zbn", NOW).verdict is Word.VALID


@pytest.mark.parametrize("text", ["", "https://example.org/", "1234", "https://zs.example.org/c/7F3K9Q2MWX4T8ZBN#9123"])
def test_other_qr_codes_are_not_ours(text: str, world: World) -> None:
    assert world.online.verify_qr(text, NOW).reason == "bad-qr"


def test_a_register_entry_with_another_code_is_not_believed(world: World) -> None:
    world.register.claims[0] = dataclasses.replace(world.issued.claims, verification_code="1111111111111111")
    assert world.online.verify_code("1111-1111-1111-1111", NOW).reason == "register-damaged"


# ---- QR codes ---------------------------------------------------------------------------------------------------


def forged_qr(world: World, key: MemorySigner, **changes: Any) -> str:
    return make_qr_text(world.press, dataclasses.replace(world.issued.claims, **changes), key)


def test_a_qr_code_signed_by_a_thief_is_not_believed(world: World) -> None:
    verdict = world.online.verify_qr(forged_qr(world, MemorySigner("thief")), NOW)
    assert verdict.reason == "claims-unknown-key"
    assert verdict.credential is None


def test_a_qr_code_with_one_changed_digit_is_not_believed(world: World) -> None:
    text = world.issued.qr_text
    for position in range(len(text) - 40, len(text)):
        other = "1" if text[position] != "1" else "2"
        verdict = world.online.verify_qr(text[:position] + other + text[position + 1 :], NOW)
        assert verdict.verdict in {Word.TAMPERED, Word.UNKNOWN}


def test_a_stolen_key_makes_no_unregistered_qr_code_valid(world: World) -> None:
    text = make_qr_text(world.press, dataclasses.replace(world.issued.claims, verification_code="1111111111111111"))
    assert world.online.verify_qr(text, NOW).reason == "no-such-credential"


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": {"title": "正高级工程师", "level": "正高级"}},
        {"status_index": 99},
        {"issued_at": NOW - timedelta(days=29)},
        {"salt": b"another salt...."},
    ],
)
def test_a_stolen_key_cannot_change_a_registered_qr_code(changes: dict[str, Any], world: World) -> None:
    text = make_qr_text(world.press, dataclasses.replace(world.issued.claims, **changes))
    assert world.online.verify_qr(text, NOW).reason == "register-differs"


def test_the_message_of_one_code_under_the_code_of_another_is_found_out(world: World) -> None:
    first, second = world.issued.qr_text, world.register.claims[1].verification_code
    swapped = first.replace(world.issued.claims.verification_code, second)
    assert world.online.verify_qr(swapped, NOW).verdict is Word.TAMPERED


def test_a_signed_message_that_is_no_qr_claims_is_malformed(world: World) -> None:

    text = qr_text(world.press.look.public_url, CODE, sign_message(b"\xa0", QR_KEY))
    assert world.online.verify_qr(text, NOW).reason == "claims-malformed"
    text = qr_text(world.press.look.public_url, CODE, b"\xd2\x84")
    assert world.online.verify_qr(text, NOW).reason == "claims-malformed"


# ---- offline ----------------------------------------------------------------------------------------------------

OFFLINE_WAYS: Mapping[str, Way] = {
    "file": lambda world: world.offline.verify_file(world.issued.document, NOW),
    "qr": lambda world: world.offline.verify_qr(world.issued.qr_text, NOW),
    "qr without signature": lambda world: world.offline.verify_qr(world.issued.qr_text.partition("#")[0], NOW),
    "code": lambda world: world.offline.verify_code(world.issued.claims.verification_code, NOW),
    "serial": lambda world: world.offline.verify_serial(
        world.issued.claims.serial, world.issued.claims.holder.name, NOW
    ),
    "scan": lambda world: world.offline.verify_file(qr_copy(world), NOW),
}


@pytest.mark.parametrize("way", OFFLINE_WAYS.values(), ids=OFFLINE_WAYS.keys())
def test_offline_nothing_is_valid_and_nothing_is_called_a_forgery(way: Way, world: World) -> None:
    verdict = way(world)
    assert (verdict.reason, verdict.exit_code) == ("register-not-asked", 2)


@pytest.mark.parametrize("label", ["file", "qr", "scan"])
def test_offline_a_supplied_list_tells_of_revocation(label: str, world: World) -> None:
    way = OFFLINE_WAYS[label]
    world.supplied = Supplied(world.supplied.templates, status_tokens={0: world.register.token()})
    good = way(world)
    assert (good.reason, good.status_at) == ("register-not-asked", NOW)
    assert "status-list" in {check.name for check in good.checks}
    world.register.statuses[77] = StatusValue.INVALID
    world.supplied = Supplied(world.supplied.templates, status_tokens={0: world.register.token()})
    assert way(world).verdict is Word.REVOKED
    world.register.token_from = NOW - timedelta(hours=25)
    world.supplied = Supplied(world.supplied.templates, status_tokens={0: world.register.token()})
    assert way(world).reason == "status-unusable"


def test_offline_lists_of_others_say_nothing(world: World) -> None:
    world.register.status_uri = "https://zs.example.org/status/5"
    world.register.statuses[77] = StatusValue.INVALID
    token = world.register.token()
    world.supplied = Supplied(world.supplied.templates, status_tokens={5: token})
    assert OFFLINE_WAYS["file"](world).status_at is None
    assert OFFLINE_WAYS["qr"](world).status_at is None
    world.supplied = Supplied(world.supplied.templates, status_tokens={0: token})
    assert OFFLINE_WAYS["qr"](world).reason == "status-unusable"


def test_offline_a_file_without_a_good_proof_of_issue_is_not_believed(press: Press, world: World) -> None:
    log = Log(key=OTHER_LOG_KEY)
    issued = issue(press, log)
    assert world.offline.verify_file(issued.document, NOW).reason == "issue-not-logged"


# ---- files that the register has not sealed -----------------------------------------------------------------------


def test_a_file_that_stolen_keys_made_is_not_valid(press: Press, world: World) -> None:
    """All signing keys of the issuer, but not the log: nothing it makes is acceptable."""
    invented = issue(press, Log(), verification_code="1111111111111111", status_index=5)
    verdict = world.online.verify_file(invented.document, NOW)
    assert (verdict.reason, verdict.exit_code) == ("seal-not-logged", 2)
    improved = issue(press, Log(), fields={**world.issued.claims.fields, "level": "正高级", "title": "教授"})
    assert world.online.verify_file(improved.document, NOW).verdict is Word.TAMPERED


def test_a_row_put_into_the_register_makes_nothing_valid(press: Press, world: World) -> None:
    """All signing keys and the database, but not the log key."""
    invented = issue(press, Log(), verification_code="1111111111111111", status_index=5)
    world.register = Register(world.register.log, invented)
    for verdict in (
        world.online.verify_file(invented.document, NOW),
        world.online.verify_qr(invented.qr_text, NOW),
        world.online.verify_code("1111-1111-1111-1111", NOW),
    ):
        assert verdict.reason == "issue-not-logged"


def test_a_reprinted_certificate_that_was_not_sealed_is_not_valid(press: Press, world: World) -> None:
    claims, photo = sample_claims(press)
    payload = encode_claims(claims)
    leaf = issue_leaf(hashlib.sha256(payload).digest(), claims.salt)
    printed = press.print(
        claims,
        photo=photo,
        qr_text=world.issued.qr_text,
        message=world.issued.message,
        proof=world.register.log.proof(leaf),
    )
    twin = press.prefix(False).content + printed.tail
    assert twin != world.issued.document
    assert world.online.verify_file(twin, NOW).reason == "seal-not-logged"
    world.register.set_state(State.REVOKED)
    assert world.online.verify_file(twin, NOW).verdict is Word.REVOKED


def test_a_sealed_file_whose_proof_is_missing_is_not_valid(world: World) -> None:
    bare = tuple(dataclasses.replace(file, seal_proof="") for file in world.register.entries[0].files)
    for files in (bare, ()):
        world.register.change(files=files)
        assert FULL_WAYS["file"](world).reason == "seal-not-logged"
        assert FULL_WAYS["code"](world).verdict is Word.VALID  # the code asks nothing of a file


def test_a_sealed_file_without_a_signature_of_the_issuer_is_not_valid(world: World) -> None:
    """Somebody who can write register and log seals a file that the issuer never signed."""
    root = make_root()
    for document in (write_pdf(), making.sign_pdf(write_pdf(), making.issue_identity(root)), b"no document"):
        digest = hashlib.sha256(document).digest()
        leaf = seal_leaf(digest, world.issued.claims.salt)
        world.register.log.add(leaf)
        file = dataclasses.replace(
            world.register.entries[0].files[0], digest=digest, seal_proof=world.register.log.proof(leaf)
        )
        world.register.change(files=(file,))
        world.register.documents[digest] = 0
        assert world.online.verify_file(document, NOW).reason == "signers-disagree"


def test_a_document_of_somebody_else_is_unknown(world: World) -> None:
    root = make_root()
    foreign = making.sign_pdf(write_pdf(), making.issue_identity(root))
    for document in (foreign, write_pdf(), b"", b"nothing at all"):
        verdict = world.online.verify_file(document, NOW)
        assert (verdict.verdict, verdict.presented) == (Word.UNKNOWN, Presented.CONVERTED_COPY)
        assert verdict.exit_code == 2


def test_a_document_signed_under_our_root_without_claims_is_not_valid(world: World) -> None:
    root = make_root()
    world.trust = dataclasses.replace(world.trust, ca_certs=(root.der,))
    other = making.sign_pdf(write_pdf(), making.issue_identity(root))
    assert world.online.verify_file(other, NOW).reason == "claims-malformed"


def test_a_document_with_our_claims_by_another_signer_under_our_root_is_found_out(world: World) -> None:
    root = make_root()
    world.trust = dataclasses.replace(world.trust, ca_certs=(root.der,))
    carrier = write_pdf(attachments={"certificate.cose": world.issued.message})
    other = making.sign_pdf(carrier, making.issue_identity(root))
    assert world.online.verify_file(other, NOW).reason == "signers-disagree"


def test_an_expired_signer_of_an_unsealed_file_leaves_it_open(world: World) -> None:
    root = make_root()
    world.trust = dataclasses.replace(world.trust, ca_certs=(root.der,))
    expired = making.issue_identity(root, valid_until=NOW - timedelta(days=1))
    carrier = write_pdf(attachments={"certificate.cose": world.issued.message})
    assert world.online.verify_file(making.sign_pdf(carrier, expired), NOW).reason == "signer-undecided"


# ---- updates and alterations --------------------------------------------------------------------------------------


def test_archival_timestamps_leave_an_original_valid(world: World) -> None:
    stamped = making.add_timestamp(with_updates(world), make_stamper(make_root()))
    verdict = world.online.verify_file(stamped, NOW)
    assert (verdict.verdict, verdict.integrity) == (Word.VALID, Integrity.INTACT_WITH_UPDATES)


def test_an_altered_original_is_called_so_and_named(world: World) -> None:
    for tail in (b"x", b"% note\n", b"9 0 obj\n(x)\nendobj\n"):
        verdict = world.online.verify_file(world.issued.document + tail, NOW)
        assert (verdict.verdict, verdict.presented) == (Word.TAMPERED, Presented.ALTERED)
        assert verdict.integrity is Integrity.MODIFIED
        assert verdict.credential is not None
        assert verdict.credential.serial == world.issued.claims.serial


def test_an_original_with_a_tail_beyond_the_limits_cannot_be_told(world: World) -> None:
    verdict = world.online.verify_file(world.issued.document + bytes(17 << 20), NOW)
    assert (verdict.verdict, verdict.exit_code) == (Word.UNKNOWN, 2)
    assert verdict.integrity is Integrity.UNREADABLE


def test_a_copy_is_about_the_certificate_that_its_qr_code_names(world: World) -> None:
    verdict = world.online.verify_file(qr_copy(world), NOW)
    assert (verdict.reason, verdict.presented) == ("copy", Presented.CONVERTED_COPY)
    assert verdict.verdict is not Word.VALID
    assert verdict.exit_code == 2
    assert verdict.credential is not None
    assert verdict.credential.state is State.VALID
    world.register.set_state(State.REVOKED)
    assert world.online.verify_file(qr_copy(world), NOW).verdict is Word.REVOKED


def test_a_copy_of_an_unregistered_certificate_is_unknown(press: Press, world: World) -> None:
    invented = issue(press, Log(), verification_code="1111111111111111", status_index=5)
    world.issued = invented
    assert world.online.verify_file(qr_copy(world), NOW).reason == "no-such-credential"


def test_a_stripped_file_is_a_copy_even_when_only_its_attachment_names_it(world: World) -> None:
    carrier = write_pdf(attachments={"certificate.cose": world.issued.message})
    verdict = world.online.verify_file(carrier, NOW)
    assert (verdict.reason, verdict.presented) == ("shown-differs", Presented.CONVERTED_COPY)
    world.supplied = Supplied()
    assert world.online.verify_file(carrier, NOW).reason == "copy"
    world.register.claims = []
    world.register.entries = []
    assert world.online.verify_file(carrier, NOW).reason == "no-such-credential"


def test_a_way_that_left_out_a_step_could_not_say_valid(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.setattr("verifier.steps.Steps.still_good", lambda *_: None)
    with pytest.raises(AssertionError):
        world.online.verify_file(world.issued.document, NOW)


def test_only_registered_credentials_have_proofs(world: World) -> None:

    offline = Verifier(None, world.trust, DirectReader())
    found = world.online._steps.open_registered(world.register.entries[0])
    with pytest.raises(AssertionError):
        offline._steps.logged(Inquiry(Presented.CODE, NOW), found, None)
