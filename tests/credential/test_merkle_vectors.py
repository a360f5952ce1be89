import base64
import json
from typing import Any

import pytest

from credential.merkle import BadProof, verify_consistency, verify_inclusion
from tests.vectors.merkle.remake import FOLDER, files


def _cases(name: str) -> list[Any]:
    cases = json.loads((FOLDER / name).read_text("utf-8"))
    return [pytest.param(case, id=f"{number} {case['desc']}") for number, case in enumerate(cases)]


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


@pytest.mark.parametrize("name", ["inclusion.json", "consistency.json"])
def test_the_vectors_are_what_the_definitions_give(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == files()[name]


@pytest.mark.parametrize("case", _cases("inclusion.json"))
def test_a_proof_of_inclusion_is_judged_as_others_judge_it(case: dict[str, Any]) -> None:
    proof = [_bytes(one) for one in case["proof"]]
    given = (_bytes(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, _bytes(case["root"]))
    if case["wantErr"]:
        with pytest.raises(BadProof):
            verify_inclusion(*given)
    else:
        verify_inclusion(*given)


@pytest.mark.parametrize("case", _cases("consistency.json"))
def test_a_proof_of_growth_is_judged_as_others_judge_it_or_more_strictly(case: dict[str, Any]) -> None:
    proof = [_bytes(one) for one in case["proof"]]
    given = (case["size1"], case["size2"], proof, _bytes(case["root1"]), _bytes(case["root2"]))
    if case["wantErr"] or case.get("weRefuse"):
        with pytest.raises(BadProof):
            verify_consistency(*given)
    else:
        verify_consistency(*given)


def test_there_are_as_many_cases_as_were_meant() -> None:
    counts = {name: len(json.loads((FOLDER / name).read_text("utf-8"))) for name in files()}
    assert counts == {"inclusion.json": 94, "consistency.json": 98}
