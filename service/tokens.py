"""API tokens: make one that is shown once, and tell from its text who calls."""

import base64
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from credential.errors import InputError
from issuer.api.callers import Scope, SignedIn
from registry.database import Database
from registry.issuers import UnknownPerson, list_persons
from registry.tokens import ApiToken, add_token, find_token, list_tokens, revoke_token
from service.house import House

MAX_DAYS = 366
MAX_LABEL = 100

SECRET_BYTES = 20
"""160 random bits, which nobody guesses; so a plain SHA-256 of them is safe to keep."""

_ID_BYTES = 5
_FORM = re.compile(r"yz_([a-z2-7]{8})_([a-z2-7]{32})", re.ASCII)
_NO_DIGEST = bytes(32)


class BadTokenRequest(InputError):
    """A token is asked for that there cannot be."""

    code = "bad-token-request"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"no token is made: {why_en}", f"未能创建令牌: {why_zh}")


def create_token(
    house: House, person: str, *, scopes: Sequence[str], days: int, label: str = ""
) -> tuple[str, ApiToken]:
    """Make a token for a person; its text is in the answer and nowhere else.

    Args:
        house: of the installation.
        person: id; the token acts for the person's issuer.
        scopes: names of :class:`Scope`, one at least.
        days: until it expires, 1 to :data:`MAX_DAYS`.
        label: what it is for.

    Raises:
        BadTokenRequest: a scope is unknown, or the time too long.
        UnknownPerson: there is none.
    """
    known = [one.value for one in Scope]
    wrong = [one for one in scopes if one not in known]
    if wrong or not scopes:
        shown = wrong[0] if wrong else ""
        raise BadTokenRequest(
            f"{shown!r} is not a scope; choose among {', '.join(known)}",
            f"“{shown}”不是有效的权限; 可选 {'、'.join(known)}",
        )
    if not 1 <= days <= MAX_DAYS:
        raise BadTokenRequest(
            f"it would live {days} days; choose 1 to {MAX_DAYS}", f"有效期 {days} 天; 须为 1 至 {MAX_DAYS} 天"
        )
    if len(label) > MAX_LABEL:
        raise BadTokenRequest(f"its label is longer than {MAX_LABEL}; shorten it", f"用途说明超过 {MAX_LABEL} 字")
    now = house.now()
    secret = _random_text(SECRET_BYTES)
    with house.database.transaction() as session:
        owner = next((one for one in list_persons(session) if one.id == person), None)
        if owner is None:
            raise UnknownPerson(person, "-")
        token = ApiToken(
            id=_random_text(_ID_BYTES),
            issuer_id=owner.issuer_id,
            person_id=owner.id,
            digest=_digest(secret),
            scopes=tuple(one for one in known if one in scopes),
            label=label,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        add_token(session, token)
    return f"yz_{token.id}_{secret}", token


def all_tokens(house: House) -> list[ApiToken]:
    """Every token, newest first."""
    with house.database.reading() as session:
        return list_tokens(session)


def revoke(house: House, token_id: str) -> ApiToken:
    """Revoke a token for good; the next request with it is refused.

    Raises:
        UnknownToken: there is none.
    """
    with house.database.transaction() as session:
        return revoke_token(session, token_id, house.now())


def caller_of(database: Database, text: str, now: datetime) -> SignedIn | None:
    """Tell who calls with a token; None for one that is unknown, expired or revoked, whichever it is."""
    match = _FORM.fullmatch(text)
    token_id, secret = match.groups() if match else ("", "")
    with database.reading() as session:
        token = find_token(session, token_id)
    kept = _NO_DIGEST if token is None else token.digest
    is_right = compare_digest(kept, _digest(secret))
    if token is None or not is_right or not token.is_good(now):
        return None
    scopes = frozenset(Scope(one) for one in token.scopes)
    return SignedIn(token.id, token.issuer_id, token.person_id, scopes, token.expires_at)


def _random_text(count: int) -> str:
    return base64.b32encode(secrets.token_bytes(count)).decode("ascii").lower()


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("ascii")).digest()
