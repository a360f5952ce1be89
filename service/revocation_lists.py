"""Revocation lists that are young enough to be evidence: our own CA's, or those that certificates say where to find."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from credential.errors import UnavailableError
from service.crl import publish_crls

if TYPE_CHECKING:
    from service.house import House

MAX_LIST_BYTES = 16 * 1024 * 1024
"""Lists of large authorities have some megabytes."""
TIMEOUT = 30.0
"""Seconds to connect, and between two pieces."""
MAX_REDIRECTS = 3


class NoRevocationList(UnavailableError):
    """A certificate's revocation list cannot be had, or not yet a young enough one."""

    code = "no-revocation-list"

    def __init__(self, subject: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"no revocation list for {subject}: {why_en}; run yinzheng archive renew again later",
            f"未能取得 {subject} 的吊销列表: {why_zh}; 请稍后重新运行 yinzheng archive renew",
        )


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
            after: the list must have been issued at this moment or later, so that it would tell what happened before.

        Raises:
            NoRevocationList: one is not to be had.
        """
        loaded = [x509.load_der_x509_certificate(der) for der in certificates]
        issuers = [x509.load_der_x509_certificate(der) for der in known]
        after = after.replace(microsecond=0)  # lists tell whole seconds
        found = [self._list_of(one, issuers, after) for one in loaded if one.issuer != one.subject]
        return list(dict.fromkeys(found))

    def _list_of(self, certificate: x509.Certificate, others: Sequence[x509.Certificate], after: datetime) -> bytes:
        name = certificate.subject.rfc4514_string()
        issuers = [one for one in others if _has_issued(one, certificate)]
        if not issuers:
            raise NoRevocationList(name, "its issuer is not known", "签发者未知")
        why = ("it names no place where its list is", "证书未注明吊销列表的地址")
        for content in self._candidates(certificate, after):
            why = _why_not(content, issuers, after)
            if not any(why):
                return content
        raise NoRevocationList(name, *why)

    def _candidates(self, certificate: x509.Certificate, after: datetime) -> Iterable[bytes]:
        own = self._own_lists(certificate.issuer.public_bytes(), after)
        if own is not None:
            yield own
        for url in _places(certificate):
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


def _why_not(content: bytes, issuers: Sequence[x509.Certificate], after: datetime) -> tuple[str, str]:
    """What is wrong with a list, in both languages; empty when it is good."""
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
    return "", ""


def _places(certificate: x509.Certificate) -> list[str]:
    """The addresses that a certificate names (RFC 5280, 4.2.1.13)."""
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.CRL_DISTRIBUTION_POINTS)
    except x509.ExtensionNotFound:
        return []
    points = extension.value if isinstance(extension.value, x509.CRLDistributionPoints) else ()
    names = [name for point in points for name in point.full_name or ()]
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return [url for url in urls if url.startswith(("http://", "https://"))]


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
