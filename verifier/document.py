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

import asyncio
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.rw_common import PdfHandler
from pyhanko.sign.diff_analysis import ModificationLevel, SuspiciousModification
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation import (
    DocumentTimestampStatus,
    EmbeddedPdfSignature,
    PdfSignatureStatus,
    SignatureCoverageLevel,
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
)
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from verifier.report import (
    MAX_DETAIL,
    DocumentReport,
    Finding,
    Integrity,
    SignatureReport,
    Trust,
    unreadable,
)
from verifier.signed_range import (
    BadRange,
    SignedRange,
    check_contents,
    check_range,
    has_only_line_ends,
    is_canonical_der,
    is_lower_case,
    signed_ends,
)
from verifier.signer_policy import STRONG_DIGESTS, check_revocation, describe_key, may_sign_documents
from verifier.updates import UpdatePolicy, check_update_bytes

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_REVISIONS = 64
MAX_SIGNATURES = 16
MAX_TREE_NODES = 256  # of the tree of attachments' names

# Attachments that we know, and the most bytes each may have.
ATTACHMENTS = {"certificate.cose": 64 * 1024, "certificate.tlog-proof": 64 * 1024}

_MIB = 1024 * 1024
_LIMITS = DecodeLimits(
    per_stream=StreamDecodeLimits(max_output_size=32 * _MIB),
    document_budget=DocumentDecodeBudget(base_allowance=128 * _MIB, max_ratio=50),
)

# What comes out of pyHanko and asn1crypto on hostile files, measured and read in their sources.
# A MemoryError is the process limit's business and passes through.
HOSTILE = (
    PdfError,
    SignatureValidationError,
    ValueError,
    TypeError,
    AssertionError,
    AttributeError,
    LookupError,
    ArithmeticError,
    OSError,
    EOFError,
    RecursionError,
    NotImplementedError,
    struct.error,
    zlib.error,
)

_REASONS_NOT_TO_TRUST_YET = frozenset(
    {"TRY_LATER", "OUT_OF_BOUNDS_NO_POE", "EXPIRED", "OUT_OF_BOUNDS_NOT_REVOKED", "REVOCATION_OUT_OF_BOUNDS_NO_POE"}
)


