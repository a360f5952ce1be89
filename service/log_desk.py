"""What operators and auditors do with the log: prove, mirror, open, check."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from credential.cbor import encode
from credential.cosignature import read_log_key
from credential.errors import InputError
from credential.leaves import LeafKind
from credential.note import Checkpoint, format_proof, parse_proof, verifier_key, verify_under
from credential.trust import Role
from registry.credentials import UnknownSerial
from registry.disclosure import Disclosure, Scope
from registry.log.growth import open_by_any
from registry.log.monitor import LogForkFound, LogShrank, look
from registry.log.openings import (
    CheckedOpenings,
    Opening,
    check_openings,
    format_header,
    format_opening,
    prove_each,
)
from registry.log.paths import Head, TileCache
from registry.log.publishing import FolderTarget, LogTarget, Mirrored, publish_log
from registry.log.s3_folder import S3Access, S3Target
from registry.log.tiles import WIDTH, TileFolder, Tiles, unpack_entries
from registry.log.timestamps import FOLDER as TIMESTAMPS
from registry.status.token_list import BadStatusToken, open_past_token
from service.house import House
from service.trust import read_content

_BUNDLES = 64


class DifferentLogs(InputError):
    """Keys were given that are of several logs."""

    code = "different-logs"

    def __init__(self, origins: Sequence[str]) -> None:
        listed = ", ".join(sorted(set(origins)))
        super().__init__(
            f"the keys given are of several logs ({listed}); give the keys of one, newest first",
            f"所给密钥属于不同的日志({listed}); 请只给同一日志的密钥, 新的在前",
        )


@dataclass(frozen=True, slots=True)
class LogKeys:
    """Whom a log is believed.

    Attributes:
        origin: name of the log.
        public_keys: SPKI DER, the one in use first.
    """

    origin: str
    public_keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """A leaf, where it stands, and the proof of it as a text."""

    opening: Opening
    size: int
    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What a file of openings holds.

    Attributes:
        counts: openings by kind.
        in_log: leaves of the log by kind, when everything was opened.
        erased: credentials whose leaves can never be opened again.
        size: of the log.
    """

    counts: Counter[LeafKind]
    in_log: Counter[LeafKind]
    erased: int
    size: int


def own_log_keys(house: House) -> LogKeys:
    """The log's key, and those it had before."""
    newest = house.store.public_key(Role.LOG)
    older = (entry.public_key for entry in house.store.entries() if entry.role == Role.LOG)
    return LogKeys(house.installation.log_origin, tuple(dict.fromkeys((newest, *older))))


def given_log_keys(texts: Sequence[str]) -> LogKeys:
    """Keys as other tools of the family write them, ``origin+id+base64``.

    Raises:
        BadNamedKey: one is not of the form.
        DifferentLogs: they are of several logs.
    """
    read = [read_log_key(text.strip()) for text in texts]
    origins = [origin for origin, _ in read]
    if len(set(origins)) != 1:
        raise DifferentLogs(origins)
    return LogKeys(origins[0], tuple(key for _, key in read))


def named_key(keys: LogKeys) -> str:
    """The key in use, as one line for others to check with."""
    return verifier_key(keys.origin, keys.public_keys[0])


# ---- prove ----------------------------------------------------------------------------------------------------


def prove_leaf(house: House, scope: Scope, kind: LeafKind) -> ProvenLeaf:
    """Prove the newest leaf of a kind that a serial has, under the checkpoint that proofs are made under.

    Raises:
        UnknownSerial: it has none in the log.
        NotWitnessed, NoCheckpoint, LogDamaged: there is no checkpoint to prove it under.
    """
    head = house.log_reader.head()
    with house.database.reading() as session:
        found = [
            one
            for one in Disclosure(session, house.vault, house.status_lists.uri, head.size).openings(scope)
            if one.kind is kind
        ]
    if not found:
        raise UnknownSerial(scope.serial or "")
    newest = found[-1]
    return ProvenLeaf(
        newest, head.size, format_proof(newest.position, head.path(newest.position, newest.leaf), head.note)
    )


def check_proof(text: str, leaf: bytes, keys: LogKeys) -> Checkpoint:
    """Check a proof that somebody gave; returns the checkpoint it is under.

    Raises:
        BadLogProof: it proves nothing of this leaf.
        BadNote, BadCheckpoint: its checkpoint is not of this log.
    """
    proof = parse_proof(text)
    checkpoint = open_by_any(proof.checkpoint, keys.public_keys, keys.origin)
    verify_under(checkpoint, proof, leaf)
    return checkpoint


# ---- publish --------------------------------------------------------------------------------------------------


