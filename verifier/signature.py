"""Judge one signature of a PDF on its own revision: its bytes, its cryptography, its signer.

What follows the revision is another matter (verifier/updates.py).
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import (
    DocumentTimestampStatus,
    EmbeddedPdfSignature,
    PdfSignatureStatus,
    SignatureCoverageLevel,
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from credential.timestamp import BadTimestamp, read_timestamp, verify_timestamp
from verifier.carried import HOSTILE
from verifier.report import MAX_DETAIL, Finding, SignatureReport, Trust, failed
from verifier.signed_range import (
    BadRange,
    SignedRange,
    check_contents,
    check_range,
    is_canonical_der,
    is_lower_case,
)
from verifier.signer_policy import STRONG_DIGESTS, check_revocation, describe_key, may_sign_documents

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
class JudgedSignature:
    """One signature, judged on its own revision.

    Attributes:
        report: what was found.
        findings: the rules that were applied.
        signed: the bytes it covers; None when it fails before they are known.
        is_canonical: it has the exact shape that our press gives it.
        revision: number of the revision that it signs.
        field_since: revision that placed its field; None when it shows nothing.
    """

    report: SignatureReport
    findings: tuple[Finding, ...]
    signed: SignedRange | None
    is_canonical: bool
    revision: int
    field_since: int | None


def judge_signature(
    document: bytes, reader: PdfFileReader, signature: EmbeddedPdfSignature, trust: Anchors
) -> JudgedSignature:
    """Take steps 3 to 6 for one signature."""
    is_timestamp = signature.sig_object_type == "/DocTimeStamp"
    rule = "timestamp" if is_timestamp else "signature"
    try:
        signed = check_range(document, signature.byte_range)
        message = check_contents(document, signed, signature.pkcs7_content)
        status = asyncio.run(_validate(signature, trust))
    except BadRange as error:
        return _unfit(signature, failed(error.rule, error.detail))
    except HOSTILE as error:
        return _unfit(signature, failed(rule, f"cannot be validated: {type(error).__name__}"))
    findings = [Finding("byte-range", passed=True), _coverage(signature)]
    findings.append(Finding(rule, passed=status.intact and status.valid, detail=_why_not(status)))
    certificate = x509.load_der_x509_certificate(status.signing_cert.dump())
    key, is_strong_key = describe_key(certificate)
    is_weak = not (is_strong_key and _has_strong_digests(signature, status))
    findings.append(Finding("algorithms", passed=not is_weak, detail=f"{status.md_algorithm}, {key}"))
    is_intact = all(finding.passed or finding.name == "algorithms" for finding in findings)
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
    return JudgedSignature(
        report,
        tuple(findings),
        signed,
        is_canonical=is_lower_case(document, signed) and is_canonical_der(message) and _is_bare(signature),
        revision=signature.signed_revision,
        field_since=_field_since(reader, signature.sig_field),
    )


def _unfit(signature: EmbeddedPdfSignature, finding: Finding) -> JudgedSignature:
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
    return JudgedSignature(report, (finding,), None, is_canonical=False, revision=0, field_since=0)


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
    """Whether the parts of the CMS that no signature covers are as our press makes them.

    Versions and the list of digest algorithms can be changed without breaking
    the signature; further signers and unsigned attributes can be added.
    """
    data, signer = signature.signed_data, signature.signer_info
    try:
        versions = {data["version"].native, signer["version"].native}
        digests = [algorithm.dump() for algorithm in data["digest_algorithms"]]
        is_ours = versions == {"v1"} and digests == [signer["digest_algorithm"].dump()]
        return is_ours and len(data["signer_infos"]) == 1 and _has_only_its_timestamp(signer)
    except HOSTILE:
        return False


def _has_only_its_timestamp(signer: cms.SignerInfo) -> bool:
    """Whether nothing is unsigned, or nothing but one token over this very signature, whole in itself.

    Whose token it is, is not asked: it adds nothing to what is said of the
    certificate. But none of its signed bytes may be another than it was made with.
    """
    unsigned = signer["unsigned_attrs"]
    if not isinstance(unsigned, cms.CMSAttributes):
        return True
    if [attribute["type"].native for attribute in unsigned] != ["signature_time_stamp_token"]:
        return False
    values = unsigned[0]["values"]
    try:
        token = values[0].dump()
        certificate = read_timestamp(token).certificate
        verify_timestamp(token, bytes(signer["signature"]), [certificate] if certificate else [])
    except BadTimestamp:
        return False
    return len(values) == 1


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
