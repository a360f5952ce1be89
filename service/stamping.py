"""Have time-stamping authorities vouch for the log's checkpoint, so that a later theft of a key spares what is older.

Should a signing key be stolen, everything that no stamped checkpoint covers
becomes unknown: stamp often, and with more than one authority.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from credential.errors import Error, UnavailableError
from credential.timestamp import read_timestamp
from registry.log.tiles import NoCheckpoint
from registry.log.timestamps import Stamp, signed_head
from service.profiles import timestamp_client

if TYPE_CHECKING:
    from service.house import House

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StampedBy:
    """What came of asking the authorities.

    Attributes:
        size: leaves under the checkpoint; 0 when there is none.
        stamped: authorities that have stamped it, by address.
        failed: why others have not, by address.
    """

    size: int
    stamped: tuple[str, ...]
    failed: dict[str, Error]


def stamp_checkpoint(house: "House", *, at_once: bool = False) -> StampedBy | None:
    """Have the published checkpoint stamped by every authority that has not done so, and publish the tokens.

    Cheap to call often: nothing is asked while the newest stamp is younger than
    ``stamp_minutes``, or when nothing was logged since. An authority that does not
    answer keeps no other from being asked.

    Args:
        house: whose log.
        at_once: however young the newest stamp is.

    Returns:
        None when nothing was due, or no authority is set and believed.

    Raises:
        LogDamaged: the checkpoint cannot be read.
        BadTsaUrl: an address in the settings is none.
    """
    addresses = [url.strip() for url in house.settings.tsa_urls.split(",") if url.strip()]
    anchors = house.trust.tsa_certs
    if not addresses or not anchors or not (at_once or _is_due(house)):
        return None
    try:
        note = house.log_reader.checkpoint()
    except NoCheckpoint:
        return None
    done = house.stamped.stamped_by(note)
    if not at_once and done >= {*addresses}:
        return None
    failed: dict[str, Error] = {}
    for address in addresses:
        if address not in done:
            try:
                _stamp(house, note, address, anchors)
            except UnavailableError as error:
                _logger.warning("no time stamp for the checkpoint: %s", error)
                failed[address] = error
    house.stamped.publish()
    return StampedBy(_size(note), tuple(sorted(house.stamped.stamped_by(note))), failed)


def _is_due(house: "House") -> bool:
    newest = house.stamped.newest()
    return newest is None or house.now() - newest >= timedelta(minutes=house.settings.stamp_minutes)


def _stamp(house: "House", note: str, address: str, anchors: tuple[bytes, ...]) -> None:
    client = timestamp_client(address, anchors, house.now)
    if client is None:
        raise AssertionError("the caller has an address and anchors")
    token = client.timestamp(note.encode())
    house.stamped.keep(Stamp(note, address, token, read_timestamp(token).attested_at, house.now()))


def _size(note: str) -> int:
    return signed_head(note).size
