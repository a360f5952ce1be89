"""Read the status lists that were published, without the key that signs them."""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2

from registry.status.publisher import StatusListDamaged, UnknownStatusList
from registry.status.token_list import BadStatusToken

_EXP, _TTL = 4, 65534
_SIGNATURE_BYTES = 64  # ES256, in both forms


class PublishedLists:
    """The folder of published lists, as a verifier reads it.

    Args:
        folder: where ``registry.status.publisher.StatusLists`` writes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def token(self, list_number: int) -> bytes:
        """Read the newest published CWT of a list.

        Raises:
            UnknownStatusList: there is none.
            StatusListDamaged: its file cannot be read, or holds no CWT.
        """
        try:
            token = (self._folder / f"{list_number}.cwt").read_bytes()
            token_times(token)
        except FileNotFoundError as error:
            raise UnknownStatusList(list_number) from error
        except OSError as error:
            raise StatusListDamaged(list_number, error.strerror or "input/output") from error
        except BadStatusToken as error:
            raise StatusListDamaged(list_number, error.en) from error
        return token


@dataclass(frozen=True, slots=True)
class TokenTimes:
    """How long a list may be kept by whoever fetched it.

    Attributes:
        expires: from then on it says nothing.
        ttl: fetch a newer one after this long.
    """

    expires: datetime
    ttl: timedelta


def token_times(token: bytes) -> TokenTimes:
    """Read the times of a list of ours, CWT or JWT, for its cache headers; nothing is verified.

    Raises:
        BadStatusToken: it is neither, is cut off, or has no ``exp`` and ``ttl``.
    """
    try:
        exp, ttl = _jwt_times(token) if token[:1] == b"e" else _cwt_times(token)  # base64url of {" is eyJ
        return TokenTimes(datetime.fromtimestamp(int(exp), UTC), timedelta(seconds=int(ttl)))
    except (
        cbor2.CBORDecodeError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise BadStatusToken("it is cut off, or has no exp and ttl", "内容不完整, 或缺少 exp 或 ttl") from error


def _cwt_times(token: bytes) -> tuple[Any, Any]:
    claims = cbor2.loads(cbor2.loads(token).value[2])
    return claims[_EXP], claims[_TTL]


def _jwt_times(token: bytes) -> tuple[Any, Any]:
    _, payload, signature = token.split(b".")
    if len(_decoded(signature)) != _SIGNATURE_BYTES:
        raise ValueError("the signature is cut off")
    claims = json.loads(_decoded(payload))
    return claims["exp"], claims["ttl"]


def _decoded(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
