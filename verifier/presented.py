"""Name what a file is that the register has not sealed: an altered one, a copy, or nothing of ours."""

from credential.qr import parse_qr_text
from verifier.look import Look, is_our_code
from verifier.report import DocumentReport, Integrity, is_altered, unreadable
from verifier.verdict import Presented

GOOD = frozenset({Integrity.INTACT, Integrity.INTACT_WITH_UPDATES})


def what_is(report: DocumentReport, *, names_ours: bool) -> Presented:
    """Name what an unsealed file is; only when every check of its signer has passed it may be an original."""
    if is_altered(report):
        return Presented.ALTERED
    if report.integrity is Integrity.UNREADABLE or not names_ours:
        return Presented.OTHER
    return Presented.ALTERED if report.integrity in GOOD else Presented.CONVERTED_COPY


def shows_code(look: Look, code: str) -> bool:
    """Whether one of the QR codes that were read is ours and names this verification code."""
    return any(is_our_code(text) and parse_qr_text(text).code == code for text in look.symbols)


def picture_report(look: Look) -> DocumentReport:
    """Report on a picture, which has no signature."""
    return DocumentReport(Integrity.UNSIGNED) if look.is_readable else unreadable("a picture that cannot be decoded")


def failed_rules(report: DocumentReport) -> str:
    """List the rules of an examination that did not hold, for experts."""
    return "; ".join(f"{finding.name}: {finding.detail}" for finding in report.findings if not finding.passed)
