"""Who may do what over HTTP: bearer tokens, and a dependency that asks for a scope."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from credential.errors import RefusedError
from issuer.api.callers import Scope, SignedIn
from registry.database import Database
from service.tokens import caller_of

__all__ = ["BadToken", "Door", "MissingScope", "NotSignedIn", "SignedIn"]

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    bearerFormat="yz_<id>_<secret>",
    description="令牌由 `yinzheng token create` 生成, 只显示一次。 Made by `yinzheng token create`, shown once.",
)


class NotSignedIn(RefusedError):
    """The request carries no token."""

    code = "not-signed-in"

    def __init__(self) -> None:
        super().__init__(
            "this needs a token: send the header Authorization: Bearer yz_..., made by `yinzheng token create`",
            "此接口需要令牌: 请在请求头中加 Authorization: Bearer yz_…, 令牌由 yinzheng token create 生成",
        )


class BadToken(RefusedError):
    """The token is unknown, expired or revoked; which of these is not said."""

    code = "bad-token"

    def __init__(self) -> None:
        super().__init__(
            "the token is not valid (any more); have a new one made with `yinzheng token create`",
            "令牌无效或已失效; 请用 yinzheng token create 重新生成",
        )


class MissingScope(RefusedError):
    """The token is good, but not for this."""

    code = "missing-scope"

    def __init__(self, needed: Sequence[str]) -> None:
        listed = " or ".join(needed)
        super().__init__(
            f"the token lacks the scope {listed}; use one that has it, or have one made",
            f"令牌缺少权限 {' 或 '.join(needed)}; 请使用具有该权限的令牌",
        )


class Door:
    """Lets in whoever has a good token of this installation.

    Args:
        database: of the registry; asked for at each request.
        now: the current moment, UTC.
    """

    def __init__(self, database: Callable[[], Database], now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def caller(self, request: Request) -> SignedIn:
        """Tell who sent a request; looked up once a request.

        Raises:
            NotSignedIn: it carries no token.
            BadToken: it carries one that is not good.
        """
        known = getattr(request.state, "signed_in", None)
        if isinstance(known, SignedIn):
            return known
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise NotSignedIn
        signed_in = caller_of(self._database(), text.strip(), self._now())
        if signed_in is None:
            raise BadToken
        request.state.signed_in = signed_in
        request.scope["yinzheng.token_id"] = signed_in.token_id  # for the access line
        return signed_in

    def require(self, *scopes: Scope) -> Callable[..., SignedIn]:
        """Make a dependency that lets callers in who have at least one of these scopes."""

        def signed_in(
            request: Request,
            _shown: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        ) -> SignedIn:
            caller = self.caller(request)
            if scopes and not caller.scopes & set(scopes):
                raise MissingScope(scopes)
            return caller

        return signed_in
