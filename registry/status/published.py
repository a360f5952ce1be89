"""Read the status lists that were published, without the key that signs them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2

from registry.status.publisher import UnknownStatusList
from registry.status.token_list import BadStatusToken

_EXP, _TTL = 4, 65534


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
        """
        try:
            return (self._folder / f"{list_number}.cwt").read_bytes()
        except FileNotFoundError as error:
            raise UnknownStatusList(list_number) from error


@dataclass(frozen=True, slots=True)
class TokenTimes:
    """How long a list may be kept by whoever fetched it.

    Attributes:
        expires: from then on it says nothing.
        ttl: fetch a newer one after this long.
    """

    expires: datetime
    ttl: timedelta


def token_times(cwt: bytes) -> TokenTimes:
    """Read the times of a list of ours for its cache headers; nothing is verified.

    Raises:
        BadStatusToken: it is no CWT with an ``exp`` and a ``ttl``.
    """
    try:
        claims = cbor2.loads(cbor2.loads(cwt).value[2])
        return TokenTimes(datetime.fromtimestamp(int(claims[_EXP]), UTC), timedelta(seconds=int(claims[_TTL])))
    except (cbor2.CBORDecodeError, AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise BadStatusToken("it has no exp and ttl", "缺少 exp 或 ttl") from error
