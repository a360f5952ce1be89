"""pyHanko's AdES functions (ETSI EN 319 102-1), asked at a date of the test's choice.

The clock is the one that pyHanko reads. At each date the verifier knows the anchors, the file,
and that the newest time stamp's certificate is not revoked: nobody can show that from the past.

pyHanko 0.38 is too lax once and too strict twice, whoever made the file:

- a signature of an expired certificate with a time stamp is "passed" before anything
  of the past is looked at. All tests want more: that the past is validated;
- the list of a CA below the root is not found when the past is validated;
- a CA below the root that has expired ends the matter.

For chains with such a CA, ours and most others, the last two can be mended.
"""

import asyncio
import dataclasses
import hashlib
import io
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESIndeterminate, AdESPassed, AdESSubIndic
from pyhanko.sign.validation import ades, generic_cms
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.authority import CertTrustAnchor
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    REQUIRE_REVINFO,
    CertRevTrustPolicy,
    FreshnessReqType,
    NonRevokedStatusAssertion,
)
from pyhanko_certvalidator.registry import SimpleTrustManager


class Pyhanko:
    """pyHanko's AdES validation, and the clock that it reads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, anchors: Sequence[bytes]) -> None:
        """Have it trust anchors, DER."""
        self._monkeypatch = monkeypatch
        self._clock = datetime.now(UTC)
        self._anchors = [asn1_x509.Certificate.load(der) for der in anchors]

    def set_clock(self, at: datetime) -> None:
        class Frozen(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # no Frozen comes out
                return at.astimezone(tz)

        self._clock = at
        reading = ("ltv.poe", "ltv.ades_past", "ltv.types", "context")
        for module in (*(f"pyhanko_certvalidator.{one}" for one in reading), ades.__name__):
            self._monkeypatch.setattr(f"{module}.datetime", Frozen)

    def judge(self, document: bytes, at: datetime, newest: bytes) -> tuple[AdESSubIndic, datetime]:
        """Validate a file with long-term evidence; passed only if the past was validated.

        Args:
            document: whose first signature is meant.
            at: the clock.
            newest: certificate of its newest time stamp, known not to be revoked.

        Returns:
            The verdict, and when the signature existed at the latest.
        """
        self.set_clock(at)
        result = asyncio.run(ades.ades_lta_validation(first_signature(document), self._policy(newest, at)))
        if result.ades_subindic is AdESPassed.OK:
            assert result.failure_msg is None, "only what is good now is passed without the past"
        return result.ades_subindic, result.best_signature_time

    def foresee(self, document: bytes, at: datetime, newest: bytes, *, known: datetime) -> AdESSubIndic:
        """Ask whether a file that is known since a moment can be maintained until a date."""
        self.set_clock(at)
        spec = self._policy(newest, at)
        validated = ades.simulate_future_ades_lta_validation(first_signature(document), spec, at, known)
        result = asyncio.run(validated)
        assert result.failure_msg is None or result.ades_subindic is not AdESPassed.OK
        return result.ades_subindic

    def _policy(self, newest: bytes, at: datetime) -> PdfSignatureValidationSpec:
        """Lists are required for every certificate, and last as long as they say (EN 319 102-1, 5.2.5.4)."""
        trusted = CertRevTrustPolicy(
            REQUIRE_REVINFO, freshness_req_type=FreshnessReqType.MAX_DIFF_REVOCATION_VALIDATION
        )
        stands = NonRevokedStatusAssertion(hashlib.sha256(newest).digest(), at)
        return PdfSignatureValidationSpec(
            SignatureValidationSpec(
                CertValidationPolicySpec(SimpleTrustManager.build(self._anchors), trusted),
                RevocationInfoGatheringSpec(RevinfoOnlineFetchingRule.LOCAL_ONLY),
                local_knowledge=LocalKnowledge(nonrevoked_assertions=[stands]),
            )
        )

    def demand_past(self) -> None:
        """Have an expired signature be undecided before its past is validated."""
        real = ades.ades_with_time_validation

        async def strict(*arguments: Any, **named: Any) -> Any:
            result = await real(*arguments, **named)
            signer = result.api_status and result.api_status.signing_cert
            is_ended = signer is not None and signer.not_valid_after < named["timing_info"].validation_time
            if is_ended and result.ades_subindic is AdESPassed.OK:
                return dataclasses.replace(result, ades_subindic=AdESIndeterminate.OUT_OF_BOUNDS_NO_POE)
            return result

        self._monkeypatch.setattr(ades, "ades_with_time_validation", strict)

    def mend(self) -> None:
        """Mend what hinders every chain with a CA below the root."""
        append: Callable[..., ValidationPath] = ValidationPath.truncate_to_issuer_and_append
        handle = generic_cms.handle_certvalidator_errors

        def with_anchor_itself(path: ValidationPath, cert: asn1_x509.Certificate) -> ValidationPath:
            anchor = path.trust_anchor
            if isinstance(anchor, CertTrustAnchor) and anchor.certificate.dump() == cert.dump():
                return ValidationPath(anchor, interm=[], leaf=None)
            return append(path, cert)

        async def signer_first(cert: asn1_x509.Certificate, coro: Awaitable[Any]) -> Any:
            result = await handle(cert, coro)
            is_general = result.error_subindic is AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE
            if is_general and cert.not_valid_after < self._clock:
                return dataclasses.replace(result, error_subindic=AdESIndeterminate.OUT_OF_BOUNDS_NO_POE)
            return result

        self._monkeypatch.setattr(ValidationPath, "truncate_to_issuer_and_append", with_anchor_itself)
        self._monkeypatch.setattr(generic_cms, "handle_certvalidator_errors", signer_first)


def first_signature(document: bytes) -> Any:
    """The signature that is not of an authority."""
    return PdfFileReader(io.BytesIO(document)).embedded_regular_signatures[0]
