"""Who calls, and what they may: a token of one person of one issuer, with its scopes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What a token may be used for; each is given by name."""

    READ = "read"
    SUBMIT = "submit"
    APPROVE = "approve"
    CHANGE = "change"
    HAND_OVER = "hand-over"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The caller of a request.

    Attributes:
        token_id: of the token; may be logged.
        person_id: acts for the issuer, and is written to the history.
    """

    token_id: str
    issuer_id: str
    person_id: str
    scopes: frozenset[Scope]
    expires_at: datetime


class Require(Protocol):
    """Makes a dependency that lets callers in who have at least one of these scopes."""

    def __call__(self, *scopes: Scope) -> Callable[..., SignedIn]:
        """Make it; no scope given lets every signed-in caller in."""
        ...
