"""Name what a file is that the register has not sealed: an altered one, a copy, or nothing of ours."""

from credential.qr import BadQrText, UnknownQrFormat, parse_qr_text
from verifier.report import DocumentReport, Integrity, unreadable
from verifier.sandbox import Look
from verifier.verdict import Presented

GOOD = frozenset({Integrity.INTACT, Integrity.INTACT_WITH_UPDATES})


def is_our_code(text: str) -> bool:
    """Whether a scanned text has the form of our QR codes; says nothing of what it is worth."""
    try:
        parse_qr_text(text)
    except (BadQrText, UnknownQrFormat):
        return False
    return True


def what_is(report: DocumentReport, *, names_ours: bool) -> Presented:
    """Name what an unsealed file is; only when every check of its signer has passed it may be an original."""
    if is_altered(report):
        return Presented.ALTERED
    if report.integrity is Integrity.UNREADABLE or not names_ours:
        return Presented.OTHER
    return Presented.ALTERED if report.integrity in GOOD else Presented.CONVERTED_COPY


def is_altered(report: DocumentReport) -> bool:
    """Whether a file was changed after signing.

    A signature that fails on bytes in their right place speaks of a change; one
    whose byte range fits nowhere was carried along by a program that saved the
    file anew.
    """
    is_in_place = any(finding.name == "byte-range" and finding.passed for finding in report.findings)
    return report.integrity is Integrity.MODIFIED or (report.integrity is Integrity.BROKEN and is_in_place)


def picture_report(look: Look) -> DocumentReport:
    """Report on a picture, which has no signature."""
    return DocumentReport(Integrity.UNSIGNED) if look.is_readable else unreadable("a picture that cannot be decoded")


def failed_rules(report: DocumentReport) -> str:
    """List the rules of an examination that did not hold, for experts."""
    return "; ".join(f"{finding.name}: {finding.detail}" for finding in report.findings if not finding.passed)
