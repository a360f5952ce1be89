"""The steps that several ways of verifying share: claims, log, status, expiry (numbers as in verify.py)."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from credential.claims import BadClaims
from credential.leaves import issue_leaf, seal_leaf
from credential.merkle import LogProof
from credential.model import Claims
from credential.names import fold_name_for_matching
from credential.ports import CredentialSource, RegisteredCredential
from credential.qr import QrClaims, decode_qr_claims
from credential.trust import TrustedKey, TrustList
from press.template import Template
from verifier.compare import check_registered, origin_of, summarise
from verifier.inquiry import Inquiry
from verifier.printed_by import printed_by
from verifier.reasons import Step
from verifier.status import check_expiry, check_history, check_listed, check_state
from verifier.trust import (
    check_issuer_key,
    check_logged,
    check_published,
    open_claims,
    open_signed,
    open_status,
)
from verifier.verdict import CheckFailed
from verifier.witnessed import count_witnesses


@dataclass(frozen=True, slots=True)
class Found:
    """A credential whose claims' signature was verified.

    Attributes:
        claims: what was signed.
        payload: its bytes.
        key: that signed; its state is judged by ``check_issuer_key``.
        registered: the register's entry; None when it was not asked or has none.
    """

    claims: Claims
    payload: bytes
    key: TrustedKey
    registered: RegisteredCredential | None


@dataclass(frozen=True, slots=True)
class Supplied:
    """What a verifier is given beside register and trust list.

    Attributes:
        templates: by SHA-256 of the prefix that claims name, or of the version itself;
            says what pages show and what may be told. One that is not there is not compared.
        crls: revocation lists of the issuers' authorities, DER or PEM.
        status_tokens: for verifying offline, status lists by number; not trusted.
        origins: by issuer (unified social credit code), ``https://host`` of every site
            that its QR codes may lead to; that of the status list is known without.
    """

    templates: Mapping[bytes, Template] = field(default_factory=dict)
    crls: tuple[bytes, ...] = ()
    status_tokens: Mapping[int, bytes] = field(default_factory=dict)
    origins: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Steps:
    """Takes single steps, each of which raises CheckFailed when it does not pass."""

    def __init__(self, source: CredentialSource | None, trust: TrustList, supplied: Supplied) -> None:
        self._source = source
        self._trust = trust
        self._supplied = supplied

    def open_qr(self, message: bytes) -> QrClaims:
        """Verify what a QR code says, whoever showed it."""
        payload, key = open_signed(self._trust, message)
        try:
            qr = decode_qr_claims(payload)
        except BadClaims as error:
            raise CheckFailed("claims-malformed", error.en) from error
        check_issuer_key(key, qr.issuer, qr.issued_at)
        return qr

    def registered_claims(self, inquiry: Inquiry, registered: RegisteredCredential) -> Found:
        """Take step 4 for the register's entry, and tell whose credential it is."""
        found = self.open_registered(registered)
        self.describe(inquiry, found)
        check_issuer_key(found.key, found.claims.issuer, found.claims.issued_at)
        inquiry.passed(Step.CLAIMS, "claims", "数据签名有效", "the signed data is the issuer's")
        check_history(registered)
        if not registered.issued:
            raise CheckFailed("not-issued")
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
        leaf = issue_leaf(hashlib.sha256(found.payload).digest(), salt)
        proofs = [registered.issue_proof]
        proven = [check_logged(self._trust, registered.issue_proof, leaf, "issue-not-logged")]
        inquiry.passed(Step.LOG, "issue-logged", "颁发记录在透明日志中", "the log proves that it was issued")
        if pdf_digest is not None:
            proof = next((file.seal_proof for file in registered.files if file.digest == pdf_digest), "")
            proofs.append(proof)
            proven.append(check_logged(self._trust, proof, seal_leaf(pdf_digest, salt), "seal-not-logged"))
            inquiry.passed(
                Step.LOG, "seal-logged", "文件的封存记录在透明日志中", "the log proves that the file was sealed"
            )
        check_published(self._trust, source.checkpoint(), proven)
        self.witnessed(inquiry, *proofs)

    def witnessed(self, inquiry: Inquiry, *proofs: LogProof | str) -> None:
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
        status_list = open_status(self._trust, source.status_token(registered.status_list), inquiry.now)
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
                self.listed_offline(inquiry, uri, qr.status_index)

    def listed_offline(self, inquiry: Inquiry, uri: str, index: int) -> None:
        """Take step 8 with the lists that were supplied, where one of them is the credential's."""
        for token in self._supplied.status_tokens.values():
            status_list = open_status(self._trust, token, inquiry.now)
            if status_list.sub == uri:
                inquiry.status_at = status_list.iat
                check_listed(status_list, uri, index)
                inquiry.passed(Step.STATUS, "status-list", "所给状态列表为有效", "the supplied list says valid")
