"""What an examination of the house says, one line each."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination; every text is (zh, en)."""

    level: Level
    name: tuple[str, str]
    found: tuple[str, str]
    cure: tuple[str, str] | None = None
