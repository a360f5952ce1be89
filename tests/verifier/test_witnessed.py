"""Witnesses demanded: what only the log's key has signed is worth nothing, online and offline."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from credential.cosignature import cosign, witness_of
from credential.note import parse_note
from credential.ports import Algorithm
from credential.trust import Role, TrustList, Witness
from press.press import Press
from tests.attacks.thieves import offline_file, supply, with_authority
from tests.fakes_issuer import MemorySigner
from tests.verifier.ways import ALL_WAYS, FULL_WAYS, Way
from tests.verifier.world import LOG_KEY, NOW, ORIGIN, Issued, Log, Register, World, change_key, issue, trust_list
from verifier.reasons import Indication, Word
from verifier.verdict import CheckFailed, Outcome, Presented, WitnessCount
from verifier.witnessed import check_witnessed, count_witnesses, independent_witnesses

KEYS = {f"w{number}.example.org": MemorySigner(f"witness {number}", Algorithm.ED25519) for number in (1, 2, 3)}
WITNESSES = tuple(witness_of(name, key) for name, key in KEYS.items())
THIEF = MemorySigner("thief", Algorithm.ED25519)


@dataclass
class WitnessedLog(Log):
    """A log whose every checkpoint is cosigned by these, in the order of ``KEYS``."""

    cosigned_by: Sequence[int] = (1, 2)

    def checkpoint(self) -> str:
        note = super().checkpoint()
        text = parse_note(note).text
        names = [f"w{number}.example.org" for number in self.cosigned_by]
        return note + "".join(cosign(text, name, KEYS[name], NOW) for name in names)


def demand(trust: TrustList, threshold: int) -> TrustList:
    return replace(trust, witnesses=WITNESSES, witness_threshold=threshold)


@pytest.fixture(scope="module")
def cosigned(press: Press) -> tuple[Issued, tuple[bytes, ...]]:
    """A certificate printed with proofs that two of three witnesses cosigned, and the leaves of its log."""
    log = WitnessedLog()
    return issue(press, log), tuple(log.leaves)


@pytest.fixture
def world(press: Press, cosigned: tuple[Issued, tuple[bytes, ...]]) -> World:
    issued, leaves = cosigned
    return World(press, issued, Register(WitnessedLog(list(leaves)), issued), demand(trust_list(issued), 2))


def unwitnessed(world: World, log: Log | None = None) -> World:
    """The same register over the same leaves, whose checkpoints nobody cosigned."""
    return replace(world, register=Register(log or Log(list(world.register.log.leaves)), world.issued))


def test_what_enough_witnesses_cosigned_is_valid_and_says_by_how_many(world: World) -> None:
    for way in FULL_WAYS.values():
        verdict = way(world)
        assert verdict.verdict is Word.VALID
        assert verdict.witnesses == WitnessCount(seen=2, known=3, demanded=2)
        assert ("witnessed", Outcome.PASSED) in [(check.name, check.outcome) for check in verdict.checks]
    assert verdict.as_json()["witnesses"] == {"seen": 2, "known": 3, "demanded": 2}


def test_offline_the_proof_in_the_file_carries_the_cosignatures(world: World) -> None:
    verdict = world.offline.verify_file(world.issued.document, NOW)
    assert (verdict.reason, verdict.presented) == ("register-not-asked", Presented.ORIGINAL)
    assert verdict.witnesses == WitnessCount(seen=2, known=3, demanded=2)


@pytest.mark.parametrize("way", FULL_WAYS.values(), ids=FULL_WAYS.keys())
def test_too_few_witnesses_make_nothing_valid_by_any_way(way: Way, world: World) -> None:
    world.trust = demand(world.trust, 3)
    verdict = way(world)
    assert (verdict.verdict, verdict.indication) == (Word.UNKNOWN, Indication.INDETERMINATE)
    assert verdict.reason == "witnesses-needed"
    assert verdict.checks[-1].detail == "2 of 3 cosigned, 3 needed"


@pytest.mark.parametrize("way", ALL_WAYS.values(), ids=ALL_WAYS.keys())
def test_a_log_that_nobody_cosigned_makes_nothing_valid_where_one_is_demanded(way: Way, world: World) -> None:
    bare = unwitnessed(world)
    bare.trust = demand(world.trust, 1)
    assert way(bare).verdict in {Word.UNKNOWN, Word.TAMPERED}


def test_without_a_demand_the_answer_says_that_nobody_saw_the_log(world: World) -> None:
    bare = unwitnessed(world)
    bare.trust = demand(world.trust, 0)
    verdict = bare.online.verify_code(world.issued.claims.verification_code, NOW)
    assert (verdict.verdict, verdict.witnesses) == (Word.VALID, WitnessCount(seen=0, known=3, demanded=0))
    assert "witnessed" not in {check.name for check in verdict.checks}


def test_a_fork_by_the_stolen_log_key_is_refused_online_and_offline(press: Press, world: World) -> None:
    """The thief has every key of the issuer and the log's, and rules the register, but no witness's."""
    fork = Log([b"another first leaf"], LOG_KEY)
    forged = issue(press, fork)
    stolen = World(press, forged, Register(fork, forged), world.trust)

    for verdict in (
        stolen.online.verify_file(forged.document, NOW),
        stolen.online.verify_qr(forged.qr_text, NOW),
        stolen.offline.verify_file(forged.document, NOW),
    ):
        assert (verdict.verdict, verdict.reason) == (Word.UNKNOWN, "witnesses-needed")

    stolen.trust = demand(world.trust, 0)  # with k = 0 only somebody who compares checkpoints would notice
    assert stolen.online.verify_file(forged.document, NOW).witnesses == WitnessCount(0, 3, 0)


def test_a_stamp_on_a_fork_does_not_stand_in_for_witnesses(press: Press, world: World) -> None:
    """The thief of the log key has his fork stamped by an honest authority, and hands that evidence over."""
    fork = Log([b"another first leaf"], LOG_KEY)
    forged = issue(press, fork)
    stolen = World(press, forged, Register(fork, forged), with_authority(world.trust))
    supply(stolen, fork.stamp(NOW - timedelta(days=20)))
    assert offline_file(stolen).reason == "witnesses-needed"
    assert offline_file(stolen).witnesses == WitnessCount(0, 3, 2)

    stolen.trust = demand(stolen.trust, 0)
    assert offline_file(stolen).reason == "register-not-asked"  # k = 0: nobody but the log is asked


def test_what_was_stamped_before_the_log_key_was_stolen_stays_good_whoever_saw_it(world: World) -> None:
    """Else a demand made today would turn away what was printed before there were witnesses."""
    bare = unwitnessed(world)
    bare.trust = with_authority(bare.trust)
    supply(bare, bare.register.log.stamp(NOW - timedelta(days=20)))
    bare.trust = change_key(demand(bare.trust, 2), Role.LOG, compromised_since=NOW - timedelta(days=10))
    assert offline_file(bare).reason == "register-not-asked"


def test_lines_under_the_names_of_witnesses_by_other_keys_do_not_count(world: World) -> None:
    note = Log(list(world.register.log.leaves)).checkpoint()
    text = parse_note(note).text
    lines = "".join(cosign(text, name, THIEF, NOW) for name in KEYS)
    proof = world.register.log.proof(world.register.log.leaves[0]).split("\n\n")[0]
    with pytest.raises(CheckFailed, match="witnesses-needed"):
        check_witnessed(world.trust, f"{proof}\n\n{note}{lines}")


def test_a_bad_line_of_a_known_witness_spoils_the_proof_even_if_others_are_enough(world: World) -> None:
    note = world.register.log.checkpoint()
    other = parse_note(Log([b"x"]).checkpoint()).text
    moved = cosign(other, "w3.example.org", KEYS["w3.example.org"], NOW)
    proof = world.register.log.proof(world.register.log.leaves[0]).split("\n\n")[0]
    with pytest.raises(CheckFailed) as failed:
        count_witnesses(world.trust, [f"{proof}\n\n{note}{moved}"])
    assert (failed.value.reason, "w3.example.org" in failed.value.detail) == ("witnesses-needed", True)


def test_cosignatures_of_another_checkpoint_do_not_count(world: World) -> None:
    """Lines moved over from an older, honest checkpoint."""
    honest = world.register.log.checkpoint().split("\n\n")[1].split("\n", 1)[1]
    fork = Log([b"fork"])
    with pytest.raises(CheckFailed, match="witnesses-needed"):
        check_witnessed(world.trust, fork.proof(b"fork") + honest)


def test_of_several_proofs_the_one_with_the_fewest_witnesses_counts(world: World) -> None:
    leaves = list(world.register.log.leaves)
    two, one = WitnessedLog(leaves), WitnessedLog(leaves, cosigned_by=(3,))
    proofs = [two.proof(leaves[0]), one.proof(leaves[1])]
    assert count_witnesses(world.trust, proofs) == WitnessCount(1, 3, 2)


def test_a_log_cannot_be_its_own_witness(world: World) -> None:
    """The thief of the log key would hold the witness's key too."""
    own = Witness("w4.example.org", LOG_KEY.public_key[-32:])
    trust = replace(world.trust, witnesses=(own,), witness_threshold=1)
    log = Log(list(world.register.log.leaves))
    note = log.checkpoint()
    line = cosign(parse_note(note).text, own.name, LOG_KEY, NOW)
    assert independent_witnesses(trust) == ()
    assert independent_witnesses(replace(trust, witnesses=())) == ()
    with pytest.raises(CheckFailed, match="witnesses-needed"):
        check_witnessed(trust, log.proof(log.leaves[0]) + line)


def test_what_is_no_proof_has_no_witnesses(world: World) -> None:
    with pytest.raises(CheckFailed, match="witnesses-needed"):
        check_witnessed(world.trust, "c2sp.org/tlog-proof@v2\n")
    assert ORIGIN in world.register.log.checkpoint()