@dataclass(frozen=True, slots=True)
class Anchors:
    """Who may vouch for a signer, and at what moment it is judged."""

    roots: tuple[bytes, ...]  # DER
    crls: tuple[x509.CertificateRevocationList, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class _Judged:
    """One signature after steps 3 to 6: the report, and what became of it later."""

    report: SignatureReport
    findings: tuple[Finding, ...]
    is_canonical: bool
    revision: int  # that it signs
    field_since: int | None  # revision that placed its field; None when it shows nothing
    is_last_word: bool  # nothing but line ends follows its revision
    fills_forms: bool  # what follows it includes further signatures

    @property
    def holds(self) -> bool:
        return all(finding.passed for finding in self.findings)


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
            failed = tuple(finding for finding in report.findings if not finding.passed)
            reason = failed[0].detail if failed else "the signature was taken out"
            late = Finding("nothing-after-signing", passed=False, detail=f"what follows the signed revision: {reason}")
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
        return unreadable(f"cannot be read: {type(error).__name__}")


def _examine_revisions(document: bytes, trust: Anchors) -> DocumentReport:
    """Take steps 1 to 6 for all revisions of a document."""
    reader = PdfFileReader(BytesIO(document), strict=True, decode_limits=_LIMITS)
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
        return _broken((readable, _failed("signature-readable", type(error).__name__)))
    embedded.sort(key=lambda signature: signature.signed_revision)
    removed = _removed_signatures(reader, embedded)
    if not any(signature.sig_object_type == "/Sig" for signature in embedded):
        signed = Finding("signed", passed=False, detail="it has no signature but document timestamps")
        return DocumentReport(Integrity.UNSIGNED, sub_indication="SIGNED_DATA_NOT_FOUND", findings=(readable, signed))
    judged = [_judge(document, reader, signature, trust) for signature in embedded]
    return _sum_up(document, judged, (readable, removed))


def _sum_up(document: bytes, judged: Sequence[_Judged], before: tuple[Finding, ...]) -> DocumentReport:
    """Make one result out of those of all signatures."""
    findings = (*before, *(finding for one in judged for finding in one.findings), *_admissions(judged))
    reports = tuple(one.report for one in judged)
    if not all(report.is_intact and not report.is_weak for report in reports):
        page_count, attachments = _carried(document, 0)
        return replace(_broken(findings), signatures=reports, page_count=page_count, attachments=attachments)
    signers = [one for one in judged if not one.report.is_timestamp]
    first = signers[0]
    if not all(finding.passed for finding in findings):
        integrity = Integrity.MODIFIED
    else:
        integrity = Integrity.INTACT if first.is_last_word else Integrity.INTACT_WITH_UPDATES
    page_count, attachments = _carried(document, first.report.revision_end)
    worst = min(signers, key=lambda one: [Trust.NO, Trust.INDETERMINATE, Trust.YES].index(one.report.trusted))
    return DocumentReport(
        integrity,
        trusted=worst.report.trusted,
        sub_indication="FORMAT_FAILURE" if integrity is Integrity.MODIFIED else worst.report.sub_indication,
        signatures=reports,
        signed_end=first.report.revision_end,
        is_canonical=first.is_canonical,
        attachments=attachments,
        page_count=page_count,
        findings=findings,
    )


def _broken(findings: tuple[Finding, ...]) -> DocumentReport:
    return DocumentReport(Integrity.BROKEN, sub_indication="SIG_CRYPTO_FAILURE", findings=findings)


def _failed(name: str, detail: str) -> Finding:
    return Finding(name, passed=False, detail=detail[:MAX_DETAIL])


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
            return _failed("no-signature-removed", f"revision {revision} had a signature that is gone")
    return Finding("no-signature-removed", passed=True)


def _fields_of(handler: PdfHandler) -> Iterator[tuple[str, object, generic.DictionaryObject]]:
    for name, value, field in enumerate_sig_fields(handler, filled_status=True):
        yield name, value, field.get_object()


def _judge(document: bytes, reader: PdfFileReader, signature: EmbeddedPdfSignature, trust: Anchors) -> _Judged:
    """Take steps 3 to 6 for one signature."""
    is_timestamp = signature.sig_object_type == "/DocTimeStamp"
    rule = "timestamp" if is_timestamp else "signature"
    try:
        signed = check_range(document, signature.byte_range)
        message = check_contents(document, signed, signature.pkcs7_content)
        status = asyncio.run(_validate(signature, trust))
    except BadRange as error:
        return _unfit(signature, _failed(error.rule, error.detail))
    except HOSTILE as error:
        return _unfit(signature, _failed(rule, f"cannot be validated: {type(error).__name__}"))
    findings = [Finding("byte-range", passed=True), _coverage(signature)]
    findings.append(Finding(rule, passed=status.intact and status.valid, detail=_why_not(status)))
    certificate = x509.load_der_x509_certificate(status.signing_cert.dump())
    key, is_strong_key = describe_key(certificate)
    is_weak = not (is_strong_key and _has_strong_digests(signature, status))
    findings.append(Finding("algorithms", passed=not is_weak, detail=f"{status.md_algorithm}, {key}"))
    is_intact = all(finding.passed or finding.name == "algorithms" for finding in findings)
    level, later = _later_changes(document, reader, signature, signed)
    findings.append(later)
    trusted, sub_indication = _judge_signer(status, certificate, trust)
    signed_at, timestamp = _times(status)
    report = SignatureReport(
        field_name=str(signature.field_name)[:MAX_DETAIL],
        is_timestamp=is_timestamp,
        is_intact=is_intact,
        is_weak=is_weak,
        trusted=trusted,
        sub_indication=sub_indication,
        signing_cert=status.signing_cert.dump(),
        signed_at=signed_at,
        timestamp=timestamp,
        digest_algorithm=str(status.md_algorithm),
        key=key,
        certification=_certification(signature),
        revision_end=signed.end,
    )
    return _Judged(
        report,
        tuple(findings),
        is_canonical=is_lower_case(document, signed) and is_canonical_der(message) and _is_bare(signature),
        revision=signature.signed_revision,
        field_since=_field_since(reader, signature.sig_field),
        is_last_word=has_only_line_ends(document, signed.end),
        fills_forms=level is ModificationLevel.FORM_FILLING,
    )


def _unfit(signature: EmbeddedPdfSignature, finding: Finding) -> _Judged:
    """Make the result of a signature that fails before anything can be said of it."""
    report = SignatureReport(
        field_name=str(signature.field_name)[:MAX_DETAIL],
        is_timestamp=signature.sig_object_type == "/DocTimeStamp",
        is_intact=False,
        is_weak=False,
        trusted=Trust.NO,
        sub_indication="FORMAT_FAILURE",
        signing_cert=b"",
        signed_at=None,
        timestamp=None,
        digest_algorithm="",
        key="",
        certification=None,
        revision_end=0,
    )
    return _Judged(
        report, (finding,), is_canonical=False, revision=0, field_since=0, is_last_word=False, fills_forms=False
    )


async def _validate(signature: EmbeddedPdfSignature, trust: Anchors) -> PdfSignatureStatus | DocumentTimestampStatus:
    """Have pyHanko check digest, signature and chain; what follows is compared by ourselves."""
    context = ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(root) for root in trust.roots],
        allow_fetching=False,
        revocation_mode="soft-fail",  # our own look-up follows: this mode does not read supplied lists
        moment=trust.now,
    )
    if signature.sig_object_type == "/DocTimeStamp":
        return await async_validate_pdf_timestamp(signature, context, skip_diff=True)
    return await async_validate_pdf_signature(
        signature,
        context,
        skip_diff=True,
        key_usage_settings=KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"}),
    )


