"""What the examination of one document found, in types that cross a process border as JSON.

The report speaks of the document alone: integrity (what its signatures say,
whoever made them) and trust (who made them) are two separate results; what the
registry says is a third, and none of this file's business.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024  # of what is examined
MAX_REPORT_BYTES = 4 * 1024 * 1024  # a report comes from a process that read a hostile file
BETWEEN = b"\n"  # two answers to one request; JSON of ours has no line ends
MAX_DETAIL = 300  # characters of a detail; longer ones are cut


class Integrity(StrEnum):
    """What the document's signatures say, whoever made them."""

    INTACT = "intact"
    INTACT_WITH_UPDATES = "intact-with-updates"  # later revisions hold validation data or admitted signatures only
    MODIFIED = "modified"  # the signed revision is intact, what follows it is not allowed
    BROKEN = "broken"  # a signature fails
    UNSIGNED = "unsigned"  # no signature, or document timestamps alone
    UNREADABLE = "unreadable"  # not a PDF that can be read within the limits


class Trust(StrEnum):
    """Whether a signature was made by somebody a configured root vouches for."""

    YES = "yes"
    NO = "no"
    INDETERMINATE = "indeterminate"


class BadReport(Exception):
    """The examining process answered with something that is not a report."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that was applied to the document: its name, whether it held, and why not."""

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """What was found about one signature or document timestamp.

    Attributes:
        field_name: of the signature field; attacker's text, never shown as an issuer.
        is_timestamp: a document timestamp, which signs nothing by itself.
        is_intact: the signature and its byte range are good on their own revision.
        is_weak: its digest, signature algorithm or key is under our policy.
        trusted: whether a configured root vouches for the signer now.
        sub_indication: of ETSI EN 319 102-1, empty when trusted.
        signing_cert: DER, empty when there is none.
        signed_at: the signer's own claim, or None.
        timestamp: when a trusted authority saw the signature, or None.
        digest_algorithm: as ``sha256``.
        key: kind and strength, as ``rsa-2048`` or ``secp256r1``.
        certification: DocMDP level P (1 to 3), or None for an approval signature.
        revision_end: offset of the first byte behind the signed revision.
    """

    field_name: str
    is_timestamp: bool
    is_intact: bool
    is_weak: bool
    trusted: Trust
    sub_indication: str
    signing_cert: bytes
    signed_at: datetime | None
    timestamp: datetime | None
    digest_algorithm: str
    key: str
    certification: int | None
    revision_end: int


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """What was found in one document.

    Attributes:
        integrity: of the whole file.
        trusted: the worst among its signatures, document timestamps apart; NO when there are none.
        sub_indication: of ETSI EN 319 102-1, empty when intact and trusted.
        signatures: in the order they were made.
        signed_end: length of the first signed revision, whose bytes are good; 0 when there is none.
        is_canonical: the first signature has the exact shape our press gives it:
            lower-case hex, canonical DER, and nothing else in the CMS.
        attachments: those of the first signed revision that we know, by name; not to be
            believed without their own signatures.
        page_count: of that revision, 0 when unknown.
        has_our_page: its first page draws a picture under the name that our press gives the QR code.
        photo_digest: SHA-256 of the photo on such a page as it is embedded; empty when there is none.
        findings: every rule that was applied, in order.
    """

    integrity: Integrity
    trusted: Trust = Trust.NO
    sub_indication: str = ""
    signatures: tuple[SignatureReport, ...] = ()
    signed_end: int = 0
    is_canonical: bool = False
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    page_count: int = 0
    has_our_page: bool = False
    photo_digest: bytes = b""
    findings: tuple[Finding, ...] = ()


def failed(name: str, detail: str) -> Finding:
    """Make the finding of a rule that did not hold."""
    return Finding(name, passed=False, detail=detail[:MAX_DETAIL])


