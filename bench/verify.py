"""How many verifications a second, beside the least that each could cost.

``python -m bench.verify`` from the root of the project; bench/README.md says what
is measured and what is not. In one run and one process:

1. An installation is made, or found in ``--folder``: certificates issued by the
   production engine, and a crowd of bulk rows (bench/crowd.py).
2. Exact originals, each another one: bytes to verdict; the digest and one
   look-up; pyHanko's validation of the same files.
3. Altered files through the sandbox; pyHanko's validation of the same files.
4. By code: JSON and page of the service's application; a bare FastAPI endpoint
   with one look-up by primary key over the same database.
5. By serial and name: right, wrong name, no such serial.

Every verdict is looked at; a wrong one ends the run.
"""

import argparse
import asyncio
import hashlib
import json
import logging
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from asn1crypto import x509 as asn1_x509
from fastapi import FastAPI
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from sqlalchemy import create_engine, func
from sqlmodel import Session, col, select

from bench.asgi import call_all
from bench.crowd import Crowd
from bench.figures import Spread
from bench.installation import ISSUER, PASSPHRASE, Installation
from credential.claims import decode_claims
from credential.cose import open_message
from credential.ports import Algorithm
from registry.credentials import open_record_key, open_sealed
from registry.tables import CredentialRow, RecordKeyRow
from service.app import create_app
from service.house import House, SystemClock
from service.settings import Settings
from service.verifying import VerifyingDesk
from verifier.verdict import Verdict

