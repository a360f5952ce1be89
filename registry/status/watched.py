"""What a monitor of status lists keeps between two looks, and how it is written and read again."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from credential.errors import InputError
from registry.log.files import replace_durably
from registry.status.token_list import BITS, SLOTS, inflate

COMMITMENT_BYTES = 32

_FORMAT = "yinzheng.status-monitor/v1"


class BadStatusMonitorState(InputError):
    """What a monitor kept cannot be read."""

    code = "bad-status-monitor-state"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not what a status monitor wrote; name another folder, or move it away, which begins anew",
            f"{path} 不是状态列表监督程序的记录; 请另指定目录, 或移走后从头开始",
        )


@dataclass(frozen=True, slots=True)
class KeptList:
    """What is kept of one list.

    Attributes:
        sub: its address, as its first token named it.
        iat: of the newest content.
        data: the newest content, inflated.
        final: for each slot the value it may not leave: invalid, or superseded (which may still become invalid).
        leaf: commitment of the newest content's leaf in the log.
        waiting: commitments of contents that were served and are not in the log yet, and when each was first seen.
        forms: of each form (CWT, JWT) when its newest was issued, and the commitment of its content.
    """

    sub: str
    iat: datetime
    data: bytes
    final: bytes
    leaf: bytes
    waiting: Mapping[bytes, datetime]
    forms: Mapping[str, tuple[datetime, bytes]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watched:
    """What a monitor keeps between two looks.

    Attributes:
        lists: by number.
        changes: slots that were seen to change, in all.
        explained: changes that were accounted for by logs given up since.
        origin: of the log.
        recent: commitments of the newest leaves of status lists in it.
    """

    lists: Mapping[int, KeptList] = field(default_factory=dict)
    changes: int = 0
    explained: int = 0
    origin: str = ""
    recent: tuple[bytes, ...] = ()


def load_watched(folder: Path) -> Watched:
    """Read what the last look left; nothing when there was none.

    Raises:
        BadStatusMonitorState: it cannot be read.
    """
    path = folder / "status.json"
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
        if told["format"] != _FORMAT:
            raise BadStatusMonitorState(path)
        recent = bytes.fromhex(told["recent"])
        return Watched(
            lists={int(number): _read_list(folder, int(number), one) for number, one in told["lists"].items()},
            changes=int(told["changes"]),
            explained=int(told["explained"]),
            origin=str(told["origin"]),
            recent=tuple(recent[at : at + COMMITMENT_BYTES] for at in range(0, len(recent), COMMITMENT_BYTES)),
        )
    except FileNotFoundError as error:
        if path.exists():
            raise BadStatusMonitorState(path) from error
        return Watched()
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise BadStatusMonitorState(path) from error


def save_watched(folder: Path, watched: Watched) -> None:
    """Keep a look for the next one, durably: the contents first, then the file that names them."""
    contents = {}
    for number, kept in watched.lists.items():
        contents[_bits_file(folder, number, kept)] = zlib.compress(kept.data + kept.final, 9)
    told = {
        "format": _FORMAT,
        "origin": watched.origin,
        "changes": watched.changes,
        "explained": watched.explained,
        "recent": b"".join(watched.recent).hex(),
        "lists": {
            str(number): {
                "sub": kept.sub,
                "iat": kept.iat.astimezone(UTC).isoformat(),
                "leaf": kept.leaf.hex(),
                "waiting": {leaf.hex(): since.astimezone(UTC).isoformat() for leaf, since in kept.waiting.items()},
                "forms": {
                    form: {"iat": iat.astimezone(UTC).isoformat(), "leaf": leaf.hex()}
                    for form, (iat, leaf) in kept.forms.items()
                },
            }
            for number, kept in watched.lists.items()
        },
    }
    if contents:
        replace_durably(contents)
    replace_durably({folder / "status.json": json.dumps(told, indent=1).encode() + b"\n"})
    for old in folder.glob("*.bits"):
        if old not in contents:
            old.unlink()


def _bits_file(folder: Path, number: int, kept: KeptList) -> Path:
    return folder / f"{number}-{kept.leaf.hex()[:16]}.bits"


def _read_list(folder: Path, number: int, told: Mapping[str, Any]) -> KeptList:
    kept = KeptList(
        sub=str(told["sub"]),
        iat=datetime.fromisoformat(told["iat"]),
        data=b"",
        final=b"",
        leaf=bytes.fromhex(told["leaf"]),
        waiting={bytes.fromhex(leaf): datetime.fromisoformat(since) for leaf, since in told["waiting"].items()},
        forms={
            form: (datetime.fromisoformat(one["iat"]), bytes.fromhex(one["leaf"]))
            for form, one in told.get("forms", {}).items()
        },
    )
    both = inflate(_bits_file(folder, number, kept).read_bytes())
    half = SLOTS * BITS // 8
    if len(both) != 2 * half:
        raise BadStatusMonitorState(folder / "status.json")
    return replace(kept, data=both[:half], final=both[half:])
