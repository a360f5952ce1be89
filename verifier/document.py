"""Examine one PDF: is what was signed intact, and who signed it.

pyHanko reads and validates; our own rules on top decide, since alone it accepts
some attacks (docs/verifying.md names them by class). Run it through
``verifier/sandbox.py`` for anything that came from outside: a hostile file can
cost seconds and hundreds of megabytes, and make the parser raise nearly anything.

The steps of :func:`examine`:

1. read with the strict reader, within limits; refuse encryption and hybrid files;
2. list every signature of every revision; a signature that is gone is a modification;
3. check each signature's byte range, ``/Contents`` and padding;
4. check digest, signature and algorithms;
5. check that what follows its revision is validation data, document timestamps
   or further admitted signatures, byte by byte and object by object;
6. judge its signer: chain to a configured root, purpose, revocation;
7. when a step fails, see whether an earlier signed revision is good: then the
   word is ``modified``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.rw_common import PdfHandler
from pyhanko.sign.diff_analysis import ModificationLevel, SuspiciousModification
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation import EmbeddedPdfSignature

from verifier.carried import HOSTILE, Carried, open_document, read_carried
from verifier.report import (
    MAX_DOCUMENT_BYTES,
    DocumentReport,
    Finding,
    Integrity,
    SignatureReport,
    Trust,
    failed,
    unreadable,
)
from verifier.revisions import check_update_bytes
from verifier.signature import Anchors, JudgedSignature, judge_signature
from verifier.signed_range import SignedRange, has_only_line_ends, signed_ends
from verifier.updates import UpdatePolicy

MAX_REVISIONS = 64
MAX_SIGNATURES = 16

_FROM_WORST = (Trust.NO, Trust.INDETERMINATE, Trust.YES)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One signature after steps 3 to 6: what it is worth, and what became of it later."""

    own: JudgedSignature
    findings: tuple[Finding, ...]
    is_last_word: bool  # nothing but line ends follows its revision
    fills_forms: bool  # what follows it includes further signatures

    @property
    def report(self) -> SignatureReport:
        return self.own.report


