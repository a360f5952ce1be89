"""Claim codes: how they are written, and how one opens the way to one file.

A code is 11 characters of Crockford's base 32, 55 random bits, and a check
character (ISO 7064 MOD 37,36) that finds every single typing error, so that a
slip costs no try. Nothing that is printed on a certificate opens anything here.

A try is counted, durably, before the code is compared: a process killed in
between has told nobody anything, and the try is gone all the same.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from credential.errors import InputError, RefusedError
from credential.model import State
from credential.serial import check_character
from registry.claim_codes import (
    Holding,
    LiveCode,
    count_try,
    find_grant,
    get_holding,
    insert_grant,
    replace_codes,
    use_code,
)
from registry.database import Database, Session
from registry.vault import Vault

CODE_CHARACTERS = 12  # the check character among them
RANDOM_BITS = 55
DOWNLOADS = "/api/v1/downloads"
GRANT_BYTES = 32
GRANT_LIFETIME = timedelta(hours=24)

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHECKED = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MAX_TYPED = 64
_IGNORED = dict.fromkeys(map(ord, "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d \t\u00a0\u3000"), "")
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
_FOLDING = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOOK_ALIKES = str.maketrans("OIL", "011")

#: Whose file is handed out: a revoked, withdrawn or suspended certificate looks good to the eye, and so does the
#: one that another has replaced. One that has ended is still the holder's proof of the time before.
_HANDED_OUT = frozenset({State.VALID, State.ENDED, State.LAPSED, State.TRANSFERRED})


class BadClaimCode(InputError):
    """What was typed cannot be a claim code; nothing was tried with it."""

    code = "bad-claim-code"

    def __init__(self) -> None:
        super().__init__(
            "this is not a claim code, a character is wrong or missing; compare it with the sheet and type it again",
            "领取码输入有误(缺字或错字); 请与领取单核对后重新输入, 本次不计入次数",
        )


class ClaimRefused(RefusedError):
    """No file is opened by this serial and code; which of them is wrong is not said."""

    code = "claim-code-refused"

    def __init__(self) -> None:
        super().__init__(
            "serial and claim code do not belong together, or the code was used, has expired, or was tried too often; "
            "check both, or ask the issuer for a new code",
            "证书编号与领取码不符, 或领取码已使用、已过期、尝试次数已用完; 请核对, 或向发证机构索取新的领取码",
        )


class NotHandedOut(RefusedError):
    """The code or download is right, but the certificate is not good any more; told only to its holder."""

    code = "not-handed-out"

    def __init__(self, serial: str) -> None:
        super().__init__(
            f"the file of certificate {serial} is not handed out, since the certificate was revoked, suspended or "
            "replaced; ask the issuer",
            f"证书 {serial} 已被撤销、暂扣或替换, 其文件不再提供; 请联系发证机构",
        )
        self.serial = serial


class UnknownDownload(InputError):
    """There is no such leave to download, or it is over."""

    code = "unknown-download"

    def __init__(self) -> None:
        super().__init__(
            "this download does not exist or has expired; ask the issuer for a new claim code",
            "该下载链接不存在或已过期; 请向发证机构索取新的领取码",
        )


class Documents(Protocol):
    """The stored PDFs; registry.lookup.DocumentStore is one."""

    def fetch_pdf(self, serial: str, *, issuer_id: str | None = None, version: int | None = None) -> bytes:
        """The newest revision of a credential's PDF, byte for byte as it was signed."""
        ...


@dataclass(frozen=True, slots=True)
class Claimed:
    """Leave to download a file.

    Attributes:
        grant: secret; shown once, stored as its digest.
        serial: of the certificate.
        expires_at: until when it may be used, again and again.
    """

    grant: str
    serial: str
    expires_at: datetime

    @property
    def download(self) -> str:
        """The path that the file is fetched at."""
        return f"{DOWNLOADS}/{self.grant}"

    @property
    def file_name(self) -> str:
        """What the file is saved as; no name of a person."""
        return f"{self.serial}.pdf"


@dataclass(frozen=True, slots=True)
class Download:
    """A file for its holder."""

    serial: str
    content: bytes


@dataclass(frozen=True, slots=True)
class MadeCode:
    """A new claim code; shown once, stored as its digest."""

    credential_id: int
    code: str
    expires_at: datetime


