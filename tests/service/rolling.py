"""A real installation whose keys are rolled and stolen, a clock that is moved, and an authority that goes by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

from sqlmodel import col, select

from credential.trust import Role
from keys.entry import KeyEntry
from keys.store import KeyStore
from registry.credentials import read_reserved
from registry.tables import CredentialRow
from service import batches
from service.house import House
from service.issuers import all_issuers
from service.settings import Settings
from service.stamping import StampedBy, stamp_checkpoint
from service.trust import amend_trust_list
from tests import authorities
from tests.authorities import TsaServer
from tests.cheap_keys import CHEAP
from tests.service.at_hand import PASSPHRASE, person_row, write_sheet
from tests.verifier.world import DirectReader
from verifier.reasons import Word
from verifier.steps import Supplied
from verifier.verify import Verifier

ISSUER = "nb"


@dataclass
class Clock:
    """Goes as the test says; one for the house and for the authority."""

    moment: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))

    def now(self) -> datetime:
        """The current moment."""
        return self.moment

    def go_on(self, by: timedelta = timedelta(minutes=10)) -> datetime:
        """Let time pass; returns the new moment."""
        self.moment += by
        return self.moment


@dataclass
class Bureau:
    """The installation at work."""

    house: House
    clock: Clock
    authority: TsaServer
    folder: Path
    people: int = 100

    def issue(self, count: int = 1) -> list[str]:
        """Issue to so many new people; returns their serials."""
        batch = self.approved(count)
        batches.run(self.house, batch, lambda _: None)
        return self.serials(batch)

    def approved(self, count: int = 1) -> int:
        """A batch of so many new people, submitted and approved, of which nothing is made yet."""
        rows = [person_row(number) for number in range(self.people, self.people + count)]
        self.people += count
        sheet = write_sheet(self.folder / f"sheet-{self.people}.csv", rows)
        report = batches.check(self.house, sheet, photos=None, issuer=ISSUER, template="")
        template = self.house.issuer(ISSUER).settings.template
        view = batches.submit(self.house, report, issuer=ISSUER, template=template, maker="wang")
        batches.approve(self.house, view.id, checker="li", digest=view.digest)
        return view.id

    def serials(self, batch: int) -> list[str]:
        """The serials of a batch."""
        with self.house.database.reading() as session:
            query = select(CredentialRow.serial).where(CredentialRow.batch_id == batch)
            return list(session.exec(query.order_by(col(CredentialRow.id))))

    def words(self, serial: str) -> tuple[Word, Word]:
        """What is said of a certificate as a file, and by its QR code."""
        house = self.house
        document = house.documents.fetch_pdf(serial)
        verifier = Verifier(house.source, house.trust, DirectReader(), supplied_of(house))
        by_file = verifier.verify_file(document, house.now())
        return by_file.verdict, verifier.verify_qr(self.qr_text(serial), house.now()).verdict

    def qr_text(self, serial: str) -> str:
        """The text of a certificate's QR code, as it was printed."""
        with self.house.database.reading() as session:
            row = session.exec(select(CredentialRow).where(CredentialRow.serial == serial)).one()
            reserved = read_reserved(session, self.house.vault, row.batch_id, row.chunk_number)
        return next(one.qr_text for one in reserved if one.row_number == row.row_number)

    def stamp(self) -> StampedBy:
        """Have the checkpoint stamped now."""
        self.authority.at = self.clock.now()
        done = stamp_checkpoint(self.house, at_once=True)
        assert done is not None
        return done

    def key(self, role: Role, generation: int | None = None) -> KeyEntry:
        """A key of the installation or its issuer."""
        return self.house.store.entry(role, ISSUER if role in {Role.PDF, Role.QR} else "", generation)


def supplied_of(house: House) -> Supplied:
    """What a verifier of this installation is given."""
    origins = {one.uscc: frozenset({one.settings.public_url}) for one in all_issuers(house)}
    return Supplied(templates=house.known_templates, origins=origins)


@contextmanager
def open_bureau(data: Path, folder: Path) -> Iterator[Bureau]:
    """Open an installation that trusts an authority on this machine."""
    clock = Clock()
    with authorities.serve_tsa("tsa") as authority, patch("service.house.KeyStore", partial(KeyStore, cost=CHEAP)):
        authority.at = clock.now()
        house = House(Settings(data=data, tsa_urls=authority.url, workers=1), PASSPHRASE.encode(), clock)
        anchor = authorities.certificate("tsa-root")
        amend_trust_list(house, lambda trust: replace(trust, tsa_certs=(anchor,)), why="authority added")
        yield Bureau(house, clock, authority, folder)
        house.database.close()