def _times(status: PdfSignatureStatus | DocumentTimestampStatus) -> tuple[datetime | None, datetime | None]:
    """Give the moment the signer claims and the one a trusted authority saw, where there are any."""
    if isinstance(status, DocumentTimestampStatus):
        return status.timestamp, None
    stamp = status.timestamp_validity
    return status.signer_reported_dt, stamp.timestamp if stamp is not None and stamp.trusted else None


def _coverage(signature: EmbeddedPdfSignature) -> Finding:
    good = {SignatureCoverageLevel.ENTIRE_FILE, SignatureCoverageLevel.ENTIRE_REVISION}
    return Finding("covers-revision", passed=signature.coverage in good)


def _why_not(status: PdfSignatureStatus | DocumentTimestampStatus) -> str:
    if not status.intact:
        return "the digest of the signed bytes is another one"
    return "" if status.valid else "the signature does not fit its key"


def _has_strong_digests(signature: EmbeddedPdfSignature, status: PdfSignatureStatus | DocumentTimestampStatus) -> bool:
    """Whether all digests are strong, and that of the signature algorithm is the one of the message."""
    digests = {str(status.md_algorithm).lower(), str(signature.external_md_algorithm).lower()}
    if not digests <= STRONG_DIGESTS:
        return False
    try:
        of_signature = signature.signer_info["signature_algorithm"].hash_algo
    except ValueError:
        return True  # the algorithm names no digest of its own: RSA with the message's, Ed25519
    return str(of_signature).lower() == str(status.md_algorithm).lower()


def _certification(signature: EmbeddedPdfSignature) -> int | None:
    level = signature.docmdp_level
    return None if level is None else int(level.value)


