"""A verifier in JavaScript, written from the docs alone, takes what we issue and refuses it damaged, where it should.

Whoever reads docs/formats.md and docs/formats-log.md can write another one: js/ is the proof. The certificate is
printed and logged here; every damaged case is signed anew where a signature would hide the damage, so that the step
named is the one that notices.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.interop.js_cases import GROUPS, Cases
from tests.interop.js_material import Material, base64, flip, make_material
from tests.interop.js_ours import is_refused

JS = Path(__file__).parent / "js" / "verify.mjs"


@pytest.fixture(scope="module")
def material(unpacked_fonts: Path) -> Material:
    return make_material(unpacked_fonts)


def ask(material: Material, cases: Sequence[Mapping[str, Any]]) -> list[tuple[str, str | None, str]]:
    """Ask the verifier of all cases in one process; gives name, step that refused, and why."""
    node = shutil.which("node")
    assert node is not None, "Node.js is needed to run the tests"
    given = json.dumps({"world": material.world(), "cases": list(cases)})
    ran = subprocess.run([node, JS], input=given.encode(), capture_output=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr.decode()
    return [(one["name"], one["step"], one["why"]) for one in json.loads(ran.stdout)]


@pytest.fixture(scope="module")
def told(material: Material) -> dict[str, tuple[str | None, str]]:
    cases = [{"name": name, **given} for group in GROUPS for name, _, given in group(material)]
    assert len({one["name"] for one in cases}) == len(cases)
    return {name: (step, why) for name, step, why in ask(material, cases)}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_good_is_taken_and_damaged_is_refused_at_the_step_that_should_notice(
    material: Material, told: dict[str, tuple[str | None, str]], group: Callable[[Material], Cases]
) -> None:
    wrong = {name: (step, told[name]) for name, step, _ in group(material) if told[name][0] != step}
    assert wrong == {}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_our_own_verifier_takes_and_refuses_the_same(material: Material, group: Callable[[Material], Cases]) -> None:
    """Where the two differ, one of them, or the page that both follow, is wrong."""
    world = material.world()
    differing = [
        name for name, step, given in group(material) if is_refused({**world, **given}) is not (step is not None)
    ]
    assert differing == []


def test_there_is_a_damaged_case_for_every_step(material: Material) -> None:
    steps = [step for group in GROUPS for _, step, _ in group(material) if step is not None]
    assert len(steps) >= 100
    assert {*steps} == {
        "qr-text", "origin", "cose", "signature", "key", "claims", "compare", "expired", "proof", "checkpoint",
        "cosignatures", "consistency", "trust-list", "status", "status-list", "status-expired",
    }  # fmt: skip


def test_any_flipped_byte_of_what_is_signed_is_refused(material: Material) -> None:
    """Claims, status list, trust list and checkpoint, each flipped alone in many places."""
    claims, token, envelope = material.issued.message, material.token(), material.envelope(material.trust)
    note = material.log.checkpoint()
    cases = [material.file(name=f"claims {at}", claims=base64(flip(claims, at))) for at in range(0, len(claims), 17)]
    cases += [material.asked(name=f"list {at}", token=base64(flip(token, at))) for at in range(0, len(token), 7)]
    cases += [
        {"name": f"trust {at}", "check": "trust", "envelope": base64(flip(envelope, at))}
        for at in range(0, len(envelope), 61)
    ]
    cases += [
        {"name": f"note {at}", "check": "checkpoint", "note": flip(note.encode(), at).decode()}
        for at in range(note.index("\n\n"))
    ]
    assert [name for name, step, _ in ask(material, cases) if step is None] == []
