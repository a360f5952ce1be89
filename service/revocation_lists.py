"""Revocation lists that are young enough to be evidence: our own CA's, or those that certificates say where to find."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import CRLEntryExtensionOID

from credential.errors import UnavailableError
from service.certificates import list_addresses, name_of
from service.crl import publish_crls

if TYPE_CHECKING:
    from service.house import House

MAX_LIST_BYTES = 16 * 1024 * 1024
"""Lists of large authorities have some megabytes."""
TIMEOUT = 30.0
"""Seconds to connect, and between two pieces."""
MAX_REDIRECTS = 3
_TELLS_OF_ENDED = x509.ObjectIdentifier("2.5.29.60")
"""expiredCertsOnCRL (X.509, 9.5.2.8): the list keeps certificates that have ended."""


_LATER = ("run yinzheng archive renew again later", "请稍后重新运行 yinzheng archive renew")


class NoRevocationList(UnavailableError):
    """A certificate's revocation list cannot be had, or not yet a young enough one."""

    code = "no-revocation-list"

    def __init__(self, subject: str, why_en: str, why_zh: str, cure: tuple[str, str] = _LATER) -> None:
        super().__init__(
            f"no revocation list for {subject}: {why_en}; {cure[0]}",
            f"未能取得 {subject} 的吊销列表: {why_zh}; {cure[1]}",
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """A certificate that a revocation list names.

    Attributes:
        certificate: DER.
        since: when it was revoked, or from when on it is known not to be trusted, whichever was first.
        reason: as the list gives it; None where it gives none.
    """

    certificate: bytes
    since: datetime
    reason: x509.ReasonFlags | None

    @property
    def subject(self) -> str:
        """Whose it is, for people."""
        return name_of(x509.load_der_x509_certificate(self.certificate))


def find_listed(certificates: Iterable[bytes], lists: Iterable[bytes]) -> list[Listed]:
    """The certificates that lists of their issuers name.

    Args:
        certificates: DER.
        lists: DER, verified.
    """
    loaded = [x509.load_der_x509_crl(der) for der in lists]
    found = []
    for der in certificates:
        certificate = x509.load_der_x509_certificate(der)
        for one in loaded:
            entry = one.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if one.issuer == certificate.issuer and entry is not None:
                found.append(_listed(der, entry))
    return found


def _listed(certificate: bytes, entry: x509.RevokedCertificate) -> Listed:
    since, reason = entry.revocation_date_utc, None
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason
        elif extension.oid == CRLEntryExtensionOID.INVALIDITY_DATE and isinstance(extension.value, x509.InvalidityDate):
            since = min(since, extension.value.invalidity_date_utc)
    return Listed(certificate, since, reason)


class RevocationLists:
    """Gets lists; each is fetched or made once in its lifetime.

    Args:
        house: whose own CA may be asked.
    """

    def __init__(self, house: "House") -> None:
        self._house = house
        self._own: dict[bytes, bytes] | None = None  # list by its issuer's name, DER
        self._fetched: dict[str, bytes] = {}

    def of_chain(self, certificates: Sequence[bytes], known: Sequence[bytes], after: datetime) -> list[bytes]:
        """The lists of all certificates but roots, each by its issuer and not older than a moment.

        Args:
            certificates: DER.
            known: DER; the issuers must be among them.
            after: the list must have been issued at this moment or later, so that it would tell what happened before;
                and it must be good still, and from before the certificate's end.

        Raises:
            NoRevocationList: one is not to be had.
        """
        loaded = [x509.load_der_x509_certificate(der) for der in certificates]
        issuers = [x509.load_der_x509_certificate(der) for der in known]
        after = after.replace(microsecond=0)  # lists tell whole seconds
        found = [self._list_of(one, issuers, after) for one in loaded if one.issuer != one.subject]
        return list(dict.fromkeys(found))

    def _list_of(self, certificate: x509.Certificate, others: Sequence[x509.Certificate], after: datetime) -> bytes:
        name = name_of(certificate)
        issuers = [one for one in others if _has_issued(one, certificate)]
        if not issuers:
            raise NoRevocationList(name, "its issuer is not known", "签发者未知")
        why = None
        for content in self._candidates(certificate, after):
            wrong = _why_not(content, issuers, after) or _why_too_late(content, certificate, self._house.now())
            if wrong is None:
                return content
            why = wrong
        if why is None:  # waiting does not help: nothing that this certificate has signed will ever reach B-LT
            raise NoRevocationList(
                name,
                "it names no place where its list is, so that B-LT cannot be reached",
                "该证书未注明吊销列表地址, 达不到 B-LT",
                ("ask the CA for a certificate that does", "请向认证机构换发含 CRL 地址的证书"),
            )
        raise NoRevocationList(name, *why)

    def _candidates(self, certificate: x509.Certificate, after: datetime) -> Iterable[bytes]:
        own = self._own_lists(certificate.issuer.public_bytes(), after)
        if own is not None:
            yield own
            return  # what is published elsewhere is the same
        for url in list_addresses(certificate):
            kept = self._fetched.get(url)
            if kept is None or x509.load_der_x509_crl(kept).last_update_utc < after:
                self._fetched[url] = kept = _fetch(url)
            yield kept

    def _own_lists(self, issuer: bytes, after: datetime) -> bytes | None:
        known = None if self._own is None else self._own.get(issuer)
        if self._own is not None and (known is None or x509.load_der_x509_crl(known).last_update_utc >= after):
            return known
        lists = [x509.load_der_x509_crl(der) for der in publish_crls(self._house).values()]
        self._own = {one.issuer.public_bytes(): one.public_bytes(Encoding.DER) for one in lists}
        return self._own.get(issuer)


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _why_not(content: bytes, issuers: Sequence[x509.Certificate], after: datetime) -> tuple[str, str] | None:
    """What is wrong with a list, in both languages; None when it is good."""
    found = x509.load_der_x509_crl(content)
    is_signed = any(
        found.issuer == one.subject and found.is_signature_valid(one.public_key())  # type: ignore[arg-type] # a CA's
        for one in issuers
    )
    if not is_signed:
        return "the list found is not its issuer's", "所得列表不是签发者所签"
    if found.last_update_utc < after:
        day = found.last_update_utc.isoformat(timespec="seconds")
        return f"the newest is of {day}, before the time stamp", f"最新列表的时间为 {day}, 早于时间戳"
    return None


def _why_too_late(content: bytes, certificate: x509.Certificate, now: datetime) -> tuple[str, str] | None:
    """Whether a list says nothing of a certificate any more, for one of the two has ended.

    What is proven to exist only after the list's next update proves nothing to a
    strict verifier, and lists need not name certificates that have ended (RFC 5280, 3.3).
    """
    found = x509.load_der_x509_crl(content)
    end = found.next_update_utc
    if end is not None and end < now:
        day = end.isoformat(timespec="seconds")
        return f"the newest was good until {day}", f"最新列表已于 {day} 过期"
    keeps_ended = any(extension.oid == _TELLS_OF_ENDED for extension in found.extensions)
    if found.last_update_utc > certificate.not_valid_after_utc and not keeps_ended:
        day = certificate.not_valid_after_utc.isoformat(timespec="seconds")
        return f"it ended on {day}, and lists no longer tell of it", f"证书已于 {day} 到期, 列表不再包含其状态"
    return None


def _fetch(url: str) -> bytes:
    host = httpx.URL(url).host
    try:
        with (
            httpx.Client(
                timeout=TIMEOUT, trust_env=False, follow_redirects=True, max_redirects=MAX_REDIRECTS
            ) as client,
            client.stream("GET", url) as response,
        ):
            response.raise_for_status()
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_LIST_BYTES:
                    raise NoRevocationList(host, f"more than {MAX_LIST_BYTES} bytes", "列表过大")
        x509.load_der_x509_crl(bytes(body))
    except httpx.HTTPError as error:
        raise NoRevocationList(
            host, f"no answer ({type(error).__name__})", f"无响应({type(error).__name__})"
        ) from error
    except ValueError as error:
        raise NoRevocationList(host, "what came is no list", "返回内容不是吊销列表") from error
    return bytes(body)