def _is_bare(signature: EmbeddedPdfSignature) -> bool:
    """Whether the CMS holds one signer and no unsigned attributes, as our press makes it."""
    unsigned = signature.signer_info["unsigned_attrs"]
    return len(signature.signed_data["signer_infos"]) == 1 and not isinstance(unsigned, cms.CMSAttributes)


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
        return ModificationLevel.OTHER, _failed(rule, f"cannot be compared: {type(error).__name__}")
    if isinstance(result, SuspiciousModification):
        return ModificationLevel.OTHER, _failed(rule, str(result))
    level = result.modification_level
    allowed = {
        ModificationLevel.LTA_UPDATES: "validation data or document timestamps",
        ModificationLevel.FORM_FILLING: "further signatures",
    }
    if level not in allowed:
        return level, _failed(rule, f"changes of level {level.name}")
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
        intruding = [
            other.report for other in later if other.field_since is not None and other.field_since > one.revision
        ]
        is_admitted = bool(later) and all(
            report.trusted is Trust.YES or report.signing_cert in known for report in intruding
        )
        if not is_admitted:
            yield _failed("further-signatures", "form values were changed, or a stranger's signature shows something")
        elif one.report.certification == 1:
            yield _failed("further-signatures", "the document was certified as final")
        else:
            yield Finding("further-signatures", passed=True)


def _field_since(reader: PdfFileReader, field: generic.DictionaryObject) -> int | None:
    """Give the revision that placed a signature field, or None when it covers no area of a page."""
    widgets = [field, *(kid.get_object() for kid in field.get("/Kids", ()))]
    if not any(_has_area(widget) for widget in widgets):
        return None
    return max(int(reader.xrefs.get_introducing_revision(widget.container_ref)) for widget in widgets)


def _has_area(widget: generic.DictionaryObject) -> bool:
    left, bottom, right, top = (float(side) for side in widget.get("/Rect", (0, 0, 0, 0)))
    return left != right and bottom != top


def _judge_signer(
    status: PdfSignatureStatus | DocumentTimestampStatus, certificate: x509.Certificate, trust: Anchors
) -> tuple[Trust, str]:
    """Take step 6: chain to a configured root by key, purpose, revocation."""
    if not (status.intact and status.valid):
        return Trust.NO, "SIG_CRYPTO_FAILURE"
    problem = status.trust_problem_indic
    if problem is not None or status.validation_path is None:
        reason = str(problem.standard_name) if problem is not None else "NO_CERTIFICATE_CHAIN_FOUND"
        return (Trust.INDETERMINATE if reason in _REASONS_NOT_TO_TRUST_YET else Trust.NO), reason
    if isinstance(status, PdfSignatureStatus) and not may_sign_documents(certificate):
        return Trust.NO, "CHAIN_CONSTRAINTS_FAILURE"
    chain = [
        x509.load_der_x509_certificate(member.dump()) for member in status.validation_path.iter_certs(include_root=True)
    ]
    reason = check_revocation(chain, trust.crls, trust.now)
    if reason:
        return (Trust.INDETERMINATE if reason == "TRY_LATER" else Trust.NO), reason
    return Trust.YES, ""


def _load_crl(crl: bytes) -> x509.CertificateRevocationList:
    if crl.lstrip().startswith(b"-----"):
        return x509.load_pem_x509_crl(crl)
    return x509.load_der_x509_crl(crl)


def _carried(document: bytes, signed_end: int) -> tuple[int, dict[str, bytes]]:
    """Read page count and known attachments of the signed revision.

    Without a good signed revision they are read from the whole file: they only
    serve to say which credential the file pretends to be.
    """
    try:
        reader = PdfFileReader(BytesIO(document[: signed_end or None]), strict=True, decode_limits=_LIMITS)
        count = reader.root["/Pages"]["/Count"]
        attachments = dict(_attachments(reader))
    except HOSTILE:
        return 0, {}
    return max(0, int(count)), attachments


def _attachments(reader: PdfFileReader) -> Iterator[tuple[str, bytes]]:
    """Walk the tree of embedded files, at most ``MAX_TREE_NODES`` nodes of it."""
    names = reader.root.get("/Names", {}).get("/EmbeddedFiles")
    waiting = [] if names is None else [names]
    for _ in range(MAX_TREE_NODES):
        if not waiting:
            return
        node = waiting.pop().get_object()
        waiting.extend(node.get("/Kids", ()))
        entries = node.get("/Names", ())
        for name, specification in zip(entries[0::2], entries[1::2], strict=True):
            limit = ATTACHMENTS.get(str(name))
            if limit is None:
                continue
            content = specification.get_object()["/EF"]["/F"].data
            if len(content) <= limit:
                yield str(name), content
