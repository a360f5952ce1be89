"""The parts that an issuing line is handed, with stopwatches on them; nothing else about them differs."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, event
from sqlmodel import Session

from bench.stopwatch import Stopwatch
from credential.model import Claims
from credential.trust import Role
from issuer.engine import Publisher, Records, SingleProcess
from issuer.line import CompiledPrefix, IssuingLine, PrintedDocument, Printer, Proofs, Sequencer
from issuer.printing import PRINT_AT_ONCE
from keys.file_signer import FileSigner
from keys.store import KeyStore
from press.press import Press, Printed
from registry.database import Database
from registry.local_blobs import LocalBlobs
from registry.vault import RecordKey, Vault
from service.house import House

RESERVE = "reserve: open rows, write claims and QR codes, leaves (Python)"
PRINT = "print: recall the chunk, open photos, build the pack, seal leaves (Python)"

SQL = "database: statements"
COMMIT = "database: commits, synced"
ENCRYPT = "encryption of fields, photos, tails"
PRESS = "press: texts, font, QR code, digests, CMS (without the key)"
KEYS = {Role.PDF: "key: PDF", Role.QR: "key: claims and QR", Role.LOG: "key: log", Role.STATUS: "key: status"}
READ_BLOBS = "photos: read"
WRITE_BLOBS = "packs: written, synced"
LOG = "log: place, hash, tiles synced, checkpoint"
PROOFS = "log: proofs made and checked"
LISTS = "status lists: published"

Job = tuple[Claims, dict[str, Any]]
"""What a press is asked to print: the claims, and the rest by keyword."""


class StoppedSigner(FileSigner):
    """A key with a stopwatch."""

    def __init__(self, signer: FileSigner, watch: Stopwatch, stage: str) -> None:
        super().__init__(signer.private_key)
        self._watch = watch
        self._stage = stage

    def sign(self, message: bytes) -> bytes:
        """Sign, and book it."""
        self._watch.enter(self._stage)
        signature = super().sign(message)
        self._watch.leave()
        return signature


class StoppedKeys(KeyStore):
    """Gives keys with stopwatches; loads none itself."""

    def __init__(self, house: House, watch: Stopwatch) -> None:
        super().__init__(house.folder.keys, house.passphrase)
        self._inner = house.store
        self._watch = watch

    def signer(self, role: str, owner: str = "", generation: int | None = None) -> FileSigner:
        """The other store's key, with a stopwatch."""
        return StoppedSigner(self._inner.file_signer(role, owner, generation), self._watch, KEYS[Role(role)])


class StoppedDatabase(Database):
    """Books the commit apart from what is done in the transaction."""

    def __init__(self, url: str, watch: Stopwatch) -> None:
        super().__init__(url)
        self._watch = watch

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """As before."""
        with super().transaction() as session:
            yield session
            self._watch.enter(COMMIT)
        self._watch.leave()


class StoppedKey(RecordKey):
    """A record's key with a stopwatch."""

    __slots__ = ("_watch",)

    def __init__(self, key: RecordKey, watch: Stopwatch) -> None:
        super().__init__(key._key, key._random)  # noqa: SLF001 - the same key; the vault reads it to wrap it
        self._watch = watch

    def seal_bytes(self, content: bytes, at: bytes) -> bytes:
        """Encrypt, and book it."""
        self._watch.enter(ENCRYPT)
        sealed = super().seal_bytes(content, at)
        self._watch.leave()
        return sealed

    def seal_into(self, content: bytes, at: bytes, target: memoryview) -> None:
        """Encrypt, and book it."""
        self._watch.enter(ENCRYPT)
        super().seal_into(content, at, target)
        self._watch.leave()

    def open_bytes(self, sealed: bytes | memoryview, at: bytes) -> bytes:
        """Decrypt, and book it."""
        self._watch.enter(ENCRYPT)
        content = super().open_bytes(sealed, at)
        self._watch.leave()
        return content


class StoppedVault(Vault):
    """Opens record keys with stopwatches; it makes none, which only a submission does."""

    def __init__(self, master_key: bytes, random: Callable[[int], bytes], watch: Stopwatch) -> None:
        super().__init__(master_key, random)
        self._watch = watch

    def open_key(self, owner: str, wrapped: bytes | None) -> RecordKey:
        """Unwrap, and book it."""
        self._watch.enter(ENCRYPT)
        key = super().open_key(owner, wrapped)
        self._watch.leave()
        return StoppedKey(key, self._watch)

    def wrap(self, key: RecordKey, owner: str) -> bytes:
        """Wrap, and book it."""
        self._watch.enter(ENCRYPT)
        wrapped = super().wrap(key, owner)
        self._watch.leave()
        return wrapped

    def blind(self, field: str, *values: str) -> bytes:
        """Compute a blind index, and book it."""
        self._watch.enter(ENCRYPT)
        index = super().blind(field, *values)
        self._watch.leave()
        return index


