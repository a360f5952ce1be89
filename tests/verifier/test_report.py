"""A report crosses a process border whole, and nothing else is taken for one."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from verifier import report as report_module
from verifier.report import (
    BadReport,
    DocumentReport,
    Finding,
    Integrity,
    SignatureReport,
    Trust,
    decode_report,
    encode_report,
    failed,
    unreadable,
)

SIGNATURE = SignatureReport(
    field_name="印",
    is_timestamp=False,
    is_intact=True,
    is_weak=False,
    trusted=Trust.YES,
    sub_indication="",
    signing_cert=b"\x30\x00",
    signed_at=datetime(2026, 1, 1, tzinfo=UTC),
    timestamp=None,
    digest_algorithm="sha256",
    key="rsa-2048",
    certification=1,
    revision_end=99,
)
REPORT = DocumentReport(
    Integrity.INTACT,
    trusted=Trust.YES,
    signatures=(SIGNATURE, replace(SIGNATURE, certification=None, timestamp=datetime(2026, 1, 2, tzinfo=UTC))),
    signed_end=99,
    is_canonical=True,
    attachments={"certificate.cose": bytes(range(256))},
    page_count=1,
    findings=(Finding("readable", passed=True), failed("signed", "x" * 999)),
)


@pytest.mark.parametrize("report", [REPORT, unreadable("why"), DocumentReport(Integrity.UNSIGNED)])
def test_a_report_comes_back_as_it_was(report: DocumentReport) -> None:
    assert decode_report(encode_report(report)) == report


def test_details_are_cut() -> None:
    assert len(REPORT.findings[1].detail) == report_module.MAX_DETAIL


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("integrity", "perfect"),
        ("trusted", "very"),
        ("sub_indication", 1),
        ("signatures", [{}]),
        ("signatures", 1),
        ("signed_end", -1),
        ("signed_end", True),
        ("signed_end", "1"),
        ("is_canonical", 1),
        ("attachments", {"a": "not base64!"}),
        ("attachments", []),
        ("page_count", 1.5),
        ("findings", [["a", True]]),
        ("findings", [["a", 1, ""]]),
    ],
)
def test_another_shape_is_no_report(key: str, value: Any) -> None:
    content = json.loads(encode_report(REPORT))
    content[key] = value
    with pytest.raises(BadReport):
        decode_report(json.dumps(content).encode())


@pytest.mark.parametrize("spoil", [lambda text: text[:0], lambda text: text[:-9], lambda text: text + b" " * (5 << 20)])
def test_a_cut_or_endless_answer_is_no_report(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BadReport):
        decode_report(spoil(encode_report(REPORT)))
