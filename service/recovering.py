"""Go on from a restored registry that stands behind what was published (DESIGN 7, rollback).

1. What is given up is written down: the log's name, size and root of its last checkpoint.
2. Reserve records that survived bring back every credential that was printed
   after the backup, with its serial, code, slot, key and signed claims.
3. Chunks that were approved and not reserved come to nothing, since nobody
   knows whether they were cancelled; their numbers are void, and numbers that
   may have been used since are skipped. Status lists take no new certificate.
4. The published status lists are compared with the registry: what is missing
   there is owed, and must be entered again by its decision before anything is issued.
5. The log goes on from the restored tree under a new name; the old one stands
   under ``public/former-logs``.
6. The trust list names the new log and where the former one ended.
7. What was brought back is sealed: the packs that survived are read back.

Killed anywhere, the same command goes on.
"""

import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from credential.errors import Error, RefusedError
from credential.leaves import SALT_BYTES, LeafKind, void_leaf
from credential.merkle import EMPTY_ROOT
from credential.note import Checkpoint
from credential.trust import FormerLog, TrustList
from issuer.issue import finish_chunk
from issuer.office import beijing_year
from registry.agreement import StatusTampered
from registry.batches import get_batch, mark_cancelled
from registry.chunks import NumberedRow, get_chunk, move_chunk, numbered_rows, void_row
from registry.database import Session
from registry.erasures import erased_rows
from registry.history import Entry, HistoryKind
from registry.issuers import get_issuer, list_issuers
from registry.log.files import replace_durably
from registry.log.outbox import put_leaves
from registry.log.reader import committed_size
from registry.log.rebuilding import rebuild_tiles
from registry.replaying import is_known, replay_batch
from registry.reserve_records import FOLDER, Reservation, read_reserve_records
from registry.restored import (
    LOST,
    committed_root,
    highest_numbers,
    ready_chunks,
    reserved_chunks,
    skip_numbers,
)
from registry.status.slots import close_lists
from registry.tables import BatchState, ChunkState
from service.adopting import adopt_template
from service.backup_store import regular_files, sync_folder
from service.behind import Owed, Recovery, published_size, read_recovery, still_owed, write_recovery
from service.custody import note_use, put_use
from service.house import House
from service.lost_part import LostPart, compare_statuses, former_folder, lost_part
from service.restoring import outside_checkpoint
from service.trust import amend_trust_list

MIN_SKIP = 1_000
"""Numbers that are skipped at least where it is not known that every reserve record survived."""