def unreadable(reason: str) -> DocumentReport:
    """Make the report of a document that could not be read within the limits."""
    return DocumentReport(
        Integrity.UNREADABLE,
        sub_indication="FORMAT_FAILURE",
        findings=(failed("readable", reason),),
    )


def is_altered(report: DocumentReport) -> bool:
    """Whether a file was changed after signing.

    A signature that fails on bytes in their right place speaks of a change; one
    whose byte range fits nowhere was carried along by a program that saved the
    file anew.
    """
    is_in_place = any(finding.name == "byte-range" and finding.passed for finding in report.findings)
    return report.integrity is Integrity.MODIFIED or (report.integrity is Integrity.BROKEN and is_in_place)


def encode_report(report: DocumentReport) -> bytes:
    """Write a report as JSON; the inverse of :func:`decode_report`."""
    return json.dumps(
        {
            "integrity": report.integrity,
            "trusted": report.trusted,
            "sub_indication": report.sub_indication,
            "signatures": [_signature_object(signature) for signature in report.signatures],
            "signed_end": report.signed_end,
            "is_canonical": report.is_canonical,
            "attachments": {name: _base64(content) for name, content in report.attachments.items()},
            "page_count": report.page_count,
            "has_our_page": report.has_our_page,
            "photo_digest": _base64(report.photo_digest),
            "findings": [[finding.name, finding.passed, finding.detail] for finding in report.findings],
        }
    ).encode()


def decode_report(message: bytes) -> DocumentReport:
    """Read a report back, believing nothing about its shape.

    Raises:
        BadReport: it is too long, or not exactly of the shape that
            :func:`encode_report` gives.
    """
    if len(message) > MAX_REPORT_BYTES:
        raise BadReport
    try:
        value = json.loads(message)
        return DocumentReport(
            integrity=Integrity(value["integrity"]),
            trusted=Trust(value["trusted"]),
            sub_indication=_text(value["sub_indication"]),
            signatures=tuple(_signature(item) for item in value["signatures"]),
            signed_end=_number(value["signed_end"]),
            is_canonical=_truth(value["is_canonical"]),
            attachments={_text(name): _bytes(content) for name, content in value["attachments"].items()},
            page_count=_number(value["page_count"]),
            has_our_page=_truth(value["has_our_page"]),
            photo_digest=_bytes(value["photo_digest"]),
            findings=tuple(
                Finding(_text(name), passed=_truth(passed), detail=_text(detail))
                for name, passed, detail in value["findings"]
            ),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadReport from error


def _signature_object(signature: SignatureReport) -> dict[str, Any]:
    return {
        "field_name": signature.field_name,
        "is_timestamp": signature.is_timestamp,
        "is_intact": signature.is_intact,
        "is_weak": signature.is_weak,
        "trusted": signature.trusted,
        "sub_indication": signature.sub_indication,
        "signing_cert": _base64(signature.signing_cert),
        "signed_at": signature.signed_at.isoformat() if signature.signed_at else None,
        "timestamp": signature.timestamp.isoformat() if signature.timestamp else None,
        "digest_algorithm": signature.digest_algorithm,
        "key": signature.key,
        "certification": signature.certification,
        "revision_end": signature.revision_end,
    }


def _signature(value: Mapping[str, Any]) -> SignatureReport:
    certification = value["certification"]
    return SignatureReport(
        field_name=_text(value["field_name"]),
        is_timestamp=_truth(value["is_timestamp"]),
        is_intact=_truth(value["is_intact"]),
        is_weak=_truth(value["is_weak"]),
        trusted=Trust(value["trusted"]),
        sub_indication=_text(value["sub_indication"]),
        signing_cert=_bytes(value["signing_cert"]),
        signed_at=_moment(value["signed_at"]),
        timestamp=_moment(value["timestamp"]),
        digest_algorithm=_text(value["digest_algorithm"]),
        key=_text(value["key"]),
        certification=None if certification is None else _number(certification),
        revision_end=_number(value["revision_end"]),
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(value: object) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    return datetime.fromisoformat(_text(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value
