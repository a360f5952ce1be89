"""An evidence file has one form, and whatever else is handed in is refused, never half believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.evidence import MAX_EVIDENCE_BYTES, BadEvidence, EvidenceFile, read_evidence, write_evidence
from credential.merkle import LogProof
from credential.note import parse_proof
from credential.ports import EarlyEvidence

NOTE = "log.example.org/test\n1\nAAAA\n\n— log.example.org/test AAAAAAAA\n"
PROOF = LogProof(3, (bytes(32), b"\x01" * 32), NOTE)
GOOD = write_evidence(EvidenceFile(((b"leaf", EarlyEvidence(PROOF, b"token")),), b"claims"))

pieces = st.lists(st.tuples(st.binary(max_size=60), st.builds(EarlyEvidence, st.text(max_size=80), st.binary())))


@given(pieces, st.binary())
def test_what_is_written_is_read_again(found: list[tuple[bytes, EarlyEvidence]], claims: bytes) -> None:
    evidence = EvidenceFile(tuple(found), claims)
    assert read_evidence(write_evidence(evidence)) == evidence


def test_a_proof_is_written_as_the_text_that_others_read() -> None:
    ((leaf, one),) = read_evidence(GOOD).pieces
    assert (leaf, one.token) == (b"leaf", b"token")
    assert isinstance(one.proof, str)
    assert parse_proof(one.proof) == PROOF


@pytest.mark.parametrize("at", range(0, len(GOOD), 7))
def test_a_changed_byte_is_refused_or_changes_what_is_said(at: int) -> None:
    changed = bytes([*GOOD[:at], GOOD[at] ^ 1, *GOOD[at + 1 :]])
    try:
        found = read_evidence(changed)
    except BadEvidence:
        return
    assert found != read_evidence(GOOD)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"null",
        b"[" * 100_000,
        GOOD + b"\n",
        b" " + GOOD,
        GOOD.replace(b"evidence/1", b"evidence/2"),
        GOOD.replace(b'"claims":"', b'"claims":"*'),
        json.dumps(json.loads(GOOD)).encode(),
        json.dumps({**json.loads(GOOD), "leaves": "x"}, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps({**json.loads(GOOD), "leaves": [{}] * 300}, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps({**json.loads(GOOD), "claims": 7}, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps({**json.loads(GOOD), "more": ""}, sort_keys=True, separators=(",", ":")).encode(),
        b"0" * (MAX_EVIDENCE_BYTES + 1),
    ],
)
def test_anything_else_is_no_evidence(content: bytes) -> None:
    with pytest.raises(BadEvidence):
        read_evidence(content)


def test_a_proof_that_is_no_text_is_refused() -> None:
    changed = json.loads(GOOD)
    changed["leaves"][0]["proof"] = 1
    with pytest.raises(BadEvidence):
        read_evidence(json.dumps(changed, sort_keys=True, separators=(",", ":")).encode())
