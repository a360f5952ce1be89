"""API tokens as the database keeps them: who they stand for, what they may, until when; never the secret."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, select

from credential.errors import InputError
from registry.service_tables import ApiTokenRow


class UnknownToken(InputError):
    """No token has this id."""

    code = "unknown-token"

    def __init__(self, token_id: str) -> None:
        super().__init__(
            f"there is no token {token_id!r}; see `yinzheng token list`",
            f"没有令牌“{token_id}”; 可用 yinzheng token list 查看",
        )
        self.token_id = token_id


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token of one person of one issuer.

    Attributes:
        id: public; stands in the token and in the log.
        digest: SHA-256 of the secret.
        label: what it is for, in the operator's words.
    """

    id: str
    issuer_id: str
    person_id: str
    digest: bytes = field(repr=False)
    scopes: Sequence[str]
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at


def add_token(session: Session, token: ApiToken) -> None:
    """Keep a new token."""
    session.add(
        ApiTokenRow(
            id=token.id,
            issuer_id=token.issuer_id,
            person_id=token.person_id,
            digest=token.digest,
            scopes=list(token.scopes),
            label=token.label,
            created_at=token.created_at,
            expires_at=token.expires_at,
        )
    )
    session.flush()


def find_token(session: Session, token_id: str) -> ApiToken | None:
    """The token with this id, good or not, or None."""
    row = session.get(ApiTokenRow, token_id)
    return None if row is None else _token(row)


def list_tokens(session: Session) -> list[ApiToken]:
    """Every token, newest first."""
    return [_token(row) for row in session.exec(select(ApiTokenRow).order_by(col(ApiTokenRow.created_at).desc()))]


def revoke_token(session: Session, token_id: str, now: datetime) -> ApiToken:
    """Revoke a token for good; one that is revoked already stays as it is.

    Raises:
        UnknownToken: there is none.
    """
    row = session.get(ApiTokenRow, token_id)
    if row is None:
        raise UnknownToken(token_id)
    if row.revoked_at is None:
        row.revoked_at = now
        session.flush()
    return _token(row)


def _token(row: ApiTokenRow) -> ApiToken:
    return ApiToken(
        id=row.id,
        issuer_id=row.issuer_id,
        person_id=row.person_id,
        digest=row.digest,
        scopes=tuple(row.scopes),
        label=row.label,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
