"""A line or a list by a key that is known and is not the one to believe: bad lines, another issuer's status key."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest

from credential.note import BadNote, note_key_id
from credential.ports import Algorithm
from credential.trust import Role
from registry.log.growth import open_by_any
from tests.attacks.thieves import NEXT_LOG_KEY, add_key
from tests.fakes_issuer import MemorySigner
from tests.verifier.world import LOG_KEY, NOW, ORIGIN, STATUS_KEY, World, change_key
from verifier.reasons import Word
from verifier.trust import check_logged, open_head
from verifier.verdict import CheckFailed

STRANGER = MemorySigner("nobody's log key", Algorithm.ED25519)


def bad_line(signer: MemorySigner) -> str:
    return f"— {ORIGIN} {base64.b64encode(note_key_id(ORIGIN, signer.public_key) + bytes(64)).decode()}\n"


@pytest.mark.parametrize("is_stolen", [False, True])
@pytest.mark.parametrize("is_first", [False, True])
def test_a_bad_line_by_any_listed_log_key_refuses_the_whole_note(
    world: World, *, is_stolen: bool, is_first: bool
) -> None:
    trust = add_key(world.trust, Role.LOG, NEXT_LOG_KEY, NOW - timedelta(days=1))
    if is_stolen:
        keys = (
            replace(key, compromised_since=NOW) if key.public_key == NEXT_LOG_KEY.public_key else key
            for key in trust.keys
        )
        trust = replace(trust, keys=tuple(keys))
    if is_first:
        trust = replace(trust, keys=trust.keys[::-1])
    leaf = world.register.log.leaves[1]
    proof, note = world.register.log.proof(leaf), world.register.log.checkpoint()
    both = [key.public_key for key in trust.keys if key.role is Role.LOG]
    for line in ("", bad_line(STRANGER)):  # a line by a key that nobody lists is passed over
        check_logged(trust, proof + line, leaf, "issue-not-logged")
        assert open_head(trust, note + line).size == open_by_any(note + line, both, ORIGIN).size
    bad = bad_line(NEXT_LOG_KEY)
    with pytest.raises(CheckFailed, match="issue-not-logged"):
        check_logged(trust, proof + bad, leaf, "issue-not-logged")
    with pytest.raises(CheckFailed, match="log-forked"):
        open_head(trust, note + bad)
    with pytest.raises(BadNote):
        open_by_any(note + bad, both, ORIGIN)
    with pytest.raises(BadNote):
        open_by_any(note + bad, [NEXT_LOG_KEY.public_key, LOG_KEY.public_key], ORIGIN)


def test_a_status_key_of_another_issuer_says_nothing(world: World) -> None:
    assert world.register.status_key is STATUS_KEY
    for issuer, word in ((world.issued.claims.issuer, Word.VALID), ("11330299MB0T00099X", Word.UNKNOWN)):
        world.trust = change_key(world.trust, Role.STATUS, issuer=issuer)
        verdict = world.online.verify_file(world.issued.document, NOW)
        assert verdict.verdict is word
        world.supplied = replace(world.supplied, status_tokens={0: world.register.token()})
        offline = {
            world.offline.verify_file(world.issued.document, NOW).reason,
            world.offline.verify_qr(world.issued.qr_text, NOW).reason,
        }
        assert offline == ({"register-not-asked"} if word is Word.VALID else {"status-unusable"})
