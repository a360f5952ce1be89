"""A house with two printed certificates, and the desk where claim codes are exchanged."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from holder.claim_codes import ClaimDesk, MadeCode
from registry.claim_codes import holdings_of_batch
from tests.fakes_issuer import MAKER, House
from tests.faults.faults import FIRST_BATCH, issued_house

LIFETIME = timedelta(days=90)


@dataclass
class Pace:
    """Counts what was done at a steady pace."""

    entered: int = 0
    left: int = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.entered += 1
        try:
            yield
        finally:
            self.left += 1


@dataclass
class Counter:
    """The desk with the house behind it."""

    house: House
    batch_id: int
    pace: Pace = field(default_factory=Pace)

    @property
    def desk(self) -> ClaimDesk:
        house = self.house
        return ClaimDesk(
            house.database, house.vault, house.documents, random=os.urandom, now=house.clock.now, pace=self.pace
        )

    @property
    def serials(self) -> list[str]:
        return self.house.press.printed

    def make(self) -> list[MadeCode]:
        """Make a code for each certificate, in the order of the rows."""
        with self.house.database.transaction() as session:
            holdings = holdings_of_batch(session, self.house.vault, self.batch_id)
            return self.desk.make_codes(session, holdings, MAKER, LIFETIME)

    def wait(self, time: timedelta) -> None:
        """Let time pass."""
        now = self.house.clock.now()
        self.house.clock.now = lambda: now + time  # type: ignore[method-assign]  # a clock of the tests


@pytest.fixture
def counter(either_registry: str, tmp_path: Path) -> Counter:
    assert either_registry
    return Counter(issued_house(tmp_path), FIRST_BATCH)