ISSUED, CROWD, LOOKS, REPEATS = 1_000, 20_000, 1_000, 3
QUICK_ISSUED, QUICK_CROWD, QUICK_LOOKS = 60, 300, 60
ALTERED = 20  # files; each costs a tenth of a second
ENDLESS = "1000000000/second"  # the limiter runs, and lets everything through
VALID = "真实有效"  # the heading of a page on a good certificate
FLIPPED = 100_000  # from the end: in the photo, which the signature covers


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    issued: int
    crowd: int
    looks: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Known:
    """What somebody could hold of a certificate."""

    code: str
    serial: str
    name: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything a second of one process's CPU, but for ``altered`` and ``pyhanko_altered``: a second on the clock.

    Attributes:
        certificates: in the register.
        issued: of them with a PDF, from the production engine.
    """

    certificates: int
    issued: int
    original: Spread
    digest_and_look_up: Spread
    pyhanko_original: Spread
    altered: Spread
    pyhanko_altered: Spread
    code_json: Spread
    code_page: Spread
    bare_endpoint: Spread
    serial_right: Spread
    serial_wrong_name: Spread
    serial_unknown: Spread
    load_before: float
    load_after: float


class WrongVerdict(Exception):
    """The benchmark measured something else than it says."""


def prepare(folder: Path, options: Options, step: Callable[[str], None]) -> House:
    """Open the installation of a former run with the same sizes, or make one."""
    noted = folder / "bench-verify.json"
    sizes = {"issued": options.issued, "crowd": options.crowd}
    if not noted.is_file() or json.loads(noted.read_text()) != sizes:
        step("make keys and an issuer")
        installation = Installation(folder / "data", Algorithm.RSA_2048)
        line = installation.line()
        step(f"issue {options.issued:,} certificates")
        installation.issue(line, installation.approved_batch(line, options.issued))
        Crowd(installation.house, ISSUER).fill(options.crowd, step)
        noted.write_text(json.dumps(sizes))
    return House(Settings(data=folder / "data", workers=1), PASSPHRASE, SystemClock())


def documents_of(house: House, count: int) -> list[bytes]:
    """Fetch the PDFs of the certificates that were issued; no two are the same."""
    with house.database.reading() as session:
        serials = session.exec(select(CredentialRow.serial).order_by(col(CredentialRow.id)).limit(count)).all()
    documents = [house.documents.fetch_pdf(serial, issuer_id=ISSUER) for serial in serials]
    if len({hashlib.sha256(document).digest() for document in documents}) != count:
        raise WrongVerdict("documents that are not distinct")
    return documents


def known_of(house: House, count: int) -> list[Known]:
    """Open certificates from all over the register, as their blind indexes fall; no two are the same."""
    with house.database.reading() as session:
        ids = session.exec(select(CredentialRow.id).order_by(col(CredentialRow.code_index)).limit(count)).all()
        found = [session.get_one(CredentialRow, one) for one in ids]
        keys = [session.get_one(RecordKeyRow, (one.batch_id, one.row_number)).wrapped for one in found]
    opened = [
        decode_claims(open_message(open_sealed(open_record_key(house.vault, row, wrapped), row)[0]).payload)
        for row, wrapped in zip(found, keys, strict=True)
    ]
    return [Known(one.verification_code, one.serial, one.holder.name) for one in opened]


class Measurement:
    """The figures of one installation, one after the other."""

    def __init__(self, house: House, options: Options, step: Callable[[str], None]) -> None:
        self._house = house
        self._options = options
        self._step = step
        self._documents = documents_of(house, min(options.issued, options.looks))
        self._known = known_of(house, min(options.issued + options.crowd, options.looks))
        self._roots = [asn1_x509.Certificate.load(one) for one in house.trust.ca_certs]

    def figures(self) -> Figures:
        """Measure all; see the module for the order."""
        load_before = os.getloadavg()[0]
        altered = [alter(document) for document in self._documents[:ALTERED]]
        with VerifyingDesk(self._house) as desk:
            for document in self._documents[:5]:  # the statements, keys and tiles of a process that is at work
                expect([desk.verify_file(document)], "valid")
            original = self._cpu("exact originals", self._documents, desk.verify_file, "valid")
            least = self._cpu("digest and look-up", self._documents, self._digest_and_look_up())
            expect([desk.verify_file(altered[0])], "tampered")  # starts the helper of the sandbox
            tampered, bare_tampered = self._side_by_side(altered, desk)
            right = self._cpu(
                "serial and name", self._known, lambda one: desk.verify_serial(one.serial, one.name), "valid"
            )
            wrong = self._cpu(
                "wrong name", self._known, lambda one: desk.verify_serial(one.serial, "无此人"), "unknown"
            )
            unknown = self._cpu(
                "no such serial", self._known, lambda one: desk.verify_serial(f"9{one.serial}", one.name), "unknown"
            )
        sample = self._documents[:ALTERED]
        pyhanko = self._cpu("pyHanko on originals", sample, lambda one: self._pyhanko(one, is_intact=True))
        as_json, as_page, bare = self._by_code()
        return Figures(
            certificates=self._count(),
            issued=self._options.issued,
            original=original,
            digest_and_look_up=least,
            pyhanko_original=pyhanko,
            altered=tampered,
            pyhanko_altered=bare_tampered,
            code_json=as_json,
            code_page=as_page,
            bare_endpoint=bare,
            serial_right=right,
            serial_wrong_name=wrong,
            serial_unknown=unknown,
            load_before=load_before,
            load_after=os.getloadavg()[0],
        )

    def _cpu(self, what: str, things: Sequence[Any], work: Callable[[Any], Verdict | None], word: str = "") -> Spread:
        """Time work on each of several things, several times over; a second of this process on its cores."""
        rates = []
        for number in range(self._options.repeats):
            self._step(f"{what}, {number + 1} of {self._options.repeats}")
            started = time.process_time()
            verdicts = [work(thing) for thing in things]
            rates.append(len(things) / (time.process_time() - started))
            expect([one for one in verdicts if one is not None], word)
        return Spread.of(rates)

    def _digest_and_look_up(self) -> Callable[[bytes], None]:
        """What nobody can do without: digest a file and look it up, with the bare driver."""
        connection = sqlite3.connect(self._house.folder.database, isolation_level=None)
        statement = "SELECT credential_id, length FROM credential_file WHERE digest = ?"

        def work(document: bytes) -> None:
            if connection.execute(statement, (hashlib.sha256(document).digest(),)).fetchone()[1] != len(document):
                raise WrongVerdict("another file than the one looked for")

        return work

    def _side_by_side(self, altered: Sequence[bytes], desk: VerifyingDesk) -> tuple[Spread, Spread]:
        """Time altered files in turn with pyHanko's validation of them, on the clock: children's CPU is not ours."""
        ours, theirs = [], []
        for number in range(self._options.repeats):
            self._step(f"altered files, {number + 1} of {self._options.repeats}")
            spent = [0.0, 0.0]
            for document in altered:
                started = time.perf_counter()
                expect([desk.verify_file(document)], "tampered")
                between = time.perf_counter()
                self._pyhanko(document, is_intact=False)
                spent[0] += between - started
                spent[1] += time.perf_counter() - between
            ours.append(len(altered) / spent[0])
            theirs.append(len(altered) / spent[1])
        return Spread.of(ours), Spread.of(theirs)

    def _pyhanko(self, document: bytes, *, is_intact: bool) -> None:
        """Validate the signature as pyHanko's documentation does, changes after it included."""

        async def validate() -> bool:
            signature = PdfFileReader(BytesIO(document)).embedded_signatures[0]
            context = ValidationContext(trust_roots=self._roots, allow_fetching=False, revocation_mode="soft-fail")
            return bool((await async_validate_pdf_signature(signature, context)).intact)

        if asyncio.run(validate()) is not is_intact:
            raise WrongVerdict("pyHanko sees the file otherwise")

    def _by_code(self) -> tuple[Spread, Spread, Spread]:
        """The service's own application, and the barest one beside it, in turn; no socket, one request at a time."""
        settings = Settings(
            data=self._house.settings.data, limit_verify=ENDLESS, limit_serial=ENDLESS, limit_upload=ENDLESS
        )
        app, bare = create_app(settings), self._bare()
        with self._house.database.reading() as session:
            ids = session.exec(
                select(CredentialRow.id, CredentialRow.serial).where(
                    col(CredentialRow.serial).in_([one.serial for one in self._known])
                )
            ).all()
        ours = [f"/c/{one.code}" for one in self._known]
        rates: tuple[list[float], list[float], list[float]] = ([], [], [])
        for number in range(self._options.repeats):
            self._step(f"by code, {number + 1} of {self._options.repeats}")
            seconds, answers = call_all(app, ours, "application/json")
            for known, answer in zip(self._known, answers, strict=True):
                told = json.loads(answer.body)
                if (told["verdict"], told["credential"]["serial"]) != ("valid", known.serial):
                    raise WrongVerdict(f"{answer.status} {told['verdict']} by code")
            rates[0].append(len(ours) / seconds)
            seconds, answers = call_all(app, ours, "text/html")
            for known, answer in zip(self._known, answers, strict=True):
                if (
                    answer.status != 200
                    or known.serial not in answer.body.decode()
                    or VALID not in answer.body.decode()
                ):
                    raise WrongVerdict(f"{answer.status}, a page that does not say valid")
            rates[1].append(len(ours) / seconds)
            seconds, answers = call_all(bare, [f"/{id_}" for id_, _ in ids], "application/json")
            for (_, serial), answer in zip(ids, answers, strict=True):
                if json.loads(answer.body)["serial"] != serial:
                    raise WrongVerdict("the bare endpoint gave another row")
            rates[2].append(len(ids) / seconds)
        return Spread.of(rates[0]), Spread.of(rates[1]), Spread.of(rates[2])

    def _bare(self) -> FastAPI:
        """An endpoint as FastAPI and SQLModel document it: one row by its primary key, a few columns of it as JSON."""
        engine = create_engine(f"sqlite:///{self._house.folder.database}")
        app = FastAPI()

        @app.get("/{credential_id}")
        def look_up(credential_id: int) -> dict[str, str]:
            with Session(engine) as session:
                row = session.get_one(CredentialRow, credential_id)
                return {"serial": row.serial, "state": row.state, "issued_on": row.issued_on}

        return app

    def _count(self) -> int:
        with self._house.database.reading() as session:
            return int(session.exec(select(func.count()).select_from(CredentialRow)).one())