class StoppedBlobs(LocalBlobs):
    """Books reading and durable writing."""

    def __init__(self, house: House, watch: Stopwatch) -> None:
        super().__init__(house.folder.blobs)
        self._watch = watch

    def create(self, name: str, parts: Sequence[bytes | memoryview]) -> bool:
        """Store, and book it."""
        self._watch.enter(WRITE_BLOBS)
        is_new = super().create(name, parts)
        self._watch.leave()
        return is_new

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read, and book it."""
        self._watch.enter(READ_BLOBS)
        content = super().read(name, offset, length)
        self._watch.leave()
        return content


class StoppedPrinter:
    """Books the press but for its key, and keeps what it was asked to print."""

    def __init__(self, printer: Printer, watch: Stopwatch, keep: int) -> None:
        self._printer = printer
        self._watch = watch
        self._keep = keep
        self.asked: list[Job] = []

    @property
    def qr_budget(self) -> int:
        """Of the press."""
        return self._printer.qr_budget

    def prefix(self, *, photo: bool) -> CompiledPrefix:
        """Of the press."""
        return self._printer.prefix(photo=photo)

    def print_many(
        self,
        claims: Sequence[Claims],
        *,
        photos: Sequence[bytes | None],
        qr_texts: Sequence[str],
        messages: Sequence[bytes],
        proofs: Sequence[str],
    ) -> Sequence[PrintedDocument]:
        """Print, and book it."""
        if len(self.asked) < self._keep:
            self.asked += jobs_of(claims, photos=photos, qr_texts=qr_texts, messages=messages, proofs=proofs)
        self._watch.enter(PRESS)
        printed = self._printer.print_many(claims, photos=photos, qr_texts=qr_texts, messages=messages, proofs=proofs)
        self._watch.leave()
        return printed


def jobs_of(
    claims: Sequence[Claims],
    *,
    photos: Sequence[bytes | None],
    qr_texts: Sequence[str],
    messages: Sequence[bytes],
    proofs: Sequence[str],
) -> list[Job]:
    """Take what a press was asked to print apart, certificate by certificate."""
    return [
        (one, {"photo": photo, "qr_text": text, "message": message, "proof": proof})
        for one, photo, text, message, proof in zip(claims, photos, qr_texts, messages, proofs, strict=True)
    ]


def print_jobs(press: Press, jobs: Sequence[Job]) -> Iterator[Printed]:
    """Print as many at once as issuer/printing.py does."""
    for start in range(0, len(jobs), PRINT_AT_ONCE):
        some = jobs[start : start + PRINT_AT_ONCE]
        yield from press.print_many(
            [claims for claims, _ in some],
            photos=[parts["photo"] for _, parts in some],
            qr_texts=[parts["qr_text"] for _, parts in some],
            messages=[parts["message"] for _, parts in some],
            proofs=[parts["proof"] for _, parts in some],
        )


class StoppedProofs:
    """Books proofs."""

    def __init__(self, proofs: Proofs, watch: Stopwatch) -> None:
        self._proofs = proofs
        self._watch = watch

    def proofs(self, leaf_ids: Sequence[int]) -> list[str]:
        """Prove, and book it."""
        self._watch.enter(PROOFS)
        texts = self._proofs.proofs(leaf_ids)
        self._watch.leave()
        return texts


class StoppedLog:
    """Books the sequencer; what follows it is printing."""

    def __init__(self, log: Sequencer, watch: Stopwatch) -> None:
        self._log = log
        self._watch = watch

    def sequence(self, now: datetime) -> object:
        """Sequence, and book it."""
        self._watch.enter(LOG)
        checkpoint = self._log.sequence(now)
        self._watch.leave()
        self._watch.ground(PRINT)
        return checkpoint


class StoppedLists:
    """Books the publishing of status lists."""

    def __init__(self, lists: Publisher, watch: Stopwatch) -> None:
        self._lists = lists
        self._watch = watch

    def publish(self, now: datetime) -> object:
        """Publish, and book it."""
        self._watch.enter(LISTS)
        published = self._lists.publish(now)
        self._watch.leave()
        return published


class StoppedHouse(House):
    """A second door to the same installation, every part of it with a stopwatch."""

    def __init__(self, house: House, watch: Stopwatch) -> None:
        super().__init__(house.settings, house.passphrase, house.clock)
        self.watch = watch
        self.fonts = house.fonts
        self.store = StoppedKeys(house, watch)
        self.database = StoppedDatabase(house.folder.database_url, watch)
        self.vault = StoppedVault(house.store.master_key(), os.urandom, watch)
        self.blobs = StoppedBlobs(house, watch)

    def stopped_line(self, issuer: str, template: str, keep: int) -> tuple[IssuingLine, StoppedPrinter]:
        """An issuing line, and its printer, which keeps the first so many jobs."""
        line = self.line(issuer, template)
        printer = StoppedPrinter(line.printer, self.watch, keep)
        return replace(line, printer=printer, proofs=StoppedProofs(line.proofs, self.watch)), printer

    def run(self, line: IssuingLine, batch_id: int) -> None:
        """Issue a batch by the engine of one process, every moment of it booked."""
        watch = self.watch
        log, lists = StoppedLog(self.log, watch), StoppedLists(self.status_lists, watch)
        engine = SingleProcess(Records(self.database, log, lists, self.now), line)
        with _statements_booked(watch):
            watch.ground(RESERVE)
            engine.run(batch_id, lambda _: watch.ground(RESERVE))
            watch.ground("")


@contextmanager
def _statements_booked(watch: Stopwatch) -> Iterator[None]:
    """Book every statement that the driver executes, but not the fetching of its rows."""

    def before(*_: object) -> None:
        watch.enter(SQL)

    def after(*_: object) -> None:
        watch.leave()

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before)
        event.remove(Engine, "after_cursor_execute", after)
