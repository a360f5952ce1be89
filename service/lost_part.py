"""What of the published log and status lists a restored registry does not know."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from credential.leaves import BadLeaf, LeafKind, parse_leaf
from credential.merkle import Frontier, leaf_hash
from credential.model import StatusValue
from credential.trust import Role
from registry.log.tiles import WIDTH, LogDamaged, TileFolder, unpack_entries
from registry.restored import serial_of_slot, statuses_of_list
from registry.status.slots import Slot
from registry.status.token_list import BITS, BadStatusToken, open_past_token
from service.behind import Owed, Recovery
from service.house import House


@dataclass(frozen=True, slots=True)
class LostPart:
    """What of the log the registry does not know.

    Attributes:
        entries: how many.
        kinds: of what kinds, when the log's files survived; else None.
    """

    entries: int
    kinds: dict[LeafKind, int] | None


def lost_part(house: House, recovery: Recovery) -> LostPart:
    """Count what was lost by kind, where the whole log that was published is at hand, and is that log."""
    entries = recovery.size - recovery.known
    folders = [house.folder.former_logs / "survived", former_folder(house, recovery), house.folder.log]
    for folder in folders:
        try:
            return LostPart(entries, _count_kinds(TileFolder(folder), recovery))
        except (LogDamaged, BadLeaf):
            continue
    return LostPart(entries, None)


def _count_kinds(tiles: TileFolder, recovery: Recovery) -> dict[LeafKind, int]:
    frontier, kinds = Frontier(), Counter[LeafKind]()
    for start in range(0, recovery.size, WIDTH):
        entries = list(unpack_entries(tiles.read(None, start // WIDTH, min(WIDTH, recovery.size - start))))
        frontier.extend([leaf_hash(one) for one in entries])
        kinds.update(parse_leaf(one).kind for at, one in enumerate(entries, start) if at >= recovery.known)
    if frontier.root().hex() != recovery.root:
        raise LogDamaged("it is not the log that was published", "不是已公布的日志")
    return dict(kinds)


def compare_statuses(house: House) -> tuple[Owed, ...]:
    """Name every slot whose published status the registry does not know; a slot that is invalid here stays so."""
    owed = []
    with house.database.reading() as session:
        for file in sorted(house.folder.status.glob("*.cwt")):
            if not file.stem.isdecimal():
                continue
            number = int(file.stem)
            published, known = _published_statuses(house, file.read_bytes()), statuses_of_list(session, number)
            for slot in sorted(published.keys() | known.keys()):
                said, here = published.get(slot, 0), known.get(slot, 0)
                if here not in {said, StatusValue.INVALID}:
                    owed.append(Owed(number, slot, said, serial_of_slot(session, Slot(number, slot))))
    return tuple(owed)


def _published_statuses(house: House, token: bytes) -> dict[int, int]:
    """The slots of a published list that are not valid, if a status key of ours signed it."""
    for key in house.trust.keys:
        if key.role is Role.STATUS:
            with suppress(BadStatusToken):
                data = open_past_token(token, key.public_key).data
                each = range(8 // BITS)
                mask = (1 << BITS) - 1
                return {
                    at * len(each) + place: byte >> place * BITS & mask
                    for at, byte in enumerate(data)
                    if byte
                    for place in each
                    if byte >> place * BITS & mask
                }
    return {}


def former_folder(house: House, recovery: Recovery) -> Path:
    """Where the log that is given up stands: by its place among the former ones."""
    origins = house.installation.former_origins
    number = origins.index(recovery.origin) + 1 if recovery.origin in origins else len(origins) + 1
    return house.folder.former_logs / str(number)