def alter(document: bytes) -> bytes:
    """Change one byte that the signature covers."""
    at = len(document) - min(FLIPPED, len(document) // 2)
    return document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]


def expect(verdicts: Sequence[Verdict], word: str) -> None:
    """Refuse to go on with a verdict that is not the one the figure is named after.

    Raises:
        WrongVerdict: it is not.
    """
    for one in verdicts:
        if one.verdict.value != word:
            raise WrongVerdict(f"{one.verdict.value} ({one.reason}) instead of {word}")


def table(figures: Figures) -> str:
    """Write the figures as a Markdown table, each beside what it is held against."""

    def line(what: str, rate: Spread, beside: Spread | None = None, wanted: str = "") -> str:
        share = "" if beside is None else f"{rate.median / beside.median:.2f}"
        return f"| {what} | {rate.text()} | {share} | {wanted} |"

    one = figures
    return "\n".join(
        [
            "| what | a second: median (least to most) | share of the one it stands beside | wanted |",
            "| --- | ---: | ---: | ---: |",
            line("exact original, bytes to verdict", one.original, one.digest_and_look_up, "4,000/s"),
            line("beside it: SHA-256 and one look-up", one.digest_and_look_up),
            line("beside it: pyHanko's validation", one.pyhanko_original),
            line(
                "altered file, through the sandbox (clock)", one.altered, one.pyhanko_altered, "at least 0.77 (1.3 x)"
            ),
            line("beside it: pyHanko's validation (clock)", one.pyhanko_altered),
            line("by code, JSON", one.code_json, one.bare_endpoint, "at least 0.60"),
            line("by code, page", one.code_page, one.bare_endpoint, "at least 0.60"),
            line("beside it: FastAPI, one row by primary key", one.bare_endpoint),
            line("serial and name", one.serial_right),
            line("right serial, wrong name", one.serial_wrong_name, one.serial_unknown, "1.00"),
            line("beside it: no such serial", one.serial_unknown),
            "",
            f"{one.certificates:,} certificates, {one.issued:,} of them issued by the production engine.",
            f"Load average {one.load_before:.1f} before and {one.load_after:.1f} after.",
        ]
    )


def main() -> int:
    """Run it; progress goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, one repetition")
    parser.add_argument(
        "--certificates", type=int, help="in the register, bulk rows included; 1000000 takes minutes to make"
    )
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--folder", type=Path, help="keep the installation there, and use it again when the sizes fit")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    sizes = (QUICK_ISSUED, QUICK_CROWD, QUICK_LOOKS) if given.quick else (ISSUED, CROWD, LOOKS)
    crowd = sizes[1] if given.certificates is None else max(0, given.certificates - sizes[0])
    options = Options(sizes[0], crowd, sizes[2], 1 if given.quick else given.repeats)
    logging.disable(logging.CRITICAL)  # pyHanko's

    def step(what: str) -> None:
        print(what, file=sys.stderr)

    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["YINZHENG_PASSPHRASE"] = PASSPHRASE.decode()
        figures = Measurement(prepare(folder, options, step), options, step).figures()
    print(json.dumps({"bench": "verify", **asdict(figures)}) if given.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
