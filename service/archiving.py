"""Long-term evidence for what was issued: appended after issuing, renewed before it ends.

One chunk at a time, and each so that it may be killed at any instruction and
run again:

1. look at the newest file of each credential of the chunk: is any of it due?
2. gather the certificates that no document time stamp covers yet, and revocation
   lists that were issued after the last time stamp, so that they tell what
   happened up to it. A list that names one of them as revoked before it was used
   is no evidence for the file but against it: the chunk is refused;
3. append them (B-LT), and a document time stamp over all of it (B-LTA); tokens
   for the whole chunk are asked for at once;
4. store what was appended, sealed under each credential's key, as one pack,
   durably and create-only, under the chunk's name and the number of the round.
   If the pack is there already, a run before this one was killed after this
   step: it is read back, checked, and *its* revisions are registered;
5. register the revisions and their ``renewal`` leaves in one transaction; the
   sequencer logs them.

Nothing that was issued changes: the original and every revision stay
registered files, and each verifies on its own.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509

from credential.errors import Error, RefusedError, UnavailableError
from credential.leaves import renewal_leaf
from credential.profile import SignatureProfile
from keys.long_term import (
    Stamped,
    UnfitDocument,
    append_evidence,
    good_until,
    prepare_timestamp,
    read_stamped,
)
from keys.timestamp import NoTimestamp
from registry.chunks import get_chunk
from registry.log.outbox import put_leaves
from registry.packs import Pack, PackDamaged, PackItem, build_pack, item_place, read_pack
from registry.revisions import (
    KIND,
    FileCount,
    IssuedChunk,
    KeptFile,
    NewRevision,
    count_files,
    insert_revisions,
    issued_chunks,
    newest_files,
    read_document,
)
from service.profiles import MARGIN, NoTimestampAuthority
from service.revocation_lists import Listed, RevocationLists, find_listed
from verifier.document import examine
from verifier.presented import GOOD

if TYPE_CHECKING:
    from keys.timestamp import TimestampClient
    from service.house import House


_HARMLESS = frozenset(
    {
        x509.ReasonFlags.unspecified,
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
    }
)
"""Reasons with which a time-stamping authority's certificate spares its earlier tokens (RFC 3161, 4.1)."""


