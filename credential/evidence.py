"""The evidence file of one certificate: what proves, without asking anybody, that it is older than a theft.

Deterministic JSON (docs/rotation.md, "The evidence file"). It holds no more about
a person than the certificate itself, and the claims only if that was wanted:
they are needed for a QR code alone, since a PDF carries its own. Nothing in it
is believed; verifier/cutoff.py checks every part.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from credential.errors import InputError
from credential.merkle import LogProof
from credential.note import format_proof
from credential.ports import EarlyEvidence

FORMAT = "yinzheng-evidence/1"
MAX_EVIDENCE_BYTES = 4 * 1024 * 1024
MAX_PIECES = 256


class BadEvidence(InputError):
    """A file that is no evidence of a certificate."""

    code = "bad-evidence"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"this is no evidence file: {why_en}; get it from the issuer again",
            f"这不是有效的证据文件: {why_zh}; 请向发证机构重新获取",
        )


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """What is handed over with a certificate.

    Attributes:
        pieces: leaves, each with one piece of evidence.
        claims: COSE_Sign1 over the full claims, or empty.
    """

    pieces: tuple[tuple[bytes, EarlyEvidence], ...]
    claims: bytes = b""


def write_evidence(evidence: EvidenceFile) -> bytes:
    """Write the file's one form: sorted JSON, UTF-8, no spaces."""
    content = {
        "format": FORMAT,
        "claims": _write_bytes(evidence.claims),
        "leaves": [
            {"leaf": _write_bytes(leaf), "proof": _proof_text(one), "timestamp": _write_bytes(one.token)}
            for leaf, one in evidence.pieces
        ],
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_evidence(content: bytes) -> EvidenceFile:
    """Read a file, strictly, without believing anything in it.

    Raises:
        BadEvidence: too long, or not of the form.
    """
    if len(content) > MAX_EVIDENCE_BYTES:
        raise BadEvidence(f"longer than {MAX_EVIDENCE_BYTES} bytes", f"超过 {MAX_EVIDENCE_BYTES} 字节")
    try:
        found = json.loads(content)
        if found["format"] != FORMAT:
            raise BadEvidence("another format", "格式不符")
        evidence = EvidenceFile(tuple(map(_read_piece, _pieces(found["leaves"]))), _read_bytes(found["claims"]))
        is_one_form = write_evidence(evidence) == content
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadEvidence("it is not complete or a value is wrong", "内容不完整或有误") from error
    if not is_one_form:
        raise BadEvidence("it is not written in the one form", "编码形式不唯一")
    return evidence


def _pieces(value: Any) -> Sequence[Any]:
    if not isinstance(value, list) or len(value) > MAX_PIECES:
        raise TypeError("leaves")
    return value


def _read_piece(value: Any) -> tuple[bytes, EarlyEvidence]:
    proof = value["proof"]
    if not isinstance(proof, str):
        raise TypeError("proof")
    return _read_bytes(value["leaf"]), EarlyEvidence(proof, _read_bytes(value["timestamp"]))


def _proof_text(one: EarlyEvidence) -> str:
    proof = one.proof
    return format_proof(proof.index, proof.hashes, proof.checkpoint) if isinstance(proof, LogProof) else proof


def _read_bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError("bytes")
    return base64.b64decode(value, validate=True)


def _write_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()
