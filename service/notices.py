"""What pages say beside a verdict: the issuer's sentence, keys for the check in the browser."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import urlsplit

from credential.errors import Error
from credential.trust import Role
from credential.trust_list import TrustedKey, write_key
from service.house import House
from service.issuers import all_issuers
from verifier.explaining import IssuerNotice

#: Issuers' settings and the trust list change rarely, and nothing here decides a verdict.
KEPT_FOR = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Known:
    read_at: datetime
    issuers: Mapping[str, IssuerNotice]
    keys: tuple[TrustedKey, ...]


class HouseNotices:
    """A ``verifier.explaining.Notices`` over one installation; safe to share among threads."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def issuer(self, uscc: str) -> IssuerNotice | None:
        """What is said about the issuer with this code."""
        return self._current().issuers.get(uscc)

    def qr_keys(self, uscc: str) -> Sequence[Mapping[str, str | None]]:
        """The issuer's keys for QR codes, as the trust list writes them."""
        return [write_key(key) for key in self._current().keys if key.role is Role.QR and key.issuer == uscc]

    def _current(self) -> _Known:
        now = self._house.now()
        with self._lock:
            known = self._known
            if known is None or not timedelta() <= now - known.read_at < KEPT_FOR:
                known = _Known(now, *self._read())
                if known.keys:  # else a store did not answer: ask again the next time
                    self._known = known
            return known

    def _read(self) -> tuple[Mapping[str, IssuerNotice], tuple[TrustedKey, ...]]:
        try:
            issuers = {
                one.uscc: IssuerNotice(
                    host=urlsplit(one.settings.public_url).netloc,
                    legal_effect=one.settings.legal_effect,
                    is_sample=one.settings.is_sample,
                )
                for one in all_issuers(self._house)
            }
            keys = self._house.trust.keys
        except Error:  # a page without its notices is better than none
            return MappingProxyType({}), ()
        return issuers, keys
