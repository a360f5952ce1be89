"""Places where a run may be killed: before every write, commit, sync, link and signature.

A kill before a read leaves the same behind as one before the write after it.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from credential.claims import claims_digest, decode_claims
from credential.cose import open_message
from credential.leaves import LeafKind, issue_leaf, parse_leaf, seal_leaf
from credential.note import verify_proof
from issuer.batch import approve, submit
from registry.batches import progress
from registry.credentials import find_by_batch
from registry.database import Database
from registry.history import verify_history
from registry.log.reader import verify_log
from registry.numbers import account_numbers
from tests.fakes_issuer import CHECKER, MAKER, ORIGIN, House, MemorySigner, build_house, kept_house, make_records


class Killed(BaseException):
    """Stands for a kill: nothing in the program may catch it."""


def kill_here() -> None:
    """Really end this process, at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def raise_killed() -> None:
    raise Killed


class Countdown:
    """Counts the places passed and strikes at one of them."""

    def __init__(self, at: int, strike: Callable[[], None] = raise_killed) -> None:
        self.passed: list[str] = []
        self._at = at
        self._strike = strike

    def __call__(self, place: str) -> None:
        self.passed.append(place)
        if len(self.passed) == self._at:
            self._strike()


@contextmanager
def watched(countdown: Countdown) -> Iterator[None]:
    """Pass every place of the code that runs inside to a countdown."""

    def before_statement(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            countdown(statement.partition("(")[0])

    def before_commit(_connection: Any) -> None:
        countdown("commit")

    def wrap(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            countdown(name)
            return real(*arguments, **named)

        return wrapped

    real_sign = MemorySigner.sign

    def sign(self: MemorySigner, message: bytes) -> bytes:
        countdown("sign")
        return real_sign(self, message)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "link", "replace", "rename"):
            patch.setattr(os, name, wrap(name))
        patch.setattr(MemorySigner, "sign", sign)
        event.listen(Engine, "before_cursor_execute", before_statement)
        event.listen(Engine, "commit", before_commit)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", before_statement)
            event.remove(Engine, "commit", before_commit)


ROWS = 2
FIRST_BATCH = 1


def run_all(house: House) -> int:
    """What a person does who repeats the same command: submit, approve, issue. Returns the batch's number."""
    batch = submit(house.office, make_records(ROWS), [], maker=MAKER, now=house.clock.now()).batch
    approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=house.clock.now())
    house.engine.run(batch.id, lambda _: None)
    return batch.id


def issued_house(folder: Path) -> House:
    """A house of its own in which ``run_all`` was done already, as the batch ``FIRST_BATCH``."""
    kept = kept_house("issued", _issue)
    house = build_house(folder, is_new=False, clock=kept.copy(folder))
    house.press.printed.extend(kept.printed)
    return house


def _issue(folder: Path) -> House:
    house = build_house(folder)
    assert run_all(house) == FIRST_BATCH
    return house


def copied(template: Path, folder: Path) -> House:
    """A house of its own in a copy of a folder."""
    shutil.copytree(template, folder)
    return build_house(folder, is_new=False)


def restore(template: Path, folder: Path, database: Database) -> None:
    """Put a folder back to what the template is, under a database that stays."""
    database.close()
    shutil.rmtree(folder)
    shutil.copytree(template, folder)


def leaf_kinds(house: House) -> dict[LeafKind, int]:
    with house.database.reading() as session:
        leaves = session.execute(text("SELECT leaf, position FROM log_leaf")).all()
    assert all(position is not None for _, position in leaves), "a leaf waits for the log"
    kinds: dict[LeafKind, int] = {}
    for leaf, _ in leaves:
        kind = parse_leaf(leaf).kind
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def expect_exactly_once(house: House, batch_id: int, folder: Path, *, rows: int = ROWS) -> None:
    """Everything that must hold at the end, whatever happened on the way."""
    with house.database.reading() as session:
        done = progress(session, batch_id)
        assert (done.rows, done.issued, done.is_finished) == (rows, rows, True)
        account = account_numbers(session, "ningbo", 2026)
        assert (account.taken, account.issued, account.void, account.missing) == (rows, rows, 0, ())
        found = find_by_batch(session, batch_id)
        promised = session.execute(text("SELECT row_number, serial FROM batch_row ORDER BY row_number")).all()
        assert [(one.row_number, one.serial) for one in found] == [tuple(row) for row in promised]
        assert len({(one.status_list, one.status_index) for one in found}) == rows
        verify_history(session)
        kinds = session.execute(text("SELECT kind, COUNT(*) FROM history GROUP BY kind")).all()
        assert dict(map(tuple, kinds)) == {"batch-submitted": 1, "batch-approved": 1, "chunk-issued": 1}
    kinds_logged = leaf_kinds(house)
    assert (kinds_logged[LeafKind.ISSUE], kinds_logged[LeafKind.SEAL]) == (rows, rows)
    assert LeafKind.VOID not in kinds_logged
    with house.database.reading() as session:
        leaves = session.execute(text("SELECT leaf FROM log_leaf ORDER BY position")).scalars().all()
    checkpoint = verify_log(folder / "log", house.log_signer.public_key, ORIGIN, leaves)
    assert checkpoint.size == len(leaves)
    for one in found:
        document = house.documents.fetch_pdf(one.serial)
        assert one.digest is not None
        registered = house.source.by_digest(one.digest)
        assert registered is not None
        house.press.check(document, registered.claims)
        claims = decode_claims(open_message(registered.claims).payload)
        assert claims.serial == one.serial
        digest = claims_digest(open_message(registered.claims).payload)
        key = house.log_signer.public_key
        verify_proof(registered.issue_proof, issue_leaf(digest, claims.salt), key, ORIGIN)
        verify_proof(registered.files[0].seal_proof, seal_leaf(one.digest, claims.salt), key, ORIGIN)
