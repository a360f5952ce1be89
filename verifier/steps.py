"""The steps that several ways of verifying share: claims, log, status, expiry (numbers as in verify.py)."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from credential.claims import BadClaims
from credential.leaves import renewal_leaf, seal_leaf
from credential.merkle import LogProof
from credential.model import Claims
from credential.names import fold_name_for_matching
from credential.note import Checkpoint, parse_proof
from credential.ports import CredentialSource, RegisteredCredential
from credential.qr import QrClaims, decode_qr_claims
from credential.trust import TrustedKey, TrustList
from press.template import Template
from verifier.compare import check_qr, check_registered, origin_of, summarise, summarise_qr
from verifier.cutoff import is_attested, prove_older
from verifier.found import Found, Scanned, Supplied
from verifier.inquiry import Inquiry
from verifier.printed_by import printed_by
from verifier.reasons import Step
from verifier.signed_range import revisions_of
from verifier.status import check_expiry, check_history, check_listed, check_state
from verifier.trust import (
    check_document_signer,
    check_issuer_key,
    check_logged,
    check_published,
    find_document_key,
    open_claims,
    open_signed,
    open_status,
)
from verifier.verdict import CheckFailed
from verifier.witnessed import count_witnesses

__all__ = ["Found", "Scanned", "Steps", "Supplied"]


class Steps:
    """Takes single steps, each of which raises CheckFailed when it does not pass."""

    def __init__(self, source: CredentialSource | None, trust: TrustList, supplied: Supplied) -> None:
        self._source = source
        self._trust = trust
        self._supplied = supplied

    def open_qr(self, message: bytes) -> Scanned:
        """Verify the signature of a QR code, whoever showed it; :meth:`check_scanned` judges the key."""
        payload, key = open_signed(self._trust, message)
        try:
            return Scanned(decode_qr_claims(payload), key)
        except BadClaims as error:
            raise CheckFailed("claims-malformed", error.en) from error

    def check_scanned(self, opened: Scanned, found: Found | None) -> None:
        """Check that a QR code's key was good; what it says is compared by ``compare.check_qr``.

        Args:
            opened: of the code.
            found: the full claims that the code is held against, whose issue leaf says how old they are.
        """
        proven_at = None if found is None else self._issue_proven_at(opened.key, found)
        check_issuer_key(opened.key, opened.qr.issuer, opened.qr.issued_at, proven_at)

    def scanned(self, inquiry: Inquiry, opened: Scanned, found: Found | None) -> None:
        """Take step 4 for a QR code by itself; what a thief may have signed is not even told."""
        self.check_scanned(opened, found)
        if inquiry.credential is None:
            inquiry.credential = summarise_qr(opened.qr)
        inquiry.passed(Step.CLAIMS, "qr-signature", "二维码签名有效", "the QR code was signed by the issuer")

    def qr_offline(self, inquiry: Inquiry, opened: Scanned, origin: str) -> None:
        """Take what steps can be taken for a QR code without asking anybody."""
        found = None if opened.key.compromised_since is None else self._supplied_claims(opened.qr)
        self.scanned(inquiry, opened, found)
        if found is not None:
            _note_older(inquiry, Step.CLAIMS)
        self.leads_home(inquiry, origin, opened.qr.issuer)
        self.listed_by_number(inquiry, opened.qr)

    def registered_claims(
        self, inquiry: Inquiry, registered: RegisteredCredential, original: bytes | None = None
    ) -> Found:
        """Take step 4 for the register's entry, and tell whose credential it is.

        Args:
            inquiry: gets the check.
            registered: the entry.
            original: digest of the original file, where a file was presented. If the key is compromised since,
                that very file must be older, not only its claims.
        """
        found = self.open_registered(registered)
        self.describe(inquiry, found)
        if original is None:
            proven_at = self._issue_proven_at(found.key, found)
        else:
            proven_at = self._seal_proven_at(found.key, found, original)
        check_issuer_key(found.key, found.claims.issuer, found.claims.issued_at, proven_at)
        inquiry.passed(Step.CLAIMS, "claims", "数据签名有效", "the signed data is the issuer's")
        if proven_at is not None:
            _note_older(inquiry, Step.CLAIMS)
        check_history(registered)
        if not registered.issued:
            raise CheckFailed("not-issued")
        return found

    def originals(self, document: bytes) -> list[bytes]:
        """Digests of a file that the register does not know, as it is and as it was before updates."""
        return [hashlib.sha256(one).digest() for one in revisions_of(document)] if self._source is None else [b""]

    def file_claims(self, inquiry: Inquiry, own: Found, originals: Sequence[bytes]) -> None:
        """Take step 4 for the claims that a file carries."""
        proven_at = self._file_proven_at(own.key, own, originals)
        check_issuer_key(own.key, own.claims.issuer, own.claims.issued_at, proven_at)
        inquiry.passed(Step.CLAIMS, "claims", "数据签名有效", "the signed data is the issuer's")
        if proven_at is not None:
            _note_older(inquiry, Step.CLAIMS)

    def signer(
        self, inquiry: Inquiry, certificates: Iterable[bytes], found: Found, originals: Sequence[bytes]
    ) -> TrustedKey:
        """Take step 6, and tell which key of the trust list signed a file.

        Args:
            inquiry: gets the check.
            certificates: of the file's signature, DER.
            found: the claims of the file.
            originals: digests that the file may have been sealed with.
        """
        key = find_document_key(self._trust, certificates)
        proven_at = self._file_proven_at(key, found, originals)
        check_document_signer(key, found.claims, inquiry.now, proven_at)
        inquiry.passed(Step.SIGNER, "signer", "文件由该发证机构签名", "the file was signed by the issuer it names")
        if proven_at is not None:
            _note_older(inquiry, Step.SIGNER)
        return key

    def _file_proven_at(self, key: TrustedKey, found: Found, originals: Sequence[bytes]) -> datetime | None:
        """Find a moment at which a file is proven to have existed; None for a key that needs no such proof.

        Raises:
            CheckFailed: the key is compromised, and nothing proves that the file is older.
        """
        for digest in originals[:-1]:
            with suppress(CheckFailed):
                return self._seal_proven_at(key, found, digest)
        return self._seal_proven_at(key, found, originals[-1])

    def _seal_proven_at(self, key: TrustedKey, found: Found, original: bytes) -> datetime | None:
        if key.compromised_since is None:
            return None
        files = () if found.registered is None else found.registered.files
        proof = next((file.seal_proof for file in files if file.digest == original), "")
        if self._source is not None and not proof:
            raise CheckFailed("key-compromised", f"{key.role} key {key.kid.hex()}: the register knows no such file")
        return self._proven_at(key, seal_leaf(original, found.claims.salt), proof)

    def _issue_proven_at(self, key: TrustedKey, found: Found) -> datetime | None:
        proof = "" if found.registered is None else found.registered.issue_proof
        return self._proven_at(key, found.issue_leaf, proof)

    def _proven_at(self, key: TrustedKey, leaf: bytes, proof: LogProof | str) -> datetime | None:
        """Take the part of steps 4 and 6 that a compromised key makes necessary (verifier/cutoff.py)."""
        if key.compromised_since is None:
            return None
        if self._source is None:
            return prove_older(self._trust, key, leaf, self._supplied.evidence.get(leaf, ()), None)
        check_logged(self._trust, proof, leaf, "key-compromised")
        index = parse_proof(proof).index if isinstance(proof, str) else proof.index
        evidence = self._source.attested(leaf, index, key.compromised_since)
        # Asked after the evidence: what the log grew into meanwhile must not look like a fork.
        return prove_older(self._trust, key, leaf, evidence, self._source.checkpoint())

    def logged_offline(self, inquiry: Inquiry, found: Found, proof: str, originals: Iterable[bytes]) -> None:
        """Take step 5 for a file without asking anybody: by the proof in the file, or by evidence that was supplied.

        Args:
            inquiry: gets the checks.
            found: the claims of the file.
            proof: that the file carries, of its issue leaf.
            originals: digests of the file and of what it was before updates.
        """
        try:
            self._logged(inquiry, proof, found.issue_leaf, "issue-not-logged")
        except CheckFailed:
            # The log's key may be compromised by now, while what it signed before was stamped.
            if not self._is_attested(found.issue_leaf):
                raise
        else:
            self._witnessed(inquiry, proof)
        inquiry.passed(Step.LOG, "issue-logged", "颁发记录在透明日志中", "the log proves that it was issued")
        if any(self._is_attested(seal_leaf(digest, found.claims.salt)) for digest in originals):
            zh, en = "文件的封存记录在透明日志中", "the log proves that the file was sealed"
            inquiry.passed(Step.LOG, "seal-logged", zh, en)

    def _is_attested(self, leaf: bytes) -> bool:
        return is_attested(self._trust, leaf, self._supplied.evidence.get(leaf, ()))

    def _supplied_claims(self, qr: QrClaims) -> Found | None:
        """Find the full claims of a QR code among what was supplied, and check that the code says the same."""
        message = self._supplied.claims.get(qr.claims_digest)
        if message is None:
            return None
        claims, payload, key = open_claims(self._trust, message)
        found = Found(claims, payload, key, None)
        check_issuer_key(key, claims.issuer, claims.issued_at, self._issue_proven_at(key, found))
        check_qr(qr, claims, payload, self._supplied.templates.get(claims.template_digest), "register-differs")
        return found

    def open_registered(self, registered: RegisteredCredential) -> Found:
        """Open the register's claims; a bad signature there is the register's fault, not the holder's."""
        try:
            claims, payload, key = open_claims(self._trust, registered.claims)
        except CheckFailed as failure:
            raise CheckFailed("register-damaged", failure.reason) from failure
        return Found(claims, payload, key, registered)

    def is_named(self, registered: RegisteredCredential, serial: str, wanted: bytes) -> bool:
        """Whether an entry has this serial and this folded name; a damaged entry has no name."""
        try:
            claims = self.open_registered(registered).claims
        except CheckFailed:
            return False
        own = fold_name_for_matching(claims.holder.name).encode()
        is_same = hmac.compare_digest(own, wanted)  # whatever the serial is, so that all take as long
        return is_same and claims.serial == serial and bool(wanted)

    def describe(self, inquiry: Inquiry, found: Found) -> None:
        """Note what may be told of a credential."""
        template = self.template_of(inquiry, found.claims)
        inquiry.credential = summarise(
            found.claims, found.payload, found.registered, template, is_masked=inquiry.is_masked
        )
        if found.registered is not None:
            inquiry.changes = found.registered.changes

    def template_of(self, inquiry: Inquiry, claims: Claims) -> Template | None:
        """Find the version of the template that printed a credential, never today's version."""
        found = self._supplied.templates.get(claims.template_digest)
        if found is None and inquiry.document:
            version = printed_by(inquiry.document, claims.template_digest)
            found = None if version is None else self._supplied.templates.get(version)
        return found

    def leads_home(self, inquiry: Inquiry, origin: str, issuer: str, status_uri: str = "") -> None:
        """Take the part of step 7 that asks where a QR code sends people who scan it.

        Offline a site that is not known is left open: nobody may have told us
        all of an issuer's sites.

        Args:
            inquiry: gets the check.
            origin: of the text of the code.
            issuer: that its claims name, verified.
            status_uri: of the full claims, verified; empty when only the code is at hand.
        """
        known = self._supplied.origins.get(issuer, frozenset()) | ({origin_of(status_uri)} if status_uri else set())
        if origin in known:
            inquiry.passed(
                Step.COMPARE, "qr-site", "二维码指向发证机构的核验网址", "the QR code leads to the issuer's site"
            )
        elif self._source is None:
            inquiry.left_open(
                Step.COMPARE,
                "qr-site",
                "离线核验:二维码指向的网址未能确认,访问前请核对",
                "checked offline: the QR code's site is not known here, look at it before you follow it",
            )
        else:
            raise CheckFailed("qr-other-site", origin)

    def logged(self, inquiry: Inquiry, found: Found, pdf_digest: bytes | None) -> None:
        """Take step 5 for a registered credential, and for a file of it."""
        source, registered = self._need(found)
        salt = found.claims.salt
        proofs = [registered.issue_proof]
        proven = [self._logged(inquiry, registered.issue_proof, found.issue_leaf, "issue-not-logged")]
        inquiry.passed(Step.LOG, "issue-logged", "颁发记录在透明日志中", "the log proves that it was issued")
        if pdf_digest is not None:
            for proof, leaf in _file_leaves(registered, pdf_digest, salt):
                proofs.append(proof)
                proven.append(self._logged(inquiry, proof, leaf, "seal-not-logged"))
            inquiry.passed(
                Step.LOG, "seal-logged", "文件的封存记录在透明日志中", "the log proves that the file was sealed"
            )
        check_published(self._trust, source.checkpoint(), proven)
        self._witnessed(inquiry, *proofs)

    def _logged(self, inquiry: Inquiry, proof: LogProof | str, leaf: bytes, reason: str) -> Checkpoint:
        """Check one proof; too few witnesses are told of with their number."""
        try:
            return check_logged(self._trust, proof, leaf, reason)
        except CheckFailed as failure:
            if failure.reason == "witnesses-needed":
                with suppress(CheckFailed):  # a line that is bad counts for nobody
                    inquiry.witnesses = count_witnesses(self._trust, [proof])
            raise

    def _witnessed(self, inquiry: Inquiry, *proofs: LogProof | str) -> None:
        """Tell how many witnesses saw what these proofs rest on; that they are enough was checked with each."""
        count = inquiry.witnesses = count_witnesses(self._trust, proofs)
        if count.demanded:
            zh, en = "检查点已取得要求的见证签名", "as many witnesses as demanded have cosigned the checkpoint"
            inquiry.passed(Step.LOG, "witnessed", zh, en)

    def still_good(self, inquiry: Inquiry, found: Found) -> None:
        """Take the rest of step 7, and steps 8 and 9, for a registered credential."""
        source, registered = self._need(found)
        check_registered(registered, found.claims)
        inquiry.passed(
            Step.COMPARE, "register", "登记的状态列表位置与签名数据一致", "register and signed data name the same slot"
        )
        check_state(registered)
        inquiry.passed(Step.STATUS, "register-state", "登记状态为有效", "the register says valid")
        token = source.status_token(registered.status_list)
        status_list = open_status(self._trust, token, inquiry.now, found.claims.issuer)
        inquiry.status_at = status_list.iat
        check_listed(status_list, found.claims.status_uri, found.claims.status_index)
        inquiry.passed(Step.STATUS, "status-list", "状态列表为有效", "the status list says valid")
        check_expiry(found.claims, inquiry.now)
        inquiry.passed(Step.EXPIRY, "not-expired", "在有效期内", "it has not expired")

    def _need(self, found: Found) -> tuple[CredentialSource, RegisteredCredential]:
        if self._source is None or found.registered is None:
            raise AssertionError("only registered credentials come here")
        return self._source, found.registered

    def listed_by_number(self, inquiry: Inquiry, qr: QrClaims) -> None:
        """Take step 8 offline for a QR code, which names its list by number."""
        for number, token in self._supplied.status_tokens.items():
            if number == qr.status_list:
                uri = open_status(self._trust, token, inquiry.now).sub
                if uri.rpartition("/")[2] != str(number):
                    raise CheckFailed("status-unusable", "a list of another number")
                self.listed_offline(inquiry, uri, qr.status_index, qr.issuer)

    def listed_offline(self, inquiry: Inquiry, uri: str, index: int, issuer: str) -> None:
        """Take step 8 with the lists that were supplied, where one of them is the credential's."""
        for token in self._supplied.status_tokens.values():
            if open_status(self._trust, token, inquiry.now).sub == uri:
                status_list = open_status(self._trust, token, inquiry.now, issuer)
                inquiry.status_at = status_list.iat
                check_listed(status_list, uri, index)
                inquiry.passed(Step.STATUS, "status-list", "所给状态列表为有效", "the supplied list says valid")


def _note_older(inquiry: Inquiry, step: Step) -> None:
    """Tell that a key was stolen, and why this is good all the same."""
    inquiry.passed(
        step,
        "older-than-compromise",
        "签名密钥后来泄露,但可信时间戳证明这份证书在泄露之前已经存在",
        "the key was stolen later; a trusted time stamp proves that this certificate is older",
    )


def _file_leaves(
    registered: RegisteredCredential, pdf_digest: bytes, salt: bytes
) -> Iterator[tuple[LogProof | str, bytes]]:
    """What has to be in the log for a stored file: the seal of the original, and the renewal that made this of it."""
    proofs = {file.digest: file.seal_proof for file in registered.files}
    original = registered.files[0].digest if registered.files else pdf_digest
    yield proofs.get(original, ""), seal_leaf(original, salt)
    if pdf_digest != original:
        yield proofs.get(pdf_digest, ""), renewal_leaf(pdf_digest, original, salt)
