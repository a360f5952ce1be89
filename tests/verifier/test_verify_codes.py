"""QR codes, typed codes and verifying offline: what they are believed, and what not."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from credential.cose import sign_message, signature_bytes
from credential.model import StatusValue
from credential.ports import Algorithm
from credential.qr import encode_qr_claims, fit_qr_claims, qr_text
from press.press import Press
from tests.fakes_issuer import MemorySigner
from tests.verifier.ways import Way, qr_copy
from tests.verifier.world import (
    CODE,
    NOW,
    OTHER_LOG_KEY,
    QR_KEY,
    DirectReader,
    Log,
    World,
    issue,
    make_qr_text,
)
from verifier.look import Look
from verifier.reasons import Word
from verifier.verdict import Outcome

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


def elsewhere(text: str, origin: str = "https://evil.example.com") -> str:
    return origin + text[text.index("/c/") :]


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_genuine_code_that_leads_to_another_site_is_a_look_alike(*, is_signed: bool, world: World) -> None:
    text = world.issued.qr_text if is_signed else world.issued.qr_text.partition("#")[0]
    for origin in ("https://evil.example.com", "http://zs.example.org", "https://zs.example.org:8443"):
        verdict = world.online.verify_qr(elsewhere(text, origin), NOW)
        assert (verdict.reason, verdict.verdict, verdict.exit_code) == ("qr-other-site", Word.TAMPERED, 1)
    world.supplied = dataclasses.replace(world.supplied, origins={})
    assert world.online.verify_qr(text, NOW).reason == "qr-other-site"  # nobody said that it is the issuer's
    assert world.online.verify_qr(elsewhere(text, "https://zs.example.org"), NOW).verdict is Word.VALID


def test_the_sites_of_one_issuer_are_not_those_of_another(world: World) -> None:
    origins = {"11330200002967370Q": frozenset({"https://evil.example.com"})}
    world.supplied = dataclasses.replace(world.supplied, origins={**world.supplied.origins, **origins})
    assert world.online.verify_qr(elsewhere(world.issued.qr_text), NOW).reason == "qr-other-site"


def test_offline_an_unknown_site_is_left_open(world: World) -> None:
    for text, outcome in (
        (world.issued.qr_text, Outcome.PASSED),
        (elsewhere(world.issued.qr_text), Outcome.INDETERMINATE),
    ):
        verdict = world.offline.verify_qr(text, NOW)
        assert verdict.reason == "register-not-asked"
        assert [check.outcome for check in verdict.checks if check.name == "qr-site"] == [outcome]


def test_a_code_on_a_page_that_leads_to_another_site_is_a_look_alike(world: World) -> None:
    class Misled(DirectReader):
        def look(self, document: bytes) -> Look:
            return dataclasses.replace(super().look(document), symbols=(elsewhere(world.issued.qr_text),))

    world.reader = Misled()
    assert world.online.verify_file(qr_copy(world), NOW).reason == "qr-other-site"


def test_a_qr_code_that_names_another_list_is_found_out(world: World) -> None:
    claims = world.issued.claims
    fitted = fit_qr_claims(claims, 1, world.press.qr_budget, signature_bytes(Algorithm.P256))
    message = sign_message(encode_qr_claims(fitted), QR_KEY)
    text = qr_text(world.press.look.public_url, CODE, message)
    assert world.online.verify_qr(text, NOW).reason == "register-differs"


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
    world.supplied = dataclasses.replace(world.supplied, status_tokens={0: world.register.token()})
    good = way(world)
    assert (good.reason, good.status_at) == ("register-not-asked", NOW)
    assert "status-list" in {check.name for check in good.checks}
    world.register.statuses[77] = StatusValue.INVALID
    world.supplied = dataclasses.replace(world.supplied, status_tokens={0: world.register.token()})
    assert way(world).verdict is Word.REVOKED
    world.register.token_from = NOW - timedelta(hours=25)
    world.supplied = dataclasses.replace(world.supplied, status_tokens={0: world.register.token()})
    assert way(world).reason == "status-unusable"


def test_offline_lists_of_others_say_nothing(world: World) -> None:
    world.register.status_uri = "https://zs.example.org/status/5"
    world.register.statuses[77] = StatusValue.INVALID
    token = world.register.token()
    world.supplied = dataclasses.replace(world.supplied, status_tokens={5: token})
    assert OFFLINE_WAYS["file"](world).status_at is None
    assert OFFLINE_WAYS["qr"](world).status_at is None
    world.supplied = dataclasses.replace(world.supplied, status_tokens={0: token})
    assert OFFLINE_WAYS["qr"](world).reason == "status-unusable"


def test_offline_a_file_without_a_good_proof_of_issue_is_not_believed(press: Press, world: World) -> None:
    log = Log(key=OTHER_LOG_KEY)
    issued = issue(press, log)
    assert world.offline.verify_file(issued.document, NOW).reason == "issue-not-logged"