def examine(document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime) -> DocumentReport:
    """Say whether a document's signatures are intact, and who made them.

    Never raises for what the document holds, MemoryError apart.

    Args:
        document: the PDF, not trusted; longer than ``MAX_DOCUMENT_BYTES`` is unreadable.
        anchors: roots, DER; a signer is trusted when its chain ends in one of these keys.
        crls: revocation lists, DER or PEM; required to be current where they name an issuer.
        now: with time zone; validity and revocation are judged at this moment.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        return unreadable(f"longer than {MAX_DOCUMENT_BYTES} bytes")
    trust = Anchors(tuple(anchors), tuple(_load_crl(crl) for crl in crls), now)
    report = _examine_readable(document, trust)
    if report.integrity in {Integrity.INTACT, Integrity.INTACT_WITH_UPDATES, Integrity.MODIFIED}:
        return report
    for end in signed_ends(document):
        earlier = _examine_readable(document[:end], trust)
        if earlier.integrity in {Integrity.INTACT, Integrity.INTACT_WITH_UPDATES}:
            reasons = [finding.detail for finding in report.findings if not finding.passed]
            late = failed("nothing-after-signing", f"what follows the signed revision: {reasons[0]}")
            return replace(
                earlier,
                integrity=Integrity.MODIFIED,
                sub_indication="FORMAT_FAILURE",
                findings=(*earlier.findings, late),
            )
    return report


def _examine_readable(document: bytes, trust: Anchors) -> DocumentReport:
    try:
        return _examine_revisions(document, trust)
    except HOSTILE as error:
        if not _may_be_signed(document):
            return _unsigned(document, ())
        return unreadable(f"cannot be read: {type(error).__name__}")


def _may_be_signed(document: bytes) -> bool:
    """Whether a document that the strict reader refuses has, or could have, a signature.

    Scanners and printers write files that are not quite right; such a copy is
    unsigned, not unreadable. The forgiving reader decides nothing else.
    """
    try:
        return any(True for _ in enumerate_sig_fields(open_document(document, strict=False)))
    except HOSTILE:
        return True


def _unsigned(document: bytes, findings: tuple[Finding, ...]) -> DocumentReport:
    findings = (*findings, failed("signed", "it has no signature but document timestamps"))
    report = DocumentReport(Integrity.UNSIGNED, sub_indication="SIGNED_DATA_NOT_FOUND", findings=findings)
    return _with_carried(report, read_carried(document, 0))


def _with_carried(report: DocumentReport, carried: Carried) -> DocumentReport:
    return replace(
        report,
        attachments=carried.attachments,
        page_count=carried.page_count,
        has_our_page=carried.has_our_page,
        photo_digest=carried.photo_digest,
    )


def _examine_revisions(document: bytes, trust: Anchors) -> DocumentReport:
    """Take steps 1 to 6 for all revisions of a document."""
    reader = open_document(document)
    if not document.startswith(b"%PDF-") or "/Encrypt" in reader.trailer or reader.xrefs.hybrid_xrefs_present:
        return unreadable("encrypted, a hybrid, or something stands before the header")
    if reader.total_revisions > MAX_REVISIONS:
        return unreadable(f"more than {MAX_REVISIONS} revisions")
    fields = list(enumerate_sig_fields(reader, filled_status=True))
    if len(fields) > MAX_SIGNATURES:
        return unreadable(f"more than {MAX_SIGNATURES} signatures")
    readable = Finding("readable", passed=True)
    try:
        embedded = [EmbeddedPdfSignature(reader, field, name) for name, _, field in fields]
    except HOSTILE as error:
        return _broken((readable, failed("signature-readable", type(error).__name__)))
    embedded.sort(key=lambda signature: signature.signed_revision)
    removed = _removed_signatures(reader, embedded)
    if not any(signature.sig_object_type == "/Sig" for signature in embedded):
        return _unsigned(document, (readable,))
    judged = [_judge(document, reader, signature, trust) for signature in embedded]
    return _sum_up(document, reader, judged, (readable, removed))


def _judge(document: bytes, reader: PdfFileReader, signature: EmbeddedPdfSignature, trust: Anchors) -> _Judged:
    """Take steps 3 to 6 for one signature."""
    own = judge_signature(document, reader, signature, trust)
    if own.signed is None:
        return _Judged(own, own.findings, is_last_word=False, fills_forms=False)
    level, later = _later_changes(document, reader, signature, own.signed)
    return _Judged(
        own,
        (*own.findings, later),
        is_last_word=has_only_line_ends(document, own.signed.end),
        fills_forms=level is ModificationLevel.FORM_FILLING,
    )


def _sum_up(
    document: bytes, reader: PdfFileReader, judged: Sequence[_Judged], before: tuple[Finding, ...]
) -> DocumentReport:
    """Make one result out of those of all signatures."""
    findings = (*before, *(finding for one in judged for finding in one.findings), *_admissions(judged))
    reports = tuple(one.report for one in judged)
    if not all(report.is_intact and not report.is_weak for report in reports):
        return _with_carried(replace(_broken(findings), signatures=reports), read_carried(document, 0, reader))
    signers = [one for one in judged if not one.report.is_timestamp]
    first = signers[0]
    if not all(finding.passed for finding in findings):
        integrity = Integrity.MODIFIED
    else:
        integrity = Integrity.INTACT if first.is_last_word else Integrity.INTACT_WITH_UPDATES
    worst = min((one.report for one in signers), key=lambda report: _FROM_WORST.index(report.trusted))
    report = DocumentReport(
        integrity,
        trusted=worst.trusted,
        sub_indication="FORMAT_FAILURE" if integrity is Integrity.MODIFIED else worst.sub_indication,
        signatures=reports,
        signed_end=first.report.revision_end,
        is_canonical=first.own.is_canonical,
        findings=findings,
    )
    return _with_carried(report, read_carried(document, first.report.revision_end, reader))


def _broken(findings: tuple[Finding, ...]) -> DocumentReport:
    return DocumentReport(Integrity.BROKEN, sub_indication="SIG_CRYPTO_FAILURE", findings=findings)


def _removed_signatures(reader: PdfFileReader, embedded: Sequence[EmbeddedPdfSignature]) -> Finding:
    """Compare the signatures of the newest revision with those of every earlier one."""
    current = {signature.sig_field.raw_get("/V").reference for signature in embedded}
    for revision in range(reader.total_revisions - 1):
        try:
            past = reader.get_historical_resolver(revision)
            values = [field.raw_get("/V") for _, _, field in _fields_of(past)]
        except HOSTILE:
            continue  # a linearised file's first part has no catalog of its own
        if any(value.reference not in current for value in values):
            return failed("no-signature-removed", f"revision {revision} had a signature that is gone")
    return Finding("no-signature-removed", passed=True)


def _fields_of(handler: PdfHandler) -> Iterator[tuple[str, object, generic.DictionaryObject]]:
    for name, value, field in enumerate_sig_fields(handler, filled_status=True):
        yield name, value, field.get_object()


def _later_changes(
    document: bytes, reader: PdfFileReader, signature: EmbeddedPdfSignature, signed: SignedRange
) -> tuple[ModificationLevel, Finding]:
    """Take step 5: judge all that follows the revision of one signature."""
    rule = "nothing-after-signing"
    if has_only_line_ends(document, signed.end):
        return ModificationLevel.NONE, Finding(rule, passed=True)
    try:
        check_update_bytes(document, reader, signature.signed_revision, signed.end)
        result = signature.evaluate_modifications(UpdatePolicy())
    except SuspiciousModification as error:
        result = error
    except HOSTILE as error:
        return ModificationLevel.OTHER, failed(rule, f"cannot be compared: {type(error).__name__}")
    if isinstance(result, SuspiciousModification):
        return ModificationLevel.OTHER, failed(rule, str(result))
    level = result.modification_level
    allowed = {
        ModificationLevel.LTA_UPDATES: "validation data or document timestamps",
        ModificationLevel.FORM_FILLING: "further signatures",
    }
    if level not in allowed:
        return level, failed(rule, f"changes of level {level.name}")
    return level, Finding(rule, passed=True, detail=allowed[level])


def _admissions(judged: Sequence[_Judged]) -> Iterator[Finding]:
    """Judge further signatures: complete, allowed by certification, and never a stranger's that shows what it likes.

    A stranger is neither trusted nor the signer of an earlier signature. Its
    signature may be invisible, or stand in a field that the earlier signer
    placed: then what was signed stays what is seen, and it fails the file for
    trust, not for integrity. Form filling without a further signature is a
    change like any other.
    """
    for index, one in enumerate(judged):
        later = [other for other in judged[index + 1 :] if not other.report.is_timestamp]
        if not later and not one.fills_forms:
            continue
        known = {other.report.signing_cert for other in judged[: index + 1] if not other.report.is_timestamp}
        intruding = [other.report for other in later if _intrudes(other.own, one.own)]
        is_admitted = bool(later) and all(
            report.trusted is Trust.YES or report.signing_cert in known for report in intruding
        )
        if not is_admitted:
            yield failed("further-signatures", "form values were changed, or a stranger's signature shows something")
        elif one.report.certification == 1:
            yield failed("further-signatures", "the document was certified as final")
        else:
            yield Finding("further-signatures", passed=True)


def _intrudes(later: JudgedSignature, earlier: JudgedSignature) -> bool:
    """Whether a later signature shows something in a field that the earlier signer did not place."""
    return later.field_since is not None and later.field_since > earlier.revision


def _load_crl(crl: bytes) -> x509.CertificateRevocationList:
    if crl.lstrip().startswith(b"-----"):
        return x509.load_pem_x509_crl(crl)
    return x509.load_der_x509_crl(crl)
