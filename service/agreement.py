"""PDF signer, COSE key and issuer claim must agree, and be believed, before anything is issued with them.

The verifier asks the same of every certificate; found there, it is too late: the
certificate is printed, and nobody believes it.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.errors import ConfigError
from credential.trust import Role, TrustList
from issuer.line import IssuingLine
from keys.entry import KeyEntry
from keys.places import open_now
from registry.issuers import Issuer
from service.trust import newest_trust_list

if TYPE_CHECKING:
    from service.house import House


class IssuingKeysDisagree(ConfigError):
    """What would be issued with these keys, no verifier would believe."""

    code = "issuing-keys-disagree"

    def __init__(self, issuer: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"nothing is issued for {issuer!r}, since nobody would believe it: {why_en}",
            f"发证机构“{issuer}”暂不能出证, 否则证书无法通过核验: {why_zh}",
        )
        self.issuer = issuer


def open_issuing_line(house: "House", issuer_id: str, template_name: str, version: str = "") -> IssuingLine:
    """Open the line that an issuer's chunks are issued with; see ``House.line``.

    Raises:
        IssuingKeysDisagree: nobody would believe what it makes.
        UnavailableError: a token or key service does not answer.
    """
    pdf, qr = (house.store.entry(role, issuer_id) for role in (Role.PDF, Role.QR))
    require_agreement(newest_trust_list(house.folder), house.issuer(issuer_id), pdf, qr, house.now())
    for entry in (pdf, qr):
        open_now(house.store.signer(entry.role, entry.owner, entry.generation))
    return house.line(issuer_id, template_name, version)


def require_agreement(trust: TrustList, issuer: Issuer, pdf: KeyEntry, qr: KeyEntry, now: datetime) -> None:
    """Refuse to issue with keys that do not agree.

    Args:
        trust: what verifiers believe.
        issuer: whom the claims name.
        pdf: the key that signs PDFs, with its chain.
        qr: the key that signs claims and QR codes.
        now: with time zone.

    Raises:
        IssuingKeysDisagree: says what does not fit, and what to do.
    """
    if trust.find_issuer(issuer.uscc) is None:
        raise IssuingKeysDisagree(
            issuer.id,
            f"the trust list does not name {issuer.uscc}; run: yinzheng keys renew-trust-list",
            f"信任列表中没有 {issuer.uscc}; 请执行 yinzheng keys renew-trust-list",
        )
    _check_certificate(issuer, pdf, now)
    if pdf.chain[-1] not in trust.ca_certs:
        raise IssuingKeysDisagree(
            issuer.id,
            "the trust list does not name the root of its signing certificate; run: yinzheng keys import",
            "信任列表中没有其签名证书的根证书; 请执行 yinzheng keys import",
        )
    for entry in (pdf, qr):
        _check_listed(trust, issuer, entry, now)


def _check_certificate(issuer: Issuer, pdf: KeyEntry, now: datetime) -> None:
    if not pdf.chain:
        raise IssuingKeysDisagree(
            issuer.id,
            f"the key {pdf.name} has no certificate; run: yinzheng keys csr",
            f"密钥 {pdf.name} 没有证书; 请执行 yinzheng keys csr",
        )
    cert = x509.load_der_x509_certificate(pdf.chain[0])
    if cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != pdf.public_key:
        raise IssuingKeysDisagree(
            issuer.id,
            f"the certificate of {pdf.name} is for another key; run: yinzheng keys import",
            f"密钥 {pdf.name} 的证书属于另一密钥; 请执行 yinzheng keys import",
        )
    if not cert.not_valid_before_utc <= now <= cert.not_valid_after_utc:
        until = f"{cert.not_valid_after_utc:%Y-%m-%d}"
        raise IssuingKeysDisagree(
            issuer.id,
            f"the signing certificate is not valid now (until {until}); get a new one from the CA: yinzheng keys csr",
            f"签名证书现在不在有效期内(至 {until}); 请用 yinzheng keys csr 向认证机构申请新证书",
        )


def _check_listed(trust: TrustList, issuer: Issuer, entry: KeyEntry, now: datetime) -> None:
    found = next((key for key in trust.keys if key.public_key == entry.public_key), None)
    if found is None or found.role is not Role(entry.role) or found.issuer != issuer.uscc:
        raise IssuingKeysDisagree(
            issuer.id,
            f"the trust list does not name the key {entry.name} as its {entry.role} key; run: yinzheng keys "
            "renew-trust-list",
            f"信任列表没有将密钥 {entry.name} 列为其 {entry.role} 密钥; 请执行 yinzheng keys renew-trust-list",
        )
    if found.compromised_since is not None or not found.is_valid_at(now):
        raise IssuingKeysDisagree(
            issuer.id,
            f"the trust list says that the key {entry.name} may not sign now; make and activate the next one: "
            "yinzheng keys make",
            f"信任列表注明密钥 {entry.name} 现在不可签名; 请用 yinzheng keys make 创建下一代密钥并启用",
        )