def publish_own_log(
    house: House, address: str, access: S3Access | None = None, progress: Callable[[int], None] = lambda _: None
) -> Mirrored:
    """Mirror the log to a folder, or to ``s3://bucket/prefix``; see :func:`registry.log.publishing.publish_log`."""
    target: LogTarget = FolderTarget(Path(address)) if access is None else S3Target(address, access)
    keys = own_log_keys(house)
    tiles = TileFolder(house.folder.log)
    stamps = sorted(path for path in (house.folder.log / TIMESTAMPS).rglob("*") if path.is_file())
    others = [str(path.relative_to(house.folder.log)) for path in stamps if not path.name.startswith(".")]
    return publish_log(tiles, target, keys.public_keys, keys.origin, others=others, progress=progress)


# ---- open -----------------------------------------------------------------------------------------------------


def write_openings(house: House, scope: Scope, write: Callable[[str], object], *, with_proofs: bool) -> Opened:
    """Open what a scope covers, line by line, under the checkpoint that proofs are made under.

    Args:
        house: the installation.
        scope: what is wanted.
        write: takes each line.
        with_proofs: prove each leaf, so that the file is checked without the log.

    Raises:
        UnknownSerial: nothing of the scope is in the log.
        NoCheckpoint, NotWitnessed, LogDamaged: there is no checkpoint to open under.
    """
    head = house.log_reader.head()
    write(format_header(head.note))
    counts: Counter[LeafKind] = Counter()
    with house.database.reading() as session:
        disclosure = Disclosure(session, house.vault, house.status_lists.uri, head.size)
        openings: Iterator[Opening] = disclosure.openings(scope, _public(house) if scope.is_all else ())
        for one in prove_each(openings, head.path) if with_proofs else openings:
            write(format_opening(one))
            counts[one.kind] += 1
        in_log = disclosure.count_logged() if scope.is_all else Counter[LeafKind]()
    if not counts and not scope.is_all:
        raise UnknownSerial(scope.serial or f"of batch {scope.batch_id}")
    return Opened(counts, in_log, disclosure.erased, head.size)


def check_openings_file(
    path: Path, keys: LogKeys, tiles: Tiles | None, now: datetime, tell: Callable[[Opening, object], None]
) -> CheckedOpenings:
    """Check a file of openings: by its proofs, or against the whole published log.

    Args:
        path: of the file; not trusted.
        keys: whom the log is believed.
        tiles: the published files, every one of which is then checked; not trusted.
        now: the current moment.
        tell: given each opening that is true, and its content, decoded.

    Raises:
        BadOpening: a line is not true of the log.
        LogForkFound: its checkpoint and the published one are of two histories.
        LogDamaged: the published log is not what was signed.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        if tiles is None:
            return check_openings(lines, keys.public_keys, keys.origin, tell=tell)
        seen = look(tiles, keys.public_keys, keys.origin, None, now)
        checked = check_openings(lines, keys.public_keys, keys.origin, _leaf_reader(tiles, seen.checkpoint.size), tell)
    sizes = (checked.checkpoint.size, seen.checkpoint.size)
    if sizes[0] > sizes[1]:
        raise LogShrank(checked.note, seen.note, sizes)
    if Head(seen.note, seen.checkpoint, TileCache(tiles)).root_at(sizes[0]) != checked.checkpoint.root:
        raise LogForkFound(checked.note, seen.note, sizes)
    return checked


def _leaf_reader(tiles: Tiles, size: int) -> Callable[[int], bytes]:
    """Read entries by position; they were checked just before."""

    @lru_cache(_BUNDLES)
    def bundle(index: int) -> tuple[bytes, ...]:
        return tuple(unpack_entries(tiles.read(None, index, min(WIDTH, size - index * WIDTH))))

    return lambda position: bundle(position // WIDTH)[position % WIDTH] if position < size else b""


def _public(house: House) -> Iterator[tuple[LeafKind, bytes, str]]:
    """What can be opened without a secret, as far as it is still at hand: lists and keys that were published."""
    status_key = house.store.public_key(Role.STATUS)
    for path in sorted(house.folder.status.glob("*.cwt")):
        with suppress(BadStatusToken):  # not signed by the key in use
            made = open_past_token(path.read_bytes(), status_key)
            content = encode([made.sub, int(made.iat.timestamp()), made.digest])
            yield LeafKind.STATUS_LIST, content, f"status list {path.stem}"
    for path in sorted(house.folder.trust_lists.glob("*.json")):
        envelope = path.read_bytes()
        yield LeafKind.TRUST_LIST, encode([sha256(envelope).digest()]), f"trust list {path.stem}"
        trust = read_content(envelope)
        for key in trust.keys:
            yield LeafKind.KEY, encode([key.role.value, key.issuer, key.public_key]), f"{key.role.value} key"
        for root in trust.roots:
            yield LeafKind.KEY, encode([Role.TRUST_ROOT.value, "", root]), "root key"