class ClaimDesk:
    """Makes claim codes, and gives a file to whoever has one; safe to share among threads.

    Args:
        database: of the registry.
        vault: its key hashes the codes, so that a stolen database gives nothing to guess at.
        documents: the stored PDFs.
        random: gives that many unpredictable bytes.
        now: the clock.
        pace: wraps each claim and lets it end only after a fixed time, whatever came of it.
    """

    def __init__(  # noqa: PLR0913 - what a desk needs, each handed in
        self,
        database: Database,
        vault: Vault,
        documents: Documents,
        *,
        random: Callable[[int], bytes],
        now: Callable[[], datetime],
        pace: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._database = database
        self._vault = vault
        self._documents = documents
        self._random = random
        self._now = now
        self._pace = pace

    def make_codes(self, session: Session, holdings: list[Holding], maker: str, lifetime: timedelta) -> list[MadeCode]:
        """Make a code for each credential, in the caller's transaction; a code made before opens nothing any more.

        No entry of history: it holds what changes a certificate's standing, and
        a code changes nothing of it. Who made which code, and when, stays in the
        table of codes, where triggers let nobody change or delete it.
        """
        now = self._now()
        codes = {one.id: new_claim_code(self._random) for one in holdings}
        digests = {one: self._digest(one, code) for one, code in codes.items()}
        replace_codes(session, digests, maker=maker, now=now, expires_at=now + lifetime)
        return [MadeCode(one, group_claim_code(code), now + lifetime) for one, code in codes.items()]

    def claim(self, serial: str, typed: str) -> Claimed:
        """Exchange a claim code, once, for leave to download the file that it was made for.

        Raises:
            BadClaimCode: it cannot be a code; no try was counted.
            ClaimRefused: no such serial, wrong code, or a code that is over: one answer, after one time.
            NotHandedOut: the code is right, and the certificate revoked, suspended or replaced.
            UnavailableError: the database does not answer.
        """
        code = parse_claim_code(typed)
        with self._pace():
            return self._claim(serial, code)

    def _claim(self, serial: str, code: str) -> Claimed:
        now = self._now()
        with self._database.transaction() as session:
            tried = count_try(session, serial, now)
        # From here on the try is gone, whatever becomes of this process.
        match = self._match(tried, code)
        if match is None:
            raise ClaimRefused
        grant = urlsafe_b64encode(self._random(GRANT_BYTES)).rstrip(b"=").decode()
        expires_at = now + GRANT_LIFETIME
        with self._database.transaction() as session:
            holding = get_holding(session, match.credential_id)
            if holding.is_erased or not holding.is_printed:
                raise ClaimRefused
            if not may_be_handed_out(holding):
                raise NotHandedOut(serial)
            if not use_code(session, match.id, now):
                raise ClaimRefused
            insert_grant(session, _grant_digest(grant), match, now=now, expires_at=expires_at)
        return Claimed(grant, serial, expires_at)

    def download(self, grant: str) -> Download:
        """Give the exact signed bytes to whoever has leave.

        Raises:
            UnknownDownload: there is no such leave, or it is over, or the record was erased.
            NotHandedOut: the certificate was revoked, suspended or replaced since.
            UnavailableError: a store does not answer.
        """
        with self._database.reading() as session:
            credential_id = find_grant(session, _grant_digest(grant), self._now())
            if credential_id is None:
                raise UnknownDownload
            holding = get_holding(session, credential_id)
        if holding.is_erased:
            raise UnknownDownload
        if not may_be_handed_out(holding):
            raise NotHandedOut(holding.serial)
        content = self._documents.fetch_pdf(holding.serial, issuer_id=holding.issuer_id, version=holding.version)
        return Download(holding.serial, content)

    def _match(self, tried: Sequence[LiveCode], code: str) -> LiveCode | None:
        found = None
        for live in tried:
            if hmac.compare_digest(live.digest, self._digest(live.credential_id, code)):
                found = live
        return found

    def _digest(self, credential_id: int, code: str) -> bytes:
        return self._vault.blind("claim-code", str(credential_id), code)


def may_be_handed_out(holding: Holding) -> bool:
    """Say whether a certificate's file is given to its holder as things stand."""
    return holding.state in _HANDED_OUT and not holding.is_superseded


def new_claim_code(random: Callable[[int], bytes]) -> str:
    """Draw a code; one whose check character looks like another is drawn again."""
    while True:
        number = int.from_bytes(random(7)) >> 1
        body = "".join(_ALPHABET[number >> shift & 31] for shift in range(RANDOM_BITS - 5, -1, -5))
        check = check_character(body, _CHECKED)
        if check in _ALPHABET:
            return body + check


def parse_claim_code(typed: str) -> str:
    """Read a code as people type it: case, hyphens, spaces, O for 0, I or L for 1.

    Raises:
        BadClaimCode: a foreign character, a wrong length or a wrong check character.
    """
    if len(typed) > _MAX_TYPED:
        raise BadClaimCode
    code = typed.translate(_FULL_WIDTH).translate(_IGNORED).translate(_FOLDING).translate(_LOOK_ALIKES)
    if len(code) != CODE_CHARACTERS or not set(code) <= set(_ALPHABET):
        raise BadClaimCode
    if check_character(code[:-1], _CHECKED) != code[-1]:
        raise BadClaimCode
    return code


def group_claim_code(code: str) -> str:
    """Write a code as it is handed out: ``XXXX-XXXX-XXXX``."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def _grant_digest(grant: str) -> bytes:
    return hashlib.sha256(grant.encode("utf-8", "surrogatepass")).digest()
