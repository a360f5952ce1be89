"""Issue one chunk of an approved batch, from reserve to seal.

The whole story. Each step can be killed at any instruction and run again; the
end is one credential a row, with the serial that approval gave it.

1. Reserve (one transaction): status slots, verification codes, salts, the time
   of issue, the signed claims and the signed QR code are fixed and stored, the
   ``issue`` leaves go to the log's outbox, and the claim on the title passes
   from the row to its credential. A row whose title was issued meanwhile is
   voided, as is a correction of what has changed meanwhile. From here on
   nothing about a credential is decided any more.
2. Log: the sequencer, the only holder of the log key, puts every waiting leaf
   under a published checkpoint. What is not logged is not printed.
3. Print and sign (no transaction): the press makes each PDF with its proof of
   the ``issue`` leaf and signs it, a time-stamping authority stamps the
   signature where the issuer wants it; the tail is sealed under its row's key.
   Before that, what was reserved is stored beside the database, encrypted, so
   that not even a restored older database makes a printed certificate unknown.
   The first one of each layout is examined, clause by clause (sampling.py).
4. Store: the prefixes, then all tails as one pack, durably and create-only,
   under the name fixed in step 1. If the pack is there already, a run before
   this one was killed after step 4, or another worker was quicker: it is read
   back, every file and signature is verified, and *its* digests are sealed,
   since signatures need not come out the same twice.
5. Seal (one transaction): the chunk moves to issued if it was not there yet,
   files and digests are registered, and the ``seal`` leaves and one for the
   head of the history go to the outbox. The sequencer's next run logs them. A
   correction takes the place of what it corrects here (issuer/succession.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from credential.claims import claims_digest, encode_claims
from credential.cose import sign_message, signature_bytes
from credential.errors import RefusedError, UnavailableError
from credential.leaves import SALT_BYTES, issue_leaf, reissue_leaf, seal_leaf
from credential.model import Claims, PartialDate
from credential.profile import SignatureProfile
from credential.qr import fit_qr_payload, qr_text
from credential.serial import identifier, new_verification_code
from issuer.batch import require_binding
from issuer.line import CompiledPrefix, IssuingLine, PrintedDocument, Printer, Proofs, Sequencer
from issuer.numbering import ALREADY_ISSUED, void_numbers
from issuer.office import BEIJING
from issuer.predecessor import PREDECESSOR_CHANGED, split_changed
from issuer.printing import PrefixChanged, print_all, store_prefixes
from issuer.succession import supersede
from registry import history
from registry.batches import Batch, find_obstacles, get_batch
from registry.chunks import Chunk, NumberedRow, StoredRow, get_chunk, move_chunk, read_chunk_rows
from registry.credentials import (
    FoundCredential,
    NewCredential,
    ReservedCredential,
    SealedFile,
    claims_digest_of,
    insert_credentials,
    insert_files,
)
from registry.database import Session
from registry.history import HistoryKind
from registry.log.outbox import put_leaves
from registry.packs import Pack, PackDamaged, PackWriter, item_place, read_pack
from registry.prefixes import read_prefix
from registry.reserve_records import store_reserve_records
from registry.reserved import Remembered, read_chunk, recall_chunk
from registry.status.slots import Slot, allocate_slots
from registry.tables import BatchState, ChunkState

__all__ = [
    "CompiledPrefix",
    "IssuingLine",
    "NotApproved",
    "PrefixChanged",
    "PrintedDocument",
    "Printer",
    "Proofs",
    "Sequencer",
    "WrongPack",
    "finish_chunk",
    "issue_chunk",
    "reserve_chunk",
]

VERIFICATION_CODE_BYTES = 10
TOKEN_MARK = b"060b2a864886f70d010910020e"
"""id-aa-timeStampToken (RFC 3161, appendix A) as it stands in the hexadecimal of a signature that has a time stamp."""


class NotApproved(RefusedError):
    """The batch is not approved, so nothing of it may be issued."""

    code = "not-approved"

    def __init__(self, batch_id: int) -> None:
        super().__init__(f"batch {batch_id} is not approved", f"批次 {batch_id} 尚未复核通过")


class WrongPack(UnavailableError):
    """A stored pack has not the files of its chunk."""

    code = "wrong-pack"

    def __init__(self, name: str, row_number: int) -> None:
        super().__init__(
            f"the pack {name} does not hold what was reserved for row {row_number}; look into it before going on",
            f"数据包 {name} 与第 {row_number} 行登记的内容不符,请先查明原因",
        )


def issue_chunk(line: IssuingLine, sequencer: Sequencer, batch_id: int, number: int) -> None:
    """Issue one chunk, whatever was done of it before; see the module for the steps.

    Raises:
        NotApproved: the batch is not approved.
        BindingChanged: it is to be printed with other things than were approved.
        UnavailableError: a store does not answer or holds something else; run it again.
    """
    remembered = reserve_chunk(line, batch_id, number)
    sequencer.sequence(line.now())
    finish_chunk(line, batch_id, number, remembered)


def reserve_chunk(line: IssuingLine, batch_id: int, number: int) -> Remembered | None:
    """Do step 1, unless it is done; raises as :func:`issue_chunk`.

    Returns:
        For :func:`finish_chunk` in this process; None when the chunk is to be read from the database.
    """
    office = line.office
    now = line.now().replace(microsecond=0)
    with office.database.transaction() as session:
        chunk = get_chunk(session, batch_id, number, lock=True)
        if chunk.state is not ChunkState.READY:
            return None
        batch = get_batch(session, batch_id)
        if batch.state is not BatchState.APPROVED:
            raise NotApproved(batch_id)
        require_binding(office, batch)
        rows = read_chunk_rows(session, office.vault, batch_id, number)
        obstacles = find_obstacles(session, batch_id, number)
        predecessors, changed = split_changed(session, batch_id)
        taken = [NumberedRow(row.row_number, row.serial, row.version) for row in rows if row.row_number in obstacles]
        void_numbers(session, office, batch_id, taken, ALREADY_ISSUED)
        rows = [row for row in rows if row.row_number not in obstacles]
        late = [NumberedRow(row.row_number, row.serial, row.version) for row in rows if row.row_number in changed]
        void_numbers(session, office, batch_id, late, PREDECESSOR_CHANGED)
        rows = [row for row in rows if row.row_number not in changed]
        slots = allocate_slots(session, len(rows), office.random)
        look = _Look(line, batch, now)
        reserved = [_reserve(look, row, slot) for row, slot in zip(rows, slots, strict=True)]
        leaves = put_leaves(session, [issue_leaf(one.digest, one.claims.salt) for one in reserved])
        news = [
            _new_credential(chunk, row, slot, one, leaf, predecessors.get(row.row_number))
            for row, slot, one, leaf in zip(rows, slots, reserved, leaves, strict=True)
        ]
        put_leaves(session, _reissue_leaves(session, predecessors, news, reserved))
        insert_credentials(session, office.vault, news)
        pack_name = f"tails/{batch_id}/{number}-{office.random(8).hex()}"
        move_chunk(session, chunk, ChunkState.RESERVED, now, pack_name)
    return None if predecessors else Remembered(pack_name, rows, news)


def finish_chunk(line: IssuingLine, batch_id: int, number: int, remembered: Remembered | None = None) -> None:
    """Do steps 3 to 5, unless they are done; the chunk must be reserved and logged.

    Args:
        line: of the issuer.
        batch_id: of the chunk.
        number: of the chunk.
        remembered: what :func:`reserve_chunk` gave, if this process reserved the chunk.

    Raises:
        NotLogged: step 2 was left out.
        PrefixChanged: the press has not the prefix that was reserved.
        UnavailableError: a store does not answer or holds something else; run it again.
    """
    office = line.office
    with office.database.reading() as session:
        chunk = get_chunk(session, batch_id, number)
        if chunk.state is not ChunkState.RESERVED or chunk.pack_name is None:
            return
        batch = get_batch(session, batch_id)
        reserved = None if remembered is None else recall_chunk(session, batch, chunk, remembered)
        if reserved is None:
            reserved = read_chunk(session, office.vault, batch, chunk)
    store_reserve_records(office.blobs, office.vault, reserved.reservation)
    pack = None
    profile = SignatureProfile.B_B if line.stamping is None else SignatureProfile.B_T
    if not office.blobs.exists(chunk.pack_name):
        pack = _print_pack(line, chunk, reserved.credentials, reserved.claims)
    if pack is None:
        pack, profile = _read_back(line, chunk.pack_name, reserved.credentials)
    _seal(line, chunk, pack, profile, list(zip(reserved.credentials, reserved.claims, strict=True)))


class _Look:
    """What is the same for all credentials of a chunk, asked for once."""

    def __init__(self, line: IssuingLine, batch: Batch, now: datetime) -> None:
        office = line.office
        settings = office.issuer.settings
        self.now = now
        self.today = PartialDate(now.astimezone(BEIJING).date().isoformat())
        self.kind = batch.kind
        self.issuer = office.issuer.uscc
        self.issuer_name = office.issuer.name
        self.type_code = settings.type_code
        self.public_url = settings.public_url
        self.random = office.random
        self.unsaid = office.unsaid
        self.in_qr = office.schema.in_qr
        self.signer = line.claims_signer
        self.signature_bytes = signature_bytes(line.claims_signer.algorithm)
        self.qr_budget = line.printer.qr_budget
        self.status_uri = lru_cache(office.status_uri)
        self.prefix_digest = lru_cache(lambda has_photo: line.printer.prefix(photo=has_photo).digest)


class _Reserved(NamedTuple):
    claims: Claims
    message: bytes
    digest: bytes
    qr_text: str


def _reserve(look: _Look, row: StoredRow, slot: Slot) -> _Reserved:
    """Fix everything about one credential, and sign its claims and its QR code."""
    fields = {key: value for key, value in row.record.fields.items() if key not in look.unsaid}
    expires_on = fields.get("expires_on")
    lots = look.random(VERIFICATION_CODE_BYTES + SALT_BYTES)
    claims = Claims(
        issuer=look.issuer,
        issuer_name=look.issuer_name,
        serial=row.serial,
        version=row.version,
        kind=look.kind,
        identifier=identifier(look.type_code, look.issuer, row.serial, row.version),
        holder=row.record.holder,
        fields=fields,
        issued_at=look.now,
        issued_on=look.today,
        expires_on=None if expires_on is None else date.fromisoformat(expires_on),
        status_uri=look.status_uri(slot.list_number),
        status_index=slot.index,
        verification_code=new_verification_code(lots[:VERIFICATION_CODE_BYTES]),
        photo_digest=row.photo_digest,
        template_digest=look.prefix_digest(row.photo is not None),
        salt=lots[VERIFICATION_CODE_BYTES:],
    )
    payload = encode_claims(claims)
    digest = claims_digest(payload)
    in_qr = fit_qr_payload(
        claims, slot.list_number, look.qr_budget, look.signature_bytes, in_qr=look.in_qr, digest=digest
    )
    return _Reserved(
        claims=claims,
        message=sign_message(payload, look.signer),
        digest=digest,
        qr_text=qr_text(look.public_url, claims.verification_code, sign_message(in_qr, look.signer)),
    )


def _reissue_leaves(
    session: Session,
    predecessors: Mapping[int, FoundCredential],
    news: Sequence[NewCredential],
    reserved: Sequence[_Reserved],
) -> list[bytes]:
    """Commit to what takes the place of what."""
    return [
        reissue_leaf(one.digest, claims_digest_of(session, predecessors[new.row_number]), one.claims.salt)
        for new, one in zip(news, reserved, strict=True)
        if new.row_number in predecessors
    ]


def _new_credential(  # noqa: PLR0913, PLR0917 - the parts of one credential, only reserve_chunk() calls it
    chunk: Chunk, row: StoredRow, slot: Slot, reserved: _Reserved, leaf: int, predecessor: FoundCredential | None
) -> NewCredential:
    return NewCredential(
        batch_id=chunk.batch_id,
        row_number=row.row_number,
        chunk_number=chunk.number,
        issuer_id=row.issuer_id,
        said=reserved.claims,
        status_list=slot.list_number,
        claims=reserved.message,
        claims_digest=reserved.digest,
        qr_text=reserved.qr_text,
        issue_leaf=leaf,
        live_key=row.live_key if predecessor is None else None,
        key=row.key,
        supersedes_id=None if predecessor is None else predecessor.id,
    )


def _print_pack(
    line: IssuingLine, chunk: Chunk, reserved: Sequence[ReservedCredential], claims: Sequence[Claims]
) -> Pack | None:
    """Do steps 3 and 4; None when another worker stored the pack first."""
    blobs, name = line.office.blobs, chunk.pack_name or ""
    proofs = line.proofs.proofs([one.issue_leaf for one in reserved])
    store_prefixes(line, chunk, reserved)
    memory = bytearray()
    with suppress(IndexError):  # the last chunk's, unless another thread has it in hand
        memory = line.pack_memory.pop()
    writer = PackWriter("tail", name, len(reserved), memory)
    for one, printed in zip(reserved, print_all(line, reserved, claims, proofs), strict=True):
        photo = one.photo is not None
        if line.sample is not None and line.sample.is_due(chunk.batch_id, photo=photo):
            line.sample.examine(chunk.batch_id, line.printer.prefix(photo=photo).content + printed.tail, photo=photo)
        writer.add(one.key, one.row_number, printed.tail, printed.digest, printed.length, printed.prefix_digest)
    content, pack = writer.finish()
    with content:
        is_new = blobs.create(name, [content])
    line.pack_memory.append(memory)
    return pack if is_new else None


def _read_back(line: IssuingLine, name: str, reserved: Sequence[ReservedCredential]) -> tuple[Pack, SignatureProfile]:
    """Verify a pack that was found: every row's file, its digest and its signature; says how they are signed.

    The issuer may have chosen another profile since they were.
    """
    pack, content = read_pack(line.office.blobs, "tail", name)
    entries = {entry.row_number: entry for entry in pack.entries}
    prefixes: dict[bytes, bytes] = {}
    is_stamped = bool(entries)
    if entries.keys() != {one.row_number for one in reserved} or len(entries) != len(pack.entries):
        raise PackDamaged(name, "has not the rows of its chunk", "与分块的行不符")
    for one in reserved:
        entry = entries[one.row_number]
        if entry.prefix_digest not in prefixes:
            prefixes[entry.prefix_digest] = read_prefix(line.office.blobs, entry.prefix_digest)
        sealed = content[entry.offset : entry.offset + entry.length]
        tail = one.key.open_bytes(sealed, item_place("tail", name, one.row_number))
        document = prefixes[entry.prefix_digest] + tail
        is_same = entry.prefix_digest == one.prefix_digest and entry.whole_length == len(document)
        if not is_same or hashlib.sha256(document).digest() != entry.digest:
            raise WrongPack(name, one.row_number)
        line.check_document(document, one.claims)
        is_stamped = is_stamped and TOKEN_MARK in tail
    return pack, SignatureProfile.B_T if is_stamped else SignatureProfile.B_B


def _seal(
    line: IssuingLine,
    chunk: Chunk,
    pack: Pack,
    profile: SignatureProfile,
    printed: Sequence[tuple[ReservedCredential, Claims]],
) -> None:
    """Do step 5; does nothing when another worker sealed the chunk first."""
    office = line.office
    now = line.now()
    digests: Mapping[int, bytes] = {entry.row_number: entry.digest for entry in pack.entries}
    leaves = [seal_leaf(digests[one.row_number], of.salt) for one, of in printed]
    with office.database.transaction() as session:
        if not move_chunk(session, chunk, ChunkState.ISSUED, now):
            return
        ids = put_leaves(session, leaves)
        files = [SealedFile(one.id, one.row_number, leaf) for (one, _), leaf in zip(printed, ids, strict=True)]
        insert_files(session, pack, files, now, profile)
        batch = get_batch(session, chunk.batch_id)
        entry = history.Entry(
            kind=HistoryKind.CHUNK_ISSUED,
            issuer_id=batch.issuer_id,
            subject=f"batch {batch.id} chunk {chunk.number} pack {pack.digest.hex()}",
            recorded_at=now,
            maker=batch.maker,
            checker=batch.checker,
            batch_id=batch.id,
        )
        history.append(session, entry)
        history.log_head(session, office.vault)
        issued = {one.row_number: (one.id, of) for one, of in printed}
        supersede(session, office, batch, issued, now)
