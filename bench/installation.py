"""An installation made for measuring: real registry, keys, packs, log and status lists, made-up people."""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.figures import Opening
from bench.made_up import people
from credential.model import Record
from credential.ports import Algorithm
from credential.trust import Role
from issuer import batch as batches
from issuer.line import IssuingLine
from press.press import Press
from press.template_file import load_template
from registry.credentials import find_by_batch, read_claims
from service.house import House, SystemClock, create_house
from service.issuers import NewIssuer, add_new_issuer, add_new_person
from service.keeping import verify_whole_log
from service.settings import Settings
from templates import certificate_folder

ISSUER, TEMPLATE = "bench", "professional-title"
PASSPHRASE = b"bench only: not a secret"

_USCC = "11330200MB0T000315"
_MAKER, _CHECKER = "maker", "checker"


class Installation:
    """One data folder with one issuer.

    Attributes:
        submitting: seconds a row of each submission so far.
        approving: seconds a row of each approval so far.
    """

    def __init__(self, folder: Path, algorithm: Algorithm) -> None:
        self.settings = Settings(data=folder, workers=1)
        self.house = create_house(self.settings, public_url="https://zs.example.gov.cn", passphrase=PASSPHRASE)
        name = "示例市人力资源和社会保障局"
        add_new_issuer(self.house, NewIssuer(ISSUER, name, _USCC, "330299", pdf_algorithm=algorithm))
        add_new_person(self.house, _MAKER, name="王经办", issuer=ISSUER)
        add_new_person(self.house, _CHECKER, name="李复核", issuer=ISSUER)
        self.submitting: list[float] = []
        self.approving: list[float] = []
        self._people = 0

    def line(self) -> IssuingLine:
        """Open an issuing line in this process, its template kept as submitting keeps it."""
        line = self.house.line(ISSUER, TEMPLATE)
        self.house.keep_template(line)
        return line

    def fresh_press(self) -> Press:
        """A press that has printed nothing yet; the faces have been looked at, if anything was printed."""
        return self.house.press(self.house.issuer(ISSUER), load_template(certificate_folder(TEMPLATE)))

    def reopen(self) -> None:
        """Forget everything in memory but imported modules."""
        self.house = House(self.settings, PASSPHRASE, SystemClock())

    def approved_batch(self, line: IssuingLine, rows: int) -> int:
        """Submit and approve so many new people."""
        records = list(people(self._people, rows))
        self._people += rows
        return self.approved(line, records)

    def approved(self, line: IssuingLine, records: Sequence[Record]) -> int:
        """Submit and approve these people."""
        office, now, rows = line.office, self.house.now, len(records)
        started = time.perf_counter()
        batch = batches.submit(office, records, (), maker=_MAKER, now=now()).batch
        submitted = time.perf_counter()
        batches.approve(office, batch.id, checker=_CHECKER, expected_digest=batch.digest, now=now())
        self.submitting.append((submitted - started) / rows)
        self.approving.append((time.perf_counter() - submitted) / rows)
        return batch.id

    def issue(self, line: IssuingLine, batch_id: int) -> None:
        """Issue a batch with the production engine of one process: approved to sealed and logged."""
        self.house.engine(line, 1).run(batch_id, _no_progress)

    def verify(self, batch_id: int, rows: int, documents: int) -> int:
        """Verify the whole log, that every row has its PDF, and some PDFs; returns how many.

        Raises:
            RuntimeError: rows are missing.
            ForeignDocument: a PDF is not good.
            LogDamaged: the log is not what it should be.
        """
        house = self.house
        verify_whole_log(house)
        with house.database.reading() as session:
            found = find_by_batch(session, batch_id)
            claims = {one.serial: read_claims(session, house.vault, one) for one in found[:: -(-rows // documents)]}
        if len(found) != rows or any(one.digest is None for one in found):
            raise RuntimeError(f"of {rows} rows {len(found)} were issued")
        for serial, message in claims.items():
            house.check_document(house.documents.fetch_pdf(serial, issuer_id=ISSUER), message)
        return len(claims)


def in_new_process(settings: Settings, batch_id: int) -> Opening:
    """Start a process that opens the installation and issues an approved batch of one."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_open_and_issue, settings, batch_id, time.time()).result()


def _open_and_issue(settings: Settings, batch_id: int, called: float) -> Opening:
    started = time.time()
    house = House(settings, PASSPHRASE, SystemClock())
    for role, owner in ((Role.PDF, ISSUER), (Role.QR, ISSUER), (Role.LOG, ""), (Role.STATUS, "")):
        house.store.signer(role, owner)
    vault = house.vault
    deciphered = time.time()
    line = house.line(ISSUER, TEMPLATE)
    opened = time.time()
    house.engine(line, 1).run(batch_id, _no_progress)
    del vault
    return Opening(started - called, deciphered - started, opened - deciphered, time.time() - opened)


def _no_progress(_rows: int) -> None:
    pass