class NothingToRecover(RefusedError):
    """The registry is not behind what was published."""

    code = "nothing-to-recover"

    def __init__(self) -> None:
        super().__init__(
            "the registry knows everything that was published, so there is nothing to recover",
            "登记库与已公布的内容一致, 无需继续恢复",
        )


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """What a recovery would do.

    Attributes:
        chunks: of reserve records that bring something back.
        credentials: that they bring back.
        to_close: approved chunks without reserve records, as batch and number.
        is_whole: the log's files say that no more were issued than are brought back.
    """

    recovery: Recovery
    lost: LostPart
    chunks: int
    credentials: int
    to_close: tuple[tuple[int, int], ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did.

    Attributes:
        brought_back: serials.
        unclaimed: of these, serials whose title another live certificate has in the restored registry.
        closed: chunks that came to nothing.
        owed: what has to be entered again.
        is_trusted: the trust list names the new log; else its draft waits for the roots.
        unsealed: chunks that could not be sealed, with the code of the error.
    """

    recovery: Recovery
    brought_back: tuple[str, ...]
    unclaimed: tuple[str, ...]
    closed: tuple[tuple[int, int], ...]
    owed: tuple[Owed, ...]
    is_trusted: bool
    unsealed: tuple[str, ...]


def plan_recovery(house: House, *, skip: int | None = None) -> RecoveryPlan:
    """Say what a recovery would do; changes nothing.

    Args:
        house: of the restored installation.
        skip: numbers to leave out in each counter; None works it out.

    Raises:
        NothingToRecover: it is not behind.
        LogForked: the checkpoint that is ahead is not signed by the log.
    """
    recovery = read_recovery(house.folder) or _begin(house)
    lost = lost_part(house, recovery)
    waiting = _waiting(house, ())
    count = sum(len(one.records) for one in waiting)
    with house.database.reading() as session:
        known = {(one.batch_id, one.chunk_number) for one in waiting}
        to_close = tuple(one for one in ready_chunks(session) if one not in known)
    # Each number that is given stands in an issue leaf once it may have been printed.
    issued = lost.entries if lost.kinds is None else lost.kinds.get(LeafKind.ISSUE, 0)
    is_whole = lost.kinds is not None and issued <= count
    if skip is None:
        skip = 0 if is_whole else max(MIN_SKIP, issued)
    recovery = recovery if recovery.is_switched else replace(recovery, skip=skip)
    return RecoveryPlan(recovery, lost, len(waiting), count, to_close, is_whole)


def recover(house: House, plan: RecoveryPlan, *, leave_out: Collection[int] = ()) -> Recovered:
    """Do what was planned, or go on with it; see the module for the steps.

    Args:
        house: of the restored installation; nothing else may be at work on it.
        plan: of this moment.
        leave_out: numbers of batches that cannot be brought back.

    Raises:
        CannotReplay: reserve records contradict the database; nothing of their batch was written.
        LogDamaged: the database does not give the tree that it says.
        UnavailableError: a store does not answer; run it again.
    """
    recovery = plan.recovery
    brought: list[str] = []
    unclaimed: list[str] = []
    closed: tuple[tuple[int, int], ...] = ()
    if not recovery.is_switched:
        write_recovery(house.folder, recovery)
        closed = _close_chunks(house, plan.to_close)
        for batch in _by_batch(_waiting(house, leave_out)):
            back, without = _replay(house, batch)
            brought += back
            unclaimed += without
        _skip_numbers(house, recovery)
        recovery = replace(recovery, owed=compare_statuses(house))
        _switch_log(house, recovery)
        recovery = replace(recovery, is_switched=True)
        write_recovery(house.folder, recovery)
        house = House(house.settings, house.passphrase, house.clock, house.reader)
        subject = f"log {recovery.new_origin} goes on after {recovery.known} of {recovery.size} of {recovery.origin}"
        note_use(house, HistoryKind.RESTORED, subject)
    is_trusted = _tell_trust_list(house, recovery)
    house.log.sequence(house.now())
    unsealed = tuple(_seal_all(house)) if is_trusted else ()
    _publish(house)
    owed = still_owed(house.folder, house.database)
    return Recovered(recovery, tuple(brought), tuple(unclaimed), closed, owed, is_trusted, unsealed)


# ---- step 1 -----------------------------------------------------------------------------------------------------


def _begin(house: House) -> Recovery:
    with house.database.reading() as session:
        known = committed_size(session)
    if published_size(house.folder) <= known:
        raise NothingToRecover
    newest = max(_published(house), key=lambda one: one.size)
    installation = house.installation
    first = (*installation.former_origins, installation.log_origin)[0]
    new_origin = f"{first}-{len(installation.former_origins) + 2}"
    return Recovery(installation.log_origin, newest.size, newest.root.hex(), known, new_origin, 0)


def _published(house: House) -> list[Checkpoint]:
    """The published checkpoint and its copy, each signed by a key that the log has or had."""
    paths = (house.folder.log / "checkpoint", house.folder.checkpoint_copy)
    return [outside_checkpoint(str(path), house.trust)[1] for path in paths if path.is_file()]


# ---- steps 2 and 3 ----------------------------------------------------------------------------------------------


def _waiting(house: House, leave_out: Collection[int]) -> list[Reservation]:
    """The reservations that the database does not know, without rows that were erased since."""
    found: dict[str, Reservation] = {}
    erased = erased_rows(house.folder.blobs)
    for path, _ in regular_files(house.folder.blobs / FOLDER):
        one = read_reserve_records(house.blobs, house.vault, f"{FOLDER}/{path}")
        kept = tuple(each for each in one.records if (one.batch_id, each.row_number) not in erased)
        before = found.get(one.pack_name)
        # Two for one pack are there when an erasure was cut off between writing the new one and deleting the old.
        if before is None or len(kept) < len(before.records):
            found[one.pack_name] = replace(one, records=kept)
    with house.database.reading() as session:
        return [
            one
            for one in found.values()
            if one.records and one.batch_id not in leave_out and not is_known(session, one)
        ]


def _by_batch(waiting: Iterable[Reservation]) -> list[list[Reservation]]:
    """The reservations of each batch; batches in the order they were made, so that a predecessor comes first."""
    batches: dict[int, list[Reservation]] = {}
    for one in waiting:
        batches.setdefault(one.batch_id, []).append(one)
    return [batches[number] for number in sorted(batches)]


def _replay(house: House, batch: Sequence[Reservation]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    now = house.now()
    with house.database.transaction() as session:
        done = replay_batch(session, house.vault, house.blobs, batch, now)
        _void(session, house, done.batch_id, done.leftover)
    return done.serials, done.unclaimed


def _close_chunks(house: House, chunks: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    closed = []
    for batch_id, number in chunks:
        with house.database.transaction() as session:
            chunk = get_chunk(session, batch_id, number, lock=True)
            if chunk.state is ChunkState.READY:
                _void(session, house, batch_id, numbered_rows(session, batch_id, [number]))
                move_chunk(session, chunk, ChunkState.CANCELLED, house.now())
                # Else the same sheet, submitted again, would be found to be this batch, and issue nothing.
                if get_batch(session, batch_id).state is BatchState.APPROVED:
                    mark_cancelled(session, batch_id, LOST, house.now())
                subject = f"batch {batch_id} chunk {number} closed, its numbers are void"
                put_use(session, house.vault, Entry(HistoryKind.RESTORED, None, subject, house.now(), None))
                closed.append((batch_id, number))
    return tuple(closed)


def _void(session: Session, house: House, batch_id: int, rows: Sequence[NumberedRow]) -> None:
    """Void numbers that will get no credential, each with its leaf; a correction has no number of its own."""
    issuer = get_issuer(session, get_batch(session, batch_id).issuer_id)
    for row in rows:
        leaf = None
        if row.version == 1:
            salt = house.vault.blind("void-leaf", issuer.id, row.serial)[:SALT_BYTES]
            (leaf,) = put_leaves(session, [void_leaf(issuer.uscc, row.serial, LOST, salt)])
        void_row(session, batch_id, row.row_number, LOST, leaf)


def _skip_numbers(house: House, recovery: Recovery) -> None:
    """Leave out numbers that may have been used, this year's; and account for those between in every year."""
    now = house.now()
    year = beijing_year(now)
    with house.database.transaction() as session:
        highest = highest_numbers(session)
        wanted = {**{(one.id, year): 0 for one in list_issuers(session)}, **highest}
        for (issuer_id, of_year), last in wanted.items():
            skip_numbers(session, issuer_id, of_year, last + (recovery.skip if of_year == year else 0), now)
        close_lists(session)


# ---- steps 5 and 6 ----------------------------------------------------------------------------------------------


def _switch_log(house: House, recovery: Recovery) -> None:
    """Let the restored tree go on under the new name; the files of the former log are kept."""
    folder, target = house.folder, former_folder(house, recovery)
    fresh, survived = folder.log.with_name("log-next"), folder.former_logs / "survived"
    with house.database.reading() as session:
        root = committed_root(session, recovery.known) or EMPTY_ROOT
    rebuild_tiles(house.database, fresh, recovery.known, root)
    folder.former_logs.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        (survived if survived.is_dir() else folder.log).rename(target)
    if folder.checkpoint_copy.is_file():
        note = folder.checkpoint_copy.read_bytes()
        replace_durably({target / "checkpoint": note})
        folder.checkpoint_copy.replace(folder.checkpoint_copy.with_name(f"checkpoint.former-{target.name}"))
    if folder.log.is_dir():
        shutil.rmtree(folder.log)  # of the restored tree, whose tiles stand in the fresh folder
    fresh.rename(folder.log)
    sync_folder(folder.log.parent)
    installation = house.installation
    former = (*installation.former_origins, recovery.origin)
    folder.write_installation(replace(installation, log_origin=recovery.new_origin, former_origins=former))


def _tell_trust_list(house: House, recovery: Recovery) -> bool:
    """Name the new log and the end of the former one; False while the roots have not signed."""
    former = FormerLog(recovery.origin, recovery.size, bytes.fromhex(recovery.root))

    def change(trust: TrustList) -> TrustList:
        others = tuple(one for one in trust.former_logs if one.origin != former.origin)
        return replace(trust, log_origin=recovery.new_origin, former_logs=(*others, former))

    if house.trust.log_origin == recovery.new_origin:
        return True
    return amend_trust_list(house, change, why=f"log {recovery.new_origin} follows {recovery.origin}").published


# ---- step 7 -----------------------------------------------------------------------------------------------------


def _seal_all(house: House) -> Iterator[str]:
    """Seal every chunk that is reserved; a pack that is found is read back, one that is gone printed again."""
    with house.database.reading() as session:
        chunks = [(get_batch(session, batch_id), number) for batch_id, number in reserved_chunks(session)]
    for batch, number in chunks:
        try:
            version = batch.binding.get("template version", "")
            if version:
                adopt_template(house, batch.issuer_id, bytes.fromhex(version))
            line = house.line(batch.issuer_id, batch.binding["template"], version)
            finish_chunk(line, batch.id, number)
        except Error as error:  # the others go on; this one is resumed like any chunk
            yield f"{batch.id}/{number}: {error.code}"
    house.log.sequence(house.now())


def _publish(house: House) -> None:
    """Publish the lists that agree with what was published before; those that do not wait for what is owed."""
    with suppress(StatusTampered):
        house.status_lists.refresh(house.now())
    house.log.sequence(house.now())
