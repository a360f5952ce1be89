"""Verify a file, a QR code, a verification code, or a serial with a name.

The steps (docs/verifying.md has them in both languages):

1. *Trust list*: it still speaks of the present.
2. *Find*: the register's entry by the file's digest, else by its earlier
   revisions' digests; by the code, or by serial and name.
3. *Document*: an exact original bears its signature (verifier/sealed_file.py);
   anything else, a registered later revision too, is examined in a limited process.
4. *Claims*: signed by a key of the issuer they name, which was valid then; if
   it is compromised by now, a stamped checkpoint proves that they are older: for
   a file its `seal` leaf must be under it, else the `issue` leaf.
5. *Log*: the `issue` leaf, and for a file its `seal` leaf, are in the log, and
   the proofs agree with the published checkpoint; as many witnesses as the
   trust list demands have cosigned what the proofs rest on.
6. *Signer*: the document's signer, the claims' signer and the issuer are one;
   a compromised key is judged as in step 4.
7. *Compare*: what is shown, what is signed and what is registered are the same.
8. *Status*: register and status list both say valid.
9. *Expiry*: the last day of validity is not over.

A step that fails raises ``CheckFailed`` and ends the verification; a store that
does not answer gives ``unavailable``. Anything else passes through: a fault of
ours must never be called a forgery. ``valid`` is only reached behind step 9.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from credential.errors import UnavailableError
from credential.names import fold_name_for_matching
from credential.ports import CredentialSource
from credential.qr import BadQrText, UnknownQrFormat, parse_qr_text
from credential.serial import BadVerificationCode, parse_verification_code
from credential.trust import TrustList
from verifier.compare import check_photo, check_qr, check_same_claims, check_shown
from verifier.erased import refuse_erased
from verifier.found import Found, Scanned, Supplied
from verifier.inquiry import Inquiry
from verifier.look import Look, is_our_code
from verifier.presented import GOOD, failed_rules, picture_report, shows_code, what_is
from verifier.reader import Reader
from verifier.reasons import Step
from verifier.report import DocumentReport, Integrity, Trust, is_altered
from verifier.sealed_file import Sealed, check_own_claims, check_sealed_file
from verifier.signed_range import revisions_of
from verifier.status import check_expiry, check_history, check_state
from verifier.steps import Steps
from verifier.symbol import is_picture
from verifier.trust import REVOKED, check_trust_list, may_be_older, open_claims
from verifier.verdict import CheckFailed, Presented, Verdict

__all__ = ["Reader", "Supplied", "Verifier"]

CLAIMS_ATTACHMENT = "certificate.cose"
PROOF_ATTACHMENT = "certificate.tlog-proof"

_NEEDED = {Step.TRUST_LIST, Step.CLAIMS, Step.LOG, Step.COMPARE, Step.STATUS, Step.EXPIRY}


class Verifier:
    """Verifies against one trust list; holds no key and changes nothing.

    Args:
        source: the register, log and status lists; None to verify offline.
        trust: opened and verified by the caller.
        reader: reads documents in limits.
        supplied: templates, revocation lists, status lists.
    """

    def __init__(
        self, source: CredentialSource | None, trust: TrustList, reader: Reader, supplied: Supplied | None = None
    ) -> None:
        self._source = source
        self._trust = trust
        self._reader = reader
        self._supplied = supplied or Supplied()
        self._steps = Steps(source, trust, self._supplied)

    # ---- the four ways in ---------------------------------------------------------------------------------------

    def verify_file(self, document: bytes, now: datetime) -> Verdict:
        """Say whether a certificate file is genuine and still good.

        Args:
            document: not trusted, of any kind and length.
            now: with time zone.

        Raises:
            UnavailableError: never; it becomes the verdict ``unavailable``.
        """
        return self._verify(Presented.ORIGINAL, now, lambda inquiry: self._file(inquiry, document))

    def verify_qr(self, text: str, now: datetime) -> Verdict:
        """Say whether the certificate that a QR code names is genuine and still good.

        Args:
            text: as scanned, not trusted.
            now: with time zone.
        """
        return self._verify(Presented.QR_ONLY, now, lambda inquiry: self._qr(inquiry, text))

    def verify_code(self, code: str, now: datetime) -> Verdict:
        """Say whether the certificate with a verification code is genuine and still good.

        Args:
            code: as typed; case, hyphens and look-alikes do not count.
            now: with time zone.
        """
        return self._verify(Presented.CODE, now, lambda inquiry: self._code(inquiry, code))

    def verify_serial(self, serial: str, name: str, now: datetime) -> Verdict:
        """Say whether the certificate with a serial is that of a person, and still good.

        A serial that does not exist and a name that does not belong to it give
        the same answer, so that nobody can find out serials or names here.

        Args:
            serial: as printed.
            name: of the holder; spaces, case and separators do not count.
            now: with time zone.
        """
        return self._verify(Presented.SERIAL, now, lambda inquiry: self._serial(inquiry, serial, name))

    def _verify(self, presented: Presented, now: datetime, steps: Callable[[Inquiry], None]) -> Verdict:
        """Take the steps and make the verdict: the only place that does."""
        inquiry = Inquiry(presented, now)
        try:
            check_trust_list(self._trust, now)
            inquiry.passed(Step.TRUST_LIST, "trust-list", "信任列表在有效期内", "the trust list is current")
            steps(inquiry)
        except CheckFailed as failure:
            return inquiry.conclude(failure.reason, failure.detail)
        except UnavailableError as error:
            return inquiry.conclude("register-unavailable", error.code)
        if not inquiry.passed_steps >= _NEEDED:
            raise AssertionError("a way to a good verdict left out a step")
        return inquiry.conclude("good")

    # ---- files --------------------------------------------------------------------------------------------------

    def _file(self, inquiry: Inquiry, document: bytes) -> None:
        sealed = self._find_sealed(document)
        if sealed is None:
            refuse_erased(self._source, inquiry, hashlib.sha256(document).digest(), is_original=True)
            self._unsealed_file(inquiry, document)
        registered = sealed.registered
        try:
            printed = check_sealed_file(inquiry, document, sealed, lambda: self._examine(inquiry, document))
        except CheckFailed:
            self._steps.describe(inquiry, self._steps.open_registered(registered))
            raise
        found = self._steps.registered_claims(inquiry, registered, printed.digest)
        self._steps.logged(inquiry, found, sealed.digest)
        self._steps.signer(inquiry, [printed.certificate], found, [printed.digest])
        check_own_claims(printed, registered)
        self._steps.still_good(inquiry, found)

    def _find_sealed(self, document: bytes) -> Sealed | None:
        """Take step 2 for a file: the register's entry, the sealed bytes and their digest."""
        if self._source is None:
            return None
        for original in revisions_of(document):
            digest = hashlib.sha256(original).digest()
            if (registered := self._source.by_digest(digest)) is not None:
                return Sealed(registered, original, digest)
        return None

    def _examine(self, inquiry: Inquiry, document: bytes) -> DocumentReport:
        report = self._reader.examine(document, anchors=self._trust.ca_certs, crls=self._supplied.crls, now=inquiry.now)
        inquiry.integrity = report.integrity
        return report

    def _read(self, inquiry: Inquiry, document: bytes) -> tuple[DocumentReport, Look]:
        if is_picture(document):
            look = self._reader.look(document)
            report = picture_report(look)
        else:
            anchors, crls = self._trust.ca_certs, self._supplied.crls
            report, look = self._reader.read(document, anchors=anchors, crls=crls, now=inquiry.now)
        inquiry.integrity = report.integrity
        return report, look

    def _unsealed_file(self, inquiry: Inquiry, document: bytes) -> NoReturn:
        """Judge a file that the register has not sealed: it is never valid, but what is it?"""
        inquiry.document = document
        report, look = self._read(inquiry, document)
        clue = self._clue(report, look)
        is_by_code = (
            clue is not None and clue.registered is not None and shows_code(look, clue.claims.verification_code)
        )
        if not (look.is_whole or is_by_code):
            # The one code that was read leads nowhere, while another on the page might.
            look = self._reader.look(document)
            clue = self._clue(report, look)
        if clue is not None:
            self._steps.describe(inquiry, clue)
        inquiry.presented = what_is(report, names_ours=clue is not None or any(map(is_our_code, look.symbols)))
        if report.integrity is Integrity.UNREADABLE:
            raise CheckFailed("unreadable", failed_rules(report))
        if is_altered(report):
            raise CheckFailed("altered", failed_rules(report))
        if report.integrity in GOOD:
            self._signed_file(inquiry, report, look, clue)
        else:
            self._copy(inquiry, report, look, clue)

    def _signed_file(self, inquiry: Inquiry, report: DocumentReport, look: Look, clue: Found | None) -> NoReturn:
        """Judge an intact signature over a file that was not sealed, or cannot be looked up."""
        if report.trusted is Trust.YES:
            zh, en = "文件签名完好且可信", "the file's signatures are intact and trusted"
            inquiry.passed(Step.DOCUMENT, "document", zh, en)
        elif clue is None:
            raise CheckFailed("not-ours", report.sub_indication)
        elif report.sub_indication not in REVOKED:
            is_open = report.trusted is Trust.INDETERMINATE
            raise CheckFailed("signer-undecided" if is_open else "signed-by-another", report.sub_indication)
        claims, payload, key = open_claims(self._trust, report.attachments.get(CLAIMS_ATTACHMENT, b""))
        own = Found(claims, payload, key, None if clue is None else clue.registered)
        self._steps.describe(inquiry, own)
        originals = self._steps.originals(inquiry.document)
        self._steps.file_claims(inquiry, own, originals)
        pdf_key = self._steps.signer(inquiry, [report.signatures[0].signing_cert], own, originals)
        if report.trusted is not Trust.YES and not may_be_older(pdf_key, report.sub_indication):
            raise CheckFailed("signer-revoked", report.sub_indication)
        if not report.is_canonical:
            raise CheckFailed("altered", "its signature has not the one shape that our press writes")
        self._shows(inquiry, report, look, own)
        if own.registered is not None:
            check_same_claims(payload, self._steps.open_registered(own.registered).payload)
            check_history(own.registered)
            check_state(own.registered)
        if self._source is not None:
            refuse_erased(self._source, inquiry, hashlib.sha256(payload).digest())
            raise CheckFailed("seal-not-logged", "the register knows no file with this digest")
        proof = report.attachments.get(PROOF_ATTACHMENT, b"").decode("utf-8", "replace")
        self._steps.logged_offline(inquiry, own, proof, originals)
        is_plain = report.integrity is Integrity.INTACT
        inquiry.presented = Presented.ORIGINAL if is_plain else Presented.ORIGINAL_WITH_UPDATES
        self._steps.listed_offline(inquiry, claims.status_uri, claims.status_index, claims.issuer)
        check_expiry(claims, inquiry.now)
        raise CheckFailed("register-not-asked")

    def _copy(self, inquiry: Inquiry, report: DocumentReport, look: Look, clue: Found | None) -> NoReturn:
        """Judge a file without a good signature: it proves nothing, but may name a credential."""
        codes = [text for text in look.symbols if is_our_code(text)]
        if clue is None and codes:
            self._qr(inquiry, codes[0])  # says why the register does not have it
        if clue is None:
            raise CheckFailed("not-ours", "no signature, and no readable code of ours")
        self._shows(inquiry, report, look, clue)
        if clue.registered is None:
            refuse_erased(self._source, inquiry, hashlib.sha256(clue.payload).digest())
            raise CheckFailed("register-not-asked" if self._source is None else "no-such-credential")
        found = self._steps.registered_claims(inquiry, clue.registered)
        self._steps.logged(inquiry, found, None)
        self._steps.still_good(inquiry, found)
        raise CheckFailed("copy")

    def _shows(self, inquiry: Inquiry, report: DocumentReport, look: Look, found: Found) -> None:
        """Take step 7 for a page: its QR code, its text and its photo against the claims.

        A copy never passes it: what it shows may be drawn over what it says.
        """
        is_copy = report.integrity not in GOOD
        claims = found.claims
        template = self._steps.template_of(inquiry, claims)
        codes = [text for text in look.symbols if is_our_code(text)]
        if not is_copy and not codes:
            raise CheckFailed("qr-of-another", "no QR code of ours on the page")
        for text in codes:
            scanned = parse_qr_text(text)
            if scanned.code != claims.verification_code:
                raise CheckFailed("qr-of-another", "another verification code")
            if scanned.message is not None:
                opened = self._steps.open_qr(scanned.message)
                check_qr(opened.qr, claims, found.payload, template, "qr-of-another")
                self._steps.check_scanned(opened, found)
            self._steps.leads_home(inquiry, scanned.origin, claims.issuer, claims.status_uri)
        has_text = check_shown(template, claims, look.text)
        has_photo = check_photo(report, claims) and claims.photo_digest is not None
        if not has_text:
            zh, en = "页面文字未能比对,请肉眼逐项比对", "the page's text could not be compared, compare by eye"
            inquiry.left_open(Step.COMPARE, "shown", zh, en)
        elif is_copy:
            zh = "副本的文字层含有签名数据,但所见内容可能被遮盖或替换,请肉眼与此处所列逐项比对"
            en = (
                "the copy's text layer contains the signed values, but may be drawn over: compare by eye with this list"
            )
            inquiry.left_open(Step.COMPARE, "shown", zh, en)
        else:
            zh, en = "页面文字层含有全部签名数据", "the page's text layer contains the signed values"
            inquiry.passed(Step.COMPARE, "shown", zh, en)
        if has_photo and not is_copy:
            inquiry.passed(Step.COMPARE, "photo", "内嵌照片与签名数据一致", "the embedded photo is the signed one")

    def _clue(self, report: DocumentReport, look: Look) -> Found | None:
        """Find out which credential a file pretends to be, by its QR codes, else by its attachment."""
        try:
            for text in look.symbols:
                if is_our_code(text) and (found := self._by_code(parse_qr_text(text).code)) is not None:
                    return found
            claims, payload, key = open_claims(self._trust, report.attachments.get(CLAIMS_ATTACHMENT, b""))
            return self._by_code(claims.verification_code) or Found(claims, payload, key, None)
        except CheckFailed:
            return None  # it names nothing that we could vouch for

    def _by_code(self, code: str) -> Found | None:
        registered = None if self._source is None else self._source.by_code(code)
        if registered is None:
            return None
        found = self._steps.open_registered(registered)
        if found.claims.verification_code != code:
            raise CheckFailed("register-damaged", "the entry has another verification code")
        return found

    # ---- QR codes, codes and serials ----------------------------------------------------------------------------

    def _qr(self, inquiry: Inquiry, text: str) -> None:
        try:
            scanned = parse_qr_text(text)
        except (BadQrText, UnknownQrFormat) as error:
            raise CheckFailed("bad-qr", error.code) from error
        opened = None if scanned.message is None else self._steps.open_qr(scanned.message)
        if self._source is None:
            if opened is not None:
                self._steps.qr_offline(inquiry, opened, scanned.origin)
            raise CheckFailed("register-not-asked")
        if opened is not None and opened.key.compromised_since is None:
            self._steps.scanned(inquiry, opened, None)
        registered = self._source.by_code(scanned.code)
        if registered is None:
            if opened is not None:
                refuse_erased(self._source, inquiry, opened.qr.claims_digest)
            raise CheckFailed("no-such-credential")
        found = self._steps.registered_claims(inquiry, registered)
        self._by_register(inquiry, found, scanned.code, opened, scanned.origin)

    def _code(self, inquiry: Inquiry, text: str) -> None:
        try:
            code = parse_verification_code(text)
        except BadVerificationCode as error:
            raise CheckFailed("bad-code") from error
        if self._source is None:
            raise CheckFailed("register-not-asked")
        registered = self._source.by_code(code)
        if registered is None:
            raise CheckFailed("no-such-credential")
        self._by_register(inquiry, self._steps.registered_claims(inquiry, registered), code)

    def _serial(self, inquiry: Inquiry, serial: str, name: str) -> None:
        if self._source is None:
            raise CheckFailed("register-not-asked")
        inquiry.is_masked = True
        wanted = fold_name_for_matching(name).encode()
        # Each is opened, also those of other serials: a wrong name takes as long as a serial that does not exist.
        matching = [one for one in self._source.candidates(serial) if self._steps.is_named(one, serial, wanted)]
        if not matching:
            raise CheckFailed("no-such-credential")
        # A correction that is still being printed takes nobody's place yet.
        newest = next((registered for registered in matching if registered.issued), matching[0])
        found = self._steps.registered_claims(inquiry, newest)
        self._by_register(inquiry, found, found.claims.verification_code)

    def _by_register(
        self, inquiry: Inquiry, found: Found, code: str, opened: Scanned | None = None, origin: str = ""
    ) -> None:
        """Take the steps that follow when a credential was found without its file."""
        if found.claims.verification_code != code:
            raise CheckFailed("register-damaged", "the entry has another verification code")
        if opened is not None and opened.key.compromised_since is not None:
            self._steps.scanned(inquiry, opened, found)
        self._steps.logged(inquiry, found, None)
        if opened is not None:
            template = self._steps.template_of(inquiry, found.claims)
            check_qr(opened.qr, found.claims, found.payload, template, "register-differs")
            inquiry.passed(Step.COMPARE, "qr", "二维码与登记数据一致", "the QR code says what the register says")
        if origin:
            self._steps.leads_home(inquiry, origin, found.claims.issuer, found.claims.status_uri)
        self._steps.still_good(inquiry, found)