class ListedAsRevoked(RefusedError):
    """A revocation list says that a certificate was revoked before files were signed or stamped with it."""

    code = "listed-as-revoked"

    def __init__(self, listed: Listed, used_at: datetime | None) -> None:
        since = f"{listed.since:%Y-%m-%d %H:%M} UTC"
        used_en = "no time stamp shows that they are older" if used_at is None else f"used {used_at:%Y-%m-%d %H:%M} UTC"
        used_zh = "没有时间戳证明文件早于吊销" if used_at is None else f"使用时间 {used_at:%Y-%m-%d %H:%M} UTC"
        super().__init__(
            f"the revocation list names {listed.subject} as revoked since {since} ({used_en}), so that evidence would "
            "speak against these files; none is appended; ask the CA, and have them issued anew if the list is right",
            f"吊销列表载明 {listed.subject} 已于 {since} 吊销({used_zh}), 追加后只会证明文件无效, 故未追加; "
            "请向 CA 核实; 情况属实的, 须重新签发",
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A chunk that could not be extended now, and why."""

    batch_id: int
    number: int
    files: int
    error: Error


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a run did.

    Attributes:
        extended: files that got a new revision.
        current: files that needed none.
        waiting: chunks that have to be tried again.
        listed: certificates that the appended lists name as revoked, after the files were stamped.
    """

    extended: int = 0
    current: int = 0
    waiting: tuple[Waiting, ...] = ()
    listed: tuple[Listed, ...] = ()

    @property
    def seen(self) -> int:
        """Files that were looked at."""
        return self.extended + self.current + sum(one.files for one in self.waiting)


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """How the issued files stand.

    Attributes:
        counts: by issuer and profile.
        ending_before: what ``ending`` of the counts is measured by.
        wanted: the profile of each issuer.
    """

    counts: tuple[FileCount, ...]
    ending_before: datetime
    wanted: dict[str, SignatureProfile]

    @property
    def files(self) -> int:
        """All of them."""
        return sum(one.files for one in self.counts)

    def due(self, count: FileCount) -> int:
        """How many of these files the next run will extend, if authorities and lists allow."""
        wanted = self.wanted[count.issuer_id]
        if not count.profile.has_evidence:
            return count.files if wanted.has_evidence else 0
        return count.files if count.profile.rank < wanted.rank else count.ending


@dataclass(frozen=True, slots=True)
class _Extended:
    """One file on its way to its next revision."""

    file: KeptFile
    before: bytes
    after: bytes


def renew_archive(
    house: "House", *, margin: timedelta = MARGIN, on_progress: Callable[[int], None] | None = None
) -> Renewed:
    """Extend every issued file that is due; run again, it goes on where it was stopped.

    Args:
        house: of the installation.
        margin: how long before the end of its evidence a file is renewed.
        on_progress: is told how many files have been looked at in all.

    Raises:
        NoTimestampAuthority: time stamps are needed, and no authority is set.
        NoTimestamp: no authority answers; what was done so far stands.
    """
    lists = RevocationLists(house)
    result = Renewed()
    with house.database.reading() as session:
        chunks = issued_chunks(session)
    for chunk in chunks:
        result = _renew_chunk(house, chunk, lists, margin, result)
        if on_progress is not None:
            on_progress(result.seen)
    if result.extended:
        house.log.sequence(house.now())
    return result


def archive_status(house: "House", *, margin: timedelta = MARGIN) -> ArchiveStatus:
    """Count the issued files by profile, and those whose evidence has to be renewed."""
    before = house.now() + margin
    with house.database.reading() as session:
        counts = count_files(session, before)
    wanted = {one: _wanted(house, one) for one in dict.fromkeys(count.issuer_id for count in counts)}
    return ArchiveStatus(tuple(counts), before, wanted)


def _wanted(house: "House", issuer_id: str) -> SignatureProfile:
    return SignatureProfile(house.issuer(issuer_id).settings.signature_profile)


def _renew_chunk(
    house: "House", chunk: IssuedChunk, lists: RevocationLists, margin: timedelta, so_far: Renewed
) -> Renewed:
    with house.database.reading() as session:
        files = newest_files(session, house.vault, chunk)
    wanted = _wanted(house, chunk.issuer_id)
    before = house.now() + margin
    if not any(_is_due(file, wanted, before) for file in files):
        return replace(so_far, current=so_far.current + len(files))
    is_stamped = wanted is SignatureProfile.B_LTA or any(
        file.profile is SignatureProfile.B_B or file.profile.has_evidence for file in files
    )
    if is_stamped and house.timestamps is None:
        raise NoTimestampAuthority(SignatureProfile.B_LTA)
    stamps = house.timestamps if is_stamped else None
    try:
        done, listed = _extend_chunk(house, chunk, files, lists, stamps)
    except NoTimestamp:
        raise  # what no authority gives one chunk, it gives no other
    except (UnavailableError, ListedAsRevoked) as error:
        waiting = Waiting(chunk.batch_id, chunk.number, len(files), error)
        return replace(so_far, waiting=(*so_far.waiting, waiting))
    known = tuple(dict.fromkeys((*so_far.listed, *listed)))
    return replace(so_far, extended=so_far.extended + done, listed=known)


def _is_due(file: KeptFile, wanted: SignatureProfile, before: datetime) -> bool:
    """Whether a file lacks what its issuer wants by now, or what it has will end."""
    if not file.profile.has_evidence:
        return wanted.has_evidence
    is_ending = file.good_until is not None and file.good_until <= before
    return is_ending or file.profile.rank < wanted.rank


def _extend_chunk(
    house: "House",
    chunk: IssuedChunk,
    files: Sequence[KeptFile],
    lists: RevocationLists,
    stamps: "TimestampClient | None",
) -> tuple[int, list[Listed]]:
    """Take steps 2 to 5; gives how many files were extended, and which certificates have been revoked since."""
    name = f"revisions/{chunk.batch_id}/{chunk.number}-{max(file.revision for file in files) + 1}"
    documents = [read_document(house.blobs, file) for file in files]
    pack, listed = None, list[Listed]()
    if not house.blobs.exists(name):
        extended, listed = _append(house, files, documents, lists, stamps)
        pack = _store(house, name, extended)
    if pack is None:
        extended, pack = _read_back(house, name, files, documents)
    _register(house, chunk, extended, pack)
    return len(extended), listed


def _append(
    house: "House",
    files: Sequence[KeptFile],
    documents: Sequence[bytes],
    lists: RevocationLists,
    stamps: "TimestampClient | None",
) -> tuple[list[_Extended], list[Listed]]:
    """Take steps 2 and 3."""
    stamped = [read_stamped(document) for document in documents]
    last = max(_last_seen(file, one) for file, one in zip(files, stamped, strict=True))
    trust = house.trust
    certificates = list(dict.fromkeys(der for one in stamped for der in one.certificates))
    known = list(dict.fromkeys([*certificates, *trust.ca_certs, *trust.tsa_certs]))
    # An anchor that these files do not lead to has no list to give.
    unproven = list(dict.fromkeys(der for one in stamped for der in one.unproven))
    crls = lists.of_chain(unproven, known, last)
    listed = find_listed(unproven, crls)
    _refuse_revoked(stamped, listed)
    evidence = [append_evidence(document, known, crls) for document in documents]
    if stamps is not None:
        room = stamps.token_bytes
        prepared = [prepare_timestamp(document, room) for document in evidence]
        tokens = stamps.timestamp_many((one.message for one in prepared), room)
        evidence = [one.finish(token) for one, token in zip(prepared, tokens, strict=True)]
    _check(house, evidence[:1])
    return [_Extended(*one) for one in zip(files, documents, evidence, strict=True)], listed


def _refuse_revoked(stamped: Sequence[Stamped], listed: Sequence[Listed]) -> None:
    """Refuse lists that speak against a file: a certificate was revoked before it was used."""
    for one in listed:
        for file in stamped:
            if not file.is_archived and one.certificate in file.chain:
                proven = min((stamp.attested_at for stamp in file.stamps), default=None)
                if proven is None or one.since <= proven:
                    raise ListedAsRevoked(one, proven)
            for stamp in file.stamps:
                is_its_own = one.certificate in (stamp.certificate, *stamp.certificates)
                if is_its_own and (one.since <= stamp.attested_at or one.reason not in _HARMLESS):
                    raise ListedAsRevoked(one, stamp.attested_at)


def _last_seen(file: KeptFile, stamped: Stamped) -> datetime:
    """The moment up to which revocation lists have to tell what happened."""
    return max([one.attested_at for one in stamped.stamps], default=file.stored_at)


def _store(house: "House", name: str, extended: Sequence[_Extended]) -> Pack | None:
    """Take step 4; None when another process was quicker."""
    items = [
        PackItem(
            one.file.row_number,
            one.file.key.seal_bytes(one.after[len(one.before) :], item_place(KIND, name, one.file.row_number)),
            hashlib.sha256(one.after).digest(),
            len(one.after),
            one.file.prefix_digest,
        )
        for one in extended
    ]
    parts, pack = build_pack(KIND, name, items)
    return pack if house.blobs.create(name, parts) else None


def _read_back(
    house: "House", name: str, files: Sequence[KeptFile], documents: Sequence[bytes]
) -> tuple[list[_Extended], Pack]:
    """Check a pack that was found: every file and its digest; those erased meanwhile stay behind."""
    pack, content = read_pack(house.blobs, KIND, name)
    entries = {entry.row_number: entry for entry in pack.entries}
    extended = []
    for file, document in zip(files, documents, strict=True):
        entry = entries.get(file.row_number)
        if entry is None:
            raise PackDamaged(name, f"lacks row {file.row_number}", f"缺少第 {file.row_number} 行")
        sealed = content[entry.offset : entry.offset + entry.length]
        after = document + file.key.open_bytes(sealed, item_place(KIND, name, file.row_number))
        if hashlib.sha256(after).digest() != entry.digest:
            raise PackDamaged(name, f"gives another file for {file.serial}", f"中 {file.serial} 的文件与登记不符")
        extended.append(_Extended(file, document, after))
    _check(house, [one.after for one in extended])
    return extended, pack


def _check(house: "House", documents: Sequence[bytes]) -> None:
    """Have our own verifier say that nothing but evidence was appended."""
    for document in documents:
        report = examine(document, anchors=house.trust.ca_certs, crls=(), now=house.now())
        if report.integrity not in GOOD:
            raise UnfitDocument(report.integrity.value)


def _register(house: "House", chunk: IssuedChunk, extended: Sequence[_Extended], pack: Pack) -> None:
    """Take step 5; does nothing when another process registered the round first."""
    now = house.now()
    stamped = [read_stamped(one.after) for one in extended]
    leaves = [
        renewal_leaf(hashlib.sha256(one.after).digest(), one.file.original_digest, one.file.salt) for one in extended
    ]
    with house.database.transaction() as session:
        get_chunk(session, chunk.batch_id, chunk.number, lock=True)
        current = {file.row_number: file.revision for file in newest_files(session, house.vault, chunk)}
        if any(current.get(one.file.row_number, one.file.revision) != one.file.revision for one in extended):
            return
        ids = put_leaves(session, leaves)
        revisions = [
            NewRevision(one.file, _profile(one, rests_on), good_until(rests_on), leaf)
            for one, rests_on, leaf in zip(extended, stamped, ids, strict=True)
        ]
        insert_revisions(session, pack, revisions, now)


def _profile(extended: _Extended, rests_on: Stamped) -> SignatureProfile:
    """What a revision has: a time stamp more than the file before it, or evidence alone."""
    is_stamped = len(rests_on.stamps) > len(read_stamped(extended.before).stamps)
    is_kept = extended.file.profile is SignatureProfile.B_LTA
    return SignatureProfile.B_LTA if is_stamped or is_kept else SignatureProfile.B_LT
